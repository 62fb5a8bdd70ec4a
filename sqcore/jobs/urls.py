"""Addresses of long work."""

from django.urls import path

from sqcore.jobs import views

urlpatterns = [
    path("jobs/", views.jobs, name="jobs-list"),
    path("jobs/<uuid:job_id>/", views.job, name="jobs-detail"),
    path("jobs/<uuid:job_id>/retry/", views.retry, name="jobs-retry"),
]
