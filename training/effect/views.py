"""The pages of effect: courses on three levels, and studies of them."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.queries import local_day
from training.effect import queries, services
from training.effect.forms import AbandonForm, EnrolForm, StudyForm
from training.effect.models import Study
from training.enrolments.models import Enrolment

PER_PAGE = 25


@login_required
@require_safe
def courses(request: HttpRequest) -> HttpResponse:
    """Which courses were shown to work, and which were not looked at."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_TRAINING)
    page = Paginator(queries.courses_seen_by(principal), PER_PAGE).get_page(request.GET.get("page"))
    lines = queries.course_lines(principal, list(page))
    return render(request, "training/effect/courses.html", {"page": page, "lines": lines})


@login_required
@require_safe
def course(request: HttpRequest, code: str) -> HttpResponse:
    """One course: what participants say, what they learnt, whether customers notice."""
    principal, now = principal_of(request), timezone.now()
    found = queries.course_of(principal, code)
    reaction = queries.reaction_of(found, now=now)
    context = {
        "course": found,
        "reaction": reaction,
        "reaction_figure": queries.reaction_figure(reaction),
        "learning": queries.learning_of(found),
        "studies": queries.studies_seen_by(principal).filter(course=found),
        "may_run": _may_run(principal),
        "trail": [_all_courses(), (str(found), "")],
    }
    return render(request, "training/effect/course.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest, code: str) -> HttpResponse:
    """Register a study of a course."""
    principal, now = principal_of(request), timezone.now()
    principal.require(Permission.MANAGE_TRAINING)
    found = queries.course_of(principal, code)
    form = StudyForm(request.POST or None, measures=queries.measures_of_people())
    if request.method == "POST" and form.is_valid():
        try:
            study = services.register_study(course=found, by=principal, now=now, **form.asked)
        except DomainError as refusal:
            if refusal.status in (403, 404):
                raise
            form.refuse(refusal)
        else:
            messages.success(request, _("The study is registered; nothing in it changes now."))
            return redirect("training:effect-study", code=study.code)
    context = {
        "course": found,
        "form": form,
        "trail": [
            _all_courses(),
            (str(found), reverse("training:effect-course", args=[found.code])),
            (_("Register a study"), ""),
        ],
    }
    status = 400 if form.errors else 200
    return render(request, "training/effect/register.html", context, status=status)


@login_required
@require_safe
def study(request: HttpRequest, code: str) -> HttpResponse:
    """One study: what was promised, who is compared, what came of it."""
    return _study_page(request, queries.study_of(principal_of(request), code))


@login_required
@require_POST
def conclude(request: HttpRequest, code: str) -> HttpResponse:
    """Compute the verdict."""
    principal = principal_of(request)
    found = queries.study_of(principal, code)
    services.conclude_study(study_id=found.pk, by=principal, now=timezone.now())
    messages.success(request, _("The verdict is computed from the answers that are in."))
    return redirect("training:effect-study", code=found.code)


@login_required
@require_POST
def enrol(request: HttpRequest, code: str) -> HttpResponse:
    """Enrol who was drawn into a session, without showing who they are."""
    principal = principal_of(request)
    found = queries.study_of(principal, code)
    form = EnrolForm(request.POST, sessions=queries.sessions_of(found))
    if not form.is_valid():
        return _study_page(request, found, enrolling=form)
    outcomes = services.enrol_drawn(
        study_id=found.pk,
        session_id=form.cleaned_data["session"],
        by=principal,
        now=timezone.now(),
    )
    waiting = outcomes.enrolled(Enrolment.State.WAITING)
    messages.success(
        request,
        _(
            "%(done)d are in the session, %(waiting)d of them wait; "
            "%(refused)d could not be enrolled."
        )
        % {"done": len(outcomes.done), "waiting": waiting, "refused": len(outcomes.refused)},
    )
    return redirect("training:effect-study", code=found.code)


@login_required
@require_POST
def abandon(request: HttpRequest, code: str) -> HttpResponse:
    """Give the study up."""
    principal = principal_of(request)
    found = queries.study_of(principal, code)
    form = AbandonForm(request.POST)
    if not form.is_valid():
        return _study_page(request, found, abandoning=form)
    services.abandon_study(
        study_id=found.pk, why=form.cleaned_data["why"], by=principal, now=timezone.now()
    )
    messages.success(request, _("The study is given up; it stays in the list."))
    return redirect("training:effect-study", code=found.code)


def _study_page(
    request: HttpRequest,
    found: Study,
    *,
    abandoning: AbandonForm | None = None,
    enrolling: EnrolForm | None = None,
) -> HttpResponse:
    principal, today = principal_of(request), local_day(timezone.now())
    sessions = queries.sessions_of(found)
    course = found.course
    context: dict[str, Any] = {
        "study": found,
        "page": queries.study_page(found, today=today),
        "form": abandoning or AbandonForm(),
        "enrol_form": enrolling or EnrolForm(sessions=sessions),
        "may_run": _may_run(principal) and found.state == Study.State.REGISTERED,
        "trail": [
            _all_courses(),
            (str(course), reverse("training:effect-course", args=[course.code])),
            (found.code, ""),
        ],
    }
    status = 400 if abandoning or enrolling else 200
    return render(request, "training/effect/study.html", context, status=status)


def _may_run(principal: Principal) -> bool:
    return principal.scope(Permission.MANAGE_TRAINING).everywhere


def _all_courses() -> tuple[str, str]:
    return (_("Effect of training"), reverse("training:effect-list"))
