"""Reading what the diagnosis compares: figures of a unit beside others, encounters, people."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Q

from sqcore.encounters.models import Encounter
from sqcore.encounters.process import Reading, reading_of
from sqcore.evaluation.models import KpiValue, KpiValueQuerySet
from sqcore.identity.permissions import Permission
from sqcore.monitoring.models import Baseline, Signal, Watch
from sqcore.org.queries import organisation
from sqcore.performance.models import ResultsRun, StaffResult
from sqcore.performance.queries import measure_named
from sqcore.reports.evidence import Question

MOST_READ = 4_000
"""Encounters of other units that a map is made of at the most: the latest of the period."""


@dataclass(frozen=True)
class Row:
    """A published figure: of an indicator its value, else its score. Only what is shown."""

    unit_id: int
    code: str
    margin_value: str
    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Beside:
    """The figures of one code: of the unit itself, and of others of its level that are shown."""

    own: Row | None
    others: tuple[Row, ...]


_FIELDS = (
    *("unit_id", "code", "kind", "margin_value", "n"),
    *("value", "low", "high", "score", "score_low", "score_high"),
)


def figures_beside(question: Question, codes: Collection[str]) -> dict[str, Beside]:
    """Return these codes of the unit and of its peers in the run. One query."""
    units = [question.unit.pk, *question.peers]
    rows = _rows(question, codes, margin="").filter(unit__in=units)
    found: dict[str, list[Row]] = {code: [] for code in codes}
    for row in _read(rows):
        found[row.code].append(row)
    return {
        code: Beside(
            next((row for row in listed if row.unit_id == question.unit.pk), None),
            tuple(row for row in listed if row.unit_id != question.unit.pk),
        )
        for code, listed in found.items()
    }


def figures_below(question: Question, codes: Collection[str]) -> dict[str, list[Row]]:
    """Return these codes of the units right below. One query."""
    rows = _rows(question, codes, margin="").filter(unit__in=question.children)
    return _by_code(codes, _read(rows))


def figures_by_channel(question: Question, codes: Collection[str]) -> dict[str, list[Row]]:
    """Return these codes of the unit by channel. One query."""
    rows = _rows(question, codes, margin="channel").filter(unit=question.unit)
    return _by_code(codes, _read(rows))


def _rows(question: Question, codes: Collection[str], *, margin: str) -> KpiValueQuerySet:
    seen = KpiValue.objects.visible_to(question.principal)
    return seen.filter(
        run=question.run, margin=margin, code__in=codes, status=KpiValue.Status.OK
    ).order_by("id")


def _read(rows: KpiValueQuerySet) -> Iterable[Row]:
    for row in rows.values(*_FIELDS):
        natural = row["kind"] == KpiValue.Kind.INDICATOR and row["value"] is not None
        names = ("value", "low", "high") if natural else ("score", "score_low", "score_high")
        value, low, high = (row[name] for name in names)
        where = (row["unit_id"], row["code"], row["margin_value"])
        yield Row(*where, value, low, high, row["n"] or 0)


def _by_code(codes: Collection[str], rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {code: [] for code in codes}
    for row in rows:
        found[row.code].append(row)
    return found


# Encounters ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reworked:
    """Encounters of which it is known whether a stage was done again, and in how many one was."""

    again: int
    n: int


def reworked(question: Question) -> tuple[Reworked, Reworked]:
    """Return the same of the unit with all below it, and of the others. One query."""
    inside = Q(unit__in=question.below)
    rows = Encounter.objects.filter(
        Q(inside | Q(unit__in=question.others)),
        on__gte=question.period.start,
        on__lt=question.period.end,
        reworked__isnull=False,
    )
    found = rows.aggregate(
        n=Count("pk", filter=inside),
        again=Count("pk", filter=inside & Q(reworked=True)),
        all=Count("pk"),
        all_again=Count("pk", filter=Q(reworked=True)),
    )
    own = Reworked(found["again"], found["n"])
    return own, Reworked(found["all_again"] - own.again, found["all"] - own.n)


def process_beside(question: Question) -> tuple[Reading, Reading]:
    """Return the process map of the unit and that of the others. Two queries."""
    return _map(question, question.below), _map(question, question.others)


def _map(question: Question, units: Collection[int]) -> Reading:
    rows = Encounter.objects.filter(
        unit__in=units, on__gte=question.period.start, on__lt=question.period.end
    )
    found = list(rows.order_by("-on", "-id").values_list("steps", flat=True)[: MOST_READ + 1])
    return reading_of(
        found[:MOST_READ],
        period=question.period,
        smallest_group=organisation().smallest_group,
        is_cut=len(found) > MOST_READ,
    )


# Signals ------------------------------------------------------------------------------------------


def signals_in(question: Question, codes: Collection[str]) -> list[Signal]:
    """Return the signals of these indicators at the unit that were not over before the period, the
    strongest first. One query."""
    seen = (
        Signal.objects.visible_to(question.principal)
        .filter(
            Q(recovered_on__isnull=True) | Q(recovered_on__gte=question.period.start),
            system=question.system,
            unit=question.unit,
            code__in=codes,
            alarm_on__lt=question.period.end,
        )
        .select_related("baseline")
    )
    return sorted(seen.order_by("id"), key=lambda signal: -abs(signal.shift_sigma))


def expected_a_series(question: Question) -> float | None:
    """Return how many false signals chance gives a series and year; None before the first pass."""
    watches = Watch.objects.filter(system=question.system, judged__gt=0).order_by("-judged", "id")
    watch = watches.first()
    return None if watch is None else watch.expected_a_year / watch.judged


def watched_series(question: Question) -> int:
    """Return how many series of the unit have a baseline. One query."""
    if question.unit.pk not in question.principal.scope(Permission.VIEW_RESULTS):
        return 0
    found = Baseline.objects.filter(system=question.system, unit=question.unit)
    return found.order_by().values("code", "grain").distinct().count()


# People -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PeopleMeans:
    """What a spread between people is computed from; nobody is named.

    within: the variance of the answers about one person; groups: codes of unit and post
    starts_on: the first day of the window
    """

    run: ResultsRun
    starts_on: date
    means: list[float]
    n: list[int]
    groups: list[int]
    within: float


def people_means(question: Question) -> PeopleMeans | None:
    """Return the figures of who works at the unit and below, of the window that was newest at the
    end of the period; None without one. Two queries."""
    run = (
        ResultsRun.objects.filter(is_current=True, ends_on__lte=question.period.end)
        .select_related("policy")
        .order_by("-ends_on")
        .first()
    )
    measures = run.frozen.get("measures", {}) if run else {}
    overall = [
        (row["n"], key, row["within"])
        for key, row in measures.items()
        if row["within"] and measure_named(key).is_overall
    ]
    if run is None or not overall:
        return None
    _n, measure, within = max(overall)
    rows = (
        StaffResult.objects.visible_to(question.principal, on=question.today)
        .filter(run=run, measure=measure, unit__in=question.below, adjusted__isnull=False)
        .order_by("id")
        .values_list("unit_id", "post_id", "adjusted", "n")
    )
    codes: dict[tuple[int, int], int] = {}
    found = PeopleMeans(run, _months_before(run), [], [], [], within)
    for unit, post, adjusted, n in rows:
        if adjusted is not None:
            found.means.append(adjusted)
            found.n.append(n)
            found.groups.append(codes.setdefault((unit, post), len(codes)))
    return found


def _months_before(run: ResultsRun) -> date:
    month = run.ends_on.year * 12 + run.ends_on.month - 1 - run.policy.window_months
    return date(month // 12, month % 12 + 1, 1)
