from datetime import timedelta

import pytest
from django.test import Client

from sqcore.identity.models import User
from sqcore.notices.models import Notice
from sqcore.tests.factories import NOW, make_user
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db


def make_notice(reader: User, key: str, *, minutes: int = 0, link: str = "/jobs/") -> Notice:
    return Notice.objects.create(
        reader=reader,
        key=key,
        title={"en": f"About {key}", "zh-hans": f"关于 {key}"},
        link=link,
        created_at=NOW + timedelta(minutes=minutes),
    )


@pytest.fixture
def mei() -> User:
    return make_user("mei")


@pytest.fixture
def as_mei(mei: User) -> Client:
    client = Client()
    client.force_login(mei)
    return client


def test_lists_newest_first_with_the_number_of_unread(mei: User, as_mei: Client) -> None:
    make_notice(mei, "old")
    make_notice(mei, "new", minutes=5)

    html = as_mei.get("/inbox/").text

    assert html.index("About new") < html.index("About old")
    assert '<span class="count">2<' in html
    assert faults_of(html) == []


def test_shows_nobody_else_s(as_mei: Client) -> None:
    others = make_notice(make_user("chen"), "secret")

    assert "About secret" not in as_mei.get("/inbox/").text
    assert as_mei.get(f"/inbox/{others.pk}/").status_code == 404
    others.refresh_from_db()
    assert others.read_at is None


def test_opening_one_marks_it_and_goes_there(mei: User, as_mei: Client) -> None:
    notice = make_notice(mei, "run")

    response = as_mei.get(f"/inbox/{notice.pk}/")

    notice.refresh_from_db()
    assert response["Location"] == "/jobs/"
    assert notice.read_at is not None


def test_a_link_to_another_house_is_not_followed(mei: User, as_mei: Client) -> None:
    notice = make_notice(mei, "run", link="https://evil.test/")

    assert as_mei.get(f"/inbox/{notice.pk}/")["Location"] == "/inbox/"


def test_reading_all_touches_only_the_own(mei: User, as_mei: Client) -> None:
    mine, others = make_notice(mei, "run"), make_notice(make_user("chen"), "run")

    as_mei.post("/inbox/read-all/")

    mine.refresh_from_db()
    others.refresh_from_db()
    assert mine.read_at is not None
    assert others.read_at is None


def test_an_empty_inbox_says_what_will_come(as_mei: Client) -> None:
    assert "Nothing here yet" in as_mei.get("/inbox/").text


def test_is_shown_in_the_reader_s_language(mei: User, as_mei: Client) -> None:
    make_notice(mei, "run")

    html = as_mei.get("/inbox/", headers={"Accept-Language": "zh-hans"}).text

    assert "关于 run" in html


def test_costs_the_same_queries_for_one_and_for_many(
    mei: User, as_mei: Client, django_assert_num_queries: object
) -> None:
    for number in range(30):
        make_notice(mei, f"n{number}")

    with django_assert_num_queries(8):  # type: ignore[operator]  # a fixture of pytest-django
        as_mei.get("/inbox/")
