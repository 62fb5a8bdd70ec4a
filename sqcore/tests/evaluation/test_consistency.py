"""How alike the service is between groups: computed by every run from frozen sums."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import EvaluationRun, FrozenCells, KpiValue
from sqcore.evaluation.services import evaluate_due, replay
from sqcore.identity.permissions import Role
from sqcore.indicators import sources
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.sources import Between, Collected, Counts, SourceCell
from sqcore.indicators.trees import Leaf
from sqcore.org.models import Unit
from sqcore.stats.consistency import consistency
from sqcore.stats.moments import moments_of
from sqcore.tests.evaluation.bank import (
    BEFORE,
    SYSTEM,
    MemorySource,
    branch,
    indicator,
    months_later,
    tree_system,
)
from sqcore.tests.evaluation.test_pages import page, person, words
from sqcore.tests.factories import make_unit

pytestmark = pytest.mark.django_db

DAY = date(2026, 1, 9)


@dataclass
class GroupedSource(MemorySource):
    """Answers in a list whose segment stands for the shift or the person."""

    key: str = "grouped"
    counts: Counts = Counts.ENCOUNTERS

    def groups_of(self, measure: str) -> Sequence[Between]:
        return list(Between)

    def collect_groups(
        self, *, measures: Sequence[str], between: Between, period: Period
    ) -> Collected:
        rows = [answer for answer in self.answers if answer.on in period]
        cells: dict[SourceCell, int] = {}
        owners = []
        for answer in rows:
            week = f"{answer.on.isocalendar().week:02d}"
            value = week if between is Between.WEEK else answer.segment
            cell = SourceCell(answer.unit_id, between.value, value)
            owners.append(cells.setdefault(cell, len(cells)))
        moments = moments_of(
            np.array([[row.values.get(name, 0) for name in measures] for row in rows]),
            np.array([[name in row.values for name in measures] for row in rows], dtype=np.bool_),
            None,
            np.array(owners, dtype=np.int64),
            len(cells),
        )
        return Collected(list(cells), list(measures), [self.scales[m] for m in measures], moments)


def _register(monkeypatch: pytest.MonkeyPatch, counts: Counts) -> GroupedSource:
    memory = GroupedSource(scales={"waiting": 60, "solved": 1}, counts=counts)
    monkeypatch.setitem(sources.SOURCES._offers, memory.key, memory)
    return memory


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> GroupedSource:
    return _register(monkeypatch, Counts.ENCOUNTERS)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> GroupedSource:
    return _register(monkeypatch, Counts.ANSWERS)


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


def spread(between: str, *, of: str = "waiting", statistic: str = "spread", code: str = "") -> Leaf:
    made = define_indicator(
        code=code or f"{statistic}-{between}",
        name={"en": "Consistency"},
        source="grouped",
        parameters={"measure": of, "between": between},
        statistic=statistic,
        unit_of_measure="min" if statistic == "spread" and of == "waiting" else "share",
        direction="lower",
        by=SYSTEM,
        now=BEFORE,
    )
    return Leaf(made, 1, 10 if statistic == "spread" else 1, 0)


def waits(minutes: Sequence[float]) -> list[dict[str, int]]:
    return [{"waiting": round(60 * each)} for each in minutes]


def expected(groups: Sequence[Sequence[float]], least: int = 3) -> Any:
    return consistency(
        [len(each) for each in groups],
        [np.mean(each) for each in groups],
        [np.var(each, ddof=1) for each in groups],
        least_groups=least,
    )


def row(unit: Unit, code: str, margin: str = "", value: str = "") -> KpiValue:
    return KpiValue.objects.get(
        unit=unit, code=code, margin=margin, margin_value=value, is_current=True
    )


COUNTER = (8.0, 12.0, 9.0, 15.0, 11.0, 10.0, 13.0)
PHONE = (2.0, 4.0, 3.0, 6.0, 1.0, 2.0)
APP = (5.0, 7.0, 6.0, 4.0, 9.0)
FEW = (60.0, 70.0)


def by_channel(source: GroupedSource, unit: Unit, **groups: Sequence[float]) -> None:
    for channel, minutes in groups.items():
        source.add(unit, DAY, *waits(minutes), channel=channel)


def test_says_how_far_channels_differ_in_the_unit_of_the_measure(
    desk: GroupedSource, bank: Unit
) -> None:
    tree_system([branch("consistency", 1, spread("channel"))])
    by_channel(desk, bank, counter=COUNTER, phone=PHONE, app=APP)

    evaluate_due(now=months_later(1))

    found, tau = row(bank, "spread-channel"), expected([COUNTER, PHONE, APP]).tau
    assert found.value == pytest.approx(tau.value)
    assert found.low == pytest.approx(tau.low)
    assert found.high == pytest.approx(tau.high)
    assert found.n == 18
    assert found.score == pytest.approx(100 - 10 * tau.value)
    assert replay(run_id=EvaluationRun.objects.get().pk).fault == ""
    # A channel has no channels to compare.
    assert not KpiValue.objects.filter(code="spread-channel").exclude(margin="").exists()


def test_says_how_far_segments_differ(desk: GroupedSource, bank: Unit) -> None:
    tree_system([branch("consistency", 1, spread("segment"))])
    for segment, minutes in (("firms", COUNTER), ("youth", PHONE), ("families", APP)):
        desk.add(bank, DAY, *waits(minutes), segment=segment, channel="counter")

    evaluate_due(now=months_later(1))

    tau = expected([COUNTER, PHONE, APP]).tau
    assert row(bank, "spread-segment").value == pytest.approx(tau.value)
    assert replay(run_id=EvaluationRun.objects.get().pk).fault == ""


def test_says_which_share_of_the_variance_lies_between_them(
    desk: GroupedSource, bank: Unit
) -> None:
    tree_system([branch("consistency", 1, spread("channel", statistic="icc"))])
    by_channel(desk, bank, counter=COUNTER, phone=PHONE, app=APP)

    evaluate_due(now=months_later(1))

    found, icc = row(bank, "icc-channel"), expected([COUNTER, PHONE, APP]).icc
    assert found.value == pytest.approx(icc.value)
    assert found.high == pytest.approx(icc.high)


def test_small_groups_leave_and_too_few_groups_say_nothing(desk: GroupedSource, bank: Unit) -> None:
    other = make_unit("xujiahui", parent=bank)
    tree_system([branch("consistency", 1, spread("channel"))])
    by_channel(desk, bank, counter=COUNTER, phone=PHONE, app=APP)
    by_channel(desk, other, letter=FEW, counter=COUNTER, phone=PHONE)

    evaluate_due(now=months_later(1))

    tau = expected([COUNTER * 2, PHONE * 2, APP]).tau
    assert row(bank, "spread-channel").value == pytest.approx(tau.value)
    few = row(other, "spread-channel")
    assert (few.status, few.reason, few.value) == ("insufficient", "few_groups", None)


def test_a_unit_with_one_channel_has_nothing_to_compare(desk: GroupedSource, bank: Unit) -> None:
    tree_system([branch("consistency", 1, spread("channel"))])
    by_channel(desk, bank, counter=COUNTER)

    evaluate_due(now=months_later(1))

    assert not KpiValue.objects.filter(code="spread-channel").exists()


class TestOfAnswers:
    def test_only_channels_that_may_be_shown_count(
        self, answers: GroupedSource, bank: Unit
    ) -> None:
        leaf = Leaf(indicator("waiting", source="grouped", unit_of_measure="min"), 0.5, 0, 60)
        tree_system([branch("all", 1, leaf, Leaf(spread("channel").indicator, 0.5, 10, 0))])
        groups = {"counter": COUNTER, "phone": PHONE, "app": APP, "web": APP * 2}
        by_channel(answers, bank, **groups, letter=FEW)

        evaluate_due(now=months_later(1))

        shown = KpiValue.objects.filter(code="waiting", margin="channel", status="ok")
        names = set(shown.values_list("margin_value", flat=True))
        assert "letter" not in names
        assert len(names) == 3, "the smallest of the others is hidden along with it"
        tau = expected([groups[name] for name in names]).tau
        assert row(bank, "spread-channel").value == pytest.approx(tau.value)
        assert row(bank, "spread-channel").n == row(bank, "waiting").n

    def test_nothing_is_said_where_fewer_than_three_may_be_shown(
        self, answers: GroupedSource, bank: Unit
    ) -> None:
        tree_system([branch("consistency", 1, spread("channel"))])
        by_channel(answers, bank, counter=COUNTER, phone=PHONE, letter=FEW)

        evaluate_due(now=months_later(1))

        assert row(bank, "spread-channel").reason == "few_groups"

    def test_a_unit_with_too_few_answers_is_hidden(
        self, answers: GroupedSource, bank: Unit
    ) -> None:
        small = make_unit("small", parent=bank)
        tree_system([branch("consistency", 1, spread("week"))])
        for week in range(3):
            answers.add(bank, DAY + timedelta(days=7 * week), *waits(APP))
            answers.add(small, DAY + timedelta(days=7 * week), *waits([4]))

        evaluate_due(now=months_later(1))

        assert row(small, "spread-week").status == "suppressed"

    def test_late_answers_are_held_until_they_are_enough(
        self, answers: GroupedSource, bank: Unit
    ) -> None:
        tree_system([branch("consistency", 1, spread("channel"))])
        by_channel(answers, bank, counter=COUNTER, phone=PHONE, app=APP)
        evaluate_due(now=months_later(1))
        first = row(bank, "spread-channel").value

        later = months_later(1) + timedelta(hours=1)
        answers.add(bank, DAY, *waits([40, 50]), channel="app", came_at=later)
        evaluate_due(now=later + timedelta(hours=1))
        held = row(bank, "spread-channel")
        answers.add(bank, DAY, *waits([40, 50, 40]), channel="app", came_at=months_later(2))
        evaluate_due(now=months_later(2) + timedelta(hours=1))

        assert (held.value, held.reason) == (first, "held")
        now = row(bank, "spread-channel")
        groups = [COUNTER, PHONE, (*APP, 40, 50, 40, 50, 40)]
        assert now.value == pytest.approx(expected(groups).tau.value)
        assert now.reason == ""


class TestBetweenUnits:
    def test_compares_the_lowest_units_below_also_within_a_channel(
        self, desk: GroupedSource, bank: Unit
    ) -> None:
        east, west = make_unit("east", parent=bank), make_unit("west", parent=bank)
        places = [make_unit(f"place-{at}", parent=east) for at in range(3)]
        tree_system([branch("consistency", 1, spread("unit"))])
        for place, minutes in zip([*places, west], (COUNTER, PHONE, APP, APP), strict=True):
            by_channel(desk, place, counter=minutes)
            by_channel(desk, place, phone=[2 * each for each in minutes])

        evaluate_due(now=months_later(1))

        both = [[*each, *(2 * m for m in each)] for each in (COUNTER, PHONE, APP, APP)]
        assert row(bank, "spread-unit").value == pytest.approx(expected(both).tau.value)
        assert row(east, "spread-unit").value == pytest.approx(expected(both[:3]).tau.value)
        phone = expected([[2 * m for m in each] for each in (COUNTER, PHONE, APP, APP)])
        within = row(bank, "spread-unit", "channel", "phone")
        assert within.value == pytest.approx(phone.tau.value)
        assert not KpiValue.objects.filter(code="spread-unit", unit__in=[west, *places]).exists()


class TestGroupsOfTheSource:
    def test_weeks_are_frozen_and_never_published(self, desk: GroupedSource, bank: Unit) -> None:
        leaves = spread("week"), Leaf(indicator("solved", source="grouped"), 1, 0, 1)
        tree_system([branch("consistency", 0.5, leaves[0]), branch("rest", 0.5, leaves[1])])
        groups = (COUNTER, PHONE, APP, FEW)
        for week, minutes in enumerate(groups):
            desk.add(bank, DAY + timedelta(days=7 * week), *waits(minutes))
        desk.add(bank, DAY, *[{"solved": 1}] * 6, *[{"solved": 0}] * 2)

        evaluate_due(now=months_later(1))

        assert row(bank, "spread-week").value == pytest.approx(expected(groups[:3]).tau.value)
        run = EvaluationRun.objects.get()
        assert set(FrozenCells.objects.values_list("source", flat=True)) == {
            *("grouped", "grouped~week", "published", "errors")
        }
        assert set(KpiValue.objects.values_list("margin", flat=True)) == {""}
        assert replay(run_id=run.pk).fault == ""
        whole = row(bank, "composite")
        assert whole.score == pytest.approx(
            (row(bank, "spread-week").score or 0) / 2 + (row(bank, "solved").score or 0) / 2
        )
        assert whole.score_low is not None

    def test_staff_are_compared_from_five_on_whose_numbers_are_enough(
        self, desk: GroupedSource, bank: Unit
    ) -> None:
        one, other = make_unit("one", parent=bank), make_unit("other", parent=bank)
        tree_system([branch("consistency", 1, spread("staff"))])
        groups = [[each + at for each in APP] for at in range(5)]
        for at, minutes in enumerate(groups):
            desk.add(one, DAY, *waits(minutes), segment=f"person-{at}")
        for at, minutes in enumerate([*groups[:4], list(FEW)]):
            desk.add(other, DAY, *waits(minutes), segment=f"colleague-{at}")

        evaluate_due(now=months_later(1))

        assert row(one, "spread-staff").value == pytest.approx(expected(groups).tau.value)
        assert row(other, "spread-staff").reason == "few_groups"

    def test_a_second_run_over_the_same_rows_publishes_nothing(
        self, desk: GroupedSource, bank: Unit
    ) -> None:
        tree_system([branch("consistency", 1, spread("week"))])
        for week in range(3):
            desk.add(bank, DAY + timedelta(days=7 * week), *waits(APP), came_at=months_later(1))

        evaluate_due(now=months_later(1))
        again = evaluate_due(now=months_later(1) + timedelta(hours=3))

        assert (again, EvaluationRun.objects.count()) == (0, 1)


def test_equal_groups_are_alike_and_nobody_knows_how_surely(
    desk: GroupedSource, bank: Unit
) -> None:
    tree_system([branch("consistency", 1, spread("channel"))])
    by_channel(desk, bank, counter=APP, phone=APP, app=APP)

    evaluate_due(now=months_later(1))

    found = row(bank, "spread-channel")
    assert (found.status, found.value, found.low, found.score) == ("ok", 0.0, None, 100.0)
    assert found.reason == "no_interval"


def test_a_formula_can_turn_it_into_the_mean_distance_of_two(
    desk: GroupedSource, bank: Unit
) -> None:
    leaf = spread("channel", code="channels")
    made = indicator("two", formula="1.128 * [channels]", direction="lower")
    tree_system([branch("all", 1, Leaf(leaf.indicator, 0.5, 10, 0), Leaf(made, 0.5, 10, 0))])
    by_channel(desk, bank, counter=COUNTER, phone=PHONE, app=APP)

    evaluate_due(now=months_later(1))

    tau, two = row(bank, "channels"), row(bank, "two")
    assert two.value == pytest.approx(1.128 * (tau.value or 0))
    assert two.high == pytest.approx(1.128 * (tau.high or 0))


@pytest.mark.parametrize(
    ("parameters", "statistic"),
    [
        ({"measure": "waiting", "between": "channel"}, "mean"),
        ({"measure": "waiting"}, "spread"),
        ({"measure": "waiting"}, "icc"),
        ({"measure": "waiting", "between": "planets"}, "spread"),
        ({"measure": "nothing", "between": "channel"}, "spread"),
    ],
)
def test_refuses_what_is_no_spread(
    desk: GroupedSource, parameters: Mapping[str, str], statistic: str
) -> None:
    with pytest.raises(InvalidInput):
        define_indicator(
            code="odd",
            name={"en": "Odd"},
            source="grouped",
            parameters=parameters,
            statistic=statistic,
            by=SYSTEM,
            now=BEFORE,
        )


def test_refuses_a_source_that_knows_no_groups(source: MemorySource) -> None:
    with pytest.raises(InvalidInput, match="cannot be taken"):
        define_indicator(
            code="odd",
            name={"en": "Odd"},
            source="memory",
            parameters={"measure": "wait", "between": "channel"},
            statistic="spread",
            by=SYSTEM,
            now=BEFORE,
        )


def test_its_page_says_how_to_read_it(desk: GroupedSource, bank: Unit) -> None:
    tree_system([branch("consistency", 1, spread("channel"))])
    by_channel(desk, bank, counter=COUNTER, phone=PHONE, app=APP)
    evaluate_due(now=months_later(1))

    said = words(page(person("ana", Role.ANALYST), "/quality/indicators/spread-channel/"))

    assert "How far the channels typically lie from what is usual" in said
    assert "18 encounters" in said


def test_a_week_has_its_own_spread_beside_the_month(desk: GroupedSource, bank: Unit) -> None:
    tree_system([branch("consistency", 1, spread("channel"))], grains=(Grain.WEEK, Grain.MONTH))
    by_channel(desk, bank, counter=COUNTER, phone=PHONE, app=APP)

    evaluate_due(now=months_later(1))

    grains = KpiValue.objects.filter(code="spread-channel", status="ok")
    assert set(grains.values_list("grain", flat=True)) == {"week", "month"}
