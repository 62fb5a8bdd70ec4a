"""The page of tokens: made, shown once, revoked; for administrators only."""

import re
from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from sqcore.access.models import ApiToken
from sqcore.access.services import principal_with
from sqcore.identity.permissions import Permission, Role
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, give_role, make_unit, make_user
from sqcore.tests.rest import make_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def north() -> Unit:
    return make_unit("north", parent=make_unit("bank"))


def client_of(name: str, role: Role, unit: Unit | None = None) -> Client:
    user = make_user(name)
    give_role(user, role, unit)
    client = Client()
    client.force_login(user)
    return client


def form(**over: object) -> dict[str, object]:
    return {"name": "Warehouse", "permissions": ["results.view"], "units": [], "days": 90, **over}


class TestTokens:
    def test_the_key_is_shown_once_and_works(self, north: Unit) -> None:
        ada = client_of("ada", Role.ADMINISTRATOR)

        made = ada.post("/tokens/", form(permissions=["people.view"], units=[north.pk]))

        (key,) = set(re.findall(r"sq_[0-9a-f]{10}_[\w-]{43}", made.content.decode()))
        assert "no-store" in made["Cache-Control"]
        assert key not in ada.get("/tokens/").content.decode()
        principal = principal_with(key, now=timezone.now())
        assert principal is not None
        assert principal.scope(Permission.VIEW_PEOPLE).units == {north.pk}
        assert ApiToken.objects.get().created_by is not None

    @pytest.mark.parametrize(
        "over",
        [
            {"name": ""},
            {"permissions": []},
            {"permissions": ["users.manage"]},
            {"permissions": ["people.view"]},
            {"days": 3650},
            {"units": [999]},
        ],
    )
    def test_what_cannot_be_is_said_beside_the_form(
        self, north: Unit, over: dict[str, object]
    ) -> None:
        answer = client_of("ada", Role.ADMINISTRATOR).post("/tokens/", form(**over))

        assert answer.status_code == 400
        assert b"Please check what you entered" in answer.content
        assert not ApiToken.objects.exists()

    def test_a_name_is_never_markup(self, north: Unit) -> None:
        ada = client_of("ada", Role.ADMINISTRATOR)
        ada.post("/tokens/", form(name="<script>alert(1)</script>"))

        assert b"<script>alert" not in ada.get("/tokens/").content

    def test_is_revoked_by_a_button(self, north: Unit) -> None:
        make_key(Permission.VIEW_RESULTS)
        token = ApiToken.objects.get()
        ada = client_of("ada", Role.ADMINISTRATOR)

        assert ada.get(f"/tokens/{token.pk}/revoke").status_code == 405
        answer = ada.post(f"/tokens/{token.pk}/revoke", follow=True)

        assert b"is revoked" in answer.content
        assert ApiToken.objects.get().revoked_at == NOW

    @pytest.mark.parametrize("role", [Role.HR, Role.ANALYST, Role.MANAGER, Role.STAFF])
    def test_is_for_administrators_only(self, north: Unit, role: Role) -> None:
        make_key(Permission.VIEW_RESULTS)
        token = ApiToken.objects.get()
        other = client_of("chen", role, north if role in ("manager", "staff") else None)

        assert other.get("/tokens/").status_code == 403
        assert other.post("/tokens/", form()).status_code == 403
        assert other.post(f"/tokens/{token.pk}/revoke").status_code == 404
        assert ApiToken.objects.get().revoked_at is None

    def test_asks_strangers_to_log_in(self) -> None:
        assert Client().get("/tokens/").status_code == 302

    def test_costs_the_same_queries_for_three_and_for_thirty(
        self, north: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        ada = client_of("ada", Role.ADMINISTRATOR)
        counts = []
        for total in (3, 30):
            while ApiToken.objects.count() < total:
                make_key(Permission.VIEW_RESULTS, units=[north])
            with django_assert_max_num_queries(15) as queries:
                ada.get("/tokens/")
            counts.append(len(queries))

        assert counts[0] == counts[1]
