"""Reading analyses: what is and was shown, what is due."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Min, Q, QuerySet

from sqcore.base.periods import FINENESS, Grain, Period
from sqcore.org.queries import local_day, organisation
from surveys.analyses.groups import Group
from surveys.analyses.models import Analysis, ShownGroup, ids_of
from surveys.analyses.port import KINDS, AnalysisKind
from surveys.analyses.release import History, People, Sum
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


def shown_groups(version: InstrumentVersion, period: Period) -> list[ShownGroup]:
    """Return what was ever shown of a version in a quarter or year, the year that it lies in, and
    the quarters of that; of a group and period the newest last."""
    year = Period.of(period.start, Grain.YEAR, fiscal_start=period.fiscal_start)
    starts = [quarter.start for quarter in _quarters(year)]
    rows = ShownGroup.objects.filter(version=version).filter(
        Q(grain=Grain.YEAR, starts_on=year.start) | Q(grain=Grain.QUARTER, starts_on__in=starts)
    )
    return list(rows.order_by("revision", "id"))


def of_period(rows: Iterable[ShownGroup], period: Period) -> list[ShownGroup]:
    return [row for row in rows if (row.grain, row.starts_on) == (period.grain, period.start)]


def history_of(rows: Sequence[ShownGroup], period: Period, groups: Sequence[Group]) -> History:
    """Return what was shown of these groups before, in this period and beside it."""
    people = {row.pk: ids_of(row.responses) for row in rows}
    mine = of_period(rows, period)
    moments = sorted({row.revision for row in mine} | {row.until for row in mine if row.until})
    earlier = []
    for moment in moments:
        there = {
            group_of(row): people[row.pk]
            for row in mine
            if row.revision <= moment and (row.until is None or row.until > moment)
        }
        earlier.append([there.get(group) for group in groups])
    year = Period.of(period.start, Grain.YEAR, fiscal_start=period.fiscal_start)
    others = [quarter for quarter in _quarters(year) if quarter != period]
    parts = _last_known(rows, others, people)
    if period.grain == Grain.YEAR:
        beside = [[Sum(parts[group])] if group in parts else [] for group in groups]
    else:
        beside = [[] for _group in groups]
        at = {group: place for place, group in enumerate(groups)}
        for row in of_period(rows, year):
            group = group_of(row)
            if group in at:
                beside[at[group]].append(Sum((people[row.pk],), parts.get(group, ())))
    return History(earlier, beside)


def _last_known(
    rows: Sequence[ShownGroup], quarters: Iterable[Period], people: Mapping[int, People]
) -> dict[Group, tuple[People, ...]]:
    """Return, of each group, the people of these quarters as last shown."""
    found: dict[Group, tuple[People, ...]] = {}
    for quarter in quarters:
        last = {group_of(row): people[row.pk] for row in of_period(rows, quarter)}
        for group, there in last.items():
            found[group] = (*found.get(group, ()), there)
    return found


def group_of(row: Analysis | ShownGroup) -> Group:
    return Group(row.unit_id, row.margin, row.margin_value)


def _quarters(year: Period) -> list[Period]:
    first = Period.of(year.start, Grain.QUARTER, fiscal_start=year.fiscal_start)
    return [first, first.next, first.next.next, first.next.next.next]


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
