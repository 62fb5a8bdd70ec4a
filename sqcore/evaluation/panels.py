"""The home page: how it stands, first steps, own work and notices, health.

Inbox and jobs lie beside the dashboards in the house, so that their panels stand up here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse

from sqcore.audit.queries import last_check, unsealed_entries
from sqcore.base.queries import late_deliveries
from sqcore.dashboards.navigation import NAVIGATION, Group
from sqcore.dashboards.panels import Page
from sqcore.evaluation import queries
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.quality_page import home_standing
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.sources import SOURCES
from sqcore.jobs.queries import own_jobs
from sqcore.notices.queries import inbox_of
from sqcore.org.models import Unit

LISTED = 5


@dataclass(frozen=True)
class StandingPanel:
    """The newest overall score of the highest unit this person sees, and what changed below it."""

    key: str = "evaluation.standing"
    page: Page = Page.HOME
    order: int = 10
    template_name: str = "sqcore/evaluation/_home_standing.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not principal.may(Permission.VIEW_RESULTS):
            return None
        shown = home_standing(principal=principal, asked=Asked())
        return None if shown is None else {"page": shown}


@dataclass(frozen=True)
class Step:
    """One of the first steps, and where it is taken."""

    is_done: bool
    links: list[tuple[str, str]]


@dataclass(frozen=True)
class FirstStepsPanel:
    """The way of an empty installation to its first result, for those who can go it."""

    key: str = "evaluation.first-steps"
    page: Page = Page.HOME
    order: int = 5
    template_name: str = "sqcore/evaluation/_home_first_steps.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not principal.may(Permission.RUN_EVALUATION) or queries.is_anything_evaluated():
            return None
        return {
            "units": Step(Unit.objects.exists(), _places(principal, "admin:index")),
            "answers": Step(
                any(source.spans() for source in SOURCES), _entries(principal, Group.ANSWERS)
            ),
            "evaluation": Step(False, _places(principal, "sqcore:jobs-list")),
        }


def _places(principal: Principal, url_name: str) -> list[tuple[str, str]]:
    return [
        (str(entry.title), reverse(entry.url_name))
        for entry in NAVIGATION
        if entry.url_name == url_name and entry.is_for(principal)
    ]


def _entries(principal: Principal, group: Group) -> list[tuple[str, str]]:
    """The pages by which answers come in, whichever app has them."""
    found = [entry for entry in NAVIGATION if entry.group == group and entry.is_for(principal)]
    return [
        (str(entry.title), reverse(entry.url_name))
        for entry in sorted(found, key=lambda entry: entry.order)
    ]


@dataclass(frozen=True)
class NoticesPanel:
    """What this person has not read yet, the newest first."""

    key: str = "notices.unread"
    page: Page = Page.HOME
    order: int = 20
    template_name: str = "sqcore/evaluation/_home_notices.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        notices = list(inbox_of(principal, unread_only=True)[: LISTED + 1])
        return {"notices": notices[:LISTED], "more": len(notices) > LISTED} if notices else None


@dataclass(frozen=True)
class JobsPanel:
    """The long work this person started that is under way, or failed in the last days."""

    key: str = "jobs.own"
    page: Page = Page.HOME
    order: int = 30
    template_name: str = "sqcore/evaluation/_home_jobs.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        jobs = list(own_jobs(principal, failed_since=now - timedelta(days=7))[:LISTED])
        return {"jobs": jobs} if jobs else None


@dataclass(frozen=True)
class HealthPanel:
    """Whether the installation keeps up, for administrators."""

    key: str = "evaluation.health"
    page: Page = Page.HOME
    order: int = 80
    template_name: str = "sqcore/evaluation/_home_health.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not principal.may(Permission.VIEW_AUDIT):
            return None
        return {
            "published_at": queries.last_published_at(),
            "late": late_deliveries(now=now),
            "check": last_check(),
            "unsealed": unsealed_entries().count(),
        }
