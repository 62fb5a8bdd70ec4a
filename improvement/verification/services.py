"""The verbs of the Check: promise an effect, lock the promise, look, confirm or override."""

from collections.abc import Sequence
from datetime import date, datetime
from math import isfinite
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from improvement.actions.queries import doers_of
from improvement.tickets.models import State, Ticket
from improvement.tickets.services import locked, move
from improvement.verification.evidence import (
    FIRST,
    SECOND,
    Evidence,
    gather,
    key_of,
    points_json,
)
from improvement.verification.judging import digest_of, judge
from improvement.verification.models import BalancingMeasure, EffectCheck, EffectPlan, Verdict
from improvement.verification.planning import Outlook as Outlook
from improvement.verification.planning import outlook as outlook
from improvement.verification.planning import place_of, points_of, refusal
from improvement.verification.queries import (
    check_seen_by,
    content_of,
    deeds_of,
    final_check_of,
    plan_of,
    verify_digest,
)
from improvement.verification.windows import LEAST, end_of, spots_of
from sqcore.audit.services import record
from sqcore.base.bus import publish
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.base.events import EffectVerified
from sqcore.base.periods import Grain, Period
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.monitoring.models import Signal
from sqcore.monitoring.queries import series_points
from sqcore.org.queries import fiscal_start, local_day

MOST_MEASURES = 10
LONGEST_REASON = 1000


# ---- The promise ---------------------------------------------------------------------------------
@transaction.atomic
def save_effect_plan(
    *,
    ticket_id: int,
    code: str,
    grain: Grain,
    minimum: float,
    starts_on: date,
    washout: int,
    balancing: Sequence[tuple[str, float]],
    by: Principal,
    now: datetime,
    better: int | None = None,
    wished_on: date | None = None,
    is_extendable: bool = False,
    revision: int | None = None,
) -> EffectPlan:
    """Register the effect that the actions of this cycle shall have; until it is locked a plan is
    changed in place.

    minimum: the smallest gain that counts, in the unit of the indicator, > 0
    starts_on: when the action is planned; washout: periods left out from its period on, 0 to 26
    balancing: at least one other indicator, each with how much worse it may get (>= 0)
    better: 1 or -1; None: as the indicator says
    wished_on: when the check is wished for; it may be later than needed, never earlier
    is_extendable: the check may be extended once; then each look is judged at 97.5 %
    raises: NotFound, NotPermitted, Conflict (not in Plan, or locked in this cycle), InvalidInput
        with what can be seen by when, naming the field
    """
    ticket = locked(ticket_id, revision=revision, by=by)
    user = _hand_of(ticket, by)
    if ticket.state != State.PLAN:
        raise Conflict(_("The effect is promised while the ticket is being planned."))
    former = plan_of(ticket)
    if former is not None and former.locked_at is not None:
        raise Conflict(_("The plan of this cycle is locked: it can no longer be changed."))
    if better not in (None, 1, -1):
        raise refusal(_("Better is either higher or lower."), "better")
    today = local_day(now)
    found = outlook(
        ticket=ticket,
        code=code,
        grain=grain,
        minimum=minimum,
        starts_on=starts_on,
        washout=washout,
        today=today,
        better=better,
        wished_on=wished_on,
        is_extendable=is_extendable,
    )
    if found.refusal:
        raise refusal(found.refusal, found.field)
    measures = _measures(ticket, code, grain, balancing, today)
    plan = _plan_row(ticket, found, washout=washout, user=user, now=now, former=former)
    plan.balancing.all().delete()
    BalancingMeasure.objects.bulk_create(
        BalancingMeasure(plan=plan, code=each, better=direction, margin=margin)
        for each, direction, margin in measures
    )
    move(ticket=ticket, to=State.PLAN, action="effect_planned", by=by, now=now)
    return plan


def _hand_of(ticket: Ticket, by: Principal) -> User:
    """Return the person who works on a ticket: its owner, or who runs tickets at its unit."""
    if by.user is None:
        raise NotPermitted(_("This is done by a person."))
    if by.user.pk != ticket.owner_id:
        by.require(Permission.RUN_TICKETS, unit_id=ticket.unit_id)
    return by.user


def _measures(
    ticket: Ticket,
    code: str,
    grain: Grain,
    balancing: Sequence[tuple[str, float]],
    today: date,
) -> list[tuple[str, int, float]]:
    """Return (code, better, margin) of each balancing measure. raises: InvalidInput"""
    codes = [each for each, _margin in balancing]
    if not codes:
        raise refusal(
            _("Name at least one balancing measure: what must not get worse for it."), "balancing"
        )
    if len(codes) > MOST_MEASURES or len(set(codes)) < len(codes):
        raise refusal(
            _("Each balancing measure is named once, and %(most)s at the most.")
            % {"most": MOST_MEASURES},
            "balancing",
        )
    if code in codes:
        raise refusal(_("The indicator itself cannot be its balancing measure."), "balancing")
    found = []
    for each, margin in balancing:
        if not (isfinite(margin) and margin >= 0):
            raise refusal(_("A margin is 0 or more."), "balancing")
        place = _balancing_place(ticket, each, grain, today)
        found.append((each, place, margin))
    return found


def _balancing_place(ticket: Ticket, code: str, grain: Grain, today: date) -> int:
    try:
        place = place_of(ticket, code, grain)
        points_of(place, through=today)
    except InvalidInput as error:
        raise refusal(error.message, "balancing") from error
    return place.better


def _plan_row(
    ticket: Ticket,
    found: Outlook,
    *,
    washout: int,
    user: User,
    now: datetime,
    former: EffectPlan | None,
) -> EffectPlan:
    ground = found.ground
    if ground is None or found.n_after is None or found.check_on is None:
        raise AssertionError("an outlook without a refusal has all of these")
    fields: dict[str, Any] = {
        "system": ground.place.system,
        "unit": ticket.unit,
        "code": ground.place.leaf.code,
        "grain": ground.place.key.grain,
        "better": found.better,
        "minimum": found.minimum,
        "comparison": ground.comparing.kind,
        "compares_from": ground.comparing.compares_from,
        "starts_on": ground.starts_on,
        "washout": washout,
        "n_before": ground.n_before,
        "n_after": found.n_after,
        "check_on": found.check_on,
        "sigma": ground.sigma,
        "phi": ground.phi,
        "smallest_detectable": found.smallest_detectable,
        "is_extendable": found.is_extendable,
        "created_by": user,
        "created_at": now,
    }
    if former is None:
        version = EffectPlan.objects.filter(ticket=ticket).count() + 1
        return EffectPlan.objects.create(
            ticket=ticket, cycle=ticket.cycle, version=version, **fields
        )
    for name, value in fields.items():
        setattr(former, name, value)
    former.save()
    return former


@transaction.atomic
def lock_effect_plan(*, plan: EffectPlan, now: datetime) -> EffectPlan:
    """Put the plan under the hash of its content, balancing measures included. Locking it again
    changes nothing. raises: Conflict when its content is not what was locked"""
    held = EffectPlan.objects.select_for_update(no_key=True).get(pk=plan.pk)
    if held.locked_at is None:
        held.digest, held.locked_at = digest_of(content_of(held)), now
        held.save(update_fields=["digest", "locked_at"])
    elif not verify_digest(held):
        raise Conflict(_("The plan is not what was locked. Somebody changed it in the database."))
    plan.digest, plan.locked_at = held.digest, held.locked_at
    return plan


# ---- Looking -------------------------------------------------------------------------------------
@transaction.atomic
def check_effect(*, ticket_id: int, by: Principal, now: datetime) -> EffectCheck:
    """Look at the locked plan of the ticket's cycle, which is in Check.

    Before the check date, or before there are enough periods, this is an interim look: it has no
    verdict, no interval, and there is one for the newest period. Else it is final: made once, and
    who asks again gets the same. The ticket stays where it is.
    raises: NotFound, NotPermitted, Conflict (not in Check, no locked plan, no action done)
    """
    ticket = locked(ticket_id, revision=None, by=by)
    _require_reader(ticket, by)
    if ticket.state != State.CHECK:
        raise Conflict(_("The effect is checked once everything is done."))
    plan = _locked_plan(ticket)
    last = final_check_of(plan)
    if last is not None and (plan.extended_to is None or last.look == SECOND):
        return last
    found = _evidence(plan, look=FIRST if last is None else SECOND, today=local_day(now))
    if not found.is_final_on(local_day(now)):
        return _interim(found, now=now)
    check = _written(found, is_interim=False, now=now)
    record(
        action="effect.checked",
        subject=f"ticket:{ticket.pk}",
        by=by,
        now=now,
        details={"check": check.pk, "look": check.look, "verdict": check.verdict},
    )
    return check


def _require_reader(ticket: Ticket, by: Principal) -> None:
    """Who may have the numbers looked at: the owner, who runs tickets here, and quality."""
    is_owner = by.user is not None and by.user.pk == ticket.owner_id
    if not is_owner and not by.may(Permission.CONFIRM_EFFECTS, unit_id=ticket.unit_id):
        by.require(Permission.RUN_TICKETS, unit_id=ticket.unit_id)


def _locked_plan(ticket: Ticket) -> EffectPlan:
    plan = plan_of(ticket)
    if plan is None or plan.locked_at is None:
        raise Conflict(_("No effect was promised in this cycle, so there is nothing to check."))
    if not verify_digest(plan):
        raise Conflict(_("The plan is not what was locked. Somebody changed it in the database."))
    return plan


def _evidence(plan: EffectPlan, *, look: int, today: date) -> Evidence:
    deeds = deeds_of(plan.ticket)
    if deeds is None:
        raise Conflict(_("No action of this cycle is done, so there is no effect to check."))
    return gather(plan, deeds, look=look, today=today)


def _interim(found: Evidence, *, now: datetime) -> EffectCheck:
    """One row for the newest period, so that looking often leaves no heap behind."""
    there = found.plan.checks.filter(is_interim=True, look=found.look, through=found.through)
    return there.order_by("id").first() or _written(found, is_interim=True, now=now)


def _written(found: Evidence, *, is_interim: bool, now: datetime) -> EffectCheck:
    points = points_json(found, is_interim=is_interim)
    outcome = judge(points)
    fields = outcome.as_json()
    return EffectCheck.objects.create(
        plan=found.plan,
        look=found.look,
        is_interim=is_interim,
        checked_at=now,
        through=found.through,
        points=points,
        digest=digest_of({"points": points, "outcome": fields}),
        **fields,
    )


@transaction.atomic
def extend_check(*, ticket_id: int, by: Principal, now: datetime) -> EffectPlan:
    """Let the check wait for as many periods again; `check_effect` then makes a second look.

    Once a plan, and only where the plan promised two looks (or the first one had no interval, so
    that nothing was seen), and the verdict was no change or inconclusive. In Check or Act.
    raises: NotFound, NotPermitted, Conflict
    """
    ticket = locked(ticket_id, revision=None, by=by)
    _hand_of(ticket, by)
    if ticket.state not in (State.CHECK, State.ACT):
        raise Conflict(_("Only a check that was made can be extended."))
    plan = _locked_plan(ticket)
    last = _extendable(plan)
    following = Period.of(last.through, Grain(plan.grain), fiscal_start=fiscal_start())
    plan.extended_to = end_of(following, plan.n_after)
    plan.save(update_fields=["extended_to"])
    record(
        action="effect.extended",
        subject=f"ticket:{ticket.pk}",
        by=by,
        now=now,
        details={"plan": plan.pk, "to": plan.extended_to.isoformat()},
    )
    return plan


def _extendable(plan: EffectPlan) -> EffectCheck:
    """Return the look that may be followed by a second one. raises: Conflict"""
    last = final_check_of(plan)
    if last is None:
        raise Conflict(_("Only a check that was made can be extended."))
    if plan.extended_to is not None:
        raise Conflict(_("A check is extended once at the most."))
    if (last.confirmed_verdict or last.verdict) in (Verdict.IMPROVED, Verdict.WORSE):
        raise Conflict(_("The verdict is clear: there is nothing to wait for."))
    if not plan.is_extendable and last.low is not None:
        raise Conflict(
            _("The plan promised one look. A second one would make a lucky verdict more likely.")
        )
    return last


# ---- Confirming ----------------------------------------------------------------------------------
@transaction.atomic
def confirm_effect(*, check_id: int, by: Principal, now: datetime) -> EffectCheck:
    """Confirm the verdict of a final check, or its override, and tell everybody.

    By quality, never by the owner of the ticket; an override by another than who asked for it.
    raises: NotFound, NotPermitted, Conflict
    """
    check, user = _open_check(check_id, by)
    if check.override_by_id == user.pk:
        raise NotPermitted(_("Who overrides a verdict does not confirm it: a second person does."))
    check.confirmed_verdict = check.override_verdict or check.verdict
    check.confirmed_by, check.confirmed_at = user, now
    check.save(update_fields=["confirmed_verdict", "confirmed_by", "confirmed_at"])
    _tell("effect.confirmed", check, by=by, now=now, verdict=check.confirmed_verdict)
    publish(
        EffectVerified(
            ticket_id=check.plan.ticket_id,
            check_id=check.pk,
            verdict=check.confirmed_verdict,
            on=local_day(now).isoformat(),
            staff_ids=tuple(doers_of(check.plan.ticket)),
        ),
        now=now,
    )
    return check


@transaction.atomic
def override_effect(
    *, check_id: int, verdict: str, reason: str, by: Principal, now: datetime
) -> EffectCheck:
    """Put another verdict beside the computed one, which stays; it counts once a second person
    confirms it. raises: NotFound, NotPermitted, Conflict, InvalidInput"""
    check, user = _open_check(check_id, by)
    reason = reason.strip()
    if check.override_verdict:
        raise Conflict(_("This verdict is overridden already; a second person decides on that."))
    if verdict not in Verdict.values or verdict == check.verdict:
        raise refusal(_("Choose another verdict than the computed one."), "verdict")
    if not reason or len(reason) > LONGEST_REASON:
        raise refusal(
            _("Say why, in at most %(most)s characters.") % {"most": LONGEST_REASON}, "reason"
        )
    check.override_verdict, check.override_reason, check.override_by = verdict, reason, user
    check.save(update_fields=["override_verdict", "override_reason", "override_by"])
    _tell("effect.overridden", check, by=by, now=now, verdict=verdict)
    return check


@transaction.atomic
def withdraw_override(*, check_id: int, by: Principal, now: datetime) -> EffectCheck:
    """Take an override away that was not confirmed: by who asked for it, or by the second person
    who does not agree. The ledger keeps it. raises: NotFound, NotPermitted, Conflict"""
    check, _user = _open_check(check_id, by)
    if not check.override_verdict:
        raise Conflict(_("This verdict is not overridden."))
    taken = check.override_verdict
    check.override_verdict, check.override_reason, check.override_by = "", "", None
    check.save(update_fields=["override_verdict", "override_reason", "override_by"])
    _tell("effect.override_withdrawn", check, by=by, now=now, verdict=taken)
    return check


def _open_check(check_id: int, by: Principal) -> tuple[EffectCheck, User]:
    """Return a final look that is not confirmed, held, and the person of quality who decides."""
    seen = check_seen_by(by, check_id)
    ticket = locked(seen.plan.ticket_id, revision=None, by=by)
    by.require(Permission.CONFIRM_EFFECTS, unit_id=ticket.unit_id)
    if by.user is None:
        raise NotPermitted(_("This is done by a person."))
    if by.user.pk == ticket.owner_id:
        raise NotPermitted(_("The owner of a ticket does not judge its effect."))
    check = check_seen_by(by, check_id)
    if check.is_interim:
        raise Conflict(_("This look came before the check date: it has no verdict."))
    if check.confirmed_by_id is not None:
        raise Conflict(_("This verdict is confirmed already."))
    newest = final_check_of(check.plan)
    is_newest = newest is not None and newest.pk == check.pk
    is_extended = check.plan.extended_to is not None and check.look == FIRST
    if ticket.state != State.CHECK or not is_newest or is_extended:
        raise Conflict(_("The ticket is no longer at this check."))
    return check, by.user


def _tell(action: str, check: EffectCheck, *, by: Principal, now: datetime, verdict: str) -> None:
    record(
        action=action,
        subject=f"ticket:{check.plan.ticket_id}",
        by=by,
        now=now,
        details={"check": check.pk, "look": check.look, "verdict": verdict},
    )


# ---- Holding -------------------------------------------------------------------------------------
def check_held(*, ticket_id: int, now: datetime) -> bool | None:
    """Whether the confirmed effect still holds: the mean of at least 8 usable periods since the
    window of the final check is better than before by the promised minimum, and no signal of the
    series is open. None: too early to say, or nothing was confirmed."""
    ticket = Ticket.objects.get(pk=ticket_id)
    plan = plan_of(ticket)
    check = None if plan is None else final_check_of(plan)
    if plan is None or check is None or check.mean_before is None or not check.confirmed_verdict:
        return None
    today = local_day(now)
    points = series_points(key=key_of(plan), through=today)
    later = [
        spot.value
        for spot in spots_of(points, through=today)
        if spot.on >= check.through and spot.value is not None and spot.is_usable
    ]
    if len(later) < LEAST:
        return None
    gain = plan.better * (sum(later) / len(later) - check.mean_before)
    return gain >= plan.minimum and not _has_open_signal(plan)


def _has_open_signal(plan: EffectPlan) -> bool:
    return (
        Signal.objects.open()
        .filter(system_id=plan.system_id, unit_id=plan.unit_id, code=plan.code, grain=plan.grain)
        .exists()
    )
