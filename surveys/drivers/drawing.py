"""The importance-performance map as a figure: what Plotly draws, and the table behind it."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.text import number
from sqcore.dashboards.figures import Column, Figure, plain
from sqcore.stats.importance import Quadrant
from sqcore.stats.results import Figure as Number
from surveys.drivers.reading import Driver, Reading
from surveys.drivers.stated import How
from surveys.drivers.wording import EFFECTS, QUADRANTS, counts_text, points_text, turned

Ends = tuple[float, float]

ROOM = 0.12
"""What is left free beyond the outermost points, as a share of the span."""

MANY = 10
"""From here on the discs are smaller, so that they cover each other less."""


def ends_of(readings: Iterable[Reading]) -> tuple[Ends, Ends]:
    """Return the ends of both axes in which all of these maps have room."""
    drivers = [driver for reading in readings for driver in reading.ranked]
    across = _ends([driver.performance for driver in drivers], 1.0, 1.0)
    up = _ends([driver.share for driver in drivers], 100.0, 0.5)
    return across, up


def _ends(figures: Sequence[Number], factor: float, least: float) -> Ends:
    known = [
        factor * end
        for figure in figures
        for end in (figure.value, figure.low, figure.high)
        if end is not None
    ]
    low, high = (min(known), max(known)) if known else (0.0, 100.0)
    room = max(ROOM * (high - low), least)
    return low - room, high + room


def map_figure(reading: Reading, ends: tuple[Ends, Ends]) -> Figure | None:
    """Draw the map; None where it has no cross, as nothing differs."""
    if reading.cross is None:
        return None
    drivers = [driver for driver in reading.ranked if driver.performance.value is not None]
    size = 22 if len(drivers) <= MANY else 17
    traces = list(_intervals(drivers))
    for is_certain in (False, True):
        placed = [driver for driver in drivers if driver.is_certain == is_certain]
        traces += [_discs(placed, size, reading.how, is_certain=is_certain)] if placed else []
    (left, right), (bottom, top) = ends
    layout: dict[str, Any] = {
        "xaxis": {
            "range": [left, right],
            "title": {"text": _("judged: points from 0 to 100"), "font": {"size": 12}},
            "showgrid": False,
            "nticks": 5,
        },
        "yaxis": {
            "range": [bottom, top],
            "title": {"text": _counts_title(reading.how), "font": {"size": 12}},
            "showgrid": False,
            "nticks": 5,
            "tickformat": ".0f",
        },
        "hovermode": "closest",
        "showlegend": False,
        "margin": {"t": 28},
        "shapes": list(_cross(reading.cross)),
        "annotations": [*_corners(), *_names_of_lines(reading.cross, reading.how)],
    }
    return Figure(traces, layout, *_table(reading))


def _counts_title(how: How) -> str:
    if how == How.DERIVED:
        return _("counts: % of what explains")
    return _("said to count: points from 0 to 100")


def _intervals(drivers: Sequence[Driver]) -> Iterable[dict[str, Any]]:
    """Thin lines: how sure each place is, to both sides."""
    yield {
        "type": "scatter",
        "mode": "markers",
        "x": [driver.performance.value for driver in drivers],
        "y": [100 * (driver.share.value or 0.0) for driver in drivers],
        "marker": {"size": 1, "color": "--edge"},
        "error_x": _bars([driver.performance for driver in drivers], 1.0),
        "error_y": _bars([driver.share for driver in drivers], 100.0),
        "hoverinfo": "skip",
    }


def _bars(figures: Sequence[Number], factor: float) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [_length(figure.value, figure.high, factor) for figure in figures],
        "arrayminus": [_length(figure.low, figure.value, factor) for figure in figures],
        "color": "--edge",
        "thickness": 1,
        "width": 0,
    }


def _length(low: float | None, high: float | None, factor: float) -> float:
    return 0.0 if low is None or high is None else factor * max(high - low, 0.0)


def _discs(drivers: Sequence[Driver], size: int, how: How, *, is_certain: bool) -> dict[str, Any]:
    """Numbered discs: full where the quadrant is certain, else open."""
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [driver.performance.value for driver in drivers],
        "y": [100 * (driver.share.value or 0.0) for driver in drivers],
        "text": [str(driver.rank) for driver in drivers],
        "textposition": "middle center",
        "textfont": {"size": size // 2 + 1, "color": "--surface" if is_certain else "--ink"},
        "marker": {
            "size": size,
            "color": "--series-1" if is_certain else "--surface",
            "line": {"color": "--series-1", "width": 2},
        },
        "customdata": [_hover(driver, how) for driver in drivers],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _hover(driver: Driver, how: How) -> str:
    lines = [
        f"{driver.rank} {_short(driver.name)}",
        _("counts: %(share)s") % {"share": counts_text(driver.share, how)},
        _("judged: %(points)s") % {"points": points_text(driver.performance)},
        place_text(driver),
    ]
    return "<br>".join(plain(line) for line in lines if line)


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:59]}…"


def effects_figure(reading: Reading) -> Figure | None:
    """Draw what bad costs and what good brings, a row each; None where neither was found."""
    drivers = [driver for driver in reading.drivers if driver.effect is not None]
    if not drivers:
        return None
    names = [_short(driver.name) for driver in drivers]
    losses = [turned(driver.penalty) for driver in drivers if driver.penalty]
    gains = [driver.reward for driver in drivers if driver.reward]
    traces = [
        _effect_bars(_("where it is judged low"), names, losses, "--series-2"),
        _effect_bars(_("where it is judged high"), names, gains, "--series-1"),
    ]
    layout: dict[str, Any] = {
        "barmode": "relative",
        "xaxis": {
            "title": {"text": _("difference in the outcome, in points"), "font": {"size": 12}},
            "zeroline": True,
            "nticks": 7,
        },
        "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.12, "x": 0},
        "bargap": 0.45,
    }
    columns = [
        Column(_("Name")),
        Column(_("Where it is judged low"), "number"),
        Column(_("95 % interval"), "interval"),
        Column(_("Where it is judged high"), "number"),
        Column(_("95 % interval"), "interval"),
        Column(_("What it is")),
    ]
    rows = [
        [
            driver.name,
            number(loss.value or 0.0, 2),
            _between(loss, 1.0, 2),
            number(gain.value or 0.0, 2),
            _between(gain, 1.0, 2),
            str(EFFECTS[driver.effect].title) if driver.effect else "",
        ]
        for driver, loss, gain in zip(drivers, losses, gains, strict=True)
    ]
    return Figure(traces, layout, columns, rows)


def _effect_bars(
    name: str, names: Sequence[str], figures: Sequence[Number], color: str
) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": list(names),
        "x": [figure.value for figure in figures],
        "error_x": {**_bars(figures, 1.0), "color": "--ink-soft", "width": 3},
        "marker": {"color": color},
        "hovertemplate": "%{y}: %{x:.2f}<extra></extra>",
    }


def _cross(cross: Ends) -> Iterable[dict[str, Any]]:
    line = {"color": "--ink-soft", "width": 1.25, "dash": "dash"}
    judged, counts = cross
    yield {
        "type": "line", "layer": "below", "line": line,
        "x0": judged, "x1": judged, "yref": "paper", "y0": 0, "y1": 1,
    }  # fmt: skip
    yield {
        "type": "line", "layer": "below", "line": line,
        "y0": 100 * counts, "y1": 100 * counts, "xref": "paper", "x0": 0, "x1": 1,
    }  # fmt: skip


def _corners() -> Iterable[dict[str, Any]]:
    places = {
        Quadrant.CONCENTRATE: ("left", "top"),
        Quadrant.KEEP_UP: ("right", "top"),
        Quadrant.LOW_PRIORITY: ("left", "bottom"),
        Quadrant.POSSIBLE_OVERKILL: ("right", "bottom"),
    }
    for quadrant, (side, height) in places.items():
        yield {
            "xref": "paper",
            "yref": "paper",
            "x": 0.01 if side == "left" else 0.99,
            "y": 0.995 if height == "top" else 0.005,
            "xanchor": side,
            "yanchor": height,
            "text": str(QUADRANTS[quadrant].title),
            "showarrow": False,
            "font": {"size": 12, "color": "--ink-soft"},
        }


def _names_of_lines(cross: Ends, how: How) -> Iterable[dict[str, Any]]:
    judged, counts = cross
    share = number(100 * counts, 1)
    font = {"size": 11, "color": "--ink-soft"}
    yield {
        "x": judged, "yref": "paper", "y": 1, "xanchor": "center", "yanchor": "bottom",
        "text": _("mean %(points)s") % {"points": number(judged, 1)},
        "showarrow": False, "font": font,
    }  # fmt: skip
    yield {
        "xref": "paper", "x": 1, "y": 100 * counts, "xanchor": "right", "yanchor": "bottom",
        "text": _("mean %(points)s") % {"points": f"{share} %" if how == How.DERIVED else share},
        "showarrow": False, "font": font,
    }  # fmt: skip


def place_text(driver: Driver) -> str:
    """Return where it lies on the map, and whether that is certain."""
    if driver.quadrant is None:
        return ""
    title = str(QUADRANTS[driver.quadrant].title)
    return title if driver.is_certain else _("%(place)s, not certain") % {"place": title}


def _table(reading: Reading) -> tuple[list[Column], list[list[Any]]]:
    is_derived = reading.how == How.DERIVED
    counts = _("Share of what explains") if is_derived else _("Said to count, in points")
    columns = [
        Column(_("Name")),
        Column(counts, "number"),
        Column(_("95 % interval"), "interval"),
        Column(_("Judged, in points"), "number"),
        Column(_("95 % interval"), "interval"),
        Column(_("Its corner")),
    ]
    rows = [
        [
            f"{driver.rank} {driver.name}",
            f"{number(100 * (driver.share.value or 0.0), 1)}{' %' if is_derived else ''}",
            _between(driver.share, 100.0, 1),
            "" if driver.performance.value is None else number(driver.performance.value, 1),
            _between(driver.performance, 1.0, 1),
            place_text(driver),
        ]
        for driver in reading.ranked
    ]
    return columns, rows


def _between(figure: Number, factor: float, decimals: int) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{number(factor * figure.low, decimals)} – {number(factor * figure.high, decimals)}"
