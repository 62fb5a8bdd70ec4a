"""What incentives show on the pages of others: awards and words of a person, what waits for me."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.dashboards.panels import Page
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff
from training.incentives.award_pages import LISTED, awards_of, waiting_by_scheme
from training.incentives.queries import recognitions_asked
from training.incentives.readers import decides_on_awards
from training.incentives.wall_page import words_for


@dataclass(frozen=True)
class PersonAwards:
    """The awards of a person and how they came about."""

    key: str = "training.awards"
    page: Page = Page.PERSON
    order: int = 60
    template_name: str = "training/incentives/_person_awards.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        lines = (
            awards_of(principal=principal, staff=subject) if isinstance(subject, Staff) else None
        )
        if lines is None or not isinstance(subject, Staff):
            return None
        return {"lines": lines, "is_mine": subject.pk == principal.staff_id}


@dataclass(frozen=True)
class PersonRecognitions:
    """The words of thanks for a person that they agreed to show."""

    key: str = "training.recognitions"
    page: Page = Page.PERSON
    order: int = 70
    template_name: str = "training/incentives/_person_words.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, Staff):
            return None
        shown, waiting = words_for(principal=principal, staff=subject)
        is_mine = subject.pk == principal.staff_id
        may_thank = principal.staff_id is not None and not is_mine
        if not (shown or waiting or may_thank):
            return None
        return {"shown": shown, "waiting": waiting, "staff": subject, "may_thank": may_thank}


@dataclass(frozen=True)
class AwardsWaiting:
    """The proposed awards that wait for this person's step."""

    key: str = "training.awards-waiting"
    page: Page = Page.HOME
    order: int = 7
    template_name: str = "training/incentives/_home_awards.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        lines = waiting_by_scheme(principal) if decides_on_awards(principal) else []
        return {"lines": lines[:LISTED], "more": len(lines) > LISTED} if lines else None


@dataclass(frozen=True)
class ThankedPanel:
    """Words of thanks that wait for this person's consent."""

    key: str = "training.thanked"
    page: Page = Page.HOME
    order: int = 7
    template_name: str = "training/incentives/_home_words.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if principal.staff_id is None:
            return None
        words = list(recognitions_asked(principal).select_related("unit", "written_by")[:LISTED])
        return {"asked": words} if words else None
