"""Reading series: in order, gaps filled, exclusions marked, and only what is yours."""

from datetime import date
from typing import Any

import pytest

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain
from sqcore.evaluation.models import KpiValue
from sqcore.identity.permissions import Role
from sqcore.identity.principals import ANONYMOUS, Principal, system_principal
from sqcore.monitoring.models import Annotation
from sqcore.monitoring.queries import (
    latest_watches,
    open_signals,
    series_points,
    signals_of,
    visible_series,
)
from sqcore.monitoring.services import annotate
from sqcore.org.models import Placement, Unit
from sqcore.org.queries import principal_for
from sqcore.tests.factories import give_role, make_unit, make_user
from sqcore.tests.monitoring.series import Series, make_series, quiet, shifted

pytestmark = pytest.mark.django_db


def manager_of(unit: Unit, username: str = "mei") -> Principal:
    user = make_user(username)
    give_role(user, Role.MANAGER, unit)
    return principal_for(user, on=date(2025, 1, 1))


def exclude(bank: Series, unit: Unit | None, first: int, last: int, text: str) -> Annotation:
    return annotate(
        kind=Annotation.Kind.EXCLUSION,
        unit=unit,
        code="",
        starts_on=bank.start(first),
        ends_on=bank.start(last + 1),
        text=text,
        by=system_principal(),
        now=bank.after(last),
    )


def test_returns_every_period_from_the_first_to_the_last_figure() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, [8.0, None, 10.0], first=2, error=1.0)
    bank.put(north, [9.0], first=6)

    points = series_points(key=bank.key(north))

    assert [point.period.start for point in points] == [bank.start(n) for n in range(2, 7)]
    assert [point.value for point in points] == [8.0, None, 10.0, None, 9.0]
    assert [point.status for point in points] == ["ok", "suppressed", "ok", "", "ok"]
    assert [point.is_usable for point in points] == [True, False, True, False, True]
    assert points[0].low == pytest.approx(8 - 1.96, abs=1e-3)
    assert points[0].high == pytest.approx(8 + 1.96, abs=1e-3)
    assert points[0].n == 40


def test_reads_only_what_ended_by_the_day() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, quiet(10))

    assert len(series_points(key=bank.key(north), through=bank.start(10))) == 9
    assert len(series_points(key=bank.key(north), through=bank.start(11))) == 10
    assert series_points(key=bank.key(north), through=bank.start(1)) == []


def test_months_follow_each_other() -> None:
    bank, north = make_series(grain=Grain.MONTH), make_unit("north")
    bank.put(north, [1.0])
    bank.put(north, [2.0], first=4)

    starts = [point.period.start for point in series_points(key=bank.key(north))]

    assert starts == [date(2024, month, 1) for month in (1, 2, 3, 4)]


def test_a_score_is_read_in_points() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, [8.0])
    KpiValue.objects.update(kind=KpiValue.Kind.COMPOSITE, code="composite", value=None)

    (point,) = series_points(key=bank.key(north, "composite"))

    assert point.value == 50.0


def test_an_older_revision_is_not_read() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, [8.0, 9.0])
    bank.revise(north, 2, 12.0)

    assert [point.value for point in series_points(key=bank.key(north))] == [8.0, 12.0]


def test_what_an_exclusion_touches_is_marked_and_keeps_its_value() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, quiet(6))
    excluded = exclude(bank, None, 3, 4, "Strike")

    points = series_points(key=bank.key(north))

    assert [point.is_excluded for point in points] == [False, False, True, True, False, False]
    assert (points[2].value, points[2].exclusion, points[2].is_usable) == (8.0, "Strike", False)
    excluded.withdrawn_at = bank.after(6)
    excluded.save()
    assert not any(point.is_excluded for point in series_points(key=bank.key(north)))


def test_an_exclusion_holds_where_the_unit_stood_in_those_days() -> None:
    bank = make_series()
    east, west = make_unit("east"), make_unit("west")
    branch = make_unit("branch", parent=east)
    bank.put(branch, quiet(6))
    Placement.objects.filter(unit=branch).update(valid_to=bank.start(4))
    Placement.objects.create(unit=branch, parent=west, valid_from=bank.start(4))
    exclude(bank, east, 2, 2, "East then")
    exclude(bank, west, 1, 1, "West then")
    exclude(bank, west, 5, 5, "West now")

    told = [point.exclusion for point in series_points(key=bank.key(branch))]

    assert told == ["", "East then", "", "", "West now", ""]


def test_of_an_exclusion_above_only_that_it_is_one_is_told() -> None:
    region = make_unit("region")
    branch = make_unit("branch", parent=region)
    bank = make_series()
    bank.put(branch, quiet(3))
    exclude(bank, region, 2, 2, "The head of the region is ill")
    exclude(bank, branch, 3, 3, "Moved house")

    seen = visible_series(principal=manager_of(branch), key=bank.key(branch))

    assert [point.exclusion for point in seen] == ["", "Excluded at a unit above", "Moved house"]


def test_an_outsider_sees_no_series_and_no_signal() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, shifted(quiet(44), 3, since=40))
    bank.watch(44)
    mei, chen = manager_of(north), manager_of(make_unit("south"), "chen")
    (signal,) = signals_of(mei, bank.key(north))

    assert len(visible_series(principal=mei, key=bank.key(north))) == 44
    assert list(open_signals(principal=mei)) == [signal]
    for nobody in (chen, ANONYMOUS):
        with pytest.raises(NotFound):
            visible_series(principal=nobody, key=bank.key(north))
        assert list(open_signals(principal=nobody)) == []
        assert signals_of(nobody, bank.key(north)) == []
    assert [watch.series for watch in latest_watches(mei)] == [1]
    assert latest_watches(ANONYMOUS) == []


def test_open_signals_come_strongest_first(django_assert_num_queries: Any) -> None:
    bank = make_series()
    units = [make_unit(code) for code in ("mild", "strong", "over")]
    bank.put(units[0], shifted(quiet(60), 2, since=40))
    bank.put(units[1], shifted(quiet(60), 4, since=40))
    bank.put(units[2], shifted(quiet(60), 3, since=30, until=40))
    bank.watch(60)

    with django_assert_num_queries(1):
        found = [
            signal.unit.code + signal.system.code + signal.baseline.kind
            for signal in open_signals(principal=system_principal())
        ]

    assert found == ["strongbankxmr", "mildbankxmr"]
    assert [s.unit.code for s in open_signals(principal=system_principal(), unit_id=units[0].pk)]
    assert not open_signals(principal=system_principal(), code="errors").exists()


def test_reading_a_series_takes_two_queries(django_assert_num_queries: Any) -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, quiet(30))

    with django_assert_num_queries(3):  # with the month in which the fiscal year begins
        series_points(key=bank.key(north))
    with django_assert_num_queries(2):
        series_points(key=bank.key(north))
