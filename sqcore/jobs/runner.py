"""Running long work: kinds of jobs, the lease under which one runs, and what becomes of it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import get_language, override

from sqcore.base import bus
from sqcore.base.errors import DomainError
from sqcore.base.events import JobFailed
from sqcore.base.registry import Registry
from sqcore.jobs.models import Job

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
RENEW_EVERY = 10.0
SHOW_EVERY = 0.5
"""Seconds between two writes of a job's progress."""
FOLLOW_EVERY = 0.2
MAX_ATTEMPTS = 5

Clock = Callable[[], datetime]
OnProgress = Callable[[int, int, str], None]


class LeaseLost(Exception):
    """Somebody else took the job over: stop, without writing anything more."""


class JobKind(Protocol):
    """A kind of long work.

    `run` may be called again after a crash at any point, also while an earlier call still hangs
    somewhere. So it writes what others see inside `context.completing()`, in one transaction with
    the end of the job, or under natural keys. It calls `context.progress` at least every few
    seconds. It raises DomainError when trying again would not help; any other exception is tried
    again, up to MAX_ATTEMPTS times in all.
    """

    @property
    def key(self) -> str: ...

    def run(self, context: "JobContext") -> None: ...


JOB_KINDS: Registry[JobKind] = Registry("kinds of jobs")


class JobContext:
    """What a running job is given: its row as it was claimed, its parameters, the time."""

    def __init__(self, job: Job, *, clock: Clock, lease_clock: Clock) -> None:
        self.job = job
        self.parameters: Mapping[str, Any] = job.parameters
        self.now = clock
        self.on_progress: OnProgress | None = None
        self._lease_clock = lease_clock
        self._lost = threading.Event()
        self._completing = False
        self._shown_at = 0.0
        self._progress: dict[str, Any] = {}

    @property
    def language(self) -> str:
        """Whose texts a report is kept in: those of who started the job."""
        owner = self.job.owner
        return owner.language if owner else get_language() or "en"

    def progress(self, done: int, total: int, stage: str | None = None) -> None:
        """Say how far the job is; cheap enough for every row.

        raises: LeaseLost when somebody else took the job over
        """
        total = max(total, 0)
        self._progress["done"], self._progress["total"] = min(max(done, 0), total), total
        if stage is not None:
            self._progress["stage"] = stage[:200]
        if self.on_progress is not None:
            self.on_progress(self._progress["done"], total, self._progress.get("stage", ""))
        if self._lost.is_set():
            raise LeaseLost(str(self.job.pk))
        # Inside the last transaction nobody would see it, and the row would stay locked.
        if not self._completing and time.monotonic() - self._shown_at >= SHOW_EVERY:
            self._shown_at = time.monotonic()
            if not self.renew():
                raise LeaseLost(str(self.job.pk))

    @contextmanager
    def completing(self, result: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Hold the job's effects and its end in one transaction.

        Yields the result, to be filled further inside the block. raises: LeaseLost, and nothing is
        written, when somebody else took the job over.
        """
        outcome = dict(result or {})
        self._completing = True
        try:
            with transaction.atomic():
                yield outcome
                self._close(state=Job.State.DONE, result=outcome, **self._progress)
        finally:
            self._completing = False

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """Hold a part of the effects in one transaction, before the end of the job.

        Keeps the job's row until it commits: whoever takes the job over waits for it.
        raises: LeaseLost, and nothing is written, when somebody else took the job over
        """
        with transaction.atomic():
            if not self.renew():
                raise LeaseLost(str(self.job.pk))
            yield

    def renew(self) -> bool:
        """Extend the lease and show the progress; False, with nothing written, when it is lost."""
        until = self._lease_clock() + LEASE
        held = bool(self._mine().update(lease_until=until, bell_at=until, **self._progress))
        if not held:
            self._lost.set()
        return held

    def finish(self) -> None:
        """End a job that ran through; nothing to do when `completing` did it."""
        if self._mine().exists():
            self._close(state=Job.State.DONE, **self._progress)

    def fail(self, reason: str) -> None:
        """End the job for good; `reason` is for people, empty when the log alone knows."""
        with transaction.atomic():
            self._close(state=Job.State.FAILED, error=reason)
            bus.publish(
                JobFailed(
                    job_id=str(self.job.pk),
                    fence=self.job.fence,
                    title=self.job.title,
                    owner_id=self.job.owner_id,
                ),
                now=self.now(),
            )

    def put_off(self) -> None:
        """Let the job be tried again after a pause that grows with its attempts."""
        at = self._lease_clock() + pause_after(self.job.attempts)
        self._mine().update(
            state=Job.State.QUEUED, lease_until=None, next_attempt_at=at, bell_at=at, bells=0
        )

    def _mine(self) -> Any:
        return Job.objects.filter(pk=self.job.pk, fence=self.job.fence, state=Job.State.RUNNING)

    def _close(self, **fields: Any) -> None:
        fields |= {"lease_until": None, "finished_at": self.now()}
        if not self._mine().update(**fields):
            self._lost.set()
            raise LeaseLost(str(self.job.pk))


class _Heartbeat(threading.Thread):
    """Renews the lease from a thread of its own, so that a long step does not lose it."""

    def __init__(self, context: JobContext) -> None:
        super().__init__(name=f"lease of job {context.job.pk}", daemon=True)
        self.context = context
        self.stopped = threading.Event()

    def run(self) -> None:
        held = True
        while held and not self.stopped.wait(RENEW_EVERY):
            try:
                held = self.context.renew()
            except DatabaseError as error:
                # A lock or a lost connection is no lost lease: the next beat tells.
                log.warning("The lease of job %s was not renewed: %s", self.context.job.pk, error)
            finally:
                connection.close()

    def stop(self) -> None:
        self.stopped.set()
        self.join()


@contextmanager
def _kept_alive(context: JobContext) -> Iterator[None]:
    if connection.in_atomic_block:
        # The claim is not committed: nobody else can see it, so that nobody can take it over.
        yield
        return
    heartbeat = _Heartbeat(context)
    heartbeat.start()
    try:
        yield
    finally:
        heartbeat.stop()


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after this many attempts: 10 s, 40 s, 160 s, 10 min."""
    return timedelta(seconds=min(10 * 4 ** max(attempts - 1, 0), 600))


def run_job(job_id: UUID | str, *, clock: Clock) -> Job | None:
    """Run the job if it is due; None when there is nothing to do or somebody else is at it."""
    now = clock()
    due = Q(state=Job.State.QUEUED, next_attempt_at__lte=now)
    context = _claim(job_id, due, clock=clock, lease_clock=clock)
    return None if context is None else _run(context)


def run_inline(job: Job, *, now: datetime, on_progress: OnProgress | None = None) -> Job:
    """Run the job here and now, for commands and tests; the same path as in a worker.

    The job sees `now`, which may be long ago; its lease follows the real clock, by which workers
    decide whether somebody is still at it. What fails is tried again without a pause; when a
    worker was faster, waits for it. raises: DomainError when the job failed
    """
    while job.is_open:
        context = _claim(
            job.pk, Q(state=Job.State.QUEUED), clock=lambda: now, lease_clock=timezone.now
        )
        if context is None:
            time.sleep(FOLLOW_EVERY)
            job.refresh_from_db()
        else:
            context.on_progress = on_progress
            job = _run(context)
    if job.state == Job.State.FAILED:
        raise DomainError(job.failure)
    return job


def _claim(job_id: UUID | str, due: Q, *, clock: Clock, lease_clock: Clock) -> JobContext | None:
    """Take the job under the next fence number, if it waits or its holder's lease ran out."""
    now = lease_clock()
    abandoned = Q(state=Job.State.RUNNING, lease_until__lte=now)
    with transaction.atomic():
        claimed = Job.objects.filter(due | abandoned, pk=job_id).update(
            state=Job.State.RUNNING,
            fence=F("fence") + 1,
            attempts=F("attempts") + 1,
            bells=0,
            bell_at=now + LEASE,
            lease_until=now + LEASE,
            started_at=Coalesce(F("started_at"), clock()),
        )
        if not claimed:
            return None
        job = Job.objects.get(pk=job_id)
    return JobContext(job, clock=clock, lease_clock=lease_clock)


def _run(context: JobContext) -> Job:
    job = context.job
    try:
        if job.attempts > MAX_ATTEMPTS:
            # Its workers died, so that none of them could write why.
            log.error("Job %s was interrupted %s times.", job.pk, MAX_ATTEMPTS)
            context.fail("")
        else:
            with _kept_alive(context):
                JOB_KINDS[job.kind].run(context)
            context.finish()
    except LeaseLost:
        log.warning("Job %s was taken over while this worker held it.", job.pk)
    except DomainError as error:
        with override(context.language):
            _settle(context.fail, "\n".join([error.message, *map(str, error.problems[:20])]))
    except Exception:
        log.exception("Job %s (%s) broke on attempt %s.", job.pk, job, job.attempts)
        if job.attempts < MAX_ATTEMPTS:
            context.put_off()
        else:
            _settle(context.fail, "")
    job.refresh_from_db()
    return job


def _settle(fail: Callable[[str], None], reason: str) -> None:
    try:
        fail(reason)
    except LeaseLost:
        log.warning("A job was taken over before its failure was written.")
