"""Addresses of the ledger."""

from django.urls import path

from sqcore.audit import views

urlpatterns = [path("audit/", views.entries, name="audit-entries")]
