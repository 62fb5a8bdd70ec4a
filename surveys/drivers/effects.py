"""What bad and good service do each, and whether an ordinal regression agrees: lines in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.text import MINUS, number
from sqcore.stats.importance import Kind
from sqcore.stats.results import Figure, MethodStatus
from surveys.drivers.reading import Driver, Reading
from surveys.drivers.wording import EFFECTS, Said, joined, turned

CLEAR = 0.01
"""Of the test that all steps of a scale are alike: with many answers .05 would cry wolf."""
MOST_TIMES = 100
"""Where more than so many times the answers would be needed, no sensible number would do."""


@dataclass(frozen=True)
class EffectLine:
    """A driver with what low and high scores go with, its kind, and what would change that."""

    driver: Driver
    penalty: str
    reward: str
    said: Said | None
    why: str


@dataclass(frozen=True)
class OddsLine:
    """A driver in the ordinal regression, beside its place by shares."""

    driver: Driver
    odds: str
    place: str
    place_by_share: int
    differs: bool


def effect_lines(reading: Reading) -> list[EffectLine]:
    """Return the drivers with both effects in their order; empty where these were not looked at."""
    if all(driver.penalty is None for driver in reading.drivers):
        return []
    return [_effect_line(driver) for driver in reading.drivers]


def _effect_line(driver: Driver) -> EffectLine:
    if driver.effect is None:
        status = driver.penalty.status if driver.penalty else MethodStatus.NOT_APPLICABLE
        return EffectLine(driver, "", "", None, _no_effect(status))
    penalty, reward = driver.penalty, driver.reward
    return EffectLine(
        driver,
        points(turned(penalty)) if penalty else "",
        points(reward) if reward else "",
        EFFECTS[driver.effect],
        _what_would_change_it(driver),
    )


def _no_effect(status: MethodStatus) -> str:
    if status == MethodStatus.NOT_APPLICABLE:
        return _("Too few people judged it low, high or in between to compare them.")
    if status == MethodStatus.INSUFFICIENT_N:
        return _("Too few people answered all of it: it takes twenty for each name in the list.")
    if status == MethodStatus.ZERO_VARIANCE:
        return _("Everybody gave the same answer, so that nothing can be compared.")
    return _("It is judged low and high by the same people as another one.")


def _what_would_change_it(driver: Driver) -> str:
    apart, penalty, reward = driver.asymmetry, driver.penalty, driver.reward
    if apart is None or apart.value is None or apart.low is None or apart.high is None:
        return ""
    if driver.effect == Kind.BASIC:
        return _(
            "Bad costs %(low)s to %(high)s more than good brings. A reward higher by %(low)s would "
            "make it “the better, the better”."
        ) % {"low": number(-apart.high, 2), "high": number(-apart.low, 2)}
    if driver.effect == Kind.EXCITEMENT:
        return _(
            "Good brings %(low)s to %(high)s more than bad costs. A loss higher by %(low)s would "
            "make it “the better, the better”."
        ) % {"low": number(apart.low, 2), "high": number(apart.high, 2)}
    if driver.effect == Kind.PERFORMANCE:
        said = _("What good brings less what bad costs lies between %(low)s and %(high)s.") % {
            "low": _signed(apart.low),
            "high": _signed(apart.high),
        }
        return f"{said} {_answers_for(apart)}"
    larger = max((each for each in (penalty, reward) if each), key=lambda each: each.value or 0.0)
    said = _("Both intervals reach 0.")
    return f"{said} {_answers_for(larger)}"


def _answers_for(figure: Figure) -> str:
    """Return how many answers would tell a figure from 0, if it stays what it is."""
    value, low, high = figure.value, figure.low, figure.high
    none = _("No sensible number of answers would tell it from 0.")
    if value is None or low is None or high is None:
        return none
    half = (high - low) / 2
    if abs(value) * MOST_TIMES**0.5 <= half:
        return none
    needed = ceil(figure.n * (half / abs(value)) ** 2)
    rounded = max(-(-needed // 50) * 50, 50)
    return ngettext(
        "If it stays what it is, about %(n)s answer would tell it from 0.",
        "If it stays what it is, about %(n)s answers would tell it from 0.",
        rounded,
    ) % {"n": number(rounded, 0)}


def points(figure: Figure) -> str:
    """Return points of the outcome with their interval, −0.44 (−0.50 to −0.38)."""
    if figure.value is None:
        return ""
    if figure.low is None or figure.high is None:
        return _signed(figure.value)
    return _("%(value)s (%(low)s to %(high)s)") % {
        "value": _signed(figure.value),
        "low": _signed(figure.low),
        "high": _signed(figure.high),
    }


def _signed(value: float) -> str:
    said = number(abs(value), 2)
    return f"{MINUS}{said}" if value < 0 else f"+{said}"


# ---- Ordinal regression --------------------------------------------------------------------------


def odds_lines(reading: Reading) -> list[OddsLine]:
    """Return the drivers with their odds; empty where no regression was found."""
    if reading.steps is None or reading.steps.status != MethodStatus.OK:
        return []
    places = {driver.code: place for place, driver in enumerate(_by_share(reading), 1)}
    return [
        OddsLine(
            driver,
            _odds(driver.odds),
            str(driver.odds_place or "–"),
            places[driver.code],
            driver.alike_p is not None and driver.alike_p < CLEAR,
        )
        for driver in reading.ranked
    ]


def _odds(figure: Figure | None) -> str:
    if figure is None or figure.value is None or figure.low is None or figure.high is None:
        return "–"
    return _("%(value)s times (%(low)s to %(high)s)") % {
        "value": number(figure.value, 2),
        "low": number(figure.low, 2),
        "high": number(figure.high, 2),
    }


def agreement(reading: Reading) -> str:
    """Return whether an ordinal regression gives the same order; or why there is none."""
    if reading.steps is None:
        return ""
    if reading.steps.status != MethodStatus.OK:
        return _no_steps(reading.steps.status)
    by_share = [driver for driver in _by_share(reading) if driver.odds_place]
    if len(by_share) < 2:
        return ""
    first, strongest = by_share[0], min(by_share, key=lambda driver: driver.odds_place or 0)
    if first.code == strongest.code:
        said = _("An ordinal regression puts %(name)s first as well.") % {"name": joined([first])}
    else:
        said = _(
            "An ordinal regression puts %(there)s first, not %(here)s: take as open which of them "
            "counts more."
        ) % {"there": joined([strongest]), "here": joined([first])}
    pairs = list(combinations(by_share, 2))
    same = sum((one.odds_place or 0) < (other.odds_place or 0) for one, other in pairs)
    order = ngettext(
        "Of %(pairs)s pair %(same)s stands in the same order.",
        "Of %(pairs)s pairs %(same)s stand in the same order.",
        len(pairs),
    ) % {"pairs": len(pairs), "same": same}
    return f"{said} {order}"


def _by_share(reading: Reading) -> list[Driver]:
    return sorted(reading.ranked, key=lambda driver: -(driver.share.value or 0.0))


def _no_steps(status: MethodStatus) -> str:
    if status == MethodStatus.INSUFFICIENT_N:
        return _(
            "Too few people answered all of it for an ordinal regression: it takes ten for each "
            "name in the list and for each step of the scale."
        )
    return _("An ordinal regression could not be found: answers do not vary, or follow each other.")


def steps_alike(reading: Reading) -> str:
    """Return what the test of the regression's assumption says."""
    if reading.steps is None or reading.steps.status != MethodStatus.OK:
        return ""
    if reading.steps.p is None:
        return _("Whether every step of the scale is alike could not be tried with these answers.")
    if reading.steps.p >= CLEAR:
        return _(
            "Nothing speaks against what it takes for granted, that a name has the same odds at "
            "every step of the scale (p = %(p)s)."
        ) % {"p": number(reading.steps.p, 2)}
    uneven = _uneven(reading.ranked)
    said = _(
        "What it takes for granted, the same odds at every step of the scale, does not hold "
        "(p < 0.01): read the odds as averages over the steps."
    )
    if not uneven:
        return said
    named = _("The steps differ for %(names)s.") % {"names": joined(uneven)}
    return f"{said} {named}"


def _uneven(drivers: Sequence[Driver]) -> list[Driver]:
    return [each for each in drivers if each.alike_p is not None and each.alike_p < CLEAR]
