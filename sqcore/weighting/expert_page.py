"""What an invited expert sees: questions, or a page of a few words. No log-in, no script."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from sqcore.org.queries import organisation
from sqcore.weighting import links, pages, scoring
from sqcore.weighting.methods import METHODS, Needs
from sqcore.weighting.models import ExpertInvitation
from sqcore.weighting.queries import Expert, Weighting

LARGEST_BODY = 100_000


@dataclass(frozen=True)
class Asked:
    """What one invited expert is asked: a screen of pairs, or all parts to score."""

    weighting: Weighting
    said: Expert | None
    screen: pages.Screen | None = None
    cards: tuple[scoring.Card, ...] = ()

    @classmethod
    def of(cls, weighting: Weighting, invitation: ExpertInvitation, *, screen: str) -> "Asked":
        """Return what this expert is asked, with their answers, at this screen."""
        said = weighting.expert_of(invitation_id=invitation.pk)
        if METHODS[weighting.method].needs == Needs.SCORES:
            return cls(weighting, said, cards=tuple(scoring.cards_of(weighting, said)))
        screens = pages.screens_of(weighting, said.answers if said else {})
        return cls(weighting, said, pages.screen_asked(screens, screen) if screens else None)

    @property
    def round(self) -> int:
        return len(self.weighting.basis.rounds) + 1

    @property
    def own(self) -> pages.Own | None:
        """What the comparisons of this expert say, such as where they contradict most."""
        return pages.own_of(self.weighting, self.said) if self.screen else None

    def answers_in(self, posted: Mapping[str, str]) -> dict[str, Any]:
        if self.screen is not None:
            return dict(pages.answers_in(posted, self.screen))
        return dict(scoring.scores_in(posted, list(self.cards)))

    def then(self, posted: Mapping[str, str]) -> str:
        """Return the query of the page that follows: the next screen, or thanks."""
        if self.screen and self.screen.number < self.screen.of and "leave" not in posted:
            return f"screen={self.screen.number + 1}"
        return "done=1"


def question(request: HttpRequest, invitation: ExpertInvitation, asked: Asked) -> HttpResponse:
    context = {
        "invitation": invitation,
        "version": asked.weighting.version,
        "group": asked.weighting.group,
        "asked": asked,
        "screen": asked.screen,
        "words": pages.STRENGTHS.items(),
    }
    return _page(request, "sqcore/weighting/expert.html", context)


def notice(
    request: HttpRequest, kind: str, *, status: int = 200, **context: object
) -> HttpResponse:
    """Show a page of a few words: thanks, or why there is nothing to answer."""
    context |= {"kind": kind}
    response = _page(request, "sqcore/weighting/expert_notice.html", context, status=status)
    if status == 429:
        response["Retry-After"] = str(links.WINDOW)
    return response


def _page(
    request: HttpRequest, template: str, context: Mapping[str, object], *, status: int = 200
) -> HttpResponse:
    """Render in the organisation's time: nobody is logged in whose page would have set it."""
    with timezone.override(ZoneInfo(organisation().time_zone)):
        return unkept(render(request, template, dict(context), status=status))


def unknown(request: HttpRequest, address: str, *, now: datetime) -> HttpResponse:
    """Show that a link leads nowhere; whoever tries many has to wait."""
    if links.is_flood("wrong", address, most=links.WRONG, now=now.timestamp()):
        return notice(request, "flood", status=429)
    return notice(request, "unknown", status=404)


def is_too_much(
    request: HttpRequest, invitation: ExpertInvitation, address: str, *, now: datetime
) -> bool:
    """Count a sending; True when it is larger, or one more, than any expert can send."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
        return True
    who = f"{invitation.pk}:{address}"
    return links.is_flood("said", who, most=links.SENDINGS, now=now.timestamp())


def unkept(response: HttpResponse) -> HttpResponse:
    """Nobody else keeps the page, finds it, or learns its address from a link in it."""
    response["Cache-Control"] = "private, no-cache"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    # Django would write a refusal into the log, with the link.
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own mark
    return response
