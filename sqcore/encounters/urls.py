"""Addresses of the pages of encounters."""

from django.urls import path

from sqcore.encounters import views

urlpatterns = [
    path("process/", views.process, name="encounters-process"),
]
