from datetime import timedelta

import pytest

from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotPermitted, Problem
from sqcore.base.models import Heartbeat, OutboxEvent
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE
from sqcore.jobs import services
from sqcore.jobs.models import Job
from sqcore.jobs.runner import LEASE, MAX_ATTEMPTS, JobContext, LeaseLost, run_inline, run_job
from sqcore.tests.factories import NOW, make_principal, make_user
from sqcore.tests.jobs.kinds import kind_that, start_job

pytestmark = pytest.mark.django_db


def nothing(context: JobContext) -> None:
    """A kind that has nothing to do."""


def take_over(job: Job) -> None:
    """Stand for another worker that claimed the job after its lease ran out."""
    Job.objects.filter(pk=job.pk).update(fence=job.fence + 1)


class TestStart:
    def test_returns_the_open_job_of_the_same_key(self) -> None:
        with kind_that(nothing):
            first = start_job()
            again = start_job()
            other = start_job("two")

        assert again == first
        assert other != first
        assert Job.objects.count() == 2

    def test_starts_a_new_one_when_the_last_is_done(self) -> None:
        with kind_that(nothing):
            first = run_inline(start_job(), now=NOW)
            second = start_job()

        assert first.state == Job.State.DONE
        assert second != first

    def test_refuses_a_kind_that_nobody_registered(self) -> None:
        with pytest.raises(services.UnknownKind):
            start_job()

        assert not Job.objects.exists()


class TestRun:
    def test_ends_the_job_with_its_effects(self) -> None:
        def work(context: JobContext) -> None:
            context.progress(1, 4, "reading")
            with context.completing({"rows": context.parameters["n"]}) as result:
                Heartbeat.objects.create(name="effect", seen_at=context.now())
                context.progress(4, 4, "done")
                result["more"] = 1

        with kind_that(work):
            job = run_inline(start_job(), now=NOW)

        assert (job.state, job.result) == (Job.State.DONE, {"rows": 3, "more": 1})
        assert (job.done, job.total, job.stage) == (4, 4, "done")
        assert (job.attempts, job.fence, job.started_at, job.finished_at) == (1, 1, NOW, NOW)
        assert job.lease_until is None
        assert Heartbeat.objects.get().seen_at == NOW

    def test_does_nothing_for_a_second_message(self) -> None:
        runs: list[int] = []
        with kind_that(lambda context: runs.append(1)):
            job = start_job()
            run_job(job.pk, clock=lambda: NOW)
            again = run_job(str(job.pk), clock=lambda: NOW)

        assert again is None
        assert runs == [1]

    def test_tells_a_command_how_far_it_is(self) -> None:
        seen: list[tuple[int, int, str]] = []

        def work(context: JobContext) -> None:
            context.progress(1, 2, "reading")
            context.progress(2, 2)

        with kind_that(work):
            run_inline(start_job(), now=NOW, on_progress=lambda *step: seen.append(step))

        assert seen == [(1, 2, "reading"), (2, 2, "reading")]

    def test_fails_at_once_on_a_refusal_and_says_it_in_its_words(self) -> None:
        def work(context: JobContext) -> None:
            raise InvalidInput("The file has no header.", problems=[Problem("empty", row=1)])

        mei = make_user("mei")
        with kind_that(work):
            job = run_job(start_job(owner=mei).pk, clock=lambda: NOW)

        assert job is not None
        assert (job.state, job.attempts) == (Job.State.FAILED, 1)
        assert job.failure == "The file has no header.\nrow 1: empty"
        event = OutboxEvent.objects.get()
        assert event.kind == "jobs.job.failed"
        assert event.payload == {
            "job_id": str(job.pk),
            "fence": 1,
            "title": {"en": "A job"},
            "owner_id": mei.pk,
        }

    def test_comes_back_with_growing_pauses_then_fails_without_a_trace_for_people(self) -> None:
        def work(context: JobContext) -> None:
            raise ZeroDivisionError("secret detail")

        moment, pauses = NOW, []
        with kind_that(work):
            job = start_job()
            for _attempt in range(MAX_ATTEMPTS - 1):
                run_job(job.pk, clock=lambda: moment)  # noqa: B023 - called within this turn
                job.refresh_from_db()
                assert job.state == Job.State.QUEUED
                assert run_job(job.pk, clock=lambda: moment) is None  # noqa: B023 - likewise
                pauses.append((job.next_attempt_at - moment).total_seconds())
                moment = job.next_attempt_at
            run_job(job.pk, clock=lambda: moment)

        job.refresh_from_db()
        assert pauses == [10, 40, 160, 600]
        assert (job.state, job.attempts, job.error) == (Job.State.FAILED, MAX_ATTEMPTS, "")
        assert "secret" not in job.failure
        assert OutboxEvent.objects.count() == 1

    def test_gives_up_on_a_job_that_kills_its_workers(self) -> None:
        runs: list[int] = []
        with kind_that(lambda context: runs.append(1)):
            job = start_job()
            Job.objects.update(
                state=Job.State.RUNNING, attempts=MAX_ATTEMPTS, fence=5, lease_until=NOW
            )
            run_job(job.pk, clock=lambda: NOW)

        job.refresh_from_db()
        assert job.state == Job.State.FAILED
        assert runs == []
        assert OutboxEvent.objects.count() == 1

    def test_inline_raises_what_people_may_read(self) -> None:
        def work(context: JobContext) -> None:
            raise InvalidInput("No such column.")

        with kind_that(work), pytest.raises(DomainError, match="No such column"):
            run_inline(start_job(), now=NOW)


class TestLease:
    def test_keeps_a_second_worker_away_until_it_runs_out(self) -> None:
        with kind_that(nothing):
            job = start_job()
            Job.objects.update(state=Job.State.RUNNING, fence=1, lease_until=NOW + LEASE)

            early = run_job(job.pk, clock=lambda: NOW + LEASE - timedelta(seconds=1))
            late = run_job(job.pk, clock=lambda: NOW + LEASE)

        assert early is None
        assert late is not None
        assert (late.state, late.fence) == (Job.State.DONE, 2)

    def test_progress_renews_it(self) -> None:
        moment = NOW

        def work(context: JobContext) -> None:
            nonlocal moment
            moment = NOW + timedelta(seconds=20)
            context.progress(1, 2)
            held = Job.objects.get()
            assert held.lease_until == held.bell_at == moment + LEASE
            assert held.done == 1

        with kind_that(work):
            job = run_job(start_job().pk, clock=lambda: moment)

        assert job is not None
        assert job.state == Job.State.DONE

    def test_who_woke_up_too_late_writes_neither_effects_nor_end(self) -> None:
        def work(context: JobContext) -> None:
            take_over(context.job)
            with context.completing():
                Heartbeat.objects.create(name="effect", seen_at=NOW)

        with kind_that(work):
            job = run_job(start_job().pk, clock=lambda: NOW)

        assert job is not None
        assert job.state == Job.State.RUNNING
        assert not Heartbeat.objects.exists()
        assert not OutboxEvent.objects.exists()

    def test_who_woke_up_too_late_writes_no_part_of_the_effects(self) -> None:
        def work(context: JobContext) -> None:
            with context.fenced():
                Heartbeat.objects.create(name="before", seen_at=NOW)
            take_over(context.job)
            with context.fenced():
                Heartbeat.objects.create(name="after", seen_at=NOW)

        with kind_that(work):
            run_job(start_job().pk, clock=lambda: NOW)

        assert [beat.name for beat in Heartbeat.objects.all()] == ["before"]

    def test_who_woke_up_too_late_stops_at_the_next_progress(self) -> None:
        def work(context: JobContext) -> None:
            take_over(context.job)
            with pytest.raises(LeaseLost):
                context.progress(1, 1)
            with pytest.raises(LeaseLost):
                context.progress(1, 1)
            raise InvalidInput("An old worker's complaint.")

        with kind_that(work):
            job = run_job(start_job().pk, clock=lambda: NOW)

        assert job is not None
        assert (job.state, job.done, job.error) == (Job.State.RUNNING, 0, "")
        assert not OutboxEvent.objects.exists()


class TestSweep:
    @pytest.fixture
    def bells(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        rung: list[str] = []

        def ring(task: str, *, job_id: str) -> bool:
            rung.append(job_id)
            return True

        monkeypatch.setattr(services, "ring", ring)
        return rung

    def test_rings_again_after_longer_and_longer_pauses(self, bells: list[str]) -> None:
        with kind_that(nothing):
            job = start_job()
        at = []
        for second in range(0, 200, 10):
            if services.sweep(now=NOW + timedelta(seconds=second)):
                at.append(second)

        assert at == [10, 20, 40, 80, 160]
        assert bells == [str(job.pk)] * 5

    def test_rings_for_a_job_whose_holder_fell_silent(self, bells: list[str]) -> None:
        def die(context: JobContext) -> None:
            raise SystemExit

        with kind_that(die):
            job = start_job()
            with pytest.raises(SystemExit):
                run_job(job.pk, clock=lambda: NOW)

        assert services.sweep(now=NOW + LEASE - timedelta(seconds=1)) == 0
        assert services.sweep(now=NOW + LEASE) == 1
        assert bells == [str(job.pk)]

    def test_leaves_finished_jobs_alone(self, bells: list[str]) -> None:
        with kind_that(nothing):
            run_inline(start_job(), now=NOW)

        assert services.sweep(now=NOW + timedelta(days=1)) == 0
        assert bells == []


class TestRetry:
    def failed(self) -> Job:
        def work(context: JobContext) -> None:
            raise InvalidInput("No.")

        self.mei = make_user("mei")
        with kind_that(work):
            job = run_job(start_job(owner=self.mei).pk, clock=lambda: NOW)
        assert job is not None
        return job

    def test_queues_it_again_for_its_owner(self) -> None:
        job = self.failed()

        services.retry(job=job, by=make_principal({}, user=self.mei), now=NOW)

        assert (job.state, job.attempts, job.error) == (Job.State.QUEUED, 0, "")
        with kind_that(nothing):
            again = run_job(job.pk, clock=lambda: NOW)
        assert again is not None
        assert (again.state, again.fence) == (Job.State.DONE, 2)

    def test_queues_it_again_for_who_sees_all_long_work(self) -> None:
        job = self.failed()

        services.retry(job=job, by=make_principal({Permission.VIEW_JOBS: EVERYWHERE}), now=NOW)

        assert job.state == Job.State.QUEUED

    def test_refuses_others(self) -> None:
        job = self.failed()

        with pytest.raises(NotPermitted):
            services.retry(job=job, by=make_principal({}, user=make_user("chen")), now=NOW)

        job.refresh_from_db()
        assert job.state == Job.State.FAILED

    def test_refuses_while_the_same_work_is_open(self) -> None:
        job = self.failed()
        with kind_that(nothing):
            start_job()

        with pytest.raises(Conflict, match="already waiting"):
            services.retry(job=job, by=make_principal({}, user=self.mei), now=NOW)

        job.refresh_from_db()
        assert job.state == Job.State.FAILED

    def test_refuses_a_job_that_did_not_fail(self) -> None:
        mei = make_user("mei")
        with kind_that(nothing):
            job = start_job(owner=mei)

        with pytest.raises(Conflict):
            services.retry(job=job, by=make_principal({}, user=mei), now=NOW)


class TestForget:
    def test_deletes_what_ended_long_ago_and_keeps_the_rest(self) -> None:
        with kind_that(nothing):
            run_inline(start_job("old"), now=NOW - timedelta(days=91))
            recent = run_inline(start_job("recent"), now=NOW)
            waiting = start_job("waiting", now=NOW - timedelta(days=400))

        assert services.forget_jobs(before=NOW - timedelta(days=90)) == 1
        assert set(Job.objects.all()) == {recent, waiting}
