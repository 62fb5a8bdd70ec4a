"""Set-up: the catalogue of indicators and their targets."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from sqcore.base.errors import DomainError, NotFound
from sqcore.base.text import in_language
from sqcore.identity.permissions import Permission
from sqcore.indicators import cataloguing, pages, targets
from sqcore.indicators.catalogue_forms import DayForm, IndicatorForm, TargetForm
from sqcore.indicators.conditions import is_published
from sqcore.indicators.fields import tell
from sqcore.indicators.form_page import Trail, among, form_page, manager, reader
from sqcore.indicators.models import Indicator, Target
from sqcore.indicators.sources import SOURCES
from sqcore.org.queries import local_day

PER_PAGE = 50


@login_required
@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """List the indicators of the catalogue, by source and stage."""
    principal = reader(request)
    sources = [(source.key, source.title) for source in SOURCES] + [("formula", _("Formula"))]
    source = among(request, "source", [key for key, _title in sources])
    stage = among(request, "stage", Indicator.Stage.values)
    found = pages.catalogue(principal, source=source, stage=stage)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": pages.catalogue_rows(list(page), on=local_day(timezone.now())),
        "source": source,
        "sources": [("", _("All sources")), *sources],
        "stage": stage,
        "stages": [("", _("All stages")), *Indicator.Stage.choices],
        "may_manage": principal.may(Permission.MANAGE_INDICATORS),
    }
    return render(request, "sqcore/indicators/catalogue.html", context)


@login_required
@require_safe
def indicator(request: HttpRequest, code: str) -> HttpResponse:
    """Show an indicator: what it measures, its targets over time, where it is used."""
    principal = reader(request)
    shown = pages.indicator_page(principal, code, on=local_day(timezone.now()))
    context = {
        "shown": shown,
        "indicator": shown.indicator,
        "may_manage": principal.may(Permission.MANAGE_INDICATORS),
        "trail": _catalogue_trail(shown.indicator.name),
    }
    return render(request, "sqcore/indicators/indicator.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_indicator(request: HttpRequest) -> HttpResponse:
    """Define an indicator."""
    principal = manager(request)
    form = IndicatorForm(request.POST or None, indicator=None)
    if request.method == "POST" and form.is_valid():
        try:
            made = cataloguing.define_indicator(
                code=form.chosen_code(f"indicator-{Indicator.objects.count() + 1}"),
                **form.told(),
                **form.measured(),
                by=principal,
                now=timezone.now(),
            )
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The indicator is in the catalogue."))
            return redirect("sqcore:indicators-detail", code=made.code)
    return form_page(
        request,
        form,
        _("New indicator"),
        _catalogue_trail({}, _("New indicator")),
        lead=_("What is measured, from where, and which way is better."),
        verb=_("Define the indicator"),
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_indicator(request: HttpRequest, code: str) -> HttpResponse:
    """Change an indicator; once it was published, what it measures by a new epoch."""
    principal = manager(request)
    found = pages.indicator_named(principal, code)
    published = is_published(found)
    form = IndicatorForm(request.POST or None, indicator=found, epoch=published)
    if request.method == "POST" and form.is_valid():
        try:
            cataloguing.change_indicator(
                indicator=found,
                changes=form.told() | form.measured(),
                by=principal,
                now=timezone.now(),
                **form.begun(),
            )
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The changes are kept."))
            return redirect("sqcore:indicators-detail", code=code)
    lead = (
        _(
            "It has been published. Whoever changes what it measures begins a new epoch: with a"
            " reason, from a day on. No change is computed over that border, and its charts are"
            " marked."
        )
        if published
        else ""
    )
    trail = _catalogue_trail(found.name, _("Edit"), code)
    back = reverse("sqcore:indicators-detail", args=[code])
    return form_page(
        request, form, in_language(found.name), trail, lead=lead, verb=_("Keep"), back=back
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_target(request: HttpRequest, code: str) -> HttpResponse:
    """Set what an indicator should reach from a day on."""
    principal, now = manager(request), timezone.now()
    found = pages.indicator_named(principal, code)
    form = TargetForm(request.POST or None, initial={"on": local_day(now)})
    if request.method == "POST" and form.is_valid():
        try:
            targets.set_target(indicator=found, **form.cleaned_data, by=principal, now=now)
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The target is set."))
            return redirect("sqcore:indicators-detail", code=code)
    unit = pages.unit_name(found.unit_of_measure)
    lead = _("What should it reach? A target that holds until then ends on its first day.")
    measured = _("It is measured in: %(unit)s.") % {"unit": unit} if unit else ""
    return form_page(
        request,
        form,
        _("Target of “%(name)s”") % {"name": in_language(found.name)},
        _catalogue_trail(found.name, _("Set a target"), code),
        lead=f"{lead} {measured}",
        verb=_("Set the target"),
        back=reverse("sqcore:indicators-detail", args=[code]),
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def end_target(request: HttpRequest, code: str, target: int) -> HttpResponse:
    """Ask for the day, and end a target."""
    principal, now = manager(request), timezone.now()
    found = pages.indicator_named(principal, code)
    present = Target.objects.filter(indicator=found, pk=target).first()
    if present is None:
        raise NotFound(_("There is no such target."))
    form = DayForm(request.POST or None, initial={"on": local_day(now)})
    if request.method == "POST" and form.is_valid():
        try:
            targets.end_target(target=present, on=form.cleaned_data["on"], by=principal, now=now)
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The target ends."))
            return redirect("sqcore:indicators-detail", code=code)
    return form_page(
        request,
        form,
        _("End the target of “%(name)s”") % {"name": in_language(found.name)},
        _catalogue_trail(found.name, _("End a target"), code),
        lead=_("On its first day or before, it is withdrawn as if it had never been set."),
        verb=_("End it"),
        back=reverse("sqcore:indicators-detail", args=[code]),
    )


def _catalogue_trail(name: dict[str, str], last: str = "", code: str = "") -> Trail:
    trail = [(_("Indicators"), reverse("sqcore:indicators-catalogue"))]
    if name:
        at = reverse("sqcore:indicators-detail", args=[code]) if last else ""
        trail.append((in_language(name), at))
    return [*trail, (last, "")] if last else trail
