"""Reading plans and checks, and what a comparison begins and ends with."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Max, Min, Q, QuerySet

from improvement.actions.models import Action
from improvement.tickets.models import Ticket
from improvement.verification.judging import digest_of, judge
from improvement.verification.models import EffectCheck, EffectPlan
from improvement.verification.windows import (
    MOST_BEFORE,
    MOST_BEFORE_TICKET,
    first_after,
    period_from,
    periods_before,
)
from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.identity.principals import Principal
from sqcore.monitoring.models import Annotation, SignalEvent
from sqcore.org.queries import fiscal_start, local_day


def plan_of(ticket: Ticket) -> EffectPlan | None:
    """Return the plan of the cycle that a ticket is in, with its system and unit."""
    return _plans(ticket).filter(cycle=ticket.cycle).first()


def plans_of(ticket: Ticket) -> list[EffectPlan]:
    """Return all plans of a ticket, the newest first, each with its measures and checks."""
    return list(
        _plans(ticket).prefetch_related("balancing", "checks__confirmed_by", "checks__override_by")
    )


def _plans(ticket: Ticket) -> QuerySet[EffectPlan]:
    found = EffectPlan.objects.filter(ticket=ticket).select_related("system", "unit")
    return found.order_by("-cycle", "-version")


def final_check_of(plan: EffectPlan) -> EffectCheck | None:
    """Return the newest look that has a verdict."""
    found = plan.checks.filter(is_interim=False).select_related("confirmed_by", "override_by")
    return found.order_by("-look").first()


def check_seen_by(principal: Principal, check_id: int) -> EffectCheck:
    """Return a check of a ticket that the asker sees. raises: NotFound"""
    seen = Ticket.objects.visible_to(principal)
    found = (
        EffectCheck.objects.filter(pk=check_id, plan__ticket__in=seen)
        .select_related("plan__ticket", "plan__unit", "plan__system")
        .first()
    )
    if found is None:
        raise NotFound("There is no such check.")
    return found


# ---- What stands fast ----------------------------------------------------------------------------
def content_of(plan: EffectPlan) -> dict[str, Any]:
    """Return all that was promised, as it enters the hash."""
    measures = sorted(plan.balancing.all(), key=lambda each: each.code)
    return {
        "ticket": plan.ticket_id,
        "cycle": plan.cycle,
        "version": plan.version,
        "system": plan.system_id,
        "unit": plan.unit_id,
        "code": plan.code,
        "grain": str(plan.grain),
        "better": plan.better,
        "minimum": plan.minimum,
        "comparison": str(plan.comparison),
        "compares_from": plan.compares_from.isoformat(),
        "starts_on": plan.starts_on.isoformat(),
        "washout": plan.washout,
        "n_before": plan.n_before,
        "n_after": plan.n_after,
        "check_on": plan.check_on.isoformat(),
        "sigma": plan.sigma,
        "phi": plan.phi,
        "smallest_detectable": plan.smallest_detectable,
        "is_extendable": plan.is_extendable,
        "method": plan.method,
        "balancing": [
            {"code": each.code, "better": each.better, "margin": each.margin} for each in measures
        ],
    }


def verify_digest(plan: EffectPlan) -> bool:
    """True when a locked plan still says what was locked."""
    return bool(plan.digest) and plan.digest == digest_of(content_of(plan))


_KEPT = (
    *("confidence", "n_before", "n_after", "mean_before", "mean_after", "estimate", "low", "high"),
    *("p", "phi", "sigma", "smallest_detectable", "is_restored", "verdict", "grade"),
)


@dataclass(frozen=True)
class Replay:
    """A check computed again from the points that it kept; `differs` names what is not the same."""

    differs: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        return not self.differs


def replay_check(check: EffectCheck) -> Replay:
    """Compute a check again from its own points and compare every number, and the hash."""
    outcome = judge(check.points).as_json()
    kept = {name: getattr(check, name) for name in _KEPT}
    kept |= {"reasons": check.reasons, "balancing": check.balancing}
    differs = [name for name in kept if digest_of([kept[name]]) != digest_of([outcome[name]])]
    if digest_of({"points": check.points, "outcome": outcome}) != check.digest:
        differs.append("digest")
    return Replay(tuple(differs))


# ---- What a comparison begins and ends with ------------------------------------------------------
@dataclass(frozen=True)
class Comparing:
    """Which periods an effect is compared with: those from `compares_from` on that end before the
    first action and before `until` (a containment, or the ticket itself)."""

    kind: EffectPlan.Comparison
    compares_from: date
    until: date | None
    is_contained: bool

    @property
    def most(self) -> int:
        """How many usable periods are compared with at most: the newest."""
        before_ticket = self.kind == EffectPlan.Comparison.BEFORE_TICKET
        return MOST_BEFORE_TICKET if before_ticket else MOST_BEFORE

    def ends_on(self, action_on: date) -> date:
        return action_on if self.until is None else min(action_on, self.until)


def comparing(ticket: Ticket, grain: Grain) -> Comparing:
    """Return what a plan of the ticket's present cycle compares with.

    After the signal; after what an earlier cycle changed, where that came later; of a ticket that
    came without a signal the last 26 periods before it.
    """
    starts = {
        EffectPlan.Comparison.AFTER_SIGNAL: _after_signal(ticket, grain),
        EffectPlan.Comparison.AFTER_CYCLE: _after_former_cycle(ticket, grain),
    }
    known = [(start, kind) for kind, start in starts.items() if start is not None]
    if known:
        start, kind = max(known)
        return _bounded(ticket, kind, start)
    day = local_day(ticket.proposed_at)
    start = periods_before(day, MOST_BEFORE_TICKET, grain, fiscal_start=fiscal_start())
    return _bounded(ticket, EffectPlan.Comparison.BEFORE_TICKET, start)


def compared_with(plan: EffectPlan) -> Comparing:
    """Return what a plan compares with, as it was promised."""
    return _bounded(plan.ticket, EffectPlan.Comparison(plan.comparison), plan.compares_from)


def _bounded(ticket: Ticket, kind: EffectPlan.Comparison, start: date) -> Comparing:
    """A containment of an earlier cycle is part of the state that a later one compares with."""
    contained = ticket.contained_on
    if contained is not None and ticket.cycle > 1 and contained < start:
        contained = None
    until = contained
    if kind == EffectPlan.Comparison.BEFORE_TICKET:
        day = local_day(ticket.proposed_at)
        until = day if contained is None else min(day, contained)
    return Comparing(kind, start, until, is_contained=contained is not None and until == contained)


def _after_signal(ticket: Ticket, grain: Grain) -> date | None:
    """The first period after the one in which the newest episode of the signal was found."""
    signal = ticket.signal
    if signal is None:
        return None
    attached = ticket.signals.filter(signal=signal).aggregate(last=Max("episode"))["last"]
    episode = max(attached or 1, ticket.episode or 1)
    alarm_on = signal.alarm_on
    if signal.episode != episode:
        found = SignalEvent.objects.filter(
            signal=signal,
            episode=episode,
            kind__in=[SignalEvent.Kind.FOUND, SignalEvent.Kind.CAME_BACK],
        ).order_by("period_on", "id")
        alarm_on = found.values_list("period_on", flat=True).first() or alarm_on
    first_month = fiscal_start()
    alarm = Period.of(alarm_on, Grain(signal.grain), fiscal_start=first_month)
    return period_from(alarm.end, grain, fiscal_start=first_month).start


def _after_former_cycle(ticket: Ticket, grain: Grain) -> date | None:
    """The first period after what the actions of earlier cycles changed, and its washout."""
    done = Action.objects.filter(
        ticket=ticket, cycle__lt=ticket.cycle, state=Action.State.DONE
    ).aggregate(last=Max("effective_on"))["last"]
    if done is None:
        return None
    plan = _plans(ticket).filter(cycle__lt=ticket.cycle).first()
    washout = plan.washout if plan else 1
    return first_after(done, washout, grain, fiscal_start=fiscal_start()).start


@dataclass(frozen=True)
class Deeds:
    """When the actions of a cycle began to change something, and when the last one did."""

    first_on: date
    effective_on: date


def deeds_of(ticket: Ticket) -> Deeds | None:
    """Return the days of what was done in the present cycle; None when nothing was."""
    found = Action.objects.filter(
        ticket=ticket, cycle=ticket.cycle, state=Action.State.DONE
    ).aggregate(first=Min("effective_on"), last=Max("effective_on"))
    if found["first"] is None:
        return None
    return Deeds(found["first"], found["last"])


def concurrent_changes(plan: EffectPlan, *, starts_on: date, ends_on: date) -> list[Annotation]:
    """Return the changes that other tickets made to this series in [starts_on, ends_on)."""
    found = (
        Annotation.objects.in_force()
        .filter(kind=Annotation.Kind.CHANGE, reference__startswith="ticket:")
        .exclude(reference=f"ticket:{plan.ticket_id}")
        .filter(Q(unit__isnull=True) | Q(unit_id=plan.unit_id))
        .filter(Q(code="") | Q(code=plan.code))
        .filter(starts_on__gte=starts_on, starts_on__lt=ends_on)
    )
    return list(found.order_by("starts_on", "id"))
