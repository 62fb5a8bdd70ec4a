"""Another look at an indicator that counts something: an interrupted series beside the verdict.

It knows of trend, season and of how much each figure was counted from. It decides nothing: the
verdict is the one that was promised. Nothing here reads the database: it is computed from what the
check keeps, so that data that come later do not change it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from improvement.verification.windows import LEAST
from sqcore.base.periods import Grain
from sqcore.stats.interrupted import (
    LEAST_AFTER,
    LEAST_BEFORE,
    Interrupted,
    interrupted_series,
)
from sqcore.stats.results import MethodStatus

SEASONS: Mapping[Grain, float] = {
    Grain.DAY: 7.0,
    Grain.WEEK: 365.25 / 7,
    Grain.MONTH: 12.0,
    Grain.QUARTER: 4.0,
    Grain.YEAR: 1.0,
}
"""Periods of a full turn of the season."""
MOST_TURNS = 5
"""Older periods say little about the trend by now."""
HARMONICS = 2


@dataclass(frozen=True)
class Counted:
    """One period: how many were counted, and from how many; None where it shall not count."""

    on: str
    count: float | None
    exposure: float | None


@dataclass(frozen=True)
class AnotherLook:
    """What the interrupted series says.

    turn: periods that a full turn of the season takes. n_before, n_alike, n_after: periods with
    figures before the action, those of them in the state that is compared with, and after
    ratio, low, high: by how much the action multiplied the rate. counted, expected: events after
    the action, and how many there would have been by trend and season alone
    is_rest: counted are those of which it does not hold, as they are the fewer
    memory_p: of the Ljung-Box test of what is left over
    A status other than ok has none of the numbers from `ratio` on.
    """

    status: str
    grain: Grain
    turn: int
    n_before: int
    n_alike: int
    n_after: int
    confidence: float
    is_rest: bool
    harmonics: int = 0
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    counted: float | None = None
    expected: float | None = None
    dispersion: float | None = None
    phi: float | None = None
    memory_p: float | None = None

    @property
    def side(self) -> int:
        """1 where there were clearly more than expected, -1 where fewer, else 0."""
        if self.low is None or self.high is None or self.low <= 1.0 <= self.high:
            return 0
        return 1 if self.low > 1.0 else -1


def another_look(points: Mapping[str, Any]) -> AnotherLook | None:
    """Return another look at the points of a check; None where nothing is counted, and of interim
    looks: who saw an interval would take it for a verdict."""
    kept = points.get("counted")
    if kept is None:
        return None
    rows = [Counted(each["on"], each["count"], each["exposure"]) for each in kept["rows"]]
    grain, earlier = Grain(kept["grain"]), kept["earlier"] or ""
    if _usable(row for row in rows if row.on < earlier) < LEAST:
        rows, earlier = [row for row in rows if row.on >= earlier], ""
    before = [row for row in rows if row.on < points["after_from"]]
    found = AnotherLook(
        status=MethodStatus.TOO_SHORT.value,
        grain=grain,
        turn=int(SEASONS[grain]),
        n_before=_usable(before),
        n_alike=_usable(row for row in before if row.on >= earlier),
        n_after=_usable(rows[len(before) :]),
        confidence=points["confidence"],
        is_rest=kept["is_rest"],
    )
    spanned = _spanned(before)
    if spanned < found.turn or found.n_before < LEAST_BEFORE or found.n_alike < LEAST:
        return found
    if found.n_after < LEAST_AFTER:
        return found
    harmonics = _harmonics(grain, spanned)
    at = sum(row.on < earlier for row in before)
    fit = interrupted_series(
        [nan if row.count is None else row.count for row in rows],
        [nan if row.exposure is None else row.exposure for row in rows],
        at=len(before),
        earlier=at or None,
        season=SEASONS[grain] if harmonics else 0.0,
        harmonics=harmonics,
        confidence=points["confidence"],
    )
    return _told(found, fit, rows[len(before) :], harmonics)


def _usable(rows: Any) -> int:
    return sum(row.count is not None for row in rows)


def _spanned(rows: Sequence[Counted]) -> int:
    """How many periods lie between the first and the last that counts, both among them."""
    there = [at for at, row in enumerate(rows) if row.count is not None]
    return there[-1] - there[0] + 1 if there else 0


def _harmonics(grain: Grain, spanned: int) -> int:
    """One for one turn, two for two, and never more than the season can tell apart."""
    turns = int(spanned / SEASONS[grain] + 0.01)
    most = sum(2 * each < SEASONS[grain] for each in range(1, HARMONICS + 1))
    return min(max(turns, 1), most)


def _told(
    found: AnotherLook, fit: Interrupted, after: Sequence[Counted], harmonics: int
) -> AnotherLook:
    if fit.status is not MethodStatus.OK:
        return AnotherLook(**{**vars(found), "status": fit.status.value})
    rates = fit.without[-len(after) :]
    pairs = [(row, rate) for row, rate in zip(after, rates, strict=True) if row.count is not None]
    told = {
        "status": fit.status.value,
        "harmonics": harmonics,
        "ratio": fit.ratio.value,
        "low": fit.ratio.low,
        "high": fit.ratio.high,
        "counted": sum(row.count or 0.0 for row, _rate in pairs),
        "expected": sum(rate * (row.exposure or 0.0) for row, rate in pairs),
        "dispersion": fit.dispersion,
        "phi": fit.phi,
        "memory_p": fit.memory.p,
    }
    return AnotherLook(**{**vars(found), **told})
