"""Ready indicator systems: whole trees with weights, shapes of scores and targets, out of TOML."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, NotFound
from sqcore.base.text import TranslatedText
from sqcore.indicators.shapes import (
    Aggregation,
    Scoring,
    Shape,
    Shaped,
    along,
    by_limit,
    fault_of,
    in_the_middle,
    shape_of,
)
from sqcore.stats.formula import parse

READY = Path(__file__).parent / "ready"


@dataclass(frozen=True)
class ReadyIndicator:
    """An indicator that a ready system brings along; `needs` are the codes that its formula needs,
    in an order in which they can be made."""

    code: str
    name: TranslatedText
    definition: TranslatedText
    unit: str
    direction: str
    statistic: str
    source: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    formula: str = ""
    stage: str = ""
    target: float | None = None
    floor: float | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadyLeaf(Shaped):
    """Its place in the tree. `shape` may be left out for goalposts; `nominal` is given by `best`,
    `tolerance` and perhaps `dead_band`, `target` by `best` and `limit`, `knots` by `knots`."""

    code: str
    weight: Decimal
    worst: float
    best: float


@dataclass(frozen=True)
class ReadyDimension:
    code: str
    name: TranslatedText
    weight: Decimal
    indicators: tuple[ReadyLeaf, ...]
    target: float | None = None


@dataclass(frozen=True)
class ReadyMeasure:
    """What has to be measured: a share, mean or rate in a unit, `every` day or month (weeks do not
    add up to months)."""

    code: str
    name: TranslatedText
    kind: str
    unit: str
    every: str


@dataclass(frozen=True)
class ReadySystem:
    """A system that can be installed: `system` is the code that it then has. `indicators` come in
    an order in which they can be made: what a formula needs stands before it."""

    code: str
    system: str
    name: TranslatedText
    description: TranslatedText
    grains: tuple[str, ...]
    dimensions: tuple[ReadyDimension, ...]
    indicators: tuple[ReadyIndicator, ...]
    measures: tuple[ReadyMeasure, ...]
    target: float | None = None
    aggregation: str = Aggregation.ARITHMETIC.value


@cache
def ready_systems() -> Mapping[str, ReadySystem]:
    """Return the ready systems by code, in the order of their files' names."""
    found = [_system(tomllib.loads(path.read_text())) for path in sorted(READY.glob("*.toml"))]
    return {system.code: system for system in found}


def ready_system(code: str) -> ReadySystem:
    """Return the ready system of this code. raises: NotFound"""
    if code not in ready_systems():
        raise NotFound(_("There is no ready system “%(code)s”.") % {"code": code})
    return ready_systems()[code]


def ready_measures(code: str) -> tuple[ReadyMeasure, ...]:
    """Return the measures that it asks of the source `measurements`. raises: NotFound"""
    return ready_system(code).measures


def _system(given: Mapping[str, Any]) -> ReadySystem:
    rows: list[Mapping[str, Any]] = list(given.get("operands", []))
    rows += [leaf for dimension in given["dimensions"] for leaf in dimension["indicators"]]
    return ReadySystem(
        code=given["code"],
        system=given["system"],
        name=given["name"],
        description=given["description"],
        grains=tuple(given["grains"]),
        target=given.get("target"),
        aggregation=given.get("aggregation", Aggregation.ARITHMETIC.value),
        dimensions=tuple(_dimension(row) for row in given["dimensions"]),
        indicators=tuple(_in_order_of_need([_indicator(row) for row in rows])),
        measures=tuple(ReadyMeasure(**row) for row in given.get("measures", [])),
    )


def _dimension(row: Mapping[str, Any]) -> ReadyDimension:
    return ReadyDimension(
        code=row["code"],
        name=row["name"],
        weight=Decimal(row["weight"]),
        target=row.get("target"),
        indicators=tuple(_leaf(leaf) for leaf in row["indicators"]),
    )


def _leaf(row: Mapping[str, Any]) -> ReadyLeaf:
    found = _scoring(row)
    fault = fault_of(found)
    if fault is not None:
        raise InvalidInput(f"{row['code']}, {fault[0]}: {fault[1]}")
    weight = Decimal(row["weight"])
    return ReadyLeaf(row["code"], weight, found.worst, found.best, **shape_of(found))


def _scoring(row: Mapping[str, Any]) -> Scoring:
    shape = row.get("shape", Shape.GOALPOSTS.value)
    if shape == Shape.NOMINAL:
        rising = row["direction"] == "higher"
        band = row.get("dead_band", 0.0)
        return in_the_middle(row["best"], row["tolerance"], band, rising=rising)
    if shape == Shape.TARGET:
        return by_limit(row["best"], row["limit"])
    if shape == Shape.KNOTS:
        return along(row["knots"])
    return Scoring(row["worst"], row["best"], shape=shape)


def _indicator(row: Mapping[str, Any]) -> ReadyIndicator:
    places = {"weight", "worst", "best", "shape", "tolerance", "dead_band", "limit", "knots"}
    return ReadyIndicator(**{key: value for key, value in row.items() if key not in places})


def _in_order_of_need(indicators: Sequence[ReadyIndicator]) -> list[ReadyIndicator]:
    known = {indicator.code: indicator for indicator in indicators}
    ordered: dict[str, ReadyIndicator] = {}

    def visit(code: str) -> None:
        if code in ordered:
            return
        one = known[code]
        needs: dict[str, None] = {}
        for name in parse(one.formula).names if one.formula else ():
            visit(name)
            needs |= dict.fromkeys((*ordered[name].needs, name))
        ordered[code] = ReadyIndicator(**{**vars(one), "needs": tuple(needs)})

    for code in known:
        visit(code)
    return list(ordered.values())
