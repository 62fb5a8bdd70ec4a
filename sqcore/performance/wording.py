"""How results of people are said: verdicts, their steps, and what would change them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from sqcore.base.text import day, number, signed
from sqcore.performance.models import FrozenReliability, ResultsPolicy, ResultsRun, StaffResult
from sqcore.performance.sources import PersonMeasure
from sqcore.performance.windows import months_before
from sqcore.stats.people import answers_needed

Verdict = StaffResult.Verdict
Gate = StaffResult.Gate
DECIMALS = 2
MOST_ANSWERS = 2000
"""Beyond so many answers it makes no sense to say how many more are needed."""


@dataclass(frozen=True)
class Said:
    """A verdict in words; `tone` and `symbol` as of a pill."""

    title: str
    text: str
    tone: str = ""
    symbol: str = ""


@dataclass(frozen=True)
class Step:
    """One step on the way to a verdict: its number and one sentence."""

    title: str
    figure: str
    text: str


_MARKS: Mapping[str, tuple[str | Promise, str, str]] = {
    Verdict.LOW: (lazy("Below comparable colleagues"), "watch", "down"),
    Verdict.ABOVE: (lazy("Above comparable colleagues"), "good", "up"),
    Verdict.ALIKE: (lazy("No detectable difference"), "", "check"),
    Verdict.NOT_ENOUGH: (lazy("Not enough data"), "", "unknown"),
    Verdict.HELD: (lazy("Held back for now"), "", "lock"),
}
_USES: Mapping[str, str | Promise] = {
    Gate.NONE: lazy("For information only: nobody may decide anything by it."),
    Gate.COACHING: lazy("To offer coaching or training; not for pay."),
    Gate.PAY: lazy("To offer coaching or training, and as the personal part of rewards."),
}
_SHORT_USES: Mapping[str, str | Promise] = {
    Gate.NONE: lazy("information"),
    Gate.COACHING: lazy("coaching"),
    Gate.PAY: lazy("coaching and pay"),
}


def window_text(result: StaffResult) -> str:
    """Return the days that a result is about, with the last day and not the day after."""
    return span_text(result.starts_on, result.run.ends_on)


def span_text(starts_on: date, ends_on: date) -> str:
    return f"{day(starts_on)} – {day(ends_on - timedelta(days=1))}"


def between_text(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    return f"{number(low, DECIMALS)} – {number(high, DECIMALS)}"


def run_window_text(run: ResultsRun) -> str:
    return span_text(months_before(run.ends_on, run.policy.window_months), run.ends_on)


def interval_text(result: StaffResult) -> str:
    """Return the interval of a result, unless it would say which verdict is held back."""
    return "" if result.verdict == Verdict.HELD else between_text(result.low, result.high)


def mark_of(verdict: str) -> Said:
    """Return a verdict as its name alone, for lists."""
    title, tone, symbol = _MARKS[verdict]
    return Said(str(title), "", tone, symbol)


def verdict_of(result: StaffResult, frozen: FrozenReliability | None) -> Said:
    """Return what a result says, in words, with how it is to be taken."""
    mark = mark_of(result.verdict)
    said = _VERDICT_TEXTS[result.verdict]
    text = _held_text(result) if result.verdict == Verdict.HELD else str(said)
    filled = text % {
        "margin": number(result.run.policy.smallest_difference, DECIMALS),
        "n": result.n,
        "needed": needed_text(result, frozen),
    }
    return Said(mark.title, filled, mark.tone, mark.symbol)


_VERDICT_TEXTS: Mapping[str, str | Promise] = {
    Verdict.LOW: lazy(
        "These answers are lower than those to comparable colleagues by more than %(margin)s, the "
        "least that matters. It is a reason to offer help: developmental, not a finding of "
        "incompetence."
    ),
    Verdict.ABOVE: lazy(
        "These answers are higher than those to comparable colleagues by more than %(margin)s, the "
        "least that matters."
    ),
    Verdict.ALIKE: lazy(
        "As far as %(n)s answers can tell, customers are served as they are by comparable "
        "colleagues. That is a good answer, and the usual one."
    ),
    Verdict.NOT_ENOUGH: lazy(
        "Too few customers answered to say anything. That is neither good nor bad: a verdict needs "
        "about %(needed)s answers."
    ),
    Verdict.HELD: "",
}


def _held_text(result: StaffResult) -> str:
    hidden = _("Until then its figures are not shown either: they would say the verdict.")
    return f"{_why_held(result)} {hidden}"


def _why_held(result: StaffResult) -> str:
    if result.held == "signal":
        return _(
            "Customers wait longer than usual at the unit. That colours what they say of "
            "everybody who works there, so nobody there is judged until the signal is over."
        )
    if result.held == "dispute":
        return _("A dispute about an encounter is open. The verdict comes when it is decided.")
    return _("There is no verdict at the moment.")


_SHORT_HELD: Mapping[str, str | Promise] = {
    "signal": lazy("customers waited longer than usual"),
    "dispute": lazy("a dispute was open"),
}


def short_held(result: StaffResult) -> str:
    """Return why a verdict is held back, for lists; nothing for one that is not."""
    return str(_SHORT_HELD.get(result.held, "")) if result.verdict == Verdict.HELD else ""


def use_text(gate: str) -> str:
    """Return in a sentence what a result may be used for."""
    return str(_USES[gate])


def short_use(gate: str) -> str:
    return str(_SHORT_USES[gate])


def group_text(result: StaffResult) -> str:
    """Return with whom somebody is compared, and how many they are."""
    if not result.group or result.peers is None:
        return ""
    whom = StaffResult.Group(result.group).label
    return ngettext("%(n)s colleague (%(whom)s)", "%(n)s colleagues (%(whom)s)", result.peers) % {
        "n": result.peers,
        "whom": whom,
    }


def needed_text(result: StaffResult, frozen: FrozenReliability | None) -> str:
    """Return of how many answers a verdict is made, at the least."""
    return number(_needed(result.run.policy, frozen), 0)


def _needed(policy: ResultsPolicy, frozen: FrozenReliability | None) -> int:
    return max(policy.smallest_n, _enough(policy.coaching_reliability, frozen) or 0)


def _enough(reliability: float, frozen: FrozenReliability | None) -> int | None:
    """Return how many answers reach this reliability; None where none, or too many, do."""
    if frozen is None or frozen.icc <= 0:
        return None
    found = answers_needed(reliability, frozen.icc)
    return math.ceil(found) if found <= MOST_ANSWERS else None


def answers_text(reliability: float, frozen: FrozenReliability) -> str:
    """Return how many answers reach a reliability, as text."""
    found = _enough(reliability, frozen)
    if found is None:
        return _("more than %(n)s") % {"n": number(MOST_ANSWERS, 0)}
    return number(found, 0)


# Step by step ------------------------------------------------------------------------------------


def steps_of(result: StaffResult, measure: PersonMeasure) -> list[Step]:
    """Return the way from the answers to the verdict; nothing where there are no figures, or they
    would say which verdict is held back."""
    if result.raw is None or result.estimate is None or result.verdict == Verdict.HELD:
        return []
    made = [_answers(result, measure), *_mix(result), *_pull(result), *_interval(result)]
    return [*made, *_judged(result)]


def _answers(result: StaffResult, measure: PersonMeasure) -> Step:
    scale = _("Their mean, on a scale from %(low)s to %(high)s.") % {
        "low": number(measure.lowest, 0),
        "high": number(measure.highest, 0),
    }
    counted = _(
        "Only customers who were served alone are counted, and only what they said about the "
        "person."
    )
    batches = _(
        "They count in whole batches of at least five, so that nobody can work out from two "
        "results what fewer customers said: the newest may still wait for their batch, and a batch "
        "with an answer that does not count is left out as a whole."
    )
    # A measure that no source has any more has no scale either.
    is_known = measure.lowest < measure.highest
    mean = scale if is_known else _("Their mean.")
    return Step(
        ngettext("%(n)s answer", "%(n)s answers", result.n) % {"n": number(result.n, 0)},
        number(result.raw or 0.0, DECIMALS),
        f"{mean} {counted} {batches}",
    )


def _mix(result: StaffResult) -> list[Step]:
    if result.adjusted is None or result.raw is None:
        return []
    by = signed(result.adjusted - result.raw, DECIMALS)
    return [
        Step(
            _("Adjusted for who came"),
            number(result.adjusted, DECIMALS),
            _("%(by)s, as if everybody had served the same channels and the same groups of "
              "customers: nobody chooses who comes.") % {"by": by},
        )
    ]  # fmt: skip


def _pull(result: StaffResult) -> list[Step]:
    if result.weight is None or result.centre is None or result.estimate is None:
        return []
    own = round(100 * result.weight)
    return [
        Step(
            _("Comparable colleagues"),
            number(result.centre, DECIMALS),
            _("The mean of the comparison group: %(group)s.") % {"group": group_text(result)},
        ),
        Step(
            _("Drawn towards them"),
            number(result.estimate, DECIMALS),
            _("A few answers are partly luck. So the own mean counts %(own)s %% and that of the "
              "group %(rest)s %%; with more answers the own mean counts more.")
            % {"own": own, "rest": 100 - own},
        ),
    ]  # fmt: skip


def _interval(result: StaffResult) -> list[Step]:
    between = between_text(result.low, result.high)
    if not between:
        return []
    text = _("The 95 % interval: made this way, it holds the true level in about 95 of 100 cases.")
    return [Step(_("How sure that is"), between, text)]


def _judged(result: StaffResult) -> list[Step]:
    low, above = result.probability_low, result.probability_above
    if low is None or above is None:
        return []
    policy = result.run.policy
    said = (
        _("So sure is it that the level is more than %(margin)s below the group.")
        if low >= above
        else _("So sure is it that the level is more than %(margin)s above the group.")
    ) % {"margin": number(policy.smallest_difference, DECIMALS)}
    asked = _("A verdict needs %(certainty)s %%.") % {
        "certainty": number(100 * policy.certainty, 1)
    }
    return [
        Step(_("Is it a difference that matters?"), percent(max(low, above)), f"{said} {asked}")
    ]


def percent(share: float) -> str:
    """Return a probability in percent; nothing is ever quite certain."""
    if share >= 0.9995:
        return _("over 99.9 %")
    if share < 0.0005:
        return _("under 0.1 %")
    return f"{number(100 * share, 1)} %"


# What would change it ----------------------------------------------------------------------------


def outlook_of(result: StaffResult, frozen: FrozenReliability | None, smallest: int) -> list[str]:
    """Return what would change the verdict, and what a result may be used for.

    smallest: groups of fewer answers than this are never told, so neither how many are missing
    """
    made = _VERDICT_OUTLOOKS.get(result.verdict, _nothing)(result, frozen, smallest)
    return [said for said in (made, *_uses_ahead(result, frozen)) if said]


def _nothing(result: StaffResult, frozen: FrozenReliability | None, smallest: int) -> str:
    return ""


def _more(answers: int) -> str:
    """Return so many answers, told as roughly as they are known."""
    told = answers if answers <= 20 else math.ceil(answers / 10) * 10
    return ngettext("about %(n)s more answer", "about %(n)s more answers", told) % {
        "n": number(told, 0)
    }


def _few(result: StaffResult, frozen: FrozenReliability | None, smallest: int) -> str:
    missing = _needed(result.run.policy, frozen) - result.n
    if result.n < smallest or missing <= 0:
        return ""
    return _("It takes %(more)s.") % {"more": _more(missing)}


def _alike(result: StaffResult, frozen: FrozenReliability | None, smallest: int) -> str:
    if result.adjusted is None or result.centre is None:
        return ""
    margin = result.run.policy.smallest_difference
    if abs(result.adjusted - result.centre) <= margin:
        return _(
            "More answers like these would not change it: their mean is within %(margin)s of that "
            "of the group."
        ) % {"margin": number(margin, DECIMALS)}
    needed = answers_to_verdict(result, frozen)
    if needed is None:
        return _("More answers like these would hardly change it.")
    return _("It would become clear with %(more)s, were they like those so far.") % {
        "more": _more(needed - result.n)
    }


def _found(result: StaffResult, frozen: FrozenReliability | None, smallest: int) -> str:
    edge = _edge(result, frozen)
    if edge is None:
        return ""
    said = (
        _("It would fall away if the adjusted mean of these answers were %(edge)s or higher.")
        if result.verdict == Verdict.LOW
        else _("It would fall away if the adjusted mean of these answers were %(edge)s or lower.")
    )
    return said % {"edge": number(edge, DECIMALS)}


_VERDICT_OUTLOOKS = {
    Verdict.NOT_ENOUGH.value: _few,
    Verdict.ALIKE.value: _alike,
    Verdict.LOW.value: _found,
    Verdict.ABOVE.value: _found,
}


def _uses_ahead(result: StaffResult, frozen: FrozenReliability | None) -> list[str]:
    """What it takes until the result may be used for more."""
    policy = result.run.policy
    if result.verdict in (Verdict.NOT_ENOUGH, Verdict.HELD) or result.gate == Gate.PAY:
        return []
    coaching = result.gate == Gate.NONE
    wanted = policy.coaching_reliability if coaching else policy.pay_reliability
    enough = _enough(wanted, frozen)
    if enough is None or enough <= result.n:
        return []
    said = _("For coaching it takes %(more)s.") if coaching else _("For pay it takes %(more)s.")
    return [said % {"more": _more(enough - result.n)}]


def answers_to_verdict(result: StaffResult, frozen: FrozenReliability | None) -> int | None:
    """Return with how many answers of the same adjusted mean there would be a difference.

    None where no number of answers is known to do.
    """
    parts = _parts(result, frozen)
    if parts is None or result.adjusted is None or result.centre is None:
        return None
    within, tau2, of_centre = parts
    policy = result.run.policy
    z = NormalDist().inv_cdf(policy.certainty)
    distance = abs(result.adjusted - result.centre)
    for n in range(max(result.n + 1, policy.smallest_n), MOST_ANSWERS + 1):
        weight = tau2 / (tau2 + within / n)
        sd = math.sqrt(weight * within / n + weight**2 * of_centre)
        if weight * distance - policy.smallest_difference >= z * sd:
            return n
    return None


def _parts(
    result: StaffResult, frozen: FrozenReliability | None
) -> tuple[float, float, float] | None:
    """Return the variances of a result: within a person, between people, of the group's mean."""
    if frozen is None or result.sd is None or not result.weight or result.weight >= 1:
        return None
    error = frozen.within / result.n
    tau2 = result.weight * error / (1 - result.weight)
    left = result.sd**2 - result.weight * error
    return frozen.within, tau2, max(0.0, left) / (1 - result.weight) ** 2


def _edge(result: StaffResult, frozen: FrozenReliability | None) -> float | None:
    """Return the adjusted mean at which a verdict is just reached."""
    parts = _parts(result, frozen)
    if parts is None or result.centre is None or result.weight is None:
        return None
    within, _tau2, of_centre = parts
    weight, policy = result.weight, result.run.policy
    sd = math.sqrt(weight * within / result.n + weight**2 * of_centre)
    distance = (policy.smallest_difference + NormalDist().inv_cdf(policy.certainty) * sd) / weight
    side = -1 if result.verdict == Verdict.LOW else 1
    return result.centre + side * distance
