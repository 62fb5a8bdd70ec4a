"""Addresses of certificates, of training had elsewhere, and of closing a session."""

from django.urls import path

from training.certificates import views

urlpatterns = [
    path("training/certificates/", views.certificates, name="certificates-list"),
    path("training/certificates/<int:pk>/", views.certificate, name="certificates-certificate"),
    path("training/certificates/<int:pk>/revoke/", views.revoke, name="certificates-revoke"),
    path("training/sessions/<slug:code>/close/", views.close, name="certificates-close"),
    path("training/external/", views.external, name="certificates-external"),
    path("training/external/new/", views.claim, name="certificates-claim"),
    path("training/external/<int:pk>/", views.decide, name="certificates-decide"),
    path("training/external/<int:pk>/evidence/", views.evidence, name="certificates-evidence"),
]
