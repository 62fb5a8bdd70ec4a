"""Addresses of the home page and the results."""

from django.urls import path

from sqcore.evaluation import views

urlpatterns = [
    path("", views.home, name="home"),
    path("quality/", views.quality, name="evaluation-quality"),
    path("quality/units/<slug:code>/", views.unit, name="evaluation-unit"),
    path("quality/indicators/<slug:code>/", views.indicator, name="evaluation-indicator"),
    path("quality/indicators/<slug:code>/series.csv", views.series_file, name="evaluation-series"),
]
