"""Addresses of what is required and who owes it."""

from django.urls import path

from training.requirements import views

urlpatterns = [
    path("training/required/", views.matrix, name="requirements-matrix"),
    path("training/required/export/", views.export, name="requirements-export"),
    path("training/required/filters/", views.save, name="requirements-save-filter"),
    path("training/required/filters/<int:pk>/", views.forget, name="requirements-forget-filter"),
    path("training/required/overdue/", views.overdue, name="requirements-overdue"),
    path("training/required/expiring/", views.expiring, name="requirements-expiring"),
    path("training/required/rules/", views.rules, name="requirements-rules"),
    path("training/required/rules/new/", views.require, name="requirements-require"),
    path("training/required/rules/<int:pk>/end/", views.end, name="requirements-end"),
    path("training/required/waivers/", views.waivers, name="requirements-waivers"),
    path("training/required/waivers/new/", views.waive, name="requirements-waive"),
    path(
        "training/required/waivers/<int:pk>/end/", views.end_waiver, name="requirements-end-waiver"
    ),
]
