"""Reading indicator systems: which version counts, and what it says."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from sqcore.base.errors import NotFound
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import (
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
)
from sqcore.indicators.models import (
    Dimension,
    Indicator,
    IndicatorSystem,
    SystemVersion,
    WeightedIndicator,
)
from sqcore.indicators.sources import SOURCES


def systems(principal: Principal) -> list[IndicatorSystem]:
    """Return the systems that are evaluated, the one defined first at the front."""
    return list(
        IndicatorSystem.objects.visible_to(principal)
        .filter(is_active=True, versions__state=SystemVersion.State.PUBLISHED)
        .order_by("id")
    )


def system_by_code(principal: Principal, code: str) -> IndicatorSystem:
    """Return the system of this code. raises: NotFound"""
    found = IndicatorSystem.objects.visible_to(principal).filter(code=code).first()
    if found is None:
        raise NotFound(f"There is no indicator system “{code}”.")
    return found


def published_versions() -> list[SystemVersion]:
    """Return the published version of every active system, with its system."""
    return list(
        SystemVersion.objects.published()
        .filter(system__is_active=True)
        .select_related("system")
        .order_by("system_id")
    )


def published_version(system: IndicatorSystem) -> SystemVersion | None:
    """Return the version that counts now; None before the first is published."""
    return SystemVersion.objects.published().filter(system=system).select_related("system").first()


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
        weight=float(leaf.weight),
        floor=leaf.floor,
        target=leaf.target,
    )


def measure_of(indicator: Indicator) -> str:
    """Return the measure that the indicator asks of its source. raises: InvalidInput"""
    return SOURCES[indicator.source].measure(indicator.parameters)


def source_title(key: str) -> str:
    """Return what people read as the source of a number, also of one that is not installed."""
    return str(SOURCES[key].title) if key in SOURCES else key


def owner_of(principal: Principal, code: str) -> str:
    """Return the name of who looks after an indicator; empty when nobody does. One query."""
    found = Indicator.objects.visible_to(principal).filter(code=code, owner__isnull=False)
    return found.values_list("owner__name", flat=True).first() or ""
