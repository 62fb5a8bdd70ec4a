"""On the page of a campaign: whether those who answered stand for the customers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.dashboards.panels import Page
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from surveys.campaigns.models import Campaign
from surveys.representation.pages import weighing_of
from surveys.representation.queries import may_see_weighings


@dataclass(frozen=True)
class RepresentationPanel:
    """The latest weighing of the questionnaire; for who runs surveys also the way to one."""

    key: str = "surveys.representation"
    page: Page = Page.CAMPAIGN
    order: int = 40
    template_name: str = "surveys/representation/_panel.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, Campaign) or not may_see_weighings(principal):
            return None
        found = weighing_of(subject.version, principal=principal)
        may_manage = principal.may(Permission.MANAGE_SURVEYS)
        if found.row is None and not may_manage:
            return None
        return {"weighing": found, "may_manage": may_manage}
