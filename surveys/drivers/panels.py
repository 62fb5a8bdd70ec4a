"""The three strongest drivers, on the pages of the whole and of a unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.base.periods import title_of
from sqcore.dashboards.panels import Page
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Unit
from surveys.drivers.pages import strongest_of
from surveys.drivers.queries import latest_drivers, period_of


@dataclass(frozen=True)
class StrongestDriversPanel:
    """What counts most at a unit, or at the highest one that somebody sees."""

    key: str = "drivers.strongest"
    page: Page = Page.QUALITY
    order: int = 40
    template_name: str = "surveys/drivers/_strongest.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not principal.may(Permission.VIEW_RESULTS):
            return None
        unit = subject if isinstance(subject, Unit) else None
        row = latest_drivers(principal, unit=unit)
        if row is None:
            return None
        period = period_of(row)
        found = strongest_of(row, period=title_of(period), period_key=period.key)
        return None if found is None else {"strongest": found}
