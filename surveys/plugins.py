"""What this app offers to the registries of the house."""

from django.utils.translation import gettext_lazy as _

from sqcore.dashboards.navigation import NAVIGATION, Group, NavigationEntry
from sqcore.dashboards.panels import PANELS
from sqcore.demo.chapters import CHAPTERS
from sqcore.identity.permissions import Permission
from sqcore.indicators.sources import SOURCES
from sqcore.jobs.runner import JOB_KINDS
from surveys.campaigns.panels import LiveCampaignsPanel
from surveys.demo.chapters import AnswersChapter, SystemChapter
from surveys.imports.services import ImportJob
from surveys.invitations.panels import InvitationsPanel
from surveys.responses.sources import SurveySource

SOURCES.register(SurveySource())
CHAPTERS.register(AnswersChapter())
CHAPTERS.register(SystemChapter())
JOB_KINDS.register(ImportJob())
PANELS.register(LiveCampaignsPanel())
PANELS.register(InvitationsPanel())
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
