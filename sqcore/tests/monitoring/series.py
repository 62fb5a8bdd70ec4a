"""Made series: a published run a period, with figures as a test writes them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.indicators.definition import (
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
)
from sqcore.indicators.models import Indicator, IndicatorSystem, SystemVersion
from sqcore.indicators.sources import Counts
from sqcore.monitoring.models import Watch
from sqcore.monitoring.queries import SeriesKey
from sqcore.monitoring.watching import watch
from sqcore.org.models import Unit

FIRST_WEEK = date(2024, 1, 1)
"""A Monday."""
FIRST_MONTH = date(2024, 1, 1)
CENTRE = 9.0
SIGMA = math.sqrt(math.pi)
"""Of a series that goes to and fro by 2: the mean moving range by d2 = 2 / sqrt(pi)."""


def quiet(periods: int) -> list[float | None]:
    """Return a series in which nothing happens: 8 in odd periods, 10 in even ones."""
    return [10.0 if number % 2 == 0 else 8.0 for number in range(1, periods + 1)]


def shifted(
    values: Sequence[float | None], by: float, *, since: int, until: int | None = None
) -> list[float | None]:
    """Return the series with the values from one period (the first is 1) to another moved.

    by: in sigma. By 3 the sum of a quiet series grows by 3.064 in even periods, by 1.936 in odd
    ones (z is 3 + or - 1 / sigma, less .5): from 0 in period 40 it is 8.064 in period 42
    """
    last = len(values) if until is None else until
    return [
        value + by * SIGMA if value is not None and since <= at <= last else value
        for at, value in enumerate(values, 1)
    ]


def leaf(code: str, **over: object) -> IndicatorDefinition:
    """Return an indicator of which less is better; `worst` and `best` turn it round."""
    fields: dict[str, object] = {
        "code": code,
        "name": {"en": code.title(), "zh-hans": code.title()},
        "definition": {},
        "unit_of_measure": "minutes",
        "direction": "lower",
        "statistic": "mean",
        "source": "encounters",
        "measure": code,
        "weight": 1.0,
        "worst": 20.0,
        "best": 2.0,
        "counts": Counts.ENCOUNTERS.value,
    }
    return IndicatorDefinition(**{**fields, **over})  # type: ignore[arg-type]  # fields by name


MIDDLE = leaf("waiting", worst=1.0, best=9.0, shape="nominal", dead_band=0.0)
"""An indicator that is best at 9 and worth nothing at 1 and at 17."""


@dataclass
class Series:
    """A system whose runs hold what is put here; period 1 is the first week (or month)."""

    system: IndicatorSystem
    version: SystemVersion
    grain: Grain
    definition: SystemDefinition
    runs: dict[date, EvaluationRun] = field(default_factory=dict)

    def period(self, number: int) -> Period:
        """Return the period of this number; the first is 1."""
        period = Period(FIRST_WEEK if self.grain == Grain.WEEK else FIRST_MONTH, self.grain)
        for _step in range(number - 1):
            period = period.next
        return period

    def start(self, number: int) -> date:
        return self.period(number).start

    def after(self, number: int) -> datetime:
        """Return the moment at which this period has just closed."""
        return datetime.combine(self.period(number).end, time(1), UTC)

    def key(self, unit: Unit, code: str = "waiting") -> SeriesKey:
        return SeriesKey(self.system.pk, unit.pk, code, self.grain)

    def put(
        self,
        unit: Unit,
        values: Sequence[float | None],
        *,
        code: str = "waiting",
        first: int = 1,
        error: float | None = None,
        n: int = 40,
    ) -> None:
        """Put these values at a unit, one a period from the `first`; None: nothing is shown.

        error: the standard error that their intervals (95 %) imply; None: they have no interval
        """
        self._runs(first, len(values))
        half = None if error is None else 1.959964 * error
        KpiValue.objects.bulk_create(
            self._row(unit, code, self.start(number), value, half, n)
            for number, value in enumerate(values, first)
        )

    def _row(
        self, unit: Unit, code: str, on: date, value: float | None, half: float | None, n: int
    ) -> KpiValue:
        numbers: Mapping[str, float | None] = {}
        if value is not None:
            numbers = {
                "value": value,
                "score": 50.0,
                "n": n,
                "low": None if half is None else value - half,
                "high": None if half is None else value + half,
            }
        return KpiValue(
            run=self.runs[on],
            is_current=True,
            system=self.system,
            grain=self.grain,
            starts_on=on,
            unit=unit,
            kind=KpiValue.Kind.INDICATOR,
            code=code,
            status=KpiValue.Status.SUPPRESSED if value is None else KpiValue.Status.OK,
            **numbers,
        )

    def _runs(self, first: int, count: int) -> None:
        """Publish a run for each period that has none yet."""
        missing = [
            period
            for period in (self.period(number) for number in range(first, first + count))
            if period.start not in self.runs
        ]
        made = EvaluationRun.objects.bulk_create(self._run(period) for period in missing)
        self.runs |= {run.starts_on: run for run in made}

    def _run(self, period: Period, revision: int = 1) -> EvaluationRun:
        published_at = datetime.combine(period.end, time(0, 30), UTC)
        return EvaluationRun(
            system=self.system,
            version=self.version,
            grain=self.grain,
            starts_on=period.start,
            ends_on=period.end,
            revision=revision,
            is_current=True,
            state=EvaluationRun.State.PUBLISHED,
            reason=EvaluationRun.Reason.CLOSED,
            definition=self.definition.as_json(),
            policy={"smallest_group": 5, "coverage": 0.5, "confidence": 0.95},
            created_at=published_at,
            published_at=published_at,
        )

    def revise(
        self, unit: Unit, number: int, value: float | None, *, code: str = "waiting"
    ) -> None:
        """Publish a period anew, as late data do, with another value at one unit."""
        period = self.period(number)
        former = self.runs[period.start]
        rows = list(KpiValue.objects.filter(run=former).order_by("id"))
        KpiValue.objects.filter(run=former).update(is_current=False)
        EvaluationRun.objects.filter(pk=former.pk).update(is_current=False)
        run = self._run(period, former.revision + 1)
        run.save()
        self.runs[period.start] = run
        for row in rows:
            row.pk, row.run = None, run
            if (row.unit_id, row.code) == (unit.pk, code):
                row.value = value
        KpiValue.objects.bulk_create(rows)

    def watch(self, number: int, *, later: timedelta = timedelta()) -> Watch:
        """Pass over the series as the clock stood when this period had closed."""
        return watch(system=self.system, grain=self.grain, now=self.after(number) + later)

    def replay(self, first: int, last: int) -> Watch:
        """Pass at the end of each of these periods, in order."""
        for number in range(first, last):
            self.watch(number)
        return self.watch(last)


def make_series(
    *leaves: IndicatorDefinition, grain: Grain = Grain.WEEK, code: str = "bank"
) -> Series:
    """Return an empty system of these indicators (one, `waiting`, of which less is better)."""
    system = IndicatorSystem.objects.create(code=code, name={"en": code.title()})
    version = SystemVersion.objects.create(
        system=system,
        number=1,
        state=SystemVersion.State.PUBLISHED,
        grains=[grain],
        since=FIRST_WEEK,
        published_at=datetime(2024, 1, 1, tzinfo=UTC),
    )
    indicators = leaves or (leaf("waiting"),)
    for each in indicators:
        Indicator.objects.get_or_create(
            code=each.code, defaults={"name": each.name, "source": each.source}
        )
    part = DimensionDefinition(
        code="service", name={"en": "Service"}, weight=1.0, indicators=indicators
    )
    definition = SystemDefinition(
        system=code, name=system.name, version=1, dimensions=(part,), whole=grain != Grain.WEEK
    )
    return Series(system, version, grain, definition)
