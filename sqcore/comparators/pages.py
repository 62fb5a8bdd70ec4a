"""What pages show of competitors and the market, put together from queries and rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from sqcore.base.text import in_language, number, signed
from sqcore.comparators.comparing import Compared, compared
from sqcore.comparators.models import Comparator, ComparatorValue
from sqcore.comparators.queries import (
    comparators_of,
    indicators_with_values,
    values_about,
)
from sqcore.comparators.rules import (
    Comparison,
    OwnScore,
    Pair,
    Standing,
    for_period,
    is_share,
    reading,
)
from sqcore.comparators.series import source_text, span_text
from sqcore.evaluation.chosen import Chosen
from sqcore.evaluation.indicator_page import IndicatorPage
from sqcore.evaluation.wording import Mark, Scale, scale_of
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import COMPOSITE, SystemDefinition
from sqcore.indicators.models import Indicator, UnitOfMeasure
from sqcore.indicators.pages import in_unit
from sqcore.org.models import Unit
from sqcore.stats.differences import Bounded, difference

MOST = 24
"""Values of one indicator that its page lists, the latest first."""


# ---- The list ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class ValueRow:
    """A value in words."""

    value: ComparatorValue
    shown: str
    between: str
    about: str
    source: str

    @property
    def pk(self) -> int:
        return self.value.pk


def value_row(value: ComparatorValue) -> ValueRow:
    ends = [_written(end, value.indicator) for end in (value.low, value.high) if end is not None]
    return ValueRow(
        value,
        _written(value.value, value.indicator),
        " – ".join(ends),
        span_text(value),
        source_text(value),
    )


def _written(found: float, indicator: Indicator) -> str:
    unit = UnitOfMeasure.SHARE if is_share(indicator) else indicator.unit_of_measure
    return in_unit(found, unit)


def as_entered(found: float | None, indicator: Indicator) -> str:
    """Return a number as a form shows it, to be read back as the very same one: shares in percent
    where that keeps it."""
    if found is None:
        return ""
    if is_share(indicator):
        text = f"{_in_full(round(found * 100, 12))} %"
        if reading(text, indicator) == found:
            return text
    return _in_full(found)


def _in_full(found: float) -> str:
    short = f"{found:.12g}"
    return short if float(short) == found else repr(found)


@dataclass(frozen=True)
class Choices:
    """What the filters of the list offer."""

    indicators: list[tuple[str, str]]
    comparators: list[tuple[str, str]]
    kinds: list[tuple[str, str]]


def choices_of(principal: Principal) -> Choices:
    """Return what the filters offer. Two queries."""
    return Choices(
        [("", _("All indicators")), *_named(indicators_with_values(principal))],
        [("", _("All")), *_named(comparators_of(principal))],
        [("", _("All kinds")), *((kind.value, str(kind.label)) for kind in Comparator.Kind)],
    )


def _named(found: Iterable[Indicator | Comparator]) -> list[tuple[str, str]]:
    return [(each.code, in_language(each.name)) for each in found]


# ---- A score beside that of a comparator ---------------------------------------------------------
@dataclass(frozen=True)
class PairRow:
    """One indicator on both sides: values with their points behind."""

    name: str
    code: str
    weight: str
    own: str
    own_points: str
    market: str
    market_points: str
    about: str
    source: str


@dataclass(frozen=True)
class ComparisonCard:
    """A comparison in words; without numbers where too little can be compared."""

    name: str
    kind: str
    coverage: str
    said: str
    own: str
    own_between: str
    market: str
    market_between: str
    by: str
    by_between: str
    tone: str
    rows: list[PairRow]

    @property
    def is_shown(self) -> bool:
        return bool(self.by)


def comparison_cards(
    *, principal: Principal, chosen: Chosen, unit: Unit, code: str = COMPOSITE
) -> list[ComparisonCard]:
    """Return a unit's score beside each comparator of the period, in the order of their codes."""
    found = compared(principal=principal, run=chosen.run, unit=unit, code=code)
    definition = SystemDefinition.from_json(chosen.run.definition) if found else None
    return [_card(each, definition) for each in found if definition is not None]


def _card(each: Compared, definition: SystemDefinition) -> ComparisonCard:
    found = each.comparison
    own, own_between = _points(found.own)
    market, market_between = _points(found.market)
    by = found.by
    ends = by.bounded if by else None
    return ComparisonCard(
        name=str(each.comparator),
        kind=each.comparator.get_kind_display(),
        coverage=f"{number(100 * found.coverage, 0)} %",
        said=_said(found),
        own=own,
        own_between=own_between,
        market=market,
        market_between=market_between,
        by=signed(by.score, 1) if by else "",
        by_between=f"{signed(ends.low, 1)} – {signed(ends.high, 1)}" if ends else "",
        tone=_tone(found),
        rows=[_pair_row(pair, each, definition) for pair in found.pairs],
    )


def _points(score: OwnScore | None) -> tuple[str, str]:
    if score is None:
        return "", ""
    ends = score.bounded
    between = f"{number(ends.low, 1)} – {number(ends.high, 1)}" if ends else ""
    return number(score.score, 1), between


def _tone(found: Comparison) -> str:
    if found.by is None or not found.is_clear:
        return ""
    return "good" if found.by.score > 0 else "watch"


def _said(found: Comparison) -> str:
    """What the comparison says, in one sentence."""
    if found.standing == Standing.NOTHING:
        return _("Not compared: none of its indicators has an own figure in this period.")
    share = {"share": number(100 * found.coverage, 0)}
    if found.standing == Standing.COVERAGE:
        return (
            _("Not compared: both have only %(share)s %% of the weight, and 60 %% is needed.")
            % share
        )
    if found.by is None or found.by.bounded is None:
        if found.market is not None and found.market.bounded is None:
            return _("How sure the other side is, nobody says: the difference may be chance.")
        return _("How sure one's own side is, is not known: the difference may be chance.")
    if not found.is_clear:
        return _("Chance may explain the difference.")
    if found.by.score > 0:
        return _("Better here, by more than chance explains.")
    return _("Better there, by more than chance explains.")


def _pair_row(pair: Pair, each: Compared, definition: SystemDefinition) -> PairRow:
    scale = scale_of(pair.leaf)
    own = scale.of(each.own[pair.leaf.code].value)
    market = scale.of(pair.value.value)
    return PairRow(
        name=definition.name_of(pair.leaf.code),
        code=pair.leaf.code,
        weight=f"{number(100 * pair.weight, 0)} %",
        own=_with_unit(own, scale),
        own_points=number(pair.own.score, 1),
        market=_with_unit(market, scale),
        market_points=number(pair.market.value, 1),
        about=span_text(pair.value),
        source=source_text(pair.value),
    )


def _with_unit(found: float | None, scale: Scale) -> str:
    if found is None:
        return ""
    text = number(found, scale.decimals)
    return f"{text} {scale.unit}" if scale.unit else text


# ---- An indicator beside its comparators ---------------------------------------------------------
@dataclass(frozen=True)
class BesideRow:
    """A value of a comparator, and the own value of the shown period less it."""

    name: str
    kind: str
    value: str
    between: str
    n: int | None
    about: str
    source: str
    url: str
    by: str = ""
    by_said: str = ""


@dataclass(frozen=True)
class BesidePage:
    """What others reached in an indicator, the latest first."""

    rows: list[BesideRow]
    more: int
    own: str
    title: str


def beside_page(*, principal: Principal, page: IndicatorPage) -> BesidePage | None:
    """Return what others reached in the indicator of a page; None where nobody is known.

    One query. `by` stands where a value speaks of the period that the page shows.
    """
    values = values_about(principal, [page.code], first=date.min, end=date.max)
    if not values:
        return None
    standing = {found[page.code].pk for found in for_period(values, page.chosen.period).values()}
    latest = sorted(values, key=lambda value: (value.ends_on, value.starts_on), reverse=True)
    return BesidePage(
        rows=[_beside_row(value, page.row.mark, value.pk in standing) for value in latest[:MOST]],
        more=max(len(latest) - MOST, 0),
        own=_with_unit(page.row.mark.value, page.row.mark.scale),
        title=page.chosen.title,
    )


def _beside_row(value: ComparatorValue, mark: Mark, stands: bool) -> BesideRow:
    by, said = _less(value, mark) if stands and mark.value is not None else ("", "")
    row = value_row(value)
    return BesideRow(
        name=str(value.comparator),
        kind=value.comparator.get_kind_display(),
        value=row.shown,
        between=row.between,
        n=value.n,
        about=row.about,
        source=row.source,
        url=value.url,
        by=by,
        by_said=said,
    )


def _less(value: ComparatorValue, mark: Mark) -> tuple[str, str]:
    """Return the own value less that of a comparator, and how sure that is."""
    scale = mark.scale
    market = [scale.of(end) for end in (value.value, value.low, value.high)]
    own = [mark.value, mark.low, mark.high]
    by = (own[0] or 0.0) - (market[0] or 0.0)
    known = [end for end in (*own, *market) if end is not None]
    if len(known) < len(own) + len(market):
        return signed(by, scale.decimals), _("how sure, is not known")
    ends = difference(_ordered(known[:3]), _ordered(known[3:]))
    between = f"{signed(ends.low, scale.decimals)} – {signed(ends.high, scale.decimals)}"
    return signed(by, scale.decimals), between


def _ordered(numbers: Sequence[float]) -> Bounded:
    """Return a value with its ends around it, however they were rounded."""
    value, low, high = numbers
    return Bounded(value, min(low, value), max(high, value))
