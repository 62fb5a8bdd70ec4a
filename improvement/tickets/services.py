"""Proposing tickets, and the one place that moves them.

Nothing here takes a member of staff: a ticket is about a service, never about a person.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from improvement.tickets.models import ENDED, INTAKE, Severity, State, Step, Ticket, TicketSignal
from improvement.tickets.queries import asked_about, indicator_of, machine_proposals_for
from improvement.tickets.rules import POLICY, may_follow
from sqcore.audit.services import record
from sqcore.base.bus import publish
from sqcore.base.errors import Conflict, InvalidInput, NotFound, Problem
from sqcore.base.events import TicketMoved
from sqcore.base.periods import Grain
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.indicators.models import IndicatorSystem
from sqcore.monitoring.models import Signal
from sqcore.org.models import Unit
from sqcore.org.queries import local_day

LONGEST_NOTE = 2000
LONGEST_DESCRIPTION = 5000
LONGEST_TITLE = 200
LONGEST_KEY = 255


# ---- Moving --------------------------------------------------------------------------------------
def locked(ticket_id: int, *, revision: int | None, by: Principal) -> Ticket:
    """Return a ticket that nobody else changes until the transaction ends.

    `revision` is the one that the person saw (None: whatever it is now).

    raises: NotFound; Conflict when somebody changed it since
    """
    found = (
        Ticket.objects.visible_to(by)
        .select_for_update(no_key=True, of=("self",))
        .select_related("unit", "owner")
        .filter(pk=ticket_id)
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such ticket."))
    if revision is not None and found.revision != revision:
        raise Conflict(
            _("Somebody changed this ticket since you opened it. Look at it again, then decide.")
        )
    return found


@transaction.atomic
def move(
    *,
    ticket: Ticket,
    to: State,
    action: str,
    by: Principal | None,
    now: datetime,
    note: str = "",
    **fields: Any,
) -> Ticket:
    """Bring a ticket into a state and set fields with it; the one place that changes a state.

    Raises the revision, writes the step and the audit record, and publishes TicketMoved when the
    state is another one. `to` may be the present state: then only the fields and the step are
    written. The caller holds the row (`locked`) and has checked who may do this; `by` is None for
    the software itself.

    raises: Conflict when this step does not exist; InvalidInput for a note that is too long
    """
    former, asked_of = State(ticket.state), ticket.owner_id
    if not may_follow(former, to):
        raise Conflict(
            _("A ticket in the state “%(state)s” cannot go to “%(to)s”.")
            % {"state": former.label, "to": to.label}
        )
    if len(note) > LONGEST_NOTE:
        raise InvalidInput(_("This text is too long."), problems=[Problem("is too long", "note")])
    changed = {
        **fields,
        "state": to.value,
        "revision": ticket.revision + 1,
        "ended_at": (ticket.ended_at or now) if to in ENDED else None,
    }
    if former != to:
        changed["moved_at"] = now
    for name, value in changed.items():
        setattr(ticket, name, value)
    ticket.save(update_fields=list(changed))
    _step(ticket, action=action, former=former, by=by, now=now, note=note)
    if former in INTAKE:
        share_budget(asked_of, ticket.owner_id)
    return ticket


def _step(
    ticket: Ticket,
    *,
    action: str,
    former: State | None,
    by: Principal | None,
    now: datetime,
    note: str = "",
) -> Step:
    """Write what was done: in the history, in the ledger, and to who listens."""
    step = Step.objects.create(
        ticket=ticket,
        action=action,
        former=former.value if former else "",
        state=ticket.state,
        cycle=ticket.cycle,
        by=by.user if by else None,
        note=note,
        at=now,
    )
    record(
        action=f"ticket.{action}",
        subject=f"ticket:{ticket.pk}",
        by=by or system_principal(),
        now=now,
        details={
            "from": step.former,
            "to": ticket.state,
            "revision": ticket.revision,
            "cycle": ticket.cycle,
        },
    )
    if step.former != ticket.state:
        publish(
            TicketMoved(
                ticket_id=ticket.pk, former=step.former, state=ticket.state, step_id=step.pk
            ),
            now=now,
        )
    return step


# ---- Proposing -----------------------------------------------------------------------------------
@transaction.atomic
def propose(
    *,
    unit: Unit,
    title: str,
    by: Principal,
    now: datetime,
    description: str = "",
    system: IndicatorSystem | None = None,
    code: str = "",
    grain: str = "",
    signal: Signal | None = None,
    episode: int | None = None,
    source: Ticket.Source = Ticket.Source.PERSON,
    dedup_key: str = "",
    severity: int | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> tuple[Ticket, bool]:
    """Propose a ticket at a unit; return it, and whether it is new.

    While a ticket with this `dedup_key`, or of this signal, is open, that one is returned and
    nothing is written; the database sees to it when two come at once. Its owner is who is asked to
    take it on (the owner-to-be); it is theirs once it is accepted.

    raises: NotPermitted; InvalidInput; Conflict when the key belongs to a ticket of another unit
    """
    by.require(Permission.PROPOSE_TICKETS, unit_id=unit.pk)
    asked = Ticket(
        unit=unit,
        title=" ".join(title.split()),
        description=description.strip(),
        system=system,
        code=code,
        grain=grain,
        signal=signal,
        episode=episode if signal else None,
        source=source,
        dedup_key=dedup_key,
        severity=severity,
        evidence=dict(evidence or {}),
        proposed_by=by.user,
        proposed_at=now,
        moved_at=now,
    )
    _refuse_unusable(asked, now=now)
    if there := _open_one(asked):
        return there, False
    asked.owner = owner_to_be(unit.pk, code, now=now)
    try:
        with transaction.atomic():
            asked.save(force_insert=True)
    except IntegrityError:
        # Another one came between the look and the writing; anything else is a bug.
        there = _open_one(asked)
        if there is None:
            raise
        return there, False
    if signal is not None:
        attach(asked, signal, now=now)
    _step(asked, action="proposed", former=None, by=by, now=now)
    share_budget(asked.owner_id)
    return asked, True


def _refuse_unusable(asked: Ticket, *, now: datetime) -> None:
    """raises: InvalidInput naming each field that is wrong"""
    today = local_day(now)
    closed = asked.unit.closed_on is not None and asked.unit.closed_on <= today
    faults = {
        "unit": closed and _("This unit is closed."),
        "title": fault_of_text(asked.title, most=LONGEST_TITLE, needed=True),
        "description": fault_of_text(asked.description, most=LONGEST_DESCRIPTION),
        "dedup_key": fault_of_text(asked.dedup_key, most=LONGEST_KEY),
        "grain": asked.grain not in ("", *Grain.values) and _("There is no such grain."),
        "severity": asked.severity not in (None, *Severity.values)
        and _("There is no such severity."),
        "indicator": bool(asked.code)
        and indicator_of(asked.code) is None
        and _("There is no such indicator."),
    }
    problems = [Problem(reason, field=name) for name, reason in faults.items() if reason]
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


def fault_of_text(text: str, *, most: int, needed: bool = False) -> str:
    """Return what is wrong with a text of a person; empty where nothing is."""
    if needed and not text:
        return _("Write something here.")
    if "\x00" in text:
        return _("This text has a character that cannot be kept.")
    if len(text) > most:
        return _("Write at most %(most)d characters.") % {"most": most}
    return ""


def _open_one(asked: Ticket) -> Ticket | None:
    """Return the open ticket that stands for what is asked. raises: Conflict"""
    same = Q(pk__in=())
    if asked.dedup_key:
        same |= Q(dedup_key=asked.dedup_key)
    if asked.signal_id:
        same |= Q(signal_id=asked.signal_id)
    found = Ticket.objects.open().select_related("unit").filter(same).order_by("id").first()
    if found is not None and found.signal_id is None and found.unit_id != asked.unit_id:
        # Not told which: the asker may not see that unit.
        raise Conflict(_("This key belongs to an open ticket of another unit."))
    return found


def owner_to_be(unit_id: int, code: str, *, now: datetime) -> User | None:
    """Return who is asked to take on what is proposed there."""
    _part, asked = asked_about(unit_id, code, now=now)
    return asked[0] if asked else None


def share_budget(*owner_ids: int | None) -> None:
    """Say anew which proposals of machines are over the budget of these people.

    What people were told of stays within; the strongest of the others fill what is left.
    """
    for owner_id in {found for found in owner_ids if found is not None}:
        waiting = machine_proposals_for(owner_id)
        told = [each for each in waiting if each.is_announced and not each.ticket.is_over_budget]
        others = [each.ticket for each in waiting if each not in told]
        free = max(0, POLICY.budget - len(told))
        for place, ticket in enumerate(others):
            if ticket.is_over_budget != (place >= free):
                Ticket.objects.filter(pk=ticket.pk).update(is_over_budget=place >= free)


def attach(ticket: Ticket, signal: Signal, *, now: datetime) -> bool:
    """Join the present episode of a signal to a ticket; True when it was not there."""
    _link, is_new = TicketSignal.objects.get_or_create(
        ticket=ticket,
        signal=signal,
        episode=signal.episode,
        defaults={"attached_at": now},
    )
    return is_new


def hold_intake() -> None:
    """Hold the intake until the transaction ends: what one signal does depends on all others.

    Who changes a ticket of the intake holds this before the ticket: a decision touches others as
    well (those below, the one that it repeats, the budget), in whatever order, and two that take
    them crosswise would wait for each other.
    """
    list(IndicatorSystem.objects.select_for_update(no_key=True).order_by("id").values_list("id"))
