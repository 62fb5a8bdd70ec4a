"""Everything that is published, as sets of people, and what linear algebra makes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations, product

import numpy as np

from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.evaluation.rules import HELD
from sqcore.indicators.definition import COMPOSITE
from sqcore.stats.arrays import BoolArray, FloatArray
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
    origin: EvaluationRun
    """The run that computed it; another one than `run` where it is held."""

    @property
    def place(self) -> tuple[int, str, str]:
        return self.unit_id, self.margin, self.value


def everything_shown(source: MemorySource, code: str) -> list[Shown]:
    """Return every figure of this code that was ever shown, in any revision.

    The people behind one that is held are those of the figure that was shown before. A score
    without any opinion in it (its n is 0) has nobody behind it.
    """
    found: list[Shown] = []
    for run in EvaluationRun.objects.filter(state="published").order_by("id"):
        before = {
            shown.place: shown
            for shown in found
            if (shown.run.grain, shown.run.starts_on) == (run.grain, run.starts_on)
        }
        for row in KpiValue.objects.filter(run=run, code=code, status="ok").order_by("id"):
            if row.n == 0:
                continue
            place = (row.unit_id, row.margin, row.margin_value)
            if row.reason == HELD:
                people, origin = before[place].people, before[place].origin
            else:
                people, origin = frozenset(_people(source, run, row, code)), run
            assert row.n == len(people)
            found.append(Shown(run, *place, people, origin))
    return found


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


def computed_groups(source: MemorySource, code: str, *, k: int) -> list[str]:
    """Return the places of 1 to k-1 people whose sum follows, by any equations, from all figures.

    Who looks knows the structure (units, channels, segments, months, when answers came in), not
    who is where: two figures that happen to cover the same people are not known to.
    """
    atoms = _Atoms(source, code)
    shown = np.unique([atoms.of(figure) for figure in everything_shown(source, code)], axis=0)
    _left, size, across = np.linalg.svd(shown.astype(np.float64), full_matrices=False)
    known = across[size > 1e-8]
    names, places = atoms.small_places(k)
    left = places - places @ known.T @ known
    return [name for name, rest in zip(names, left, strict=True) if np.abs(rest).max() < 1e-7]


class _Atoms:
    """The finest cells there are: own unit x channel x segment x month x arrival."""

    def __init__(self, source: MemorySource, code: str) -> None:
        answers = source.answers
        self.arrivals = sorted({answer.came_at for answer in answers})
        self.months = sorted({answer.on.month for answer in answers})
        self.values = {
            "channel": sorted({answer.channel for answer in answers}),
            "segment": sorted({answer.segment for answer in answers}),
        }
        self.units = sorted({answer.unit_id for answer in answers})
        names = list(
            product(
                self.units,
                self.values["channel"],
                self.values["segment"],
                self.months,
                self.arrivals,
            )
        )
        self.unit, self.channel, self.segment, self.month, self.arrival = (
            np.array(column) for column in zip(*names, strict=True)
        )
        at = {name: place for place, name in enumerate(names)}
        self.people = np.zeros(len(names), dtype=np.int64)
        for a in answers:
            if code == COMPOSITE or code in a.values:
                self.people[at[a.unit_id, a.channel, a.segment, a.on.month, a.came_at]] += 1

    def of(self, figure: Shown) -> BoolArray:
        run = figure.origin
        within = self._place(_below(run, figure.unit_id), figure.margin, figure.value)
        first, last = run.starts_on.month, (run.ends_on - timedelta(days=1)).month
        inside: BoolArray = (
            within
            & (self.month >= first)
            & (self.month <= last)
            & (self.arrival <= run.collected_at)
        )
        return inside

    def _place(self, units: set[int], margin: str, value: str) -> BoolArray:
        within: BoolArray = np.isin(self.unit, list(units))
        return within & (getattr(self, margin) == value) if margin else within

    def small_places(self, k: int) -> tuple[list[str], FloatArray]:
        """Every unit, own or with those below, by margin, month(s) and run of arrivals."""
        run = EvaluationRun.objects.filter(is_current=True).order_by("-id")[0]
        groups = {frozenset(_below(run, int(unit))) for unit in run.tree}
        groups |= {frozenset({unit}) for unit in self.units}
        margins = [("", ""), *((m, v) for m, values in self.values.items() for v in values)]
        spans = [[month] for month in self.months] + [self.months]
        names, places = [], []
        for units, (margin, value), months in product(sorted(groups, key=sorted), margins, spans):
            within = self._place(set(units), margin, value) & np.isin(self.month, months)
            for first, last in combinations(range(len(self.arrivals) + 1), 2):
                place = within & np.isin(self.arrival, np.array(self.arrivals[first:last]))
                if 0 < self.people[place].sum() < k:
                    names.append(f"{sorted(units)} {margin}{value} {months} {first}-{last}")
                    places.append(place.astype(np.float64))
        return names, np.array(places).reshape(len(places), len(self.people))
