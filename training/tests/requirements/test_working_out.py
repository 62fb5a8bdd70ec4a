"""Who owes what: by post, unit and day; what meets it; and that nothing is written twice."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sqcore.org.models import Assignment
from sqcore.org.services import move_unit
from sqcore.tests.factories import NOW, TODAY, make_staff
from training.certificates.models import ExternalTraining
from training.requirements.models import Obligation, Waiver
from training.requirements.services import recompute_all, recompute_staff
from training.tests.factories import Bank, assign, make_bank
from training.tests.requirements.making import course, hold, passed, rule, version

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def owed() -> list[tuple[str, str, str]]:
    rows = Obligation.objects.order_by("staff__number", "course__code")
    return [(row.staff.number, row.course.code, row.state) for row in rows.select_related()]


def one(number: str = "li") -> Obligation:
    return Obligation.objects.get(staff__number=number)


class TestWhoOwesIt:
    def test_everybody_who_works_here_owes_what_is_required_everywhere(self, bank: Bank) -> None:
        rule(course())

        recompute_all(now=NOW)

        # Hua has no place of work, so that nothing is known of what she would need.
        assert owed() == [(who, "fire-safety", "open") for who in ("chen", "li", "mei")]

    def test_a_post_at_a_unit_and_below(self, bank: Bank) -> None:
        rule(course(), post=bank.teller, unit=bank.bank)
        rule(course("cash"), unit=bank.south)

        recompute_all(now=NOW)

        assert owed() == [("chen", "cash", "open"), ("li", "fire-safety", "open")]

    def test_nobody_before_its_day_or_after_its_end(self, bank: Bank) -> None:
        rule(course(), valid_from=TODAY + DAY)
        rule(course("cash"), valid_to=TODAY)

        recompute_all(now=NOW)

        assert owed() == []

    def test_who_left_or_ended_owes_nothing(self, bank: Bank) -> None:
        rule(course())
        bank.chen.left_on = TODAY
        bank.chen.save()
        Assignment.objects.filter(staff=bank.li).update(valid_to=TODAY)

        recompute_all(now=NOW)

        assert [row[0] for row in owed()] == ["mei"]

    def test_a_unit_that_moved_takes_its_rules_from_its_new_place(self, bank: Bank) -> None:
        rule(course(), unit=bank.south)
        move_unit(unit=bank.north, parent=bank.south, on=TODAY, by=bank.as_(bank.hua), now=NOW)

        recompute_all(now=NOW)

        assert [row[0] for row in owed()] == ["chen", "li", "mei"]

    def test_what_is_required_no_longer_disappears(self, bank: Bank) -> None:
        required = rule(course())
        recompute_all(now=NOW)
        required.valid_to = TODAY
        required.save()

        done = recompute_all(now=NOW)

        assert (done.gone, owed()) == (3, [])


class TestTheDueDay:
    def test_it_counts_from_the_requirement_or_from_the_first_day_there(self, bank: Bank) -> None:
        rule(course())
        new = make_staff("new")
        assign(new, bank.north, bank.teller, on=date(2026, 2, 10))

        recompute_all(now=NOW)

        assert (one().since_on, one().due_on) == (date(2026, 1, 1), date(2026, 1, 31))
        assert (one("new").since_on, one("new").due_on) == (date(2026, 2, 10), date(2026, 3, 12))

    def test_a_transfer_under_the_same_rule_begins_nothing_anew(self, bank: Bank) -> None:
        rule(course(), post=bank.teller, valid_from=date(2019, 1, 1))
        Assignment.objects.filter(staff=bank.li).update(valid_to=date(2026, 2, 1))
        assign(bank.li, bank.south, bank.teller, on=date(2026, 2, 1))

        recompute_all(now=NOW)

        assert (one().since_on, one().unit_id) == (date(2020, 1, 1), bank.south.pk)

    def test_after_a_gap_it_begins_anew(self, bank: Bank) -> None:
        rule(course(), post=bank.teller, valid_from=date(2019, 1, 1))
        Assignment.objects.filter(staff=bank.li).update(valid_to=date(2026, 1, 1))
        assign(bank.li, bank.south, bank.teller, on=date(2026, 2, 1))

        recompute_all(now=NOW)

        assert one().since_on == date(2026, 2, 1)

    def test_the_strictest_of_two_requirements_decides(self, bank: Bank) -> None:
        fire = course()
        rule(fire, within_days=90)
        strict = rule(fire, post=bank.teller, within_days=10)

        recompute_all(now=NOW)

        assert (one().due_on, one().requirement) == (date(2026, 1, 11), strict)
        assert one("mei").due_on == date(2026, 4, 1)


class TestWhatMeetsIt:
    def test_a_certificate_in_force(self, bank: Bank) -> None:
        fire = course()
        rule(fire, post=bank.teller)
        hold(bank.li, fire, date(2025, 6, 1), date(2026, 6, 1))

        recompute_all(now=NOW)

        assert (one().state, one().holds_until) == ("met", date(2026, 6, 1))

    def test_the_longest_of_several_counts_and_one_without_end_above_all(self, bank: Bank) -> None:
        fire = course()
        rule(fire)
        for staff in (bank.li, bank.mei):
            hold(staff, fire, date(2025, 6, 1), date(2026, 6, 1))
            hold(staff, fire, date(2025, 8, 1), date(2026, 8, 1))
        hold(bank.mei, fire, date(2025, 7, 1), None)

        recompute_all(now=NOW)

        assert one().holds_until == date(2026, 8, 1)
        assert (one("mei").state, one("mei").holds_until) == ("met", None)

    def test_one_that_ended_is_due_again_on_its_last_day(self, bank: Bank) -> None:
        fire = course()
        rule(fire, post=bank.teller)
        hold(bank.li, fire, date(2025, 2, 20), date(2026, 2, 20))

        recompute_all(now=NOW)

        assert (one().state, one().due_on, one().holds_until) == ("open", date(2026, 2, 20), None)

    def test_one_that_was_revoked_or_is_still_to_come_does_not(self, bank: Bank) -> None:
        fire = course()
        rule(fire, post=bank.teller)
        bad = hold(bank.li, fire, date(2025, 6, 1), date(2026, 6, 1))
        bad.revoked_at = NOW - 2 * DAY
        bad.save()
        hold(bank.li, fire, TODAY + DAY)

        recompute_all(now=NOW)

        assert (one().state, one().due_on) == ("open", date(2026, 2, 28))

    def test_passing_a_course_without_certificate(self, bank: Bank) -> None:
        talk = course("talk", certifies=False)
        rule(talk, post=bank.teller)
        passed(bank.li, talk.versions.get(), date(2026, 2, 1))

        recompute_all(now=NOW)

        assert (one().state, one().holds_until) == ("met", None)

    def test_passing_does_not_stand_for_a_certificate(self, bank: Bank) -> None:
        fire = course()
        rule(fire, post=bank.teller)
        passed(bank.li, fire.versions.get(), date(2026, 2, 1))

        recompute_all(now=NOW)

        assert one().state == "open"

    def test_a_version_that_replaces_older_ones_asks_again(self, bank: Bank) -> None:
        talk = course("talk", certifies=False)
        rule(talk)
        passed(bank.li, talk.versions.get(), date(2026, 2, 1))
        passed(bank.mei, version(talk, certifies=False, replaces_older=True), date(2026, 2, 2))

        recompute_all(now=NOW)

        assert (one().state, one("mei").state) == ("open", "met")

    def test_approved_training_elsewhere(self, bank: Bank) -> None:
        talk = course("talk", certifies=False)
        rule(talk, post=bank.teller)
        ExternalTraining.objects.create(
            staff=bank.li, course=talk, title="Talking", provider="Academy", minutes=60,
            ended_on=date(2025, 5, 1), state="approved", claimed_at=NOW, decided_at=NOW,
        )  # fmt: skip

        recompute_all(now=NOW)

        assert one().state == "met"

    def test_a_waiver_frees_until_its_day(self, bank: Bank) -> None:
        fire = course()
        rule(fire, post=bank.teller)
        assert bank.hua.user is not None
        Waiver.objects.create(
            staff=bank.li, course=fire, reason="Teaches it", until=date(2026, 3, 9),
            given_by=bank.hua.user, given_at=NOW,
        )  # fmt: skip

        recompute_all(now=NOW)
        assert (one().state, one().holds_until) == ("waived", date(2026, 3, 9))

        recompute_all(now=NOW + 7 * DAY)
        assert (one().state, one().due_on) == ("open", date(2026, 3, 9))


class TestWriting:
    def test_the_same_run_twice_writes_nothing(self, bank: Bank) -> None:
        rule(course())
        hold(bank.li, course("cash"), date(2025, 6, 1))
        rule(bank.li.certificates.get().course)
        first = recompute_all(now=NOW)
        before = list(Obligation.objects.order_by("pk").values())

        with CaptureQueriesContext(
            connection,
        ) as asked:
            again = recompute_all(now=NOW + timedelta(minutes=5))

        assert (first.new, again.as_json()) == (
            6, {"people": 4, "new": 0, "changed": 0, "gone": 0},
        )  # fmt: skip
        assert list(Obligation.objects.order_by("pk").values()) == before
        writes = [q["sql"] for q in asked if q["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE")]
        assert writes == []

    def test_only_the_people_named_are_looked_at(self, bank: Bank) -> None:
        rule(course())

        done = recompute_staff(staff_ids=[bank.li.pk, bank.li.pk], now=NOW)

        assert (done.people, done.new, [row[0] for row in owed()]) == (1, 1, ["li"])

    def test_the_number_of_queries_does_not_grow_with_people(
        self, bank: Bank, django_assert_max_num_queries: Any
    ) -> None:
        rule(course())
        for number in range(60):
            assign(make_staff(f"n{number}"), bank.north, bank.teller)

        with django_assert_max_num_queries(18):
            recompute_all(now=NOW)

        assert Obligation.objects.count() == 63

    def test_progress_is_reported(self, bank: Bank) -> None:
        said: list[tuple[int, int]] = []

        recompute_all(now=NOW, report=lambda done, total: said.append((done, total)))

        assert said == [(4, 4)]
