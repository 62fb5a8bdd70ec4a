"""Which reports there are about a questionnaire, and for whom."""

from django.db.models import QuerySet

from sqcore.base.errors import NotPermitted
from sqcore.base.periods import Grain, Period
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import fiscal_start
from surveys.analyses.models import Analysis
from surveys.instruments.models import InstrumentVersion
from surveys.validation.kinds import VALIDATION


def may_see_reports(principal: Principal) -> bool:
    """Whether somebody sees results of the whole organisation, or runs surveys: a questionnaire is
    judged by all of its answers. Whoever is shown its numbers elsewhere sees their report as well.
    """
    everywhere = principal.scope(Permission.VIEW_RESULTS).everywhere
    if everywhere or principal.may(Permission.MANAGE_SURVEYS):
        return True
    return Analysis.objects.visible_to(principal).filter(kind=VALIDATION).exists()


def reports_of(version: InstrumentVersion, *, principal: Principal) -> QuerySet[Analysis]:
    """Return the reports about a version, the newest period first, a year before its last quarter.

    raises: NotPermitted
    """
    if not may_see_reports(principal):
        raise NotPermitted("Whether a questionnaire is sound is for who sees all results.")
    rows = Analysis.objects.visible_to(principal).filter(version=version, kind=VALIDATION)
    return rows.order_by("-starts_on", "grain")


def period_of(row: Analysis) -> Period:
    return Period(row.starts_on, Grain(row.grain), fiscal_start())


def newest_first(rows: QuerySet[Analysis]) -> list[Analysis]:
    """Return the reports by the end of their periods, latest first; a year before its quarter."""
    return sorted(rows, key=lambda row: (period_of(row).end, row.grain == Grain.YEAR), reverse=True)
