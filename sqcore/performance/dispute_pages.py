"""Disputes for who decides them, without anything of what customers answered."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext, pgettext_lazy

from sqcore.base.errors import NotFound
from sqcore.base.text import number
from sqcore.encounters.models import Encounter
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day
from sqcore.performance.models import Dispute

PER_PAGE = 50


STATES: dict[str, str | Promise] = {
    Dispute.State.OPEN.value: lazy("Open"),
    Dispute.State.UPHELD.value: lazy("Upheld"),
    Dispute.State.REJECTED.value: pgettext_lazy("state of a dispute", "Rejected"),
    Dispute.State.WITHDRAWN.value: pgettext_lazy("state of a dispute", "Withdrawn"),
    Dispute.State.REVERSED.value: lazy("Reversed"),
}
"""The states of disputes, short enough for tabs."""


@dataclass(frozen=True)
class DisputeLine:
    dispute: Dispute
    due: str
    tone: str


@dataclass(frozen=True)
class DisputesPage:
    state: str
    states: list[tuple[str, str]]
    page: Page[Dispute]
    lines: list[DisputeLine]
    decided: str


def waiting_disputes(principal: Principal) -> list[QuerySet[Dispute]]:
    """Return the disputes that wait for who decides them."""
    return [open_disputes(principal)] if principal.may(Permission.DECIDE_DISPUTES) else []


def open_disputes(principal: Principal) -> QuerySet[Dispute]:
    """Return the open disputes of others, the most urgent first."""
    rows = Dispute.objects.visible_to(principal).filter(state=Dispute.State.OPEN)
    if principal.staff_id is not None:
        rows = rows.exclude(staff_id=principal.staff_id)
    return rows.select_related("staff", "unit").order_by("due_on", "pk")


def disputes_page(*, principal: Principal, state: str, page: str, now: datetime) -> DisputesPage:
    """Return the disputes for who decides them. raises: NotPermitted"""
    principal.require(Permission.DECIDE_DISPUTES)
    state = state if state in Dispute.State.values else Dispute.State.OPEN.value
    rows = Dispute.objects.visible_to(principal).filter(state=state)
    order = ("due_on", "pk") if state == Dispute.State.OPEN else ("-decided_at", "-raised_at", "pk")
    rows = rows.select_related("staff", "unit", "decided_by").order_by(*order)
    shown = Paginator(rows, PER_PAGE).get_page(page)
    return DisputesPage(
        state=state,
        states=[(value, str(title)) for value, title in STATES.items()],
        page=shown,
        lines=[dispute_line(each, local_day(now)) for each in shown],
        decided=_outcomes(principal),
    )


def dispute_line(dispute: Dispute, today: date) -> DisputeLine:
    """Return a dispute with its deadline in words."""
    if dispute.state != Dispute.State.OPEN:
        return DisputeLine(dispute, "", "")
    left = (dispute.due_on - today).days
    if left < 0:
        late = ngettext("%(n)s day late", "%(n)s days late", -left) % {"n": -left}
        return DisputeLine(dispute, late, "bad")
    said = ngettext("%(n)s day left", "%(n)s days left", left) % {"n": left}
    return DisputeLine(dispute, said, "watch" if left <= 3 else "")


def _outcomes(principal: Principal) -> str:
    """How many were upheld: where none ever is, deciding is a rubber stamp."""
    states = Dispute.State
    found = Counter(
        Dispute.objects.visible_to(principal)
        .filter(state__in=(states.UPHELD, states.REJECTED))
        .values_list("state", flat=True)
    )
    every = sum(found.values())
    if not every:
        return ""
    return _("%(upheld)s of %(every)s decided disputes were upheld.") % {
        "upheld": number(found[states.UPHELD], 0),
        "every": number(every, 0),
    }


@dataclass(frozen=True)
class DisputePage:
    """One dispute for who decides it, without anything of what the customer answered."""

    line: DisputeLine
    encounter: Encounter | None
    outage: Any
    is_own: bool

    @property
    def dispute(self) -> Dispute:
        return self.line.dispute

    @property
    def is_open(self) -> bool:
        return self.dispute.state == Dispute.State.OPEN

    @property
    def can_be_reversed(self) -> bool:
        return self.dispute.state == Dispute.State.UPHELD

    @property
    def asks_for_outage(self) -> bool:
        return self.dispute.reason == Dispute.Reason.OUTAGE


def dispute_page(*, principal: Principal, dispute_id: int, now: datetime) -> DisputePage:
    """Return a dispute to decide. raises: NotPermitted, NotFound"""
    principal.require(Permission.DECIDE_DISPUTES)
    rows = Dispute.objects.visible_to(principal)
    found = rows.select_related("staff", "unit", "decided_by", "outage").filter(pk=dispute_id)
    dispute = found.first()
    if dispute is None:
        raise NotFound(_("There is no such dispute."))
    encounters = Encounter.objects.visible_to(principal).filter(key=dispute.encounter_key)
    return DisputePage(
        line=dispute_line(dispute, local_day(now)),
        encounter=encounters.select_related("unit", "channel", "service").first(),
        outage=getattr(dispute, "outage", None),
        is_own=dispute.staff_id == principal.staff_id,
    )
