"""Set-up: indicator systems from draft to published, and the catalogue of indicators."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError, NotFound
from sqcore.base.text import in_language
from sqcore.dashboards.panels import Page, panels_on
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.indicators import drafts, pages, services
from sqcore.indicators.conditions import TOP, is_published
from sqcore.indicators.forms import (
    SHAPE_FORMS,
    DayForm,
    DimensionForm,
    IndicatorForm,
    NewDimensionForm,
    NewSystemForm,
    PeriodsForm,
    PlaceForm,
    TargetForm,
    tell,
    weights_given,
)
from sqcore.indicators.models import Indicator, SystemVersion, Target
from sqcore.indicators.shapes import Shape, scoring_of
from sqcore.indicators.sources import SOURCES
from sqcore.org.queries import local_day

PER_PAGE = 50
Trail = list[tuple[str, str]]


@login_required
@require_safe
def systems(request: HttpRequest) -> HttpResponse:
    """List the indicator systems with what is published and what is drafted."""
    principal = _reader(request)
    context = {
        "rows": pages.system_rows(principal),
        "may_manage": principal.may(Permission.MANAGE_INDICATORS),
    }
    return render(request, "sqcore/indicators/systems.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_system(request: HttpRequest) -> HttpResponse:
    """Begin a system: from a ready one, or with nothing in it."""
    principal, now = _manager(request), timezone.now()
    form = NewSystemForm(request.POST or None, initial={"since": local_day(now).replace(day=1)})
    if request.method == "POST" and form.is_valid():
        try:
            draft = _begin(form, by=principal, now=now)
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The draft is there. Look through it, check and publish."))
            return _to_version(draft)
    trail = [(_("Indicator systems"), reverse("sqcore:indicators-systems")), (_("New"), "")]
    return _form_page(
        request,
        form,
        _("New indicator system"),
        trail,
        lead=_("A draft counts for nothing until you publish it."),
        verb=_("Make the draft"),
    )


def _begin(form: NewSystemForm, *, by: Principal, now: datetime) -> SystemVersion:
    cleaned = form.cleaned_data
    if cleaned["ready"]:
        return services.install_ready_system(
            code=cleaned["ready"],
            since=cleaned["since"],
            system_code=cleaned["code"],
            by=by,
            now=now,
        )
    return services.begin_system(
        code=form.chosen_code("quality"),
        name=form.text("name"),
        since=cleaned["since"],
        by=by,
        now=now,
    )


@login_required
@require_safe
def system(request: HttpRequest, code: str) -> HttpResponse:
    """Show a system: what the published version says, and all its versions."""
    principal = _reader(request)
    found = pages.system_named(principal, code)
    versions = pages.versions_of(principal, found)
    by_state = {version.state: version for version in versions}
    published = by_state.get(SystemVersion.State.PUBLISHED)
    groups = pages.groups_of(published, on=local_day(timezone.now())) if published else []
    context = {
        "system": found,
        "versions": versions,
        "published": published,
        "draft": by_state.get(SystemVersion.State.DRAFT),
        "groups": groups,
        "panels": panels_on(
            Page.SYSTEM, principal=principal, now=timezone.now(), subject=published
        ),
        "may_manage": principal.may(Permission.MANAGE_INDICATORS),
        "may_evaluate": principal.may(Permission.RUN_EVALUATION),
        "trail": _trail(found.name),
    }
    return render(request, "sqcore/indicators/system.html", context)


@login_required
@require_POST
def copy(request: HttpRequest, code: str) -> HttpResponse:
    """Draft the next version from the published one."""
    principal = _manager(request)
    found = pages.system_named(principal, code)
    draft = services.copy_version(system=found, by=principal, now=timezone.now())
    messages.success(request, _("The draft says what the published version says. Change it here."))
    return _to_version(draft)


@login_required
@require_safe
def version(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Show a version; a draft can be changed group by group."""
    principal = _reader(request)
    found = pages.version_named(principal, code, number)
    return _version_page(request, found)


def _version_page(
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
        "trail": _trail(
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
    principal, found = _draft(request, code, number)
    row = _group(found, group)
    shown = {member.code: (member.percent, member.weight) for member in row.members}
    given, wrong = weights_given(request.POST, shown)
    if wrong:
        typed = {key: request.POST.get(f"weight-{key}", "") for key in shown}
        return _version_page(request, found, typed=typed, wrong=wrong, group=group)
    drafts.set_weights(version=found, group=group, weights=given, by=principal, now=timezone.now())
    messages.success(request, _("The weights of “%(group)s” are kept.") % {"group": row.name})
    return _to_version(found, group)


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
    principal, found = _draft(request, code, number)
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
    principal, found = _draft(request, code, number)
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
    principal, found = _draft(request, code, number)
    present = found.dimensions.filter(code=within).first()
    if present is None:
        raise NotFound(_("The draft has no dimension “%(code)s”.") % {"code": within})
    if "remove" in request.POST:
        drafts.remove_dimension(version=found, code=within, by=principal, now=timezone.now())
        messages.success(request, _("“%(name)s” is taken out.") % {"name": present})
        return _to_version(found)
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
    principal, found = _draft(request, code, number)
    groups = pages.groups_of(found, on=local_day(timezone.now()))
    row = _group(found, within)
    present = [leaf.code for group in groups for leaf in group.leaves]
    sent = request.POST or None
    form = PlaceForm(sent, present=present, initial={"indicator": request.GET.get("indicator", "")})
    shape = _among(request, "shape", Shape.values) or Shape.GOALPOSTS.value
    points = SHAPE_FORMS[shape](
        sent, rising=form.is_rising, empty_permitted=form.is_ready, use_required_attribute=False
    )
    good = request.method == "POST" and all([form.is_valid(), points.is_valid()])
    if good and "preview" not in request.POST:
        try:
            services.place_indicator(
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
            return _to_version(found, within)
    title = _("Add an indicator to “%(name)s”") % {"name": row.name}
    context = {
        "form": form,
        "points": points,
        "title": title,
        "trail": _trail(found.system.name, (title, ""), found),
        "back": _address(found, within),
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
    principal, found = _draft(request, code, number)
    present = drafts.leaf_of(found, indicator)
    if "remove" in request.POST:
        drafts.remove_indicator(version=found, code=indicator, by=principal, now=timezone.now())
        messages.success(request, _("“%(name)s” is taken out.") % {"name": present.indicator})
        return _to_version(found, present.dimension.code)
    shape = _among(request, "shape", Shape.values) or present.shape
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
            return _to_version(found)
    title = in_language(present.indicator.name)
    context = {
        "form": form,
        "title": title,
        "trail": _trail(found.system.name, (title, ""), found),
        "back": _address(found),
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


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def publish(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Check a draft: what stops its publication, and where that is mended; then publish it."""
    principal, found = _draft(request, code, number)
    problems = services.problems_of_draft(found)
    if request.method == "POST" and not problems:
        services.publish_version(version=found, by=principal, now=timezone.now())
        messages.success(
            request, _("Version %(number)d counts from now on.") % {"number": found.number}
        )
        return redirect("sqcore:indicators-system", code=code)
    groups = pages.groups_of(found, on=local_day(timezone.now()))
    former = found.system.versions.filter(state=SystemVersion.State.PUBLISHED).first()
    context = {
        "version": found,
        "system": found.system,
        "problems": pages.shown_problems(found, problems, groups),
        "doubts": pages.shown_problems(found, services.doubts_of_draft(found), groups),
        "former": former,
        "indicators": sum(len(group.leaves) for group in groups),
        "dimensions": len(groups) - 1,
        "trail": _trail(found.system.name, (_("Check"), ""), found),
    }
    status = 400 if request.method == "POST" else 200
    return render(request, "sqcore/indicators/publish.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def discard(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Ask, and then throw a draft away."""
    principal, found = _draft(request, code, number)
    if request.method == "POST":
        services.discard_draft(version=found, by=principal, now=timezone.now())
        messages.success(request, _("The draft is discarded."))
        return redirect("sqcore:indicators-system", code=code)
    context = {
        "version": found,
        "trail": _trail(found.system.name, (_("Discard"), ""), found),
    }
    return render(request, "sqcore/indicators/discard.html", context)


@login_required
@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """List the indicators of the catalogue, by source and stage."""
    principal = _reader(request)
    sources = [(source.key, source.title) for source in SOURCES] + [("formula", _("Formula"))]
    source = _among(request, "source", [key for key, _title in sources])
    stage = _among(request, "stage", Indicator.Stage.values)
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


def _among(request: HttpRequest, name: str, known: list[str]) -> str:
    asked = request.GET.get(name, "")
    return asked if asked in known else ""


@login_required
@require_safe
def indicator(request: HttpRequest, code: str) -> HttpResponse:
    """Show an indicator: what it measures, its targets over time, where it is used."""
    principal = _reader(request)
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
    principal = _manager(request)
    form = IndicatorForm(request.POST or None, indicator=None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.define_indicator(
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
    return _form_page(
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
    principal = _manager(request)
    found = pages.indicator_named(principal, code)
    published = is_published(found)
    form = IndicatorForm(request.POST or None, indicator=found, epoch=published)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_indicator(
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
    return _form_page(
        request, form, in_language(found.name), trail, lead=lead, verb=_("Keep"), back=back
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_target(request: HttpRequest, code: str) -> HttpResponse:
    """Set what an indicator should reach from a day on."""
    principal, now = _manager(request), timezone.now()
    found = pages.indicator_named(principal, code)
    form = TargetForm(request.POST or None, initial={"on": local_day(now)})
    if request.method == "POST" and form.is_valid():
        try:
            services.set_target(indicator=found, **form.cleaned_data, by=principal, now=now)
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The target is set."))
            return redirect("sqcore:indicators-detail", code=code)
    unit = pages.unit_name(found.unit_of_measure)
    lead = _("What should it reach? A target that holds until then ends on its first day.")
    measured = _("It is measured in: %(unit)s.") % {"unit": unit} if unit else ""
    return _form_page(
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
    principal, now = _manager(request), timezone.now()
    found = pages.indicator_named(principal, code)
    present = Target.objects.filter(indicator=found, pk=target).first()
    if present is None:
        raise NotFound(_("There is no such target."))
    form = DayForm(request.POST or None, initial={"on": local_day(now)})
    if request.method == "POST" and form.is_valid():
        try:
            services.end_target(target=present, on=form.cleaned_data["on"], by=principal, now=now)
        except DomainError as refusal:
            tell(form, refusal)
        else:
            messages.success(request, _("The target ends."))
            return redirect("sqcore:indicators-detail", code=code)
    return _form_page(
        request,
        form,
        _("End the target of “%(name)s”") % {"name": in_language(found.name)},
        _catalogue_trail(found.name, _("End a target"), code),
        lead=_("On its first day or before, it is withdrawn as if it had never been set."),
        verb=_("End it"),
        back=reverse("sqcore:indicators-detail", args=[code]),
    )


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
            return _to_version(found)
    back = _address(found)
    trail = _trail(found.system.name, (title, ""), found)
    return _form_page(request, form, title, trail, lead=lead, verb=verb, back=back, remove=remove)


def _form_page(
    request: HttpRequest,
    form: forms.Form,
    title: str,
    trail: Trail,
    *,
    verb: str,
    lead: str = "",
    back: str = "",
    remove: str = "",
) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form, "title": title, "trail": trail, "lead": lead, "verb": verb,
        "back": back or trail[0][1], "remove": remove,
    }  # fmt: skip
    status = 400 if form.errors else 200
    return render(request, "sqcore/indicators/form.html", context, status=status)


def _address(found: SystemVersion, group: str = "") -> str:
    at = reverse("sqcore:indicators-version", args=[found.system.code, found.number])
    return f"{at}#at-{group}" if group else at


def _to_version(found: SystemVersion, group: str = "") -> HttpResponseRedirect:
    return HttpResponseRedirect(_address(found, group))


def _draft(request: HttpRequest, code: str, number: int) -> tuple[Principal, SystemVersion]:
    principal = _manager(request)
    return principal, pages.version_named(principal, code, number)


def _reader(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    principal.require(Permission.VIEW_RESULTS)
    return principal


def _manager(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    principal.require(Permission.MANAGE_INDICATORS)
    return principal


def _trail(
    system_name: dict[str, str],
    last: tuple[str, str] | None = None,
    found: SystemVersion | None = None,
) -> Trail:
    trail = [(_("Indicator systems"), reverse("sqcore:indicators-systems"))]
    if found is None or last is None:
        return [*trail, (in_language(system_name), "")]
    at = reverse("sqcore:indicators-system", args=[found.system.code])
    trail.append((in_language(system_name), at))
    number = _("Version %(number)d") % {"number": found.number}
    return [*trail, last] if last[0] == number else [*trail, (number, _address(found)), last]


def _catalogue_trail(name: dict[str, str], last: str = "", code: str = "") -> Trail:
    trail = [(_("Indicators"), reverse("sqcore:indicators-catalogue"))]
    if name:
        at = reverse("sqcore:indicators-detail", args=[code]) if last else ""
        trail.append((in_language(name), at))
    return [*trail, (last, "")] if last else trail
