"""Where a series is going, in words: the panel below its chart."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from sqcore.base.periods import Grain, title_of
from sqcore.evaluation.wording import Scale, number
from sqcore.monitoring.charts import Reading
from sqcore.monitoring.outlook import SEASONS, DatedChange, Outlook, Passing
from sqcore.monitoring.wording import value_text
from sqcore.stats.results import MethodStatus
from sqcore.stats.smoothing import Method
from sqcore.stats.trend import Trend, TrendMethod

RESEMBLES = 0.2

METHODS: Mapping[Method, str | Promise] = {
    Method.NAIVE: lazy("Each as the last one"),
    Method.SEASONAL_NAIVE: lazy("Each as the same one a year ago"),
    Method.MEAN: lazy("Each as the mean of all so far"),
    Method.SIMPLE: lazy("A level that follows the newest periods"),
    Method.HOLT: lazy("A level and a trend that follow the newest periods"),
    Method.DAMPED: lazy("A level and a trend that peters out"),
    Method.HOLT_WINTERS: lazy("A level, a trend and the season of the year"),
}


@dataclass(frozen=True)
class Warned:
    """A line that the forecast passes, in words."""

    tone: str
    text: str


@dataclass(frozen=True)
class AheadLine:
    """A period to come: its name, what is foretold, and between what it will probably be."""

    title: str
    value: str
    between: str


@dataclass(frozen=True)
class OutlookPanel:
    """The panel: warnings, facts by name, the periods to come and how far the method is to be
    trusted. `interval` is the confidence of the forecast in percent.
    """

    outlook: Outlook
    warned: list[Warned]
    facts: list[tuple[str, str]]
    lines: list[AheadLine]
    method: str
    tried: str
    interval: int


def outlook_panel(read: Reading, found: Outlook, scale: Scale) -> OutlookPanel:
    """Return where a series is going in words of the unit of its indicator."""
    return OutlookPanel(
        outlook=found,
        warned=[_warned(each, scale) for each in found.told_passings],
        facts=[
            (_("Direction"), direction_text(read, found, scale)),
            (_("Likely change"), changes_text(found, scale)),
            (_("Season"), season_text(read, found)),
            (_("Memory"), memory_text(found)),
        ],
        lines=[
            AheadLine(
                title_of(each.period),
                value_text(each.point.value, scale),
                _between(each.point.low, each.point.high, scale),
            )
            for each in found.ahead
        ],
        method=_method(found),
        tried=_tried(found, scale),
        interval=round(found.forecast.confidence * 100),
    )


def _between(low: float, high: float, scale: Scale) -> str:
    ends = (number(scale.of(end) or 0.0, scale.decimals) for end in (low, high))
    return " – ".join(ends)


def periods_text(count: int, grain: Grain) -> str:
    """Return so many periods with their name."""
    said = {
        Grain.WEEK: ngettext("%(n)s week", "%(n)s weeks", count),
        Grain.MONTH: ngettext("%(n)s month", "%(n)s months", count),
        Grain.QUARTER: ngettext("%(n)s quarter", "%(n)s quarters", count),
        Grain.YEAR: ngettext("%(n)s year", "%(n)s years", count),
    }.get(grain, ngettext("%(n)s period", "%(n)s periods", count))
    return said % {"n": count}


def p_text(p: float) -> str:
    """Return a p-value as people write it."""
    return _("p < %(p)s") % {"p": number(0.001, 3)} if p < 0.001 else f"p = {number(p, 3)}"


# Direction --------------------------------------------------------------------------------------


def direction_text(read: Reading, found: Outlook, scale: Scale) -> str:
    """Return whether it rises or falls, how fast, and how sure that is."""
    trend = found.trend
    if trend.status == MethodStatus.TOO_SHORT:
        return _("Too short: a direction needs at least 8 periods, there are %(n)s.") % {
            "n": trend.n
        }
    slope = trend.slope
    if trend.p is None or slope.value is None or slope.low is None or slope.high is None:
        return _("All periods have the same value.")
    said = {
        "by": amount_text(abs(slope.value), scale, fine=True),
        "low": _signed(slope.low, scale),
        "high": _with_unit(_signed(slope.high, scale), scale),
        "p": p_text(trend.p),
        "periods": periods_text(trend.n, read.key.grain),
        "each": _each(read.key.grain, found),
    }
    return f"{_moves(read, trend) % said} {_doubt(trend)}".strip()


def _moves(read: Reading, trend: Trend) -> str:
    if not trend.direction:
        return _(
            "No direction beyond chance: %(low)s to %(high)s %(each)s (95 %% interval; %(p)s; "
            "%(periods)s)."
        )
    is_better = trend.direction == read.better_by_period
    if not read.better_by_period:
        text = (
            _("Rises by %(by)s %(each)s") if trend.direction > 0 else _("Falls by %(by)s %(each)s")
        )
    elif trend.direction > 0:
        text = (
            _("Rises, which is better, by %(by)s %(each)s")
            if is_better
            else _("Rises, which is worse, by %(by)s %(each)s")
        )
    else:
        text = (
            _("Falls, which is better, by %(by)s %(each)s")
            if is_better
            else _("Falls, which is worse, by %(by)s %(each)s")
        )
    return text + " " + _("(95 %% interval %(low)s to %(high)s; %(p)s; %(periods)s).")


def _each(grain: Grain, found: Outlook) -> str:
    if found.slope_is_a_year:
        return _("a year")
    said = {
        Grain.WEEK: _("a week"),
        Grain.MONTH: _("a month"),
        Grain.QUARTER: _("a quarter"),
        Grain.YEAR: _("a year"),
    }
    return said.get(grain, _("a period"))


def _doubt(trend: Trend) -> str:
    if trend.is_doubtful:
        return _(
            "Periods resemble the one before, and they are too few to allow for that: take it "
            "with care."
        )
    if trend.method == TrendMethod.WIDENED and (trend.autocorrelation or 0) > RESEMBLES:
        return _("That periods resemble the one before is allowed for.")
    if trend.method == TrendMethod.SEASONAL:
        return _("Each month or week is only compared with the same one of other years.")
    return ""


def amount_text(value: float, scale: Scale, *, fine: bool = False) -> str:
    """Return a difference with its unit: shares in percentage points."""
    decimals = scale.decimals + 1 if fine else scale.decimals
    return _with_unit(number(scale.of(value) or 0.0, decimals), scale)


def _with_unit(plain: str, scale: Scale) -> str:
    if scale.unit == "%":
        return _("%(by)s percentage points") % {"by": plain}
    return f"{plain} {scale.unit}".strip()


def _signed(value: float, scale: Scale) -> str:
    decimals = scale.decimals + 1
    size = number(abs(scale.of(value) or 0.0), decimals)
    if not any(letter in "123456789" for letter in size):
        return size
    return f"{'−' if value < 0 else '+'}{size}"


# Changes, season, memory ------------------------------------------------------------------------


def changes_text(found: Outlook, scale: Scale) -> str:
    """Return when the level probably changed, the latest change first."""
    changes = found.changes
    if changes.status == MethodStatus.TOO_SHORT:
        return _("Too short: a change can be placed with 10 periods or more, there are %(n)s.") % {
            "n": changes.n
        }
    if changes.status != MethodStatus.OK:
        return _("All periods have the same value.")
    if not found.dated:
        return _("None: one level explains the whole series.")
    if changes.is_gradual:
        return _("No single step: it went gradually, a straight line explains it better.")
    said = [_change_text(each, scale) for each in reversed(found.dated[-2:])]
    if len(found.dated) > len(said):
        earlier = len(found.dated) - len(said)
        said.append(
            ngettext("%(n)s more before that.", "%(n)s more before that.", earlier) % {"n": earlier}
        )
    return " ".join(said)


def _change_text(dated: DatedChange, scale: Scale) -> str:
    said = {
        "at": title_of(dated.at),
        "before": value_text(dated.change.before, scale),
        "after": value_text(dated.change.after, scale),
        "earliest": title_of(dated.earliest),
        "latest": title_of(dated.latest),
    }
    if dated.earliest == dated.latest:
        return _("Probably with %(at)s: from about %(before)s to about %(after)s.") % said
    return (
        _(
            "Probably with %(at)s (between %(earliest)s and %(latest)s): from about %(before)s to "
            "about %(after)s."
        )
        % said
    )


def season_text(read: Reading, found: Outlook) -> str:
    """Return whether the same months are always high, or why that cannot be said."""
    season, turn = found.season, SEASONS.get(read.key.grain)
    if turn is None:
        return _("Not looked for: seasons are read from weeks, months and quarters.")
    if season.p is None:
        if season.status == MethodStatus.ZERO_VARIANCE:
            return _("All periods have the same value.")
        return _("Too short: it takes two full years without gaps (%(n)s periods).") % {
            "n": 2 * turn
        }
    said = {
        "years": ngettext("%(n)s year", "%(n)s years", season.years) % {"n": season.years},
        "p": p_text(season.p),
    }
    if season.is_found:
        return (
            _(
                "Found: the same times of the year are high or low (%(p)s; %(years)s). The limits "
                "of the chart do not know of it: compare with the same time a year ago."
            )
            % said
        )
    return _("None found (%(p)s; %(years)s).") % said


def memory_text(found: Outlook) -> str:
    """Return whether a period resembles the one before."""
    memory = found.memory
    if memory.status == MethodStatus.INSUFFICIENT_N:
        return _("Too short: it takes 8 pairs of neighbouring periods.")
    if memory.value is None or memory.low is None or memory.high is None:
        return _("All periods have the same value.")
    said = {
        "r": number(memory.value, 2),
        "low": number(memory.low, 2),
        "high": number(memory.high, 2),
    }
    if memory.low > 0:
        return (
            _(
                "A period resembles the one before (autocorrelation %(r)s, %(low)s to %(high)s): "
                "the rules of the chart find more by chance than usual. A trend or a step looks "
                "like this, too."
            )
            % said
        )
    if memory.high < 0:
        return (
            _("High and low periods take turns (autocorrelation %(r)s, %(low)s to %(high)s).")
            % said
        )
    return _("None beyond chance (autocorrelation %(r)s, %(low)s to %(high)s).") % said


# What comes ---------------------------------------------------------------------------------------


def _method(found: Outlook) -> str:
    told = found.forecast
    if told.method is None:
        if told.status == MethodStatus.ZERO_VARIANCE:
            return _("All periods have the same value: there is nothing to learn how it varies.")
        return _("Too short: a forecast needs at least 3 periods, there are %(n)s.") % {"n": told.n}
    return str(METHODS[told.method])


def _tried(found: Outlook, scale: Scale) -> str:
    """Return how well the method did on the past, beside the plainest one."""
    told = found.forecast
    if told.method is None:
        return ""
    if told.error is None or told.naive_error is None:
        return _("Not tried on the past: fewer than 6 periods. This is a mean, no forecast.")
    said = {
        "error": amount_text(told.error, scale),
        "naive": amount_text(told.naive_error, scale),
        "tests": told.tests,
    }
    tried = (
        ngettext(
            "Tried on the last %(tests)s period it erred by %(error)s on average;",
            "Tried on the last %(tests)s periods it erred by %(error)s on average;",
            told.tests,
        )
        % said
    )
    if told.method == Method.NAIVE:
        beside = _("no other method did better.")
    else:
        beside = _("“as the last one” by %(naive)s.") % said
    return " ".join(part for part in (tried, beside, _held(found)) if part)


def _held(found: Outlook) -> str:
    coverage = found.forecast.coverage
    if coverage.value is None:
        return ""
    return ngettext(
        "%(inside)s of %(n)s next value lay in the interval that its own past gave.",
        "%(inside)s of %(n)s next values lay in the interval that their own past gave.",
        coverage.n,
    ) % {"inside": round(coverage.value * coverage.n), "n": coverage.n}


_WORSE = {
    "floor": (
        lazy("From %(period)s on it may miss what should never be missed (%(value)s)."),
        lazy("From %(period)s on it will probably miss what should never be missed (%(value)s)."),
    ),
    "target": (
        lazy("From %(period)s on it may miss its target (%(value)s)."),
        lazy("From %(period)s on it will probably miss its target (%(value)s)."),
    ),
}
_BETTER = {
    "floor": (
        lazy("From %(period)s on it may be back where it should always be (%(value)s)."),
        lazy("From %(period)s on it will probably be back where it should always be (%(value)s)."),
    ),
    "target": (
        lazy("From %(period)s on it may reach its target (%(value)s)."),
        lazy("From %(period)s on it will probably reach its target (%(value)s)."),
    ),
}


def _warned(passing: Passing, scale: Scale) -> Warned:
    """Say from when on the forecast passes a line: probably where it does itself, else perhaps."""
    may, will = (_WORSE if passing.is_worse else _BETTER)[passing.line]
    period = passing.expected or passing.possible
    said = (will if passing.expected else may) % {
        "period": title_of(period) if period else "",
        "value": value_text(passing.value, scale),
    }
    if not passing.is_worse:
        return Warned("", said)
    return Warned("bad" if passing.expected else "watch", said)
