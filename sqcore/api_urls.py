"""Addresses of the REST interface, room by room."""

from django.urls import URLPattern, URLResolver, path

from sqcore.access.api import RootView
from sqcore.access.views import api_page, schema
from sqcore.comparators.api import (
    ComparatorListView,
    ComparatorValueListView,
    ComparatorWithdrawalView,
    SystemComparisonView,
)
from sqcore.encounters.api import (
    EncounterView,
    ProcessMapView,
    ServiceListView,
    StageListView,
)
from sqcore.evaluation.api import KpiListView, RunListView, RunView
from sqcore.indicators.api import (
    IndicatorListView,
    IndicatorView,
    SystemListView,
    SystemView,
)
from sqcore.measurements.api import (
    EquipmentListView,
    EquipmentStateView,
    MeasureListView,
    MeasurementView,
    MeasurementWithdrawalView,
)
from sqcore.monitoring.api import (
    ChartView,
    EarlyWarningListView,
    ForecastView,
    SignalListView,
    WatchListView,
)
from sqcore.org.api import (
    ChannelListView,
    OrganisationView,
    SegmentListView,
    StaffListView,
    UnitListView,
    UnitView,
)
from sqcore.performance.api import PeopleResultsRunsView, PeopleResultsView
from sqcore.publication.api import SystemChangesView, SystemGoalsView, SystemScreeningView
from sqcore.reports.api import DiagnosisView, ReviewView
from sqcore.weighting.api import SystemSensitivityView, SystemWeightsView

app_name = "sqcore-api"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RootView.as_view(), name="access-root"),
    path("docs/", api_page, name="access-docs"),
    path("schema/", schema, name="access-schema"),
    path("schema/openapi.json", schema, {"form": "json"}, name="access-schema-json"),
    path("organisation", OrganisationView.as_view(), name="org-organisation"),
    path("units", UnitListView.as_view(), name="org-units"),
    path("units/<slug:code>", UnitView.as_view(), name="org-unit"),
    path("units/<slug:code>/review.pdf", ReviewView.as_view(), name="reports-review-pdf"),
    path("units/<slug:code>/diagnosis", DiagnosisView.as_view(), name="reports-diagnosis"),
    path("channels", ChannelListView.as_view(), name="org-channels"),
    path("segments", SegmentListView.as_view(), name="org-segments"),
    path("staff", StaffListView.as_view(), name="org-staff"),
    path("indicators", IndicatorListView.as_view(), name="indicators-list"),
    path("indicators/<slug:code>", IndicatorView.as_view(), name="indicators-detail"),
    path("systems", SystemListView.as_view(), name="indicators-systems"),
    path("systems/<slug:code>", SystemView.as_view(), name="indicators-system"),
    path("systems/<slug:code>/weights", SystemWeightsView.as_view(), name="weighting-weights"),
    path(
        "systems/<slug:code>/weights/sensitivity",
        SystemSensitivityView.as_view(),
        name="weighting-sensitivity",
    ),
    path(
        "systems/<slug:code>/comparison", SystemComparisonView.as_view(), name="comparators-system"
    ),
    path("comparators", ComparatorListView.as_view(), name="comparators-list"),
    path("comparator-values", ComparatorValueListView.as_view(), name="comparators-values"),
    path(
        "comparator-values/<int:value_id>/withdraw",
        ComparatorWithdrawalView.as_view(),
        name="comparators-withdraw",
    ),
    path(
        "systems/<slug:code>/versions/<int:number>/changes",
        SystemChangesView.as_view(),
        name="publication-changes",
    ),
    path(
        "systems/<slug:code>/versions/<int:number>/goals",
        SystemGoalsView.as_view(),
        name="publication-goals",
    ),
    path(
        "systems/<slug:code>/versions/<int:number>/screening",
        SystemScreeningView.as_view(),
        name="publication-screening",
    ),
    path("measures", MeasureListView.as_view(), name="measurements-measures"),
    path("measurements", MeasurementView.as_view(), name="measurements-list"),
    path(
        "measurement-withdrawals",
        MeasurementWithdrawalView.as_view(),
        name="measurements-withdrawals",
    ),
    path("equipment", EquipmentListView.as_view(), name="measurements-equipment"),
    path("equipment-states", EquipmentStateView.as_view(), name="measurements-states"),
    path("services", ServiceListView.as_view(), name="encounters-services"),
    path("stages", StageListView.as_view(), name="encounters-stages"),
    path("encounters", EncounterView.as_view(), name="encounters-encounters"),
    path("process-map", ProcessMapView.as_view(), name="encounters-process-map"),
    path("kpi-values", KpiListView.as_view(), name="evaluation-kpi-values"),
    path("runs", RunListView.as_view(), name="evaluation-runs"),
    path("runs/<int:run_id>", RunView.as_view(), name="evaluation-run"),
    path("charts", ChartView.as_view(), name="monitoring-chart"),
    path("charts/forecast", ForecastView.as_view(), name="monitoring-forecast"),
    path("signals", SignalListView.as_view(), name="monitoring-signals"),
    path("early-warnings", EarlyWarningListView.as_view(), name="monitoring-early-warnings"),
    path("people-results", PeopleResultsView.as_view(), name="performance-results"),
    path("people-results/runs", PeopleResultsRunsView.as_view(), name="performance-runs"),
    path("watches", WatchListView.as_view(), name="monitoring-watches"),
]
