"""Pages of skills: the matrix, the frame with what posts need, and one person."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError, NotFound
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.models import Post, Unit
from sqcore.org.queries import local_day
from training.competencies import queries, services
from training.competencies.forms import (
    CompetencyForm,
    NewCompetencyForm,
    RequiredForm,
    WithdrawForm,
)
from training.competencies.models import Competency, Level
from training.competencies.pages import form_for, skills_of


@login_required
@require_safe
def matrix(request: HttpRequest) -> HttpResponse:
    """Show people by competencies."""
    principal, today = principal_of(request), local_day(timezone.now())
    principal.require(Permission.VIEW_TRAINING)
    seen = Unit.objects.visible_to(principal, Permission.VIEW_TRAINING).open_on(today)
    units, posts = list(seen.order_by("code")), list(Post.objects.order_by("code"))
    unit = next((each for each in units if each.code == request.GET.get("unit")), None)
    post = next((each for each in posts if each.code == request.GET.get("post")), None)
    found = queries.skill_matrix(
        principal, unit=unit, post=post, on=today, page=request.GET.get("page", "1")
    )
    context = {
        "matrix": found,
        "unit": unit.code if unit else "",
        "post": post.code if post else "",
        "units": [("", _("All my units")), *((each.code, str(each)) for each in units)],
        "posts": [("", _("All posts")), *((each.code, str(each)) for each in posts)],
        "may_frame": _keeps_frame(principal),
    }
    return render(request, "training/competencies/matrix.html", context)


@login_required
@require_safe
def frame(request: HttpRequest) -> HttpResponse:
    """List the competencies, their levels and what posts need."""
    principal = principal_of(request)
    return render(request, "training/competencies/frame.html", _frame(principal))


def _frame(principal: Principal) -> dict[str, Any]:
    today = local_day(timezone.now())
    return {
        "competencies": Competency.objects.order_by("-is_active", "position", "code"),
        "levels": Level.choices,
        "required": list(queries.required_levels(on=today)),
        "today": today,
        "may_frame": _keeps_frame(principal),
        "form": RequiredForm(initial={"valid_from": today}) if _keeps_frame(principal) else None,
        "trail": [(_("Skills"), reverse("training:competencies-matrix")), (_("The frame"), "")],
    }


def _keeps_frame(principal: Principal) -> bool:
    return principal.scope(Permission.MANAGE_TRAINING).everywhere


@login_required
@require_POST
def seed(request: HttpRequest) -> HttpResponse:
    """Begin with the six competencies of the house."""
    services.install_seed_competencies(now=timezone.now(), by=principal_of(request))
    return redirect("training:competencies-list")


@login_required
@require_POST
def required(request: HttpRequest) -> HttpResponse:
    """Say which level a post needs."""
    principal = principal_of(request)
    form = RequiredForm(request.POST)
    if form.is_valid():
        try:
            services.require_level(**form.cleaned_data, by=principal, now=timezone.now())
            messages.success(request, _("The required level is kept."))
            return redirect("training:competencies-list")
        except DomainError as refusal:
            _add_refusal(form, refusal)
    context = {**_frame(principal), "form": form}
    return render(request, "training/competencies/frame.html", context, status=400)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, code: str = "") -> HttpResponse:
    """Add a competency, or change one."""
    principal = principal_of(request)
    principal.require(Permission.MANAGE_TRAINING)
    found = queries.competency_named(code) if code else None
    kind = CompetencyForm if found else NewCompetencyForm
    form = kind(request.POST or None, initial=_kept(found))
    if request.method == "POST" and form.is_valid():
        try:
            services.save_competency(
                **{"code": code, **form.cleaned_data}, by=principal, now=timezone.now()
            )
            messages.success(request, _("The competency is kept."))
            return redirect("training:competencies-list")
        except DomainError as refusal:
            _add_refusal(form, refusal)
    context = {
        "form": form,
        "title": str(found) if found else _("New competency"),
        "trail": [
            (_("Skills"), reverse("training:competencies-matrix")),
            (_("The frame"), reverse("training:competencies-list")),
            (str(found) if found else _("New competency"), ""),
        ],
    }
    status = 400 if form.errors else 200
    return render(request, "training/competencies/form.html", context, status=status)


def _kept(found: Competency | None) -> dict[str, Any]:
    if found is None:
        return {"position": Competency.objects.count() + 1}
    return {
        "name": found.name,
        "description": found.description,
        "measures": ", ".join(found.measures),
        "position": found.position,
        "is_active": found.is_active,
    }


# One person --------------------------------------------------------------------------------------


@login_required
@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Go to one's own skills."""
    principal = principal_of(request)
    if principal.user is None or principal.staff_id is None:
        raise NotFound(_("Your user is not linked to a staff member."))
    return redirect("training:competencies-person", number=principal.user.staff.number)


@login_required
@require_safe
def person(request: HttpRequest, number: str) -> HttpResponse:
    """Show the skills of a person with all evidence."""
    return _person(request, number)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def assess(request: HttpRequest, number: str) -> HttpResponse:
    """Keep an assessment of oneself or of somebody else."""
    principal, now = principal_of(request), timezone.now()
    if request.method != "POST":
        return redirect("training:competencies-person", number=number)
    staff = queries.person_seen_by(principal, number, on=local_day(now))
    form = form_for(principal, staff, on=local_day(now), data=request.POST)
    if form is None:
        raise NotFound(_("There is no such person, or you may not assess them."))
    if form.is_valid():
        given = {"on": local_day(now), **form.asked}
        try:
            services.record_evidence(staff=staff, **given, by=principal, now=now)
            messages.success(request, _("The assessment is kept."))
            return redirect("training:competencies-person", number=number)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    return _person(request, number, skill_form=form, status=400)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, number: str, pk: int) -> HttpResponse:
    """Say that evidence was wrong."""
    principal, now = principal_of(request), timezone.now()
    staff = queries.person_seen_by(principal, number, on=local_day(now))
    form = WithdrawForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.withdraw_evidence(evidence_id=pk, **form.cleaned_data, by=principal, now=now)
            messages.success(request, _("The evidence counts no longer."))
            return redirect("training:competencies-person", number=number)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    context = {
        "form": form,
        "title": _("Withdraw evidence"),
        "trail": [
            (staff.name, reverse("training:competencies-person", args=[number])),
            (_("Withdraw evidence"), ""),
        ],
    }
    status = 400 if form.errors else 200
    return render(request, "training/competencies/form.html", context, status=status)


def _person(request: HttpRequest, number: str, *, status: int = 200, **over: Any) -> HttpResponse:
    principal, today = principal_of(request), local_day(timezone.now())
    staff = queries.person_seen_by(principal, number, on=today)
    trail = [(_("Skills"), reverse("training:competencies-matrix")), (staff.name, "")]
    context = {
        **skills_of(principal, staff, on=today),
        "evidence": queries.evidence_of(staff.pk),
        "may_assess": queries.may_for(principal, Permission.PLAN_TRAINING, staff.pk, on=today),
        "trail": trail if principal.may(Permission.VIEW_TRAINING) else [],
        **over,
    }
    return render(request, "training/competencies/person.html", context, status=status)


def _add_refusal(form: Any, refusal: DomainError) -> None:
    for problem in refusal.problems:
        form.add_error(problem.field if problem.field in form.fields else None, problem.reason)
    if not refusal.problems:
        form.add_error(None, refusal.message)
