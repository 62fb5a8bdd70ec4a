"""Addresses of results of people."""

from django.urls import path

from sqcore.performance import views

urlpatterns = [
    path("people/", views.people, name="performance-people"),
    path("people/me/", views.me, name="performance-me"),
    path("people/me/answers/<path:measure>/", views.answers, name="performance-answers"),
    path("people/me/encounters/", views.encounters, name="performance-encounters"),
    path(
        "people/me/encounters/<path:key>/",
        views.dispute_encounter,
        name="performance-dispute-encounter",
    ),
    path("people/disputes/", views.disputes, name="performance-disputes"),
    path("people/disputes/<int:dispute_id>/", views.dispute, name="performance-dispute"),
    path("people/rules/", views.rules, name="performance-rules"),
    path("people/rules/new/", views.change_rules, name="performance-rules-new"),
    path("people/<str:number>/", views.person, name="performance-person"),
]
