"""What this app offers to the registries of the house."""

from django.utils.translation import gettext_lazy as _

from improvement.cycle.evidence import (
    ActionsInTime,
    AnswersToProposals,
    ProposeTicket,
    StandardsInForce,
)
from improvement.cycle.pages import intake_waiting, mine_waiting
from improvement.cycle.panels import ChartTickets, IndicatorTickets, UnitTickets, WaitingPanel
from improvement.cycle.review import TicketsSection
from improvement.demo.chapters import ImprovementChapter
from sqcore.dashboards.navigation import NAVIGATION, Group, NavigationEntry
from sqcore.dashboards.panels import PANELS
from sqcore.demo.chapters import CHAPTERS
from sqcore.identity.permissions import Permission
from sqcore.reports.evidence import EVIDENCE, NEXT_STEPS
from sqcore.reports.sections import REPORT_SECTIONS

NAVIGATION.register(
    NavigationEntry(
        key="board",
        title=_("Board"),
        url_name="improvement:board",
        icon="board",
        order=10,
        group=Group.IMPROVEMENT,
        permission=Permission.VIEW_TICKETS,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="intake",
        title=_("Intake"),
        url_name="improvement:intake",
        icon="imports",
        order=20,
        group=Group.IMPROVEMENT,
        permission=Permission.VIEW_TICKETS,
        waiting=intake_waiting,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="my-actions",
        title=_("My actions"),
        url_name="improvement:my-actions",
        icon="tasks",
        order=30,
        group=Group.IMPROVEMENT,
        permission=Permission.VIEW_TICKETS,
        waiting=mine_waiting,
    )
)
NAVIGATION.register(
    NavigationEntry(
        key="standards",
        title=_("Standards"),
        url_name="improvement:standards",
        icon="standard",
        order=40,
        group=Group.IMPROVEMENT,
        permission=Permission.VIEW_TICKETS,
    )
)
PANELS.register(WaitingPanel())
PANELS.register(UnitTickets())
PANELS.register(IndicatorTickets())
PANELS.register(ChartTickets())
CHAPTERS.register(ImprovementChapter())
EVIDENCE.register(AnswersToProposals())
EVIDENCE.register(ActionsInTime())
EVIDENCE.register(StandardsInForce())
NEXT_STEPS.register(ProposeTicket())
REPORT_SECTIONS.register(TicketsSection())
