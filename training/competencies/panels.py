"""What the page of a person shows of their skills."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.dashboards.panels import Page
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff
from sqcore.org.queries import local_day
from training.competencies.pages import skills_of
from training.competencies.queries import sees_training_of


@dataclass(frozen=True)
class SkillsPanel:
    """The skills of a person beside what their post needs, with the form to assess them."""

    key: str = "training.skills"
    page: Page = Page.PERSON
    order: int = 20
    template_name: str = "training/competencies/_person.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        today = local_day(now)
        if not isinstance(subject, Staff) or not sees_training_of(principal, subject.pk, on=today):
            return None
        return skills_of(principal, subject, on=today)
