"""Pages of a session: who is in it, enrolling, presence, tests, the door, change and cancel."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError, NotFound, NotPermitted
from sqcore.dashboards.tags import moment
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.queries import local_day
from training.courses.forms import SessionForm, WhyForm, carried_out, posted
from training.courses.models import Session
from training.courses.pages import unit_choices, units_to_plan_at
from training.courses.queries import may_run, session_named
from training.courses.services import require_planner
from training.enrolments import forms, pages, services
from training.enrolments.models import Enrolment
from training.enrolments.queries import enrolments_seen_by, roster
from training.enrolments.several import Outcomes, enrol_several, record_attempts

WAYS = ("owed", "needed", "search")
NAMED = 5
"""Refusals that a message names one by one."""


# A session, and one's own place in it ------------------------------------------------------------


@login_required
@require_safe
def session(request: HttpRequest, code: str) -> HttpResponse:
    """Show a session: to the person what it is and their place, to who runs it the people."""
    principal, now = principal_of(request), timezone.now()
    found = session_named(principal, code)
    page = pages.session_page(
        session=found, principal=principal, page=request.GET.get("page"), now=now
    )
    return _shown(request, "session", page, page.frame)


@login_required
@require_POST
def join(request: HttpRequest, code: str) -> HttpResponse:
    """Enrol oneself."""
    principal = principal_of(request)
    found = session_named(principal, code)
    if principal.staff_id is None:
        raise NotPermitted(_("Only who works here takes part."))
    try:
        made = services.enrol(
            session_id=found.pk,
            staff_id=principal.staff_id,
            origin=Enrolment.Origin.SELF,
            by=principal,
            now=timezone.now(),
        )
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        if made.state == Enrolment.State.WAITING:
            messages.warning(
                request, _("You are on the waiting list. You are told when a seat is free.")
            )
        else:
            messages.success(request, _("You have a seat."))
    return redirect("training:courses-session", code=code)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def cancel_enrolment(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Take somebody, or oneself, out of a session, and say why."""
    principal, now = principal_of(request), timezone.now()
    found = session_named(principal, code)
    seen = enrolments_seen_by(principal, on=local_day(now)).filter(session=found, pk=pk).first()
    if seen is None:
        raise NotFound(_("There is no such enrolment."))
    form = WhyForm(posted(request))

    def cancel(asked: dict[str, Any]) -> object:
        return services.cancel_enrolment(enrolment_id=pk, why=asked["why"], by=principal, now=now)

    if carried_out(form, cancel):
        messages.success(request, _("Done. The seat goes to the next of the waiting list."))
        return redirect("training:courses-session", code=code)
    is_own = seen.staff_id == principal.staff_id
    title = _("Give up your seat") if is_own else _("Take %(name)s out") % {"name": seen.staff.name}
    return _asked(
        request, form, found, principal, now, title, _("Give it up") if is_own else _("Take out")
    )


# Enrolling others --------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def enrol(request: HttpRequest, code: str) -> HttpResponse:
    """Enrol several people at once: who must have the course, who needs it, or who is searched."""
    principal, now = principal_of(request), timezone.now()
    found = session_named(principal, code)
    way, text = request.GET.get("way", ""), request.GET.get("text", "").strip()[:100]
    way = way if way in WAYS else ("search" if text else "owed")
    page = pages.enrol_page(session=found, principal=principal, way=way, text=text, now=now)
    if not page.frame.may_enrol:
        raise NotPermitted(_("You may not enrol people in this session."))
    offered = [each.staff.pk for each in page.candidates]
    form = forms.EnrolForm(posted(request), offered=offered)
    if form.is_bound and form.is_valid():
        numbers = form.cleaned_data["numbers"]
        known = pages.people_numbered(numbers, principal=principal, on=local_day(now))
        names = known | {each.staff.pk: each.staff for each in page.candidates}
        outcomes = enrol_several(
            session_id=found.pk,
            staff_ids=[*form.cleaned_data["staff"], *known],
            origin=Enrolment.Origin.MANAGER,
            by=principal,
            now=now,
        )
        _tell_enrolled(request, outcomes, {pk: str(staff) for pk, staff in names.items()})
        _tell_unknown(request, numbers, {staff.number for staff in known.values()})
        return redirect("training:courses-session", code=code)
    return _shown(request, "enrol", page, page.frame, form=form)


def _tell_enrolled(request: HttpRequest, outcomes: Outcomes, names: Mapping[int, str]) -> None:
    seated = outcomes.enrolled(Enrolment.State.ENROLLED)
    waiting = outcomes.enrolled(Enrolment.State.WAITING)
    if seated:
        said = ngettext("%(n)d person has a seat.", "%(n)d people have a seat.", seated)
        messages.success(request, said % {"n": seated})
    if waiting:
        said = ngettext(
            "%(n)d person is on the waiting list: the session is full.",
            "%(n)d people are on the waiting list: the session is full.",
            waiting,
        )
        messages.warning(request, said % {"n": waiting})
    _tell_refused(request, outcomes, names)


def _tell_refused(request: HttpRequest, outcomes: Outcomes, names: Mapping[int, str]) -> None:
    for pk, why in list(outcomes.refused.items())[:NAMED]:
        messages.error(request, f"{names.get(pk, '')}: {why}")
    more = len(outcomes.refused) - NAMED
    if more > 0:
        said = ngettext("%(n)d more was refused.", "%(n)d more were refused.", more)
        messages.error(request, said % {"n": more})


def _tell_unknown(request: HttpRequest, numbers: list[str], known: set[str]) -> None:
    unknown = [number for number in numbers if number not in known]
    if unknown:
        said = _("Nobody whom you may enrol has these numbers: %(numbers)s")
        messages.error(request, said % {"numbers": ", ".join(unknown[:20])})


# Presence and tests ------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def attendance(request: HttpRequest, code: str) -> HttpResponse:
    """Show and keep who was there how long; `fill` makes present who has no record yet."""
    found, principal, now = _run(request, code)
    grid = pages.grid_of(session=found, principal=principal, page=request.GET.get("page"), now=now)
    form = forms.PresenceForm(posted(request), grid=grid)

    def keep(_asked: dict[str, Any]) -> object:
        rows = form.changed(fill="fill" in request.POST)
        changed = services.record_attendance(session_id=found.pk, rows=rows, by=principal, now=now)
        said = ngettext("%(n)d entry is kept.", "%(n)d entries are kept.", changed)
        messages.success(request, said % {"n": changed})
        return changed

    if carried_out(form, keep):
        return redirect(request.get_full_path())
    return _shown(request, "attendance", grid, grid.frame, form=form)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def paste(request: HttpRequest, code: str) -> HttpResponse:
    """Keep the minutes of one slot from a pasted list."""
    found, principal, now = _run(request, code)
    slots = [slot for slot in found.slots.all() if slot.starts_at <= now]
    seated = [row for row in roster(found) if row.state == Enrolment.State.ENROLLED]
    form = forms.PastedPresenceForm(
        posted(request),
        slots=[(slot.pk, f"{moment(slot.starts_at)}") for slot in slots],
        inside={row.staff.number: row.pk for row in seated},
        most={slot.pk: services.minutes_of(slot) for slot in slots},
    )

    def keep(asked: dict[str, Any]) -> object:
        return services.record_attendance(
            session_id=found.pk, rows=asked["rows"], by=principal, now=now
        )

    if carried_out(form, keep):
        n = len(form.cleaned_data["rows"])
        said = ngettext(
            "The minutes of %(n)d person are kept.", "The minutes of %(n)d people are kept.", n
        )
        messages.success(request, said % {"n": n})
        return redirect("training:enrolments-attendance", code=code)
    return _asked(request, form, found, principal, now, _("Paste a list of minutes"), _("Keep it"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def results(request: HttpRequest, code: str) -> HttpResponse:
    """Show and keep results of tests, several people at once."""
    found, principal, now = _run(request, code)
    page = pages.results_of(
        session=found, principal=principal, page=request.GET.get("page"), now=now
    )
    form = forms.ResultsForm(
        posted(request),
        rows=page.rows,
        is_planned=page.frame.is_planned,
        initial={"on": local_day(now)},
    )
    if form.is_bound and form.is_valid():
        outcomes = record_attempts(
            scores=form.scores,
            kind=form.cleaned_data["kind"],
            on=form.cleaned_data["on"],
            by=principal,
            now=now,
        )
        if kept := len(outcomes.done):
            said = ngettext("%(n)d result is kept.", "%(n)d results are kept.", kept)
            messages.success(request, said % {"n": kept})
        names = {row.enrolment.pk: row.enrolment.staff.name for row in page.rows}
        _tell_refused(request, outcomes, names)
        return redirect(request.get_full_path())
    return _shown(request, "results", page, page.frame, form=form)


# The door ----------------------------------------------------------------------------------------


@login_required
@require_safe
def door(request: HttpRequest, code: str) -> HttpResponse:
    """Show the code with which people sign in now; the page looks again by itself."""
    found, principal, now = _run(request, code)
    page = pages.door_page(session=found, principal=principal, now=now)
    name = "_door" if request.headers.get("HX-Request") else "door"
    return _shown(request, name, page, page.frame)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, code: str) -> HttpResponse:
    """Sign in to the slot that takes place now; the picture of the code fills the form in."""
    principal, now = principal_of(request), timezone.now()
    found = session_named(principal, code)
    form = forms.SignInForm(posted(request), initial={"code": request.GET.get("code", "")[:12]})

    def keep(asked: dict[str, Any]) -> object:
        return services.sign_in(session_id=found.pk, code=asked["code"], by=principal, now=now)

    is_done = carried_out(form, keep)
    context = {"form": form, "session": found, "is_done": is_done, "now": now}
    status = 400 if form.errors else 200
    return render(request, "training/enrolments/sign_in.html", context, status=status)


# The session itself ------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, code: str) -> HttpResponse:
    """Change a planned session; people in it are told of another time or place."""
    found, principal, now = _planned_by(request, code)
    units = units_to_plan_at(principal, now=now)
    names = ("mode", "place", "provider", "capacity", "enrol_until", "planned_cost", "trainer")
    initial = {name: getattr(found, name) for name in names}
    initial["unit"] = found.unit.code if found.unit else ""
    initial["slots"] = [(slot.starts_at, slot.ends_at) for slot in found.slots.all()]
    form = SessionForm(
        posted(request),
        versions=(),
        units=unit_choices(principal, units),
        is_new=False,
        initial=initial,
    )

    def keep(asked: dict[str, Any]) -> object:
        unit = units.get(asked.pop("unit"))
        cost = asked.pop("planned_cost") or 0
        return services.change_session(
            session_id=found.pk, unit=unit, planned_cost=cost, **asked, by=principal, now=now
        )

    if carried_out(form, keep):
        messages.success(request, _("It is kept."))
        return redirect("training:courses-session", code=code)
    return _asked(request, form, found, principal, now, _("Change the session"), _("Keep it"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, code: str) -> HttpResponse:
    """Call a session off; everybody in it is told."""
    found, principal, now = _planned_by(request, code)
    form = WhyForm(posted(request))

    def run(asked: dict[str, Any]) -> object:
        return services.cancel_session(session_id=found.pk, why=asked["why"], by=principal, now=now)

    if carried_out(form, run):
        messages.success(request, _("It is called off; everybody in it is told."))
        return redirect("training:courses-session", code=code)
    return _asked(
        request,
        form,
        found,
        principal,
        now,
        _("Call the session off"),
        _("Call it off"),
        is_hard=True,
    )


# What these pages share --------------------------------------------------------------------------


def _run(request: HttpRequest, code: str) -> tuple[Session, Principal, datetime]:
    """The session for who runs it. raises: NotPermitted, NotFound"""
    principal = principal_of(request)
    found = session_named(principal, code)
    if not may_run(principal, found):
        raise NotPermitted(_("The trainer does this, or who plans training at the unit."))
    return found, principal, timezone.now()


def _planned_by(request: HttpRequest, code: str) -> tuple[Session, Principal, datetime]:
    """The session for who plans at its unit. raises: NotPermitted, NotFound"""
    principal = principal_of(request)
    found = session_named(principal, code)
    require_planner(principal, found.unit)
    return found, principal, timezone.now()


def _shown(
    request: HttpRequest, name: str, page: object, frame: pages.Frame, **more: Any
) -> HttpResponse:
    context = {"page": page, "frame": frame, "trail": frame.trail, **more}
    form = more.get("form")
    status = 400 if form is not None and form.errors else 200
    return render(request, f"training/enrolments/{name}.html", context, status=status)


def _asked(
    request: HttpRequest,
    form: Any,
    found: Session,
    principal: Principal,
    now: datetime,
    title: str,
    button: str,
    *,
    is_hard: bool = False,
) -> HttpResponse:
    """Show a form about a session on a page of its own."""
    frame = pages.frame_of(found, principal=principal, now=now)
    url = reverse("training:courses-session", args=[found.code])
    context = {
        "form": form,
        "title": title,
        "lead": f"{frame.title} · {frame.when}",
        "button": button,
        "is_hard": is_hard,
        "back": url,
        "trail": [*frame.trail[:-1], (frame.when, url), (title, "")],
    }
    return render(request, "training/form.html", context, status=400 if form.errors else 200)
