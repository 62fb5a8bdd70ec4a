"""Answers enter results in batches, whole or not at all, so that nobody can subtract single ones.

Two results of a person differ by whole batches: of the next month's answers, of those too old, of
those whose batch lost one. A batch keeps its members for good; with one of them that is withdrawn,
corrected, or of an encounter that does not count, all of it stands aside.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from django.db import connection

from sqcore.base.prepared import PreparedInsert
from sqcore.performance.models import SMALLEST_BATCH, AnswerBatch, ResultsPolicy
from sqcore.performance.sources import Days, Ints, Keys, PersonAnswers

Bools = npt.NDArray[np.bool_]
NOWHERE = -1
_MEMBER = np.dtype(">u8")


@dataclass(frozen=True)
class Batches:
    """Batches as columns (B,), and their members (M,) in the order of their numbers."""

    pk: Ints
    staff: Ints
    family: tuple[str, ...]
    first_on: Days
    until: Days
    size: Ints
    member: Keys
    of: Ints
    """The place of the batch of each member."""

    def __len__(self) -> int:
        return len(self.pk)

    def place_of(self, answer: Keys, staff: Ints) -> Ints:
        """Return the place of the batch that each of these answers is in; -1: in none."""
        if not len(self.member):
            return np.full(len(answer), NOWHERE, dtype=np.int64)
        at = np.searchsorted(self.member, answer).clip(max=len(self.member) - 1)
        place = self.of[at]
        is_there = (self.member[at] == answer) & (self.staff[place] == staff)
        return np.where(is_there, place, NOWHERE)

    def missing_of(self, place: Ints) -> Ints:
        """Return how many members of each batch are not among answers at these places."""
        return self.size - np.bincount(place[place >= 0], minlength=len(self))


def batches_since(
    first: date, *, staff_ids: Collection[int] | None = None, newest: int | None = None
) -> Batches:
    """Return the batches with answers of this day or later.

    newest: none that was made after the one with this id
    """
    rows = AnswerBatch.objects.filter(until__gte=first)
    if staff_ids is not None:
        rows = rows.filter(staff__in=staff_ids)
    if newest is not None:
        rows = rows.filter(pk__lte=newest)
    fields = ("pk", "staff_id", "family", "first_on", "until", "members")
    found = list(rows.order_by("pk").values_list(*fields))
    pk, staff, family, first_on, until, members = (
        zip(*found, strict=True) if found else ((), (), (), (), (), ())
    )
    packed = [bytes(each) for each in members]
    size = np.array([len(each) // _MEMBER.itemsize for each in packed], dtype=np.int64)
    member = np.frombuffer(b"".join(packed), dtype=_MEMBER).astype(np.uint64)
    order = np.argsort(member, kind="stable")
    return Batches(
        pk=np.array(pk, dtype=np.int64),
        staff=np.array(staff, dtype=np.int64),
        family=tuple(family),
        first_on=np.array(first_on, dtype="datetime64[D]"),
        until=np.array(until, dtype="datetime64[D]"),
        size=size,
        member=member[order],
        of=np.repeat(np.arange(len(size)), size)[order],
    )


def newest_batch() -> int:
    """Return the id of the batch that was made last; 0 before the first."""
    return AnswerBatch.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def whole_only(answers: PersonAnswers, counts: Bools, batches: Batches) -> tuple[Bools, Ints]:
    """Return which answers are in a batch of which all count, and the place of its batch.

    counts: shape (N,), which of the answers count by themselves
    """
    place = batches.place_of(answers.answer, answers.staff)
    place[~counts] = NOWHERE
    if not len(batches):
        return np.zeros(len(place), dtype=np.bool_), place
    is_whole = batches.missing_of(place) == 0
    return (place >= 0) & is_whole[place.clip(min=0)], place


def without_slivers(values: npt.NDArray[np.float64], place: Ints) -> npt.NDArray[np.float64]:
    """Return the values of answers in batches, but none by a measure that fewer than five answers
    of the batch are about."""
    size = int(place.max(initial=-1)) + 1
    found = values.copy()
    for column in found.T:
        there = ~np.isnan(column)
        few = np.bincount(place[there], minlength=size) < SMALLEST_BATCH
        column[few[place]] = np.nan
    return found


def with_batchmates(marked: Bools, place: Ints) -> Bools:
    """Return which answers are in one batch with one that is marked."""
    touched = np.unique(place[marked])
    return np.isin(place, touched)


# ---- Making batches ------------------------------------------------------------------------------
def make_batches(answers: PersonAnswers, *, least: int, now: datetime) -> None:
    """Put the answers that are in no batch yet into batches, person by person in their order.

    Fewer new ones than a batch wait for more. Runs in the transaction of the caller.
    """
    if not len(answers):
        return
    # One after the other: no answer is ever in two batches.
    ResultsPolicy.objects.select_for_update(of=("self",)).order_by("pk").first()
    known = batches_since(answers.on.min().item())
    new = np.flatnonzero(known.place_of(answers.answer, answers.staff) == NOWHERE)
    made = connection.ops.adapt_datetimefield_value(now)
    insert = _inserter()
    rows = _made(answers, new, least=least, made_at=made)
    insert.insert_values([[row[name] for name in insert.names] for row in rows])


@cache
def _inserter() -> PreparedInsert:
    return PreparedInsert(AnswerBatch)


def families_of(answers: PersonAnswers) -> list[str]:
    """Return the family of each measure: the first part of its key."""
    return [measure.key.partition("/")[0] for measure in answers.measures]


def _made(
    answers: PersonAnswers, rows: Ints, *, least: int, made_at: object
) -> Iterator[dict[str, object]]:
    """Yield the batches of these answers, as columns of their table that a database takes."""
    adapted = connection.ops.adapt_datefield_value
    names = families_of(answers)
    for family in sorted(set(names)):
        columns = [at for at, name in enumerate(names) if name == family]
        there = ~np.isnan(answers.values[np.ix_(rows, np.array(columns))])
        here = rows[there.any(axis=1)]
        order = np.lexsort((answers.answer[here], answers.on[here], answers.staff[here]))
        here, there = here[order], there[there.any(axis=1)][order]
        month = answers.on[here].astype("datetime64[M]")
        edges = [0, *(np.flatnonzero(np.diff(answers.staff[here])) + 1).tolist(), len(here)]
        for start, end in pairwise(edges):
            for first, last in cut(there[start:end], month[start:end], least):
                members = here[start + first : start + last]
                yield {
                    "staff_id": int(answers.staff[members[0]]),
                    "family": family,
                    "first_on": adapted(answers.on[members[0]].item()),
                    "until": adapted(answers.on[members[-1]].item()),
                    "members": answers.answer[members].astype(_MEMBER).tobytes(),
                    "made_at": made_at,
                }


def cut(there: Bools, month: Days, least: int) -> list[tuple[int, int]]:
    """Return where batches of these answers begin and end.

    there: shape (N, measures), what each answer says something by; month: shape (N,), in order

    Windows begin with a month, so batches do, too, where a month has answers enough: then none is
    lost to a window that begins within its batch. Fewer than a batch at the end go into the last
    one; fewer than a batch in all wait.
    """
    ends = [*(np.flatnonzero(month[1:] != month[:-1]) + 1).tolist(), len(there)]
    edges = [0]
    for end in ends:
        if end - edges[-1] >= least:
            edges.append(end)
    edges[-1] = len(there) if len(edges) > 1 else 0
    return [
        (start + first, start + last)
        for start, end in pairwise(edges)
        for first, last in _cut_evenly(there[start:end], least)
    ]


def _cut_evenly(there: Bools, least: int) -> list[tuple[int, int]]:
    """Cut a batch or more into batches.

    Where all of them answered by every measure they are about equally large. Else a batch ends as
    soon as it is full by every measure that it says anything by, or twice as large as it must be,
    and what is left over goes into the last one.
    """
    if there.all():
        batches = len(there) // least
        return list(pairwise(len(there) * at // batches for at in range(batches + 1)))
    found: list[tuple[int, int]] = []
    first = 0
    while first + least <= len(there):
        last = first + least
        while last < min(first + 2 * least, len(there)):
            have = there[first:last].sum(axis=0)
            if ((have == 0) | (have >= least)).all():
                break
            last += 1
        found.append((first, last))
        first = last
    found[-1] = (found[-1][0], len(there))
    return found
