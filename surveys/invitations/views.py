"""Answering by an invitation, and the pages about a campaign's invitations.

The respondent's page is that of `surveys.responses`, at an address that is good once.
"""

import csv
import io
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sqcore.base.errors import DomainError, InvalidInput, NotFound, Problem
from sqcore.encounters.models import Encounter
from sqcore.files.writing import BYTE_ORDER_MARK, harmless
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, principal_of
from sqcore.org.queries import local_day, organisation
from surveys.campaigns.models import Campaign, Closed
from surveys.campaigns.queries import campaign_named
from surveys.instruments.codebook import codebook_of
from surveys.invitations.forms import PlanForm
from surveys.invitations.links import address_of, spent_digest
from surveys.invitations.models import Invitation, SamplingPlan
from surveys.invitations.queries import (
    closed_on,
    invitation_of,
    is_spent,
    plan_rows,
    rates_of,
    state_of,
)
from surveys.invitations.services import (
    AlreadyAnswered,
    end_plan,
    hand_out_open,
    make_plan,
    submit_invitation,
    try_plan,
    withdraw_invitations,
)
from surveys.responses.forms import Answering, Seal, read_answers
from surveys.responses.pages import (
    CLOSED_STATUS,
    answering_page,
    known_language,
    notice_page,
    read_form,
    shown_language,
    unkept,
)
from surveys.responses.services import NothingAnswered, NotTakingAnswers, PromiseChanged

# ---- Who is invited ------------------------------------------------------------------------------


@require_safe
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """Show the survey to who was invited, once."""
    try:
        invitation = invitation_of(token)
    except NotFound:
        return notice_page(request, "unknown", status=404)
    if is_spent(spent_digest(invitation.campaign_id, invitation.encounter_key)):
        return _answered(request, invitation)
    if why := closed_on(invitation, local_day(timezone.now())):
        return _closed(request, invitation, why)
    seal = Seal.new(invitation.campaign.mode)
    language = shown_language(invitation.campaign)
    return _page(request, invitation, token, seal, {}, language)


# No session stands behind the form, so there is nothing that a foreign page could misuse.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def send(request: HttpRequest, token: str) -> HttpResponse:
    """Take what was answered, or show it in another language."""
    try:
        invitation = invitation_of(token)
    except NotFound:
        return notice_page(request, "unknown", status=404)
    if request.method == "POST":
        return _posted(request, invitation, token)
    return unkept(redirect("surveys:invitations-answer", token=token))


@require_safe
def thanks(request: HttpRequest, token: str) -> HttpResponse:
    """Thank the respondent; every further sending of the same form ends here as well."""
    try:
        campaign = invitation_of(token).campaign
    except NotFound:
        return notice_page(request, "unknown", status=404)
    with override(shown_language(campaign, request.GET.get("in", ""))):
        return notice_page(request, "thanks", campaign=campaign)


def _posted(request: HttpRequest, invitation: Invitation, token: str) -> HttpResponse:
    try:
        data = read_form(request)
        seal = Seal.read(data.get("_form", ""), token)
    except InvalidInput as refusal:
        again = reverse("surveys:invitations-answer", args=[token])
        return notice_page(request, "incomplete", status=refusal.status, again=again)
    campaign = invitation.campaign
    language = shown_language(campaign, data.get("_in", ""))
    answers, problems = read_answers(codebook_of(campaign.version), data)
    if wanted := known_language(campaign, data.get("_language", "")):
        return _page(request, invitation, token, seal, answers, wanted)
    if problems:
        return _page(
            request, invitation, token, seal, answers, language, problems=problems, status=400
        )
    try:
        submit_invitation(
            invitation=invitation,
            key=seal.key,
            promised=seal.mode,
            answers=answers,
            language=language,
            now=timezone.now(),
        )
    except NothingAnswered as refusal:
        return _page(
            request, invitation, token, seal, {}, language, refusal="empty", status=refusal.status
        )
    except PromiseChanged as refusal:
        invitation = invitation_of(token)
        seal = Seal(seal.key, invitation.campaign.mode)
        return _page(
            request, invitation, token, seal, answers, language,
            refusal="promise", status=refusal.status,
        )  # fmt: skip
    except AlreadyAnswered:
        return _answered(request, invitation)
    except NotTakingAnswers as refusal:
        return _closed(request, invitation_of(token), refusal.why)
    response = redirect("surveys:invitations-thanks", token=token)
    response["Location"] += f"?in={language}"
    return unkept(response)


def _page(
    request: HttpRequest,
    invitation: Invitation,
    token: str,
    seal: Seal,
    answers: dict[str, Any],
    language: str,
    *,
    problems: list[Problem] | None = None,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    campaign = invitation.campaign
    answering = Answering.of(campaign.version, language, answers, problems or [])
    with override(language):
        response = answering_page(
            request,
            campaign,
            answering,
            target=reverse("surveys:invitations-send", args=[token]),
            invited=True,
            form=seal.signed(token),
            refusal=refusal,
            status=status,
        )
    return unkept(response)


def _answered(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    with override(shown_language(invitation.campaign)):
        return notice_page(request, "answered", campaign=invitation.campaign)


def _closed(request: HttpRequest, invitation: Invitation, why: Closed) -> HttpResponse:
    kinds = {Closed.REVOKED: "withdrawn"}
    if local_day(timezone.now()) >= invitation.valid_until:
        kinds[Closed.OVER] = "expired"
    with override(shown_language(invitation.campaign)):
        return notice_page(
            request, kinds.get(why, why.value), status=CLOSED_STATUS[why],
            campaign=invitation.campaign,
        )  # fmt: skip


# ---- Who runs the campaign -----------------------------------------------------------------------

COLUMNS = (
    "encounter", "link", "unit", "channel", "encounter_on", "invited_on", "valid_until"
)  # fmt: skip


@login_required
@require_safe
def invitations(request: HttpRequest, code: str) -> HttpResponse:
    """Show whom a campaign invites, what became of it, and how many answered."""
    principal, campaign = _managed(request, code)
    today = local_day(timezone.now())
    rows = plan_rows(campaign, today=today)
    context = {
        "campaign": campaign,
        "plans": rows,
        "in_force": next((row for row in rows if not row.is_over), None),
        "state": state_of(campaign, today=today),
        "rates": rates_of(campaign, principal=principal, today=today),
        "has_encounters": Encounter.objects.exists(),
        "may_plan": _why_not(campaign) == "",
        "why_not": _why_not(campaign),
        **_trail(campaign),
    }
    return render(request, "surveys/invitations/invitations.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_plan(request: HttpRequest, code: str) -> HttpResponse:
    """Set a sampling plan up, after a look at what it would have done."""
    principal, campaign = _managed(request, code)
    now = timezone.now()
    form = PlanForm(request.POST or None, campaign=campaign, today=local_day(now))
    preview = None
    if request.method == "POST" and form.is_valid():
        try:
            if "try" in request.POST:
                preview = try_plan(campaign=campaign, new=form.plan(), by=principal, now=now)
            else:
                make_plan(campaign=campaign, new=form.plan(), by=principal, now=now)
                messages.success(request, _("The plan is there. It draws every ten minutes."))
                return redirect("surveys:invitations-list", code=campaign.code)
        except DomainError as refusal:
            form.add_error(None, refusal.message)
            form.show(refusal.problems)
    context = {
        "form": form,
        "campaign": campaign,
        "preview": preview,
        "smallest_group": organisation().smallest_group,
        **_trail(campaign, _("New plan")),
    }
    status = 400 if form.errors else 200
    return render(request, "surveys/invitations/plan.html", context, status=status)


@login_required
@require_POST
def end(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """End a plan."""
    principal, campaign = _managed(request, code)
    plan = get_object_or_404(SamplingPlan, campaign=campaign, pk=number)
    end_plan(plan=plan, by=principal, now=timezone.now())
    messages.success(request, _("The plan has ended. Links that are out stay valid."))
    return redirect("surveys:invitations-list", code=campaign.code)


@login_required
@require_POST
def export(request: HttpRequest, code: str) -> HttpResponse:
    """Give the open invitations with their links as a file, and note that they left the house."""
    principal, campaign = _managed(request, code)
    listed = hand_out_open(campaign=campaign, by=principal, now=timezone.now())
    response = HttpResponse(_csv(listed), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{campaign.code}-invitations.csv"'
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, code: str) -> HttpResponse:
    """Ask, and then take every open link of a campaign out of use."""
    principal, campaign = _managed(request, code)
    now = timezone.now()
    if request.method != "POST":
        state = state_of(campaign, today=local_day(now))
        context = {"campaign": campaign, "state": state, **_trail(campaign, _("Withdraw"))}
        return render(request, "surveys/invitations/withdraw.html", context)
    count = withdraw_invitations(campaign=campaign, by=principal, now=now)
    messages.success(request, _("%(count)d links take no more answers.") % {"count": count})
    return redirect("surveys:invitations-list", code=campaign.code)


def _csv(listed: Sequence[Invitation]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in listed:
        channel = one.channel.code if one.channel else ""
        days = (one.encounter_on, one.invited_on, one.valid_until)
        cells = (one.encounter_key, address_of(one), one.unit.code, channel, *days)
        writer.writerow([harmless(cell) for cell in cells])
    return (BYTE_ORDER_MARK + text.getvalue()).encode()


def _managed(request: HttpRequest, code: str) -> tuple[Principal, Campaign]:
    """Return who asks and the campaign. raises: NotPermitted for who does not run surveys"""
    principal = principal_of(request)
    principal.require(Permission.MANAGE_SURVEYS)
    return principal, campaign_named(code, principal=principal)


def _why_not(campaign: Campaign) -> str:
    """Return why nobody can be invited to this campaign; empty where people can."""
    if campaign.mode == Campaign.Mode.IDENTIFIED:
        return _(
            "Answers with names come in by REST or from a file; choose “anonymous” or "
            "“confidential” to invite by links."
        )
    if campaign.state == Campaign.State.CLOSED:
        return _("This campaign is closed; open it again before you invite to it.")
    return ""


def _trail(campaign: Campaign, last: str = "") -> dict[str, list[tuple[str, str]]]:
    trail = [
        (_("Surveys"), reverse("surveys:campaigns-list")),
        (str(campaign), reverse("surveys:campaigns-detail", args=[campaign.code])),
        (_("Invitations"), reverse("surveys:invitations-list", args=[campaign.code])),
    ]
    return {"trail": [*trail, (last, "")] if last else [*trail[:-1], (_("Invitations"), "")]}
