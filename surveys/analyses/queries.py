"""Reading analyses: what is shown, what is due, what a group's numbers were."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Min, QuerySet

from sqcore.base.periods import FINENESS, Grain, Period
from sqcore.org.queries import local_day, organisation
from surveys.analyses.groups import Group
from surveys.analyses.models import Analysis
from surveys.analyses.port import KINDS, AnalysisKind
from surveys.instruments.codebook import codebook_of
from surveys.instruments.models import InstrumentVersion
from surveys.responses.models import Response, RollupMonth

GRAINS = (Grain.QUARTER, Grain.YEAR)
"""How long the periods are that are analysed: long enough for many answers."""


@dataclass(frozen=True)
class Due:
    version: InstrumentVersion
    period: Period


def analyses_of(version: InstrumentVersion, period: Period) -> QuerySet[Analysis]:
    return Analysis.objects.filter(
        version=version, grain=period.grain, starts_on=period.start
    ).order_by("id")


def kinds_for(version: InstrumentVersion) -> list[AnalysisKind]:
    """Return the kinds that a published questionnaire has what it takes for."""
    codebook = codebook_of(version)
    return [kind for kind in KINDS if kind.suits(codebook)]


def shown_counts(version: InstrumentVersion, period: Period) -> dict[Group, int]:
    """Return the respondents of each group of which something is shown in this period."""
    rows = analyses_of(version, period).filter(n__isnull=False)
    found: dict[Group, int] = {}
    for unit, margin, value, n in rows.values_list("unit_id", "margin", "margin_value", "n"):
        group = Group(unit, margin, value)
        found[group] = max(n or 0, found.get(group, 0))
    return found


def counts_beside(version: InstrumentVersion, period: Period) -> dict[Group, int]:
    """Return what other periods leave for this one, by group: of a year the sum of its quarters
    that are shown; of a quarter its shown year less the other quarters."""
    if period.grain == Grain.YEAR:
        return _summed(shown_counts(version, quarter) for quarter in _quarters(period))
    year = Period.of(period.start, Grain.YEAR, fiscal_start=period.fiscal_start)
    others = [quarter for quarter in _quarters(year) if quarter.start != period.start]
    taken = _summed(shown_counts(version, quarter) for quarter in others)
    whole = shown_counts(version, year)
    return {group: n - taken.get(group, 0) for group, n in whole.items()}


def _quarters(year: Period) -> list[Period]:
    first = Period.of(year.start, Grain.QUARTER, fiscal_start=year.fiscal_start)
    return [first, first.next, first.next.next, first.next.next.next]


def _summed(parts: Iterator[dict[Group, int]]) -> dict[Group, int]:
    total: dict[Group, int] = {}
    for part in parts:
        for group, n in part.items():
            total[group] = total.get(group, 0) + n
    return total


def due_periods(*, now: datetime) -> Iterator[Due]:
    """Yield the closed quarters and years of published versions whose analyses are missing, of an
    older method, or older than their answers; newest first. Asked for lazily: finding out costs a
    question each where there are no analyses yet."""
    org = organisation()
    today = local_day(now, org)
    changed = _changed(org.fiscal_start)
    versions = {
        version.pk: version
        for version in InstrumentVersion.objects.published().select_related("instrument")
    }
    made = _made()
    kinds = {pk: kinds_for(version) for pk, version in versions.items()}
    closed = [key for key in changed if key[1].end <= today and key[0] in versions]
    for pk, period in sorted(closed, key=lambda key: (key[1].end, -key[0]), reverse=True):
        there = made.get((pk, period.grain.value, period.start), {})
        if not all(_stands(there, kind, changed[pk, period]) for kind in kinds[pk]):
            due = Due(versions[pk], period)
            if there or _is_answered(due):
                yield due


def _stands(
    there: Mapping[str, tuple[int, datetime]], kind: AnalysisKind, changed_at: datetime
) -> bool:
    if kind.key not in there:
        return False
    method, made_at = there[kind.key]
    return method >= kind.method and made_at >= changed_at


def _changed(fiscal_start: int) -> dict[tuple[int, Period], datetime]:
    """Return when the answers of each quarter and year last changed, by version."""
    found: dict[tuple[int, Period], datetime] = {}
    for pk, month, at in RollupMonth.objects.order_by("id").values_list(
        "version_id", "month", "changed_at"
    ):
        for grain in GRAINS:
            key = pk, Period.of(month, grain, fiscal_start=fiscal_start)
            found[key] = max(at, found.get(key, at))
    return found


def _made() -> dict[tuple[int, str, date], dict[str, tuple[int, datetime]]]:
    """Return, by version and period, the oldest method and moment of each kind."""
    rows = (
        Analysis.objects.order_by()
        .values("version_id", "grain", "starts_on", "kind")
        .annotate(method_of=Min("method"), oldest=Min("made_at"))
    )
    found: dict[tuple[int, str, date], dict[str, tuple[int, datetime]]] = {}
    for row in rows:
        key = row["version_id"], row["grain"], row["starts_on"]
        found.setdefault(key, {})[row["kind"]] = row["method_of"], row["oldest"]
    return found


def _is_answered(due: Due) -> bool:
    """Whether there are answers whose day is known well enough for the period."""
    known = [grain for grain in Grain if FINENESS[grain] <= FINENESS[due.period.grain]]
    return (
        Response.objects.counted()
        .filter(
            version=due.version,
            finest_grain__in=known,
            answered_on__gte=due.period.start,
            answered_on__lt=due.period.end,
        )
        .exists()
    )
