from datetime import timedelta

import pytest
from django.test import Client

from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.jobs.models import Job
from sqcore.tests.factories import NOW, give_role, make_user
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db


def make_job(title: str, *, owner: User | None = None, **over: object) -> Job:
    fields: dict[str, object] = {
        "kind": "test",
        "key": title,
        "title": {"en": title},
        "created_at": NOW,
        "next_attempt_at": NOW,
        "bell_at": NOW,
        "owner": owner,
    }
    return Job.objects.create(**{**fields, **over})


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ana() -> User:
    user = make_user("ana")
    give_role(user, Role.ANALYST)
    return user


@pytest.fixture
def chen() -> User:
    return make_user("chen")


def test_analyst_ana_sees_all_work_and_chen_only_his(ana: User, chen: User) -> None:
    make_job("Evaluate May")
    make_job("Import of Chen", owner=chen)

    seen_by_ana = as_user(ana).get("/jobs/").text
    seen_by_chen = as_user(chen).get("/jobs/").text

    assert "Evaluate May" in seen_by_ana
    assert "Import of Chen" in seen_by_ana
    assert "Evaluate May" not in seen_by_chen
    assert "Import of Chen" in seen_by_chen
    assert faults_of(seen_by_ana) == []


def test_chen_may_not_know_of_another_s_job(chen: User) -> None:
    job = make_job("Evaluate May")

    response = as_user(chen).get(f"/jobs/{job.pk}/")

    assert response.status_code == 404
    assert "Evaluate May" not in response.text


def test_the_list_refreshes_itself_only_while_something_moves(ana: User) -> None:
    job = make_job("Evaluate May", state="running", done=3, total=10, started_at=NOW)
    client = as_user(ana)

    moving = client.get("/jobs/", headers={"HX-Request": "true"}).text
    Job.objects.filter(pk=job.pk).update(
        state="done", done=10, finished_at=NOW + timedelta(seconds=75)
    )
    still = client.get("/jobs/", headers={"HX-Request": "true"}).text

    assert 'hx-trigger="every 2s"' in moving
    assert '<progress max="10" value="3"' in moving
    assert "<html" not in moving
    assert "hx-trigger" not in still
    assert "1 min 15 s" in still


def test_shows_why_a_job_failed_and_tries_it_again(chen: User) -> None:
    job = make_job(
        "Import", owner=chen, state="failed", attempts=3, error="row 12, unit: <harbor> is unknown"
    )
    client = as_user(chen)

    html = client.get(f"/jobs/{job.pk}/").text
    client.post(f"/jobs/{job.pk}/retry/")

    job.refresh_from_db()
    assert "row 12, unit: &lt;harbor&gt; is unknown" in html
    assert faults_of(html) == []
    assert (job.state, job.attempts) == ("queued", 0)


def test_a_job_that_did_not_fail_is_not_tried_again(chen: User) -> None:
    job = make_job("Import", owner=chen, state="done")

    response = as_user(chen).post(f"/jobs/{job.pk}/retry/")

    job.refresh_from_db()
    assert response.status_code == 409
    assert "Only a job that failed can be tried again." in response.text
    assert job.state == "done"


def test_a_state_filters_the_list(ana: User) -> None:
    make_job("Evaluate May", state="failed")
    make_job("Evaluate June", state="done")

    html = as_user(ana).get("/jobs/?state=failed").text

    assert "Evaluate May" in html
    assert "Evaluate June" not in html


def test_costs_the_same_queries_for_one_and_for_many(
    ana: User, django_assert_num_queries: object
) -> None:
    for number in range(30):
        make_job(f"Evaluate {number}", owner=ana)
    client = as_user(ana)

    with django_assert_num_queries(8):  # type: ignore[operator]  # a fixture of pytest-django
        client.get("/jobs/")
