"""The pages of training needs, and needs and skills over REST."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from sqcore.dashboards.navigation import NAVIGATION
from sqcore.dashboards.panels import Page, panels_on
from sqcore.identity.permissions import Permission
from sqcore.org.models import Staff
from sqcore.org.queries import local_day
from sqcore.tests.pages import faults_of
from sqcore.tests.rest import get, make_key, post
from training.competencies.models import Competency, Evidence
from training.enrolments.models import Enrolment
from training.needs.models import Need
from training.needs.panels import needs_waiting
from training.needs.services import open_need
from training.tests.factories import Bank, make_bank, make_competency, require, show
from training.tests.needs.making import make_course_version, make_session

pytestmark = pytest.mark.django_db
LIST = "/training/needs/"
NOTE = "Developmental, not a finding of incompetence."


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def talk() -> Competency:
    return make_competency("communication")


def as_client(who: Staff) -> Client:
    client = Client()
    assert who.user is not None
    client.force_login(who.user)
    return client


def text_of(response: Any) -> str:
    page: str = response.content.decode()
    assert faults_of(page) == []
    return page


def open_(staff: Staff, talk: Competency, *, origin: str = "result") -> Need:
    need, _is_new = open_need(
        staff_id=staff.pk,
        competency_id=talk.pk,
        origin=origin,
        reference=f"{origin}:{staff.pk}:servqual/empathy:1:2026-03-01",
        text={"en": "What customers say"},
        benefit=4.9,
        now=timezone.now(),
    )
    assert need is not None
    return need


def test_the_list_says_that_needs_are_developmental_and_notes_who_looked(
    bank: Bank, talk: Competency
) -> None:
    open_(bank.li, talk)
    open_(bank.chen, talk)

    page = text_of(as_client(bank.mei).get(LIST))

    assert NOTE in page
    assert "Staff li" in page
    assert "Staff chen" not in page
    look = bank.li.looks.get()
    assert (look.way, look.viewer_name) == ("list", "Mei")
    assert as_client(bank.li).get(LIST).status_code == 403


def test_a_need_is_planned_from_its_page_with_one_click(bank: Bank, talk: Competency) -> None:
    need = open_(bank.li, talk)
    day = local_day(timezone.now()) + timedelta(days=7)
    session = make_session(make_course_version(teaches=talk), bank, on=day)
    other = make_session(make_course_version("law"), bank, on=day)
    mei = as_client(bank.mei)

    page = text_of(mei.get(f"{LIST}{need.pk}/"))
    refused = mei.post(f"{LIST}{need.pk}/plan/", {"session": other.pk})
    done = mei.post(f"{LIST}{need.pk}/plan/", {"session": session.pk})

    assert NOTE in page
    assert "Enrol" in page
    assert refused.status_code == 400
    assert "This session does not teach what is needed." in text_of(refused)
    assert done.status_code == 302
    assert Enrolment.objects.get().staff == bank.li
    assert "Planned" in text_of(mei.get(f"{LIST}{need.pk}/"))


def test_a_need_is_dismissed_with_a_reason_and_not_by_others(bank: Bank, talk: Competency) -> None:
    need = open_(bank.li, talk)
    address = f"{LIST}{need.pk}/dismiss/"

    empty = as_client(bank.mei).post(address, {"why": ""})
    by_li = as_client(bank.li).post(address, {"why": "No."})
    by_chen = as_client(bank.chen).post(address, {"why": "No."})
    assert (empty.status_code, by_li.status_code, by_chen.status_code) == (400, 400, 404)
    assert Need.objects.get().state == "open"

    done = as_client(bank.mei).post(address, {"why": "Coached at work."})

    assert done.status_code == 302
    assert Need.objects.get().why_closed == "Coached at work."


def test_a_person_asks_for_training_from_the_own_page(bank: Bank, talk: Competency) -> None:
    given = {"subject": "competency:communication", "text": "Before the new desk opens."}

    done = as_client(bank.li).post(f"{LIST}ask/li/", given)
    wrong = as_client(bank.li).post(f"{LIST}ask/li/", {"subject": "competency:x", "text": "?"})
    other = as_client(bank.chen).post(f"{LIST}ask/li/", given)

    assert (done.status_code, wrong.status_code, other.status_code) == (302, 400, 404)
    assert Need.objects.get().reasons.get().text == {"en": "Before the new desk opens."}


def test_the_file_is_marked_and_given_for_three_purposes_only(bank: Bank, talk: Competency) -> None:
    open_(bank.li, talk)
    mei = as_client(bank.mei)

    refused = mei.post(f"{LIST}export/", {"purpose": "dismissal"})
    taken = mei.post(f"{LIST}export/", {"purpose": "planning"})

    assert refused.status_code == 400
    rows = taken.content.decode("utf-8-sig").splitlines()
    assert len(rows) == 2
    assert rows[1].startswith("li,Staff li,north,communication,,open,result,4.9,")
    assert rows[1].endswith(f'planning,"{NOTE}"')


def test_managers_find_open_needs_on_home_and_in_the_navigation(
    bank: Bank, talk: Competency
) -> None:
    open_(bank.li, talk)
    now = timezone.now()

    def home(who: Staff) -> list[object]:
        shown = panels_on(Page.HOME, principal=bank.as_(who, on=local_day(now)), now=now)
        return [panel.context["count"] for panel in shown if panel.key == "training.needs.home"]

    assert (home(bank.mei), home(bank.chen), home(bank.li)) == ([1], [], [])
    assert [rows.count() for rows in needs_waiting(bank.as_(bank.mei))] == [1]
    assert "training-needs" in NAVIGATION


def test_the_page_of_a_person_shows_needs_to_whom_they_concern(
    bank: Bank, talk: Competency
) -> None:
    open_(bank.li, talk)
    now = timezone.now()

    def waiting(who: Staff) -> list[object]:
        principal = bank.as_(who, on=local_day(now))
        shown = panels_on(Page.PERSON, principal=principal, now=now, subject=bank.li)
        return [panel.context["waiting"] for panel in shown if panel.key == "training.needs"]

    assert waiting(bank.li) == waiting(bank.mei) == [[Need.objects.get()]]
    assert waiting(bank.chen) == []


# Over REST ---------------------------------------------------------------------------------------


def test_needs_over_rest_are_marked_and_hide_results_from_who_may_not_see_them(
    bank: Bank, talk: Competency
) -> None:
    open_(bank.li, talk)
    open_(bank.chen, talk)
    plain = make_key(Permission.VIEW_TRAINING, units=[bank.north])
    full = make_key(Permission.VIEW_TRAINING, Permission.VIEW_PEOPLE_RESULTS, units=[bank.north])

    (hidden,) = json.loads(get("training-needs", plain).content)["results"]
    (shown,) = json.loads(get("training-needs?staff=li", full).content)["results"]

    assert (hidden["staff"], hidden["reasons"], hidden["note"]) == ("li", [], NOTE)
    assert [reason["origin"] for reason in shown["reasons"]] == ["result"]
    assert [look.way for look in bank.li.looks.all()] == ["rest"]


def test_evidence_comes_once_by_its_reference_over_rest(bank: Bank, talk: Competency) -> None:
    require(bank.teller, talk, 2)
    show(bank.li, talk, 4, kind="self")
    key = make_key(Permission.VIEW_TRAINING, Permission.MANAGE_TRAINING, units=[bank.north])
    body = {
        "staff": "li", "competency": "communication", "level": 3, "kind": "experience",
        "on": "2026-01-02", "reference": "hr-17",
    }  # fmt: skip

    first = post("evidence", body, key)
    again = post("evidence", body, key, once="key-00000002")
    elsewhere = post("evidence", {**body, "staff": "chen"}, key, once="key-00000003")
    course = post("evidence", {**body, "kind": "course"}, key, once="key-00000004")

    assert [each.status_code for each in (first, again, elsewhere, course)] == [
        201,
        201,
        404,
        400,
    ]
    assert Evidence.objects.exclude(kind="self").count() == 1
    (row,) = json.loads(get("evidence", key).content)["results"]
    assert (row["staff"], row["level"], row["reference"]) == ("li", 3, "hr-17")
    (frame,) = json.loads(get("competencies", key).content)["results"]
    assert (frame["code"], frame["required_levels"]) == ("communication", {"teller": 2})
