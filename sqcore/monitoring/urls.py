"""Addresses of control charts and signals."""

from django.urls import path

from sqcore.monitoring import views

urlpatterns = [
    path("quality/signals/", views.signals, name="monitoring-signals"),
    path("quality/early-warnings/", views.early_warnings, name="monitoring-early"),
    path(
        "quality/charts/<slug:system>/<slug:unit>/<slug:code>/",
        views.chart,
        name="monitoring-chart",
    ),
    path("quality/funnels/<slug:system>/<slug:code>/", views.funnel, name="monitoring-funnel"),
]
