"""Addresses of the imports."""

from django.urls import path

from surveys.imports import views

urlpatterns = [
    path("surveys/imports/", views.imports, name="imports-list"),
    path("surveys/imports/<int:import_id>/", views.detail, name="imports-detail"),
    path("surveys/imports/<int:import_id>/columns/", views.columns, name="imports-columns"),
    path("surveys/imports/<int:import_id>/mapping/", views.text, name="imports-text"),
    path("surveys/imports/<int:import_id>/mapping.toml", views.mapping_file, name="imports-file"),
    path("surveys/imports/<int:import_id>/left-out.csv", views.left_out, name="imports-left-out"),
    path("surveys/imports/<int:import_id>/take/", views.take, name="imports-take"),
    path("surveys/imports/<int:import_id>/discard/", views.discard, name="imports-discard"),
]
