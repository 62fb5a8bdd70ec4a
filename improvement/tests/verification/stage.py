"""A branch whose wait rose, a ticket about it, and what its effect is promised and checked on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from improvement.actions.models import Action
from improvement.tests.factories import Bank, make_bank, make_baseline, make_signal, make_ticket
from improvement.tickets.models import State, Ticket
from improvement.verification.models import EffectCheck, EffectPlan
from improvement.verification.services import check_effect, lock_effect_plan, save_effect_plan
from sqcore.base.periods import Grain
from sqcore.identity.models import User
from sqcore.identity.principals import Principal
from sqcore.org.models import Unit
from sqcore.tests.monitoring.series import Series, leaf, make_series

ALARM = 48
"""The week in which the signal was found."""
PLANNED = 50
ACTION = 61
FIRST_AFTER = 63
NOISE = (0.5, -0.5, 1.0, -1.0, 0.0, 1.5, -1.5, 0.0, -0.5, 0.5)
"""Scatter with the mean 0 and no autocorrelation that is not negative."""


def quiet(weeks: int) -> list[float | None]:
    """Waits about 9 minutes in which nothing happens."""
    return [9.0 + NOISE[at % len(NOISE)] for at in range(weeks)]


def shifted(
    values: Sequence[float | None], by: float, *, since: int, until: int | None = None
) -> list[float | None]:
    """The values with those from one week (the first is 1) to another moved by so many minutes."""
    last = len(values) if until is None else until
    return [
        value + by if value is not None and since <= week <= last else value
        for week, value in enumerate(values, 1)
    ]


@dataclass
class Stage:
    """Weeks are numbered from 1. The wait is about 9 minutes, from week 40 on about 14."""

    bank: Bank
    series: Series

    @property
    def unit(self) -> Unit:
        return self.bank.north

    def as_(self, user: User) -> Principal:
        return self.bank.as_(user, on=date(2025, 6, 1))

    @property
    def mei(self) -> Principal:
        return self.as_(self.bank.mei)

    @property
    def ana(self) -> Principal:
        return self.as_(self.bank.ana)

    def on(self, week: int) -> date:
        return self.series.start(week)

    def at(self, week: int) -> datetime:
        """The moment at which this week is over."""
        return self.series.after(week)

    def put(self, values: Sequence[float | None], *, code: str = "waiting") -> None:
        self.series.put(self.unit, values, code=code)

    def ticket(self, **over: Any) -> Ticket:
        """A ticket of the signal of week 48, being planned by Li, its owner."""
        baseline = make_baseline(
            self.unit,
            "waiting",
            system=self.series.system,
            starts_on=self.on(1),
            ends_on=self.on(27),
            applies_from=self.on(27),
            centre=9.0,
            spread=1.0,
        )
        signal = make_signal(
            self.unit,
            "waiting",
            system=self.series.system,
            baseline=baseline,
            alarm_on=self.on(ALARM),
            since_on=self.on(40),
        )
        return self.ticket_of_person(signal=signal, **over)

    def ticket_of_person(self, **over: Any) -> Ticket:
        fields: dict[str, Any] = {
            "state": State.PLAN,
            "system": self.series.system,
            "code": "waiting",
            "owner": self.bank.li,
            "now": self.at(ALARM),
        }
        return make_ticket(self.unit, **{**fields, **over})

    def plan(self, ticket: Ticket, *, week: int = PLANNED, **over: Any) -> EffectPlan:
        fields: dict[str, Any] = {
            "code": "waiting",
            "grain": Grain.WEEK,
            "minimum": 1.5,
            "starts_on": self.on(ACTION),
            "washout": 2,
            "balancing": [("errors", 1.0)],
            "by": self.as_(self.bank.li),
            "now": self.at(week),
        }
        return save_effect_plan(ticket_id=ticket.pk, **{**fields, **over})

    def lock(self, plan: EffectPlan, *, week: int = PLANNED) -> EffectPlan:
        return lock_effect_plan(plan=plan, now=self.at(week))

    def do(self, ticket: Ticket, *, week: int = ACTION, state: State = State.CHECK) -> Action:
        """The action took effect at the beginning of this week, and the ticket is in Check."""
        Ticket.objects.filter(pk=ticket.pk).update(state=state)
        return Action.objects.create(
            ticket=ticket,
            cycle=ticket.cycle,
            text="Open a third counter",
            owner=self.bank.li,
            due_on=self.on(week),
            state=Action.State.DONE,
            effective_on=self.on(week),
            outcome="opened",
            ended_at=self.at(week - 1),
            created_at=self.at(PLANNED),
        )

    def check(self, ticket: Ticket, *, week: int, by: Principal | None = None) -> EffectCheck:
        return check_effect(ticket_id=ticket.pk, by=by or self.mei, now=self.at(week))

    def checked(self, values: Sequence[float | None], *, week: int, **over: Any) -> EffectCheck:
        """The final check of a plan on these waits."""
        self.put(values)
        self.put(quiet(len(values)), code="errors")
        ticket = self.ticket()
        self.lock(self.plan(ticket, **over))
        self.do(ticket)
        return self.check(ticket, week=week)


def make_stage() -> Stage:
    leaves = (
        leaf("waiting", unit_of_measure="min"),
        leaf("errors"),
        leaf("calls"),
        leaf("solved", direction="higher"),
    )
    return Stage(make_bank(), make_series(*leaves))


def risen(weeks: int) -> list[float | None]:
    """Waits that rose by 5 minutes in week 40 and stayed there."""
    return shifted(quiet(weeks), 5.0, since=40)


def repaired(weeks: int, *, by: float = 5.0) -> list[float | None]:
    """Waits that rose by 5 minutes in week 40 and fell again from the action on."""
    return shifted(risen(weeks), -by, since=ACTION)
