"""The computation of a run: frozen inputs in, rows out. No database, no clock."""

import math
from typing import NamedTuple


class Estimate(NamedTuple):
    value: float
    low: float
    high: float


def difference(after: Estimate, before: Estimate) -> Estimate:
    """Return after minus before of two independent estimates, with its interval.

    Recovers the variances from the two intervals (Newcombe's hybrid for shares; for symmetric
    intervals the usual one). source: Zou, Donner 2008, doi:10.1002/sim.3095
    """
    value = after.value - before.value
    low = value - math.hypot(after.value - after.low, before.high - before.value)
    high = value + math.hypot(after.high - after.value, before.value - before.low)
    return Estimate(value, low, high)
