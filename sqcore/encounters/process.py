"""The process map of a part of the encounters: which part, read how, and what of it is shown."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from django.db.models import CharField, OuterRef, QuerySet, Subquery, Value
from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period, periods_between, title_of
from sqcore.base.text import in_language
from sqcore.encounters.models import Encounter, Service, Stage
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Segment, Unit
from sqcore.org.queries import UnitTree, in_tree_order, local_day, organisation, tree_on
from sqcore.stats.process import (
    SHOWN_FLOW,
    Bottleneck,
    ProcessMap,
    Shown,
    Times,
    Variant,
    bottleneck,
    filter_edges,
    process_map,
    stretches,
    variants,
)

MOST_READ = 20_000
"""Encounters that a map is drawn from at the most: the latest of the period."""
MOST_DRAWN = 28
"""Moves that are drawn without leaving rare ones out."""
LISTED = 60
"""Periods to choose from at the most: the newest."""
GRAINS = (Grain.MONTH, Grain.QUARTER, Grain.YEAR, Grain.WEEK)
NO_COMPARISON = "none"
PARTS = ("channel", "segment", "service")


@dataclass(frozen=True)
class Part:
    """A channel, a segment or a service to choose."""

    id: int
    code: str
    name: Mapping[str, str]

    def __str__(self) -> str:
        return in_language(self.name)


@dataclass(frozen=True)
class Asked:
    """Which part: codes and keys of periods; empty means all, or the default."""

    unit: str = ""
    grain: str = ""
    period: str = ""
    against: str = ""
    channel: str = ""
    segment: str = ""
    service: str = ""


@dataclass(frozen=True)
class Chosen:
    """The part of the encounters that a map is about, and what else could be chosen.

    unit: None for all units that the asker may see results of; unit_ids: None for no restriction
    listed: the periods of this length that there are encounters in, newest first
    """

    asked: Asked
    period: Period
    against: Period | None
    listed: list[Period]
    unit: Unit | None
    unit_ids: Collection[int] | None
    units: list[tuple[Unit, int]]
    parts: Mapping[str, list[Part]]
    smallest_group: int

    @property
    def title(self) -> str:
        return title_of(self.period)

    def part(self, kind: str) -> Part | None:
        """The chosen channel, segment or service."""
        code = getattr(self.asked, kind)
        return next((part for part in self.parts[kind] if part.code == code), None)


@dataclass(frozen=True)
class Reading:
    """A map with the codes of its stages. How often and how long is told of every stage; what
    followed what only of at least `smallest_group` encounters, for it is a customer's trace."""

    period: Period
    codes: list[str]
    found: ProcessMap
    paths: list[Variant]
    encounters: int
    without_stages: int
    is_cut: bool
    smallest_group: int

    @property
    def is_withheld(self) -> bool:
        """True where there are too few encounters to tell what followed what."""
        return self.found.cases < self.smallest_group

    @property
    def stages(self) -> list[int]:
        """The stages, in the order in which cases come to them."""
        occur = np.flatnonzero(self.found.stages.cases)
        return sorted(occur.tolist(), key=lambda stage: self.found.stages.place[stage])

    @property
    def edges(self) -> list[int]:
        """The moves that are shown, the most frequent first."""
        edges = self.found.edges
        shown = np.flatnonzero(edges.cases >= self.smallest_group)
        return sorted(shown.tolist(), key=lambda edge: -int(edges.n[edge]))

    @cached_property
    def drawn(self) -> Shown:
        """The moves that are drawn: all, where they are few enough to be told apart."""
        flow = 1.0 if len(self.edges) <= MOST_DRAWN else SHOWN_FLOW
        return filter_edges(self.found, flow=flow, fewest=self.smallest_group)

    @property
    def shown_paths(self) -> list[Variant]:
        return [path for path in self.paths if path.n >= self.smallest_group]

    @cached_property
    def bottleneck(self) -> Bottleneck | None:
        return bottleneck(self.found, fewest=self.smallest_group)

    @property
    def stretches(self) -> list[Bottleneck]:
        """What takes time, the largest share first."""
        return stretches(self.found, fewest=self.smallest_group)

    @property
    def share_at_once(self) -> float:
        """The share of the moves between stages of which the next began before the last ended."""
        inner = self.found.edges.source != self.found.arrival
        inner &= self.found.edges.target != self.found.leaving
        moves = int(self.found.edges.n[inner].sum())
        return float(self.found.edges.overlaps.sum()) / moves if moves else 0.0

    def code(self, stage: int) -> str:
        """The code of a stage; nothing for the arrival and the leaving."""
        return self.codes[stage] if stage < len(self.codes) else ""


def choose(*, principal: Principal, asked: Asked, now: datetime) -> Chosen | None:
    """Return what is asked for; None while there is no encounter where the asker may look.

    raises: NotFound for a unit, channel, segment or service that there is not, or not for them;
        InvalidInput for a period that is none
    """
    org = organisation()
    today = local_day(now, org)
    visible = _units_with_days(principal)
    days = [day for unit in visible for day in (unit.first_on, unit.last_on) if day]
    if not days:
        return None
    listed, period = _periods(asked, min(days), max(days), today, org.fiscal_start)
    tree = tree_on(min(period.end - timedelta(days=1), today))
    unit = _unit(visible, asked.unit)
    return Chosen(
        asked=asked,
        period=period,
        against=_against(asked, period, min(days)),
        listed=listed,
        unit=unit,
        unit_ids=_unit_ids(principal, visible, unit, tree),
        units=in_tree_order(visible, tree),
        parts=_parts(asked),
        smallest_group=org.smallest_group,
    )


def _units_with_days(principal: Principal) -> list[Any]:
    """The units whose results the asker may see, each with its first and last day; one query."""
    own = Encounter.objects.filter(unit=OuterRef("pk"))
    return list(
        Unit.objects.visible_to(principal, Permission.VIEW_RESULTS)
        .annotate(
            first_on=Subquery(own.order_by("on").values("on")[:1]),
            last_on=Subquery(own.order_by("-on").values("on")[:1]),
        )
        .order_by("code")
    )


def _periods(
    asked: Asked, first: date, last: date, today: date, fiscal_start: int
) -> tuple[list[Period], Period]:
    """Return the periods to choose from and the chosen one: by default the newest that is over."""
    if asked.period:
        period = Period.parse(asked.period, fiscal_start=fiscal_start)
        grain = period.grain
    else:
        grain = Grain(asked.grain) if asked.grain in GRAINS else GRAINS[0]
    day_after = last + timedelta(days=1)
    listed = [*periods_between(first, day_after, grain, fiscal_start=fiscal_start)][::-1][:LISTED]
    if not asked.period:
        period = next((one for one in listed if one.end <= today), listed[0])
    return listed, period


def _against(asked: Asked, period: Period, first: date) -> Period | None:
    """The period to compare with: the one asked for, else the one before if there is anything."""
    if asked.against == NO_COMPARISON:
        return None
    if asked.against:
        return Period.parse(asked.against, fiscal_start=period.fiscal_start)
    return period.previous if period.previous.end > first else None


def _unit(visible: Iterable[Unit], code: str) -> Unit | None:
    if not code:
        return None
    unit = next((unit for unit in visible if unit.code == code), None)
    if unit is None:
        raise NotFound(_("There is no unit “%(code)s”, or you may not see it.") % {"code": code})
    return unit


def _unit_ids(
    principal: Principal, visible: Iterable[Unit], unit: Unit | None, tree: UnitTree
) -> Collection[int] | None:
    scope = principal.scope(Permission.VIEW_RESULTS)
    if unit is None:
        return None if scope.everywhere else scope.units
    return {found for found in tree.within([unit.pk]) if found in scope}


def _parts(asked: Asked) -> dict[str, list[Part]]:
    """The channels, segments and services there are; one query. raises: NotFound for others"""
    kinds: tuple[tuple[str, QuerySet[Any]], ...] = (
        ("channel", Channel.objects.all()),
        ("segment", Segment.objects.all()),
        ("service", Service.objects.all()),
    )
    first, *rest = (
        rows.order_by().values_list(
            Value(kind, output_field=CharField()), "position", "code", "name", "id"
        )
        for kind, rows in kinds
    )
    found: dict[str, list[Part]] = {kind: [] for kind in PARTS}
    for kind, _position, code, name, pk in sorted(first.union(*rest, all=True), key=_in_order):
        found[kind].append(Part(pk, code, name))
    for kind, parts in found.items():
        code = getattr(asked, kind)
        if code and code not in {part.code for part in parts}:
            raise NotFound(_("There is no “%(code)s” to choose here.") % {"code": code})
    return found


def _in_order(row: Sequence[Any]) -> tuple[int, str]:
    return row[1], row[2]


def read(chosen: Chosen, period: Period | None = None) -> Reading:
    """Return the map of the chosen encounters of a period (default: the chosen one). One query."""
    period = period or chosen.period
    rows = Encounter.objects.filter(on__gte=period.start, on__lt=period.end)
    if chosen.unit_ids is not None:
        rows = rows.filter(unit_id__in=list(chosen.unit_ids))
    for kind in PARTS:
        if part := chosen.part(kind):
            rows = rows.filter(**{f"{kind}_id": part.id})
    newest = rows.order_by("-on", "-id").values_list("steps", flat=True)[: MOST_READ + 1]
    found = list(newest)
    return reading_of(
        found[:MOST_READ],
        period=period,
        is_cut=len(found) > MOST_READ,
        smallest_group=chosen.smallest_group,
    )


def reading_of(
    encounters: Sequence[Sequence[Sequence[Any]]],
    *,
    period: Period,
    smallest_group: int,
    is_cut: bool = False,
) -> Reading:
    """Return the map of encounters, each given by its steps as `Encounter.steps` keeps them."""
    codes: dict[str, int] = {}
    rows = [
        (case, codes.setdefault(step[0], len(codes)), step[1], step[2])
        for case, steps in enumerate(encounters)
        for step in steps
    ]
    case = np.array([row[0] for row in rows], dtype=np.int64)
    activity = np.array([row[1] for row in rows], dtype=np.int64)
    start = np.array([row[2] for row in rows], dtype=np.float64)
    end = np.array([row[3] for row in rows], dtype=np.float64)
    # Seconds count from the arrival, so that a stage before it belongs to it.
    arrived = np.minimum(start, 0.0)
    found = process_map(case, activity, start, end, activities=len(codes), arrived=arrived)
    return Reading(
        period=period,
        codes=list(codes),
        found=found,
        paths=variants(case, activity),
        encounters=len(encounters),
        without_stages=len(encounters) - found.cases,
        is_cut=is_cut,
        smallest_group=smallest_group,
    )


def stages_named(codes: Collection[str]) -> dict[str, Stage]:
    """Return these stages by code, as far as there are any."""
    return {stage.code: stage for stage in Stage.objects.filter(code__in=list(codes))}


# As data ----------------------------------------------------------------------------------------


def map_as_json(chosen: Chosen, reading: Reading) -> dict[str, Any]:
    """Return the map with all figures, in seconds; what is not known is None."""
    return {
        "unit": chosen.unit.code if chosen.unit else None,
        "period": reading.period.key,
        **{kind: getattr(chosen.asked, kind) or None for kind in PARTS},
        "is_withheld": reading.is_withheld,
        "encounters": reading.found.cases,
        "is_cut": reading.is_cut,
        "smallest_group": reading.smallest_group,
        "bottleneck": _bottleneck_json(reading),
        "stages": [_stage_json(reading, stage) for stage in reading.stages],
        "moves": [_move_json(reading, edge) for edge in reading.edges],
        "paths": [
            {
                "stages": [reading.code(stage) for stage in path.path],
                "encounters": path.n,
                "share": path.share,
            }
            for path in reading.shown_paths
        ],
    }


def no_map(asked: Asked) -> dict[str, Any]:
    """Return what `map_as_json` returns where there is no encounter at all."""
    return {
        "unit": asked.unit or None,
        "period": None,
        **{kind: getattr(asked, kind) or None for kind in PARTS},
        "is_withheld": False,
        "encounters": 0,
        "is_cut": False,
        "smallest_group": organisation().smallest_group,
        "bottleneck": None,
        "stages": [],
        "moves": [],
        "paths": [],
    }


def _bottleneck_json(reading: Reading) -> dict[str, Any] | None:
    most = reading.bottleneck
    if most is None:
        return None
    source, target = (
        (reading.code(most.stage), None) if most.stage is not None else _ends(reading, most.edge)
    )
    return {
        "kind": "stage" if most.stage is not None else "move",
        "source": source or None,
        "target": target or None,
        "share": most.share,
        "low": _known(most.low),
        "high": _known(most.high),
        "encounters": most.cases,
        "is_clear": most.is_clear,
    }


def _stage_json(reading: Reading, stage: int) -> dict[str, Any]:
    stages = reading.found.stages
    return {
        "stage": reading.code(stage),
        "n": int(stages.n[stage]),
        "encounters": int(stages.cases[stage]),
        "repeated": int(stages.repeated[stage]),
        "handling": _times_json(stages.handling, stage),
    }


def _move_json(reading: Reading, edge: int) -> dict[str, Any]:
    edges = reading.found.edges
    source, target = _ends(reading, edge)
    return {
        "source": source or None,
        "target": target or None,
        "n": int(edges.n[edge]),
        "encounters": int(edges.cases[edge]),
        "overlaps": int(edges.overlaps[edge]),
        "untimed": int(edges.untimed[edge]),
        "wait": _times_json(edges.wait, edge),
    }


def _ends(reading: Reading, edge: int | None) -> tuple[str, str]:
    edges, at = reading.found.edges, edge or 0
    return reading.code(int(edges.source[at])), reading.code(int(edges.target[at]))


def _times_json(times: Times, at: int) -> dict[str, Any]:
    return {
        "n": int(times.n[at]),
        "median_s": _known(times.median[at]),
        "p90_s": _known(times.p90[at]),
        "mean_s": _known(times.mean[at]),
        "low_s": _known(times.low[at]),
        "high_s": _known(times.high[at]),
        "share": _known(times.share[at]) if times.n[at] else None,
        "share_low": _known(times.share_low[at]),
        "share_high": _known(times.share_high[at]),
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
