"""Taking answers in, and keeping their exact sums up."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from itertools import islice
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from sqcore.base.errors import Conflict, InvalidInput
from sqcore.base.prepared import PreparedInsert
from sqcore.jobs.runner import OnProgress
from sqcore.org.queries import local_day
from sqcore.stats.moments import no_moments, pack, unpack
from surveys.campaigns.models import Campaign, Closed, Link
from surveys.campaigns.queries import standing_now
from surveys.instruments.codebook import Codebook, codebook_of
from surveys.instruments.models import InstrumentVersion
from surveys.responses.models import WEIGHT_ONE, Response, Rollup, RollupMonth
from surveys.responses.queries import (
    TO_ADD,
    TO_SUBTRACT,
    CellSums,
    answer_columns,
    combined,
    differing_places,
    held_sums,
    lock_version,
    stored_parts,
    summed_months,
)
from surveys.responses.sums import bundle, sums_by_cell

BATCH = 2000
ABSORB_AT_ONCE = 50_000
IDS_AT_ONCE = 10_000


@dataclass(frozen=True)
class NewResponse:
    """A filled-in questionnaire on its way in; its answers are checked by the codebook already.

    `weight` counts thousandths. `external_key` is the sender's own key, taken once a campaign.
    """

    answers: Mapping[str, Any]
    unit_id: int
    answered_on: date
    channel_id: int | None = None
    segment_id: int | None = None
    staff_id: int | None = None
    language: str = ""
    weight: int = WEIGHT_ONE
    subject: str = ""
    encounter_key: str = ""
    external_key: str | None = None
    key: uuid.UUID = field(default_factory=uuid.uuid4)


def add_responses(
    *,
    campaign: Campaign,
    responses: Iterable[NewResponse],
    origin: Response.Origin,
    now: datetime,
    import_id: int | None = None,
    in_force: bool = True,
) -> int:
    """Store checked responses in one transaction and return how many.

    With `in_force=False` they enter no figure until `reveal_import`. Of an anonymous campaign
    neither the moment nor the staff member nor the encounter is kept. Evaluation counts them from
    its next run on. raises: IntegrityError when a key is taken already
    """
    codebook = codebook_of(campaign.version)
    rows = (_row(campaign, codebook, response, origin=origin, now=now) for response in responses)
    marked = (_marked(row, import_id=import_id, in_force=in_force) for row in rows)
    # A caller who goes on after a refusal has a transaction of their own around the call.
    with transaction.atomic(savepoint=False):
        return sum(_inserter().insert(batch) for batch in _batches(marked))


@cache
def _inserter() -> PreparedInsert:
    return PreparedInsert(Response)


def _batches(rows: Iterator[Response]) -> Iterator[list[Response]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _row(
    campaign: Campaign,
    codebook: Codebook,
    response: NewResponse,
    *,
    origin: Response.Origin,
    now: datetime,
) -> Response:
    is_anonymous = campaign.mode == Campaign.Mode.ANONYMOUS
    return Response(
        key=response.key,
        campaign=campaign,
        version_id=campaign.version_id,
        unit_id=response.unit_id,
        channel_id=response.channel_id,
        segment_id=response.segment_id,
        staff_id=None if is_anonymous else response.staff_id,
        subject=response.subject,
        encounter_key="" if is_anonymous else response.encounter_key,
        answered_on=response.answered_on,
        finest_grain=campaign.finest_grain,
        received_at=None if is_anonymous else now,
        language=response.language,
        origin=origin,
        external_key=response.external_key,
        answers=dict(response.answers),
        packed=codebook.encode(response.answers),
        weight=response.weight,
    )


def _marked(row: Response, *, import_id: int | None, in_force: bool) -> Response:
    row.import_id = import_id
    row.withdrawn = not in_force
    return row


def reveal_import(*, import_id: int) -> int:
    """Bring every response of a complete import into force; return how many."""
    rows = Response.objects.filter(import_id=import_id, withdrawn=True, in_rollup=False)
    return rows.update(withdrawn=False)


def withdraw_import(*, import_id: int) -> int:
    """Take every response of an import out of all sums; return how many.

    Those that no sum holds yet are deleted, the others marked: the next absorption subtracts them
    and deletes them. Locks their versions, for an absorption under way has read these rows already.
    """
    rows = Response.objects.filter(import_id=import_id)
    with transaction.atomic():
        versions = rows.order_by().values("version")
        for version in InstrumentVersion.objects.filter(pk__in=versions).order_by("id"):
            lock_version(version)
        never_summed, _models = rows.filter(in_rollup=False).delete()
        return never_summed + rows.filter(in_rollup=True, withdrawn=False).update(withdrawn=True)


def absorb(*, clock: Callable[[], datetime], limit: int = ABSORB_AT_ONCE) -> int:
    """Bring the rollups up to the rows, a batch a version; return how many rows were absorbed.

    The clock is read once a version's sums are locked: an evaluation that read them before is then
    surely older than the change. Call it again until it returns 0.
    """
    versions = InstrumentVersion.objects.published().order_by("id")
    return sum(_absorb_version(version, clock=clock, limit=limit) for version in versions)


@transaction.atomic
def _absorb_version(
    version: InstrumentVersion, *, clock: Callable[[], datetime], limit: int
) -> int:
    """Add what is new and subtract what was withdrawn. Locks the version's row."""
    rows = Response.objects.filter(version=version)
    if not (rows.filter(TO_ADD).exists() or rows.filter(TO_SUBTRACT).exists()):
        return 0
    lock_version(version)
    now = clock()
    codebook = codebook_of(version)
    added = _absorb_rows(rows.filter(TO_ADD).order_by("id")[:limit], codebook, sign=1, now=now)
    for ids in _chunks(added):
        rows.filter(pk__in=ids).update(in_rollup=True)
    gone = _absorb_rows(rows.filter(TO_SUBTRACT).order_by("id")[:limit], codebook, sign=-1, now=now)
    for ids in _chunks(gone):
        rows.filter(pk__in=ids).delete()
    return len(added) + len(gone)


def _absorb_rows(
    rows: QuerySet[Response], codebook: Codebook, *, sign: int, now: datetime
) -> list[int]:
    absorbed: list[int] = []
    for ids, columns in answer_columns(rows, codebook):
        _change_rollups(codebook, sums_by_cell(codebook, columns), sign=sign, now=now)
        absorbed += ids.tolist()
    return absorbed


def _change_rollups(codebook: Codebook, change: CellSums, *, sign: int, now: datetime) -> None:
    """Add these sums to the stored ones (or subtract them), and mark their months as changed."""
    of_place = {cell.place: cell for cell in change[0]}
    parts = stored_parts(codebook, of_place)
    former = [cell for cell in change[0] if cell.part in parts.get(cell.place, {})]
    packed = [parts[cell.place][cell.part] for cell in former]
    before = (former, unpack(packed) if packed else no_moments(0, len(codebook.measures)))
    cells, moments = combined(before, change, sign=sign)
    for cell, content in zip(cells, pack(moments), strict=True):
        parts.setdefault(cell.place, {})[cell.part] = content
    Rollup.objects.bulk_create(
        [
            Rollup(
                version_id=codebook.version_id,
                place=place,
                unit_id=of_place[place].unit_id,
                month=of_place[place].month,
                finest_grain=of_place[place].finest_grain,
                content=bundle(content),
            )
            for place, content in parts.items()
        ],
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["version", "place"],
        update_fields=["content"],
    )
    _mark_changed(codebook, {cell.month for cell in cells}, now=now)


def _mark_changed(codebook: Codebook, months: Iterable[date], *, now: datetime) -> None:
    RollupMonth.objects.bulk_create(
        [
            RollupMonth(version_id=codebook.version_id, month=month, changed_at=now)
            for month in sorted(months)
        ],
        update_conflicts=True,
        unique_fields=["version", "month"],
        update_fields=["changed_at"],
    )


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), IDS_AT_ONCE):
        yield ids[start : start + IDS_AT_ONCE]


def rebuild_rollups(
    *,
    version: InstrumentVersion,
    clock: Callable[[], datetime],
    report: OnProgress | None = None,
) -> int:
    """Make the sums of a version again where they are not those of its rows, and bring into them
    what they do not hold yet; return how many rows they hold.

    A month is a transaction, then every batch of rows: none is long, however many answers there
    are. After each the sums hold exactly the rows marked `in_rollup`, so that it may be stopped
    anywhere and goes on where it was when it is called again.
    """
    _check_version(version, clock=clock, rebuild=True, report=report)
    waiting = Response.objects.filter(TO_ADD | TO_SUBTRACT, version=version).count()
    done = 0
    while absorbed := _absorb_version(version, clock=clock, limit=ABSORB_AT_ONCE):
        done += absorbed
        if report is not None:
            report(done, max(done, waiting), "rows")
    return Response.objects.filter(version=version, in_rollup=True).count()


def check_rollups(
    *, clock: Callable[[], datetime], rebuild: bool, report: OnProgress | None = None
) -> dict[InstrumentVersion, list[str]]:
    """Compare all sums with their rows; return where they differ, by published version.

    With `rebuild` the sums of a month that differ are made again at once, as `rebuild_rollups`.
    """
    versions = InstrumentVersion.objects.published().select_related("instrument").order_by("id")
    return {
        version: _check_version(version, clock=clock, rebuild=rebuild, report=report)
        for version in versions
    }


def _check_version(
    version: InstrumentVersion,
    *,
    clock: Callable[[], datetime],
    rebuild: bool,
    report: OnProgress | None,
) -> list[str]:
    months, found = summed_months(version), []
    for done, month in enumerate(months, 1):
        found += _check_month(version, month, clock=clock, rebuild=rebuild)
        if report is not None:
            report(done, len(months), f"{month:%Y-%m}")
    return found


@transaction.atomic
def _check_month(
    version: InstrumentVersion, month: date, *, clock: Callable[[], datetime], rebuild: bool
) -> list[str]:
    """Return where the sums of a month differ from their rows. Locks the version's row."""
    lock_version(version)
    codebook = codebook_of(version)
    held = held_sums(version, codebook, month)
    differing = differing_places(version, codebook, month, held)
    if differing and rebuild:
        now = clock()
        Rollup.objects.filter(version=version, month=month).delete()
        _change_rollups(codebook, held, sign=1, now=now)
        _mark_changed(codebook, [month], now=now)
    return differing


class NotTakingAnswers(Conflict):
    """The link that was used takes no answers now; `why` says the reason."""

    code = "not_taking_answers"

    def __init__(self, why: Closed) -> None:
        super().__init__("This survey takes no answers by this link now.")
        self.why = why


class PromiseChanged(Conflict):
    """The privacy that the form promised is no longer the campaign's."""

    code = "promise_changed"


class NothingAnswered(InvalidInput):
    """There is no answer in what was sent."""

    code = "nothing_answered"


def submit_response(
    *,
    link: Link,
    key: uuid.UUID,
    promised: str,
    answers: Mapping[str, Any],
    language: str,
    now: datetime,
) -> bool:
    """Store what a respondent sent; False when this very form is stored already.

    `key` is the form's own random key, `promised` the privacy that was printed on it. Publishes
    nothing: an event would tell when a single answer came in.
    raises: NotTakingAnswers, PromiseChanged, NothingAnswered, InvalidInput naming each question
    """
    codebook_of(link.campaign.version).check(answers)
    if not answers and not _is_stored(key):
        raise NothingAnswered("There is no answer yet.")
    on = local_day(now)
    response = NewResponse(
        key=key,
        answers=answers,
        unit_id=link.unit_id,
        channel_id=link.channel_id,
        segment_id=link.segment_id,
        staff_id=link.staff_id,
        answered_on=on,
        language=language,
    )
    try:
        with transaction.atomic():
            add_responses(
                campaign=link.campaign, responses=[response], origin=Response.Origin.LINK, now=now
            )
            _keep_promise(link, promised, on=on)
    except IntegrityError:
        if _is_stored(key):
            return False
        raise
    return True


def _is_stored(key: uuid.UUID) -> bool:
    return Response.objects.filter(key=key).exists()


def _keep_promise(link: Link, promised: str, *, on: date) -> None:
    """Look whether answers are taken, after this one is in and before it is committed.

    From here on nobody can change the promise: `change_mode` waits for answers that are being
    stored. raises: NotTakingAnswers, PromiseChanged
    """
    stands = standing_now(link)
    if why := stands.closed_on(on):
        raise NotTakingAnswers(why)
    if not stands.mode == promised == link.campaign.mode:
        raise PromiseChanged("The privacy of this survey was changed while you answered.")
