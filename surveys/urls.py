"""Addresses of this app, room by room."""

from django.urls import URLPattern, URLResolver, include, path

app_name = "surveys"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("surveys.responses.urls")),
    path("", include("surveys.invitations.urls")),
    path("", include("surveys.campaigns.urls")),
    path("", include("surveys.imports.urls")),
    path("", include("surveys.instruments.urls")),
    path("", include("surveys.validation.urls")),
    path("", include("surveys.drivers.urls")),
    path("", include("surveys.gaps.urls")),
    path("", include("surveys.representation.urls")),
    path("", include("surveys.churn.urls")),
]
