"""The newest analyses of each side of the five gaps that a person may see."""

from dataclasses import dataclass
from datetime import date

from sqcore.base.periods import Grain, Period
from sqcore.identity.principals import Principal
from sqcore.org.queries import fiscal_start
from surveys.analyses.models import Analysis
from surveys.gaps.kinds import CUSTOMERS, MANAGERS, STAFF
from surveys.instruments.models import InstrumentVersion
from surveys.instruments.queries import usable_versions

SIDES = (CUSTOMERS, MANAGERS, STAFF)


@dataclass(frozen=True)
class Side:
    """What one group of people was found to say, and when."""

    analysis: Analysis
    period: Period


def sides_seen_by(principal: Principal, *, until: date | None = None) -> dict[str, Side]:
    """Return the newest finding of each side, by kind; of those that end together the longest.

    until: only what ended by this day
    """
    first = fiscal_start()
    rows = (
        Analysis.objects.visible_to(principal)
        .filter(kind__in=SIDES, status="ok")
        .select_related("version__instrument")
        .order_by("id")
    )
    found: dict[str, Side] = {}
    for row in rows:
        side = Side(row, Period(row.starts_on, Grain(row.grain), first))
        if until is not None and side.period.end > until:
            continue
        best = found.get(row.kind)
        if best is None or _rank(side) > _rank(best):
            found[row.kind] = side
    return found


def ends_seen_by(principal: Principal) -> list[date]:
    """Return the days on which a customers' finding ends, the newest first."""
    first = fiscal_start()
    rows = Analysis.objects.visible_to(principal).filter(kind=CUSTOMERS, status="ok")
    spans = rows.order_by("starts_on").values_list("starts_on", "grain").distinct()
    ends = {Period(starts_on, Grain(grain), first).end for starts_on, grain in spans}
    return sorted(ends, reverse=True)


def questionnaires() -> dict[str, InstrumentVersion]:
    """Return those of the questionnaires for employees that can be asked now, by code."""
    versions = usable_versions().filter(instrument__code__in=(MANAGERS, STAFF))
    return {version.instrument.code: version for version in versions}


def _rank(side: Side) -> tuple[date, int, int]:
    """Later ends first; then the longer period; then the newer version."""
    period = side.period
    return period.end, (period.end - period.start).days, side.analysis.version_id
