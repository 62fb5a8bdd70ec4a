"""How what customers expect shifts: against the former quarter, and against a year before.

Worked out from the means that are shown, so that nothing is told that they do not tell.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import numpy as np
from scipy import special

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.identity.principals import Principal
from sqcore.org.queries import fiscal_start, root_unit_id
from sqcore.stats.selection import benjamini_hochberg
from surveys.analyses.models import Analysis, AnalysisQuerySet
from surveys.gaps.expectations import EXPECTATIONS, TOP

Against = Literal["quarter", "year"]
AGAINST: tuple[Against, Against] = ("quarter", "year")
CLEAR = 0.05
"""Of all shifts that are called clear, at most this share is chance alone."""
Z = float(special.ndtri(0.975))


@dataclass(frozen=True)
class Expected:
    """The mean expectation of a dimension, 0 to 100, in a group and quarter; step: how coarse."""

    code: str
    n: int
    mean: float
    se: float
    step: float

    @property
    def interval(self) -> tuple[float, float]:
        half = Z * self.se
        return max(self.mean - half, 0.0), min(self.mean + half, TOP)


@dataclass(frozen=True)
class Change:
    """A mean less an earlier one, in points; q: the least rate of false discoveries, among all
    dimensions of the whole and its segments in that quarter, at which it counts as one."""

    value: float
    low: float
    high: float
    p: float
    q: float

    @property
    def is_clear(self) -> bool:
        return self.q < CLEAR


Changes = Mapping[tuple[int, str, Against], Change]
"""By analysis, dimension, and against what."""


def expectation_rows(principal: Principal, *, on: date) -> AnalysisQuerySet:
    """Return what was found of the whole organisation and its segments, by quarter.

    on: the day whose tree says which unit stands for the whole
    """
    rows = Analysis.objects.visible_to(principal).filter(
        kind=EXPECTATIONS, grain=Grain.QUARTER, margin__in=("", "segment")
    )
    try:
        return rows.filter(unit_id=root_unit_id(on=on))
    except NotFound:
        return rows.none()


def with_former(rows: AnalysisQuerySet, version: int, start: date) -> list[Analysis]:
    """Return the rows of a quarter, and of those that it is compared with."""
    return list(rows.filter(version=version, starts_on__in=_starts(start)).order_by("id"))


def with_families(rows: AnalysisQuerySet, some: Iterable[Analysis]) -> list[Analysis]:
    """Return, of the quarters of some rows, all groups, which q-values count together, and those
    that they are compared with: no more, however long the history is."""
    quarters = {(row.version_id, row.starts_on) for row in some}
    starts = {start for _version, quarter in quarters for start in _starts(quarter)}
    versions = {version for version, _quarter in quarters}
    return list(rows.filter(version__in=versions, starts_on__in=starts).order_by("id"))


def _starts(quarter: date) -> list[date]:
    """Return the first days of a quarter and of those that it is compared with."""
    period = Period(quarter, Grain.QUARTER, fiscal_start())
    return [quarter, *(_before(period, against).start for against in AGAINST)]


def expected_in(row: Analysis) -> list[Expected]:
    """Return the means of a group; of dimensions that too few answered none."""
    return [
        Expected(each["code"], each["n"], each["mean"], each["se"], each["step"])
        for each in row.found.get("dimensions", ())
        if each["status"] == "ok"
    ]


def changes_in(rows: Sequence[Analysis]) -> Changes:
    """Return every change that two of these rows tell, with q-values by quarter and comparison."""
    first = fiscal_start()
    by_place = {_place(row, row.starts_on): row for row in rows}
    found: dict[tuple[int, str, Against], Change] = {}
    families: dict[tuple[int, date, Against], list[tuple[int, str, Against]]] = {}
    for row in rows:
        period = Period(row.starts_on, Grain.QUARTER, first)
        for against in AGAINST:
            former = by_place.get(_place(row, _before(period, against).start))
            if former is None:
                continue
            then = {each.code: each for each in expected_in(former)}
            for now in expected_in(row):
                if now.code in then:
                    key = row.pk, now.code, against
                    found[key] = change(now, then[now.code])
                    families.setdefault((row.version_id, row.starts_on, against), []).append(key)
    for keys in families.values():
        for key, q in zip(keys, benjamini_hochberg([found[key].p for key in keys]), strict=True):
            found[key] = replace(found[key], q=float(q))
    return found


def change(now: Expected, then: Expected) -> Change:
    """Return the difference of two means, wide enough for their rounding; q is p until many are
    looked at together.

    >>> found = change(Expected("care", 400, 84.0, 0.9, 1.0), Expected("care", 400, 80.0, 0.9, 1.0))
    >>> found.value, round(found.low, 2), round(found.high, 2), round(found.p, 4)
    (4.0, 1.38, 6.62, 0.0028)
    """
    # Rounding to a step adds the variance of a uniform error of one step, of each of the two.
    rounding = (now.step**2 + then.step**2) / 12
    se = float(np.sqrt(now.se**2 + then.se**2 + rounding))
    value = now.mean - then.mean
    p = float(2 * special.ndtr(-abs(value) / se))
    return Change(value, value - Z * se, value + Z * se, p, p)


def _before(period: Period, against: Against) -> Period:
    for _quarter in range(1 if against == "quarter" else 4):
        period = period.previous
    return period


def _place(row: Analysis, start: date) -> tuple[Any, ...]:
    return row.version_id, row.unit_id, row.margin, row.margin_value, start


def newest_quarter(rows: Iterable[Analysis], until: date | None) -> Analysis | None:
    """Return a row of the newest quarter, of those that were over by a day."""
    first = fiscal_start()

    def end(row: Analysis) -> date:
        return Period(row.starts_on, Grain.QUARTER, first).end

    over = [row for row in rows if until is None or end(row) <= until]
    return max(over, key=lambda row: (row.starts_on, row.version_id), default=None)
