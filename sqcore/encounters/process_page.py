"""What the page of the process map shows: the map in words, its drawing, its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.periods import Period, title_of
from sqcore.base.text import in_language, number
from sqcore.encounters.drawing import Drawing, Move, Stop, draw
from sqcore.encounters.models import Stage
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
from sqcore.identity.principals import Principal
from sqcore.stats.differences import Bounded, difference
from sqcore.stats.process import FEWEST_CASES, Bottleneck, Times

MOST_PATHS = 8
MOST_STRETCHES = 5
SECONDS = {"min": 60.0, "h": 3600.0, "d": 86_400.0}
OFTEN_AT_ONCE = 0.05
"""From this share of overlapping moves on the page says what they mean."""


@dataclass(frozen=True)
class Change:
    """What became of a mean time since the period compared with."""

    before: str
    by: float
    text: str
    between: str
    is_clear: bool
    is_wait: bool

    @property
    def tone(self) -> str:
        """Less waiting is better; less handling need not be."""
        if not (self.is_clear and self.is_wait):
            return ""
        return "good" if self.by < 0 else "bad"

    @property
    def verdict(self) -> str:
        return _("clear change") if self.is_clear else _("no clear change")


@dataclass(frozen=True)
class Line:
    """A stage or a move in a table; texts, empty where it is not known."""

    key: str
    name: str
    phase: str
    n: str
    cases: str
    again: str
    median: str
    mean: str
    between: str
    p90: str
    share: str
    is_bottleneck: bool
    change: Change | None


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
    names: "Names"

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
        return _percent(self.reading.drawn.flow, 0)

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
                _percent(one.share, 0),
            )
            for one in self.reading.stretches[:MOST_STRETCHES]
        ]

    @cached_property
    def stages(self) -> list[Line]:
        return _stage_lines(self.reading, self.before, self.names)

    @cached_property
    def moves(self) -> list[Line]:
        return _move_lines(self.reading, self.before, self.names)

    @property
    def other_moves(self) -> str:
        return _other_moves(self.reading)

    @property
    def paths(self) -> list[PathLine]:
        return [
            PathLine(
                stages=[self.names.stage(self.reading.code(stage)) for stage in path.path],
                n=number(path.n, 0),
                share=_percent(path.share, 1),
                coverage=_percent(path.coverage, 0),
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
                % {"share": _percent(self.reading.share_at_once, 0)}
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
    if before is not None and before.is_withheld:
        before = None
    codes = {*reading.codes, *(before.codes if before else ())}
    return ProcessPage(chosen, reading, before, Names(stages_named(codes)))


# Words ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Names:
    """The names of stages, waits and phases in the reader's language."""

    known: Mapping[str, Stage]

    def stage(self, code: str) -> str:
        return in_language(self.known[code].name) if code in self.known else code

    def phase(self, code: str) -> Stage.Phase:
        return Stage.Phase(self.known[code].phase) if code in self.known else Stage.Phase.EXECUTION

    def move(self, reading: Reading, edge: int) -> str:
        edges, found = reading.found.edges, reading.found
        source, target = int(edges.source[edge]), int(edges.target[edge])
        if source == found.arrival:
            return _("Arrival → %(stage)s") % {"stage": self.stage(reading.code(target))}
        if target == found.leaving:
            return _("%(stage)s → leaving") % {"stage": self.stage(reading.code(source))}
        return _("%(source)s → %(target)s") % {
            "source": self.stage(reading.code(source)),
            "target": self.stage(reading.code(target)),
        }

    def of(self, reading: Reading, one: Bottleneck) -> str:
        if one.stage is not None:
            return self.stage(reading.code(one.stage))
        return self.move(reading, one.edge or 0)

    def stretch(self, reading: Reading, most: Bottleneck) -> str:
        """A stage or a wait inside a sentence."""
        if most.stage is not None:
            return _("the stage “%(stage)s”") % {"stage": self.stage(reading.code(most.stage))}
        edges, edge = reading.found.edges, most.edge or 0
        source, target = int(edges.source[edge]), int(edges.target[edge])
        to = self.stage(reading.code(target))
        if source == reading.found.arrival:
            return _("the wait before “%(stage)s”") % {"stage": to}
        parts = {"source": self.stage(reading.code(source)), "target": to}
        if edges.untimed[edge] == edges.n[edge]:
            return _("the time from “%(source)s” to “%(target)s”") % parts
        return _("the wait between “%(source)s” and “%(target)s”") % parts


def bottleneck_sentence(reading: Reading, names: Names) -> str:
    """Say where most of the time goes, with n and interval, or that it is not clear."""
    most = reading.bottleneck
    if most is None:
        return _("No time is recorded, so that there is no bottleneck to find.")
    said = {
        "most": names.stretch(reading, most),
        "share": _percent(most.share, 0),
        "interval": _interval(most),
        "n": number(most.cases, 0),
    }
    if most.is_clear:
        return (
            _(
                "The bottleneck is %(most)s: %(share)s of all the time that customers spend "
                "(95 %% interval %(interval)s), in %(n)s encounters."
            )
            % said
        )
    if reading.found.cases < FEWEST_CASES or most.second is None:
        return (
            _(
                "Most of the time goes on %(most)s, %(share)s in %(n)s encounters, but these are "
                "too few to call it the bottleneck."
            )
            % said
        )
    return _(
        "No clear bottleneck: %(most)s takes %(share)s of the time that customers spend "
        "(95 %% interval %(interval)s), %(second)s takes %(second_share)s (%(second_interval)s)."
    ) % {
        **said,
        "second": names.stretch(reading, most.second),
        "second_share": _percent(most.second.share, 0),
        "second_interval": _interval(most.second),
    }


def _interval(one: Bottleneck) -> str:
    if not one.low > 0:
        return _("not known")
    return f"{number(100 * one.low, 0)} – {number(100 * one.high, 0)} %"


def _percent(share: float, decimals: int) -> str:
    return f"{number(100 * share, decimals)} %"


def duration(seconds: float) -> str:
    """Return a time in the unit in which it is easily read: 45 s, 8.2 min, 3.4 h, 12 d."""
    if seconds != seconds:
        return ""
    size, text = abs(seconds), _("%(n)s s")
    amount = seconds
    for unit, from_s, named in (
        ("min", 90.0, _("%(n)s min")),
        ("h", 5_400.0, _("%(n)s h")),
        ("d", 129_600.0, _("%(n)s d")),
    ):
        if size >= from_s:
            amount, text = seconds / SECONDS[unit], named
    return text % {"n": number(amount, 1 if 0 < abs(amount) < 10 else 0)}


# Tables -----------------------------------------------------------------------------------------


def _stage_lines(reading: Reading, before: Reading | None, names: Names) -> list[Line]:
    stages, most = reading.found.stages, reading.bottleneck
    lines = []
    for stage in _ordered(reading, names):
        code = reading.code(stage)
        lines.append(
            _line(
                f"stage-{stage}",
                names.stage(code),
                stages.handling,
                stage,
                phase=str(names.phase(code).label),
                n=int(stages.n[stage]),
                cases=int(stages.cases[stage]),
                again=_percent(stages.repeated[stage] / stages.cases[stage], 1)
                if stages.repeated[stage]
                else "",
                is_bottleneck=most is not None and most.is_clear and most.stage == stage,
                change=_stage_change(reading, before, stage),
            )
        )
    return lines


def _move_lines(reading: Reading, before: Reading | None, names: Names) -> list[Line]:
    edges, most = reading.found.edges, reading.bottleneck
    return [
        _line(
            f"move-{edge}",
            names.move(reading, edge),
            edges.wait,
            edge,
            phase="",
            n=int(edges.n[edge]),
            cases=int(edges.cases[edge]),
            again="",
            is_bottleneck=most is not None and most.is_clear and most.edge == edge,
            change=_move_change(reading, before, edge),
        )
        for edge in reading.edges
    ]


def _line(
    key: str,
    name: str,
    times: Times,
    at: int,
    *,
    phase: str,
    n: int,
    cases: int,
    again: str,
    is_bottleneck: bool,
    change: Change | None,
) -> Line:
    known = bool(times.n[at])
    low, high = float(times.low[at]), float(times.high[at])
    return Line(
        key=key,
        name=name,
        phase=phase,
        n=number(n, 0),
        cases=number(cases, 0),
        again=again,
        median=duration(times.median[at]) if known else "",
        mean=duration(times.mean[at]) if known else "",
        between=f"{duration(low)} – {duration(high)}" if low < high else "",
        p90=duration(times.p90[at]) if known else "",
        share=_percent(times.share[at], 1) if known and times.share[at] >= 0 else "",
        is_bottleneck=is_bottleneck,
        change=change,
    )


def _stage_change(reading: Reading, before: Reading | None, stage: int) -> Change | None:
    code = reading.code(stage)
    if before is None or code not in before.codes:
        return None
    former = before.codes.index(code)
    if before.found.stages.cases[former] < before.smallest_group:
        return None
    return _change(
        reading.found.stages.handling, stage, before.found.stages.handling, former, is_wait=False
    )


def _move_change(reading: Reading, before: Reading | None, edge: int) -> Change | None:
    if before is None:
        return None
    former = {_ends(before, other): other for other in before.edges}.get(_ends(reading, edge))
    if former is None:
        return None
    return _change(reading.found.edges.wait, edge, before.found.edges.wait, former, is_wait=True)


def _ends(reading: Reading, edge: int) -> tuple[str, str]:
    """The codes of the stages of a move."""
    edges = reading.found.edges
    return reading.code(int(edges.source[edge])), reading.code(int(edges.target[edge]))


def _change(now: Times, at: int, then: Times, former: int, *, is_wait: bool) -> Change | None:
    """The change of a mean, where both have an interval."""
    known = now.low[at] <= now.high[at] and then.low[former] <= then.high[former]
    if not known:
        return None
    found = difference(
        Bounded(float(now.mean[at]), float(now.low[at]), float(now.high[at])),
        Bounded(float(then.mean[former]), float(then.low[former]), float(then.high[former])),
    )
    return Change(
        before=duration(then.mean[former]),
        by=found.value,
        text=duration(abs(found.value)),
        between=_("%(low)s and %(high)s")
        % {"low": _with_sign(found.low), "high": _with_sign(found.high)},
        is_clear=found.low > 0 or found.high < 0,
        is_wait=is_wait,
    )


def _with_sign(seconds: float) -> str:
    return f"+{duration(seconds)}" if seconds > 0 else duration(seconds)


def _other_moves(reading: Reading) -> str:
    edges, shown = reading.found.edges, reading.edges
    rest = int(edges.n.sum() - edges.n[shown].sum())
    if not rest:
        return ""
    return ngettext(
        "%(n)s other move, of fewer than %(k)s encounters.",
        "%(n)s other moves, each of fewer than %(k)s encounters.",
        rest,
    ) % {"n": number(rest, 0), "k": reading.smallest_group}


def _ordered(reading: Reading, names: Names) -> list[int]:
    """The stages by phase, within a phase as cases come to them."""
    phases = list(Stage.Phase)
    return sorted(
        reading.stages,
        key=lambda stage: (
            phases.index(names.phase(reading.code(stage))),
            reading.found.stages.place[stage],
        ),
    )


# The drawing ------------------------------------------------------------------------------------


def _drawing(reading: Reading, names: Names) -> Drawing:
    found, most = reading.found, reading.bottleneck
    drawn = reading.drawn.edges
    linked = {*found.edges.source[drawn].tolist(), *found.edges.target[drawn].tolist()}
    ordered = [stage for stage in _ordered(reading, names) if stage in linked]
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
        again=_("again in %(share)s") % {"share": _percent(share, 1)} if share >= 0.001 else "",
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
