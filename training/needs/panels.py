"""What training needs show on the pages of others: Home, and the page of a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from sqcore.dashboards.panels import Page
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff
from sqcore.org.queries import local_day
from training.competencies.queries import may_for, sees_training_of
from training.needs.forms import AskForm
from training.needs.models import Need
from training.needs.queries import (
    DEVELOPMENTAL,
    needs_listed,
    needs_seen_by,
    open_needs_of_others,
    places_of,
)

LISTED = 5


def needs_waiting(principal: Principal) -> list[QuerySet[Any]]:
    """Return what the navigation counts: open needs of people whose training one plans."""
    return [open_needs_of_others(principal, on=local_day(timezone.now()))]


@dataclass(frozen=True)
class OpenNeeds:
    """Open training needs in the units of who plans training."""

    key: str = "training.needs.home"
    page: Page = Page.HOME
    order: int = 30
    template_name: str = "training/needs/_home.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        today = local_day(now)
        if not principal.may(Permission.PLAN_TRAINING):
            return None
        count = open_needs_of_others(principal, on=today).count()
        if not count:
            return None
        first = list(needs_listed(principal, on=today, state=Need.State.OPEN)[:LISTED])
        places = places_of([need.staff_id for need in first], on=today)
        return {
            "count": count,
            "needs": [(need, places.get(need.staff_id)) for need in first],
            "more": count - len(first),
        }


@dataclass(frozen=True)
class PersonNeeds:
    """The training needs of a person, and the form to ask for training."""

    key: str = "training.needs"
    page: Page = Page.PERSON
    order: int = 30
    template_name: str = "training/needs/_person.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        today = local_day(now)
        if not isinstance(subject, Staff) or not sees_training_of(principal, subject.pk, on=today):
            return None
        found = needs_seen_by(principal, on=today).filter(staff=subject)
        is_self = principal.staff_id == subject.pk
        may_ask = is_self or may_for(principal, Permission.PLAN_TRAINING, subject.pk, on=today)
        return {
            "staff": subject,
            "is_self": is_self,
            "waiting": list(found.filter(state__in=Need.WAITING)),
            "ended": list(found.exclude(state__in=Need.WAITING).order_by("-closed_on", "-id")[:5]),
            "developmental": DEVELOPMENTAL,
            "need_form": AskForm() if may_ask else None,
        }
