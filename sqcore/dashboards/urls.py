"""Addresses of the shell itself."""

from django.urls import path

from sqcore.dashboards import views

urlpatterns = [
    path("design/", views.design, name="dashboards-design"),
]
