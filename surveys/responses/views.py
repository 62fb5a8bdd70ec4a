"""The respondent's page: no log-in, no session, no cookie, no script.

One document holds all screens, and moving between them is moving within it: the browser keeps what
was answered, in whatever direction people go. See docs/decisions/answering-is-one-document.md.
"""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from sqcore.base.errors import InvalidInput, NotFound, Problem
from sqcore.identity.principals import principal_of
from sqcore.org.queries import local_day
from surveys.campaigns.models import Closed, Link
from surveys.campaigns.queries import answering_link, campaign_named, remembered_link
from surveys.instruments.codebook import codebook_of
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
from surveys.responses.services import (
    NothingAnswered,
    NotTakingAnswers,
    PromiseChanged,
    submit_response,
)

SENDINGS = 60
WINDOW = 600


@require_safe
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """Show the survey of a link."""
    try:
        link = answering_link(token)
    except NotFound:
        return notice_page(request, "unknown", status=404)
    if why := link.closed_on(local_day(timezone.now())):
        return _closed(request, link, why)
    seal = Seal.new(link.campaign.mode)
    return _page(request, link, seal, {}, shown_language(link.campaign))


# No session stands behind the form, so there is nothing that a foreign page could misuse.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def send(request: HttpRequest, token: str) -> HttpResponse:
    """Take what was answered, or show it in another language.

    An address of its own: a POST throws what the browser kept of its address away, and going back
    would bring a new form, with a new key.
    """
    try:
        link = remembered_link(token)
    except NotFound:
        return notice_page(request, "unknown", status=404)
    if request.method == "POST":
        return _posted(request, link)
    return unkept(redirect("surveys:responses-answer", token=token))


@require_safe
def thanks(request: HttpRequest, token: str) -> HttpResponse:
    """Thank the respondent; every further sending of the same form ends here as well."""
    try:
        link = answering_link(token)
    except NotFound:
        return notice_page(request, "unknown", status=404)
    language = shown_language(link.campaign, request.GET.get("in", ""))
    with override(language):
        return notice_page(request, "thanks", campaign=link.campaign)


# Switching the language of a preview is a POST like that of a respondent, and stores nothing.
@csrf_exempt
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: HttpRequest, code: str) -> HttpResponse:
    """Show who runs the campaign what a respondent sees; nothing is stored."""
    campaign = campaign_named(code, principal=principal_of(request))
    language = shown_language(campaign, request.POST.get("_language", ""))
    answers, _problems = read_answers(codebook_of(campaign.version), request.POST)
    with override(language):
        return answering_page(request, campaign, Answering.of(campaign.version, language, answers))


def _posted(request: HttpRequest, link: Link) -> HttpResponse:
    try:
        data = read_form(request)
        seal = Seal.read(data.get("_form", ""), link.token)
    except InvalidInput as refusal:
        again = reverse("surveys:responses-answer", args=[link.token])
        return notice_page(request, "incomplete", status=refusal.status, again=again)
    if seal.mode != link.campaign.mode:
        link = answering_link(link.token)
    campaign = link.campaign
    language = shown_language(campaign, data.get("_in", ""))
    answers, problems = read_answers(codebook_of(campaign.version), data)
    if wanted := known_language(campaign, data.get("_language", "")):
        return _page(request, link, seal, answers, wanted)
    if problems:
        return _page(request, link, seal, answers, language, problems=problems, status=400)
    if _is_flood(request, link):
        return _page(request, link, seal, answers, language, refusal="flood", status=429)
    try:
        submit_response(
            link=link,
            key=seal.key,
            promised=seal.mode,
            answers=answers,
            language=language,
            now=timezone.now(),
        )
    except NothingAnswered as refusal:
        return _page(request, link, seal, {}, language, refusal="empty", status=refusal.status)
    except PromiseChanged as refusal:
        link = answering_link(link.token)
        seal = Seal(seal.key, link.campaign.mode)
        return _page(
            request, link, seal, answers, language, refusal="promise", status=refusal.status
        )
    except NotTakingAnswers as refusal:
        return _closed(request, answering_link(link.token), refusal.why)
    response = redirect("surveys:responses-thanks", token=link.token)
    response["Location"] += f"?in={language}"
    return unkept(response)


def _page(
    request: HttpRequest,
    link: Link,
    seal: Seal,
    answers: dict[str, Any],
    language: str,
    *,
    problems: list[Problem] | None = None,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    answering = Answering.of(link.campaign.version, language, answers, problems or [])
    with override(language):
        response = answering_page(
            request,
            link.campaign,
            answering,
            target=reverse("surveys:responses-send", args=[link.token]),
            form=seal.signed(link.token),
            refusal=refusal,
            status=status,
        )
    if status == 429:
        response["Retry-After"] = str(WINDOW)
    return unkept(response)


def _closed(request: HttpRequest, link: Link, why: Closed) -> HttpResponse:
    status = CLOSED_STATUS[why]
    with override(shown_language(link.campaign)):
        return notice_page(request, why.value, status=status, campaign=link.campaign)


def _is_flood(request: HttpRequest, link: Link) -> bool:
    """Count this sending; True above what people at one place can send.

    Of the address only a keyed digest is kept, in the cache and for ten minutes, so that it says
    nothing about an answer.
    """
    address = request.META.get("REMOTE_ADDR", "")
    window = int(timezone.now().timestamp()) // WINDOW
    digest = salted_hmac("surveys.flood", f"{window}:{link.pk}:{address}").hexdigest()
    key = f"surveys.flood:{digest}"
    cache.add(key, 0, timeout=WINDOW)
    try:
        return cache.incr(key) > SENDINGS
    except ValueError:
        return False
