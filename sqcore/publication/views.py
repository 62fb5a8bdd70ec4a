"""Set-up: the way of a version from its goals to its publication, in six steps."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError, NotFound
from sqcore.base.text import in_language
from sqcore.evaluation.services import request_run
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.indicators.fields import tell
from sqcore.indicators.models import SystemVersion
from sqcore.indicators.pages import system_named, version_named
from sqcore.indicators.queries import published_version
from sqcore.publication import pages, queries, services
from sqcore.publication.differences import differences
from sqcore.publication.differences_page import told
from sqcore.publication.forms import CandidateForm, DecisionForm, GoalForm, PeriodForm, RatingForm
from sqcore.publication.models import Candidate

Trail = list[tuple[str, str]]


@login_required
@require_safe
def steps(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Show the six steps of a version: what each has, what is missing, where it is done."""
    principal, found = _version(request, code, number)
    context = {
        "version": found,
        "system": found.system,
        "is_draft": found.state == SystemVersion.State.DRAFT,
        "steps": pages.steps_of(found, principal=principal, now=timezone.now()),
        "former": next(iter(queries.formers_of(found)), None),
        "trail": _trail(found),
    }
    return render(request, "sqcore/publication/steps.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def goals(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Show the goals of a version; add one to a draft."""
    principal, found = _version(request, code, number)
    form = GoalForm(request.POST or None, version=found)
    if request.method == "POST" and form.is_valid():
        try:
            services.add_goal(
                version=found,
                text=form.text(),
                dimension=form.cleaned_data["dimension"],
                by=principal,
                now=timezone.now(),
            )
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The goal is kept."))
            return redirect("sqcore:publication-goals", code=code, number=number)
    listed = queries.goals_of(found, principal=principal)
    names = {each.code: str(each) for each in found.dimensions.all()}
    context = {
        **_context(found, principal),
        "goals": [(goal, names.get(goal.dimension, "")) for goal in listed],
        "unasked": queries.dimensions_without_goal(found, listed),
        "form": form,
        "trail": _trail(found, _("Goals")),
    }
    status = 400 if form.errors else 200
    return render(request, "sqcore/publication/goals.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def goal(request: HttpRequest, code: str, number: int, key: UUID) -> HttpResponse:
    """Say a goal of a draft otherwise, or take it out."""
    principal, found = _version(request, code, number)
    principal.require(Permission.MANAGE_INDICATORS)
    listed = queries.goals_of(found, principal=principal)
    present = next((each for each in listed if each.key == key), None)
    if present is None:
        raise NotFound(_("There is no such goal."))
    back = reverse("sqcore:publication-goals", args=[code, number])
    if request.method != "POST" and found.state != SystemVersion.State.DRAFT:
        return HttpResponseRedirect(back)
    if "remove" in request.POST:
        services.remove_goal(version=found, key=key, by=principal, now=timezone.now())
        messages.success(request, _("The goal is taken out."))
        return HttpResponseRedirect(back)
    form = GoalForm(
        request.POST or None,
        version=found,
        text=present.text,
        initial={"dimension": present.dimension},
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.change_goal(
                version=found,
                key=key,
                text=form.text(),
                dimension=form.cleaned_data["dimension"],
                by=principal,
                now=timezone.now(),
            )
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The goal is kept."))
            return HttpResponseRedirect(back)
    context = {
        "form": form,
        "title": str(present),
        "verb": _("Keep"),
        "back": back,
        "remove": _("Take the goal out"),
        "trail": [*_trail(found, _("Goals"), back), (str(present), "")],
    }
    status = 400 if form.errors else 200
    return render(request, "sqcore/indicators/form.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def screening(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Show the candidates of a version with what is known of them; put one up for a draft."""
    principal, found = _version(request, code, number)
    form = CandidateForm(request.POST or None, version=found)
    if request.method == "POST" and form.is_valid():
        try:
            services.propose_candidate(
                version=found,
                indicator=form.cleaned_data["indicator"],
                name=form.text(),
                by=principal,
                now=timezone.now(),
            )
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The candidate is put up."))
            return redirect("sqcore:publication-screening", code=code, number=number)
    context = {
        **_context(found, principal),
        "rows": pages.candidate_rows(found, principal=principal, now=timezone.now()),
        "form": form,
        "trail": _trail(found, _("Screening")),
    }
    status = 400 if form.errors else 200
    return render(request, "sqcore/publication/screening.html", context, status=status)


@login_required
@require_POST
def placed(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Put up all indicators that stand in a draft."""
    principal, found = _version(request, code, number)
    n = services.propose_placed(version=found, by=principal, now=timezone.now())
    messages.success(request, _("Put up as candidates: %(n)d.") % {"n": n})
    return redirect("sqcore:publication-screening", code=code, number=number)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def candidate(request: HttpRequest, code: str, number: int, position: int) -> HttpResponse:
    """Show one candidate; of a draft it can be rated and decided on."""
    principal, found = _version(request, code, number)
    rows = pages.candidate_rows(found, principal=principal, now=timezone.now())
    row = next((each for each in rows if each.candidate.position == position), None)
    if row is None:
        raise NotFound(_("There is no such candidate."))
    ratings = sorted(row.candidate.ratings.all(), key=lambda each: each.person.name)
    user = principal.user
    own = next((each for each in ratings if user and each.person_id == user.pk), None)
    decides = "decision" in request.POST
    rating = RatingForm(request.POST if request.POST and not decides else None, own=own)
    chosen = row.candidate.decision if row.candidate.decided_at else None
    initial = {"decision": chosen, "reason": row.candidate.reason}
    decision = DecisionForm(request.POST if decides else None, initial=initial)
    form: forms.Form = decision if decides else rating
    if request.method == "POST" and form.is_valid():
        try:
            _act(form, found, position, by=principal, decides=decides)
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("Kept. Everybody sees it beside the candidate."))
            return redirect("sqcore:publication-screening", code=code, number=number)
    at = reverse("sqcore:publication-screening", args=[code, number])
    context = {
        **_context(found, principal),
        "row": row,
        "ratings": ratings,
        "rating": rating,
        "decision": decision,
        "trail": [*_trail(found, _("Screening"), at), (str(row.candidate), "")],
    }
    status = 400 if form.errors else 200
    return render(request, "sqcore/publication/candidate.html", context, status=status)


@login_required
@require_safe
def changes(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Show what changed since an earlier version; `from` names another one than the last."""
    principal, found = _version(request, code, number)
    former = queries.former_of(found, request.GET.get("from", ""))
    compared = differences(former, found, principal=principal, now=timezone.now())
    context = {
        "version": found,
        "system": found.system,
        "former": former,
        "formers": queries.formers_of(found),
        "found": compared,
        "told": told(compared),
        "trail": _trail(found, _("What changed")),
    }
    return render(request, "sqcore/publication/changes.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def evaluate(request: HttpRequest, code: str) -> HttpResponse:
    """Ask for a closed period, and queue its evaluation."""
    principal, now = principal_of(request), timezone.now()
    principal.require(Permission.RUN_EVALUATION)
    system = system_named(principal, code)
    version = published_version(system)
    if version is None:
        raise NotFound(_("Nothing of this system is published yet."))
    form = PeriodForm(request.POST or None, periods=queries.closed_periods(version, now=now))
    if request.method == "POST" and form.is_valid():
        job = request_run(system=system, period=form.chosen, by=principal, now=now)
        messages.success(request, _("The evaluation is queued."))
        if job is None:
            return redirect("sqcore:indicators-system", code=code)
        return redirect("sqcore:jobs-detail", job_id=job.pk)
    at = reverse("sqcore:indicators-system", args=[code])
    context = {
        "form": form,
        "title": _("Evaluate a period"),
        "lead": _(
            "What is closed is evaluated by itself. Here it is done at once, such as after"
            " corrections; where nothing changed, nothing new is published."
        ),
        "verb": _("Evaluate it now"),
        "back": at,
        "trail": [
            (_("Indicator systems"), reverse("sqcore:indicators-systems")),
            (in_language(system.name), at),
            (_("Evaluate a period"), ""),
        ],
    }
    status = 400 if form.errors else 200
    return render(request, "sqcore/indicators/form.html", context, status=status)


def _act(
    form: forms.Form, found: SystemVersion, position: int, *, by: Principal, decides: bool
) -> None:
    now = timezone.now()
    if not decides:
        services.rate_candidate(
            version=found, position=position, points=form.cleaned_data, by=by, now=now
        )
        return
    services.decide_candidate(
        version=found,
        position=position,
        keep=form.cleaned_data["decision"] == Candidate.Decision.KEEP,
        reason=form.cleaned_data["reason"],
        by=by,
        now=now,
    )


def _version(request: HttpRequest, code: str, number: int) -> tuple[Principal, SystemVersion]:
    """Return who asks, and the version; to post, one must be allowed to change it."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_RESULTS)
    if request.method == "POST":
        principal.require(Permission.MANAGE_INDICATORS)
    return principal, version_named(principal, code, number)


def _context(found: SystemVersion, principal: Principal) -> dict[str, object]:
    is_draft = found.state == SystemVersion.State.DRAFT
    return {
        "version": found,
        "system": found.system,
        "may_change": is_draft and principal.may(Permission.MANAGE_INDICATORS),
    }


def _trail(found: SystemVersion, last: str = "", at: str = "") -> Trail:
    code = found.system.code
    trail = [
        (_("Indicator systems"), reverse("sqcore:indicators-systems")),
        (in_language(found.system.name), reverse("sqcore:indicators-system", args=[code])),
        (
            _("Version %(number)d") % {"number": found.number},
            reverse("sqcore:indicators-version", args=[code, found.number]),
        ),
    ]
    steps_at = reverse("sqcore:publication-steps", args=[code, found.number])
    trail.append((_("Steps"), steps_at if last else ""))
    return [*trail, (last, at)] if last else trail
