"""What indicators say for and against: opinions, waiting, machines, and what really changed.

Each source is registered in `sqcore/plugins.py`; those of encounters stand in `operations.py`,
those of spread between units, channels and people in `spread.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.text import number
from sqcore.evaluation.wording import points_of_change, scale_of
from sqcore.indicators.definition import IndicatorDefinition, SystemDefinition
from sqcore.indicators.shapes import curve_of, is_even, points_at, side_of
from sqcore.monitoring.models import Signal
from sqcore.reports.evidence import Effect, Evidence, Measured, Question, Says
from sqcore.reports.queries import Beside, Row, expected_a_series, figures_beside, signals_in
from sqcore.reports.rules import FEWEST_PEERS, MATTERS, behind, direction, mean_of, widened
from sqcore.stats.differences import Bounded

ATTITUDE = ("empathy", "responsiveness")
"""Dimensions in which customers say how they were treated."""
SIGMA_MATTERS = 1.0
"""From which shift on, in standard deviations of the series, a signal counts as small."""

Picks = Callable[[SystemDefinition], Sequence[IndicatorDefinition]]


def attitude(definition: SystemDefinition) -> list[IndicatorDefinition]:
    """What customers say of how they were treated."""
    return [
        leaf
        for dimension in definition.all_dimensions()
        if dimension.code in ATTITUDE
        for leaf in dimension.indicators
        if leaf.are_opinions
    ]


def times(definition: SystemDefinition) -> list[IndicatorDefinition]:
    """How long customers wait and are served."""
    return [leaf for leaf in definition.all_indicators() if leaf.source == "encounters"]


def machines(definition: SystemDefinition) -> list[IndicatorDefinition]:
    """Whether machines and systems work, and how soon they do again."""
    return [leaf for leaf in definition.all_indicators() if leaf.source == "equipment"]


# Points -------------------------------------------------------------------------------------------


def in_points(leaf: IndicatorDefinition, row: Row) -> Bounded | None:
    """Return a figure in points from 0 to 100 between its goalposts, beyond them as well; of
    another shape the points that it is worth, with the least and the most of its interval. None
    without an interval."""
    if row.low is None or row.high is None:
        return None
    value, curve = _point(leaf, row.value), curve_of(leaf)
    if curve is None:
        ends = [_point(leaf, end) for end in (row.low, row.high)]
        return Bounded(value, min(ends), max(ends))
    low, high = curve.between(row.low, row.high)
    return Bounded(value, min(float(low), value), max(float(high), value))


def _point(leaf: IndicatorDefinition, value: float) -> float:
    if not is_even(leaf):
        return points_at(leaf, value)
    return points_of_change(leaf).factor * (value - leaf.worst)


def said_of(leaf: IndicatorDefinition, value: float) -> str:
    """Return a value as people write it: 8.9 min, 81.6 %."""
    scale = scale_of(leaf)
    return f"{number(scale.factor * value, scale.decimals)} {scale.unit}".strip()


def best_known(
    leaves: Sequence[IndicatorDefinition], rows: Mapping[str, Row | None]
) -> IndicatorDefinition | None:
    """Return the indicator whose interval is the narrowest between its goalposts; which one that is
    does not depend on how good it is: points of another shape are not asked, as they are level at
    its ends."""
    known = []
    for leaf in leaves:
        row = rows.get(leaf.code)
        if row is not None and row.low is not None and row.high is not None:
            width = abs(points_of_change(leaf).factor) * (row.high - row.low)
            known.append((width, leaf.code, leaf))
    return min(known, key=lambda each: each[:2])[2] if known else None


def one_a_dimension(
    definition: SystemDefinition,
    leaves: Sequence[IndicatorDefinition],
    rows: Mapping[str, Row | None],
) -> list[IndicatorDefinition]:
    """Return of the indicators of each dimension the one that is known best."""
    wanted = {leaf.code for leaf in leaves}
    groups = [
        [leaf for leaf in dimension.indicators if leaf.code in wanted]
        for dimension in definition.all_dimensions()
    ]
    found = [best_known(group, rows) for group in groups]
    return [leaf for leaf in found if leaf is not None]


# Beside the others of its level, or beside what is asked of it ------------------------------------


@dataclass(frozen=True)
class _Compared:
    """How far a figure of the unit is behind, in points, and behind what: the mean of so many
    `peers`, or (None) the target or floor whose value is `usual`. `points`: of both, where a step
    of the value is not worth the same anywhere."""

    leaf: IndicatorDefinition
    own: Row
    behind: Bounded
    usual: float
    peers: int | None
    points: tuple[float, float] | None = None

    def effect(self, name: str, looks: int) -> Effect:
        value, low, high = widened(self.behind, looks)
        counts = (self.own.n, self.leaf.counts)
        return Effect(name, Measured.POINTS, value, low, high, MATTERS, *counts)


@dataclass(frozen=True)
class WorstIndicator:
    """Compares indicators of the unit with those of the other units of its level, and tells of the
    one that is furthest behind; its interval is widened for having looked at several.

    Where the asker sees fewer than three others, the target stands in for them.
    is_thinned: of the indicators of a dimension only the one that is known best
    """

    key: str
    cause: str
    title: str | Promise
    picks: Picks
    is_thinned: bool = False
    method: int = 1

    def speak(self, question: Question) -> Evidence | None:
        leaves = list(self.picks(question.definition))
        if not leaves:
            return None
        beside = figures_beside(question, [leaf.code for leaf in leaves])
        if self.is_thinned:
            own = {code: found.own for code, found in beside.items()}
            leaves = one_a_dimension(question.definition, leaves, own) or leaves
        found = [_with_others(leaf, beside[leaf.code]) for leaf in leaves]
        compared = [each for each in found if each is not None]
        if not compared:
            return Evidence.not_enough(_why_not(leaves, beside))
        return _told(question, compared)


@dataclass(frozen=True)
class BehindFloor:
    """Compares indicators with the least that is acceptable (their floor), however others do."""

    key: str
    cause: str
    title: str | Promise
    picks: Picks
    method: int = 1

    def speak(self, question: Question) -> Evidence | None:
        leaves = [leaf for leaf in self.picks(question.definition) if leaf.floor is not None]
        if not leaves:
            return None
        beside = figures_beside(question, [leaf.code for leaf in leaves])
        found = [_with(leaf, beside[leaf.code].own, leaf.floor) for leaf in leaves]
        compared = [each for each in found if each is not None]
        if not compared:
            return Evidence.not_enough(_why_not(leaves, beside))
        return _told(question, compared, is_floor=True)


def _with_others(leaf: IndicatorDefinition, beside: Beside) -> _Compared | None:
    if beside.own is None:
        return None
    shown = [(row, in_points(leaf, row)) for row in beside.others]
    parts = [points for _row, points in shown if points is not None]
    own = in_points(leaf, beside.own)
    if own is None or len(parts) < FEWEST_PEERS:
        return _with(leaf, beside.own, leaf.target)
    values = [row.value for row, points in shown if points is not None]
    usual, theirs = sum(values) / len(values), mean_of(parts)
    points = None if is_even(leaf) else (own.value, theirs.value)
    return _Compared(leaf, beside.own, behind(own, theirs), usual, len(parts), points)


def _with(leaf: IndicatorDefinition, own: Row | None, bar: float | None) -> _Compared | None:
    points = None if own is None else in_points(leaf, own)
    if own is None or points is None or bar is None:
        return None
    at = _point(leaf, bar)
    return _Compared(leaf, own, behind(points, Bounded(at, at, at)), bar, None)


def _why_not(leaves: Sequence[IndicatorDefinition], beside: Mapping[str, Beside]) -> str:
    shown = [(leaf, row) for leaf in leaves if (row := beside[leaf.code].own) is not None]
    if not shown:
        return _("Nothing of it is shown here in this period: not measured, or too few answers.")
    if all(in_points(leaf, row) is None for leaf, row in shown):
        return _("How sure the figures are cannot be said, so that they cannot be compared.")
    return _(
        "You see results of fewer than %(n)s other units of its level, and there is no target: "
        "there is nothing to compare it with."
    ) % {"n": FEWEST_PEERS}


def _told(question: Question, compared: Sequence[_Compared], *, is_floor: bool = False) -> Evidence:
    """Return what the indicator furthest behind says; against only what holds of all of them."""
    looks = len(compared)
    pairs = [(each, each.effect(_effect_name(each, is_floor), looks)) for each in compared]
    by_says: dict[Says, list[tuple[_Compared, Effect]]] = {}
    for pair in pairs:
        by_says.setdefault(direction(pair[1]), []).append(pair)
    says = next(says for says in (Says.FOR, Says.UNCLEAR, Says.AGAINST) if says in by_says)
    each, effect = max(by_says[says], key=lambda pair: (pair[1].value, pair[0].leaf.code))
    sentence = _floor_said(question, each) if is_floor else _said(question, each)
    if looks > 1:
        sentence += " " + ngettext(
            "Of %(looks)s indicator looked at, it is the one furthest behind.",
            "Of %(looks)s indicators looked at, it is the one furthest behind.",
            looks,
        ) % {"looks": looks}
    return Evidence(
        says,
        sentence,
        effect,
        since=question.period.start,
        until=question.period.end,
        url=indicator_url(question, each.leaf.code),
        url_title=_("The indicator"),
    )


def _effect_name(each: _Compared, is_floor: bool) -> str:
    if is_floor:
        return _("points below its floor")
    if each.peers is None:
        return _("points below its target")
    return _("points behind the others of its level")


def _named(question: Question, each: _Compared) -> dict[str, object]:
    return {
        "name": question.definition.name_of(each.leaf.code),
        "own": said_of(each.leaf, each.own.value),
        "usual": said_of(each.leaf, each.usual),
        "peers": each.peers,
        "own_points": "" if each.points is None else number(each.points[0], 1),
        "usual_points": "" if each.points is None else number(each.points[1], 1),
    }


def _said(question: Question, each: _Compared) -> str:
    named = _named(question, each)
    if each.peers is None:
        return (
            _(
                "%(name)s: %(own)s here; its target is %(usual)s. You see too few other units to "
                "compare it with them."
            )
            % named
        )
    if each.points is not None:
        said = _(
            "%(name)s: %(own)s here, which is worth %(own_points)s points; at %(peers)s other "
            "units %(usual_points)s points on average."
        )
        return said % named
    return _("%(name)s: %(own)s here, %(usual)s on average at %(peers)s other units.") % named


def _floor_said(question: Question, each: _Compared) -> str:
    said = _("%(name)s: %(own)s here; the least that is acceptable (its floor) is %(usual)s.")
    return said % _named(question, each)


def indicator_url(question: Question, code: str) -> str:
    """Return the page of a series of the unit."""
    asked = {
        "system": question.system.code,
        "unit": question.unit.code,
        "grain": question.period.grain.value,
    }
    return f"{reverse('sqcore:evaluation-indicator', args=[code])}?{urlencode(asked)}"


# What really changed ------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenSignals:
    """Whether anything got worse beyond chance. It has no interval and makes no verdict."""

    key: str
    cause: str
    title: str | Promise
    picks: Picks
    method: int = 1

    def speak(self, question: Question) -> Evidence | None:
        picked = self.picks(question.definition)
        leaves = {leaf.code: leaf for leaf in picked if side_of(leaf)}
        if picked and not leaves:
            return Evidence.not_enough(
                _("Its indicators have their best in the middle: no signals are looked for.")
            )
        rate = expected_a_series(question) if leaves else None
        if rate is None:
            return None
        found = signals_in(question, list(leaves))
        chance = _("By chance alone a series has about %(rate)s false signals a year.") % {
            "rate": number(rate, 2)
        }
        page = reverse("sqcore:monitoring-signals")
        said = (
            _signalled(question, found, leaves)
            if found
            else _("No signal: nothing got worse here. Whether it was good, that does not say.")
        )
        return Evidence(
            Says.FOR if found else Says.UNCLEAR,
            f"{said} {chance}",
            _shift(found[0]) if found else None,
            since=found[0].since_on if found else question.period.start,
            until=question.period.end,
            url=f"{page}?{urlencode({'unit': question.unit.code})}",
            url_title=_("Signals"),
            supports_only=True,
        )


def _signalled(
    question: Question, found: Sequence[Signal], leaves: Mapping[str, IndicatorDefinition]
) -> str:
    strongest = found[0]
    leaf = leaves[strongest.code]
    named = {
        "count": len(found),
        "name": question.definition.name_of(leaf.code),
        "by": said_of(leaf, abs(strongest.shift)),
    }
    return (
        ngettext(
            "%(count)s signal: %(name)s got worse by %(by)s beyond what chance explains.",
            "%(count)s signals; the strongest: %(name)s got worse by %(by)s beyond what chance "
            "explains.",
            len(found),
        )
        % named
    )


def _shift(signal: Signal) -> Effect:
    return Effect(
        _("standard deviations of the series"),
        Measured.SIGMA,
        abs(signal.shift_sigma),
        None,
        None,
        SIGMA_MATTERS,
        signal.baseline.n,
        "periods",
        _("A signal is there or not; how often chance gives one is said beside it."),
    )
