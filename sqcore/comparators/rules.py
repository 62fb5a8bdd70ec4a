"""What a value of a comparator can be, which one speaks of a period, and how scores compare.

No database, no clock.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import Problem
from sqcore.base.periods import Period
from sqcore.comparators.models import Comparator, ComparatorValue
from sqcore.files.cells import plain_number
from sqcore.indicators.definition import (
    COMPOSITE,
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
)
from sqcore.indicators.models import Indicator, UnitOfMeasure
from sqcore.indicators.shapes import curve_of
from sqcore.stats.composite import Aggregation, composite
from sqcore.stats.differences import Bounded, difference
from sqcore.stats.estimates import MeanCovariance
from sqcore.stats.scoring import Goalposts, goalpost_scores

EARLIEST, LATEST = date(1990, 1, 1), date(2200, 12, 31)
MOST_COUNTED = 2_000_000_000
LEAST_COVERAGE = 0.6
"""The share of the weight that must be compared; with less nothing is said of the whole."""
_is_address = URLValidator(schemes=["http", "https"])
LEAST_OVERLAP = 0.5
"""The share of a period's days that a value must speak of to stand for it."""


# ---- What a value can be -------------------------------------------------------------------------
@dataclass(frozen=True)
class NewValue:
    """What somebody says that a comparator reached: numbers in the unit of the indicator."""

    comparator: Comparator
    indicator: Indicator
    starts_on: date
    ends_on: date
    value: float
    source: str
    low: float | None = None
    high: float | None = None
    n: int | None = None
    url: str = ""
    published_on: date | None = None
    note: str = ""

    @property
    def place(self) -> tuple[int, int, date, date]:
        return self.comparator.pk, self.indicator.pk, self.starts_on, self.ends_on

    @property
    def content(self) -> tuple[object, ...]:
        """What a next revision would change."""
        return content_of(self)


def content_of(value: NewValue | ComparatorValue) -> tuple[object, ...]:
    return (
        *(value.value, value.low, value.high, value.n),
        *(value.source, value.url, value.published_on, value.note),
    )


def is_share(indicator: Indicator) -> bool:
    """True when its values are kept from 0 to 1 and told in percent."""
    return (
        indicator.statistic == Indicator.Statistic.PROPORTION
        or indicator.unit_of_measure == UnitOfMeasure.SHARE
    )


def limits_of(indicator: Indicator) -> tuple[float, float]:
    """Return the least and the most that a value of it can be."""
    if is_share(indicator):
        return 0.0, 1.0
    if indicator.statistic == Indicator.Statistic.NPS:
        return -100.0, 100.0
    if indicator.unit_of_measure in UnitOfMeasure.values:
        return UnitOfMeasure(indicator.unit_of_measure).limits
    return -math.inf, math.inf


def reading(
    text: str, indicator: Indicator | None = None, *, in_percent: bool = False
) -> float | None:
    """Return what somebody wrote in the unit of the indicator: 0.88 of a share also as 88 %.

    in_percent: also without the sign. None when it is no number.
    """
    plain = text.strip()
    in_percent = in_percent or plain.endswith("%")
    found = plain_number(plain.removesuffix("%"))
    if found is None or indicator is None or not in_percent or not is_share(indicator):
        return found
    return found / 100


def faults_of(new: NewValue, *, today: date) -> Iterator[Problem]:
    """Yield all that is wrong with a value, by its field."""
    yield from _text_faults(new)
    if new.ends_on <= new.starts_on:
        yield Problem(_("is not after the first day"), field="ends_on")
    if new.ends_on > LATEST:
        yield Problem(_("cannot be meant"), field="ends_on")
    if new.starts_on < EARLIEST:
        yield Problem(_("cannot be meant"), field="starts_on")
    if new.starts_on > today:
        yield Problem(_("has not come yet"), field="starts_on")
    if new.published_on is not None and new.published_on > today:
        yield Problem(_("has not come yet"), field="published_on")
    if new.published_on is not None and new.published_on < new.starts_on:
        yield Problem(_("is before the time that it speaks of"), field="published_on")
    if new.n is not None and new.n < 1:
        yield Problem(_("must be 1 or more"), field="n")
    if new.n is not None and new.n > MOST_COUNTED:
        yield Problem(_("cannot be meant"), field="n")
    yield from _number_faults(new)


def _text_faults(new: NewValue) -> Iterator[Problem]:
    if not new.source.strip():
        yield Problem(_("is missing: where does this number stand?"), field="source")
    for name, text, most in (
        ("source", new.source, 300), ("url", new.url, 500), ("note", new.note, 300),
    ):  # fmt: skip
        if len(text) > most:
            yield Problem(_("has more than %(most)d characters") % {"most": most}, field=name)
    if new.url:
        try:
            _is_address(new.url)
        except ValidationError:
            yield Problem(_("is no address such as https://example.org/report"), field="url")


def _number_faults(new: NewValue) -> list[Problem]:
    least, most = limits_of(new.indicator)
    given = {"value": new.value, "low": new.low, "high": new.high}
    problems = [
        Problem(_outside(found, least, most, new.indicator), field=name)
        if math.isfinite(found)
        else Problem(_("must be a number"), field=name)
        for name, found in given.items()
        if found is not None and not (math.isfinite(found) and least <= found <= most)
    ]
    if problems:
        return problems
    if (new.low is None) != (new.high is None):
        name = "high" if new.high is None else "low"
        return [Problem(_("an interval has two ends; give both or none"), field=name)]
    if new.low is not None and new.high is not None and not new.low <= new.value <= new.high:
        return [Problem(_("lies outside its own interval"), field="value")]
    return []


def _outside(found: float, least: float, most: float, indicator: Indicator) -> str:
    said = {"value": f"{found:g}", "least": f"{least:g}", "most": f"{most:g}"}
    if is_share(indicator):
        return _("%(value)s is no share from 0 to 1; write 88 %% for 0.88") % said
    if math.isinf(most):
        return _("%(value)s is below %(least)s, the least that it can be") % said
    return _("%(value)s lies outside of what it can be, %(least)s to %(most)s") % said


# ---- Which value speaks of a period --------------------------------------------------------------
def overlap(value: ComparatorValue, period: Period) -> int:
    """Return how many days of the period it speaks of."""
    first, end = max(value.starts_on, period.start), min(value.ends_on, period.end)
    return max((end - first).days, 0)


def for_period(
    values: Iterable[ComparatorValue], period: Period
) -> dict[int, dict[str, ComparatorValue]]:
    """Return, by comparator and code of the indicator, the value that stands for this period.

    It speaks of at least half of its days. Of several it is the one that speaks of most of them,
    then the one about the shorter time, then the one about the later time.
    """
    least = LEAST_OVERLAP * (period.end - period.start).days
    best: dict[tuple[int, str], tuple[tuple[int, int, int], ComparatorValue]] = {}
    for value in values:
        days = overlap(value, period)
        if not days or days < least:
            continue
        length = (value.ends_on - value.starts_on).days
        rank = (days, -length, value.starts_on.toordinal())
        place = (value.comparator_id, value.indicator.code)
        if place not in best or rank > best[place][0]:
            best[place] = (rank, value)
    found: dict[int, dict[str, ComparatorValue]] = {}
    for (comparator, code), (_rank, value) in best.items():
        found.setdefault(comparator, {})[code] = value
    return found


# ---- Scores side by side -------------------------------------------------------------------------
class Standing(TextChoices):
    """Whether a comparison says something, and why not."""

    SHOWN = "shown", gettext_lazy("compared")
    COVERAGE = "coverage", gettext_lazy("too little of the weight can be compared")
    NOTHING = "nothing", gettext_lazy("no indicator can be compared")


@dataclass(frozen=True)
class OwnScore:
    """A published score of one's own, 0 to 100; without ends where nobody knows how sure it is."""

    score: float
    low: float | None = None
    high: float | None = None

    @property
    def bounded(self) -> Bounded | None:
        if self.low is None or self.high is None:
            return None
        return Bounded(self.score, min(self.low, self.score), max(self.high, self.score))


@dataclass(frozen=True)
class Pair:
    """One indicator on both sides, in points; `weight` is its share of the whole."""

    leaf: IndicatorDefinition
    weight: float
    own: OwnScore
    value: ComparatorValue
    market: Bounded
    market_is_sure: bool


@dataclass(frozen=True)
class Comparison:
    """A score and that of a comparator on the same indicators, with the same weights.

    coverage: the share of the weight that both have, 0..1
    own, market: on these indicators, in points; their ends are None where one of their indicators
        has none
    by: own minus market; its ends only where both have theirs
    """

    standing: Standing
    coverage: float
    pairs: tuple[Pair, ...] = ()
    own: OwnScore | None = None
    market: OwnScore | None = None
    by: OwnScore | None = None

    @property
    def is_clear(self) -> bool:
        """True when the interval of the difference leaves 0 out."""
        ends = self.by.bounded if self.by else None
        return ends is not None and (ends.low > 0 or ends.high < 0)


def roots_of(definition: SystemDefinition, code: str) -> list[DimensionDefinition]:
    """Return the dimensions that a score is made of: the composite's, or one of them."""
    if code == COMPOSITE:
        return list(definition.dimensions)
    return [found for found in definition.all_dimensions() if found.code == code]


def shares_of(
    roots: Sequence[DimensionDefinition], *, alone: bool = False
) -> dict[str, tuple[IndicatorDefinition, float]]:
    """Return what counts in these dimensions by code: the indicator and its share of the whole.

    alone: one dimension by itself, whatever it weighs among its siblings
    """
    found: dict[str, tuple[IndicatorDefinition, float]] = {}

    def walk(dimension: DimensionDefinition, weight: float) -> None:
        for leaf in dimension.indicators:
            if weight * leaf.weight > 0:
                found[leaf.code] = (leaf, weight * leaf.weight)
        for below in dimension.dimensions:
            walk(below, weight * below.weight)

    for root in roots:
        walk(root, 1.0 if alone else root.weight)
    total = sum(weight for _leaf, weight in found.values())
    return {code: (leaf, weight / total) for code, (leaf, weight) in found.items()}


def points_of(leaf: IndicatorDefinition, value: ComparatorValue) -> Bounded:
    """Return the points of a value, 0 to 100, judged as one's own are, and their interval.

    Without an interval both ends are the score itself.
    """
    shape = curve_of(leaf)
    goalposts = Goalposts(
        np.array([leaf.worst]), np.array([leaf.best]), {} if shape is None else {0: shape}
    )
    score = float(goalpost_scores([value.value], goalposts).score[0])
    if value.low is None or value.high is None:
        return Bounded(score, score, score)
    low, high = goalposts.curve(0).between(value.low, value.high)
    return Bounded(score, min(float(low), score), max(float(high), score))


def compare(
    shares: Mapping[str, tuple[IndicatorDefinition, float]],
    own: Mapping[str, OwnScore],
    market: Mapping[str, ComparatorValue],
    *,
    published: OwnScore | None = None,
    aggregation: str = Aggregation.ARITHMETIC,
) -> Comparison:
    """Set a score beside that of a comparator, on the indicators that both have.

    shares: as `shares_of` returns them; own: the published scores of indicators
    market: the values that stand for the period
    published: one's own score of the whole; it serves where every indicator is compared
    aggregation: of `sqcore.stats.composite.Aggregation`, that of the system
    returns: Comparison. Each side is the weighted mean of its scores, the weights renormalised
        over what both have; below 60 % of the weight nothing is said. The interval of a side is
        the widest that any correlation between its indicators could give it.
    assumes: own and market independent; where one's own is part of the market's figure, the true
        difference is larger
    """
    pairs = tuple(
        Pair(
            leaf, weight, own[code], market[code],
            points_of(leaf, market[code]), market[code].has_interval,
        )
        for code, (leaf, weight) in shares.items()
        if code in own and code in market
    )  # fmt: skip
    coverage = sum(pair.weight for pair in pairs)
    if not pairs:
        return Comparison(Standing.NOTHING, 0.0)
    if coverage < LEAST_COVERAGE - 1e-9:
        return Comparison(Standing.COVERAGE, coverage, pairs)
    mine = _together(pairs, [(pair.own.score, pair.own.bounded) for pair in pairs], aggregation)
    if published is not None and len(pairs) == len(shares):
        mine = published
    theirs = _together(
        pairs,
        [(pair.market.value, pair.market if pair.market_is_sure else None) for pair in pairs],
        aggregation,
    )
    return Comparison(
        Standing.SHOWN, min(coverage, 1.0), pairs, mine, theirs, _difference(mine, theirs)
    )


def _together(
    pairs: Sequence[Pair], sides: Sequence[tuple[float, Bounded | None]], aggregation: str
) -> OwnScore:
    """Return the score of a side over what is compared, with the widest interval it can have."""
    weights = [pair.weight for pair in pairs]
    value = _aggregate([score for score, _ends in sides], weights, aggregation)
    ends = [each for _score, each in sides if each is not None]
    if len(ends) < len(sides):
        return OwnScore(value)
    low = _aggregate([each.low for each in ends], weights, aggregation)
    high = _aggregate([each.high for each in ends], weights, aggregation)
    return OwnScore(value, low, high)


def _aggregate(scores: Sequence[float], weights: Sequence[float], aggregation: str) -> float:
    """Return what points become together, as `sqcore.stats.composite` has it."""
    count = len(scores)
    points = MeanCovariance(
        np.array([scores]), np.zeros((1, count, count)), np.ones((1, count), dtype=np.int64),
        np.ones((1, count)),
    )  # fmt: skip
    found = composite(
        points,
        Goalposts(np.zeros(count), np.full(count, 100.0)),
        weights,
        minimum_coverage=0.0,
        lone=np.ones((1, count), dtype=np.bool_),
        aggregation=aggregation,
    )
    return float(found.estimate.value[0])


def _difference(mine: OwnScore, theirs: OwnScore) -> OwnScore:
    after, before = mine.bounded, theirs.bounded
    if after is None or before is None:
        return OwnScore(mine.score - theirs.score)
    return OwnScore(*difference(after, before))
