"""Addresses of the organisation."""

from django.urls import path

from sqcore.org import views

urlpatterns = [
    path("units/", views.units, name="org-units"),
    path("units/<slug:code>/<slug:way>/", views.shift, name="org-shift-unit"),
]
