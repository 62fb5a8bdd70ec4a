"""A control chart as a figure: what Plotly draws, and the table behind it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from sqcore.base.periods import title_of
from sqcore.dashboards.figures import Column, Figure, plain
from sqcore.evaluation.wording import Scale, number
from sqcore.monitoring.charts import Chart, ChartPoint, Segment
from sqcore.monitoring.lines import ChartLine, Stretch
from sqcore.monitoring.models import Annotation
from sqcore.monitoring.outlook import Outlook
from sqcore.monitoring.wording import flags_text, missing_text, value_text

MEANINGS = ("concern", "better", "neither")
_SYMBOLS = {1: "triangle-up", -1: "triangle-down", 0: "diamond"}
_COLOURS = {"concern": "--bad", "better": "--good", "neither": "--watch"}
_ABOVE = 0.12
"""How far above the highest point the marks stand, as a share of the height."""


@dataclass(frozen=True)
class Noted:
    """An annotation with the letter that stands for it on the chart."""

    letter: str
    annotation: Annotation


def lettered(annotations: Sequence[Annotation]) -> list[Noted]:
    """Give each annotation its letter, in the order of time: A to Z, then AA."""
    return [Noted(_letters(at), found) for at, found in enumerate(annotations)]


def _letters(at: int) -> str:
    first, last = divmod(at, 26)
    return (chr(64 + first) if first else "") + chr(65 + last)


def meaning_of(point: ChartPoint, better: int) -> str:
    """Return what a flagged point means: concern, better, or neither; empty without a flag."""
    if not point.flags:
        return ""
    if not point.side or not better:
        return "neither"
    return "better" if point.side == better else "concern"


def control_figure(
    chart: Chart,
    scale: Scale,
    noted: Sequence[Noted],
    counted: str,
    outlook: Outlook | None = None,
    lines: Sequence[ChartLine] = (),
) -> Figure:
    """Draw a chart in the unit of the indicator; `counted` names the column of n.

    The forecast of an outlook and the lines of other rooms lie behind the series and stand below it
    in the table.
    """
    traces = [
        *_forecast_traces(chart, scale, outlook),
        *(
            trace
            for at, line in enumerate(lines)
            for trace in _beside_traces(chart, scale, line, at)
        ),
        *(trace for each in chart.segments for trace in _limit_traces(each, scale)),
        _line(chart, scale),
        *_smoothed_traces(chart, scale),
        *_point_traces(chart, scale),
        *_excluded(chart, scale),
        *_marks(chart, scale, noted),
    ]
    layout: dict[str, Any] = {
        "xaxis": {"type": "date"},
        "yaxis": {"tickformat": f".{scale.decimals}~f"},
        "showlegend": False,
        "hovermode": "closest",
        "shapes": [*_spans(chart), *_target(chart, scale), *_uprights(chart, noted)],
    }
    columns, rows = _table(chart, scale, counted)
    rows = [*rows, *_rows_ahead(chart, scale, outlook), *_rows_beside(scale, lines)]
    return Figure(traces, layout, columns, rows)


_BESIDE = (("--series-4", "dash"), ("--series-5", "dot"), ("--series-6", "dashdot"))
"""How lines of other rooms look, in turn; the key of the chart says the same."""


def _beside_traces(
    chart: Chart, scale: Scale, line: ChartLine, at: int
) -> Iterable[dict[str, Any]]:
    """A level for each stretch, as far as the chart shows it, with its interval as a band."""
    colour, dash = _BESIDE[at % len(_BESIDE)]
    first, last = (chart.points[end].seen.period.start for end in (0, -1))
    for stretch in line.stretches:
        days = [
            max(stretch.starts_on, first).isoformat(),
            max(min(stretch.ends_on - timedelta(days=1), last), first).isoformat(),
        ]
        if stretch.low is not None and stretch.high is not None:
            ends = [scale.of(stretch.low), scale.of(stretch.high)]
            yield {
                "type": "scatter",
                "mode": "lines",
                "x": [*days, *reversed(days)],
                "y": [ends[1], ends[1], ends[0], ends[0]],
                "fill": "toself",
                "fillcolor": f"{colour}/0.12",
                "line": {"width": 0},
                "hoverinfo": "skip",
            }
        yield {
            "type": "scatter",
            "mode": "lines",
            "x": days,
            "y": [scale.of(stretch.value)] * 2,
            "line": {"color": colour, "width": 2, "dash": dash},
            "customdata": [f"{plain(line.name)}: {plain(value_text(stretch.value, scale))}"] * 2,
            "hovertemplate": "%{customdata}<extra></extra>",
        }


def _rows_beside(scale: Scale, lines: Sequence[ChartLine]) -> list[list[Any]]:
    """The lines of other rooms, in the columns of the table."""
    return [
        [
            stretch.title,
            value_text(stretch.value, scale),
            "",
            "",
            "",
            "",
            _told(line, stretch, scale),
        ]
        for line in lines
        for stretch in line.stretches
    ]


def _told(line: ChartLine, stretch: Stretch, scale: Scale) -> str:
    said = [line.name]
    if between := _between(stretch.low, stretch.high, scale):
        said.append(_("95 %% interval %(between)s") % {"between": between})
    return "; ".join([*said, *([stretch.told] if stretch.told else [])])


def spread_figure(chart: Chart, scale: Scale) -> Figure | None:
    """Draw how much what is in each period scatters; None where the chart has no such part."""
    drawn = [(point, point.spread) for point in chart.points if point.spread is not None]
    if not drawn:
        return None
    days = [_at(point) for point, _spread in drawn]
    looks: tuple[tuple[str, dict[str, Any]], ...] = (
        ("lower", {"mode": "lines", "line": {"color": "--edge", "width": 1.25, "shape": "hvh"}}),
        ("upper", {"mode": "lines", "line": {"color": "--edge", "width": 1.25, "shape": "hvh"}}),
        ("centre", {"mode": "lines", "line": {"color": "--ink-soft", "width": 1.5}}),
        ("value", {"mode": "lines+markers", "line": {"color": "--series-1", "width": 1.75}}),
    )
    traces = [
        {
            "type": "scatter",
            "x": days,
            "y": [scale.of(getattr(spread, name)) for _point, spread in drawn],
            "hoverinfo": "skip",
            **look,
        }
        for name, look in looks
    ]
    beyond = [(point, spread) for point, spread in drawn if spread.is_beyond]
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": [_at(point) for point, _spread in beyond],
            "y": [scale.of(spread.value) for _point, spread in beyond],
            "marker": {"color": "--watch", "size": 11, "symbol": "diamond"},
            "hoverinfo": "skip",
        }
    )
    columns = [
        Column(_("Period")),
        Column(_("Spread within"), "number"),
        Column(_("Lower limit"), "number"),
        Column(_("Centre"), "number"),
        Column(_("Upper limit"), "number"),
        Column(_("What it says")),
    ]
    rows: list[list[Any]] = [
        [
            title_of(point.seen.period),
            *(
                number(scale.of(each) or 0.0, scale.decimals + 1)
                for each in (spread.value, spread.lower, spread.centre, spread.upper)
            ),
            _("beyond its limits") if spread.is_beyond else "",
        ]
        for point, spread in drawn
    ]
    layout: dict[str, Any] = {
        "xaxis": {"type": "date"},
        "yaxis": {"tickformat": f".{scale.decimals + 1}~f", "rangemode": "tozero"},
        "showlegend": False,
    }
    return Figure(traces, layout, columns, rows)


def _smoothed_traces(chart: Chart, scale: Scale) -> Iterable[dict[str, Any]]:
    """The smoothed line with its limits, and where it is beyond them, of each baseline apart."""
    for segment in chart.segments:
        drawn = [(point, point.smoothed) for point in segment.points if point.smoothed is not None]
        if not drawn:
            continue
        for name, colour, dash in (
            ("lower", "--series-2", "dot"),
            ("upper", "--series-2", "dot"),
            ("value", "--series-2", "solid"),
        ):
            yield {
                "type": "scatter",
                "mode": "lines",
                "x": [_at(point) for point, _line in drawn],
                "y": [scale.of(getattr(line, name)) for _point, line in drawn],
                "line": {"color": colour, "width": 2.25 if name == "value" else 1.25, "dash": dash},
                "hoverinfo": "skip",
            }
        beyond = [(point, line) for point, line in drawn if line.is_beyond]
        if beyond:
            yield {
                "type": "scatter",
                "mode": "markers",
                "x": [_at(point) for point, _line in beyond],
                "y": [scale.of(line.value) for _point, line in beyond],
                "marker": {"color": "--series-2", "size": 9, "symbol": "square"},
                "hoverinfo": "skip",
            }


def _forecast_traces(chart: Chart, scale: Scale, outlook: Outlook | None) -> list[dict[str, Any]]:
    """The band of the interval and the line of the forecast, from the newest value on."""
    if outlook is None or not outlook.ahead:
        return []
    latest = chart.latest
    days = [each.period.start.isoformat() for each in outlook.ahead]
    ends = [
        [scale.of(getattr(each.point, name)) for each in outlook.ahead]
        for name in ("low", "high", "value")
    ]
    if latest is not None:
        days = [_at(latest), *days]
        ends = [[scale.of(latest.seen.value), *values] for values in ends]
    looks: tuple[dict[str, Any], ...] = (
        {"line": {"width": 0}},
        {"line": {"width": 0}, "fill": "tonexty", "fillcolor": "--series-1/0.14"},
        {"line": {"color": "--series-1", "width": 1.5, "dash": "dot"}},
    )
    return [
        {"type": "scatter", "mode": "lines", "x": days, "y": values, "hoverinfo": "skip", **look}
        for values, look in zip(ends, looks, strict=True)
    ]


def _rows_ahead(chart: Chart, scale: Scale, outlook: Outlook | None) -> list[list[Any]]:
    """The periods to come, in the columns of the table."""
    if outlook is None:
        return []
    share = round(outlook.forecast.confidence * 100)
    return [
        [
            title_of(each.period),
            value_text(each.point.value, scale),
            *[""] * (5 if chart.is_smoothed else 4),
            _("forecast, %(share)s %% interval %(between)s")
            % {"share": share, "between": _between(each.point.low, each.point.high, scale)},
        ]
        for each in outlook.ahead
    ]


def _limit_traces(segment: Segment, scale: Scale) -> list[dict[str, Any]]:
    """The centre and the limits of one baseline; they step in the middle between two periods."""
    known = [point for point in segment.points if point.centre is not None]
    dash = "solid" if segment.is_frozen and not _is_trial(segment) else "dash"
    lines = (("lower", "--edge", 1.25), ("upper", "--edge", 1.25), ("centre", "--ink-soft", 1.5))
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [_at(point) for point in known],
            "y": [scale.of(getattr(point, name)) for point in known],
            "line": {"color": colour, "width": width, "shape": "hvh", "dash": dash},
            "hoverinfo": "skip",
            **({"fill": "tonexty", "fillcolor": "--series-6/0.07"} if name == "upper" else {}),
        }
        for name, colour, width in lines
        if known
    ]


def _is_trial(segment: Segment) -> bool:
    return segment.limits.status == "trial"


def _line(chart: Chart, scale: Scale) -> dict[str, Any]:
    """The values joined by a line, broken where a period has none that counts."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [_at(point) for point in chart.points],
        "y": [None if p.seen.is_excluded else scale.of(p.seen.value) for p in chart.points],
        "line": {"color": "--series-1", "width": 1.75},
        "connectgaps": False,
        "hoverinfo": "skip",
    }


def _point_traces(chart: Chart, scale: Scale) -> Iterable[dict[str, Any]]:
    """The points: plain ones as discs, flagged ones in a shape for their side."""
    kinds: dict[tuple[str, int], list[ChartPoint]] = {}
    for point in chart.points:
        if point.seen.value is not None and not point.seen.is_excluded:
            kinds.setdefault((meaning_of(point, chart.better), point.side), []).append(point)
    for (meaning, side), points in sorted(kinds.items()):
        symbol = _SYMBOLS[side] if meaning else "circle"
        size = 11 if meaning else (5 if len(chart.points) > 60 else 7)
        yield _markers(chart, scale, points, symbol, _COLOURS.get(meaning, "--series-1"), size)


def _excluded(chart: Chart, scale: Scale) -> list[dict[str, Any]]:
    points = [p for p in chart.points if p.seen.is_excluded and p.seen.value is not None]
    return [_markers(chart, scale, points, "circle-open", "--ink-soft", 8)] if points else []


def _markers(
    chart: Chart,
    scale: Scale,
    points: Sequence[ChartPoint],
    symbol: str,
    colour: str,
    size: int,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [_at(point) for point in points],
        "y": [scale.of(point.seen.value) for point in points],
        "marker": {"color": colour, "size": size, "symbol": symbol},
        "customdata": [_hover(chart, scale, point) for point in points],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _hover(chart: Chart, scale: Scale, point: ChartPoint) -> str:
    seen = point.seen
    lines = [f"{title_of(seen.period)}: {value_text(seen.value, scale)}"]
    if between := _between(seen.low, seen.high, scale):
        lines.append(_("95 %% interval %(between)s") % {"between": between})
    if seen.n is not None:
        lines.append(f"n = {number_format(seen.n, force_grouping=True)}")
    if limits := _between(point.lower, point.upper, scale):
        lines.append(_("Limits %(between)s") % {"between": limits})
    if said := _said(chart, point):
        lines.append(said)
    return "<br>".join(plain(line) for line in lines)


def _between(low: float | None, high: float | None, scale: Scale) -> str:
    if low is None or high is None:
        return ""
    ends = (number(scale.of(end) or 0.0, scale.decimals) for end in (low, high))
    return " – ".join(ends)


def _said(chart: Chart, point: ChartPoint) -> str:
    if point.seen.is_excluded:
        return _("left out: %(reason)s") % {"reason": point.seen.exclusion}
    return flags_text(point, chart.profile)


def _marks(chart: Chart, scale: Scale, noted: Sequence[Noted]) -> list[dict[str, Any]]:
    """What happened, as letters above the points, each with its text."""
    placed = _placed(chart, noted)
    if not placed:
        return []
    height = _height(chart, scale)
    return [
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [day.isoformat() for day in placed],
            "y": [height] * len(placed),
            "text": [" ".join(found.letter for found in here) for here in placed.values()],
            "textposition": "middle center",
            "textfont": {"size": 11, "color": "--ink"},
            "marker": {
                "symbol": "square",
                "size": 18,
                "color": "--sunken",
                "line": {"color": "--edge", "width": 1},
            },
            "customdata": [
                "<br>".join(plain(f"{found.letter}: {found.annotation.text}") for found in here)
                for here in placed.values()
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
    ]


def _placed(chart: Chart, noted: Sequence[Noted]) -> dict[date, list[Noted]]:
    """The annotations by the period in which they begin, those before the first at the first."""
    starts = [point.seen.period for point in chart.points]
    placed: dict[date, list[Noted]] = {}
    for found in noted:
        on = found.annotation.starts_on
        here = next((p.start for p in starts if on < p.end), None)
        if here is not None:
            placed.setdefault(here, []).append(found)
    return dict(sorted(placed.items()))


def _height(chart: Chart, scale: Scale) -> float:
    """Where the marks stand: above all that is drawn."""
    drawn = [
        value
        for point in chart.points
        for value in (point.seen.value, point.lower, point.upper, chart.target)
        if value is not None
    ]
    low, high = (min(drawn), max(drawn)) if drawn else (0.0, 1.0)
    return scale.of(high + _ABOVE * ((high - low) or 1.0)) or 0.0


def _uprights(chart: Chart, noted: Sequence[Noted]) -> list[dict[str, Any]]:
    """A dotted line down from every mark."""
    return [_upright(day, "dot") for day in _placed(chart, noted)]


def _upright(day: date, dash: str) -> dict[str, Any]:
    return {
        "type": "line",
        "layer": "below",
        "x0": day.isoformat(),
        "x1": day.isoformat(),
        "yref": "paper",
        "y0": 0,
        "y1": 0.9,
        "line": {"color": "--edge", "width": 1, "dash": dash},
    }


def _spans(chart: Chart) -> list[dict[str, Any]]:
    """The periods that each baseline was computed from, shaded."""
    return [
        {
            "type": "rect",
            "layer": "below",
            "x0": _half_before(chart, segment.span[0]),
            "x1": _half_before(chart, segment.span[1]),
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "fillcolor": "--series-1/0.07",
            "line": {"width": 0},
        }
        for segment in chart.segments
        if segment.span[0] < segment.span[1]
    ]


def _half_before(chart: Chart, day: date) -> str:
    """Half a period before, because points stand at the start of theirs."""
    period = chart.points[0].seen.period
    return (day - timedelta(days=(period.end - period.start).days / 2)).isoformat()


def _target(chart: Chart, scale: Scale) -> list[dict[str, Any]]:
    if chart.target is None:
        return []
    value = scale.of(chart.target)
    line = {"color": "--series-3", "width": 1.5, "dash": "longdashdot"}
    return [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value, "line": line}
    ]


def _at(point: ChartPoint) -> str:
    return point.seen.period.start.isoformat()


def _table(chart: Chart, scale: Scale, counted: str) -> tuple[list[Column], list[list[Any]]]:
    columns = [
        Column(_("Period") if chart.passed is None else _("Day")),
        Column(_("Value"), "number"),
        Column(counted, "count"),
        Column(_("Lower limit"), "number"),
        Column(_("Centre"), "number"),
        Column(_("Upper limit"), "number"),
        Column(_("What it says")),
    ]
    if chart.is_smoothed:
        columns.insert(6, Column(_("Smoothed"), "number"))
    return columns, [_row(chart, scale, point) for point in chart.points]


def _row(chart: Chart, scale: Scale, point: ChartPoint) -> list[Any]:
    seen = point.seen
    lines = [
        "" if line is None else number(scale.of(line) or 0.0, scale.decimals)
        for line in (point.lower, point.centre, point.upper)
    ]
    value = missing_text(seen) if seen.value is None else value_text(seen.value, scale)
    n = "" if seen.n is None else number_format(seen.n, force_grouping=True)
    if chart.is_smoothed:
        smoothed = point.smoothed
        lines.append("" if smoothed is None else value_text(smoothed.value, scale))
    return [title_of(seen.period), value, n, *lines, _said(chart, point)]
