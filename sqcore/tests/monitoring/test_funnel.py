"""The units of a period beside each other: limits by size, and who is not in it."""

from datetime import date

import pytest
from pytest_django import DjangoAssertNumQueries

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain
from sqcore.evaluation.wording import SCORE
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal, system_principal
from sqcore.monitoring.funnel import Place, UnitFunnel, funnel_of
from sqcore.monitoring.funnel_page import funnel_figure
from sqcore.org.models import Unit
from sqcore.org.queries import principal_for
from sqcore.stats.funnels import funnel_limits
from sqcore.stats.results import MethodStatus
from sqcore.tests.factories import make_unit
from sqcore.tests.monitoring.series import Series, leaf, make_series
from sqcore.tests.monitoring.test_pages import page, person, words

pytestmark = pytest.mark.django_db

EVERYBODY = system_principal("test")
PATH = "/quality/funnels/bank/kept/?grain=month"
SHARES = [0.90, 0.91, 0.89, 0.90, 0.92, 0.90]


def shares(values: list[float | None], *, n: int = 100) -> tuple[Series, list[Unit]]:
    """Units below a head, each with its share in one month; the head has one of its own."""
    bank = make_series(
        leaf("kept", statistic="proportion", worst=0.0, best=1.0, unit_of_measure="share"),
        grain=Grain.MONTH,
    )
    head = make_unit("head")
    bank.put(head, [0.5], code="kept", n=10_000)
    units = [make_unit(f"branch-{at}", parent=head) for at in range(len(values))]
    for unit, value in zip(units, values, strict=True):
        bank.put(unit, [value], code="kept", n=n)
    return bank, units


def funnel(bank: Series, code: str = "kept", by: Principal = EVERYBODY) -> UnitFunnel:
    return funnel_of(principal=by, system=bank.system, code=code, grain=Grain.MONTH)


def test_shares_lie_between_the_exact_limits_of_their_size() -> None:
    bank, _units = shares([*SHARES])

    found = funnel(bank)

    assert found.status == MethodStatus.OK
    assert found.centre == pytest.approx(sum(SHARES) / 6)
    expected = funnel_limits(sum(SHARES) / 6, [100])
    assert found.units[0].limits[0] == pytest.approx((expected.low[0][0], expected.high[0][0]))
    assert {each.place for each in found.units} == {Place.WITHIN}
    assert found.spread == 0


def test_a_unit_far_off_is_beyond_the_outer_limits() -> None:
    bank, units = shares([*([0.9] * 15), 0.6])

    found = funnel(bank)

    places = {each.unit: each.place for each in found.units}
    assert places[units[-1]] == Place.FAR_BELOW
    assert found.outside == 1
    assert found.chance_outside == pytest.approx(0.8)


def test_units_that_all_differ_widen_the_limits() -> None:
    bank, _units = shares([0.5, 0.6, 0.7, 0.8, 0.9, 0.95], n=1000)

    found = funnel(bank)

    assert found.spread > 0.1
    assert found.outside == 0


def test_only_the_lowest_units_take_part() -> None:
    bank, units = shares([*SHARES])

    assert [each.unit for each in funnel(bank).units] == units


def test_a_suppressed_unit_is_counted_and_nothing_else() -> None:
    bank, units = shares([*SHARES, None])

    found = funnel(bank)

    assert units[-1] not in [each.unit for each in found.units]
    assert found.left_out == 1


def test_somebody_sees_the_units_that_are_theirs() -> None:
    bank, units = shares([*SHARES])
    mei = principal_for(person("mei", Role.MANAGER, units[0]), on=date(2024, 1, 1))

    found = funnel(bank, by=mei)

    assert [each.unit for each in found.units] == units[:1]
    assert (found.status, found.centre) == (MethodStatus.INSUFFICIENT_N, None)


def test_means_have_the_limits_of_their_own_errors() -> None:
    bank = make_series(leaf("waiting"), grain=Grain.MONTH)
    for at, value in enumerate([9.0, 9.1, 8.9, 9.0, 9.05, 8.95]):
        bank.put(make_unit(f"branch-{at}"), [value], error=0.5, n=40)

    found = funnel(bank, "waiting")

    assert found.kind == "mean"
    assert found.units[0].limits[0] == pytest.approx((9 - 1.96 * 0.5, 9 + 1.96 * 0.5), abs=1e-3)


def test_other_figures_have_no_limits_by_size() -> None:
    bank = make_series(leaf("median", statistic="median"), grain=Grain.MONTH)
    for at in range(6):
        bank.put(make_unit(f"branch-{at}"), [9.0 + at], code="median")

    found = funnel(bank, "median")

    assert (found.status, found.lines) == (MethodStatus.NOT_APPLICABLE, None)
    assert len(found.units) == 6


def test_equal_shares_of_all_have_no_variation() -> None:
    bank, _units = shares([1.0] * 6)

    assert funnel(bank).status == MethodStatus.ZERO_VARIANCE


def test_what_is_not_there_is_not_found() -> None:
    bank, _units = shares([*SHARES])

    with pytest.raises(NotFound):
        funnel(bank, "nothing")


def test_the_page_has_a_sentence_a_picture_and_its_table() -> None:
    _bank, units = shares([*([0.9] * 15), 0.6])
    ana = person("ana", Role.ANALYST)

    text = words(page(ana, PATH))

    assert "1 of 16 units lie outside the inner limits; chance alone puts about 0.8 there." in text
    assert str(units[-1]) in text
    assert "clearly lower than chance explains" in text
    assert "It is no ranking" in text


def test_the_page_is_only_for_who_sees_results() -> None:
    _bank, _units = shares([*SHARES])

    page(person("chen", Role.MANAGER, make_unit("elsewhere")), PATH, status=404)


def test_it_costs_no_more_with_more_units(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    bank, _units = shares([0.9] * 30)

    with django_assert_max_num_queries(5):
        funnel(bank)


def test_far_off_is_neither_good_nor_bad_where_the_best_is_in_the_middle() -> None:
    found = funnel(shares([*([0.9] * 15), 0.6])[0])

    colours = [
        [trace["marker"]["color"] for trace in funnel_figure(found, SCORE, better, "n").traces[-2:]]
        for better in (1, -1, 0)
    ]

    assert colours == [["--bad", "--series-1"], ["--good", "--series-1"], ["--watch", "--series-1"]]
