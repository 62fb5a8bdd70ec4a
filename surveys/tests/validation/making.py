"""Answers for tests of validation, in memory: exact where it matters, else of a fixed seed."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from surveys.instruments.codebook import Codebook
from surveys.instruments.models import Item
from surveys.responses.items import ItemAnswers


def item(code: str, dimension: str = "", **over: object) -> Item:
    return Item(code=code, dimension=dimension, text={"en": f"Question {code}"}, **over)


def codebook(*items: Item) -> Codebook:
    return Codebook(1, "visit", items)


def two_dimensions(size: int = 4) -> Codebook:
    """Two dimensions, speed and care, of so many questions each."""
    return codebook(
        *(item(f"s{at}", "speed") for at in range(size)),
        *(item(f"c{at}", "care") for at in range(size)),
    )


def answers_of(book: Codebook, packed: npt.ArrayLike) -> ItemAnswers:
    rows = np.asarray(packed, dtype=np.uint8).reshape(-1, len(book.scored))
    nobody = np.zeros(len(rows), dtype=np.int64)
    return ItemAnswers(
        codebook=book,
        unit=nobody + 1,
        channel=nobody,
        segment=nobody,
        weight=np.ones(len(rows)),
        bucket=nobody,
        packed=rows,
        response=np.arange(1, len(rows) + 1, dtype=np.int64),
    )


def drawn(
    people: int = 400,
    *,
    size: int = 4,
    between: float = 0.3,
    own: float = 0.6,
    seed: int = 5,
    middle: float = 4.0,
) -> npt.NDArray[np.uint8]:
    """Answers to two dimensions that go together by `between`; `own` is the spread of questions."""
    generator = np.random.default_rng(seed)
    factors = generator.multivariate_normal([0, 0], [[1, between], [between, 1]], people)
    values = np.repeat(factors, size, axis=1) + own * generator.normal(size=(people, 2 * size))
    return np.clip(np.rint(middle + 1.2 * values), 1, 7).astype(np.uint8)


def with_rows(
    packed: npt.NDArray[np.uint8], rows: Sequence[Sequence[int]]
) -> npt.NDArray[np.uint8]:
    return np.concatenate([packed, np.array(rows, dtype=np.uint8)])
