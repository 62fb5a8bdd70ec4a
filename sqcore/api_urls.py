"""Addresses of the REST interface, room by room."""

from django.urls import URLPattern, URLResolver, path

from sqcore.evaluation.api import KpiListView, RunListView, RunView
from sqcore.org.api import (
    ChannelListView,
    OrganisationView,
    SegmentListView,
    StaffListView,
    UnitListView,
    UnitView,
)

app_name = "sqcore-api"

urlpatterns: list[URLPattern | URLResolver] = [
    path("organisation", OrganisationView.as_view(), name="org-organisation"),
    path("units", UnitListView.as_view(), name="org-units"),
    path("units/<slug:code>", UnitView.as_view(), name="org-unit"),
    path("channels", ChannelListView.as_view(), name="org-channels"),
    path("segments", SegmentListView.as_view(), name="org-segments"),
    path("staff", StaffListView.as_view(), name="org-staff"),
    path("kpi-values", KpiListView.as_view(), name="evaluation-kpi-values"),
    path("runs", RunListView.as_view(), name="evaluation-runs"),
    path("runs/<int:run_id>", RunView.as_view(), name="evaluation-run"),
]
