"""The tables of the process map: stages and moves, and what became of them since."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.text import number
from sqcore.encounters.models import Stage
from sqcore.encounters.process import Reading
from sqcore.encounters.process_words import Names, duration, percent
from sqcore.stats.differences import Bounded, difference
from sqcore.stats.process import Times


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


def stage_lines(reading: Reading, before: Reading | None, names: Names) -> list[Line]:
    stages, most = reading.found.stages, reading.bottleneck
    lines = []
    for stage in in_order(reading, names):
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
                again=percent(stages.repeated[stage] / stages.cases[stage], 1)
                if stages.repeated[stage]
                else "",
                is_bottleneck=most is not None and most.is_clear and most.stage == stage,
                change=_stage_change(reading, before, stage),
            )
        )
    return lines


def move_lines(reading: Reading, before: Reading | None, names: Names) -> list[Line]:
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
        share=percent(times.share[at], 1) if known and times.share[at] >= 0 else "",
        is_bottleneck=is_bottleneck,
        change=change,
    )


def _stage_change(reading: Reading, before: Reading | None, stage: int) -> Change | None:
    code = reading.code(stage)
    if before is None or code not in before.codes:
        return None
    former = before.codes.index(code)
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


def other_moves(reading: Reading) -> str:
    edges, shown = reading.found.edges, reading.edges
    rest = int(edges.n.sum() - edges.n[shown].sum())
    if not rest:
        return ""
    return ngettext(
        "%(n)s other move, of fewer than %(k)s encounters.",
        "%(n)s other moves, each of fewer than %(k)s encounters.",
        rest,
    ) % {"n": number(rest, 0), "k": reading.smallest_group}


def in_order(reading: Reading, names: Names) -> list[int]:
    """The stages by phase, within a phase as cases come to them."""
    phases = list(Stage.Phase)
    return sorted(
        reading.stages,
        key=lambda stage: (
            phases.index(names.phase(reading.code(stage))),
            reading.found.stages.place[stage],
        ),
    )
