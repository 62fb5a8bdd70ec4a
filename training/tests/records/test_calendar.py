"""The calendar of a person as RFC 5545 wants it, and the secret that opens it."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.org.models import Staff
from sqcore.tests.factories import NOW, TODAY
from training.certificates.models import Certificate
from training.enrolments.models import Enrolment
from training.records.calendar import CalendarEvent, escaped, folded, written
from training.records.feed import address_of, feed_of, secret_of
from training.records.models import CalendarFeed
from training.records.services import make_calendar_address, remove_calendar_address
from training.requirements.models import Obligation, Requirement
from training.tests.factories import (
    A_DAY,
    Bank,
    course_of,
    enrolment_of,
    make_bank,
    session_of,
)


def lines_of(calendar: bytes) -> list[str]:
    """The unfolded lines, as a reader of RFC 5545 (3.1) has them."""
    return re.sub(r"\r\n[ \t]", "", calendar.decode()).split("\r\n")[:-1]


def event_of(calendar: bytes, uid: str) -> dict[str, str]:
    lines = lines_of(calendar)
    start = next(n for n, line in enumerate(lines) if line.startswith(f"UID:{uid}"))
    found = {}
    for line in lines[start : lines.index("END:VEVENT", start)]:
        name, value = line.split(":", 1)
        found[name] = value
    return found


class TestWriting:
    def test_every_line_ends_with_crlf_and_has_75_octets_at_most(self) -> None:
        event = CalendarEvent("1@x", "服务礼仪与投诉处理" * 12, NOW, NOW, text="word " * 60)

        found = written([event], name="N", now=NOW)

        assert found.endswith(b"END:VCALENDAR\r\n")
        assert b"\n" not in found.replace(b"\r\n", b"")
        assert b"\r" not in found.replace(b"\r\n", b"")
        assert max(len(line) for line in found.split(b"\r\n")) == 75

    def test_folding_breaks_no_character_and_loses_none(self) -> None:
        line = "SUMMARY:" + "礼" * 100

        parts = folded(line).split("\r\n")

        assert all(part.startswith(" ") for part in parts[1:])
        assert parts[0] + "".join(part[1:] for part in parts[1:]) == line
        for part in parts:
            part.encode().decode()

    def test_text_is_escaped_and_control_characters_are_gone(self) -> None:
        assert escaped("a;b,c\\d\r\ne\tf\x07") == "a\\;b\\,c\\\\d\\nef"

    def test_a_name_cannot_begin_a_line_of_its_own(self) -> None:
        event = CalendarEvent("1@x", "A\r\nEND:VEVENT\r\nBEGIN:VALARM", NOW, NOW)

        lines = lines_of(written([event], name="N", now=NOW))

        assert lines.count("END:VEVENT") == 1
        assert "BEGIN:VALARM" not in lines

    def test_times_are_in_utc_and_whole_days_end_on_the_day_after(self) -> None:
        start = datetime.fromisoformat("2026-03-10T09:00:00+08:00")
        timed = CalendarEvent("1@x", "T", start, start + timedelta(hours=2))
        whole = CalendarEvent("2@x", "W", date(2026, 12, 31), is_busy=False)

        found = written([timed, whole], name="N", now=NOW)

        assert event_of(found, "1@x")["DTSTART"] == "20260310T010000Z"
        assert event_of(found, "1@x")["DTEND"] == "20260310T030000Z"
        assert event_of(found, "2@x")["DTSTART;VALUE=DATE"] == "20261231"
        assert event_of(found, "2@x")["DTEND;VALUE=DATE"] == "20270101"
        assert event_of(found, "2@x")["TRANSP"] == "TRANSPARENT"

    def test_what_the_standard_requires_is_there(self) -> None:
        lines = lines_of(written([CalendarEvent("1@x", "T", NOW, NOW)], name="N", now=NOW))

        assert lines[0] == "BEGIN:VCALENDAR"
        assert "VERSION:2.0" in lines
        assert any(line.startswith("PRODID:") for line in lines)
        assert f"DTSTAMP:{NOW:%Y%m%dT%H%M%SZ}" in lines
        assert lines[-1] == "END:VCALENDAR"


@pytest.mark.django_db
class TestFeed:
    @pytest.fixture(autouse=True)
    def _at_noon(self) -> Iterator[None]:
        with time_machine.travel(NOW, tick=False):
            yield

    @pytest.fixture
    def bank(self) -> Bank:
        return make_bank()

    def address(self, bank: Bank, person: Staff) -> str:
        feed = make_calendar_address(by=bank.as_(person), now=NOW)
        return address_of(feed).removeprefix("http://127.0.0.1:8000")

    def test_it_holds_the_sessions_and_what_is_due(self, bank: Bank) -> None:
        version = course_of()
        session = session_of(version, place="Room 2; north")
        enrolment_of(session, bank.li)
        rule = Requirement.objects.create(course=version.course, valid_from=TODAY)
        Obligation.objects.create(
            staff=bank.li, course=version.course, requirement=rule, since_on=TODAY,
            due_on=date(2026, 4, 1), unit_id=1, post_id=1,
        )  # fmt: skip
        Certificate.objects.create(
            number="C-1", staff=bank.li, course=course_of("phone").course,
            issued_on=date(2026, 1, 1), expires_on=date(2026, 6, 1), issued_at=NOW,
        )  # fmt: skip

        response = Client().get(self.address(bank, bank.li))

        slot = event_of(response.content, f"slot-{session.slots.get().pk}@127.0.0.1:8000")
        assert response["Content-Type"] == "text/calendar; charset=utf-8"
        assert (slot["SUMMARY"], slot["LOCATION"]) == ("Complaints", "Room 2\\; north")
        assert (slot["DTSTART"], slot["DTEND"]) == ("20260310T010000Z", "20260310T090000Z")
        assert slot["URL"] == "http://127.0.0.1:8000/training/sessions/s1/"
        due = event_of(response.content, "due-")
        assert (due["SUMMARY"], due["DTSTART;VALUE=DATE"]) == ("Due: Complaints", "20260401")
        ends = event_of(response.content, "certificate-")
        assert ends["DTSTART;VALUE=DATE"] == "20260531"

    def test_a_place_on_the_waiting_list_takes_no_time(self, bank: Bank) -> None:
        enrolment_of(session_of(course_of()), bank.li, state="waiting", waits_since=NOW)

        event = event_of(Client().get(self.address(bank, bank.li)).content, "slot-")

        assert (event["STATUS"], event["TRANSP"]) == ("TENTATIVE", "TRANSPARENT")
        assert event["SUMMARY"] == "Complaints (waiting list)"

    def test_nothing_of_others_nor_what_was_cancelled_is_in_it(self, bank: Bank) -> None:
        enrolment_of(session_of(course_of()), bank.mei)
        enrolment_of(session_of(course_of("b"), "s2"), bank.li, state="cancelled")
        enrolment_of(session_of(course_of("c"), "s3", state="cancelled"), bank.li)

        assert b"VEVENT" not in Client().get(self.address(bank, bank.li)).content

    def test_it_speaks_the_language_of_the_person(self, bank: Bank) -> None:
        course = course_of().course
        course.name = {"en": "Complaints", "zh-hans": "投诉处理"}
        course.save()
        enrolment_of(session_of(course_of()), bank.li)
        assert bank.li.user is not None
        bank.li.user.language = "zh-hans"
        bank.li.user.save()

        assert event_of(Client().get(self.address(bank, bank.li)).content, "slot-")[
            "SUMMARY"
        ] == "投诉处理"  # fmt: skip

    def test_a_new_address_closes_the_former_one(self, bank: Bank) -> None:
        former = self.address(bank, bank.li)
        newer = self.address(bank, bank.li)

        assert former != newer
        assert (Client().get(former).status_code, Client().get(newer).status_code) == (404, 200)
        assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
            "training.calendar.made", "training.calendar.renewed",
        ]  # fmt: skip

    def test_taken_away_it_opens_nothing(self, bank: Bank) -> None:
        path = self.address(bank, bank.li)

        remove_calendar_address(by=bank.as_(bank.li), now=NOW)

        assert Client().get(path).status_code == 404
        assert feed_of(bank.li.pk) is None

    @pytest.mark.parametrize("gone", ["left", "locked", "no log-in"])
    def test_who_is_gone_has_no_calendar(self, bank: Bank, gone: str) -> None:
        path = self.address(bank, bank.li)
        assert bank.li.user is not None
        if gone == "left":
            Staff.objects.filter(pk=bank.li.pk).update(left_on=TODAY)
        elif gone == "locked":
            bank.li.user.is_active = False
            bank.li.user.save()
        else:
            Staff.objects.filter(pk=bank.li.pk).update(user=None)

        assert Client().get(path).status_code == 404

    def test_the_row_alone_opens_nothing(self, bank: Bank) -> None:
        self.address(bank, bank.li)
        ref = CalendarFeed.objects.get().ref

        for secret in (ref, ref + "A" * 22, "A" * 44, "ä" * 44):
            assert Client().get(f"/training/calendar/{secret}.ics").status_code == 404

    def test_another_secret_of_the_installation_makes_other_addresses(
        self, bank: Bank, settings: pytest.FixtureRequest
    ) -> None:
        feed = make_calendar_address(by=bank.as_(bank.li), now=NOW)
        before = secret_of(feed)
        settings.SECRET_KEY = "another" * 10  # type: ignore[attr-defined]  # pytest-django's settings

        assert secret_of(feed) != before
        assert secret_of(feed)[:22] == before[:22]

    def test_a_past_session_stays_for_two_months(self, bank: Bank) -> None:
        for code, days in (("old", 70), ("new", 50)):
            slot = (A_DAY[0] - timedelta(days=days + 8), A_DAY[1] - timedelta(days=days + 8))
            session = session_of(course_of(code), code, slots=[slot], state="held")
            enrolment_of(session, bank.li, state=Enrolment.State.PASSED, concluded_on=TODAY)

        found = Client().get(self.address(bank, bank.li)).content

        assert b"SUMMARY:New" in found
        assert b"SUMMARY:Old" not in found
        assert datetime(2026, 3, 2, 9, 0, tzinfo=UTC) == NOW
