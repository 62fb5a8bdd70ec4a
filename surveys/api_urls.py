"""Addresses of the REST interface, room by room."""

from django.urls import URLPattern, URLResolver, path

from surveys.analyses.api import AnalysisListView
from surveys.churn.api import UnitRiskListView
from surveys.gaps.api import ExpectationListView
from surveys.invitations.api import HandOutView, InvitationListView
from surveys.representation.api import WeighingListView
from surveys.responses.api import (
    CampaignListView,
    CampaignView,
    ResponseBatchView,
    ResponseView,
)

app_name = "surveys-api"

urlpatterns: list[URLPattern | URLResolver] = [
    path("analyses", AnalysisListView.as_view(), name="analyses-list"),
    path("campaigns", CampaignListView.as_view(), name="responses-campaigns"),
    path("campaigns/<slug:code>", CampaignView.as_view(), name="responses-campaign"),
    path("campaigns/<slug:code>/responses", ResponseView.as_view(), name="responses-add"),
    path(
        "campaigns/<slug:code>/response-batches",
        ResponseBatchView.as_view(),
        name="responses-add-batch",
    ),
    path("expectations", ExpectationListView.as_view(), name="expectations-list"),
    path("invitations", InvitationListView.as_view(), name="invitations-list"),
    path("invitations/hand-out", HandOutView.as_view(), name="invitations-hand-out"),
    path("customers-at-risk", UnitRiskListView.as_view(), name="churn-list"),
    path("weighings", WeighingListView.as_view(), name="weighings-list"),
]
