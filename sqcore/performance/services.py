"""Judging people fairly, and what they and others do about it.

A run reads the answers of twelve closed months and says of every person what can be said. It keeps
all it went by, so that the same answers give the same results again, hash for hash.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.audit.services import record
from sqcore.base import bus
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.events import StaffResultsPublished
from sqcore.base.periods import Grain, Period
from sqcore.base.prepared import PreparedInsert
from sqcore.base.text import in_all_languages
from sqcore.encounters.models import Encounter
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext
from sqcore.jobs.services import start
from sqcore.monitoring.models import Signal
from sqcore.notices.services import notify, notify_holders_of
from sqcore.org.models import Assignment, Channel, Leave, Segment, during
from sqcore.org.queries import local_day, organisation, tree_on
from sqcore.performance.batches import (
    batches_since,
    make_batches,
    newest_batch,
    whole_only,
    with_batchmates,
    without_slivers,
)
from sqcore.performance.judging import (
    FIGURES,
    GATES,
    VERDICTS,
    Judged,
    People,
    Pool,
    Rules,
    factors_of,
    judge,
    pool,
)
from sqcore.performance.models import (
    Dispute,
    FrozenReliability,
    Look,
    Outage,
    ResultsPolicy,
    ResultsRun,
    StaffResult,
)
from sqcore.performance.queries import current_run, current_runs, policy_on
from sqcore.performance.sources import PERSON_SOURCES, Ints, PersonAnswers

JOB_KIND = "people-results"
ALGORITHM = 2
"""The version of what a result is: part of what a run goes by."""
LONGEST_PAUSE = 36
"""So many months of leave at the most move the beginning of a window."""
MOST_MISSED = 12
"""So many windows at the most are computed after a time in which nothing ran."""
LONGEST_OUTAGE = timedelta(days=7)
LONGEST_TEXT = 1000
AT_ONCE = 500


# ---- What a run goes by --------------------------------------------------------------------------
@dataclass(frozen=True)
class Setting:
    """Everything that a run goes by but the answers themselves.

    `people` are [staff, unit, post, first day]; `excluded` and `pending` are pairs of staff and
    encounter, `outage_keys` encounters that count for nobody; `held_units` those with an open
    signal at them or above; `icc` what is frozen, by measure.
    """

    first: date
    end: date
    rules: Rules
    people: list[tuple[int, int, int, str]]
    excluded: list[tuple[int, str]]
    pending: list[tuple[int, str]]
    outage_keys: list[str]
    held_units: list[int]
    icc: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "first": self.first.isoformat(),
            "end": self.end.isoformat(),
            "algorithm": ALGORITHM,
        }

    @classmethod
    def of_json(cls, raw: Mapping[str, Any]) -> "Setting":
        return cls(
            first=date.fromisoformat(raw["first"]),
            end=date.fromisoformat(raw["end"]),
            rules=Rules(**raw["rules"]),
            people=[tuple(row) for row in raw["people"]],
            excluded=[tuple(row) for row in raw["excluded"]],
            pending=[tuple(row) for row in raw["pending"]],
            outage_keys=list(raw["outage_keys"]),
            held_units=list(raw["held_units"]),
            icc=dict(raw["icc"]),
        )


@dataclass(frozen=True)
class _Taken:
    """The answers of everybody's window: `counted` those in whole batches, in the batches `batch`;
    `all` those as well that wait for a batch, or whose batch lost one."""

    all: PersonAnswers
    counted: PersonAnswers
    batch: Ints


@dataclass(frozen=True)
class _Computed:
    """The results of a window, not written yet; no batch was made after `newest_batch`."""

    setting: Setting
    newest_batch: int
    results: dict[str, Judged]
    figures: dict[str, dict[str, Any]]
    input_hash: str
    result_hash: str


def evaluate_people(*, ends_on: date, now: datetime, reason: str = "") -> ResultsRun:
    """Judge everybody by the closed months before `ends_on`, and return the run in force.

    A new revision is written when anything is other than in the one in force; the same answers
    and rules change nothing.

    raises: InvalidInput unless `ends_on` is the first day of a month that has begun
    """
    if ends_on.day != 1 or ends_on > local_day(now):
        raise InvalidInput(
            _("Results of people are of closed months."),
            problems=[Problem(_("is not the first day of a month that has begun"), "ends_on")],
        )
    policy = _policy(ends_on, now)
    computed = _compute(policy, ends_on, now)
    return _publish(computed, policy, reason=reason, now=now)


def _policy(ends_on: date, now: datetime) -> ResultsPolicy:
    """Return the rules of a window; the first ones are made when they are needed."""
    found = policy_on(ends_on)
    if found is not None:
        return found
    waiting = Indicator.objects.filter(source="encounters", parameters__measure="waiting")
    made, _is_new = ResultsPolicy.objects.get_or_create(
        number=1,
        defaults={
            "valid_from": ends_on,
            "freezing": list(waiting.order_by("code").values_list("code", flat=True)),
            "made_at": now,
        },
    )
    return made


def _compute(policy: ResultsPolicy, ends_on: date, now: datetime) -> _Computed:
    setting = _setting(policy, ends_on)
    answers = _answers(setting)
    with transaction.atomic():
        make_batches(answers, least=policy.batch, now=now)
        newest = newest_batch()
    taken = _in_batches(setting, answers, newest)
    setting = _with_those_answered(setting, answers)
    pools = _pools(setting, taken)
    icc = _frozen_icc(pools, setting.rules, ends_on.year, now)
    # `icc` belongs to the setting, but the first of a year comes of the answers.
    return _judged(Setting(**{**vars(setting), "icc": icc}), newest, taken.counted, pools)


def _setting(policy: ResultsPolicy, ends_on: date) -> Setting:
    first = _months_before(ends_on, policy.window_months)
    last = ends_on - timedelta(days=1)
    people = _people(last, first, ends_on)
    disputes = _disputes_in(first)
    return Setting(
        first=first,
        end=ends_on,
        rules=Rules(
            smallest_difference=policy.smallest_difference,
            certainty=policy.certainty,
            smallest_n=policy.smallest_n,
            coaching_reliability=policy.coaching_reliability,
            pay_reliability=policy.pay_reliability,
            fewest_peers=policy.fewest_peers,
            smallest_group=organisation().smallest_group,
        ),
        people=people,
        excluded=disputes.excluded,
        pending=disputes.pending,
        outage_keys=disputes.outage_keys,
        held_units=_held_units(policy, {row[1] for row in people}, last),
        icc={},
    )


def _months_before(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def _people(last: date, first: date, end: date) -> list[tuple[int, int, int, str]]:
    """Return who works somewhere on the last day, each once: where they have been the longest."""
    found: dict[int, tuple[int, int]] = {}
    rows = Assignment.objects.filter(during(last)).order_by("staff_id", "valid_from", "id")
    for staff, unit, post in rows.values_list("staff_id", "unit_id", "post_id"):
        found.setdefault(staff, (unit, post))
    starts = _paused_starts(first, end)
    day = first.isoformat()
    return [(staff, unit, post, starts.get(staff, day)) for staff, (unit, post) in found.items()]


def _paused_starts(first: date, end: date) -> dict[int, str]:
    """Return the first day of the window of whom leave pauses it.

    A month during half of which or more somebody was away is no month of their window: it goes so
    many months further back.
    """
    months = round((end - first).days / 30.44)
    earliest = _months_before(first, LONGEST_PAUSE)
    leaves: dict[int, list[tuple[date, date]]] = {}
    rows = Leave.objects.filter(valid_from__lt=end, valid_to__gt=earliest).order_by("staff_id")
    for staff, since, until in rows.values_list("staff_id", "valid_from", "valid_to"):
        leaves.setdefault(staff, []).append((since, until))
    return {
        staff: start.isoformat()
        for staff, spans in leaves.items()
        if (start := _paused_start(spans, end, months, earliest)) != first
    }


def _paused_start(
    spans: Sequence[tuple[date, date]], end: date, months: int, earliest: date
) -> date:
    month, counted = end, 0
    while counted < months and month > earliest:
        following, month = month, _months_before(month, 1)
        away = {
            month + timedelta(days=day)
            for since, until in spans
            for day in range(max((since - month).days, 0), (min(until, following) - month).days)
        }
        counted += 2 * len(away) < (following - month).days
    return month


@dataclass(frozen=True)
class _Disputed:
    excluded: list[tuple[int, str]]
    pending: list[tuple[int, str]]
    outage_keys: list[str]


def _disputes_in(first: date) -> _Disputed:
    """Return what disputes say of encounters that answers of a window can be about."""
    since = _months_before(first, LONGEST_PAUSE + 12)
    rows = Dispute.objects.filter(encounter_at__date__gte=since).order_by("staff_id", "pk")
    state = Dispute.State
    keys: set[str] = set()
    for unit, starts_at, ends_at in _outages().values_list("unit_id", "starts_at", "ends_at"):
        down = Encounter.objects.filter(
            unit=unit, arrived_at__gte=starts_at, arrived_at__lt=ends_at
        )
        keys.update(down.values_list("key", flat=True))
    return _Disputed(
        excluded=_pairs(rows.filter(state=state.UPHELD)),
        pending=_pairs(rows.filter(state=state.OPEN)),
        outage_keys=sorted(keys),
    )


def _outages() -> Any:
    return Outage.objects.filter(reversed_at__isnull=True).order_by("pk")


def _pairs(rows: Any) -> list[tuple[int, str]]:
    return sorted(rows.values_list("staff_id", "encounter_key"))


def _held_units(policy: ResultsPolicy, units: Collection[int], last: date) -> list[int]:
    """Return which of the units have an open signal that freezes verdicts, at them or above.

    A muted signal is open: what is the matter is known, and still the matter.
    """
    signals = Signal.objects.open().filter(code__in=policy.freezing)
    waiting = set(signals.values_list("unit_id", flat=True))
    if not waiting:
        return []
    tree = tree_on(last)
    return sorted(unit for unit in units if waiting & set(tree.path(unit)))


# ---- From answers to results ---------------------------------------------------------------------
def _answers(setting: Setting) -> PersonAnswers:
    """Return the answers of everybody's window, without what counts for nobody or not for them."""
    first, end = setting.first, setting.end
    starts = {row[0]: row[3] for row in setting.people if row[3] < first.isoformat()}
    parts = []
    for source in PERSON_SOURCES:
        found = [source.collect(first=first, end=end)]
        if starts:
            earliest = date.fromisoformat(min(starts.values()))
            found.append(source.collect(first=earliest, end=first, staff_ids=sorted(starts)))
        parts.append(found)
    whole = _side_by_side(parts)
    return _taken(whole, np.flatnonzero(_counts(whole, setting, starts)))


def _in_batches(setting: Setting, answers: PersonAnswers, newest: int) -> _Taken:
    """Leave out the answers that are in no whole batch."""
    begins = [setting.first, *(date.fromisoformat(row[3]) for row in setting.people)]
    batches = batches_since(min(begins), newest=newest)
    is_whole, place = whole_only(answers, np.ones(len(answers), dtype=np.bool_), batches)
    rows = np.flatnonzero(is_whole)
    counted, batch = _taken(answers, rows), place[rows]
    values = without_slivers(counted.values, batch)
    return _Taken(answers, PersonAnswers(**{**vars(counted), "values": values}), batch)


def _side_by_side(parts: Sequence[Sequence[PersonAnswers]]) -> PersonAnswers:
    """Put the answers of all sources below one another, their measures beside one another."""
    measures = tuple(measure for found in parts for measure in found[0].measures)
    tables, pieces, place = [], [], 0
    for found in parts:
        width = len(found[0].measures)
        for piece in found:
            table = np.full((len(piece), len(measures)), np.nan)
            table[:, place : place + width] = piece.values
            tables.append(table)
            pieces.append(piece)
        place += width

    def joined(name: str, kind: Any) -> npt.NDArray[Any]:
        columns = [np.asarray(getattr(piece, name), dtype=kind) for piece in pieces]
        return np.concatenate(columns) if columns else np.zeros(0, dtype=kind)

    return PersonAnswers(
        measures=measures,
        staff=joined("staff", np.int64),
        unit=joined("unit", np.int64),
        on=joined("on", "datetime64[D]"),
        channel=joined("channel", np.int64),
        segment=joined("segment", np.int64),
        encounter=[key for piece in pieces for key in piece.encounter],
        answer=joined("answer", np.uint64),
        values=np.concatenate(tables) if tables else np.zeros((0, len(measures))),
    )


def _counts(
    answers: PersonAnswers, setting: Setting, starts: Mapping[int, str]
) -> npt.NDArray[np.bool_]:
    people = _people_of(setting)
    code = people.code_of(answers.staff)
    counts: npt.NDArray[np.bool_] = code >= 0
    if starts:
        begins = np.array([row[3] for row in setting.people], dtype="datetime64[D]")
        counts &= answers.on >= begins[code.clip(min=0)]
    counts &= ~_about(answers, set(setting.excluded))
    if setting.outage_keys:
        down = set(setting.outage_keys)
        counts &= ~np.fromiter((key in down for key in answers.encounter), bool, len(answers))
    return counts


def _about(answers: PersonAnswers, pairs: Collection[tuple[int, str]]) -> npt.NDArray[np.bool_]:
    """Return which answers are about one of these pairs of staff and encounter."""
    found = np.zeros(len(answers), dtype=np.bool_)
    keys = {key for _staff, key in pairs}
    for at in [at for at, key in enumerate(answers.encounter) if key in keys] if keys else []:
        found[at] = (int(answers.staff[at]), answers.encounter[at]) in pairs
    return found


def _taken(answers: PersonAnswers, rows: npt.NDArray[np.int64]) -> PersonAnswers:
    return PersonAnswers(
        measures=answers.measures,
        **{
            name: getattr(answers, name)[rows]
            for name in ("staff", "unit", "on", "channel", "segment", "answer", "values")
        },
        encounter=[answers.encounter[at] for at in rows.tolist()],
    )


def _people_of(setting: Setting) -> People:
    rows = np.array([row[:3] for row in setting.people], dtype=np.int64).reshape(-1, 3)
    return People(rows[:, 0], rows[:, 1], rows[:, 2])


def _with_those_answered(setting: Setting, answers: PersonAnswers) -> Setting:
    """Keep who serves customers or was answered about: others have no results."""
    known = set(np.unique(answers.staff).tolist())
    serving = set(
        Assignment.objects.filter(
            during(setting.end - timedelta(days=1)), post__is_front_line=True
        ).values_list("staff_id", flat=True)
    )
    people = [row for row in setting.people if row[0] in known or row[0] in serving]
    units = {row[1] for row in people}
    held = [unit for unit in setting.held_units if unit in units]
    return Setting(**{**vars(setting), "people": people, "held_units": held})


def _pools(setting: Setting, taken: _Taken) -> dict[str, Pool]:
    people, answers = _people_of(setting), taken.counted
    person, everybody = people.code_of(answers.staff), people.code_of(taken.all.staff)
    # What is disputed stands aside as it will when that is upheld: with its whole batch.
    pending = with_batchmates(_about(answers, set(setting.pending)), taken.batch)
    factors = factors_of(answers, _codes())
    found = {}
    for place, measure in enumerate(answers.measures):
        there = ~np.isnan(taken.all.values[:, place])
        if not there.any():
            continue
        each = pool(answers.values[:, place], person, pending, factors, people, setting.rules)
        given = np.bincount(everybody[there], minlength=len(people))
        found[measure.key] = replace(each, given=given)
    return found


def _codes() -> dict[str, dict[int, str]]:
    return {
        "channel": dict(Channel.objects.values_list("pk", "code")),
        "segment": dict(Segment.objects.values_list("pk", "code")),
    }


def _frozen_icc(
    pools: Mapping[str, Pool], rules: Rules, year: int, now: datetime
) -> dict[str, float]:
    """Return the ICC of the year by measure; the first run of a year sets it.

    Of fewer people than one comparison group has none is set: a later run does.
    """
    rows = FrozenReliability.objects.filter(year=year, measure__in=list(pools))
    known = dict(rows.values_list("measure", "icc"))
    for measure, each in pools.items():
        parts = each.parts
        if measure in known or parts is None or parts.persons < rules.fewest_peers:
            continue
        row, _is_new = FrozenReliability.objects.get_or_create(
            measure=measure,
            year=year,
            defaults={
                "icc": parts.icc,
                "icc_se": parts.icc_se,
                "within": parts.within,
                "between": parts.between,
                "persons": parts.persons,
                "n": parts.n,
                "computed_at": now,
            },
        )
        known[measure] = row.icc
    return {measure: known[measure] for measure in sorted(known)}


def _judged(
    setting: Setting, newest: int, answers: PersonAnswers, pools: Mapping[str, Pool]
) -> _Computed:
    people = _people_of(setting)
    frozen = np.isin(people.unit, setting.held_units)
    has_pending = np.isin(people.staff, sorted({staff for staff, _key in setting.pending}))
    results, figures = {}, {}
    for measure, each in pools.items():
        results[measure], figures[measure] = judge(
            each,
            people=people,
            icc=setting.icc.get(measure),
            frozen=frozen,
            has_pending=has_pending,
            rules=setting.rules,
        )
    return _Computed(
        setting=setting,
        newest_batch=newest,
        results=results,
        figures=figures,
        input_hash=_input_hash(setting, answers),
        result_hash=_result_hash(people, results),
    )


def _input_hash(setting: Setting, answers: PersonAnswers) -> str:
    digest = hashlib.sha256(json.dumps(setting.as_json(), sort_keys=True).encode())
    # What a questionnaire of later asks changes nothing of what was answered.
    asked: list[bool] = np.asarray(~np.isnan(answers.values).all(axis=0)).tolist()
    keys = [each.key for each, is_asked in zip(answers.measures, asked, strict=True) if is_asked]
    digest.update(json.dumps(keys).encode())
    for name in ("staff", "unit", "channel", "segment"):
        digest.update(getattr(answers, name).astype("<i8").tobytes())
    digest.update(answers.on.astype("datetime64[D]").astype("<i8").tobytes())
    digest.update("\0".join(answers.encounter).encode())
    digest.update(np.ascontiguousarray(answers.values[:, asked], dtype="<f8").tobytes())
    return digest.hexdigest()


def _result_hash(people: People, results: Mapping[str, Judged]) -> str:
    digest = hashlib.sha256(people.staff.astype("<i8").tobytes())
    for measure, judged in sorted(results.items()):
        digest.update(measure.encode())
        for column in (judged.n, judged.peers, judged.verdict, judged.gate):
            digest.update(column.astype("<i8").tobytes())
        for name in FIGURES:
            # Minus nothing is nothing, and there is one NaN.
            figures = np.where(np.isnan(judged.floats[name]), np.nan, judged.floats[name] + 0.0)
            digest.update(figures.astype("<f8").tobytes())
        digest.update("\0".join(judged.held.tolist()).encode())
    return digest.hexdigest()


def _publish(
    computed: _Computed, policy: ResultsPolicy, *, reason: str, now: datetime
) -> ResultsRun:
    ends_on = computed.setting.end
    with transaction.atomic():
        # Runs are written one after the other, whoever computes them.
        ResultsPolicy.objects.select_for_update(of=("self",)).order_by("pk").first()
        runs = ResultsRun.objects.filter(ends_on=ends_on)
        former = runs.filter(is_current=True).first()
        if former is not None and former.input_hash == computed.input_hash:
            return former
        runs.filter(is_current=True).update(is_current=False)
        newest = runs.order_by("-revision").values_list("revision", flat=True).first() or 0
        run = ResultsRun.objects.create(
            ends_on=ends_on,
            revision=newest + 1,
            policy=policy,
            reason=reason,
            frozen={
                "setting": computed.setting.as_json(),
                "newest_batch": computed.newest_batch,
                "icc": computed.setting.icc,
                "measures": computed.figures,
            },
            input_hash=computed.input_hash,
            result_hash=computed.result_hash,
            computed_at=now,
        )
        _results_inserter().insert(_rows(run, computed))
        bus.publish(StaffResultsPublished(run.pk), now=now)
    return run


@cache
def _results_inserter() -> PreparedInsert:
    return PreparedInsert(StaffResult)


def _rows(run: ResultsRun, computed: _Computed) -> Iterable[StaffResult]:
    setting = computed.setting
    disputed: dict[int, int] = {}
    for staff, _key in setting.pending:
        disputed[staff] = disputed.get(staff, 0) + 1
    group = StaffResult.Group
    for measure, judged in computed.results.items():
        columns = {
            name: [None if value != value else value for value in judged.floats[name].tolist()]
            for name in FIGURES
        }
        peers, codes = judged.peers.tolist(), judged.verdict.tolist()
        at_unit, n = judged.at_unit.tolist(), judged.n.tolist()
        gates, held = judged.gate.tolist(), judged.held.tolist()
        for at, (staff, unit, post, starts_on) in enumerate(setting.people):
            is_compared = peers[at] >= 0
            yield StaffResult(
                run_id=run.pk,
                staff_id=staff,
                unit_id=unit,
                post_id=post,
                measure=measure,
                starts_on=date.fromisoformat(starts_on),
                n=n[at],
                group=(group.UNIT_POST if at_unit[at] else group.POST) if is_compared else "",
                peers=peers[at] if is_compared else None,
                verdict=VERDICTS[codes[at]],
                gate=GATES[gates[at]],
                held=held[at],
                disputed=disputed.get(staff, 0),
                **{name: column[at] for name, column in columns.items()},
            )


@dataclass(frozen=True)
class Replay:
    """A run computed anew from what it kept and from the answers as they are now."""

    run: ResultsRun
    input_hash: str
    result_hash: str

    @property
    def is_same(self) -> bool:
        return (self.input_hash, self.result_hash) == (self.run.input_hash, self.run.result_hash)


def replay_run(run_id: int) -> Replay:
    """Compute a run anew, by the rules, decisions and batches it went by. Writes nothing.

    Another `input_hash` says that answers went or were corrected since. raises: NotFound
    """
    run = ResultsRun.objects.filter(pk=run_id).first()
    if run is None:
        raise NotFound(_("There is no such run."))
    setting = Setting.of_json(run.frozen["setting"])
    newest = int(run.frozen["newest_batch"])
    taken = _in_batches(setting, _answers(setting), newest)
    computed = _judged(setting, newest, taken.counted, _pools(setting, taken))
    return Replay(run, computed.input_hash, computed.result_hash)


# ---- When it is due ------------------------------------------------------------------------------
class PeopleResultsJob:
    """The windows that are due, one after the other; each is a transaction under the fence."""

    key = JOB_KIND

    def run(self, context: JobContext) -> None:
        windows = due_windows(now=context.now())
        for done, (ends_on, reason) in enumerate(windows):
            context.progress(done, len(windows), ends_on.isoformat())
            policy = _policy(ends_on, context.now())
            computed = _compute(policy, ends_on, context.now())
            with context.fenced():
                _publish(computed, policy, reason=reason, now=context.now())
        context.progress(len(windows), len(windows))
        with context.completing() as result:
            result["windows"] = [ends_on.isoformat() for ends_on, _reason in windows]


def evaluate_due(*, now: datetime) -> Job | None:
    """Start the job of the windows that are due; None when nothing is."""
    if not due_windows(now=now):
        return None
    return start(
        kind=JOB_KIND,
        key=JOB_KIND,
        title=in_all_languages(lazy("Results of people")),
        parameters={},
        owner=None,
        now=now,
    )


def due_windows(*, now: datetime) -> list[tuple[date, str]]:
    """Return the windows to compute, the oldest first, and why.

    Closed months that have no run; windows whose disputes were decided since; and the newest one
    when a signal of waiting times opened or ended since.
    """
    if not any(source.measures() for source in PERSON_SOURCES):
        return []
    newest = Period.of(local_day(now), Grain.MONTH).start
    last = current_run()
    due = [(run.ends_on, "dispute") for run in current_runs() if _is_decided_since(run)]
    if last is None:
        return [(newest, "month")]
    if last.ends_on not in dict(due) and _is_held_otherwise(last):
        due.append((last.ends_on, "signal"))
    missed = [
        _months_before(newest, back)
        for back in range(MOST_MISSED)
        if _months_before(newest, back) > last.ends_on
    ]
    return sorted([*due, *((ends_on, "month") for ends_on in missed)])


def _is_decided_since(run: ResultsRun) -> bool:
    """Whether a dispute was decided, withdrawn or reversed since a run that it touches.

    It touches the window that was the newest when it was raised, and those after that.
    """
    setting = run.frozen["setting"]
    found = _disputes_in(date.fromisoformat(setting["first"]))
    after = Period.of(run.ends_on, Grain.MONTH).end
    later = set(_pairs(Dispute.objects.filter(raised_at__date__gte=after)))
    was_upheld = {tuple(pair) for pair in setting["excluded"]}
    was_open = {tuple(pair) for pair in setting["pending"]}
    return bool(
        was_upheld - later != set(found.excluded) - later or was_open - later - set(found.pending)
    )


def _is_held_otherwise(run: ResultsRun) -> bool:
    setting = run.frozen["setting"]
    units = {row[1] for row in setting["people"]}
    held = _held_units(run.policy, units, run.ends_on - timedelta(days=1))
    return bool(held != setting["held_units"])


def tell_people(*, run_id: int, now: datetime) -> int:
    """Tell each person who has results and logs in that they are there: once a window, no figures.

    Returns how many were told.
    """
    run = ResultsRun.objects.filter(pk=run_id).first()
    if run is None:
        return 0
    readers = User.objects.filter(
        pk__in=run.results.filter(raw__isnull=False, staff__user__isnull=False).values(
            "staff__user"
        ),
        is_active=True,
    ).order_by("pk")
    told = 0
    people = list(readers)
    for at in range(0, len(people), AT_ONCE):
        told += notify(
            readers=people[at : at + AT_ONCE],
            key=f"people-results:{run.ends_on.isoformat()}",
            title=in_all_languages(lazy("Your results are there")),
            body=in_all_languages(
                lazy("What customers said about you until %(until)s, and how it is computed."),
                until=(run.ends_on - timedelta(days=1)).isoformat(),
            ),
            reason=in_all_languages(lazy("They are about you.")),
            link=reverse("sqcore:performance-me"),
            now=now,
        )
    return told


# ---- Disputes ------------------------------------------------------------------------------------
@transaction.atomic
def raise_dispute(
    *, encounter_key: str, reason: str, text: str = "", by: Principal, now: datetime
) -> Dispute:
    """Dispute an own encounter, blind: it is the same whether its customer answered or not.

    The same dispute sent twice is one. raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    if by.staff_id is None:
        raise NotPermitted(_("Only staff members dispute, and only their own encounters."))
    _check_text(text, "text", needed=False)
    if reason not in Dispute.Reason.values:
        known = ", ".join(Dispute.Reason.values)
        raise InvalidInput(
            _("This is no reason for a dispute."),
            problems=[Problem(_("choose one of: %(known)s") % {"known": known}, "reason")],
        )
    encounter = Encounter.objects.filter(key=encounter_key, staff=by.staff_id).first()
    if encounter is None:
        raise NotFound(_("There is no such encounter of yours."))
    today = local_day(now)
    rules = policy_on(today) or ResultsPolicy()
    dispute, is_new = Dispute.objects.get_or_create(
        staff_id=by.staff_id,
        encounter_key=encounter.key,
        defaults={
            "unit_id": encounter.unit_id,
            "encounter_at": encounter.arrived_at,
            "reason": reason,
            "text": text.strip(),
            "raised_at": now,
            "due_on": today + timedelta(days=rules.dispute_days),
        },
    )
    if not is_new:
        same = (dispute.state, dispute.reason, dispute.text)
        if same != (Dispute.State.OPEN, reason, text.strip()):
            raise Conflict(_("This encounter was disputed before."))
        return dispute
    _note("dispute.raised", dispute, by, now, {"reason": reason, "due_on": str(dispute.due_on)})
    _tell_deciders(dispute, now)
    return dispute


def withdraw_dispute(*, dispute_id: int, by: Principal, now: datetime) -> Dispute:
    """Take one's own open dispute back. raises: NotFound, Conflict when it is decided"""
    with transaction.atomic():
        dispute = _locked(dispute_id)
        if dispute.staff_id != by.staff_id:
            raise NotFound(_("There is no such dispute."))
        if dispute.state == Dispute.State.WITHDRAWN:
            return dispute
        _require_open(dispute)
        dispute.state = Dispute.State.WITHDRAWN
        dispute.save(update_fields=["state"])
        _note("dispute.withdrawn", dispute, by, now)
        evaluate_due(now=now)
    return dispute


def decide_dispute(
    *,
    dispute_id: int,
    uphold: bool,
    decision: str,
    outage_from: datetime | None = None,
    outage_to: datetime | None = None,
    by: Principal,
    now: datetime,
) -> Dispute:
    """Uphold a dispute or reject it, with the reason why; the results are computed anew.

    Upheld for an outage it needs the hours in which something was down at the unit: no encounter
    in them counts, for anybody. The same decision sent twice is one.

    raises: NotFound, NotPermitted, also about oneself; InvalidInput; Conflict when it is decided
    """
    with transaction.atomic():
        dispute = _locked(dispute_id)
        user = _decider(dispute, by)
        _check_text(decision, "decision", needed=True)
        hours = _hours(dispute, uphold, outage_from, outage_to, now)
        state = Dispute.State.UPHELD if uphold else Dispute.State.REJECTED
        if dispute.state == state and dispute.decided_by_id == user.pk:
            return dispute
        _require_open(dispute)
        dispute.state, dispute.decision = state, decision.strip()
        dispute.decided_by, dispute.decided_at = user, now
        dispute.save(update_fields=["state", "decision", "decided_by", "decided_at"])
        if hours is not None:
            Outage.objects.create(
                dispute=dispute, unit_id=dispute.unit_id, starts_at=hours[0], ends_at=hours[1]
            )
        _note(f"dispute.{state}", dispute, by, now)
        _tell_person(dispute, now)
        evaluate_due(now=now)
    return dispute


def reverse_decision(*, dispute_id: int, why: str, by: Principal, now: datetime) -> Dispute:
    """Take back that a dispute was upheld: the encounter counts again, and so do those of its
    outage. raises: NotFound, NotPermitted, also about oneself; InvalidInput; Conflict"""
    with transaction.atomic():
        dispute = _locked(dispute_id)
        user = _decider(dispute, by)
        _check_text(why, "why", needed=True)
        if dispute.state == Dispute.State.REVERSED and dispute.decided_by_id == user.pk:
            return dispute
        if dispute.state != Dispute.State.UPHELD:
            raise Conflict(_("Only a dispute that was upheld can be reversed."))
        dispute.state, dispute.decision = Dispute.State.REVERSED, why.strip()
        dispute.decided_by, dispute.decided_at = user, now
        dispute.save(update_fields=["state", "decision", "decided_by", "decided_at"])
        Outage.objects.filter(dispute=dispute, reversed_at=None).update(reversed_at=now)
        _note("dispute.reversed", dispute, by, now)
        _tell_person(dispute, now)
        evaluate_due(now=now)
    return dispute


def _locked(dispute_id: int) -> Dispute:
    rows = Dispute.objects.select_for_update(of=("self",)).select_related("staff")
    dispute = rows.filter(pk=dispute_id).first()
    if dispute is None:
        raise NotFound(_("There is no such dispute."))
    return dispute


def _decider(dispute: Dispute, by: Principal) -> User:
    by.require(Permission.DECIDE_DISPUTES, unit_id=dispute.unit_id)
    if by.user is None:
        raise NotPermitted(_("A person decides disputes, not a program."))
    if by.staff_id == dispute.staff_id or by.user.pk == dispute.staff.user_id:
        raise NotPermitted(_("Nobody decides their own dispute."))
    return by.user


def _require_open(dispute: Dispute) -> None:
    if dispute.state != Dispute.State.OPEN:
        raise Conflict(_("This dispute is not open any more."))


def _check_text(text: str, field: str, *, needed: bool) -> None:
    reason = ""
    if needed and not text.strip():
        reason = _("say why")
    elif len(text) > LONGEST_TEXT:
        reason = _("must have at most %(most)s characters") % {"most": LONGEST_TEXT}
    if reason:
        raise InvalidInput(_("The text cannot be taken."), problems=[Problem(reason, field)])


def _hours(
    dispute: Dispute,
    uphold: bool,
    outage_from: datetime | None,
    outage_to: datetime | None,
    now: datetime,
) -> tuple[datetime, datetime] | None:
    """Return the hours of an outage that is upheld. raises: InvalidInput"""
    if not uphold or dispute.reason != Dispute.Reason.OUTAGE:
        if outage_from is not None or outage_to is not None:
            raise _no_hours("outage_from", _("leave it out: no outage is upheld"))
        return None
    if outage_from is None or outage_to is None:
        missing = "outage_from" if outage_from is None else "outage_to"
        raise _no_hours(missing, _("say from when until when it was down"))
    if not outage_from <= dispute.encounter_at < outage_to:
        raise _no_hours("outage_from", _("the disputed encounter is not within these hours"))
    if outage_to > now:
        raise _no_hours("outage_to", _("is in the future"))
    if outage_to - outage_from > LONGEST_OUTAGE:
        raise _no_hours("outage_to", _("an outage lasts seven days at the most"))
    return outage_from, outage_to


def _no_hours(field: str, reason: str) -> InvalidInput:
    return InvalidInput(_("The hours cannot be taken."), problems=[Problem(reason, field)])


def _note(
    action: str,
    dispute: Dispute,
    by: Principal,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    record(action=action, subject=f"dispute:{dispute.pk}", by=by, now=now, details=details)


def _tell_deciders(dispute: Dispute, now: datetime) -> None:
    notify_holders_of(
        Permission.DECIDE_DISPUTES,
        key=f"dispute-raised:{dispute.pk}",
        title=in_all_languages(lazy("A dispute waits for a decision")),
        body=in_all_languages(
            lazy("It is to be decided by %(day)s."), day=dispute.due_on.isoformat()
        ),
        reason=in_all_languages(lazy("You decide disputes.")),
        link=reverse("sqcore:performance-dispute", args=[dispute.pk]),
        unit_id=dispute.unit_id,
        now=now,
    )


def _tell_person(dispute: Dispute, now: datetime) -> None:
    notify(
        readers=User.objects.filter(staff=dispute.staff_id, is_active=True),
        key=f"dispute-{dispute.state}:{dispute.pk}",
        title=in_all_languages(lazy("Your dispute was decided")),
        body=in_all_languages(lazy("The page of your encounters says how, and why.")),
        reason=in_all_languages(lazy("You raised it.")),
        link=reverse("sqcore:performance-encounters"),
        now=now,
    )


# ---- Who looked ----------------------------------------------------------------------------------
@transaction.atomic
def note_look(*, staff_ids: Iterable[int], way: str, by: Principal, now: datetime) -> None:
    """Remember that somebody looked at the results of others: one row a viewer, way and day.

    Nothing for looking at oneself.
    """
    seen = sorted(set(staff_ids) - {by.staff_id})
    on = local_day(now)
    for at in range(0, len(seen), AT_ONCE):
        part = seen[at : at + AT_ONCE]
        rows = Look.objects.filter(staff__in=part, viewer=by.key, way=way, on=on)
        known = set(rows.values_list("staff_id", flat=True))
        rows.update(times=F("times") + 1, last_at=now)
        Look.objects.bulk_create(
            [
                Look(
                    staff_id=staff, viewer=by.key, viewer_name=by.name, way=way, on=on,
                    first_at=now, last_at=now,
                )
                for staff in part
                if staff not in known
            ],
            ignore_conflicts=True,
        )  # fmt: skip


# ---- The rules -----------------------------------------------------------------------------------
@transaction.atomic
def set_policy(
    *,
    valid_from: date,
    reason: str,
    by: Principal,
    now: datetime,
    **rules: Any,
) -> ResultsPolicy:
    """Write a new version of the rules; what is not named stays as it was.

    raises: NotPermitted; InvalidInput naming each rule that is too lax, or a day that is past or
    not after the last version's
    """
    by.require(Permission.DECIDE_DISPUTES)
    by.require(Permission.MANAGE_INDICATORS)
    names = {field.name for field in ResultsPolicy._meta.concrete_fields}
    changeable = names - {"id", "number", "valid_from", "reason", "made_by", "made_at"}
    if strange := sorted(set(rules) - changeable):
        raise InvalidInput(
            _("Some rules cannot be set."),
            problems=[Problem(_("is no rule"), name) for name in strange],
        )
    versions = ResultsPolicy.objects.select_for_update(of=("self",)).order_by("-number")
    last = versions.first()
    former = {name: getattr(last or ResultsPolicy(), name) for name in changeable}
    made = ResultsPolicy(
        **{**former, **rules},
        number=(last.number if last else 0) + 1,
        valid_from=valid_from,
        reason=reason.strip(),
        made_by=by.user,
        made_at=now,
    )
    _check_policy(made, last, now)
    made.save()
    record(
        action="people-results.policy", subject=f"policy:{made.number}", by=by, now=now,
        details={name: getattr(made, name) for name in sorted(rules)},
    )  # fmt: skip
    return made


def _check_policy(made: ResultsPolicy, last: ResultsPolicy | None, now: datetime) -> None:
    problems = []
    if not made.reason:
        problems.append(Problem(_("say why"), "reason"))
    if made.valid_from < local_day(now):
        problems.append(Problem(_("is in the past"), "valid_from"))
    elif last is not None and made.valid_from <= last.valid_from:
        problems.append(Problem(_("is not after the last version's"), "valid_from"))
    known = set(Indicator.objects.filter(code__in=made.freezing).values_list("code", flat=True))
    if missing := sorted(set(made.freezing) - known):
        problems.append(
            Problem(
                _("there is no indicator %(codes)s") % {"codes": ", ".join(missing)}, "freezing"
            )
        )
    try:
        made.full_clean(exclude=["made_by", "freezing"])
    except ValidationError as error:
        for field, messages in error.message_dict.items():
            problems += [Problem(message, field) for message in messages]
    if problems:
        raise InvalidInput(_("Some rules cannot be set."), problems=problems)
