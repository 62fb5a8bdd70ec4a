import pytest
from django.test import Client

from sqcore.tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


class TestProfile:
    def test_saves_what_a_person_may_change(self, client: Client) -> None:
        user = make_user("mei")
        client.force_login(user)

        response = client.post(
            "/profile/",
            {"name": "Mei Lin", "email": "lin@bank.test", "language": "zh-hans", "theme": "dark"},
        )

        user.refresh_from_db()
        assert response.status_code == 302
        assert (user.name, user.email) == ("Mei Lin", "lin@bank.test")
        assert (user.language, user.theme) == ("zh-hans", "dark")
        assert client.cookies["django_language"].value == "zh-hans"
        assert not user.gets_mail  # its box came without a tick

    def test_names_the_field_and_saves_nothing_when_something_is_wrong(
        self, client: Client
    ) -> None:
        user = make_user("mei")
        client.force_login(user)

        response = client.post(
            "/profile/", {"name": "", "email": "no", "language": "xx", "theme": "dark"}
        )

        user.refresh_from_db()
        assert response.status_code == 200
        assert '<a href="#id_email">E-mail</a>' in response.text
        assert user.theme == "system"

    def test_does_not_touch_rights(self, client: Client) -> None:
        user = make_user("mei")
        client.force_login(user)

        client.post(
            "/profile/",
            {"name": "Mei", "language": "en", "theme": "light", "is_staff": "1", "username": "ada"},
        )

        user.refresh_from_db()
        assert user.theme == "light"
        assert (user.is_staff, user.username) == (False, "mei")


class TestPassword:
    def test_needs_the_old_one(self, client: Client) -> None:
        user = make_user("mei")
        client.force_login(user)
        new = "a quite different password"

        client.post(
            "/profile/password/",
            {"old_password": "wrong", "new_password1": new, "new_password2": new},
        )

        user.refresh_from_db()
        assert user.check_password(PASSWORD)

    def test_changes_and_stays_logged_in(self, client: Client) -> None:
        user = make_user("mei")
        client.force_login(user)
        new = "a quite different password"

        response = client.post(
            "/profile/password/",
            {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
            follow=True,
        )

        user.refresh_from_db()
        assert user.check_password(new)
        assert "Your password is changed." in response.text


class TestDisplay:
    def test_switches_the_browser_before_log_in(self, client: Client) -> None:
        response = client.post("/display/", {"language": "zh-hans", "next": "/log-in/"})

        assert response["Location"] == "/log-in/"
        assert '<html lang="zh-hans"' in client.get("/log-in/").text

    def test_remembers_with_the_person(self, client: Client) -> None:
        user = make_user("mei")
        client.force_login(user)

        response = client.post(
            "/display/", {"theme": "dark"}, headers={"Accept": "application/json"}
        )

        user.refresh_from_db()
        assert response.status_code == 204
        assert (user.theme, user.language) == ("dark", "en")

    def test_refuses_what_there_is_not(self, client: Client) -> None:
        user = make_user("mei")
        client.force_login(user)

        assert client.post("/display/", {"theme": "neon"}).status_code == 400
        assert client.post("/display/", {"language": "xx"}).status_code == 400
        user.refresh_from_db()
        assert (user.theme, user.language) == ("system", "en")

    def test_does_not_lead_to_another_house(self, client: Client) -> None:
        response = client.post("/display/", {"theme": "dark", "next": "//evil.test/"})

        assert response["Location"] == "/"
