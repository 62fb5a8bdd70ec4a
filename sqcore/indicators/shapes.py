"""How values of an indicator become points: evenly between two ends, or in another shape."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any, Protocol

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.stats.errors import StatisticsError
from sqcore.stats.scoring import LIMIT, Curve, aimed, nominal, through

MOST_KNOTS = 12


class Shape(TextChoices):
    """How points go between 0 and 100."""

    GOALPOSTS = "goalposts", gettext_lazy("Evenly between two values")
    NOMINAL = "nominal", gettext_lazy("Best in the middle")
    TARGET = "target", gettext_lazy("By a target and a limit")
    KNOTS = "knots", gettext_lazy("Along given points")


class Aggregation(TextChoices):
    """How the scores of a version become one; see `sqcore.stats.composite.Aggregation`."""

    ARITHMETIC = "arithmetic", gettext_lazy("Arithmetic mean")
    GEOMETRIC = "geometric", gettext_lazy("Geometric mean")


Knots = tuple[tuple[float, float], ...]


class HasShape(Protocol):
    """What scores: a row of a version, a leaf of a tree, an indicator of a definition.

    best is the value of 100 points, or one of them; worst one of those of 0 points, or of the
    fewest. Their order is the direction in which more is better, of what is best in the middle the
    side from which it is looked at.
    """

    @property
    def worst(self) -> float: ...
    @property
    def best(self) -> float: ...
    @property
    def shape(self) -> str: ...
    @property
    def dead_band(self) -> float | None: ...
    @property
    def limit(self) -> float | None: ...
    @property
    def knots(self) -> Sequence[Sequence[float]] | None: ...


@dataclass(frozen=True, kw_only=True)
class Shaped:
    """What a shape says beside worst and best.

    dead_band: of `NOMINAL`, how far from the best on either side there are still 100 points
    limit: of `TARGET`, the value of 60 points
    knots: of `KNOTS`, (value, points) in rising order of values
    """

    shape: str = Shape.GOALPOSTS.value
    dead_band: float | None = None
    limit: float | None = None
    knots: Knots = ()


@dataclass(frozen=True)
class Scoring(Shaped):
    """A shape with its ends."""

    worst: float
    best: float


def in_the_middle(
    target: float, tolerance: float, dead_band: float = 0.0, *, rising: bool = True
) -> Scoring:
    """Return what is best at a target and worth nothing at the tolerance from it, either side."""
    worst = target - tolerance if rising else target + tolerance
    return Scoring(worst, target, shape=Shape.NOMINAL.value, dead_band=dead_band)


def by_limit(target: float, limit: float) -> Scoring:
    """Return what is worth 100 points at a target and 60 at a limit."""
    nothing = target + (limit - target) * 100 / (100 - LIMIT)
    return Scoring(nothing, target, shape=Shape.TARGET.value, limit=limit)


def along(knots: Iterable[Sequence[float]]) -> Scoring:
    """Return what is worth the points of its knots, and evenly in between."""
    given = tuple((float(value), float(points)) for value, points in knots)
    best = max(given, key=lambda knot: knot[1], default=(0.0, 0.0))
    fewest = min((points for _value, points in given), default=0.0)
    low = [value for value, points in given if points == fewest] or [0.0]
    worst = max(low, key=lambda value: abs(value - best[0]))
    return Scoring(worst, best[0], shape=Shape.KNOTS.value, knots=given)


def scoring_of(thing: HasShape) -> Scoring:
    """Return the shape of a thing with its ends, as a value."""
    return Scoring(thing.worst, thing.best, **shape_of(thing))


def shape_of(thing: HasShape) -> dict[str, Any]:
    """Return what a thing says beside worst and best, by the names of `Shaped`."""
    knots = tuple((float(value), float(points)) for value, points in thing.knots or ())
    return {
        "shape": str(thing.shape),
        "dead_band": thing.dead_band,
        "limit": thing.limit,
        "knots": knots,
    }


def curve_of(thing: HasShape) -> Curve | None:
    """Return the curve of its points; None where they rise evenly between two ends."""
    if thing.shape == Shape.NOMINAL:
        return nominal(thing.best, abs(thing.best - thing.worst), thing.dead_band or 0.0)
    if thing.shape == Shape.TARGET and thing.limit is not None:
        return aimed(thing.best, thing.limit)
    if thing.shape == Shape.KNOTS:
        return through([(value, points) for value, points in thing.knots or ()])
    return None


def points_at(thing: HasShape, value: float) -> float:
    """Return the points of one value."""
    curve = curve_of(thing)
    if curve is not None:
        return float(curve.at(value))
    share = (value - thing.worst) / (thing.best - thing.worst)
    return 100 * min(max(share, 0.0), 1.0)


def is_even(thing: HasShape) -> bool:
    """True when points rise evenly between two ends, so that a step has the same worth anywhere."""
    return thing.shape == Shape.GOALPOSTS


def is_two_sided(thing: HasShape) -> bool:
    """True when a value can be too low and too high: then no target has a good side."""
    if thing.shape == Shape.NOMINAL:
        return True
    steps = [after[1] - before[1] for before, after in pairwise(thing.knots or ())]
    return any(step > 0 for step in steps) and any(step < 0 for step in steps)


def side_of(thing: HasShape) -> int:
    """Return 1 where more is better, -1 where less is, 0 where the best is in the middle: then
    nobody can say of a change without its value whether it is for the better."""
    if is_two_sided(thing):
        return 0
    return 1 if thing.best > thing.worst else -1


def ends_of(thing: HasShape) -> tuple[float, float]:
    """Return the least and the greatest value up to which its points tell values apart."""
    values = [thing.worst, thing.best, *(knot[0] for knot in thing.knots or ())]
    if thing.shape == Shape.NOMINAL:
        values.append(2 * thing.best - thing.worst)
    return min(values), max(values)


def words_of(thing: HasShape, said: Callable[[float], str]) -> str:
    """Return how values become points in words; `said` writes a value with its unit."""
    words = {"best": said(thing.best), "worst": said(thing.worst)}
    if thing.shape == Shape.NOMINAL:
        low, high = ends_of(thing)
        words |= {"low": said(low), "high": said(high)}
        if not thing.dead_band:
            return _("%(best)s is 100 points; %(low)s and %(high)s are 0") % words
        words |= {"from": said(thing.best - thing.dead_band)}
        words |= {"to": said(thing.best + thing.dead_band)}
        return _("%(from)s to %(to)s is 100 points; %(low)s and %(high)s are 0") % words
    if thing.shape == Shape.TARGET and thing.limit is not None:
        words |= {"limit": said(thing.limit)}
        return _("%(best)s is 100 points, %(limit)s is 60, %(worst)s is 0") % words
    if thing.shape == Shape.KNOTS:
        return _("; ").join(
            _("%(value)s is %(points)s points") % {"value": said(value), "points": f"{points:g}"}
            for value, points in thing.knots or ()
        )
    return _("%(worst)s is 0 points, %(best)s is 100 points") % words


def fault_of(thing: HasShape) -> tuple[str, str] | None:
    """Return what cannot be, as the field with its reason in words; None when nothing is wrong."""
    fault = _fault_of_numbers(thing)
    if fault is not None:
        return fault
    if _can_be_told(thing):
        return None
    reason = _("These numbers lie too close together, or too far apart, to give points by them.")
    return ("knots" if thing.shape == Shape.KNOTS else "best"), reason


def _can_be_told(thing: HasShape) -> bool:
    low, high = ends_of(thing)
    if not isfinite(high - low):
        return False
    try:
        curve_of(thing)
    except StatisticsError:
        return False
    return True


def _fault_of_numbers(thing: HasShape) -> tuple[str, str] | None:
    if thing.shape not in Shape.values:
        return "shape", _("There is no such shape.")
    numbers = [thing.worst, thing.best, thing.dead_band or 0.0, thing.limit or 0.0]
    if not all(isfinite(number) for number in numbers):
        return "best", _("These must be numbers.")
    if thing.shape == Shape.KNOTS:
        return _fault_of_knots(thing.knots or ())
    if thing.worst == thing.best:
        if thing.shape == Shape.TARGET:
            return "limit", _("The limit must differ from the target.")
        if thing.shape == Shape.NOMINAL:
            return "tolerance", _("The tolerance must be above 0.")
        return "worst", _("The values of 0 and 100 points must differ.")
    if thing.shape == Shape.NOMINAL:
        band = thing.dead_band
        if band is None or not 0 <= band < abs(thing.best - thing.worst):
            return "dead_band", _("It must be at least 0 and below the tolerance.")
    if thing.shape == Shape.TARGET and thing.limit is None:
        return "limit", _("Say which value is worth 60 points.")
    return None


def _fault_of_knots(knots: Sequence[Sequence[float]]) -> tuple[str, str] | None:
    if not 2 <= len(knots) <= MOST_KNOTS:
        most = {"most": MOST_KNOTS}
        return "knots", _("Give at least 2 points and at most %(most)d.") % most
    if any(len(knot) != 2 or not all(isfinite(number) for number in knot) for knot in knots):
        return "knots", _("Each point is a value and its points, both numbers.")
    if any(after[0] <= before[0] for before, after in pairwise(knots)):
        return "knots", _("The values must rise from one to the next.")
    points = [float(knot[1]) for knot in knots]
    if min(points) < 0 or max(points) > 100:
        return "knots", _("Points lie between 0 and 100.")
    if min(points) == max(points):
        return "knots", _("All have the same points: nothing could be told from them.")
    return None
