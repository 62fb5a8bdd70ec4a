"""What rules look at: people, results, scores of units and achievements of one period."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from django.db.models import Count, Q

from sqcore.achievements.models import Achievement, Kind
from sqcore.achievements.queries import achievements_of
from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import KpiValue
from sqcore.identity.principals import system_principal
from sqcore.indicators.definition import COMPOSITE
from sqcore.org.models import Assignment, Unit, during
from sqcore.org.queries import tree_on
from sqcore.performance.models import ResultsRun, StaffResult
from sqcore.performance.queries import GroupMean, group_means
from sqcore.performance.sources import PERSON_SOURCES, PersonMeasure
from training.certificates.models import Certificate
from training.competencies.models import RequiredLevel
from training.competencies.queries import held_levels
from training.incentives.models import Recognition

COLLEAGUE = Recognition.Source.COLLEAGUE.value


@dataclass(frozen=True)
class Member:
    """Who works here on the last day of a period. Who is on leave is a member too."""

    staff_id: int
    unit_id: int
    post: str
    joined_on: date


@dataclass(frozen=True)
class Score:
    """The composite of a unit, or of the closest one above it that has one, in points 0 to 100."""

    points: float
    unit_id: int


@dataclass(frozen=True)
class Item:
    """One line of a checklist: what is needed, what is there."""

    item: str
    name: Mapping[str, str]
    needed: float
    held: float

    @property
    def is_met(self) -> bool:
        return self.held >= self.needed


@dataclass(frozen=True)
class CareerRule:
    """What a post asks for beside its required levels."""

    post: str
    years: float
    certificates: tuple[str, ...]
    improvements: int


class PeriodFacts:
    """What there is to know for one period; each part is read when a rule first asks for it.

    Results are those of the newest window that ended by the end of the period.
    """

    def __init__(self, period: Period) -> None:
        self.period = period
        self.last_day = date.fromordinal(period.end.toordinal() - 1)
        self._results: dict[str, dict[int, StaffResult]] = {}
        self._scores: dict[str, dict[int, Score]] = {}
        self._means: dict[int, dict[str, GroupMean]] = {}

    @cached_property
    def members(self) -> list[Member]:
        """Everybody once, at the unit and in the post they are in the longest."""
        rows = (
            Assignment.objects.filter(during(self.last_day))
            .filter(Q(staff__left_on__isnull=True) | Q(staff__left_on__gt=self.last_day))
            .order_by("staff_id", "valid_from", "id")
            .values_list("staff_id", "unit_id", "post__code", "staff__joined_on")
        )
        found: dict[int, Member] = {}
        for row in rows:
            found.setdefault(row[0], Member(*row))
        return list(found.values())

    @cached_property
    def staff_ids(self) -> list[int]:
        return [member.staff_id for member in self.members]

    @cached_property
    def run(self) -> ResultsRun | None:
        runs = ResultsRun.objects.filter(is_current=True, ends_on__lte=self.period.end)
        return runs.select_related("policy").order_by("-ends_on").first()

    def results(self, measure: str) -> dict[int, StaffResult]:
        """Return the results of all people by this measure, by staff id. One query a measure."""
        if measure not in self._results:
            found = StaffResult.objects.filter(run=self.run, measure=measure) if self.run else []
            self._results[measure] = {result.staff_id: result for result in found}
        return self._results[measure]

    def middle(self, measure: str, unit_id: int) -> float | None:
        """Return the mean estimate of the people of a unit, or of the closest one above it with
        enough people: so that a mean is never one person's result. None when none has enough."""
        found = (self._means_of(unit).get(measure) for unit in self._tree.path(unit_id))
        return next((each.estimate for each in found if each and each.estimate is not None), None)

    def _means_of(self, unit_id: int) -> dict[str, GroupMean]:
        if unit_id not in self._means:
            here = Unit(pk=unit_id)
            self._means[unit_id] = group_means(self.run, here) if self.run else {}
        return self._means[unit_id]

    def score(self, system: str, unit_id: int) -> Score | None:
        """Return how the unit stands by its composite in this period. One query a system."""
        if system not in self._scores:
            self._scores[system] = self._all_scores(system)
        found = self._scores[system]
        return next((found[unit] for unit in self._tree.path(unit_id) if unit in found), None)

    @cached_property
    def _tree(self) -> Any:
        return tree_on(self.last_day)

    def _all_scores(self, system: str) -> dict[int, Score]:
        rows = (
            KpiValue.objects.visible_to(system_principal())
            .current()
            .filter(
                system__code=system,
                code=COMPOSITE,
                margin="",
                grain__in={self.period.grain.value, Grain.MONTH.value},
                starts_on__gte=self.period.start,
                starts_on__lt=self.period.end,
                score__isnull=False,
            )
            .order_by("unit_id", "starts_on")
            .values_list("unit_id", "grain", "score")
        )
        by_unit: dict[int, dict[str, list[float]]] = {}
        for unit_id, grain, points in rows:
            by_unit.setdefault(unit_id, {}).setdefault(grain, []).append(points or 0.0)
        found = {}
        for unit_id, by_grain in by_unit.items():
            chosen = by_grain.get(self.period.grain.value) or by_grain[Grain.MONTH.value]
            found[unit_id] = Score(sum(chosen) / len(chosen), unit_id)
        return found

    @cached_property
    def achievements(self) -> dict[int, list[Achievement]]:
        """What stands of the period, by staff id. One query."""
        found: dict[int, list[Achievement]] = {}
        for each in achievements_of(self.staff_ids, self.period.start, self.period.end):
            found.setdefault(each.staff_id, []).append(each)
        return found

    @cached_property
    def thanked_by(self) -> dict[int, dict[str, set[int]]]:
        """Return who wrote the words of thanks of the period that stand on the wall: the users, by
        staff id and source. Thanks that two colleagues gave one another are left out, so that
        nobody can trade them. One query."""
        own = (each for found in self.achievements.values() for each in found)
        words = [
            each.reference.partition(":")[2] for each in own if each.kind == Kind.RECOGNITION.value
        ]
        rows = Recognition.objects.filter(pk__in=words, state=Recognition.State.SHOWN).values_list(
            "staff_id", "source", "written_by_id", "written_by__staff__id"
        )
        given = {(giver, staff) for staff, source, _by, giver in rows if source == COLLEAGUE}
        found: dict[int, dict[str, set[int]]] = {}
        for staff, source, by, giver in rows:
            if source != COLLEAGUE or (staff, giver) not in given:
                found.setdefault(staff, {}).setdefault(source, set()).add(by)
        return found

    @cached_property
    def _improvements(self) -> dict[int, int]:
        rows = (
            achievements_of(self.staff_ids, date.min, self.period.end)
            .filter(kind=Kind.IMPROVEMENT)
            .order_by()
            .values_list("staff_id")
            .annotate(count=Count("id"))
        )
        return dict(rows)

    @cached_property
    def _held(self) -> Mapping[tuple[int, int], int]:
        return held_levels(self.staff_ids, on=self.last_day)

    @cached_property
    def _certificates(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        held = Certificate.objects.held_on(self.last_day).filter(staff_id__in=self.staff_ids)
        for staff_id, course in held.values_list("staff_id", "course__code"):
            found.setdefault(staff_id, set()).add(course)
        return found

    def checklist(self, member: Member, asked: CareerRule) -> list[Item]:
        """Return what the post asks for beside what this person has, each item with both."""
        years = (self.last_day - member.joined_on).days / 365.25
        levels = [
            Item("level", name, level, self._held.get((member.staff_id, competency), 0) or 0)
            for competency, name, level in self._required(asked.post)
        ]
        holds = self._certificates.get(member.staff_id, set())
        certificates = [
            Item("certificate", {"en": course}, 1, int(course in holds))
            for course in asked.certificates
        ]
        improved = self._improvements.get(member.staff_id, 0)
        return [
            *levels,
            *certificates,
            Item("years", {}, asked.years, round(years, 1)),
            Item("improvements", {}, asked.improvements, improved),
        ]

    def _required(self, post: str) -> list[tuple[int, dict[str, str], int]]:
        known: dict[str, list[tuple[int, dict[str, str], int]]] = self.__dict__.setdefault(
            "_levels", {}
        )
        if post not in known:
            rows = RequiredLevel.objects.filter(during(self.last_day), post__code=post)
            known[post] = list(
                rows.order_by("competency__position", "competency__code").values_list(
                    "competency_id", "competency__name", "level"
                )
            )
        return known[post]


def measures() -> dict[str, PersonMeasure]:
    """Return what customers can say about a person, by key."""
    return {each.key: each for source in PERSON_SOURCES for each in source.measures()}
