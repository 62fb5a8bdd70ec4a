"""Whether low verdicts and the needs that come of them fall on groups of people alike.

For who sees the results of the whole organisation; no names, and no group below the smallest one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import sqrt

import numpy as np
from django.utils.translation import gettext as _

from sqcore.base.errors import NotPermitted
from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_language
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff, Terms
from sqcore.performance.measures import measure_named
from sqcore.performance.models import ResultsRun, StaffResult
from sqcore.performance.queries import JUDGED, current_run
from sqcore.stats.selection import FOUR_FIFTHS, benjamini_hochberg, compare_groups
from training.incentives.facts import Member
from training.incentives.queries import smallest_group, terms_of
from training.incentives.trials import GROUPINGS, NOT_KNOWN, large_enough
from training.incentives.wording import FACTORS, GROUPS
from training.needs.models import Need, NeedReason

LEAST_EFFECT = 0.2
MOST_FALSE = 0.05


@dataclass(frozen=True)
class Audited:
    """One group beside the one of its factor that is met least.

    share: of the group that is met; None where it would tell that of a few others. ratio: how many
    of the least met group are met for one of this, 1 or less. effect: by how much the group's
    results lie below those of that group, in tau (the spread between people); of needs in standard
    deviations. q: after Benjamini and Hochberg, None where nothing can be said.
    """

    what: str
    factor: str
    group: str
    people: int | None
    share: float | None
    ratio: float
    effect: float
    q: float | None
    is_reference: bool

    @property
    def percent(self) -> int | None:
        return None if self.share is None else round(100 * self.share)

    @property
    def is_alarm(self) -> bool:
        """True beyond chance, by what matters, and below four fifths: all three."""
        is_beyond_chance = self.q is not None and self.q < MOST_FALSE
        return is_beyond_chance and self.effect >= LEAST_EFFECT and self.ratio < FOUR_FIFTHS


@dataclass(frozen=True)
class Audit:
    """All comparisons of the `people` who got a verdict in this window."""

    window: ResultsRun | None
    rows: Sequence[Audited]
    people: int
    smallest: int

    @property
    def alarms(self) -> list[Audited]:
        return [row for row in self.rows if row.is_alarm]

    @property
    def compared(self) -> int:
        return sum(not row.is_reference for row in self.rows)


@dataclass(frozen=True)
class _Matter:
    """What may meet people: who was looked at, who was met, and what each got."""

    name: str
    met: Mapping[int, bool]
    distance: Mapping[int, float]
    """From comparable colleagues, in tau; empty where nothing was measured."""


def audit_of(*, principal: Principal, now: datetime) -> Audit:
    """Return the audit of the newest window. raises: NotPermitted to who sees only some people"""
    if not principal.scope(Permission.VIEW_PEOPLE_RESULTS).everywhere:
        raise NotPermitted(_("Only who sees the results of everybody compares groups of people."))
    run, k = current_run(), smallest_group()
    if run is None:
        return Audit(None, [], 0, k)
    results = list(
        StaffResult.objects.filter(run=run, verdict__in=JUDGED).order_by("measure", "staff_id")
    )
    matters = [*_verdicts(run, results), *_needs(results, now)]
    people = {result.staff_id for result in results}
    groups = _groups(run, results, k)
    rows = [row for matter in matters for row in _audited(matter, groups, k)]
    return Audit(run, _corrected(rows), len(people), k)


def _verdicts(run: ResultsRun, results: Iterable[StaffResult]) -> Iterator[_Matter]:
    by_measure: dict[str, list[StaffResult]] = {}
    for result in results:
        by_measure.setdefault(result.measure, []).append(result)
    for key, rows in by_measure.items():
        measure = measure_named(key)
        if not measure.is_overall:
            continue
        tau = sqrt(run.frozen["measures"][key]["between"] or 0.0)
        yield _Matter(
            name=_("Low verdict: %(measure)s") % {"measure": in_language(measure.name)},
            met={row.staff_id: row.verdict == StaffResult.Verdict.LOW for row in rows},
            distance={
                row.staff_id: (row.adjusted - row.centre) / tau if tau else 0.0
                for row in rows
                if row.adjusted is not None and row.centre is not None
            },
        )


def _needs(results: Iterable[StaffResult], now: datetime) -> Iterator[_Matter]:
    """Needs that came of results within a year, among those who got a verdict."""
    people = sorted({result.staff_id for result in results})
    found = set(
        Need.objects.filter(
            reasons__origin=NeedReason.Origin.RESULT, opened_at__gt=now - timedelta(days=365)
        ).values_list("staff_id", flat=True)
    )
    if people:
        yield _Matter(_("Need that comes of results"), {each: each in found for each in people}, {})


def _groups(run: ResultsRun, results: Iterable[StaffResult], k: int) -> dict[str, dict[int, str]]:
    """Return the group of each person by factor; small ones are merged, or left out."""
    last = Period.of(run.ends_on - timedelta(days=1), Grain.MONTH)
    placed = {row.staff_id: row for row in results}
    staff = {each.pk: each for each in Staff.objects.filter(pk__in=placed)}
    terms: Mapping[int, Terms] = terms_of(list(placed))
    found: dict[str, dict[int, str]] = {}
    for factor, say in GROUPINGS.items():
        people = sorted(placed)
        members = [Member(pk, placed[pk].unit_id, "", staff[pk].joined_on) for pk in people]
        named = [say(member, terms.get(member.staff_id), last) for member in members]
        found[factor] = dict(zip(people, large_enough(named, k), strict=True))
    return found


def _audited(matter: _Matter, groups: Mapping[str, Mapping[int, str]], k: int) -> Iterator[Audited]:
    for factor, group_of in groups.items():
        kept = [pk for pk in matter.met if group_of[pk] != NOT_KNOWN]
        sizes = dict.fromkeys(sorted({group_of[pk] for pk in kept}), 0)
        for pk in kept:
            sizes[group_of[pk]] += 1
        names = [name for name, size in sizes.items() if size >= k]
        kept = [pk for pk in kept if group_of[pk] in names]
        if len(names) > 1:
            is_told = not 0 < len(matter.met) - len(kept) < k
            yield from _compared(matter, factor, names, kept, group_of, is_told)


def _compared(
    matter: _Matter,
    factor: str,
    names: Sequence[str],
    kept: Sequence[int],
    group_of: Mapping[int, str],
    is_told: bool,
) -> Iterator[Audited]:
    code = np.array([names.index(group_of[pk]) for pk in kept])
    # Who is spared is who got something, so that the group spared most is the one compared with.
    found = compare_groups([float(not matter.met[pk]) for pk in kept], code, len(names))
    rate = np.bincount(code, [matter.met[pk] for pk in kept], len(names)) / found.n
    least = rate[found.reference]
    effect = -found.effect
    if matter.distance:
        distance = np.array([matter.distance.get(pk, 0.0) for pk in kept])
        means = np.bincount(code, distance, len(names)) / found.n
        effect = means[found.reference] - means
    for place, name in enumerate(names):
        yield Audited(
            what=matter.name,
            factor=str(FACTORS.get(factor, factor)),
            group=str(GROUPS.get(name, name)),
            people=int(found.n[place]) if is_told else None,
            share=float(rate[place]) if is_told else None,
            ratio=float(least / rate[place]) if rate[place] > 0 else 1.0,
            effect=float(effect[place]),
            q=None if np.isnan(found.p[place]) else float(found.p[place]),
            is_reference=place == found.reference,
        )


def _corrected(rows: Sequence[Audited]) -> list[Audited]:
    """Return the rows with q in the place of p: all comparisons of the audit together."""
    q = benjamini_hochberg([np.nan if row.q is None else row.q for row in rows])
    return [
        replace(row, q=None if np.isnan(value) else float(value))
        for row, value in zip(rows, q, strict=True)
    ]
