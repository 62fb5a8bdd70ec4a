"""What customers expect, by dimension, as a kind of analysis of every group.

How that shifts from quarter to quarter is worked out from what is shown, in `surveys.gaps.shifts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from sqcore.stats.gaps import half_mean
from sqcore.stats.results import MethodStatus
from surveys.analyses.port import SMALLEST, Found
from surveys.gaps.kinds import pairs_of
from surveys.instruments.codebook import Codebook
from surveys.instruments.models import Item
from surveys.responses.items import ItemAnswers

EXPECTATIONS = "expectations"
TITLE = _("What customers expect")
FEWEST = 100
"""With fewer, a mean that leaves open what a single person answered would be too coarse."""
TOP = 100.0


@dataclass(frozen=True)
class Expectations:
    """The mean expectation of each dimension, 0 to 100, so coarse that it tells of nobody."""

    key: str = EXPECTATIONS
    title: str | Promise = TITLE
    method: int = 1
    only_whole: bool = False
    fewest: int = FEWEST

    def suits(self, codebook: Codebook) -> bool:
        return bool(pairs_of(codebook))

    def find(self, answers: ItemAnswers, *, k: int = SMALLEST) -> Found:
        pairs = pairs_of(answers.codebook)
        told = [
            _dimension(answers, code, [item for item, _perceived in items], max(self.fewest, k))
            for code, items in pairs.items()
        ]
        if all(each["status"] != MethodStatus.OK for each in told):
            return Found.nothing(MethodStatus.INSUFFICIENT_N)
        return Found(MethodStatus.OK, {"dimensions": told})


def _dimension(
    answers: ItemAnswers, code: str, items: Sequence[Item], fewest: int
) -> dict[str, Any]:
    low = np.array([item.low for item in items], dtype=np.float64)
    high = np.array([item.high for item in items], dtype=np.float64)
    points = half_mean((answers.values([item.code for item in items]) - low) / (high - low) * TOP)
    products = answers.cross_products(points[:, None])
    if products.rows < fewest:
        return {"code": code, "status": MethodStatus.INSUFFICIENT_N.value}
    se = float(np.sqrt(max(products.covariance[0, 0], 0.0) / products.effective))
    step = step_of(products.rows)
    return {
        "code": code,
        "status": MethodStatus.OK.value,
        "n": products.rows,
        "mean": _rounded(round(float(products.mean[0]) / step) * step),
        "se": _rounded(max(ceil(se / step * 10), 1) * step / 10),
        "step": step,
    }


def step_of(n: int) -> float:
    """Return how coarse a mean of 0 to 100 is told: n times half a step is half of the scale.

    >>> [step_of(n) for n in (100, 999, 1000, 25000)]
    [1.0, 1.0, 0.1, 0.01]
    """
    return float(10.0 ** -floor(log10(n / TOP)))


def _rounded(value: float) -> float:
    return round(value, 6)
