"""Taking files of answers in: keep the file, check it, take it, take it back."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from sqcore.audit.services import record
from sqcore.base import bus
from sqcore.base.errors import Conflict, InvalidInput, NotFound
from sqcore.base.events import ResponsesImported
from sqcore.evaluation.services import evaluate_due
from sqcore.files.importers import Table, open_table
from sqcore.files.personal import looks_personal
from sqcore.files.storage import private_folder, stored
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext
from sqcore.jobs.runner import OnProgress as JobProgress
from sqcore.jobs.services import start
from sqcore.org.queries import local_day
from surveys.imports.ground import (
    Ground,
    check_codes,
    finest_grain,
    set_up,
)
from surveys.imports.guesses import Choices, ColumnFacts, Known, choices_of, guess, look, slug
from surveys.imports.intake import SAMPLE_ROWS, Intake, describe, open_intake
from surveys.imports.mapping import ImportMapping, read_mapping
from surveys.imports.models import Import
from surveys.imports.reading import Draft
from surveys.instruments.definitions import read_definition
from surveys.responses.models import Response
from surveys.responses.services import (
    NewResponse,
    absorb,
    add_responses,
    reveal_import,
    withdraw_import,
)

JOB_KIND = "surveys.import"

OnProgress = Callable[[int], None]


# ---- The file ------------------------------------------------------------------------------------
def folder() -> Path:
    """Return where files wait between upload and import, readable by their owner only."""
    return private_folder("imports")


def stored_file(imported: Import) -> Path:
    """Return where the file of an import lies. raises: NotFound when it is deleted already"""
    path = folder() / imported.stored_as
    if not imported.stored_as or not path.is_file():
        raise NotFound(_("The file was deleted after its import. Give it again."))
    return path


def keep_file(
    *,
    file_name: str,
    chunks: Iterable[bytes],
    mapping: ImportMapping | None,
    by: Principal,
    now: datetime,
) -> Import:
    """Store a file to be imported, and the mapping it comes with.

    raises: InvalidInput when it is too big; nothing is kept then
    """
    by.require(Permission.MANAGE_SURVEYS)
    with stored(chunks, folder()) as (path, digest):
        # Whatever cannot be read is refused before anything is kept.
        table = open_table(path, layout=mapping.layout if mapping else None)
        # Another sheet may hold them.
        if len(table.sheets) < 2 and next(table.rows(), None) is None:
            raise InvalidInput(_("There is no row below the column names."))
        return Import.objects.create(
            file_name=Path(file_name).name[:200],
            file_digest=digest,
            stored_as=path.name,
            encoding=table.encoding,
            mapping=_jsonable(mapping.raw) if mapping else {},
            created_by=by.user,
            created_at=now,
        )


def _jsonable(value: Any) -> Any:
    """Return what JSON can hold: a day becomes {"date": ...}, a table that looks like this is
    wrapped as {"table": ...}."""
    if isinstance(value, dict):
        plain = {str(key): _jsonable(part) for key, part in value.items()}
        return {"table": plain} if set(plain) in ({"date"}, {"table"}) else plain
    if isinstance(value, list | tuple):
        return [_jsonable(part) for part in value]
    return {"date": value.isoformat()} if type(value) is date else value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"date"}:
            return date.fromisoformat(value["date"])
        if set(value) == {"table"}:
            value = value["table"]
        return {key: _from_json(part) for key, part in value.items()}
    return [_from_json(part) for part in value] if isinstance(value, list) else value


def mapping_table(imported: Import) -> dict[str, Any]:
    """Return the mapping of an import as the table that a TOML file would give."""
    table = _from_json(imported.mapping)
    return table if isinstance(table, dict) else {}


def forget_file(imported: Import) -> None:
    """Delete the stored file; answers are in the database, or were refused."""
    if imported.stored_as:
        (folder() / imported.stored_as).unlink(missing_ok=True)


def change_mapping(*, imported: Import, mapping: ImportMapping, by: Principal) -> None:
    """Read the file another way from now on; an earlier check no longer counts.

    raises: Conflict once the import runs or is done
    """
    by.require(Permission.MANAGE_SURVEYS)
    changed = Import.objects.filter(pk=imported.pk, state=Import.State.CHECKED).update(
        mapping=_jsonable(mapping.raw), report={}, rows_read=0, rows_taken=0, rows_left_out=0
    )
    if not changed:
        raise Conflict(
            _("This import runs or is over; give the file again to read it another way.")
        )
    imported.refresh_from_db()


def discard(*, imported: Import, by: Principal) -> None:
    """Forget a file that was not taken in."""
    by.require(Permission.MANAGE_SURVEYS)
    deleted, _models = Import.objects.filter(
        pk=imported.pk, state__in=[Import.State.CHECKED, Import.State.REFUSED]
    ).delete()
    if not deleted:
        raise Conflict(_("Answers of this import are in, or on their way."))
    forget_file(imported)


def forget_abandoned(*, before: datetime) -> int:
    """Forget files that were given before this time and never taken in; return how many.

    Deletes as well what lies in the folder without belonging to an import: a process died there.
    """
    forgotten = 0
    abandoned = Import.objects.filter(state=Import.State.CHECKED, created_at__lt=before)
    for imported in list(abandoned):
        with suppress(Conflict):
            discard(imported=imported, by=system_principal("imports"))
            forgotten += 1
    kept = set(Import.objects.exclude(stored_as="").values_list("stored_as", flat=True))
    for path in folder().iterdir():
        if path.name not in kept and path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
    return forgotten


# ---- Proposing a mapping -------------------------------------------------------------------------
@dataclass(frozen=True)
class Look:
    """A file as the guided page shows it: its columns, and what they are taken for."""

    table: Table
    facts: list[ColumnFacts]
    known: Known
    choices: Choices
    personal: Mapping[str, str]


def look_at(imported: Import, *, known: Known, by: Principal) -> Look:
    """Look at a file's columns; what they are is guessed until somebody decided.

    raises: Conflict once the import runs or is over; InvalidInput when the questionnaire that its
    mapping describes cannot be used
    """
    if imported.state != Import.State.CHECKED:
        raise Conflict(
            _("This import runs or is over; give the file again to read it another way.")
        )
    raw = mapping_table(imported)
    mapping = read_mapping(raw) if raw else None
    if mapping is not None and mapping.defines_instrument:
        read_definition(mapping.instrument)
    table = open_table(stored_file(imported), layout=mapping.layout if mapping else None)
    facts = look(table)
    makes_places = by.may(Permission.MANAGE_ORGANISATION)
    choices = (
        choices_of(raw, facts, known) if raw else guess(facts, known, makes_places=makes_places)
    )
    choices.campaign = choices.campaign or slug(Path(imported.file_name).stem)
    sample = [row.cells for row in islice(table.rows(), SAMPLE_ROWS) if not row.problem]
    return Look(table, facts, known, choices, looks_personal(table.header, sample))


# ---- Checking ------------------------------------------------------------------------------------
def check(
    *, imported: Import, by: Principal, today: date, on_progress: OnProgress | None = None
) -> Import:
    """Read the whole file without storing an answer; the report says what taking it would do.

    raises: InvalidInput when the file or the mapping cannot be used at all
    """
    by.require(Permission.MANAGE_SURVEYS)
    mapping = read_mapping(mapping_table(imported))
    check_codes(mapping)
    intake = open_intake(imported, stored_file(imported), mapping, today=today)
    for _batch in intake.batches():
        if on_progress is not None:
            on_progress(intake.tally.read)
    if not intake.tally.read:
        raise InvalidInput(_("There is no row below the column names."))
    _keep_report(imported, intake)
    return imported


def _keep_report(imported: Import, intake: Intake) -> None:
    tally = intake.tally
    imported.encoding = intake.table.encoding
    imported.rows_read = tally.read
    imported.rows_taken = tally.taken
    imported.rows_left_out = tally.left_out
    imported.report = tally.as_json() | describe(intake)
    imported.save(update_fields=["encoding", "rows_read", "rows_taken", "rows_left_out", "report"])


def read_anew(*, imported: Import, mapping: ImportMapping, by: Principal, today: date) -> Import:
    """Change the mapping and check the file by it; a mapping that cannot be used is not kept.

    raises: InvalidInput, Conflict
    """
    with transaction.atomic():
        change_mapping(imported=imported, mapping=mapping, by=by)
        return check(imported=imported, by=by, today=today)


# ---- Taking --------------------------------------------------------------------------------------
def take(*, imported: Import, by: Principal, now: datetime, tell_worker: bool = True) -> Job:
    """Start taking a checked file in, as a job; what the mapping describes is made first.

    raises: Conflict when it is not checked, would take nothing, or another file is being taken into
    the same campaign
    """
    by.require(Permission.MANAGE_SURVEYS)
    mapping = read_mapping(mapping_table(imported))
    with transaction.atomic():
        locked = Import.objects.select_for_update().get(pk=imported.pk)
        if locked.state != Import.State.CHECKED or not locked.report:
            raise Conflict(_("Check the file first."))
        if not locked.rows_taken:
            raise Conflict(_nothing_to_take(locked))
        ground = set_up(
            mapping,
            first_on=date.fromisoformat(locked.report["first_on"]),
            last_on=date.fromisoformat(locked.report["last_on"]),
            by=by,
            now=now,
        )
        job = start(
            kind=JOB_KIND,
            key=f"campaign:{mapping.campaign.code}",
            title={"en": f"Import of {locked.file_name}", "zh-hans": f"导入 {locked.file_name}"},
            parameters={"import_id": locked.pk, "by": by.key},
            owner=by.user,
            now=now,
            tell_worker=tell_worker,
        )
        if job.parameters["import_id"] != locked.pk:
            raise Conflict(
                _("Another file is being taken into this campaign. Try again when it is in.")
            )
        locked.state = Import.State.RUNNING
        locked.campaign = ground.campaign
        locked.job_key = str(job.pk)
        locked.save(update_fields=["state", "campaign", "job_key"])
    imported.refresh_from_db()
    return job


def _nothing_to_take(imported: Import) -> str:
    if already := imported.report.get("already"):
        return f"This very file was taken in on {already}; taking it again would change nothing."
    return "No row of the file can be taken in; the report says why."


def bring_up_to_date(*, now: datetime, report: JobProgress | None = None) -> int:
    """Add up what is new and evaluate what became due, here and now; return the published runs."""
    while absorb(clock=lambda: now):
        pass
    return evaluate_due(now=now, report=report)


class ImportJob:
    """Stores the rows of a file out of sight, batch by batch, and shows them all at the end.

    Each batch and the end are written under the job's fence. A later attempt removes what an
    earlier one left and begins anew.
    """

    key = JOB_KIND

    def run(self, context: JobContext) -> None:
        imported = Import.objects.select_related("campaign").get(pk=context.parameters["import_id"])
        if imported.state == Import.State.DONE:
            return
        try:
            with override(context.language):
                self._take(context, imported)
        except (InvalidInput, NotFound, Conflict) as error:
            with context.fenced():
                withdraw_import(import_id=imported.pk)
                imported.state = Import.State.REFUSED
                imported.finished_at = context.now()
                imported.report = imported.report | {"refused": error.message}
                imported.save(update_fields=["state", "finished_at", "report"])
            forget_file(imported)
            raise

    def _take(self, context: JobContext, imported: Import) -> None:
        context.progress(0, imported.rows_read, "Reading")
        with context.fenced():
            withdraw_import(import_id=imported.pk)
        mapping = read_mapping(mapping_table(imported))
        today = local_day(context.now())
        intake = open_intake(imported, stored_file(imported), mapping, today=today)
        for batch in intake.batches():
            with context.fenced():
                _store(batch, intake, context.now())
            context.progress(intake.tally.read, imported.rows_read, "Storing")
        context.progress(imported.rows_read, imported.rows_read, "Completing")
        self._complete(context, imported, intake)
        forget_file(imported)

    def _complete(self, context: JobContext, imported: Import, intake: Intake) -> None:
        tally = intake.tally
        summary = {"read": tally.read, "taken": tally.taken, "left_out": tally.left_out}
        with context.completing(summary):
            reveal_import(import_id=imported.pk)
            _keep_report(imported, intake)
            imported.state = Import.State.DONE
            imported.finished_at = context.now()
            imported.stored_as, forgotten = "", imported.stored_as
            imported.save(update_fields=["state", "finished_at", "stored_as"])
            record(
                action="responses.imported",
                subject=f"import:{imported.pk}",
                by=Principal(key=str(context.parameters["by"]), name=""),
                now=context.now(),
                details={**summary, "sha256": imported.file_digest},
            )
            if tally.first_on and tally.last_on:
                bus.publish(
                    ResponsesImported(
                        import_id=imported.pk,
                        first_on=tally.first_on.isoformat(),
                        last_on=tally.last_on.isoformat(),
                        finest_grain=finest_grain(intake.plan.mapping).value,
                    ),
                    now=context.now(),
                )
        imported.stored_as = forgotten


def _store(drafts: list[Draft], intake: Intake, now: datetime) -> None:
    campaign = intake.ground.campaign
    if campaign is None:
        raise Conflict(_("The campaign of this import is gone."))
    add_responses(
        campaign=campaign,
        responses=[_response(draft, intake.ground) for draft in drafts],
        origin=Response.Origin.IMPORT,
        now=now,
        import_id=intake.imported.pk,
        in_force=False,
    )


def _response(draft: Draft, ground: Ground) -> NewResponse:
    unit_id = ground.units[draft.unit]
    if unit_id is None:
        raise Conflict(_("The unit “%(unit)s” is gone.") % {"unit": draft.unit})
    return NewResponse(
        answers=draft.answers,
        unit_id=unit_id,
        answered_on=draft.answered_on,
        channel_id=ground.channels[draft.channel] if draft.channel else None,
        segment_id=ground.segments[draft.segment] if draft.segment else None,
        language=draft.language,
        weight=draft.weight,
        external_key=draft.key,
    )
