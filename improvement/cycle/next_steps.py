"""What a person could do next with a ticket, and what is missing for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from improvement.cycle.board import AT_ONCE, Around, moves_of
from improvement.cycle.effect_page import EffectView
from improvement.cycle.queries import possible_actions
from improvement.tickets.models import INTAKE, Severity, State, Ticket
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal


@dataclass(frozen=True)
class NextStep:
    """What this person could do next; `why_not` says what is missing for it."""

    name: str
    title: str
    url: str
    why_not: str = ""
    at_once: bool = False
    is_main: bool = False


@dataclass(frozen=True)
class May:
    """What this person may do on the page, besides the steps of the ticket."""

    plan: bool = False
    act: bool = False
    check: bool = False
    comment: bool = False


def next_steps(ticket: Ticket, principal: Principal) -> list[NextStep]:
    """Return the steps that are this person's to take, with what is missing for each."""
    if ticket.state in INTAKE:
        found = [(move.name, move.title, "") for move in moves_of(ticket, principal=principal)]
    else:
        parts = {"problem", "contain"}  # they stand in their section
        found = [
            (each.action, str(each.title), each.why_not)
            for each in possible_actions(ticket, principal)
            if each.is_theirs and each.action not in parts
        ]
        hidden = {"block"} if ticket.is_blocked else {"unblock"}
        found = [each for each in found if each[0] not in hidden]
    return _steps(found, ticket)


_SIDE = frozenset({"reject", "duplicate", "snooze", "block", "cancel", "return", "abandon"})


def _steps(found: Sequence[tuple[str, str, str]], ticket: Ticket) -> list[NextStep]:
    main = next((name for name, _title, why in found if not why and name not in _SIDE), "")
    page = reverse("improvement:ticket", args=[ticket.pk])
    return [
        NextStep(
            name=name,
            title=title,
            url=reverse("improvement:do", args=[ticket.pk, name])
            if name in AT_ONCE
            else f"{page}?do={name}#do",
            why_not=why,
            at_once=name in AT_ONCE,
            is_main=name == main,
        )
        for name, title, why in found
    ]


def part_to_fill_in(
    ticket: Ticket, may: May, effects: Sequence[EffectView], around: Around
) -> NextStep | None:
    """Return the part of the page that has to be filled in before the ticket can go on."""
    page = reverse("improvement:ticket", args=[ticket.pk])
    if may.act and ticket.state == State.DO and ticket.pk in around.open_actions:
        return NextStep("actions", _("See the open actions"), "#actions", is_main=True)
    if not may.plan or ticket.severity == Severity.S4:
        return None
    parts = (
        ("problem", not ticket.problem, _("State the problem")),
        ("add-action", ticket.pk not in around.open_actions, _("Add an action")),
        ("promise", not any(each.is_present for each in effects), _("Promise an effect")),
    )
    for name, is_missing, title in parts:
        if is_missing:
            return NextStep(name, title, f"{page}?do={name}#do", is_main=True)
    return None


def may_do(ticket: Ticket, principal: Principal, effects: Sequence[EffectView]) -> May:
    """Return what this person may add to the parts of the page."""
    runs = principal.may(Permission.RUN_TICKETS, unit_id=ticket.unit_id)
    is_owner = principal.user is not None and principal.user.pk == ticket.owner_id
    theirs = principal.user is not None and (runs or is_owner)
    return May(
        plan=theirs and ticket.state == State.PLAN,
        act=theirs and ticket.state in (State.PLAN, State.DO),
        check=theirs and ticket.state == State.CHECK and _is_to_be_checked(effects),
        comment=principal.user is not None
        and (is_owner or principal.may(Permission.PROPOSE_TICKETS, unit_id=ticket.unit_id)),
    )


def _is_to_be_checked(effects: Sequence[EffectView]) -> bool:
    """Whether a look is still to come: there is no verdict, or the check was extended since."""
    present = next((found for found in effects if found.is_present), None)
    if present is None:
        return False
    verdicts = [each for each in present.checks if not each.check.is_interim]
    return len(verdicts) < (1 if present.plan.extended_to is None else 2)
