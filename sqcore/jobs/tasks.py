"""The workers' door to jobs."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from sqcore.jobs import runner, services

KEEP_JOBS = timedelta(days=90)


@shared_task(name="sqcore.jobs.run")
def run(*, job_id: str, **_later: object) -> None:
    runner.run_job(job_id, clock=timezone.now)


@shared_task(name="sqcore.jobs.sweep")
def sweep(**_later: object) -> None:
    services.sweep(now=timezone.now())


@shared_task(name="sqcore.jobs.forget")
def forget(**_later: object) -> None:
    services.forget_jobs(before=timezone.now() - KEEP_JOBS)
