"""Pages of weighting: how weights came about, a group of a draft, its comparisons, its weights."""

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import Conflict, DomainError
from sqcore.base.text import in_language
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.indicators.models import SystemVersion
from sqcore.weighting import pages, queries, services
from sqcore.weighting.forms import CombineForm, SharesForm, in_tenths
from sqcore.weighting.methods import METHODS, Needs
from sqcore.weighting.queries import Group, Weighting

Trail = list[tuple[str, str]]


@login_required
@require_safe
def version(request: HttpRequest, version_id: int) -> HttpResponse:
    """Show all groups of a version: their weights, and how these came about."""
    principal = principal_of(request)
    found = _version(version_id, principal)
    origins = queries.origins_of(found)
    context = {
        "version": found,
        "origins": [
            (
                origin,
                pages.facts_words(origin),
                [(s, pages.percent(s.weight)) for s in origin.group.siblings],
            )
            for origin in origins
        ],
        "is_draft": found.state == SystemVersion.State.DRAFT,
        "trail": [*_above(found), (_("Weights"), "")],
    }
    return render(request, "sqcore/weighting/version.html", context)


@login_required
@require_safe
def group(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """Show one group: of a draft how it is weighed, else how its weights came about."""
    principal = principal_of(request)
    found = _version(version_id, principal)
    of = queries.group_of(found, group)
    if found.state != SystemVersion.State.DRAFT:
        return redirect(f"{_overview(found)}#group-{of.code}")
    weighting = queries.weighting_of(found, of, method=request.GET.get("method", ""))
    return _group_page(request, weighting, principal)


@login_required
@require_POST
def choose(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """Say how a group is weighed: by which method, with which shares or settings."""
    principal = principal_of(request)
    found = _version(version_id, principal)
    of = queries.group_of(found, group)
    method = request.POST.get("method", "")
    weighting = queries.weighting_of(found, of, method=method)
    needs = METHODS[weighting.method].needs
    told: dict[str, Any] = {}
    form: SharesForm | CombineForm | None = None
    if needs == Needs.SHARES:
        form = SharesForm(request.POST, group=of)
        if "equally" in request.POST or "scale" in request.POST:
            filled = form.equal() if "equally" in request.POST else form.scaled()
            return _group_page(request, weighting, principal, form=SharesForm(filled, group=of))
        if form.is_valid():
            told = {"settings": {"shares": form.shares()}}
    elif needs == Needs.COMPARISONS and "aggregation" in request.POST:
        form = CombineForm(request.POST, weighting=weighting)
        if form.is_valid():
            told = {"settings": form.told(), "exponents": form.exponents(weighting.experts)}
    if "watched_asked" in request.POST:
        told["watched"] = request.POST.getlist("watched")
    if form is not None and not form.is_valid():
        return _group_page(request, weighting, principal, form=form, status=400)
    try:
        services.choose_method(
            version=found, group=of.code, method=method, by=principal, now=timezone.now(), **told
        )
    except DomainError as refusal:
        if form is None:
            raise
        form.show(refusal)
        return _group_page(request, weighting, principal, form=form, status=400)
    return redirect(_address(found, of))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def judge(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """Ask one person which of two parts matters more, some pairs at a time."""
    principal = principal_of(request)
    found = _version(version_id, principal)
    principal.require(Permission.MANAGE_INDICATORS)
    if found.state != SystemVersion.State.DRAFT:
        raise Conflict(_("A published version never changes. Draft the next one instead."))
    of = queries.group_of(found, group)
    weighting = queries.weighting_of(found, of, method=queries.DEFAULT_METHOD)
    answers = next((e.answers for e in weighting.experts if e.id == _user_id(principal)), {})
    screens = pages.screens_of(weighting, answers)
    if not screens:
        return redirect(_address(found, of))
    asked = request.GET.get("screen", "1")
    number = int(asked) if asked.isdecimal() and len(asked) < 5 else 1
    screen = screens[min(max(number, 1), len(screens)) - 1]
    if request.method == "POST":
        services.judge(
            version=found,
            group=of.code,
            answers=pages.answers_in(request.POST, screen),
            by=principal,
            now=timezone.now(),
        )
        if "leave" in request.POST or screen.number == screen.of:
            messages.success(request, _("Your comparisons are kept."))
            return redirect(f"{_address(found, of)}?method={queries.DEFAULT_METHOD}")
        return redirect(f"{_address(found, of, 'judge')}?screen={screen.number + 1}")
    context = {
        "version": found,
        "group": of,
        "screen": screen,
        "words": pages.STRENGTHS.items(),
        "trail": [*_trail(found, of), (_("Compare in pairs"), "")],
        "address": _address(found, of),
    }
    return render(request, "sqcore/weighting/judge.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def apply(request: HttpRequest, version_id: int, group: str) -> HttpResponse:
    """Ask whether the proposed weights shall be those of the draft, and write them."""
    principal = principal_of(request)
    found = _version(version_id, principal)
    principal.require(Permission.MANAGE_INDICATORS)
    of = queries.group_of(found, group)
    weighting = queries.weighting_of(found, of)
    if request.method == "POST":
        services.apply_weights(
            version=found,
            group=of.code,
            by=principal,
            now=timezone.now(),
            seen=request.POST.get("seen", "-"),
        )
        messages.success(request, _("The draft has these weights now."))
        return redirect(_overview(found))
    if weighting.stored is None or weighting.weights is None or not weighting.is_draft:
        return redirect(_address(found, of))
    context = {
        "version": found,
        "group": of,
        "weighting": weighting,
        "method": METHODS[weighting.method],
        "rows": pages.rows_of(weighting),
        "trail": [*_trail(found, of), (_("Apply"), "")],
        "address": _address(found, of),
    }
    return render(request, "sqcore/weighting/apply.html", context)


def _group_page(
    request: HttpRequest,
    weighting: Weighting,
    principal: Principal,
    *,
    form: SharesForm | CombineForm | None = None,
    status: int = 200,
) -> HttpResponse:
    principal.require(Permission.MANAGE_INDICATORS)
    method = METHODS[weighting.method]
    own, _answers = pages.own_of(weighting, _user_id(principal))
    if form is None and method.needs == Needs.SHARES:
        form = SharesForm(initial=_shares_now(weighting), group=weighting.group)
    if form is None and method.needs == Needs.COMPARISONS:
        form = CombineForm(weighting=weighting)
    chosen = weighting.stored is not None and weighting.stored.method == weighting.method
    n = len(weighting.basis.codes)
    context = {
        "version": weighting.version,
        "group": weighting.group,
        "weighting": weighting,
        "method": method,
        "methods": list(METHODS),
        "is_chosen": chosen,
        "stored_method": METHODS[weighting.stored.method] if weighting.stored else None,
        "rows": pages.rows_of(weighting),
        "own": own,
        "pairs": n * (n - 1) // 2,
        "experts": pages.expert_rows(weighting),
        "may_judge": principal.user is not None,
        "form": form,
        "watchable": any(row.now == 0 for row in pages.rows_of(weighting)) or weighting.watched,
        "trail": _trail(weighting.version, weighting.group, is_last=True),
    }
    return render(request, "sqcore/weighting/group.html", context, status=status)


def _shares_now(weighting: Weighting) -> dict[str, Any]:
    """What was entered before, else the weights as they are."""
    entered = weighting.settings.get("shares", {})
    if set(entered) == set(weighting.group.codes):
        return dict(entered)
    weights = list(weighting.group.weights.values())
    tenths = in_tenths(weights if any(weights) else [Decimal(1)] * len(weights))
    return dict(zip(weighting.group.codes, tenths, strict=True))


def _version(version_id: int, principal: Principal) -> SystemVersion:
    """The version; a draft is for those who may change it."""
    found = queries.version_by_id(version_id, principal=principal)
    if found.state == SystemVersion.State.DRAFT:
        principal.require(Permission.MANAGE_INDICATORS)
    return found


def _user_id(principal: Principal) -> int:
    return principal.user.pk if principal.user else 0


def _overview(found: SystemVersion) -> str:
    return reverse("sqcore:weighting-version", args=[found.pk])


def _address(found: SystemVersion, of: Group, page: str = "group") -> str:
    return reverse(f"sqcore:weighting-{page}", args=[found.pk, of.code])


def _trail(found: SystemVersion, of: Group, *, is_last: bool = False) -> Trail:
    return [
        *_above(found),
        (_("Weights"), _overview(found)),
        (of.name, "" if is_last else _address(found, of)),
    ]


def _above(found: SystemVersion) -> Trail:
    code, number = found.system.code, found.number
    return [
        (_("Indicator systems"), reverse("sqcore:indicators-systems")),
        (in_language(found.system.name), reverse("sqcore:indicators-system", args=[code])),
        (
            _("Version %(number)d") % {"number": number},
            reverse("sqcore:indicators-version", args=[code, number]),
        ),
    ]
