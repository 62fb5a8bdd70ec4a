"""Which signs of leaving each customer shows on a day, and who left after it. Pure.

Days are counted as numbers (`date.toordinal`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray
from sqcore.stats.loyalty import DETRACTOR_UP_TO, LONG_AWAY, Sign

SIGNS = ("unsolved_last", "long_away", "fewer_visits", "detractor", "falling_answers")
FROM_ANSWERS = frozenset({"detractor", "falling_answers"})
FEWEST_VISITS = 3
"""So many visits show how long somebody usually stays away."""
LAST_ANSWERS = 3
"""So many of the newest answers show whether they fall; older ones no longer speak."""


@dataclass(frozen=True, eq=False)
class Rows:
    """One row an encounter (or answer): customer and day, ascending by both; `value` is 1 where
    something was not solved or done again, 0 where not (or the recommendation), NaN not known."""

    customer: IntArray
    day: IntArray
    value: FloatArray
    unit: IntArray

    def until(self, day: int) -> "Rows":
        keep = self.day < day
        return Rows(self.customer[keep], self.day[keep], self.value[keep], self.unit[keep])


@dataclass(frozen=True, eq=False)
class Standing:
    """The customers of a day: the unit that served each last, the signs (N, SIGNS), 1, 0 or NaN."""

    customer: IntArray
    unit: IntArray
    present: FloatArray


def chosen_signs(points: Mapping[str, int]) -> list[Sign]:
    """Return the signs that have points, in their order."""
    return [Sign(code, points[code]) for code in SIGNS if points.get(code, 0) > 0]


def standing_on(
    visits: Rows, answers: Rows, day: int, *, active_days: int, horizon_days: int
) -> Standing:
    """Return who was a customer on a day, by what was known before it."""
    known = visits.until(day)
    customers, start, end = _spans(known)
    last = end - 1
    away = day - known.day[last]
    gap = _usual_gap(known, start, end)
    recent = _many(known, customers, day - horizon_days, day)
    before = _many(known, customers, day - 2 * horizon_days, day - horizon_days)
    said = answers.until(day)
    present = np.column_stack(
        [
            known.value[last],
            _sign(away > LONG_AWAY * gap, ~np.isnan(gap)),
            _sign(2 * recent < before, before >= 2),
            *_of_answers(said, customers),
        ]
    )
    keep = away <= active_days
    return Standing(customers[keep], known.unit[last][keep], present[keep])


def left_after(visits: Rows, standing: Standing, day: int, *, horizon_days: int) -> BoolArray:
    """Return who of them had no encounter from a day on within the horizon."""
    later = (visits.day >= day) & (visits.day < day + horizon_days)
    return ~np.isin(standing.customer, visits.customer[later])


def _sign(is_there: BoolArray, is_known: BoolArray) -> FloatArray:
    return np.where(is_known, is_there.astype(np.float64), np.nan)


def _many(rows: Rows, customers: IntArray, start: int, end: int) -> IntArray:
    inside = rows.customer[(rows.day >= start) & (rows.day < end)]
    return np.bincount(np.searchsorted(customers, inside), minlength=len(customers))


def _spans(rows: Rows) -> tuple[IntArray, IntArray, IntArray]:
    """Return each customer with the first of their rows and the one behind the last."""
    customers, start, many = np.unique(rows.customer, return_index=True, return_counts=True)
    return customers, start.astype(np.int64), (start + many).astype(np.int64)


def _usual_gap(rows: Rows, start: IntArray, end: IntArray) -> FloatArray:
    """Return the median days between visits, NaN for who came seldom."""
    found = np.full(len(start), np.nan)
    for at in np.flatnonzero(end - start >= FEWEST_VISITS).tolist():
        found[at] = max(float(np.median(np.diff(rows.day[start[at] : end[at]]))), 1.0)
    return found


def _of_answers(said: Rows, customers: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return whether the last answer was a detractor's, and whether the last of three fell."""
    detractor, falling = (np.full(len(customers), np.nan) for _each in range(2))
    who, start, end = _spans(said)
    places = np.searchsorted(customers, who)
    for at in np.flatnonzero(np.isin(who, customers)).tolist():
        place, values = places[at], said.value[start[at] : end[at]][-LAST_ANSWERS:]
        detractor[place] = float(values[-1] <= DETRACTOR_UP_TO)
        if len(values) >= LAST_ANSWERS:
            falling[place] = float(values[-1] < values[0] and values[-1] <= values.min())
    return detractor, falling
