"""Each kind of chart on the chart of a series: chosen by its data or by a person, frozen, drawn."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain
from sqcore.encounters.models import Encounter
from sqcore.evaluation.models import KpiValue
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import system_principal
from sqcore.indicators.models import UnitOfMeasure
from sqcore.measurements.models import Measure, Observation
from sqcore.measurements.services import NewState, take_states
from sqcore.monitoring.charts import Chart, chart_at, chart_of
from sqcore.monitoring.models import Baseline, Kind
from sqcore.monitoring.services import propose_baseline
from sqcore.org.models import Unit
from sqcore.stats.arrays import FloatArray
from sqcore.stats.charts import ChartKind, freeze
from sqcore.stats.rare import t_lines
from sqcore.stats.rates import garwood
from sqcore.stats.rules import Rule, Variation
from sqcore.tests.factories import make_unit
from sqcore.tests.measurements.making import machine
from sqcore.tests.monitoring.series import Series, leaf, make_series, quiet
from sqcore.tests.monitoring.test_api import body
from sqcore.tests.monitoring.test_baselines import somebody
from sqcore.tests.monitoring.test_pages import page, person, words
from sqcore.tests.rest import make_key
from sqcore.tests.stats.test_more_charts import CIRCUITS, MONTGOMERY_9, RINGS, SMOOTHED

pytestmark = pytest.mark.django_db

EVERYBODY = system_principal("test")
LATER = date(2030, 1, 1)
CHART = "/quality/charts/bank/north/waiting/"
WIDTH = 2.66 * 1.1283792
GAPS = [
    *(9, 14, 3, 27, 11, 6, 19, 8, 31, 12, 5, 16, 22, 7, 13, 10, 25, 4, 18, 9, 15, 28, 6, 12),
    *(21, 8, 17, 11, 5, 24),
]
"""Days from one robbery to the next: 30 of them in 420 days."""


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


def chart(bank: Series, unit: Unit, *, view: str = "", profile: str = "nhs") -> Chart:
    return chart_at(
        principal=EVERYBODY,
        system=bank.system,
        unit=unit,
        code="waiting",
        grain=bank.grain,
        today=LATER,
        view=view,
        profile=profile,
    )


def with_intervals(unit: Unit, lows: FloatArray, highs: FloatArray) -> None:
    rows = list(KpiValue.objects.filter(unit=unit).order_by("starts_on"))
    for row, low, high in zip(rows, lows, highs, strict=True):
        row.low, row.high = float(low), float(high)
    KpiValue.objects.bulk_update(rows, ["low", "high"])


def put_counts(bank: Series, unit: Unit, counts: Sequence[float], exposure: float) -> None:
    """Put counts as an evaluation shows them: one report a period, with its exact interval."""
    bank.put(unit, [count / exposure for count in counts], n=1)
    exact = garwood(counts)
    with_intervals(unit, exact.low / exposure, exact.high / exposure)


def faults(grain: Grain = Grain.WEEK, **over: object) -> Series:
    fields: dict[str, object] = {
        "statistic": "rate",
        "unit_of_measure": UnitOfMeasure.PER_THOUSAND.value,
        "counts": "measurements",
        "source": "measurements",
        "measure": "faults",
        **over,
    }
    return make_series(leaf("waiting", **fields), grain=grain)


def measured(unit: Unit, days: Sequence[date], *, first: date, length: int, cases: int = 0) -> None:
    """Report every single day, with the events of these days; with cases: of a share."""
    measure = Measure.objects.create(
        code="faults",
        name={"en": "Faults"},
        since=first,
        kind=Measure.Kind.SHARE if cases else Measure.Kind.RATE,
        unit_of_measure="share" if cases else "count",
    )
    Observation.objects.bulk_create(
        Observation(
            measure=measure,
            unit=unit,
            grain=Grain.DAY,
            starts_on=first + timedelta(days=at),
            n=cases or 1,
            numerator=days.count(first + timedelta(days=at)),
            denominator=cases or 1,
            source="test",
            recorded_at=datetime(2024, 1, 1, tzinfo=UTC),
        )
        for at in range(length)
    )


def weekly(bank: Series, days: Sequence[date], weeks: int) -> list[int]:
    """Return on how many of these days it happened, by week."""
    return [
        sum(bank.start(number) <= day < bank.start(number + 1) for day in days)
        for number in range(1, weeks + 1)
    ]


@pytest.fixture
def robberies(north: Unit) -> Series:
    """31 robberies in 60 weeks: most weeks have none or one, 13 of them in the first 26."""
    bank = faults(source="measurements")
    first = bank.start(1)
    days = [first + timedelta(days=int(at)) for at in np.cumsum([2, *GAPS])]
    measured(north, days, first=first, length=7 * 60)
    put_counts(bank, north, weekly(bank, days, 60), 7.0)
    return bank


class TestCounts:
    def test_with_equal_opportunity_have_the_limits_of_montgomery(self, north: Unit) -> None:
        bank = faults()
        put_counts(bank, north, CIRCUITS[:26], 1.0)
        bank.watch(26)

        found = chart(bank, north)

        assert (found.limits.kind, found.reason) in (
            (ChartKind.C, "equal_opportunity"),
            (ChartKind.U_PRIME, "more_than_sizes_explain"),
        )
        mean = float(np.mean(CIRCUITS[:26]))
        assert found.limits.centre == pytest.approx(mean)

    def test_that_vary_by_chance_alone_get_a_c_chart(self, north: Unit) -> None:
        counts = np.random.default_rng(5).poisson(16, 30)
        bank = faults()
        put_counts(bank, north, counts.tolist(), 4.0)
        bank.watch(30)

        found = chart(bank, north)

        mean = float(counts[:26].mean())
        assert (found.limits.kind, found.reason) == (ChartKind.C, "equal_opportunity")
        assert found.points[0].upper == pytest.approx((mean + WIDTH * mean**0.5) / 4)
        baseline = Baseline.objects.get()
        assert (baseline.kind, baseline.kind_chosen) == (Kind.C, False)

    def test_of_changing_opportunity_are_read_with_what_they_are_of(self, north: Unit) -> None:
        """n counts the reports; how many hours they are of, the interval says."""
        rng = np.random.default_rng(8)
        exposure = np.tile([2.0, 8.0], 15)
        counts = rng.poisson(6 * exposure)
        bank = faults()
        bank.put(north, (counts / exposure).tolist(), n=1)
        exact = garwood(counts)
        with_intervals(north, exact.low / exposure, exact.high / exposure)
        bank.watch(30)

        found = chart(bank, north)

        assert found.limits.kind == ChartKind.U
        centre = float(counts[:26].sum() / exposure[:26].sum())
        assert found.limits.centre == pytest.approx(centre, rel=1e-5)
        widths = [(point.upper or 0) - centre for point in found.points[:2]]
        assert widths == pytest.approx(
            [WIDTH * (centre / 2) ** 0.5, WIDTH * (centre / 8) ** 0.5], rel=1e-4
        )


class TestMeans:
    @pytest.fixture
    def rings(self, north: Unit) -> Series:
        bank = make_series(leaf("waiting", worst=75.0, best=73.0))
        groups = np.array(RINGS).reshape(25, 5)
        bank.put(north, groups.mean(axis=1).tolist(), n=5)
        half = 2.7764451 * groups.std(axis=1, ddof=1) / 5**0.5
        with_intervals(north, groups.mean(axis=1) - half, groups.mean(axis=1) + half)
        return bank

    def test_whose_spread_explains_them_get_an_x_bar_chart(self, north: Unit) -> None:
        rng = np.random.default_rng(21)
        bank = make_series(leaf("waiting"))
        groups = rng.normal(9.0, 3.0, (30, 36))
        means, errors = groups.mean(axis=1), groups.std(axis=1, ddof=1) / 6
        bank.put(north, means.tolist(), n=36)
        with_intervals(north, means - 2.0301079 * errors, means + 2.0301079 * errors)
        bank.watch(30)

        found = chart(bank, north)

        assert (found.limits.kind, found.reason) == (ChartKind.XBAR_S, "as_within_explains")
        assert found.limits.sigma == pytest.approx(3.0, rel=0.1)
        point = found.points[0]
        assert (point.upper or 0) - (point.centre or 0) == pytest.approx(
            WIDTH * found.limits.sigma / 6
        )
        assert point.spread is not None
        assert point.spread.value == pytest.approx(groups[0].std(ddof=1), rel=1e-6)
        baseline = Baseline.objects.get()
        # What the opener reads stays the mean of the periods.
        assert baseline.centre == pytest.approx(means[:26].mean())
        assert baseline.drawn_centre == pytest.approx(means[:26].mean())

    def test_whose_intervals_are_cut_at_the_end_of_the_scale_get_the_whole_spread(
        self, north: Unit
    ) -> None:
        """Repairs take no less than no time: four of them a week, and their interval ends at 0.

        Simulated with such repairs (exponential, 400 series): from the cut intervals sigma is 14 %
        too small, and 3.0 % of the weeks are beyond the limits by chance instead of 1.7 %.
        """
        groups = np.random.default_rng(4).exponential(2.0, (30, 4))
        means, deviations = groups.mean(axis=1), groups.std(axis=1, ddof=1)
        half = 3.1824463 * deviations / 2
        bank = make_series(leaf("waiting"))
        bank.put(north, means.tolist(), n=4)
        with_intervals(north, np.maximum(means - half, 0.0), means + half)

        assert (means < half).sum() >= 10
        found = chart(bank, north)
        spreads = found.window.spreads
        bank.watch(30)
        watched = chart(bank, north).limits

        assert spreads == pytest.approx(deviations, rel=1e-6)
        limits = freeze(
            means[:26], kind=ChartKind.XBAR_S, sizes=[4.0] * 26, spreads=deviations[:26]
        )
        assert watched.kind == ChartKind.XBAR_S
        assert watched.sigma == pytest.approx(limits.sigma)

    def test_that_vary_beyond_their_spread_stay_on_xmr_with_the_reason(self, north: Unit) -> None:
        bank = make_series(leaf("waiting"))
        bank.put(north, quiet(30), error=0.02, n=5000)
        bank.watch(30)

        found = chart(bank, north)

        assert (found.limits.kind, found.reason) == (ChartKind.XMR, "more_than_within_explains")
        text = words(page(person("ana", Role.ANALYST), CHART))
        assert "limits from that would be far too narrow" in text

    def test_a_person_may_choose_x_bar_and_gets_montgomery_s_limits(
        self, north: Unit, rings: Series
    ) -> None:
        made = propose_baseline(
            key=rings.key(north),
            starts_on=rings.start(1),
            ends_on=rings.start(26),
            applies_from=rings.start(26),
            reason="Five rings of every shift: x-bar and S is what the plant reads.",
            by=somebody("quality", Role.ANALYST),
            now=rings.after(25),
            kind="xbar_s",
        )

        found = chart(rings, north, profile="nelson")

        assert (made.kind, made.kind_chosen, made.allowance) == ("xbar_s", True, 0.0)
        assert found.reason == "chosen_by_a_person"
        point = found.points[0]
        assert (point.lower, point.upper) == pytest.approx((73.987760123, 74.014591877))
        assert point.spread is not None
        assert point.spread.centre == pytest.approx(0.009399483885737)
        text = words(page(person("ana", Role.ANALYST), CHART))
        assert "A person chose it when the baseline was set" in text
        assert "Spread within the periods" in text

    def test_a_kind_that_does_not_suit_is_refused(self, north: Unit, rings: Series) -> None:
        with pytest.raises(InvalidInput, match="do not give such a chart") as refusal:
            propose_baseline(
                key=rings.key(north),
                starts_on=rings.start(1),
                ends_on=rings.start(26),
                applies_from=rings.start(26),
                reason="I like it.",
                by=somebody("quality", Role.ANALYST),
                now=rings.after(25),
                kind="t",
            )

        assert [problem.field for problem in refusal.value.problems] == ["kind"]


class TestRareEvents:
    def test_get_a_chart_of_the_days_between_them(self, north: Unit, robberies: Series) -> None:
        robberies.watch(60)

        found = chart(robberies, north, profile="nelson")

        assert (found.limits.kind, found.reason) == (ChartKind.T, "rare_days_between")
        assert [point.seen.value for point in found.points] == GAPS
        inside = [
            gap
            for gap, point in zip(GAPS, found.points, strict=True)
            if point.seen.period.start < robberies.start(27)
        ]
        lines = t_lines(inside)
        assert (found.limits.n0, found.limits.status) == (len(inside), lines.status)
        point = found.points[-1]
        assert (point.centre, point.lower, point.upper) == pytest.approx(
            (lines.centre, lines.lower, lines.upper)
        )
        # Long is good, and a target by the period is none of theirs.
        assert (found.better, found.target) == (1, None)
        assert found.passed is not None
        assert found.passed.last_on == point.seen.period.start

    def test_that_come_closer_are_of_concern(self, north: Unit) -> None:
        bank = faults()
        first = bank.start(1)
        often = [first + timedelta(days=int(at)) for at in np.cumsum([*GAPS, *[1] * 8])]
        measured(north, often, first=first, length=7 * 70)
        counts = [
            sum(bank.start(n) <= day < bank.start(n + 1) for day in often) for n in range(1, 71)
        ]
        put_counts(bank, north, counts, 7.0)
        bank.watch(40)

        found = chart(bank, north)

        assert found.variation == Variation.CONCERN_LOW
        assert Rule.SHIFT in [flag.rule for flag in found.points[-1].flags]
        text = words(page(person("ana", Role.ANALYST), CHART))
        assert "Worse: it became more frequent" in text
        assert "t chart (days between rare events)" in text
        assert "Since the last one" in text

    def test_are_watched_and_checked_by_the_period_all_the_same(
        self, north: Unit, robberies: Series
    ) -> None:
        robberies.watch(60)

        baseline = Baseline.objects.get()
        by_period = chart_of(principal=EVERYBODY, key=robberies.key(north), today=LATER)

        assert (baseline.kind, baseline.n, baseline.drawn_n) == ("t", 26, 12)
        shares = [point.value for point in by_period.seen[:26] if point.value is not None]
        assert baseline.centre == pytest.approx(np.mean(shares))
        assert (by_period.limits.kind, len(by_period.points)) == (ChartKind.XMR, 60)

    def test_before_a_baseline_there_are_trial_limits(self, north: Unit, robberies: Series) -> None:
        found = chart(robberies, north)

        assert (found.limits.kind, found.baseline) == (ChartKind.T, None)
        assert found.limits.status == "trial"

    def test_of_cases_are_counted_in_cases(self, north: Unit) -> None:
        bank = faults(statistic="proportion", unit_of_measure="share", worst=0.1, best=0.0)
        first = bank.start(1)
        days = [first + timedelta(days=int(at)) for at in np.cumsum([2, *GAPS])]
        measured(north, days, first=first, length=7 * 60, cases=10)
        shares = [count / 70 for count in weekly(bank, days, 60)]
        bank.put(north, shares, n=70)
        bank.watch(60)

        found = chart(bank, north)

        assert (found.limits.kind, found.reason) == (ChartKind.G, "rare_cases_between")
        # Ten cases a day: one event after 9 days comes after the 89 cases in between.
        assert [point.seen.value for point in found.points[:2]] == [89.0, 139.0]
        assert Rule.TWO_OF_THREE not in [rule for rule, _numbers in found.profile.rules]

    def test_whose_source_does_not_tell_days_stay_with_counts(self, north: Unit) -> None:
        bank = faults(source="encounters")
        put_counts(bank, north, [0, 1, 0, 0, 2, 0, 0, 0] * 4, 7.0)
        bank.watch(32)

        assert chart(bank, north).limits.kind in (ChartKind.U, ChartKind.C)

    def test_between_outages_of_a_machine_are_the_days_that_its_states_tell(
        self, north: Unit
    ) -> None:
        bank = faults(source="equipment", measure="outages///atm-1")
        first = bank.start(1)
        days = [first + timedelta(days=int(at)) for at in np.cumsum([2, *GAPS])]
        atm = machine("atm-1", north, installed_on=first)
        other = machine("atm-2", north, installed_on=first)
        states = [(first, "up"), *((day, state) for day in days for state in ("down", "up"))]
        hours = {"up": 20, "down": 9}
        take_states(
            rows=[
                NewState(one.pk, state, datetime(*day.timetuple()[:3], hours[state], tzinfo=UTC))
                for one, told in ((atm, states), (other, [(first, "up"), (first, "down")]))
                for day, state in told
            ],
            now=datetime(2030, 1, 1, tzinfo=UTC),
        )
        put_counts(bank, north, weekly(bank, days, 60), 7.0)
        bank.watch(60)

        found = chart(bank, north)

        assert (found.limits.kind, found.reason) == (ChartKind.T, "rare_days_between")
        shifted = [point.seen.period.start for point in found.points]
        assert [(later - day).days for day, later in zip(days[1:], shifted, strict=True)] == [
            0 for _day in days[1:]
        ]
        assert [point.seen.value for point in found.points] == GAPS

    def test_between_encounters_are_those_that_went_well_in_between(self, north: Unit) -> None:
        bank = faults(
            source="encounters",
            counts="encounters",
            measure="reworked",
            statistic="proportion",
            unit_of_measure="share",
            worst=0.1,
            best=0.0,
        )
        first = bank.start(1)
        days = [first + timedelta(days=int(at)) for at in np.cumsum([2, *GAPS])]
        Encounter.objects.bulk_create(
            Encounter(
                key=f"{at}-{number}",
                unit=north,
                on=first + timedelta(days=at),
                arrived_at=datetime(2024, 1, 1, tzinfo=UTC),
                recorded_at=datetime(2024, 1, 1, tzinfo=UTC),
                reworked=number == 0 and first + timedelta(days=at) in days,
            )
            for at in range(7 * 60)
            for number in range(3)
        )
        bank.put(north, [count / 21 for count in weekly(bank, days, 60)], n=21)
        bank.watch(60)

        found = chart(bank, north)

        assert (found.limits.kind, found.reason) == (ChartKind.G, "rare_cases_between")
        # Three encounters a day: 9 days apart there were 26 in between that went well.
        assert [point.seen.value for point in found.points[:2]] == [26.0, 41.0]

    def test_over_rest_say_what_they_are(self, north: Unit, robberies: Series) -> None:
        robberies.watch(60)
        path = "charts?system=bank&unit=north&code=waiting&grain=week"

        found = body(path, make_key(Permission.VIEW_RESULTS))

        assert (found["kind"], found["points_are"], found["counted_in"]) == ("t", "events", "days")
        assert found["suiting_kinds"] == ["xmr", "u", "u_prime", "c", "t"]
        assert len(found["points"]) == 30

    def test_cost(
        self,
        north: Unit,
        robberies: Series,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        robberies.watch(60)

        with django_assert_num_queries(12):
            chart(robberies, north)


class TestSmoothed:
    def test_line_is_that_of_the_published_case_in_its_form(self, north: Unit) -> None:
        bank = make_series(leaf("waiting"))
        bank.put(north, [*quiet(26), *(value - 1 for value in MONTGOMERY_9)])
        bank.watch(56)

        found = chart(bank, north, view="ewma")

        centre = found.limits.centre
        line = centre
        for point in found.points:
            assert point.seen.value is not None
            line = 0.2 * point.seen.value + 0.8 * line
            assert point.smoothed is not None
            assert point.smoothed.value == pytest.approx(line)
        assert len(SMOOTHED) == 30
        text = words(page(person("ana", Role.ANALYST), CHART + "?view=ewma"))
        assert "smoothed line with its limits" in text
        assert "Smoothed the line is beyond its limits in" in text

    def test_is_offered_on_single_values_only(self, north: Unit, robberies: Series) -> None:
        robberies.watch(60)
        assert not chart(robberies, north, view="ewma").is_smoothed

    def test_over_rest(self, north: Unit) -> None:
        bank = make_series(leaf("waiting"))
        bank.put(north, quiet(30))
        bank.watch(30)
        key = make_key(Permission.VIEW_RESULTS)
        path = "charts?system=bank&unit=north&code=waiting&grain=week"

        assert body(path, key)["points"][0]["smoothed"] is None
        first = body(path + "&view=ewma", key)["points"][0]["smoothed"]
        assert first["value"] == pytest.approx(9 - 0.2)
        assert first["beyond"] is False
