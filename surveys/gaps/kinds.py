"""What customers, managers and contact staff each know of the five gaps, as kinds of analyses.

Each is asked of its own questionnaire, for the whole organisation only. docs/methods/five-gaps.md
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from sqcore.stats.arrays import FloatArray
from sqcore.stats.gaps import (
    CAUSES,
    Gap,
    GapResult,
    Side,
    causes,
    communication_gap,
    delivery_gap,
    half_mean,
    service_gap,
    side_of,
    standards_gap,
)
from sqcore.stats.results import Figure, MethodStatus
from surveys.analyses.port import SMALLEST, Found
from surveys.instruments.codebook import Codebook
from surveys.instruments.models import Item
from surveys.responses.items import ItemAnswers

CUSTOMERS, MANAGERS, STAFF = "gaps-customers", "gaps-managers", "gaps-staff"
"""The kinds; those of the employees are called as the questionnaires that they read."""
TITLE_CUSTOMERS = _("The five gaps: what customers expect and find")
TITLE_MANAGERS = _("The five gaps: what managers believe and set")
TITLE_STAFF = _("The five gaps: what staff can deliver")
BELIEVED = re.compile(r"e[0-9]+")
"""The codes of expectations: managers are asked for them as they think that customers answer."""
DIGITS = 9
FEWEST_EMPLOYEES = 5
"""Employees who must have answered before anything is said, or as many as the smallest group: a
question that fewer of them answered says nothing, however many answered the others."""
Json = dict[str, Any]


@dataclass(frozen=True)
class GapsOfCustomers:
    """What customers expect, and gap 5: what they found against it."""

    key: str = CUSTOMERS
    title: str | Promise = TITLE_CUSTOMERS
    method: int = 2
    only_whole: bool = True
    fewest: int = 30

    def suits(self, codebook: Codebook) -> bool:
        return bool(pairs_of(codebook))

    def find(self, answers: ItemAnswers, *, k: int = SMALLEST) -> Found:
        pairs = pairs_of(answers.codebook)
        scale = _scale(item for dimension in pairs.values() for item, _code in dimension)
        expected, gaps = [], []
        for dimension in pairs.values():
            e = answers.values([item.code for item, _perceived in dimension])
            p = answers.values([perceived for _item, perceived in dimension])
            expected.append(half_mean(e))
            gaps.append(half_mean(p - e))
        fewest = max(self.fewest, k)
        told = by_enough(np.column_stack(expected), fewest)
        judged = by_enough(np.column_stack(gaps), fewest)
        values = {
            "dimensions": list(pairs),
            "scale": list(scale),
            "expectations": _side(side_of(told)),
            "service": _gap(service_gap(judged, scale=scale)),
        }
        return Found(MethodStatus.OK, values)


@dataclass(frozen=True)
class GapsOfManagers:
    """What managers believe that customers expect, gap 2 and gap 4 as they see it, and causes."""

    key: str = MANAGERS
    title: str | Promise = TITLE_MANAGERS
    method: int = 2
    only_whole: bool = True
    fewest: int = FEWEST_EMPLOYEES

    def suits(self, codebook: Codebook) -> bool:
        return codebook.instrument == MANAGERS

    def find(self, answers: ItemAnswers, *, k: int = SMALLEST) -> Found:
        believed = _believed(answers.codebook)
        scale = _scale(item for items in believed.values() for item in items)
        wanted = np.column_stack(
            [half_mean(answers.values([i.code for i in items])) for items in believed.values()]
        )
        fewest = max(self.fewest, k)
        wanted = by_enough(wanted, fewest)
        values = {
            "dimensions": list(believed),
            "scale": list(scale),
            "expectations": _side(side_of(wanted)),
            "standards": _gap(standards_gap(_by_dimension(answers, "standards", believed, fewest))),
            "communication": _gap(
                communication_gap(_by_dimension(answers, "promises", believed, fewest))
            ),
            "causes": _causes(answers, (Gap.KNOWLEDGE, Gap.STANDARDS), fewest),
        }
        return Found(MethodStatus.OK, values)


@dataclass(frozen=True)
class GapsOfStaff:
    """Gaps 3 and 4 as contact staff see them, and causes."""

    key: str = STAFF
    title: str | Promise = TITLE_STAFF
    method: int = 2
    only_whole: bool = True
    fewest: int = FEWEST_EMPLOYEES

    def suits(self, codebook: Codebook) -> bool:
        return codebook.instrument == STAFF

    def find(self, answers: ItemAnswers, *, k: int = SMALLEST) -> Found:
        dimensions = _asked_for(answers.codebook, "standards")
        fewest = max(self.fewest, k)
        values = {
            "dimensions": dimensions,
            "delivery": _gap(delivery_gap(_by_dimension(answers, "standards", dimensions, fewest))),
            "communication": _gap(
                communication_gap(_by_dimension(answers, "promises", dimensions, fewest))
            ),
            "causes": _causes(answers, (Gap.DELIVERY, Gap.COMMUNICATION), fewest),
        }
        return Found(MethodStatus.OK, values)


def by_enough(values: FloatArray, fewest: int) -> FloatArray:
    """Return the columns with at least so many values; of the others nothing is left.

    >>> by_enough(np.array([[1.0, 3.0], [4.0, np.nan]]), 2).tolist()
    [[1.0, nan], [4.0, nan]]
    """
    enough = (~np.isnan(values)).sum(axis=0) >= fewest
    return np.where(enough, values, np.nan)


def pairs_of(codebook: Codebook) -> dict[str, list[tuple[Item, str]]]:
    """Return, by dimension, each expectation with the code of the perception that it belongs to."""
    found: dict[str, list[tuple[Item, str]]] = {}
    for item in codebook.scored:
        if item.role == Item.Role.EXPECTATION and item.pair:
            found.setdefault(item.dimension, []).append((item, item.pair))
    return found


def _believed(codebook: Codebook) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in codebook.scored:
        if BELIEVED.fullmatch(item.code):
            found.setdefault(item.dimension, []).append(item)
    return found


def _asked_for(codebook: Codebook, what: str) -> list[str]:
    return [item.dimension for item in codebook.scored if item.code == f"{what}-{item.dimension}"]


def _by_dimension(
    answers: ItemAnswers, what: str, dimensions: Iterable[str], fewest: int
) -> FloatArray:
    values = answers.values([f"{what}-{dimension}" for dimension in dimensions])
    return by_enough(values, fewest)


def _scale(items: Iterable[Item]) -> tuple[float, float]:
    ends = [(float(item.low), float(item.high)) for item in items]
    return min(low for low, _high in ends), max(high for _low, high in ends)


def _causes(answers: ItemAnswers, gaps: Sequence[Gap], fewest: int) -> Json:
    """Return the likely causes of these gaps; reversed items were turned on the way in."""
    found: Json = {}
    for gap in gaps:
        names = CAUSES[gap]
        asked = [
            (item.code, names.index(name))
            for item in answers.codebook.scored
            if (name := item.dimension.replace("-", "_")) in names
        ]
        # By person first: a cause says nothing, too, while fewer answered half of its questions.
        values = answers.values([code for code, _cause in asked])
        for cause in {cause for _code, cause in asked}:
            columns = [at for at, (_code, each) in enumerate(asked) if each == cause]
            people = int((~np.isnan(half_mean(values[:, columns]))).sum())
            if people < fewest:
                values[:, columns] = np.nan
        found[str(int(gap))] = [
            {"cause": names[each.number], "speaks": each.speaks, **_figure(each.figure)}
            for each in causes(values, [cause for _code, cause in asked])
        ]
    return found


def _side(side: Side) -> Json:
    return {
        "mean": np.round(side.mean, DIGITS).tolist(),
        "covariance": np.round(side.covariance, DIGITS + 3).tolist(),
        "n": side.n.tolist(),
        "n_eff": np.round(side.n_eff, DIGITS).tolist(),
    }


def side_from_json(stored: Mapping[str, Any]) -> Side:
    return Side(
        mean=np.array(stored["mean"], dtype=np.float64),
        covariance=np.array(stored["covariance"], dtype=np.float64),
        n=np.array(stored["n"], dtype=np.int64),
        n_eff=np.array(stored["n_eff"], dtype=np.float64),
    )


def _gap(result: GapResult) -> Json:
    return {
        "dimensions": [_figure(figure) for figure in result.dimensions],
        "overall": _figure(result.overall),
    }


def _figure(figure: Figure) -> Json:
    rounded = {
        name: None if number is None else round(number, DIGITS)
        for name, number in asdict(figure).items()
        if name in ("value", "low", "high")
    }
    # Asked it was: of a question that too few answered the numbers were left out.
    status = figure.status if figure.n else MethodStatus.INSUFFICIENT_N
    return {**rounded, "n": figure.n, "status": status.value}


def figure_from_json(stored: Mapping[str, Any]) -> Figure:
    return Figure(
        stored["value"], stored["low"], stored["high"], stored["n"], MethodStatus(stored["status"])
    )
