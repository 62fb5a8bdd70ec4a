"""Pages of certificates: the list, one on paper, revoking; closing; training elsewhere."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sqcore.org.models import Staff
from sqcore.tests.factories import NOW, TODAY
from sqcore.tests.pages import faults_of
from training.certificates.models import Certificate, ExternalTraining
from training.certificates.pages import certificate_row, claims_waiting
from training.certificates.panels import PersonCertificates
from training.courses.models import Session
from training.enrolments.models import Attempt, Attendance, Enrolment
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
PDF = b"%PDF-1.7\nconfirmation"
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


def certificate_of(staff: Staff, number: str = "C-1", **over: Any) -> Certificate:
    """Of the course complaints, issued on the second of January 2026, for ever."""
    course = over.pop("course", None) or course_of().course
    fields: dict[str, Any] = {"issued_on": date(2026, 1, 2), "issued_at": NOW}
    return Certificate.objects.create(
        number=number, staff=staff, course=course, **{**fields, **over}
    )


class TestList:
    def test_a_manager_sees_the_own_people_with_their_standing(self, bank: Bank) -> None:
        course = course_of().course
        certificate_of(bank.li, "C-1", course=course, due_on=TODAY, expires_on=date(2026, 4, 1))
        certificate_of(bank.chen, "C-2", course=course)

        html = read(bank.mei, "/training/certificates/")

        assert "C-1" in html
        assert "To be renewed" in html
        assert "31 Mar 2026" in html
        assert "C-2" not in html

    @pytest.mark.parametrize(
        ("query", "numbers"),
        [
            ("", ["C-4", "C-3", "C-2", "C-1"]),
            ("?standing=valid", ["C-1"]),
            ("?standing=due", ["C-2"]),
            ("?standing=expired", ["C-3"]),
            ("?standing=revoked", ["C-4"]),
            ("?text=c-2", ["C-2"]),
            ("?text=wang", ["C-4"]),
            ("?unit=south", ["C-3"]),
            ("?unit=north", ["C-4", "C-2", "C-1"]),
            ("?course=nothing", []),
            ("?standing=rubbish", ["C-4", "C-3", "C-2", "C-1"]),
        ],
    )
    def test_filters_leave_what_fits(self, bank: Bank, query: str, numbers: list[str]) -> None:
        course = course_of().course
        wang = teller("wang", bank.north)
        certificate_of(bank.li, "C-1", course=course)
        certificate_of(bank.mei, "C-2", course=course, due_on=TODAY, expires_on=date(2026, 4, 1))
        certificate_of(bank.chen, "C-3", course=course, expires_on=TODAY)
        certificate_of(wang, "C-4", course=course, revoked_at=NOW)

        html = read(bank.hua, f"/training/certificates/{query}")

        shown = [n for n in ("C-4", "C-3", "C-2", "C-1") if f">{n}</a>" in html]
        assert shown == numbers
        assert ("No certificate fits" in html) is (not numbers)

    def test_an_expired_one_that_was_renewed_waits_for_nobody(self, bank: Bank) -> None:
        course = course_of().course
        certificate_of(bank.li, "C-1", course=course, expires_on=TODAY)
        certificate_of(bank.li, "C-2", course=course, issued_on=TODAY)

        assert "No certificate fits" in read(bank.hua, "/training/certificates/?standing=expired")

    def test_many_certificates_take_no_more_queries(self, bank: Bank) -> None:
        for n in range(30):
            certificate_of(teller(f"t{n}", bank.north), f"C-{n}", course=course_of(f"c{n}").course)

        for person in (bank.hua, bank.mei):
            for query in ("", "?standing=due&unit=north"):
                assert queries_of(person, f"/training/certificates/{query}") <= QUERIES


class TestCertificate:
    def test_it_says_who_passed_what_and_how_long_it_holds(self, bank: Bank) -> None:
        found = certificate_of(bank.li, due_on=date(2026, 12, 1), expires_on=date(2027, 1, 2))

        html = read(bank.li, f"/training/certificates/{found.pk}/")

        for said in ("Staff li", "Complaints", "C-1", "issued on 2 Jan 2026",
                     "holds until 1 Jan 2027"):  # fmt: skip
            assert said in html
        assert "revoke/" not in html

    def test_the_last_day_is_the_one_before_it_ends(self, bank: Bank) -> None:
        found = certificate_of(bank.li, expires_on=TODAY + timedelta(days=1))

        row = certificate_row(found, on=TODAY)

        assert (row.last_on, str(row.standing.value)) == (TODAY, "valid")

    def test_hr_revokes_it_with_a_reason_that_stands_on_it(self, bank: Bank) -> None:
        found = certificate_of(bank.li)
        browser, path = client(bank.hua), f"/training/certificates/{found.pk}/revoke/"

        assert browser.post(path, {}).status_code == 400
        found.refresh_from_db()
        assert found.revoked_at is None

        browser.post(path, {"why": "Somebody else sat the test"})
        html = read(bank.li, f"/training/certificates/{found.pk}/")
        assert "Revoked on" in html
        assert "Somebody else sat the test" in html

    def test_others_neither_see_nor_revoke_it(self, bank: Bank) -> None:
        found = certificate_of(bank.li)

        assert client(bank.chen).get(f"/training/certificates/{found.pk}/").status_code == 404
        for person, status in ((bank.chen, 404), (bank.mei, 403), (bank.li, 403)):
            path = f"/training/certificates/{found.pk}/revoke/"
            assert client(person).post(path, {"why": "No"}).status_code == status
        found.refresh_from_db()
        assert found.revoked_at is None


class TestClosing:
    def test_it_says_what_will_happen_and_then_does_it(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        version = course_of(certifies=True, valid_months=12, pass_mark=70)
        session = session_of(version, unit=bank.north, planned_cost=100_000)
        slot = session.slots.get()
        rows = [enrolment_of(session, teller(f"t{n}", bank.north)) for n in range(3)]
        waits = enrolment_of(session, bank.li, state="waiting", waits_since=NOW)
        for row, minutes, score in ((rows[0], 480, 90), (rows[1], 480, 50)):
            Attendance.objects.create(enrolment=row, slot=slot, minutes=minutes, recorded_at=NOW)
            Attempt.objects.create(
                enrolment=row, score=score, passed=score > 70, on=A_DAY[0].date(), recorded_at=NOW
            )
            Enrolment.objects.filter(pk=row.pk).update(minutes=minutes)
        clock.move_to(AFTER)
        path = "/training/sessions/s1/close/"

        html = read(bank.hua, path)
        for said in ("1 person passes.", "1 person does not pass.", "1 person did not come.",
                     "1 certificate is issued.", "1 person on the waiting list is let go.",
                     "test not passed", "Of 1 person nothing is on record",
                     'value="1000"'):  # fmt: skip
            assert said in html, said
        assert Session.objects.get().state == "planned"

        client(bank.hua).post(path, {"actual_cost": "1250.40"})

        session = Session.objects.get()
        assert (session.state, session.actual_cost) == ("held", 125_040)
        assert Certificate.objects.get().staff.number == "t0"
        states = dict(Enrolment.objects.values_list("staff__number", "state"))
        assert states == {"t0": "passed", "t1": "failed", "t2": "absent", "li": "cancelled"}
        assert waits.pk
        assert "1,250.40" in read(bank.hua, "/training/sessions/s1/")

    def test_a_session_that_runs_cannot_be_closed_yet(self, bank: Bank) -> None:
        session_of(course_of(), unit=bank.north)

        response = client(bank.mei).post("/training/sessions/s1/close/", {})

        assert response.status_code == 400
        assert "it can be closed after its last slot" in response.content.decode()
        assert Session.objects.get().state == "planned"

    def test_who_sees_to_no_certificates_closes_none_that_give_them(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        session_of(course_of(certifies=True), unit=bank.north)
        clock.move_to(AFTER)

        for person in (bank.mei, bank.li, bank.chen):
            assert client(person).post("/training/sessions/s1/close/").status_code == 403
        assert "/close/" not in read(bank.mei, "/training/sessions/s1/")
        assert "/close/" in read(bank.hua, "/training/sessions/s1/")
        assert Session.objects.get().state == "planned"

    def test_a_full_session_takes_no_more_queries(
        self, bank: Bank, clock: time_machine.Traveller
    ) -> None:
        session = session_of(course_of(), unit=bank.north, capacity=30)
        for n in range(25):
            enrolment_of(session, teller(f"t{n}", bank.north))
        clock.move_to(AFTER)

        assert queries_of(bank.mei, "/training/sessions/s1/close/") <= QUERIES


def claimed(**over: Any) -> dict[str, Any]:
    return {
        "title": "First aid",
        "provider": "Red Cross",
        "ended_on": "2026-02-20",
        "minutes": "480",
        "cost": "90",
        "evidence": SimpleUploadedFile("proof.html", PDF, "text/html"),
        **over,
    }


def external_of(staff: Staff, **over: Any) -> ExternalTraining:
    fields: dict[str, Any] = {
        "title": "First aid",
        "provider": "Red Cross",
        "ended_on": date(2026, 2, 20),
        "minutes": 480,
        "evidence_name": "proof.pdf",
        "evidence_type": "application/pdf",
        "evidence": PDF,
        "claimed_by": staff.user,
        "claimed_at": NOW,
    }
    return ExternalTraining.objects.create(staff=staff, **{**fields, **over})


class TestElsewhere:
    def test_a_person_claims_and_hr_accepts_for_a_course(self, bank: Bank) -> None:
        course_of(certifies=True, valid_months=12)

        client(bank.li).post("/training/external/new/", claimed())
        claim = ExternalTraining.objects.get()
        assert (claim.staff, claim.cost, claim.evidence_name) == (bank.li, 9000, "proof.html.pdf")
        assert "First aid" in read(bank.li, "/training/external/")
        assert [rows.count() for rows in claims_waiting(bank.as_(bank.hua))] == [1]
        assert "Decide" in read(bank.hua, "/training/external/")

        client(bank.hua).post(
            f"/training/external/{claim.pk}/", {"approve": "1", "course": "complaints", "why": ""}
        )
        claim.refresh_from_db()
        assert claim.state == "approved"
        assert Certificate.objects.get().external_id == claim.pk
        assert [rows.count() for rows in claims_waiting(bank.as_(bank.hua))] == [0]

    def test_not_accepting_needs_a_reason(self, bank: Bank) -> None:
        claim = external_of(bank.li)
        browser, path = client(bank.hua), f"/training/external/{claim.pk}/"

        refused = browser.post(path, {"reject": "1", "why": ""})
        assert refused.status_code == 400
        claim.refresh_from_db()
        assert claim.state == "claimed"

        browser.post(path, {"reject": "1", "why": "It cannot be read"})
        assert "It cannot be read" in read(bank.li, "/training/external/")

    def test_nobody_decides_on_their_own_claim(self, bank: Bank) -> None:
        own = external_of(bank.hua)

        html = read(bank.hua, f"/training/external/{own.pk}/")
        response = client(bank.hua).post(f"/training/external/{own.pk}/", {"approve": "1"})

        assert 'name="approve"' not in html
        assert response.status_code == 400
        own.refresh_from_db()
        assert own.state == "claimed"

    def test_the_evidence_leaves_as_a_download_for_who_may_see_it(self, bank: Bank) -> None:
        claim = external_of(bank.li)
        path = f"/training/external/{claim.pk}/evidence/"

        response = client(bank.hua).get(path)

        assert response.content == PDF
        assert response["Content-Disposition"] == 'attachment; filename="proof.pdf"'
        assert response["Content-Security-Policy"].startswith("default-src 'none'; sandbox")
        assert client(bank.chen).get(path).status_code == 404
        assert client(teller("wang", bank.north)).get(path).status_code == 404

    @pytest.mark.parametrize(
        ("over", "reason"),
        [
            ({"evidence": SimpleUploadedFile("a.pdf", b"<script>")}, "Attach a PDF file or a"),
            ({"evidence": ""}, "Attach what shows it"),
            ({"ended_on": "2026-03-05"}, "This day is still to come."),
            ({"minutes": "0"}, "greater than or equal to 1"),
        ],
    )
    def test_what_cannot_be_taken_is_refused_with_the_reason(
        self, bank: Bank, over: dict[str, Any], reason: str
    ) -> None:
        response = client(bank.li).post("/training/external/new/", claimed(**over))

        assert response.status_code == 400
        assert reason in response.content.decode()
        assert not ExternalTraining.objects.exists()

    def test_only_who_plans_training_claims_for_others(self, bank: Bank) -> None:
        client(bank.mei).post("/training/external/new/", claimed(staff="li", evidence=""))
        refused = client(bank.mei).post("/training/external/new/", claimed(staff="chen"))
        ignored = client(bank.li).post("/training/external/new/", claimed(staff="chen"))

        assert refused.status_code == 400
        assert ignored.status_code == 302
        assert set(ExternalTraining.objects.values_list("staff__number", flat=True)) == {"li"}

    def test_an_empty_page_says_what_to_do(self, bank: Bank) -> None:
        assert "Nothing claimed yet" in read(bank.li, "/training/external/")
        assert 'type="file"' in read(bank.li, "/training/external/new/")

    def test_many_claims_take_no_more_queries(self, bank: Bank) -> None:
        for n in range(20):
            external_of(teller(f"t{n}", bank.north))
        external_of(bank.hua)

        assert queries_of(bank.hua, "/training/external/") <= QUERIES


class TestPanel:
    def test_a_persons_page_shows_certificates_to_who_may_see_them(self, bank: Bank) -> None:
        certificate_of(bank.li)
        panel = PersonCertificates()

        def shown(by: Staff) -> list[str]:
            found = panel.context(principal=bank.as_(by), now=NOW, subject=bank.li)
            rows: Any = found["rows"] if found else []
            return [row.certificate.number for row in rows]

        assert [shown(by) for by in (bank.li, bank.mei, bank.hua, bank.chen)] == [
            ["C-1"], ["C-1"], ["C-1"], [],
        ]  # fmt: skip
