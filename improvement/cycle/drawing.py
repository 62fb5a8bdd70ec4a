"""Drawings that the server writes as SVG: the fishbone of causes and the still chart of the A3."""

import math
import textwrap
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqcore.base.periods import title_of
from sqcore.evaluation.wording import Scale, number
from sqcore.monitoring.charts import Chart, ChartPoint
from sqcore.monitoring.drawing import meaning_of

# The fishbone ------------------------------------------------------------------------------------
BONE_WIDTH, LINE_HEIGHT, LEAN = 236.0, 17.0, 46.0
HEAD_WIDTH = 156.0
LINE_LENGTH, HEAD_LINE = 26, 18


@dataclass(frozen=True)
class Words:
    """A line of text; `is_root` says that it belongs to a root cause."""

    x: float
    y: float
    text: str
    is_root: bool = False


@dataclass(frozen=True)
class Bone:
    """A kind of cause: its line to the spine, its name, its causes."""

    x1: float
    y1: float
    x2: float
    y2: float
    name: Words
    causes: list[Words]


@dataclass(frozen=True)
class Fishbone:
    width: float
    height: float
    middle: float
    spine: float
    bones: list[Bone]
    head: list[Words]

    @property
    def head_width(self) -> float:
        return self.width - self.spine - 4

    @property
    def head_height(self) -> float:
        return LINE_HEIGHT * len(self.head) + 20

    @property
    def head_top(self) -> float:
        return self.middle - self.head_height / 2


def fishbone_of(
    branches: Sequence[tuple[str, Sequence[tuple[str, bool]]]], problem: str
) -> Fishbone | None:
    """Draw causes by their kind, in turn above and below the spine; None without any.

    branches: (name of the kind, its (cause, is it a root cause))
    """
    if not branches:
        return None
    written = [(name, _lines_of(causes)) for name, causes in branches]
    above = max((len(lines) for _name, lines in written[::2]), default=0)
    below = max((len(lines) for _name, lines in written[1::2]), default=0)
    reach_up, reach_down = (LINE_HEIGHT * max(lines, 2) + 44 for lines in (above, below))
    middle = reach_up + 8
    pairs = (len(written) + 1) // 2
    spine = BONE_WIDTH * pairs + 36
    head = _wrapped(problem, HEAD_LINE, most=6)
    bones = [
        _bone(name, lines, at=index // 2, up=index % 2 == 0, middle=middle,
              reach=reach_up if index % 2 == 0 else reach_down)
        for index, (name, lines) in enumerate(written)
    ]  # fmt: skip
    height = middle + (reach_down if len(written) > 1 else 40) + 8
    top = middle - LINE_HEIGHT * (len(head) - 1) / 2 + 5
    return Fishbone(
        width=spine + HEAD_WIDTH,
        height=max(height, middle + LINE_HEIGHT * len(head) / 2 + 24),
        middle=middle,
        spine=spine,
        bones=bones,
        head=[Words(spine + 12, top + LINE_HEIGHT * at, text) for at, text in enumerate(head)],
    )


def _lines_of(causes: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    return [
        (line, is_root) for text, is_root in causes for line in _wrapped(text, LINE_LENGTH, most=4)
    ]


def _wrapped(text: str, width: int, *, most: int) -> list[str]:
    """Break a text into at most so many lines; a Chinese letter is as wide as two others."""
    lines = [""]
    for word in _words(text):
        if lines[-1] and _width(lines[-1] + word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
    lines = [line.strip() for line in lines]
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1]} …"]


def _words(text: str) -> list[str]:
    """What may stand on a line of its own: words, and each Chinese letter."""
    found: list[str] = []
    for letter in " ".join(text.split()):
        goes_on = found and not found[-1].endswith(" ") and not _is_wide(found[-1][-1])
        if (goes_on and not _is_wide(letter)) or letter == " ":
            found[-1] += letter
        else:
            found.append(letter)
    return [
        part for word in found for part in textwrap.wrap(word, LINE_LENGTH, drop_whitespace=False)
    ]


def _width(text: str) -> int:
    return sum(2 if _is_wide(letter) else 1 for letter in text)


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"


def _bone(
    name: str,
    lines: Sequence[tuple[str, bool]],
    *,
    at: int,
    up: bool,
    middle: float,
    reach: float,
) -> Bone:
    side = -1 if up else 1
    foot = BONE_WIDTH * (at + 1) + 16
    end = middle + side * (reach - 22)
    causes = []
    for index, (text, is_root) in enumerate(lines):
        y = (
            end + 22 + LINE_HEIGHT * index
            if up
            else end - 14 - LINE_HEIGHT * (len(lines) - 1 - index)
        )
        along = abs(y - end) / max(abs(middle - end), 1)
        causes.append(Words(round(foot - LEAN + LEAN * along - 8, 1), round(y, 1), text, is_root))
    title = Words(foot - LEAN, end - 8 if up else end + 16, textwrap.shorten(name, 26))
    return Bone(foot - LEAN, end, foot, middle, title, causes)


# The still chart ---------------------------------------------------------------------------------
CHART_WIDTH, CHART_HEIGHT = 720.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 12.0, 14.0, 26.0
MOST_POINTS = 78


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    meaning: str


@dataclass(frozen=True)
class Upright:
    """Something that happened, by its letter or word."""

    x: float
    text: str


@dataclass(frozen=True)
class StillChart:
    """A control chart for paper: paths in a box of 720 x 250."""

    lines: list[str]
    limits: list[tuple[str, str]]
    dots: list[Dot]
    uprights: list[Upright]
    across: list[Words]
    up: list[Words]
    target: float | None


def still_chart(chart: Chart, scale: Scale) -> StillChart | None:
    """Draw the last points of a chart with limits, target and changes; None without a value."""
    points = chart.points[-MOST_POINTS:]
    ends = _ends(points, chart.target)
    if ends is None:
        return None
    low, high = ends
    ticks, decimals = _ticks(low * scale.factor, high * scale.factor)
    room = CHART_HEIGHT - TOP - BOTTOM

    def x(at: int) -> float:
        width = CHART_WIDTH - LEFT - RIGHT
        return round(LEFT + width * (at + 0.5) / len(points), 1)

    def y(value: float) -> float:
        return round(TOP + room * (high - value) / (high - low), 1)

    return StillChart(
        lines=_runs([(x(i), y(p.seen.value)) if p.seen.value is not None else None
                     for i, p in enumerate(points)]),
        limits=[
            (name, run)
            for name in ("centre", "lower", "upper")
            for run in _runs(_steps(points, name, x, y))
        ],
        dots=[
            Dot(x(i), y(p.seen.value), meaning_of(p, chart.better))
            for i, p in enumerate(points)
            if p.seen.value is not None
        ],
        uprights=_uprights(chart, points, x),
        across=[
            Words(x(i), CHART_HEIGHT - 8, title_of(points[i].seen.period))
            for i in sorted({0, len(points) // 2, len(points) - 1})
        ],
        up=[
            Words(LEFT - 6, y(value / scale.factor) + 4, number(value, decimals))
            for value in ticks
        ],
        target=None if chart.target is None else y(chart.target),
    )  # fmt: skip


def _ends(points: Sequence[ChartPoint], target: float | None) -> tuple[float, float] | None:
    known = [p.seen.value for p in points if p.seen.value is not None]
    if not known:
        return None
    known += [v for p in points for v in (p.lower, p.upper) if v is not None]
    known += [target] if target is not None else []
    low, high = min(known), max(known)
    margin = (high - low) * 0.06 or 1.0
    return low - margin, high + margin


def _ticks(low: float, high: float) -> tuple[list[float], int]:
    """Round numbers between two ends, and with how many decimals they are written."""
    rough = (high - low) / 4
    size = 10.0 ** math.floor(math.log10(rough))
    step = size * next(each for each in (1, 2, 5, 10) if each * size >= rough)
    first = math.ceil(low / step)
    ticks = [at * step for at in range(first, math.floor(high / step) + 1)]
    return ticks, max(0, -math.floor(math.log10(step)))


def _steps(
    points: Sequence[ChartPoint],
    name: str,
    x: Callable[[int], float],
    y: Callable[[float], float],
) -> list[tuple[float, float] | None]:
    return [
        None if getattr(p, name) is None else (x(at), y(getattr(p, name)))
        for at, p in enumerate(points)
    ]


def _runs(places: Sequence[tuple[float, float] | None]) -> list[str]:
    """Lines through neighbouring places; a gap begins a new one."""
    runs: list[list[str]] = [[]]
    for place in places:
        if place is None:
            runs.append([])
        else:
            runs[-1].append(f"{place[0]},{place[1]}")
    return [" ".join(run) for run in runs if len(run) > 1]


def _uprights(
    chart: Chart, points: Sequence[ChartPoint], x: Callable[[int], float]
) -> list[Upright]:
    """Where something changed: the annotations of changes, and the alarms."""
    days = [(found.starts_on, "▼") for found in chart.annotations if found.kind == "change"]
    days += [(found.alarm_on, "!") for found in chart.signals]
    return [
        Upright(x(at), mark)
        for day, mark in sorted(days)
        for at, point in enumerate(points)
        if day in point.seen.period
    ]
