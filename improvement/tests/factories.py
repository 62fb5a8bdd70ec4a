"""Plain makers for the tests of improvement: a bank, its people, signals and tickets."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from improvement.tickets.models import ENDED, State, Ticket, TicketSignal
from sqcore.base.periods import Grain
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator, IndicatorSystem
from sqcore.monitoring.models import Baseline, Kind, Signal
from sqcore.org.models import Unit
from sqcore.org.queries import principal_for
from sqcore.tests.factories import NOW, TODAY, give_role, make_unit, make_user

ALARM = date(2026, 2, 16)


@dataclass
class Bank:
    """A bank with a region and four branches: Mei manages the region, Li (agent) works at the
    branch north, Chen manages a branch elsewhere, Ana sees to quality."""

    bank: Unit
    region: Unit
    north: Unit
    south: Unit
    east: Unit
    elsewhere: Unit
    mei: User
    li: User
    chen: User
    ana: User

    def as_(self, user: User, *, on: date = TODAY) -> Principal:
        """The person as a principal with their roles of this day."""
        return principal_for(user, on=on)


def make_bank() -> Bank:
    bank = make_unit("bank")
    region = make_unit("region", parent=bank)
    north, south, east = (make_unit(code, parent=region) for code in ("north", "south", "east"))
    elsewhere = make_unit("elsewhere", parent=bank)
    mei, li, chen, ana = (make_user(name) for name in ("mei", "li", "chen", "ana"))
    give_role(mei, Role.MANAGER, region)
    give_role(li, Role.STAFF, north)
    give_role(chen, Role.MANAGER, elsewhere)
    give_role(ana, Role.ANALYST)
    return Bank(bank, region, north, south, east, elsewhere, mei, li, chen, ana)


def make_indicator(code: str = "waiting-time", *, owner: User | None = None) -> Indicator:
    return Indicator.objects.create(
        code=code,
        name={"en": code.replace("-", " ").capitalize()},
        unit_of_measure="min",
        direction=Indicator.Direction.LOWER,
        source="measurements",
        owner=owner,
    )


def make_system(code: str = "service") -> IndicatorSystem:
    found, _is_new = IndicatorSystem.objects.get_or_create(
        code=code, defaults={"name": {"en": code.title()}}
    )
    return found


def make_baseline(unit: Unit, code: str = "waiting-time", **over: Any) -> Baseline:
    fields: dict[str, Any] = {
        "system": over.pop("system", None) or make_system(),
        "grain": Grain.WEEK,
        "kind": Kind.XMR,
        "starts_on": date(2025, 6, 2),
        "ends_on": date(2025, 12, 1),
        "applies_from": date(2025, 12, 1),
        "n": 26,
        "centre": 6.0,
        "sigma": 0.5,
        "spread": 0.5,
        "between": 0.4,
        "phi": 0.0,
        "origin": Baseline.Origin.FIRST,
        "created_at": NOW,
    }
    return Baseline.objects.create(unit=unit, code=code, **{**fields, **over})


def make_signal(unit: Unit, code: str = "waiting-time", **over: Any) -> Signal:
    """An open signal: the wait rose by 1.2 minutes, 2.4 sigma, found in the week of ALARM."""
    system = over.pop("system", None) or make_system()
    grain = over.get("grain", Grain.WEEK)
    baseline = over.pop("baseline", None) or make_baseline(unit, code, system=system, grain=grain)
    fields: dict[str, Any] = {
        "fingerprint": f"{system.pk}-{unit.pk}-{code}-{grain}",
        "system": system,
        "grain": grain,
        "direction": Signal.Direction.HIGH,
        "baseline": baseline,
        "alarm_on": ALARM,
        "since_on": date(2026, 1, 26),
        "last_on": ALARM,
        "height": 8.4,
        "shift": 1.2,
        "shift_sigma": 2.4,
        "found_at": NOW,
        "changed_at": NOW,
    }
    return Signal.objects.create(unit=unit, code=code, **{**fields, **over})


def recover(signal: Signal, *, on: date = TODAY) -> Signal:
    signal.state = Signal.State.RECOVERED
    signal.recovered_on = on
    signal.save(update_fields=["state", "recovered_on"])
    return signal


def come_back(signal: Signal, *, alarm_on: date) -> Signal:
    """The same signal in its next episode."""
    signal.state, signal.episode = Signal.State.NEW, signal.episode + 1
    signal.alarm_on = signal.last_on = alarm_on
    signal.save(update_fields=["state", "episode", "alarm_on", "last_on"])
    return signal


def make_ticket(unit: Unit, state: State = State.PROPOSED, **over: Any) -> Ticket:
    """A ticket in this state as if it had got there; nothing is published and no step written.

    Accepted ones need `owner`; their severity is S3 unless told otherwise.
    """
    now: datetime = over.pop("now", NOW)
    signal: Signal | None = over.get("signal")
    fields: dict[str, Any] = {
        "title": "People wait too long",
        "code": signal.code if signal else "waiting-time",
        "grain": signal.grain if signal else Grain.WEEK,
        "source": Ticket.Source.SIGNAL if signal else Ticket.Source.PERSON,
        "severity": None if state == State.PROPOSED else 3,
        "episode": signal.episode if signal else None,
        "proposed_at": now,
        "moved_at": now,
        "ended_at": now if state in ENDED else None,
    }
    ticket = Ticket.objects.create(unit=unit, state=state, **{**fields, **over})
    if signal:
        TicketSignal.objects.create(
            ticket=ticket, signal=signal, episode=signal.episode, attached_at=now
        )
    return ticket
