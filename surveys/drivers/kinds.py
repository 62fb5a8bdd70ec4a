"""The kinds of analyses of this room: what an outcome hangs on, and what is wanted at all.

What they find is JSON; docs/howto/read-drivers.md says what stands in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from sqcore.stats.arrays import FloatArray
from sqcore.stats.drivers import drivers
from sqcore.stats.importance import PenaltyReward, importance_performance, penalty_reward
from sqcore.stats.kano import kano
from sqcore.stats.ordinal import Ordinal, proportional_odds
from sqcore.stats.results import MethodStatus
from surveys.analyses.port import SMALLEST, Found
from surveys.drivers.figures import figure_json, rounded
from surveys.drivers.predictors import (
    Predictor,
    levels_of,
    outcomes_of,
    performance_of,
    points_of,
)
from surveys.drivers.stated import stated
from surveys.instruments.codebook import Codebook
from surveys.instruments.models import Item
from surveys.responses.items import ItemAnswers

DRIVERS, KANO = "drivers", "kano"
DRIVERS_TITLE = _("What matters")
KANO_TITLE = _("What is taken for granted, what delights")
FEWEST, FEWEST_KANO = 100, 50
KANO_ANSWERS = 5
POINTS_A_STEP = 10.0
"""Odds are told for so many points more, of 100."""
MOST_BY_STEPS = 20_000
"""An ordinal regression looks at no more people, evenly taken: it is a check of an order."""

Json = dict[str, Any]


@dataclass(frozen=True)
class DriversKind:
    """What each outcome hangs on, by dimension and, where enough answered, by question; beside it
    what customers say counts, where they were asked."""

    key: str = DRIVERS
    title: str | Promise = DRIVERS_TITLE
    method: int = 4
    only_whole: bool = False
    fewest: int = FEWEST

    def suits(self, codebook: Codebook) -> bool:
        return bool(outcomes_of(codebook)) and bool(levels_of(codebook))

    def find(self, answers: ItemAnswers, *, k: int = SMALLEST) -> Found:
        levels = [
            _Level(level, predictors, answers, points_of(answers, predictors), at == 0)
            for at, (level, predictors) in enumerate(levels_of(answers.codebook).items())
        ]
        found = {
            item.code: [level.found(item, k) for level in levels]
            for item in outcomes_of(answers.codebook)
        }
        said = [level["status"] for each in found.values() for level in each]
        if MethodStatus.OK.value not in said:
            return Found.nothing(MethodStatus(said[0]))
        outcomes = [{"code": code, "levels": each} for code, each in found.items()]
        return Found(MethodStatus.OK, {"outcomes": outcomes, **self._stated(answers, k)})

    def _stated(self, answers: ItemAnswers, k: int) -> Json:
        """Return what customers say counts, at the one level that it is asked of; {} if at none."""
        fewest = max(self.fewest, k)
        for level, predictors in levels_of(answers.codebook).items():
            if found := stated(answers, level, predictors, fewest=fewest):
                return {"stated": found}
        return {}


@dataclass(frozen=True, eq=False)
class _Level:
    """One way to ask what matters; `points` are the predictors of all respondents, 0 to 100.

    with_both_sides: penalty and reward are looked at, and what an ordinal regression says; two
        numbers for each of many questions would tell more of chance than of the questions
    """

    level: str
    predictors: Sequence[Predictor]
    answers: ItemAnswers
    points: FloatArray
    with_both_sides: bool

    def found(self, outcome: Item, k: int) -> Json:
        given = self.answers.values([outcome.code])[:, 0]
        products = self.answers.cross_products(np.column_stack([self.points, given]))
        parts = drivers(products)
        said: Json = {"level": self.level, "status": parts.status.value}
        if parts.status != MethodStatus.OK:
            return said
        if parts.n < k:
            return said | {"status": MethodStatus.INSUFFICIENT_N.value}
        performance = performance_of(self.answers, self.points)
        both = penalty_reward(self.points, given) if self.with_both_sides else ()
        placed = importance_performance(performance, parts.parts)
        steps = self._steps(given) if self.with_both_sides else None
        return said | {
            "n": parts.n,
            "left_out": products.left_out,
            "r2": figure_json(parts.r2),
            "repeat_each_other": parts.collinear,
            "cross": {
                "performance": rounded(placed.performance),
                "importance": rounded(placed.importance),
            },
            **({"ordinal": _ordinal(steps)} if steps else {}),
            "drivers": [
                {
                    "code": predictor.code,
                    "of": predictor.of,
                    "share": figure_json(parts.parts[at]),
                    "sign": parts.signs[at],
                    "performance": figure_json(performance[at]),
                    "quadrant": placed.placed[at].quadrant,
                    "is_certain": placed.placed[at].certain,
                    **(_both_sides(both[at]) if both else {}),
                    **(_steps_of(steps, at) if steps else {}),
                }
                for at, predictor in enumerate(self.predictors)
            ],
        }

    def _steps(self, given: FloatArray) -> "_Steps":
        """Return what an ordinal regression says of who answered all of it: of ten points more."""
        whole = np.flatnonzero(~np.isnan(np.column_stack([self.points, given])).any(axis=1))
        taken = whole[:: -(-len(whole) // MOST_BY_STEPS) or 1]
        x = self.points[taken] / POINTS_A_STEP
        found = proportional_odds(x, given[taken].astype(np.int64))
        strength = [
            abs(slope.value or 0.0) * float(spread)
            for slope, spread in zip(found.slopes, x.std(axis=0), strict=True)
        ]
        order = sorted(range(len(strength)), key=lambda at: (-strength[at], at))
        return _Steps(found, [order.index(at) + 1 for at in range(len(order))])


@dataclass(frozen=True)
class _Steps:
    """An ordinal regression, and the place of each predictor in its order."""

    found: Ordinal
    places: Sequence[int]


def _ordinal(steps: _Steps) -> Json:
    found = steps.found
    return {
        "status": found.status.value,
        "n": found.n,
        "alike": {
            "status": found.parallel.status.value,
            "chi2": rounded(found.parallel.chi2),
            "df": found.parallel.df,
            "p": rounded(found.parallel.p),
        },
    }


def _steps_of(steps: _Steps, at: int) -> Json:
    ratio = steps.found.odds_ratios[at]
    return {
        "odds": figure_json(ratio),
        "odds_place": steps.places[at] if ratio.value is not None else None,
        "alike_p": rounded(steps.found.parallel.columns[at]),
    }


def _both_sides(found: PenaltyReward) -> Json:
    return {
        "penalty": figure_json(found.penalty),
        "reward": figure_json(found.reward),
        "asymmetry": figure_json(found.asymmetry),
        "effect": found.kind,
    }


@dataclass(frozen=True)
class KanoKind:
    """What customers take for granted, ask for and are delighted by, by Kano's two questions."""

    key: str = KANO
    title: str | Promise = KANO_TITLE
    method: int = 2
    only_whole: bool = True
    fewest: int = FEWEST_KANO

    def suits(self, codebook: Codebook) -> bool:
        return bool(kano_pairs(codebook))

    def find(self, answers: ItemAnswers, *, k: int = SMALLEST) -> Found:
        fewest = max(self.fewest, k)
        pairs = [_pair(answers, item, fewest) for item in kano_pairs(answers.codebook)]
        if all(pair["status"] != MethodStatus.OK for pair in pairs):
            return Found.nothing(MethodStatus(pairs[0]["status"]))
        return Found(MethodStatus.OK, {"pairs": pairs})


def kano_pairs(codebook: Codebook) -> list[Item]:
    """Return the questions “if it were there”; each names the other one in `pair`."""
    return [item for item in codebook.scored if item.role == Item.Role.PRESENT]


def _pair(answers: ItemAnswers, item: Item, fewest: int) -> Json:
    given = answers.values([item.code, item.pair])
    both = given[~np.isnan(given).any(axis=1)].astype(np.int64) - 1
    said: Json = {"code": item.code}
    if len(both) < fewest:
        return said | {"status": MethodStatus.INSUFFICIENT_N.value}
    table = np.zeros((KANO_ANSWERS, KANO_ANSWERS), dtype=np.int64)
    np.add.at(table, (both[:, 0], both[:, 1]), 1)
    found = kano(table)
    return said | {
        "status": found.status.value,
        "n": found.n,
        "category": found.category,
        "second": found.second,
        "shares": {category.value: figure_json(share) for category, share in found.shares.items()},
        "better": figure_json(found.better),
        "worse": figure_json(found.worse),
        "is_mixed": found.mixed,
        "is_questionable": found.questionable,
    }
