"""Tickets of the branch north at every place of the cycle: Li owns them, Mei and Ana decide."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from improvement.actions.models import Action
from improvement.cycle import services
from improvement.diagnosis.models import Finding
from improvement.standards.services import write_standard
from improvement.tests.factories import Bank, make_indicator, make_system, make_ticket
from improvement.tickets.models import State, Ticket
from improvement.verification.models import BalancingMeasure, EffectCheck, EffectPlan, Verdict
from improvement.verification.services import lock_effect_plan
from sqcore.base.periods import Grain
from sqcore.identity.models import User
from sqcore.indicators.models import Indicator
from sqcore.tests.factories import NOW, TODAY

LATER = NOW + timedelta(hours=1)
EFFECTIVE = date(2026, 2, 23)
"""The Monday on which the action took effect."""


def make_finding(ticket: Ticket, **over: Any) -> Finding:
    fields: dict[str, Any] = {
        "cycle": ticket.cycle,
        "kind": Finding.Kind.WHY,
        "text": "One counter is closed at noon",
        "evidence": "The rota of four weeks",
        "is_root": True,
        "by": ticket.owner,
        "at": NOW,
    }
    return Finding.objects.create(ticket=ticket, **{**fields, **over})


def make_action(ticket: Ticket, **over: Any) -> Action:
    fields: dict[str, Any] = {
        "cycle": ticket.cycle,
        "text": "Open a third counter at noon",
        "owner": ticket.owner,
        "due_on": TODAY + timedelta(days=7),
        "created_at": NOW,
    }
    return Action.objects.create(ticket=ticket, **{**fields, **over})


def make_done_action(ticket: Ticket, **over: Any) -> Action:
    fields: dict[str, Any] = {
        "state": Action.State.DONE,
        "outcome": "It is open",
        "effective_on": EFFECTIVE,
        "ended_at": NOW,
        "ended_by": ticket.owner,
    }
    return make_action(ticket, **{**fields, **over})


def promise(ticket: Ticket, *, balancing: bool = True, **over: Any) -> EffectPlan:
    """The effect plan of the present cycle, as it stands before it is locked."""
    fields: dict[str, Any] = {
        "cycle": ticket.cycle,
        "version": ticket.effect_plans.count() + 1,
        "system": make_system(),
        "unit": ticket.unit,
        "code": "waiting-time",
        "grain": Grain.WEEK,
        "better": -1,
        "minimum": 0.8,
        "comparison": EffectPlan.Comparison.BEFORE_TICKET,
        "compares_from": date(2025, 9, 1),
        "starts_on": EFFECTIVE,
        "n_before": 24,
        "n_after": 8,
        "check_on": date(2026, 5, 4),
        "sigma": 0.5,
        "phi": 0.0,
        "smallest_detectable": 0.6,
        "created_by": ticket.owner,
        "created_at": NOW,
    }
    plan = EffectPlan.objects.create(ticket=ticket, **{**fields, **over})
    if balancing:
        BalancingMeasure.objects.create(plan=plan, code="errors", better=-1, margin=0.5)
    return plan


def lock(plan: EffectPlan) -> EffectPlan:
    return lock_effect_plan(plan=plan, now=NOW)


def looked(plan: EffectPlan, verdict: str, *, confirmed_by: User | None, **over: Any) -> Any:
    """A final look at a plan with this verdict, confirmed or not."""
    fields: dict[str, Any] = {
        "look": 1,
        "checked_at": NOW,
        "through": date(2026, 3, 2),
        "verdict": verdict,
        "n_before": 24,
        "n_after": 8,
        "low": -1.6,
        "high": -0.9,
        "grade": EffectCheck.Grade.C,
        "digest": "0" * 64,
        "confirmed_verdict": verdict if confirmed_by else "",
        "confirmed_by": confirmed_by,
        "confirmed_at": NOW if confirmed_by else None,
    }
    return EffectCheck.objects.create(plan=plan, **{**fields, **over})


def planned(bank: Bank, state: State = State.PLAN, **over: Any) -> Ticket:
    """A ticket of Li with a complete plan."""
    if not Indicator.objects.filter(code="waiting-time").exists():
        make_indicator()
    fields: dict[str, Any] = {
        "owner": bank.li,
        "problem": "At noon people wait 14 minutes instead of 9.",
        "similar": "Asked south and east: no.",
    }
    ticket = make_ticket(bank.north, state, **{**fields, **over})
    make_finding(ticket)
    make_action(ticket)
    promise(ticket)
    return ticket


def submitted(bank: Bank, **over: Any) -> Ticket:
    ticket = planned(bank, **over)
    return services.submit_plan(ticket_id=ticket.pk, revision=None, by=bank.as_(bank.li), now=NOW)


def doing(bank: Bank, *, is_done: bool = True, **over: Any) -> Ticket:
    """A ticket in Do with its plan locked; its action is done unless told otherwise."""
    ticket = planned(bank, State.DO, **over)
    lock(ticket.effect_plans.get())
    if is_done:
        ticket.actions.all().delete()
        make_done_action(ticket)
    return ticket


def checking(bank: Bank, verdict: Verdict = Verdict.IMPROVED, **over: Any) -> Ticket:
    ticket = doing(bank, **over)
    looked(ticket.effect_plans.get(), verdict, confirmed_by=bank.ana)
    Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)
    ticket.refresh_from_db()
    return ticket


def acting(bank: Bank, verdict: Verdict = Verdict.IMPROVED, **over: Any) -> Ticket:
    ticket = checking(bank, verdict, **over)
    Ticket.objects.filter(pk=ticket.pk).update(state=State.ACT)
    ticket.refresh_from_db()
    return ticket


def with_draft(bank: Bank, ticket: Ticket, *, by: User | None = None) -> Ticket:
    write_standard(
        ticket=ticket,
        code="noon-rota",
        title="Counters at noon",
        text="Three counters are open from 11:30 to 13:30.",
        valid_from=TODAY,
        by=bank.as_(by or bank.li),
        now=NOW,
    )
    return ticket


WORDS: Mapping[str, dict[str, Any]] = {
    "problem": {"problem": "People wait too long at noon."},
    "contain": {"containment": "A guide hands out numbers.", "contained_on": TODAY},
    "submit": {},
    "plan-small": {"text": "Move the sign", "due_on": TODAY},
    "approve": {"comment": ""},
    "return": {"comment": "Say how long they wait."},
    "block": {"reason": "The counter is delivered in May."},
    "unblock": {},
    "finish": {},
    "conclude": {},
    "standardise": {
        "code": "noon-rota",
        "title": "Counters at noon",
        "text": "Three counters are open.",
        "valid_from": TODAY,
    },
    "approve-standard": {},
    "return-standard": {"comment": "Say who opens them."},
    "next-cycle": {"lesson": "A third counter does not help alone."},
    "extend": {},
    "abandon": {"lesson": "The wait comes from the systems."},
    "cancel": {"reason": "The branch closes."},
}
"""What a person says with each step."""
STEPS: Mapping[str, Callable[..., Ticket]] = {
    "problem": services.state_problem,
    "contain": services.contain,
    "submit": services.submit_plan,
    "plan-small": services.plan_small,
    "approve": services.approve_plan,
    "return": services.return_plan,
    "block": services.block,
    "unblock": services.unblock,
    "finish": services.finish_doing,
    "conclude": services.conclude_check,
    "standardise": services.standardise,
    "approve-standard": services.approve_standard,
    "return-standard": services.return_standard,
    "next-cycle": services.next_cycle,
    "extend": services.extend,
    "abandon": services.abandon,
    "cancel": services.cancel,
}


def take(bank: Bank, action: str, ticket: Ticket, *, by: User, **over: Any) -> Ticket:
    """Let a person take a step with the revision that the ticket has now."""
    said = {**WORDS[action], **over}
    if action == "plan-small":
        said.setdefault("owner_id", bank.li.pk)
    revision = said.pop("revision", Ticket.objects.get(pk=ticket.pk).revision)
    now = said.pop("now", LATER)
    return STEPS[action](ticket_id=ticket.pk, revision=revision, by=bank.as_(by), now=now, **said)
