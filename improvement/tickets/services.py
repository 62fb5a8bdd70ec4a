"""Proposing tickets, joining signals to them, and the one place that moves them.

Nothing here takes a member of staff: a ticket is about a service, never about a person.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from improvement.tickets.files import bounded, clean_name, folder, kind_of
from improvement.tickets.models import (
    ENDED,
    INTAKE,
    Attachment,
    Comment,
    Severity,
    State,
    Step,
    Ticket,
    TicketSignal,
    Watcher,
)
from improvement.tickets.queries import (
    asked_about,
    has_open_signals,
    held_or_closed_for,
    indicator_of,
    last_ended_for,
    last_parent_ended,
    machine_proposals_for,
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
    may_follow,
    reopens,
    suggested_severity,
)
from improvement.tickets.telling import tell_of_comment
from sqcore.audit.services import record
from sqcore.base.bus import publish
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.events import TicketMoved
from sqcore.base.periods import Grain
from sqcore.base.text import TranslatedText, in_all_languages
from sqcore.files.storage import stored
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.indicators.models import IndicatorSystem
from sqcore.monitoring.models import Signal
from sqcore.org.models import Unit
from sqcore.org.queries import UnitTree, local_day, tree_on

LONGEST_NOTE = 2000
LONGEST_DESCRIPTION = 5000
LONGEST_TITLE = 200
LONGEST_KEY = 255
LONGEST_COMMENT = 5000
MOST_FILES = 50


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
        _share_budget(asked_of, ticket.owner_id)
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
    asked.owner = _owner_to_be(unit.pk, code, now=now)
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
        _attach(asked, signal, now=now)
    _step(asked, action="proposed", former=None, by=by, now=now)
    _share_budget(asked.owner_id)
    return asked, True


def _refuse_unusable(asked: Ticket, *, now: datetime) -> None:
    """raises: InvalidInput naming each field that is wrong"""
    today = local_day(now)
    closed = asked.unit.closed_on is not None and asked.unit.closed_on <= today
    faults = {
        "unit": closed and _("This unit is closed."),
        "title": _fault_of_text(asked.title, most=LONGEST_TITLE, needed=True),
        "description": _fault_of_text(asked.description, most=LONGEST_DESCRIPTION),
        "dedup_key": _fault_of_text(asked.dedup_key, most=LONGEST_KEY),
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


def _fault_of_text(text: str, *, most: int, needed: bool = False) -> str:
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


def _owner_to_be(unit_id: int, code: str, *, now: datetime) -> User | None:
    _part, asked = asked_about(unit_id, code, now=now)
    return asked[0] if asked else None


def _share_budget(*owner_ids: int | None) -> None:
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


def _attach(ticket: Ticket, signal: Signal, *, now: datetime) -> bool:
    """Join the present episode of a signal to a ticket; True when it was not there."""
    _link, is_new = TicketSignal.objects.get_or_create(
        ticket=ticket,
        signal=signal,
        episode=signal.episode,
        defaults={"attached_at": now},
    )
    return is_new


# ---- Signals -------------------------------------------------------------------------------------
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
        _attach(there, signal, now=now)
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
            _attach(to, link.signal, now=now)


def hold_intake() -> None:
    """Hold the intake until the transaction ends: what one signal does depends on all others.

    Who changes a ticket of the intake holds this before the ticket: a decision touches others as
    well (those below, the one that it repeats, the budget), in whatever order, and two that take
    them crosswise would wait for each other.
    """
    list(IndicatorSystem.objects.select_for_update(no_key=True).order_by("id").values_list("id"))


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
        _attach(here[0], signal, now=now)
        _adopt(here[0], signal)
        return here[0]
    # What is only being held elsewhere does not speak for this unit.
    active = [ticket for ticket in found if ticket.state != State.STANDARD]
    if lower := _topmost([ticket for ticket in active if ticket.unit_id in below]):
        for ticket in lower:
            _attach(ticket, signal, now=now)
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
        _attach(above, signal, now=now)
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
        _share_budget(ticket.owner_id)
    return ticket


def _narrowed(ticket: Ticket, signal: Signal, *, now: datetime) -> Ticket:
    """Bring a proposal that nobody took on down to the unit where the change really is."""
    fields = _fields_of(signal)
    owner = _owner_to_be(signal.unit_id, signal.code, now=now)
    move(
        ticket=ticket, to=State.PROPOSED, action="narrowed", by=None, now=now, owner=owner, **fields
    )
    _attach(ticket, signal, now=now)
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
        _attach(ticket, signal, now=now)


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


# ---- Comments, watchers, files -------------------------------------------------------------------
@transaction.atomic
def comment(*, ticket_id: int, text: str, by: Principal, now: datetime) -> Comment:
    """Say something about a ticket; its people and who watches it are told.

    raises: NotFound; NotPermitted; InvalidInput
    """
    ticket, user = _for_a_word(ticket_id, by)
    words = text.strip()
    if fault := _fault_of_text(words, most=LONGEST_COMMENT, needed=True):
        raise InvalidInput(fault, problems=[Problem(fault, field="text")])
    made = Comment.objects.create(ticket=ticket, text=words, by=user, at=now)
    record(
        action="ticket.commented",
        subject=f"ticket:{ticket.pk}",
        by=by,
        now=now,
        details={"comment": made.pk},
    )
    tell_of_comment(made, now=now)
    return made


@transaction.atomic
def set_watching(*, ticket_id: int, watching: bool, by: Principal, now: datetime) -> None:
    """Be told of what happens with a ticket, or no longer. raises: NotFound; NotPermitted"""
    ticket = _visible(ticket_id, by)
    if by.user is None:
        raise NotPermitted(_("Only a person can watch a ticket."))
    if watching:
        _watcher, changed = Watcher.objects.get_or_create(ticket=ticket, user=by.user)
    else:
        count, _by_model = Watcher.objects.filter(ticket=ticket, user=by.user).delete()
        changed = bool(count)
    if changed:
        record(
            action="ticket.watched" if watching else "ticket.unwatched",
            subject=f"ticket:{ticket.pk}",
            by=by,
            now=now,
        )


def attach_file(
    *, ticket_id: int, name: str, chunks: Iterable[bytes], by: Principal, now: datetime
) -> Attachment:
    """Keep a file with a ticket; the same content is kept once. Files stay.

    It is judged by its content alone and lies in a private folder under a random name. When
    anything goes wrong, nothing is left of it.

    raises: NotFound; NotPermitted; InvalidInput for what is too large, empty or of another kind;
    Conflict when the ticket has too many files
    """
    _for_a_word(ticket_id, by)
    with stored(bounded(chunks), folder()) as (path, digest):
        kind = kind_of(path, name=name)
        with transaction.atomic():
            ticket = locked(ticket_id, revision=None, by=by)
            there = ticket.attachments.filter(sha256=digest).first()
            made = there or _kept(
                ticket, path, name=clean_name(name, kind=kind), kind=kind, digest=digest,
                by=by, now=now,
            )  # fmt: skip
        if there:
            path.unlink()
    return made


def _kept(
    ticket: Ticket,
    path: Path,
    *,
    name: str,
    kind: str,
    digest: str,
    by: Principal,
    now: datetime,
) -> Attachment:
    if ticket.attachments.count() >= MOST_FILES:
        raise Conflict(_("A ticket holds at most %(most)d files.") % {"most": MOST_FILES})
    made = Attachment.objects.create(
        ticket=ticket,
        name=name,
        kind=kind,
        size=path.stat().st_size,
        sha256=digest,
        path=path.name,
        by=_person(by),
        at=now,
    )
    record(
        action="ticket.file_attached",
        subject=f"ticket:{ticket.pk}",
        by=by,
        now=now,
        details={"file": made.pk, "size": made.size, "sha256": digest},
    )
    return made


def _visible(ticket_id: int, by: Principal) -> Ticket:
    found = Ticket.objects.visible_to(by).select_related("unit", "owner", "proposed_by")
    ticket = found.filter(pk=ticket_id).first()
    if ticket is None:
        raise NotFound(_("There is no such ticket."))
    return ticket


def _person(by: Principal) -> User:
    if by.user is None:
        raise NotPermitted(_("Only a person can do this."))
    return by.user


def _for_a_word(ticket_id: int, by: Principal) -> tuple[Ticket, User]:
    """Return the ticket and the person, who may comment on it: it is theirs, or of their unit."""
    ticket = _visible(ticket_id, by)
    user = _person(by)
    if user.pk not in (ticket.owner_id, ticket.proposed_by_id):
        by.require(Permission.PROPOSE_TICKETS, unit_id=ticket.unit_id)
    return ticket, user
