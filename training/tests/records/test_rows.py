"""Files of past training and of certificates, and what leaves and comes back."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine

from sqcore.files.kinds import ROW_KINDS
from sqcore.files.models import FileImport
from sqcore.files.services import check, keep_file, look_at, take
from sqcore.files.writing import WRITERS
from sqcore.identity.principals import Principal
from sqcore.jobs.runner import run_inline
from sqcore.org.models import Assignment, Staff
from sqcore.tests.factories import NOW, TODAY
from training.certificates.models import Certificate
from training.courses.models import Course, CourseVersion, Session
from training.enrolments.models import Attempt, Enrolment
from training.records.queries import EXPORTS
from training.requirements.models import Obligation
from training.requirements.services import recompute_all
from training.tests.factories import Bank, make_bank
from training.tests.requirements.making import course, hold, passed, rule, version

pytestmark = pytest.mark.django_db

RECORDS = """number,course,day,minutes,score
li,Talk,2025-05-01,90,85
mei,talk,2025-05-01,90,40
chen,talk,2025-06-02,60,
"""
CERTIFICATES = """number,certificate,external key,course,issued,expires
li,F-1,hr:1,fire-safety,2025-06-01,2026-06-01
mei,F-2,,Fire safety,2025-07-01,
chen,,hr:3,fire-safety,2020-07-01,2021-07-01
"""


@pytest.fixture(autouse=True)
def _at_noon(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.MEDIA_ROOT = tmp_path
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    """Fire safety gives a certificate for a year; of the talk course 60 per cent are a pass."""
    made = make_bank()
    rule(course())
    rule(course("talk", certifies=False, pass_mark=60))
    recompute_all(now=NOW)
    return made


def checked(by: Principal, kind: str, content: bytes | str) -> FileImport:
    data = content.encode() if isinstance(content, str) else content
    kept = keep_file(kind=ROW_KINDS[kind], file_name="file", chunks=[data], by=by, now=NOW)
    mapping = look_at(kept, by=by).mapping.as_json()
    return check(imported=kept, mapping=mapping, by=by, now=NOW)


def taken(by: Principal, kind: str, content: bytes | str, **how: Any) -> tuple[int, int, int]:
    imported = checked(by, kind, content)
    assert imported.report["faults"] == []
    run_inline(take(imported=imported, by=by, now=NOW, tell_worker=False, **how), now=NOW)
    imported.refresh_from_db()
    counts = imported.report["counts"]
    return counts["new"], counts["changed"], counts["unchanged"]


def faults(by: Principal, kind: str, content: str) -> list[list[Any]]:
    found: list[list[Any]] = checked(by, kind, content).report["faults"]
    return found


def states(code: str) -> dict[str, str]:
    rows = Obligation.objects.filter(course__code=code).select_related("staff")
    return {row.staff.number: row.state for row in rows}


class TestPastTraining:
    def test_it_becomes_results_and_meets_what_is_owed(self, bank: Bank) -> None:
        assert taken(bank.as_(bank.hua), "training-records", RECORDS) == (3, 0, 0)

        rows = Enrolment.objects.order_by("staff__number").select_related("session")
        assert [(r.staff.number, r.state, r.minutes, r.session.code, r.origin) for r in rows] == [
            ("chen", "passed", 60, "file-talk-2025-06-02", "import"),
            ("li", "passed", 90, "file-talk-2025-05-01", "import"),
            ("mei", "failed", 90, "file-talk-2025-05-01", "import"),
        ]
        assert [r.unit_id for r in rows] == [bank.south.pk, bank.north.pk, bank.north.pk]
        assert list(Session.objects.order_by("code").values_list("state", "capacity")) == [
            ("held", 2), ("held", 1),
        ]  # fmt: skip
        assert Attempt.objects.get(enrolment__staff=bank.li).score == Decimal(85)
        assert states("talk") == {"li": "met", "mei": "open", "chen": "met"}

    def test_the_same_file_again_changes_nothing(self, bank: Bank) -> None:
        hua = bank.as_(bank.hua)
        taken(hua, "training-records", RECORDS)
        kinds = (Enrolment, Session, Attempt)
        before = [list(kind.objects.order_by("pk").values()) for kind in kinds]

        assert taken(hua, "training-records", RECORDS) == (0, 0, 3)

        assert [list(kind.objects.order_by("pk").values()) for kind in kinds] == before

    def test_a_corrected_score_takes_the_place_of_the_former(self, bank: Bank) -> None:
        hua = bank.as_(bank.hua)
        taken(hua, "training-records", RECORDS)

        corrected = RECORDS.replace("mei,talk,2025-05-01,90,40", "mei,talk,2025-05-01,95,70")
        assert taken(hua, "training-records", corrected) == (0, 1, 2)

        assert Attempt.objects.get(enrolment__staff=bank.mei).score == Decimal(70)
        assert states("talk")["mei"] == "met"

    def test_what_happened_here_is_not_changed_by_a_file(self, bank: Bank) -> None:
        talk = Obligation.objects.filter(course__code="talk")[0].course
        passed(bank.li, talk.versions.get(), date(2025, 5, 1), minutes=55)
        hua = bank.as_(bank.hua)

        assert taken(hua, "training-records", RECORDS) == (2, 0, 1)
        assert Enrolment.objects.get(staff=bank.li).minutes == 55
        assert faults(hua, "training-records", RECORDS.replace("90,85", "90,10")) == [
            [2, "passed", "a session here has another result; correct it there"]
        ]

    @pytest.mark.parametrize(
        ("row", "column", "reason"),
        [
            ("x,talk,2025-05-01,1,1", "number", "nobody has this staff number"),
            ("li,moon,2025-05-01,1,1", "course", "“moon” is no course with a version in use"),
            ("li,talk,2026-03-03,1,1", "day", "cannot be meant: it is to come, or too long ago"),
            ("li,talk,1925-05-01,1,1", "day", "cannot be meant: it is to come, or too long ago"),
            ("li,talk,,1,1", "day", "is missing"),
            ("li,talk,2025-05-03,-5,1", "minutes", "must be a whole number from 0 to 100000"),
            ("li,talk,2025-05-03,5,101", "score", "must be from 0 to 100 per cent"),
            ("li,talk,2025-05-01,90,85", "number",
             "an earlier row of the file says the same thing"),
        ],
    )  # fmt: skip
    def test_a_row_is_refused_with_its_reason(
        self, bank: Bank, row: str, column: str, reason: str
    ) -> None:
        found = faults(bank.as_(bank.hua), "training-records", f"{RECORDS}{row}\n")

        assert found == [[5, column, reason]]
        assert not Enrolment.objects.exists()


class TestCertificates:
    def test_they_come_in_with_their_days_and_meet_what_is_owed(self, bank: Bank) -> None:
        assert taken(bank.as_(bank.hua), "certificates", CERTIFICATES) == (3, 0, 0)

        rows = Certificate.objects.order_by("number")
        assert [(r.number, r.external_key, str(r.due_on), str(r.expires_on)) for r in rows] == [
            ("F-1", "hr:1", "2026-04-02", "2026-06-01"),
            ("F-2", None, "2026-05-02", "2026-07-01"),
            ("hr:3", "hr:3", "2021-05-02", "2021-07-01"),
        ]
        assert states("fire-safety") == {"li": "met", "mei": "met", "chen": "open"}

    def test_the_same_file_again_changes_nothing_and_new_days_are_taken(self, bank: Bank) -> None:
        hua = bank.as_(bank.hua)
        taken(hua, "certificates", CERTIFICATES)
        before = list(Certificate.objects.order_by("pk").values())

        assert taken(hua, "certificates", CERTIFICATES) == (0, 0, 3)
        assert list(Certificate.objects.order_by("pk").values()) == before

        longer = CERTIFICATES.replace("2021-07-01", "2026-07-01")
        assert taken(hua, "certificates", longer) == (0, 1, 2)
        assert states("fire-safety")["chen"] == "met"

    @pytest.mark.parametrize(
        ("row", "column", "reason"),
        [
            ("x,F-9,,fire-safety,2025-06-01,", "number", "nobody has this staff number"),
            ("li,,,fire-safety,2025-06-01,", "certificate",
             "is missing: give its number, or your key"),
            ("li,F-9,,moon,2025-06-01,", "course", "“moon” is no course with a version in use"),
            ("li,F-9,,fire-safety,2027-06-01,", "issued",
             "cannot be meant: it is to come, or too long ago"),
            ("li,F-9,,fire-safety,2025-06-01,2025-06-01", "expires",
             "is not after the day of issue, or too far from it"),
            ("li,F-2,,fire-safety,2025-06-01,", "certificate",
             "an earlier row of the file says the same thing"),
            ("li,F-9,hr:1,fire-safety,2025-06-01,", "external key",
             "an earlier row of the file says the same thing"),
            ("li,H-1,,fire-safety,2025-06-01,", "certificate",
             "belongs to another person or course, or to another key"),
            ("mei,H-2,,fire-safety,2025-06-01,", "certificate",
             "was issued here, or revoked; a file does not change it"),
        ],
    )  # fmt: skip
    def test_a_row_is_refused_with_its_reason(
        self, bank: Bank, row: str, column: str, reason: str
    ) -> None:
        fire = Obligation.objects.filter(course__code="fire-safety")[0].course
        for number, revoked_at in (("H-1", None), ("H-2", NOW)):
            there = hold(bank.mei, fire, date(2025, 1, 1))
            Certificate.objects.filter(pk=there.pk).update(number=number, revoked_at=revoked_at)

        found = faults(bank.as_(bank.hua), "certificates", f"{CERTIFICATES}{row}\n")

        assert found == [[5, column, reason]]
        assert Certificate.objects.count() == 2


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("key", ["staff", "assignments", "training-records", "certificates"])
def test_what_leaves_comes_in_again_and_changes_nothing(bank: Bank, form: str, key: str) -> None:
    hua = bank.as_(bank.hua)
    Staff.objects.filter(pk=bank.mei.pk).update(name="=Mei", left_on=None)
    taken(hua, "training-records", RECORDS)
    taken(hua, "certificates", CERTIFICATES)
    kinds = (Staff, Assignment, Enrolment, Attempt, Certificate)
    before = [list(kind.objects.order_by("pk").values()) for kind in kinds]
    export = EXPORTS[key]

    content = b"".join(WRITERS[form](export.columns, export.rows(hua, TODAY)))
    new, changed, unchanged = taken(hua, key, content)

    assert (new, changed) == (0, 0)
    assert unchanged == {"staff": 4}.get(key, 3)
    assert [list(kind.objects.order_by("pk").values()) for kind in kinds] == before


def test_only_those_leave_whom_one_sees(bank: Bank) -> None:
    taken(bank.as_(bank.hua), "training-records", RECORDS)
    mei = bank.as_(bank.mei)

    found = {key: {row[0] for row in each.rows(mei, TODAY)} for key, each in EXPORTS.items()}

    assert found["staff"] == found["assignments"] == {"li", "mei"}
    assert found["training-records"] == {"li", "mei"}


def test_a_file_revives_nothing_that_a_version_replaced_however_many_came_since(bank: Bank) -> None:
    hr, fire = bank.as_(bank.hua), Course.objects.get(code="fire-safety")
    CourseVersion.objects.filter(course=fire).update(published_at=NOW - timedelta(days=300))
    version(fire, replaces_older=True, published_at=NOW - timedelta(days=30))
    version(fire, valid_months=24)
    file = "number,certificate,course,issued,expires\nli,F-1,fire-safety,2025-12-01,2027-12-01\n"

    first, again = taken(hr, "certificates", file), taken(hr, "certificates", file)

    assert (first, again) == ((1, 0, 0), (0, 0, 1))
    assert Certificate.objects.get().expires_on == TODAY - timedelta(days=30)


def test_courses_whose_long_codes_begin_alike_have_sessions_apart(bank: Bank) -> None:
    codes = [f"{'very-long-code-of-a-course-that-goes-on'}-{end}" for end in ("a", "b")]
    for code in codes:
        course(code, certifies=False)
    rows = "".join(f"li,{code},2025-05-01\n" for code in codes)

    assert taken(bank.as_(bank.hua), "training-records", f"number,course,day\n{rows}") == (2, 0, 0)
    found = Enrolment.objects.order_by("id").values_list(
        "session__version__course__code", flat=True
    )
    assert list(found) == codes


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("training-records", "number,course,day\nhua,talk,2025-05-01\n"),
        ("certificates", "number,certificate,course,issued\nhua,F-9,fire-safety,2025-05-01\n"),
    ],
)
def test_nobody_takes_in_a_row_about_themselves(bank: Bank, kind: str, content: str) -> None:
    found = faults(bank.as_(bank.hua), kind, content)

    assert [fault[-1] for fault in found] == ["is you: another person takes this row in"]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("number", ["=1", "+2", "-3", "@4"])
def test_a_staff_number_that_looks_like_a_formula_comes_back_as_it_left(
    bank: Bank, form: str, number: str
) -> None:
    Staff.objects.filter(pk=bank.li.pk).update(number=number)
    by, found = bank.as_(bank.hua), EXPORTS["staff"]
    content = b"".join(WRITERS[form](found.columns, found.rows(by, TODAY)))

    assert taken(by, "staff", content) == (0, 0, Staff.objects.count())
    assert Staff.objects.get(pk=bank.li.pk).number == number
    assert not Staff.objects.filter(number__startswith="'").exists()
