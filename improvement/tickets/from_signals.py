"""Tickets that signals propose or join, and their parents.

Nothing here takes a member of staff: a ticket is about a service, never about a person.
"""

from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from improvement.tickets.models import INTAKE, Severity, State, Ticket, TicketSignal
from improvement.tickets.queries import (
    has_open_signals,
    held_or_closed_for,
    indicator_of,
    last_ended_for,
    last_parent_ended,
    newest_of,
    open_signals_at,
    open_ticket_for,
    open_tickets_about,
    proposals_of,
    signals_without_ticket,
)
from improvement.tickets.rules import (
    POLICY,
    Facts,
    impact_of,
    is_cooling,
    reopens,
    suggested_severity,
)
from improvement.tickets.services import (
    LONGEST_TITLE,
    attach,
    hold_intake,
    move,
    owner_to_be,
    propose,
    share_budget,
)
from sqcore.base.text import TranslatedText, in_all_languages
from sqcore.identity.principals import system_principal
from sqcore.monitoring.models import Signal
from sqcore.org.models import Unit
from sqcore.org.queries import UnitTree, local_day, tree_on


@transaction.atomic
def take_signal(*, signal_id: int, episode: int, now: datetime) -> Ticket | None:
    """Let a signal propose a ticket, or join it to the one that speaks of the same problem.

    Returns the ticket that it belongs to now; None when it proposes nothing: it is over, muted,
    cooling down, or comes back while the effect of its ticket is held or was until lately (`cycle`
    reopens that ticket).

    A unit contains those below it, so that one change is often found at several. Whatever the
    order in which they arrive, the ticket ends at the lowest unit and the signals above join it; a
    proposal further up that nobody took on goes down. From three units below the same one a parent
    is proposed above them.
    """
    hold_intake()
    signal = _signal(signal_id)
    if signal is None or signal.episode != episode or signal.state == Signal.State.RECOVERED:
        return None
    on = local_day(now)
    if signal.is_muted_on(on):
        return None
    there = open_ticket_for(signal)
    if there is not None and there.state != State.STANDARD:
        attach(there, signal, now=now)
        return there
    if _belongs_to_the_past(signal, on=on):
        return None
    return _place(signal, tree=tree_on(on), now=now)


def take_what_waits(*, now: datetime) -> int:
    """Look again at what is in alarm without a ticket: a mute or a cool-down may have ended.

    Returns how many belong to a ticket now.
    """
    waiting = signals_without_ticket(on=local_day(now)).values_list("pk", "episode")
    taken = [take_signal(signal_id=pk, episode=episode, now=now) for pk, episode in list(waiting)]
    return sum(ticket is not None for ticket in taken)


@transaction.atomic
def withdraw_recovered(*, signal_id: int, now: datetime) -> list[Ticket]:
    """Withdraw the proposals all of whose signals are over, and the parents that they leave empty.

    Only proposals of the software that nobody took on: an accepted ticket never ends by itself.
    """
    hold_intake()
    withdrawn: list[Ticket] = []
    waiting = list(_held(proposals_of(signal_id)))
    while waiting:
        ticket = waiting.pop(0)
        if has_open_signals(ticket):
            continue
        move(
            ticket=ticket,
            to=State.WITHDRAWN,
            action="withdrawn",
            by=None,
            now=now,
            end_reason=Ticket.EndReason.RECOVERED,
        )
        withdrawn.append(ticket)
        above = Ticket.objects.filter(children=ticket, state__in=INTAKE)
        waiting += list(_held(above.filter(source=Ticket.Source.SIGNAL)))
    return withdrawn


def join_signals(*, of: Ticket, to: Ticket, now: datetime) -> None:
    """Join the signals of a ticket that is about to end as a duplicate to the one that stays."""
    for link in of.signals.select_related("signal").order_by("id"):
        if link.signal.state != Signal.State.RECOVERED and link.episode == link.signal.episode:
            attach(to, link.signal, now=now)


def _held(tickets: QuerySet[Ticket]) -> QuerySet[Ticket]:
    return tickets.select_for_update(no_key=True, of=("self",))


def _signal(signal_id: int) -> Signal | None:
    found = Signal.objects.select_related("unit", "system", "baseline")
    return found.filter(pk=signal_id).first()


def _belongs_to_the_past(signal: Signal, *, on: date) -> bool:
    """True while what comes back is a regression, or the signal cools down."""
    done = held_or_closed_for(signal)
    if done and (done.ended_at is None or reopens(local_day(done.ended_at), on=on)):
        return True
    ended = last_ended_for(signal)
    return bool(ended and ended.ended_at and is_cooling(local_day(ended.ended_at), on=on))


def _place(signal: Signal, *, tree: UnitTree, now: datetime) -> Ticket:
    """Join the signal to what is open on its indicator at its unit, below or above; or propose."""
    above = tree.path(signal.unit_id)[1:]
    below = set(tree.below(signal.unit_id)) - {signal.unit_id}
    near = _held(open_tickets_about(signal.code, units={signal.unit_id, *above, *below}))
    found = list(near)
    if here := [ticket for ticket in found if ticket.unit_id == signal.unit_id]:
        attach(here[0], signal, now=now)
        _adopt(here[0], signal)
        return here[0]
    # What is only being held elsewhere does not speak for this unit.
    active = [ticket for ticket in found if ticket.state != State.STANDARD]
    if lower := _topmost([ticket for ticket in active if ticket.unit_id in below]):
        for ticket in lower:
            attach(ticket, signal, now=now)
        return lower[0]
    upper = sorted(
        (ticket for ticket in active if ticket.unit_id in above),
        key=lambda ticket: above.index(ticket.unit_id),
    )
    return _below(signal, upper[0] if upper else None, tree=tree, now=now)


def _adopt(parent: Ticket, signal: Signal) -> None:
    """Let a parent that was proposed from its children alone speak of the signal of its unit."""
    if parent.signal_id is None and parent.source == Ticket.Source.SIGNAL:
        evidence = {**_fields_of(signal)["evidence"], **parent.evidence}
        parent.signal, parent.episode, parent.evidence = signal, signal.episode, evidence
        parent.save(update_fields=["signal", "episode", "evidence"])


def _topmost(tickets: list[Ticket]) -> list[Ticket]:
    open_ids = {ticket.pk for ticket in tickets}
    return [ticket for ticket in tickets if ticket.parent_id not in open_ids]


def _below(signal: Signal, above: Ticket | None, *, tree: UnitTree, now: datetime) -> Ticket:
    """Propose at the unit of the signal, below the nearest ticket above it, if there is one."""
    waits = above is not None and above.state == State.PROPOSED
    if above is not None and waits and above.children.open().exists():
        is_child = tree.parents.get(signal.unit_id) == above.unit_id
        ticket = _proposed(signal, parent=above if is_child else None, now=now)
        if is_child:
            return ticket
    elif above is not None and waits and above.source == Ticket.Source.SIGNAL:
        ticket = _narrowed(above, signal, now=now)
    elif above is not None:
        attach(above, signal, now=now)
        return above
    else:
        ticket = _proposed(signal, parent=None, now=now)
    _join_signals_above(ticket, tree=tree, now=now)
    _group(ticket, tree=tree, now=now)
    return ticket


def _proposed(signal: Signal, *, parent: Ticket | None, now: datetime) -> Ticket:
    former = held_or_closed_for(signal)
    fields = _fields_of(signal)
    ticket, is_new = propose(by=system_principal(), now=now, source=Ticket.Source.SIGNAL, **fields)
    if is_new and (parent or former):
        ticket.parent, ticket.recurrence_of = parent, former
        ticket.save(update_fields=["parent", "recurrence_of"])
        share_budget(ticket.owner_id)
    return ticket


def _narrowed(ticket: Ticket, signal: Signal, *, now: datetime) -> Ticket:
    """Bring a proposal that nobody took on down to the unit where the change really is."""
    fields = _fields_of(signal)
    owner = owner_to_be(signal.unit_id, signal.code, now=now)
    move(
        ticket=ticket, to=State.PROPOSED, action="narrowed", by=None, now=now, owner=owner, **fields
    )
    attach(ticket, signal, now=now)
    return ticket


def _fields_of(signal: Signal) -> dict[str, Any]:
    """Return what a ticket says of its signal."""
    newest = newest_of(signal)
    impact = impact_of(Facts(n=newest.n, gap=newest.gap, strength=signal.shift_sigma))
    title = _title(gettext_lazy("%(indicator)s got worse at %(unit)s"), signal.code, signal.unit)
    return {
        "unit": signal.unit,
        "title": title["en"][:LONGEST_TITLE],
        "system": signal.system,
        "code": signal.code,
        "grain": signal.grain,
        "signal": signal,
        "episode": signal.episode,
        "severity": suggested_severity(impact).value,
        "evidence": {
            "policy": POLICY.version,
            "title": title,
            "signal": signal.pk,
            "episode": signal.episode,
            "opener": signal.algorithm,
            "run": newest.run_id,
            "baseline": signal.baseline_id,
            "alarm_on": signal.alarm_on.isoformat(),
            "since_on": signal.since_on.isoformat(),
            "last_on": signal.last_on.isoformat(),
            "shift": signal.shift,
            "shift_sigma": signal.shift_sigma,
            "centre": signal.baseline.centre,
            "sigma": signal.baseline.sigma,
            "value": newest.value,
            "target": newest.target,
            "n": newest.n,
            "gap": newest.gap,
            "impact": impact,
        },
    }


def _title(text: str | Promise, code: str, unit: Unit) -> TranslatedText:
    indicator = indicator_of(code)
    name: TranslatedText | str = indicator.name if indicator else code
    return in_all_languages(text, indicator=name, unit=unit.name)


def _join_signals_above(ticket: Ticket, *, tree: UnitTree, now: datetime) -> None:
    """Join what is in alarm further up, where no ticket of its own stands."""
    above = tree.path(ticket.unit_id)[1:]
    taken = open_tickets_about(ticket.code, units=above).values_list("unit_id", flat=True)
    free = set(above) - set(taken)
    for signal in open_signals_at(ticket.code, units=free, on=local_day(now)):
        attach(ticket, signal, now=now)


def _group(ticket: Ticket, *, tree: UnitTree, now: datetime) -> None:
    """Propose a parent at the unit above when enough units below it have the same problem."""
    above = tree.parents.get(ticket.unit_id)
    if above is None:
        return
    open_here = open_tickets_about(ticket.code, units=[above, *tree.children.get(above, [])])
    found = list(_held(open_here.exclude(state=State.STANDARD)))
    units = {each.unit_id for each in found}
    if above in units or len(units) < POLICY.siblings or _was_declined(ticket.code, above, now=now):
        return
    parent = _parent(found, above, now=now)
    for child in found:
        if child.state in INTAKE:
            _lay_below(child, parent, now=now)
    _lift_signals(found, parent, tree=tree)
    _join_signals_above(parent, tree=tree, now=now)
    _group(parent, tree=tree, now=now)


def _was_declined(code: str, unit_id: int, *, now: datetime) -> bool:
    """True while a parent of the same kind that ended cools down."""
    ended = last_parent_ended(code, unit_id)
    if ended is None or ended.ended_at is None:
        return False
    return is_cooling(local_day(ended.ended_at), on=local_day(now))


def _parent(children: list[Ticket], unit_id: int, *, now: datetime) -> Ticket:
    unit = Unit.objects.get(pk=unit_id)
    code = children[0].code
    signals = open_signals_at(code, units=[unit_id], on=local_day(now))
    fields = _fields_of(signals[0]) if signals else {}
    title = _title(gettext_lazy("%(indicator)s got worse at several units of %(unit)s"), code, unit)
    evidence = {
        "policy": POLICY.version,
        **fields.pop("evidence", {}),
        "title": title,
        "children": [child.pk for child in children],
    }
    severities = [child.severity for child in children if child.severity]
    fields |= {
        "unit": unit,
        "system": children[0].system,
        "code": code,
        "grain": children[0].grain,
        "title": title["en"][:LONGEST_TITLE],
        "severity": min(severities, default=Severity.S3.value),
        "evidence": evidence,
    }
    parent, _is_new = propose(by=system_principal(), now=now, source=Ticket.Source.SIGNAL, **fields)
    return parent


def _lay_below(child: Ticket, parent: Ticket, *, now: datetime) -> None:
    if child.parent_id is None:
        move(
            ticket=child,
            to=State(child.state),
            action="grouped",
            by=None,
            now=now,
            note=parent.reference,
            parent=parent,
        )


def _lift_signals(children: list[Ticket], parent: Ticket, *, tree: UnitTree) -> None:
    """Let the signals of the units above leave the children: they belong to the parent now."""
    waiting = [child for child in children if child.state in INTAKE]
    links = TicketSignal.objects.filter(
        ticket__in=waiting, signal__unit_id__in=tree.path(parent.unit_id)
    )
    links.delete()
