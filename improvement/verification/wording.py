"""How effects, windows and verdicts are said to people."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from improvement.verification.models import Verdict
from sqcore.base.periods import Grain
from sqcore.evaluation.wording import Scale, number, signed

REASONS: Mapping[str, str | Promise] = {
    "minimum_reached": lazy("The gain is clear, and as large as was promised or larger."),
    "gain_below_minimum": lazy("There is a clear gain, but it is smaller than was promised."),
    "minimum_excluded": lazy("So large a gain as was promised can be ruled out."),
    "not_detected": lazy("A gain as large as was promised would probably have been seen."),
    "interval_on_the_bad_side": lazy("It is clearly worse than before."),
    "underpowered": lazy("The figures vary too much to tell the promised gain from chance."),
    "too_few_before": lazy("There are too few periods before the action to compare with."),
    "too_few_after": lazy("There are too few periods after the action."),
    "zero_variance": lazy("The figures do not vary at all, so chance cannot be judged."),
    "too_dependent": lazy("Each figure depends so much on the one before that too few count."),
    "data_quality": lazy("More than one period in five is missing or excluded."),
    "concurrent_change": lazy("Another ticket changed something here at the same time."),
    "balancing_worse": lazy("A balancing measure got worse by more than was allowed."),
}
"""Why a verdict is as it is, by the stable code of the reason."""

TONES: Mapping[str, str] = {
    Verdict.IMPROVED: "good",
    Verdict.NO_CHANGE: "",
    Verdict.WORSE: "bad",
    Verdict.INCONCLUSIVE: "watch",
}


def reason_text(code: str) -> str:
    """Return a reason in words; a code of a later version stays itself."""
    return str(REASONS.get(code, code))


def day_text(day: date) -> str:
    # Translators: a day, in the letters of Django's date filter
    return date_format(day, _("j M Y"))


def spans(n: int, grain: Grain) -> str:
    """Return so many periods in words: 12 weeks."""
    said = {"n": n}
    if grain == Grain.DAY:
        return ngettext("%(n)s day", "%(n)s days", n) % said
    if grain == Grain.WEEK:
        return ngettext("%(n)s week", "%(n)s weeks", n) % said
    if grain == Grain.MONTH:
        return ngettext("%(n)s month", "%(n)s months", n) % said
    if grain == Grain.QUARTER:
        return ngettext("%(n)s quarter", "%(n)s quarters", n) % said
    return ngettext("%(n)s year", "%(n)s years", n) % said


def amount(value: float, scale: Scale) -> str:
    """Return a value with its unit: 1.2 min."""
    return f"{number(scale.factor * value, scale.decimals)} {scale.unit}".strip()


def of_change(scale: Scale) -> Scale:
    """How a difference is written: a share that falls from 90 % to 80 % is not 10 % lower."""
    return replace(scale, unit=_("percentage points")) if scale.unit == "%" else scale


def amount_at_least(value: float, scale: Scale) -> str:
    """Return a value rounded up, so that a limit that is said is never too small."""
    step = 10.0**scale.decimals
    # What is only rounding of a whole step does not go up another one.
    up = math.ceil(round(scale.factor * value * step, 6)) / step
    return f"{number(up, scale.decimals)} {scale.unit}".strip()


def shift(value: float, scale: Scale) -> str:
    """Return a difference with its sign and unit: −4.6 min."""
    return f"{signed(scale.factor * value, scale.decimals)} {scale.unit}".strip()


def between(low: float, high: float, scale: Scale) -> str:
    """Return an interval of a difference: −5.4 to −3.8 min."""
    said = _("%(low)s to %(high)s") % {
        "low": signed(scale.factor * low, scale.decimals),
        "high": signed(scale.factor * high, scale.decimals),
    }
    return f"{said} {scale.unit}".strip()
