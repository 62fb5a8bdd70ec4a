"""One check of an effect, reading and writing included, in a database as large as the demo's; and
how often other rules for a second look would be wrong.

20 branches with 24 weekly indicators, 104 weeks: the wait of one branch rises by 5 minutes in week
40 and is repaired in week 61. Timed are the look that gives the verdict, its part of the page, and
a replay.
"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np

from benchmarks.false_alarms import autoregressive
from improvement.actions.models import Action
from improvement.tickets.models import State, Ticket, TicketSignal
from improvement.verification.models import EffectCheck, EffectPlan
from improvement.verification.queries import replay_check
from improvement.verification.services import check_effect, lock_effect_plan, save_effect_plan
from sqcore.base.periods import Grain
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.indicators.definition import (
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
)
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.monitoring.models import Baseline, Signal
from sqcore.org.models import Placement, RoleGrant, Unit
from sqcore.org.queries import principal_for
from sqcore.stats.arrays import FloatArray
from sqcore.stats.effects import LOOK_CONFIDENCE, mean_shift

UNITS, INDICATORS, WEEKS = 20, 24, 104
RISES, ALARM, PLANNED, ACTION, CHECKED = 40, 43, 50, 61, 90
FIRST = date(2024, 1, 1)
SECONDS = 1.0
REPLICATES = 4_000
SIZE = 0.05


def _start(week: int) -> date:
    return FIRST + timedelta(weeks=week - 1)


def _after(week: int) -> datetime:
    return datetime.combine(_start(week + 1), datetime.min.time(), UTC) + timedelta(hours=6)


def _codes() -> list[str]:
    return [f"indicator-{number}" for number in range(INDICATORS)]


def _definition() -> SystemDefinition:
    leaves = tuple(
        IndicatorDefinition(
            code=code, name={"en": code}, definition={}, unit_of_measure="min", direction="lower",
            statistic="mean", source="measurements", measure=code, weight=1 / INDICATORS,
            worst=20.0, best=2.0, counts="measurements",
        )
        for code in _codes()
    )  # fmt: skip
    part = DimensionDefinition(code="all", name={"en": "All"}, weight=1.0, indicators=leaves)
    return SystemDefinition("bench", {"en": "Bench"}, 1, (part,), whole=False)


def _runs(system: IndicatorSystem) -> list[EvaluationRun]:
    version = SystemVersion.objects.create(
        system=system, number=1, state="published", grains=["week"], since=FIRST,
        published_at=_after(0),
    )  # fmt: skip
    definition = _definition().as_json()
    return EvaluationRun.objects.bulk_create(
        EvaluationRun(
            system=system, version=version, grain="week", starts_on=_start(week),
            ends_on=_start(week + 1), is_current=True, state="published", reason="closed",
            definition=definition, policy={}, created_at=_after(week), published_at=_after(week),
        )
        for week in range(1, WEEKS + 1)
    )  # fmt: skip


def _fill(system: IndicatorSystem) -> list[Unit]:
    units = Unit.objects.bulk_create(
        Unit(code=f"branch-{n}", name={"en": f"Branch {n}"}, opened_on=FIRST) for n in range(UNITS)
    )
    Placement.objects.bulk_create(Placement(unit=unit, valid_from=FIRST) for unit in units)
    values = np.random.default_rng(40).normal(9.0, 1.43, size=(WEEKS, UNITS, INDICATORS))
    values[RISES - 1 : ACTION - 1, 0, 0] += 5.0
    for week, run in enumerate(_runs(system), 1):
        KpiValue.objects.bulk_create(
            KpiValue(
                run=run, is_current=True, system=system, grain="week", starts_on=run.starts_on,
                unit=unit, kind="indicator", code=code, status="ok", score=50.0, n=34,
                value=float(values[week - 1, at, number]),
            )
            for at, unit in enumerate(units)
            for number, code in enumerate(_codes())
        )  # fmt: skip
    return units


def _ticket(system: IndicatorSystem, unit: Unit, owner: User) -> Ticket:
    code = _codes()[0]
    baseline = Baseline.objects.create(
        system=system, unit=unit, code=code, grain="week", kind="xmr", starts_on=_start(1),
        ends_on=_start(27), applies_from=_start(27), n=26, centre=9.0, sigma=1.43, spread=1.43,
        between=1.4, phi=0.0, origin="first", created_at=_after(27),
    )  # fmt: skip
    signal = Signal.objects.create(
        fingerprint="bench", system=system, unit=unit, code=code, grain="week", direction="high",
        baseline=baseline, alarm_on=_start(ALARM), since_on=_start(RISES), last_on=_start(ALARM),
        height=9.0, shift=5.0, shift_sigma=3.5, found_at=_after(ALARM), changed_at=_after(ALARM),
    )  # fmt: skip
    ticket = Ticket.objects.create(
        title="Bench", unit=unit, system=system, code=code, grain="week", source="signal",
        signal=signal, episode=1, state=State.PLAN, severity=3, owner=owner,
        proposed_at=_after(ALARM), moved_at=_after(ALARM),
    )  # fmt: skip
    TicketSignal.objects.create(ticket=ticket, signal=signal, episode=1, attached_at=_after(ALARM))
    return ticket


def _done(ticket: Ticket, owner: User) -> None:
    Action.objects.create(
        ticket=ticket, cycle=1, text="Bench", owner=owner, due_on=_start(ACTION), state="done",
        effective_on=_start(ACTION), outcome="done", created_at=_after(PLANNED),
    )  # fmt: skip
    Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)


def _promised(ticket: Ticket, owner: User) -> EffectPlan:
    first, *others = _codes()
    plan = save_effect_plan(
        ticket_id=ticket.pk,
        code=first,
        grain=Grain.WEEK,
        minimum=2.0,
        starts_on=_start(ACTION),
        washout=2,
        balancing=[(code, 2.0) for code in others[:3]],
        by=principal_for(owner, on=_start(PLANNED)),
        now=_after(PLANNED),
    )
    return lock_effect_plan(plan=plan, now=_after(PLANNED))


def run() -> bool:
    """Time the check and print how often looks are wrong; True when the budgets were kept."""
    return all([_timed_check(), _looks()])


def _timed_check() -> bool:
    system = IndicatorSystem.objects.create(code="bench", name={"en": "Bench"})
    units = _fill(system)
    owner = User.objects.create_user("bench", "bench correct horse")
    RoleGrant.objects.create(user=owner, role=Role.ANALYST, valid_from=FIRST)
    by = principal_for(owner, on=_start(CHECKED))
    ticket = _ticket(system, units[0], owner)
    plan = _promised(ticket, owner)
    _done(ticket, owner)
    found: list[EffectCheck] = []
    steps: dict[str, Callable[[], object]] = {
        "the check": lambda: found.append(
            check_effect(ticket_id=ticket.pk, by=by, now=_after(CHECKED))
        ),
        "its replay": lambda: replay_check(found[0]),
    }
    print(f"\nThe check of an effect among {KpiValue.objects.count():,} figures, wall seconds")
    seconds = {name: _seconds(step) for name, step in steps.items()}
    for name, took in seconds.items():
        print(f"  {name:<22} {took:.3f} s")
    check = found[0]
    kept = all(took < SECONDS for took in seconds.values()) and check.verdict == "improved"
    print(
        f"  {check.verdict}: {check.estimate:.2f} min from {check.n_before} + {check.n_after}"
        f" weeks (promised {plan.minimum} min)  budget < {SECONDS} s: {_word(kept)}"
    )
    return kept


def _looks() -> bool:
    """How often nothing that changed is called changed, at one look or at either of two."""
    print(f"\nWrong verdicts when nothing changed, {REPLICATES:,} series of 12 + 20 (+ 20) points")
    rules = {
        "one look at .95": (0.95, None),
        "two looks, .95 then .975 (not ours)": (0.95, LOOK_CONFIDENCE),
        "two looks at .975": (LOOK_CONFIDENCE, LOOK_CONFIDENCE),
    }
    rng = np.random.default_rng(975)
    wrong: dict[tuple[str, float], float] = {}
    for phi in (0.0, 0.3):
        drawn = autoregressive(rng, REPLICATES, 52, phi)
        for name, (first, second) in rules.items():
            found = sum(
                _clear(row, 20, first) or (second is not None and _clear(row, 40, second))
                for row in drawn
            )
            wrong[name, phi] = found / REPLICATES
            print(f"  phi {phi}  {name:<36} {wrong[name, phi]:.3f}")
    kept = all(wrong[name, 0.0] <= SIZE for name in ("one look at .95", "two looks at .975"))
    print(f"  ours at most {SIZE} without autocorrelation: {_word(kept)}")
    return kept


def _clear(row: FloatArray, n: int, confidence: float) -> bool:
    effect = mean_shift(row[:12], row[12 : 12 + n], confidence=confidence)
    return effect.low is not None and effect.high is not None and not effect.low < 0 < effect.high


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def _word(kept: bool) -> str:
    return "kept" if kept else "NOT KEPT"
