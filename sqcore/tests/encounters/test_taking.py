"""Encounters come in once, however often they are sent, and say how long each part took."""

from datetime import UTC, date, datetime

import pytest

from sqcore.encounters.models import Customer, Encounter, EncounterSums, TouchedSpan
from sqcore.encounters.services import (
    NewEncounter,
    Taken,
    pseudonym_of,
    sum_up,
    take_encounters,
    times_of,
)
from sqcore.org.models import Unit
from sqcore.tests.encounters.factories import MORNING, encounter, step
from sqcore.tests.factories import NOW, make_channel, make_segment, make_staff, make_unit

pytestmark = pytest.mark.django_db


@pytest.fixture
def branch() -> Unit:
    return make_unit("lujiazui")


def take(*rows: NewEncounter) -> Taken:
    return take_encounters(rows=rows, now=NOW)


class TestTimes:
    def test_waiting_is_where_no_stage_runs_and_handling_where_one_does(self) -> None:
        assert times_of([("number", 0, 60, ""), ("advice", 300, 900, "")]) == (240, 660)

    def test_stages_at_the_same_time_count_once(self) -> None:
        assert times_of([("advice", 60, 600, ""), ("copy", 120, 300, "")]) == (60, 540)

    def test_nothing_is_known_when_the_end_of_a_stage_is_not(self) -> None:
        assert times_of([("number", 0, 60, ""), ("advice", 300, None, "")]) == (None, None)

    def test_nothing_is_known_without_stages(self) -> None:
        assert times_of([]) == (None, None)


class TestWhatIsKept:
    def test_the_day_is_the_day_of_the_organisation(self, branch: Unit) -> None:
        late = datetime(2026, 3, 2, 17, 30, tzinfo=UTC)

        take(encounter("a", branch, at=late))

        assert Encounter.objects.get().on == date(2026, 3, 3)

    def test_the_customers_number_is_not_kept(self, branch: Unit) -> None:
        take(encounter("a", branch, customer="6222-0001"))

        customer = Customer.objects.get()
        assert customer.pseudonym == pseudonym_of("6222-0001")
        assert "6222" not in customer.pseudonym
        assert (len(customer.pseudonym), customer.first_on) == (64, date(2026, 3, 2))

    def test_a_customer_who_comes_again_is_the_same(self, branch: Unit) -> None:
        take(encounter("a", branch, customer="6222-0001"))
        take(encounter("b", branch, customer="6222-0001"), encounter("c", branch, customer="7"))

        assert Customer.objects.count() == 2
        assert Customer.objects.get(pseudonym=pseudonym_of("6222-0001")).encounters.count() == 2

    def test_who_had_eight_tenths_of_it_had_it_alone(self, branch: Unit) -> None:
        li, mei = make_staff("li"), make_staff("mei")
        take(
            encounter("a", branch, shares={li.pk: 8000, mei.pk: 2000}),
            encounter("b", branch, shares={li.pk: 7999, mei.pk: 2001}),
        )

        alone = dict(Encounter.objects.values_list("key", "staff_id"))
        assert alone == {"a": li.pk, "b": None}

    def test_a_stage_that_comes_twice_was_rework_unless_the_sender_knows_better(
        self, branch: Unit
    ) -> None:
        twice = [step("advice", 1, 2), step("sign", 3, 4), step("advice", 5, 6)]
        take(
            encounter("a", branch, steps=twice),
            encounter("b", branch),
            encounter("c", branch, steps=twice, reworked=False),
            encounter("d", branch, steps=[]),
        )

        again = dict(Encounter.objects.values_list("key", "reworked"))
        assert again == {"a": True, "b": False, "c": False, "d": None}

    def test_stages_are_kept_in_order_and_in_seconds_from_the_arrival(self, branch: Unit) -> None:
        steps = [step("advice", 5, 9.5, staff="li"), step("number", 0, None)]

        take(encounter("a", branch, steps=steps))

        assert Encounter.objects.get().steps == [
            ["number", 0, None, ""],
            ["advice", 300, 570, "li"],
        ]


class TestSentAgain:
    def test_the_same_again_changes_nothing(self, branch: Unit) -> None:
        rows = [encounter(key, branch, customer="7") for key in "abc"]
        assert take(*rows) == Taken(new=3)
        while sum_up(clock=lambda: NOW):
            pass

        assert take(*rows) == Taken(unchanged=3)

        assert Encounter.objects.count() == 3
        assert not TouchedSpan.objects.exists()

    def test_other_content_replaces_and_touches_where_it_was_and_where_it_is(
        self, branch: Unit
    ) -> None:
        other = make_unit("xujiahui")
        take(encounter("a", branch))
        sum_up(clock=lambda: NOW)

        taken = take(encounter("a", other, wait=20))

        assert taken == Taken(replaced=1)
        assert Encounter.objects.get().waiting_s == 20 * 60
        touched = set(TouchedSpan.objects.values_list("unit_id", flat=True))
        assert touched == {branch.pk, other.pk}

    def test_of_a_key_that_comes_twice_the_later_stands(self, branch: Unit) -> None:
        taken = take(encounter("a", branch, wait=1), encounter("a", branch, wait=2))

        assert taken == Taken(new=1, unchanged=1)
        assert Encounter.objects.get().waiting_s == 120


class TestSums:
    def test_a_span_is_summed_by_channel_and_segment(self, branch: Unit) -> None:
        counter, private = make_channel("counter"), make_segment("private")
        take(
            encounter("a", branch, channel_id=counter.pk, segment_id=private.pk),
            encounter("b", branch, channel_id=counter.pk),
        )

        assert sum_up(clock=lambda: NOW) == 1
        assert sum_up(clock=lambda: NOW) == 0

        kept = EncounterSums.objects.get()
        assert (kept.unit, kept.starts_on, kept.ends_on) == (
            branch,
            date(2026, 3, 2),
            date(2026, 3, 9),
        )
        assert kept.changed_at == NOW

    def test_a_span_from_which_all_went_is_kept_empty_so_that_its_change_is_seen(
        self, branch: Unit
    ) -> None:
        take(encounter("a", branch))
        sum_up(clock=lambda: NOW)
        take(encounter("a", branch, at=MORNING.replace(day=20)))
        sum_up(clock=lambda: NOW)

        contents = dict(EncounterSums.objects.values_list("starts_on", "content"))
        assert not contents[date(2026, 3, 2)]
        assert contents[date(2026, 3, 16)]
