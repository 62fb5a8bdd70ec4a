"""Addresses of files of rows."""

from django.urls import path

from sqcore.files import views

urlpatterns = [
    path("files/<slug:kind>/", views.files, name="files-list"),
    path("files/<slug:kind>/template.csv", views.template_file, name="files-template"),
    path("files/<int:import_id>/columns/", views.columns, name="files-columns"),
    path("files/<int:import_id>/report/", views.detail, name="files-detail"),
    path("files/<int:import_id>/mapping.toml", views.mapping_file, name="files-mapping"),
    path("files/<int:import_id>/take/", views.take, name="files-take"),
    path("files/<int:import_id>/discard/", views.discard, name="files-discard"),
]
