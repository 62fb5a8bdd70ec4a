"""Addresses of training needs."""

from django.urls import path

from training.needs import views

urlpatterns = [
    path("training/needs/", views.needs, name="needs-list"),
    path("training/needs/export/", views.export, name="needs-export"),
    path("training/needs/ask/<str:number>/", views.ask, name="needs-ask"),
    path("training/needs/<int:pk>/", views.need, name="needs-need"),
    path("training/needs/<int:pk>/plan/", views.plan, name="needs-plan"),
    path("training/needs/<int:pk>/dismiss/", views.dismiss, name="needs-dismiss"),
]
