"""Requiring, ending, waiving; the day's work; reminders that go out once."""

from datetime import date, timedelta

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.identity.permissions import Role
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_inline
from sqcore.notices.models import Notice
from sqcore.org.models import Assignment, Placement, Unit
from sqcore.org.queries import principal_for
from sqcore.tests.factories import NOW, TODAY, give_role, make_user
from training.courses.models import Course
from training.requirements.models import Obligation, Reminder, Requirement, SavedFilter, Waiver
from training.requirements.queries import outlook_of
from training.requirements.services import (
    end_requirement,
    end_waiver,
    forget_filter,
    recompute_all,
    recompute_for_version,
    require_course,
    save_filter,
    send_reminders,
    start_of_day,
    waive,
)
from training.tests.factories import Bank, make_bank
from training.tests.requirements.making import course, hold, rule, version

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def required(bank: Bank, of: Course, unit: Unit | None = None, **over: object) -> Requirement:
    asked = {
        "course": of, "post": bank.teller, "unit": unit, "within_days": 30, "reason": "Law",
        "valid_from": TODAY, "by": bank.as_(bank.hua), "now": NOW,
    } | over  # fmt: skip
    return require_course(**asked)  # type: ignore[arg-type]  # the fields of the service


class TestRequiring:
    def test_it_is_kept_audited_and_worked_out_by_a_job(self, bank: Bank) -> None:
        made = required(bank, course())

        job = run_inline(Job.objects.get(kind="training.requirements"), now=NOW)

        assert (made.post, made.unit, made.within_days) == (bank.teller, None, 30)
        assert job.result == {"people": 4, "new": 1, "changed": 0, "gone": 0, "reminded": 0}
        assert Obligation.objects.get().due_on == TODAY + 30 * DAY
        assert AuditEntry.objects.get(action="requirement.required").details["course"]

    def test_the_same_twice_is_a_conflict(self, bank: Bank) -> None:
        fire = course()
        required(bank, fire)

        with pytest.raises(Conflict):
            required(bank, fire, within_days=5)

        assert Requirement.objects.get().within_days == 30

    def test_days_that_cannot_be_are_named_by_field(self, bank: Bank) -> None:
        fire = course()
        fire.is_active = False

        with pytest.raises(InvalidInput) as refused:
            required(bank, fire, within_days=9999, valid_from=date(1026, 1, 1), reason="x" * 301)

        fields = [problem.field for problem in refused.value.problems]
        assert fields == ["course", "within_days", "reason", "valid_from"]
        assert not Requirement.objects.exists()

    def test_hr_of_a_branch_requires_there_and_nowhere_else(self, bank: Bank) -> None:
        fire, local = course(), make_user("local")
        give_role(local, Role.HR, bank.north)
        by = principal_for(local, on=TODAY)

        for unit in (None, bank.south, bank.bank):
            with pytest.raises(NotPermitted):
                required(bank, fire, unit, by=by)
        with pytest.raises(NotPermitted):
            required(bank, fire, bank.north, by=bank.as_(bank.mei))
        required(bank, fire, bank.north, by=by)

        assert Requirement.objects.get().unit == bank.north

    def test_it_says_before_what_it_would_mean(self, bank: Bank) -> None:
        fire = course()
        hold(bank.li, fire, date(2025, 6, 1), date(2026, 6, 1))
        rule(fire, post=bank.teller)
        recompute_all(now=NOW)

        found = outlook_of(
            course=fire, post=None, unit=bank.bank, within_days=30, valid_from=date(2020, 1, 1),
            on=TODAY,
        )  # fmt: skip

        assert (found.people, found.met, found.owe_already, found.new, found.late) == (
            3,
            1,
            1,
            2,
            2,
        )
        soft = outlook_of(
            course=fire, post=None, unit=bank.north, within_days=30, valid_from=TODAY, on=TODAY
        )
        assert (soft.people, soft.late) == (2, 0)

    def test_it_ends_on_a_day_and_the_rows_go(self, bank: Bank) -> None:
        made = rule(course())
        recompute_all(now=NOW)

        end_requirement(requirement_id=made.pk, on=TODAY, by=bank.as_(bank.hua), now=NOW)
        run_inline(Job.objects.get(), now=NOW)

        made.refresh_from_db()
        assert (made.valid_to, Obligation.objects.count()) == (TODAY, 0)
        with pytest.raises(Conflict):
            end_requirement(requirement_id=made.pk, on=TODAY, by=bank.as_(bank.hua), now=NOW)

    def test_one_that_never_held_is_taken_away(self, bank: Bank) -> None:
        made = rule(course(), valid_from=TODAY)
        recompute_all(now=NOW)

        end_requirement(requirement_id=made.pk, on=TODAY, by=bank.as_(bank.hua), now=NOW)

        assert (Requirement.objects.count(), Obligation.objects.count()) == (0, 0)

    def test_it_does_not_end_before_today_or_by_a_manager(self, bank: Bank) -> None:
        made = rule(course())

        with pytest.raises(InvalidInput):
            end_requirement(requirement_id=made.pk, on=TODAY - DAY, by=bank.as_(bank.hua), now=NOW)
        with pytest.raises(NotPermitted):
            end_requirement(requirement_id=made.pk, on=TODAY, by=bank.as_(bank.mei), now=NOW)

        made.refresh_from_db()
        assert made.valid_to is None


class TestWaivers:
    def give(self, bank: Bank, **over: object) -> Waiver:
        asked = {
            "staff_id": bank.li.pk, "course": Course.objects.get(), "reason": "Teaches it herself",
            "until": TODAY + 90 * DAY, "by": bank.as_(bank.hua), "now": NOW,
        } | over  # fmt: skip
        return waive(**asked)  # type: ignore[arg-type]  # the fields of the service

    @pytest.fixture(autouse=True)
    def _owed(self, bank: Bank) -> None:
        rule(course())
        recompute_all(now=NOW)

    def test_it_frees_at_once_and_until_it_is_ended(self, bank: Bank) -> None:
        made = self.give(bank)
        assert Obligation.objects.get(staff=bank.li).state == "waived"

        end_waiver(waiver_id=made.pk, by=bank.as_(bank.hua), now=NOW)

        owed = Obligation.objects.get(staff=bank.li)
        assert (owed.state, owed.due_on) == ("open", TODAY)
        with pytest.raises(Conflict):
            end_waiver(waiver_id=made.pk, by=bank.as_(bank.hua), now=NOW)

    def test_two_at_once_are_one(self, bank: Bank) -> None:
        self.give(bank)

        with pytest.raises(Conflict):
            self.give(bank)

        assert Waiver.objects.count() == 1

    def test_after_one_has_run_out_another_can_be_given(self, bank: Bank) -> None:
        self.give(bank, until=TODAY + DAY)

        later = NOW + 3 * DAY
        self.give(bank, until=None, now=later)

        assert list(Waiver.objects.order_by("pk").values_list("ended_at", flat=True)) == [
            later, None,
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("over", "field"), [({"reason": "  "}, "reason"), ({"until": TODAY}, "until")]
    )
    def test_a_reason_and_a_day_to_come_are_needed(
        self, bank: Bank, over: dict[str, object], field: str
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            self.give(bank, **over)

        assert [problem.field for problem in refused.value.problems] == [field]
        assert not Waiver.objects.exists()

    def test_not_by_a_manager_nor_for_oneself_nor_what_is_not_owed(self, bank: Bank) -> None:
        give_role(bank.li.user, Role.HR)  # type: ignore[arg-type]  # Li has a user

        with pytest.raises(NotPermitted):
            self.give(bank, by=bank.as_(bank.mei))
        with pytest.raises(NotPermitted):
            self.give(bank, by=bank.as_(bank.li))
        with pytest.raises(NotFound):
            self.give(bank, staff_id=bank.hua.pk)

        assert not Waiver.objects.exists()


class TestReminders:
    def sent(self, who: str = "li") -> list[str]:
        return list(Reminder.objects.filter(staff__number=who).values_list("key", flat=True))

    def test_once_at_thirty_fourteen_and_three_days(self, bank: Bank) -> None:
        rule(course(), post=bank.teller, valid_from=TODAY, within_days=31)
        recompute_all(now=NOW)
        days = []

        for day in range(33):
            now = NOW + day * DAY
            if send_reminders(now=now) + send_reminders(now=now + timedelta(hours=1)):
                days.append(day)

        # Day 32 tells Mei of what is overdue, not Li.
        assert days == [1, 17, 28, 32]
        assert len(self.sent()) == 3
        assert Notice.objects.filter(reader=bank.li.user).count() == 3
        assert Notice.objects.get(reader=bank.mei.user).title["en"] == "Overdue training at North"

    def test_what_was_missed_is_made_up_for_once(self, bank: Bank) -> None:
        rule(course(), post=bank.teller, valid_from=TODAY, within_days=10)
        recompute_all(now=NOW)

        assert [send_reminders(now=NOW + day * DAY) for day in range(4)] == [1, 0, 0, 0]

    def test_certificates_at_ninety_sixty_and_thirty_days(self, bank: Bank) -> None:
        hold(bank.li, course(), date(2025, 6, 1), TODAY + 91 * DAY)

        days = [day for day in range(95) if send_reminders(now=NOW + day * DAY)]

        assert days == [1, 31, 61]

    def test_one_that_was_renewed_or_of_who_left_is_not_spoken_of(self, bank: Bank) -> None:
        fire = course()
        for person in (bank.li, bank.mei):
            hold(person, fire, date(2025, 6, 1), TODAY + 20 * DAY)
        hold(bank.li, fire, date(2026, 2, 1), TODAY + 380 * DAY)
        bank.mei.left_on = TODAY
        bank.mei.save()

        assert send_reminders(now=NOW) == 0

    def test_managers_are_told_once_a_week_of_their_units_alone(self, bank: Bank) -> None:
        rule(course(), post=bank.teller, within_days=0)
        recompute_all(now=NOW)

        told = [send_reminders(now=NOW + day * DAY) for day in range(8)]

        assert told == [1, 0, 0, 0, 0, 0, 0, 1]
        assert set(Notice.objects.values_list("reader__username", flat=True)) == {"mei"}

    def test_the_day_is_worked_once(self, bank: Bank) -> None:
        rule(course(), post=bank.teller, valid_from=TODAY, within_days=10)

        assert [start_of_day(now=NOW), start_of_day(now=NOW)] == [True, False]
        job = run_inline(Job.objects.get(), now=NOW)

        assert job.result["reminded"] == 1
        assert start_of_day(now=NOW + timedelta(hours=2)) is False
        assert start_of_day(now=NOW + DAY) is True

    def test_the_day_is_worked_again_when_a_unit_or_somebody_changed_places(
        self, bank: Bank
    ) -> None:
        rule(course(), post=bank.teller, valid_from=TODAY, within_days=10)
        assert start_of_day(now=NOW) is True
        run_inline(Job.objects.get(), now=NOW)

        bank.north.placements.update(valid_to=TODAY)
        Placement.objects.create(unit=bank.north, parent=bank.south, valid_from=TODAY)
        assert [start_of_day(now=NOW), start_of_day(now=NOW)] == [True, False]
        run_inline(Job.objects.get(state=Job.State.QUEUED), now=NOW)
        Assignment.objects.filter(staff=bank.li).update(valid_to=TODAY)
        assert start_of_day(now=NOW) is True

    def test_a_version_that_takes_the_place_of_others_is_owed_at_once(self, bank: Bank) -> None:
        fire = course()
        rule(fire)
        hold(bank.li, fire, date(2026, 1, 15), date(2027, 1, 15))
        recompute_all(now=NOW)
        assert Obligation.objects.get(staff=bank.li).state == Obligation.State.MET

        newer = version(fire, replaces_older=True)
        recompute_for_version(version_id=newer.pk, on=TODAY, now=NOW)

        assert Obligation.objects.get(staff=bank.li).state != Obligation.State.MET


def test_a_filter_is_kept_under_its_name_by_its_owner_alone(bank: Bank) -> None:
    by = bank.as_(bank.hua)
    kept = save_filter(page="matrix", name=" My  tellers ", query="post=teller", by=by)
    again = save_filter(page="matrix", name="My tellers", query="post=teller&state=met", by=by)

    assert (kept.pk, again.name, again.query) == (again.pk, "My tellers", "post=teller&state=met")
    with pytest.raises(NotFound):
        forget_filter(filter_id=kept.pk, by=bank.as_(bank.mei))
    with pytest.raises(InvalidInput):
        save_filter(page="matrix", name="", query="", by=by)
    assert SavedFilter.objects.count() == 1
