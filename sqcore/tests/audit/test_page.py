from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from sqcore.audit.services import check_and_export, record, seal
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.identity.principals import system_principal
from sqcore.org.queries import principal_for
from sqcore.tests.factories import NOW, TODAY, give_role, make_user

pytestmark = pytest.mark.django_db

PAGE = "/audit/"


@pytest.fixture
def ada() -> User:
    ada = make_user("ada")
    give_role(ada, Role.ADMINISTRATOR)
    return ada


def log_in(client: Client, user: User) -> None:
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")


def acts(count: int, *, by: User | None = None, kind: str = "unit") -> None:
    principal = principal_for(by, on=TODAY) if by else system_principal()
    for number in range(count):
        record(
            action=f"{kind}.opened",
            subject=f"{kind}:{number}",
            by=principal,
            now=NOW + timedelta(minutes=number),
            details={"on": "2026-03-02"},
        )


def text_of(client: Client, address: str = PAGE) -> str:
    return client.get(address).content.decode()


def test_administrator_sees_who_did_what(client: Client, ada: User) -> None:
    acts(1, by=ada)
    log_in(client, ada)

    shown = text_of(client)

    assert ">Ada</a>" in shown
    assert "unit.opened" in shown
    assert "on 2026-03-02" in shown


def test_a_detail_may_be_called_what_it_likes(client: Client, ada: User) -> None:
    record(
        action="instrument.published",
        subject="instrument:1",
        by=system_principal(),
        now=NOW,
        details={"version": 1, "items": 24, "keys": "<b>"},
    )
    log_in(client, ada)

    shown = text_of(client)
    for detail in ("version 1", "items 24", "keys &lt;b&gt;"):
        assert detail in shown


@pytest.mark.parametrize("role", [Role.HR, Role.ANALYST])
def test_others_see_nothing(client: Client, ada: User, role: Role) -> None:
    acts(1, by=ada)
    other = make_user("other")
    give_role(other, role)
    log_in(client, other)

    answer = client.get(PAGE)

    assert answer.status_code == 403
    assert "unit.opened" not in answer.content.decode()


def test_filters_by_kind_by_subject_and_by_person(client: Client, ada: User) -> None:
    acts(12, by=ada)
    acts(1, kind="unity")
    log_in(client, ada)

    assert text_of(client, f"{PAGE}?subject=unit").count("<code>unit.opened") == 12
    assert "unity.opened" not in text_of(client, f"{PAGE}?subject=unit")
    assert text_of(client, f"{PAGE}?subject=unit:1").count("<code>unit.opened") == 1
    assert text_of(client, f"{PAGE}?actor=ada").count("<code>unit.opened") == 12
    assert text_of(client, f"{PAGE}?actor=system").count("<code>unity.opened") == 1
    assert "No act fits" in text_of(client, f"{PAGE}?actor=nobody")


def test_pages_by_the_last_entry(client: Client, ada: User) -> None:
    acts(60, by=ada)
    log_in(client, ada)

    first = client.get(PAGE)
    second = text_of(client, PAGE + first.context["older"])

    assert first.content.decode().count("<code>unit.opened") == 50
    assert second.count("<code>unit.opened") == 10
    assert "Newest" in second


@pytest.mark.parametrize(
    "query", ["before=x", "before=-1", "before=9" * 9, "subject=%00", "actor=%F0"]
)
def test_nonsense_in_the_address_is_no_error(client: Client, ada: User, query: str) -> None:
    log_in(client, ada)

    assert client.get(f"{PAGE}?{query}").status_code == 200


def test_shows_up_to_where_the_chain_was_verified(
    client: Client, ada: User, tmp_path: Path
) -> None:
    acts(3, by=ada)
    log_in(client, ada)
    assert "not checked yet" in text_of(client)

    check_and_export(anchors=tmp_path / "heads", now=NOW)

    shown = text_of(client)
    assert "<dt>Verified up to link</dt><dd>3</dd>" in shown
    assert ">holds</span>" in shown


def test_shows_that_the_chain_is_broken(client: Client, ada: User, tmp_path: Path) -> None:
    acts(3, by=ada)
    (tmp_path / "heads").write_text('{"sequence": 9, "digest": "x"}\n')
    check_and_export(anchors=tmp_path / "heads", now=NOW)
    log_in(client, ada)

    shown = text_of(client)

    assert ">broken</span>" in shown
    assert "The chain ends at link 3; the anchor names link 9." in shown


def test_costs_the_same_queries_for_one_and_for_many(
    client: Client, ada: User, django_assert_num_queries: Callable[[int], Any]
) -> None:
    acts(1, by=ada)
    log_in(client, ada)
    client.get(PAGE)
    with django_assert_num_queries(10):
        client.get(PAGE)
    acts(40, by=ada)
    seal(now=NOW)

    with django_assert_num_queries(10):
        client.get(PAGE)
