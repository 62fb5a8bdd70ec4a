"""Figures: what a chart draws and the table that stands behind it.

A figure is plain data for Plotly in the browser; nothing of Plotly is imported here. Colours are
names of the style sheet's custom properties (`--series-1`); `static/charts.js` puts in what they
are in the theme of the moment. Texts hold no tags but <br>: Plotly turns others into inline
styles, which the content security policy refuses. Small drawings (sparkline, interval bar) are
computed here for SVG that the server writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

Text = str | Promise
SERIES_COLOURS = tuple(f"--series-{number}" for number in range(1, 7))


@dataclass(frozen=True)
class Point:
    """One value of a series. No value is an answer too: `withheld` (too few people) or unknown."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    x: str = ""
    withheld: bool = False

    @property
    def at(self) -> str:
        """Where it stands on the time axis: a date if there is one, else its label."""
        return self.x or self.label


@dataclass(frozen=True)
class Series:
    """A named line of points; `colour` is the number of its colour, 1 to 6."""

    name: Text
    points: Sequence[Point]
    colour: int = 1


@dataclass(frozen=True)
class Column:
    """A column of the table behind a chart; kind is text, number, count or interval."""

    title: Text
    kind: str = "text"


@dataclass(frozen=True)
class Figure:
    """Traces and layout for Plotly, and the same numbers as a table."""

    traces: list[dict[str, Any]]
    layout: dict[str, Any]
    columns: list[Column] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)

    @property
    def cells(self) -> list[list[tuple[Column, Any]]]:
        """The rows of the table, each cell with its column."""
        return [list(zip(self.columns, row, strict=True)) for row in self.rows]

    @property
    def payload(self) -> dict[str, Any]:
        """What the page hands to the browser."""
        return {"data": self.traces, "layout": self.layout}


def series_figure(
    series: Sequence[Series],
    *,
    target: float | None = None,
    value_range: tuple[float, float] | None = None,
    decimals: int = 1,
    dated: bool = True,
    unit: str = "",
) -> Figure:
    """Lines over time, each with its interval as a band; gaps stay gaps.

    target: drawn as a dashed line
    value_range: fixed ends of the value axis (default: fitted to values and intervals)
    dated: the points' `x` are ISO dates; else their labels stand in their own order
    """
    traces = [
        trace for one in series for trace in _line_traces(one, len(series) > 1, decimals, unit)
    ]
    layout: dict[str, Any] = {
        "xaxis": {"type": "date"} if dated else {"type": "category"},
        "yaxis": {"tickformat": f".{decimals}~f"},
        "showlegend": len(series) > 1,
    }
    if value_range is not None:
        layout["yaxis"]["range"] = list(value_range)
    if target is not None:
        layout.update(_target_line(target, decimals))
    return Figure(traces, layout, *_series_table(series, decimals))


def bars_figure(
    points: Sequence[Point],
    *,
    target: float | None = None,
    value_range: tuple[float, float] | None = None,
    decimals: int = 1,
) -> Figure:
    """Compare units, dimensions or items: a dot with its interval each, the first at the top.

    Dots and not bars, because the length of a bar on a scale without a zero misleads.
    """
    shown = [point for point in points if point.value is not None]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "y": [plain(point.label) for point in shown],
        "x": [point.value for point in shown],
        "marker": {"color": SERIES_COLOURS[0], "size": 10},
        "error_x": _error_bars(shown, SERIES_COLOURS[0]),
        "customdata": [_sureness(point, decimals) for point in shown],
        "hovertemplate": f"%{{y}}: %{{x:.{decimals}f}}%{{customdata}}<extra></extra>",
    }
    layout: dict[str, Any] = {
        "yaxis": {
            "type": "category",
            "autorange": "reversed",
            "categoryarray": [plain(point.label) for point in points],
            "showgrid": False,
        },
        "xaxis": {"tickformat": f".{decimals}~f", "showgrid": True, "nticks": 7},
        "hovermode": "closest",
        "showlegend": False,
    }
    if value_range is not None:
        layout["xaxis"]["range"] = list(value_range)
    if target is not None:
        layout.update(_target_line(target, decimals, upright=True))
    return Figure([trace], layout, *_series_table([Series("", points)], decimals))


def plain(text: Text) -> str:
    """Return a name so that Plotly takes nothing in it for a tag or a placeholder."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace("%{", "% {")


def _line_traces(series: Series, named: bool, decimals: int, unit: str) -> list[dict[str, Any]]:
    colour = SERIES_COLOURS[(series.colour - 1) % len(SERIES_COLOURS)]
    points = series.points
    name = plain(series.name)
    label = f"{name}: " if named and name else ""
    line = {
        "type": "scatter",
        "mode": "lines+markers" if len(points) <= 40 else "lines",
        "name": name,
        "legendgroup": name,
        "x": [plain(point.at) for point in points],
        "y": [point.value for point in points],
        "line": {"color": colour, "width": 2.25},
        "marker": {"color": colour, "size": 6},
        "connectgaps": False,
        "customdata": [_sureness(point, decimals) for point in points],
        "hovertemplate": f"{label}%{{y:.{decimals}f}}{unit}%{{customdata}}<extra></extra>",
    }
    return [*_band_traces(series, colour), line]


def _band_traces(series: Series, colour: str) -> list[dict[str, Any]]:
    """One filled outline for each unbroken stretch, so that no band bridges a gap."""
    traces = []
    for stretch in _stretches(series.points):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [plain(p.at) for p in [*stretch, *reversed(stretch)]],
                "y": [p.high for p in stretch] + [p.low for p in reversed(stretch)],
                "fill": "toself",
                "fillcolor": f"{colour}/0.16",
                "line": {"width": 0},
                "hoverinfo": "skip",
                "showlegend": False,
                "legendgroup": plain(series.name),
            }
        )
    return traces


def _stretches(points: Sequence[Point]) -> list[list[Point]]:
    stretches: list[list[Point]] = [[]]
    for point in points:
        if point.value is None or point.low is None or point.high is None:
            stretches.append([])
        else:
            stretches[-1].append(point)
    return [stretch for stretch in stretches if stretch]


def _error_bars(points: Sequence[Point], colour: str) -> dict[str, Any]:
    above = [(p.high - p.value) if None not in (p.high, p.value) else 0 for p in points]  # type: ignore[operator]  # both are numbers here
    below = [(p.value - p.low) if None not in (p.low, p.value) else 0 for p in points]  # type: ignore[operator]  # both are numbers here
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "color": colour,
        "thickness": 2,
        "width": 0,
    }


def _target_line(target: float, decimals: int, *, upright: bool = False) -> dict[str, Any]:
    along, across = ("x", "y") if upright else ("y", "x")
    line = {
        "type": "line",
        f"{across}ref": "paper",
        f"{across}0": 0,
        f"{across}1": 1,
        f"{along}0": target,
        f"{along}1": target,
        "line": {"color": "--ink-soft", "width": 1.25, "dash": "dash"},
    }
    label = {
        f"{across}ref": "paper",
        across: 1,
        along: target,
        "text": _("Target %(value)s") % {"value": f"{target:.{decimals}f}"},
        "showarrow": False,
        "xanchor": "center" if upright else "right",
        "yanchor": "bottom",
        "font": {"color": "--ink-soft", "size": 12},
    }
    room = {"margin": {"t": 30}} if upright else {}
    return {"shapes": [line], "annotations": [label], **room}


def _sureness(point: Point, decimals: int) -> str:
    parts = []
    if point.low is not None and point.high is not None:
        parts.append(f"{point.low:.{decimals}f} – {point.high:.{decimals}f}")
    if point.n is not None:
        parts.append(f"n = {point.n:,}")
    return f"<br>{', '.join(parts)}" if parts else ""


def _series_table(series: Sequence[Series], decimals: int) -> tuple[list[Column], list[list[Any]]]:
    named = len(series) > 1
    columns = [Column(_("Series"))] if named else []
    columns += [
        Column(_("Period") if any(p.x for one in series for p in one.points) else _("Name")),
        Column(_("Value"), "number"),
        Column(_("95 % interval"), "interval"),
        Column(_("Answers"), "count"),
    ]
    rows = [
        ([str(one.name)] if named else []) + _table_row(point, decimals)
        for one in series
        for point in one.points
    ]
    return columns, rows


def _table_row(point: Point, decimals: int) -> list[Any]:
    if point.withheld:
        return [point.label, _("too few answers to show"), "", ""]
    if point.value is None:
        return [point.label, _("no data"), "", "" if point.n is None else point.n]
    known = point.low is not None and point.high is not None
    interval = f"{point.low:.{decimals}f} – {point.high:.{decimals}f}" if known else ""
    return [
        point.label,
        f"{point.value:.{decimals}f}",
        interval,
        "" if point.n is None else point.n,
    ]


# Small drawings --------------------------------------------------------------------------------

SPARK_WIDTH, SPARK_HEIGHT = 100.0, 30.0


@dataclass(frozen=True)
class Sparkline:
    """Paths in a box of 100 x 30: lines and bands broken where there is no value."""

    lines: list[str]
    bands: list[str]
    last: tuple[float, float] | None
    target: float | None


def sparkline_of(points: Sequence[Point], *, target: float | None = None) -> Sparkline:
    """Compute the drawing of a small trend; it says shape only, so its axis fits the values."""
    bounds = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    if not bounds:
        return Sparkline([], [], None, None)
    if target is not None:
        bounds.append(target)
    low, high = min(bounds), max(bounds)
    spread = (high - low) or 1.0
    step = SPARK_WIDTH / max(len(points) - 1, 1)

    def y(value: float) -> float:
        middle = 0.5 if high == low else (value - low) / spread
        return round(SPARK_HEIGHT - 2 - middle * (SPARK_HEIGHT - 4), 2)

    places = {id(point): round(index * step, 2) for index, point in enumerate(points)}
    bands = [
        " ".join(
            [f"{places[id(p)]},{y(p.high or 0)}" for p in stretch]
            + [f"{places[id(p)]},{y(p.low or 0)}" for p in reversed(stretch)]
        )
        for stretch in _stretches(points)
        if len(stretch) > 1
    ]
    known = [point for point in points if point.value is not None]
    last = (places[id(known[-1])], y(known[-1].value or 0)) if known else None
    return Sparkline(
        lines=[
            " ".join(f"{places[id(p)]},{y(p.value or 0)}" for p in run)
            for run in _runs(points)
            if len(run) > 1
        ],
        bands=bands,
        last=last,
        target=None if target is None else y(target),
    )


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    runs: list[list[Point]] = [[]]
    for point in points:
        if point.value is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return runs


@dataclass(frozen=True)
class IntervalBar:
    """Places on a track, in percent of its length.

    is_cut_below, is_cut_above: whether the value or its interval goes on beyond that end
    """

    low: float | None
    high: float | None
    value: float | None
    target: float | None
    is_cut_below: bool = False
    is_cut_above: bool = False


def interval_bar_of(
    *,
    value: float | None,
    low: float | None = None,
    high: float | None = None,
    target: float | None = None,
    scale: tuple[float, float] = (0.0, 100.0),
) -> IntervalBar:
    """Compute where value, interval and target stand on a fixed scale; outside is cut off, and
    it is marked that it goes on."""
    start, end = scale
    drawn = [number for number in (value, low, high) if number is not None]

    def place(number: float | None) -> float | None:
        if number is None:
            return None
        return round(min(max((number - start) / (end - start), 0.0), 1.0) * 100, 2)

    return IntervalBar(
        place(low),
        place(high),
        place(value),
        place(target),
        is_cut_below=any(number < start for number in drawn),
        is_cut_above=any(number > end for number in drawn),
    )
