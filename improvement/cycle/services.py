"""The steps of the PDCA cycle after a ticket was accepted: one function each.

All of them take the `revision` of the ticket that the person saw (None: whatever it is now) and
refuse alike. raises: NotFound for tickets that are not theirs; Conflict when somebody changed the
ticket since, when its state does not allow the step, or when something that the step needs is not
there yet; NotPermitted; InvalidInput for a text that is missing or too long.
"""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from improvement.actions.services import add_action, cancel_open_actions, request_training
from improvement.cycle.models import Approval
from improvement.cycle.plan import SUBMIT, approvals_given, approvers_needed, digest_of_plan
from improvement.cycle.queries import effective_days
from improvement.cycle.transitions import TRANSITIONS, Facts, refusal
from improvement.standards.queries import draft_of, text_digest
from improvement.standards.services import approve_standard as put_in_force
from improvement.standards.services import write_standard
from improvement.tickets.models import Severity, State, Ticket
from improvement.tickets.services import locked, move
from improvement.verification.queries import deeds_of, plan_of
from improvement.verification.services import extend_check, lock_effect_plan
from improvement.verification.windows import first_after
from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.periods import Grain
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.monitoring.models import Annotation, Baseline
from sqcore.monitoring.queries import SeriesKey, series_points
from sqcore.monitoring.services import annotate, propose_baseline
from sqcore.org.queries import fiscal_start, local_day


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
