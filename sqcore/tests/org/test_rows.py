"""Files of staff, assignments and leave: what they change, what they are refused for."""

import csv
import io
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from sqcore.base.errors import Conflict, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.files.kinds import ROW_KINDS
from sqcore.files.models import FileImport
from sqcore.files.services import check, keep_file, look_at, take
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal, Scope
from sqcore.jobs.runner import run_inline
from sqcore.org.models import Assignment, Leave, Staff, Terms
from sqcore.org.queries import principal_for
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

STAFF = """number,name,joined,left,unit,post,since,sex,born_in,weekly minutes
007,Bond,2020-01-01,,north,teller,,female,1990,2400
008,Mei Lin,2024-05-01,,North,Teller,2025-01-01,,,
009,Chen,2019-01-01,2025-12-31,,,,,,
"""
PLACES = """number,unit,post,from,until
007,north,teller,2020-01-01,2024-01-01
007,south,teller,2024-01-01,
008,north,teller,2022-03-01,
"""


@pytest.fixture(autouse=True)
def _ground(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    for code in ("north", "south"):
        make_unit(code)
    make_post("teller")
    make_post("manager")


@pytest.fixture
def hua() -> Principal:
    user = make_user("hua")
    give_role(user, Role.HR)
    return principal_for(user, on=TODAY)


def checked(by: Principal, kind: str, content: str) -> FileImport:
    found = ROW_KINDS[kind]
    kept = keep_file(kind=found, file_name=f"{kind}.csv", chunks=[content.encode()], by=by, now=NOW)
    mapping = look_at(kept, by=by).mapping.as_json()
    return check(imported=kept, mapping=mapping, by=by, now=NOW)


def taken(by: Principal, kind: str, content: str, **how: Any) -> dict[str, int]:
    imported = checked(by, kind, content)
    run_inline(take(imported=imported, by=by, now=NOW, tell_worker=False, **how), now=NOW)
    imported.refresh_from_db()
    counts: dict[str, int] = imported.report["counts"]
    return {name: counts[name] for name in ("new", "changed", "unchanged")}


def faults(by: Principal, kind: str, content: str) -> list[list[Any]]:
    found: list[list[Any]] = checked(by, kind, content).report["faults"]
    return found


def places(number: str) -> list[tuple[str, str, str, str]]:
    rows = Assignment.objects.filter(staff__number=number).order_by("valid_from")
    return [
        (row.unit.code, row.post.code, str(row.valid_from), str(row.valid_to or ""))
        for row in rows.select_related("unit", "post")
    ]


class TestStaff:
    def test_columns_are_guessed_and_people_come_in(self, hua: Principal) -> None:
        assert taken(hua, "staff", STAFF) == {"new": 3, "changed": 0, "unchanged": 0}

        bond = Staff.objects.get(number="007")
        assert (bond.name, bond.joined_on) == ("Bond", date(2020, 1, 1))
        terms = Terms.objects.get()
        assert (terms.staff, terms.sex, terms.born_in, terms.weekly_minutes) == (
            bond, "f", 1990, 2400,
        )  # fmt: skip
        assert places("007") == [("north", "teller", "2020-01-01", "")]
        assert places("008") == [("north", "teller", "2025-01-01", "")]
        assert Staff.objects.get(number="009").left_on == date(2025, 12, 31)
        told = OutboxEvent.objects.get(kind="org.people.moved").payload["staff_ids"]
        assert len(told) == 3

    def test_the_same_file_again_changes_nothing(self, hua: Principal) -> None:
        taken(hua, "staff", STAFF)
        before = [list(kind.objects.order_by("pk").values()) for kind in (Staff, Assignment, Terms)]

        assert taken(hua, "staff", STAFF) == {"new": 0, "changed": 0, "unchanged": 3}

        after = [list(kind.objects.order_by("pk").values()) for kind in (Staff, Assignment, Terms)]
        assert after == before
        assert OutboxEvent.objects.filter(kind="org.people.moved").count() == 1

    def test_who_moves_ends_what_they_did(self, hua: Principal) -> None:
        taken(hua, "staff", STAFF)

        counts = taken(hua, "staff", "number,unit,post,since\n007,south,manager,2026-02-01\n")

        assert counts == {"new": 0, "changed": 1, "unchanged": 0}
        assert places("007") == [
            ("north", "teller", "2020-01-01", "2026-02-01"),
            ("south", "manager", "2026-02-01", ""),
        ]

    def test_who_leaves_ends_where_they_work(self, hua: Principal) -> None:
        taken(hua, "staff", STAFF)

        taken(hua, "staff", "number,left\n007,2026-02-28\n")

        assert places("007") == [("north", "teller", "2020-01-01", "2026-02-28")]

    def test_an_empty_cell_changes_nothing(self, hua: Principal) -> None:
        taken(hua, "staff", STAFF)

        taken(hua, "staff", "number,name,left\n009,,\n")

        staff = Staff.objects.get(number="009")
        assert (staff.name, staff.left_on) == ("Chen", date(2025, 12, 31))

    def test_what_an_export_made_harmless_is_meant(self, hua: Principal) -> None:
        taken(hua, "staff", "number,name,joined\n7,'=Bond,2020-01-01\n")

        assert Staff.objects.get().name == "=Bond"

    @pytest.mark.parametrize(
        ("row", "column", "reason"),
        [
            ("1,,2020-01-01,,,,", "name", "is needed of somebody new"),
            ("1,A,,,,,", "joined", "is needed of somebody new"),
            ("1,A,1020-01-01,,,,", "joined", "cannot be meant"),
            ("1,A,2029-01-01,,,,", "joined", "cannot be meant"),
            ("1,A,2020-02-30,,,,", "joined", "“2020-02-30” is no day written 2026-05-17"),
            ("1,A,2020-01-01,2019-01-01,,,", "left", "is not after the day of joining"),
            ("1,A,2020-01-01,,moon,teller,", "unit", "“moon” is not known"),
            ("1,A,2020-01-01,,north,pilot,", "post", "“pilot” is not known"),
            ("1,A,2020-01-01,,north,,", "post",
             "is missing: a place of work has a unit and a post"),
            ("1,A,2020-01-01,,north,teller,2019-01-01", "unit", "is closed on that day"),
            ("1,A,2021-01-01,,north,teller,2020-06-01", "since",
             "is before joining or after leaving"),
            ("li,Li,,,south,teller,", "since", "is needed of who moves to another place"),
            ("li,Li,,,south,teller,2020-01-01", "since", "an assignment begins that day or later"),
        ],
    )  # fmt: skip
    def test_a_row_is_refused_with_its_reason(
        self, hua: Principal, row: str, column: str, reason: str
    ) -> None:
        li = make_staff("li")
        taken(hua, "assignments", "number,unit,post,from\nli,north,teller,2020-01-01\n")

        found = faults(hua, "staff", f"number,name,joined,left,unit,post,since\n{row}\n")

        assert found == [[2, column, reason]]
        assert list(Staff.objects.all()) == [li]

    def test_a_number_twice_in_a_file_is_refused_the_second_time(self, hua: Principal) -> None:
        content = STAFF + "008,Else,2024-05-01,,,,,,,\n"

        assert faults(hua, "staff", content) == [
            [5, "number", "an earlier row of the file says the same thing"]
        ]
        with pytest.raises(Conflict):
            taken(hua, "staff", content)
        assert not Staff.objects.exists()
        assert taken(hua, "staff", content, leaves_out=True)["new"] == 3

    def test_terms_that_cannot_be_are_refused(self, hua: Principal) -> None:
        content = "number,name,joined,sex,born_in,weekly minutes\n1,A,2020-01-01,q,2025,99999\n"

        assert [fault[1] for fault in faults(hua, "staff", content)] == [
            "sex", "born_in", "weekly minutes",
        ]  # fmt: skip

    def test_only_who_keeps_people_everywhere(self, hua: Principal) -> None:
        local = make_principal(
            {Permission.MANAGE_PEOPLE: Scope(units=frozenset({1}))}, user=hua.user
        )
        with pytest.raises(NotPermitted):
            checked(local, "staff", STAFF)
        manager = make_principal({Permission.VIEW_PEOPLE: Scope(everywhere=True)}, user=hua.user)
        with pytest.raises(NotPermitted):
            checked(manager, "staff", STAFF)

        assert not Staff.objects.exists()


class TestAssignments:
    @pytest.fixture(autouse=True)
    def _people(self) -> None:
        for number in ("007", "008"):
            make_staff(number)

    def test_they_come_in_and_end_and_again_change_nothing(self, hua: Principal) -> None:
        assert taken(hua, "assignments", PLACES)["new"] == 3
        assert taken(hua, "assignments", PLACES) == {"new": 0, "changed": 0, "unchanged": 3}

        ends = PLACES.replace("2022-03-01,", "2022-03-01,2026-01-31")
        assert taken(hua, "assignments", ends) == {"new": 0, "changed": 1, "unchanged": 2}

        assert places("008") == [("north", "teller", "2022-03-01", "2026-01-31")]
        assert places("007") == [
            ("north", "teller", "2020-01-01", "2024-01-01"),
            ("south", "teller", "2024-01-01", ""),
        ]

    @pytest.mark.parametrize(
        ("row", "column", "reason"),
        [
            ("x,north,teller,2024-01-01,", "number", "nobody has this staff number"),
            ("007,moon,teller,2024-01-01,", "unit", "“moon” is not known"),
            ("007,north,pilot,2024-01-01,", "post", "“pilot” is not known"),
            ("007,north,teller,,", "from", "is missing"),
            ("007,north,teller,2024-01-01,2024-01-01", "until", "is not after the first day"),
            ("007,north,teller,2039-01-01,", "from", "cannot be meant"),
            ("008,north,teller,2023-01-01,", "from", "works there already, from 2022-03-01 on"),
            ("007,south,teller,2024-01-01,", "number",
             "an earlier row of the file says the same thing"),
        ],
    )  # fmt: skip
    def test_a_row_is_refused_with_its_reason(
        self, hua: Principal, row: str, column: str, reason: str
    ) -> None:
        assert faults(hua, "assignments", f"{PLACES}{row}\n") == [[5, column, reason]]

        assert not Assignment.objects.exists()

    def test_a_check_of_many_pieces_finds_what_overlaps(
        self, hua: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sqcore.files.services.AT_ONCE", 1)

        found = faults(hua, "assignments", f"{PLACES}008,north,teller,2023-01-01,\n")

        assert [fault[0] for fault in found] == [5]

    def test_nobody_works_after_leaving(self, hua: Principal) -> None:
        Staff.objects.filter(number="008").update(left_on=date(2025, 1, 1))

        taken(hua, "assignments", PLACES)

        assert places("008")[0][3] == "2025-01-01"


class TestLeave:
    CONTENT = "number,from,until\nli,2026-01-01,2026-04-01\n"

    def test_it_comes_in_is_changed_and_again_changes_nothing(self, hua: Principal) -> None:
        make_staff("li")

        assert taken(hua, "leave", self.CONTENT)["new"] == 1
        assert taken(hua, "leave", self.CONTENT)["unchanged"] == 1
        assert taken(hua, "leave", self.CONTENT.replace("04-01", "05-01"))["changed"] == 1

        assert Leave.objects.get().valid_to == date(2026, 5, 1)

    def test_what_cannot_be_is_refused(self, hua: Principal) -> None:
        make_staff("li")
        rows = "li,2026-04-01,2026-01-01\nx,2026-01-01,2026-01-02\nli,2026-01-01,\n"

        found = faults(hua, "leave", f"number,from,until\n{rows}")

        assert found == [
            [2, "until", "is not after the first day"],
            [3, "number", "nobody has this staff number"],
            [4, "until", "is missing"],
        ]


@pytest.mark.slow
def test_ten_thousand_people_come_in_within_seconds(hua: Principal) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["number", "name", "joined", "unit", "post"])
    for number in range(10_000):
        writer.writerow([f"{number:06}", f"Person {number}", date(2020, 1, 1) + timedelta(days=1),
                         "north", "teller"])  # fmt: skip

    assert taken(hua, "staff", text.getvalue())["new"] == 10_000
    assert taken(hua, "staff", text.getvalue())["unchanged"] == 10_000


def test_a_report_is_kept_in_the_language_of_who_started_the_job() -> None:
    user = make_user("hua", language="zh-hans")
    give_role(user, Role.HR)
    hua = principal_for(user, on=TODAY)
    make_staff("007")
    imported = checked(
        hua, "leave", "number,from,until\n007,2026-01-05,2026-01-09\n999,2026-01-05,2026-01-09\n"
    )

    job = take(imported=imported, by=hua, now=NOW, tell_worker=False, leaves_out=True)
    run_inline(job, now=NOW)

    imported.refresh_from_db()
    assert imported.report["faults"] == [[3, "number", "没有使用此工号的员工"]]
    assert Leave.objects.count() == 1
