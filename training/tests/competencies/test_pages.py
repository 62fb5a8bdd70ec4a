"""The pages of skills: whom they show, what they say, and what their forms do."""

from datetime import date

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from sqcore.dashboards.panels import Page, panels_on
from sqcore.org.models import Staff
from sqcore.org.queries import local_day
from sqcore.tests.factories import make_post, make_staff
from sqcore.tests.pages import faults_of
from training.competencies.models import Competency, Evidence, RequiredLevel
from training.competencies.queries import skill_matrix
from training.tests.factories import Bank, assign, make_bank, make_competency, require, show

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def open_(bank: Bank, who: Staff, path: str) -> HttpResponse:
    client = Client()
    assert who.user is not None
    client.force_login(who.user)
    return client.get(path)  # type: ignore[return-value]  # the test client's own kind


def send(bank: Bank, who: Staff, path: str, body: dict[str, object]) -> HttpResponse:
    client = Client()
    assert who.user is not None
    client.force_login(who.user)
    return client.post(path, body)  # type: ignore[return-value]  # the test client's own kind


def text_of(response: HttpResponse) -> str:
    page = response.content.decode()
    assert faults_of(page) == []
    return page


MATRIX = "/skills/"


def test_the_matrix_shows_a_manager_their_people_with_words_for_each_gap(bank: Bank) -> None:
    talk, team = make_competency("communication"), make_competency("teamwork")
    require(bank.teller, talk, 3)
    require(bank.teller, team, 1)
    show(bank.li, talk, 1)
    show(bank.chen, talk, 4)

    shown = skill_matrix(bank.as_(bank.mei), on=local_day(timezone.now()))
    page = text_of(open_(bank, bank.mei, MATRIX))

    cells = {
        (row.staff.number, cell.competency.code): (cell.numbers, cell.word, cell.tone)
        for row in shown.rows
        for cell in row.cells
    }
    assert cells == {
        ("li", "communication"): ("1 of 3", "2 missing", "bad"),
        ("li", "teamwork"): ("– of 1", "not assessed", "unknown"),
        ("mei", "communication"): ("–", "", ""),
        ("mei", "teamwork"): ("–", "", ""),
    }
    assert "2 missing" in page
    assert "Staff chen" not in page


def test_the_matrix_is_filtered_by_unit_and_post(bank: Bank) -> None:
    make_competency()
    today = local_day(timezone.now())
    hua = bank.as_(bank.hua)

    def names(**asked: object) -> list[str]:
        shown = skill_matrix(hua, on=today, **asked)  # type: ignore[arg-type]  # either filter
        return [row.staff.number for row in shown.rows]

    assert names() == ["chen", "li", "mei"]
    assert names(unit=bank.north) == ["li", "mei"]
    assert names(unit=bank.bank, post=bank.teller) == ["li"]
    page = text_of(open_(bank, bank.hua, MATRIX + "?unit=south&post=manager"))
    assert "Staff chen" in page
    assert "Staff li" not in page


def test_who_sees_no_training_is_refused_the_matrix(bank: Bank) -> None:
    response = open_(bank, bank.li, MATRIX)

    assert response.status_code == 403


def test_the_matrix_asks_as_often_for_many_people_as_for_few(bank: Bank) -> None:
    talk = make_competency()
    require(bank.teller, talk, 2)
    for number in range(40):
        person = make_staff(f"n{number:02}")
        assign(person, bank.north, bank.teller)
        show(person, talk, 1)

    client = Client()
    assert bank.mei.user is not None
    client.force_login(bank.mei.user)
    client.get(MATRIX)
    with CaptureQueriesContext(connection) as many:
        page = client.get(MATRIX).content.decode()

    assert page.count("<small>1 missing</small>") == 23
    assert len(many) <= 15, [query["sql"][:90] for query in many]


def test_a_person_says_how_they_see_themselves(bank: Bank) -> None:
    talk = make_competency()

    response = send(
        bank, bank.li, "/skills/people/li/assess/", {"competency": talk.pk, "level": 4, "text": ""}
    )

    assert response.status_code == 302
    kept = Evidence.objects.get()
    assert (kept.kind, kept.level, kept.recorded_by) == ("self", 4, bank.li.user)
    page = text_of(open_(bank, bank.li, "/skills/people/li/"))
    assert "4 · Teaches others" in page
    assert "My skills" in page


def test_a_manager_assesses_and_is_told_what_is_wrong(bank: Bank) -> None:
    talk = make_competency()
    given: dict[str, object] = {
        "competency": talk.pk,
        "level": 2,
        "kind": "assessment",
        "on": "2200-01-01",
        "text": "Explained a loan well.",
    }

    refused = send(bank, bank.mei, "/skills/people/li/assess/", given)
    kept = send(bank, bank.mei, "/skills/people/li/assess/", {**given, "on": "2026-01-05"})

    assert refused.status_code == 400
    assert "This day is still to come." in text_of(refused)
    assert kept.status_code == 302
    assert Evidence.objects.get().on == date(2026, 1, 5)


def test_nobody_sees_the_skills_of_people_elsewhere(bank: Bank) -> None:
    make_competency()

    assert open_(bank, bank.chen, "/skills/people/li/").status_code == 404
    assert open_(bank, bank.li, "/skills/people/mei/").status_code == 404
    assert send(bank, bank.chen, "/skills/people/li/assess/", {"level": 1}).status_code == 404
    assert not Evidence.objects.exists()


def test_hr_begins_with_the_six_and_sets_what_a_post_needs(bank: Bank) -> None:
    send(bank, bank.hua, "/skills/frame/begin/", {})
    talk = Competency.objects.get(code="communication")
    given = {"post": bank.teller.pk, "competency": talk.pk, "level": 2, "valid_from": "2026-01-01"}

    response = send(bank, bank.hua, "/skills/frame/required/", given)

    assert response.status_code == 302
    assert Competency.objects.count() == 6
    assert RequiredLevel.objects.get().level == 2
    assert "Independent" in text_of(open_(bank, bank.hua, "/skills/frame/"))


def test_a_manager_reads_the_frame_and_cannot_change_it(bank: Bank) -> None:
    make_competency()

    page = text_of(open_(bank, bank.mei, "/skills/frame/"))
    response = send(bank, bank.mei, "/skills/frame/begin/", {})

    assert "Set a required level" not in page
    assert response.status_code == 403
    assert Competency.objects.count() == 1


def test_a_competency_is_added_and_changed(bank: Bank) -> None:
    given: dict[str, object] = {
        "code": "sales", "name_en": "Advising", "measures": "servqual/empathy, ", "position": 7,
        "is_active": "on",
    }  # fmt: skip

    added = send(bank, bank.hua, "/skills/frame/new/", given)
    again = send(bank, bank.hua, "/skills/frame/new/", given)
    changed = send(bank, bank.hua, "/skills/frame/sales/", {"name_en": "Advice", "position": 1})

    assert (added.status_code, again.status_code, changed.status_code) == (302, 400, 302)
    found = Competency.objects.get()
    assert (found.code, found.name["en"], found.is_active) == ("sales", "Advice", False)


def test_wrong_evidence_is_withdrawn_with_its_reason(bank: Bank) -> None:
    evidence = show(bank.li, make_competency(), 3)
    address = reverse("training:competencies-withdraw", args=["li", evidence.pk])

    empty = send(bank, bank.mei, address, {"why": ""})
    done = send(bank, bank.mei, address, {"why": "It was somebody else."})

    assert (empty.status_code, done.status_code) == (400, 302)
    assert "It was somebody else." in text_of(open_(bank, bank.mei, "/skills/people/li/"))


def test_the_page_of_a_person_has_the_skills_as_a_panel(bank: Bank) -> None:
    make_competency()
    now = timezone.now()

    def keys(who: Staff) -> list[str]:
        shown = panels_on(Page.PERSON, principal=bank.as_(who), now=now, subject=bank.li)
        return [panel.key for panel in shown if panel.key == "training.skills"]

    assert keys(bank.li) == keys(bank.mei) == keys(bank.hua) == ["training.skills"]
    assert keys(bank.chen) == []


def test_a_post_of_another_kind_of_work_is_no_gap(bank: Bank) -> None:
    talk = make_competency()
    require(make_post("adviser"), talk, 4)

    shown = skill_matrix(bank.as_(bank.mei), on=local_day(timezone.now()))

    assert {cell.required for row in shown.rows for cell in row.cells} == {None}
