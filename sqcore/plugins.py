"""What this app offers to the registries of the house."""

from django.utils.translation import gettext_lazy as _

from sqcore.comparators.panels import MarketIndicatorPanel, MarketStandingPanel
from sqcore.comparators.rows import ComparatorRows
from sqcore.comparators.series import MarketLines
from sqcore.dashboards.navigation import NAVIGATION, Group, NavigationEntry, opens_workshop
from sqcore.dashboards.panels import PANELS
from sqcore.demo.chapters import CHAPTERS
from sqcore.demo.encounters import EncountersChapter
from sqcore.demo.evaluation import EvaluationChapter
from sqcore.demo.market import MarketChapter
from sqcore.demo.measurements import MeasurementsChapter
from sqcore.demo.organisation import OrganisationChapter
from sqcore.encounters.rows import EncounterRows, EventRows
from sqcore.encounters.sources import EncounterSource
from sqcore.evaluation.panels import (
    FirstStepsPanel,
    HealthPanel,
    JobsPanel,
    NoticesPanel,
    StandingPanel,
)
from sqcore.evaluation.services import EvaluationJob
from sqcore.evaluation.unit_scores import CurrentScores
from sqcore.files.kinds import ROW_KINDS
from sqcore.files.services import RowsJob
from sqcore.identity.directory import provide_directory
from sqcore.identity.permissions import Permission
from sqcore.indicators.companions import COMPANIONS
from sqcore.indicators.sources import SOURCES
from sqcore.jobs.runner import JOB_KINDS
from sqcore.measurements.rows import MeasurementRows, StateRows
from sqcore.measurements.sources import EquipmentSource, MeasurementSource
from sqcore.monitoring.lines import CHART_LINES
from sqcore.monitoring.panels import (
    ChartPanel,
    EarlyWarningsPanel,
    NewSignalsPanel,
    UnitSignalsPanel,
)
from sqcore.notices.queries import unread
from sqcore.org.directory import RoleDirectory
from sqcore.org.rows import AssignmentRows, LeaveRows, StaffRows
from sqcore.performance.dispute_pages import waiting_disputes
from sqcore.performance.due import PeopleResultsJob
from sqcore.performance.own_pages import is_staff_member
from sqcore.performance.panels import DisputesPanel, MyResultsPanel
from sqcore.publication.port import VALIDATIONS
from sqcore.publication.services import WorkflowCompanion
from sqcore.publication.validations import (
    CoverageValidation,
    RangeValidation,
    WeightsValidation,
)
from sqcore.reports.comparison import (
    BehindFloor,
    OpenSignals,
    WorstIndicator,
    attitude,
    machines,
    times,
)
from sqcore.reports.evidence import EVIDENCE
from sqcore.reports.operations import BottleneckBeside, WorkDoneAgain
from sqcore.reports.panels import DiagnosisPanel
from sqcore.reports.spread import SpreadOfChannels, SpreadOfStaff, SpreadOfUnits
from sqcore.weighting.measured import CombinedWeights, CriticWeights, EntropyWeights
from sqcore.weighting.methods import METHODS, DirectWeights, EqualWeights, PairWeights
from sqcore.weighting.panels import OriginsPanel
from sqcore.weighting.port import provide_scores
from sqcore.weighting.rounds import ScoreRounds

provide_directory(RoleDirectory())

NAVIGATION.register(
    NavigationEntry(
        key="home",
        title=_("Home"),
        url_name="sqcore:home",
        icon="home",
        order=10,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="quality",
        title=_("Quality"),
        url_name="sqcore:evaluation-quality",
        icon="quality",
        order=10,
        group=Group.RESULTS,
        permission=Permission.VIEW_RESULTS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="signals",
        title=_("Signals"),
        url_name="sqcore:monitoring-signals",
        icon="signal",
        order=20,
        group=Group.RESULTS,
        permission=Permission.VIEW_RESULTS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="comparators",
        title=_("Market"),
        url_name="sqcore:comparators-values",
        icon="standard",
        order=60,
        group=Group.RESULTS,
        permission=Permission.VIEW_RESULTS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="measurements",
        title=_("Measurements"),
        url_name="sqcore:measurements-measures",
        icon="table",
        order=20,
        group=Group.OPERATIONS,
        permission=Permission.VIEW_RESULTS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="inbox",
        title=_("Inbox"),
        url_name="sqcore:notices-inbox",
        icon="inbox",
        order=20,
        waiting=unread,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="my-results",
        title=_("My results"),
        url_name="sqcore:performance-me",
        icon="person",
        order=10,
        group=Group.PEOPLE,
        when=is_staff_member,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="people",
        title=_("People"),
        url_name="sqcore:performance-people",
        icon="people",
        order=20,
        group=Group.PEOPLE,
        permission=Permission.VIEW_PEOPLE_RESULTS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="disputes",
        title=_("Disputes"),
        url_name="sqcore:performance-disputes",
        icon="inbox",
        order=90,
        group=Group.PEOPLE,
        permission=Permission.DECIDE_DISPUTES,
        waiting=waiting_disputes,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="encounters",
        title=_("Encounters"),
        url_name="sqcore:encounters-overview",
        icon="people",
        order=5,
        group=Group.OPERATIONS,
        permission=Permission.VIEW_RESULTS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="process",
        title=_("Process"),
        url_name="sqcore:encounters-process",
        icon="process",
        order=10,
        group=Group.OPERATIONS,
        permission=Permission.VIEW_RESULTS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="jobs",
        title=_("Jobs"),
        url_name="sqcore:jobs-list",
        icon="jobs",
        order=10,
        group=Group.RUNNING,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="tokens",
        title=_("API tokens"),
        url_name="sqcore:access-tokens",
        icon="key",
        order=15,
        group=Group.RUNNING,
        permission=Permission.MANAGE_USERS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="webhooks",
        title=_("Webhooks"),
        url_name="sqcore:webhooks-list",
        icon="external",
        order=16,
        group=Group.RUNNING,
        permission=Permission.MANAGE_USERS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="audit",
        title=_("Audit"),
        url_name="sqcore:audit-entries",
        icon="ledger",
        order=18,
        group=Group.RUNNING,
        permission=Permission.VIEW_AUDIT,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="systems",
        title=_("Indicator systems"),
        url_name="sqcore:indicators-systems",
        icon="quality",
        order=10,
        group=Group.SETUP,
        permission=Permission.MANAGE_INDICATORS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="indicators",
        title=_("Indicators"),
        url_name="sqcore:indicators-catalogue",
        icon="indicator",
        order=12,
        group=Group.SETUP,
        permission=Permission.MANAGE_INDICATORS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="units",
        title=_("Units"),
        url_name="sqcore:org-units",
        icon="table",
        order=18,
        group=Group.SETUP,
        permission=Permission.MANAGE_ORGANISATION,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="workshop",
        title=_("Workshop"),
        url_name="admin:index",
        icon="setup",
        order=20,
        group=Group.SETUP,
        when=opens_workshop,
    )
)
METHODS.register(DirectWeights())
METHODS.register(EqualWeights())
METHODS.register(PairWeights())
METHODS.register(ScoreRounds())
METHODS.register(EntropyWeights())
METHODS.register(CriticWeights())
METHODS.register(CombinedWeights())
provide_scores(CurrentScores())
CHAPTERS.register(OrganisationChapter())
CHAPTERS.register(EncountersChapter())
CHAPTERS.register(MeasurementsChapter())
CHAPTERS.register(EvaluationChapter())
CHAPTERS.register(MarketChapter())
JOB_KINDS.register(EvaluationJob())
JOB_KINDS.register(RowsJob())
JOB_KINDS.register(PeopleResultsJob())
ROW_KINDS.register(MeasurementRows())
ROW_KINDS.register(StateRows())
ROW_KINDS.register(EncounterRows())
ROW_KINDS.register(EventRows())
ROW_KINDS.register(StaffRows())
ROW_KINDS.register(AssignmentRows())
ROW_KINDS.register(LeaveRows())
ROW_KINDS.register(ComparatorRows())
SOURCES.register(EncounterSource())
PANELS.register(OriginsPanel())
PANELS.register(FirstStepsPanel())
PANELS.register(StandingPanel())
PANELS.register(NoticesPanel())
PANELS.register(JobsPanel())
PANELS.register(HealthPanel())
PANELS.register(NewSignalsPanel())
PANELS.register(EarlyWarningsPanel())
PANELS.register(UnitSignalsPanel())
PANELS.register(ChartPanel())
PANELS.register(MyResultsPanel())
PANELS.register(DisputesPanel())
SOURCES.register(MeasurementSource())
COMPANIONS.register(WorkflowCompanion())
VALIDATIONS.register(CoverageValidation())
VALIDATIONS.register(WeightsValidation())
VALIDATIONS.register(RangeValidation())
SOURCES.register(EquipmentSource())
PANELS.register(DiagnosisPanel())
PANELS.register(MarketStandingPanel())
PANELS.register(MarketIndicatorPanel())
CHART_LINES.register(MarketLines())
EVIDENCE.register(
    WorstIndicator("results.attitude", "awareness", _("What customers say"), attitude, True)
)
EVIDENCE.register(WorstIndicator("results.times", "process", _("Waiting and serving"), times))
EVIDENCE.register(BehindFloor("results.times-floor", "process", _("Waiting, by its floor"), times))
EVIDENCE.register(WorkDoneAgain())
EVIDENCE.register(BottleneckBeside())
EVIDENCE.register(OpenSignals("signals.times", "process", _("Signals of waiting"), times))
EVIDENCE.register(SpreadOfStaff())
EVIDENCE.register(SpreadOfUnits())
EVIDENCE.register(SpreadOfChannels())
EVIDENCE.register(WorstIndicator("results.machines", "support", _("Machines"), machines))
EVIDENCE.register(
    BehindFloor("results.machines-floor", "support", _("Machines, by their floor"), machines)
)
EVIDENCE.register(OpenSignals("signals.machines", "support", _("Signals of machines"), machines))
