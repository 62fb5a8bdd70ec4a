"""Pages of courses: the catalogue, a course with what HR does to it, the programme board."""

from datetime import datetime
from typing import Any

from django import forms as django_forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sqcore.base.errors import NotFound
from sqcore.identity.principals import Principal, principal_of
from training.competencies.models import Competency
from training.courses import forms, pages, services
from training.courses.models import Course, Session
from training.courses.queries import courses_seen_by

PER_PAGE = 25


# What everybody reads ----------------------------------------------------------------------------


@login_required
@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """List the courses that are offered, those with a session ahead first."""
    principal = principal_of(request)
    pages.require_reader(principal)
    asked = forms.CatalogueFilter(request.GET).asked()
    found = pages.catalogue(principal=principal, asked=asked, now=timezone.now())
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": pages.catalogue_rows(page),
        "asked": asked,
        "modes": pages.mode_choices(),
        "may_manage": pages.runs_courses(principal),
    }
    return render(request, "training/courses/catalogue.html", context)


@login_required
@require_safe
def course(request: HttpRequest, code: str) -> HttpResponse:
    """Show a course: what it teaches, what it needs, its sessions ahead."""
    principal = principal_of(request)
    found = pages.course_shown(code, principal=principal)
    page = pages.course_page(course=found, principal=principal, now=timezone.now())
    context = {"course": found, "page": page, **pages.course_crumbs(found)}
    return render(request, "training/courses/course.html", context)


@login_required
@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """Show the sessions of a month on their days."""
    principal = principal_of(request)
    pages.require_reader(principal)
    asked = forms.BoardFilter(request.GET).asked()
    page = pages.board_page(principal=principal, asked=asked, now=timezone.now())
    return render(request, "training/courses/board.html", {"page": page, "asked": asked})


# What HR does ------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_course(request: HttpRequest) -> HttpResponse:
    """Add a course to the catalogue."""
    principal, now = principal_of(request), timezone.now()
    services.require_everywhere(principal)
    form = forms.CourseForm(forms.posted(request))

    def save(asked: dict[str, Any]) -> object:
        return services.save_course(**asked, by=principal, now=now)

    if forms.carried_out(form, save):
        messages.success(request, _("The course is in the catalogue. Publish its first version."))
        return redirect("training:courses-course", code=form.cleaned_data["code"])
    shown = {
        "title": _("New course"),
        "button": _("Add it"),
        "trail": [(_("Courses"), reverse("training:courses-list")), (_("New course"), "")],
    }
    return _asked(request, form, shown)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_course(request: HttpRequest, code: str) -> HttpResponse:
    """Change what a course is called and who may enrol."""
    found, principal, now = _kept_course(request, code)
    names = ("code", "name", "description", "mode", "is_open", "is_active")
    initial = {name: getattr(found, name) for name in names}
    form = forms.CourseForm(forms.posted(request), initial=initial, is_new=False)

    def save(asked: dict[str, Any]) -> object:
        return services.save_course(**asked, by=principal, now=now)

    if forms.carried_out(form, save):
        return _kept(request, found)
    return _asked(request, form, _page(found, _("Change the course"), _("Keep it")))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def prerequisites(request: HttpRequest, code: str) -> HttpResponse:
    """Say which courses come before this one."""
    found, principal, now = _kept_course(request, code)
    others = {each.code: each for each in Course.objects.exclude(pk=found.pk).order_by("code")}
    form = forms.PrerequisitesForm(
        forms.posted(request),
        courses=[(key, str(each)) for key, each in others.items()],
        initial={"needs": [row.needs.code for row in found.prerequisites.all()]},
    )

    def save(asked: dict[str, Any]) -> object:
        needs = [others[key] for key in asked["needs"]]
        return services.set_prerequisites(course=found, needs=needs, by=principal, now=now)

    if forms.carried_out(form, save):
        return _kept(request, found)
    return _asked(request, form, _page(found, _("What must be passed before"), _("Keep it")))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def taught(request: HttpRequest, code: str) -> HttpResponse:
    """Say which level of which competency who passes has shown."""
    found, principal, now = _kept_course(request, code)
    known = {each.code: each for each in Competency.objects.filter(is_active=True)}
    form = forms.TaughtForm(
        forms.posted(request),
        competencies=list(known.values()),
        initial={row.competency.code: row.level for row in found.teaches.all()},
    )

    def save(asked: dict[str, Any]) -> object:
        levels = {known[key]: level for key, level in asked.items() if level}
        return services.set_taught(course=found, levels=levels, by=principal, now=now)

    if forms.carried_out(form, save):
        return _kept(request, found)
    page = _page(found, _("What it teaches"), _("Keep it"))
    page["lead"] = _("The level that who passes the course has shown.")
    return _asked(request, form, page)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def publish(request: HttpRequest, code: str) -> HttpResponse:
    """Publish the next version of a course; it begins with what the newest one says."""
    found, principal, now = _kept_course(request, code)
    newest = next(iter(found.versions.all()), None)
    names = forms.VersionForm.base_fields
    initial = {name: getattr(newest, name) for name in names} if newest else {}
    form = forms.VersionForm(forms.posted(request), initial=initial)

    def save(asked: dict[str, Any]) -> object:
        return services.publish_version(course=found, **asked, by=principal, now=now)

    if forms.carried_out(form, save):
        messages.success(request, _("The version is published. Sessions planned now use it."))
        return redirect("training:courses-course", code=found.code)
    page = _page(found, _("Publish a version"), _("Publish it"))
    page["lead"] = _(
        "A published version never changes: what a certificate stands for can be read for ever."
    )
    return _asked(request, form, page)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def plan(request: HttpRequest, code: str) -> HttpResponse:
    """Plan a session of a course."""
    principal, now = principal_of(request), timezone.now()
    found = pages.course_shown(code, principal=principal)
    units = _units_to_plan_at(principal, now)
    versions = {version.number: version for version in found.versions.all()}
    if not versions:
        raise NotFound(_("This course has no version yet; publish one first."))
    form = forms.SessionForm(
        forms.posted(request),
        versions=[(n, _("version %(n)d") % {"n": n}) for n in versions],
        units=pages.unit_choices(principal, units),
        initial={"mode": found.mode, "version": max(versions)},
    )
    planned: list[Session] = []

    def save(asked: dict[str, Any]) -> object:
        asked = _session_of(asked, units)
        asked["version"] = versions[asked["version"]]
        first = min(start for start, _end in asked["slots"])
        asked["code"] = asked["code"] or pages.suggested_code(found, first)
        planned.append(services.plan_session(**asked, by=principal, now=now))
        return planned

    if forms.carried_out(form, save):
        messages.success(request, _("The session is planned. Now enrol people."))
        return redirect("training:courses-session", code=planned[0].code)
    return _asked(request, form, _page(found, _("Plan a session"), _("Plan it")))


# What these pages share --------------------------------------------------------------------------


def _kept_course(request: HttpRequest, code: str) -> tuple[Course, Principal, datetime]:
    """The course with who may change it. raises: NotPermitted, NotFound"""
    principal = principal_of(request)
    services.require_everywhere(principal)
    found = courses_seen_by(principal).filter(code=code).first()
    if found is None:
        raise NotFound(_("There is no such course."))
    return found, principal, timezone.now()


def _units_to_plan_at(principal: Principal, now: datetime) -> dict[str, Any]:
    """raises: NotPermitted for who plans nowhere"""
    units = pages.units_to_plan_at(principal, now=now)
    if not units:
        services.require_planner(principal, None)
    return units


def _session_of(asked: dict[str, Any], units: dict[str, Any]) -> dict[str, Any]:
    """Return what a form asks of a session as its service takes it."""
    return {
        **asked,
        "unit": units.get(asked["unit"]),
        "planned_cost": asked["planned_cost"] or 0,
    }


def _kept(request: HttpRequest, found: Course) -> HttpResponse:
    messages.success(request, _("It is kept."))
    return redirect("training:courses-course", code=found.code)


def _page(found: Course, title: str, button: str) -> dict[str, Any]:
    return {"title": title, "button": button, **pages.course_crumbs(found, title)}


def _asked(request: HttpRequest, form: django_forms.Form, page: dict[str, Any]) -> HttpResponse:
    """Show a form on a page of its own."""
    context = {"form": form, **page}
    return render(request, "training/form.html", context, status=400 if form.errors else 200)
