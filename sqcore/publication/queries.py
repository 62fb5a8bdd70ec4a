"""Reading goals, candidates and what published figures say of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations

import numpy as np
from django.utils.translation import gettext as _

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Dimension, Indicator, SystemVersion
from sqcore.org.queries import local_day, organisation
from sqcore.publication.models import Candidate, Goal

LOOK_BACK = timedelta(days=400)
"""How far back figures are read: a year of months."""
ALIKE = 0.9
"""Candidates that correlate beyond this say the same."""
FEWEST_PAIRS = 10
NEWEST = 24
"""So many closed periods of a grain are offered."""


@dataclass(frozen=True)
class Seen:
    """What published monthly figures of units at the end of the tree say of an indicator.

    missing: which share of the cells, units by periods, has no figure; None without any figure
    alike: the codes of candidates whose figures go the same way, with the correlation
    """

    periods: int = 0
    units: int = 0
    missing: float | None = None
    alike: tuple[tuple[str, float], ...] = ()

    @property
    def missing_percent(self) -> float | None:
        return None if self.missing is None else 100 * self.missing


Cell = tuple[int, date]


def goals_of(version: SystemVersion, *, principal: Principal) -> list[Goal]:
    found = Goal.objects.visible_to(principal).filter(version=version)
    return list(found.order_by("position"))


def formers_of(version: SystemVersion) -> list[SystemVersion]:
    """Return the versions that counted before this one, the newest first. One query."""
    found = SystemVersion.objects.filter(system=version.system_id, number__lt=version.number)
    return list(found.exclude(state=SystemVersion.State.DRAFT).order_by("-number"))


def former_of(version: SystemVersion, asked: str = "") -> SystemVersion:
    """Return the version that counted before this one, or the earlier one of that number.

    raises: NotFound
    """
    for each in formers_of(version):
        if asked in ("", str(each.number)):
            return each
    raise NotFound(_("There is no such earlier version."))


def closed_periods(version: SystemVersion, *, now: datetime) -> list[Period]:
    """Return the newest closed periods of each grain of a version, the newest first."""
    org = organisation()
    today = local_day(now, org)
    found: list[Period] = []
    for grain in map(Grain, version.grains):
        period = Period.of(today, grain, fiscal_start=org.fiscal_start).previous
        for _n in range(NEWEST):
            if period.start < version.since:
                break
            found.append(period)
            period = period.previous
    return found


def candidates_of(version: SystemVersion, *, principal: Principal) -> list[Candidate]:
    """Return the candidates with their indicators and ratings. Two queries."""
    found = Candidate.objects.visible_to(principal).filter(version=version)
    return list(
        found.select_related("indicator", "decided_by")
        .prefetch_related("ratings__person")
        .order_by("position")
    )


def dimensions_without_goal(version: SystemVersion, goals: Sequence[Goal]) -> list[Dimension]:
    """Return the top dimensions that no goal names, neither them nor what is in them. One query."""
    found = list(Dimension.objects.filter(version=version).order_by("position", "code"))
    parents = {each.pk: each.parent_id for each in found}
    by_code = {each.code: each.pk for each in found}
    served: set[int] = set()
    for goal in goals:
        at: int | None = by_code.get(goal.dimension)
        while at is not None:
            served.add(at)
            at = parents[at]
    return [each for each in found if each.parent_id is None and each.pk not in served]


def goals_without_dimension(version: SystemVersion, goals: Sequence[Goal]) -> list[Goal]:
    """Return the goals that no dimension of the version serves. One query."""
    codes = set(Dimension.objects.filter(version=version).values_list("code", flat=True))
    return [goal for goal in goals if goal.dimension not in codes]


def seen(
    indicators: Sequence[Indicator], *, principal: Principal, now: datetime
) -> dict[str, Seen]:
    """Return by code what published figures say. Two queries, whatever the number."""
    if not indicators:
        return {}
    figures = _figures([each.code for each in indicators], principal, local_day(now) - LOOK_BACK)
    units = {unit for cells in figures.values() for unit, _start in cells}
    periods = {start for cells in figures.values() for _unit, start in cells}
    alike = _alike(figures)
    found = {}
    for each in indicators:
        cells = figures.get(each.code, {})
        shown = sum(value is not None for value in cells.values())
        all_cells = len(units) * len(periods)
        found[each.code] = Seen(
            periods=len({start for (_unit, start), value in cells.items() if value is not None}),
            units=len({unit for (unit, _start), value in cells.items() if value is not None}),
            missing=None if not shown else 1 - shown / all_cells,
            alike=tuple(alike.get(each.code, ())),
        )
    return found


def _figures(
    codes: Collection[str], principal: Principal, since: date
) -> dict[str, dict[Cell, float | None]]:
    run = EvaluationRun.objects.current().order_by("-ends_on", "-starts_on").only("tree").first()
    above = {parent for parent in (run.tree if run else {}).values() if parent is not None}
    rows = (
        KpiValue.objects.visible_to(principal)
        .current()
        .filter(
            kind=KpiValue.Kind.INDICATOR,
            code__in=codes,
            grain=Grain.MONTH,
            margin="",
            starts_on__gte=since,
        )
        .order_by("system__code", "starts_on")
        .values_list("code", "unit_id", "starts_on", "value")
    )
    found: dict[str, dict[Cell, float | None]] = {}
    for code, unit, start, value in rows:
        if unit not in above:
            found.setdefault(code, {}).setdefault((unit, start), value)
    return found


def _alike(
    figures: Mapping[str, Mapping[Cell, float | None]],
) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for one, two in combinations(sorted(figures), 2):
        pairs = [
            (value, figures[two][cell])
            for cell, value in sorted(figures[one].items())
            if value is not None and figures[two].get(cell) is not None
        ]
        table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        if len(table) < FEWEST_PAIRS or not table.std(axis=0).all():
            continue
        r = float(np.corrcoef(table[:, 0], table[:, 1]).flat[1])
        if abs(r) > ALIKE:
            found.setdefault(one, []).append((two, r))
            found.setdefault(two, []).append((one, r))
    return found
