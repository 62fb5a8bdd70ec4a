"""Reading long work."""

from uuid import UUID

from django.db.models import QuerySet

from sqcore.base.errors import NotFound
from sqcore.identity.principals import Principal
from sqcore.jobs.models import Job


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
