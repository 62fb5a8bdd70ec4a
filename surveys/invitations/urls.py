"""Addresses of the invitations: the respondent's page, and the pages of who runs a campaign."""

from django.urls import path

from surveys.invitations import views

urlpatterns = [
    path("i/<str:token>", views.answer, name="invitations-answer"),
    path("i/<str:token>/send", views.send, name="invitations-send"),
    path("i/<str:token>/thanks", views.thanks, name="invitations-thanks"),
]
