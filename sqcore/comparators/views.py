"""The pages of competitors and the market: their values, who they are, names in files."""

from typing import Any

from django import forms
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
from sqcore.comparators import pages, queries, services
from sqcore.comparators.forms import (
    AddValueForm,
    ChangeComparatorForm,
    NameForm,
    NewComparatorForm,
    ReviseForm,
    WithdrawForm,
    asked_values,
    tell,
)
from sqcore.comparators.models import ComparatorValue
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of

PER_PAGE = 25


@login_required
@require_safe
def values(request: HttpRequest) -> HttpResponse:
    """What competitors and the market reached: by indicator, by whom, by kind, on a day."""
    principal = _reader(request)
    asked = asked_values(request.GET)
    found = queries.values_listed(
        principal,
        indicator=asked.indicator,
        comparator=asked.comparator,
        kind=asked.kind,
        on=asked.on,
    )
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    choices = pages.choices_of(principal)
    context = {
        "page": page,
        "rows": [pages.value_row(value) for value in page],
        "asked": asked,
        "choices": choices,
        "is_anybody_known": len(choices.comparators) > 1,
        "may_manage": principal.may(Permission.MANAGE_COMPARATORS),
    }
    return render(request, "sqcore/comparators/values.html", context)


@login_required
@require_safe
def value(request: HttpRequest, value_id: int) -> HttpResponse:
    """One value with all its revisions."""
    principal = _reader(request)
    found = queries.value_of(principal, value_id)
    return _value_page(request, principal, found, WithdrawForm())


def _value_page(
    request: HttpRequest, principal: Principal, found: ComparatorValue, form: WithdrawForm
) -> HttpResponse:
    revisions = [pages.value_row(each) for each in queries.revisions_of(found)]
    newest = revisions[0].value
    context = {
        "row": pages.value_row(found),
        "value": found,
        "revisions": revisions,
        "newest": newest,
        "is_newest": newest.pk == found.pk,
        "form": form,
        "may_change": principal.may(Permission.MANAGE_COMPARATORS)
        and newest.pk == found.pk
        and not found.is_withdrawn,
        "trail": _trail((_about(found), "")),
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "sqcore/comparators/value.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Write down what somebody reached."""
    principal = _manager(request)
    form = AddValueForm(request.POST or None, initial=_asked_at_first(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = services.add_value(**form.fields_of_value(), by=principal, now=timezone.now())
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The value is written down."))
            return redirect("sqcore:comparators-value", value_id=made.pk)
    return _form(request, form, _("A value of a competitor or the market"), _("Write it down"))


def _asked_at_first(request: HttpRequest) -> dict[str, Any]:
    """The indicator that the page before was about."""
    code = request.GET.get("indicator", "")
    field = AddValueForm.base_fields["indicator"]
    assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - it is declared so
    found = field.queryset.filter(code=code).first() if field.queryset is not None else None
    return {"indicator": found} if found else {}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def revise(request: HttpRequest, value_id: int) -> HttpResponse:
    """Correct a value: what was said before stays to be read."""
    principal = _manager(request)
    found = queries.value_of(principal, value_id)
    initial = {name: getattr(found, name) for name in ReviseForm.base_fields}
    initial |= {
        name: pages.as_entered(getattr(found, name), found.indicator)
        for name in ("value", "low", "high")
    }
    form = ReviseForm(request.POST or None, initial=initial, indicator=found.indicator)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.revise_value(
                former=found, by=principal, now=timezone.now(), **form.cleaned_data
            )
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The new revision holds."))
            return redirect("sqcore:comparators-value", value_id=made.pk)
    here = (_about(found), reverse("sqcore:comparators-value", args=[value_id]))
    return _form(request, form, _about(found), _("Revise the value"), here, (_("Revise"), ""))


@login_required
@require_POST
def withdraw(request: HttpRequest, value_id: int) -> HttpResponse:
    """Compare with a value nowhere any more."""
    principal = _manager(request)
    found = queries.value_of(principal, value_id)
    form = WithdrawForm(request.POST)
    if form.is_valid():
        try:
            services.withdraw_value(
                value=found, because=form.cleaned_data["because"], by=principal, now=timezone.now()
            )
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The value is withdrawn; it stays to be read."))
            return redirect("sqcore:comparators-value", value_id=value_id)
    return _value_page(request, principal, found, form)


@login_required
@require_safe
def comparators(request: HttpRequest) -> HttpResponse:
    """Whom we compare with."""
    principal = _reader(request)
    found = queries.with_counts(principal)
    context = {
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "may_manage": principal.may(Permission.MANAGE_COMPARATORS),
        "trail": _trail((_("Whom we compare with"), "")),
    }
    return render(request, "sqcore/comparators/comparators.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_comparator(request: HttpRequest) -> HttpResponse:
    """Add somebody to compare with."""
    principal = _manager(request)
    form = NewComparatorForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.add_comparator(**form.cleaned_data, by=principal, now=timezone.now())
        except DomainError as refusal:
            tell(form, refusal)
        else:
            return redirect("sqcore:comparators-comparators")
    title = _("Somebody to compare with")
    return _form(request, form, title, _("Add"), _whom(), (title, ""))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_comparator(request: HttpRequest, code: str) -> HttpResponse:
    """Change what is said of a comparator."""
    principal = _manager(request)
    found = queries.comparator_named(principal, code)
    initial = {name: getattr(found, name) for name in ChangeComparatorForm.base_fields}
    form = ChangeComparatorForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_comparator(
                comparator=found, **form.cleaned_data, by=principal, now=timezone.now()
            )
        except DomainError as refusal:
            tell(form, refusal)
        else:
            return redirect("sqcore:comparators-comparators")
    return _form(request, form, str(found), _("Change"), _whom(), (str(found), ""))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def names(request: HttpRequest) -> HttpResponse:
    """What files of others call indicators and comparators."""
    principal = _manager(request)
    form = NameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.name_in_files(**form.cleaned_data, by=principal, now=timezone.now())
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("Files are read with this name from now on."))
            return redirect("sqcore:comparators-names")
    context = {
        "form": form,
        "page": Paginator(queries.foreign_names(), PER_PAGE).get_page(request.GET.get("page")),
        "trail": _trail((_("Names in files"), "")),
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "sqcore/comparators/names.html", context, status=status)


@login_required
@require_POST
def forget_name(request: HttpRequest, name_id: int) -> HttpResponse:
    """Read files without a name."""
    principal = _manager(request)
    services.forget_name(name_id=name_id, by=principal, now=timezone.now())
    messages.success(request, _("The name is forgotten."))
    return redirect("sqcore:comparators-names")


def _reader(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    if not principal.may(Permission.MANAGE_COMPARATORS):
        principal.require(Permission.VIEW_RESULTS)
    return principal


def _manager(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    principal.require(Permission.MANAGE_COMPARATORS)
    return principal


def _about(found: ComparatorValue) -> str:
    said = {"name": found.comparator, "indicator": found.indicator}
    return _("%(name)s: %(indicator)s") % said


def _whom() -> tuple[str, str]:
    return _("Whom we compare with"), reverse("sqcore:comparators-comparators")


def _trail(*parts: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("Competitors and market"), reverse("sqcore:comparators-values")), *parts]


def _form(
    request: HttpRequest, form: forms.Form, title: str, verb: str, *more: tuple[str, str]
) -> HttpResponse:
    context = {
        "form": form,
        "title": title,
        "verb": verb,
        "trail": _trail(*(more or [(title, "")])),
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "sqcore/comparators/form.html", context, status=status)
