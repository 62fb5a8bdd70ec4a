"""Arithmetic for tests of the demo: weekly means, variance components, differences."""

from dataclasses import dataclass

import numpy as np

from sqcore.demo.bank import BRANCH_CODES
from sqcore.demo.calendar import Bools, Floats, Ints
from sqcore.demo.history import History
from sqcore.demo.impressions import PERSONAL_ITEMS, on_scale
from sqcore.demo.visits import COUNTER
from sqcore.stats.charts import ChartKind, freeze
from sqcore.stats.cusum import openers
from sqcore.stats.effects import Verdict, mean_shift, verdict

BASELINE = 26


def weekly_sizes(told: History) -> Ints:
    """Return how many came to the counter: a row a branch, a column a whole week."""
    return np.asarray(_weekly(told, np.ones(len(told.visits))).astype(np.int64))


def weekly_waits(told: History) -> Floats:
    """Return the mean minutes waited at the counter: a row a branch, a column a whole week."""
    return np.asarray(_weekly(told, told.visits.wait_s / 60) / weekly_sizes(told))


def _weekly(told: History, values: Floats) -> Floats:
    visits, weeks = told.visits, told.calendar.weeks
    inside = (visits.channel == COUNTER) & (visits.day < 7 * weeks)
    total = np.zeros((len(BRANCH_CODES), weeks))
    np.add.at(total, (visits.branch[inside], visits.day[inside] // 7), values[inside])
    return total


def alarms(series: Floats) -> list[int]:
    """Return the weeks (from 1) at which the usual opener alarms; the first 26 are its baseline."""
    limits = freeze(series[:BASELINE], kind=ChartKind.XMR)
    z = (series[BASELINE:] - limits.centre) / limits.spread
    alarm = openers(z[np.newaxis]).alarm[0]
    return [int(place) + BASELINE + 1 for place in np.flatnonzero(alarm)]


def verdict_on_weeks(series: Floats, before: tuple[int, int], after: tuple[int, int]) -> Verdict:
    """Return what the Check says of these weeks (both ends included), of at least one sigma."""
    limits = freeze(series[:BASELINE], kind=ChartKind.XMR)
    effect = mean_shift(series[before[0] - 1 : before[1]], series[after[0] - 1 : after[1]])
    return verdict(effect, better=-1, minimum=limits.spread)[0]


@dataclass(frozen=True)
class Answered:
    """The answers about people: who served, alone or not, in which month, and the six items."""

    staff: Ints
    solo: Bools
    month: Ints
    items: Ints

    def of_items(self, *items: int) -> Floats:
        return np.asarray(self.items[:, np.isin(PERSONAL_ITEMS, items)].mean(axis=1))


def answered(told: History) -> Answered:
    seen = told.visits.at(told.impressions.visit)
    month = told.calendar.month_of_day()[told.impressions.answered_day]
    return Answered(seen.staff, seen.solo, month, on_scale(told.impressions.personal))


@dataclass(frozen=True)
class Components:
    """What a one-way analysis of variance finds within comparison groups."""

    mean: float
    within_sd: float
    between_sd: float

    @property
    def icc(self) -> float:
        return self.between_sd**2 / (self.between_sd**2 + self.within_sd**2)


def components(score: Floats, person: Ints, group_of: Ints) -> Components:
    """Return the parts of the variance: of answers within people, of people within groups."""
    size = len(group_of)
    n = np.bincount(person, minlength=size)
    means = np.bincount(person, score, size) / np.maximum(n, 1)
    there = n > 0
    within = ((score - means[person]) ** 2).sum() / (len(score) - there.sum())
    groups = np.unique(group_of[there])
    squares, effective, freedom = 0.0, 0.0, 0
    for group in groups:
        of_group = there & (group_of == group)
        sizes = n[of_group]
        centre = np.average(means[of_group], weights=sizes)
        squares += (sizes * (means[of_group] - centre) ** 2).sum()
        effective += sizes.sum() - (sizes**2).sum() / sizes.sum()
        freedom += int(of_group.sum()) - 1
    between = (squares - freedom * within) / effective
    return Components(float(score.mean()), float(within**0.5), float(max(between, 0) ** 0.5))


@dataclass(frozen=True)
class Effect:
    """A difference in differences and its standard error."""

    estimate: float
    error: float

    @property
    def low(self) -> float:
        return self.estimate - 1.96 * self.error


def course_effect(told: History, place: int) -> Effect:
    """Return trained against controls, months 14-24 against 9-12, on the items of the course."""
    course, answers = told.impressions.courses[place], answered(told)
    score = answers.of_items(*course.truth.items)
    estimate, variance = 0.0, 0.0
    for people, sign in ((course.trained, 1), (course.controls, -1)):
        for (first, last), after in (((14, 24), 1), ((9, 12), -1)):
            cell = score[
                answers.solo
                & np.isin(answers.staff, people)
                & (answers.month >= first - 1)
                & (answers.month < last)
            ]
            estimate += sign * after * cell.mean()
            variance += cell.var(ddof=1) / len(cell)
    return Effect(float(estimate), float(variance**0.5))
