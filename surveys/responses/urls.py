"""Addresses of the respondent's pages."""

from django.urls import path

from surveys.responses import views

urlpatterns = [
    path("a/<str:token>/", views.answer, name="responses-answer"),
    path("a/<str:token>/send/", views.send, name="responses-send"),
    path("a/<str:token>/thanks/", views.thanks, name="responses-thanks"),
    path("surveys/campaigns/<slug:code>/preview/", views.preview, name="responses-preview"),
]
