"""One's own answers in batches, one's own encounters, and what one may dispute."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.base.text import in_language, number
from sqcore.encounters.models import Encounter
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day
from sqcore.performance.models import Dispute, ResultsPolicy, StaffResult
from sqcore.performance.queries import (
    OwnAnswers,
    OwnEncounter,
    measure_named,
    own_answers_in_batches,
    own_encounters,
    policy_on,
)

PER_PAGE = 50


@dataclass(frozen=True)
class AnswersPage:
    """What customers answered about who asks, in batches."""

    name: str
    questions: Sequence[str]
    lowest: str
    highest: str
    answers: OwnAnswers
    batch: int
    delay: int


def answers_page(*, principal: Principal, measure: str, now: datetime) -> AnswersPage:
    """Return own answers by one measure. raises: NotFound where there is no result by it"""
    staff_id, today = own_staff_id(principal), local_day(now)
    own = StaffResult.objects.visible_to(principal, on=today).filter(staff_id=staff_id)
    if not own.current().filter(measure=measure).exists():
        raise NotFound(_("There is no result of yours by this."))
    named, rules = measure_named(measure), policy_on(today) or ResultsPolicy()
    return AnswersPage(
        name=in_language(named.name),
        questions=[in_language(question) for question in named.questions],
        lowest=number(named.lowest, 0),
        highest=number(named.highest, 0),
        answers=own_answers_in_batches(staff_id, measure, now=now),
        batch=rules.batch,
        delay=rules.delay_days,
    )


@dataclass(frozen=True)
class EncountersPage:
    """Own encounters, without what anybody answered, and own disputes."""

    encounters: Sequence[OwnEncounter]
    more: str
    disputes: Sequence[Dispute]
    days: int


def encounters_page(*, principal: Principal, before: int | None, now: datetime) -> EncountersPage:
    """Return own encounters, the newest first, from `before` on. raises: NotFound"""
    staff_id = own_staff_id(principal)
    found = own_encounters(staff_id, before=before, limit=PER_PAGE + 1)
    shown = found[:PER_PAGE]
    return EncountersPage(
        encounters=shown,
        more=str(shown[-1].id) if len(found) > PER_PAGE else "",
        disputes=list(_my_disputes(principal).select_related("unit").order_by("-raised_at", "-pk")),
        days=_dispute_days(local_day(now)),
    )


def _my_disputes(principal: Principal) -> QuerySet[Dispute]:
    return Dispute.objects.visible_to(principal).filter(staff_id=own_staff_id(principal))


@dataclass(frozen=True)
class DisputeForm:
    """The encounter that a person is about to dispute."""

    encounter: Encounter
    days: int
    known: Dispute | None


def to_dispute(*, principal: Principal, key: str, now: datetime) -> DisputeForm:
    """Return an own encounter that can be disputed. raises: NotFound"""
    staff_id = own_staff_id(principal)
    rows = Encounter.objects.filter(staff_id=staff_id, key=key)
    found = rows.select_related("unit", "channel", "service").first()
    if found is None:
        raise NotFound(_("You have no such encounter."))
    known = _my_disputes(principal).filter(encounter_key=key).first()
    return DisputeForm(found, _dispute_days(local_day(now)), known)


def own_staff_id(principal: Principal) -> int:
    if principal.staff_id is None:
        raise NotFound(_("You are not known as a member of staff, so there are no results of you."))
    return principal.staff_id


def _dispute_days(on: date) -> int:
    return (policy_on(on) or ResultsPolicy()).dispute_days


def is_staff_member(principal: Principal) -> bool:
    """True for who is known as somebody who works here."""
    return principal.staff_id is not None
