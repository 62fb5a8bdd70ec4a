"""Set-up: a draft's dimensions, the indicators in them, and what each weighs."""

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from sqcore.base.errors import DomainError, NotFound
from sqcore.base.text import in_language
from sqcore.dashboards.panels import Page, panels_on
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of
from sqcore.indicators import drafts, pages, ready, services
from sqcore.indicators.conditions import TOP
from sqcore.indicators.fields import tell
from sqcore.indicators.form_page import (
    address_of,
    among,
    draft_for,
    form_page,
    to_version,
    trail_of,
)
from sqcore.indicators.forms import (
    DimensionForm,
    NewDimensionForm,
    PeriodsForm,
    PlaceForm,
    weights_given,
)
from sqcore.indicators.models import Indicator, SystemVersion
from sqcore.indicators.shape_forms import SHAPE_FORMS
from sqcore.indicators.shapes import Shape, scoring_of
from sqcore.org.queries import local_day


def version_page(
    request: HttpRequest,
    found: SystemVersion,
    *,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
    group: str = "",
) -> HttpResponse:
    principal = principal_of(request)
    is_draft = found.state == SystemVersion.State.DRAFT
    groups = pages.groups_of(found, on=local_day(timezone.now()))
    context = {
        "version": found,
        "system": found.system,
        "grains": pages.grains_of(found),
        "groups": pages.as_typed(groups, group, typed or {}, wrong or {}) if group else groups,
        "is_draft": is_draft,
        "problems": len(services.problems_of_draft(found)) if is_draft else 0,
        "panels": panels_on(Page.SYSTEM, principal=principal, now=timezone.now(), subject=found),
        "may_manage": principal.may(Permission.MANAGE_INDICATORS),
        "trail": trail_of(
            found.system.name, (_("Version %(number)d") % {"number": found.number}, ""), found
        ),
    }
    status = 400 if wrong else 200
    name = "sqcore/indicators/version.html"
    return render(request, name, context, status=status)


@login_required
@require_POST
def weights(request: HttpRequest, code: str, number: int, group: str) -> HttpResponse:
    """Take the weights of one group, in percent."""
    principal, found = draft_for(request, code, number)
    row = _group(found, group)
    shown = {member.code: (member.percent, member.weight) for member in row.members}
    given, wrong = weights_given(request.POST, shown)
    if wrong:
        typed = {key: request.POST.get(f"weight-{key}", "") for key in shown}
        return version_page(request, found, typed=typed, wrong=wrong, group=group)
    drafts.set_weights(version=found, group=group, weights=given, by=principal, now=timezone.now())
    messages.success(request, _("The weights of “%(group)s” are kept.") % {"group": row.name})
    return to_version(found, group)


def _group(found: SystemVersion, code: str) -> pages.GroupRow:
    groups = pages.groups_of(found, on=local_day(timezone.now()))
    row = next((each for each in groups if each.code == code), None)
    if row is None:
        raise NotFound(_("The draft has no dimension “%(code)s”.") % {"code": code})
    return row


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Change what a draft is evaluated by, from when on, and its target."""
    principal, found = draft_for(request, code, number)
    initial = {"grains": found.grains, "since": found.since, "target": found.target}
    initial["aggregation"] = found.aggregation
    form = PeriodsForm(request.POST or None, initial=initial)

    def act() -> None:
        services.change_draft(version=found, **form.cleaned_data, by=principal, now=timezone.now())

    title = _("Periods, target and mean")
    return _edit(request, form, act, title, found, verb=_("Keep"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_dimension(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Add a dimension to a draft, within another one if `within` names it."""
    principal, found = draft_for(request, code, number)
    within = _group(found, request.GET.get("within", TOP))
    form = NewDimensionForm(request.POST or None)

    def act() -> None:
        drafts.add_dimension(
            version=found,
            within=within.code,
            code=form.chosen_code(_free_code(found)),
            name=form.text("name"),
            by=principal,
            now=timezone.now(),
        )

    title = (
        _("New dimension")
        if within.is_top
        else _("New dimension in “%(name)s”") % {"name": within.name}
    )
    return _edit(request, form, act, title, found, verb=_("Add the dimension"))


def _free_code(found: SystemVersion) -> str:
    taken = set(found.dimensions.values_list("code", flat=True))
    return next(code for n in range(1, 10_000) if (code := f"dimension-{n}") not in taken)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def dimension(request: HttpRequest, code: str, number: int, within: str) -> HttpResponse:
    """Rename a dimension of a draft, give it a target, or take it out."""
    principal, found = draft_for(request, code, number)
    present = found.dimensions.filter(code=within).first()
    if present is None:
        raise NotFound(_("The draft has no dimension “%(code)s”.") % {"code": within})
    if "remove" in request.POST:
        drafts.remove_dimension(version=found, code=within, by=principal, now=timezone.now())
        messages.success(request, _("“%(name)s” is taken out.") % {"name": present})
        return to_version(found)
    form = DimensionForm(
        request.POST or None, name=present.name, initial={"target": present.target}
    )

    def act() -> None:
        drafts.change_dimension(
            version=found,
            code=within,
            name=form.text("name"),
            target=form.cleaned_data["target"],
            by=principal,
            now=timezone.now(),
        )

    return _edit(
        request,
        form,
        act,
        str(present),
        found,
        verb=_("Keep"),
        remove=_("Take the dimension out, with all in it"),
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def place_indicator(request: HttpRequest, code: str, number: int, within: str) -> HttpResponse:
    """Put an indicator into a dimension and say how its values become points, in one go.

    `shape` in the address asks for another form of points; “preview” shows them and keeps nothing.
    """
    principal, found = draft_for(request, code, number)
    groups = pages.groups_of(found, on=local_day(timezone.now()))
    row = _group(found, within)
    present = [leaf.code for group in groups for leaf in group.leaves]
    sent = request.POST or None
    form = PlaceForm(sent, present=present, initial={"indicator": request.GET.get("indicator", "")})
    shape = among(request, "shape", Shape.values) or Shape.GOALPOSTS.value
    points = SHAPE_FORMS[shape](
        sent, rising=form.is_rising, empty_permitted=form.is_ready, use_required_attribute=False
    )
    good = request.method == "POST" and all([form.is_valid(), points.is_valid()])
    if good and "preview" not in request.POST:
        try:
            ready.place_indicator(
                version=found,
                within=within,
                indicator=form.cleaned_data["indicator"],
                scoring=points.scoring,
                by=principal,
                now=timezone.now(),
            )
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The draft is changed."))
            return to_version(found, within)
    title = _("Add an indicator to “%(name)s”") % {"name": row.name}
    context = {
        "form": form,
        "points": points,
        "title": title,
        "trail": trail_of(found.system.name, (title, ""), found),
        "back": address_of(found, within),
        "shape": shape,
        "shapes": Shape.choices,
        "chosen": form["indicator"].value() or "",
        "preview": pages.score_preview(points.scoring, ""),
        "is_kept": False,
    }
    status = 400 if form.errors or points.errors else 200
    return render(request, "sqcore/indicators/place.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def leaf(request: HttpRequest, code: str, number: int, indicator: str) -> HttpResponse:
    """Say how values of an indicator in a draft become points, or take it out.

    `shape` in the address asks for another form; “preview” shows the points and keeps nothing.
    """
    principal, found = draft_for(request, code, number)
    present = drafts.leaf_of(found, indicator)
    if "remove" in request.POST:
        drafts.remove_indicator(version=found, code=indicator, by=principal, now=timezone.now())
        messages.success(request, _("“%(name)s” is taken out.") % {"name": present.indicator})
        return to_version(found, present.dimension.code)
    shape = among(request, "shape", Shape.values) or present.shape
    form_of = SHAPE_FORMS[shape]
    rising = present.indicator.direction == Indicator.Direction.HIGHER
    initial = form_of.initial_of(present)
    form = form_of(request.POST or None, initial=initial, rising=rising)
    if (
        request.method == "POST"
        and form.is_valid()
        and form.scoring
        and "preview" not in request.POST
    ):
        try:
            drafts.set_scoring(
                version=found, code=indicator, scoring=form.scoring, by=principal,
                now=timezone.now(),
            )  # fmt: skip
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The draft is changed."))
            return to_version(found)
    title = in_language(present.indicator.name)
    context = {
        "form": form,
        "title": title,
        "trail": trail_of(found.system.name, (title, ""), found),
        "back": address_of(found),
        "unit": pages.unit_name(present.indicator.unit_of_measure),
        "shape": shape,
        "shapes": Shape.choices,
        "preview": pages.score_preview(
            form.scoring or (scoring_of(present) if shape == present.shape else None),
            present.indicator.unit_of_measure,
        ),
        "is_kept": not form.is_bound,
    }
    status = 400 if form.errors else 200
    return render(request, "sqcore/indicators/leaf.html", context, status=status)


def _edit(
    request: HttpRequest,
    form: forms.Form,
    act: Callable[[], None],
    title: str,
    found: SystemVersion,
    *,
    verb: str,
    lead: str = "",
    remove: str = "",
) -> HttpResponse:
    """Show a form about a draft; when it is good, act and go back to the draft."""
    if request.method == "POST" and form.is_valid():
        try:
            act()
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The draft is changed."))
            return to_version(found)
    back = address_of(found)
    trail = trail_of(found.system.name, (title, ""), found)
    return form_page(request, form, title, trail, lead=lead, verb=verb, back=back, remove=remove)
