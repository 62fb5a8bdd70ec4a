"""Addresses of the campaigns."""

from django.urls import path

from surveys.campaigns import views

urlpatterns = [
    path("surveys/", views.campaigns, name="campaigns-list"),
    path("surveys/new/", views.new_campaign, name="campaigns-new"),
    path("surveys/campaigns/<slug:code>/", views.campaign, name="campaigns-detail"),
    path("surveys/campaigns/<slug:code>/state/", views.change_state, name="campaigns-state"),
    path("surveys/campaigns/<slug:code>/links/", views.links, name="campaigns-links"),
    path("surveys/campaigns/<slug:code>/sheet/", views.sheet, name="campaigns-sheet"),
    path(
        "surveys/campaigns/<slug:code>/codes/<str:token>.svg",
        views.code_image,
        name="campaigns-code",
    ),
    path(
        "surveys/campaigns/<slug:code>/links/<str:token>/revoke/",
        views.revoke,
        name="campaigns-revoke",
    ),
]
