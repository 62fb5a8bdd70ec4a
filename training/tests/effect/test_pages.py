"""The pages of effect: what is on them, who sees them, what they never show."""

from typing import Any

import pytest
import time_machine
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.identity.models import User
from sqcore.tests.factories import NOW
from training.effect.models import Study
from training.tests.effect.making import CARE, Bank, make_attempts, make_enrolment, make_session
from training.tests.effect.test_studies import LATER, conclude, groups, register

pytestmark = pytest.mark.django_db
LIST = "/training/effect/"
COURSE = "/training/effect/courses/listening/"
STUDY = "/training/effect/studies/listening-spring/"
FORM = {
    "code": "listening-spring",
    "measure": CARE,
    "minimum": "0.25",
    "pool": "lowest",
    "size": "20",
    "selected_from": "2025-06-01",
    "selected_last": "2025-10-31",
    "before_from": "2025-11-01",
    "before_last": "2026-02-28",
    "after_from": "2026-04-01",
    "after_last": "2026-07-31",
}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def words(response: Any) -> str:
    return " ".join(response.content.decode().split())


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def test_nothing_yet_says_so(bank: Bank) -> None:
    assert "No course was held yet" in words(browser(bank.hua).get(LIST))
    page = words(browser(bank.hua).get(COURSE))
    assert "Nobody was asked yet" in page
    assert "Nobody was tested both before the course and after it" in page
    assert "No study was registered" in page


def test_list_names_courses_and_what_studies_found(bank: Bank) -> None:
    study = register(bank)
    bank.said.moved = dict.fromkeys(groups(study)[0], 0.6)
    conclude(bank, study)

    page = words(browser(bank.mei).get(LIST))

    assert "Listening" in page
    assert "It works" in page


def test_few_who_ended_a_course_are_not_counted(bank: Bank) -> None:
    session = make_session(bank.course, "s1")
    for each in bank.staff[:4]:
        make_enrolment(session, each, state="passed")
    few = words(browser(bank.hua).get(LIST))
    make_enrolment(session, bank.staff[4], state="failed")
    enough = words(browser(bank.hua).get(LIST))

    assert "few or none" in few
    assert ">5</td>" in enough


def test_course_shows_what_was_learnt(bank: Bank) -> None:
    session = make_session(bank.course, "s1")
    for each, after in zip(bank.staff[:5], (60, 75, 75, 70, 70), strict=True):
        make_attempts(make_enrolment(session, each), before=[40.0], test=[float(after)])

    page = words(browser(bank.mei).get(COURSE))

    assert "the whole course" in page
    assert '<td class="number">30.0</td>' in page
    assert "22.4 – 37.6" in page


def test_study_is_registered_with_last_days_and_half_open_windows(bank: Bank) -> None:
    response = browser(bank.hua).post(f"{COURSE}register/", FORM)

    study = Study.objects.get()
    assert (response.status_code, response["Location"]) == (302, STUDY)
    assert (str(study.selected_to), str(study.before_to), str(study.after_to)) == (
        "2025-11-01",
        "2026-03-01",
        "2026-08-01",
    )
    assert study.members.count() == 20


def test_refused_registration_comes_back_with_its_field(bank: Bank) -> None:
    sent = {**FORM, "before_from": "2025-10-01", "after_last": "2026-03-01"}

    response = browser(bank.hua).post(f"{COURSE}register/", sent)

    page = words(response)
    assert response.status_code == 400
    assert "whoever is chosen" in page or "who is chosen for a bad spell" in page
    assert "The end is after the beginning" in page
    assert 'value="listening-spring"' in page
    assert not Study.objects.exists()


def test_study_page_tells_what_was_registered_and_names_nobody(bank: Bank) -> None:
    register(bank)

    for user in (bank.hua, bank.mei):
        page = words(browser(user).get(STUDY))
        assert "10 to be trained, 10 to compare with" in page
        assert "drawn by lot, seed" in page
        assert "Teller" not in page


def test_verdict_is_computed_by_who_runs_training_after_the_last_day(bank: Bank) -> None:
    study = register(bank)
    bank.said.moved = dict.fromkeys(groups(study)[0], 0.6)
    hua = browser(bank.hua)
    early = words(hua.get(STUDY))
    assert "Compute the verdict" not in early
    assert hua.post(f"{STUDY}conclude/").status_code == 409

    with time_machine.travel(LATER, tick=False):
        hua = browser(bank.hua)
        assert "Compute the verdict" in words(hua.get(STUDY))
        assert hua.post(f"{STUDY}conclude/").status_code == 302
        page = words(hua.get(STUDY))

    assert "It works" in page
    assert "10 trained and 10 others" in page
    assert "That would have been called a success." in page
    assert "without any training" in page
    assert "Teller" not in page
    assert "Compute the verdict" not in page


def test_harm_is_said_with_its_negative_interval(bank: Bank) -> None:
    study = register(bank)
    bank.said.moved = dict.fromkeys(groups(study)[0], -0.6)
    conclude(bank, study)

    page = words(browser(bank.hua).get(STUDY))

    assert "It made things worse" in page
    assert "That would not have been called a success." in page


def test_group_that_got_too_small_shows_no_figure(bank: Bank) -> None:
    study = register(bank)
    bank.said.silent = set(sorted(groups(study)[0])[:6])
    conclude(bank, study)

    page = words(browser(bank.hua).get(STUDY))

    assert "Too few of a group were judged often enough" in page
    assert "Before and after" not in page


def test_drawn_are_enrolled_by_a_button_that_names_nobody(bank: Bank) -> None:
    study = register(bank)
    hua = browser(bank.hua)
    assert "No session of the course is planned" in words(hua.get(STUDY))
    session = make_session(bank.course, "s1")

    sent = hua.post(f"{STUDY}enrol/", {"session": str(session.pk)}, follow=True)

    assert "10 are in the session, 0 of them wait; 0 could not be enrolled." in words(sent)
    assert "Teller" not in words(sent)
    assert session.enrolments.count() == len(groups(study)[0]) == 10
    assert hua.post(f"{STUDY}enrol/", {"session": "0"}).status_code == 400


def test_study_is_given_up_with_a_reason(bank: Bank) -> None:
    register(bank)
    hua = browser(bank.hua)
    assert hua.post(f"{STUDY}abandon/", {"why": ""}).status_code == 400
    assert Study.objects.get().state == "registered"

    assert hua.post(f"{STUDY}abandon/", {"why": "The course fell out."}).status_code == 302

    assert "The course fell out." in words(hua.get(STUDY))


def test_manager_reads_and_changes_nothing(bank: Bank) -> None:
    register(bank)
    mei = browser(bank.mei)

    assert "Register a study" not in words(mei.get(COURSE))
    assert "Give it up" not in words(mei.get(STUDY))
    session = make_session(bank.course, "s1")
    for address in (f"{STUDY}conclude/", f"{STUDY}abandon/", f"{STUDY}enrol/"):
        assert mei.post(address, {"why": "No", "session": session.pk}).status_code == 403
    assert not session.enrolments.exists()
    assert mei.get(f"{COURSE}register/").status_code == 403
    assert mei.post(f"{COURSE}register/", {**FORM, "code": "mine"}).status_code == 403

    assert Study.objects.get().state == "registered"
    assert AuditEntry.objects.filter(action__startswith="study.").count() == 1


@pytest.mark.parametrize(
    ("address", "status"), [(LIST, 403), (COURSE, 403), (STUDY, 404), (f"{COURSE}register/", 403)]
)
def test_staff_see_none_of_it(address: str, status: int, bank: Bank) -> None:
    register(bank)

    assert browser(bank.li).get(address).status_code == status
    assert Client().get(address).status_code == 302


def test_what_is_not_there_is_not_found(bank: Bank) -> None:
    hua = browser(bank.hua)

    assert hua.get("/training/effect/courses/nothing/").status_code == 404
    assert hua.get("/training/effect/studies/nothing/").status_code == 404


def test_pages_take_few_queries(bank: Bank, django_assert_max_num_queries: Any) -> None:
    for number in range(4):
        register(bank, code=f"study-{number}")
    study = register(bank)
    conclude(bank, study)
    hua = browser(bank.hua)

    for address in (LIST, COURSE, STUDY):
        with django_assert_max_num_queries(20):
            assert hua.get(address).status_code == 200
