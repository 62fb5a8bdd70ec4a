"""Answering by an invitation, and the pages about a campaign's invitations.

The respondent's page is that of `surveys.responses`, at an address that is good once.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from sqcore.base.errors import InvalidInput, NotFound, Problem
from sqcore.org.queries import local_day
from surveys.campaigns.models import Closed
from surveys.instruments.codebook import codebook_of
from surveys.invitations.links import spent_digest
from surveys.invitations.models import Invitation
from surveys.invitations.queries import closed_on, invitation_of, is_spent
from surveys.invitations.services import AlreadyAnswered, submit_invitation
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
