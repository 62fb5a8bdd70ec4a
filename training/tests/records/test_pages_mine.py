"""My training: what is due and the way there, sessions, certificates, needs, how it was."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sqcore.org.models import Staff
from sqcore.tests.factories import NOW, TODAY, make_user
from sqcore.tests.pages import faults_of
from training.certificates.models import Certificate
from training.certificates.services import close_session
from training.courses.models import Course
from training.enrolments.models import Attendance, Enrolment
from training.needs.models import Need, NeedReason
from training.records.mine import due_mark, mine
from training.records.models import CalendarFeed
from training.records.panels import MyTrainingPanel, PersonTraining
from training.requirements.models import Obligation, Requirement
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
AFTER = A_DAY[1] + timedelta(hours=2)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as found:
        yield found


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def client(person: Staff) -> Client:
    found = Client()
    assert person.user is not None
    found.force_login(person.user)
    return found


def read(person: Staff, path: str = "/training/mine/") -> str:
    response = client(person).get(path)
    assert response.status_code == 200, response.content.decode()[:2000]
    html = response.content.decode()
    assert faults_of(html) == []
    return html


def owe(staff: Staff, course: Course, days: int, **over: Any) -> Obligation:
    rule = Requirement.objects.create(
        course=course, valid_from=TODAY, valid_to=TODAY + timedelta(days=1), reason="Law of 2020"
    )
    return Obligation.objects.create(
        staff=staff, course=course, requirement=rule, since_on=TODAY,
        due_on=TODAY + timedelta(days=days), unit_id=1, post_id=1, **over,
    )  # fmt: skip


class TestDuties:
    @pytest.mark.parametrize(
        ("days", "text", "tone"),
        [
            (-3, "overdue 3 days", "bad"),
            (-1, "overdue 1 day", "bad"),
            (0, "due today", "watch"),
            (30, "due in 30 days", "watch"),
            (31, "due 2 Apr 2026", ""),
        ],
    )
    def test_how_far_a_day_is_away_is_said(self, days: int, text: str, tone: str) -> None:
        found = due_mark(TODAY + timedelta(days=days), on=TODAY)

        assert (found.text, found.tone) == (text, tone)

    def test_each_duty_says_the_way_there(self, bank: Bank) -> None:
        open_one = course_of("open", is_open=True)
        session_of(open_one, "o1", slots=[later(5)], capacity=1)
        enrolment_of(session_of(open_one, "o2", slots=[later(6)]), bank.mei)
        enrolment_of(open_one.sessions.get(code="o1"), bank.chen)
        session_of(course_of("asked"), "a1", slots=[later(7)])
        course_of("nothing")
        enrolment_of(session_of(course_of("mine"), "m1", slots=[later(8)]), bank.li)
        for days, code in enumerate(("open", "asked", "nothing", "mine"), start=-1):
            owe(bank.li, Course.objects.get(code=code), days)

        page = mine(principal=bank.as_(bank.li), staff_id=bank.li.pk, now=NOW)

        assert page.overdue == 1
        assert [
            (duty.obligation.course.code, duty.offer.session.code if duty.offer else "",
             duty.enrolled, duty.ask)
            for duty in page.duties
        ] == [
            ("open", "o2", "", ""),
            ("asked", "a1", "", "Next session: 17 Mar 2026. Your manager or HR enrols you."),
            ("nothing", "", "", "No session is planned yet; ask your manager or HR."),
            ("mine", "", "you have a seat: 18 Mar 2026", ""),
        ]  # fmt: skip
        html = read(bank.li)
        assert "1 course is overdue." in html
        assert 'action="/training/sessions/o2/join/"' in html
        assert "Law of 2020" in html

    def test_what_is_met_or_waived_is_not_due(self, bank: Bank) -> None:
        owe(bank.li, course_of("a").course, 5, state="met")
        owe(bank.li, course_of("b").course, 5, state="waived")
        owe(bank.mei, course_of("c").course, 5)

        html = read(bank.li)

        assert "Nothing is required of you at the moment." in html
        assert "Nothing of yours is overdue." in html


def later(days: int) -> tuple[Any, Any]:
    return A_DAY[0] + timedelta(days=days), A_DAY[1] + timedelta(days=days)


class TestSessions:
    def test_sessions_ahead_and_past_stand_apart(self, bank: Bank) -> None:
        enrolment_of(session_of(course_of("second"), "s2", slots=[later(2)]), bank.li)
        own = enrolment_of(session_of(course_of("first"), "s1"), bank.li, origin="self")
        past = session_of(course_of("past"), "s3", slots=[later(-30)], state="held")
        enrolment_of(past, bank.li, state="passed", concluded_on=date(2026, 2, 8))

        html = read(bank.li)

        ahead = html[html.index('id="sessions"') : html.index('id="certificates"')]
        assert ahead.index("First") < ahead.index("Second")
        assert "Past" not in ahead
        assert "Past" in html[html.index('id="past"') :]
        assert html.count("Give up your seat") == 1
        assert f"/training/sessions/s1/people/{own.pk}/cancel/" in html

    def test_the_door_is_one_click_away_while_it_is_open(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        enrolment_of(session_of(course_of()), bank.li)
        assert "Sign in now" not in read(bank.li)

        clock.move_to(A_DAY[0] - timedelta(minutes=20))

        assert 'href="/training/sessions/s1/sign-in/"' in read(bank.li)

    def test_after_a_session_one_is_asked_how_it_was_once(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        session = session_of(course_of(reaction="training-reaction"), unit=bank.north)
        for person in (bank.li, teller("wang", bank.north)):
            row = enrolment_of(session, person)
            Enrolment.objects.filter(pk=row.pk).update(minutes=480)
            Attendance.objects.create(
                enrolment=row, slot=session.slots.get(), minutes=480, recorded_at=NOW
            )
        clock.move_to(AFTER)
        close_session(session_id=session.pk, actual_cost=None, by=bank.as_(bank.hua), now=AFTER)

        html = read(bank.li)
        assert "How was it?" in html
        link = html[html.index('id="asked-title"') :].split('href="')[1].split('"')[0]
        assert client(bank.li).get(link).status_code == 200
        assert link not in read(Staff.objects.get(number="wang"))

        clock.move_to(AFTER + timedelta(days=15))
        assert "How was it?" not in read(bank.li)


class TestTheRest:
    def test_the_newest_certificate_of_each_course_is_shown(self, bank: Bank) -> None:
        course = course_of().course
        for number, days in (("C-1", 400), ("C-2", 20)):
            Certificate.objects.create(
                number=number, staff=bank.li, course=course, issued_at=NOW,
                issued_on=TODAY - timedelta(days=days),
                expires_on=TODAY + timedelta(days=365 - days),
            )  # fmt: skip

        page = mine(principal=bank.as_(bank.li), staff_id=bank.li.pk, now=NOW)

        assert [row.certificate.number for row in page.certificates] == ["C-2"]

    def test_a_need_says_why_and_what_teaches_it(self, bank: Bank) -> None:
        competency = make_competency()
        course_of().course.teaches.create(competency=competency, level=2)
        need = Need.objects.create(
            staff=bank.li, competency=competency, opened_on=TODAY, opened_at=NOW
        )
        NeedReason.objects.create(
            need=need, origin="gap", reference="g1", text={"en": "Your post needs level 2."},
            on=TODAY,
        )  # fmt: skip
        Need.objects.create(
            staff=bank.li, course=course_of("b").course, state="met", opened_on=TODAY,
            opened_at=NOW,
        )  # fmt: skip

        html = read(bank.li)

        needs = html[html.index('id="needs"') : html.index('id="calendar"')]
        assert "Your post needs level 2." in needs
        assert "taught by: Complaints" in needs
        assert needs.count('class="title"') == 1
        assert "They are no finding that somebody is not able." in needs

    def test_the_calendar_address_is_made_renewed_and_removed(self, bank: Bank) -> None:
        browser = client(bank.li)
        assert "/training/calendar/" not in read(bank.li)

        browser.post("/training/mine/calendar/")
        first = CalendarFeed.objects.get().ref
        html = read(bank.li)
        assert f'value="http://127.0.0.1:8000/training/calendar/{first}' in html

        browser.post("/training/mine/calendar/")
        assert CalendarFeed.objects.get().ref != first
        browser.post("/training/mine/calendar/remove/")
        assert not CalendarFeed.objects.exists()

    def test_looking_makes_no_address(self, bank: Bank) -> None:
        assert client(bank.li).get("/training/mine/calendar/").status_code == 405
        assert not CalendarFeed.objects.exists()

    def test_who_does_not_work_here_has_no_such_page(self) -> None:
        browser = Client()
        browser.force_login(make_user("guest"))

        assert browser.get("/training/mine/").status_code == 403
        assert browser.post("/training/mine/calendar/").status_code == 403
        assert not CalendarFeed.objects.exists()

    def test_a_full_page_takes_no_more_queries(self, bank: Bank) -> None:
        for n in range(8):
            version = course_of(f"c{n}", is_open=True)
            session_of(version, f"s{n}", slots=[later(n)])
            owe(bank.li, version.course, n)
            enrolment_of(session_of(course_of(f"d{n}"), f"d{n}", slots=[later(n)]), bank.li)
            Certificate.objects.create(
                number=f"C-{n}", staff=bank.li, course=version.course, issued_at=NOW,
                issued_on=TODAY,
            )  # fmt: skip
            competency = make_competency(f"k{n}")
            version.course.teaches.create(competency=competency, level=2)
            Need.objects.create(
                staff=bank.li, competency=competency, opened_on=TODAY, opened_at=NOW
            )
        browser = client(bank.li)
        browser.get("/training/mine/")

        with CaptureQueriesContext(connection) as seen:
            assert browser.get("/training/mine/").status_code == 200

        # Nine parts of one page: a list has fewer.
        assert len(seen) <= QUERIES + 6


class TestPanels:
    def test_home_says_what_is_due_soon_and_nothing_else(self, bank: Bank) -> None:
        panel = MyTrainingPanel()
        owe(bank.li, course_of("late").course, -2)
        owe(bank.li, course_of("far").course, 90)
        enrolment_of(session_of(course_of("next"), "s1"), bank.li)
        enrolment_of(session_of(course_of("later"), "s2", slots=[later(30)]), bank.li)

        found: Any = panel.context(principal=bank.as_(bank.li), now=NOW, subject=None)

        assert [row.course.code for row, _due in found["duties"]] == ["late"]
        assert [row.session.code for row, _when in found["sessions"]] == ["s1"]
        assert found["count"] == 2
        assert panel.context(principal=bank.as_(bank.mei), now=NOW, subject=None) is None
        html = read(bank.li, "/")
        assert "overdue 2 days" in html

    def test_a_certificate_to_be_renewed_stands_there_unless_it_is_owed(self, bank: Bank) -> None:
        for code in ("a", "b"):
            Certificate.objects.create(
                number=f"C-{code}", staff=bank.li, course=course_of(code).course, issued_at=NOW,
                issued_on=date(2025, 4, 1), due_on=TODAY, expires_on=date(2026, 4, 1),
            )  # fmt: skip
        owe(bank.li, Course.objects.get(code="b"), 20)

        found: Any = MyTrainingPanel().context(principal=bank.as_(bank.li), now=NOW, subject=None)

        assert [row.certificate.number for row in found["ending"]] == ["C-a"]

    def test_a_persons_page_shows_training_to_who_may_see_it(self, bank: Bank) -> None:
        owe(bank.li, course_of("a").course, 5)
        enrolment_of(session_of(course_of("b"), "s1"), bank.li)
        panel = PersonTraining()

        def shown(by: Staff) -> tuple[int, int]:
            found: Any = panel.context(principal=bank.as_(by), now=NOW, subject=bank.li)
            return (len(found["owed"]), len(found["ahead"])) if found else (0, 0)

        assert [shown(by) for by in (bank.li, bank.mei, bank.hua, bank.chen)] == [
            (1, 1), (1, 1), (1, 1), (0, 0),
        ]  # fmt: skip
