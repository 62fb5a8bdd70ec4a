"""Addresses of Set-up: indicator systems and the catalogue."""

from django.urls import path

from sqcore.indicators import views

VERSION = "setup/systems/<slug:code>/versions/<int:number>/"

urlpatterns = [
    path("setup/systems/", views.systems, name="indicators-systems"),
    path("setup/systems/new/", views.new_system, name="indicators-system-new"),
    path("setup/systems/<slug:code>/", views.system, name="indicators-system"),
    path("setup/systems/<slug:code>/copy/", views.copy, name="indicators-copy"),
    path(VERSION, views.version, name="indicators-version"),
    path(f"{VERSION}settings/", views.settings, name="indicators-settings"),
    path(f"{VERSION}check/", views.publish, name="indicators-publish"),
    path(f"{VERSION}discard/", views.discard, name="indicators-discard"),
    path(f"{VERSION}weights/<slug:group>/", views.weights, name="indicators-weights"),
    path(f"{VERSION}dimensions/", views.new_dimension, name="indicators-dimension-new"),
    path(f"{VERSION}dimensions/<slug:within>/", views.dimension, name="indicators-dimension"),
    path(
        f"{VERSION}dimensions/<slug:within>/indicators/",
        views.place_indicator,
        name="indicators-place",
    ),
    path(f"{VERSION}indicators/<slug:indicator>/", views.leaf, name="indicators-leaf"),
    path("setup/indicators/", views.catalogue, name="indicators-catalogue"),
    path("setup/indicators/new/", views.new_indicator, name="indicators-new"),
    path("setup/indicators/<slug:code>/", views.indicator, name="indicators-detail"),
    path("setup/indicators/<slug:code>/change/", views.change_indicator, name="indicators-change"),
    path("setup/indicators/<slug:code>/targets/", views.new_target, name="indicators-target"),
    path(
        "setup/indicators/<slug:code>/targets/<int:target>/end/",
        views.end_target,
        name="indicators-target-end",
    ),
]
