"""Reading long work."""

from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from sqcore.base.errors import NotFound
from sqcore.identity.principals import Principal
from sqcore.jobs.models import OPEN, Job


def jobs_of(principal: Principal, *, state: str = "") -> QuerySet[Job]:
    """Return the jobs this person may see, newest first; `state` keeps only those in it."""
    jobs = Job.objects.visible_to(principal).select_related("owner")
    if state in Job.State.values:
        jobs = jobs.filter(state=state)
    return jobs.order_by("-created_at", "id")


def job_of(principal: Principal, job_id: UUID) -> Job:
    """Return one job this person may see.

    raises: NotFound
    """
    job = Job.objects.visible_to(principal).select_related("owner").filter(pk=job_id).first()
    if job is None:
        raise NotFound("There is no such job.")
    return job


def own_jobs(principal: Principal, *, failed_since: datetime) -> QuerySet[Job]:
    """Return the open jobs this person started and those that failed since, newest first."""
    if principal.user is None:
        return Job.objects.none()
    failed = Q(state=Job.State.FAILED, finished_at__gte=failed_since)
    own = Job.objects.visible_to(principal).filter(owner=principal.user)
    return own.filter(Q(state__in=OPEN) | failed).order_by("-created_at", "id")
