"""Starting long work, telling workers about it, trying it again, forgetting it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from sqcore.base.bell import ring, ring_after_commit
from sqcore.base.errors import Conflict, NotPermitted
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.jobs.models import OPEN, Job
from sqcore.jobs.runner import JOB_KINDS

RUN_TASK = "sqcore.jobs.run"
FIRST_BELL_AGAIN = timedelta(seconds=10)
LONGEST_SILENCE = timedelta(minutes=10)


class UnknownKind(LookupError):
    """No room registered this kind of job."""


def start(
    *,
    kind: str,
    key: str,
    title: Mapping[str, str],
    parameters: Mapping[str, Any],
    owner: User | None,
    now: datetime,
    tell_worker: bool = True,
) -> Job:
    """Queue a job and tell a worker after the commit, unless the caller means to run it inline.

    While one of this kind and key is open, that one is returned and nothing changes.
    """
    if kind not in JOB_KINDS:
        raise UnknownKind(kind)
    with transaction.atomic():
        job, created = Job.objects.get_or_create(
            kind=kind,
            key=key,
            state__in=OPEN,
            defaults={
                "title": dict(title),
                "parameters": dict(parameters),
                "owner": owner,
                "next_attempt_at": now,
                "bell_at": now + FIRST_BELL_AGAIN,
                "created_at": now,
            },
        )
        if created and tell_worker:
            ring_after_commit(RUN_TASK, job_id=str(job.pk))
    return job


def retry(*, job: Job, by: Principal, now: datetime) -> Job:
    """Queue a failed job again, by its owner or who sees all long work.

    raises: NotPermitted, Conflict when it did not fail or the same work is already open
    """
    owns = by.user is not None and job.owner_id == by.user.pk
    if not owns and not by.may(Permission.VIEW_JOBS):
        raise NotPermitted("Only who started this job may try it again.")
    try:
        with transaction.atomic():
            queued = Job.objects.filter(pk=job.pk, state=Job.State.FAILED).update(
                state=Job.State.QUEUED,
                attempts=0,
                bells=0,
                done=0,
                error="",
                stage="",
                finished_at=None,
                started_at=None,
                next_attempt_at=now,
                bell_at=now + FIRST_BELL_AGAIN,
            )
            if not queued:
                raise Conflict("Only a job that failed can be tried again.")
            ring_after_commit(RUN_TASK, job_id=str(job.pk))
    except IntegrityError as error:
        raise Conflict("The same work is already waiting or running.") from error
    job.refresh_from_db()
    return job


def sweep(*, now: datetime, limit: int = 200) -> int:
    """Tell workers again about open jobs that nobody took up or whose holder fell silent.

    Each job is told about after longer and longer pauses, so that copies of one message do not
    fill the queue while workers are busy. Returns how many were told.
    """
    due = Job.objects.filter(state__in=OPEN, bell_at__lte=now).order_by("bell_at", "id")[:limit]
    told = 0
    for job in due:
        pause = min(FIRST_BELL_AGAIN * 2 ** min(job.bells, 10), LONGEST_SILENCE)
        mine = Job.objects.filter(pk=job.pk, bell_at=job.bell_at, fence=job.fence)
        # Two sweeps at once: the second finds the time already moved.
        if mine.update(bell_at=now + pause, bells=F("bells") + 1):
            told += ring(RUN_TASK, job_id=str(job.pk))
    return told


def forget_jobs(*, before: datetime) -> int:
    """Delete finished jobs that ended before this time; return how many."""
    closed = Job.objects.filter(state__in=[Job.State.DONE, Job.State.FAILED])
    deleted, _by_model = closed.filter(finished_at__lt=before).delete()
    return deleted
