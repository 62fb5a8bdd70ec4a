"""Answers that other systems send: each row is checked and named, and all are taken or none."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from sqcore.base.errors import Conflict, InvalidInput, NotPermitted, Problem
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Assignment, Channel, Segment, Unit
from sqcore.org.queries import local_day
from surveys.campaigns.models import Campaign
from surveys.instruments.codebook import Codebook, codebook_of
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses

MOST_AT_ONCE = 1000
LONGEST_KEY = 120
LONGEST_ENCOUNTER = 80

_TEXTS = {
    "unit": 50, "channel": 50, "segment": 50, "staff": 30, "encounter": LONGEST_ENCOUNTER,
    "key": LONGEST_KEY, "language": 10, "answered_on": 10,
}  # fmt: skip
_LINKING = ("key", "staff", "encounter")
"""What would lead from an anonymous answer back to who gave it."""


class NotOpen(Conflict):
    """The campaign takes no answers now."""

    code = "not_taking_answers"


def receive_responses(
    *,
    campaign: Campaign,
    rows: Sequence[Mapping[str, Any]],
    by: Principal,
    now: datetime,
    in_list: bool = True,
) -> list[NewResponse]:
    """Store the rows, all or none, and return what was stored.

    A row has `unit`, `answered_on` and `answers`, and may have `channel`, `segment`, `language`
    and, unless the campaign is anonymous, `key` (the sender's own), `staff` and `encounter`. Leaves
    no audit row, which would tell when a single answer came in.

    raises: NotPermitted; NotOpen; InvalidInput naming each row (with `in_list`) and field; Conflict
    when a key is taken
    """
    by.require(Permission.SUBMIT_RESPONSES)
    if not 1 <= len(rows) <= MOST_AT_ONCE:
        raise InvalidInput(f"Send 1 to {MOST_AT_ONCE} responses at once.")
    today = local_day(now)
    _require_open(campaign, today)
    check = _Check.of(campaign, rows, by=by, today=today)
    problems = [
        Problem(problem.reason, field=problem.field, row=number if in_list else None)
        for number, row in enumerate(rows, start=1)
        for problem in check.problems(row)
    ]
    if problems:
        raise InvalidInput("Some responses cannot be taken; none was stored.", problems=problems)
    responses = [check.response(row) for row in rows]
    try:
        with transaction.atomic():
            add_responses(
                campaign=campaign, responses=responses, origin=Response.Origin.API, now=now
            )
            _keep_promise(campaign, today)
    except IntegrityError as error:
        raise Conflict("A response with one of these keys is there already.") from error
    return responses


def _require_open(campaign: Campaign, today: date) -> None:
    is_over = campaign.closes_on is not None and campaign.closes_on <= today
    if campaign.state != Campaign.State.OPEN or today < campaign.opens_on or is_over:
        raise NotOpen("This campaign takes no answers now.")


def _keep_promise(campaign: Campaign, today: date) -> None:
    """Look once more when the answers are in: nobody may have closed it or changed its privacy."""
    stored = Campaign.objects.get(pk=campaign.pk)
    _require_open(stored, today)
    if stored.mode != campaign.mode:
        raise Conflict("The privacy of this campaign was changed at this moment; look again.")


@dataclass(frozen=True)
class _Check:
    """What the rows of one request can refer to, read once for all of them."""

    campaign: Campaign
    codebook: Codebook
    today: date
    units: Mapping[str, Unit]
    channels: Mapping[str, int]
    segments: Mapping[str, int]
    staff: Mapping[tuple[str, int], list[tuple[int, date, date | None]]]
    taken: Collection[str | None]
    doubled: Collection[str]

    @classmethod
    def of(
        cls, campaign: Campaign, rows: Sequence[Mapping[str, Any]], *, by: Principal, today: date
    ) -> "_Check":
        scope = by.scope(Permission.SUBMIT_RESPONSES)
        if not scope:
            raise NotPermitted("You may not send answers for any unit.")
        units = Unit.objects.visible_to(by, Permission.SUBMIT_RESPONSES)
        keys = _named(rows, "key")
        found = {unit.code: unit for unit in units.filter(code__in=set(_named(rows, "unit")))}
        stored = Response.objects.filter(campaign=campaign, external_key__in=set(keys))
        return cls(
            campaign=campaign,
            codebook=codebook_of(campaign.version),
            today=today,
            units=found,
            channels=_ids(Channel.objects.all(), _named(rows, "channel")),
            segments=_ids(Segment.objects.all(), _named(rows, "segment")),
            staff=_assignments(set(_named(rows, "staff")), found),
            taken=frozenset(stored.values_list("external_key", flat=True)) if keys else frozenset(),
            doubled=frozenset(key for key, count in Counter(keys).items() if count > 1),
        )

    def problems(self, row: Mapping[str, Any]) -> Iterator[Problem]:
        if not isinstance(row, Mapping):
            yield Problem("must be an object")
            return
        misfits = list(_misfits(row))
        yield from misfits
        if misfits:
            return
        yield from self._privacy_problems(row)
        yield from self._place_problems(row)
        answers = row["answers"]
        if not any(answer not in (None, "") for answer in answers.values()):
            yield Problem("holds no answer", field="answers")
        for problem in self.codebook.problems(answers):
            yield Problem(problem.reason, field=f"answers.{problem.field}")

    def _privacy_problems(self, row: Mapping[str, Any]) -> Iterator[Problem]:
        if self.campaign.mode == Campaign.Mode.ANONYMOUS:
            for name in _LINKING:
                if row.get(name):
                    yield Problem("leave it out: this campaign is anonymous", field=name)
        if row.get("key") in self.taken:
            yield Problem("a response with this key is there already", field="key")
        if row.get("key") in self.doubled:
            yield Problem("stands in the list more than once", field="key")

    def _place_problems(self, row: Mapping[str, Any]) -> Iterator[Problem]:
        unit = self.units.get(row["unit"])
        if unit is None:
            yield Problem("there is no such unit, or you may not send for it", field="unit")
        for name, known in (("channel", self.channels), ("segment", self.segments)):
            if row.get(name) and row[name] not in known:
                yield Problem(f"there is no such {name}", field=name)
        languages = self.campaign.version.languages
        if row.get("language") and row["language"] not in languages:
            yield Problem(f"choose one of: {', '.join(languages)}", field="language")
        on = _day(row["answered_on"])
        if on is None:
            yield Problem("must be a day such as 2026-05-17", field="answered_on")
        elif reason := self._wrong_day(on, unit):
            yield Problem(reason, field="answered_on")
        elif unit and not self._has_staff(row, unit.pk, on):
            yield Problem("nobody of this number works at the unit that day", field="staff")

    def _wrong_day(self, on: date, unit: Unit | None) -> str:
        if on > self.today:
            return "is in the future"
        last = self.campaign.closes_on
        if on < self.campaign.opens_on or (last is not None and on >= last):
            return "is outside the days of the campaign"
        if unit and (on < unit.opened_on or (unit.closed_on is not None and on >= unit.closed_on)):
            return "is a day on which the unit was not open"
        return ""

    def _has_staff(self, row: Mapping[str, Any], unit_id: int, on: date) -> bool:
        if not row.get("staff") or self.campaign.mode == Campaign.Mode.ANONYMOUS:
            return True
        return self._staff_id(row["staff"], unit_id, on) is not None

    def _staff_id(self, number: str, unit_id: int, on: date) -> int | None:
        for staff_id, first, end in self.staff.get((number, unit_id), ()):
            if first <= on and (end is None or on < end):
                return staff_id
        return None

    def response(self, row: Mapping[str, Any]) -> NewResponse:
        unit, on = self.units[row["unit"]], date.fromisoformat(row["answered_on"])
        return NewResponse(
            answers=row["answers"],
            unit_id=unit.pk,
            answered_on=on,
            channel_id=self.channels[row["channel"]] if row.get("channel") else None,
            segment_id=self.segments[row["segment"]] if row.get("segment") else None,
            staff_id=self._staff_id(row["staff"], unit.pk, on) if row.get("staff") else None,
            language=row.get("language") or "",
            encounter_key=row.get("encounter") or "",
            external_key=row.get("key") or None,
        )


def _misfits(row: Mapping[str, Any]) -> Iterator[Problem]:
    """Name what has the wrong form: unknown and missing fields, no text where text must be."""
    for name in row:
        if name not in _TEXTS and name != "answers":
            yield Problem("is not a field of a response", field=str(name)[:60])
    for name in ("unit", "answered_on", "answers"):
        if row.get(name) in (None, "", {}):
            yield Problem("is missing", field=name)
    for name, longest in _TEXTS.items():
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            yield Problem("must be text", field=name)
        elif value is not None and len(value) > longest:
            yield Problem(f"has more than {longest} characters", field=name)
    if row.get("answers") and not isinstance(row["answers"], dict):
        yield Problem("must be an object: question → answer", field="answers")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 and text[4] == "-" else None
    except ValueError:
        return None


def _named(rows: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    values = (row.get(name) for row in rows if isinstance(row, Mapping))
    return [value for value in values if isinstance(value, str) and value]


def _ids(places: QuerySet[Any], codes: Collection[str]) -> dict[str, int]:
    if not codes:
        return {}
    return dict(places.filter(code__in=set(codes)).values_list("code", "id"))


def _assignments(
    numbers: Collection[str], units: Mapping[str, Unit]
) -> dict[tuple[str, int], list[tuple[int, date, date | None]]]:
    found: dict[tuple[str, int], list[tuple[int, date, date | None]]] = {}
    if not numbers:
        return found
    rows = Assignment.objects.filter(staff__number__in=numbers, unit__in=list(units.values()))
    for number, unit_id, staff_id, first, end in rows.order_by("id").values_list(
        "staff__number", "unit_id", "staff_id", "valid_from", "valid_to"
    ):
        found.setdefault((number, unit_id), []).append((staff_id, first, end))
    return found
