"""Addresses of HR's page of training, its files, of one's own training and its calendar."""

from django.urls import path

from training.records import views

urlpatterns = [
    path("training/", views.overview, name="records-overview"),
    path("training/groups/", views.fairness, name="records-fairness"),
    path("training/files/", views.exports, name="records-exports"),
    path("training/files/<slug:kind>/", views.export, name="records-export"),
    path("training/mine/", views.my_training, name="records-mine"),
    path("training/mine/calendar/", views.make_address, name="records-address"),
    path("training/mine/calendar/remove/", views.remove_address, name="records-address-remove"),
    path("training/calendar/<str:secret>.ics", views.calendar, name="records-calendar"),
]
