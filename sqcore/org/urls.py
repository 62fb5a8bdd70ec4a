"""Addresses of the organisation."""

from django.urls import path

from sqcore.org import views

urlpatterns = [
    path("shifts/", views.shifts, name="org-shifts"),
    path("units/", views.units, name="org-units"),
    path("units/<slug:code>/<slug:way>/", views.shift, name="org-shift-unit"),
]
