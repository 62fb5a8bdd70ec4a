"""How effects, windows and verdicts are said to people."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from improvement.verification.another import AnotherLook
from improvement.verification.models import Verdict
from improvement.verification.windows import LEAST
from sqcore.base.periods import Grain
from sqcore.evaluation.wording import Scale, number, signed
from sqcore.stats.interrupted import LEAST_AFTER, LEAST_BEFORE, LEAST_EVENTS
from sqcore.stats.results import MethodStatus

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


# ---- Another look --------------------------------------------------------------------------------
RESEMBLES = 0.01
"""Below this p what is left over resembles its neighbours: .05 finds that too often."""


def another_said(look: AnotherLook) -> Sequence[str]:
    """Return what another look says, or why it says nothing, in sentences."""
    if look.status != MethodStatus.OK or look.expected is None or look.counted is None:
        return [_why_no_look(look)]
    said = [_found_besides(look)]
    if look.is_rest:
        said.append(_("Counted are those of which it does not hold, as they are the fewer."))
    if look.memory_p is not None and look.memory_p < RESEMBLES:
        said.append(_("What is left over resembles its neighbours: the interval may be too short."))
    return said


def _found_besides(look: AnotherLook) -> str:
    said = {
        "counted": number(look.counted or 0.0, 0),
        "expected": number(look.expected or 0.0, 0),
        "ratio": ratio_text(look),
    }
    if look.side < 0:
        return (
            _(
                "By trend and season alone %(expected)s were to be expected after the action, "
                "%(counted)s were counted: clearly fewer (%(ratio)s)."
            )
            % said
        )
    if look.side > 0:
        return (
            _(
                "By trend and season alone %(expected)s were to be expected after the action, "
                "%(counted)s were counted: clearly more (%(ratio)s)."
            )
            % said
        )
    return (
        _(
            "By trend and season alone %(expected)s were to be expected after the action, "
            "%(counted)s were counted: chance alone can explain that (%(ratio)s)."
        )
        % said
    )


def agreement_text(look: AnotherLook, *, low: float, high: float) -> str:
    """Return whether another look points the same way as an interval of the change."""
    way = 1 if low > 0 else -1 if high < 0 else 0
    if way == (-look.side if look.is_rest else look.side):
        return _("It points the same way as the verdict.")
    return _("It does not point the same way as the verdict: ask why before you go on.")


def ratio_text(look: AnotherLook) -> str:
    """Return the ratio with its interval: 0.65 times, 0.62 to 0.69."""
    low, value, high = (number(each or 0.0, 2) for each in (look.low, look.ratio, look.high))
    return _("%(ratio)s times, %(low)s to %(high)s") % {"ratio": value, "low": low, "high": high}


def _why_no_look(look: AnotherLook) -> str:
    if look.status == MethodStatus.TOO_SHORT:
        return _(
            "Nothing can be said of trend and season yet. It takes figures of %(turn)s or more "
            "before the action, %(before)s of them shown and %(alike)s in the state that is "
            "compared with, and %(after)s after. There are %(has)s, %(has_alike)s and "
            "%(has_after)s."
        ) % {
            "turn": spans(look.turn, look.grain),
            "before": LEAST_BEFORE,
            "alike": LEAST,
            "after": LEAST_AFTER,
            "has": look.n_before,
            "has_alike": look.n_alike,
            "has_after": look.n_after,
        }
    if look.status == MethodStatus.INSUFFICIENT_N:
        return _(
            "Nothing can be said of trend and season: fewer than %(n)s were counted before or "
            "after."
        ) % {"n": LEAST_EVENTS}
    if look.status == MethodStatus.NOT_APPLICABLE:
        return _(
            "Nothing can be said of trend and season: before or after nothing was counted at all."
        )
    if look.status == MethodStatus.ZERO_VARIANCE:
        return _("Nothing can be said of trend and season: the figures do not vary.")
    return _("Nothing can be said of trend and season: what there is cannot tell them apart.")
