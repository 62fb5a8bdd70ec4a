"""What customers take for granted, ask for and are delighted by: pairs of Kano questions.

docs/methods/kano.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from sqcore.stats.arrays import confidence_level, finite, int64s
from sqcore.stats.errors import StatisticsError
from sqcore.stats.proportions import wilson
from sqcore.stats.results import Figure, MethodStatus

MOST_QUESTIONABLE = 0.10
"""With more contradictions than this the question was not understood."""


class Category(StrEnum):
    """What a feature is to customers; in the order that decides between equal counts."""

    MUST_BE = "M"
    """Taken for granted: missing it annoys, having it goes unnoticed."""
    ONE_DIMENSIONAL = "O"
    """The more, the better."""
    ATTRACTIVE = "A"
    """Nobody misses it, everybody likes it."""
    INDIFFERENT = "I"
    """It does not matter."""
    REVERSE = "R"
    """They would rather not have it."""
    QUESTIONABLE = "Q"
    """Both answers contradict each other."""


EVALUATION = ("QAAAO", "RIIIM", "RIIIM", "RIIIM", "RRRRQ")
"""Row: the answer if the feature is there; column: if it is not. Like, must be, neutral, can live
with it, dislike."""


@dataclass(frozen=True)
class KanoResult:
    """What one feature is to n customers.

    category: the most frequent one; None where nobody answered
    second: the next one, None where all fall into one category
    shares: of each category, 0..1, with their intervals
    better: of those who fall into A, O, M or I the share whom having it makes more satisfied, 0..1
    worse: minus the share whom missing it makes less satisfied, -1..0
    mixed: the two most frequent categories cannot be told apart: name both, or look at segments
    questionable: more than 10 % contradict themselves: ask the question in other words
    """

    category: Category | None
    second: Category | None
    shares: Mapping[Category, Figure]
    better: Figure
    worse: Figure
    mixed: bool
    questionable: bool
    n: int
    status: MethodStatus


def categories(table: npt.ArrayLike) -> dict[Category, int]:
    """Return how many answers fall into each category.

    table: shape (5, 5), counts. Rows: the answer if the feature is there, columns: if it is not;
        both in the order like, must be, neutral, can live with it, dislike
    raises: StatisticsError for another shape, fractions or negative counts
    source: Berger et al. 1993, Center for Quality Management Journal 2(4):3-36

    >>> pairs = np.zeros((5, 5), dtype=int)
    >>> pairs[0, 4], pairs[1, 4], pairs[0, 1] = 6, 9, 2
    >>> {category.value: n for category, n in categories(pairs).items() if n}
    {'M': 9, 'O': 6, 'A': 2}
    """
    finite(table, "table")
    counts = int64s(table, "table")
    if counts.shape != (5, 5):
        raise StatisticsError(f"table must have shape (5, 5), not {counts.shape}")
    if (counts < 0).any():
        raise StatisticsError("counts cannot be negative")
    letters = np.array([list(row) for row in EVALUATION])
    return {category: int(counts[letters == category.value].sum()) for category in Category}


def kano(table: npt.ArrayLike, *, confidence: float = 0.95) -> KanoResult:
    """Return what a feature is to customers, from their pairs of answers.

    table, raises, source: as in `categories`
    returns: as `kano_of_categories`

    >>> pairs = np.zeros((5, 5), dtype=int)
    >>> pairs[0, 4], pairs[1, 4], pairs[0, 1] = 6, 40, 2
    >>> found = kano(pairs)
    >>> found.category.value, round(found.better.value, 2), round(found.worse.value, 2)
    ('M', 0.17, -0.96)
    """
    return kano_of_categories(categories(table), confidence=confidence)


def kano_of_categories(counts: Mapping[Category, int], *, confidence: float = 0.95) -> KanoResult:
    """Return what a feature is to customers, from how many fall into each category.

    counts: by category, 0 or more; one that is left out counts 0
    confidence: in (0, 1), of the Wilson intervals
    returns: KanoResult. Of equal counts the first of M, O, A, I, R, Q is taken. NOT_APPLICABLE
        where nobody answered; better and worse also where all are reverse or questionable
    raises: StatisticsError for negative or fractional counts
    assumes: independent respondents. Fong's comparison is at about 10 % (1.65 standard errors)
    source: Better and Worse, without R and Q: Berger et al. 1993; mixed: Fong 1996, Center for
        Quality of Management Journal 5(3)

    >>> found = kano_of_categories({Category.MUST_BE: 40, Category.ONE_DIMENSIONAL: 35})
    >>> found.category.value, found.second.value, found.mixed
    ('M', 'O', True)
    """
    confidence_level(confidence)
    n_of = dict.fromkeys(Category, 0) | {
        Category(category): int(int64s(count, "counts")) for category, count in counts.items()
    }
    if min(n_of.values()) < 0:
        raise StatisticsError("counts cannot be negative")
    n = sum(n_of.values())
    if n == 0:
        none = Figure.none(MethodStatus.NOT_APPLICABLE)
        shares = dict.fromkeys(Category, none)
        return KanoResult(
            None, None, shares, none, none, False, False, 0, MethodStatus.NOT_APPLICABLE
        )
    # Sorting is stable: of equal counts the earlier category stays first.
    first, second = sorted(Category, key=lambda category: -n_of[category])[:2]
    return KanoResult(
        category=first,
        second=second if n_of[second] else None,
        shares={category: _share(count, n, confidence) for category, count in n_of.items()},
        better=_felt(n_of, Category.ATTRACTIVE, 1, confidence),
        worse=_felt(n_of, Category.MUST_BE, -1, confidence),
        mixed=_is_mixed(n_of[first], n_of[second], n),
        questionable=n_of[Category.QUESTIONABLE] > MOST_QUESTIONABLE * n,
        n=n,
        status=MethodStatus.OK,
    )


def _is_mixed(most: int, next_most: int, n: int) -> bool:
    both = most + next_most
    return next_most > 0 and most - next_most < 1.65 * (both * (2 * n - both) / (2 * n)) ** 0.5


def _felt(n_of: Mapping[Category, int], besides: Category, sign: int, confidence: float) -> Figure:
    """Return the share of O and another category among A, O, M and I, with that sign."""
    four = (
        Category.ATTRACTIVE,
        Category.ONE_DIMENSIONAL,
        Category.MUST_BE,
        Category.INDIFFERENT,
    )
    n = sum(n_of[category] for category in four)
    if n == 0:
        return Figure.none(MethodStatus.NOT_APPLICABLE)
    count = n_of[Category.ONE_DIMENSIONAL] + n_of[besides]
    interval = wilson(count, n, confidence=confidence)
    low, high = sorted((sign * float(interval.low), sign * float(interval.high)))
    return Figure(sign * count / n, low, high, n)


def _share(count: int, n: int, confidence: float) -> Figure:
    interval = wilson(count, n, confidence=confidence)
    return Figure(count / n, float(interval.low), float(interval.high), n)
