"""What a version of an indicator system says, as plain values that a run can freeze as JSON."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from sqcore.base.text import TranslatedText, in_language
from sqcore.indicators.models import Dimension, Indicator, SystemVersion, WeightedIndicator
from sqcore.indicators.sources import SOURCES, Counts

COMPOSITE = "composite"
"""The code of the overall score, beside those of dimensions and indicators."""

OVERALL_NAME: TranslatedText = {"en": "Overall quality", "zh-hans": "总体服务质量"}


@dataclass(frozen=True)
class IndicatorDefinition:
    """An indicator in its place: what is asked of which source, its weight and its goalposts.

    With a `formula` it has no source and no measure; what the formula names stands in the system
    or among its `operands`. `target` and `floor` are those of the day, in natural units.
    """

    code: str
    name: TranslatedText
    definition: TranslatedText
    unit_of_measure: str
    direction: str
    statistic: str
    source: str
    measure: str
    weight: float
    worst: float
    best: float
    counts: str = Counts.ANSWERS.value
    formula: str = ""
    stage: str = ""
    target: float | None = None
    floor: float | None = None


@dataclass(frozen=True)
class DimensionDefinition:
    """A named part of quality; `target` in points."""

    code: str
    name: TranslatedText
    weight: float
    dimensions: tuple["DimensionDefinition", ...] = ()
    indicators: tuple[IndicatorDefinition, ...] = ()
    target: float | None = None

    def walk(self) -> Iterator["DimensionDefinition"]:
        """Yield this dimension and all below it, parents first."""
        yield self
        for below in self.dimensions:
            yield from below.walk()


@dataclass(frozen=True)
class SystemDefinition:
    """The tree of a version: dimensions with their indicators, in the order of their pages.

    `operands` are indicators that stand nowhere in the tree and that formulas need. `whole` is
    False where opinions are left out (weeks beside months): then only indicators have figures.
    """

    system: str
    name: TranslatedText
    version: int
    dimensions: tuple[DimensionDefinition, ...]
    operands: tuple[IndicatorDefinition, ...] = ()
    target: float | None = None
    whole: bool = True

    def all_dimensions(self) -> list[DimensionDefinition]:
        return [found for top in self.dimensions for found in top.walk()]

    def all_indicators(self) -> list[IndicatorDefinition]:
        return [found for dimension in self.all_dimensions() for found in dimension.indicators]

    def name_of(self, code: str) -> str:
        """Return what people read for a code, in the active language; the code if it has none."""
        names = {COMPOSITE: OVERALL_NAME}
        names |= {found.code: found.name for found in self.all_dimensions()}
        names |= {found.code: found.name for found in self.all_indicators()}
        return in_language(names.get(code, {"en": code}))

    def indicator(self, code: str) -> IndicatorDefinition | None:
        return next((found for found in self.all_indicators() if found.code == code), None)

    def sources(self) -> list[str]:
        """Return the keys of the sources it draws on, in order, each once."""
        return list(dict.fromkeys(found.source for found in self.all_indicators()))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "SystemDefinition":
        """Rebuild what `as_json` wrote."""
        return cls(
            system=stored["system"],
            name=stored["name"],
            version=stored["version"],
            dimensions=tuple(_dimension(found) for found in stored["dimensions"]),
        )


def _dimension(stored: Mapping[str, Any]) -> DimensionDefinition:
    return DimensionDefinition(
        code=stored["code"],
        name=stored["name"],
        weight=stored["weight"],
        dimensions=tuple(_dimension(found) for found in stored["dimensions"]),
        indicators=tuple(IndicatorDefinition(**found) for found in stored["indicators"]),
    )


def definition_of(version: SystemVersion, *, on: date | None = None) -> SystemDefinition:
    """Return what a version says; with `on`, only the indicators that are valid on that day.

    The weights of siblings are shares of what is left, so that they always sum to 1. A dimension
    without any indicator is left out. Reads two tables, whatever the size of the tree.
    """
    dimensions = list(Dimension.objects.filter(version=version).order_by("position", "id"))
    leaves = [
        leaf
        for leaf in WeightedIndicator.objects.filter(dimension__version=version)
        .select_related("indicator")
        .order_by("position", "id")
        if on is None or leaf.indicator.is_valid_on(on)
    ]
    below: dict[int | None, list[Dimension]] = {}
    for dimension in dimensions:
        below.setdefault(dimension.parent_id, []).append(dimension)
    own: dict[int, list[WeightedIndicator]] = {}
    for leaf in leaves:
        own.setdefault(leaf.dimension_id, []).append(leaf)
    tops = _kept(_branch(dimension, below, own) for dimension in below.get(None, []))
    total = sum(top.weight for top in tops)
    return SystemDefinition(
        system=version.system.code,
        name=version.system.name,
        version=version.number,
        dimensions=tuple(replace(top, weight=top.weight / total) for top in tops),
    )


def _kept(branches: Iterable[DimensionDefinition]) -> list[DimensionDefinition]:
    return [branch for branch in branches if branch.dimensions or branch.indicators]


def _branch(
    dimension: Dimension,
    below: Mapping[int | None, list[Dimension]],
    own: Mapping[int, list[WeightedIndicator]],
) -> DimensionDefinition:
    branches = _kept(_branch(child, below, own) for child in below.get(dimension.pk, []))
    leaves = [_leaf(leaf) for leaf in own.get(dimension.pk, [])]
    total = sum(branch.weight for branch in branches) + sum(leaf.weight for leaf in leaves)
    return DimensionDefinition(
        code=dimension.code,
        name=dimension.name,
        weight=float(dimension.weight),
        dimensions=tuple(replace(branch, weight=branch.weight / total) for branch in branches),
        indicators=tuple(replace(leaf, weight=leaf.weight / total) for leaf in leaves),
    )


def _leaf(leaf: WeightedIndicator) -> IndicatorDefinition:
    indicator = leaf.indicator
    return IndicatorDefinition(
        code=indicator.code,
        name=indicator.name,
        definition=indicator.definition,
        unit_of_measure=indicator.unit_of_measure,
        direction=indicator.direction,
        statistic=indicator.statistic,
        source=indicator.source,
        measure=measure_of(indicator),
        counts=SOURCES[indicator.source].counts.value,
        stage=indicator.stage,
        weight=float(leaf.weight),
        worst=leaf.worst,
        best=leaf.best,
    )


def measure_of(indicator: Indicator) -> str:
    """Return the measure that the indicator asks of its source. raises: InvalidInput"""
    return SOURCES[indicator.source].measure(indicator.parameters)


def source_title(key: str) -> str:
    """Return what people read as the source of a number, also of one that is not installed."""
    return str(SOURCES[key].title) if key in SOURCES else key
