"""Reading results of people. A person's read of others starts at `people_results`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Count, F, FloatField, Q, QuerySet, Sum
from django.db.models.functions import Cast

from sqcore.encounters.models import Encounter
from sqcore.identity.principals import Principal
from sqcore.org.models import Unit
from sqcore.org.queries import local_day, organisation, tree_on
from sqcore.performance.batches import batches_since
from sqcore.performance.measures import PersonMeasure, source_of
from sqcore.performance.measures import measure_named as measure_named
from sqcore.performance.models import (
    SMALLEST_BATCH,
    Dispute,
    FrozenReliability,
    ResultsPolicy,
    ResultsRun,
    StaffResult,
)

JUDGED = (StaffResult.Verdict.LOW, StaffResult.Verdict.ABOVE, StaffResult.Verdict.ALIKE)
"""The verdicts that say something about a person."""


def current_run() -> ResultsRun | None:
    """Return the run of the newest window."""
    return current_runs().first()


def current_runs() -> QuerySet[ResultsRun]:
    """Return the run in force of every window, the newest window first."""
    runs = ResultsRun.objects.filter(is_current=True)
    return runs.select_related("policy").order_by("-ends_on")


def policy_on(on: date) -> ResultsPolicy | None:
    """Return the rules in force on this day; before the first of them those first ones."""
    policies = ResultsPolicy.objects.order_by("valid_from", "number")
    return policies.filter(valid_from__lte=on).last() or policies.first()


def frozen_by_measure(on: date) -> dict[str, FrozenReliability]:
    """Return, by measure, the reliability that was frozen last up to the year of this day."""
    rows = FrozenReliability.objects.filter(year__lte=on.year).order_by("year")
    return {row.measure: row for row in rows}


def results_of(staff_id: int) -> list[StaffResult]:
    """Return what the newest run says about a person: of all questions together first."""
    run = current_run()
    if run is None:
        return []
    rows = StaffResult.objects.filter(run=run, staff=staff_id).select_related("run", "unit", "post")
    return sorted(rows, key=lambda row: (not measure_named(row.measure).is_overall, row.measure))


def history_of(staff_id: int, measure: str) -> list[StaffResult]:
    """Return a person's result of every window, the oldest first. The windows overlap."""
    rows = StaffResult.objects.current().filter(staff=staff_id, measure=measure)
    return list(rows.select_related("run", "unit", "post").order_by("run__ends_on"))


def people_results(principal: Principal, *, on: date) -> QuerySet[StaffResult]:
    """Return the results of the newest run that somebody may see on this day, as a queryset."""
    run = current_run()
    seen = StaffResult.objects.visible_to(principal, on=on)
    seen = seen.filter(run=run) if run else seen.none()
    return seen.select_related("run", "staff", "unit", "post")


@dataclass(frozen=True)
class GroupMean:
    """The people of a unit together by one measure, those with figures alone.

    `mean` is that of their answers after case mix, `estimate` that of the estimates of people.
    """

    people: int
    answers: int
    mean: float
    estimate: float | None


def group_means(run: ResultsRun, unit: Unit) -> dict[str, GroupMean]:
    """Return the means of a unit and the units below it, by measure.

    Only people of whom figures are kept count, so that nobody else's can be told from the
    difference. A measure of fewer people or answers than the smallest group is withheld.
    """
    least = organisation().smallest_group
    units = tree_on(run.ends_on - timedelta(days=1)).within([unit.pk])
    rows = StaffResult.objects.filter(run=run, unit__in=units, adjusted__isnull=False)
    weighted = Sum(Cast("n", FloatField()) * F("adjusted"), output_field=FloatField())
    found = (
        rows.values("measure")
        .annotate(
            people=Count("pk"),
            answers=Sum("n"),
            weighted=weighted,
            estimates=Sum("estimate"),
            estimated=Count("estimate"),
        )
        .order_by("measure")
    )
    return {
        row["measure"]: GroupMean(
            people=row["people"],
            answers=row["answers"],
            mean=row["weighted"] / row["answers"],
            estimate=row["estimates"] / row["estimated"] if row["estimated"] >= least else None,
        )
        for row in found
        if row["people"] >= least and row["answers"] >= least
    }


# ---- A run as a whole ----------------------------------------------------------------------------


@dataclass(frozen=True)
class MixFigure:
    """A factor of the case mix, as kind and code: by how much it moves an answer, beside the most
    frequent of its kind; not identified where nobody met both."""

    factor: str
    coefficient: float
    error: float
    identified: bool
    share: float


@dataclass(frozen=True)
class MeasureFigures:
    """One measure of a run: how many were judged and how, and how often that is wrong by chance.

    `judged` people got a verdict other than "not enough data" and "held back".
    """

    measure: PersonMeasure
    n: int
    people: int
    judged: int
    low: int
    above: int
    held: int
    few: int
    expected_wrong: float
    expected_all: float
    icc: float | None
    icc_year: int
    within: float | None
    between: float | None
    mix: tuple[MixFigure, ...]


@dataclass(frozen=True)
class RunFigures:
    """All measures of a run, those of all questions together first.

    The sums are over the measures of all questions together: the others are parts of them.
    """

    measures: tuple[MeasureFigures, ...]

    @property
    def _whole(self) -> Sequence[MeasureFigures]:
        return [each for each in self.measures if each.measure.is_overall]

    @property
    def judged(self) -> int:
        return sum(each.judged for each in self._whole)

    @property
    def low(self) -> int:
        return sum(each.low for each in self._whole)

    @property
    def expected_wrong(self) -> float:
        return sum(each.expected_wrong for each in self._whole)


def run_figures(run: ResultsRun) -> RunFigures:
    """Return what a run says as a whole."""
    found = [
        _measure_figures(measure_named(key), row, run.frozen["icc"].get(key), run.ends_on.year)
        for key, row in run.frozen["measures"].items()
    ]
    return RunFigures(
        tuple(sorted(found, key=lambda each: (not each.measure.is_overall, each.measure.key)))
    )


def _measure_figures(
    measure: PersonMeasure, row: Mapping[str, Any], icc: float | None, year: int
) -> MeasureFigures:
    verdicts, kind = row["verdicts"], StaffResult.Verdict
    return MeasureFigures(
        measure=measure,
        n=row["n"],
        people=row["people"],
        judged=row["judged"],
        low=verdicts[kind.LOW],
        above=verdicts[kind.ABOVE],
        held=verdicts[kind.HELD],
        few=verdicts[kind.NOT_ENOUGH],
        expected_wrong=row["expected_wrong"],
        expected_all=row["expected_all"],
        icc=icc,
        icc_year=year,
        within=row["within"],
        between=row["between"],
        mix=tuple(MixFigure(**factor) for factor in row["mix"]),
    )


# ---- One's own -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class OwnEncounter:
    """An encounter of one's own, without a word on whether its customer answered."""

    id: int
    key: str
    arrived_at: datetime
    unit: str
    channel: str
    service: str
    dispute: Dispute | None


def own_encounters(
    staff_id: int, before: int | None = None, *, limit: int = 50
) -> list[OwnEncounter]:
    """Return who was served by this person alone (a share of 0.8 at least), the newest first, from
    the encounter with the id `before` on."""
    rows = Encounter.objects.filter(staff=staff_id).select_related("unit", "channel", "service")
    if before is not None:
        at = rows.filter(pk=before).values_list("arrived_at", flat=True).first()
        if at is None:
            return []
        rows = rows.filter(Q(arrived_at__lt=at) | Q(arrived_at=at, pk__lt=before))
    found = list(rows.order_by("-arrived_at", "-pk")[:limit])
    disputes = {
        dispute.encounter_key: dispute
        for dispute in Dispute.objects.filter(
            staff=staff_id, encounter_key__in=[row.key for row in found]
        )
    }
    return [
        OwnEncounter(
            id=row.pk,
            key=row.key,
            arrived_at=row.arrived_at,
            unit=str(row.unit),
            channel=str(row.channel or ""),
            service=str(row.service or ""),
            dispute=disputes.get(row.key),
        )
        for row in found
    ]


@dataclass(frozen=True)
class ShownBatch:
    """Some answers about a person, in the order of their size: which came first is not told.

    `until` is the day of the last of them.
    """

    until: date
    values: tuple[float, ...]


@dataclass(frozen=True)
class OwnAnswers:
    """The batches, the newest first; `waiting`: whether there are answers in none of them yet;
    `gone`: how many batches are shown no more because an answer in them went."""

    batches: tuple[ShownBatch, ...]
    waiting: bool
    gone: int = 0


def own_answers_in_batches(staff_id: int, measure: str, *, now: datetime) -> OwnAnswers:
    """Return the answers about a person of their newest window, in batches.

    They are the batches in which answers enter results, each shown so many days after its last
    answer as the rules say. What is disputed stays in its batch, whatever was decided: that an
    answer goes would tell which it was. So would a batch without the answer that was withdrawn, so
    that no batch is shown that lost one. Nobody learns what one customer answered.
    """
    run, found = current_run(), source_of(measure)
    mine = StaffResult.objects.filter(run=run, staff=staff_id, measure=measure).first()
    if run is None or found is None or mine is None:
        return OwnAnswers((), False)
    today = local_day(now)
    rules = policy_on(today) or run.policy
    source, column = found
    batches = batches_since(mine.starts_on, staff_ids=[staff_id])
    first = min([mine.starts_on, *batches.first_on.tolist()])
    answers = source.collect(first=first, end=today, staff_ids=[staff_id])
    place = batches.place_of(answers.answer, answers.staff)
    values = answers.values[:, column]
    there = ~np.isnan(values) & (answers.on >= np.datetime64(mine.starts_on))
    family = measure.partition("/")[0]
    of_window = [
        at
        for at in np.argsort(batches.until, kind="stable").tolist()
        if batches.family[at] == family
        and batches.first_on[at] >= np.datetime64(mine.starts_on)
        and batches.until[at] < np.datetime64(today - timedelta(days=rules.delay_days))
    ]
    missing = batches.missing_of(place)
    whole = [at for at in of_window if missing[at] == 0]
    shown = [
        ShownBatch(until=batches.until[at].item(), values=tuple(sorted(given)))
        for at in reversed(whole)
        if len(given := values[there & (place == at)].tolist()) >= SMALLEST_BATCH
    ]
    return OwnAnswers(
        batches=tuple(shown),
        waiting=bool((there & ~np.isin(place, of_window)).any()),
        gone=len(of_window) - len(whole),
    )
