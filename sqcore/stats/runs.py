"""Runs around the centre: too long a run, or too few crossings, for chance alone.

The rules of Anhøj look at a whole series and need no sigma, so that they hold for any spread.
docs/methods/rules.md
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from sqcore.stats.results import MethodStatus
from sqcore.stats.seasonality import series_of

LEAST = 10
ON_THE_LINE = 1e-9
CHANCE = 0.05


@dataclass(frozen=True)
class Runs:
    """The longest run on one side of the centre and how often the series crosses it.

    useful: points that are not on the centre; longest_most, crossings_least: what chance lets
    expect. first, last: the indices of the first and the last point of the longest run (the latest
    of equal ones), side: 1 above, -1 below; without status ok they are None and 0
    """

    useful: int
    longest: int
    longest_most: int
    crossings: int
    crossings_least: int
    first: int | None
    last: int | None
    side: int
    status: MethodStatus = MethodStatus.OK

    @property
    def is_too_long(self) -> bool:
        return self.status == MethodStatus.OK and self.longest > self.longest_most

    @property
    def is_too_seldom(self) -> bool:
        """Whether it crosses the centre less often than chance lets expect."""
        return self.status == MethodStatus.OK and self.crossings < self.crossings_least

    @property
    def is_signal(self) -> bool:
        return self.is_too_long or self.is_too_seldom


def runs_of(values: npt.ArrayLike, centre: float = 0.0) -> Runs:
    """Return the runs of a series around its centre.

    values: shape (P,), NaN where there is none; distances in sigma with a centre of 0 do as well
    centre: the frozen one, or the median
    returns: Runs. Points on the centre are passed over. Fewer than 10 useful points: too_short,
        with the counts as they are
    raises: StatisticsError if values have another shape or are not finite
    assumes: points that do not wait for each other, and a centre with as many above as below it
    source: Anhøj and Olesen 2014, PLOS ONE 9(11):e113825; Chen 2010, Journal of Quality in Clinical
        Practice; as qicharts2: longest > round(log2 n) + 3, crossings < the 5 % point of
        Binomial(n - 1, 1/2)

    >>> found = runs_of([1, 2, -1, 1, -2, 1, 2, 1, 3, 1, 2, 1, 2, 1])
    >>> found.longest, found.longest_most, found.crossings, found.is_signal
    (9, 7, 4, True)
    """
    x = series_of(values) - centre
    size = float(np.nanmax(np.abs(x))) if (~np.isnan(x)).any() else 0.0
    at = np.flatnonzero(np.abs(x) > ON_THE_LINE * min(1.0, size))
    side = np.sign(x[at]).astype(np.int64)
    useful = len(at)
    changes = np.flatnonzero(np.diff(side)) + 1 if useful else np.array([], dtype=np.int64)
    starts = np.concatenate([[0], changes]) if useful else changes
    lengths = np.diff(np.append(starts, useful))
    longest = int(lengths.max()) if useful else 0
    crossings = len(changes)
    if useful < LEAST:
        short = MethodStatus.TOO_SHORT
        return Runs(useful, longest, 0, crossings, 0, None, None, 0, short)
    place = int(np.flatnonzero(lengths == longest)[-1])
    first, last = int(starts[place]), int(starts[place]) + longest - 1
    return Runs(
        useful=useful,
        longest=longest,
        longest_most=round(float(np.log2(useful))) + 3,
        crossings=crossings,
        crossings_least=int(stats.binom.ppf(CHANCE, useful - 1, 0.5)),
        first=int(at[first]),
        last=int(at[last]),
        side=int(side[first]),
    )
