"""The same for several people at once: each stands alone, and what is refused says why."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqcore.base.errors import DomainError
from sqcore.identity.principals import Principal
from training.enrolments.models import Enrolment
from training.enrolments.services import enrol, record_attempt


@dataclass(frozen=True)
class Outcomes:
    """Who it was done for, with what came of it, and who was refused, with the reason; by the ids
    that came in."""

    done: dict[int, object]
    refused: dict[int, str]

    def enrolled(self, state: str) -> int:
        return sum(isinstance(row, Enrolment) and row.state == state for row in self.done.values())


def enrol_several(
    *, session_id: int, staff_ids: Sequence[int], origin: str, by: Principal, now: datetime
) -> Outcomes:
    """Enrol these people, one transaction each: who is refused keeps nobody else out."""

    def one(staff_id: int) -> object:
        return enrol(session_id=session_id, staff_id=staff_id, origin=origin, by=by, now=now)

    return _each(sorted(set(staff_ids)), one)


def record_attempts(
    *, scores: dict[int, Decimal], kind: str, on: date, by: Principal, now: datetime
) -> Outcomes:
    """Keep a result for each of these enrolments, one transaction each."""

    def one(enrolment_id: int) -> object:
        return record_attempt(
            enrolment_id=enrolment_id, kind=kind, score=scores[enrolment_id], on=on, by=by, now=now
        )

    return _each(sorted(scores), one)


def _each(ids: Iterable[int], call: Callable[[int], object]) -> Outcomes:
    done: dict[int, object] = {}
    refused: dict[int, str] = {}
    for found in ids:
        try:
            done[found] = call(found)
        except DomainError as refusal:
            refused[found] = refusal.message
    return Outcomes(done, refused)
