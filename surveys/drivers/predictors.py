"""What an outcome may hang on: the questions of a questionnaire, or their dimensions, 0 to 100."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import floor, log10

import numpy as np

from sqcore.stats.arrays import FloatArray
from sqcore.stats.estimates import interval_of
from sqcore.stats.gaps import half_mean
from sqcore.stats.results import Figure, MethodStatus
from surveys.instruments.codebook import Codebook
from surveys.instruments.models import Item
from surveys.responses.items import ItemAnswers

DIMENSION, ITEM = "dimension", "item"
POINTS = (0.0, 100.0)


@dataclass(frozen=True)
class Predictor:
    """A dimension with its questions, or one question; `of` says which of the two."""

    code: str
    of: str
    items: tuple[Item, ...]


def outcomes_of(codebook: Codebook) -> list[Item]:
    """Return the questions that ask for the outcome, in their order."""
    return [item for item in codebook.scored if item.role == Item.Role.OUTCOME]


def perceptions_of(codebook: Codebook) -> list[Item]:
    return [item for item in codebook.scored if item.role == Item.Role.PERCEPTION]


def by_item(codebook: Codebook) -> list[Predictor]:
    return [Predictor(item.code, ITEM, (item,)) for item in perceptions_of(codebook)]


def by_dimension(codebook: Codebook) -> list[Predictor]:
    """Return the dimensions in their order; a question of no dimension stands for itself."""
    items = perceptions_of(codebook)
    first = {item.dimension: at for at, item in reversed(list(enumerate(items)))}
    ordered = sorted(items, key=lambda item: first[item.dimension])
    return list(_dimensions(ordered))


def _dimensions(items: Sequence[Item]) -> Iterator[Predictor]:
    for dimension, members in groupby(items, key=lambda item: item.dimension):
        if dimension:
            yield Predictor(dimension, DIMENSION, tuple(members))
        else:
            yield from (Predictor(item.code, ITEM, (item,)) for item in members)


def levels_of(codebook: Codebook) -> dict[str, list[Predictor]]:
    """Return the ways to ask what matters, each with two predictors or more.

    Dimensions of one question each are these questions.
    """
    items, dimensions = by_item(codebook), by_dimension(codebook)
    found = {}
    if any(len(predictor.items) > 1 for predictor in dimensions):
        found[DIMENSION] = dimensions
    found[ITEM] = items
    return {level: predictors for level, predictors in found.items() if len(predictors) > 1}


def points_of(answers: ItemAnswers, predictors: Sequence[Predictor]) -> FloatArray:
    """Return each respondent's predictors, shape (N, P), 0 to 100; NaN where not known.

    A dimension is the mean of the answered questions, if at least half of them were answered.
    """
    return np.column_stack([_points(answers, predictor) for predictor in predictors])


def _points(answers: ItemAnswers, predictor: Predictor) -> FloatArray:
    values = answers.values([item.code for item in predictor.items])
    return half_mean(scaled(values, predictor.items))


def scaled(values: FloatArray, items: Sequence[Item]) -> FloatArray:
    """Return answers to these items, shape (N, items), from 0 to 100."""
    low = np.array([item.low for item in items], dtype=np.float64)
    high = np.array([item.high for item in items], dtype=np.float64)
    return np.asarray((values - low) / (high - low) * POINTS[1])


def performance_of(answers: ItemAnswers, points: FloatArray) -> list[Figure]:
    """Return the mean of each column over all who have it, with its interval, 0 to 100.

    As coarse as it takes for n times a mean to leave open what any single person answered: who
    subtracts two groups learns nothing of the few between them.
    """
    return [coarse_mean(answers, points[:, [at]])[0] for at in range(points.shape[1])]


def coarse_mean(answers: ItemAnswers, column: FloatArray) -> tuple[Figure, float | None]:
    """Return the mean of one column of 0 to 100, shape (N, 1), and its standard error, both as
    coarse as `performance_of` says."""
    figure, se = _mean(answers, column)
    return _coarse(figure), _coarse_error(se, figure.n)


def _coarse(figure: Figure) -> Figure:
    """Round a mean of 0 to 100 so that n times half a step is at least half of the scale.

    >>> _coarse(Figure(74.2845, 73.7117, 74.8573, 3734)).value
    74.3
    >>> _coarse(Figure(48.4784, 46.2, 50.7, 701)).value
    48.0
    """
    if figure.value is None:
        return figure
    decimals = floor(log10(figure.n / POINTS[1]))

    def rounded(number: float | None) -> float | None:
        return None if number is None else round(number, decimals)

    return replace(
        figure,
        value=rounded(figure.value),
        low=rounded(figure.low),
        high=rounded(figure.high),
    )


def _coarse_error(se: float | None, n: int) -> float | None:
    """Round a standard error so that n^2 se^2, a sum of squares, is unsure by half of what a single
    answer can add to it.

    >>> _coarse_error(0.2471, 3734), _coarse_error(0.7533, 400)
    (0.25, 0.8)
    """
    if not se:
        return se
    return round(se, floor(log10(2 * n**2 * se / POINTS[1] ** 2)))


def _mean(answers: ItemAnswers, column: FloatArray) -> tuple[Figure, float | None]:
    products = answers.cross_products(column)
    if products.rows < 2:
        return Figure.none(MethodStatus.INSUFFICIENT_N, n=products.rows), None
    mean, effective = float(products.mean[0]), products.effective
    # A mean of equal answers leaves less than nothing by rounding.
    se = float(np.sqrt(max(products.covariance[0, 0], 0.0) / effective))
    found = interval_of([mean], [se], [products.rows], [effective], bounds=POINTS)
    low, high = float(found.low[0]), float(found.high[0])
    if not np.isfinite([low, high]).all():
        return Figure(mean, None, None, products.rows), se
    return Figure(mean, low, high, products.rows), se
