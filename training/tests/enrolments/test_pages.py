"""Pages of a session: the people in it, enrolling several, presence, tests, the door."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sqcore.notices.models import Notice
from sqcore.org.models import Staff
from sqcore.tests.factories import NOW, TODAY
from sqcore.tests.pages import faults_of
from training.courses.models import Session
from training.enrolments.models import Attempt, Attendance, Enrolment
from training.enrolments.services import sign_in_code
from training.needs.models import Need
from training.requirements.models import Obligation, Requirement
from training.tests.factories import (
    A_DAY,
    Bank,
    course_of,
    enrolment_of,
    make_bank,
    session_of,
    teller,
)

pytestmark = pytest.mark.django_db
QUERIES = 15
START, END = A_DAY
LATER = START + timedelta(hours=3)
AFTER = END + timedelta(hours=2)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as found:
        yield found


def client(person: Staff) -> Client:
    found = Client()
    assert person.user is not None
    found.force_login(person.user)
    return found


def read(person: Staff, path: str) -> str:
    response = client(person).get(path)
    assert response.status_code == 200, response.content.decode()[:2000]
    html = response.content.decode()
    assert faults_of(html) == []
    return html


def queries_of(person: Staff, path: str) -> int:
    browser = client(person)
    browser.get(path)
    with CaptureQueriesContext(connection) as seen:
        assert browser.get(path).status_code == 200
    return len(seen)


def tellers(bank: Bank, count: int) -> list[Staff]:
    return [teller(f"t{n:02d}", bank.north) for n in range(count)]


class TestSession:
    def test_the_manager_of_the_unit_sees_the_people_and_what_can_be_done(self, bank: Bank) -> None:
        session = session_of(course_of(), unit=bank.north, capacity=1, planned_cost=120_050)
        enrolment_of(session, bank.li, unit_id=bank.north.pk)
        wang = teller("wang", bank.north)
        enrolment_of(session, wang, unit_id=bank.north.pk, state="waiting", waits_since=NOW)

        html = read(bank.mei, "/training/sessions/s1/")

        assert html.index("Staff li") < html.index("Staff wang")
        assert "waits, number 1" in html
        assert "1 of 1 taken" in html
        assert "1,200.50" in html
        for part in ("enrol/", "attendance/", "results/", "door/", "change/", "cancel/"):
            assert f'"/training/sessions/s1/{part}"' in html
        assert "/close/" not in html

    def test_a_person_sees_their_place_and_nobody_else(self, bank: Bank) -> None:
        session = session_of(course_of(), unit=bank.north, planned_cost=120_050)
        enrolment_of(session, bank.li, state="waiting", waits_since=NOW)
        enrolment_of(session, teller("wang", bank.north))

        html = read(bank.li, "/training/sessions/s1/")

        assert "You are number 1 on the waiting list." in html
        for hidden in ("Staff wang", "1,200.50", "/enrol/", "/attendance/"):
            assert hidden not in html

    def test_another_manager_sees_the_own_people_alone(self, bank: Bank) -> None:
        session = session_of(course_of(), unit=bank.north)
        enrolment_of(session, bank.li)
        enrolment_of(session, teller("sun", bank.south))

        html = read(bank.chen, "/training/sessions/s1/")

        assert "Staff sun" in html
        assert "Staff li" not in html
        assert "/attendance/" not in html

    def test_the_waiting_list_stands_in_its_order_and_who_moved_up_by_name(
        self, bank: Bank
    ) -> None:
        session = session_of(course_of(), unit=bank.north)
        first, second, third, fourth = tellers(bank, 4)
        enrolment_of(session, third, state="waiting", waits_since=NOW)
        enrolment_of(session, second, state="waiting", waits_since=NOW)
        enrolment_of(session, first, waits_since=NOW)
        enrolment_of(session, fourth)

        html = read(bank.mei, "/training/sessions/s1/")

        places = [html.index(f"Staff {n}") for n in ("t00", "t03", "t02", "t01")]
        assert places == sorted(places)

    def test_an_empty_session_says_how_to_begin(self, bank: Bank) -> None:
        session_of(course_of(), unit=bank.north)

        assert "Nobody is enrolled yet" in read(bank.mei, "/training/sessions/s1/")

    def test_a_full_roster_takes_no_more_queries(self, bank: Bank) -> None:
        session = session_of(course_of(), unit=bank.north, capacity=20)
        for n, person in enumerate(tellers(bank, 24)):
            state = {"state": "waiting", "waits_since": NOW} if n >= 20 else {}
            row = enrolment_of(session, person, unit_id=bank.north.pk, **state)
            if not state:
                Attempt.objects.create(enrolment=row, score=80, on=TODAY, recorded_at=NOW)

        assert queries_of(bank.mei, "/training/sessions/s1/") <= QUERIES
        assert queries_of(bank.mei, "/training/sessions/s1/results/") <= QUERIES
        assert queries_of(bank.mei, "/training/sessions/s1/attendance/") <= QUERIES


class TestOwnPlace:
    def test_a_person_enrols_and_gives_the_seat_up_again(self, bank: Bank) -> None:
        session_of(course_of(is_open=True))
        browser = client(bank.li)

        browser.post("/training/sessions/s1/join/")
        row = Enrolment.objects.get()
        assert (row.staff, row.state, row.origin) == (bank.li, "enrolled", "self")
        assert "You have a seat." in read(bank.li, "/training/sessions/s1/")

        browser.post(f"/training/sessions/s1/people/{row.pk}/cancel/", {"why": "On leave"})
        row.refresh_from_db()
        assert (row.state, row.cancelled_why) == ("cancelled", "On leave")

    def test_a_closed_course_says_whom_to_ask(self, bank: Bank) -> None:
        session_of(course_of())

        browser = client(bank.li)
        browser.post("/training/sessions/s1/join/")

        assert "Ask your manager or HR" in browser.get("/training/sessions/s1/").content.decode()
        assert not Enrolment.objects.exists()

    def test_nobody_takes_another_person_out(self, bank: Bank) -> None:
        row = enrolment_of(session_of(course_of()), teller("wang", bank.north))

        for other in (bank.li, bank.chen):
            path = f"/training/sessions/s1/people/{row.pk}/cancel/"
            assert client(other).post(path, {"why": "No"}).status_code == 404

        row.refresh_from_db()
        assert row.state == "enrolled"

    def test_taking_out_needs_a_reason(self, bank: Bank) -> None:
        row = enrolment_of(session_of(course_of()), bank.li)

        response = client(bank.mei).post(f"/training/sessions/s1/people/{row.pk}/cancel/", {})

        assert response.status_code == 400
        row.refresh_from_db()
        assert row.state == "enrolled"


class TestEnrolling:
    def test_several_are_enrolled_at_once_and_the_last_wait(self, bank: Bank) -> None:
        session_of(course_of(), capacity=2)
        first, second, third = tellers(bank, 3)
        browser = client(bank.mei)

        browser.post(
            "/training/sessions/s1/enrol/?way=search&text=t0",
            {"staff": [first.pk, second.pk], "numbers": "t02, ghost"},
        )
        html = browser.get("/training/sessions/s1/").content.decode()

        assert dict(Enrolment.objects.values_list("staff__number", "state")) == {
            "t00": "enrolled", "t01": "enrolled", "t02": "waiting",
        }  # fmt: skip
        assert "2 people have a seat." in html
        assert "1 person is on the waiting list: the session is full." in html
        assert "has these numbers: ghost" in html
        assert third.number == "t02"

    def test_one_who_is_refused_keeps_nobody_else_out(self, bank: Bank) -> None:
        version = course_of()
        version.course.prerequisites.create(needs=course_of("basics").course)
        passed = enrolment_of(
            session_of(course_of("basics"), "b1"), bank.li, state="passed", concluded_on=TODAY
        )
        session_of(version, "s1", slots=[(START + timedelta(days=1), END + timedelta(days=1))])
        wang = teller("wang", bank.north)
        browser = client(bank.mei)

        browser.post("/training/sessions/s1/enrol/", {"numbers": "li wang"})
        html = browser.get("/training/sessions/s1/").content.decode()

        assert list(
            Enrolment.objects.exclude(pk=passed.pk).values_list("staff__number", flat=True)
        ) == ["li"]
        assert f"{wang}: These courses must be passed before: Basics." in html

    def test_those_who_must_have_the_course_stand_first(self, bank: Bank) -> None:
        version = course_of()
        session_of(version)
        wang, sun = teller("wang", bank.north), teller("sun", bank.south)
        rule = Requirement.objects.create(course=version.course, valid_from=TODAY)
        for person, days in ((bank.li, 40), (wang, 3), (sun, 1)):
            Obligation.objects.create(
                staff=person, course=version.course, requirement=rule, since_on=TODAY,
                due_on=TODAY + timedelta(days=days), unit_id=1, post_id=1,
            )  # fmt: skip
        Need.objects.create(staff=bank.li, course=version.course, opened_on=TODAY, opened_at=NOW)

        html = read(bank.mei, "/training/sessions/s1/enrol/")
        needed = read(bank.mei, "/training/sessions/s1/enrol/?way=needed")

        assert html.index("Staff wang") < html.index("Staff li")
        assert "Staff sun" not in html
        assert "Staff li" in needed
        assert "Staff wang" not in needed

    def test_people_of_others_are_neither_found_nor_enrolled(self, bank: Bank) -> None:
        session_of(course_of())
        teller("sun", bank.south)
        browser = client(bank.mei)

        html = read(bank.mei, "/training/sessions/s1/enrol/?way=search&text=sun")
        browser.post("/training/sessions/s1/enrol/", {"numbers": "sun"})

        assert "Staff sun" not in html
        assert "Nobody whom you may enrol has this name or number." in html
        assert not Enrolment.objects.exists()

    def test_an_agent_enrols_nobody(self, bank: Bank) -> None:
        session_of(course_of(is_open=True))

        response = client(bank.li).post("/training/sessions/s1/enrol/", {"numbers": "li"})

        assert response.status_code == 403
        assert not Enrolment.objects.exists()

    def test_many_found_take_no_more_queries(self, bank: Bank) -> None:
        session_of(course_of())
        tellers(bank, 20)

        path = "/training/sessions/s1/enrol/?way=search&text=t"
        assert queries_of(bank.mei, path) <= QUERIES


class TestPresence:
    def test_the_grid_keeps_minutes_and_fills_the_rest(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        session = session_of(course_of(), unit=bank.north)
        first, second, third = (enrolment_of(session, person) for person in tellers(bank, 3))
        (slot,) = session.slots.all()
        clock.move_to(LATER)

        client(bank.mei).post(
            "/training/sessions/s1/attendance/",
            {f"m{first.pk}-{slot.pk}": "95", f"m{second.pk}-{slot.pk}": "0"},
        )
        assert minutes() == {"t00": 95, "t01": 0}

        client(bank.mei).post(
            "/training/sessions/s1/attendance/",
            {f"m{first.pk}-{slot.pk}": "95", f"m{second.pk}-{slot.pk}": "0", "fill": "1"},
        )
        assert minutes() == {"t00": 95, "t01": 0, "t02": 480}
        third.refresh_from_db()
        assert third.minutes == 480

    def test_more_minutes_than_the_slot_has_come_back_with_what_was_typed(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        session = session_of(course_of(), unit=bank.north)
        row, slot = enrolment_of(session, bank.li), session.slots.get()
        clock.move_to(LATER)

        response = client(bank.mei).post(
            "/training/sessions/s1/attendance/", {f"m{row.pk}-{slot.pk}": "481"}
        )

        html = response.content.decode()
        assert response.status_code == 400
        assert 'value="481"' in html
        assert "less than or equal to 480" in html
        assert not Attendance.objects.exists()

    def test_before_the_slot_nothing_can_be_kept(self, bank: Bank) -> None:
        session = session_of(course_of(), unit=bank.north)
        row, slot = enrolment_of(session, bank.li), session.slots.get()

        client(bank.mei).post(
            "/training/sessions/s1/attendance/", {f"m{row.pk}-{slot.pk}": "60", "fill": "1"}
        )

        assert "No slot has begun yet." in read(bank.mei, "/training/sessions/s1/attendance/")
        assert not Attendance.objects.exists()

    def test_nobody_keeps_their_own_presence(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        session = session_of(course_of(), unit=bank.north)
        own = enrolment_of(session, bank.mei)
        clock.move_to(LATER)

        html = read(bank.mei, "/training/sessions/s1/attendance/")
        client(bank.mei).post("/training/sessions/s1/attendance/", {"fill": "1"})

        assert f'name="m{own.pk}-' not in html
        assert not Attendance.objects.exists()

    def test_a_pasted_list_is_taken_whole_or_not_at_all(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        session = session_of(course_of(), unit=bank.north)
        for person in tellers(bank, 3):
            enrolment_of(session, person)
        slot = session.slots.get()
        clock.move_to(LATER)
        browser, path = client(bank.mei), "/training/sessions/s1/attendance/list/"

        wrong = browser.post(path, {"slot": slot.pk, "lines": "t00 90\nghost 90\nt01 soon"})
        assert wrong.status_code == 400
        for said in ("Line 2: ghost is not in the session.",
                     "Line 3: t01 has no whole number of minutes."):  # fmt: skip
            assert said in wrong.content.decode()
        assert minutes() == {}

        right = browser.post(path, {"slot": slot.pk, "lines": "t00\t90\n\nt01;45\nt02"})
        assert right.status_code == 302
        assert minutes() == {"t00": 90, "t01": 45, "t02": 480}

    def test_only_who_runs_the_session_sees_presence(self, bank: Bank) -> None:
        session_of(course_of(), unit=bank.north, trainer=teller("wang", bank.south))

        for person, status in ((bank.li, 403), (bank.chen, 403), (bank.mei, 200)):
            for part in ("attendance", "results", "door"):
                path = f"/training/sessions/s1/{part}/"
                assert client(person).get(path).status_code == status
        assert client(Staff.objects.get(number="wang")).get(
            "/training/sessions/s1/attendance/"
        ).status_code == 200  # fmt: skip


def minutes() -> dict[str, int]:
    rows = Attendance.objects.values_list("enrolment__staff__number", "minutes")
    return dict(rows)


class TestResults:
    def test_scores_of_several_are_kept_and_refusals_named(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        session = session_of(course_of(pass_mark=70, attempts=1), unit=bank.north)
        first, second = (enrolment_of(session, person) for person in tellers(bank, 2))
        clock.move_to(LATER)
        browser = client(bank.mei)
        day = START.date().isoformat()
        given = {"kind": "test", "on": day, f"s{first.pk}": "82.5", f"s{second.pk}": "40"}

        browser.post("/training/sessions/s1/results/", given)
        clock.shift(timedelta(minutes=5))
        browser.post("/training/sessions/s1/results/", {**given, f"s{first.pk}": ""})
        html = browser.get("/training/sessions/s1/results/").content.decode()

        assert list(Attempt.objects.order_by("id").values_list("score", "passed")) == [
            (Decimal("82.50"), True), (Decimal("40.00"), False),
        ]  # fmt: skip
        assert "Staff t01: All 1 attempts are used." in html
        assert "82.50 %" in html

    def test_a_form_without_any_score_keeps_nothing(self, bank: Bank) -> None:
        enrolment_of(session_of(course_of(), unit=bank.north), bank.li)

        response = client(bank.mei).post(
            "/training/sessions/s1/results/", {"kind": "before", "on": TODAY.isoformat()}
        )

        assert response.status_code == 400
        assert "Give at least one score." in response.content.decode()


class TestDoor:
    def test_the_trainer_shows_the_code_and_people_sign_in_with_it(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        session = session_of(course_of(), unit=bank.north, trainer=bank.mei)
        enrolment_of(session, bank.li)
        clock.move_to(LATER)
        code = sign_in_code(session=session, slot=session.slots.get(), now=LATER)

        shown = read(bank.mei, "/training/sessions/s1/door/")
        phone = read(bank.li, f"/training/sessions/s1/sign-in/?code={code}")
        done = client(bank.li).post("/training/sessions/s1/sign-in/", {"code": code.lower()})

        assert code in shown
        assert "<svg" in shown
        assert "0 of 1 signed in" in shown
        assert f'value="{code}"' in phone
        assert "You are signed in" in done.content.decode()
        assert minutes() == {"li": 480}
        assert "1 of 1 signed in" in read(bank.mei, "/training/sessions/s1/door/")

    def test_another_code_is_refused(self, bank: Bank, clock: time_machine.Traveller) -> None:
        enrolment_of(session_of(course_of()), bank.li)
        clock.move_to(LATER)

        response = client(bank.li).post("/training/sessions/s1/sign-in/", {"code": "AAAAAA"})

        assert response.status_code == 400
        assert "This is not the code that is shown now." in response.content.decode()
        assert not Attendance.objects.exists()

    def test_outside_its_time_the_door_says_when_it_opens(self, bank: Bank) -> None:
        session_of(course_of(), unit=bank.north)

        html = read(bank.mei, "/training/sessions/s1/door/")

        assert (
            "The code appears here half an hour before the next slot: 10 Mar 2026, 09:00." in html
        )
        assert "<svg" not in html[html.index('id="door"') :]

    def test_the_door_looks_again_by_itself(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        session_of(course_of(), unit=bank.north)
        clock.move_to(LATER)

        part = client(bank.mei).get("/training/sessions/s1/door/", headers={"HX-Request": "true"})

        assert part.content.decode().lstrip().startswith('<section class="card door"')
        assert 'hx-trigger="every 30s"' in part.content.decode()

    def test_who_is_not_logged_in_comes_back_to_the_code_after_it(self, bank: Bank) -> None:
        session_of(course_of())

        response = Client().get("/training/sessions/s1/sign-in/?code=ABC234")

        assert response["Location"] == (
            "/log-in/?next=/training/sessions/s1/sign-in/%3Fcode%3DABC234"
        )


def changed(**over: str) -> dict[str, str]:
    return {
        "mode": "classroom",
        "unit": "north",
        "place": "Room 7",
        "capacity": "8",
        "slots_day1": "2026-03-10",
        "slots_from1": "09:00",
        "slots_until1": "17:00",
        **over,
    }


class TestChanging:
    def test_people_are_told_of_another_place(self, bank: Bank) -> None:
        session = session_of(course_of(), unit=bank.north)
        enrolment_of(session, bank.li)

        form = read(bank.mei, "/training/sessions/s1/change/")
        client(bank.mei).post("/training/sessions/s1/change/", changed())

        session.refresh_from_db()
        assert 'value="2026-03-10"' in form
        assert 'value="09:00"' in form
        assert (session.place, session.capacity) == ("Room 7", 8)
        assert Notice.objects.get().title["en"] == "Another time or place: Complaints"

    def test_a_session_of_many_slots_keeps_them_all(self, bank: Bank) -> None:
        spans = [(START + timedelta(days=n), END + timedelta(days=n)) for n in range(9)]
        session = session_of(course_of(), unit=bank.north, slots=spans)
        given = changed()
        for n, (start, _end) in enumerate(spans, start=1):
            given |= {
                f"slots_day{n}": start.date().isoformat(),
                f"slots_from{n}": "09:00",
                f"slots_until{n}": "17:00",
            }

        client(bank.mei).post("/training/sessions/s1/change/", given)

        session.refresh_from_db()
        assert (session.place, session.slots.count()) == ("Room 7", 9)

    def test_calling_off_says_why_to_everybody(self, bank: Bank) -> None:
        session = session_of(course_of(), unit=bank.north)
        enrolment_of(session, bank.li)

        refused = client(bank.mei).post("/training/sessions/s1/cancel/", {})
        assert (refused.status_code, Session.objects.get().state) == (400, "planned")

        client(bank.mei).post("/training/sessions/s1/cancel/", {"why": "The trainer is ill"})

        assert Session.objects.get().state == "cancelled"
        assert Notice.objects.get().body["en"] == "The trainer is ill"
        html = read(bank.li, "/training/sessions/s1/")
        assert "Cancelled" in html
        assert "/join/" not in html

    def test_others_neither_change_nor_call_off(self, bank: Bank) -> None:
        session_of(course_of(), unit=bank.north)

        for person in (bank.li, bank.chen):
            for part, given in (("change", changed()), ("cancel", {"why": "No"})):
                path = f"/training/sessions/s1/{part}/"
                assert client(person).post(path, given).status_code == 403
        session = Session.objects.get()
        assert (session.state, session.place) == ("planned", "")


def test_after_the_session_the_presence_stays_as_it_is(
    bank: Bank, clock: time_machine.Traveller
) -> None:
    session = session_of(course_of(), unit=bank.north, state="held")
    enrolment_of(session, bank.li, state="passed", concluded_on=TODAY)
    clock.move_to(AFTER)

    html = read(bank.mei, "/training/sessions/s1/attendance/")

    assert "The session is closed; the minutes stay as they are." in html
    assert "<input" not in html[html.index('id="grid-title"') :]
    assert datetime.fromisoformat("2026-03-10T11:00:00+00:00") == AFTER
