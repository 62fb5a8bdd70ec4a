"""What matters, said to people: shares with their intervals, what to do first, cautions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from sqcore.base.text import MINUS, number
from sqcore.stats.importance import Kind, Quadrant
from sqcore.stats.kano import Category
from sqcore.stats.results import Figure, MethodStatus
from surveys.drivers.kinds import FEWEST, FEWEST_KANO
from surveys.drivers.reading import Driver, Reading, Wanted
from surveys.drivers.stated import How

NARROW = 0.02
LITTLE = 0.25
"""Where drivers explain less than this, other things matter more than what was asked."""


@dataclass(frozen=True)
class Said:
    """A short word with the sentence that explains it; `tone` and `symbol` as of a pill."""

    title: str | Promise
    text: str | Promise
    tone: str = ""
    symbol: str = ""


QUADRANTS: Mapping[Quadrant, Said] = {
    Quadrant.CONCENTRATE: Said(
        lazy("improve first"),
        lazy("It counts more than the others, and is judged lower."),
        "watch",
        "watch",
    ),
    Quadrant.KEEP_UP: Said(
        lazy("keep it up"), lazy("It counts more than the others, and is judged higher."), "good"
    ),
    Quadrant.LOW_PRIORITY: Said(
        lazy("can wait"), lazy("It is judged lower than the others, and counts less.")
    ),
    Quadrant.POSSIBLE_OVERKILL: Said(
        lazy("enough is done"), lazy("It is judged higher than the others, and counts less.")
    ),
}

EFFECTS: Mapping[Kind, Said] = {
    Kind.BASIC: Said(
        lazy("must not fail"),
        lazy("Where it is bad, the outcome falls more than it rises where it is good."),
    ),
    Kind.PERFORMANCE: Said(
        lazy("the better, the better"),
        lazy("It lowers the outcome where it is bad about as much as it lifts it where good."),
    ),
    Kind.EXCITEMENT: Said(
        lazy("can delight"),
        lazy("Where it is good, the outcome rises more than it falls where it is bad."),
    ),
    Kind.UNCLEAR: Said(
        lazy("cannot be told"), lazy("Neither bad nor good makes a difference that is clear.")
    ),
}

CATEGORIES: Mapping[Category, Said] = {
    Category.MUST_BE: Said(
        lazy("taken for granted"),
        lazy("Missing it annoys; having it goes unnoticed. See to it that it never fails."),
        "watch",
    ),
    Category.ONE_DIMENSIONAL: Said(
        lazy("the more, the better"), lazy("Having it pleases, missing it annoys."), "accent"
    ),
    Category.ATTRACTIVE: Said(
        lazy("delights"),
        lazy("Nobody misses it, and everybody likes it: a place to shine."),
        "good",
    ),
    Category.INDIFFERENT: Said(
        lazy("does not matter"), lazy("It makes no difference whether it is there.")
    ),
    Category.REVERSE: Said(lazy("not wanted"), lazy("Customers would rather not have it."), "bad"),
    Category.QUESTIONABLE: Said(
        lazy("not understood"), lazy("The two answers contradict each other."), "bad"
    ),
}


def percents(figure: Figure) -> str:
    """Return a share with its interval in percent, 12 to 19 %; narrow ones with a decimal."""
    if figure.value is None:
        return ""
    if figure.low is None or figure.high is None:
        return f"{number(100 * figure.value, 0)} %"
    decimals = 1 if figure.high - figure.low < NARROW else 0
    low, high = (number(100 * end, decimals) for end in (figure.low, figure.high))
    return f"{low} %" if low == high else _("%(low)s to %(high)s %%") % {"low": low, "high": high}


def points_text(figure: Figure) -> str:
    """Return points with their interval, 32.1 (31.4 – 32.8)."""
    if figure.value is None:
        return ""
    said = number(figure.value, 1)
    if figure.low is None or figure.high is None:
        return said
    return f"{said} ({number(figure.low, 1)} – {number(figure.high, 1)})"


def in_points(share: Figure) -> Figure:
    """Return a share as points of 100."""
    value, low, high = (
        None if end is None else 100 * end for end in (share.value, share.low, share.high)
    )
    return Figure(value, low, high, share.n, share.status)


def counts_text(share: Figure, how: How) -> str:
    """Return how much something counts: as a percentage, or in points as they were given."""
    return percents(share) if how == How.DERIVED else points_text(in_points(share))


def share_sentence(driver: Driver, how: How = How.DERIVED) -> str:
    """Return the part of a driver in words."""
    said = counts_text(driver.share, how)
    if how == How.POINTS:
        return _("Customers give it %(points)s of 100 points.") % {"points": said}
    if how == How.RATING:
        return _("Customers rate how much it counts at %(points)s points.") % {"points": said}
    if not said:
        return _("Everybody answered alike, so what hangs on it cannot be told.")
    if driver.share.low is None:
        return _("It makes up about %(share)s of what explains the outcome.") % {"share": said}
    return _("It makes up %(share)s of what explains the outcome.") % {"share": said}


def explained(reading: Reading, outcome: str) -> str:
    """Return R2 in words; of what customers say, how it was asked."""
    if reading.how != How.DERIVED:
        return _how_asked(reading)
    said = _(
        "Together they explain %(share)s of the differences between customers in “%(outcome)s”; "
        "the rest hangs on other things, and on chance."
    ) % {"share": percents(reading.r2), "outcome": outcome}
    if not _is_one_strongest(reading):
        unsettled = _("Which of them counts most is not settled: the intervals overlap.")
        said = f"{said} {unsettled}"
    if (reading.r2.value or 0.0) < LITTLE:
        little = _("That is little: what matters most here may not have been asked.")
        return f"{said} {little}"
    return said


def _how_asked(reading: Reading) -> str:
    people = ngettext("%(n)s person", "%(n)s people", reading.n) % {"n": number(reading.n, 0)}
    if reading.how == How.POINTS:
        said = _("%(people)s divided 100 points over all of these; shown are the means.")
    else:
        said = _("%(people)s rated how much each of these counts; shown are the means.")
    said %= {"people": people}
    if _is_one_strongest(reading):
        return said
    unsettled = _("Which of them counts most is not settled: the intervals overlap.")
    return f"{said} {unsettled}"


def _is_one_strongest(reading: Reading) -> bool:
    """Whether the first one's interval is clear of all others."""
    shares = sorted(
        (driver.share for driver in reading.ranked), key=lambda share: -(share.value or 0.0)
    )
    low = shares[0].low if shares else None
    return low is not None and all(
        share.high is not None and share.high < low for share in shares[1:]
    )


def first_steps(reading: Reading) -> str:
    """Return what to do first, by what is important and weak."""
    ranked = reading.ranked
    weak = [driver for driver in ranked if driver.quadrant == Quadrant.CONCENTRATE]
    sure = [driver for driver in weak if driver.is_certain]
    if sure:
        return ngettext(
            "Improve %(names)s first: it counts more than the others and is judged lower.",
            "Improve %(names)s first: they count more than the others and are judged lower.",
            len(sure),
        ) % {"names": joined(sure)}
    if weak:
        return ngettext(
            "Look at %(names)s first: it seems to count more than the others and to be judged "
            "lower, but the intervals do not settle it.",
            "Look at %(names)s first: they seem to count more than the others and to be judged "
            "lower, but the intervals do not settle it.",
            len(weak),
        ) % {"names": joined(weak)}
    if not ranked:
        return ""
    most = max(ranked, key=lambda driver: driver.share.value or 0.0)
    return _(
        "Nothing is both important and weak. Keep %(name)s as good as it is: it counts most."
    ) % {"name": joined([most])}


def disagreement(derived: Reading, said: Reading) -> str:
    """Return what customers say counts most where they clearly judge by something else: both put
    the two in opposite orders, with intervals that exclude each other. Else empty."""
    mine = {driver.code: driver for driver in derived.ranked}
    theirs = {driver.code: driver for driver in said.ranked}
    if not mine or mine.keys() != theirs.keys():
        return ""
    by, most = (max(each.values(), key=_share_of).code for each in (mine, theirs))
    if not (_is_above(mine[by], mine[most]) and _is_above(theirs[most], theirs[by])):
        return ""
    return _(
        "Customers say that “%(said)s” counts most; what they judge by is rather “%(by)s”."
    ) % {"said": theirs[most].name, "by": mine[by].name}


def _share_of(driver: Driver) -> float:
    return driver.share.value or 0.0


def _is_above(one: Driver, other: Driver) -> bool:
    low, high = one.share.low, other.share.high
    return low is not None and high is not None and low > high


def not_asked(*, is_asked_of_dimensions: bool) -> str:
    """Return why what customers say counts is not shown: nobody asked them that."""
    if is_asked_of_dimensions:
        return _(
            "What customers say counts was asked of dimensions, not of single questions: choose "
            "“By dimension” to see it."
        )
    return _(
        "What customers say counts is not shown beside it: this questionnaire does not ask them "
        "to divide 100 points over the dimensions, or to rate how much each counts."
    )


def not_stated(status: MethodStatus | None) -> str:
    """Return why nothing is told of what customers say counts, though they were asked; status:
    None where an older finding did not look for it."""
    if status is None:
        return _("What customers say counts is found with the next run of the analyses.")
    return _("Fewer than %(fewest)s people said here in this period what counts.") % {
        "fewest": FEWEST
    }


def kinds_sentence(reading: Reading, effect: Kind) -> str:
    """Return which drivers are of a kind, in a sentence; empty without any."""
    found = [driver for driver in reading.ranked if driver.effect == effect]
    if not found:
        return ""
    if effect == Kind.BASIC:
        return _("Must not fail: %(names)s. Bad service costs more than good service brings.") % {
            "names": joined(found)
        }
    return _("Can delight: %(names)s. Good service brings more than bad service costs.") % {
        "names": joined(found)
    }


def joined(drivers: Sequence[Driver]) -> str:
    return ", ".join(f"“{driver.name}”" for driver in drivers)


def cautions(reading: Reading) -> list[str]:
    """Return what a reader must know not to read too much into it."""
    if reading.how != How.DERIVED:
        return _cautions_of_stated(reading)
    found = [
        _(
            "What goes together need not be cause and effect: the shares say what customers who "
            "are content judge well, not what would happen if something were changed. Try it as an "
            "improvement and check the effect."
        )
    ]
    if reading.repeat_each_other:
        found.append(
            _(
                "Some of these are answered so alike that their order is unsteady: take them "
                "together."
            )
        )
    against = [driver for driver in reading.ranked if driver.sign < 0]
    if against:
        found.append(
            _(
                "The outcome is lower where %(names)s is judged higher; check whether the question "
                "is understood."
            )
            % {"names": joined(against)}
        )
    if reading.left_out:
        found.append(
            ngettext(
                "%(n)s person left out one of these questions and is not counted in.",
                "%(n)s people left out one of these questions and are not counted in.",
                reading.left_out,
            )
            % {"n": number(reading.left_out, 0)}
        )
    return found


def _cautions_of_stated(reading: Reading) -> list[str]:
    found = [
        _(
            "What customers say counts is what they know and like to say: many name what is "
            "expected of them, or what just went wrong. What the outcome hangs on may differ."
        )
    ]
    if reading.left_out:
        found.append(
            ngettext(
                "The points of %(n)s person made less than 90 or more than 110 and do not count; "
                "others are brought to 100.",
                "The points of %(n)s people made less than 90 or more than 110 and do not count; "
                "others are brought to 100.",
                reading.left_out,
            )
            % {"n": number(reading.left_out, 0)}
        )
    return found


def status_sentence(status: MethodStatus) -> str:
    """Return why there is nothing to show of a group that was looked at."""
    if status == MethodStatus.INSUFFICIENT_N:
        return _(
            "Fewer than %(fewest)s people answered all of it here in this period, or so few others "
            "beside them that these would be recognised. Choose a longer period or a larger group."
        ) % {"fewest": FEWEST}
    if status == MethodStatus.ZERO_VARIANCE:
        return _("Everybody gave the same answer, so that nothing can be compared.")
    if status == MethodStatus.SINGULAR:
        return _(
            "Some questions were answered exactly alike, so that their parts cannot be told apart."
        )
    return _("The outcome goes with none of what was asked.")


def effect_sentence(driver: Driver) -> str:
    """Return what bad and good scores of a driver go with, in points of the outcome's scale."""
    penalty, reward = driver.penalty, driver.reward
    if penalty is None or reward is None or penalty.value is None or reward.value is None:
        return ""
    return _(
        "Beside the others, low scores go with %(penalty)s and high scores with %(reward)s in the "
        "outcome."
    ) % {"penalty": _step(-penalty.value), "reward": _step(reward.value)}


def _step(value: float) -> str:
    said = number(abs(value), 2)
    return f"{MINUS}{said}" if value < 0 else f"+{said}"


def wanted_sentence(wanted: Wanted) -> str:
    """Return what a feature is to customers, and how sure it is."""
    if wanted.category is None or wanted.shares is None:
        return _("Too few people answered both questions.")
    said = _("%(share)s of %(n)s people see it so.") % {
        "share": percents(wanted.shares[wanted.category]),
        "n": number(wanted.n, 0),
    }
    if wanted.is_mixed and wanted.second is not None:
        second = CATEGORIES[wanted.second].title
        mixed = _("For nearly as many it is: %(second)s. Look whether groups of customers differ.")
        said = f"{said} {mixed % {'second': second}}"
    if wanted.is_questionable:
        unclear = _("Many contradict themselves: ask it in other words.")
        said = f"{said} {unclear}"
    return said


def too_few_pairs() -> str:
    return _(
        "Fewer than %(fewest)s people answered here in this period, or so few others beside them "
        "that these would be recognised."
    ) % {"fewest": FEWEST_KANO}


def turned(figure: Figure) -> Figure:
    """Return a figure below zero as the one above it."""
    if figure.value is None or figure.low is None or figure.high is None:
        return figure
    return Figure(-figure.value, -figure.high, -figure.low, figure.n)
