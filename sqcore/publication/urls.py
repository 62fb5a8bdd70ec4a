"""Addresses of the way of a version from its goals to its publication."""

from django.urls import path

from sqcore.publication import views

VERSION = "setup/systems/<slug:code>/versions/<int:number>/"

urlpatterns = [
    path("setup/systems/<slug:code>/evaluate/", views.evaluate, name="publication-evaluate"),
    path(f"{VERSION}steps/", views.steps, name="publication-steps"),
    path(f"{VERSION}changes/", views.changes, name="publication-changes"),
    path(f"{VERSION}goals/", views.goals, name="publication-goals"),
    path(f"{VERSION}goals/<uuid:key>/", views.goal, name="publication-goal"),
    path(f"{VERSION}screening/", views.screening, name="publication-screening"),
    path(f"{VERSION}screening/placed/", views.placed, name="publication-placed"),
    path(f"{VERSION}screening/<int:position>/", views.candidate, name="publication-candidate"),
]
