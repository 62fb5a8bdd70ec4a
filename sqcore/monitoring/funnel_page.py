"""The funnel of units in words, as a picture and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from sqcore.base.periods import title_of
from sqcore.dashboards.figures import Column, Figure, plain
from sqcore.evaluation.wording import Scale, number, scale_of
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import counts_of_code
from sqcore.indicators.queries import system_by_code
from sqcore.indicators.sources import Counts
from sqcore.monitoring.charts import better_of
from sqcore.monitoring.forms import chosen_grain
from sqcore.monitoring.funnel import FunnelUnit, Place, UnitFunnel, funnel_of
from sqcore.monitoring.queries import grains_of
from sqcore.monitoring.wording import value_text
from sqcore.stats.results import MethodStatus

PLACES: Mapping[Place, str | Promise] = {
    Place.FAR_BELOW: lazy("clearly lower than chance explains"),
    Place.BELOW: lazy("lower than chance explains 95 times of 100"),
    Place.WITHIN: lazy("chance explains it"),
    Place.ABOVE: lazy("higher than chance explains 95 times of 100"),
    Place.FAR_ABOVE: lazy("clearly higher than chance explains"),
}
_SIDES = {
    Place.FAR_BELOW: -1,
    Place.BELOW: -1,
    Place.WITHIN: 0,
    Place.ABOVE: 1,
    Place.FAR_ABOVE: 1,
}
_SHAPES = {-1: "triangle-down", 0: "circle", 1: "triangle-up"}


@dataclass(frozen=True)
class FunnelPage:
    """The page: what is compared, its sentences, its picture, and the periods to choose from."""

    funnel: UnitFunnel
    name: str
    scale: Scale
    title: str
    centre: str
    sentences: list[str]
    figure: Figure
    periods: list[tuple[str, str]]
    grains: list[tuple[str, str, bool]]


def funnel_page(
    *, principal: Principal, system: str, code: str, grain: str = "", period: str = ""
) -> FunnelPage:
    """Return the page of a funnel. raises: NotFound for what is not there or not theirs"""
    of = system_by_code(principal, system)
    grains = grains_of(principal, system=of, code=code)
    chosen = chosen_grain(grain, grains)
    found = funnel_of(
        principal=principal,
        system=of,
        code=code,
        grain=chosen,
        starts_on=period,
    )
    leaf = found.definition.indicator(code)
    scale = scale_of(leaf)
    better = better_of(leaf)
    counted = str(Counts(counts_of_code(found.definition, code)).label)
    return FunnelPage(
        funnel=found,
        name=found.definition.name_of(code),
        scale=scale,
        title=title_of(found.period),
        centre=value_text(found.centre, scale),
        sentences=_sentences(found, scale),
        figure=funnel_figure(found, scale, better, counted),
        periods=[(each.key, title_of(each)) for each in found.periods],
        grains=[(each.value, str(each.label), each == chosen) for each in grains],
    )


def _sentences(found: UnitFunnel, scale: Scale) -> list[str]:
    said = [_whether(found)]
    if found.status == MethodStatus.OK and found.spread:
        spread = f"{number(scale.of(found.spread) or 0.0, scale.decimals)} {scale.unit}".strip()
        said.append(
            _(
                "Units differ more than chance explains (by about %(spread)s): the limits are "
                "wider by that, so that only what stands out among them lies outside."
            )
            % {"spread": spread}
        )
    if found.left_out:
        said.append(
            ngettext(
                "%(n)s unit has nothing that may be shown and is not in it.",
                "%(n)s units have nothing that may be shown and are not in it.",
                found.left_out,
            )
            % {"n": found.left_out}
        )
    return said


def _whether(found: UnitFunnel) -> str:
    if found.status == MethodStatus.NOT_APPLICABLE:
        return _("Limits by size are known of shares and of means; this is neither.")
    if found.status == MethodStatus.INSUFFICIENT_N:
        return _("Too few units: limits need at least 5 with a figure, there are %(n)s.") % {
            "n": len(found.units)
        }
    if found.status == MethodStatus.ZERO_VARIANCE:
        return _("There is no variation from which limits could come.")
    return ngettext(
        "%(outside)s of %(units)s unit lies outside the inner limits; chance alone puts about "
        "%(chance)s there.",
        "%(outside)s of %(units)s units lie outside the inner limits; chance alone puts about "
        "%(chance)s there.",
        len(found.units),
    ) % {
        "outside": found.outside,
        "units": len(found.units),
        "chance": number(found.chance_outside, 1),
    }


def funnel_figure(found: UnitFunnel, scale: Scale, better: int, counted: str) -> Figure:
    """Draw the units by how many each figure was counted from, between the limits."""
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": counted}, "showgrid": False},
        "yaxis": {"tickformat": f".{scale.decimals}~f"},
        "hovermode": "closest",
        "showlegend": False,
        "shapes": _centre(found, scale),
    }
    traces = [*_limit_traces(found, scale), *_unit_traces(found, scale, better)]
    columns = [
        Column(_("Unit")),
        Column(_("Value"), "number"),
        Column(counted, "count"),
        Column(_("95 % interval"), "interval"),
        Column(_("Inner limits (95 %)"), "interval"),
        Column(_("Outer limits (99.8 %)"), "interval"),
        Column(_("What it says")),
    ]
    return Figure(traces, layout, columns, [_row(each, scale, found) for each in found.units])


def _centre(found: UnitFunnel, scale: Scale) -> list[dict[str, Any]]:
    if found.centre is None:
        return []
    y = scale.of(found.centre)
    line = {"color": "--ink-soft", "width": 1.25}
    return [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}]


def _limit_traces(found: UnitFunnel, scale: Scale) -> list[dict[str, Any]]:
    if found.lines is None:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": list(found.lines.n),
            "y": [scale.of(value) for value in line],
            "line": {"color": "--edge", "width": 1.25, "dash": dash},
            "hoverinfo": "skip",
        }
        for sides in (found.lines.low, found.lines.high)
        for line, dash in zip(sides, ("dot", "dash"), strict=True)
    ]


def _unit_traces(found: UnitFunnel, scale: Scale, better: int) -> list[dict[str, Any]]:
    """The units, those outside in a shape for their side and a colour for what it means."""
    kinds: dict[int, list[FunnelUnit]] = {}
    for each in found.units:
        kinds.setdefault(_SIDES[each.place], []).append(each)
    colours = {1: "--watch", -1: "--watch", better: "--good", -better: "--bad", 0: "--series-1"}
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [each.n for each in units],
            "y": [scale.of(each.value) for each in units],
            "marker": {"color": colours[side], "size": 11 if side else 8, "symbol": _SHAPES[side]},
            "customdata": [_hover(each, scale, found) for each in units],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
        for side, units in sorted(kinds.items())
    ]


def _hover(each: FunnelUnit, scale: Scale, found: UnitFunnel) -> str:
    lines = [
        f"{each.unit}: {value_text(each.value, scale)}",
        f"n = {number_format(each.n, force_grouping=True)}",
        _said(each, found),
    ]
    return "<br>".join(plain(line) for line in lines if line)


def _said(each: FunnelUnit, found: UnitFunnel) -> str:
    return str(PLACES[each.place]) if found.status == MethodStatus.OK else ""


def _row(each: FunnelUnit, scale: Scale, found: UnitFunnel) -> list[Any]:
    own = "" if each.low is None or each.high is None else _ends((each.low, each.high), scale)
    limits: Sequence[str] = [_ends(pair, scale) for pair in each.limits] or ["", ""]
    n = number_format(each.n, force_grouping=True)
    value = value_text(each.value, scale)
    return [str(each.unit), value, n, own, *limits, _said(each, found)]


def _ends(pair: tuple[float, float], scale: Scale) -> str:
    return " – ".join(number(scale.of(end) or 0.0, scale.decimals) for end in pair)
