"""Measurements and equipment as sources: exact sums, no double counting, the finest grain."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain, Period
from sqcore.indicators.sources import SOURCES, Between, Collected, Counts, SourceCell
from sqcore.measurements.sources import EquipmentSource, MeasurementSource, Sums, collected
from sqcore.measurements.uptime import days_of_use, spans_of
from sqcore.org.models import Organisation
from sqcore.stats.moments import moments_of
from sqcore.tests.factories import NOW, make_channel, make_segment, make_unit
from sqcore.tests.measurements.making import machine, measure, send, share, tell

JANUARY = Period(date(2026, 1, 1), Grain.MONTH)
FEBRUARY = Period(date(2026, 2, 1), Grain.MONTH)


def sums_of(found: Collected, cell: SourceCell, place: int = 0) -> tuple[int, ...]:
    """n, sum of weights, of values, of squared weights, of products and of squares."""
    row, count = list(found.cells).index(cell), len(found.measures)
    own = [int(part[row, place]) for part in found.moments.own]
    linear = found.moments.linear[row]
    return (int(found.moments.n[row, place]), int(linear[place]), int(linear[count + place]), *own)


def test_both_are_registered_as_measurements() -> None:
    assert SOURCES["measurements"].counts == Counts.MEASUREMENTS
    assert SOURCES["equipment"].counts == Counts.MEASUREMENTS


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=20), st.integers(1, 3))
@settings(max_examples=30)
def test_sums_are_the_moments_of_the_same_readings(values: list[int], weight: int) -> None:
    sums = Sums()
    for value in values:
        sums.add(1, weight, weight * value)

    found = collected({SourceCell(1): {0: sums}}, ["wait"], [1]).moments

    rows = np.array([values]).T
    assert found == moments_of(rows, rows == rows, [weight] * len(values), [0] * len(values), 1)


def test_what_is_too_large_to_be_exact_is_refused() -> None:
    with pytest.raises(InvalidInput):
        collected({SourceCell(1): {0: Sums(squared=2**63)}}, ["wait"], [1])


@pytest.mark.django_db
class TestMeasurements:
    def test_a_share_is_so_many_things_of_which_some_have_it(self) -> None:
        north = make_unit("north")
        measure()
        send(share("north", "2026-01", 5, 200))

        found = MeasurementSource().collect(measures=["errors"], period=JANUARY)

        assert sums_of(found, SourceCell(north.pk)) == (200, 200, 5, 200, 5, 5)
        assert found.moments.respondents.tolist() == [200]

    def test_means_with_and_without_their_spread_rates_and_ratios(self) -> None:
        north = make_unit("north")
        for code, kind in (("a", "mean"), ("b", "mean"), ("c", "rate"), ("d", "ratio")):
            measure(code, kind, decimals=1)
        here = {"unit": "north", "period": "2026-01"}
        send(
            {"measure": "a", "n": 4, "sum": 5, "sum_of_squares": 7} | here,
            {"measure": "b", "n": 4, "sum": 5} | here,
            {"measure": "c", "numerator": 3, "denominator": 400} | here,
            {"measure": "d", "numerator": 1.5, "denominator": 2} | here,
        )

        found = MeasurementSource().collect(measures=["a", "b", "c", "d"], period=JANUARY)

        cell = SourceCell(north.pk)
        assert found.scales == [10, 10, 1, 10]
        assert sums_of(found, cell, 0) == (4, 4, 50, 4, 50, 700)
        assert sums_of(found, cell, 1) == (1, 4, 50, 16, 200, 2500)
        assert sums_of(found, cell, 2) == (1, 400, 3, 160000, 1200, 9)
        assert sums_of(found, cell, 3) == (1, 2, 15, 4, 30, 225)
        assert found.moments.respondents.tolist() == [4]

    def test_a_whole_that_was_reported_stands_for_its_parts(self) -> None:
        north = make_unit("north")
        make_channel("phone")
        make_segment("firms")
        measure()
        send(
            share("north", "2026-01", 5, 200),
            share("north", "2026-01", 1, 50, channel="phone"),
            share("north", "2026-01", 2, 60, segment="firms"),
        )

        found = MeasurementSource().collect(measures=["errors"], period=JANUARY)

        assert sums_of(found, SourceCell(north.pk))[:3] == (200, 200, 5)
        assert sums_of(found, SourceCell(north.pk, "channel", "phone"))[:3] == (50, 50, 1)
        assert sums_of(found, SourceCell(north.pk, "segment", "firms"))[:3] == (60, 60, 2)

    def test_parts_alone_add_up_to_the_whole_once(self) -> None:
        north = make_unit("north")
        for code in ("phone", "app"):
            make_channel(code)
        make_segment("firms")
        measure()
        send(
            share("north", "2026-01", 1, 50, channel="phone", segment="firms"),
            share("north", "2026-01", 2, 70, channel="app", segment="firms"),
        )

        found = MeasurementSource().collect(measures=["errors"], period=JANUARY)

        assert sums_of(found, SourceCell(north.pk))[:3] == (120, 120, 3)
        assert sums_of(found, SourceCell(north.pk, "channel", "app"))[:3] == (70, 70, 2)
        assert sums_of(found, SourceCell(north.pk, "segment", "firms"))[:3] == (120, 120, 3)

    def test_a_month_enters_month_quarter_and_year_but_no_week(self) -> None:
        make_unit("north")
        measure()
        send(share("north", "2026-01", 1, 50))
        source = MeasurementSource()
        periods = [Period.of(date(2026, 1, 1), grain) for grain in Grain]

        cells = [len(source.collect(measures=["errors"], period=one).cells) for one in periods]

        assert dict(zip(Grain, cells, strict=True)) == {
            "day": 0, "week": 0, "month": 1, "quarter": 1, "year": 1,
        }  # fmt: skip
        assert source.spans() == {Grain.MONTH: (date(2026, 1, 1), date(2026, 1, 31))}

    def test_only_the_newest_revision_counts_and_what_it_touches_is_known(self) -> None:
        north = make_unit("north")
        measure()
        send(share("north", "2026-01", 1, 50))
        send(share("north", "2026-01", 2, 50), now=NOW + timedelta(hours=1))
        source = MeasurementSource()

        found = source.collect(measures=["errors"], period=JANUARY)

        assert sums_of(found, SourceCell(north.pk))[:3] == (50, 50, 2)
        assert source.changed_since(NOW) == [(date(2026, 1, 1), date(2026, 1, 31))]
        assert source.changed_since(NOW + timedelta(hours=1)) == []

    def test_shares_and_means_can_be_compared_and_rates_cannot(self) -> None:
        for code, kind in (("a", "mean"), ("b", "rate"), ("c", "ratio"), ("d", "share")):
            measure(code, kind)
        source = MeasurementSource()

        known = {code: [each.value for each in source.groups_of(code)] for code in "abcd"}

        groups = ["channel", "segment", "unit", "week"]
        assert known == {"a": groups, "b": [], "c": [], "d": groups}
        offered = [each.parameters for each in source.offers() if each.statistic == "spread"]
        assert [each["measure"] for each in offered] == ["a"] * 4 + ["d"] * 4
        assert [each["between"] for each in offered] == groups * 2

    def test_weeks_are_compared_by_what_was_reported_by_day(self) -> None:
        north = make_unit("north")
        make_channel("phone")
        measure(every="day")
        measure("wait", "mean", decimals=1, every="day")
        here = {"measure": "wait", "unit": "north", "n": 4, "sum": 5, "sum_of_squares": 7}
        send(
            share("north", "2025-12-31", 9, 90),
            share("north", "2026-01-01", 1, 50),
            share("north", "2026-01-02", 2, 50),
            share("north", "2026-01-02", 1, 20, channel="phone"),
            share("north", "2026-01-05", 3, 40),
            here | {"period": "2026-01-05"},
            here | {"period": "2026-01-06"},
        )

        found = MeasurementSource().collect_groups(
            measures=["errors", "wait"], between=Between.WEEK, period=JANUARY
        )

        first, second = (SourceCell(north.pk, "week", f"2026-W0{week}") for week in (1, 2))
        assert list(found.cells) == [first, second]
        assert sums_of(found, first) == (100, 100, 3, 100, 3, 3)
        assert sums_of(found, second) == (40, 40, 3, 40, 3, 3)
        assert sums_of(found, second, 1) == (8, 8, 100, 8, 100, 1400)
        assert found.scales == [1, 10]

    def test_it_is_asked_for_a_measure_that_there_is(self) -> None:
        measure()

        assert MeasurementSource().measure({"measure": "errors"}) == "errors"
        with pytest.raises(InvalidInput):
            MeasurementSource().measure({"measure": "wonders"})
        with pytest.raises(InvalidInput):
            MeasurementSource().measure({"measure": "errors", "channel": "phone"})


@pytest.mark.django_db
class TestEquipment:
    def test_availability_is_what_worked_of_what_is_known(self) -> None:
        north = make_unit("north")
        tell(
            machine("atm-1", north),
            ("02-03 06:00", "up"), ("02-03 12:00", "down"), ("02-04 06:00", "degraded"),
            ("02-05 00:00", "up"),
        )  # fmt: skip

        found = EquipmentSource().collect(
            measures=["availability/atm", "repair_time/atm", "repaired_in_time/atm/12"],
            period=Period(date(2026, 2, 3), Grain.DAY),
        )
        assert sums_of(found, SourceCell(north.pk))[:3] == (1, 18 * 3600, 6 * 3600)
        assert sums_of(found, SourceCell(north.pk), 1)[0] == 0

        week = EquipmentSource().collect(
            measures=["availability/atm", "repair_time/atm", "repaired_in_time/atm/12"],
            period=Period.of(date(2026, 2, 3), Grain.WEEK),
        )
        cell = SourceCell(north.pk)
        hours = 18 + 24 * 5
        assert sums_of(week, cell)[:3] == (6, hours * 3600, (hours - 18) * 3600)
        assert sums_of(week, cell, 1)[:3] == (1, 1, 18 * 3600)
        assert sums_of(week, cell, 2)[:3] == (1, 1, 0)
        assert week.scales == [1, 3600, 1]

    def test_an_outage_belongs_to_the_day_it_ended_and_comes_whole(self) -> None:
        north = make_unit("north")
        tell(
            machine("atm-1", north),
            ("01-30 00:00", "up"), ("01-31 00:00", "down"), ("01-31 08:00", "down"),
            ("02-02 00:00", "up"),
        )  # fmt: skip
        source = EquipmentSource()

        january = source.collect(measures=["repair_time/"], period=JANUARY)
        february = source.collect(measures=["repair_time/"], period=FEBRUARY)

        assert not january.cells
        assert sums_of(february, SourceCell(north.pk))[:3] == (1, 1, 48 * 3600)

    def test_days_are_those_of_the_organisation(self) -> None:
        Organisation.objects.create(pk=1, name={"en": "Bank"}, time_zone="UTC")
        north = make_unit("north")
        tell(machine("atm-1", north), ("02-04 08:00", "up"), ("02-04 08:30", "down"))

        found = EquipmentSource().collect(
            measures=["availability/atm"], period=Period(date(2026, 2, 4), Grain.DAY)
        )

        assert sums_of(found, SourceCell(north.pk))[:3] == (1, 86400, 1800)

    def test_a_machine_counts_from_its_first_state_until_it_is_retired(self) -> None:
        north = make_unit("north")
        atm = machine("atm-1", north)
        atm.retired_on = date(2026, 2, 10)
        atm.save()
        tell(atm, ("02-08 12:00", "up"))

        found = EquipmentSource().collect(measures=["availability/atm"], period=FEBRUARY)

        assert sums_of(found, SourceCell(north.pk))[:3] == (2, 36 * 3600, 36 * 3600)

    def test_kinds_are_kept_apart(self) -> None:
        north = make_unit("north")
        tell(machine("atm-1", north), ("02-03 00:00", "up"))
        tell(machine("tv-1", north, kind="screen"), ("02-03 00:00", "down"))

        found = EquipmentSource().collect(
            measures=["availability/screen", "availability/"],
            period=Period(date(2026, 2, 3), Grain.DAY),
        )

        assert sums_of(found, SourceCell(north.pk), 0)[:3] == (1, 86400, 0)
        assert sums_of(found, SourceCell(north.pk), 1)[:3] == (2, 2 * 86400, 86400)

    def test_outages_are_counted_on_the_day_they_began_for_each_day_of_a_machine(self) -> None:
        north = make_unit("north")
        tell(
            machine("atm-1", north),
            ("01-20 00:00", "up"), ("02-03 08:00", "down"), ("02-03 09:00", "down"),
            ("02-03 10:00", "up"), ("02-03 20:00", "down"), ("02-05 00:00", "up"),
            ("02-08 23:00", "down"), ("02-09 02:00", "up"),
        )  # fmt: skip
        tell(machine("atm-2", north), ("01-31 12:00", "down"), ("02-04 00:00", "up"))
        names = ["outages/atm", "outages///atm-1", "outages///atm-2", "outages/screen"]
        source = EquipmentSource()

        week = source.collect(measures=names, period=Period.of(date(2026, 2, 3), Grain.WEEK))
        after = source.collect(measures=names, period=Period.of(date(2026, 2, 9), Grain.WEEK))

        cell = SourceCell(north.pk)
        assert [sums_of(week, cell, at)[:3] for at in range(4)] == [
            (14, 14, 3),
            (7, 7, 3),
            (7, 7, 0),
            (0, 0, 0),
        ]
        assert sums_of(after, cell)[:3] == (14, 14, 0)
        assert week.scales == [1, 1, 1, 1]

    def test_the_days_of_outages_are_told_with_those_without_any(self) -> None:
        north, south = make_unit("north"), make_unit("south")
        tell(
            machine("atm-1", north),
            ("02-01 00:00", "up"), ("02-03 08:00", "down"), ("02-03 18:00", "up"),
            ("02-04 23:00", "down"), ("02-05 01:00", "up"),
        )  # fmt: skip
        tell(machine("atm-2", north), ("02-02 00:00", "up"), ("02-03 09:00", "down"))
        tell(machine("atm-3", south), ("02-01 00:00", "up"), ("02-02 09:00", "down"))
        source, through = EquipmentSource(), date(2026, 2, 6)

        all_of_it = source.days(measure="outages/", units=[north.pk], through=through)
        one = source.days(measure="outages///atm-2", units=[north.pk], through=through)
        in_time = source.days(measure="repaired_in_time/atm/4", units=[north.pk], through=through)

        assert [(day.day, events) for day, events, _cases in all_of_it] == [
            *((1, 0), (2, 0), (3, 2), (4, 1), (5, 0)),
        ]
        assert {cases for _day, _events, cases in all_of_it} == {0}
        assert [(day.day, events) for day, events, _cases in one] == [
            *((2, 0), (3, 1), (4, 0), (5, 0)),
        ]
        assert [(day.day, events, cases) for day, events, cases in in_time] == [
            *((1, 0, 0), (2, 0, 0), (3, 0, 1), (4, 0, 0), (5, 1, 1)),
        ]
        assert source.days(measure="repair_time/atm", units=[north.pk], through=through) == []
        assert source.days(measure="outages/screen", units=[north.pk], through=through) == []

    def test_days_of_outages_end_when_the_machine_is_retired(self) -> None:
        north = make_unit("north")
        atm = machine("atm-1", north)
        atm.retired_on = date(2026, 2, 4)
        atm.save()
        tell(
            atm,
            ("02-01 00:00", "up"), ("02-03 08:00", "down"), ("02-03 10:00", "up"),
            ("02-04 08:00", "down"),
        )  # fmt: skip

        told = EquipmentSource().days(
            measure="outages/", units=[north.pk], through=date(2026, 2, 10)
        )

        assert [day.day for day, events, _cases in told if events] == [3]

    def test_a_late_state_touches_the_days_since(self) -> None:
        atm = machine("atm-1", make_unit("north"))
        tell(atm, ("02-03 00:00", "up"))
        tell(atm, ("02-01 00:00", "down"), now=NOW + timedelta(hours=1))
        source = EquipmentSource()

        assert source.spans() == {Grain.DAY: (date(2026, 2, 1), date(2026, 3, 2))}
        assert source.changed_since(NOW) == [(date(2026, 2, 1), date(2026, 3, 2))]
        assert source.changed_since(NOW + timedelta(hours=1)) == []

    @pytest.mark.parametrize(
        "parameters",
        [
            {"measure": "colour"},
            {"measure": "repaired_in_time", "kind": "atm"},
            {"measure": "availability", "within_h": 3},
            {"measure": "repaired_in_time", "within_h": 0},
            {"measure": "repaired_in_time", "within_h": True},
            {"measure": "availability", "kind": "a/b"},
            {"measure": "availability", "site": "north"},
            {"measure": "outages", "equipment": "nothing-like-it"},
            {"measure": "outages", "kind": "atm", "equipment": "atm-1"},
        ],
    )
    def test_what_it_cannot_tell_is_refused(self, parameters: dict[str, object]) -> None:
        machine("atm-1", make_unit("north"))
        with pytest.raises(InvalidInput):
            EquipmentSource().measure(parameters)

    def test_what_it_can_tell_has_a_name(self) -> None:
        source = EquipmentSource()

        assert source.measure({"measure": "availability"}) == "availability/"
        asked = {"measure": "repaired_in_time", "kind": "atm", "within_h": 48}
        assert source.measure(asked) == "repaired_in_time/atm/48"
        machine("atm-1", make_unit("north"))
        assert source.measure({"measure": "outages", "equipment": "atm-1"}) == "outages///atm-1"
        assert source.measure(
            {"measure": "repaired_in_time", "equipment": "atm-1", "within_h": 4}
        ) == ("repaired_in_time//4/atm-1")


def test_a_day_when_the_clocks_change_has_its_own_length() -> None:
    zone = ZoneInfo("Europe/Berlin")
    spans = spans_of([(datetime(2026, 3, 1, tzinfo=zone), "up")])
    spring = days_of_use(spans, first=date(2026, 3, 28), end=date(2026, 3, 31), zone=zone)

    assert [day.observed // 3600 for day in spring] == [24, 23, 24]
