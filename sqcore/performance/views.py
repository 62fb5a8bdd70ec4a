"""Pages of results of people: a person, the list, own encounters, disputes, the rules."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sqcore.base.errors import DomainError, NotPermitted
from sqcore.dashboards.panels import Page, panels_on
from sqcore.identity.principals import principal_of
from sqcore.org.queries import local_day
from sqcore.performance.dispute_pages import dispute_page, disputes_page
from sqcore.performance.disputes import (
    decide_dispute,
    raise_dispute,
    reverse_decision,
    withdraw_dispute,
)
from sqcore.performance.forms import (
    DecisionForm,
    DisputeForm,
    PolicyForm,
    ReversalForm,
    RowForm,
    asked_people,
    asked_place,
    policy_form,
)
from sqcore.performance.models import Look
from sqcore.performance.own_pages import answers_page, encounters_page, to_dispute
from sqcore.performance.people_page import people_page
from sqcore.performance.person_page import PersonPage, person_page
from sqcore.performance.queries import policy_on
from sqcore.performance.rules_page import may_change_rules, rules_page
from sqcore.performance.services import note_look, set_policy

# A person ----------------------------------------------------------------------------------------


@login_required
@require_safe
def me(request: HttpRequest) -> HttpResponse:
    """My results, how they came about, and who looked at them."""
    return _person(request, "")


@login_required
@require_safe
def person(request: HttpRequest, number: str) -> HttpResponse:
    """The results of somebody whose results one may see; that one looked is told to them."""
    return _person(request, number)


def _person(request: HttpRequest, number: str) -> HttpResponse:
    principal, now = principal_of(request), timezone.now()
    page = person_page(
        principal=principal, staff_number=number, looks=request.GET.get("looks", ""), now=now
    )
    if not page.is_mine:
        note_look(staff_ids=[page.staff.pk], way=Look.Way.PAGE.value, by=principal, now=now)
    panels = panels_on(Page.PERSON, principal=principal, now=now, subject=page.staff)
    context = {"page": page, "panels": panels, "trail": _trail(page)}
    return render(request, "sqcore/performance/person.html", context)


def _trail(page: PersonPage) -> list[tuple[str, str]]:
    if page.is_mine:
        return []
    return [(_("People"), reverse("sqcore:performance-people")), (page.staff.name, "")]


@login_required
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """The people whose results one may see, by unit or by name; who is shown is told so."""
    principal, now = principal_of(request), timezone.now()
    page = people_page(
        principal=principal,
        asked=asked_people(request.GET),
        page=request.GET.get("page", ""),
        now=now,
    )
    if page is not None and page.staff_ids:
        note_look(staff_ids=page.staff_ids, way=Look.Way.LIST.value, by=principal, now=now)
    return render(request, "sqcore/performance/people.html", {"people": page})


# Own answers, encounters and disputes ------------------------------------------------------------


@login_required
@require_safe
def answers(request: HttpRequest, measure: str) -> HttpResponse:
    """What customers answered about me, in batches, so that none can be told from the others."""
    page = answers_page(principal=principal_of(request), measure=measure, now=timezone.now())
    context = {"page": page, "trail": [_mine(), (_("My answers"), "")]}
    return render(request, "sqcore/performance/answers.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def encounters(request: HttpRequest) -> HttpResponse:
    """My encounters and my disputes; what is posted here takes a dispute back."""
    principal, now = principal_of(request), timezone.now()
    if request.method == "POST":
        form = RowForm(request.POST)
        if form.is_valid():
            withdraw_dispute(dispute_id=form.cleaned_data["row"], by=principal, now=now)
            messages.success(request, _("The dispute is taken back."))
        return redirect("sqcore:performance-encounters")
    page = encounters_page(principal=principal, before=asked_place(request.GET), now=now)
    context = {"page": page, "trail": [_mine(), (_("My encounters"), "")]}
    return render(request, "sqcore/performance/encounters.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def dispute_encounter(request: HttpRequest, key: str) -> HttpResponse:
    """Dispute one of my encounters, blind: nobody here sees what its customer answered."""
    principal, now = principal_of(request), timezone.now()
    page = to_dispute(principal=principal, key=key, now=now)
    form = DisputeForm(request.POST if request.method == "POST" else None)

    def act() -> object:
        return raise_dispute(encounter_key=key, **form.cleaned_data, by=principal, now=now)

    if _done(form, act):
        messages.success(request, _("The dispute is raised. You will be told what is decided."))
        return redirect("sqcore:performance-encounters")
    mine = (_("My encounters"), reverse("sqcore:performance-encounters"))
    context = {"page": page, "form": form, "trail": [_mine(), mine, (_("Dispute"), "")]}
    return _form_page(request, "sqcore/performance/dispute_encounter.html", context, form)


def _mine() -> tuple[str, str]:
    return (_("My results"), reverse("sqcore:performance-me"))


# Deciding disputes -------------------------------------------------------------------------------


@login_required
@require_safe
def disputes(request: HttpRequest) -> HttpResponse:
    """The disputes that wait, the most urgent first."""
    page = disputes_page(
        principal=principal_of(request),
        state=request.GET.get("state", ""),
        page=request.GET.get("page", ""),
        now=timezone.now(),
    )
    return render(request, "sqcore/performance/disputes.html", {"disputes": page})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def dispute(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Decide a dispute, or take its decision back."""
    principal, now = principal_of(request), timezone.now()
    page = dispute_page(principal=principal, dispute_id=dispute_id, now=now)
    sent = request.POST if request.method == "POST" else None
    form: forms.Form = ReversalForm(sent)
    if page.is_open:
        form = DecisionForm(sent, with_outage=page.asks_for_outage)

    def act() -> object:
        if isinstance(form, DecisionForm):
            return decide_dispute(dispute_id=dispute_id, **form.asked, by=principal, now=now)
        return reverse_decision(
            dispute_id=dispute_id, why=form.cleaned_data["why"], by=principal, now=now
        )

    if _done(form, act):
        said = _("It is decided.") if page.is_open else _("The decision is taken back.")
        messages.success(request, said)
        return redirect("sqcore:performance-disputes")
    trail = [(_("Disputes"), reverse("sqcore:performance-disputes")), (page.dispute.staff.name, "")]
    context = {"page": page, "form": form, "trail": trail}
    return _form_page(request, "sqcore/performance/dispute.html", context, form)


# The rules ---------------------------------------------------------------------------------------


@login_required
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """By which rules people are judged, and what these can get wrong."""
    page = rules_page(principal=principal_of(request), now=timezone.now())
    return render(request, "sqcore/performance/rules.html", {"page": page})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_rules(request: HttpRequest) -> HttpResponse:
    """Write a new version of the rules."""
    principal, now = principal_of(request), timezone.now()
    if not may_change_rules(principal):
        raise NotPermitted(_("Only who decides disputes and keeps the indicators writes rules."))
    form = (
        PolicyForm(request.POST)
        if request.method == "POST"
        else policy_form(policy_on(local_day(now)))
    )

    def act() -> object:
        return set_policy(**form.asked, by=principal, now=now)

    if _done(form, act):
        messages.success(request, _("The new rules are kept."))
        return redirect("sqcore:performance-rules")
    here = (_("The rules"), reverse("sqcore:performance-rules"))
    context = {"form": form, "trail": [here, (_("New version"), "")]}
    return _form_page(request, "sqcore/performance/change_rules.html", context, form)


# Forms -------------------------------------------------------------------------------------------


def _done(form: forms.Form, act: Callable[[], object]) -> bool:
    """Do what a form asks when it is whole; else it says what is wrong with it.

    raises: the refusals that no form can mend
    """
    if not form.is_bound or not form.is_valid():
        return False
    try:
        act()
    except DomainError as refusal:
        if refusal.status in (403, 404):
            raise
        _add_refusal(form, refusal)
        return False
    return True


def _add_refusal(form: forms.Form, refusal: DomainError) -> None:
    for problem in refusal.problems:
        form.add_error(problem.field if problem.field in form.fields else None, problem.reason)
    if not refusal.problems:
        form.add_error(None, refusal.message)


def _form_page(
    request: HttpRequest, template: str, context: dict[str, Any], form: forms.Form
) -> HttpResponse:
    status = 400 if form.is_bound and form.errors else 200
    return render(request, template, context, status=status)
