"""Everything that is published, as sets of people, and what linear algebra makes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations, product

import numpy as np

from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.evaluation.rules import HELD
from sqcore.indicators.definition import COMPOSITE
from sqcore.tests.evaluation.bank import Answer, MemorySource

People = frozenset[int]


@dataclass(frozen=True)
class Shown:
    """A figure that was shown, and the people behind it."""

    run: EvaluationRun
    unit_id: int
    margin: str
    value: str
    people: People

    @property
    def place(self) -> tuple[int, str, str]:
        return self.unit_id, self.margin, self.value


def everything_shown(source: MemorySource, code: str) -> list[Shown]:
    """Return every figure of this code that was ever shown, in any revision.

    The people behind one that is held are those of the figure that was shown before.
    """
    found: list[Shown] = []
    for run in EvaluationRun.objects.filter(state="published").order_by("id"):
        before = {
            shown.place: shown.people
            for shown in found
            if (shown.run.grain, shown.run.starts_on) == (run.grain, run.starts_on)
        }
        for row in KpiValue.objects.filter(run=run, code=code, status="ok").order_by("id"):
            place = (row.unit_id, row.margin, row.margin_value)
            held = row.reason == HELD
            people = before[place] if held else frozenset(_people(source, run, row, code))
            assert row.n == len(people)
            found.append(Shown(run, *place, people))
    return found


def published_sets(source: MemorySource, code: str) -> set[People]:
    return {shown.people for shown in everything_shown(source, code)}


def small_differences(source: MemorySource, code: str, *, k: int) -> list[People]:
    """Return groups of 1 to k-1 people that one subtraction gives: of two figures, of a unit and
    its units, of all and the channels or segments, of a period and the periods within it."""
    figures = everything_shown(source, code)
    found = [
        a.people - b.people
        for a in figures
        for b in figures
        if b.people < a.people and len(a.people - b.people) < k and _is_part(b, a)
    ]
    for whole in figures:
        for parts in _partitions(whole, figures):
            together = frozenset[int]().union(*(part.people for part in parts))
            if together < whole.people and len(whole.people - together) < k:
                found.append(whole.people - together)
    return found


def _is_part(part: Shown, whole: Shown) -> bool:
    """Whether one sees, without knowing the people, that they are among those of the whole."""
    return (
        whole.run.starts_on <= part.run.starts_on
        and part.run.ends_on <= whole.run.ends_on
        and part.unit_id in _below(whole.run, whole.unit_id)
        and (whole.margin, whole.value) in (("", ""), (part.margin, part.value))
    )


def _partitions(whole: Shown, figures: list[Shown]) -> Iterator[list[Shown]]:
    beside = [shown for shown in figures if shown.run == whole.run]
    parents = {int(unit): parent for unit, parent in whole.run.tree.items()}
    yield [
        shown
        for shown in beside
        if parents[shown.unit_id] == whole.unit_id
        and (shown.margin, shown.value) == (whole.margin, whole.value)
    ]
    for margin in ("channel", "segment"):
        if not whole.margin:
            yield [s for s in beside if (s.unit_id, s.margin) == (whole.unit_id, margin)]
    for grain in ("month", "quarter"):
        inside: dict[date, list[Shown]] = {}
        for shown in figures:
            within = (
                whole.run.starts_on <= shown.run.starts_on
                and shown.run.ends_on <= whole.run.ends_on
                and shown.run.grain == grain != whole.run.grain
            )
            if within and shown.place == whole.place:
                inside.setdefault(shown.run.starts_on, []).append(shown)
        for chosen in product(*inside.values()):
            yield [each for each in chosen if each.people <= whole.people]


def _people(source: MemorySource, run: EvaluationRun, row: KpiValue, code: str) -> Iterator[int]:
    assert run.collected_at is not None
    below = _below(run, row.unit_id)
    for number, answer in enumerate(source.answers):
        if (
            _known(answer, run.collected_at)
            and run.starts_on <= answer.on < run.ends_on
            and answer.unit_id in below
            and (not row.margin or getattr(answer, row.margin) == row.margin_value)
            and (code == COMPOSITE or code in answer.values)
        ):
            yield number


def _known(answer: Answer, at: datetime) -> bool:
    return answer.came_at <= at


def _below(run: EvaluationRun, unit_id: int) -> set[int]:
    parents = {int(unit): parent for unit, parent in run.tree.items()}
    found = set()
    for unit in parents:
        at: int | None = unit
        while at is not None:
            if at == unit_id:
                found.add(unit)
            at = parents[at]
    return found


def small_groups(sets: set[People], *, k: int) -> list[People]:
    """Return groups of 1 to k-1 people whose sum follows, by any equations, from these sets.

    Respondents who are in exactly the same sets are one class: nothing tells them apart. Looks at
    every class and every pair and triple of classes that is small enough.
    """
    ordered = sorted(sets, key=lambda people: (len(people), sorted(people)))
    everybody = sorted(frozenset().union(*ordered))
    classes: dict[tuple[bool, ...], list[int]] = {}
    for person in everybody:
        classes.setdefault(tuple(person in people for people in ordered), []).append(person)
    names = list(classes)
    table = np.array(names, dtype=np.float64).T
    _rows, values, across = np.linalg.svd(table, full_matrices=True)
    rank = int((values > 1e-9).sum())
    null = across[rank:]
    small = [at for at, name in enumerate(names) if len(classes[name]) < k]
    found = []
    for size in (1, 2, 3):
        for chosen in combinations(small, size):
            people = [person for at in chosen for person in classes[names[at]]]
            if len(people) < k and (np.abs(null[:, list(chosen)].sum(axis=1)) < 1e-8).all():
                found.append(frozenset(people))
    return found
