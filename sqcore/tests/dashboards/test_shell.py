import re

import pytest
from django.test import Client, RequestFactory
from django.views.defaults import server_error

from sqcore.identity.permissions import Role
from sqcore.tests.factories import give_role, make_unit, make_user
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db

PAGES = ["/inbox/", "/jobs/", "/profile/", "/profile/password/"]
BEFORE_LOG_IN = ["/log-in/", "/password-reset/", "/password-reset/sent/", "/password-reset/done/"]


def logged_in(username: str, role: Role | None = None, **over: object) -> Client:
    user = make_user(username, **over)
    if role is not None:
        needs_unit = role in {Role.MANAGER, Role.STAFF}
        give_role(user, role, make_unit("north") if needs_unit else None)
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("role", [*Role, None])
def test_every_page_renders_for_every_role(role: Role | None, path: str) -> None:
    response = logged_in("mei", role).get(path)

    assert response.status_code == 200
    assert faults_of(response.text) == []


@pytest.mark.parametrize("path", BEFORE_LOG_IN)
def test_pages_before_log_in_keep_the_rules(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert faults_of(response.text) == []


@pytest.mark.parametrize("path", [*PAGES, "/design/"])
def test_chen_who_is_not_logged_in_is_asked_to(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 302
    assert response["Location"] == f"/log-in/?next={path}"


class TestDesignPage:
    def test_shows_every_component_to_who_opens_the_workshop(self) -> None:
        response = logged_in("ada", is_staff=True).get("/design/?errors")

        assert response.status_code == 200
        assert faults_of(response.text) == []
        assert "Enter a whole number." in response.text

    def test_is_not_for_chen(self) -> None:
        response = logged_in("chen").get("/design/")

        assert response.status_code == 403
        assert faults_of(response.text) == []
        assert "Every component" not in response.text


class TestLanguageAndTheme:
    def test_pages_speak_the_language_of_the_browser_before_log_in(self, client: Client) -> None:
        html = client.get("/log-in/", headers={"Accept-Language": "zh-CN"}).text

        assert '<html lang="zh-hans"' in html

    def test_a_person_sees_their_theme(self) -> None:
        html = logged_in("mei", theme="dark").get("/inbox/").text

        assert '<html lang="en" data-theme="dark">' in html


class TestErrors:
    def test_an_unknown_address_gets_a_page_that_helps(self, client: Client) -> None:
        response = client.get("/no/such/page/")

        assert response.status_code == 404
        assert faults_of(response.text) == []
        assert "There is no such page" in response.text

    def test_a_bug_gets_a_page_that_needs_nothing_of_the_request(self) -> None:
        response = server_error(RequestFactory().get("/jobs/"))

        assert response.status_code == 500
        assert faults_of(response.content.decode()) == []
        assert "Something went wrong on our side" in response.content.decode()

    def test_a_form_without_its_token_is_refused_with_advice(self) -> None:
        client = Client(enforce_csrf_checks=True)

        response = client.post("/log-in/", {"username": "mei", "password": "x"})

        assert response.status_code == 403
        assert "This page is too old" in response.text
        assert faults_of(response.text) == []


def test_only_the_chart_page_loads_plotly() -> None:
    client = logged_in("ada", is_staff=True)

    assert "plotly.min.js" not in client.get("/inbox/").text
    assert "plotly.min.js" in client.get("/design/").text


def test_the_current_page_is_marked_once() -> None:
    html = logged_in("mei").get("/inbox/").text

    navigation = html[html.index('<nav class="nav"') : html.index("<main")]
    assert re.findall(r'href="([^"]+)" aria-current="page"', navigation) == ["/inbox/"]
