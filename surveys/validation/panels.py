"""On the page of a campaign: the newest verdicts on its questionnaire."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.dashboards.panels import Page
from sqcore.identity.principals import Principal
from surveys.campaigns.models import Campaign
from surveys.validation.pages import report_of
from surveys.validation.queries import may_see_reports


@dataclass(frozen=True)
class SoundnessPanel:
    """For who may see the report; nothing while there is none."""

    key: str = "surveys.soundness"
    page: Page = Page.CAMPAIGN
    order: int = 30
    template_name: str = "surveys/validation/_panel.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, Campaign) or not may_see_reports(principal):
            return None
        report = report_of(subject.version, principal=principal)
        return {"report": report} if report.row is not None else None
