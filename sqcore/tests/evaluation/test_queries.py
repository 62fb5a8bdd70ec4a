"""Reading the series: scope, changes, and what a page costs."""

from datetime import date

import pytest
from pytest_django import DjangoAssertNumQueries

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period
from sqcore.evaluation import queries
from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.services import evaluate_due
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal, Scope
from sqcore.indicators.models import IndicatorSystem
from sqcore.indicators.starters import starter_system
from sqcore.org.models import Unit
from sqcore.tests.evaluation.bank import SYSTEM, MemorySource, bank_system, measure, months_later
from sqcore.tests.factories import make_channel, make_principal, make_unit

pytestmark = pytest.mark.django_db

JANUARY = Period(date(2026, 1, 1), Grain.MONTH)
FEBRUARY = JANUARY.next

ANA = make_principal({Permission.VIEW_RESULTS: EVERYWHERE}, key="user:ana")
CHEN = make_principal({}, key="user:chen")


class Bank:
    """Two branches; in February the north is clearly better, the south is not."""

    def __init__(self, source: MemorySource) -> None:
        self.root = make_unit("bank")
        self.north = make_unit("north", parent=self.root)
        self.south = make_unit("south", parent=self.root)
        make_channel("desk")
        make_channel("phone")
        self.system, _version = bank_system(
            [measure("overall", "outcome"), measure("reliability", "process")]
        )
        for month, lift in ((1, 0), (2, 2)):
            for unit, gain in ((self.north, lift), (self.south, 0)):
                for channel in ("desk", "phone"):
                    rows = [
                        {"overall": 3 + number % 3 + gain, "reliability": 3 + number % 3}
                        for number in range(9)
                    ]
                    source.add(unit, date(2026, month, 5), *rows, channel=channel)
        evaluate_due(now=months_later(2))


@pytest.fixture
def bank(source: MemorySource) -> Bank:
    return Bank(source)


def _mei(unit: Unit) -> Principal:
    scope = Scope(units=frozenset({unit.pk}))
    return make_principal({Permission.VIEW_RESULTS: scope}, key="user:mei")


class TestScope:
    def test_a_manager_sees_the_own_unit_alone(self, bank: Bank) -> None:
        mei = _mei(bank.north)

        lines = queries.units_compared(
            principal=mei, system=bank.system, period=FEBRUARY, code="composite"
        )
        elsewhere = queries.kpi_series(
            principal=mei,
            system=bank.system,
            unit=bank.south,
            code="overall",
            grain=Grain.MONTH,
        )

        assert [line.code for line in lines] == ["north"]
        assert elsewhere == []

    def test_an_outsider_sees_nothing(self, bank: Bank) -> None:
        standing = queries.standing(
            principal=CHEN, system=bank.system, unit=bank.root, period=FEBRUARY
        )

        assert standing.composite.figure is None
        assert [line.figure for line in standing.dimensions] == [None, None]
        with pytest.raises(NotFound):
            queries.provenance(principal=CHEN, run_id=EvaluationRun.objects.all()[0].pk)


class TestSeries:
    def test_oldest_first_within_bounds(self, bank: Bank) -> None:
        series = queries.kpi_series(
            principal=ANA,
            system=bank.system,
            unit=bank.north,
            code="overall",
            grain=Grain.MONTH,
        )
        last = queries.kpi_series(
            principal=ANA,
            system=bank.system,
            unit=bank.north,
            code="overall",
            grain=Grain.MONTH,
            first=date(2026, 2, 1),
        )

        assert [(figure.period.key, figure.value, figure.n) for figure in series] == [
            ("2026-01", 4.0, 18),
            ("2026-02", 6.0, 18),
        ]
        assert [figure.period for figure in last] == [FEBRUARY]

    def test_of_one_channel(self, bank: Bank) -> None:
        series = queries.kpi_series(
            principal=ANA,
            system=bank.system,
            unit=bank.root,
            code="overall",
            grain=Grain.MONTH,
            margin="channel",
            margin_value="phone",
        )

        assert [(figure.value, figure.n) for figure in series] == [(4.0, 18), (5.0, 18)]

    def test_costs_two_queries(
        self, bank: Bank, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(2):
            queries.kpi_series(
                principal=ANA,
                system=bank.system,
                unit=bank.north,
                code="overall",
                grain=Grain.MONTH,
            )


class TestStanding:
    def test_tells_a_clear_change_from_none(self, bank: Bank) -> None:
        north = queries.standing(
            principal=ANA, system=bank.system, unit=bank.north, period=FEBRUARY
        )
        south = queries.standing(
            principal=ANA, system=bank.system, unit=bank.south, period=FEBRUARY
        )

        assert north.composite.change is not None
        assert north.composite.change.by == pytest.approx(100 / 6)
        assert (north.composite.change.is_clear, north.composite.change.is_better) == (True, True)
        assert south.composite.change is not None
        assert (south.composite.change.by, south.composite.change.is_better) == (0.0, None)
        outcome, process = north.dimensions
        assert outcome.change is not None
        assert outcome.change.is_clear
        assert process.change is not None
        assert not process.change.is_clear

    def test_gives_an_indicators_change_in_its_own_unit(self, bank: Bank) -> None:
        north = queries.standing(
            principal=ANA, system=bank.system, unit=bank.north, period=FEBRUARY
        )

        overall = north.dimensions[0].children[0]
        assert overall.change is not None
        assert overall.change.by == pytest.approx(2.0)
        assert overall.change.low < 2.0 < overall.change.high
        assert overall.change.since == JANUARY

    def test_the_first_period_has_no_change(self, bank: Bank) -> None:
        standing = queries.standing(
            principal=ANA, system=bank.system, unit=bank.north, period=JANUARY
        )

        assert standing.composite.change is None

    def test_says_from_what_it_comes(self, bank: Bank) -> None:
        standing = queries.standing(
            principal=ANA, system=bank.system, unit=bank.root, period=FEBRUARY
        )

        assert standing.run.sources == ("Answers in memory",)
        assert (standing.run.revision, standing.run.respondents) == (1, 36)
        assert standing.run.smallest_group == 5
        assert standing.run == queries.provenance(principal=ANA, run_id=standing.run.run_id)

    def test_a_period_without_a_run_is_not_found(self, bank: Bank) -> None:
        with pytest.raises(NotFound, match="2026-03"):
            queries.standing(
                principal=ANA, system=bank.system, unit=bank.root, period=FEBRUARY.next
            )

    def test_costs_three_queries(
        self, bank: Bank, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(3):
            queries.standing(principal=ANA, system=bank.system, unit=bank.root, period=FEBRUARY)


class TestChangeOfComposition:
    def _system(self, *codes: str) -> IndicatorSystem:
        return starter_system(
            code="bank",
            name={"en": "Bank quality"},
            measures=[measure(code, "all") for code in codes],
            grains=["month"],
            since=date(2026, 1 if len(codes) == 1 else 2, 1),
            by=SYSTEM,
            now=months_later(0),
        ).system

    def test_compares_what_both_periods_have_and_says_so(self, source: MemorySource) -> None:
        unit = make_unit("bank")
        for month in (1, 2):
            rows = [
                {"overall": 4 + number % 2, "reliability": 7 - number % 2} for number in range(8)
            ]
            source.add(unit, date(2026, month, 5), *rows)
        self._system("overall")
        evaluate_due(now=months_later(1))
        system = self._system("overall", "reliability")
        evaluate_due(now=months_later(2))

        change = queries.standing(
            principal=ANA, system=system, unit=unit, period=FEBRUARY
        ).composite.change

        assert change is not None
        assert (change.by, change.is_clear, change.composition_changed) == (0.0, False, True)


class TestComparisons:
    def test_units_in_the_order_of_the_tree(self, bank: Bank) -> None:
        lines = queries.units_compared(
            principal=ANA, system=bank.system, period=FEBRUARY, code="overall"
        )

        assert [(line.code, line.depth, line.figure.value) for line in lines] == [
            ("bank", 0, 5.0),
            ("north", 1, 6.0),
            ("south", 1, 4.0),
        ]
        assert lines[1].change is not None
        assert lines[1].change.is_better is True

    def test_siblings_stand_in_the_order_that_was_set_for_the_units(self, bank: Bank) -> None:
        Unit.objects.filter(code="south").update(position=1)
        Unit.objects.filter(code="north").update(position=2)

        lines = queries.units_compared(
            principal=ANA, system=bank.system, period=FEBRUARY, code="overall"
        )

        assert [line.code for line in lines] == ["bank", "south", "north"]

    def test_a_unit_with_its_children(self, bank: Bank) -> None:
        lines = queries.units_compared(
            principal=ANA, system=bank.system, period=FEBRUARY, code="overall", below=bank.north
        )

        assert [line.code for line in lines] == ["north"]

    def test_channels_beside_all(self, bank: Bank) -> None:
        lines = queries.margins_compared(
            principal=ANA,
            system=bank.system,
            unit=bank.root,
            period=FEBRUARY,
            code="overall",
            margin="channel",
        )

        assert [(line.name, line.figure.n) for line in lines] == [
            ("", 36),
            ("Desk", 18),
            ("Phone", 18),
        ]

    def test_cost_two_queries_each(
        self, bank: Bank, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(2):
            queries.units_compared(
                principal=ANA, system=bank.system, period=FEBRUARY, code="overall"
            )
        with django_assert_num_queries(2):
            queries.margins_compared(
                principal=ANA,
                system=bank.system,
                unit=bank.root,
                period=FEBRUARY,
                code="overall",
                margin="channel",
            )


def test_periods_newest_first_and_grains(bank: Bank) -> None:
    assert queries.periods_of(system=bank.system, grain=Grain.MONTH) == [FEBRUARY, JANUARY]
    assert queries.latest_period(system=bank.system, grain=Grain.MONTH) == FEBRUARY
    assert queries.latest_period(system=bank.system, grain=Grain.YEAR) is None
    assert queries.grains_of(system=bank.system) == [Grain.MONTH]
