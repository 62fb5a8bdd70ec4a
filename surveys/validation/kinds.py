"""The kind of analysis that asks whether a questionnaire is sound. Only for the whole organisation.

What it finds is read by `surveys.validation.verdicts`; docs/howto/judge-a-questionnaire.md says
what each number is for. Nobody's answers are left out of any figure of results for what it finds.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from sqcore.stats.arrays import BoolArray, FloatArray
from sqcore.stats.careless import (
    FEWEST,
    Careless,
    Distances,
    longest_runs,
    mahalanobis,
    straight_lines,
)
from sqcore.stats.cross_products import cross_products
from sqcore.stats.proportions import wilson
from sqcore.stats.psychometrics import (
    Adequacy,
    FactorFit,
    Reliability,
    adequacy,
    factor_fit,
    reliability,
)
from sqcore.stats.results import Figure, MethodStatus
from surveys.analyses.port import SMALLEST, Found
from surveys.analyses.release import LEAST
from surveys.instruments.codebook import MISSING, NOT_APPLICABLE, Codebook
from surveys.instruments.models import Item
from surveys.responses.items import ItemAnswers

VALIDATION = "validation"
TITLE = _("Is the questionnaire sound?")
DIGITS = 6
"""Of stored numbers: what no other machine or library version changes."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Validation:
    """Whether a questionnaire is sound: reliability, dimensions, attention, gaps."""

    key: str = VALIDATION
    title: str | Promise = TITLE
    method: int = 3
    only_whole: bool = True
    fewest: int = LEAST

    def suits(self, codebook: Codebook) -> bool:
        """Whether at least three questions on a scale ask for perceptions."""
        return len(judged(codebook)) >= 3

    def find(self, answers: ItemAnswers, *, k: int = SMALLEST) -> Found:
        sheet = _Sheet(answers, max(LEAST, k))
        values: Json = {
            "all": sheet.part(np.ones(len(answers), dtype=np.bool_)),
            "attentive": sheet.part(~sheet.careless) if sheet.marked_are_many else None,
            "careless": sheet.attention(),
            "questions": list(sheet.questions()),
        }
        return Found(MethodStatus.OK, values)


def judged(codebook: Codebook) -> list[Item]:
    """Return the questions on a scale that ask for perceptions: what a dimension is made of."""
    return [
        item
        for item in codebook.scored
        if item.role == Item.Role.PERCEPTION and item.kind == Item.Kind.SCALE
    ]


def blocks_of(items: Iterable[Item]) -> dict[str, list[str]]:
    """Return the codes of each dimension's questions, in order; dimensions of one are none."""
    blocks: dict[str, list[str]] = {}
    for item in items:
        if item.dimension:
            blocks.setdefault(item.dimension, []).append(item.code)
    return {dimension: codes for dimension, codes in blocks.items() if len(codes) > 1}


class _Sheet:
    """The answers of all, as judged (reversed items turned) and as they were given.

    least: of fewer answers nothing is told
    """

    def __init__(self, answers: ItemAnswers, least: int) -> None:
        self.answers, self.least = answers, least
        self.items = judged(answers.codebook)
        self.codes = [item.code for item in self.items]
        self.values = answers.values(self.codes)
        ends = np.array([float(item.low + item.high) for item in self.items])
        turned = np.array([item.is_reversed for item in self.items])
        self.given = self.values
        if turned.any():
            self.given = self.values.copy()
            self.given[:, turned] = ends[turned] - self.given[:, turned]
        self.blocks = blocks_of(self.items)
        self.column = {code: at for at, code in enumerate(self.codes)}

    def _told(self, figure: Figure) -> Json:
        return _figure(figure, self.least)

    # Attention

    @property
    def longest_fair_run(self) -> int:
        """Half of the questions, and never fewer than an honest person may answer alike."""
        return max(FEWEST, math.ceil(len(self.codes) / 2))

    @cached_property
    def careless(self) -> BoolArray:
        """Who gave the same answer throughout, or too often in a row.

        Not who gave a combination that hardly anybody has: these are often attentive, and alpha
        without them flatters the questionnaire.
        """
        return np.asarray(self._in_a_row | self._straight.flagged)

    @property
    def marked_are_many(self) -> bool:
        """Whether what all say less what the attentive say is nowhere what a few say: the marked
        are many, and in each dimension many or none."""
        marked = ~np.isnan(self.values[self.careless])
        complete = (
            int(marked[:, self._columns(codes)].all(axis=1).sum())
            for codes in (*self.blocks.values(), self.codes)
        )
        are_many = all(count == 0 or count >= self.least for count in complete)
        return bool(len(marked) >= self.least and are_many)

    @cached_property
    def _straight(self) -> Careless:
        return straight_lines(self.given)

    @cached_property
    def _in_a_row(self) -> BoolArray:
        return np.asarray(longest_runs(self.given) >= self.longest_fair_run)

    @cached_property
    def _far(self) -> Distances:
        return mahalanobis(self.values)

    def attention(self) -> Json:
        """Return how many were marked, of those who answered enough to be judged; beside it, how
        many gave an unusual combination of answers."""
        can_be_long = len(self.codes) >= self.longest_fair_run
        answered = (~np.isnan(self.given)).sum(axis=1)
        long_enough, judged_rows = answered >= self.longest_fair_run, answered >= FEWEST
        in_a_row = _share(int(self._in_a_row.sum()), int(long_enough.sum()))
        return {
            "limit": self.longest_fair_run,
            "straight": self._told(self._straight.share),
            "in_a_row": self._told(
                in_a_row if can_be_long else Figure.none(MethodStatus.NOT_APPLICABLE)
            ),
            "unusual": self._told(self._far.share),
            "either": self._told(_share(int(self.careless.sum()), int(judged_rows.sum()))),
        }

    # Reliability and dimensions

    def part(self, keep: BoolArray) -> Json:
        """Return what the answers of some respondents say of the questionnaire."""
        dimensions = [
            {"code": code, **self._together(codes, keep)} for code, codes in self.blocks.items()
        ]
        whole = self._together(self.codes, keep)
        return {
            "people": int(keep.sum()),
            "dimensions": dimensions,
            "whole": whole | self._factors(keep),
        }

    def _columns(self, codes: Sequence[str]) -> list[int]:
        return [self.column[code] for code in codes]

    def _together(self, codes: Sequence[str], keep: BoolArray) -> Json:
        """Return how far these questions belong together, and beside it who answered all alike."""
        columns = self._columns(codes)
        sums = cross_products(_chosen(self.values, keep, columns))
        given = _chosen(self.given, keep, columns)
        found: Json = {
            "n": sums.rows,
            "left_out": sums.left_out,
            "straight": self._told(straight_lines(given, fewest=len(columns)).share),
        }
        del given
        found |= self._ends(columns, keep)
        if sums.rows < self.least:
            nothing = self._told(Figure.none(MethodStatus.INSUFFICIENT_N))
            return found | {"alpha": nothing, "omega": nothing, "items": [], "turn_round": []}
        return found | _reliability(reliability(sums.covariance, sums.rows), codes)

    def _ends(self, columns: Sequence[int], keep: BoolArray) -> Json:
        """Return how many complete respondents gave the lowest, or the highest, throughout."""
        complete = keep.copy()
        for column in columns:
            complete &= ~np.isnan(self.values[:, column])
        found: Json = {}
        for name, end in (("lowest", "low"), ("highest", "high")):
            there = complete.copy()
            for column in columns:
                there &= self.values[:, column] == getattr(self.items[column], end)
            found[name] = self._told(_share(int(there.sum()), int(complete.sum())))
        return found

    def _factors(self, keep: BoolArray) -> Json:
        """Return whether the dimensions fit better than a single one, on questions that are in one.

        Where answers do not suffice, why.
        """
        codes = [code for codes in self.blocks.values() for code in codes]
        factors = [at for at, codes in enumerate(self.blocks.values()) for _code in codes]
        sums = cross_products(_chosen(self.values, keep, self._columns(codes)))
        if sums.rows < self.least or not codes:
            short = MethodStatus.INSUFFICIENT_N if codes else MethodStatus.NOT_APPLICABLE
            nothing = {"status": short.value}
            return {"adequacy": nothing, "one": nothing, "many": nothing}
        covariance, n = sums.covariance, sums.rows
        one = factor_fit(covariance, n, [0] * len(codes))
        several = len(self.blocks) > 1
        many = factor_fit(covariance, n, factors) if several else None
        nothing = {"status": MethodStatus.NOT_APPLICABLE.value}
        return {
            "adequacy": _adequacy(adequacy(covariance, n)),
            "one": _fit(one, codes),
            "many": nothing if many is None else _fit(many, codes),
        }

    # Single questions

    def questions(self) -> Iterable[Json]:
        """Yield, of every scored question, how often it stayed open or reached an end."""
        scored = self.answers.codebook.scored
        for item, column in zip(scored, self.answers.packed.T, strict=True):
            answered = column[column < NOT_APPLICABLE]
            everybody = len(column)
            yield {
                "code": item.code,
                "missing": self._told(_share(int((column == MISSING).sum()), everybody)),
                "not_applicable": self._told(
                    _share(int((column == NOT_APPLICABLE).sum()), everybody)
                ),
                "lowest": self._told(_share(int((answered == item.low).sum()), len(answered))),
                "highest": self._told(_share(int((answered == item.high).sum()), len(answered))),
            }


def _chosen(values: FloatArray, rows: BoolArray, columns: Sequence[int]) -> FloatArray:
    """Return some rows and columns in one copy: of a million answers each copy counts."""
    return (
        values[:, columns]
        if rows.all()
        else values[np.ix_(np.flatnonzero(rows), np.asarray(columns))]
    )


def _share(count: int, n: int) -> Figure:
    if not n:
        return Figure.none(MethodStatus.INSUFFICIENT_N)
    wide = wilson([count], [n])
    return Figure(count / n, float(wide.low[0]), float(wide.high[0]), n)


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(float(number), DIGITS)


def _figure(figure: Figure, least: int = LEAST) -> Json:
    """Return a figure as JSON; of fewer than `least` answers only that they are too few."""
    if figure.status == MethodStatus.OK and figure.n < least:
        figure = Figure.none(MethodStatus.INSUFFICIENT_N)
    return {
        "value": _rounded(figure.value),
        "low": _rounded(figure.low),
        "high": _rounded(figure.high),
        "n": figure.n,
        "status": figure.status.value,
    }


def _reliability(found: Reliability, codes: Sequence[str]) -> Json:
    return {
        "alpha": _figure(found.alpha),
        "standardised": _figure(found.standardised),
        "omega": _figure(found.omega),
        "items": [
            {"code": code, "total": _figure(item.total), "without": _figure(item.alpha_without)}
            for code, item in zip(codes, found.items, strict=True)
        ],
        "turn_round": [codes[at] for at in found.turn_round],
    }


def _adequacy(found: Adequacy) -> Json:
    return {
        "status": found.status.value,
        "kmo": _figure(found.kmo),
        "chi2": _rounded(found.chi2),
        "df": found.df,
        "p": _rounded(found.p),
    }


def _fit(found: FactorFit, codes: Sequence[str]) -> Mapping[str, Any]:
    loadings = [
        {"code": code, "loading": _rounded(loading), "error": _rounded(error)}
        for code, loading, error in zip(codes, found.loadings, found.loading_errors, strict=False)
    ]
    return {
        "status": found.status.value,
        "n": found.n,
        "chi2": _rounded(found.chi2),
        "df": found.df,
        "p": _rounded(found.p),
        "cfi": _rounded(found.cfi),
        "tli": _rounded(found.tli),
        "srmr": _rounded(found.srmr),
        "rmsea": _figure(found.rmsea),
        "loadings": loadings,
        "correlations": _table(found.correlations),
        "errors": _table(found.correlation_errors),
    }


def _table(numbers: FloatArray) -> list[list[float | None]]:
    return [[_rounded(number) for number in row] for row in numbers.tolist()]
