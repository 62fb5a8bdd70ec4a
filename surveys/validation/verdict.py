"""A verdict: a question, its answer in plain words, why, what to do; and how numbers are said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from surveys.validation.conventions import Convention
from surveys.validation.reading import Number

MOST_NAMED = 5


class Tone(StrEnum):
    """How a verdict looks, and the words beside it."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"
    UNKNOWN = ""


WORDS = {
    Tone.GOOD: gettext_lazy("Yes"),
    Tone.WATCH: gettext_lazy("Partly"),
    Tone.BAD: gettext_lazy("No"),
    Tone.UNKNOWN: gettext_lazy("Cannot be told"),
}
SYMBOLS = {Tone.GOOD: "good", Tone.WATCH: "watch", Tone.BAD: "bad", Tone.UNKNOWN: "unknown"}


@dataclass(frozen=True)
class Verdict:
    """`because` are sentences with the numbers, `todo` what to do about it."""

    key: str
    question: str
    tone: Tone
    answer: str
    because: Sequence[str] = ()
    todo: Sequence[str] = ()
    conventions: Sequence[Convention] = field(default=())

    @property
    def word(self) -> str | Promise:
        return WORDS[self.tone]

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.tone]


def plain(number: float, places: int = 2) -> str:
    return number_format(number, decimal_pos=places)


def percent(number: float) -> str:
    return f"{number_format(100 * number, decimal_pos=1)} %"


def count(people: int) -> str:
    return number_format(people, use_l10n=True, force_grouping=True)


def between(number: Number, write: str = "plain") -> str:
    """Return a number with its interval, in words.

    >>> between(Number(0.9, 0.88, 0.92, 50, "ok"))
    '0.90 (between 0.88 and 0.92)'
    """
    if number.value is None:
        return number.why_not
    said = percent if write == "percent" else plain
    if number.low is None or number.high is None:
        return said(number.value)
    return _("%(value)s (between %(low)s and %(high)s)") % {
        "value": said(number.value),
        "low": said(number.low),
        "high": said(number.high),
    }


def named(names: Iterable[str]) -> str:
    """Return the first names, and how many more there are."""
    listed = list(names)
    rest = len(listed) - MOST_NAMED
    shown = ", ".join(listed[:MOST_NAMED])
    if rest <= 0:
        return shown
    return _("%(shown)s and %(rest)s more") % {"shown": shown, "rest": rest}
