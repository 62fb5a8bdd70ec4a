"""Addresses of the inbox."""

from django.urls import path

from sqcore.notices import views

urlpatterns = [
    path("inbox/", views.inbox, name="notices-inbox"),
    path("inbox/<int:notice_id>/", views.notice, name="notices-open"),
    path("inbox/read-all/", views.read_all, name="notices-read-all"),
]
