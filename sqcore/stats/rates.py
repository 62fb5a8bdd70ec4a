"""Counts per exposure: faults per 1,000 hours, care calls per customer and month."""

import numpy as np
import numpy.typing as npt
from scipy import special

from sqcore.stats.arrays import LARGEST, FloatArray, confidence_level, finite, numbers, together
from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import Estimate, Status
from sqcore.stats.proportions import MOST_PEOPLE, Interval

LEAST_COUNT = 1e-100
"""Less is nothing: of counts and exposures."""
LEAST_LOG, MOST_LOG = np.log(1e-3), np.log(1e12)
HALVINGS = 48


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
    x = np.where(x < LEAST_COUNT, 0.0, x)
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
    x, e = together("counts and exposure", finite(counts, "counts"), finite(exposure, "exposure"))
    if (e < 0).any():
        raise StatisticsError("exposure cannot be negative")
    exact = garwood(x, confidence=confidence)
    records = together("n and counts", np.rint(x) if n is None else finite(n, "n"), x)[0]
    if records.shape != x.shape or ((records < 0) | (records > MOST_PEOPLE)).any():
        raise StatisticsError("n must be a number of records for each count")
    if max(float(x.max(initial=0.0)), float(e.max(initial=0.0)), unit) > LARGEST:
        raise StatisticsError(f"counts, exposure and unit must not be beyond {LARGEST:g}")
    some = e > LEAST_COUNT
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


def exposure_of(
    values: npt.ArrayLike, widths: npt.ArrayLike, *, confidence: float = 0.95
) -> FloatArray:
    """Return what rates were counted from, read back from the width of their exact interval.

    values: any shape, >= 0, counts per exposure as `rate` gives them; NaN where there is none
    widths: that of the values, high - low of their interval, >= 0
    confidence: in (0, 1), of the interval
    returns: exposure in such units that value x exposure is the count; NaN where it is not known
    raises: StatisticsError if a number is out of range
    source: `garwood` turned round, by halving the logarithm of the count

    >>> faults = rate([10, 0], [4000.0, 500.0], unit=1000)
    >>> exposure_of(faults.value, faults.high - faults.low).round(6).tolist()
    [4.0, 0.5]
    """
    x, wide = together("values and widths", numbers(values, "values"), numbers(widths, "widths"))
    for each in (x, wide):
        if ((each < 0) | ((each > 0) & (each < LEAST_COUNT)) | (each > LARGEST)).any():
            raise StatisticsError("values and widths must be 0 or numbers that can be divided by")
    tail = (1 - confidence_level(confidence)) / 2
    known, some = wide > 0, (wide > 0) & (x > 0)
    relative = np.where(some, wide / np.where(some, x, 1.0), 1.0)
    low, high = np.full(x.shape, LEAST_LOG), np.full(x.shape, MOST_LOG)
    for _halving in range(HALVINGS):
        middle = (low + high) / 2
        count = np.exp(middle)
        span = special.gammaincinv(count + 1, 1 - tail) - special.gammaincinv(count, tail)
        is_few = span / count > relative
        low, high = np.where(is_few, middle, low), np.where(is_few, high, middle)
    counted = np.exp((low + high) / 2) / np.where(some, x, 1.0)
    none = special.gammaincinv(1.0, 1 - tail) / np.where(known, wide, 1.0)
    return np.where(some, counted, np.where(known & (x == 0), none, np.nan))
