"""Pictures of results of people: somebody's interval beside the group, and the funnel of many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from sqcore.base.text import number, signed
from sqcore.dashboards.figures import Column, Figure
from sqcore.performance.models import StaffResult
from sqcore.performance.wording import DECIMALS, between_text, mark_of
from sqcore.stats.funnels import funnel_limits

Verdict = StaffResult.Verdict
MOST_POINTS = 600
"""Of more people the picture would be a cloud."""
_SIGNS = {
    Verdict.ALIKE: ("--series-1", "circle"),
    Verdict.LOW: ("--watch", "triangle-down"),
    Verdict.ABOVE: ("--good", "triangle-up"),
    Verdict.NOT_ENOUGH: ("--ink-soft", "circle-open"),
}


@dataclass(frozen=True)
class PersonPicture:
    """Places on a line, in percent of its length, and what they say in words.

    `margin_low` to `margin_high` is where a difference from the group does not matter.
    """

    low: float
    high: float
    estimate: float
    centre: float
    margin_low: float
    margin_high: float
    ends: tuple[str, str]
    label: str

    @property
    def range_width(self) -> float:
        return round(self.high - self.low, 2)

    @property
    def margin_width(self) -> float:
        return round(self.margin_high - self.margin_low, 2)


def person_picture(result: StaffResult) -> PersonPicture | None:
    """Draw a result with its interval, the centre of the group, and the least that matters."""
    low, high, estimate, centre = result.low, result.high, result.estimate, result.centre
    if low is None or high is None or estimate is None or centre is None:
        return None
    margin = result.run.policy.smallest_difference
    values = (low, high, estimate, centre, centre - margin, centre + margin)
    # On half points, so that the pictures of one page are read alike.
    start = math.floor(2 * min(values) - 0.2) / 2
    end = math.ceil(2 * max(values) + 0.2) / 2
    places = (round(100 * (value - start) / (end - start), 2) for value in values)
    label = _(
        "The result is %(estimate)s, with an interval from %(interval)s. Comparable colleagues "
        "have %(centre)s; a difference matters outside %(margin)s."
    ) % {
        "estimate": number(estimate, DECIMALS),
        "interval": between_text(low, high),
        "centre": number(centre, DECIMALS),
        "margin": between_text(centre - margin, centre + margin),
    }
    names = ("low", "high", "estimate", "centre", "margin_low", "margin_high")
    return PersonPicture(
        **dict(zip(names, places, strict=True)),
        ends=(number(start, 1), number(end, 1)),
        label=label,
    )


@dataclass(frozen=True)
class FunnelPoint:
    """One person, unnamed: how many answers, and how far their mean is from that of the group."""

    n: int
    distance: float
    verdict: str


def funnel_figure(points: Sequence[FunnelPoint], within: float) -> Figure:
    """Draw people, who are not named, between the limits that chance alone keeps.

    within: variance of the answers to one person
    """
    traces = [*_limit_traces(points, within), *_point_traces(points)]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": _("Answers")}, "rangemode": "tozero", "showgrid": False},
        "yaxis": {"title": {"text": _("Distance from colleagues")}, "tickformat": "+.1f"},
        "hovermode": "closest",
        "showlegend": True,
        "shapes": [_zero()],
    }
    return Figure(traces, layout, *_table(points, within))


def _zero() -> dict[str, Any]:
    line = {"color": "--ink-soft", "width": 1.25}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0, "line": line}


def _limit_traces(points: Sequence[FunnelPoint], within: float) -> list[dict[str, Any]]:
    first, last = min(p.n for p in points), max(p.n for p in points)
    sizes = np.unique(np.linspace(max(1, first), max(last, first + 1), 60).round().astype(int))
    limits = funnel_limits(0.0, sizes, kind="mean", within=within)
    names = (_("95 of 100 by chance"), _("998 of 1,000 by chance"))
    traces = []
    for at, (name, dash) in enumerate(zip(names, ("dot", "dash"), strict=True)):
        for is_high, side in enumerate((limits.low[at], limits.high[at])):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "legendgroup": name,
                    "showlegend": bool(is_high),
                    "x": sizes.tolist(),
                    "y": [round(float(value), 4) for value in side],
                    "line": {"color": "--edge", "width": 1.25, "dash": dash},
                    "hoverinfo": "skip",
                }
            )
    return traces


def _point_traces(points: Sequence[FunnelPoint]) -> list[dict[str, Any]]:
    traces = []
    for verdict, (colour, symbol) in _SIGNS.items():
        found = [point for point in points if point.verdict == verdict]
        if found:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": mark_of(verdict).title,
                    "x": [point.n for point in found],
                    "y": [round(point.distance, 4) for point in found],
                    "marker": {"color": colour, "symbol": symbol, "size": 9},
                    "hovertemplate": "n = %{x}<br>%{y:+.2f}<extra></extra>",
                }
            )
    return traces


def _table(points: Sequence[FunnelPoint], within: float) -> tuple[list[Column], list[list[Any]]]:
    columns = [
        Column(_("Answers"), "count"),
        Column(_("Distance from colleagues"), "number"),
        Column(_("95 of 100 by chance"), "interval"),
        Column(_("Verdict")),
    ]
    ordered = sorted(points, key=lambda point: (point.n, point.distance))
    limits = funnel_limits(0.0, [p.n for p in ordered], kind="mean", within=within, levels=(0.95,))
    rows: list[list[Any]] = [
        [
            number(point.n, 0),
            signed(point.distance, DECIMALS),
            f"± {number(float(high), DECIMALS)}",
            mark_of(point.verdict).title,
        ]
        for point, high in zip(ordered, limits.high[0], strict=True)
    ]
    return columns, rows
