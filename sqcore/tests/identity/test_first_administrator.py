from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from sqcore.identity.models import User
from sqcore.identity.services import first_administrator_token
from sqcore.tests.factories import NOW, make_user
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Ada Ng",
    "username": "ada",
    "email": "ada@bank.test",
    "password": "a long enough password",
    "password_again": "a long enough password",
}


def address(token: str) -> str:
    return reverse("sqcore:identity-first-administrator", args=[token])


def test_the_printed_link_makes_the_first_administrator(client: Client) -> None:
    link = address(first_administrator_token())

    assert faults_of(client.get(link).text) == []
    client.post(link, FORM)

    ada = User.objects.get()
    assert (ada.username, ada.name, ada.is_superuser, ada.is_staff) == ("ada", "Ada Ng", True, True)
    assert ada.check_password(FORM["password"])
    assert client.session["_auth_user_id"] == str(ada.pk)


def test_a_made_up_link_makes_nobody(client: Client) -> None:
    response = client.post(address("made:up:link"), FORM)

    assert response.status_code == 403
    assert "Copy the whole line" in response.text
    assert not User.objects.exists()


def test_a_link_older_than_a_day_makes_nobody(client: Client) -> None:
    with time_machine.travel(NOW, tick=False):
        link = address(first_administrator_token())
    with time_machine.travel(NOW + timedelta(hours=25), tick=False):
        response = client.post(link, FORM)

    assert response.status_code == 403
    assert not User.objects.exists()


def test_the_link_is_worth_nothing_once_there_is_a_user(client: Client) -> None:
    make_user("mei")

    response = client.post(address(first_administrator_token()), FORM)

    assert response.status_code == 409
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("over", "says"),
    [
        ({"password_again": "something else"}, "The two passwords differ."),
        ({"password": "short", "password_again": "short"}, "This password is too short."),
        ({"username": "a b"}, "Enter a valid username."),
    ],
)
def test_says_what_is_wrong_and_makes_nobody(
    client: Client, over: dict[str, str], says: str
) -> None:
    response = client.post(address(first_administrator_token()), FORM | over)

    assert response.status_code == 200
    assert says in response.text
    assert not User.objects.exists()
