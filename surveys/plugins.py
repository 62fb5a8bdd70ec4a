"""What this app offers to the registries of the house."""

from django.utils.translation import gettext_lazy as _

from sqcore.dashboards.navigation import NAVIGATION, Group, NavigationEntry
from sqcore.dashboards.panels import PANELS, Page
from sqcore.demo.chapters import CHAPTERS
from sqcore.identity.permissions import Permission
from sqcore.indicators.sources import SOURCES
from sqcore.jobs.runner import JOB_KINDS
from sqcore.performance.sources import PERSON_SOURCES
from sqcore.publication.port import VALIDATIONS
from sqcore.questionnaires.port import provide_questionnaires
from sqcore.reports.sections import REPORT_SECTIONS
from surveys.analyses.port import KINDS
from surveys.analyses.services import AnalysisJob
from surveys.campaigns.panels import LiveCampaignsPanel
from surveys.churn.services import RiskJob
from surveys.demo.chapters import AnswersChapter, ReactionsChapter, SystemChapter
from surveys.demo.employees import EmployeesChapter
from surveys.demo.risk import RiskChapter
from surveys.drivers.kinds import DriversKind, KanoKind
from surveys.drivers.panels import StrongestDriversPanel
from surveys.drivers.review import DriversSection
from surveys.gaps.expectations import Expectations
from surveys.gaps.kinds import GapsOfCustomers, GapsOfManagers, GapsOfStaff
from surveys.imports.services import ImportJob
from surveys.invitations.panels import InvitationsPanel
from surveys.questionnaires.engine import SurveyQuestionnaires
from surveys.representation.panels import RepresentationPanel
from surveys.representation.services import WeighingJob
from surveys.responses.about_people import AnswersAboutPeople
from surveys.responses.sources import SurveySource
from surveys.validation.kinds import Validation
from surveys.validation.panels import SoundnessPanel
from surveys.validation.soundness import SoundnessOfQuestionnaires

provide_questionnaires(SurveyQuestionnaires())
SOURCES.register(SurveySource())
PERSON_SOURCES.register(AnswersAboutPeople())
CHAPTERS.register(AnswersChapter())
CHAPTERS.register(SystemChapter())
CHAPTERS.register(ReactionsChapter())
CHAPTERS.register(EmployeesChapter())
CHAPTERS.register(RiskChapter())
JOB_KINDS.register(ImportJob())
JOB_KINDS.register(AnalysisJob())
JOB_KINDS.register(WeighingJob())
JOB_KINDS.register(RiskJob())
KINDS.register(Validation())
VALIDATIONS.register(SoundnessOfQuestionnaires())
PANELS.register(SoundnessPanel())
PANELS.register(LiveCampaignsPanel())
PANELS.register(InvitationsPanel())
PANELS.register(RepresentationPanel())
PANELS.register(StrongestDriversPanel())
PANELS.register(StrongestDriversPanel(key="drivers.strongest-of-unit", page=Page.UNIT))
KINDS.register(DriversKind())
KINDS.register(KanoKind())
KINDS.register(GapsOfCustomers())
KINDS.register(GapsOfManagers())
KINDS.register(GapsOfStaff())
KINDS.register(Expectations())
NAVIGATION.register(
    NavigationEntry(
        key="matters",
        title=_("What matters"),
        url_name="surveys:drivers-matters",
        icon="matters",
        order=15,
        group=Group.RESULTS,
        permission=Permission.VIEW_RESULTS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="gaps",
        title=_("Five gaps"),
        url_name="surveys:gaps",
        icon="gaps",
        order=16,
        group=Group.RESULTS,
        permission=Permission.VIEW_RESULTS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="surveys",
        title=_("Surveys"),
        url_name="surveys:campaigns-list",
        icon="surveys",
        order=10,
        group=Group.ANSWERS,
        when=lambda who: who.may(Permission.MANAGE_SURVEYS) or who.may(Permission.VIEW_RESULTS),
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="imports",
        title=_("Imports"),
        url_name="surveys:imports-list",
        icon="imports",
        order=20,
        group=Group.ANSWERS,
        permission=Permission.MANAGE_SURVEYS,
    )
)
REPORT_SECTIONS.register(DriversSection())
NAVIGATION.register(
    NavigationEntry(
        key="churn",
        title=_("Customers at risk"),
        url_name="surveys:churn",
        icon="person",
        order=18,
        group=Group.RESULTS,
        permission=Permission.VIEW_RESULTS,
    )
)
