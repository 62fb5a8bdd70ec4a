"""Reading populations and weighings: what there is, for whom, and what could be counted."""

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.db.models import Count, QuerySet

from sqcore.base.errors import NotPermitted
from sqcore.base.periods import Grain, Period
from sqcore.encounters.queries import span_sums
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Segment, Unit
from sqcore.org.queries import UnitTree, fiscal_start, local_day
from sqcore.stats.arrays import IntArray
from surveys.analyses.groups import Group, tree_of
from surveys.analyses.models import ShownGroup
from surveys.analyses.models import ids_of as people_of
from surveys.instruments.models import InstrumentVersion
from surveys.invitations.models import Invitation
from surveys.representation.margins import CROSSED, MARGINS, UNKNOWN, parts_of, placed
from surveys.representation.models import Population, Weighing
from surveys.responses.items import ItemAnswers
from surveys.responses.models import RollupMonth

MOST_GROUPS = 1_000_000
"""More groups than a weighing has: they are told apart by a number each."""
GRAINS = (Grain.QUARTER, Grain.YEAR)
Counted = dict[str, dict[str, float]]


def may_see_weighings(principal: Principal) -> bool:
    """Whether somebody sees results of the whole organisation, or runs surveys."""
    everywhere = principal.scope(Permission.VIEW_RESULTS).everywhere
    if everywhere or principal.may(Permission.MANAGE_SURVEYS):
        return True
    return Weighing.objects.visible_to(principal).exists()


def weighings_of(version: InstrumentVersion, *, principal: Principal) -> list[Weighing]:
    """Return the weighings of a version, the latest period first. raises: NotPermitted"""
    if not may_see_weighings(principal):
        raise NotPermitted("How answers were weighed is for who sees all results.")
    rows = Weighing.objects.visible_to(principal).filter(version=version)
    found = rows.select_related("population").defer("weights", "groups").order_by("id")
    return sorted(found, key=lambda row: (period_of(row).end, row.grain), reverse=True)


def period_of(row: Weighing) -> Period:
    return Period(row.starts_on, Grain(row.grain), fiscal_start())


def populations_for(principal: Principal) -> QuerySet[Population]:
    """Return the known populations, the latest first. raises: NotPermitted"""
    principal.require(Permission.MANAGE_SURVEYS)
    rows = Population.objects.visible_to(principal).annotate(used=Count("weighings"))
    return rows.order_by("-stated_on", "-id")


def closed_periods(version: InstrumentVersion, *, now: datetime) -> list[Period]:
    """Return the quarters and years that are over and have answers in the sums, latest first."""
    today, month = local_day(now), fiscal_start()
    months = RollupMonth.objects.filter(version=version).values_list("month", flat=True)
    found = {Period.of(each, grain, fiscal_start=month) for each in months for grain in GRAINS}
    closed = [period for period in found if period.end <= today]
    return sorted(closed, key=lambda period: (period.end, period.grain), reverse=True)


def closed_quarters_and_years(*, now: datetime, count: int = 12) -> list[Period]:
    """Return the last closed quarters, and the years that they end, latest first."""
    month = fiscal_start()
    period = Period.of(local_day(now), Grain.QUARTER, fiscal_start=month).previous
    found = []
    for _each in range(count):
        year = Period.of(period.start, Grain.YEAR, fiscal_start=month)
        found += [year, period] if year.end == period.end else [period]
        period = period.previous
    return found


def shown_before(version: InstrumentVersion, period: Period) -> dict[Group, IntArray]:
    """Return whose answers stood behind each group when it was last shown in this period."""
    row = Weighing.objects.filter(
        version=version, grain=period.grain, starts_on=period.start
    ).first()
    groups: Sequence[Sequence[Any]] = row.groups if row is not None else []
    return {
        Group(int(unit), str(margin), str(value)): people_of(b64decode(packed))
        for unit, margin, value, packed in groups
    }


def weighed_groups(version: InstrumentVersion, period: Period) -> list[ShownGroup]:
    """Return what weighings of the year of a period and of its quarters show, but not of the period
    itself, in the form of what analyses show."""
    year = Period.of(period.start, Grain.YEAR, fiscal_start=period.fiscal_start)
    rows = Weighing.objects.filter(
        version=version, starts_on__gte=year.start, starts_on__lt=year.end
    ).exclude(grain=period.grain, starts_on=period.start)
    return [
        ShownGroup(
            pk=-row.pk * MOST_GROUPS - place,
            version=version,
            grain=row.grain,
            starts_on=row.starts_on,
            unit_id=int(unit),
            margin=str(margin),
            margin_value=str(value),
            revision=1,
            responses=b64decode(packed),
        )
        for row in rows.order_by("id")
        for place, (unit, margin, value, packed) in enumerate(row.groups)
    ]


def weighings_seen(version: InstrumentVersion, period: Period) -> list[tuple[int, str]]:
    """Return which weighings of the year of a period there are: those that it is compared with."""
    year = Period.of(period.start, Grain.YEAR, fiscal_start=period.fiscal_start)
    rows = Weighing.objects.filter(
        version=version, starts_on__gte=year.start, starts_on__lt=year.end
    )
    return list(rows.order_by("id").values_list("id", "digest"))


def ids_of(margin: str, codes: Iterable[str]) -> dict[str, int]:
    """Return the ids of these units, channels or segments by code; those that there are."""
    models = {"unit": Unit, "channel": Channel, "segment": Segment}
    rows = models[margin].objects.filter(code__in=list(codes))  # type: ignore[attr-defined]  # three models with a code
    return dict(rows.values_list("code", "id"))


def codes_of_nothing(margin: str, codes: Iterable[str]) -> list[str]:
    """Return the codes that name no unit, channel or segment, or no cell of them."""
    wanted = list(codes)
    if margin not in CROSSED:
        known = ids_of(margin, wanted)
        return [code for code in wanted if code not in known]
    units, others = (
        ids_of(part, [parts_of(code)[at] for code in wanted])
        for at, part in enumerate(("unit", CROSSED[margin]))
    )
    cells = [(code, *parts_of(code)) for code in wanted]
    return [code for code, unit, other in cells if unit not in units or other not in others]


def belonging(
    margin: str, codes: Sequence[str], answers: ItemAnswers, tree: UnitTree
) -> tuple[IntArray, list[Group]]:
    """Return the place of each respondent's category among the codes, and the group of each code.

    A unit stands for all below it. A code that there is no more has the group of nobody.
    """
    if margin in CROSSED:
        return _crossed(margin, codes, answers, tree)
    known, groups = ids_of(margin, codes), groups_named(margin, codes, tree)
    ids = [known.get(code, 0) for code in codes]
    if margin != "unit":
        values = answers.channel if margin == "channel" else answers.segment
        return placed(np.where(values == 0, UNKNOWN, values), ids), groups
    stated = set(ids)
    units = np.unique(answers.unit)
    above = {
        int(unit): next((each for each in tree.path(int(unit)) if each in stated), UNKNOWN)
        for unit in units
    }
    lifted = np.array([above[int(unit)] for unit in answers.unit], dtype=np.int64)
    return placed(lifted, ids), groups


def _crossed(
    margin: str, codes: Sequence[str], answers: ItemAnswers, tree: UnitTree
) -> tuple[IntArray, list[Group]]:
    units, others = (sorted(set(part)) for part in zip(*map(parts_of, codes), strict=True))
    rows, _groups = belonging("unit", units, answers, tree)
    columns, _groups = belonging(CROSSED[margin], others, answers, tree)
    # The last row and column are of those who belong nowhere: UNKNOWN, -1, finds them.
    places = np.full((len(units) + 1, len(others) + 1), UNKNOWN, dtype=np.int64)
    for at, code in enumerate(codes):
        unit, other = parts_of(code)
        places[units.index(unit), others.index(other)] = at
    return places[rows, columns], groups_named(margin, codes, tree)


def groups_named(margin: str, codes: Sequence[str], tree: UnitTree) -> list[Group]:
    """Return the groups of these categories; of a unit that there is not, that of nobody."""
    if margin in CROSSED:
        known = ids_of("unit", [parts_of(code)[0] for code in codes])
        cells = map(parts_of, codes)
        return [Group(known.get(unit, 0), CROSSED[margin], other) for unit, other in cells]
    if margin != "unit":
        return [Group(tree.roots[0], margin, code) for code in codes]
    known = ids_of(margin, codes)
    return [Group(known.get(code, 0)) for code in codes]


def served_in(period: Period) -> Counted:
    """Return how many encounters there were, by region (units right below the whole), channel and
    segment."""
    cells, moments = span_sums(period.start, period.end)
    counts = moments.respondents.tolist()
    rows = [
        (cell.unit_id, cell.channel_id, cell.segment_id, n)
        for cell, n in zip(cells, counts, strict=True)
    ]
    return _counted(rows, tree_of(period))


def invited_in(version: InstrumentVersion, period: Period) -> Counted:
    """Return how many were invited to answer a version after an encounter of the period."""
    rows = (
        Invitation.objects.filter(
            campaign__version=version,
            plan__isnull=False,
            encounter_on__gte=period.start,
            encounter_on__lt=period.end,
        )
        .order_by()
        .values_list("unit_id", "channel_id", "segment_id")
        .annotate(n=Count("id"))
    )
    return _counted(
        [(unit, channel or 0, segment or 0, n) for unit, channel, segment, n in rows],
        tree_of(period),
    )


def _counted(rows: Sequence[tuple[int, int, int, int]], tree: UnitTree) -> Counted:
    names = {
        margin: dict(model.objects.values_list("id", "code"))
        for margin, model in (("unit", Unit), ("channel", Channel), ("segment", Segment))
    }
    found: dict[str, dict[str, float]] = {}
    for unit, channel, segment, n in rows:
        places = {"unit": _region(unit, tree), "channel": channel, "segment": segment}
        for margin, pk in places.items():
            if code := names[margin].get(pk):
                of = found.setdefault(margin, {})
                of[code] = of.get(code, 0.0) + n
    return {margin: dict(sorted(of.items())) for margin, of in found.items() if len(of) > 1}


def _region(unit: int, tree: UnitTree) -> int:
    """Return the unit of the first level with several units that this one is of, 0 for none."""
    level = _first_level(tree)
    return next((above for above in tree.path(unit) if above in level), 0)


def _first_level(tree: UnitTree) -> set[int]:
    level = tree.children.get(tree.roots[0], [])
    while len(level) == 1 and tree.children.get(level[0]):
        level = tree.children[level[0]]
    return set(level)


def figures_of(population: Population) -> Mapping[str, Mapping[str, float]]:
    """Return the figures by margin, codes in their order: a database may keep them in another, and
    weights are by place."""
    kept = population.figures
    return {margin: dict(sorted(kept[margin].items())) for margin in MARGINS if margin in kept}
