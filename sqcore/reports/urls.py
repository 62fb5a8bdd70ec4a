"""Addresses of the reports on a unit."""

from django.urls import path

from sqcore.reports import views

urlpatterns = [
    path("quality/units/<slug:code>/review/", views.review, name="reports-review"),
    path("quality/units/<slug:code>/diagnosis/", views.diagnosis, name="reports-diagnosis"),
    path("quality/units/<slug:code>/review.pdf", views.review_pdf, name="reports-review-pdf"),
    path(
        "quality/units/<slug:code>/diagnosis/short/",
        views.diagnosis_in_short,
        name="reports-diagnosis-short",
    ),
]
