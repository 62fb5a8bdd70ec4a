"""Figures in their places: in the tree of a system, and in the tree of the units."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_language
from sqcore.evaluation.changes import Comparison, asked_alike, plain_change, shape_of
from sqcore.evaluation.figures import Change, Figure, Line, Provenance, Standing, UnitLine
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.indicators.definition import (
    COMPOSITE,
    DimensionDefinition,
    SystemDefinition,
    source_title,
)
from sqcore.org.queries import fiscal_start


class UnitName(NamedTuple):
    """How a unit is called, and where it stands among its siblings: by position, then by code."""

    position: int
    code: str
    name: str


NAMELESS = UnitName(0, "", "")
UNIT_FIELDS = ("unit__position", "unit__code", "unit__name")


def unit_name(row: Mapping[str, Any]) -> UnitName:
    """Return the name in a row of values with UNIT_FIELDS."""
    return UnitName(row["unit__position"], row["unit__code"], in_language(row["unit__name"]))


@dataclass(frozen=True)
class Compared:
    """Units in the order of the tree, each with its change."""

    names: Mapping[int, UnitName]
    parents: Mapping[int, int | None]
    definition: SystemDefinition
    former: SystemDefinition | None

    def lines(
        self,
        now: Mapping[int, Figure],
        then: Mapping[int, Figure],
        *,
        only: Collection[int] | None = None,
    ) -> list[UnitLine]:
        same = self.former is not None and shape_of(self.former) == shape_of(self.definition)
        return [
            UnitLine(
                unit_id=unit_id,
                code=self.names[unit_id].code,
                name=self.names[unit_id].name,
                depth=depth,
                parent_id=self.parents.get(unit_id),
                figure=now[unit_id],
                change=self._change(now[unit_id], then.get(unit_id), same=same),
            )
            for unit_id, depth in _in_tree_order(self.parents, self.names)
            if unit_id in now and (only is None or unit_id in only)
        ]

    def _change(self, now: Figure, then: Figure | None, *, same: bool) -> Change | None:
        is_leaf = self.definition.indicator(now.code) is not None
        if is_leaf and not asked_alike(self.former, self.definition, now.code):
            return None
        return plain_change(now, then, self.definition, same=same)


def standing_of(
    unit_id: int,
    run: EvaluationRun,
    definition: SystemDefinition,
    former: SystemDefinition | None,
    now: Mapping[str, Figure],
    then: Mapping[str, Figure],
) -> Standing:
    compare = Comparison(definition, former, now, then)
    provenance = provenance_of(run, definition, fiscal_start())
    return Standing(
        unit_id=unit_id,
        period=provenance.period,
        run=provenance,
        composite=Line(
            code=COMPOSITE,
            name=definition.name_of(COMPOSITE),
            kind=KpiValue.Kind.COMPOSITE,
            weight=1.0,
            figure=now.get(COMPOSITE),
            change=compare.aggregate(COMPOSITE, definition.dimensions),
        ),
        dimensions=tuple(_line(found, now, compare) for found in definition.dimensions),
    )


def definition_at(run: EvaluationRun | None) -> SystemDefinition | None:
    return None if run is None else SystemDefinition.from_json(run.definition)


def parents_at(run: EvaluationRun) -> dict[int, int | None]:
    return {int(unit): parent for unit, parent in run.tree.items()}


def _in_tree_order(
    parents: Mapping[int, int | None], names: Mapping[int, UnitName]
) -> Iterable[tuple[int, int]]:
    """Yield (unit, depth), parents before children, siblings in the order of the units."""
    below: dict[int | None, list[int]] = {}
    for unit, parent in parents.items():
        below.setdefault(parent, []).append(unit)

    def walk(at: int | None, depth: int) -> Iterable[tuple[int, int]]:
        for unit in sorted(below.get(at, []), key=lambda u: names.get(u, NAMELESS)):
            if unit in names:
                yield unit, depth
            yield from walk(unit, depth + 1)

    yield from walk(None, 0)


def _line(dimension: DimensionDefinition, now: Mapping[str, Figure], compare: Comparison) -> Line:
    leaves = [
        Line(
            code=leaf.code,
            name=in_language(leaf.name),
            kind=KpiValue.Kind.INDICATOR,
            weight=leaf.weight,
            figure=now.get(leaf.code),
            change=compare.indicator(leaf),
            indicator=leaf,
            is_redefined=compare.is_redefined(leaf.code),
        )
        for leaf in dimension.indicators
    ]
    return Line(
        code=dimension.code,
        name=in_language(dimension.name),
        kind=KpiValue.Kind.DIMENSION,
        weight=dimension.weight,
        figure=now.get(dimension.code),
        change=compare.aggregate(dimension.code, [dimension]),
        children=(*(_line(below, now, compare) for below in dimension.dimensions), *leaves),
    )


def provenance_of(
    run: EvaluationRun, definition: SystemDefinition, fiscal_start: int
) -> Provenance:
    return Provenance(
        run_id=run.pk,
        revision=run.revision,
        period=Period(run.starts_on, Grain(run.grain), fiscal_start),
        system=in_language(definition.name),
        version=definition.version,
        reason=run.get_reason_display(),
        collected_at=run.collected_at,
        published_at=run.published_at,
        sources=tuple(source_title(key) for key in definition.sources()),
        respondents=run.respondents,
        smallest_group=run.policy["smallest_group"],
        coverage=run.policy["coverage"],
        confidence=run.policy["confidence"],
        input_digest=run.input_digest,
        result_digest=run.result_digest,
        libraries=run.libraries,
        definition=definition,
    )
