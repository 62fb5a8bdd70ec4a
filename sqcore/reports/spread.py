"""How far things differ among each other: the units below, the channels, the people of a unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from scipy import special

from sqcore.base.text import number
from sqcore.identity.permissions import Permission
from sqcore.indicators.definition import COMPOSITE, IndicatorDefinition, SystemDefinition
from sqcore.reports.comparison import best_known, in_points, indicator_url
from sqcore.reports.evidence import Effect, Evidence, Measured, Question, Says
from sqcore.reports.queries import (
    PeopleMeans,
    Row,
    figures_below,
    figures_by_channel,
    people_means,
)
from sqcore.reports.rules import CONFIDENCE, MATTERS, direction, level_of
from sqcore.stats.differences import Bounded
from sqcore.stats.heterogeneity import OF_TWO, Heterogeneity, heterogeneity

FEWEST_UNITS = 3
"""Units whose spread is told at the least."""
FEWEST_CHANNELS = 2
MOST_POINTS = 100.0
FEWEST_PEOPLE = 8
"""People of a unit whose spread is told at the least."""

Parts = Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class _Judged:
    """One code of several units or channels, and how far they differ in it, in points."""

    code: str
    rows: Sequence[Row]
    found: Heterogeneity


def _judged(
    definition: SystemDefinition, parts: Parts, codes: Sequence[str], fewest: int
) -> list[_Judged]:
    """Return the spread in each code; the intervals hold together, however many codes."""
    able = []
    for code in codes:
        points = [(row, _points(definition.indicator(code), row)) for row in parts[code]]
        known = [(row, found) for row, found in points if found and found.high > found.low]
        if len(known) >= fewest:
            able.append((code, known))
    judged = []
    for code, known in able:
        found = heterogeneity(
            [point.value for _row, point in known],
            [_error(point) ** 2 for _row, point in known],
            confidence=level_of(len(able)),
        )
        judged.append(_Judged(code, [row for row, _point in known], found))
    return judged


def _points(leaf: IndicatorDefinition | None, row: Row) -> Bounded | None:
    if leaf is not None:
        return in_points(leaf, row)
    if row.low is None or row.high is None:
        return None
    return Bounded(row.value, row.low, row.high)


def _error(point: Bounded) -> float:
    """Return the standard error; of a score that ends at 0 or 100 the longer side tells it."""
    return max(point.value - point.low, point.high - point.value) / float(
        special.ndtri(0.5 + CONFIDENCE / 2)
    )


def _most(judged: Sequence[_Judged], name: str) -> tuple[_Judged, Effect]:
    """Return the code in which they differ most: one that speaks for, else one that is open."""
    pairs = [(each, _effect(each, name)) for each in judged]
    order = (Says.FOR, Says.UNCLEAR, Says.AGAINST)
    return max(
        pairs, key=lambda pair: (-order.index(direction(pair[1])), pair[1].value, pair[0].code)
    )


def _effect(each: _Judged, name: str) -> Effect:
    two = each.found.of_two
    # Few parts leave it open up to any height; no two are more than 100 points apart.
    high = None if two.high is None else min(two.high, MOST_POINTS)
    return Effect(
        name,
        Measured.SPREAD,
        min(two.value or 0.0, MOST_POINTS),
        two.low,
        high,
        MATTERS,
        len(each.rows),
        "parts",
        "" if two.low is not None else _("They are more alike than chance lets them be."),
    )


def _ends(definition: SystemDefinition, each: _Judged) -> tuple[Row, Row]:
    """Return the lowest and the highest, in points."""

    def point(row: Row) -> float:
        found = _points(definition.indicator(each.code), row)
        return found.value if found else row.value

    return min(each.rows, key=point), max(each.rows, key=point)


@dataclass(frozen=True)
class SpreadOfUnits:
    """How far the units right below differ beyond chance, in their overall score or a dimension."""

    key: str = "results.units-apart"
    cause: str = "standards"
    method: int = 1

    @property
    def title(self) -> str:
        return _("Spread between the units below it")

    def speak(self, question: Question) -> Evidence | None:
        if not question.children or not question.definition.whole:
            return None
        definition = question.definition
        codes = [COMPOSITE, *(each.code for each in definition.all_dimensions())]
        judged = _judged(definition, figures_below(question, codes), codes, FEWEST_UNITS)
        if not judged:
            return Evidence.not_enough(
                _("Fewer than %(n)s units below it have a score with an interval.")
                % {"n": FEWEST_UNITS}
            )
        each, effect = _most(judged, _("points that two units differ by on average"))
        said = _(
            "%(what)s: beyond chance two of the %(n)s units below it differ by %(points)s of 100 "
            "points on average; seen are %(low)s to %(high)s."
        )
        return _spread_told(question, each, effect, said)


@dataclass(frozen=True)
class SpreadOfChannels:
    """How far its channels differ beyond chance in what customers say."""

    key: str = "results.channels-apart"
    cause: str = "standards"
    method: int = 1

    @property
    def title(self) -> str:
        return _("Spread between its channels")

    def speak(self, question: Question) -> Evidence | None:
        groups = [
            [leaf for leaf in dimension.indicators if leaf.are_opinions]
            for dimension in question.definition.all_dimensions()
        ]
        codes = [leaf.code for group in groups for leaf in group]
        if not codes:
            return None
        parts = figures_by_channel(question, codes)
        if not any(parts.values()):
            return None
        largest = {code: max(rows, key=lambda row: row.n) for code, rows in parts.items() if rows}
        picked = [best_known(group, largest) for group in groups]
        chosen = [leaf.code for leaf in picked if leaf is not None]
        judged = _judged(question.definition, parts, chosen, FEWEST_CHANNELS)
        if not judged:
            return Evidence.not_enough(_("Fewer than two channels have enough answers."))
        each, effect = _most(judged, _("points that two channels differ by on average"))
        said = _(
            "%(what)s: beyond chance two of its %(n)s channels differ by %(points)s of 100 points "
            "on average; seen are %(low)s to %(high)s."
        )
        return _spread_told(question, each, effect, said)


def _spread_told(question: Question, each: _Judged, effect: Effect, said: str) -> Evidence:
    definition = question.definition
    low, high = (
        found.value if found else 0.0
        for found in (
            _points(definition.indicator(each.code), row) for row in _ends(definition, each)
        )
    )
    named = {
        "what": definition.name_of(each.code),
        "n": len(each.rows),
        "points": number(effect.value, 1),
        "low": number(low, 1),
        "high": number(high, 1),
    }
    return Evidence(
        direction(effect),
        said % named,
        effect,
        since=question.period.start,
        until=question.period.end,
        url=indicator_url(question, each.code),
        url_title=_("The figures side by side"),
    )


# People -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SpreadOfStaff:
    """Which share of the variance of answers lies between colleagues of the same unit and post."""

    key: str = "people.apart"
    cause: str = "skills"
    method: int = 1

    @property
    def title(self) -> str:
        return _("Spread between staff")

    def speak(self, question: Question) -> Evidence | None:
        if not question.principal.may(Permission.VIEW_PEOPLE_RESULTS, unit_id=question.unit.pk):
            return Evidence.not_enough(
                _("Told only to those who may see results of people of this unit.")
            )
        people = people_means(question)
        if people is None:
            return None
        if len(people.means) < FEWEST_PEOPLE:
            return Evidence.not_enough(
                _("Fewer than %(n)s people have enough answers about them.") % {"n": FEWEST_PEOPLE}
            )
        found = heterogeneity(people.means, [people.within / n for n in people.n], people.groups)
        if found.tau.value is None:
            return Evidence.not_enough(_("Nobody has a colleague of the same unit and post."))
        return _people_told(question, people, found)


def _people_told(question: Question, people: PeopleMeans, found: Heterogeneity) -> Evidence:
    margin = people.run.policy.smallest_difference
    matters = _share((margin / OF_TWO), people.within)
    tau = found.tau
    effect = Effect(
        _("share of the variance between colleagues"),
        Measured.VARIANCE,
        _share(tau.value or 0.0, people.within),
        None if tau.low is None else _share(tau.low, people.within),
        None if tau.high is None else _share(tau.high, people.within),
        matters,
        len(people.means),
        "people",
        "" if tau.low is not None else _("They are more alike than chance lets them be."),
    )
    said = _(
        "%(share)s %% of the differences between answers lie between colleagues (%(people)s "
        "people, %(answers)s answers); the rest between customers of the same person. From "
        "%(matters)s %% on, two colleagues differ by %(margin)s points on average, which is what "
        "the rules for results of people call a difference that matters."
    ) % {
        "share": number(100 * effect.value, 0),
        "people": len(people.means),
        "answers": number(sum(people.n), 0),
        "matters": number(100 * matters, 0),
        "margin": number(margin, 2),
    }
    return Evidence(
        direction(effect),
        said,
        effect,
        since=people.starts_on,
        until=people.run.ends_on,
        url=f"{reverse('sqcore:performance-people')}?{urlencode({'unit': question.unit.code})}",
        url_title=_("Results of people"),
    )


def _share(tau: float, within: float) -> float:
    return tau * tau / (tau * tau + within)
