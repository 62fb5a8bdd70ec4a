"""The pages that respondents see, whatever the address by which they came.

See docs/decisions/answering-is-one-document.md.
"""

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import get_language

from sqcore.base.errors import InvalidInput
from sqcore.org.queries import organisation
from surveys.campaigns.models import Campaign, Closed
from surveys.responses.forms import Answering

LARGEST_BODY = 100_000
CLOSED_STATUS = {Closed.REVOKED: 410, Closed.OVER: 410, Closed.NOT_OPENED: 403, Closed.EARLY: 403}


def answering_page(
    request: HttpRequest,
    campaign: Campaign,
    answering: Answering,
    *,
    target: str = "",
    invited: bool = False,
    form: str = "",
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    """Show the questionnaire; what is answered goes to `target`, without one it is a preview.

    `invited`: after a visit that the house knows, so the promise says what becomes of that.
    """
    context = {
        "campaign": campaign,
        "organisation": organisation(),
        "answering": answering,
        "screens": answering.screens,
        "languages": languages_of(campaign),
        "target": target,
        "invited": invited,
        "form": form,
        "refusal": refusal,
    }
    return render(request, "surveys/responses/answer.html", context, status=status)


def notice_page(
    request: HttpRequest, kind: str, *, status: int = 200, **context: object
) -> HttpResponse:
    """Show a page of a few words: thanks, or why there is nothing to answer."""
    context |= {"kind": kind, "organisation": organisation()}
    return unkept(render(request, "surveys/responses/notice.html", context, status=status))


def unkept(response: HttpResponse) -> HttpResponse:
    """Let the browser go back to the page as it was left, and nobody else keep it."""
    response["Cache-Control"] = "private, no-cache"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    # Django would write a refusal into the log, with the link and the moment.
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own mark
    return response


def read_form(request: HttpRequest) -> QueryDict:
    """Return the form that was sent. raises: InvalidInput when it is too large or no form"""
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
        raise InvalidInput("The form is larger than a survey can be.")
    try:
        return request.POST
    except SuspiciousOperation as error:
        raise InvalidInput("The form cannot be read.") from error


def languages_of(campaign: Campaign) -> list[str]:
    return list(campaign.version.languages)


def known_language(campaign: Campaign, language: str) -> str:
    return language if language in languages_of(campaign) else ""


def shown_language(campaign: Campaign, wanted: str = "") -> str:
    """Return the wanted language, else that of the browser, else the questionnaire's first one."""
    known = known_language(campaign, wanted) or known_language(campaign, get_language() or "")
    return known or languages_of(campaign)[0]
