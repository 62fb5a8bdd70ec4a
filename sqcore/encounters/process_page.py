"""What the page of the process map shows: the map in words, its drawing, its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.periods import Period, title_of
from sqcore.base.text import number
from sqcore.encounters.drawing import Drawing, Move, Stop, draw
from sqcore.encounters.process import (
    GRAINS,
    MOST_READ,
    NO_COMPARISON,
    Asked,
    Chosen,
    Reading,
    choose,
    read,
    stages_named,
)
from sqcore.encounters.process_tables import Line, in_order, move_lines, other_moves, stage_lines
from sqcore.encounters.process_words import Names, bottleneck_sentence, duration, percent
from sqcore.identity.principals import Principal
from sqcore.stats.process import FEWEST_CASES

MOST_PATHS = 8
MOST_STRETCHES = 5
OFTEN_AT_ONCE = 0.05
"""From this share of overlapping moves on the page says what they mean."""


@dataclass(frozen=True)
class PathLine:
    stages: list[str]
    n: str
    share: str
    coverage: str


@dataclass(frozen=True)
class Stretch:
    """A stage or a wait with its share of the time, in percent."""

    name: str
    share: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True)
class Select:
    """A choice of the filter bar."""

    name: str
    label: str
    options: list[tuple[str, str]]
    value: str


@dataclass(frozen=True)
class ProcessPage:
    chosen: Chosen
    reading: Reading
    before: Reading | None
    names: Names

    @property
    def title(self) -> str:
        return self.chosen.title

    @property
    def is_empty(self) -> bool:
        return not self.reading.found.cases

    @property
    def selects(self) -> list[Select]:
        return _selects(self.chosen)

    @property
    def grains(self) -> list[tuple[str, str, bool]]:
        """(grain, title, is it the current one)"""
        current = self.chosen.period.grain
        return [(grain.value, str(grain.label), grain == current) for grain in GRAINS]

    @property
    def periods(self) -> list[tuple[str, str]]:
        listed = self.chosen.listed
        shown = listed if self.chosen.period in listed else [self.chosen.period, *listed]
        return [(period.key, title_of(period)) for period in shown]

    @property
    def earlier(self) -> Period | None:
        return self._beside(1)

    @property
    def later(self) -> Period | None:
        return self._beside(-1)

    def _beside(self, step: int) -> Period | None:
        listed = self.chosen.listed
        at = listed.index(self.chosen.period) + step if self.chosen.period in listed else -1
        return listed[at] if 0 <= at < len(listed) else None

    @property
    def before_title(self) -> str:
        return title_of(self.before.period) if self.before else ""

    @property
    def bottleneck(self) -> str:
        return bottleneck_sentence(self.reading, self.names)

    @property
    def is_clear(self) -> bool:
        most = self.reading.bottleneck
        return most is not None and most.is_clear

    @cached_property
    def drawing(self) -> Drawing:
        return _drawing(self.reading, self.names)

    @property
    def description(self) -> str:
        """The map for those who do not see it; the tables have all of its numbers."""
        return _(
            "Stages from the arrival at the top to the leaving at the bottom, with the moves "
            "between them. %(bottleneck)s The tables below have the same numbers."
        ) % {"bottleneck": self.bottleneck}

    @property
    def shown_flow(self) -> str:
        return percent(self.reading.drawn.flow, 0)

    @property
    def is_thinned(self) -> bool:
        return not bool(self.reading.drawn.edges.all())

    @property
    def stretches(self) -> list[Stretch]:
        """Where most of the time goes, the largest share first."""
        return [
            Stretch(
                self.names.of(self.reading, one),
                100 * one.share,
                100 * one.low if one.low > 0 else None,
                100 * one.high if one.low > 0 else None,
                percent(one.share, 0),
            )
            for one in self.reading.stretches[:MOST_STRETCHES]
        ]

    @cached_property
    def stages(self) -> list[Line]:
        return stage_lines(self.reading, self.before, self.names)

    @cached_property
    def moves(self) -> list[Line]:
        return move_lines(self.reading, self.before, self.names)

    @property
    def other_moves(self) -> str:
        return other_moves(self.reading)

    @property
    def paths(self) -> list[PathLine]:
        return [
            PathLine(
                stages=[self.names.stage(self.reading.code(stage)) for stage in path.path],
                n=number(path.n, 0),
                share=percent(path.share, 1),
                coverage=percent(path.coverage, 0),
            )
            for path in self.reading.shown_paths[:MOST_PATHS]
        ]

    @property
    def other_paths(self) -> str:
        shown = self.reading.shown_paths[:MOST_PATHS]
        rest = self.reading.found.cases - sum(path.n for path in shown)
        if not rest:
            return ""
        return ngettext(
            "%(n)s encounter took another path.", "%(n)s encounters took other paths.", rest
        ) % {"n": number(rest, 0)}

    @property
    def compared(self) -> str:
        """How many times were compared, and how many chance alone would call clear."""
        changes = [line.change for line in (*self.stages, *self.moves) if line.change]
        if not changes:
            return ""
        clear = sum(change.is_clear for change in changes)
        return _(
            "%(clear)s of %(compared)s mean times changed clearly since %(since)s; if nothing had "
            "changed, chance alone would give about %(chance)s."
        ) % {
            "clear": clear,
            "compared": len(changes),
            "since": self.before_title,
            "chance": number(0.05 * len(changes), 1),
        }

    @property
    def sure(self) -> str:
        return _(
            "95 %% intervals from the spread between encounters. The bottleneck is the stage or "
            "the wait on which the largest share of the customers' time goes; it is called clear "
            "when its interval lies above that of the second, in at least %(fewest)s encounters."
        ) % {"fewest": FEWEST_CASES}

    @property
    def source(self) -> str:
        reading = self.reading
        parts = [
            ngettext("%(n)s encounter.", "%(n)s encounters.", reading.encounters)
            % {"n": number(reading.encounters, 0)}
        ]
        if reading.is_cut:
            parts.append(
                _("There are more; these are the latest %(most)s of the period.")
                % {"most": number(MOST_READ, 0)}
            )
        if reading.without_stages:
            parts.append(
                ngettext(
                    "%(n)s of them has no stages.",
                    "%(n)s of them have no stages.",
                    reading.without_stages,
                )
                % {"n": number(reading.without_stages, 0)}
            )
        parts.append(
            _("Moves and paths of fewer than %(k)s encounters are not told apart.")
            % {"k": reading.smallest_group}
        )
        return " ".join(parts)

    @property
    def notes(self) -> list[str]:
        """What the reader must know of this map to read it rightly."""
        edges, found = self.reading.found.edges, []
        if edges.untimed.sum():
            found.append(
                _(
                    "The end of some stages is not recorded: the wait after them runs from their "
                    "start, so that it contains the stage itself."
                )
            )
        if self.reading.share_at_once >= OFTEN_AT_ONCE:
            found.append(
                _(
                    "In %(share)s of the moves the next stage began before the last was over. "
                    "Stages done at the same time appear in the order of their start; an arrow "
                    "there and one back need not be rework."
                )
                % {"share": percent(self.reading.share_at_once, 0)}
            )
        return found


def process_page(*, principal: Principal, asked: Asked, now: datetime) -> ProcessPage | None:
    """Return the page; None while there is no encounter where the asker may look.

    raises: as `choose`
    """
    chosen = choose(principal=principal, asked=asked, now=now)
    if chosen is None:
        return None
    reading = read(chosen)
    before = read(chosen, chosen.against) if chosen.against and reading.found.cases else None
    codes = {*reading.codes, *(before.codes if before else ())}
    return ProcessPage(chosen, reading, before, Names(stages_named(codes)))


# The drawing ------------------------------------------------------------------------------------


def _drawing(reading: Reading, names: Names) -> Drawing:
    found, most = reading.found, reading.bottleneck
    drawn = reading.drawn.edges
    linked = {*found.edges.source[drawn].tolist(), *found.edges.target[drawn].tolist()}
    ordered = [stage for stage in in_order(reading, names) if stage in linked]
    badge = _("Bottleneck")
    stops = [Stop("arrival", _("Arrival: %(n)s") % {"n": number(found.cases, 0)})]
    for stage in ordered:
        marked = most is not None and most.is_clear and most.stage == stage
        stops.append(_stop(reading, stage, names, badge if marked else ""))
    stops.append(Stop("leaving", _("Leaving")))
    place = {stage: number for number, stage in enumerate(ordered, start=1)}
    place |= {found.arrival: 0, found.leaving: len(ordered) + 1}
    moves = []
    for edge in reading.edges:
        if reading.drawn.edges[edge]:
            marked = most is not None and most.is_clear and most.edge == edge
            moves.append(_move(reading, edge, names, place, badge if marked else ""))
    return draw(stops, moves)


def _stop(reading: Reading, stage: int, names: Names, badge: str) -> Stop:
    stages, code = reading.found.stages, reading.code(stage)
    n, took = number(int(stages.n[stage]), 0), duration(stages.handling.median[stage])
    share = float(stages.repeated[stage] / stages.cases[stage])
    name = names.stage(code)
    note = f"{n} · {took}" if stages.handling.n[stage] else n
    return Stop(
        key=f"stage-{stage}",
        name=name,
        note=note,
        again=_("again in %(share)s") % {"share": percent(share, 1)} if share >= 0.001 else "",
        band=str(names.phase(code).label),
        badge=badge,
        title=f"{name}: {note}",
    )


def _move(reading: Reading, edge: int, names: Names, place: Mapping[int, int], badge: str) -> Move:
    edges = reading.found.edges
    n, took = number(int(edges.n[edge]), 0), ""
    if edges.wait.n[edge]:
        took = duration(edges.wait.median[edge])
    return Move(
        source=place[int(edges.source[edge])],
        target=place[int(edges.target[edge])],
        n=int(edges.n[edge]),
        label=n,
        time=took,
        badge=badge,
        title=f"{names.move(reading, edge)}: {n} · {took}" if took else "",
    )


# Choices ----------------------------------------------------------------------------------------


def _selects(chosen: Chosen) -> list[Select]:
    asked = chosen.asked
    units = [(unit.code, "\u2003" * depth + str(unit)) for unit, depth in chosen.units]
    labels = {"channel": _("Channel"), "segment": _("Segment"), "service": _("Service")}
    found = []
    if len(units) > 1:
        found.append(Select("unit", _("Unit"), [("", _("All units")), *units], asked.unit))
    for kind, parts in chosen.parts.items():
        if parts:
            options = [("", _("All")), *((part.code, str(part)) for part in parts)]
            found.append(Select(kind, labels[kind], options, getattr(asked, kind)))
    found.append(Select("against", _("Compare with"), _against(chosen), asked.against))
    return found


def _against(chosen: Chosen) -> list[tuple[str, str]]:
    others = [period for period in chosen.listed if period != chosen.period]
    return [
        ("", _("the period before")),
        (NO_COMPARISON, _("nothing")),
        *((period.key, title_of(period)) for period in others),
    ]
