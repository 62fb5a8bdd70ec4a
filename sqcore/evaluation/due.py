"""Which closed periods should be evaluated, and are not, or not as things stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Coalesce

from sqcore.base.periods import FINENESS, Grain, Period, periods_between
from sqcore.evaluation.groups import key_of
from sqcore.evaluation.models import EvaluationRun, FrozenCells, QuietPeriod
from sqcore.indicators.definition import SystemDefinition, definition_of
from sqcore.indicators.epochs import former_sources
from sqcore.indicators.models import SystemVersion
from sqcore.indicators.queries import published_versions
from sqcore.indicators.sources import SOURCES, Between, IndicatorSource
from sqcore.jobs.models import Job
from sqcore.org.models import Organisation
from sqcore.org.queries import local_day, organisation
from sqcore.org.shifts import unusual_starts

TRY_AGAIN_AFTER = timedelta(hours=1)
"""How long a run whose job failed is left to people."""
MEASURED_AGAIN_AFTER = timedelta(hours=1)
"""How long a figure stands before corrected measurements alone renew it: feeds correct often."""

Span = tuple[date, date]


@dataclass(frozen=True)
class Due:
    version: SystemVersion
    period: Period
    reason: str

    @property
    def order(self) -> tuple[date, int, int]:
        """Oldest first; of those that end together the shortest first."""
        return self.period.end, FINENESS[self.period.grain], self.version.pk


def due_periods(*, now: datetime) -> list[Due]:
    """Return the closed periods of every published version that need a run, oldest first.

    That is: there is data, and no current run of this version, or the data, the smallest group or
    the shifts that it compares changed since. Periods that wait in an open job are not due. Where
    weeks stand beside months they are due for what was measured alone.
    """
    org = organisation()
    today = local_day(now, org)
    found: list[Due] = []
    for version in published_versions():
        state = _State(version, org, now)
        for grain in map(Grain, version.grains):
            keys = _sources_ever(definition_of(version, grain=grain))
            sources = [SOURCES[key] for key in keys if key in SOURCES]
            for period in _closed(version, grain, sources, today, org.fiscal_start):
                if reason := state.reason_for(period, sources):
                    found.append(Due(version, period, reason))
    return sorted(found, key=lambda due: due.order)


def _sources_ever(definition: SystemDefinition) -> list[str]:
    """The sources of what it measures now, and of what it measured in former epochs: their answers
    and corrections still come in for older periods. By week, not those of opinions."""
    keys = definition.sources()
    former = former_sources([leaf.code for leaf in definition.everything()])
    if not definition.whole:
        former = [key for key in former if key in SOURCES and not SOURCES[key].counts.are_opinions]
    return list(dict.fromkeys([*keys, *former]))


def _closed(
    version: SystemVersion,
    grain: Grain,
    sources: Sequence[IndicatorSource],
    today: date,
    fiscal_start: int,
) -> Iterator[Period]:
    """Yield the periods that begin after `since`, are over, and lie where a source has data."""
    spans = [
        span
        for source in sources
        for finest, span in source.spans().items()
        if FINENESS[finest] <= FINENESS[grain]
    ]
    if not spans:
        return
    first = max(min(span[0] for span in spans), version.since)
    last = min(max(span[1] for span in spans) + timedelta(days=1), today)
    for period in periods_between(first, last, grain, fiscal_start=fiscal_start):
        inside = any(period.start <= end and start < period.end for start, end in spans)
        if inside and version.since <= period.start and period.end <= today:
            yield period


class _State:
    """What is known of the runs of a version's system, read once."""

    def __init__(
        self,
        version: SystemVersion,
        org: Organisation,
        now: datetime,
    ) -> None:
        self.version, self.now = version, now
        self.smallest_group, self.shifts = org.smallest_group, unusual_starts(org.shifts)
        by_shift = FrozenCells.objects.filter(
            run=OuterRef("pk"), source__endswith=key_of("", Between.SHIFT)
        )
        runs = (
            EvaluationRun.objects.current()
            .filter(system_id=version.system_id)
            .annotate(
                known_at=Coalesce(F("checked_at"), F("collected_at")), by_shift=Exists(by_shift)
            )
            .values_list("grain", "starts_on", "version_id", "known_at", "policy", "by_shift")
        )
        self.current = {(grain, start): rest for grain, start, *rest in runs}
        quiet = QuietPeriod.objects.filter(version=version)
        self.quiet: Mapping[tuple[str, date], datetime] = {
            (grain, start): at
            for grain, start, at in quiet.values_list("grain", "starts_on", "checked_at")
        }
        self.waiting = self._waiting(now)
        known = [rest[1] for rest in self.current.values()] + list(self.quiet.values())
        self.oldest = min((at for at in known if at is not None), default=None)
        self._changes: dict[tuple[str, datetime], Sequence[Span]] = {}

    def _waiting(self, now: datetime) -> set[tuple[str, date]]:
        queued = EvaluationRun.objects.filter(
            version=self.version, state=EvaluationRun.State.QUEUED, job__isnull=False
        ).select_related("job")
        return {
            (run.grain, run.starts_on)
            for run in queued
            if run.job is not None and not _is_over(run.job, now)
        }

    def reason_for(self, period: Period, sources: Sequence[IndicatorSource]) -> str:
        """Return why the period needs a run; empty when it needs none."""
        key = (period.grain.value, period.start)
        reason = EvaluationRun.Reason
        if key in self.waiting:
            return ""
        if key in self.quiet:
            touched = self._touched(period, self.quiet[key], sources)
            return reason.CLOSED if touched else ""
        if key not in self.current:
            return reason.CLOSED
        version_id, known_at, policy, by_shift = self.current[key]
        is_other = policy.get("smallest_group") != self.smallest_group or (
            by_shift and policy.get("shifts") != self.shifts
        )
        if version_id != self.version.pk or is_other:
            return reason.RULES
        return reason.DATA if self._touched(period, known_at, sources) else ""

    def _touched(self, period: Period, since: datetime, sources: Sequence[IndicatorSource]) -> bool:
        """Ask the sources, first for all periods at once, then for those that may be touched."""
        settled = since + MEASURED_AGAIN_AFTER <= self.now
        return any(
            self._meets(period, source, since)
            for source in sources
            if settled or source.counts.are_opinions
        )

    def _meets(self, period: Period, source: IndicatorSource, since: datetime) -> bool:
        if self.oldest is None or not _meets(period, self._changed(source, self.oldest)):
            return False
        return since == self.oldest or _meets(period, self._changed(source, since))

    def _changed(self, source: IndicatorSource, since: datetime) -> Sequence[Span]:
        key = source.key, since
        if key not in self._changes:
            self._changes[key] = source.changed_since(since)
        return self._changes[key]


def _is_over(job: Job, now: datetime) -> bool:
    if job.is_open:
        return False
    return job.finished_at is None or job.finished_at + TRY_AGAIN_AFTER <= now


def _meets(period: Period, spans: Sequence[Span]) -> bool:
    return any(first < period.end and period.start <= last for first, last in spans)
