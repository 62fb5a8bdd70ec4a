"""The pass over the series: it freezes first baselines and finds signals, without anybody's act.

What somebody does about them stands in `services`, the search for early warnings in `foretelling`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, QuerySet, Sum

from sqcore.base import bus
from sqcore.base.bell import ring_after_commit
from sqcore.base.events import SignalRaised, SignalRecovered
from sqcore.base.periods import Grain
from sqcore.evaluation.models import EvaluationRun
from sqcore.indicators.models import IndicatorSystem
from sqcore.indicators.queries import published_versions
from sqcore.jobs.models import Job
from sqcore.monitoring.models import (
    Annotation,
    Baseline,
    Signal,
    SignalEvent,
    Watch,
)
from sqcore.monitoring.passes import (
    BASELINE_PERIODS,
    OPENER,
    Episode,
    Findings,
    Place,
    judge,
)
from sqcore.monitoring.queries import (
    NOT_WATCHED,
    REVISED,
)
from sqcore.org.models import Unit
from sqcore.org.queries import local_day

WATCH_TASK = "sqcore.monitoring.watch_due"
ALGORITHM = 1
"""The version of what a signal is: part of its fingerprint, so that another one is another."""
AT_ONCE = 1000
PATIENCE = timedelta(hours=1)
"""How long after the last pass the next one waits for runs that wait."""
CARRIED = (*("state", "last_on", "recovered_on", "height", "shift", "shift_sigma", "changed_at"),)
"""What a pass changes of a signal that it goes on with; muting is somebody else's."""


def watch(*, system: IndicatorSystem, grain: Grain, now: datetime) -> Watch:
    """Pass over all indicators of a system in one grain, at all units, and return what it found.

    It judges the periods that ended until today, freezes the first baselines, opens, goes on with
    and ends signals, and tells of what is open or over now. The same pass again changes nothing,
    one with an earlier clock than the last neither; earlier clocks in their order end where one
    late pass does. It reads and judges before it takes its turn to write; should another pass
    have been faster, it judges again.

    What was found is never taken back. When later data, an exclusion or a changed indicator leave
    nothing of an open signal, it recovers with a note, whoever acted on it before.
    """
    through = local_day(now)
    before, seen = _last_pass(system, grain), seen_now(system, grain)
    findings = judge(system=system, grain=grain, through=through, now=now)
    with transaction.atomic():
        row, is_first = Watch.objects.get_or_create(
            system=system, grain=grain, defaults=nothing_yet(through, now)
        )
        row = Watch.objects.select_for_update().get(pk=row.pk)
        if not is_first and row.watched_at > now:
            return row
        if not is_first and (row.watched_at, row.opener) != before:
            seen = seen_now(system, grain)
            findings = judge(system=system, grain=grain, through=through, now=now)
        Baseline.objects.bulk_create(findings.first, batch_size=AT_ONCE)
        _Ledger(system, grain, findings, now).write()
        return _finish(row, findings, seen, now)


def _last_pass(system: IndicatorSystem, grain: Grain) -> tuple[datetime, Any] | None:
    found = Watch.objects.filter(system=system, grain=grain)
    return found.values_list("watched_at", "opener").first()


def nothing_yet(through: date, now: datetime) -> dict[str, Any]:
    numbers = dict.fromkeys(
        ("series", "judged", "found_so_far", "open_signals", "expected_so_far", "expected_a_year"),
        0,
    )
    return {"through": through, "watched_at": now, **numbers}


def seen_now(system: IndicatorSystem, grain: Grain) -> dict[str, list[int]]:
    """Return what tells two states of the figures, exclusions and baselines apart.

    Counts and sums of ids, not times: a row may appear later than the time that it carries.
    """
    sets: dict[str, QuerySet[Any]] = {
        "runs": EvaluationRun.objects.current().filter(system=system, grain=grain),
        "exclusions": Annotation.objects.in_force().filter(kind=Annotation.Kind.EXCLUSION),
        "baselines": Baseline.objects.in_force()
        .filter(system=system, grain=grain)
        .exclude(origin=Baseline.Origin.FIRST),
    }
    found = {}
    for name, rows in sets.items():
        summed = rows.aggregate(count=Count("pk"), ids=Sum("pk"))
        found[name] = [summed["count"], int(summed["ids"] or 0)]
    return found


def _finish(
    row: Watch, findings: Findings, seen: Mapping[str, Sequence[int]], now: datetime
) -> Watch:
    signals = Signal.objects.filter(system=row.system_id, grain=row.grain)
    opened = (SignalEvent.Kind.FOUND, SignalEvent.Kind.CAME_BACK)
    row.through = findings.through or local_day(now)
    row.watched_at = now
    row.series, row.judged = findings.series, findings.judged
    row.expected_so_far = findings.expected_so_far
    row.expected_a_year = findings.expected_a_year
    row.open_signals = signals.open().count()
    row.found_so_far = SignalEvent.objects.filter(signal__in=signals, kind__in=opened).count()
    row.opener = {**asdict(OPENER), "seen": seen}
    row.save()
    return row


def watch_due(*, now: datetime) -> int:
    """Make the passes that are due, one a system and grain; return how many.

    A pass is due when figures, exclusions or baselines are others than at the last one. While
    runs of the system wait in a job it is put off: a baseline is frozen from the first periods,
    so they must be there. After an hour it no longer waits, unless it is the first.
    """
    due = [
        (version.system, grain)
        for version in published_versions()
        for grain in map(Grain, version.grains)
        if grain in BASELINE_PERIODS and _is_due(version.system, grain, now)
    ]
    for system, grain in due:
        watch(system=system, grain=grain, now=now)
    return len(due)


def _is_due(system: IndicatorSystem, grain: Grain, now: datetime) -> bool:
    runs = EvaluationRun.objects.current().filter(system=system, grain=grain)
    closed = runs.filter(ends_on__lte=local_day(now)).aggregate(newest=Max("ends_on"))["newest"]
    last = Watch.objects.filter(system=system, grain=grain).first()
    if closed is None or (last is not None and last.watched_at > now):
        return False
    has_news = (
        last is None or closed > last.through or last.opener.get("seen") != seen_now(system, grain)
    )
    is_patient = last is None or now < last.watched_at + PATIENCE
    return has_news and not (is_patient and runs_wait(system, grain))


def runs_wait(system: IndicatorSystem, grain: Grain) -> bool:
    return EvaluationRun.objects.filter(
        system=system,
        grain=grain,
        state=EvaluationRun.State.QUEUED,
        job__state__in=(Job.State.QUEUED, Job.State.RUNNING),
    ).exists()


def watch_after(*, run_id: int) -> None:
    """Ring for the passes when the last run that waited is published; the schedule is for sure.

    Hundreds of runs come one after the other when a year is taken in: one pass serves them all.
    """
    run = EvaluationRun.objects.filter(pk=run_id).select_related("system").first()
    if run is None or run.grain not in BASELINE_PERIODS:
        return
    if not runs_wait(run.system, Grain(run.grain)):
        ring_after_commit(WATCH_TASK)


class _Ledger:
    """What a pass writes of signals: set beside what was written before, and only added to it."""

    def __init__(
        self, system: IndicatorSystem, grain: Grain, findings: Findings, now: datetime
    ) -> None:
        self.system, self.grain, self.findings, self.now = system, grain, findings, now
        rows = Signal.objects.filter(system=system, grain=grain)
        self.known = {row.fingerprint: row for row in rows.select_for_update().order_by("id")}
        units = {unit_id for unit_id, _code in findings.episodes}
        self.units = dict(Unit.objects.filter(pk__in=units).values_list("pk", "code"))
        self.events: list[SignalEvent] = []
        self.news: list[SignalRaised | SignalRecovered] = []

    def write(self) -> None:
        watched = set()
        for place, episodes in self.findings.episodes.items():
            direction = self.findings.directions[place[1]]
            fingerprint = fingerprint_of(
                system=self.system.code,
                code=place[1],
                unit=self.units[place[0]],
                grain=self.grain,
                direction=direction,
            )
            watched.add(fingerprint)
            self._follow(fingerprint, place, direction, episodes)
        for fingerprint, signal in self.known.items():
            if fingerprint not in watched and signal.state != Signal.State.RECOVERED:
                self._take_back(signal)
        SignalEvent.objects.bulk_create(self.events, ignore_conflicts=True, batch_size=AT_ONCE)
        for event in self.news:
            bus.publish(event, now=self.now)

    def _follow(
        self, fingerprint: str, place: Place, direction: str, episodes: Sequence[Episode]
    ) -> None:
        """Bring the signal of one series up to what its episodes say."""
        signal = self.known.get(fingerprint)
        former = None if signal is None else (signal.state, signal.episode)
        is_held = False
        for episode in episodes:
            if signal is None or signal.state == Signal.State.RECOVERED:
                began = _began(episode, signal)
                if began is None:
                    continue
                signal = self._open(signal, fingerprint, place, direction, episode, began)
            elif episode.recovered_on is not None and episode.recovered_on <= signal.alarm_on:
                continue
            self._carry(signal, episode)
            is_held = True
        if signal is None:
            return
        if not is_held and signal.state != Signal.State.RECOVERED:
            self._take_back(signal)
        else:
            self._tell(signal, former)

    def _open(
        self,
        signal: Signal | None,
        fingerprint: str,
        place: Place,
        direction: str,
        episode: Episode,
        began: date,
    ) -> Signal:
        """Begin a signal, or its next episode."""
        is_new = signal is None
        if signal is None:
            signal = Signal(
                fingerprint=fingerprint,
                algorithm=ALGORITHM,
                system=self.system,
                unit_id=place[0],
                code=place[1],
                grain=self.grain,
                direction=direction,
                episode=0,
            )
        signal.episode += 1
        signal.state = Signal.State.NEW
        signal.baseline = episode.baseline
        signal.alarm_on = signal.last_on = began
        signal.since_on = episode.since_on if began == episode.alarm_on else began
        signal.recovered_on = None
        signal.height, signal.shift = episode.height, episode.shift
        signal.shift_sigma = episode.shift_sigma
        signal.found_at = signal.changed_at = self.now
        signal.save()
        kind = SignalEvent.Kind
        self._add(signal, kind.FOUND if is_new else kind.CAME_BACK, began)
        return signal

    def _carry(self, signal: Signal, episode: Episode) -> None:
        """Go on with an open signal: alarms after what was judged before, its size, its end."""
        state = Signal.State
        for alarm in episode.again:
            if alarm > signal.last_on:
                self._add(signal, SignalEvent.Kind.CONTINUES, alarm)
        former = (signal.state, signal.last_on, signal.shift, signal.shift_sigma, signal.height)
        signal.last_on = max(episode.last_on, signal.alarm_on)
        signal.height, signal.shift = episode.height, episode.shift
        signal.shift_sigma = episode.shift_sigma
        if episode.recovered_on is not None:
            signal.state, signal.recovered_on = state.RECOVERED, episode.recovered_on
            self._add(signal, SignalEvent.Kind.RECOVERED, episode.recovered_on)
        elif signal.last_on > signal.alarm_on:
            signal.state = state.ONGOING
        if former != (
            signal.state,
            signal.last_on,
            signal.shift,
            signal.shift_sigma,
            signal.height,
        ):
            signal.changed_at = self.now
            signal.save(update_fields=CARRIED)

    def _take_back(self, signal: Signal) -> None:
        """End a signal of which the figures as they are now leave nothing."""
        newest = self.findings.newest_on or signal.last_on
        signal.state = Signal.State.RECOVERED
        signal.recovered_on = max(newest, signal.alarm_on)
        signal.changed_at = self.now
        signal.save(update_fields=CARRIED)
        is_watched = self.findings.directions.get(signal.code) == signal.direction
        note = REVISED if is_watched else NOT_WATCHED
        self._add(signal, SignalEvent.Kind.RECOVERED, signal.recovered_on, note)
        self.news.append(SignalRecovered(signal.pk, signal.episode))

    def _tell(self, signal: Signal, former: tuple[str, int] | None) -> None:
        """Tell of what is open or over now and was not before; not of what came and went."""
        is_open = signal.state != Signal.State.RECOVERED
        was_open = former is not None and former[0] != Signal.State.RECOVERED
        is_next = former is None or signal.episode != former[1]
        if former is not None and was_open and (is_next or not is_open):
            self.news.append(SignalRecovered(signal.pk, former[1]))
        if is_open and is_next:
            self.news.append(SignalRaised(signal.pk, signal.episode))

    def _add(self, signal: Signal, kind: str, period_on: date, note: str = "") -> None:
        self.events.append(
            SignalEvent(
                signal=signal,
                kind=kind,
                episode=signal.episode,
                period_on=period_on,
                at=self.now,
                note=note,
            )
        )


def _began(episode: Episode, signal: Signal | None) -> date | None:
    """Return the first alarm of an episode that a signal that is over does not know yet."""
    if signal is None or signal.recovered_on is None:
        return episode.alarm_on
    alarms = (episode.alarm_on, *episode.again)
    return next((alarm for alarm in alarms if alarm > signal.recovered_on), None)


def fingerprint_of(*, system: str, code: str, unit: str, grain: str, direction: str) -> str:
    """Return the identity of a problem: codes, the side, what is watched; never a period."""
    parts = (str(ALGORITHM), system, code, unit, str(grain), direction, "level")
    return hashlib.sha256("|".join(parts).encode()).hexdigest()
