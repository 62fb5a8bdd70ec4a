"""Addresses of the invitations: the respondent's page, and the pages of who runs a campaign."""

from django.urls import path

from surveys.invitations import views

urlpatterns = [
    path("i/<str:token>", views.answer, name="invitations-answer"),
    path("i/<str:token>/send", views.send, name="invitations-send"),
    path("i/<str:token>/thanks", views.thanks, name="invitations-thanks"),
    path("surveys/campaigns/<slug:code>/invitations/", views.invitations, name="invitations-list"),
    path("surveys/campaigns/<slug:code>/invitations/new/", views.new_plan, name="invitations-new"),
    path(
        "surveys/campaigns/<slug:code>/invitations/<int:number>/end/",
        views.end,
        name="invitations-end",
    ),
    path(
        "surveys/campaigns/<slug:code>/invitations/export/",
        views.export,
        name="invitations-export",
    ),
    path(
        "surveys/campaigns/<slug:code>/invitations/withdraw/",
        views.withdraw,
        name="invitations-withdraw",
    ),
]
