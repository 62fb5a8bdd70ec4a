"""The shifts of a day: the organisation's own, changed by an administrator on a page."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.identity.permissions import Role
from sqcore.org.models import Organisation
from sqcore.org.queries import organisation
from sqcore.org.shifts import shift_of, starts_of, unusual_starts, usual_shifts, validate_shifts
from sqcore.tests.factories import give_role, make_user

pytestmark = pytest.mark.django_db

USUAL = {"morning": 6, "midday": 11, "afternoon": 14, "evening": 17, "night": 22}


def shift(code: str, begins: object, name: str = "") -> dict[str, Any]:
    return {"code": code, "begins": begins, "name": {"en": name or code}}


TWO = [shift("early", 5), shift("late", 15)]


def person(username: str, role: Role) -> Client:
    user = make_user(username)
    give_role(user, role)
    client = Client()
    client.force_login(user)
    return client


def lines(*rows: tuple[str, object, str]) -> dict[str, object]:
    """Return what a browser sends of these lines: code, hour, English name."""
    return {
        key: value
        for at, (code, begins, name) in enumerate(rows)
        for key, value in (
            (f"code_{at}", code),
            (f"begins_{at}", begins),
            (f"name_{at}_en", name),
        )
    }


class TestShifts:
    def test_are_the_usual_ones_until_others_are_chosen(self) -> None:
        assert starts_of(organisation().shifts) == USUAL
        assert unusual_starts(organisation().shifts) is None
        validate_shifts(usual_shifts())

    def test_cover_every_hour_of_the_day_once(self) -> None:
        hours = [shift_of(hour, USUAL) for hour in range(24)]

        assert hours == [
            *["night"] * 6,
            *["morning"] * 5,
            *["midday"] * 3,
            *["afternoon"] * 3,
            *["evening"] * 5,
            *["night"] * 2,
        ]
        assert {shift_of(hour, starts_of(TWO)) for hour in (15, 23, 0, 4)} == {"late"}

    @pytest.mark.parametrize(
        ("shifts", "reason"),
        [
            (None, "Give two shifts at least"),
            (TWO[:1], "Give two shifts at least"),
            ([shift(f"s{hour}", hour) for hour in range(9)], "Give two shifts at least"),
            ([*TWO, shift("extra", 15)], "begin in the same hour"),
            ([*TWO, shift("extra", 20, "late")], "the same name"),
            ([*TWO, shift("late", 20, "extra")], "the same name"),
            ([*TWO, shift("extra", 24)], "a whole hour from 0 to 23"),
            ([*TWO, shift("extra", -1)], "a whole hour from 0 to 23"),
            ([*TWO, shift("extra", 7.5)], "a whole hour from 0 to 23"),
            ([*TWO, shift("extra", True)], "a whole hour from 0 to 23"),
            ([*TWO, shift("No code", 20)], "The code of a shift"),
            ([*TWO, {"code": "x", "begins": 3}], "A shift has a code"),
            ([*TWO, {"code": "x", "begins": 3, "name": {}}], "at least one language"),
        ],
    )
    def test_what_are_none_is_refused(self, shifts: object, reason: str) -> None:
        with pytest.raises(ValidationError, match=reason):
            validate_shifts(shifts)


class TestPage:
    def test_shows_the_shifts_with_empty_lines(self) -> None:
        answer = person("ada", Role.ADMINISTRATOR).get("/shifts/")

        page = answer.content.decode()
        assert answer.status_code == 200
        assert page.count('type="number"') == 8
        assert 'value="22"' in page
        assert 'value="晚间"' in page

    def test_changes_hours_keeps_codes_and_gives_new_lines_one(self) -> None:
        ada = person("ada", Role.ADMINISTRATOR)
        rows = (("night", 21, "Night"), ("morning", 7, "Morning"), ("", 14, "Late"), ("", "", ""))

        answer = ada.post("/shifts/", lines(*rows))

        assert answer.status_code == 302
        assert Organisation.objects.get().shifts == [
            shift("morning", 7, "Morning"),
            shift("shift-1", 14, "Late"),
            shift("night", 21, "Night"),
        ]
        entry = AuditEntry.objects.get(action="organisation.shifts")
        assert entry.details == {"begins": {"morning": 7, "shift-1": 14, "night": 21}}

    @pytest.mark.parametrize(
        ("rows", "reason"),
        [
            ([("", 6, "Early")], "Give two shifts at least"),
            ([("", 6, "Early"), ("", 6, "Late")], "begin in the same hour"),
            ([("", 6, "Early"), ("", "", "Late")], "its hour and its name"),
            ([("", 6, "Early"), ("", 14, "")], "its hour and its name"),
            ([("", 6, "Early"), ("", 14.5, "Late")], "Enter a whole number"),
            ([("", 6, "Early"), ("", 24, "Late")], "less than or equal to 23"),
        ],
    )
    def test_what_are_no_shifts_is_said_and_nothing_changes(
        self, rows: list[tuple[str, object, str]], reason: str
    ) -> None:
        answer = person("ada", Role.ADMINISTRATOR).post("/shifts/", lines(*rows))

        assert answer.status_code == 422
        assert reason in answer.content.decode()
        assert starts_of(organisation().shifts) == USUAL

    @pytest.mark.parametrize("role", [Role.ANALYST, Role.HR])
    def test_is_the_administrators(self, role: Role) -> None:
        client = person("somebody", role)

        assert client.get("/shifts/").status_code == 403
        assert client.post("/shifts/", lines(("", 6, "A"), ("", 9, "B"))).status_code == 403
        assert starts_of(organisation().shifts) == USUAL
