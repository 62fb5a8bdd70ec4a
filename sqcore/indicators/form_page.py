"""What the pages of Set-up share: who may open them, the way back, and one form on a page."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from sqcore.base.text import in_language
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.indicators import pages
from sqcore.indicators.models import SystemVersion

Trail = list[tuple[str, str]]


def among(request: HttpRequest, name: str, known: list[str]) -> str:
    asked = request.GET.get(name, "")
    return asked if asked in known else ""


def form_page(
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


def address_of(found: SystemVersion, group: str = "") -> str:
    at = reverse("sqcore:indicators-version", args=[found.system.code, found.number])
    return f"{at}#at-{group}" if group else at


def to_version(found: SystemVersion, group: str = "") -> HttpResponseRedirect:
    return HttpResponseRedirect(address_of(found, group))


def draft_for(request: HttpRequest, code: str, number: int) -> tuple[Principal, SystemVersion]:
    principal = manager(request)
    return principal, pages.version_named(principal, code, number)


def reader(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    principal.require(Permission.VIEW_RESULTS)
    return principal


def manager(request: HttpRequest) -> Principal:
    principal = principal_of(request)
    principal.require(Permission.MANAGE_INDICATORS)
    return principal


def trail_of(
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
    return [*trail, last] if last[0] == number else [*trail, (number, address_of(found)), last]
