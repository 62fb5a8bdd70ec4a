"""Analysing: what is due becomes jobs; a job replaces all analyses of a version and period."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_all_languages
from sqcore.identity.models import User
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext
from sqcore.jobs.services import start
from sqcore.org.queries import local_day, organisation
from sqcore.stats.results import MethodStatus
from surveys.analyses.groups import Group, Groups, groups_of, tree_of
from surveys.analyses.models import Analysis, ShownGroup, packed_ids
from surveys.analyses.port import AnalysisKind, Found
from surveys.analyses.queries import (
    analyses_of,
    due_periods,
    group_of,
    history_of,
    kinds_for,
    of_period,
    shown_groups,
)
from surveys.analyses.release import People, Release, release
from surveys.instruments.models import InstrumentVersion
from surveys.responses.items import ItemAnswers, item_answers
from surveys.responses.queries import lock_version

JOB_KIND = "surveys.analyses"
MOST_AT_ONCE = 10
"""How many periods a tick queues; the rest wait for the next."""

Former = Mapping[tuple[str, Group], Analysis]


def analyse(
    *,
    version: InstrumentVersion,
    period: Period,
    now: datetime,
    owner: User | None = None,
    tell_worker: bool = True,
) -> Job:
    """Queue all analyses of a closed quarter or year; while they wait or run, return that job.

    raises: InvalidInput for a draft, another grain, or while the period is not over
    """
    if version.published_at is None:
        raise InvalidInput("The questionnaire is a draft; publish it first.")
    if period.grain not in (Grain.QUARTER, Grain.YEAR):
        raise InvalidInput("Answers are analysed by quarter and year.")
    if period.end > local_day(now):
        raise InvalidInput(f"{period} is not over yet; it is analysed when it is.")
    return start(
        kind=JOB_KIND,
        key=f"{version.pk}:{period.grain}:{period.start}",
        title=in_all_languages(
            _("Analyses: %(name)s, %(period)s"), name=version.instrument.name, period=str(period)
        ),
        parameters={
            "version": version.pk,
            "grain": period.grain.value,
            "starts_on": period.start.isoformat(),
        },
        owner=owner,
        now=now,
        tell_worker=tell_worker,
    )


def queue_due(*, now: datetime, most: int = MOST_AT_ONCE) -> int:
    """Queue what is due, newest first, at most so many; return how many are queued."""
    due = islice(due_periods(now=now), most)
    return len([analyse(version=each.version, period=each.period, now=now) for each in due])


class AnalysisJob:
    """The job of all analyses of a version and period: read once, computed, replaced at the end."""

    key = JOB_KIND

    def run(self, context: JobContext) -> None:
        asked = context.parameters
        version = InstrumentVersion.objects.select_related("instrument").get(pk=asked["version"])
        period = Period(
            date.fromisoformat(asked["starts_on"]),
            Grain(asked["grain"]),
            organisation().fiscal_start,
        )
        while True:
            desk = _Desk.of(version, period, context)
            rows = list(desk.rows())
            try:
                with context.completing() as result:
                    # A year and its quarters at once: each would not know what the other shows.
                    lock_version(version)
                    if not desk.still_holds():
                        raise _ShownMeanwhile
                    analyses_of(version, period).delete()
                    Analysis.objects.bulk_create(rows)
                    desk.remember(rows)
                    result["analyses"] = len(rows)
            except _ShownMeanwhile:
                continue
            return


class _ShownMeanwhile(Exception):
    """Another period was replaced while this one was computed; it has to be decided anew."""


@dataclass(frozen=True, eq=False)
class _Desk:
    """All that the analyses of a version and period are made from, read once."""

    version: InstrumentVersion
    period: Period
    context: JobContext
    read_at: datetime
    k: int
    answers: ItemAnswers
    groups: Groups
    people: Sequence[People]
    shown: Sequence[ShownGroup]
    release: Release
    former: Former

    @classmethod
    def of(cls, version: InstrumentVersion, period: Period, context: JobContext) -> "_Desk":
        # The clock first: what comes in while it reads is found by the next tick.
        read_at = context.now()
        k = organisation().smallest_group
        answers = item_answers(version, period)
        groups = groups_of(answers, tree_of(period))
        people = [groups.people(group, answers) for group in groups.of]
        shown = shown_groups(version, period)
        decided = release(
            people,
            groups.families(),
            k=k,
            history=history_of(shown, period, groups.of),
            least=max(k, min((kind.fewest for kind in kinds_for(version)), default=k)),
        )
        former = {(row.kind, group_of(row)): row for row in analyses_of(version, period)}
        return cls(
            *(version, period, context, read_at, k, answers),
            *(groups, people, shown, decided, former),
        )

    def still_holds(self) -> bool:
        """Whether what else is shown of the version is what this was decided by."""
        now = shown_groups(self.version, self.period)
        return [(row.pk, row.until) for row in now] == [(row.pk, row.until) for row in self.shown]

    def remember(self, rows: Iterable[Analysis]) -> None:
        """Keep whose answers are on show by these rows, if that is another revision."""
        mine = of_period(self.shown, self.period)
        was = {group_of(row): row for row in mine if row.until is None}
        told = {group_of(row) for row in rows if row.n is not None}
        now = {
            group: packed_ids(self.people[place])
            for place, group in enumerate(self.groups.of)
            if group in told and not self.release.held[place]
        }
        revision = 1 + max((row.until or row.revision for row in mine), default=0)
        over = [
            row.pk
            for group, row in was.items()
            if group not in told or now.get(group, bytes(row.responses)) != bytes(row.responses)
        ]
        ShownGroup.objects.filter(pk__in=over).update(until=revision)
        ShownGroup.objects.bulk_create(
            ShownGroup(
                version=self.version,
                grain=self.period.grain,
                starts_on=self.period.start,
                unit_id=group.unit,
                margin=group.margin,
                margin_value=group.margin_value,
                revision=revision,
                responses=responses,
            )
            for group, responses in now.items()
            if group not in was or was[group].pk in over
        )

    def rows(self) -> Iterator[Analysis]:
        kinds = kinds_for(self.version)
        for place, group in enumerate(self.groups.of):
            self.context.progress(place, len(self.groups.of), str(self.period))
            mine: ItemAnswers | None = None
            for kind in kinds:
                if kind.only_whole and group != self.groups.whole:
                    continue
                if self._is_fresh(kind, place):
                    if mine is None:
                        mine = self.groups.answers(group, self.answers)
                    yield self._row(kind, group, kind.find(mine, k=self.k), len(self.people[place]))
                else:
                    yield self._unchanged(kind, place)
        self.context.progress(len(self.groups.of), len(self.groups.of))

    def _is_fresh(self, kind: AnalysisKind, place: int) -> bool:
        may = not (self.release.hidden[place] or self.release.held[place])
        return may and len(self.people[place]) >= kind.fewest

    def _unchanged(self, kind: AnalysisKind, place: int) -> Analysis:
        """Return the row of a group that shows nothing, or what it showed before.

        What an older method found is not kept: it would stand beside figures of the new one.
        """
        group = self.groups.of[place]
        old = self.former.get((kind.key, group)) if self.release.held[place] else None
        if old is None or old.method != kind.method:
            return self._row(kind, group, Found.nothing(MethodStatus.INSUFFICIENT_N), None)
        return self._row(kind, group, Found(MethodStatus(old.status), old.found), old.n)

    def _row(self, kind: AnalysisKind, group: Group, found: Found, n: int | None) -> Analysis:
        is_ok = found.status == MethodStatus.OK
        return Analysis(
            kind=kind.key,
            version=self.version,
            grain=self.period.grain,
            starts_on=self.period.start,
            unit_id=group.unit,
            margin=group.margin,
            margin_value=group.margin_value,
            method=kind.method,
            status=found.status,
            n=n,
            found=_checked(kind, found) if is_ok else {},
            job=self.context.job,
            made_at=self.read_at,
        )


def _checked(kind: AnalysisKind, found: Found) -> dict[str, object]:
    """Refuse what is no JSON, such as NaN: a kind that finds it has a bug.

    raises: ValueError, TypeError
    """
    json.dumps(found.values, allow_nan=False)
    return dict(found.values)
