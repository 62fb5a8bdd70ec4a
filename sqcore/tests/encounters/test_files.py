"""Encounters out of files: one row an encounter, or one row an event."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from sqcore.base.errors import Conflict
from sqcore.encounters.models import Encounter, Stage
from sqcore.encounters.rows import Event, steps_of
from sqcore.encounters.services import define_stage
from sqcore.files.kinds import ROW_KINDS
from sqcore.files.models import FileImport
from sqcore.files.services import check, keep_file, look_at, take
from sqcore.identity.principals import system_principal
from sqcore.jobs.runner import run_inline
from sqcore.org.models import Assignment
from sqcore.tests.encounters.factories import MORNING, minutes
from sqcore.tests.factories import NOW, make_channel, make_post, make_staff, make_unit
from sqcore.tests.files.making import workbook

pytestmark = pytest.mark.django_db

SYSTEM = system_principal("test")
LOG = Path(__file__).with_name("data") / "hospital_billing.csv"
CSV = """Ticket,Branch,Channel,Arrived,Called,Finished,Teller,Solved
T-1,North,Counter,2026-02-27 09:00,2026-02-27 09:09,2026-02-27 09:15,1001,yes
T-2,north,counter,2026-02-27 09:05,2026-02-27 09:25,2026-02-27 09:30,,no
"""
FIELDS = {
    "key": "Ticket", "unit": "Branch", "channel": "Channel", "arrived_at": "Arrived",
    "started_at": "Called", "ended_at": "Finished", "staff": "Teller", "solved": "Solved",
    "stage": {"constant": "advice"},
}  # fmt: skip
EVENTS = {
    "case": "case_id", "activity": "activity", "at": "timestamp", "resource": "resource",
    "unit": {"constant": "north"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _ground(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    north = make_unit("north")
    make_channel("counter")
    Assignment.objects.create(
        staff=make_staff("1001"), unit=north, post=make_post(), valid_from=north.opened_on
    )
    define_stage(code="advice", name={"en": "Advice"}, phase="execution", by=SYSTEM, now=NOW)


def kept(content: bytes, *, kind: str = "encounters", name: str = "visits.csv") -> FileImport:
    return keep_file(kind=ROW_KINDS[kind], file_name=name, chunks=[content], by=SYSTEM, now=NOW)


def checked(content: str | bytes, *, kind: str = "encounters", **over: Any) -> FileImport:
    data = content.encode() if isinstance(content, str) else content
    fields = {"encounters": FIELDS, "events": EVENTS}[kind]
    if kind == "events" and b"lifecycle" in data:
        fields = fields | {"lifecycle": "lifecycle"}
    mapping = {"fields": fields} | over
    return check(imported=kept(data, kind=kind), mapping=mapping, by=SYSTEM, now=NOW)


def run(imported: FileImport) -> dict[str, int]:
    run_inline(take(imported=imported, by=SYSTEM, now=NOW, tell_worker=False), now=NOW)
    imported.refresh_from_db()
    counts: dict[str, int] = imported.report["counts"]
    return counts


class TestOneRowAnEncounter:
    def test_columns_are_guessed_by_their_names(self) -> None:
        look = look_at(kept(CSV.encode()), by=SYSTEM)

        found = {name: field.column for name, field in look.mapping.fields.items()}
        assert found == {name: column for name, column in FIELDS.items() if name != "stage"}

    def test_times_without_a_zone_are_those_of_the_organisation(self) -> None:
        assert run(checked(CSV))["new"] == 2

        first, second = Encounter.objects.order_by("key")
        assert (first.waiting_s, first.handling_s, first.solved) == (540, 360, True)
        assert first.staff is not None
        assert first.staff.number == "1001"
        assert first.arrived_at.isoformat() == "2026-02-27T01:00:00+00:00"
        assert (second.waiting_s, second.solved, second.staff) == (1200, False, None)

    def test_the_same_file_again_changes_nothing(self) -> None:
        run(checked(CSV))

        counts = run(checked(CSV))

        assert (counts["new"], counts["replaced"], counts["unchanged"]) == (0, 0, 2)

    def test_a_workbook_says_the_same(self) -> None:
        rows = [line.split(",") for line in CSV.splitlines()]

        assert run(checked(workbook(rows)))["new"] == 2

    def test_wrong_rows_are_named_by_line_and_column_and_refuse_the_file(self) -> None:
        wrong = (
            CSV
            + "T-3,nowhere,counter,2026-02-27 09:05,,,,\n"
            + "T-4,north,counter,2026-02-27 09:05,2026-02-27 09:04,,,\n"
            + "T-1,north,counter,2026-02-27 09:05,,,7,\n"
        )

        imported = checked(wrong)

        faults = [tuple(fault) for fault in imported.report["faults"]]
        assert faults == [
            (4, "Branch", "“nowhere” is not known, or not yours"),
            (5, "Called", "is before the arrival"),
            (6, "Ticket", "row 1 has the same key"),
            (6, "Teller", "nobody of this number works at the unit that day"),
        ]
        with pytest.raises(Conflict):
            take(imported=imported, by=SYSTEM, now=NOW, tell_worker=False)
        assert not Encounter.objects.exists()

    def test_wrong_rows_are_left_out_when_that_is_chosen(self) -> None:
        wrong = CSV + "T-3,nowhere,counter,2026-02-27 09:05,,,,\n"

        counts = run(checked(wrong, leave_out=True))

        assert (counts["new"], counts["left_out"]) == (2, 1)


class TestOneRowAnEvent:
    def test_rows_without_a_case_are_named_by_line_and_refuse_the_log(self) -> None:
        imported = checked(LOG.read_bytes(), kind="events")

        assert (imported.rows_read, imported.rows_left_out) == (2032, 1)
        assert imported.report["faults"] == [[17, "case_id", "is missing"]]
        with pytest.raises(Conflict):
            take(imported=imported, by=SYSTEM, now=NOW, tell_worker=False)

    def test_an_event_without_a_resource_is_done_by_nobody_known(self) -> None:
        log = (
            "case_id,activity,resource,timestamp\n"
            "V1,Advice,1001,2026-02-27 09:09\n"
            "V1,Booking,,2026-02-27 09:15\n"
            "V2,Advice,1001,2026-02-27 09:20\n"
            "V3,Booking,,2026-02-27 09:30\n"
        )

        run(checked(log, kind="events"))

        shares = {each.key: list(each.shares.values()) for each in Encounter.objects.all()}
        assert shares == {"V1": [], "V2": [10_000], "V3": []}
        assert [step[3] for step in Encounter.objects.get(key="V1").steps] == ["1001", ""]

    def test_a_log_need_not_have_resources_at_all(self) -> None:
        log = "case_id,activity,timestamp\nV1,Advice,2026-02-27 09:09\n"
        fields = {name: column for name, column in EVENTS.items() if name != "resource"}

        counts = run(checked(log, kind="events", fields=fields))

        assert (counts["new"], Encounter.objects.get().shares) == (1, {})

    def test_a_log_becomes_encounters_and_its_activities_stages(self) -> None:
        counts = run(checked(LOG.read_bytes(), kind="events", leave_out=True))

        assert counts["new"] == counts["encounters"] == Encounter.objects.count()
        assert Stage.objects.get(code="new").name == {"en": "NEW"}
        first = Encounter.objects.get(key="A")
        assert first.steps[0] == ["new", 0, None, "ResA"]
        assert first.steps[1][3] == ""
        assert (first.waiting_s, first.handling_s, first.shares) == (None, None, {})

    def test_the_same_log_again_changes_nothing(self) -> None:
        run(checked(LOG.read_bytes(), kind="events", leave_out=True))
        stages = Stage.objects.count()

        counts = run(checked(LOG.read_bytes(), kind="events", leave_out=True))

        assert (counts["new"], counts["replaced"], counts["new_stages"]) == (0, 0, 0)
        assert Stage.objects.count() == stages

    def test_a_start_and_a_completion_are_one_stage(self) -> None:
        log = (
            "case_id,activity,lifecycle,resource,timestamp\n"
            "V1,Advice,start,1001,2026-02-27 09:09\n"
            "V1,Advice,complete,1001,2026-02-27 09:15\n"
            "V1,取号,start,1001,2026-02-27 09:00\n"
            "V1,取号,complete,1001,2026-02-27 09:01\n"
        )

        run(checked(log, kind="events"))

        kept = Encounter.objects.get()
        assert [step[0] for step in kept.steps] == ["stage-fd6bf1f3", "advice"]
        assert (kept.waiting_s, kept.handling_s) == (8 * 60, 7 * 60)
        assert list(kept.shares.values()) == [10_000]

    def test_a_completion_alone_is_a_moment_with_an_open_end(self) -> None:
        events = [Event(MORNING + minutes(5), "Sign", "li", "complete")]

        (step,) = steps_of(events, {"Sign": "sign"})

        assert (step.started_at, step.ended_at) == (MORNING + minutes(5), None)


class TestTheCommand:
    def test_takes_a_log_by_its_mapping(self, tmp_path: Path) -> None:
        mapping = tmp_path / "log.toml"
        mapping.write_text(
            '[fields]\ncase = "case_id"\nactivity = "activity"\nat = "timestamp"\n'
            'resource = "resource"\nunit = { constant = "north" }\n'
        )
        with pytest.raises(CommandError, match="Some rows have errors"):
            call_command("import_encounters", str(LOG), "--mapping", str(mapping), "--kind=events")
        assert not Encounter.objects.exists()

        call_command(
            "import_encounters", str(LOG), "--mapping", str(mapping), "--kind=events", "--leave-out"
        )

        assert Encounter.objects.count() == 400
