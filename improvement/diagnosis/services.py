"""Writing down why the problem is there; only while the plan is made."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from improvement.diagnosis.models import Finding
from improvement.tickets.models import State, Ticket
from improvement.tickets.services import locked, move
from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.causes.taxonomy import CAUSES
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal

DEEPEST = 10
"""Whys under each other; five are usual."""


@transaction.atomic
def add_finding(
    *,
    ticket_id: int,
    kind: str,
    text: str,
    evidence: str = "",
    cause: str = "",
    parent_id: int | None = None,
    is_root: bool = False,
    by: Principal,
    now: datetime,
) -> Finding:
    """Add a cause: the answer to a why, under `parent_id`, or a factor of the fishbone.

    cause: the code of the taxonomy; a factor needs one. A root cause needs evidence before the
        plan is submitted, not yet here.
    raises: NotFound, NotPermitted, Conflict when the plan is not being made, InvalidInput naming
        each field
    """
    ticket, person = _planned_by(ticket_id, by)
    finding = Finding(
        ticket=ticket, cycle=ticket.cycle, kind=kind, cause=cause, text=text.strip(),
        evidence=evidence.strip(), parent_id=parent_id, is_root=is_root, by=person, at=now,
    )  # fmt: skip
    _checked(finding)
    finding.save(force_insert=True)
    _note("added", finding, ticket=ticket, by=by, now=now)
    return finding


@transaction.atomic
def remove_finding(*, finding_id: int, by: Principal, now: datetime) -> None:
    """Take a cause away, with those under it. raises: NotFound, NotPermitted, Conflict"""
    seen = Finding.objects.filter(pk=finding_id, ticket__in=Ticket.objects.visible_to(by)).first()
    if seen is None:
        raise NotFound(_("There is no such cause."))
    ticket, _person = _planned_by(seen.ticket_id, by)
    if seen.cycle != ticket.cycle:
        raise Conflict(_("This cause belongs to a former cycle; it stays."))
    _note("removed", seen, ticket=ticket, by=by, now=now)
    seen.delete()


def _planned_by(ticket_id: int, by: Principal) -> tuple[Ticket, User]:
    """Return the ticket, locked, for somebody who may plan, and who that is."""
    ticket = locked(ticket_id, revision=None, by=by)
    runs = by.may(Permission.RUN_TICKETS, unit_id=ticket.unit_id)
    if by.user is None or not (runs or ticket.owner_id == by.user.pk):
        raise NotPermitted(_("The owner does this, or who may run tickets of the unit."))
    state = State(ticket.state)
    if state in (State.REVIEW, State.DO):
        raise Conflict(_("The plan is locked; its causes change no more."))
    if state != State.PLAN:
        raise Conflict(
            _("This cannot be done while a ticket is in the state “%(state)s”.")
            % {"state": state.label}
        )
    return ticket, by.user


def _checked(finding: Finding) -> None:
    """raises: InvalidInput naming each field that is wrong"""
    problems = []
    try:
        finding.clean_fields(exclude=["ticket", "parent", "by"])
    except ValidationError as error:
        problems += [
            Problem(reason, field=name)
            for name, reasons in error.message_dict.items()
            for reason in reasons
        ]
    if finding.kind == Finding.Kind.FACTOR and not finding.cause:
        problems.append(Problem(_("Say what kind of cause it is."), field="cause"))
    elif finding.cause and finding.cause not in CAUSES:
        problems.append(Problem(_("There is no such kind of cause."), field="cause"))
    if why := _fault_of_parent(finding):
        problems.append(Problem(why, field="parent_id"))
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


def _fault_of_parent(finding: Finding) -> str:
    if finding.parent_id is None:
        return ""
    chain = {
        each.pk: each
        for each in Finding.objects.filter(
            ticket=finding.ticket, cycle=finding.cycle, kind=Finding.Kind.WHY
        )
    }
    if finding.kind != Finding.Kind.WHY or finding.parent_id not in chain:
        return _("It is no why of this plan.")
    depth, above = 1, chain.get(finding.parent_id)
    while above is not None:
        depth, above = depth + 1, chain.get(above.parent_id or 0)
    return _("This chain of whys is too deep.") if depth > DEEPEST else ""


def _note(act: str, finding: Finding, *, ticket: Ticket, by: Principal, now: datetime) -> None:
    """Write it into the history of the ticket, and into the ledger."""
    move(
        ticket=ticket,
        to=State(ticket.state),
        action=f"cause-{act}",
        by=by,
        now=now,
        note=finding.text,
    )
    record(
        action=f"finding.{act}",
        subject=f"finding:{finding.pk}",
        by=by,
        now=now,
        details={
            "ticket": finding.ticket_id,
            "cycle": finding.cycle,
            "kind": finding.kind,
            "cause": finding.cause,
            "root": finding.is_root,
        },
    )
