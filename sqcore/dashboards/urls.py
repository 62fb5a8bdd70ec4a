"""Addresses of the shell itself."""

from django.urls import path

from sqcore.dashboards import views

urlpatterns = [
    path("", views.home, name="home"),
    path("design/", views.design, name="dashboards-design"),
]
