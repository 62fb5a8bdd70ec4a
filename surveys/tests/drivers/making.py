"""Answers with a planted truth, and analyses of them, for tests."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from sqcore.org.models import Unit
from sqcore.stats.arrays import FloatArray
from sqcore.tests.factories import NOW
from surveys.analyses.models import Analysis
from surveys.drivers.kinds import DriversKind, KanoKind
from surveys.instruments.codebook import MISSING, Codebook
from surveys.instruments.definitions import read_definition
from surveys.instruments.models import InstrumentVersion, Item
from surveys.responses.items import ItemAnswers
from surveys.tests.factories import raw_definition

QUARTER = date(2025, 10, 1)
DIMENSIONS = ("speed", "care", "rooms")
CODES = [f"{dimension}{number}" for dimension in DIMENSIONS for number in (1, 2, 3)]


def raw_visit(
    code: str = "visit", *, outcome: bool = True, points: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Three dimensions of three questions each, and two outcomes; points: on this scale is asked
    how much each dimension counts."""
    items: list[dict[str, Any]] = [
        {"code": item, "dimension": item[:-1], "text": {"en": f"Question {item}"}} for item in CODES
    ]
    if outcome:
        items += [
            {"code": "overall", "role": "outcome", "text": {"en": "All in all"}},
            {"code": "nps", "kind": "nps", "role": "outcome", "text": {"en": "Recommend"}},
        ]
    if points:
        scale = {"role": "importance", "low": points[0], "high": points[1], "allows_na": False}
        items += [
            {"code": f"points-{key}", "dimension": key, "text": {"en": f"How much {key}"}, **scale}
            for key in DIMENSIONS
        ]
    named = [{"code": key, "name": {"en": key.title()}} for key in DIMENSIONS]
    return raw_definition(code, dimensions=named, items=items)


def raw_kano() -> dict[str, Any]:
    """One thing asked by the two questions of Kano's method."""
    ends = {"low": 1, "high": 5}
    items = [
        {"code": "tea", "role": "present", "pair": "no-tea", "text": {"en": "Tea"}, **ends},
        {"code": "no-tea", "role": "absent", "text": {"en": "No tea"}, **ends},
    ]
    return raw_definition("wishes", dimensions=[], items=items)


def codebook(raw: Mapping[str, Any]) -> Codebook:
    """The codebook of a structure, without a database."""
    definition = read_definition(raw)
    items = tuple(
        Item(
            code=item.code, kind=item.kind, role=item.role, dimension=item.dimension,
            pair=item.pair, low=item.low, high=item.high,
        )
        for item in definition.items
    )  # fmt: skip
    return Codebook(1, definition.code, items)


def answers_of(book: Codebook, packed: npt.ArrayLike, weight: float = 1.0) -> ItemAnswers:
    """Answers of so many people about one unit; 255 is no answer."""
    table = np.asarray(packed, dtype=np.uint8)
    size = len(table)
    nobody = np.zeros(size, dtype=np.int64)
    return ItemAnswers(
        codebook=book,
        unit=nobody,
        channel=nobody,
        segment=nobody,
        weight=np.full(size, weight),
        bucket=np.arange(size, dtype=np.int64) % 50,
        packed=table,
        response=np.arange(1, size + 1, dtype=np.int64),
    )


def planted(
    size: int, parts: Sequence[float], *, seed: int = 7, missing: float = 0.0
) -> npt.NDArray[np.uint8]:
    """Answers to `raw_visit` whose outcomes hang on the three dimensions by these parts."""
    generator = np.random.default_rng(seed)
    felt = generator.normal(0, 1, (size, 3))
    noise = generator.normal(0, 0.5, (size, 9))
    items = 4 + np.repeat(felt, 3, axis=1) + noise
    outcome = 4 + felt @ np.asarray(parts) + generator.normal(0, 0.6, size)
    scale = np.clip(np.rint(np.column_stack([items, outcome])), 1, 7)
    nps = np.clip(np.rint(5 + 1.5 * (outcome - 4)), 0, 10)
    table = np.column_stack([scale, nps]).astype(np.uint8)
    table[generator.random(table.shape) < missing] = MISSING
    return table


def divided(size: int, *points: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Points that so many people gave, who take turns."""
    return np.asarray([points[at % len(points)] for at in range(size)], dtype=np.uint8)


def level(found: Mapping[str, Any], outcome: str = "overall", name: str = "dimension") -> Any:
    """What was found for an outcome at a level."""
    levels = next(each for each in found["outcomes"] if each["code"] == outcome)["levels"]
    return next(each for each in levels if each["level"] == name)


def shares(found: Mapping[str, Any]) -> dict[str, tuple[float, float, float]]:
    """(low, value, high) of each driver's share."""
    return {
        driver["code"]: (
            driver["share"]["low"], driver["share"]["value"], driver["share"]["high"]
        )
        for driver in found["drivers"]
    }  # fmt: skip


def correlations(table: FloatArray) -> FloatArray:
    return np.asarray(np.corrcoef(table, rowvar=False))


def make_analysis(
    version: InstrumentVersion,
    unit: Unit,
    parts: Sequence[float] | None,
    *,
    size: int = 400,
    seed: int = 7,
    starts_on: date = QUARTER,
    points: Sequence[Sequence[int]] = (),
    **over: Any,
) -> Analysis:
    """What was found at a unit whose outcome hangs on the dimensions by these parts; None: too
    few answered. points: what people gave who were asked, in turns."""
    row: dict[str, Any] = {"status": "insufficient_n", "n": None, "found": {}}
    if parts is not None:
        book, table = codebook(raw_visit()), planted(size, parts, seed=seed)
        if points:
            book = codebook(raw_visit(points=(0, 100)))
            table = np.column_stack([table, divided(size, *points)])
        found = DriversKind().find(answers_of(book, table))
        row = {"status": found.status.value, "n": size, "found": dict(found.values)}
    place = {"grain": "quarter", "starts_on": starts_on, "unit": unit}
    fields = {"kind": "drivers", "version": version, "made_at": NOW, **place, **row, **over}
    return Analysis.objects.create(**fields)


def make_kano(version: InstrumentVersion, unit: Unit, pairs: npt.ArrayLike) -> Analysis:
    """What was found of the pairs of answers to `raw_kano`."""
    found = KanoKind().find(answers_of(codebook(raw_kano()), pairs))
    return Analysis.objects.create(
        kind="kano",
        version=version,
        grain="quarter",
        starts_on=QUARTER,
        unit=unit,
        status=found.status.value,
        n=len(np.asarray(pairs)) if found.values else None,
        found=dict(found.values),
        made_at=NOW,
    )
