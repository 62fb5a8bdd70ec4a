"""How charts and signals are said to people: rules, icons, kinds of chart, shifts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from sqcore.base.periods import Period, title_of
from sqcore.evaluation.models import KpiValue
from sqcore.evaluation.wording import Scale, number
from sqcore.monitoring.charts import ChartPoint, Flag, Reading
from sqcore.monitoring.models import Signal
from sqcore.monitoring.queries import SeriesPoint
from sqcore.stats.charts import ChartKind, ChartStatus
from sqcore.stats.results import MethodStatus
from sqcore.stats.rules import Assurance, Parameters, Rule, RuleProfile, Variation
from sqcore.stats.runs import Runs


@dataclass(frozen=True)
class Sign:
    """An icon with its words; `tone` as of a pill."""

    icon: str
    title: str
    text: str
    tone: str = ""


PROFILE_NAMES: Mapping[str, str | Promise] = {
    "nhs": lazy("NHS (Making Data Count)"),
    "nelson": lazy("Nelson"),
    "western_electric": lazy("Western Electric"),
    "anhoej": lazy("Anhøj (runs)"),
    "ticket": lazy("Few false alarms"),
}

_HIGH: Mapping[Rule, str | Promise] = {
    Rule.BEYOND: lazy("above the upper limit"),
    Rule.SHIFT: lazy("one of %(points)s or more in a row above the centre"),
    Rule.TREND: lazy("in a rise over %(points)s points or more"),
    Rule.TWO_OF_THREE: lazy("%(least)s of %(points)s near or above the upper limit"),
    Rule.FOUR_OF_FIVE: lazy("%(least)s of %(points)s more than %(sigma)s sigma above the centre"),
}
_LOW: Mapping[Rule, str | Promise] = {
    Rule.BEYOND: lazy("below the lower limit"),
    Rule.SHIFT: lazy("one of %(points)s or more in a row below the centre"),
    Rule.TREND: lazy("in a fall over %(points)s points or more"),
    Rule.TWO_OF_THREE: lazy("%(least)s of %(points)s near or below the lower limit"),
    Rule.FOUR_OF_FIVE: lazy("%(least)s of %(points)s more than %(sigma)s sigma below the centre"),
}
_NEITHER: Mapping[Rule, str | Promise] = {
    Rule.FIFTEEN_WITHIN: lazy("one of %(points)s in a row within %(sigma)s sigma of the centre"),
    Rule.ALTERNATING: lazy("one of %(points)s in a row that go up and down in turn"),
    Rule.EIGHT_OUTSIDE: lazy("one of %(points)s in a row of which none is within %(sigma)s sigma"),
}

_VARIATIONS: Mapping[Variation, tuple[str, str | Promise, str | Promise, str]] = {
    Variation.COMMON: (
        "variation-common",
        lazy("Varies as it does by chance"),
        lazy("No rule finds anything in the latest point: do not react to single ups and downs."),
        "",
    ),
    Variation.IMPROVING_HIGH: (
        "variation-high",
        lazy("Better: it went up"),
        lazy("The latest point is higher than chance explains, and higher is better."),
        "good",
    ),
    Variation.IMPROVING_LOW: (
        "variation-low",
        lazy("Better: it went down"),
        lazy("The latest point is lower than chance explains, and lower is better."),
        "good",
    ),
    Variation.CONCERN_HIGH: (
        "variation-high",
        lazy("Worse: it went up"),
        lazy("The latest point is higher than chance explains, and lower is better."),
        "bad",
    ),
    Variation.CONCERN_LOW: (
        "variation-low",
        lazy("Worse: it went down"),
        lazy("The latest point is lower than chance explains, and higher is better."),
        "bad",
    ),
    Variation.NEITHER_HIGH: (
        "variation-high",
        lazy("Changed in its pattern"),
        lazy("The latest points do not scatter as chance explains; that is neither good nor bad."),
        "watch",
    ),
    Variation.NEITHER_LOW: (
        "variation-low",
        lazy("Changed in its pattern"),
        lazy("The latest points do not scatter as chance explains; that is neither good nor bad."),
        "watch",
    ),
}

_ASSURANCES: Mapping[Assurance, tuple[str, str | Promise, str | Promise, str]] = {
    Assurance.PASS: (
        "assurance-pass",
        lazy("Reaches its target"),
        lazy("Both limits are on the good side of the target: as it is, it reaches it."),
        "good",
    ),
    Assurance.FAIL: (
        "assurance-fail",
        lazy("Misses its target"),
        lazy("Both limits are on the bad side of the target: it cannot reach it as it is."),
        "bad",
    ),
    Assurance.HIT_OR_MISS: (
        "assurance-either",
        lazy("Reaches its target by chance"),
        lazy("The target lies between the limits: whether it is reached is chance."),
        "watch",
    ),
}

_REASONS: Mapping[str, str | Promise] = {
    "single_values": lazy(
        "Each period gives one value; the limits come from its steps from period to period."
    ),
    "no_sizes": lazy(
        "How many each value was counted from is not known, so each is one value; the limits "
        "come from its steps from period to period."
    ),
    "too_short_to_tell": lazy("It counts; there are too few periods to say how much it varies."),
    "as_sizes_explain": lazy(
        "It counts, and it varies as much as chance alone makes such counts vary: each period has "
        "the limits of its own number."
    ),
    "more_than_sizes_explain": lazy(
        "It counts, and it varies more from period to period than chance alone makes such counts "
        "vary: the limits are wider by that."
    ),
    "less_than_sizes_explain": lazy(
        "It counts, and it varies less from period to period than chance alone makes such counts "
        "vary: the limits are narrower by that."
    ),
    "too_few_to_tell": lazy(
        "It counts, but so few a period that nobody can say how much more than chance it varies."
    ),
    "equal_opportunity": lazy(
        "It counts, every period had the same opportunity for it, and it varies as much as chance "
        "alone makes such counts vary."
    ),
    "as_within_explains": lazy(
        "Each period is a mean of many single measurements, and their spread within the periods "
        "explains how the means vary: each period has the limits of its own number."
    ),
    "more_than_within_explains": lazy(
        "Each period is a mean of many single measurements, but the means vary more from period to "
        "period than the spread within explains: limits from that would be far too narrow, so they "
        "come from the steps from period to period."
    ),
    "less_than_within_explains": lazy(
        "Each period is a mean of many single measurements, and the means vary less than the "
        "spread within explains: the limits come from the steps from period to period."
    ),
    "rare_days_between": lazy(
        "It happens less than once a period, or in fewer than half of them: how many days pass "
        "from one to the next says more than a count that is mostly 0."
    ),
    "rare_cases_between": lazy(
        "It happens less than once a period, or in fewer than half of them: how many cases pass "
        "from one to the next says more than a share that is mostly the same."
    ),
    "chosen_by_a_person": lazy("A person chose it when the baseline was set."),
}

_LONGER: Mapping[Variation, tuple[str, str | Promise, str | Promise, str]] = {
    Variation.IMPROVING_HIGH: (
        "variation-high",
        lazy("Better: it became rarer"),
        lazy("Longer passed between the latest than chance explains."),
        "good",
    ),
    Variation.IMPROVING_LOW: (
        "variation-low",
        lazy("Better: it became more frequent"),
        lazy("The latest came after a shorter time than chance explains."),
        "good",
    ),
    Variation.CONCERN_HIGH: (
        "variation-high",
        lazy("Worse: it became rarer"),
        lazy("Longer passed between the latest than chance explains."),
        "bad",
    ),
    Variation.CONCERN_LOW: (
        "variation-low",
        lazy("Worse: it became more frequent"),
        lazy("The latest came after a shorter time than chance explains."),
        "bad",
    ),
}
"""Of rare events: the higher the point, the longer nothing happened."""

_IN_THE_MIDDLE = lazy(
    "The latest points do not scatter as chance explains. Its best is in the middle: whether that "
    "is good its points say, not the side."
)


def variation_sign(chart: Reading) -> Sign:
    """Return what the latest point says, as an icon with words."""
    if chart.variation is None:
        return Sign("unknown", _("Not enough data yet"), status_text(chart))
    table = _VARIATIONS if chart.passed is None else {**_VARIATIONS, **_LONGER}
    icon, title, text, tone = table[chart.variation]
    if not chart.better and chart.variation != Variation.COMMON:
        return Sign(icon, _("Changed beyond chance"), str(_IN_THE_MIDDLE), tone)
    return Sign(icon, str(title), str(text), tone)


def assurance_sign(chart: Reading) -> Sign | None:
    """Return whether it will reach its target, as an icon with words; None without a target."""
    if chart.assurance == Assurance.NONE:
        return None
    icon, title, text, tone = _ASSURANCES[chart.assurance]
    said = str(text)
    if chart.variation not in (None, Variation.COMMON) and chart.segments[-1].is_frozen:
        # The limits are those of the baseline; else a service that fell apart would seem fine.
        said += " " + _("That was so before the change: the limits are those of the baseline.")
    return Sign(icon, str(title), said, tone)


def status_text(chart: Reading) -> str:
    """Return why nothing, or little, can be said; empty where the limits are good."""
    limits = chart.limits
    if chart.passed is not None and limits.status == ChartStatus.TRIAL:
        return _("Trial limits from %(n)s events: with fewer than 20 they are rough.") % {
            "n": limits.n0
        }
    if limits.status == ChartStatus.TOO_SHORT:
        return ngettext(
            "Limits need at least 5 periods with a figure; there is %(n)s.",
            "Limits need at least 5 periods with a figure; there are %(n)s.",
            limits.n0,
        ) % {"n": limits.n0}
    if limits.status == ChartStatus.ZERO_VARIANCE:
        return _(
            "All periods of the baseline have the same value: how far a point is off cannot be "
            "measured."
        )
    if limits.status == ChartStatus.TRIAL:
        return _("Trial limits from %(n)s periods: with fewer than 20 they are rough.") % {
            "n": limits.n0
        }
    if chart.baseline is None:
        return _("These limits are not frozen: they come from the first %(n)s periods.") % {
            "n": limits.n0
        }
    return ""


def reason_text(chart: Reading) -> str:
    """Return why it is this kind of chart."""
    return str(_REASONS[chart.reason])


def rule_text(rule: Rule, side: int, profile: RuleProfile) -> str:
    """Return a rule of a profile in words."""
    numbers = dict(profile.rules)[rule]
    table = {1: _HIGH, -1: _LOW, 0: _NEITHER}[side]
    return str(table[rule]) % _parameters(numbers)


def _parameters(numbers: Parameters) -> dict[str, Any]:
    return {"points": numbers.points, "least": numbers.least, "sigma": f"{numbers.sigma:g}"}


def flag_text(flag: Flag, point: ChartPoint, profile: RuleProfile) -> str:
    """Return a flag in words, with since when it could be seen where that was later."""
    said = rule_text(flag.rule, flag.side, profile)
    period = point.seen.period
    if flag.seen_on == period.start:
        return said
    seen = title_of(Period(flag.seen_on, period.grain, period.fiscal_start))
    return _("%(rule)s (to be seen from %(period)s on)") % {"rule": said, "period": seen}


def flags_text(point: ChartPoint, profile: RuleProfile) -> str:
    """Return all flags of a point in words."""
    said = [flag_text(flag, point, profile) for flag in point.flags]
    return _("; ").join(said)


def missing_text(seen: SeriesPoint) -> str:
    """Return why a period has no value."""
    if seen.status == KpiValue.Status.SUPPRESSED:
        return _("too few answers to show")
    return _("not enough data") if seen.status else _("nothing measured")


def runs_text(runs: Runs) -> str:
    """Return the longest run and the crossings of a series beside what chance gives."""
    if runs.status != MethodStatus.OK:
        return _("Too short: runs need 10 periods that are not on the centre, there are %(n)s.") % {
            "n": runs.useful
        }
    said = _(
        "%(longest)s in a row on one side of the centre (by chance %(most)s at most); the centre "
        "is crossed %(crossings)s times (by chance %(least)s or more)."
    ) % {
        "longest": runs.longest,
        "most": runs.longest_most,
        "crossings": runs.crossings,
        "least": runs.crossings_least,
    }
    told = _("That is no chance.") if runs.is_signal else _("Chance explains that.")
    return f"{said} {told}"


def drawn_scale(chart: Reading, of_period: Scale) -> Scale:
    """Return how the points of a chart are written: as the indicator, or days or cases of what
    passed between rare events."""
    if chart.limits.kind == ChartKind.T:
        return Scale(1.0, 0, _("days"))
    if chart.limits.kind == ChartKind.G:
        return Scale(1.0, 0, _("cases"))
    return of_period


def value_text(value: float | None, scale: Scale) -> str:
    """Return a number as the indicator is written, with its unit."""
    if value is None:
        return ""
    return f"{number(scale.of(value) or 0.0, scale.decimals)} {scale.unit}".strip()


def shift_text(signal: Signal, scale: Scale) -> str:
    """Return how much a signal shifted, in the unit of the indicator and in sigma."""
    by = value_text(abs(signal.shift), scale)
    if scale.unit == "%":
        # A share that falls from 90 % to 80 % is not 10 % lower.
        points = number(scale.of(abs(signal.shift)) or 0.0, scale.decimals)
        by = _("%(by)s percentage points") % {"by": points}
    said = _("%(by)s higher") if signal.shift >= 0 else _("%(by)s lower")
    sigma = _("%(sigma)s sigma") % {"sigma": number(abs(signal.shift_sigma), 1)}
    return f"{said % {'by': by}} ({sigma})"
