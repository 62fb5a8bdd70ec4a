"""The page of long work."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from sqcore.identity.principals import principal_of
from sqcore.jobs import queries, services
from sqcore.jobs.models import Job

PER_PAGE = 25
OPEN = frozenset({Job.State.QUEUED, Job.State.RUNNING})


@login_required
@require_GET
def jobs(request: HttpRequest) -> HttpResponse:
    """List the work this person may see; while some is open, the list refreshes itself."""
    state = request.GET.get("state", "")
    found = queries.jobs_of(principal_of(request), state=state)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "state": state if state in Job.State.values else "",
        "states": Job.State.choices,
        "is_moving": any(job.state in OPEN for job in page),
    }
    return render(request, _part(request, "sqcore/jobs/jobs.html", "_jobs.html"), context)


@login_required
@require_GET
def job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Show one piece of work: how far it is, what came out, why it failed."""
    found = queries.job_of(principal_of(request), job_id)
    # The pairs, for a template would take a result called “items” for the method.
    results = list(found.result.items())
    context = {"job": found, "results": results, "is_moving": found.state in OPEN}
    return render(request, _part(request, "sqcore/jobs/job.html", "_job.html"), context)


@login_required
@require_POST
def retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Queue a job that failed again."""
    principal = principal_of(request)
    failed = queries.job_of(principal, job_id)
    services.retry(job=failed, by=principal, now=timezone.now())
    messages.success(request, _("The job waits for a worker again."))
    return redirect("sqcore:jobs-detail", job_id=job_id)


def _part(request: HttpRequest, page: str, part: str) -> str:
    """A refresh gets the moving part alone."""
    return f"sqcore/jobs/{part}" if request.headers.get("HX-Request") == "true" else page
