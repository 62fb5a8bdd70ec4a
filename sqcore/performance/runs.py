"""Judging people fairly. A run reads the answers of twelve closed months and says of every person
what can be said; it keeps all it went by, so that the same answers give the same results again,
hash for hash.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import Any

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.base import bus
from sqcore.base.errors import InvalidInput, NotFound, Problem
from sqcore.base.events import StaffResultsPublished
from sqcore.base.prepared import PreparedInsert
from sqcore.indicators.models import Indicator
from sqcore.org.models import Channel, Segment
from sqcore.org.queries import local_day
from sqcore.performance.batches import make_batches, newest_batch, with_batchmates
from sqcore.performance.gathering import Taken, answers_of, in_batches, which_are_about
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
from sqcore.performance.models import FrozenReliability, ResultsPolicy, ResultsRun, StaffResult
from sqcore.performance.queries import policy_on
from sqcore.performance.sources import PersonAnswers
from sqcore.performance.windows import Setting, people_of, setting_of, with_those_answered


@dataclass(frozen=True)
class Computed:
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
    policy = rules_for(ends_on, now)
    computed = compute_window(policy, ends_on, now)
    return publish_window(computed, policy, reason=reason, now=now)


def rules_for(ends_on: date, now: datetime) -> ResultsPolicy:
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


def compute_window(policy: ResultsPolicy, ends_on: date, now: datetime) -> Computed:
    setting = setting_of(policy, ends_on)
    answers = answers_of(setting)
    with transaction.atomic():
        make_batches(answers, least=policy.batch, now=now)
        newest = newest_batch()
    taken = in_batches(setting, answers, newest)
    setting = with_those_answered(setting, answers)
    pools = _pools(setting, taken)
    icc = _frozen_icc(pools, setting.rules, ends_on.year, now)
    # `icc` belongs to the setting, but the first of a year comes of the answers.
    return _judged(Setting(**{**vars(setting), "icc": icc}), newest, taken.counted, pools)


def _pools(setting: Setting, taken: Taken) -> dict[str, Pool]:
    people, answers = people_of(setting), taken.counted
    person, everybody = people.code_of(answers.staff), people.code_of(taken.all.staff)
    # What is disputed stands aside as it will when that is upheld: with its whole batch.
    pending = with_batchmates(which_are_about(answers, set(setting.pending)), taken.batch)
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
) -> Computed:
    people = people_of(setting)
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
    return Computed(
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


def publish_window(
    computed: Computed, policy: ResultsPolicy, *, reason: str, now: datetime
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


def _rows(run: ResultsRun, computed: Computed) -> Iterable[StaffResult]:
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
    taken = in_batches(setting, answers_of(setting), newest)
    computed = _judged(setting, newest, taken.counted, _pools(setting, taken))
    return Replay(run, computed.input_hash, computed.result_hash)
