"""The page of the ledger, for administrators."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from sqcore.audit import queries
from sqcore.audit.forms import EntriesFilter
from sqcore.base.errors import NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import principal_of

PER_PAGE = 50


@login_required
@require_GET
def entries(request: HttpRequest) -> HttpResponse:
    """List acts, newest first, with what the last check of their chain found.

    Pages go by the id of the last entry (`?before=`): the ledger is never counted.
    """
    principal = principal_of(request)
    if not principal.may(Permission.VIEW_AUDIT):
        raise NotPermitted("Only administrators see the audit ledger.")
    form = EntriesFilter(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    found = queries.entries_of(
        principal,
        subject=asked.get("subject", ""),
        actor=asked.get("actor", ""),
        before=asked.get("before"),
    )
    shown = list(found[: PER_PAGE + 1])
    names = queries.actor_names(shown)
    context = {
        "form": form,
        # The pairs, for a template would take a detail called “items” for the method.
        "entries": [
            (entry, names.get(entry.actor, entry.actor), list(entry.details.items()))
            for entry in shown[:PER_PAGE]
        ],
        "is_filtered": bool(asked.get("subject") or asked.get("actor")),
        "older": _older(request, shown[PER_PAGE - 1].pk) if len(shown) > PER_PAGE else "",
        "is_first": not asked.get("before"),
        "check": queries.last_check(),
        "head": queries.head(),
    }
    return render(request, "sqcore/audit/entries.html", context)


def _older(request: HttpRequest, last_id: int) -> str:
    query = request.GET.copy()
    query["before"] = str(last_id)
    return f"?{query.urlencode()}"
