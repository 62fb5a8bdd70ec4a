"""Addresses of operational data."""

from django.urls import path

from sqcore.measurements import views

urlpatterns = [
    path("measurements/", views.measures, name="measurements-measures"),
    path("measurements/new/", views.new_measure, name="measurements-new"),
    path("measurements/feeds/new/", views.new_feed, name="measurements-new-feed"),
    path(
        "measurements/needed/<slug:code>/", views.define_missing, name="measurements-define-missing"
    ),
    path("measurements/equipment/", views.equipment, name="measurements-equipment"),
    path("measurements/machines/new/", views.new_machine, name="measurements-new-machine"),
    path("measurements/equipment/<slug:code>/", views.machine, name="measurements-machine"),
    path("measurements/of/<slug:code>/", views.measure, name="measurements-measure"),
    path(
        "measurements/of/<slug:code>/<slug:unit>/<str:period>/",
        views.place,
        name="measurements-place",
    ),
    path(
        "measurements/values/<int:observation_id>/withdraw/",
        views.withdraw,
        name="measurements-withdraw",
    ),
    path(
        "measurements/equipment/<slug:code>/retire/",
        views.retire_machine,
        name="measurements-retire-machine",
    ),
    path("measurements/of/<slug:code>/change/", views.change_measure, name="measurements-change"),
    path("measurements/of/<slug:code>/retire/", views.retire_measure, name="measurements-retire"),
]
