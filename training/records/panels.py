"""What training shows on the pages of others: what is due for me, the training of a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.dashboards.panels import Page
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff
from training.records.mine import due_soon, training_of

LISTED = 6


@dataclass(frozen=True)
class MyTrainingPanel:
    """What is due for this person, on Home."""

    key: str = "training.mine"
    page: Page = Page.HOME
    order: int = 6
    template_name: str = "training/records/_home.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if principal.staff_id is None:
            return None
        found = due_soon(staff_id=principal.staff_id, now=now)
        count = len(found.duties) + len(found.sessions) + len(found.ending)
        if not count:
            return None
        duties = found.duties[:LISTED]
        sessions = found.sessions[: max(0, LISTED - len(duties))]
        ending = found.ending[: max(0, LISTED - len(duties) - len(sessions))]
        return {
            "duties": duties,
            "sessions": sessions,
            "ending": ending,
            "count": count,
            "more": count - len(duties) - len(sessions) - len(ending),
        }


@dataclass(frozen=True)
class PersonTraining:
    """What a person still has to do and where they are enrolled."""

    key: str = "training.person"
    page: Page = Page.PERSON
    order: int = 40
    template_name: str = "training/records/_person.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, Staff):
            return None
        owed, ahead = training_of(principal=principal, staff_id=subject.pk, now=now)
        if not owed and not ahead:
            return None
        is_own = principal.staff_id == subject.pk
        return {"owed": owed, "ahead": ahead, "is_own": is_own}
