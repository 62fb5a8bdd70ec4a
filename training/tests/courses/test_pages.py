"""The catalogue, a course with what HR does to it, and the programme board."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sqcore.org.models import Staff
from sqcore.tests.factories import NOW, make_user
from sqcore.tests.pages import faults_of
from training.courses.models import Course, CourseVersion, Session
from training.tests.factories import (
    A_DAY,
    Bank,
    course_of,
    enrolment_of,
    make_bank,
    make_competency,
    session_of,
    teller,
)

pytestmark = pytest.mark.django_db
QUERIES = 15


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    return make_bank()


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
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert browser.get(path).status_code == 200
    return len(seen)


VERSION = {
    "outline": "Listen first.",
    "minutes": "240",
    "attendance": "80",
    "pass_mark": "70",
    "attempts": "2",
    "certifies": "on",
    "valid_months": "12",
    "renewal": "rolling",
    "due_days": "30",
    "reaction": "",
}


class TestCatalogue:
    def test_who_works_here_sees_the_courses_and_when_they_are_held_next(self, bank: Bank) -> None:
        session_of(course_of(certifies=True, valid_months=24))
        course_of("phone", is_open=True)

        html = read(bank.li, "/training/courses/")

        assert html.index("Complaints") < html.index("Phone")
        assert "10 Mar 2026" in html
        assert "certificate for 24 months" in html
        assert "you can enrol yourself" in html
        assert "New course" not in html

    def test_filters_leave_what_fits(self, bank: Bank) -> None:
        course_of()
        course_of("phone", is_open=True)

        assert "Complaints" not in read(bank.li, "/training/courses/?open=on")
        assert "Phone" not in read(bank.li, "/training/courses/?text=compl")
        assert "No course fits" in read(bank.li, "/training/courses/?text=nothing")

    def test_an_empty_catalogue_says_where_courses_come_from(self, bank: Bank) -> None:
        assert "HR adds courses here" in read(bank.li, "/training/courses/")

    def test_somebody_without_a_place_here_sees_no_courses(self, bank: Bank) -> None:
        course_of()
        browser = Client()
        browser.force_login(make_user("guest"))

        response = browser.get("/training/courses/")

        assert response.status_code == 403
        assert "Complaints" not in response.content.decode()

    def test_more_courses_take_no_more_queries(self, bank: Bank) -> None:
        for n in range(20):
            session_of(course_of(f"course-{n}"), f"s{n}")

        assert queries_of(bank.hua, "/training/courses/") <= QUERIES


class TestCourse:
    def test_it_says_how_it_is_passed_and_what_it_leads_to(self, bank: Bank) -> None:
        version = course_of(pass_mark=70, certifies=True, valid_months=12, outline="Listen first.")
        needed = course_of("basics").course
        version.course.prerequisites.create(needs=needed)
        version.course.teaches.create(competency=make_competency(), level=2)

        html = read(bank.li, "/training/courses/complaints/")

        for said in ("70 % or more, 3 attempts", "8 h", "certificate for 12 months",
                     "Listen first.", "Communication", "Independent"):  # fmt: skip
            assert said in html
        assert 'href="/training/courses/basics/"' in html

    def test_people_enrol_themselves_only_where_the_course_is_open(self, bank: Bank) -> None:
        session_of(course_of(is_open=True))
        session_of(course_of("phone"), "s2")

        assert 'action="/training/sessions/s1/join/"' in read(
            bank.li, "/training/courses/complaints/"
        )
        closed = read(bank.li, "/training/courses/phone/")
        assert "/join/" not in closed
        assert "Your manager or HR enrols you." in closed

    def test_who_is_in_it_sees_so_and_how_many_seats_are_left(self, bank: Bank) -> None:
        session = session_of(course_of(is_open=True), capacity=2)
        enrolment_of(session, bank.li)
        enrolment_of(session, teller("wang", bank.north))
        enrolment_of(session, teller("sun", bank.north), state="waiting", waits_since=NOW)

        html = read(bank.li, "/training/courses/complaints/")

        assert "0 of 2 free" in html
        assert "1 waits" in html
        assert "enrolled" in html
        assert "/join/" not in html
        assert "Join the waiting list" in read(bank.mei, "/training/courses/complaints/")

    def test_a_course_that_is_not_there_is_not_found(self, bank: Bank) -> None:
        assert client(bank.li).get("/training/courses/nothing/").status_code == 404

    def test_many_sessions_take_no_more_queries(self, bank: Bank) -> None:
        version = course_of()
        for n in range(12):
            enrolment_of(session_of(version, f"s{n}"), bank.li)

        assert queries_of(bank.li, "/training/courses/complaints/") <= QUERIES


class TestWhatHrDoes:
    def test_hr_adds_a_course_and_publishes_its_first_version(self, bank: Bank) -> None:
        browser = client(bank.hua)

        made = browser.post(
            "/training/courses/new/",
            {"code": "phone", "name_en": "On the phone", "mode": "online", "is_active": "on"},
        )
        published = browser.post("/training/courses/phone/publish/", VERSION)

        assert (made.status_code, published.status_code) == (302, 302)
        version = CourseVersion.objects.select_related("course").get()
        assert version.course.name == {"en": "On the phone"}
        assert (version.number, version.minutes, version.pass_mark, version.attempts) == (
            1, 240, 70, 2,
        )  # fmt: skip
        assert "certificate for 12 months" in read(bank.hua, "/training/courses/phone/")

    def test_the_next_version_begins_with_what_the_newest_one_says(self, bank: Bank) -> None:
        course_of(minutes=95, outline="As ever.")

        html = read(bank.hua, "/training/courses/complaints/publish/")

        assert 'value="95"' in html
        assert "As ever." in html

    def test_courses_in_a_circle_are_refused_with_the_reason(self, bank: Bank) -> None:
        first, second = course_of("basics").course, course_of("advanced").course
        second.prerequisites.create(needs=first)

        response = client(bank.hua).post(
            "/training/courses/basics/prerequisites/", {"needs": ["advanced"]}
        )

        assert response.status_code == 400
        assert "circle: basics → advanced → basics" in response.content.decode()
        assert not first.prerequisites.exists()

    def test_what_a_course_teaches_is_chosen_level_by_level(self, bank: Bank) -> None:
        course_of()
        make_competency()
        make_competency("teamwork")

        client(bank.hua).post("/training/courses/complaints/teaches/", {"communication": "3"})

        (taught,) = Course.objects.get().teaches.select_related("competency")
        assert (taught.competency.code, taught.level) == ("communication", 3)

    def test_a_manager_does_not_change_courses(self, bank: Bank) -> None:
        course_of()
        browser = client(bank.mei)

        for part in ("change", "publish", "prerequisites", "teaches"):
            assert browser.post(f"/training/courses/complaints/{part}/", VERSION).status_code == 403
        assert browser.get("/training/courses/new/").status_code == 403
        assert CourseVersion.objects.count() == 1


def asked(**over: str) -> dict[str, str]:
    return {
        "version": "1",
        "mode": "classroom",
        "unit": "north",
        "place": "Room 2",
        "capacity": "12",
        "planned_cost": "1200.50",
        "slots_day1": "2026-03-10",
        "slots_from1": "09:00",
        "slots_until1": "12:30",
        **over,
    }


class TestPlanning:
    def test_a_manager_plans_a_session_at_the_own_branch(self, bank: Bank) -> None:
        course_of()

        response = client(bank.mei).post(
            "/training/courses/complaints/plan/",
            asked(
                trainer="mei", slots_day2="2026-03-11", slots_from2="22:00", slots_until2="01:00"
            ),
        )

        session = Session.objects.get()
        assert response["Location"] == "/training/sessions/complaints-260310/"
        assert (session.unit, session.trainer, session.place) == (bank.north, bank.mei, "Room 2")
        assert session.planned_cost == 120_050
        assert [(slot.starts_at, slot.ends_at) for slot in session.slots.all()] == [
            (datetime(2026, 3, 10, 1, 0, tzinfo=UTC), datetime(2026, 3, 10, 4, 30, tzinfo=UTC)),
            (datetime(2026, 3, 11, 14, 0, tzinfo=UTC), datetime(2026, 3, 11, 17, 0, tzinfo=UTC)),
        ]

    def test_the_second_session_of_a_day_gets_a_code_of_its_own(self, bank: Bank) -> None:
        session_of(course_of(), "complaints-260310")

        client(bank.mei).post("/training/courses/complaints/plan/", asked())

        assert Session.objects.filter(code="complaints-260310-2").exists()

    @pytest.mark.parametrize(
        ("over", "reason"),
        [
            ({"slots_until1": ""}, "Slot 1 needs a day, a start and an end."),
            ({"slots_until1": "08:00"}, "Slot 1 would last longer than 12 hours"),
            ({"trainer": "nobody"}, "There is no staff member of this number."),
            ({"capacity": "0"}, "greater than or equal to 1"),
            ({"enrol_until": "2026-04-01"}, "This day is after the session"),
            ({"code": "taken"}, "There is a session “taken” already."),
        ],
    )
    def test_what_cannot_be_meant_is_refused_with_the_reason(
        self, bank: Bank, over: dict[str, str], reason: str
    ) -> None:
        session_of(course_of(), "taken")

        response = client(bank.mei).post("/training/courses/complaints/plan/", asked(**over))

        assert response.status_code == 400
        assert reason in response.content.decode()
        assert Session.objects.count() == 1

    def test_nobody_plans_at_a_branch_of_others(self, bank: Bank) -> None:
        course_of()

        response = client(bank.chen).post("/training/courses/complaints/plan/", asked())

        assert response.status_code == 400
        assert client(bank.li).post("/training/courses/complaints/plan/").status_code == 403
        assert not Session.objects.exists()

    def test_the_form_can_be_read_before_it_is_filled(self, bank: Bank) -> None:
        course_of()

        html = read(bank.hua, "/training/courses/complaints/plan/")

        assert 'aria-label="Slot 1: day"' in html
        assert "no unit of its own" in html
        assert "no unit of its own" not in read(bank.mei, "/training/courses/complaints/plan/")


class TestBoard:
    def test_a_month_is_a_table_of_days_with_the_sessions_on_them(self, bank: Bank) -> None:
        session = session_of(course_of(), place="Room 2", capacity=1)
        enrolment_of(session, bank.li)
        enrolment_of(session, bank.mei, state="waiting", waits_since=NOW)

        html = read(bank.li, "/training/sessions/")

        assert "1 session in this month." in html
        day = html[html.index('datetime="2026-03-10"') : html.index('datetime="2026-03-11"')]
        assert 'href="/training/sessions/s1/"' in day
        assert "09:00–17:00" in day
        assert "1 of 1, 1 wait" in day
        assert '<th scope="col">Monday</th>' in html

    def test_other_months_and_filters_are_asked_by_the_address(self, bank: Bank) -> None:
        session_of(course_of(), unit=bank.north)

        assert "No session in this month" in read(bank.li, "/training/sessions/?month=2026-04")
        assert "Complaints" in read(bank.mei, "/training/sessions/?month=2026-03&unit=north")
        assert "/sessions/s1/" not in read(bank.mei, "/training/sessions/?unit=south")
        assert "/sessions/s1/" in read(bank.mei, "/training/sessions/?month=rubbish")

    def test_what_is_over_waits_for_who_may_close_it(self, bank: Bank) -> None:
        past = (A_DAY[0] - timedelta(days=20), A_DAY[1] - timedelta(days=20))
        session_of(course_of(), slots=[past], unit=bank.north)

        assert "Over, and waiting to be closed" in read(bank.mei, "/training/sessions/")
        for other in (bank.chen, bank.li):
            assert "Over, and waiting" not in read(other, "/training/sessions/")

    def test_a_full_month_takes_no_more_queries(self, bank: Bank) -> None:
        version = course_of()
        for n in range(25):
            start = A_DAY[0] + timedelta(days=n % 20)
            session = session_of(version, f"s{n}", slots=[(start, start + timedelta(hours=2))])
            enrolment_of(session, bank.li)

        assert queries_of(bank.hua, "/training/sessions/") <= QUERIES

    def test_the_navigation_leads_there_who_sees_to_training(self, bank: Bank) -> None:
        assert date(2026, 3, 2) == NOW.date()
        for person, shown in ((bank.li, False), (bank.mei, True)):
            html = read(person, "/training/courses/")
            navigation = html[html.index('id="nav"') : html.index("</nav>")]
            assert ('href="/training/sessions/"' in navigation) is shown
            assert 'href="/training/mine/"' in navigation
