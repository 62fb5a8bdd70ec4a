"""What proves that somebody passed a course. Higher rooms that hold proofs register theirs."""

from collections.abc import Collection
from datetime import date
from typing import Protocol

from sqcore.base.registry import Registry
from training.enrolments.models import Enrolment

Passed = set[tuple[int, int]]
"""Pairs of staff member and course."""


class Proof(Protocol):
    @property
    def key(self) -> str: ...

    def passed(self, staff_ids: Collection[int], course_ids: Collection[int], on: date) -> Passed:
        """Return who of these has passed which of these, as it stands on this day."""
        ...


PROOFS: Registry[Proof] = Registry("proofs of a passed course")


class PassedSessions:
    """A session was passed, whenever, of a version that gives no certificate: where there is one,
    that decides."""

    key = "sessions"

    def passed(self, staff_ids: Collection[int], course_ids: Collection[int], on: date) -> Passed:
        rows = Enrolment.objects.filter(
            state=Enrolment.State.PASSED,
            concluded_on__lte=on,
            session__version__certifies=False,
            staff__in=staff_ids,
            session__version__course__in=course_ids,
        )
        return set(rows.values_list("staff_id", "session__version__course_id"))


def has_passed(staff_ids: Collection[int], course_ids: Collection[int], *, on: date) -> Passed:
    """Return who of these has passed which of these: here, elsewhere, or by a certificate."""
    found: Passed = set()
    if course_ids:
        for proof in PROOFS:
            found |= proof.passed(staff_ids, course_ids, on)
    return found
