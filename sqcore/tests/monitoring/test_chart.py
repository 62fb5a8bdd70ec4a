"""The control chart of a made series: its limits, flags, baselines and what the icons say."""

from datetime import date

import pytest

from sqcore.base.errors import InvalidInput, NotFound
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal, Scope, system_principal
from sqcore.indicators.models import UnitOfMeasure
from sqcore.monitoring.charts import Chart, Flag, chart_of
from sqcore.monitoring.drawing import meaning_of
from sqcore.monitoring.models import Annotation
from sqcore.monitoring.services import annotate, propose_baseline
from sqcore.org.models import Unit
from sqcore.org.queries import principal_for
from sqcore.stats.charts import ChartStatus
from sqcore.stats.rules import Assurance, Rule, Variation
from sqcore.tests.factories import give_role, make_principal, make_unit, make_user
from sqcore.tests.monitoring.series import (
    CENTRE,
    MIDDLE,
    SIGMA,
    Series,
    leaf,
    make_series,
    quiet,
    shifted,
)

pytestmark = pytest.mark.django_db

EVERYBODY = system_principal("test")
LATER = date(2030, 1, 1)
NHS_WIDTH = 2.66 * 2
"""Of a quiet series: 2.66 times the mean moving range, which is 2."""


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


def chart(bank: Series, unit: Unit, *, by: Principal = EVERYBODY, profile: str = "nhs") -> Chart:
    return chart_of(principal=by, key=bank.key(unit), profile=profile, today=LATER)


class TestLimits:
    def test_come_from_the_frozen_baseline(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, quiet(30))
        bank.watch(30)

        found = chart(bank, north)

        point = found.points[-1]
        assert point.centre == CENTRE
        assert point.z == pytest.approx(1 / SIGMA)
        assert point.lower == pytest.approx(CENTRE - NHS_WIDTH)
        assert point.upper == pytest.approx(CENTRE + NHS_WIDTH)
        assert found.baseline is not None
        assert found.segments[0].span == (bank.start(1), bank.start(27))
        assert (found.limits.n0, found.limits.status) == (26, ChartStatus.OK)
        assert (found.reason, found.profile.key, found.profile.version) == (
            "single_values",
            "nhs",
            1,
        )
        assert found.variation == Variation.COMMON
        assert [point.flags for point in found.points] == [()] * 30

    def test_of_the_other_profiles_are_3_sigma_wide(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, quiet(30))
        bank.watch(30)

        assert chart(bank, north, profile="nelson").points[0].upper == pytest.approx(9 + 3 * SIGMA)

    def test_are_trial_limits_until_a_baseline_is_frozen(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, quiet(12))

        found = chart(bank, north)

        assert (found.baseline, found.segments[0].is_frozen) == (None, False)
        assert (found.limits.n0, found.limits.status) == (12, ChartStatus.TRIAL)
        assert found.points[0].centre == CENTRE

    def test_need_five_periods(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, quiet(4))

        found = chart(bank, north)

        assert found.variation is None
        assert found.assurance == Assurance.NONE
        assert {(point.centre, point.lower, point.z) for point in found.points} == {
            (None, None, None)
        }

    def test_are_none_where_all_is_the_same(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, [9.0] * 30)
        bank.watch(30)

        found = chart(bank, north)

        assert (found.limits.status, found.variation) == (ChartStatus.ZERO_VARIANCE, None)

    def test_do_not_fall_below_what_can_be(self, north: Unit) -> None:
        bank = make_series(leaf("waiting", unit_of_measure=UnitOfMeasure.MINUTES.value))
        bank.put(north, [1.0, 3.0] * 15)
        bank.watch(30)

        point = chart(bank, north).points[-1]

        assert point.lower == 0.0
        assert point.upper == pytest.approx(2 + NHS_WIDTH)

    def test_of_shares_step_with_their_sizes(self, north: Unit) -> None:
        bank = make_series(leaf("waiting", statistic="proportion", worst=0.0, best=1.0))
        bank.put(north, [0.44, 0.56] * 13, n=25)
        bank.put(north, [0.5], n=100, first=27)
        bank.watch(27)

        found = chart(bank, north)

        assert (found.limits.kind, found.reason) == ("p", "as_sizes_explain")
        widths = [(point.upper or 0) - 0.5 for point in found.points[-2:]]
        assert widths == pytest.approx([2.66 * 1.1283792 * 0.1, 2.66 * 1.1283792 * 0.05])

    def test_change_with_a_new_baseline_and_not_before_it(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, shifted(quiet(60), -2, since=31))
        bank.watch(60)
        ana = make_user("ana")
        give_role(ana, Role.ANALYST)
        propose_baseline(
            key=bank.key(north),
            starts_on=bank.start(31),
            ends_on=bank.start(51),
            applies_from=bank.start(51),
            reason="A second desk is open.",
            by=principal_for(ana, on=LATER),
            now=bank.after(60),
        )

        found = chart(bank, north)

        before, after = found.segments
        assert (len(before.points), len(after.points)) == (50, 10)
        assert (before.limits.centre, before.limits.n0) == (CENTRE, 26)
        assert after.limits.centre == pytest.approx(CENTRE - 2 * SIGMA)
        assert after.limits.n0 == 20
        assert before.points[-1].flags[0].rule == Rule.SHIFT
        assert [point.flags for point in after.points] == [()] * 10
        assert found.variation == Variation.COMMON


class TestFlags:
    def test_a_point_beyond_its_limit(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, [*quiet(29), 15.0])
        bank.watch(30)

        found = chart(bank, north)

        assert found.points[-1].flags == (Flag(Rule.BEYOND, 1, bank.start(30)),)
        assert found.points[-1].side == 1
        assert found.variation == Variation.CONCERN_HIGH

    def test_a_run_is_marked_from_its_start_and_seen_at_its_seventh(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, [*quiet(28), 8.5, 8.0, 8.5, 8.0, 8.5, 8.0, 8.5])
        bank.watch(35)

        found = chart(bank, north)

        flag = Flag(Rule.SHIFT, -1, bank.start(35))
        assert [point.flags for point in found.points[28:]] == [(flag,)] * 7
        assert found.variation == Variation.IMPROVING_LOW

    def test_none_on_what_is_left_out(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, [*quiet(29), 30.0])
        bank.watch(30)
        annotate(
            kind=Annotation.Kind.EXCLUSION,
            unit=north,
            code="",
            starts_on=bank.start(30),
            ends_on=bank.start(31),
            text="The power was out",
            by=EVERYBODY,
            now=bank.after(30),
        )

        found = chart(bank, north)

        point = found.points[-1]
        assert (point.seen.value, point.seen.is_excluded, point.flags) == (30.0, True, ())
        assert point.seen.exclusion == "The power was out"
        assert found.variation == Variation.COMMON
        assert [note.text for note in found.annotations] == ["The power was out"]

    def test_a_gap_has_none_and_breaks_no_run(self, north: Unit) -> None:
        bank = make_series()
        bank.put(north, [*quiet(26), 11.0, 11.0, 11.0, None, 11.0, 11.0, 11.0, 11.0])
        bank.watch(34)

        found = chart(bank, north)

        assert found.points[29].flags == ()
        assert [point.flags[0].rule for point in found.points[30:]] == [Rule.SHIFT] * 4


@pytest.mark.parametrize(
    ("target", "said"),
    [(15.0, Assurance.PASS), (12.0, Assurance.HIT_OR_MISS), (3.0, Assurance.FAIL)],
)
def test_says_whether_the_target_will_be_reached(
    north: Unit, target: float, said: Assurance
) -> None:
    bank = make_series(leaf("waiting", target=target))
    bank.put(north, quiet(30))
    bank.watch(30)

    found = chart(bank, north)

    assert (found.target, found.better, found.assurance) == (target, -1, said)


def test_leaves_out_the_period_that_is_not_over(north: Unit) -> None:
    bank = make_series()
    bank.put(north, quiet(30))

    found = chart_of(principal=EVERYBODY, key=bank.key(north), today=bank.start(30))

    assert [point.seen.period for point in found.points][-1] == bank.period(29)


def test_an_outsider_does_not_learn_that_there_is_one(north: Unit) -> None:
    bank = make_series()
    bank.put(north, quiet(30))
    chen = make_principal({Permission.VIEW_RESULTS: Scope(units=frozenset({0}))})

    with pytest.raises(NotFound):
        chart(bank, north, by=chen)


def test_refuses_rules_that_there_are_not(north: Unit) -> None:
    bank = make_series()
    bank.put(north, quiet(30))

    with pytest.raises(InvalidInput, match="no profile “tarot”"):
        chart(bank, north, profile="tarot")


def test_what_is_best_in_the_middle_changes_and_gets_neither_better_nor_worse(north: Unit) -> None:
    bank = make_series(MIDDLE)
    bank.put(north, shifted(quiet(44), 5, since=44))
    bank.watch(44)

    found = chart(bank, north)

    latest = found.points[-1]
    assert (found.better, found.assurance) == (0, Assurance.NONE)
    assert (latest.side, meaning_of(latest, found.better)) == (1, "neither")
    assert found.variation == Variation.NEITHER_HIGH
