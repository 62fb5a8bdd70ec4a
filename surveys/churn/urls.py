"""Addresses of customers at risk."""

from django.urls import path

from surveys.churn import views

urlpatterns = [
    path("churn/", views.risk, name="churn"),
    path("churn/scorecard/", views.define, name="churn-define"),
    path("churn/again/", views.again, name="churn-again"),
]
