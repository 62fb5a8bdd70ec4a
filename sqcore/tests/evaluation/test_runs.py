"""Runs: what is due, what a run freezes, and that it is published once."""

from datetime import date, timedelta

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import InvalidInput, NotFound
from sqcore.base.models import OutboxEvent
from sqcore.base.periods import Grain, Period
from sqcore.evaluation import services
from sqcore.evaluation.due import due_periods
from sqcore.evaluation.models import EvaluationRun, FrozenCells, KpiValue, QuietPeriod
from sqcore.evaluation.services import (
    evaluate_due,
    evaluate_from_outside,
    replay,
    request_run,
    run_jobs,
    start_due,
)
from sqcore.indicators.services import publish_version
from sqcore.indicators.starters import starter_system
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_job
from sqcore.org.models import Unit
from sqcore.org.services import set_up_organisation
from sqcore.tests.evaluation.bank import (
    SYSTEM,
    MemorySource,
    bank_system,
    measure,
    months_later,
)
from sqcore.tests.factories import make_unit

pytestmark = pytest.mark.django_db

JANUARY = Period(date(2026, 1, 1), Grain.MONTH)


@pytest.fixture
def unit() -> Unit:
    return make_unit("bank")


def _give(source: MemorySource, unit: Unit, on: date, people: int = 8, **over: object) -> None:
    source.add(unit, on, *[{"overall": 3 + number % 4} for number in range(people)], **over)


def _due_keys(months: int) -> list[str]:
    return [due.period.key for due in due_periods(now=months_later(months))]


class TestWhatIsDue:
    def test_closed_periods_with_data_oldest_and_shortest_first(
        self, source: MemorySource, unit: Unit
    ) -> None:
        bank_system([measure("overall", "o")], grains=["month", "quarter"])
        for month in (1, 2, 3, 4):
            _give(source, unit, date(2026, month, 5))

        assert _due_keys(3) == ["2026-01", "2026-02", "2026-03", "2026-Q1"]

    def test_a_month_closes_in_the_time_zone_of_the_organisation(
        self, source: MemorySource, unit: Unit
    ) -> None:
        bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5))
        # 17:00 in London is already February in Shanghai.
        evening = months_later(1).replace(month=1, day=31, hour=17)

        assert [due.period.key for due in due_periods(now=evening)] == ["2026-01"]
        assert due_periods(now=evening - timedelta(hours=2)) == []

    def test_quarters_follow_the_fiscal_year(self, source: MemorySource, unit: Unit) -> None:
        set_up_organisation(name={"en": "Bank"}, fiscal_start=2, by=SYSTEM, now=months_later(0))
        bank_system([measure("overall", "o")], grains=["quarter"], since=date(2025, 1, 1))
        for month in (1, 2, 3, 4):
            _give(source, unit, date(2026, month, 5))

        assert [(due.period.start, due.period.key) for due in due_periods(now=months_later(4))] == [
            (date(2025, 11, 1), "2025-Q4"),
            (date(2026, 2, 1), "2026-Q1"),
        ]

    def test_nothing_begins_before_the_version(self, source: MemorySource, unit: Unit) -> None:
        bank_system([measure("overall", "o")], since=date(2026, 2, 1))
        for month in (1, 2):
            _give(source, unit, date(2026, month, 5))

        assert _due_keys(2) == ["2026-02"]

    def test_a_period_is_due_again_when_answers_came_after_it_was_read(
        self, source: MemorySource, unit: Unit
    ) -> None:
        bank_system([measure("overall", "o")])
        for month in (1, 2):
            _give(source, unit, date(2026, month, 5))
        evaluate_due(now=months_later(2))
        assert _due_keys(3) == []

        _give(source, unit, date(2026, 1, 6), came_at=months_later(3))

        assert _due_keys(4) == ["2026-01"]

    def test_a_gap_is_looked_at_once(self, source: MemorySource, unit: Unit) -> None:
        bank_system([measure("overall", "o")])
        for month in (1, 3):
            _give(source, unit, date(2026, month, 5))

        assert evaluate_due(now=months_later(3)) == 2
        assert _due_keys(4) == []
        assert QuietPeriod.objects.get().starts_on == date(2026, 2, 1)
        assert not EvaluationRun.objects.filter(starts_on="2026-02-01").exists()

    def test_a_smaller_smallest_group_makes_everything_due(
        self, source: MemorySource, unit: Unit
    ) -> None:
        bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5), 8)
        evaluate_due(now=months_later(1))
        set_up_organisation(name={"en": "Bank"}, smallest_group=10, by=SYSTEM, now=months_later(1))

        assert evaluate_due(now=months_later(2)) == 1
        assert KpiValue.objects.get(is_current=True, code="overall").status == "suppressed"

    def test_a_new_version_is_due_from_its_own_beginning(
        self, source: MemorySource, unit: Unit
    ) -> None:
        bank_system([measure("overall", "o")])
        for month in (1, 2):
            _give(source, unit, date(2026, month, 5))
        evaluate_due(now=months_later(2))
        starter_system(
            code="bank",
            name={"en": "Bank quality"},
            measures=[measure("overall", "o"), measure("wait", "w", worst=30, best=0)],
            grains=["month"],
            since=date(2026, 2, 1),
            by=SYSTEM,
            now=months_later(2),
        )

        assert _due_keys(2) == ["2026-02"]
        assert [due.reason for due in due_periods(now=months_later(2))] == ["rules"]

    def test_what_waits_in_a_job_is_not_due(self, source: MemorySource, unit: Unit) -> None:
        bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5))

        assert start_due(now=months_later(1)) == 1
        assert start_due(now=months_later(1)) == 0
        assert EvaluationRun.objects.get().state == "queued"

    def test_years_are_spread_over_at_most_eight_jobs(
        self, source: MemorySource, unit: Unit
    ) -> None:
        bank_system([measure("overall", "o")], grains=["month", "year"], since=date(2010, 1, 1))
        for year in range(2010, 2026):
            _give(source, unit, date(year, 5, 5))

        assert start_due(now=months_later(1)) == 8
        assert Job.objects.count() == 8
        assert EvaluationRun.objects.filter(grain="year").count() == 16


class TestRun:
    def test_reads_every_source_once_for_all_measures(
        self, source: MemorySource, unit: Unit
    ) -> None:
        bank_system([measure("overall", "o"), measure("reliability", "r")])
        _give(source, unit, date(2026, 1, 5))

        evaluate_due(now=months_later(1))

        assert source.collected == 1

    def test_leaves_an_audit_row_and_an_event_without_answers(
        self, source: MemorySource, unit: Unit
    ) -> None:
        bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5))

        evaluate_due(now=months_later(1))

        run = EvaluationRun.objects.get()
        entry = AuditEntry.objects.get(action="evaluation.published")
        assert entry.subject == f"run:{run.pk}"
        assert entry.details["result"] == run.result_digest
        assert OutboxEvent.objects.get(kind="evaluation.run.published").payload == {
            "run_id": run.pk
        }

    def test_makes_no_revision_when_nothing_changed(self, source: MemorySource, unit: Unit) -> None:
        system, _version = bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5))
        evaluate_due(now=months_later(1))
        job = request_run(system=system, period=JANUARY, by=SYSTEM, now=months_later(2))
        assert job is not None

        published = run_jobs(planned=[job], now=months_later(2))

        run = EvaluationRun.objects.get()
        assert (published, run.revision, run.checked_at) == (0, 1, months_later(2))

    def test_a_revision_takes_the_place_of_the_former(
        self, source: MemorySource, unit: Unit
    ) -> None:
        bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5), 8)
        evaluate_due(now=months_later(1))
        _give(source, unit, date(2026, 1, 6), 6, came_at=months_later(2))

        evaluate_due(now=months_later(3))

        first, second = EvaluationRun.objects.order_by("revision")
        assert (first.is_current, second.is_current) == (False, True)
        assert KpiValue.objects.get(code="overall", is_current=True).n == 14
        assert KpiValue.objects.get(code="overall", is_current=False).n == 8

    def test_all_answers_withdrawn_leave_an_empty_revision(
        self, source: MemorySource, unit: Unit
    ) -> None:
        system, _version = bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5), 8)
        evaluate_due(now=months_later(1))
        source.answers.clear()
        job = request_run(system=system, period=JANUARY, by=SYSTEM, now=months_later(2))
        assert job is not None

        run_jobs(planned=[job], now=months_later(2))

        assert EvaluationRun.objects.get(is_current=True).revision == 2
        assert not KpiValue.objects.filter(is_current=True).exists()

    def test_an_open_period_is_refused(self, source: MemorySource, unit: Unit) -> None:
        system, _version = bank_system([measure("overall", "o")])

        with pytest.raises(InvalidInput, match="2026-01 is not over yet"):
            request_run(system=system, period=JANUARY, by=SYSTEM, now=months_later(0))

        assert not EvaluationRun.objects.exists()

    def test_a_system_of_which_there_is_nothing_makes_no_run(
        self, source: MemorySource, unit: Unit
    ) -> None:
        bank_system([measure("overall", "o")])
        starter_system(
            code="airport",
            name={"en": "Airport"},
            measures=[measure("wait", "w", worst=30, best=0)],
            grains=["month"],
            since=date(2026, 1, 1),
            by=SYSTEM,
            now=months_later(0),
        )
        _give(source, unit, date(2026, 1, 5), 8)

        evaluate_due(now=months_later(1))

        assert EvaluationRun.objects.get().system.code == "bank"
        assert not KpiValue.objects.filter(system__code="airport").exists()

    def test_a_run_of_a_retired_version_is_dropped(self, source: MemorySource, unit: Unit) -> None:
        _system, version = bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5))
        start_due(now=months_later(1))
        type(version).objects.filter(pk=version.pk).update(state="retired")

        run_job(Job.objects.get().pk, clock=lambda: months_later(1))

        assert not EvaluationRun.objects.exists()


class TestKilledWorker:
    def test_the_next_attempt_publishes_what_is_left_and_nothing_twice(
        self, source: MemorySource, unit: Unit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bank_system([measure("overall", "o")])
        for month in (1, 2, 3):
            _give(source, unit, date(2026, month, 5))
        start_due(now=months_later(3))
        job = Job.objects.get()
        carry_out, calls = services.carry_out, []

        def dies_at_the_second(**given: object) -> bool:
            calls.append(given)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return carry_out(**given)  # type: ignore[arg-type]  # passed on as it came

        monkeypatch.setattr(services, "carry_out", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            run_job(job.pk, clock=lambda: months_later(3))
        assert EvaluationRun.objects.filter(state="published").count() == 1

        run_job(job.pk, clock=lambda: months_later(3) + timedelta(minutes=5))

        job.refresh_from_db()
        assert (job.state, job.result) == ("done", {"published": 3})
        assert (
            list(EvaluationRun.objects.values_list("revision", "state")) == [(1, "published")] * 3
        )
        assert OutboxEvent.objects.filter(kind="evaluation.run.published").count() == 3

    def test_who_lost_the_job_publishes_nothing(
        self, source: MemorySource, unit: Unit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5))
        start_due(now=months_later(1))
        job = Job.objects.get()
        collect = source.collect

        def overtaken(**given: object) -> object:
            Job.objects.filter(pk=job.pk).update(fence=99)
            return collect(**given)  # type: ignore[arg-type]  # passed on as it came

        monkeypatch.setattr(source, "collect", overtaken)
        run_job(job.pk, clock=lambda: months_later(1))

        assert EvaluationRun.objects.get().state == "queued"
        assert not KpiValue.objects.exists()


class TestReplay:
    def test_gives_the_same_hashes(self, source: MemorySource, unit: Unit) -> None:
        bank_system([measure("overall", "o"), measure("recommend", "l", statistic="nps")])
        _give(source, unit, date(2026, 1, 5))
        evaluate_due(now=months_later(1))
        source.answers.clear()
        run = EvaluationRun.objects.get()

        found = replay(run_id=run.pk)

        assert (found.is_same, found.digest) == (True, run.result_digest)

    def test_finds_a_changed_figure(self, source: MemorySource, unit: Unit) -> None:
        bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5))
        evaluate_due(now=months_later(1))
        KpiValue.objects.filter(code="overall").update(value=7.0)

        found = replay(run_id=EvaluationRun.objects.get().pk)

        assert found.fault == "The stored figures are not those of the run."

    def test_finds_changed_weights(self, source: MemorySource, unit: Unit) -> None:
        bank_system([measure("overall", "o"), measure("reliability", "r")])
        _give(source, unit, date(2026, 1, 5))
        evaluate_due(now=months_later(1))
        run = EvaluationRun.objects.get()
        run.definition["dimensions"][0]["weight"] = 0.9
        run.save()

        assert replay(run_id=run.pk).fault == "The frozen inputs are not those of the run."

    def test_finds_damaged_cells(self, source: MemorySource, unit: Unit) -> None:
        bank_system([measure("overall", "o")])
        _give(source, unit, date(2026, 1, 5))
        evaluate_due(now=months_later(1))
        FrozenCells.objects.filter(source="memory").update(digest="0" * 64)

        found = replay(run_id=EvaluationRun.objects.get().pk)

        assert found.fault == "The frozen cells are damaged."

    def test_an_unknown_run_is_refused(self) -> None:
        with pytest.raises(NotFound, match="no published run 7"):
            replay(run_id=7)


class TestFromOutside:
    def test_one_period_of_one_system(self, source: MemorySource, unit: Unit) -> None:
        bank_system([measure("overall", "o")])
        for month in (1, 2):
            _give(source, unit, date(2026, month, 5))

        found = evaluate_from_outside(system_code="bank", period_key="2026-02", now=months_later(2))

        assert found == 1
        assert EvaluationRun.objects.get().starts_on == date(2026, 2, 1)

    def test_an_unknown_system_is_named(self) -> None:
        with pytest.raises(NotFound, match="“shop”"):
            evaluate_from_outside(system_code="shop", period_key="", now=months_later(1))

    def test_reports_how_far_it_is(self, source: MemorySource, unit: Unit) -> None:
        bank_system([measure("overall", "o")])
        for month in (1, 2):
            _give(source, unit, date(2026, month, 5))
        said: list[tuple[int, int, str]] = []

        evaluate_due(now=months_later(2), report=lambda *step: said.append(step))

        assert said == [(0, 2, "2026-01"), (1, 2, "2026-02"), (2, 2, "2026-02")]


def test_publishing_again_keeps_what_was_published(source: MemorySource, unit: Unit) -> None:
    _system, version = bank_system([measure("overall", "o")])

    with pytest.raises(Exception, match="never changes"):
        publish_version(version=version, by=SYSTEM, now=months_later(1))
