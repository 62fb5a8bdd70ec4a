"""Addresses of Set-up: indicator systems and the catalogue."""

from django.urls import path

from sqcore.indicators import catalogue_views, draft_views, views

VERSION = "setup/systems/<slug:code>/versions/<int:number>/"

urlpatterns = [
    path("setup/systems/", views.systems, name="indicators-systems"),
    path("setup/systems/new/", views.new_system, name="indicators-system-new"),
    path("setup/systems/<slug:code>/", views.system, name="indicators-system"),
    path("setup/systems/<slug:code>/copy/", views.copy, name="indicators-copy"),
    path(VERSION, views.version, name="indicators-version"),
    path(f"{VERSION}settings/", draft_views.settings, name="indicators-settings"),
    path(f"{VERSION}check/", views.publish, name="indicators-publish"),
    path(f"{VERSION}discard/", views.discard, name="indicators-discard"),
    path(f"{VERSION}weights/<slug:group>/", draft_views.weights, name="indicators-weights"),
    path(f"{VERSION}dimensions/", draft_views.new_dimension, name="indicators-dimension-new"),
    path(f"{VERSION}dimensions/<slug:within>/", draft_views.dimension, name="indicators-dimension"),
    path(
        f"{VERSION}dimensions/<slug:within>/indicators/",
        draft_views.place_indicator,
        name="indicators-place",
    ),
    path(f"{VERSION}indicators/<slug:indicator>/", draft_views.leaf, name="indicators-leaf"),
    path("setup/indicators/", catalogue_views.catalogue, name="indicators-catalogue"),
    path("setup/indicators/new/", catalogue_views.new_indicator, name="indicators-new"),
    path("setup/indicators/<slug:code>/", catalogue_views.indicator, name="indicators-detail"),
    path(
        "setup/indicators/<slug:code>/change/",
        catalogue_views.change_indicator,
        name="indicators-change",
    ),
    path(
        "setup/indicators/<slug:code>/targets/",
        catalogue_views.new_target,
        name="indicators-target",
    ),
    path(
        "setup/indicators/<slug:code>/targets/<int:target>/end/",
        catalogue_views.end_target,
        name="indicators-target-end",
    ),
]
