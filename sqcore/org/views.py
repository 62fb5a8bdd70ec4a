"""Pages of the organisation: its units as a tree with their order, and the shifts of a day."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import NotFound
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of
from sqcore.org.forms import ShiftsForm
from sqcore.org.models import Unit
from sqcore.org.queries import in_tree_order, local_day, organisation, tree_on
from sqcore.org.services import set_shifts, shift_unit

WAYS = {"up": -1, "down": 1}


@login_required
@require_safe
def units(request: HttpRequest) -> HttpResponse:
    """Show the open units as a tree."""
    principal = principal_of(request)
    principal.require(Permission.VIEW_ORGANISATION)
    today = local_day(timezone.now())
    found = Unit.objects.visible_to(principal).open_on(today)
    context = {
        "rows": [(unit, "\u2003" * depth) for unit, depth in in_tree_order(found, tree_on(today))],
        "may_manage": principal.may(Permission.MANAGE_ORGANISATION),
    }
    return render(request, "sqcore/org/units.html", context)


@login_required
@require_POST
def shift(request: HttpRequest, code: str, way: str) -> HttpResponse:
    """Put a unit one place up or down among those beside it."""
    principal = principal_of(request)
    now = timezone.now()
    unit = Unit.objects.visible_to(principal).filter(code=code).first()
    if unit is None or way not in WAYS:
        raise NotFound(_("There is no unit “%(code)s”, or you may not see it.") % {"code": code})
    shift_unit(unit=unit, by_places=WAYS[way], on=local_day(now), by=principal, now=now)
    return redirect(f"{reverse('sqcore:org-units')}#unit-{unit.pk}")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def shifts(request: HttpRequest) -> HttpResponse:
    """Show and change the shifts of a day."""
    principal = principal_of(request)
    principal.require(Permission.MANAGE_ORGANISATION)
    is_sent = request.method == "POST"
    form = ShiftsForm(request.POST if is_sent else None, shifts=organisation().shifts)
    if is_sent and form.is_valid():
        set_shifts(shifts=form.cleaned_data["shifts"], by=principal, now=timezone.now())
        messages.success(request, _("The shifts were changed."))
        return redirect("sqcore:org-shifts")
    return render(
        request, "sqcore/org/shifts.html", {"form": form}, status=422 if form.errors else 200
    )
