"""Addresses of the reports on questionnaires."""

from django.urls import path

from surveys.validation import views

urlpatterns = [
    path(
        "surveys/questionnaires/<slug:code>/<int:number>/soundness/",
        views.report,
        name="validation-report",
    ),
]
