"""Tokens: what they can be, whom they stand for, and when they stop."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from sqcore.access import services
from sqcore.access.models import ApiToken
from sqcore.access.services import make_token, principal_with, revoke_token
from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Scope
from sqcore.org.models import Placement
from sqcore.tests.factories import NOW, TODAY, make_principal, make_unit
from sqcore.tests.rest import ADMINISTRATOR, get, make_key

pytestmark = pytest.mark.django_db

RESULTS, PEOPLE = Permission.VIEW_RESULTS, Permission.VIEW_PEOPLE


class TestMakeToken:
    def test_keeps_only_a_digest_of_the_key(self) -> None:
        key = make_key(RESULTS)

        token = ApiToken.objects.get()
        secret = key.split("_", 2)[2]
        assert key.startswith(f"sq_{token.prefix}_")
        assert len(secret) == 43
        stored = "".join(str(value) for value in ApiToken.objects.values_list().get())
        assert secret not in stored
        assert AuditEntry.objects.get().action == "token.made"
        assert secret not in str(AuditEntry.objects.values_list().get())

    @pytest.mark.parametrize(
        ("permissions", "days", "field"),
        [
            ([], 30, "permissions"),
            ([Permission.MANAGE_USERS], 30, "permissions"),
            ([RESULTS, Permission.RUN_EVALUATION], 30, "permissions"),
            ([PEOPLE], 30, "units"),
            ([RESULTS], 0, "expires_at"),
            ([RESULTS], 367, "expires_at"),
        ],
    )
    def test_refuses_what_no_token_can_be(
        self, permissions: list[Permission], days: int, field: str
    ) -> None:
        with pytest.raises(InvalidInput) as refusal:
            make_key(*permissions, days=days)

        assert [problem.field for problem in refusal.value.problems] == [field]
        assert not ApiToken.objects.exists()
        assert not AuditEntry.objects.exists()

    def test_is_for_who_manages_users_only(self) -> None:
        analyst = make_principal({Permission.RUN_EVALUATION: EVERYWHERE})

        with pytest.raises(NotPermitted):
            make_token(
                name="x",
                permissions=[RESULTS],
                units=[],
                expires_at=NOW + timedelta(days=1),
                by=analyst,
                now=NOW,
            )

        assert not ApiToken.objects.exists()


class TestPrincipalWith:
    def test_stands_for_the_permissions_everywhere(self) -> None:
        principal = principal_with(make_key(RESULTS, now=NOW), now=NOW)

        assert principal is not None
        assert principal.key == f"token:{ApiToken.objects.get().pk}"
        assert principal.permissions == {RESULTS: EVERYWHERE}

    def test_reaches_the_units_below_its_own_as_the_tree_stands_today(self) -> None:
        root = make_unit("bank")
        region, other = make_unit("north", parent=root), make_unit("south", parent=root)
        branch = make_unit("mill-street", parent=region)
        gone = make_unit("old-town", parent=region)
        Placement.objects.filter(unit=gone).update(valid_to=TODAY)
        Placement.objects.create(unit=gone, parent=other, valid_from=TODAY)

        principal = principal_with(make_key(RESULTS, PEOPLE, units=[region], now=NOW), now=NOW)

        assert principal is not None
        assert principal.scope(PEOPLE) == Scope(units=frozenset({region.pk, branch.pk}))

    @pytest.mark.parametrize("change", ["x", "", "_", "\x00"])
    def test_knows_no_other_key(self, change: str) -> None:
        key = make_key(RESULTS, now=NOW)

        assert principal_with(key[:-1] + change, now=NOW) is None

    @pytest.mark.parametrize("key", ["", "sq", "sq__", "sq_abc_", "Bearer", "sq_" + "x" * 9000])
    def test_knows_no_invented_key(self, key: str) -> None:
        assert principal_with(key, now=NOW) is None

    def test_ends_with_its_last_second_also_from_memory(self) -> None:
        key = make_key(RESULTS, now=NOW, days=1)
        end = NOW + timedelta(days=1)

        assert principal_with(key, now=end - timedelta(seconds=1)) is not None
        assert principal_with(key, now=end) is None

    def test_is_remembered_for_a_short_time(self, django_assert_num_queries: object) -> None:
        key = make_key(RESULTS, now=NOW)
        principal_with(key, now=NOW)

        with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
            assert principal_with(key, now=NOW) is not None

    def test_notes_the_day_of_its_last_use(self) -> None:
        principal_with(make_key(RESULTS, now=NOW), now=NOW)

        assert ApiToken.objects.get().last_used_on == TODAY


class TestRevokeToken:
    def test_ends_it_at_once_in_this_process(
        self, django_capture_on_commit_callbacks: object
    ) -> None:
        key = make_key(RESULTS)
        assert get("", key).status_code == 200

        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]  # pytest-django's fixture
            revoke_token(token=ApiToken.objects.get(), by=ADMINISTRATOR, now=timezone.now())

        assert get("", key).status_code == 401
        assert AuditEntry.objects.filter(action="token.revoked").count() == 1

    def test_happens_once(self) -> None:
        make_key(RESULTS)
        token = ApiToken.objects.get()
        revoke_token(token=token, by=ADMINISTRATOR, now=NOW)

        with pytest.raises(Conflict):
            revoke_token(token=token, by=ADMINISTRATOR, now=NOW)

    def test_is_for_who_manages_users_only(self) -> None:
        make_key(RESULTS)

        with pytest.raises(NotPermitted):
            revoke_token(token=ApiToken.objects.get(), by=make_principal({}), now=NOW)

        assert ApiToken.objects.get().revoked_at is None


class TestCommand:
    def test_prints_a_key_that_works(self, capsys: pytest.CaptureFixture[str]) -> None:
        make_unit("north")

        call_command("make_token", "Warehouse", may=["people.view"], unit=["north"])

        principal = principal_with(capsys.readouterr().out.strip(), now=timezone.now())
        assert principal is not None
        assert principal.name == "Warehouse"
        assert AuditEntry.objects.get().actor == "system"

    def test_says_why_it_cannot(self) -> None:
        with pytest.raises(CommandError, match="must be bound to units"):
            call_command("make_token", "Warehouse", may=["people.view"])

        assert not ApiToken.objects.exists()


def test_memory_is_shorter_than_a_minute() -> None:
    assert services.MEMORY_SECONDS <= 30
