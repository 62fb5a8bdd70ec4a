"""Addresses of the questionnaires."""

from django.urls import path

from surveys.instruments import views

urlpatterns = [
    path("surveys/questionnaires/", views.instruments, name="instruments-list"),
    path(
        "surveys/questionnaires/<slug:code>/<int:number>/",
        views.instrument,
        name="instruments-detail",
    ),
]
