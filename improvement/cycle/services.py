"""The steps of the PDCA cycle after a ticket was accepted: one function each.

All of them take the `revision` of the ticket that the person saw (None: whatever it is now) and
refuse alike. raises: NotFound for tickets that are not theirs; Conflict when somebody changed the
ticket since, when its state does not allow the step, or when something that the step needs is not
there yet; NotPermitted; InvalidInput for a text that is missing or too long.
"""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from improvement.actions.services import add_action, cancel_open_actions, request_training
from improvement.cycle.models import Approval
from improvement.cycle.plan import (
    SUBMIT,
    approvals_given,
    approvers_needed,
    digest_of_plan,
)
from improvement.cycle.queries import (
    alarms_again,
    concerned_by,
    effective_days,
    times_back,
)
from improvement.cycle.transitions import TRANSITIONS, Facts, refusal
from improvement.standards.queries import draft_of, text_digest
from improvement.standards.services import approve_standard as put_in_force
from improvement.standards.services import write_standard
from improvement.tickets.models import Severity, State, Step, Ticket
from improvement.tickets.queries import title_of
from improvement.tickets.services import locked, move
from improvement.verification.queries import deeds_of, plan_of
from improvement.verification.services import check_held, extend_check, lock_effect_plan
from improvement.verification.windows import first_after
from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.periods import Grain
from sqcore.base.text import TranslatedText, in_all_languages
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.monitoring.models import Annotation, Baseline, Signal
from sqcore.monitoring.queries import SeriesKey, series_points
from sqcore.monitoring.services import annotate, propose_baseline
from sqcore.notices.services import notify
from sqcore.org.queries import fiscal_start, local_day

SYSTEMIC_FROM = 3
"""From the third time on that a problem comes back, it is called systemic."""


# ---- Plan ----------------------------------------------------------------------------------------
@transaction.atomic
def state_problem(
    *,
    ticket_id: int,
    revision: int | None,
    problem: str,
    similar: str = "",
    by: Principal,
    now: datetime,
) -> Ticket:
    """Say what the problem is, and whether the same could happen elsewhere."""
    ticket = _begun("problem", ticket_id, revision, by)
    return move(
        ticket=ticket,
        to=State.PLAN,
        action="problem",
        by=by,
        now=now,
        problem=_said(problem, "problem", most=5000),
        similar=_said(similar, "similar", most=2000, needed=False),
    )


@transaction.atomic
def contain(
    *,
    ticket_id: int,
    revision: int | None,
    containment: str,
    contained_on: date | None = None,
    is_containment_waived: bool = False,
    by: Principal,
    now: datetime,
) -> Ticket:
    """Say what protects customers until the cause is gone, or why nothing has to."""
    ticket = _begun("contain", ticket_id, revision, by)
    if is_containment_waived:
        contained_on = None
    elif contained_on is None:
        raise _wrong("contained_on", _("Say since when."))
    elif contained_on > local_day(now):
        raise _wrong("contained_on", _("This day is still to come."))
    return move(
        ticket=ticket,
        to=State.PLAN,
        action="contain",
        by=by,
        now=now,
        containment=_said(containment, "containment", most=2000),
        contained_on=contained_on,
        is_containment_waived=is_containment_waived,
    )


@transaction.atomic
def submit_plan(*, ticket_id: int, revision: int | None, by: Principal, now: datetime) -> Ticket:
    """Give the plan to the second person; of a small fix (S4) nobody is asked, it begins at once.

    raises: Conflict naming all that the plan lacks
    """
    ticket = _begun(SUBMIT, ticket_id, revision, by)
    return _submitted(ticket, SUBMIT, by=by, now=now)


@transaction.atomic
def plan_small(
    *,
    ticket_id: int,
    revision: int | None,
    text: str,
    owner_id: int,
    due_on: date,
    by: Principal,
    now: datetime,
) -> Ticket:
    """Plan a small fix (S4) in one step: its one action; it can be done at once."""
    ticket = _begun("plan-small", ticket_id, revision, by)
    add_action(
        ticket_id=ticket.pk,
        kind="corrective",
        text=text,
        owner_id=owner_id,
        due_on=due_on,
        by=by,
        now=now,
    )
    ticket.refresh_from_db(fields=["revision"])
    return _submitted(ticket, "plan-small", by=by, now=now)


def _submitted(ticket: Ticket, action: str, *, by: Principal, now: datetime) -> Ticket:
    if ticket.severity != Severity.S4:
        return move(ticket=ticket, to=State.REVIEW, action=action, by=by, now=now)
    _begin(ticket, now=now)
    return move(ticket=ticket, to=State.DO, action=action, by=by, now=now)


def _begin(ticket: Ticket, *, now: datetime) -> None:
    """Lock the promise, and ask for the training that the plan names."""
    request_training(ticket=ticket, now=now)
    if plan := plan_of(ticket):
        lock_effect_plan(plan=plan, now=now)


@transaction.atomic
def approve_plan(
    *, ticket_id: int, revision: int | None, comment: str = "", by: Principal, now: datetime
) -> Ticket:
    """Approve the plan as it is now; with the last approval that it needs it is locked and begins.

    S1 and S2 need two people beside the owner. An approval is of the plan that was seen: when the
    plan goes back and is submitted anew, nobody approved it yet.
    """
    ticket = _begun("approve", ticket_id, revision, by)
    digest = digest_of_plan(ticket)
    note = _said(comment, "comment", most=2000, needed=False)
    _decide(ticket, Approval.Subject.PLAN, digest=digest, comment=note, by=by, now=now)
    if len(approvals_given(ticket, digest)) < approvers_needed(ticket):
        return move(ticket=ticket, to=State.REVIEW, action="approve", by=by, now=now, note=note)
    _begin(ticket, now=now)
    return move(ticket=ticket, to=State.DO, action="approve", by=by, now=now, note=note)


@transaction.atomic
def return_plan(
    *, ticket_id: int, revision: int | None, comment: str, by: Principal, now: datetime
) -> Ticket:
    """Give the plan back to its owner and say what has to change."""
    ticket = _begun("return", ticket_id, revision, by)
    note = _said(comment, "comment", most=2000)
    _decide(
        ticket,
        Approval.Subject.PLAN,
        decision=Approval.Decision.RETURNED,
        digest=digest_of_plan(ticket),
        comment=note,
        by=by,
        now=now,
    )
    return move(ticket=ticket, to=State.PLAN, action="return", by=by, now=now, note=note)


# ---- Do ------------------------------------------------------------------------------------------
@transaction.atomic
def block(
    *, ticket_id: int, revision: int | None, reason: str, by: Principal, now: datetime
) -> Ticket:
    """Mark that nothing can go on for now, and why; the time that it stands still is counted."""
    ticket = _begun("block", ticket_id, revision, by)
    why = _said(reason, "reason", most=500)
    return move(
        ticket=ticket,
        to=State.DO,
        action="block",
        by=by,
        now=now,
        note=why,
        blocked_at=now,
        blocked_reason=why,
    )


@transaction.atomic
def unblock(*, ticket_id: int, revision: int | None, by: Principal, now: datetime) -> Ticket:
    """Let it go on; the time that it stood still is added to what it stood still before."""
    ticket = _begun("unblock", ticket_id, revision, by)
    return move(
        ticket=ticket,
        to=State.DO,
        action="unblock",
        by=by,
        now=now,
        **_no_longer_blocked(ticket, now),
    )


def _no_longer_blocked(ticket: Ticket, now: datetime) -> dict[str, Any]:
    if ticket.blocked_at is None:
        return {}
    before = ticket.blocked_for or timedelta(0)
    return {
        "blocked_at": None,
        "blocked_reason": "",
        "blocked_for": before + max(now - ticket.blocked_at, timedelta(0)),
    }


@transaction.atomic
def finish_doing(*, ticket_id: int, revision: int | None, by: Principal, now: datetime) -> Ticket:
    """Say that all actions are over. What changed is written on the chart; the check comes next.

    A small fix that promised no effect is closed by this.
    """
    ticket = _begun("finish", ticket_id, revision, by)
    _annotate(ticket, by=by, now=now)
    if ticket.severity == Severity.S4 and plan_of(ticket) is None:
        quick = Ticket.EndReason.QUICK
        return move(
            ticket=ticket, to=State.CLOSED, action="finish", by=by, now=now, end_reason=quick
        )
    return move(ticket=ticket, to=State.CHECK, action="finish", by=by, now=now)


def _annotate(ticket: Ticket, *, by: Principal, now: datetime) -> None:
    """Write on the chart on which days something changed. The owner may be somebody who may not
    annotate by themselves: then the software does."""
    writer = by if by.may(Permission.MANAGE_SIGNALS, unit_id=ticket.unit_id) else system_principal()
    plan = plan_of(ticket)
    for on in effective_days(ticket):
        annotate(
            kind=Annotation.Kind.CHANGE,
            unit=plan.unit if plan else ticket.unit,
            code=plan.code if plan else ticket.code,
            starts_on=on,
            ends_on=on + timedelta(days=1),
            text=str(ticket)[:300],
            by=writer,
            now=now,
            reference=reference_of(ticket),
        )


def reference_of(ticket: Ticket) -> str:
    """Return how annotations and baselines name a ticket."""
    return f"ticket:{ticket.pk}"


# ---- Check ---------------------------------------------------------------------------------------
@transaction.atomic
def conclude_check(
    *, ticket_id: int, revision: int | None = None, by: Principal, now: datetime
) -> Ticket:
    """Go on to Act once quality confirmed the verdict of the final check."""
    ticket = _begun("conclude", ticket_id, revision, by)
    return move(ticket=ticket, to=State.ACT, action="conclude", by=by, now=now)


# ---- Act -----------------------------------------------------------------------------------------
@transaction.atomic
def standardise(
    *,
    ticket_id: int,
    revision: int | None,
    code: str,
    title: str,
    text: str,
    valid_from: date,
    rebase: bool = False,
    by: Principal,
    now: datetime,
) -> Ticket:
    """Write down how it is done from now on; a second person approves it (`approve_standard`).

    code: of a new standard, or of one that is there, which gets its next version. Written again
        before it is approved, the text takes the place of the former one.
    rebase: also propose new limits for the chart from the periods since the change
    raises: what `write_standard` and `propose_baseline` refuse
    """
    ticket = _begun("standardise", ticket_id, revision, by)
    write_standard(
        ticket=ticket, code=code, title=title, text=text, valid_from=valid_from, by=by, now=now
    )
    if rebase:
        _propose_limits(ticket, by=by, now=now)
    return move(ticket=ticket, to=State.ACT, action="standardise", by=by, now=now)


def _propose_limits(ticket: Ticket, *, by: Principal, now: datetime) -> None:
    """Propose the limits of the whole periods from the change to today, once a ticket."""
    plan, deeds = plan_of(ticket), deeds_of(ticket)
    reference = reference_of(ticket)
    waiting = Baseline.objects.filter(reference=reference, state=Baseline.State.PROPOSED)
    if plan is None or deeds is None or waiting.exists():
        return
    key = SeriesKey(plan.system_id, plan.unit_id, plan.code, Grain(plan.grain))
    settled = first_after(deeds.effective_on, plan.washout, key.grain, fiscal_start=fiscal_start())
    # The newest figure may be late: the limits end with the last one that is there.
    ends = [each.period.end for each in series_points(key=key, through=local_day(now))]
    until = max(ends, default=local_day(now))
    propose_baseline(
        key=key,
        starts_on=settled.start,
        ends_on=until,
        applies_from=until,
        reason=str(ticket),
        by=by,
        now=now,
        reference=reference,
    )


@transaction.atomic
def approve_standard(
    *, ticket_id: int, revision: int | None, comment: str = "", by: Principal, now: datetime
) -> Ticket:
    """Approve the standard that another person wrote. It is in force from its day on; the ticket
    is held until a second check finds that the effect lasts."""
    ticket = _begun("approve-standard", ticket_id, revision, by)
    note = _said(comment, "comment", most=2000, needed=False)
    version = draft_of(ticket)
    if version is None:
        raise Conflict(_("The standard is not written yet."))
    digest = text_digest(version)
    _decide(ticket, Approval.Subject.STANDARD, digest=digest, comment=note, by=by, now=now)
    put_in_force(version=version, by=by, now=now)
    return move(
        ticket=ticket, to=State.STANDARD, action="approve-standard", by=by, now=now, note=note
    )


@transaction.atomic
def return_standard(
    *, ticket_id: int, revision: int | None, comment: str, by: Principal, now: datetime
) -> Ticket:
    """Give the standard back to who wrote it and say what has to change."""
    ticket = _begun("return-standard", ticket_id, revision, by)
    note = _said(comment, "comment", most=2000)
    version = draft_of(ticket)
    if version is None:
        raise Conflict(_("The standard is not written yet."))
    _decide(
        ticket,
        Approval.Subject.STANDARD,
        decision=Approval.Decision.RETURNED,
        digest=text_digest(version),
        comment=note,
        by=by,
        now=now,
    )
    return move(ticket=ticket, to=State.ACT, action="return-standard", by=by, now=now, note=note)


@transaction.atomic
def next_cycle(
    *, ticket_id: int, revision: int | None, lesson: str, by: Principal, now: datetime
) -> Ticket:
    """Plan anew with what was learned; at most three cycles. What was planned before stays."""
    ticket = _begun("next-cycle", ticket_id, revision, by)
    lessons = _with_lesson(ticket, lesson)
    return move(
        ticket=ticket,
        to=State.PLAN,
        action="next-cycle",
        by=by,
        now=now,
        cycle=ticket.cycle + 1,
        lesson=lessons,
    )


@transaction.atomic
def extend(*, ticket_id: int, revision: int | None, by: Principal, now: datetime) -> Ticket:
    """Wait for as many periods again, once, before the verdict. raises: what `extend_check` does"""
    ticket = _begun("extend", ticket_id, revision, by)
    extend_check(ticket_id=ticket.pk, by=by, now=now)
    return move(ticket=ticket, to=State.CHECK, action="extend", by=by, now=now)


@transaction.atomic
def abandon(
    *, ticket_id: int, revision: int | None, lesson: str, by: Principal, now: datetime
) -> Ticket:
    """End a ticket whose effect did not come, with what was learned; by another than the owner."""
    ticket = _begun("abandon", ticket_id, revision, by)
    lessons = _with_lesson(ticket, lesson)
    _decide(ticket, Approval.Subject.END, comment=lesson.strip()[:2000], by=by, now=now)
    return move(
        ticket=ticket,
        to=State.ABANDONED,
        action="abandon",
        by=by,
        now=now,
        lesson=lessons,
        end_reason=Ticket.EndReason.NO_EFFECT,
    )


@transaction.atomic
def cancel(
    *, ticket_id: int, revision: int | None, reason: str, by: Principal, now: datetime
) -> Ticket:
    """End an accepted ticket before its time, by another than the owner. Nothing is deleted; what
    was still to do is cancelled with it."""
    ticket = _begun("cancel", ticket_id, revision, by)
    why = _said(reason, "reason", most=1000)
    _decide(ticket, Approval.Subject.END, comment=why, by=by, now=now)
    cancel_open_actions(ticket=ticket, reason=why, by=by, now=now)
    return move(
        ticket=ticket,
        to=State.CANCELLED,
        action="cancel",
        by=by,
        now=now,
        note=why,
        end_reason=Ticket.EndReason.OTHER,
        end_note=why,
        **_no_longer_blocked(ticket, now),
    )


# ---- What happens by itself ----------------------------------------------------------------------
def close_sustained(*, now: datetime) -> int:
    """Look again at the tickets whose standard is being held; return how many are closed.

    Who held the effect over the later periods is closed; who did not is planned anew. Each in a
    transaction of its own.
    """
    held = Ticket.objects.filter(state=State.STANDARD).order_by("id").values_list("id", flat=True)
    return sum(_look_again(pk, now=now) for pk in list(held))


@transaction.atomic
def _look_again(ticket_id: int, *, now: datetime) -> bool:
    ticket = locked(ticket_id, revision=None, by=system_principal())
    if ticket.state != State.STANDARD:
        return False
    held = check_held(ticket_id=ticket.pk, now=now)
    if held is None:
        return False
    if held:
        sustained = Ticket.EndReason.SUSTAINED
        move(ticket=ticket, to=State.CLOSED, action="close", by=None, now=now, end_reason=sustained)
    else:
        _reopen(ticket, "not-held", now=now)
    return held


@transaction.atomic
def reopen_if_regressed(*, signal_id: int, episode: int, now: datetime) -> bool:
    """Reopen the ticket of a signal that came back, in its next cycle; True when it was one.

    Only when its standard is being held, or it was closed at most 90 days ago, and the alarm's
    period starts after the change took effect: what happened before says nothing against it.
    """
    signal = Signal.objects.filter(pk=signal_id, episode=episode).first()
    found = None if signal is None else alarms_again(signal, now=now)
    if signal is None or found is None:
        return False
    ticket = locked(found.pk, revision=None, by=system_principal())
    if alarms_again(signal, now=now) != ticket:
        return False
    ticket.signals.get_or_create(signal=signal, episode=episode, defaults={"attached_at": now})
    _reopen(ticket, "regressed", now=now)
    return True


def _reopen(ticket: Ticket, action: str, *, now: datetime) -> None:
    fields: dict[str, Any] = {"cycle": ticket.cycle + 1, "end_reason": "", "end_note": ""}
    if action == "regressed" and times_back(ticket) + 1 == SYSTEMIC_FROM:
        fields["description"] = _systemic(ticket)
    move(ticket=ticket, to=State.PLAN, action=action, by=None, now=now, **fields)


@transaction.atomic
def mark_systemic(*, ticket_id: int, now: datetime) -> bool:
    """Say of a new proposal that its problem came back for the third time; True when it did."""
    ticket = locked(ticket_id, revision=None, by=system_principal())
    is_new = ticket.state == State.PROPOSED and ticket.recurrence_of_id is not None
    told = ticket.steps.filter(action="systemic").exists()
    if told or not is_new or times_back(ticket) < SYSTEMIC_FROM:
        return False
    move(
        ticket=ticket,
        to=State.PROPOSED,
        action="systemic",
        by=None,
        now=now,
        description=_systemic(ticket),
    )
    return True


def _systemic(ticket: Ticket) -> str:
    said = _("Systemic: it came back for the third time. Look for a cause above this unit.")
    return f"{said}\n\n{ticket.description}".strip()


# ---- What all steps share ------------------------------------------------------------------------
def _begun(action: str, ticket_id: int, revision: int | None, by: Principal) -> Ticket:
    """Return the ticket, locked, for somebody who may take this step now."""
    ticket = locked(ticket_id, revision=revision, by=by)
    if why := refusal(TRANSITIONS[action], Facts(ticket, by)):
        raise why
    return ticket


def _decide(
    ticket: Ticket,
    subject: Approval.Subject,
    *,
    by: Principal,
    now: datetime,
    decision: Approval.Decision = Approval.Decision.APPROVED,
    digest: str = "",
    comment: str = "",
) -> Approval:
    """Keep what a second person decided, in the ledger too."""
    if by.user is None:
        raise Conflict(_("Only a person does this."))
    made = Approval.objects.create(
        ticket=ticket,
        cycle=ticket.cycle,
        subject=subject,
        decision=decision,
        digest=digest,
        comment=comment,
        by=by.user,
        at=now,
    )
    record(
        action=f"approval.{decision.value}",
        subject=f"ticket:{ticket.pk}",
        by=by,
        now=now,
        details={"of": subject.value, "cycle": ticket.cycle, "digest": digest},
    )
    return made


def _with_lesson(ticket: Ticket, lesson: str) -> str:
    """Return the lessons of all cycles so far; none is overwritten."""
    said = _said(lesson, "lesson", most=5000)
    return f"{ticket.lesson}\n\n{said}" if ticket.lesson else said


def _said(text: str, field: str, *, most: int, needed: bool = True) -> str:
    said = text.strip()
    if needed and not said:
        raise _wrong(field, _("Write something here."))
    if len(said) > most:
        raise _wrong(field, _("Write at most %(most)d characters.") % {"most": most})
    return said


def _wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput(reason, problems=[Problem(reason, field=field)])


# ---- Telling -------------------------------------------------------------------------------------
_READY = {
    State.PLAN: gettext_lazy("To plan: %(ticket)s"),
    State.REVIEW: gettext_lazy("A plan waits for approval: %(ticket)s"),
    State.DO: gettext_lazy("The plan is approved: %(ticket)s"),
    State.CHECK: gettext_lazy("The effect is being checked: %(ticket)s"),
    State.ACT: gettext_lazy("The verdict is in: %(ticket)s"),
    State.STANDARD: gettext_lazy("It became the standard: %(ticket)s"),
    State.CLOSED: gettext_lazy("Closed: %(ticket)s"),
    State.REJECTED: gettext_lazy("Rejected: %(ticket)s"),
    State.DUPLICATE: gettext_lazy("It is a duplicate: %(ticket)s"),
    State.ABANDONED: gettext_lazy("Abandoned: %(ticket)s"),
    State.CANCELLED: gettext_lazy("Cancelled: %(ticket)s"),
}
"""What people are told of a ticket that came into a state. The intake tells of the others."""
_AGAIN = {
    "return": gettext_lazy("The plan was returned: %(ticket)s"),
    "next-cycle": gettext_lazy("The next cycle begins: %(ticket)s"),
    "not-held": gettext_lazy("The effect did not hold: %(ticket)s"),
    "regressed": gettext_lazy("The problem came back: %(ticket)s"),
    "extend": gettext_lazy("The check is extended: %(ticket)s"),
}


def tell_of_move(*, ticket_id: int, step_id: int, now: datetime) -> int:
    """Tell who has to do with a ticket that it moved, each once and with the reason why they get
    it; nobody of what they did themselves. Return to how many."""
    step = Step.objects.select_related("ticket__owner").get(pk=step_id, ticket=ticket_id)
    text = _AGAIN.get(step.action) or _READY.get(State(step.state))
    if text is None:
        return 0
    told = 0
    done: set[int | None] = {step.by_id}
    for part in concerned_by(step.ticket, State(step.state), now=now):
        waiting = [reader for reader in part.readers if reader.pk not in done]
        done |= {reader.pk for reader in waiting}
        told += notify(
            readers=waiting,
            key=f"ticket-moved:{step.pk}",
            title=in_all_languages(text, ticket=_named(step.ticket)),
            body={"en": step.note} if step.note else {},
            reason=in_all_languages(part.reason),
            link=reverse("improvement:ticket", args=[ticket_id]),
            permission=Permission.VIEW_TICKETS if part.look_on else None,
            unit_id=step.ticket.unit_id if part.look_on else None,
            now=now,
        )
    return told


def _named(ticket: Ticket) -> TranslatedText:
    titles = title_of(ticket)
    return {language: f"{ticket.reference} {title}" for language, title in titles.items()}
