"""Taking files in: checked first, all or nothing to readers, once however often it is tried."""

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext, LeaseLost, run_inline
from sqcore.org.models import Channel, Organisation, Segment, Unit
from sqcore.tests.factories import NOW, TODAY, make_principal, make_unit
from sqcore.tests.files.making import workbook
from surveys.campaigns.models import Campaign
from surveys.imports import services
from surveys.imports.models import Import
from surveys.imports.report import fault_rows
from surveys.imports.services import check, discard, folder, forget_abandoned, keep_file, take
from surveys.instruments.models import Instrument, InstrumentVersion
from surveys.responses.models import Response
from surveys.tests.factories import analyst
from surveys.tests.imports.making import CSV, SYSTEM, checked, keep, raw_mapping, started, taken

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def assert_nothing_stored() -> None:
    models = (Response, Campaign, Instrument, Unit, Channel, Segment, Organisation, Import, Job)
    assert {
        model.__name__: model.objects.count() for model in models if model.objects.exists()
    } == {}
    assert list(folder().iterdir()) == []


class TestCheck:
    def test_says_what_taking_it_would_do_and_stores_no_answer(self) -> None:
        imported = checked(CSV + "4,west,2026-02-03,1,1,\n5,north,2026-02-03,0,1,\n")

        assert (imported.rows_read, imported.rows_taken, imported.rows_left_out) == (5, 2, 3)
        assert imported.report["will_make"] == {
            "units": ["whole", "north", "south"],
            "channels": [],
            "segments": [],
            "campaign": ["visits"],
            "questionnaire": ["visit"],
        }
        assert fault_rows(imported.report) == [
            [3, "care", "9", "is outside 1 to 7", "row"],
            [5, "branch", "west", "there is no such unit", "row"],
            [6, "speed", "0", "is outside 1 to 7", "row"],
        ]
        assert not Response.objects.exists()
        assert not Unit.objects.exists()

    def test_shows_the_guessed_encoding_and_what_is_not_read(self) -> None:
        text = "id,branch,day,speed,care,told,备注\n1,north,2026-02-01,7,6,柜员态度很好,的\n"

        report = checked(text.encode("gb18030")).report

        assert report["file"] == {
            "kind": "csv",
            "encoding": "gb18030",
            "is_guessed": True,
            "delimiter": ",",
            "sheet": "",
            "columns": 7,
        }
        assert report["unmapped"] == ["备注"]
        assert report["roles"]["branch"] == "[unit]"

    def test_warns_of_personal_data_and_never_stores_it(self) -> None:
        lines = [f"{n},north,2026-02-01,5,5,,c{n}@example.org" for n in range(4)]
        imported = taken("\n".join(["id,branch,day,speed,care,told,mail", *lines]))

        assert imported.report["personal"] == [
            {"column": "mail", "kind": "e-mail addresses", "is_read": ""}
        ]
        assert "example.org" not in json.dumps(imported.report)
        assert "example.org" not in json.dumps(list(Response.objects.values_list("answers")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "The file is empty."),
        ("id,branch,day,speed,care,told\n", "no row below the column names"),
        ("a,b\n1,2\n", "The mapping does not fit the file."),
        (CSV + '4,north,2026-02-01,"7,6,\n', "not well-formed CSV"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x81\x8d" * 90, "neither text"),
        (b"PK\x03\x04" + b"x" * 90, "not an Excel workbook"),
    ],
)
def test_a_file_that_cannot_be_read_leaves_nothing_behind(
    content: str | bytes, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        checked(content)

    for imported in Import.objects.all():
        discard(imported=imported, by=SYSTEM)
    assert_nothing_stored()


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"unit": {"constant": "moon"}}, "unit"),
        ({"units": [{"code": "A B"}]}, "units.code"),
        ({"units": [{"code": "a", "parent": "b"}], "unit": {"constant": "a"}}, "a"),
        ({"segment": {"constant": "vip"}}, "segment"),
        ({"campaign": {"code": "No Slug"}}, "campaign.code"),
        ({"organisation": {"name": "X", "time_zone": "Moon/Base"}}, "organisation.time_zone"),
        ({"organisation": {"name": "X", "smallest_group": 1}}, "organisation.smallest_group"),
        ({"instrument": {"code": "none"}}, "instrument.code"),
    ],
)
def test_a_mapping_that_names_what_cannot_be_is_refused(over: dict[str, Any], field: str) -> None:
    imported = keep(raw=raw_mapping(**over))

    with pytest.raises(InvalidInput) as refused:
        check(imported=imported, by=SYSTEM, today=TODAY)

    assert field in [problem.field for problem in refused.value.problems]
    discard(imported=imported, by=SYSTEM)
    assert_nothing_stored()


def test_a_second_unit_for_the_whole_is_refused_whenever_it_opens() -> None:
    make_unit("bank", on=date(2025, 1, 1))
    raw = raw_mapping()
    raw["units"][0]["opened_on"] = date(2010, 1, 1)

    with pytest.raises(InvalidInput) as refused:
        checked(raw=raw)

    assert [str(problem) for problem in refused.value.problems] == [
        "whole: the whole organisation is “bank” already; give this unit a parent"
    ]


class TestTake:
    def test_makes_what_is_described_and_stores_the_answers(self) -> None:
        imported = taken()

        assert (imported.state, imported.rows_taken, imported.rows_left_out) == ("done", 2, 1)
        assert list(
            Response.objects.order_by("id").values_list(
                "unit__code", "answered_on", "answers", "weight", "withdrawn", "origin"
            )
        ) == [
            (
                "north",
                date(2026, 2, 1),
                {"speed": 7, "care": 6, "told": "quick"},
                1000,
                False,
                "import",
            ),
            ("north", date(2026, 2, 3), {"speed": "na", "care": 5}, 1000, False, "import"),
        ]
        assert Campaign.objects.get().state == Campaign.State.CLOSED
        assert InstrumentVersion.objects.get().published_at == NOW
        assert list(folder().iterdir()) == []

    def test_says_it_to_the_ledger_and_to_who_listens(self) -> None:
        imported = taken()

        entry = AuditEntry.objects.get(action="responses.imported")
        assert entry.details == {
            "read": 3,
            "taken": 2,
            "left_out": 1,
            "sha256": imported.file_digest,
        }
        event = OutboxEvent.objects.get(kind="surveys.responses.imported")
        assert event.payload == {
            "import_id": imported.pk,
            "first_on": "2026-02-01",
            "last_on": "2026-02-03",
            "finest_grain": "day",
        }

    def test_the_same_file_again_changes_nothing_and_says_so(self) -> None:
        taken()

        again = checked()

        assert again.rows_taken == 0
        assert again.report["already"] == "2026-03-02"
        with pytest.raises(Conflict, match="This very file was taken in on 2026-03-02"):
            started(again)
        assert Response.objects.count() == 2

    def test_a_later_file_brings_only_what_is_new(self) -> None:
        taken()

        imported = taken(CSV + "4,south,2026-02-04,5,5,\n")

        assert (imported.rows_taken, imported.rows_left_out) == (1, 3)
        assert [row[3] for row in fault_rows(imported.report)].count(
            "is in already: this campaign has a response with the same key"
        ) == 2
        assert Response.objects.count() == 3

    def test_a_key_twice_in_the_file_is_taken_once(self) -> None:
        imported = taken(CSV + "1,south,2026-02-04,5,5,\n")

        assert fault_rows(imported.report)[-1] == [5, "id", "1", "row 2 has the same key", "row"]
        assert Response.objects.count() == 2

    def test_without_a_key_the_same_file_is_known_by_its_rows(self) -> None:
        raw = raw_mapping(key={})
        taken(raw=raw)

        assert checked(raw=raw).rows_taken == 0

    def test_of_an_anonymous_campaign_the_senders_key_is_not_kept(self) -> None:
        taken()

        keys = list(Response.objects.values_list("external_key", "received_at"))
        assert {len(key or "") for key, _at in keys} == {40}
        assert {at for _key, at in keys} == {None}

    def test_of_a_confidential_one_it_is(self) -> None:
        taken(raw=raw_mapping(campaign={"code": "visits", "mode": "confidential"}))

        assert list(Response.objects.order_by("id").values_list("external_key", flat=True)) == [
            "1",
            "3",
        ]

    def test_a_wave_is_known_by_its_year_alone(self) -> None:
        taken(raw=raw_mapping(campaign={"code": "w", "wave": "2016"}, date={}))

        assert set(Response.objects.values_list("answered_on", "finest_grain")) == {
            (date(2016, 1, 1), "year")
        }

    def test_a_workbook_gives_the_same_answers(self) -> None:
        rows = [line.split(",") for line in CSV.splitlines()]
        imported = checked(workbook(rows))
        run_inline(started(imported), now=NOW)

        assert list(Response.objects.order_by("id").values_list("answers", flat=True)) == [
            {"speed": 7, "care": 6, "told": "quick"},
            {"speed": "na", "care": 5},
        ]

    def test_todays_answers_are_taken_while_it_is_still_yesterday_in_greenwich(self) -> None:
        early = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
        place = {"name": "Bank", "time_zone": "Asia/Shanghai"}
        imported = keep(
            "id,branch,day,speed,care,told\n1,north,2026-03-02,7,6,\n",
            raw_mapping(organisation=place),
        )
        check(imported=imported, by=SYSTEM, today=date(2026, 3, 2))

        run_inline(take(imported=imported, by=SYSTEM, now=early, tell_worker=False), now=early)

        assert Response.objects.get().answered_on == date(2026, 3, 2)

    def test_a_value_called_date_or_table_is_a_value(self) -> None:
        values = {"date": "north"}
        instrument = raw_mapping()["instrument"] | {"description": {"table": "x"}}
        raw = raw_mapping(
            unit={"column": "branch", "values": values}, system={"code": "s", "since": TODAY}
        )

        imported = keep(raw=raw | {"instrument": instrument})

        imported.refresh_from_db()
        assert services.mapping_table(imported) == raw | {"instrument": instrument}

    def test_nothing_to_take_is_refused(self) -> None:
        with pytest.raises(Conflict, match="No row of the file"):
            started(checked("id,branch,day,speed,care\n1,north,2026-02-01,9,9\n"))

        assert not Campaign.objects.exists()

    def test_unchecked_is_refused(self) -> None:
        with pytest.raises(Conflict, match="Check the file first"):
            started(keep())


class TestQuestionnaire:
    def test_the_one_that_is_there_is_used(self) -> None:
        taken()
        raw = raw_mapping(campaign={"code": "later", "name": "Later"})
        raw["instrument"] = {"code": "visit"}

        taken(raw=raw)

        assert InstrumentVersion.objects.count() == 1
        assert Response.objects.count() == 4

    def test_new_questions_make_a_next_version(self) -> None:
        taken()
        raw = raw_mapping(campaign={"code": "later", "name": "Later"})
        raw["instrument"]["items"].append(
            {"code": "calm", "dimension": "service", "text": {"en": "Calm"}}
        )

        taken(raw=raw)

        assert list(
            InstrumentVersion.objects.order_by("number").values_list("number", flat=True)
        ) == [
            1,
            2,
        ]

    def test_a_question_that_means_something_else_is_refused(self) -> None:
        taken()
        raw = raw_mapping(campaign={"code": "later", "name": "Later"})
        raw["instrument"]["items"][0]["high"] = 5

        with pytest.raises(InvalidInput) as refused:
            checked(raw=raw)

        assert [str(problem) for problem in refused.value.problems] == ["speed: high differ"]
        assert Response.objects.count() == 2


class TestPermission:
    def test_who_does_not_run_surveys_keeps_nothing(self) -> None:
        chen = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})

        with pytest.raises(NotPermitted):
            keep_file(file_name="x.csv", chunks=[b"a\n1\n"], mapping=None, by=chen, now=NOW)

        assert_nothing_stored()

    def test_an_analyst_does_not_change_the_organisation(self) -> None:
        imported = checked()

        with pytest.raises(NotPermitted):
            take(imported=imported, by=analyst(), now=NOW, tell_worker=False)

        assert not Unit.objects.exists()
        assert not Job.objects.exists()

    def test_an_analyst_imports_for_units_that_are_there(self) -> None:
        whole = make_unit("whole")
        make_unit("north", parent=whole)
        make_unit("south", parent=whole)

        run_inline(take(imported=checked(), by=analyst(), now=NOW, tell_worker=False), now=NOW)

        assert Response.objects.count() == 2

    def test_imports_are_visible_to_who_runs_surveys_alone(self) -> None:
        imported = checked()
        mei = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})

        assert list(Import.objects.visible_to(analyst())) == [imported]
        assert list(Import.objects.visible_to(mei)) == []


class TestInterrupted:
    """The job dies somewhere; what readers see is nothing, then all, each once."""

    @pytest.fixture
    def small_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("surveys.imports.intake.AT_ONCE", 1)

    @pytest.mark.usefixtures("small_batches")
    def test_a_crash_is_made_good_by_the_next_attempt(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, calls, seen = services._store, [], []

        def dies_once(*arguments: Any) -> None:
            calls.append(arguments)
            if len(calls) == 2:
                seen.append(Response.objects.counted().count())
                seen.append(Response.objects.count())
                raise RuntimeError("killed")
            store(*arguments)

        monkeypatch.setattr(services, "_store", dies_once)
        imported = checked()

        job = run_inline(started(imported), now=NOW)

        assert (job.state, job.attempts, seen) == (Job.State.DONE, 2, [0, 1])
        assert Response.objects.counted().count() == 2

    @pytest.mark.usefixtures("small_batches")
    def test_who_lost_the_lease_writes_nothing_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store = services._store

        def taken_over(*arguments: Any) -> None:
            store(*arguments)
            Job.objects.update(fence=99)

        monkeypatch.setattr(services, "_store", taken_over)
        imported = checked()
        job = started(imported)
        context = JobContext(job, clock=lambda: NOW, lease_clock=lambda: NOW)
        Job.objects.update(state=Job.State.RUNNING, fence=job.fence)

        with pytest.raises(LeaseLost):
            services.ImportJob().run(context)

        assert Response.objects.counted().count() == 0
        imported.refresh_from_db()
        assert imported.state == Import.State.RUNNING

    def test_a_file_that_vanished_is_said_and_nothing_stays(self) -> None:
        imported = checked()
        job = started(imported)
        (folder() / imported.stored_as).unlink()

        with pytest.raises(DomainError, match="Give it again"):
            run_inline(job, now=NOW)

        imported.refresh_from_db()
        assert imported.state == Import.State.REFUSED
        assert not Response.objects.exists()


def test_files_that_nobody_took_in_are_forgotten_after_a_while() -> None:
    old, later = checked(), NOW + timedelta(days=8)
    (folder() / "left-by-a-crash").write_bytes(b"x")
    os.utime(folder() / "left-by-a-crash", (NOW.timestamp(), NOW.timestamp()))

    assert forget_abandoned(before=NOW) == 0
    assert (folder() / old.stored_as).exists()
    assert forget_abandoned(before=later) == 1

    assert not Import.objects.exists()
    assert list(folder().iterdir()) == []
