"""The organisation changes by dated steps; the past keeps its tree."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import EVERYWHERE, system_principal
from sqcore.org.models import Assignment, Placement, RoleGrant, Staff, Unit
from sqcore.org.queries import in_tree_order, principal_for, siblings_of, tree_on
from sqcore.org.services import (
    add_staff,
    assign_staff,
    close_unit,
    end_role,
    grant_role,
    move_unit,
    open_unit,
    shift_unit,
)
from sqcore.tests.factories import (
    NOW,
    TODAY,
    give_role,
    make_post,
    make_principal,
    make_staff,
    make_unit,
    make_user,
)

pytestmark = pytest.mark.django_db

SYSTEM = system_principal()
TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


class TestTree:
    def test_moved_unit_stood_where_it_was_before(self, bank: Unit) -> None:
        east, west = make_unit("east", parent=bank), make_unit("west", parent=bank)
        ferry = make_unit("ferry", parent=east)

        move_unit(unit=ferry, parent=west, on=TODAY, by=SYSTEM, now=NOW)

        assert tree_on(TODAY - timedelta(days=1)).path(ferry.pk) == [ferry.pk, east.pk, bank.pk]
        assert tree_on(TODAY).path(ferry.pk) == [ferry.pk, west.pk, bank.pk]

    def test_refuses_a_unit_below_itself(self, bank: Unit) -> None:
        east = make_unit("east", parent=bank)
        ferry = make_unit("ferry", parent=east)

        with pytest.raises(InvalidInput, match="below itself"):
            move_unit(unit=east, parent=ferry, on=TODAY, by=SYSTEM, now=NOW)

        assert Placement.objects.get(unit=east).parent == bank

    def test_refuses_a_second_whole(self, bank: Unit) -> None:
        with pytest.raises(Conflict, match="whole organisation"):
            open_unit(code="other", name={"en": "Other"}, parent=None, on=TODAY, by=SYSTEM, now=NOW)

        assert Unit.objects.count() == 1

    def test_refuses_a_whole_that_opens_before_the_first(self, bank: Unit) -> None:
        with pytest.raises(Conflict, match="whole organisation"):
            open_unit(
                code="other",
                name={"en": "Other"},
                parent=None,
                on=date(2001, 1, 1),
                by=SYSTEM,
                now=NOW,
            )

        assert Unit.objects.count() == 1

    def test_refuses_to_close_above_open_units(self, bank: Unit) -> None:
        make_unit("east", parent=bank)

        with pytest.raises(Conflict, match="below it first"):
            close_unit(unit=bank, on=TODAY, by=SYSTEM, now=NOW)

        bank.refresh_from_db()
        assert bank.closed_on is None

    def test_closing_ends_place_assignments_and_roles(self, bank: Unit) -> None:
        ferry = make_unit("ferry", parent=bank)
        give_role(make_user("mei"), Role.MANAGER, ferry)
        Assignment.objects.create(
            staff=make_staff("1"), unit=ferry, post=make_post(), valid_from=date(2020, 1, 1)
        )

        close_unit(unit=ferry, on=TODAY, by=SYSTEM, now=NOW)

        for rows in (Placement, Assignment, RoleGrant):
            assert rows.objects.get(unit=ferry).valid_to == TODAY
        assert AuditEntry.objects.filter(action="unit.closed").count() == 1


class TestPeople:
    def test_new_assignment_ends_the_one_before(self, bank: Unit) -> None:
        ferry, post = make_unit("ferry", parent=bank), make_post()
        li = add_staff(
            number="7", name="Li", unit=bank, post=post, on=date(2025, 1, 1), by=SYSTEM, now=NOW
        )

        assign_staff(staff=li, unit=ferry, post=post, on=TODAY, by=SYSTEM, now=NOW)

        spans = li.assignments.order_by("valid_from").values_list("unit__code", "valid_to")
        assert list(spans) == [("bank", TODAY), ("ferry", None)]

    def test_refuses_a_number_that_is_taken(self, bank: Unit) -> None:
        make_staff("7")

        with pytest.raises(Conflict, match="7 is taken"):
            add_staff(
                number="7", name="X", unit=bank, post=make_post(), on=TODAY, by=SYSTEM, now=NOW
            )

        assert Staff.objects.count() == 1


class TestRoles:
    def test_manager_sees_the_unit_and_below(self, bank: Unit) -> None:
        east, west = make_unit("east", parent=bank), make_unit("west", parent=bank)
        ferry, mei = make_unit("ferry", parent=east), make_user("mei")

        grant_role(user=mei, role=Role.MANAGER, unit=east, on=TODAY, by=SYSTEM, now=NOW)

        scope = principal_for(mei, on=TODAY).scope(Permission.VIEW_RESULTS)
        assert scope.units == {east.pk, ferry.pk}
        assert west.pk not in scope

    def test_staff_see_their_unit_alone(self, bank: Unit) -> None:
        make_unit("east", parent=bank)
        li = make_user("li")
        give_role(li, Role.STAFF, bank)

        principal = principal_for(li, on=TODAY)

        assert principal.scope(Permission.VIEW_RESULTS).units == {bank.pk}
        assert not principal.may(Permission.VIEW_PEOPLE)

    def test_ended_role_gives_nothing_any_more(self, bank: Unit) -> None:
        mei = make_user("mei")
        end_role(grant=give_role(mei, Role.MANAGER, bank), on=TODAY, by=SYSTEM, now=NOW)

        assert not principal_for(mei, on=TODAY).may(Permission.VIEW_RESULTS)
        assert principal_for(mei, on=TODAY - timedelta(days=1)).may(Permission.VIEW_RESULTS)

    def test_role_that_begins_later_never_begins(self, bank: Unit) -> None:
        mei = make_user("mei")
        grant = grant_role(user=mei, role=Role.MANAGER, unit=bank, on=TOMORROW, by=SYSTEM, now=NOW)

        end_role(grant=grant, on=TODAY, by=SYSTEM, now=NOW)

        assert not RoleGrant.objects.exists()

    def test_giving_twice_changes_nothing(self, bank: Unit) -> None:
        mei = make_user("mei")
        for _ in range(2):
            grant_role(user=mei, role=Role.MANAGER, unit=bank, on=TODAY, by=SYSTEM, now=NOW)

        assert RoleGrant.objects.count() == 1
        assert AuditEntry.objects.filter(action="role.granted").count() == 1

    def test_manager_without_unit_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="belongs to a unit"):
            grant_role(
                user=make_user("mei"), role=Role.MANAGER, unit=None, on=TODAY, by=SYSTEM, now=NOW
            )

        assert not RoleGrant.objects.exists()

    @pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.ANALYST])
    def test_who_runs_the_whole_cannot_be_bound_to_a_unit(self, bank: Unit, role: Role) -> None:
        """Campaigns, imports, indicators and tokens have no unit: the bond would hold nothing."""
        ada = make_user("ada")
        with pytest.raises(InvalidInput, match="holds everywhere"):
            grant_role(user=ada, role=role, unit=bank, on=TODAY, by=SYSTEM, now=NOW)
        with pytest.raises(ValidationError, match="leave the unit empty"):
            RoleGrant(user=ada, role=role, unit=bank, valid_from=TODAY).full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            give_role(ada, role, bank)

        assert not RoleGrant.objects.exists()

    def test_superuser_is_administrator_everywhere(self) -> None:
        ada = make_user("ada", is_superuser=True)

        assert principal_for(ada, on=TODAY).scope(Permission.MANAGE_USERS) == EVERYWHERE
        assert not principal_for(ada, on=TODAY).may(Permission.VIEW_PEOPLE)


class TestOrder:
    def family(self, bank: Unit) -> list[Unit]:
        return [make_unit(code, parent=bank) for code in ("east", "north", "west")]

    def order(self, unit: Unit) -> list[str]:
        return [each.code for each in siblings_of(unit, on=TODAY)]

    def test_a_unit_is_put_one_place_further_among_those_beside_it(self, bank: Unit) -> None:
        east, north, _west = self.family(bank)
        make_unit("ferry", parent=east)

        shift_unit(unit=east, by_places=1, on=TODAY, by=SYSTEM, now=NOW)

        assert self.order(east) == ["north", "east", "west"]
        entry = AuditEntry.objects.get(action="unit.shifted")
        assert entry.details == {"order": ["north", "east", "west"]}
        rows = in_tree_order(Unit.objects.all(), tree_on(TODAY))
        assert [(unit.code, depth) for unit, depth in rows] == [
            ("bank", 0), ("north", 1), ("east", 1), ("ferry", 2), ("west", 1),
        ]  # fmt: skip
        shift_unit(unit=north, by_places=1, on=TODAY, by=SYSTEM, now=NOW)
        assert self.order(east) == ["east", "north", "west"]

    def test_what_is_computed_does_not_see_the_order(self, bank: Unit) -> None:
        east, *_others = self.family(bank)
        before = list(tree_on(TODAY).below(bank.pk))

        shift_unit(unit=east, by_places=2, on=TODAY, by=SYSTEM, now=NOW)

        assert list(tree_on(TODAY).below(bank.pk)) == before

    def test_the_first_does_not_go_up_and_the_root_has_nobody_beside_it(self, bank: Unit) -> None:
        east, *_others = self.family(bank)

        for unit, places in ((east, -1), (east, 3), (bank, 1)):
            with pytest.raises(Conflict):
                shift_unit(unit=unit, by_places=places, on=TODAY, by=SYSTEM, now=NOW)

        assert self.order(east) == ["east", "north", "west"]
        assert not AuditEntry.objects.filter(action="unit.shifted").exists()

    def test_only_who_changes_the_organisation_may(self, bank: Unit) -> None:
        east, *_others = self.family(bank)
        analyst = make_principal({Permission.VIEW_ORGANISATION: EVERYWHERE})

        with pytest.raises(NotPermitted):
            shift_unit(unit=east, by_places=1, on=TODAY, by=analyst, now=NOW)

        assert self.order(east) == ["east", "north", "west"]

    def test_the_page_shows_the_tree_and_moves_a_unit(self, bank: Unit, client: Client) -> None:
        east, *_others = self.family(bank)
        user = make_user("ada")
        give_role(user, Role.ADMINISTRATOR)
        client.force_login(user)

        answer = client.post(f"/units/{east.code}/down/")

        assert answer.status_code == 302
        assert self.order(east) == ["north", "east", "west"]
        text = client.get("/units/").content.decode()
        assert text.index("North") < text.index("East") < text.index("West")
        assert client.post("/units/east/sideways/").status_code == 404

    def test_a_manager_sees_the_own_units_and_moves_none(self, bank: Unit, client: Client) -> None:
        east, *_others = self.family(bank)
        user = make_user("mei")
        give_role(user, Role.MANAGER, east)
        client.force_login(user)

        text = client.get("/units/").content.decode()

        assert "East" in text
        assert "West" not in text
        assert "/units/east/down/" not in text
        assert client.post("/units/east/down/").status_code == 403
        assert self.order(east) == ["east", "north", "west"]
