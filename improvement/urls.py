"""Addresses of this app, room by room."""

from django.urls import include, path

app_name = "improvement"

urlpatterns = [
    path("", include("improvement.cycle.urls")),
]
