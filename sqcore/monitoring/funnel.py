"""The units of one period beside each other, with what chance allows for their size: a funnel.

Each unit is set against the whole, never ranked: a small one varies more by chance. Only what may
be shown and seen takes part, so nothing is to be learnt of a suppressed unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from django.utils.translation import gettext as _
from scipy import special

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import KpiValue
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import SystemDefinition
from sqcore.indicators.models import IndicatorSystem
from sqcore.monitoring.charts import newest_definitions
from sqcore.org.models import Unit
from sqcore.org.queries import fiscal_start, tree_on
from sqcore.stats.arrays import FloatArray
from sqcore.stats.funnels import Funnel, funnel_limits, overdispersion
from sqcore.stats.results import MethodStatus

LEAST_UNITS = 5
LEVELS = (0.95, 0.998)
USUAL_INTERVAL = 0.95
LINE_POINTS = 60


class Place(StrEnum):
    """Where a unit lies; the two ends are beyond the limits of 99.8 %."""

    FAR_BELOW = "far_below"
    BELOW = "below"
    WITHIN = "within"
    ABOVE = "above"
    FAR_ABOVE = "far_above"


@dataclass(frozen=True)
class FunnelUnit:
    """A unit with its value, its own 95 % interval, its limits by level, and where it lies."""

    unit: Unit
    value: float
    low: float | None
    high: float | None
    n: int
    limits: tuple[tuple[float, float], ...]
    place: Place


@dataclass(frozen=True)
class FunnelLines:
    """The limits over sizes, for the drawing."""

    n: tuple[int, ...]
    low: tuple[tuple[float, ...], ...]
    high: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class UnitFunnel:
    """The units of one indicator in one period.

    centre: the value of all of them together; spread: how much more units differ than chance
    explains, as a standard deviation in the unit of the indicator (0: not more); chance_outside:
    how many lie beyond the inner limits by chance alone. Without status ok there are no limits,
    and no unit has a place but within. left_out: units without a figure that may be shown
    """

    system: IndicatorSystem
    code: str
    period: Period
    periods: tuple[Period, ...]
    definition: SystemDefinition
    kind: str
    centre: float | None
    spread: float
    units: tuple[FunnelUnit, ...]
    lines: FunnelLines | None
    left_out: int
    status: MethodStatus

    @property
    def outside(self) -> int:
        return sum(each.place != Place.WITHIN for each in self.units)

    @property
    def chance_outside(self) -> float:
        return len(self.units) * (1 - LEVELS[0])


@dataclass(frozen=True, eq=False)
class _Seen:
    """The figures of units that take part, and what of a unit varies by chance."""

    units: list[Unit]
    rows: list[KpiValue]

    @property
    def values(self) -> FloatArray:
        return np.array([row.value for row in self.rows], dtype=np.float64)

    @property
    def n(self) -> FloatArray:
        return np.array([row.n for row in self.rows], dtype=np.float64)


def funnel_of(
    *,
    principal: Principal,
    system: IndicatorSystem,
    code: str,
    grain: Grain,
    starts_on: str = "",
) -> UnitFunnel:
    """Return the funnel of the units somebody may see; `starts_on` is the key of a period.

    Five queries at most. raises: NotFound where there is no figure of it that they may see
    """
    definition = newest_definitions(principal, [system.pk], grain).get((system.pk, grain.value))
    rows = KpiValue.objects.visible_to(principal).current()
    rows = rows.filter(system=system, grain=grain, code=code, margin="", kind="indicator")
    starts = list(
        rows.filter(value__isnull=False)
        .order_by("-starts_on")
        .values_list("starts_on", flat=True)
        .distinct()
    )
    if definition is None or not starts or definition.indicator(code) is None:
        raise NotFound(_("There is nothing to compare, or it is not for you to see."))
    periods = tuple(Period(on, grain, fiscal_start()) for on in starts)
    period = next((each for each in periods if each.key == starts_on), periods[0])
    found = rows.filter(starts_on=period.start).select_related("unit").order_by("unit__code")
    seen, left_out = _lowest(list(found), period)
    return _funnel(system, definition, code, period, periods, seen, left_out)


def _lowest(rows: Sequence[KpiValue], period: Period) -> tuple[_Seen, int]:
    """Return the figures of the units that have none of the others below them."""
    tree = tree_on(period.start)
    above = {at for row in rows for at in tree.path(row.unit_id)[1:]}
    own = [row for row in rows if row.unit_id not in above]
    kept = [row for row in own if row.value is not None and row.n]
    return _Seen([row.unit for row in kept], kept), len(own) - len(kept)


def _funnel(
    system: IndicatorSystem,
    definition: SystemDefinition,
    code: str,
    period: Period,
    periods: tuple[Period, ...],
    seen: _Seen,
    left_out: int,
) -> UnitFunnel:
    leaf = definition.indicator(code)
    kind = "proportion" if leaf is not None and leaf.statistic == "proportion" else "mean"
    centre, variance, status = _chance(seen, kind, leaf.statistic if leaf else "")
    limits: Funnel | None = None
    spread = 0.0
    if status == MethodStatus.OK:
        spread = _dispersion(seen, centre, variance)
        limits = _limits(centre, seen.n, kind, variance, spread)
    return UnitFunnel(
        system=system,
        code=code,
        period=period,
        periods=periods,
        definition=definition,
        kind=kind,
        centre=centre if status == MethodStatus.OK else None,
        spread=spread,
        units=tuple(_units(seen, limits)),
        lines=_lines(seen, centre, kind, variance, spread) if limits else None,
        left_out=left_out,
        status=status,
    )


def _chance(seen: _Seen, kind: str, statistic: str) -> tuple[float, float, MethodStatus]:
    """Return the centre, the variance of one answer, and whether there is a funnel at all."""
    if statistic not in ("proportion", "mean"):
        return 0.0, 0.0, MethodStatus.NOT_APPLICABLE
    if len(seen.rows) < LEAST_UNITS:
        return 0.0, 0.0, MethodStatus.INSUFFICIENT_N
    values, n = seen.values, seen.n
    centre = float((values * n).sum() / n.sum())
    variance = centre * (1 - centre) if kind == "proportion" else _within(seen)
    if not variance > 0:
        return centre, 0.0, MethodStatus.ZERO_VARIANCE
    return centre, variance, MethodStatus.OK


def _within(seen: _Seen) -> float:
    """Return the pooled variance of one answer, from the widths of the units' own intervals."""
    width = 2 * float(special.ndtri(0.5 + USUAL_INTERVAL / 2))
    known = [
        (row.n, (row.high - row.low) / width)
        for row in seen.rows
        if row.low is not None and row.high is not None and row.n
    ]
    if not known:
        return 0.0
    return sum(n * n * error**2 for n, error in known) / sum(n for n, _error in known)


def _dispersion(seen: _Seen, centre: float, variance: float) -> float:
    """Return how far units lie apart beyond chance, as a standard deviation."""
    errors = np.sqrt(variance / seen.n)
    found = overdispersion((seen.values - centre) / errors, errors)
    return float(np.sqrt(found.tau2))


def _limits(centre: float, n: FloatArray, kind: str, variance: float, spread: float) -> Funnel:
    """Return the limits for these sizes: exact of shares, wider where units differ anyway."""
    if kind == "proportion" and not spread:
        return funnel_limits(centre, n.astype(np.int64), kind="proportion", levels=LEVELS)
    sigma = np.sqrt(variance / n + spread**2)
    half = np.array([[float(special.ndtri(0.5 + level / 2))] for level in LEVELS]) * sigma
    low, high = centre - half, centre + half
    if kind == "proportion":
        low, high = np.maximum(low, 0.0), np.minimum(high, 1.0)
    return Funnel(LEVELS, low, high)


def _units(seen: _Seen, limits: Funnel | None) -> list[FunnelUnit]:
    return [
        FunnelUnit(
            unit=unit,
            value=float(row.value or 0.0),
            low=row.low,
            high=row.high,
            n=int(row.n or 0),
            limits=_of_unit(limits, at),
            place=_place(float(row.value or 0.0), limits, at),
        )
        for at, (unit, row) in enumerate(zip(seen.units, seen.rows, strict=True))
    ]


def _of_unit(limits: Funnel | None, at: int) -> tuple[tuple[float, float], ...]:
    if limits is None:
        return ()
    return tuple(
        (float(low[at]), float(high[at])) for low, high in zip(limits.low, limits.high, strict=True)
    )


def _place(value: float, limits: Funnel | None, at: int) -> Place:
    if limits is None:
        return Place.WITHIN
    inner, outer = 0, 1
    if value < limits.low[outer][at]:
        return Place.FAR_BELOW
    if value > limits.high[outer][at]:
        return Place.FAR_ABOVE
    if value < limits.low[inner][at]:
        return Place.BELOW
    return Place.ABOVE if value > limits.high[inner][at] else Place.WITHIN


def _lines(seen: _Seen, centre: float, kind: str, variance: float, spread: float) -> FunnelLines:
    first, last = float(seen.n.min()), float(seen.n.max())
    sizes = np.unique(np.geomspace(max(1, 0.8 * first), 1.1 * last + 1, LINE_POINTS).round())
    found = _limits(centre, sizes, kind, variance, spread)
    return FunnelLines(
        tuple(int(each) for each in sizes),
        tuple(tuple(float(each) for each in line) for line in found.low),
        tuple(tuple(float(each) for each in line) for line in found.high),
    )
