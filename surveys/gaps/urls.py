"""Addresses of the five gaps."""

from django.urls import path

from surveys.gaps import views

urlpatterns = [
    path("gaps/", views.gaps, name="gaps"),
]
