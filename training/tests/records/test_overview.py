"""HR's page of training, and the files that leave."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import time_machine
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.org.models import Staff
from sqcore.tests.factories import NOW
from sqcore.tests.pages import faults_of
from training.certificates.models import ExternalTraining
from training.courses.models import Session
from training.enrolments.models import Attendance
from training.records.pages import overview_of
from training.requirements.services import recompute_all
from training.tests.factories import Bank, make_bank
from training.tests.requirements.making import course, hold, passed, rule, session

pytestmark = pytest.mark.django_db

PAGE = "/training/"


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    """Fire safety: Li holds it until the middle of March, Mei and Chen are late. The talk course
    was held in the north for 300.00: Li passed, two hours are proved. One session waits."""
    made = make_bank()
    fire, talk = course(), course("talk", certifies=False)
    rule(fire)
    hold(made.li, fire, date(2025, 3, 15), date(2026, 3, 15))
    done = passed(made.li, talk.versions.get(), date(2026, 2, 3), minutes=120)
    Session.objects.update(unit=made.north, planned_cost=25000, actual_cost=30000)
    slot = done.session.slots.create(starts_at=NOW, ends_at=NOW.replace(hour=11))
    Attendance.objects.create(enrolment=done, slot=slot, minutes=120, recorded_at=NOW)
    waits = session(talk.versions.get(), date(2026, 2, 27))
    Session.objects.filter(pk=waits.pk).update(state="planned", closed_at=None)
    ExternalTraining.objects.create(
        staff=made.li, title="Talking", provider="Academy", minutes=60,
        ended_on=date(2025, 5, 1), claimed_at=NOW,
    )  # fmt: skip
    recompute_all(now=NOW)
    return made


def client_of(person: Staff) -> Client:
    client = Client()
    assert person.user is not None
    client.force_login(person.user)
    return client


def test_it_says_what_waits_how_far_each_unit_is_and_the_year(bank: Bank) -> None:
    found = overview_of(principal=bank.as_(bank.hua), unit_code="", now=NOW)

    assert [matter.count for matter in found.matters] == [2, 1, 0, 1, 1]
    assert [(line.unit.code, line.total, line.met, line.overdue) for line in found.units] == [
        ("north", 2, 1, 1), ("south", 1, 0, 1),
    ]  # fmt: skip
    year = found.year
    assert (year.proved, year.told, year.planned, year.actual, year.passed, year.each) == (
        2.0, 0.0, 250.0, 300.0, 1, 300.0,
    )  # fmt: skip
    line = year.courses[0]
    assert (line.course.code, line.sessions, line.passed, line.hours) == ("talk", 1, 1, 2.0)


def test_a_manager_sees_the_own_unit_alone(bank: Bank) -> None:
    found = overview_of(principal=bank.as_(bank.chen), unit_code="north", now=NOW)

    assert [matter.count for matter in found.matters] == [1, 0, 0, 0, 0]
    assert [line.unit.code for line in found.units] == ["south"]
    assert (found.above, found.year.actual, found.year.courses) == (None, 0.0, [])


def test_the_page_keeps_to_the_rules_and_asks_little(
    bank: Bank, django_assert_max_num_queries: Any
) -> None:
    client = client_of(bank.hua)
    client.get(PAGE)

    with django_assert_max_num_queries(26):
        html = client.get(f"{PAGE}?unit=bank").content.decode()

    assert faults_of(html) == []
    assert "Training at Bank" in html
    assert client_of(bank.li).get(PAGE).status_code == 403


class TestFiles:
    def test_hr_takes_files_out_and_the_ledger_says_so(self, bank: Bank) -> None:
        client = client_of(bank.hua)
        html = client.get(f"{PAGE}files/").content.decode()
        assert faults_of(html) == []
        assert 'href="/files/training-records/"' in html

        answer = client.post(f"{PAGE}files/certificates/", {"format": "csv"})
        content = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # it streams

        assert content.splitlines()[1] == "li,C-1,,fire-safety,2025-03-15,2026-03-15"
        assert AuditEntry.objects.get(action="people.exported").subject == "certificates"

    def test_a_manager_takes_the_own_people_out_and_nothing_in(self, bank: Bank) -> None:
        client = client_of(bank.mei)
        html = client.get(f"{PAGE}files/").content.decode()

        answer = client.post(f"{PAGE}files/staff/", {"format": "csv"})
        content = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # it streams

        assert "Take a file in" not in html
        assert "li" in content
        assert "chen" not in content
        assert client.get("/files/staff/").status_code == 403

    def test_nobody_else_takes_anything(self, bank: Bank) -> None:
        client = client_of(bank.li)

        assert client.post(f"{PAGE}files/staff/", {"format": "csv"}).status_code == 403
        assert client_of(bank.hua).post(f"{PAGE}files/moon/").status_code == 404
        assert not AuditEntry.objects.filter(action="people.exported").exists()
