"""How many of the invited answered, on the campaign's page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.dashboards.panels import Page
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day
from surveys.campaigns.models import Campaign
from surveys.invitations.queries import rates_of


@dataclass(frozen=True)
class InvitationsPanel:
    """The rates by unit, for who may see the units, and the way to the plans."""

    key: str = "surveys.invitations"
    page: Page = Page.CAMPAIGN
    order: int = 10
    template_name: str = "surveys/invitations/_panel.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, Campaign) or subject.mode == Campaign.Mode.IDENTIFIED:
            return None
        may_manage = principal.may(Permission.MANAGE_SURVEYS)
        invites = subject.sampling_plans.exists()
        if not (invites or may_manage):
            return None
        return {
            "campaign": subject,
            "may_manage": may_manage,
            "invites": invites,
            "rates": rates_of(subject, principal=principal, today=local_day(now))
            if invites
            else None,
        }
