"""The way to the diagnosis from a unit's page; the verdicts are fetched when the card is seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.dashboards.panels import Page
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Unit


@dataclass(frozen=True)
class DiagnosisPanel:
    """What the numbers say about six classes of problems, in short. Asks the database nothing."""

    key: str = "reports.diagnosis"
    page: Page = Page.UNIT
    order: int = 20
    template_name: str = "sqcore/reports/_unit_diagnosis.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, Unit):
            return None
        if not principal.may(Permission.VIEW_RESULTS, unit_id=subject.pk):
            return None
        return {"unit": subject}
