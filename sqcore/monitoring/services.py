"""Watching the series for real changes, and what people say about them.

A pass (`watch`) is the software's: it freezes first baselines and finds signals. Everything else is
somebody's act: muting, annotating, and setting a baseline anew, which the software never does.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Count, Max, QuerySet, Sum
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.audit.services import record
from sqcore.base import bus
from sqcore.base.bell import ring_after_commit
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.events import SignalRaised, SignalRecovered
from sqcore.base.periods import Grain
from sqcore.base.text import in_all_languages
from sqcore.evaluation.models import EvaluationRun
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.indicators.definition import COMPOSITE, IndicatorDefinition
from sqcore.indicators.models import Dimension, Indicator, IndicatorEpoch, IndicatorSystem
from sqcore.indicators.queries import published_versions
from sqcore.jobs.models import Job
from sqcore.monitoring.early import Search, search_ahead
from sqcore.monitoring.kinds import (
    Drawn,
    Window,
    drawn_as,
    drawn_for,
    frozen_fields,
    is_even,
    suiting_kinds,
    uncut,
    window_of,
)
from sqcore.monitoring.models import (
    Annotation,
    Baseline,
    EarlyWarning,
    Kind,
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
    leaves_of,
    standard_errors,
)
from sqcore.monitoring.queries import (
    NOT_WATCHED,
    REVISED,
    SeriesKey,
    SeriesPoint,
    baselines_of,
    key_of,
    visible_series,
)
from sqcore.notices.services import notify_holders_of
from sqcore.org.models import Unit
from sqcore.org.queries import local_day
from sqcore.stats.charts import ChartKind, Limits, freeze
from sqcore.stats.cusum import between_sigma

WATCH_TASK = "sqcore.monitoring.watch_due"
FORETELL_TASK = "sqcore.monitoring.foretell_due"
ALGORITHM = 1
"""The version of what a signal is: part of its fingerprint, so that another one is another."""
AT_ONCE = 1000
PATIENCE = timedelta(hours=1)
"""How long after the last pass the next one waits for runs that wait."""
CARRIED = (*("state", "last_on", "recovered_on", "height", "shift", "shift_sigma", "changed_at"),)
"""What a pass changes of a signal that it goes on with; muting is somebody else's."""
SHORTEST_BASELINE = 12
"""Usable periods that a baseline set by a person needs at the least."""
LONGEST_MUTE = timedelta(days=366)
LONGEST_REASON = 500
LONGEST_ANNOTATION = 300
EPOCH = "epoch:"
"""How the reference of what is written for an epoch begins."""


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
    before, seen = _last_pass(system, grain), _seen(system, grain)
    findings = judge(system=system, grain=grain, through=through, now=now)
    with transaction.atomic():
        row, is_first = Watch.objects.get_or_create(
            system=system, grain=grain, defaults=_nothing_yet(through, now)
        )
        row = Watch.objects.select_for_update().get(pk=row.pk)
        if not is_first and row.watched_at > now:
            return row
        if not is_first and (row.watched_at, row.opener) != before:
            seen = _seen(system, grain)
            findings = judge(system=system, grain=grain, through=through, now=now)
        Baseline.objects.bulk_create(findings.first, batch_size=AT_ONCE)
        _Ledger(system, grain, findings, now).write()
        return _finish(row, findings, seen, now)


def _last_pass(system: IndicatorSystem, grain: Grain) -> tuple[datetime, Any] | None:
    found = Watch.objects.filter(system=system, grain=grain)
    return found.values_list("watched_at", "opener").first()


def _nothing_yet(through: date, now: datetime) -> dict[str, Any]:
    numbers = dict.fromkeys(
        ("series", "judged", "found_so_far", "open_signals", "expected_so_far", "expected_a_year"),
        0,
    )
    return {"through": through, "watched_at": now, **numbers}


def _seen(system: IndicatorSystem, grain: Grain) -> dict[str, list[int]]:
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
        last is None or closed > last.through or last.opener.get("seen") != _seen(system, grain)
    )
    is_patient = last is None or now < last.watched_at + PATIENCE
    return has_news and not (is_patient and _runs_wait(system, grain))


def _runs_wait(system: IndicatorSystem, grain: Grain) -> bool:
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
    if not _runs_wait(run.system, Grain(run.grain)):
        ring_after_commit(WATCH_TASK)


def foretell(*, system: IndicatorSystem, grain: Grain, now: datetime) -> int:
    """Search the watched series of a system in one grain for early warnings; return how many are
    open then.

    A series has one warning at most. It is written anew with each search while its forecast passes
    the line, and ends when a period has passed it (it came true) or the forecast no longer does. It
    opens no signal and no ticket; who manages signals at the unit is told where the forecast itself
    passes the line, at most once a series and year in which it does. The same search again changes
    nothing. It forecasts before it takes its turn to write: that takes seconds.
    """
    through, seen = local_day(now), _seen(system, grain)
    search = search_ahead(system=system, grain=grain, through=through)
    with transaction.atomic():
        row, _is_first = Watch.objects.get_or_create(
            system=system, grain=grain, defaults=_nothing_yet(through, now)
        )
        row = Watch.objects.select_for_update().get(pk=row.pk)
        if row.foretold_at is None or row.foretold_at <= now:
            _write_warnings(search, system, grain, now)
            row.foretold, row.foretold_at, row.foretold_seen = search.foretold, now, seen
            row.save(update_fields=["foretold", "foretold_at", "foretold_seen"])
        return EarlyWarning.objects.open().filter(system=system, grain=grain).count()


def _write_warnings(search: Search, system: IndicatorSystem, grain: Grain, now: datetime) -> None:
    """End the warnings that are over, write the others as they are now, open new ones."""
    known = {
        (warning.unit_id, warning.code): warning
        for warning in EarlyWarning.objects.open()
        .filter(system=system, grain=grain)
        .select_for_update()
        .order_by("id")
    }
    for warning in known.values():
        passed_on = search.passed_on(warning)
        if passed_on is not None:
            _end(warning, EarlyWarning.State.CAME_TRUE, passed_on, now)
        elif search.is_over(warning):
            over_on = search.newest_on or local_day(now)
            _end(warning, EarlyWarning.State.PASSED_OFF, over_on, now)
    for place, fields in search.found.items():
        standing = known.get(place)
        if standing is None or standing.state != EarlyWarning.State.OPEN:
            standing = _open_warning(system, grain, place, fields, now)
        else:
            _write_anew(standing, fields, now)
        if standing.expected_on is not None:
            _tell_of_warning(standing, now)


def foretell_due(*, now: datetime) -> int:
    """Search for early warnings where closed figures or exclusions are others than at the last
    search, one a system and grain; return how many searches were made."""
    made = 0
    for version in published_versions():
        for grain in map(Grain, version.grains):
            if grain not in BASELINE_PERIODS:
                continue
            row = Watch.objects.filter(system=version.system, grain=grain).first()
            # The first pass of the openers comes first: it waits for all runs of the past.
            if row is None or row.foretold_seen == _seen(version.system, grain):
                continue
            if not _runs_wait(version.system, grain):
                foretell(system=version.system, grain=grain, now=now)
                made += 1
    return made


def _open_warning(
    system: IndicatorSystem, grain: Grain, place: Place, fields: Mapping[str, Any], now: datetime
) -> EarlyWarning:
    return EarlyWarning.objects.create(
        system=system,
        grain=grain,
        unit_id=place[0],
        code=place[1],
        found_at=now,
        changed_at=now,
        **fields,
    )


def _write_anew(warning: EarlyWarning, fields: Mapping[str, Any], now: datetime) -> None:
    changed = [name for name, value in fields.items() if getattr(warning, name) != value]
    if not changed:
        return
    for name in changed:
        setattr(warning, name, fields[name])
    warning.changed_at = now
    warning.save(update_fields=[*changed, "changed_at"])


def _end(warning: EarlyWarning, state: str, on: date, now: datetime) -> None:
    warning.state, warning.ended_on, warning.changed_at = state, on, now
    warning.save(update_fields=["state", "ended_on", "changed_at"])


def _tell_of_warning(warning: EarlyWarning, now: datetime) -> None:
    """Tell who manages signals there; no figures belong into a notice."""
    name = Indicator.objects.filter(code=warning.code).values_list("name", flat=True).first()
    path = reverse(
        "sqcore:monitoring-chart", args=[warning.system.code, warning.unit.code, warning.code]
    )
    notify_holders_of(
        Permission.MANAGE_SIGNALS,
        key=f"early-warning:{warning.system_id}:{warning.unit_id}:{warning.code}:"
        f"{warning.grain}:{warning.crosses_on.year}",
        title=in_all_languages(
            lazy("Early warning: %(indicator)s, %(unit)s"),
            indicator=name or warning.code,
            unit=warning.unit.name,
        ),
        body=in_all_languages(
            lazy("If it goes on like this, it will not stay where it should be. See its forecast.")
        ),
        reason=in_all_languages(lazy("You look after the signals of this unit.")),
        link=f"{path}?grain={warning.grain}#outlook",
        unit_id=warning.unit_id,
        now=now,
    )


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


@transaction.atomic
def mute_signal(
    *, signal_id: int, until: date, reason: str, by: Principal, now: datetime
) -> Signal:
    """Let an open signal propose and tell nothing until this day, at most a year ahead.

    It is watched and shown all the same. Muting it again sets the day and the reason anew.
    raises: NotFound, NotPermitted, InvalidInput, Conflict when the signal is over
    """
    signal = _signal_for(by, signal_id)
    today = local_day(now)
    said = _said(reason, LONGEST_REASON, _("Say why the signal is muted."))
    if not today < until <= today + LONGEST_MUTE:
        raise InvalidInput(_("Mute a signal until a day to come, at most a year ahead."))
    if signal.state == Signal.State.RECOVERED:
        raise Conflict(_("This signal is over; there is nothing to mute."))
    signal.muted_at, signal.muted_until = now, until
    signal.muted_by, signal.mute_reason = _person(by), said
    signal.changed_at = now
    signal.save()
    _note(signal, SignalEvent.Kind.MUTED, signal.last_on, by=by, now=now, note=said)
    _record("signal.muted", signal, by, now, until=until.isoformat())
    return signal


@transaction.atomic
def unmute_signal(*, signal_id: int, by: Principal, now: datetime) -> Signal:
    """End the muting of a signal. raises: NotFound, NotPermitted, Conflict when it is not muted"""
    signal = _signal_for(by, signal_id)
    if not signal.is_muted_on(local_day(now)):
        raise Conflict(_("This signal is not muted."))
    signal.muted_at = signal.muted_until = signal.muted_by = None
    signal.mute_reason = ""
    signal.changed_at = now
    signal.save()
    _note(signal, SignalEvent.Kind.UNMUTED, signal.last_on, by=by, now=now)
    _record("signal.unmuted", signal, by, now)
    return signal


def _signal_for(by: Principal, signal_id: int) -> Signal:
    """Return the signal, locked, for somebody who may manage it."""
    signal = Signal.objects.visible_to(by).select_for_update().filter(pk=signal_id).first()
    if signal is None:
        raise NotFound(_("There is no such signal."))
    by.require(Permission.MANAGE_SIGNALS, unit_id=signal.unit_id)
    return signal


def _record(action: str, signal: Signal, by: Principal, now: datetime, **details: str) -> None:
    known = {"unit": signal.unit_id, "code": signal.code, "episode": signal.episode}
    record(
        action=action,
        subject=f"signal:{signal.pk}",
        by=by,
        now=now,
        details={**known, **details},
    )


@transaction.atomic
def annotate(
    *,
    kind: str,
    unit: Unit | None,
    code: str,
    starts_on: date,
    ends_on: date,
    text: str,
    by: Principal,
    now: datetime,
    reference: str = "",
) -> Annotation:
    """Write on the charts of a unit and all below it (None: of all) what happened in [starts_on,
    ends_on), for one code ("": for all).

    With a `reference` it is written once: the same again returns what stands there. What an
    exclusion takes out is judged anew by the next pass; because it changes what charts and checks
    say, it is for who may set baselines, and not for the manager whose numbers they are.
    raises: NotFound, NotPermitted (all units: whoever may everywhere), InvalidInput
    """
    if kind not in Annotation.Kind.values:
        raise InvalidInput(_("An annotation is an event, a change or an exclusion."))
    _allowed_at(by, unit, kind)
    said = _said(text, LONGEST_ANNOTATION, _("Say what happened."))
    if ends_on <= starts_on:
        raise InvalidInput(_("An annotation ends after it starts."))
    if code and not _is_known(code):
        raise InvalidInput(_("There is no indicator “%(code)s”.") % {"code": code[:80]})
    standing = _standing(kind, unit, code, starts_on, reference)
    if standing is not None:
        return standing
    made = Annotation.objects.create(
        kind=kind, unit=unit, code=code, starts_on=starts_on, ends_on=ends_on, text=said,
        reference=reference, created_by=by.user, created_at=now,
    )  # fmt: skip
    _record_annotation("annotation.written", made, by, now)
    return made


def mark_epoch(*, epoch_id: int, now: datetime) -> Annotation:
    """Write on all charts of an indicator that it measures something else from a day on. The
    software writes it, once, with the reason that somebody gave."""
    epoch = IndicatorEpoch.objects.select_related("indicator").get(pk=epoch_id)
    return annotate(
        kind=Annotation.Kind.CHANGE,
        unit=None,
        code=epoch.indicator.code,
        starts_on=epoch.starts_on,
        ends_on=epoch.starts_on + timedelta(days=1),
        text=(_("Measured otherwise from here on: %(reason)s") % {"reason": epoch.reason})[
            :LONGEST_ANNOTATION
        ],
        by=system_principal(),
        now=now,
        reference=f"{EPOCH}{epoch.pk}",
    )


def _standing(
    kind: str, unit: Unit | None, code: str, starts_on: date, reference: str
) -> Annotation | None:
    """Return what was written under this reference before."""
    if not reference:
        return None
    return Annotation.objects.filter(
        reference=reference, unit=unit, code=code, starts_on=starts_on, kind=kind
    ).first()


@transaction.atomic
def withdraw_annotation(*, annotation_id: int, by: Principal, now: datetime) -> Annotation:
    """Take an annotation off the charts; the row stays. What the software wrote for a ticket stays
    on the charts, too. raises: NotFound, NotPermitted, Conflict"""
    found = Annotation.objects.visible_to(by).filter(pk=annotation_id)
    annotation = found.select_for_update().first()
    if annotation is None:
        raise NotFound(_("There is no such annotation."))
    _allowed_at(by, annotation.unit, annotation.kind)
    if annotation.withdrawn_at is not None:
        raise Conflict(_("This annotation was withdrawn."))
    if annotation.reference.startswith(EPOCH):
        raise Conflict(_("From here on something else is measured; that stays on the charts."))
    if annotation.reference:
        raise Conflict(_("This change was made by a ticket; it stays on the charts."))
    annotation.withdrawn_by, annotation.withdrawn_at = by.user, now
    annotation.save(update_fields=["withdrawn_by", "withdrawn_at"])
    _record_annotation("annotation.withdrawn", annotation, by, now)
    return annotation


def _allowed_at(by: Principal, unit: Unit | None, kind: str) -> None:
    """Refuse who may not write on the charts of this unit; of all units, who may not everywhere."""
    excludes = kind == Annotation.Kind.EXCLUSION
    needed = Permission.APPROVE_BASELINES if excludes else Permission.MANAGE_SIGNALS
    scope = by.scope(needed)
    if unit is None and not scope.everywhere:
        raise NotPermitted(_("Only who looks after all units may write on the charts of all."))
    if unit is not None and unit.pk not in by.scope(Permission.VIEW_RESULTS):
        raise NotFound(_("There is no such unit."))
    if unit is not None:
        by.require(needed, unit_id=unit.pk)


def _is_known(code: str) -> bool:
    return (
        code == COMPOSITE
        or Indicator.objects.filter(code=code).exists()
        or Dimension.objects.filter(code=code).exists()
    )


def _record_annotation(action: str, annotation: Annotation, by: Principal, now: datetime) -> None:
    details = {
        "kind": annotation.kind,
        "unit": annotation.unit_id,
        "code": annotation.code,
        "starts_on": annotation.starts_on.isoformat(),
        "ends_on": annotation.ends_on.isoformat(),
    }
    record(action=action, subject=f"annotation:{annotation.pk}", by=by, now=now, details=details)


@transaction.atomic
def propose_baseline(
    *,
    key: SeriesKey,
    starts_on: date,
    ends_on: date,
    applies_from: date,
    reason: str,
    by: Principal,
    now: datetime,
    reference: str = "",
    kind: str = "",
) -> Baseline:
    """Freeze the limits of the periods in [starts_on, ends_on) to judge those from `applies_from`.

    Of a person who may approve baselines, and without the reference of a ticket, it is in force at
    once; else another one decides. What came before `applies_from` stays judged as it was. `kind`
    is a chart of `kinds.suiting_kinds`, "" for the one that the data ask for.
    raises: NotFound, NotPermitted (the software itself never sets a baseline anew), InvalidInput
        for periods that are too few, have gaps, never vary or overlap with what they judge, and
        for a kind of chart that they do not give,
        Conflict when a later baseline is in force, or one waits already
    """
    person = _person(by)
    points = visible_series(principal=by, key=key, through=local_day(now))
    may_decide = by.may(Permission.APPROVE_BASELINES, unit_id=key.unit_id)
    if not may_decide:
        by.require(Permission.MANAGE_SIGNALS, unit_id=key.unit_id)
    said = _said(reason, LONGEST_REASON, _("Say why the baseline is set anew."))
    window = _window(points, starts_on, ends_on, applies_from)
    _refuse_if_late(key, applies_from)
    if _waiting(key).exists():
        raise Conflict(_("A baseline of this series waits for a decision already."))
    at_once = may_decide and not reference
    made = Baseline.objects.create(
        system_id=key.system_id,
        unit_id=key.unit_id,
        code=key.code,
        grain=key.grain,
        starts_on=window[0].period.start,
        ends_on=window[-1].period.end,
        applies_from=applies_from,
        state=Baseline.State.IN_FORCE if at_once else Baseline.State.PROPOSED,
        origin=Baseline.Origin.TICKET if reference else Baseline.Origin.PERSON,
        reference=reference,
        reason=said,
        proposed_by=person,
        decided_by=person if at_once else None,
        created_at=now,
        decided_at=now if at_once else None,
        **_limits_of(key, window, kind),
    )
    _record_baseline("baseline.set" if at_once else "baseline.proposed", made, by, now)
    return made


def _window(
    points: Sequence[SeriesPoint], starts_on: date, ends_on: date, applies_from: date
) -> list[SeriesPoint]:
    """Return the periods of a baseline, or refuse them."""
    if applies_from < ends_on:
        raise InvalidInput(_("A baseline judges only periods after its own: they would overlap."))
    found = [point for point in points if starts_on <= point.period.start < ends_on]
    usable = [point for point in found if point.is_usable]
    if len(usable) < SHORTEST_BASELINE:
        raise InvalidInput(
            _("A baseline needs %(least)s periods with a figure; there are %(found)s.")
            % {"least": SHORTEST_BASELINE, "found": len(usable)}
        )
    if found[-1].period.end > ends_on:
        raise InvalidInput(_("A baseline ends where a period ends."))
    if any(point.value is None for point in found) or found[-1].period.end != ends_on:
        raise InvalidInput(_("There are periods without a figure among those of the baseline."))
    return found


def _limits_of(key: SeriesKey, points: Sequence[SeriesPoint], kind: str) -> dict[str, Any]:
    """Return the numbers of a baseline. raises: InvalidInput for a series that never varies, and
    for a kind of chart that does not suit it"""
    usable = [point for point in points if point.is_usable]
    values, n, low, high = (
        np.array([np.nan if n is None else float(n) for n in numbers])
        for numbers in zip(
            *((point.value, point.n, point.low, point.high) for point in usable), strict=True
        )
    )
    single = freeze(values, kind=ChartKind.XMR)
    if not single.status.usable:
        raise InvalidInput(_("The figures of these periods are all the same."))
    system = IndicatorSystem.objects.get(pk=key.system_id)
    leaf = leaves_of(system, key.grain).get(key.code)
    errors = standard_errors(*uncut(values, low, high, is_even(leaf)))
    between = between_sigma([single.spread], errors[None])
    window = window_of(
        leaf,
        values,
        n=np.nan_to_num(n),
        errors=errors,
        starts_on=points[0].period.start,
        ends_on=points[-1].period.end,
    )
    if not kind:
        found = drawn_for(leaf, window, single=single, unit_id=key.unit_id)
    elif (chosen := _chosen(kind, key, leaf, window, single)) is not None:
        found = chosen
    else:
        reason = _("The figures of these periods do not give such a chart.")
        raise InvalidInput(reason, problems=[Problem(reason, "kind")])
    return frozen_fields(found, single=single, between=float(between[0]), chosen=bool(kind))


def _chosen(
    kind: str, key: SeriesKey, leaf: IndicatorDefinition | None, window: Window, single: Limits
) -> Drawn | None:
    """Return the limits of the chart that a person chose; None where it does not suit."""
    if kind not in suiting_kinds(leaf, window):
        return None
    return drawn_as(Kind(kind), leaf, window, single=single, unit_id=key.unit_id)


def _waiting(key: SeriesKey) -> QuerySet[Baseline]:
    return Baseline.objects.filter(
        system_id=key.system_id,
        grain=key.grain,
        unit_id=key.unit_id,
        code=key.code,
        state=Baseline.State.PROPOSED,
    )


def _refuse_if_late(key: SeriesKey, applies_from: date) -> None:
    """What was judged stays judged: baselines take over one after the other."""
    held = baselines_of(key)
    if held and applies_from <= held[-1].applies_from:
        raise Conflict(
            _("A baseline that applies from %(day)s is in force; a new one comes after it.")
            % {"day": date_format(held[-1].applies_from)}
        )


@transaction.atomic
def decide_baseline(*, baseline_id: int, accept: bool, by: Principal, now: datetime) -> Baseline:
    """Put a proposed baseline in force, or decline it.

    raises: NotFound, NotPermitted (who proposed it does not decide), Conflict when it was decided,
        or a later baseline came in force
    """
    found = Baseline.objects.visible_to(by).filter(pk=baseline_id)
    baseline = found.select_for_update().first()
    if baseline is None:
        raise NotFound(_("There is no such baseline."))
    by.require(Permission.APPROVE_BASELINES, unit_id=baseline.unit_id)
    person = _person(by)
    if baseline.state != Baseline.State.PROPOSED:
        raise Conflict(_("This baseline was decided already."))
    if baseline.proposed_by_id == person.pk:
        raise NotPermitted(_("Another person than who proposed a baseline decides on it."))
    if accept:
        _refuse_if_late(key_of(baseline), baseline.applies_from)
    baseline.state = Baseline.State.IN_FORCE if accept else Baseline.State.DECLINED
    baseline.decided_by, baseline.decided_at = person, now
    baseline.save(update_fields=["state", "decided_by", "decided_at"])
    _record_baseline("baseline.accepted" if accept else "baseline.declined", baseline, by, now)
    return baseline


def _record_baseline(action: str, baseline: Baseline, by: Principal, now: datetime) -> None:
    details = {
        "unit": baseline.unit_id,
        "code": baseline.code,
        "grain": baseline.grain,
        "applies_from": baseline.applies_from.isoformat(),
        "reference": baseline.reference,
    }
    record(action=action, subject=f"baseline:{baseline.pk}", by=by, now=now, details=details)


def _said(text: str, longest: int, missing: str) -> str:
    said = text.strip()
    if not said:
        raise InvalidInput(missing)
    if len(said) > longest:
        raise InvalidInput(_("Write at most %(most)s characters.") % {"most": longest})
    return said


def _person(by: Principal) -> User:
    """Return the person; a token and the software have no say here."""
    if by.user is None:
        raise NotPermitted(_("Only a person may do this."))
    return by.user


def _note(
    signal: Signal,
    kind: str,
    period_on: date,
    *,
    by: Principal,
    now: datetime,
    note: str = "",
) -> None:
    SignalEvent.objects.create(
        signal=signal,
        kind=kind,
        episode=signal.episode,
        period_on=period_on,
        at=now,
        by=by.user,
        note=note,
    )
