"""The difference of two published figures, from their intervals alone."""

import math
from typing import NamedTuple

from sqcore.stats.arrays import LARGEST
from sqcore.stats.errors import StatisticsError

ROUNDING = 1e-6


class Bounded(NamedTuple):
    """A value with its interval."""

    value: float
    low: float
    high: float


def difference(after: Bounded, before: Bounded) -> Bounded:
    """Return after minus before, with its interval.

    after, before: low <= value <= high, both intervals at the same confidence
    returns: Bounded, at that confidence
    raises: StatisticsError if an interval is not finite or a value lies outside it
    assumes: independent figures
    source: Zou, Donner 2008, doi:10.1002/sim.3095; of Wilson intervals it is method 10 of
        Newcombe 1998, of symmetric ones the usual root of the sum of squares

    >>> difference(Bounded(75.0, 72.0, 78.0), Bounded(70.0, 66.0, 74.0))
    Bounded(value=5.0, low=0.0, high=10.0)
    """
    for each in (after, before):
        if not (each.low >= -LARGEST and each.high <= LARGEST):
            raise StatisticsError(f"an interval must be finite and not beyond {LARGEST:g}")
        if not each.low - ROUNDING <= each.value <= each.high + ROUNDING:
            raise StatisticsError(f"{each.value} lies outside its interval")
    value = after.value - before.value
    low = value - math.hypot(after.value - after.low, before.high - before.value)
    high = value + math.hypot(after.high - after.value, before.value - before.low)
    return Bounded(value, low, high)
