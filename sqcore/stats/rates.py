"""Counts per exposure: faults per 1,000 hours, care calls per customer and month."""

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import confidence_level, finite
from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import Estimate, Status
from sqcore.stats.proportions import Interval


def garwood(counts: npt.ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Return the exact interval of a Poisson mean, given one count.

    counts: any shape, >= 0; need not be integers
    confidence: in (0, 1)
    returns: low and high, low 0 where the count is 0
    raises: StatisticsError if a count is negative
    assumes: events that do not wait for each other
    source: Garwood 1936, Biometrika 28:437-442; chi-square form

    >>> exact = garwood([0, 10])
    >>> exact.low.round(4).tolist(), exact.high.round(4).tolist()
    ([0.0, 4.7954], [3.6889, 18.3904])
    """
    tail = (1 - confidence_level(confidence)) / 2
    x = finite(counts, "counts")
    if (x < 0).any():
        raise StatisticsError("counts cannot be negative")
    low = np.where(x > 0, special.gammaincinv(np.where(x > 0, x, 1.0), tail), 0.0)
    high = np.asarray(special.gammaincinv(x + 1, 1 - tail), dtype=np.float64)
    return Interval(low, high)


def rate(
    counts: npt.ArrayLike,
    exposure: npt.ArrayLike,
    n: npt.ArrayLike | None = None,
    *,
    unit: float = 1.0,
    confidence: float = 0.95,
) -> Estimate:
    """Return counts per exposure with their exact Poisson interval.

    counts, exposure: shapes that broadcast, both >= 0
    n: how many records they were counted from; None: the counts themselves
    unit: > 0, what the rate is multiplied by (1,000 for a rate per 1,000 hours)
    returns: Estimate with se sqrt(count) / exposure; n_eff = 2 count + 3, whose 2 count + 2
        degrees of freedom are those of the upper limit. Without exposure: not_applicable. A count
        of 0 is ok: its interval is wide
    raises: StatisticsError if a number is out of range
    assumes: events that do not wait for each other, a rate that is the same throughout
    source: as `garwood`

    >>> faults = rate([10], [4000.0], unit=1000)
    >>> faults.value.tolist(), faults.low.round(3).tolist(), faults.high.round(3).tolist()
    ([2.5], [1.199], [4.598])
    """
    if not 0 < unit < np.inf:
        raise StatisticsError("unit must be positive and finite")
    x, e = np.broadcast_arrays(finite(counts, "counts"), finite(exposure, "exposure"))
    if (e < 0).any():
        raise StatisticsError("exposure cannot be negative")
    exact = garwood(x, confidence=confidence)
    records = np.rint(x) if n is None else np.broadcast_to(finite(n, "n"), x.shape)
    if (records < 0).any():
        raise StatisticsError("n cannot be negative")
    some = e > 0
    factor = np.where(some, unit / np.where(some, e, 1.0), np.nan)
    return Estimate(
        x * factor,
        np.sqrt(x) * factor,
        exact.low * factor,
        exact.high * factor,
        n=records.astype(np.int64),
        n_eff=np.where(some, 2 * x + 3, 0.0),
        status=np.where(some, Status.OK, Status.NOT_APPLICABLE).astype(np.uint8),
    )
