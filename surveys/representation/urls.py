"""Addresses of populations and weighings."""

from django.urls import path

from surveys.representation import views

VERSION = "surveys/questionnaires/<slug:code>/<int:number>/representation/"

urlpatterns = [
    path(VERSION, views.representation, name="representation-report"),
    path(f"{VERSION}weigh/", views.weigh, name="representation-weigh"),
    path(f"{VERSION}invited/", views.count_invited, name="representation-invited"),
    path("surveys/populations/", views.populations, name="representation-populations"),
    path("surveys/populations/new/", views.new_population, name="representation-new"),
    path("surveys/populations/served/", views.count_served, name="representation-served"),
    path("surveys/populations/<int:number>/", views.population, name="representation-population"),
]
