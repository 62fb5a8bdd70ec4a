"""How often evidence speaks for a problem where no unit differs from any other.

Made figures of a bank's quarter go through the rules of verdicts; to print how often, run
`DJANGO_SETTINGS_MODULE=sqcore.project.settings.test python -m sqcore.tests.reports.chance`.
"""

import sys
from dataclasses import dataclass

import django
import numpy as np
import numpy.typing as npt
from scipy import special, stats

from sqcore.reports.evidence import Effect, Evidence, Measured, Says
from sqcore.reports.rules import (
    MATTERS,
    SHARE_MATTERS,
    Verdict,
    behind,
    direction,
    judge,
    level_of,
    mean_of,
    widened,
)
from sqcore.stats.differences import Bounded
from sqcore.stats.heterogeneity import heterogeneity
from sqcore.stats.proportions import newcombe, wilson

UNITS = 20
ANSWERS, ANSWER_SD = 180, 18.0
ENCOUNTERS, WAIT_MEAN, WAIT_CV = 480, 9.0, 0.8
FAULTS, IN_TIME = 8, 0.85
CHANNELS = (100, 60, 26)
PEOPLE, ABOUT_EACH, WITHIN, OF_PEOPLE = 12, 50, 1.18, 0.056
REWORK = 0.04

Random = np.random.Generator


@dataclass
class Chance:
    """Lines that could speak, lines that spoke for a problem, units with such a class."""

    lines: int = 0
    wrong: int = 0
    units: int = 0
    units_wrong: int = 0
    against: int = 0

    @property
    def by_line(self) -> float:
        return self.wrong / self.lines

    @property
    def by_unit(self) -> float:
        return self.units_wrong / self.units

    @property
    def shown_against(self) -> float:
        return self.against / self.lines


def simulate(banks: int, seed: int = 1) -> Chance:
    """Return what chance does in so many banks of twenty units, of each its first unit."""
    random, found = np.random.default_rng(seed), Chance()
    for _ in range(banks):
        classes = _unit(random)
        found.units += 1
        found.units_wrong += any(judge(each).verdict == Verdict.FOR for each in classes.values())
        for evidence in (each for listed in classes.values() for each in listed):
            found.lines += 1
            found.wrong += evidence.says == Says.FOR
            found.against += evidence.says == Says.AGAINST
    return found


def _unit(random: Random) -> dict[str, list[Evidence]]:
    return {
        "awareness": [_worst([_opinions(random), _opinions(random)])],
        "process": [_worst([_waits(random), _waits(random)]), _rework(random)],
        "support": [_worst([_in_time(random), _waits(random)])],
        "standards": [_channels(random)],
        "skills": [_staff(random)],
    }


def _worst(kinds: list[list[Bounded]]) -> Evidence:
    effects = [
        _effect(widened(behind(units[0], mean_of(units[1:])), len(kinds)), MATTERS)
        for units in kinds
    ]
    said = [direction(effect) for effect in effects]
    says = next(each for each in (Says.FOR, Says.UNCLEAR, Says.AGAINST) if each in said)
    return Evidence(says, "", max(effects, key=lambda effect: effect.value))


def _effect(found: Bounded, matters: float, measured: Measured = Measured.POINTS) -> Effect:
    return Effect("", measured, *found, matters, 1, "answers")


def _told(effect: Effect) -> Evidence:
    return Evidence(direction(effect), "", effect)


def _bounds(values: npt.NDArray[np.float64]) -> Bounded:
    n = values.size
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    mean = float(values.mean())
    return Bounded(mean, mean - half, mean + half)


def _opinions(random: Random) -> list[Bounded]:
    return [_bounds(random.normal(70, ANSWER_SD, ANSWERS)) for _ in range(UNITS)]


def _waits(random: Random) -> list[Bounded]:
    shape = 1 / WAIT_CV**2
    found = []
    for _ in range(UNITS):
        minutes = random.gamma(shape, WAIT_MEAN / shape, ENCOUNTERS)
        found.append(_bounds(100 - 5 * minutes))
    return found


def _in_time(random: Random) -> list[Bounded]:
    """Shares of faults repaired in time; their goalposts are .5 and 1."""
    done = random.binomial(FAULTS, IN_TIME, UNITS)
    ends = wilson(done, np.full(UNITS, FAULTS))
    columns = (done / FAULTS, ends.low, ends.high)
    return [
        Bounded(*(float(200 * (end - 0.5)) for end in row)) for row in zip(*columns, strict=True)
    ]


def _rework(random: Random) -> Evidence:
    own, others = random.binomial([ENCOUNTERS, 19 * ENCOUNTERS], REWORK)
    found = newcombe([own], [ENCOUNTERS], [others], [19 * ENCOUNTERS])
    value = own / ENCOUNTERS - others / (19 * ENCOUNTERS)
    ends = Bounded(float(value), float(found.low[0]), float(found.high[0]))
    return _told(_effect(ends, SHARE_MATTERS, Measured.SHARE))


def _channels(random: Random) -> Evidence:
    """Three channels that are alike, in five dimensions."""
    found = []
    for _ in range(5):
        parts = [_bounds(random.normal(70, ANSWER_SD, n)) for n in CHANNELS]
        errors = [(part.high - part.low) / 2 / special.ndtri(0.975) for part in parts]
        spread = heterogeneity(
            [part.value for part in parts],
            [error**2 for error in errors],
            confidence=level_of(5),
        )
        two = spread.of_two
        found.append(
            Effect("", Measured.SPREAD, two.value or 0.0, two.low, two.high, MATTERS, 3, "parts")
        )
    order = (Says.FOR, Says.UNCLEAR, Says.AGAINST)
    return _told(max(found, key=lambda each: (-order.index(direction(each)), each.value)))


def _staff(random: Random) -> Evidence:
    """Twelve people who are alike."""
    means = random.normal(5.3, np.sqrt(WITHIN / ABOUT_EACH), PEOPLE)
    tau = heterogeneity(means, [WITHIN / ABOUT_EACH] * PEOPLE).tau
    value, low, high = (
        None if end is None else end * end / (end * end + WITHIN)
        for end in (tau.value, tau.low, tau.high)
    )
    return _told(
        Effect("", Measured.VARIANCE, value or 0.0, low, high, OF_PEOPLE, PEOPLE, "people")
    )


if __name__ == "__main__":
    django.setup()
    told = simulate(4000)
    sys.stdout.write(
        f"for: {told.by_line:.4f} of lines, {told.by_unit:.4f} of units; "
        f"against: {told.shown_against:.3f} of lines\n"
    )
