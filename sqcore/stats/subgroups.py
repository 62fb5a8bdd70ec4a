"""Charts of the mean and the spread of groups of values: x-bar and S.

A mean of many answers varies less than one of few: its limits come from the spread within the
periods and from how many answers each has. docs/methods/control-charts.md
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray, int64s, shaped
from sqcore.stats.charts import MINIMUM, TRIAL_BELOW, WIDTH, ChartStatus, unbias
from sqcore.stats.errors import StatisticsError

HUGE = 1e100


@dataclass(frozen=True, eq=False)
class GroupLines:
    """One chart of means and one of spreads; arrays have shape (groups,), NaN where a group has
    too few values: none for a mean, fewer than two for a spread.

    centre: the mean of all; within: sigma of a single value within its group
    """

    status: ChartStatus
    centre: float | None
    within: float | None
    lower: FloatArray
    upper: FloatArray
    spread_centre: FloatArray
    spread_lower: FloatArray
    spread_upper: FloatArray
    groups: int


def group_lines(
    means: npt.ArrayLike,
    spreads: npt.ArrayLike,
    sizes: npt.ArrayLike,
    *,
    valid: npt.ArrayLike | None = None,
    width: float = WIDTH,
) -> GroupLines:
    """Return the limits of the means and of the standard deviations of groups.

    means, spreads: shape (G,), of each group; spreads divided by n - 1, >= 0; NaN where none
    sizes: shape (G,), integers >= 0
    valid: shape (G,), bool: the groups that give the limits; None: all. Every group gets its lines
    width: > 0
    returns: GroupLines. The centre is the mean of all values; sigma within is the mean of s / c4,
        groups weighted by their degrees of freedom. Fewer than 5 groups with a spread: too_short;
        fewer than 20: trial; no spread at all: zero_variance
    raises: StatisticsError if a shape is wrong or a number out of range
    assumes: groups that differ by chance alone and values that do not wait for each other: where
        means of large groups vary more than that, XmR of the means is the better chart
    source: Montgomery, Introduction to Statistical Quality Control, section 6.3

    >>> lines = group_lines([5.0, 5.2, 4.9, 5.1, 5.0], [1.0, 1.1, 0.9, 1.0, 1.0], [25] * 5)
    >>> round(lines.centre, 2), lines.lower[:1].round(2), lines.upper[:1].round(2)
    (5.04, array([4.43]), array([5.65]))
    """
    if not 0 < width < np.inf:
        raise StatisticsError("width must be positive and finite")
    mean, spread, size, there = _groups(means, spreads, sizes)
    good = there if valid is None else there & _mask(valid, mean.shape)
    with_spread = good & (size >= 2) & ~np.isnan(spread)
    count = int(with_spread.sum())
    if count < MINIMUM:
        none = np.full(mean.shape, np.nan)
        short = ChartStatus.TOO_SHORT
        return GroupLines(short, None, None, none, none, none, none, none, count)
    centre = float((mean[good] * size[good]).sum() / size[good].sum())
    c4 = unbias(np.maximum(size, 2))
    df = (size - 1)[with_spread]
    within = float((spread[with_spread] / c4[with_spread] * df).sum() / df.sum())
    half = np.where(there, width * within / np.sqrt(np.maximum(size, 1)), np.nan)
    known = np.where(size >= 2, 1.0, np.nan)
    rest = width * within * np.sqrt(np.maximum(1 - c4**2, 0.0))
    usual = ChartStatus.TRIAL if count < TRIAL_BELOW else ChartStatus.OK
    return GroupLines(
        status=usual if within > 0 else ChartStatus.ZERO_VARIANCE,
        centre=centre,
        within=within,
        lower=centre - half,
        upper=centre + half,
        spread_centre=known * within * c4,
        spread_lower=known * np.maximum(within * c4 - rest, 0.0),
        spread_upper=known * (within * c4 + rest),
        groups=count,
    )


def _groups(
    means: npt.ArrayLike, spreads: npt.ArrayLike, sizes: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, IntArray, BoolArray]:
    try:
        mean, spread = (np.asarray(each, dtype=np.float64) for each in (means, spreads))
    except (TypeError, ValueError) as error:
        raise StatisticsError("means and spreads must be numbers, of one length") from error
    size = int64s(sizes, "sizes")
    if mean.ndim != 1:
        raise StatisticsError("means must have shape (groups,)")
    shaped(spread, mean.shape, "spreads")
    shaped(size, mean.shape, "sizes")
    if (np.abs(mean) > HUGE).any() or (spread > HUGE).any():
        raise StatisticsError(f"numbers must be finite and not beyond {HUGE:g}")
    if (spread < 0).any() or (size < 0).any():
        raise StatisticsError("spreads and sizes cannot be negative")
    return mean, spread, size, ~np.isnan(mean) & (size > 0)


def _mask(values: npt.ArrayLike, shape: tuple[int, ...]) -> BoolArray:
    try:
        mask = np.asarray(values)
    except ValueError as error:
        raise StatisticsError("valid must have rows of one length") from error
    if mask.dtype.kind != "b" or mask.shape != shape:
        raise StatisticsError(f"valid must be bool and have shape {shape}")
    return mask
