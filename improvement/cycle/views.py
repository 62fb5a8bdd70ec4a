"""Pages of improvement: the board, the intake, a ticket, own work, standards.

What a person can do with a ticket stands in `VERBS`: each has its form and the one call that it
makes. A form that is refused comes back on the ticket's page with what was typed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from improvement.actions.queries import actions_of, trainable_people
from improvement.cycle import forms
from improvement.cycle.board import board_of, choices_of_ended, ended_tickets
from improvement.cycle.effect_page import OutlookView, outlook_view
from improvement.cycle.history import Happening, happened_since
from improvement.cycle.pages import (
    ended_rows,
    intake_page,
    mine,
    offers_for,
    people_at,
    standards_page,
    subject_of,
)
from improvement.cycle.ticket_page import ticket_page
from improvement.cycle.verbs import VERBS, Verb, factors_at, promised
from improvement.diagnosis.queries import findings_of
from improvement.standards.queries import standard_of
from improvement.tickets.files import handed_out
from improvement.tickets.models import Ticket
from improvement.tickets.queries import attachment_of, ticket_of
from improvement.tickets.services import propose as propose_ticket
from improvement.verification.planning import outlook, places_of
from improvement.verification.queries import plan_of
from sqcore.base.errors import Conflict, DomainError, NotFound
from sqcore.base.periods import Grain
from sqcore.base.text import in_language
from sqcore.base.trainable import trainable_subjects
from sqcore.causes.taxonomy import CAUSES
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.queries import local_day

PER_PAGE = 25


@dataclass(frozen=True)
class Open:
    """The form that stands open on a ticket's page."""

    name: str
    verb: Verb
    form: forms.TicketForm
    outlook: OutlookView | None = None
    since: Sequence[Happening] = field(default_factory=tuple)


# Pages of many tickets ---------------------------------------------------------------------------
@login_required
@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """Show the open tickets by phase, and what each waits for."""
    principal = _reader(request)
    asked = forms.BoardForm(request.GET).asked()
    shown = board_of(principal=principal, asked=asked, now=timezone.now())
    context = {"board": shown, "may_propose": principal.may(Permission.PROPOSE_TICKETS)}
    return render(request, "improvement/board.html", context)


@login_required
@require_safe
def ended(request: HttpRequest) -> HttpResponse:
    """List what was closed, rejected or given up, with its reason."""
    principal, now = _reader(request), timezone.now()
    asked = forms.BoardForm(request.GET).asked()
    found = ended_tickets(principal=principal, asked=asked, now=now)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": ended_rows(page),
        "asked": asked,
        "choices": choices_of_ended(principal=principal, now=now),
        "trail": [(_("Board"), reverse("improvement:board")), (_("Ended tickets"), "")],
    }
    return render(request, "improvement/ended.html", context)


@login_required
@require_safe
def proposals(request: HttpRequest) -> HttpResponse:
    """Show the proposals, the strongest first, with what speaks for them."""
    principal = _reader(request)
    context = {
        "page": intake_page(principal=principal, now=timezone.now()),
        "may_propose": principal.may(Permission.PROPOSE_TICKETS),
    }
    return render(request, "improvement/intake.html", context)


@login_required
@require_safe
def my_actions(request: HttpRequest) -> HttpResponse:
    """Show what waits for this person."""
    shown = mine(principal=_reader(request), now=timezone.now())
    return render(request, "improvement/my_actions.html", {"mine": shown})


@login_required
@require_safe
def standards(request: HttpRequest) -> HttpResponse:
    """List the standards that improvements left behind."""
    found = standards_page(principal=_reader(request), now=timezone.now())
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "improvement/standards.html", {"page": page})


@login_required
@require_safe
def standard(request: HttpRequest, code: str) -> HttpResponse:
    """Show a standard with all its versions."""
    found = standard_of(_reader(request), code)
    versions = list(found.versions.all())
    today = local_day(timezone.now())
    context = {
        "standard": found,
        "versions": versions,
        "valid": next((each for each in versions if each.valid_from <= today), None),
        "trail": [(_("Standards"), reverse("improvement:standards")), (found.title, "")],
    }
    return render(request, "improvement/standard.html", context)


# One ticket --------------------------------------------------------------------------------------
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def propose(request: HttpRequest) -> HttpResponse:
    """Bring a ticket to the intake of a unit."""
    principal, now = principal_of(request), timezone.now()
    principal.require(Permission.PROPOSE_TICKETS)
    offers = offers_for(principal=principal, now=now)
    form = forms.ProposeForm(
        request.POST or None,
        units=offers.units,
        indicators=offers.indicators,
        initial=request.GET.dict(),
    )
    if request.method == "POST" and form.is_valid():
        try:
            made, _is_new = propose_ticket(**subject_of(principal, form), by=principal, now=now)
            messages.success(request, _("%(ticket)s is in the intake.") % {"ticket": made})
            return redirect("improvement:ticket", pk=made.pk)
        except DomainError as refusal:
            _add_refusal(form, refusal)
    context = {
        "form": form,
        "trail": [(_("Intake"), reverse("improvement:intake")), (_("Propose a ticket"), "")],
    }
    return render(request, "improvement/propose.html", context, status=400 if form.errors else 200)


@login_required
@require_safe
def ticket(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a ticket, and open the form that `do` names."""
    principal, now = _reader(request), timezone.now()
    found = ticket_of(principal, pk)
    name = request.GET.get("do", "")
    known = VERBS.get(name)
    opened = None
    if known is not None:
        item = request.GET.get("item", "")
        initial = {**_initial(name, found, now, item), "item": item}
        form = known.form(initial=initial, offers=_offers(name, found, principal, now))
        opened = Open(name, known, form)
    return _ticket(request, found, principal, now, opened)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def do(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Do something with a ticket; what is refused comes back on its page."""
    principal, now = _reader(request), timezone.now()
    found = ticket_of(principal, pk)
    known = VERBS.get(verb)
    if known is None:
        raise NotFound(_("Nothing of this name can be done with a ticket."))
    if request.method != "POST":
        return redirect(f"{reverse('improvement:ticket', args=[pk])}?do={verb}#do")
    offers = _offers(verb, found, principal, now)
    form = known.form(request.POST, request.FILES, offers=offers)
    if not form.is_valid():
        return _ticket(request, found, principal, now, Open(verb, known, form), status=400)
    if isinstance(form, forms.EffectForm) and "look" in request.POST:
        seen = outlook(ticket=found, **promised(found, form), today=local_day(now))
        return _ticket(request, found, principal, now, Open(verb, known, form, outlook_view(seen)))
    try:
        known.run(found, form, principal, now)
    except DomainError as refusal:
        opened = _refused(request, principal, pk, verb, refusal, offers)
        again = ticket_of(principal, pk)
        return _ticket(request, again, principal, now, opened, status=refusal.status)
    messages.success(request, _("Done: %(what)s") % {"what": known.title})
    return redirect(_after(request, pk, known))


def _refused(
    request: HttpRequest,
    principal: Principal,
    pk: int,
    name: str,
    refusal: DomainError,
    offers: Mapping[str, forms.Choices],
) -> Open:
    """Give a form back with the reason and all that was typed; at the state that is now seen."""
    now_seen = ticket_of(principal, pk)
    known = VERBS[name]
    first = known.form(request.POST, request.FILES, offers=offers)
    first.is_valid()
    since: list[Happening] = []
    if isinstance(refusal, Conflict) and first.cleaned_data.get("revision") != now_seen.revision:
        since = happened_since(now_seen, first.cleaned_data.get("step") or 0)
    data = request.POST.copy()
    data["revision"] = str(now_seen.revision)
    form = known.form(data, request.FILES, offers=offers)
    form.is_valid()
    _add_refusal(form, refusal)
    return Open(name, known, form, since=since)


def _ticket(
    request: HttpRequest,
    found: Ticket,
    principal: Principal,
    now: datetime,
    opened: Open | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    page = ticket_page(ticket=found, principal=principal, now=now)
    context = {
        "page": page,
        "ticket": found,
        "open": opened,
        "trail": [(_("Board"), reverse("improvement:board")), (found.reference, "")],
    }
    return render(request, "improvement/ticket.html", context, status=status)


@login_required
@require_safe
def a3(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a ticket on one sheet, for paper."""
    principal, now = _reader(request), timezone.now()
    found = ticket_of(principal, pk)
    page = ticket_page(ticket=found, principal=principal, now=now)
    return render(request, "improvement/a3.html", {"page": page, "ticket": found, "now": now})


@login_required
@require_safe
def attachment(request: HttpRequest, pk: int, file: int) -> HttpResponseBase:
    """Hand out a file of a ticket, as a download only."""
    found = attachment_of(principal_of(request), ticket_id=pk, attachment_id=file)
    return handed_out(found)


# What forms need ---------------------------------------------------------------------------------
def _offers(
    name: str, found: Ticket, principal: Principal, now: datetime
) -> dict[str, forms.Choices]:
    """The choices of a form that depend on the ticket and on who asks."""
    today = local_day(now)
    if name in ("add-action", "change-action"):
        people = trainable_people(found, principal, on=today)
        return {
            "owner_id": people_at(found.unit, on=today),
            "competency": [(c, in_language(n)) for c, n in trainable_subjects().items()],
            "people_ids": [(each.pk, str(each)) for each in people],
        }
    if name in ("accept", "plan-small"):
        return {"owner_id": people_at(found.unit, on=today)}
    if name == "find":
        return {
            "cause": [
                (str(each), [(cause.code, str(cause)) for cause in each.causes])
                for each in CAUSES.classes
            ],
            "parent_id": [(f.pk, f.text) for f in findings_of(found) if f.kind == "why"],
        }
    if name == "promise":
        grain = Grain(found.grain) if found.grain in (Grain.WEEK, Grain.MONTH) else Grain.WEEK
        places = [
            (p.leaf.code, f"{p.name} ({p.scale.unit})" if p.scale.unit else p.name)
            for p in places_of(found, grain)
        ]
        return {"code": places, **{f"balancing_code{at}": places for at in forms.MEASURES}}
    return {}


def _initial(name: str, found: Ticket, now: datetime, item: str) -> dict[str, Any]:
    """What stands in a form before somebody types."""
    today = local_day(now)
    given: dict[str, dict[str, Any]] = {
        "accept": {
            "owner_id": found.owner_id,
            "severity": found.severity or 3,
            "containment": found.containment,
        },
        "problem": {"problem": found.problem or found.description, "similar": found.similar},
        "contain": {
            "containment": found.containment,
            "contained_on": found.contained_on,
            "is_containment_waived": found.is_containment_waived,
        },
        "add-action": {"owner_id": found.owner_id, "due_on": today + timedelta(14)},
        "plan-small": {"owner_id": found.owner_id, "due_on": today + timedelta(7)},
        "complete-action": {"effective_on": today},
        "snooze": {"until": today + timedelta(28)},
        "standardise": {"valid_from": today, "title": found.title},
        "promise": _kept_promise(found) if name == "promise" else {},
        "change-action": _kept_action(found, item) if name == "change-action" else {},
    }
    if name == "promise" and not given["promise"]:
        given["promise"] = {
            "code": found.code,
            "grain": found.grain,
            "starts_on": today + timedelta(14),
        }
    return {"revision": found.revision, **given.get(name, {})}


def _kept_promise(found: Ticket) -> dict[str, Any]:
    """What the ticket promises so far, as somebody would type it."""
    plan = plan_of(found)
    if plan is None:
        return {}
    factors = factors_at(found, Grain(plan.grain))
    names = ("code", "grain", "starts_on", "washout", "is_extendable")
    kept = {name: getattr(plan, name) for name in names}
    kept["wished_on"] = plan.check_on
    kept["minimum"] = _typed(plan.minimum, factors.get(plan.code, 1.0))
    for at, measure in zip(forms.MEASURES, plan.balancing.order_by("id"), strict=False):
        kept[f"balancing_code{at}"] = measure.code
        margin = _typed(measure.margin, factors.get(measure.code, 1.0))
        kept[f"balancing_margin{at}"] = margin
    return kept


def _typed(value: float, factor: float) -> float:
    return round(value * factor, 6)


def _kept_action(found: Ticket, item: str) -> dict[str, Any]:
    kept = next((each for each in actions_of(found) if str(each.pk) == item), None)
    if kept is None:
        return {}
    names = ("text", "kind", "owner_id", "due_on", "competency")
    people = list(kept.people.order_by("pk").values_list("pk", flat=True))
    return {**{name: getattr(kept, name) for name in names}, "people_ids": people}


def _after(request: HttpRequest, pk: int, known: Verb) -> str:
    """Where somebody goes on: back to the board or own work they came from, else to the ticket."""
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return back
    return f"{reverse('improvement:ticket', args=[pk])}#{known.place}"


def _reader(request: HttpRequest) -> Principal:
    """Who asks. Tickets are seen by scope, and one's own by anybody."""
    return principal_of(request)


def _add_refusal(form: Any, refusal: DomainError) -> None:
    for problem in refusal.problems:
        form.add_error(problem.field if problem.field in form.fields else None, problem.reason)
    if not refusal.problems:
        form.add_error(None, refusal.message)
