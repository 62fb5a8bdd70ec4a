import re

import pytest
from django.core import mail
from django.test import Client

from sqcore.tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def log_in(client: Client, username: str, password: str) -> int:
    data = {"username": username, "password": password, "next": "/profile/"}
    return client.post("/log-in/", data).status_code


class TestLogIn:
    def test_goes_where_the_person_wanted_to(self, client: Client) -> None:
        make_user("mei")

        response = client.post(
            "/log-in/", {"username": "mei", "password": PASSWORD, "next": "/jobs/"}
        )

        assert response.status_code == 302
        assert response["Location"] == "/jobs/"

    def test_does_not_go_to_another_house(self, client: Client) -> None:
        make_user("mei")

        response = client.post(
            "/log-in/?next=https://evil.test/",
            {"username": "mei", "password": PASSWORD, "next": "https://evil.test/"},
        )

        assert "evil.test" not in response["Location"]

    def test_takes_language_and_theme_of_the_person_into_the_browser(self, client: Client) -> None:
        make_user("mei", language="zh-hans", theme="dark")

        log_in(client, "mei", PASSWORD)

        assert client.cookies["django_language"].value == "zh-hans"
        assert client.cookies["sq_theme"].value == "dark"
        assert client.cookies["sq_theme"]["httponly"]

    @pytest.mark.parametrize("username", ["mei", "nobody"])
    def test_says_the_same_whichever_is_wrong(self, client: Client, username: str) -> None:
        make_user("mei")

        response = client.post("/log-in/", {"username": username, "password": "wrong"})

        assert response.status_code == 200
        assert "User name and password do not belong together." in response.text
        assert "_auth_user_id" not in client.session

    def test_a_user_who_may_no_longer_log_in_is_told_nothing_more(self, client: Client) -> None:
        make_user("mei", is_active=False)

        response = client.post("/log-in/", {"username": "mei", "password": PASSWORD})

        assert "User name and password do not belong together." in response.text
        assert "_auth_user_id" not in client.session

    def test_ten_wrong_passwords_close_the_door_for_a_while(self, client: Client) -> None:
        make_user("mei")

        for _attempt in range(10):
            log_in(client, "mei", "wrong")
        response = client.post("/log-in/", {"username": "mei", "password": PASSWORD})

        assert response.status_code == 429
        assert "Too many attempts" in response.text
        assert "_auth_user_id" not in client.session


class TestEndedSession:
    def test_a_part_that_refreshes_itself_sends_the_whole_page_to_log_in(
        self, client: Client
    ) -> None:
        response = client.get("/jobs/", headers={"HX-Request": "true"}, follow=True)

        assert response["HX-Redirect"] == "/log-in/?next=%2Fjobs%2F"


class TestLogOut:
    def test_ends_the_session(self, client: Client) -> None:
        client.force_login(make_user("mei"))

        assert client.post("/log-out/").status_code == 302
        assert "_auth_user_id" not in client.session

    def test_a_link_alone_logs_nobody_out(self, client: Client) -> None:
        client.force_login(make_user("mei"))

        assert client.get("/log-out/").status_code == 405
        assert "_auth_user_id" in client.session


class TestPasswordReset:
    def test_a_mailed_link_sets_a_new_password(self, client: Client) -> None:
        user = make_user("mei")

        client.post("/password-reset/", {"email": "mei@bank.test"})
        (found,) = re.findall(
            r"http://127.0.0.1:8000(/password-reset/\S+)", str(mail.outbox[0].body)
        )
        form = client.get(found, follow=True)
        new = "a quite different password"
        done = client.post(
            form.request["PATH_INFO"], {"new_password1": new, "new_password2": new}, follow=True
        )

        user.refresh_from_db()
        assert mail.outbox[0].to == ["mei@bank.test"]
        assert "Your password is changed" in done.text
        assert user.check_password(new)

    def test_an_unknown_address_gets_the_same_page_and_no_mail(self, client: Client) -> None:
        known = make_user("mei")

        response = client.post("/password-reset/", {"email": "nobody@bank.test"}, follow=True)

        assert "If an account has this address" in response.text
        assert mail.outbox == []
        known.refresh_from_db()
        assert known.check_password(PASSWORD)

    def test_the_link_never_leads_to_the_host_that_was_asked(self, client: Client) -> None:
        make_user("mei")

        client.post("/password-reset/", {"email": "mei@bank.test"}, headers={"host": "localhost"})

        assert "http://localhost/" not in mail.outbox[0].body

    def test_a_wrong_link_says_what_to_do(self, client: Client) -> None:
        response = client.get("/password-reset/MQ/abc-def/")

        assert "This link no longer works" in response.text
