"""The answers of everybody's window, in whole batches, without those that do not count."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from sqcore.performance.batches import batches_since, whole_only, without_slivers
from sqcore.performance.sources import PERSON_SOURCES, Ints, PersonAnswers
from sqcore.performance.windows import Setting, people_of


@dataclass(frozen=True)
class Taken:
    """The answers of everybody's window: `counted` those in whole batches, in the batches `batch`;
    `all` those as well that wait for a batch, or whose batch lost one."""

    all: PersonAnswers
    counted: PersonAnswers
    batch: Ints


def answers_of(setting: Setting) -> PersonAnswers:
    """Return the answers of everybody's window, without what counts for nobody or not for them."""
    first, end = setting.first, setting.end
    starts = {row[0]: row[3] for row in setting.people if row[3] < first.isoformat()}
    parts = []
    for source in PERSON_SOURCES:
        found = [source.collect(first=first, end=end)]
        if starts:
            earliest = date.fromisoformat(min(starts.values()))
            found.append(source.collect(first=earliest, end=first, staff_ids=sorted(starts)))
        parts.append(found)
    whole = _side_by_side(parts)
    return _taken(whole, np.flatnonzero(_counts(whole, setting, starts)))


def in_batches(setting: Setting, answers: PersonAnswers, newest: int) -> Taken:
    """Leave out the answers that are in no whole batch."""
    begins = [setting.first, *(date.fromisoformat(row[3]) for row in setting.people)]
    batches = batches_since(min(begins), newest=newest)
    is_whole, place = whole_only(answers, np.ones(len(answers), dtype=np.bool_), batches)
    rows = np.flatnonzero(is_whole)
    counted, batch = _taken(answers, rows), place[rows]
    values = without_slivers(counted.values, batch)
    return Taken(answers, PersonAnswers(**{**vars(counted), "values": values}), batch)


def _taken(answers: PersonAnswers, rows: npt.NDArray[np.int64]) -> PersonAnswers:
    return PersonAnswers(
        measures=answers.measures,
        **{
            name: getattr(answers, name)[rows]
            for name in ("staff", "unit", "on", "channel", "segment", "answer", "values")
        },
        encounter=[answers.encounter[at] for at in rows.tolist()],
    )


def _side_by_side(parts: Sequence[Sequence[PersonAnswers]]) -> PersonAnswers:
    """Put the answers of all sources below one another, their measures beside one another."""
    measures = tuple(measure for found in parts for measure in found[0].measures)
    tables, pieces, place = [], [], 0
    for found in parts:
        width = len(found[0].measures)
        for piece in found:
            table = np.full((len(piece), len(measures)), np.nan)
            table[:, place : place + width] = piece.values
            tables.append(table)
            pieces.append(piece)
        place += width

    def joined(name: str, kind: Any) -> npt.NDArray[Any]:
        columns = [np.asarray(getattr(piece, name), dtype=kind) for piece in pieces]
        return np.concatenate(columns) if columns else np.zeros(0, dtype=kind)

    return PersonAnswers(
        measures=measures,
        staff=joined("staff", np.int64),
        unit=joined("unit", np.int64),
        on=joined("on", "datetime64[D]"),
        channel=joined("channel", np.int64),
        segment=joined("segment", np.int64),
        encounter=[key for piece in pieces for key in piece.encounter],
        answer=joined("answer", np.uint64),
        values=np.concatenate(tables) if tables else np.zeros((0, len(measures))),
    )


def _counts(
    answers: PersonAnswers, setting: Setting, starts: Mapping[int, str]
) -> npt.NDArray[np.bool_]:
    people = people_of(setting)
    code = people.code_of(answers.staff)
    counts: npt.NDArray[np.bool_] = code >= 0
    if starts:
        begins = np.array([row[3] for row in setting.people], dtype="datetime64[D]")
        counts &= answers.on >= begins[code.clip(min=0)]
    counts &= ~which_are_about(answers, set(setting.excluded))
    if setting.outage_keys:
        down = set(setting.outage_keys)
        counts &= ~np.fromiter((key in down for key in answers.encounter), bool, len(answers))
    return counts


def which_are_about(
    answers: PersonAnswers, pairs: Collection[tuple[int, str]]
) -> npt.NDArray[np.bool_]:
    """Return which answers are about one of these pairs of staff and encounter."""
    found = np.zeros(len(answers), dtype=np.bool_)
    keys = {key for _staff, key in pairs}
    for at in [at for at, key in enumerate(answers.encounter) if key in keys] if keys else []:
        found[at] = (int(answers.staff[at]), answers.encounter[at]) in pairs
    return found
