"""Addresses of this app, room by room."""

from django.urls import URLPattern, URLResolver, include, path

app_name = "sqcore"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("sqcore.dashboards.urls")),
    path("", include("sqcore.comparators.urls")),
    path("", include("sqcore.evaluation.urls")),
    path("", include("sqcore.encounters.urls")),
    path("", include("sqcore.files.urls")),
    path("", include("sqcore.identity.urls")),
    path("", include("sqcore.indicators.urls")),
    path("", include("sqcore.measurements.urls")),
    path("", include("sqcore.monitoring.urls")),
    path("", include("sqcore.org.urls")),
    path("", include("sqcore.performance.urls")),
    path("", include("sqcore.notices.urls")),
    path("", include("sqcore.reports.urls")),
    path("", include("sqcore.publication.urls")),
    path("", include("sqcore.jobs.urls")),
    path("", include("sqcore.access.urls")),
    path("", include("sqcore.audit.urls")),
    path("", include("sqcore.weighting.urls")),
    path("", include("sqcore.webhooks.urls")),
]
