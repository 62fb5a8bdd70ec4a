"""What results of people show on Home: that mine are there, and which disputes wait."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqcore.dashboards.panels import Page
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day
from sqcore.performance.dispute_pages import dispute_line, open_disputes
from sqcore.performance.measures import measures_of
from sqcore.performance.models import StaffResult
from sqcore.performance.wording import mark_of, window_text

LISTED = 5
NEWS = timedelta(days=35)


@dataclass(frozen=True)
class MyResultsPanel:
    """That my results of the last window are there, with what they say."""

    key: str = "performance.mine"
    page: Page = Page.HOME
    order: int = 8
    template_name: str = "sqcore/performance/_home_mine.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if principal.staff_id is None:
            return None
        rows = (
            StaffResult.objects.visible_to(principal, on=local_day(now))
            .current()
            .filter(staff_id=principal.staff_id, run__computed_at__gt=now - NEWS)
            .select_related("run")
            .order_by("-run__ends_on", "measure")
        )
        newest = list(rows[:20])
        if not newest:
            return None
        shown = [row for row in newest if row.run_id == newest[0].run_id]
        verdicts = {row.measure: mark_of(row.verdict) for row in shown}
        lines = [(measure, verdicts[measure.key]) for measure in measures_of(verdicts)[:LISTED]]
        return {"window": window_text(newest[0]), "lines": lines}


@dataclass(frozen=True)
class DisputesPanel:
    """The open disputes, the most urgent first, for who decides them."""

    key: str = "performance.disputes"
    page: Page = Page.HOME
    order: int = 9
    template_name: str = "sqcore/performance/_home_disputes.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not principal.may(Permission.DECIDE_DISPUTES):
            return None
        found = list(open_disputes(principal)[: LISTED + 1])
        if not found:
            return None
        lines = [dispute_line(each, local_day(now)) for each in found[:LISTED]]
        return {"lines": lines, "more": len(found) > LISTED}
