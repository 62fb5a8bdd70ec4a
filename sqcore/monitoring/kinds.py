"""Which kind of chart a series gets, and its limits: by the kind of its data, or as a person chose.

One place for all who freeze a baseline or draw without one: the pass of the software, a person who
sets it anew, and the chart of a series that has none yet.
"""

from dataclasses import dataclass
from datetime import date
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy import special

from sqcore.indicators.definition import IndicatorDefinition
from sqcore.monitoring.models import Baseline, Kind
from sqcore.monitoring.rare import RareEvents, is_rare_series, rare_events, tells_days
from sqcore.stats.arrays import BoolArray, FloatArray
from sqcore.stats.charts import (
    MINIMUM,
    TRIAL_BELOW,
    ChartKind,
    ChartStatus,
    Limits,
    chart_for,
    equal_sizes,
    freeze,
)
from sqcore.stats.rates import exposure_of

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
CHOSEN = "chosen_by_a_person"
RARE = {ChartKind.T: "rare_days_between", ChartKind.G: "rare_cases_between"}


@dataclass(frozen=True, eq=False)
class Window:
    """The periods that limits come from: (P,) values, what each was counted from, and the standard
    deviation of what is in each (NaN where it is not known); from and until when they are."""

    values: FloatArray
    sizes: FloatArray
    spreads: FloatArray
    starts_on: date
    ends_on: date


@dataclass(frozen=True)
class Drawn:
    """The limits that a chart is drawn with, a stable code of why it is this kind, and the median
    of the points that they come from."""

    limits: Limits
    reason: str
    median: float | None = None


def sizes_of(
    leaf: IndicatorDefinition | None, values: FloatArray, n: FloatArray, errors: FloatArray
) -> FloatArray:
    """Return what each value was counted from, (P,).

    n: how many a figure counts; errors: its standard error as the interval implies it by 1.96
    Of a rate n counts reports, not what they were of: that is read back from its exact interval.
    """
    if leaf is None or leaf.formula or leaf.statistic != "rate":
        return n
    widths = np.where(np.isnan(errors) | np.isnan(values), 0.0, 2 * Z * errors)
    known = exposure_of(np.maximum(values, 0.0), widths)
    return n if np.isnan(known).all() else known


def uncut(
    values: FloatArray, low: FloatArray, high: FloatArray, even: bool | BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return intervals as they were before an end was cut off where no value can be.

    Those that are even reach as far to either side, so the end that was not cut tells the other
    one; where both were cut, what is left is the least that it was. The others: as they are.
    """
    half = np.fmax(high - values, values - low)
    return np.where(even, values - half, low), np.where(even, values + half, high)


def is_even(leaf: IndicatorDefinition | None) -> bool:
    """Return whether the interval of an indicator reaches as far up as down: that of a mean."""
    return leaf is not None and not leaf.formula and leaf.statistic == "mean"


def spreads_of(leaf: IndicatorDefinition | None, n: FloatArray, errors: FloatArray) -> FloatArray:
    """Return the standard deviation of the single measurements in each period, (P,), NaN where it
    is not known: a mean of n has the interval of t with n - 1 degrees of freedom.

    Of answers that were weighted it is as much larger as their weights cost.
    """
    nothing = np.full(n.shape, np.nan)
    if leaf is None or leaf.formula or leaf.statistic != "mean":
        return nothing
    enough = (n >= 2) & ~np.isnan(errors)
    size = np.where(enough, n, 2.0)
    t = special.stdtrit(size - 1, (1 + CONFIDENCE) / 2)
    return np.where(enough, np.where(enough, errors, 0.0) * Z / t * np.sqrt(size), nothing)


def window_of(
    leaf: IndicatorDefinition | None,
    values: FloatArray,
    *,
    n: FloatArray,
    errors: FloatArray,
    starts_on: date,
    ends_on: date,
) -> Window:
    """Return periods as the charts read them."""
    return Window(
        values=values,
        sizes=sizes_of(leaf, values, n, errors),
        spreads=spreads_of(leaf, n, errors),
        starts_on=starts_on,
        ends_on=ends_on,
    )


def drawn_for(
    leaf: IndicatorDefinition | None, window: Window, *, single: Limits, unit_id: int | None
) -> Drawn:
    """Return the limits that suit the data: of shares, rates and means with what they were counted
    from, of rare events what passed between them; of everything else, formulas too, those of
    single values. Queries only where events are rare; `unit_id` None: by the period all the same.
    """
    values = window.values
    usual = Drawn(single, "single_values", _median(values))
    if leaf is None or leaf.formula:
        return usual
    if unit_id is not None and tells_days(leaf) and is_rare_series(leaf, values, window.sizes):
        found = _rare(leaf, window, unit_id)
        if found is not None:
            return found
    has_spreads = bool((~np.isnan(window.spreads)).any())
    kind, reason = chart_for(
        leaf.statistic,
        values,
        sizes=window.sizes,
        spreads=window.spreads if has_spreads else None,
    )
    if kind is ChartKind.XMR:
        return Drawn(single, reason, usual.median)
    limits = freeze(values, kind=kind, sizes=window.sizes, spreads=window.spreads)
    return Drawn(limits, reason, usual.median) if limits.status.usable else usual


def drawn_as(
    kind: Kind,
    leaf: IndicatorDefinition | None,
    window: Window,
    *,
    single: Limits,
    unit_id: int,
) -> Drawn | None:
    """Return the limits of the kind that a person chose; None where the data do not give them."""
    chart = ChartKind(kind.value)
    if chart is ChartKind.XMR:
        return Drawn(single, CHOSEN, _median(window.values))
    if chart.between_events:
        found = _rare(leaf, window, unit_id, kind) if leaf is not None else None
        return Drawn(found.limits, CHOSEN, found.median) if found is not None else None
    limits = freeze(window.values, kind=chart, sizes=window.sizes, spreads=window.spreads)
    return Drawn(limits, CHOSEN, _median(window.values)) if limits.status.usable else None


def _rare(
    leaf: IndicatorDefinition, window: Window, unit_id: int, kind: Kind | None = None
) -> Drawn | None:
    passed = rare_events(leaf, unit_id, window.values, window.sizes, through=window.ends_on)
    if passed is None or (kind == Kind.G and passed.cases is None):
        return None
    return drawn_between(passed, kind or passed.kind, window.starts_on, window.ends_on)


def drawn_between(passed: RareEvents, kind: Kind, starts_on: date, ends_on: date) -> Drawn | None:
    """Return the limits of what passed between the events of a span; None where they are fewer than
    six, or all as far from each other."""
    values = passed.values(kind)[passed.within(starts_on, ends_on)]
    if len(values) < MINIMUM:
        return None
    chart = ChartKind(kind.value)
    limits = freeze(values, kind=chart)
    return Drawn(limits, RARE[chart], _median(values)) if limits.status.usable else None


def _median(values: FloatArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else None


def suiting_kinds(leaf: IndicatorDefinition | None, window: Window) -> list[Kind]:
    """Return the kinds of chart that a person may choose for these periods, XmR first."""
    found = [Kind.XMR]
    if leaf is None or leaf.formula:
        return found
    sizes_known = bool((np.nan_to_num(window.sizes) > 0).any())
    if leaf.statistic == "proportion" and sizes_known:
        found += [Kind.P, Kind.P_PRIME]
    if leaf.statistic == "rate" and sizes_known:
        found += [Kind.U, Kind.U_PRIME]
        if equal_sizes(window.values, window.sizes):
            found.append(Kind.C)
    if int((~np.isnan(window.spreads)).sum()) >= MINIMUM:
        found.append(Kind.XBAR_S)
    if is_rare_series(leaf, window.values, window.sizes) and tells_days(leaf):
        found += [Kind.T, Kind.G] if leaf.statistic == "proportion" else [Kind.T]
    return found


def frozen_fields(
    drawn: Drawn, *, single: Limits, between: float, chosen: bool = False
) -> dict[str, Any]:
    """Return a baseline's numbers.

    `sigma` and `drawn_centre` are those of its chart. `centre`, `spread` and `between` are always
    in the unit of the indicator: the opener, a shift and an effect are measured by them.
    """
    limits = drawn.limits
    is_own = limits.kind.between_events or limits.kind is ChartKind.XBAR_S
    return {
        "kind": Kind(limits.kind.value),
        "n": single.n0,
        "centre": single.centre if is_own else limits.centre,
        "drawn_centre": limits.centre if is_own else None,
        "drawn_n": limits.n0 if limits.kind.between_events else None,
        "sigma": limits.sigma,
        "allowance": limits.allowance,
        "median": drawn.median,
        "kind_chosen": chosen,
        "spread": single.spread,
        "between": between,
        "phi": single.phi,
        "screened": limits.screened,
    }


def limits_of(baseline: Baseline) -> Limits:
    """Return the limits that the chart of a baseline is drawn with."""
    kind = ChartKind(baseline.kind)
    n0 = baseline.n if baseline.drawn_n is None else baseline.drawn_n
    if not baseline.spread:
        status = ChartStatus.ZERO_VARIANCE
    else:
        status = ChartStatus.TRIAL if n0 < TRIAL_BELOW else ChartStatus.OK
    return Limits(
        kind=kind,
        status=status,
        centre=baseline.centre if baseline.drawn_centre is None else baseline.drawn_centre,
        sigma=baseline.sigma,
        spread=baseline.spread,
        n0=n0,
        screened=baseline.screened,
        phi=baseline.phi,
        allowance=baseline.allowance,
    )


def limits_by_period(baseline: Baseline) -> Limits:
    """Return limits for the periods themselves, also where the chart is of what passed between
    events: there those of single values."""
    found = limits_of(baseline)
    if not found.kind.between_events:
        return found
    status = ChartStatus.TRIAL if baseline.n < TRIAL_BELOW else ChartStatus.OK
    return Limits(
        kind=ChartKind.XMR,
        status=status if baseline.spread else ChartStatus.ZERO_VARIANCE,
        centre=baseline.centre,
        sigma=baseline.spread,
        spread=baseline.spread,
        n0=baseline.n,
        screened=0,
        phi=baseline.phi,
    )


def reason_of(baseline: Baseline, leaf: IndicatorDefinition | None) -> str:
    """Return why the chart of a baseline is of its kind, a code as `drawn_for` gives it.

    A baseline keeps its kind and its numbers, and those say why it was chosen.
    """
    if baseline.kind_chosen:
        return CHOSEN
    kind = ChartKind(baseline.kind)
    if kind in RARE:
        return RARE[kind]
    if kind is ChartKind.XBAR_S:
        return "as_within_explains"
    if kind is ChartKind.C:
        return "equal_opportunity"
    if kind is ChartKind.XMR:
        return _reason_of_single(baseline, leaf)
    if not kind.prime:
        return "as_sizes_explain" if baseline.spread else "too_short_to_tell"
    return "more_than_sizes_explain" if baseline.sigma > 1 else "less_than_sizes_explain"


def _reason_of_single(baseline: Baseline, leaf: IndicatorDefinition | None) -> str:
    if leaf is not None and leaf.statistic in ("proportion", "rate"):
        return "no_sizes"
    is_mean = leaf is not None and leaf.statistic == "mean" and not leaf.formula
    if not is_mean or not baseline.spread or baseline.between >= baseline.spread:
        return "single_values"
    return "more_than_within_explains" if baseline.between > 0 else "less_than_within_explains"
