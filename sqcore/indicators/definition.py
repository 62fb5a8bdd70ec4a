"""What a version of an indicator system says, as plain values that a run can freeze as JSON."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, TypeVar

from django.db.models import Q
from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain
from sqcore.base.text import TranslatedText, in_language
from sqcore.indicators.epochs import Former, as_measured, former_definitions
from sqcore.indicators.models import (
    Dimension,
    Indicator,
    SystemVersion,
    Target,
    WeightedIndicator,
)
from sqcore.indicators.shapes import (
    Aggregation,
    Scoring,
    Shape,
    Shaped,
    is_two_sided,
    scoring_of,
    shape_of,
)
from sqcore.indicators.sources import GROUPED, SOURCES, Counts, HasGroups
from sqcore.stats.formula import parse

COMPOSITE = "composite"
"""The code of the overall score, beside those of dimensions and indicators."""

SPREADS = frozenset({Indicator.Statistic.SPREAD, Indicator.Statistic.ICC})
"""Statistics of groups: how far these lie apart."""

LONGER_THAN_WEEKS = frozenset({Grain.MONTH, Grain.QUARTER, Grain.YEAR})
"""Grains that weeks do not add up to."""

OVERALL_NAME: TranslatedText = {"en": "Overall quality", "zh-hans": "总体服务质量"}


AS_EVER: Mapping[str, Mapping[str, Any]] = {
    "indicator": {"shape": Shape.GOALPOSTS.value, "dead_band": None, "limit": None, "knots": ()},
    "system": {"aggregation": Aggregation.ARITHMETIC.value},
}
"""What is not stored where it says what was always so: a definition that says nothing new keeps the
hash that it had before it could."""


@dataclass(frozen=True)
class IndicatorDefinition(Shaped):
    """An indicator in its place: what is asked of which source, its weight and its goalposts.

    With a `formula` it has no source and no measure; what the formula names stands in the system
    or among its `operands`. `target` and `floor` are those of the day, in natural units; what can
    be too low and too high has none. With the weight 0 it is watched: shown, and in no score.
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

    @property
    def are_opinions(self) -> bool:
        return Counts(self.counts).are_opinions

    @property
    def names(self) -> tuple[str, ...]:
        """The codes that its formula names; none where it has a source."""
        return parse(self.formula).names if self.formula else ()


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
    aggregation: str = Aggregation.ARITHMETIC.value

    def all_dimensions(self) -> list[DimensionDefinition]:
        return [found for top in self.dimensions for found in top.walk()]

    def all_indicators(self) -> list[IndicatorDefinition]:
        """The indicators that stand in the tree: those that have a place on the pages."""
        return [found for dimension in self.all_dimensions() for found in dimension.indicators]

    def everything(self) -> list[IndicatorDefinition]:
        """The indicators of the tree and the operands: all that must have a value."""
        return [*self.all_indicators(), *self.operands]

    def formulas(self) -> list[IndicatorDefinition]:
        """All that has a formula, each after what it names."""
        known = {found.code: found for found in self.everything()}
        ordered: dict[str, IndicatorDefinition] = {}

        def visit(code: str) -> None:
            if code not in ordered and known[code].formula:
                for name in known[code].names:
                    visit(name)
                ordered[code] = known[code]

        for code in known:
            visit(code)
        return list(ordered.values())

    def name_of(self, code: str) -> str:
        """Return what people read for a code, in the active language; the code if it has none."""
        names = {COMPOSITE: OVERALL_NAME}
        names |= {found.code: found.name for found in self.all_dimensions()}
        names |= {found.code: found.name for found in self.everything()}
        return in_language(names.get(code, {"en": code}))

    def indicator(self, code: str) -> IndicatorDefinition | None:
        """Return the indicator or operand of this code."""
        return next((found for found in self.everything() if found.code == code), None)

    def sources(self) -> list[str]:
        """Return the keys of the sources it draws on, in order, each once."""
        return list(dict.fromkeys(found.source for found in self.everything() if found.source))

    @property
    def is_geometric(self) -> bool:
        return self.aggregation == Aggregation.GEOMETRIC

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored, without what is `AS_EVER`."""
        stored = _without_usual(asdict(self), "system")
        stored["dimensions"] = [_dimension_json(found) for found in stored["dimensions"]]
        stored["operands"] = [_without_usual(found, "indicator") for found in stored["operands"]]
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "SystemDefinition":
        """Rebuild what `as_json` wrote, now or before there were targets, formulas and shapes."""
        return cls(
            system=stored["system"],
            name=stored["name"],
            version=stored["version"],
            dimensions=tuple(_dimension(found) for found in stored["dimensions"]),
            operands=tuple(_indicator(found) for found in stored.get("operands", ())),
            target=stored.get("target"),
            whole=stored.get("whole", True),
            aggregation=stored.get("aggregation", Aggregation.ARITHMETIC.value),
        )


def _without_usual(found: Mapping[str, Any], kind: str) -> dict[str, Any]:
    usual = AS_EVER[kind]
    return {key: v for key, v in found.items() if key not in usual or v != usual[key]}


def _dimension_json(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **found,
        "dimensions": [_dimension_json(below) for below in found["dimensions"]],
        "indicators": [_without_usual(leaf, "indicator") for leaf in found["indicators"]],
    }


Weighted = TypeVar("Weighted", DimensionDefinition, IndicatorDefinition)


def _dimension(stored: Mapping[str, Any]) -> DimensionDefinition:
    return DimensionDefinition(
        code=stored["code"],
        name=stored["name"],
        weight=stored["weight"],
        dimensions=tuple(_dimension(found) for found in stored["dimensions"]),
        indicators=tuple(_indicator(found) for found in stored["indicators"]),
        target=stored.get("target"),
    )


def _indicator(stored: Mapping[str, Any]) -> IndicatorDefinition:
    if "worst" in stored:
        knots = tuple((value, points) for value, points in stored.get("knots", ()))
        return IndicatorDefinition(**{**stored, "knots": knots})
    # The goalposts were once called floor and target.
    plain = {key: value for key, value in stored.items() if key not in ("floor", "target")}
    return IndicatorDefinition(**plain, worst=stored["floor"], best=stored["target"])


def counts_of(leaves: Iterable[IndicatorDefinition]) -> str:
    """Return what the n of a score of these indicators counts, those that are watched left out.

    Answers as soon as an opinion is in it. What is measured in several ways is measurements.
    """
    found = {leaf.counts for leaf in leaves if leaf.weight}
    if Counts.ANSWERS.value in found:
        return Counts.ANSWERS.value
    return found.pop() if len(found) == 1 else Counts.MEASUREMENTS.value


def counts_of_code(definition: SystemDefinition, code: str) -> str:
    """Return what the n of an indicator, a dimension or the overall score counts."""
    leaf = definition.indicator(code)
    if leaf is not None:
        return leaf.counts
    if code == COMPOSITE:
        return counts_of(scored_leaves(definition.dimensions))
    return counts_of(
        leaf
        for dimension in definition.all_dimensions()
        if dimension.code == code
        for leaf in scored_leaves([replace(dimension, weight=1.0)])
    )


def scored_leaves(dimensions: Iterable[DimensionDefinition]) -> list[IndicatorDefinition]:
    """Return the indicators that enter the score of these dimensions, each with its weight."""
    return [
        leaf
        for dimension in dimensions
        if dimension.weight
        for leaf in (
            *(leaf for leaf in dimension.indicators if leaf.weight),
            *scored_leaves(dimension.dimensions),
        )
    ]


def definition_of(
    version: SystemVersion, *, on: date | None = None, grain: str | None = None
) -> SystemDefinition:
    """Return what a version says; with `on`, the indicators that are valid on that day, and their
    targets of that day.

    The weights of siblings are shares of what is left, so that they sum to 1 wherever anything
    there counts; where all that is left is watched, they are 0. A dimension without any indicator
    is left out, and so is a formula of which an operand is not valid. By week (`grain`) a version
    that is also evaluated by month is without its opinions and not `whole`. Reads two tables,
    one each for targets and epochs where a day is given, and one for every step of formulas.
    """
    dimensions = list(Dimension.objects.filter(version=version).order_by("position", "id"))
    leaves = list(
        WeightedIndicator.objects.filter(dimension__version=version)
        .select_related("indicator")
        .order_by("position", "id")
    )
    weekly = grain == Grain.WEEK and bool(LONGER_THAN_WEEKS & set(version.grains))
    catalogue = _Catalogue([leaf.indicator for leaf in leaves], on, without_opinions=weekly)
    kept = [leaf for leaf in leaves if catalogue.has(leaf.indicator.code)]
    below: dict[int | None, list[Dimension]] = {}
    for dimension in dimensions:
        below.setdefault(dimension.parent_id, []).append(dimension)
    own: dict[int, list[IndicatorDefinition]] = {}
    for leaf in kept:
        own.setdefault(leaf.dimension_id, []).append(catalogue.leaf(leaf))
    tops = _kept(_branch(dimension, below, own) for dimension in below.get(None, []))
    return SystemDefinition(
        system=version.system.code,
        name=version.system.name,
        version=version.number,
        dimensions=tuple(_shares(tops, sum(top.weight for top in tops))),
        operands=tuple(catalogue.operands([leaf.indicator for leaf in kept])),
        target=version.target,
        whole=not weekly,
        aggregation=version.aggregation,
    )


def _kept(branches: Iterable[DimensionDefinition]) -> list[DimensionDefinition]:
    return [branch for branch in branches if branch.dimensions or branch.indicators]


def _branch(
    dimension: Dimension,
    below: Mapping[int | None, list[Dimension]],
    own: Mapping[int, list[IndicatorDefinition]],
) -> DimensionDefinition:
    branches = _kept(_branch(child, below, own) for child in below.get(dimension.pk, []))
    leaves = own.get(dimension.pk, [])
    total = sum(branch.weight for branch in branches) + sum(leaf.weight for leaf in leaves)
    return DimensionDefinition(
        code=dimension.code,
        name=dimension.name,
        # Where everything in it is only watched, it has nothing to weigh.
        weight=float(dimension.weight) if total else 0.0,
        dimensions=tuple(_shares(branches, total)),
        indicators=tuple(_shares(leaves, total)),
        target=dimension.target,
    )


def _shares(siblings: Sequence[Weighted], total: float) -> Iterator[Weighted]:
    for sibling in siblings:
        yield replace(sibling, weight=sibling.weight / total if total else 0.0)


class _Catalogue:
    """The indicators of a version and all that their formulas need, on a day."""

    def __init__(
        self, indicators: Sequence[Indicator], on: date | None, *, without_opinions: bool
    ) -> None:
        self.on, self.without_opinions = on, without_opinions
        former = former_definitions(on)
        self.found = with_operands(as_measured(indicators, former), former=former)
        self.targets: dict[int, Target] = {}
        if on is not None:
            held = Target.objects.filter(
                Q(valid_to__isnull=True) | Q(valid_to__gt=on),
                indicator__in=[found.pk for found in self.found.values()],
                valid_from__lte=on,
            )
            self.targets = {target.indicator_id: target for target in held}

    def has(self, code: str) -> bool:
        """True when the indicator, and all that it needs, is valid and not left out."""
        indicator = self.found.get(code)
        if indicator is None or not (self.on is None or indicator.is_valid_on(self.on)):
            return False
        if indicator.formula:
            return all(self.has(name) for name in parse(indicator.formula).names)
        return not (self.without_opinions and self.counts(indicator).are_opinions)

    def counts(self, indicator: Indicator) -> Counts:
        """What its n counts; of a formula opinions, if any are in it, else what its first has."""
        if not indicator.formula:
            return SOURCES[indicator.source].counts
        below = [self.counts(self.found[name]) for name in parse(indicator.formula).names]
        return next((counts for counts in below if counts.are_opinions), below[0])

    def operands(self, placed: Sequence[Indicator]) -> list[IndicatorDefinition]:
        """Return what the formulas of those in the tree need and is not there itself."""
        codes = dict.fromkeys(indicator.code for indicator in placed)
        needed = with_operands([self.found[code] for code in codes], among=self.found)
        return [
            self.define(indicator, 0.0, Scoring(*_ends(indicator)))
            for code, indicator in needed.items()
            if code not in codes
        ]

    def leaf(self, leaf: WeightedIndicator) -> IndicatorDefinition:
        return self.define(self.found[leaf.indicator.code], float(leaf.weight), scoring_of(leaf))

    def define(self, indicator: Indicator, weight: float, scoring: Scoring) -> IndicatorDefinition:
        target = None if is_two_sided(scoring) else self.targets.get(indicator.pk)
        return IndicatorDefinition(
            code=indicator.code,
            name=indicator.name,
            definition=indicator.definition,
            unit_of_measure=indicator.unit_of_measure,
            direction=indicator.direction,
            statistic=indicator.statistic,
            source=indicator.source,
            measure="" if indicator.formula else measure_of(indicator),
            counts=self.counts(indicator).value,
            formula=indicator.formula,
            stage=indicator.stage,
            weight=weight,
            worst=scoring.worst,
            best=scoring.best,
            target=None if target is None else target.value,
            floor=None if target is None else target.floor,
            **shape_of(scoring),
        )


def with_operands(
    indicators: Sequence[Indicator],
    among: Mapping[str, Indicator] | None = None,
    former: Former | None = None,
) -> dict[str, Indicator]:
    """Return these indicators by code, followed by all that their formulas name, and theirs.

    `among` are the indicators that are known already; without it the catalogue is read, once for
    every step of formulas in formulas. What is not there is left out. `former` is what some of
    them measured on the day that is meant.
    """
    found = {indicator.code: indicator for indicator in indicators}
    step = list(indicators)
    while step:
        named = [name for each in step if each.formula for name in parse(each.formula).names]
        missing = [name for name in dict.fromkeys(named) if name not in found]
        known = _by_code(missing, former or {}) if among is None else among
        step = [known[name] for name in missing if name in known]
        found |= {indicator.code: indicator for indicator in step}
    return found


def _by_code(codes: Sequence[str], former: Former) -> dict[str, Indicator]:
    if not codes:
        return {}
    found = as_measured(Indicator.objects.filter(code__in=codes), former)
    return {indicator.code: indicator for indicator in found}


def _ends(indicator: Indicator) -> tuple[float, float]:
    """Goalposts of what is never scored."""
    return (0.0, 1.0) if indicator.direction == Indicator.Direction.HIGHER else (1.0, 0.0)


def measure_of(indicator: Indicator) -> str:
    """Return the measure that the indicator asks of its source, with the groups over which its
    spread is taken. raises: InvalidInput"""
    source, parameters = SOURCES[indicator.source], dict(indicator.parameters)
    between = str(parameters.pop("between", ""))
    measure = source.measure(parameters)
    if bool(between) != (indicator.statistic in SPREADS):
        raise InvalidInput(
            _("A spread is taken between groups: give “between” to the statistics “spread” and"
              " “icc”, and to no other.")
        )  # fmt: skip
    if not between:
        return measure
    known = source.groups_of(measure) if isinstance(source, HasGroups) else ()
    if between not in known:
        raise InvalidInput(
            _("The spread of “%(measure)s” cannot be taken between “%(groups)s”; it can be between"
              " %(known)s.")
            % {"measure": measure, "groups": between, "known": ", ".join(known) or "-"}
        )  # fmt: skip
    return f"{measure}{GROUPED}{between}"


def source_title(key: str) -> str:
    """Return what people read as the source of a number, also of one that is not installed."""
    return str(SOURCES[key].title) if key in SOURCES else key
