"""What this app offers to the registries of the house."""

from django.utils.translation import gettext_lazy as _

from sqcore.dashboards.navigation import NAVIGATION, Group, NavigationEntry, opens_workshop
from sqcore.dashboards.panels import PANELS
from sqcore.demo.chapters import CHAPTERS
from sqcore.demo.encounters import EncountersChapter
from sqcore.demo.evaluation import EvaluationChapter
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
from sqcore.files.kinds import ROW_KINDS
from sqcore.files.services import RowsJob
from sqcore.identity.directory import provide_directory
from sqcore.identity.permissions import Permission
from sqcore.indicators.sources import SOURCES
from sqcore.jobs.runner import JOB_KINDS
from sqcore.measurements.rows import MeasurementRows
from sqcore.measurements.sources import EquipmentSource, MeasurementSource
from sqcore.notices.queries import unread_count
from sqcore.org.directory import RoleDirectory
from sqcore.weighting.methods import METHODS, DirectWeights, EqualWeights, PairWeights
from sqcore.weighting.panels import OriginsPanel

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
        count=unread_count,
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
CHAPTERS.register(OrganisationChapter())
CHAPTERS.register(EncountersChapter())
CHAPTERS.register(MeasurementsChapter())
CHAPTERS.register(EvaluationChapter())
JOB_KINDS.register(EvaluationJob())
JOB_KINDS.register(RowsJob())
ROW_KINDS.register(MeasurementRows())
ROW_KINDS.register(EncounterRows())
ROW_KINDS.register(EventRows())
SOURCES.register(EncounterSource())
PANELS.register(OriginsPanel())
PANELS.register(FirstStepsPanel())
PANELS.register(StandingPanel())
PANELS.register(NoticesPanel())
PANELS.register(JobsPanel())
PANELS.register(HealthPanel())
SOURCES.register(MeasurementSource())
SOURCES.register(EquipmentSource())
