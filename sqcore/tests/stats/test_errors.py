"""One sweep over all functions: what breaks a rule is refused by name, never computed."""

from collections.abc import Callable

import numpy as np
import pytest

from sqcore.stats.ahp import Limits, comparison_matrix, group_priorities, random_index
from sqcore.stats.composite import composite, composite_change, independent
from sqcore.stats.consistency import consistency
from sqcore.stats.dimensions import check_units
from sqcore.stats.errors import StatisticsError
from sqcore.stats.estimates import (
    MeanCovariance,
    equal_answers,
    interval_of,
    mean_covariance,
    means,
)
from sqcore.stats.formula import parse
from sqcore.stats.interrupted import interrupted_series
from sqcore.stats.moments import Moments, add, merge, moments_of, no_moments, subtract
from sqcore.stats.proportions import newcombe, nps, proportion, wilson
from sqcore.stats.ranks import places
from sqcore.stats.rates import garwood, rate
from sqcore.stats.scoring import (
    Curve,
    Goalposts,
    aimed,
    goalpost_scores,
    nominal,
    steepness,
    through,
)
from sqcore.stats.servqual import Scores, dimension_scores, gap_scores, overall, weighted_scores
from sqcore.stats.suppression import differences, families_of, keep_former, suppress

ONE, TWO = no_moments(1, 1), no_moments(1, 2)
YES = [[True]]
PART = MeanCovariance(np.ones((1, 1)), np.ones((1, 1, 1)), np.full((1, 1), 9), np.full((1, 1), 9.0))
WIDE = independent(PART, PART)
ENDS = Goalposts(np.array([1.0]), np.array([7.0]))
SCORES = Scores(np.array([[60]]), np.array(YES), 60)
FAMILY = families_of([(0, [1])])

REFUSED: dict[str, Callable[[], object]] = {
    "fractional values": lambda: moments_of([[1.5]], YES, None, [0], 1),
    "text values": lambda: moments_of([["a"]], YES, None, [0], 1),
    "flat values": lambda: moments_of([1], [True], None, [0], 1),
    "presence that is not bool": lambda: moments_of([[1]], [[1]], None, [0], 1),
    "presence of another shape": lambda: moments_of([[1, 2]], YES, None, [0], 1),
    "negative weights": lambda: moments_of([[1]], YES, [-1], [0], 1),
    "fractional weights": lambda: moments_of([[1]], YES, [0.5], [0], 1),
    "weights of another length": lambda: moments_of([[1]], YES, [1, 1], [0], 1),
    "a cell out of range": lambda: moments_of([[1]], YES, None, [1], 1),
    "a negative cell": lambda: moments_of([[1]], YES, None, [-1], 1),
    "a value too large": lambda: moments_of([[94_906_266]], YES, None, [0], 1),
    "a weight too large": lambda: moments_of([[1]], YES, [94_906_266], [0], 1),
    "a sum too large": lambda: moments_of([[94_906_265]] * 1025, YES * 1025, None, [0] * 1025, 1),
    "a weight beyond 64 bits": lambda: moments_of([[1]], YES, np.array([2**63], "u8"), [0], 1),
    "moments of other types": lambda: Moments(*(a.astype(float) for a in vars(ONE).values())),
    "moments that do not fit together": lambda: Moments(
        ONE.n, ONE.respondents, ONE.linear, TWO.products
    ),
    "a negative number of cells": lambda: no_moments(-1, 1),
    "adding other measures": lambda: add(ONE, TWO),
    "subtracting other measures": lambda: subtract(ONE, TWO),
    "a group out of range": lambda: merge(ONE, [1], 1),
    "groups of another length": lambda: merge(ONE, [0, 0], 1),
    "a merged cell out of range": lambda: merge(ONE, [0], 1, cell=[1]),
    "scale 0": lambda: means(ONE, scale=0),
    "scale of another length": lambda: mean_covariance(ONE, scale=[1, 1]),
    "confidence 1": lambda: means(ONE, confidence=1),
    "confidence 0": lambda: interval_of([1.0], [1.0], [9], [9.0], confidence=0),
    "an interval from one": lambda: means(ONE, minimum=1),
    "bounds that meet": lambda: interval_of([1.0], [1.0], [9], [9.0], bounds=(1, 1)),
    "an equal answer beyond its bounds": lambda: equal_answers([8.0], [9], bounds=(1, 7)),
    "equal answers of nobody": lambda: equal_answers([7.0], [0], bounds=(1, 7)),
    "no trials": lambda: wilson([0], [0]),
    "more successes than trials": lambda: wilson([2], [1]),
    "negative successes": lambda: wilson([-1], [1]),
    "NaN successes": lambda: wilson([np.nan], [1]),
    "Wilson confidence": lambda: wilson([1], [1], confidence=95),
    "Newcombe's other group": lambda: newcombe([1], [1], [2], [1]),
    "a share above 1": lambda: proportion([1.1], [9], [9.0]),
    "a share that is NaN": lambda: proportion([np.nan], [9], [9.0]),
    "a share of nobody effective": lambda: proportion([1.0], [9], [0.0]),
    "negative promoters": lambda: nps([-1], [1], [1]),
    "infinite promoters": lambda: nps([np.inf], [1], [1]),
    "an effective size of 0": lambda: nps([1], [1], [1], n_eff=[0]),
    "items that are not integers": lambda: dimension_scores([[0.5]], YES, [0]),
    "items without dimension": lambda: dimension_scores([[1]], YES, [0, 1]),
    "a dimension without items": lambda: dimension_scores([[1]], YES, [1]),
    "a negative dimension": lambda: dimension_scores([[1]], YES, [-1]),
    "no items": lambda: dimension_scores(np.zeros((1, 0), dtype=int), np.zeros((1, 0)), []),
    "an item beyond 32 bits": lambda: dimension_scores([[2**40]], YES, [0]),
    "halves of different shape": lambda: gap_scores([[1]], [[1, 2]], YES, YES, [0]),
    "points of another shape": lambda: weighted_scores(SCORES, [[50, 50]]),
    "points that are NaN": lambda: weighted_scores(SCORES, [[np.nan]]),
    "a fallback of nothing": lambda: weighted_scores(SCORES, [[0]], fallback=[0]),
    "overall without dimensions": lambda: overall(no_moments(1, 0), scale=60),
    "goalposts that meet": lambda: Goalposts(np.array([1.0]), np.array([1.0])),
    "goalposts that are NaN": lambda: Goalposts(np.array([np.nan]), np.array([1.0])),
    "goalposts of two lengths": lambda: Goalposts(np.array([1.0]), np.array([7.0, 7.0])),
    "values without goalposts": lambda: goalpost_scores([1.0, 2.0], ENDS),
    "an infinite value": lambda: goalpost_scores([np.inf], ENDS),
    "a curve of nothing": lambda: Goalposts(ENDS.worst, ENDS.best, {1: nominal(4, 3)}),
    "a tolerance of 0": lambda: nominal(4.0, 0.0),
    "a tolerance that vanishes": lambda: nominal(1e18, 1.0),
    "a dead band as wide as the tolerance": lambda: nominal(4.0, 2.0, 2.0),
    "a dead band below 0": lambda: nominal(4.0, 2.0, -1.0),
    "a target that is its limit": lambda: aimed(5.0, 5.0),
    "a target that is NaN": lambda: aimed(np.nan, 5.0),
    "one knot": lambda: through([(1, 0)]),
    "no knots": lambda: through([]),
    "knots that do not rise": lambda: through([(1, 0), (1, 100)]),
    "a knot beyond 100 points": lambda: through([(1, 0), (2, 101)]),
    "knots of three numbers": lambda: through([(1, 0, 0), (2, 1, 1)]),  # type: ignore[list-item]  # that is what is refused
    "a knot without points": lambda: Curve(np.array([1.0, 2.0]), np.array([0.0])),
    "the logarithm of 0 points": lambda: steepness(nominal(4, 3), [4.0], [1.0], logarithm=True),
    "places of two lengths": lambda: places([1.0, 2.0], [0.5]),
    "a place of what is infinite": lambda: places([np.inf], [0.5]),
    "a place with a negative standard error": lambda: places([1.0, 1.0], [0.5, -0.5]),
    "a place without degrees of freedom": lambda: places([1.0, 1.0], [0.5, 0.5], [3.0, 0.0]),
    "no draws of places": lambda: places([1.0], [0.5], draws=0),
    "places in all draws": lambda: places([1.0], [0.5], share=1.0),
    "an aggregation that is none": lambda: composite(PART, ENDS, [1], aggregation="harmonic"),
    "weights without sum": lambda: composite(PART, ENDS, [0]),
    "a negative weight": lambda: composite(PART, ENDS, [-1]),
    "a weight too many": lambda: composite(PART, ENDS, [1, 1]),
    "coverage above 1": lambda: composite(PART, ENDS, [1], minimum_coverage=60),
    "a change of other indicators": lambda: composite_change(PART, WIDE, ENDS, [1]),
    "no parts": lambda: independent(),
    "a formula that cannot be read": lambda: parse("1 -"),
    "a name without a unit": lambda: check_units(parse("[a]"), {}),
    "a unit that nobody knows": lambda: check_units(parse("[a]"), {"a": "furlongs"}),
    "a name without values": lambda: parse("[a]").evaluate({}, [[[0.0]]]),
    "values of another length": lambda: parse("[a]").evaluate({"a": [1.0, 2.0]}, [[[0.0]]]),
    "an infinite operand": lambda: parse("[a]").evaluate({"a": [np.inf]}, [[[0.0]]]),
    "a covariance of other names": lambda: parse("[a]").evaluate({"a": [1.0]}, np.zeros((1, 2, 2))),
    "a covariance that is NaN": lambda: parse("[a]").evaluate({"a": [1.0]}, [[[np.nan]]]),
    "a comparison out of range": lambda: comparison_matrix({(0, 2): 3}, 2),
    "a comparison with itself": lambda: comparison_matrix({(0, 0): 3}, 2),
    "both directions the same": lambda: comparison_matrix({(0, 1): 3, (1, 0): 3}, 2),
    "a comparison that is NaN": lambda: comparison_matrix({(0, 1): np.nan}, 2),
    "more missing than there is": lambda: random_index(3, missing=4),
    "an index of 16 things": lambda: random_index(16),
    "a limit of 0": lambda: Limits(usual=0),
    "a group of nobody": lambda: group_priorities([]),
    "a group over different things": lambda: group_priorities([[[1]], [[1, 1], [1, 1]]]),
    "a negative exponent": lambda: group_priorities([[[1]], [[1]]], exponents=[2, -1]),
    "exponents of nobody": lambda: group_priorities([[[1]]], exponents=[0]),
    "an exponent too many": lambda: group_priorities([[[1]]], exponents=[1, 1]),
    "a negative count of events": lambda: garwood([-1]),
    "events that are NaN": lambda: garwood([np.nan]),
    "events at a confidence of 1": lambda: garwood([1], confidence=1.0),
    "a negative exposure": lambda: rate([1], [-1.0]),
    "a negative number of records": lambda: rate([1], [1.0], [-1]),
    "a rate by no unit": lambda: rate([1], [1.0], unit=0),
    "a group too few": lambda: composite(
        WIDE, Goalposts(np.zeros(2), np.ones(2)), [1, 1], groups=[0]
    ),
    "lone of another shape": lambda: composite(PART, ENDS, [1], lone=[True]),
    "k below the floor": lambda: suppress([9, 9], FAMILY, k=2),
    "negative counts": lambda: suppress([-1, 0], FAMILY),
    "a cell that is not there": lambda: suppress([9], FAMILY),
    "hidden of another length": lambda: suppress([9, 9], FAMILY, hidden=[True]),
    "new counts of another length": lambda: keep_former([9, 9], [9, 9, 9], FAMILY),
    "changed of another length": lambda: keep_former([9, 9], [9, 9], FAMILY, changed=[True]),
    "published of another length": lambda: differences([9, 9], [True], FAMILY),
    "a group without a value": lambda: consistency([9, 0, 9], [1, 2, 3], [1, 1, 1]),
    "a negative variance inside a group": lambda: consistency([9, 9, 9], [1, 2, 3], [1, -1, 1]),
    "groups and means of different lengths": lambda: consistency([9, 9], [1, 2, 3], [1, 1, 1]),
    "an exposure that is negative": lambda: interrupted_series([1] * 20, [-1] * 20, at=12),
    "something counted in nothing": lambda: interrupted_series([1] * 20, [0] * 20, at=12),
    "a step that nothing precedes": lambda: interrupted_series([1] * 20, [1] * 20, at=0),
    "one group to compare": lambda: consistency([9], [1], [1], least_groups=1),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(case: Callable[[], object]) -> None:
    with pytest.raises(StatisticsError):
        case()
