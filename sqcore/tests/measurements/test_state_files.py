"""States of machines out of files."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from sqcore.base.errors import Conflict, InvalidInput
from sqcore.files.kinds import ROW_KINDS
from sqcore.files.models import FileImport
from sqcore.files.services import check, keep_file, look_at, take
from sqcore.identity.permissions import Role
from sqcore.jobs.runner import run_inline
from sqcore.measurements.models import EquipmentState
from sqcore.tests.factories import NOW, give_role, make_unit, make_user
from sqcore.tests.files.making import workbook
from sqcore.tests.measurements.making import SYSTEM, machine

pytestmark = pytest.mark.django_db

CSV = """Device,Status,Time
ATM-1,online,2026-02-25 08:00
atm-1,Out of order,2026-02-25T09:30:00+08:00
atm-1,正常,2026-02-25 10:00
"""
FIELDS = {"equipment": "Device", "state": "Status", "at": "Time"}


@pytest.fixture(autouse=True)
def _ground(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    machine("atm-1", make_unit("north"))


def kept(content: str | bytes) -> FileImport:
    data = content.encode() if isinstance(content, str) else content
    kind = ROW_KINDS["equipment-states"]
    return keep_file(kind=kind, file_name="states.csv", chunks=[data], by=SYSTEM, now=NOW)


def checked(content: str | bytes, **over: Any) -> FileImport:
    mapping = {"fields": FIELDS | {"state": {"column": "Status", "values": {"正常": "up"}}}} | over
    return check(imported=kept(content), mapping=mapping, by=SYSTEM, now=NOW)


def run(imported: FileImport) -> dict[str, int]:
    run_inline(take(imported=imported, by=SYSTEM, now=NOW, tell_worker=False), now=NOW)
    imported.refresh_from_db()
    counts: dict[str, int] = imported.report["counts"]
    return counts


def stored() -> list[tuple[str, str]]:
    rows = EquipmentState.objects.order_by("at").values_list("state", "at")
    return [(state, f"{at:%H:%M}") for state, at in rows]


def test_columns_are_guessed_by_their_names() -> None:
    look = look_at(kept(CSV), by=SYSTEM)

    assert {name: found.column for name, found in look.mapping.fields.items()} == FIELDS


def test_states_come_in_and_times_without_a_zone_are_the_organisations() -> None:
    counts = run(checked(CSV))

    assert (counts["new"], counts["unchanged"]) == (3, 0)
    assert stored() == [("up", "00:00"), ("down", "01:30"), ("up", "02:00")]


def test_the_same_file_again_changes_nothing() -> None:
    run(checked(CSV))

    counts = run(checked(CSV))

    assert (counts["new"], counts["unchanged"]) == (0, 3)
    assert EquipmentState.objects.count() == 3


def test_a_workbook_says_the_same() -> None:
    book = workbook([["Device", "Status", "Time"], ["atm-1", "down", "2026-02-25 08:00:00"]])

    run(checked(book))

    assert stored() == [("down", "00:00")]


def test_wrong_rows_are_named_and_nothing_is_stored() -> None:
    wrong = CSV + (
        "atm-9,up,2026-02-25 11:00\n"
        "atm-1,asleep,2026-02-25 11:00\n"
        "atm-1,up,31/12/2025\n"
        "atm-1,up,2031-01-01 00:00\n"
        "atm-1,up,1901-01-01 00:00\n"
        "atm-1,up,2026-02-25 08:00\n"
        ",up,2026-02-25 12:00\n"
    )

    imported = checked(wrong)

    assert (imported.rows_read, imported.rows_left_out) == (10, 7)
    assert imported.report["faults"] == [
        [7, "Time", "“31/12/2025” is no moment written 2026-05-17T09:30:00"],
        [5, "Device", "“atm-9” is not known, or not yours"],
        [6, "Status", "must be one of up, degraded, down"],
        [8, "Time", "is in the future"],
        [9, "Time", "the machine was not installed then"],
        [10, "Time", "an earlier row is of the same machine and moment"],
        [11, "Device", "is missing"],
    ]
    with pytest.raises(Conflict):
        take(imported=imported, by=SYSTEM, now=NOW, tell_worker=False)
    assert not EquipmentState.objects.exists()


def test_what_a_machine_told_before_is_not_changed_by_a_file() -> None:
    run(checked(CSV))

    imported = checked(CSV.replace("Out of order", "up"))

    assert imported.report["faults"] == [[3, "Status", "it told “down” of this moment before"]]
    assert stored() == [("up", "00:00"), ("down", "01:30"), ("up", "02:00")]


def test_a_row_without_a_moment_is_named_beside_a_contradiction() -> None:
    run(checked(CSV))

    imported = checked(CSV.replace("Out of order", "up") + "atm-1,up,\natm-1,up,soon\n")

    assert imported.report["faults"] == [
        [6, "Time", "“soon” is no moment written 2026-05-17T09:30:00"],
        [5, "Time", "is missing"],
        [3, "Status", "it told “down” of this moment before"],
    ]
    assert EquipmentState.objects.count() == 3


def test_the_empty_file_has_the_columns_and_no_row(client: Client) -> None:
    user = make_user("ada")
    give_role(user, Role.ADMINISTRATOR)
    client.force_login(user)

    answer = client.get("/files/equipment-states/template.csv")

    assert answer["Content-Disposition"] == 'attachment; filename="equipment-states.csv"'
    assert answer.content.decode("utf-8-sig") == "equipment,state,at\r\n"
    look = look_at(kept(answer.content), by=SYSTEM)
    assert sorted(look.mapping.fields) == ["at", "equipment", "state"]
    mapping = {"fields": {name: name for name in FIELDS}}
    with pytest.raises(InvalidInput, match="no row below"):
        check(imported=kept(answer.content), mapping=mapping, by=SYSTEM, now=NOW)


def test_the_empty_file_is_for_who_may_take_files_in(client: Client) -> None:
    user = make_user("li")
    client.force_login(user)

    assert client.get("/files/equipment-states/template.csv").status_code == 403
