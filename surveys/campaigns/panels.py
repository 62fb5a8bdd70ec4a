"""What runs now, on the home page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from sqcore.dashboards.panels import Page
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from surveys.campaigns.queries import campaign_rows, campaigns_running

LISTED = 4


@dataclass(frozen=True)
class LiveCampaignsPanel:
    """The campaigns this person may see that take answers today, with how many answered so far."""

    key: str = "surveys.live"
    page: Page = Page.HOME
    order: int = 40
    template_name: str = "surveys/campaigns/_home_live.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not (principal.may(Permission.MANAGE_SURVEYS) or principal.may(Permission.VIEW_RESULTS)):
            return None
        today = timezone.localdate(now)
        rows = campaign_rows(campaigns_running(principal, on=today)[:LISTED], on=today)
        return {"rows": rows} if rows else None
