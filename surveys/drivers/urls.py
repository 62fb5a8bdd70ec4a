"""Addresses of what matters."""

from django.urls import path

from surveys.drivers import views

urlpatterns = [
    path("what-matters/", views.matters, name="drivers-matters"),
]
