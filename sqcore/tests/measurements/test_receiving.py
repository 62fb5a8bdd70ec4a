"""Taking measurements in: what is stored, what is refused by row and field, what a repeat does."""

from datetime import date, timedelta
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE
from sqcore.measurements.models import Feed, Observation
from sqcore.measurements.services import (
    Taken,
    change_measure,
    define_feed,
    retire_measure,
    take_measurements,
)
from sqcore.tests.factories import NOW, make_channel, make_principal, make_segment, make_unit
from sqcore.tests.measurements.making import SYSTEM, measure, send, sender, share

pytestmark = pytest.mark.django_db


def reasons(*rows: Any, **how: Any) -> list[str]:
    """What is wrong with these rows; nothing of them may have been stored."""
    before = list(Observation.objects.order_by("id").values())
    with pytest.raises(InvalidInput) as refused:
        send(*rows, **how)
    assert list(Observation.objects.order_by("id").values()) == before
    return [str(problem) for problem in refused.value.problems]


class TestMeasures:
    def test_a_definition_is_in_the_ledger(self) -> None:
        found = measure("errors")

        assert found.scale == 1
        entry = AuditEntry.objects.get(action="measure.defined")
        assert entry.subject == f"measure:{found.pk}"

    def test_wrong_fields_are_named(self) -> None:
        with pytest.raises(InvalidInput) as refused:
            measure("no code!", "guess", minimum=5.0, maximum=1.0, unit_of_measure="furlong")

        assert {problem.field for problem in refused.value.problems} >= {
            "code", "kind", "unit_of_measure",
        }  # fmt: skip

    def test_bounds_the_wrong_way_round_are_refused(self) -> None:
        with pytest.raises(InvalidInput):
            measure("errors", minimum=5.0, maximum=1.0)

    def test_who_does_not_keep_measures_defines_none(self) -> None:
        with pytest.raises(NotPermitted):
            change_measure(measure=measure(), by=sender(), now=NOW, due_days=3)

    def test_the_period_of_a_measure_with_values_stays(self) -> None:
        make_unit("north")
        found = measure()
        send(share("north", "2026-01", 1, 2))

        with pytest.raises(Conflict):
            change_measure(measure=found, by=SYSTEM, now=NOW, every="week")
        assert change_measure(measure=found, by=SYSTEM, now=NOW, due_days=9).due_days == 9

    def test_a_retired_measure_takes_nothing_of_later(self) -> None:
        make_unit("north")
        found = retire_measure(measure=measure(), on=date(2026, 2, 1), by=SYSTEM, now=NOW)
        send(share("north", "2026-01", 1, 2))

        assert reasons(share("north", "2026-02", 1, 2)) == [
            "row 1, period: the measure is retired since 1 Feb 2026"
        ]
        with pytest.raises(Conflict):
            retire_measure(measure=found, on=date(2026, 3, 1), by=SYSTEM, now=NOW)


class TestTaking:
    def test_a_share_is_kept_as_counts(self) -> None:
        make_unit("north")
        measure()

        assert send(share("north", "2026-01", 5, 200)) == Taken(new=1)
        row = Observation.objects.get()
        assert (row.n, row.numerator, row.denominator, row.squares) == (200, 5, 200, None)
        assert (row.grain, row.starts_on, row.revision) == ("month", date(2026, 1, 1), 1)
        assert (row.source, row.recorded_at) == ("api", NOW)

    @pytest.mark.parametrize(
        ("kind", "fields", "kept"),
        [
            ("mean", {"value": 12.5}, (1, 125, 0, 15625)),
            ("mean", {"n": 4, "sum": 50}, (4, 500, 0, None)),
            ("mean", {"n": 4, "sum": 50.0, "sum_of_squares": 700.5}, (4, 500, 0, 70050)),
            ("rate", {"numerator": 0, "denominator": 4000}, (1, 0, 4000, None)),
            ("ratio", {"numerator": 719.5, "denominator": 720}, (1, 7195, 720, None)),
        ],
    )
    def test_every_kind_is_kept_exactly(
        self, kind: str, fields: dict[str, float], kept: tuple[int | None, ...]
    ) -> None:
        make_unit("north")
        measure("size", kind, decimals=1, every="day")

        send({"measure": "size", "unit": "north", "period": "2026-02-28"} | fields)

        row = Observation.objects.get()
        assert (row.n, row.numerator, row.denominator, row.squares) == kept

    def test_a_period_can_be_told_by_its_grain_and_start(self) -> None:
        make_unit("north")
        measure(every="week")
        row = {"measure": "errors", "unit": "north", "numerator": 0, "denominator": 9}

        send(row | {"grain": "week", "starts_on": "2026-02-23"})

        assert Observation.objects.get().starts_on == date(2026, 2, 23)

    def test_the_same_again_changes_nothing(self) -> None:
        make_unit("north")
        measure()
        send(share("north", "2026-01", 5, 200))

        assert send(share("north", "2026-01", 5, 200)) == Taken(unchanged=1)
        assert Observation.objects.count() == 1

    def test_other_values_are_the_next_revision(self) -> None:
        make_unit("north")
        found = measure()
        later = NOW + timedelta(days=1)
        send(share("north", "2026-01", 5, 200))

        assert send(share("north", "2026-01", 6, 200), now=later) == Taken(replaced=1)

        former, current = Observation.objects.order_by("revision")
        assert (former.numerator, former.superseded_at) == (5, later)
        assert (current.numerator, current.revision, current.superseded_at) == (6, 2, None)
        of_measure = Observation.objects.filter(measure=found)
        known = [
            of_measure.as_known_at(at).values_list("numerator", flat=True).first()
            for at in (NOW - timedelta(seconds=1), NOW, later - timedelta(seconds=1), later)
        ]
        assert known == [None, 5, 5, 6]

    def test_channels_and_segments_are_places_of_their_own(self) -> None:
        make_unit("north")
        make_channel("phone")
        make_segment("firms")
        measure()

        taken = send(
            share("north", "2026-01", 5, 200),
            share("north", "2026-01", 1, 50, channel="phone"),
            share("north", "2026-01", 2, 60, segment="firms"),
            share("north", "2026-01", 1, 9, channel="phone", segment="firms"),
        )

        assert taken == Taken(new=4)
        assert send(share("north", "2026-01", 2, 50, channel="phone")) == Taken(replaced=1)

    def test_a_feed_is_heard(self) -> None:
        make_unit("north")
        core = define_feed(code="core", name={"en": "Core system"}, by=SYSTEM, now=NOW)
        measure(feed=core)

        send(share("north", "2026-01", 5, 200), now=NOW + timedelta(hours=1))
        send(share("north", "2026-01", 5, 200), now=NOW)

        assert Feed.objects.get().heard_at == NOW + timedelta(hours=1)
        assert Observation.objects.get().feed == core

    def test_two_rows_of_one_place_are_refused_on_the_fast_way_too(self) -> None:
        from sqcore.measurements.intake import NewMeasurement

        unit, found = make_unit("north"), measure()
        row = NewMeasurement(found.pk, unit.pk, "month", date(2026, 1, 1), 2, 1, 2)

        with pytest.raises(InvalidInput):
            take_measurements(rows=[row, row._replace(numerator=2)], source="demo", now=NOW)
        assert not Observation.objects.exists()


class TestRefusals:
    @pytest.mark.parametrize(
        ("over", "reason"),
        [
            ({"measure": "wonders"}, "row 1, measure: “wonders” is not known, or not yours"),
            ({"measure": None}, "row 1, measure: is missing"),
            ({"unit": "moon"}, "row 1, unit: “moon” is not known, or not yours"),
            ({"unit": 7}, "row 1, unit: must be a text"),
            ({"channel": "pigeon"}, "row 1, channel: “pigeon” is not known, or not yours"),
            ({"feed": "ghost"}, "row 1, feed: “ghost” is not known, or not yours"),
            ({"period": "2026-W05"}, "row 1, period: this measure comes by month, not by week"),
            ({"period": "2026-04"}, "row 1, period: has not begun yet"),
            (
                {"period": "2020-01"},
                "row 1, period: is over before the measure begins on 1 Jan 2021",
            ),
            ({"period": None}, "row 1, period: give either period or starts_on"),
            (
                {"period": None, "grain": "month", "starts_on": "2026-01-02"},
                "row 1, starts_on: is no start of a month; the month begins on 2026-01-01",
            ),
            (
                {"period": None, "grain": "fortnight", "starts_on": "2026-01-01"},
                "row 1, grain: must be one of day, week, month, quarter, year",
            ),
            ({"denominator": 0}, "row 1, denominator: must be 1 or more"),
            ({"numerator": -1}, "row 1, numerator: must not be negative"),
            ({"numerator": 201}, "row 1, numerator: is more than the denominator"),
            ({"numerator": 1.5}, "row 1, numerator: must be a whole number"),
            ({"numerator": "5"}, "row 1, numerator: must be a number"),
            ({"numerator": True}, "row 1, numerator: must be a number"),
            ({"numerator": None}, "row 1, numerator: is missing"),
            ({"numerator": 1, "denominator": 2**53 + 2},
             "row 1, denominator: is more than 9,007,199,254,740,992"),
            (
                {"value": 3},
                "row 1, value: is no field of a measure of the kind “Share of a number”",
            ),
            (
                {"unit_of_measure": "min"},
                "row 1, unit_of_measure: must be share, the one of this measure",
            ),
            (
                {"numerater": 3},
                "row 1, numerater: is no field of a measurement; did you mean “numerator”?",
            ),
        ],
    )  # fmt: skip
    def test_a_row_that_is_wrong_is_named(self, over: dict[str, Any], reason: str) -> None:
        make_unit("north")
        measure(unit_of_measure="share", since=date(2021, 1, 1))

        assert reasons(share("north", "2026-01", 5, 200) | over) == [reason]

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"n": 2, "sum": 10, "sum_of_squares": 49},
             "sum_of_squares: is impossible: n times it is less than the square of the sum"),
            ({"n": 0, "sum": 10}, "n: must be 1 or more"),
            ({"n": 2}, "sum: is missing; give value, or n and sum"),
            ({"value": 5, "n": 1}, "value: give either value, or n and sum"),
            ({"value": 61}, "value: 61 is above what is plausible, 60"),
            ({"n": 2, "sum": 130}, "sum: 65 is above what is plausible, 60"),
            ({"value": -1}, "value: -1 is below what is plausible, 0"),
            ({"value": 1.25}, "value: has more than 1 decimals"),
            ({"value": 1e300}, "value: is more than 9,007,199,254,740,992"),
            ({"numerator": 1, "denominator": 2},
             "denominator: is no field of a measure of the kind “Mean of readings”"),
        ],
    )  # fmt: skip
    def test_a_mean_that_is_wrong_is_named(self, fields: dict[str, Any], reason: str) -> None:
        make_unit("north")
        measure("wait", "mean", unit_of_measure="min", maximum=60.0, decimals=1)

        row = {"measure": "wait", "unit": "north", "period": "2026-01"} | fields
        assert reasons(row) == [f"row 1, {reason}"]

    def test_every_wrong_row_is_named_and_none_is_stored(self) -> None:
        make_unit("north")
        measure()

        assert reasons(
            share("north", "2026-01", 5, 200),
            share("south", "2026-01", 5, 3),
            share("north", "2026-01", 6, 200),
            "a text",
        ) == [
            "row 2, unit: “south” is not known, or not yours",
            "row 2, numerator: is more than the denominator",
            "row 3, period: row 1 is for the same place and period",
            "row 4: must be an object",
        ]

    def test_a_unit_beyond_the_scope_is_unknown(self) -> None:
        north = make_unit("north")
        make_unit("south")
        measure()

        assert reasons(share("south", "2026-01", 5, 200), by=sender(north)) == [
            "row 1, unit: “south” is not known, or not yours"
        ]
        assert send(share("north", "2026-01", 5, 200), by=sender(north)) == Taken(new=1)

    def test_a_unit_that_was_not_open_measures_nothing(self) -> None:
        make_unit("new", on=date(2026, 2, 15))
        measure()

        assert reasons(share("new", "2026-01", 1, 2)) == [
            "row 1, period: the unit was not open then"
        ]
        assert send(share("new", "2026-02", 1, 2)) == Taken(new=1)

    def test_who_only_reads_sends_nothing(self) -> None:
        make_unit("north")
        measure()
        reader = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})

        with pytest.raises(NotPermitted):
            send(share("north", "2026-01", 5, 200), by=reader)
        assert not Observation.objects.exists()

    def test_nothing_and_too_much_at_once_are_refused(self) -> None:
        with pytest.raises(InvalidInput):
            send()
        with pytest.raises(InvalidInput):
            send(*[{}] * 10_001)

    def test_a_rounded_sum_of_squares_is_no_lie(self) -> None:
        make_unit("north")
        measure("wait", "mean", decimals=1)
        third = 0.1
        total, squares = sum([third] * 3), sum(third * third for _ in range(3))
        row = {"measure": "wait", "unit": "north", "period": "2026-01", "n": 3}

        send(row | {"sum": round(total, 1), "sum_of_squares": squares})

        assert Observation.objects.get().squares == 3


def test_only_readers_of_results_in_their_scope_see_observations() -> None:
    north = make_unit("north")
    make_unit("south")
    measure()
    send(share("north", "2026-01", 5, 200), share("south", "2026-01", 5, 200))
    mei = make_principal(
        {Permission.VIEW_RESULTS: sender(north).scope(Permission.SEND_MEASUREMENTS)}
    )
    chen = make_principal({})

    assert [row.unit.code for row in Observation.objects.visible_to(mei)] == ["north"]
    assert not Observation.objects.visible_to(chen).exists()
    assert Observation.objects.visible_to(SYSTEM).count() == 2


def test_a_sender_that_waited_for_a_later_one_still_makes_the_next_revision() -> None:
    make_unit("north")
    measure()
    send(share("north", "2026-01", 5, 200), now=NOW + timedelta(seconds=9))

    taken = send(share("north", "2026-01", 6, 200), now=NOW)

    assert taken == Taken(replaced=1)
    assert Observation.objects.current().get().numerator == 6
