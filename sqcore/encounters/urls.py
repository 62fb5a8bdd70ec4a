"""Addresses of the pages of encounters."""

from django.urls import path

from sqcore.encounters import views

urlpatterns = [
    path("encounters/", views.overview, name="encounters-overview"),
    path("encounters/list/", views.encounters, name="encounters-list"),
    path("encounters/<int:encounter_id>/", views.encounter, name="encounters-encounter"),
    path("encounters/catalogue/", views.catalogue, name="encounters-catalogue"),
    path("encounters/services/new/", views.service, name="encounters-new-service"),
    path("encounters/services/<slug:code>/", views.service, name="encounters-service"),
    path("encounters/stages/new/", views.stage, name="encounters-new-stage"),
    path("encounters/stages/<slug:code>/", views.stage, name="encounters-stage"),
    path("process/", views.process, name="encounters-process"),
]
