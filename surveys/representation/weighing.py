"""Answers weighed to a population: both results side by side, as coarse as may be told. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np

from sqcore.stats.arrays import FloatArray, IntArray
from sqcore.stats.estimates import Estimate, means
from sqcore.stats.moments import Moments, moments_of
from sqcore.stats.proportions import proportion
from sqcore.stats.raking import rake
from surveys.analyses.release import LEAST
from surveys.instruments.codebook import Codebook, Measure
from surveys.representation.margins import CROSSED, Margin
from surveys.responses.items import ItemAnswers
from surveys.responses.sums import measure_values

WEIGHT_STEPS = 1000
"""Weights are whole thousandths, so that what was frozen gives the same sums again."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Weighed:
    """found: what may be shown; cells: the frozen weight of each combination of categories, with
    the people in it: [places, thousandths, people]."""

    found: Json
    cells: list[list[Any]]


def weigh(answers: ItemAnswers, margins: Sequence[Margin]) -> Weighed:
    """Return the results of the whole, as they were answered and weighed to these margins.

    answers: LEAST of them at least; their own weights are where raking begins
    """
    raked = rake(
        [margin.code for margin in margins],
        [margin.targets for margin in margins],
        start=answers.weight,
    )
    plain = _whole(answers.weight / answers.weight.mean())
    weights = _whole(raked.weights)
    values, present = measure_values(answers.codebook, answers.packed)
    nobody = np.zeros(len(answers), dtype=np.int64)
    sums = [moments_of(values, present, each, nobody, 1) for each in (plain, weights)]
    largest = float(max(raked.weights.max(), 1.0))
    deff = _rounded_up(raked.deff or 1.0, 0.01)
    found = {
        "deff": deff,
        "effective": floor(len(answers) / deff),
        "off": round(raked.off or 0.0, 3),
        "converged": raked.has_converged,
        "trimmed": round(raked.trimmed, 2),
        "margins": [_margin(margin, len(answers)) for margin in margins],
        "measures": list(_measures(answers.codebook, sums, largest, deff)),
    }
    return Weighed(found, _cells(margins, weights))


def _whole(weights: FloatArray) -> IntArray:
    return np.asarray(np.maximum(np.rint(weights * WEIGHT_STEPS), 1).astype(np.int64))


def _margin(margin: Margin, people: int) -> Json:
    unanswered = {"unanswered": list(margin.unanswered)} if margin.name in CROSSED else {}
    return {
        "margin": margin.name,
        **unanswered,
        "categories": [
            {
                "codes": list(category.codes),
                "population": round(category.population, 3),
                "sample": round(category.people / people, 3),
                "people": category.people,
            }
            for category in margin.categories
        ],
    }


def _cells(margins: Sequence[Margin], weights: IntArray) -> list[list[Any]]:
    """Return each combination of categories that somebody is in, by the weights there."""
    table = np.column_stack([margin.code for margin in margins] + [weights])
    rows, people = np.unique(table, axis=0, return_counts=True)
    return [[row[:-1], row[-1], n] for row, n in zip(rows.tolist(), people.tolist(), strict=True)]


def _measures(
    book: Codebook, sums: Sequence[Moments], largest: float, deff: float
) -> Iterator[Json]:
    estimates = [_estimates(book, each) for each in sums]
    for at, measure in enumerate(book.measures):
        asked = {"measure": measure.key}
        n = int(sums[0].n[0, at])
        if n < LEAST:
            yield {**asked, "n": None, "effective": None, "plain": None, "weighted": None}
            continue
        low, high = _ends(book, measure)
        step = step_of(high - low, n, largest)
        plain, weighted = (_figure(each[at], step) for each in estimates)
        yield {**asked, "n": n, "effective": floor(n / deff), "plain": plain, "weighted": weighted}


def _estimates(book: Codebook, sums: Moments) -> list[Estimate]:
    """Return the mean of each measure on its own scale, with an interval on the effective n."""
    found = []
    for at, measure in enumerate(book.measures):
        low, high = _ends(book, measure)
        unit = 100.0 if measure.kind == "nps" else 1.0
        own = means(sums.select([at]), scale=unit / measure.scale, bounds=(low, high))
        if measure.kind == "top2" and own.n[0, 0]:
            own = proportion(np.clip(own.value, 0.0, 1.0), own.n, own.n_eff)
        found.append(own)
    return found


def _ends(book: Codebook, measure: Measure) -> tuple[float, float]:
    """Return the lowest and the highest value that a measure can have."""
    if measure.kind == "nps":
        return -100.0, 100.0
    if measure.kind == "top2":
        return 0.0, 1.0
    if measure.kind == "index":
        return 0.0, 100.0
    items = [book.scored[column] for column in measure.columns]
    low, high = min(item.low for item in items), max(item.high for item in items)
    return (low - high, high - low) if measure.kind == "gap" else (low, high)


def step_of(span: float, n: int, largest: float) -> float:
    """Return how coarse a mean of n people is told: so that nobody's answer, even with the largest
    weight, shows when two such means are subtracted.

    >>> step_of(6, 500, 1.6), step_of(100, 2000, 3)
    (0.02, 0.2)
    """
    least = span * largest / n
    power = 10.0 ** floor(log10(least))
    return next(
        round(factor * power, 9) for factor in (1, 2, 5, 10) if factor * power >= least * 0.999999
    )


def _figure(estimate: Estimate, step: float) -> Json:
    def told(number: float) -> float | None:
        return round(round(number / step) * step, 6) if np.isfinite(number) else None

    value, low, high = (float(each[0, 0]) for each in (estimate.value, estimate.low, estimate.high))
    return {"value": told(value), "low": told(low), "high": told(high)}


def _rounded_up(number: float, step: float) -> float:
    return round(ceil(number / step - 1e-9) * step, 6)
