"""The effect of training over REST."""

from typing import Any

import pytest
from django.test import Client

from training.tests.effect.making import Bank, make_attempts, make_enrolment, make_session
from training.tests.effect.test_pages import browser
from training.tests.effect.test_studies import conclude, groups, register

pytestmark = pytest.mark.django_db


def got(client: Client, address: str) -> Any:
    response = client.get(f"/api/v1/{address}")
    assert response.status_code == 200, response.content
    return response.json()


def test_study_is_told_without_its_people(bank: Bank) -> None:
    study = register(bank)
    bank.said.moved = dict.fromkeys(groups(study)[0], 0.6)
    conclude(bank, study)

    (row,) = got(browser(bank.hua), "studies?course=listening")["results"]

    assert (row["code"], row["course"], row["trained"], row["controls"]) == (
        "listening-spring",
        "listening",
        10,
        10,
    )
    assert (row["state"], row["verdict"], row["by_lot"]) == ("concluded", "effective", True)
    assert row["differences"]["effect"] == pytest.approx(0.6, abs=0.05)
    assert set(row["differences"]["pre_trend"]) == {"effect", "low", "high"}
    assert "Teller" not in str(row)
    assert "members" not in row


def test_studies_are_filtered(bank: Bank) -> None:
    register(bank)
    hua = browser(bank.hua)

    assert len(got(hua, "studies?state=registered")["results"]) == 1
    assert got(hua, "studies?verdict=effective")["results"] == []
    assert hua.get("/api/v1/studies?people=all").status_code == 400


def test_registered_study_has_no_figures(bank: Bank) -> None:
    register(bank)

    (row,) = got(browser(bank.mei), "studies")["results"]

    assert (row["verdict"], row["differences"], row["concluded_at"]) == ("", None, None)


def test_effect_of_a_course_on_three_levels(bank: Bank) -> None:
    register(bank)
    session = make_session(bank.course, "s1")
    for each in bank.staff[:5]:
        make_attempts(make_enrolment(session, each), before=[40.0], test=[70.0])

    found = got(browser(bank.mei), "courses/listening/effect")

    assert (found["course"], found["reaction"]) == ("listening", [])
    whole, of_session = found["learning"]
    assert (whole["session"], whole["until"], of_session["session"]) == (None, "test", "s1")
    assert whole["gain"]["n"] == 5
    assert (whole["gain"]["gain"], whole["gain"]["low"]) == (30.0, None)
    assert [study["code"] for study in found["studies"]] == ["listening-spring"]


def test_few_people_have_no_gain_over_rest(bank: Bank) -> None:
    session = make_session(bank.course, "s1")
    for each in bank.staff[:4]:
        make_attempts(make_enrolment(session, each), before=[40.0], test=[70.0])

    rows = got(browser(bank.mei), "courses/listening/effect")["learning"]

    assert [row["gain"] for row in rows] == [None, None]


def test_staff_and_strangers_are_refused(bank: Bank) -> None:
    register(bank)

    for address in ("studies", "courses/listening/effect"):
        assert browser(bank.li).get(f"/api/v1/{address}").status_code == 403
        assert Client().get(f"/api/v1/{address}").status_code == 401
    assert browser(bank.mei).get("/api/v1/courses/none/effect").status_code == 404
