"""What a look at a plan goes by, gathered once and kept with the check as plain JSON.

Of every period there is its first day, its value and whether it was excluded: before the action,
left out, and after it, of the indicator and of each balancing measure. With them stand what was
promised, the frozen baseline and the changes that other tickets made meanwhile. Nothing else
enters a verdict (`improvement.verification.judging.judge`). Of an indicator that counts something
the counts of a longer stretch are kept as well, for another look beside the verdict
(`improvement.verification.another`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from improvement.verification.another import MOST_TURNS, SEASONS
from improvement.verification.models import EffectPlan
from improvement.verification.planning import confidence_of, frozen_baseline
from improvement.verification.queries import Deeds, compared_with, concurrent_changes
from improvement.verification.windows import (
    Bounds,
    Windows,
    beside,
    first_after,
    windows_of,
)
from sqcore.base.periods import Grain, Period
from sqcore.indicators.definition import IndicatorDefinition
from sqcore.monitoring.kinds import sizes_of
from sqcore.monitoring.models import Baseline, Kind
from sqcore.monitoring.passes import leaves_of, standard_errors
from sqcore.monitoring.queries import SeriesKey, SeriesPoint, series_points
from sqcore.org.queries import fiscal_start
from sqcore.stats.arrays import FloatArray

FIRST, SECOND = 1, 2


@dataclass(frozen=True)
class Evidence:
    """What there is for one look at a plan on a day. `through` is the end of the newest period."""

    plan: EffectPlan
    look: int
    windows: Windows
    bounds: Bounds
    points: list[SeriesPoint]
    through: date

    @property
    def due_on(self) -> date:
        """The day before which no look is final."""
        if self.look == SECOND and self.plan.extended_to is not None:
            return self.plan.extended_to
        return self.plan.check_on

    def is_final_on(self, today: date) -> bool:
        return today >= self.due_on and self.windows.is_full


def wanted_after(plan: EffectPlan, look: int) -> int:
    """Return how many usable periods a look waits for: a second one for as many again."""
    return plan.n_after * look


def key_of(plan: EffectPlan, code: str = "") -> SeriesKey:
    return SeriesKey(plan.system_id, plan.unit_id, code or plan.code, Grain(plan.grain))


def gather(plan: EffectPlan, deeds: Deeds, *, look: int, today: date) -> Evidence:
    """Read the series of a plan and cut it into its windows."""
    points = series_points(key=key_of(plan), through=today)
    bounds = bounds_of(plan, deeds)
    windows = windows_of(points, bounds, n=wanted_after(plan, look), through=today)
    return Evidence(plan, look, windows, bounds, points, _through(windows, bounds, points))


def bounds_of(plan: EffectPlan, deeds: Deeds) -> Bounds:
    found = compared_with(plan)
    after = first_after(
        deeds.effective_on, plan.washout, Grain(plan.grain), fiscal_start=fiscal_start()
    )
    return Bounds(
        compares_from=found.compares_from,
        first_on=found.ends_on(deeds.first_on),
        after_from=after.start,
        most=found.most,
    )


def _through(windows: Windows, bounds: Bounds, points: list[SeriesPoint]) -> date:
    """The end of the newest period that a look sees."""
    for window in (windows.after, windows.left_out, windows.before):
        if window.spots and points:
            model = points[0].period
            return Period(window.spots[-1].on, model.grain, model.fiscal_start).end
    return bounds.first_on


def points_json(found: Evidence, *, is_interim: bool) -> dict[str, Any]:
    """Return all that a verdict is computed from."""
    plan, windows = found.plan, found.windows
    changes = concurrent_changes(
        plan, starts_on=found.bounds.first_on, ends_on=max(found.through, found.bounds.first_on)
    )
    return {
        "version": 2,
        "is_interim": is_interim,
        "better": plan.better,
        "minimum": plan.minimum,
        "confidence": confidence_of(is_extendable=plan.is_extendable),
        "compares_from": found.bounds.compares_from.isoformat(),
        "first_on": found.bounds.first_on.isoformat(),
        "after_from": found.bounds.after_from.isoformat(),
        "before": windows.before.as_json(),
        "left_out": windows.left_out.as_json(),
        "after": windows.after.as_json(),
        "baseline": _baseline_json(plan, found.points),
        "concurrent": [change.pk for change in changes],
        "balancing": [] if is_interim else _balancing_json(found),
        "counted": None if is_interim else _counted_json(found),
    }


def _balancing_json(found: Evidence) -> list[dict[str, Any]]:
    measures = found.plan.balancing.order_by("id")
    rows = []
    for measure in measures:
        points = series_points(key=key_of(found.plan, measure.code), through=found.through)
        rows.append(
            {
                "code": measure.code,
                "better": measure.better,
                "margin": measure.margin,
                "before": beside(points, found.windows.before).as_json(),
                "after": beside(points, found.windows.after).as_json(),
            }
        )
    return rows


def _baseline_json(plan: EffectPlan, points: list[SeriesPoint]) -> dict[str, Any] | None:
    """The frozen centre with one sigma, both in the unit of the indicator."""
    found = frozen_baseline(key_of(plan), plan.compares_from)
    if found is None:
        return None
    return {
        "id": found.pk,
        "centre": found.centre,
        "spread": _sigma_of(found, points),
        "starts_on": found.starts_on.isoformat(),
        "ends_on": found.ends_on.isoformat(),
    }


def _sigma_of(baseline: Baseline, points: list[SeriesPoint]) -> float:
    """Limits of shares and rates are in multiples of what their sizes explain: there one sigma is
    the spread of the points themselves."""
    if baseline.kind == Kind.XMR:
        return baseline.spread
    values = [
        each.value
        for each in points
        if each.value is not None
        and each.is_usable
        and baseline.starts_on <= each.period.start < baseline.ends_on
    ]
    if len(values) < 2:
        return 0.0
    centre = sum(values) / len(values)
    return float((sum((value - centre) ** 2 for value in values) / (len(values) - 1)) ** 0.5)


# ---- What another look goes by -------------------------------------------------------------------
def _counted_json(found: Evidence) -> dict[str, Any] | None:
    """Return counts with what they were counted from; None of an indicator that counts nothing."""
    plan, grain = found.plan, Grain(found.plan.grain)
    leaf = leaves_of(plan.system, grain).get(plan.code)
    if leaf is None or leaf.formula or leaf.statistic not in ("proportion", "rate"):
        return None
    points = _looked_at(found)
    values = _numbers([each.value for each in points])
    errors = standard_errors(
        _numbers([each.low for each in points]), _numbers([each.high for each in points])
    )
    sizes = sizes_of(leaf, values, _numbers([each.n for each in points]), errors)
    is_rest = _is_rest(leaf, values, sizes)
    counts = (1.0 - values if is_rest else values) * sizes
    counts[[not _counts(each, found) for each in points]] = np.nan
    earlier = plan.compares_from if plan.comparison == EffectPlan.Comparison.AFTER_SIGNAL else None
    return {
        "grain": grain.value,
        "is_rest": is_rest,
        "earlier": None if earlier is None else earlier.isoformat(),
        "rows": [
            _row(each, float(count), float(size))
            for each, count, size in zip(points, counts, sizes, strict=True)
        ],
    }


def _looked_at(found: Evidence) -> list[SeriesPoint]:
    """The periods up to the end of the look. What came before an earlier cycle changed something is
    more than one other state, and left away."""
    plan, bounds = found.plan, found.bounds
    points = [each for each in found.points if each.period.end <= found.through]
    if plan.comparison == EffectPlan.Comparison.AFTER_CYCLE:
        points = [each for each in points if each.period.start >= plan.compares_from]
    before = sum(each.period.start < bounds.after_from for each in points)
    return points[max(before - int(MOST_TURNS * SEASONS[Grain(plan.grain)]), 0) :]


def _counts(point: SeriesPoint, found: Evidence) -> bool:
    """Whether a period enters: not those between the sides, nor those in which the signal was
    raised, which were picked for being bad."""
    bounds, plan, period = found.bounds, found.plan, point.period
    if period.end > bounds.first_on and period.start < bounds.after_from:
        return False
    signal = plan.ticket.signal
    is_raising = (
        plan.comparison == EffectPlan.Comparison.AFTER_SIGNAL
        and signal is not None
        and period.end > signal.since_on
        and period.start < bounds.compares_from
    )
    return point.is_usable and not is_raising


def _is_rest(leaf: IndicatorDefinition, values: FloatArray, sizes: FloatArray) -> bool:
    """Whether most have it, so that the others are counted: the variance of the rarer of two
    outcomes goes with its mean."""
    known = ~np.isnan(values) & (np.nan_to_num(sizes) > 0)
    if leaf.statistic != "proportion" or not known.any():
        return False
    return bool(np.average(values[known], weights=sizes[known]) > 0.5)


def _row(point: SeriesPoint, count: float, size: float) -> dict[str, Any]:
    known = bool(np.isfinite(count) and size > 0)
    return {
        "on": point.period.start.isoformat(),
        "count": max(round(count, 4), 0.0) if known else None,
        "exposure": float(f"{size:.10g}") if known else None,
    }


def _numbers(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if each is None else each for each in values], dtype=np.float64)
