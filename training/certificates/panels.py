"""What certificates show on the pages of others: those of a person, with their standing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.dashboards.panels import Page
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff
from sqcore.org.queries import local_day
from training.certificates.pages import certificate_row
from training.certificates.queries import certificates_seen_by

LISTED = 8


@dataclass(frozen=True)
class PersonCertificates:
    """The newest certificates of a person, of who may see their training."""

    key: str = "training.certificates"
    page: Page = Page.PERSON
    order: int = 50
    template_name: str = "training/certificates/_panel.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, Staff):
            return None
        today = local_day(now)
        seen = certificates_seen_by(principal, on=today).filter(staff=subject)
        rows = list(seen.order_by("-issued_on", "-id")[: LISTED + 1])
        if not rows:
            return None
        return {
            "staff": subject,
            "rows": [certificate_row(row, on=today) for row in rows[:LISTED]],
            "more": len(rows) > LISTED,
        }
