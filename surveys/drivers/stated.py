"""What customers say counts: points that they divide over the dimensions, or ratings of each."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np

from sqcore.stats.arrays import FloatArray
from sqcore.stats.importance import importance_performance
from sqcore.stats.results import MethodStatus
from sqcore.stats.servqual import shared_points
from surveys.drivers.figures import figure_json, rounded
from surveys.drivers.predictors import Predictor, coarse_mean, performance_of, points_of, scaled
from surveys.instruments.codebook import Codebook
from surveys.instruments.models import Item
from surveys.responses.items import ItemAnswers

Json = dict[str, Any]


class How(StrEnum):
    """How importance is known."""

    DERIVED = "derived"
    """By what the outcome hangs on."""
    POINTS = "points"
    """Each divided 100 points over the dimensions."""
    RATING = "rating"
    """Each rated every dimension for itself."""


def stated_items(codebook: Codebook, predictors: Sequence[Predictor]) -> list[Item]:
    """Return the question that asks how much each of these counts, in their order; empty unless
    there is one of each: what is asked of dimensions is not told of their questions."""
    asked = {item.dimension: item for item in codebook.scored if item.role == Item.Role.IMPORTANCE}
    dimensions = [predictor.items[0].dimension for predictor in predictors]
    if len(set(dimensions)) < len(dimensions) or not set(dimensions) <= asked.keys():
        return []
    return [asked[dimension] for dimension in dimensions]


def stated(
    answers: ItemAnswers, level: str, predictors: Sequence[Predictor], *, fewest: int
) -> Json:
    """Return what customers say counts, beside how it is judged; {} where it was not asked.

    fewest: of fewer people who gave points nothing is told
    """
    items = stated_items(answers.codebook, predictors)
    if not items:
        return {}
    how = How.POINTS if items[0].is_points else How.RATING
    given = answers.values([item.code for item in items])
    answered = ~np.isnan(given).all(axis=1)
    counted = _divided(given) if how == How.POINTS else scaled(given, items)
    n = int((~np.isnan(counted)).sum(axis=0).min())
    said: Json = {"how": how.value, "level": level}
    if n < fewest:
        return said | {"status": MethodStatus.INSUFFICIENT_N.value}
    means = [coarse_mean(answers, counted[:, [at]]) for at in range(len(items))]
    performance = performance_of(answers, points_of(answers, predictors))
    placed = importance_performance(performance, [figure for figure, _se in means])
    return said | {
        "status": MethodStatus.OK.value,
        "n": n,
        "left_out": int((answered & np.isnan(counted).all(axis=1)).sum()),
        "cross": {
            "performance": rounded(placed.performance),
            "importance": rounded(placed.importance),
        },
        "things": [
            {
                "code": predictor.code,
                "of": predictor.of,
                "points": figure_json(figure) | {"se": se},
                "performance": figure_json(performance[at]),
                "quadrant": placed.placed[at].quadrant,
                "is_certain": placed.placed[at].certain,
            }
            for at, (predictor, (figure, se)) in enumerate(zip(predictors, means, strict=True))
        ],
    }


def _divided(given: FloatArray) -> FloatArray:
    """Return points that make 100; NaN for who gave none, or miscounted by more than ten. What was
    left open beside 100 points got none of them."""
    return shared_points(np.nan_to_num(given, nan=0.0))
