"""Addresses of this app, room by room."""

from django.urls import include, path

app_name = "training"

urlpatterns = [
    path("", include("training.certificates.urls")),
    path("", include("training.competencies.urls")),
    path("", include("training.courses.urls")),
    path("", include("training.effect.urls")),
    path("", include("training.enrolments.urls")),
    path("", include("training.incentives.urls")),
    path("", include("training.needs.urls")),
    path("", include("training.records.urls")),
    path("", include("training.requirements.urls")),
]
