"""Arithmetic for tests of the demo: weekly means, a CUSUM, variance components, differences."""

from dataclasses import dataclass

import numpy as np

from sqcore.demo.bank import BRANCH_CODES
from sqcore.demo.calendar import Bools, Floats, Ints
from sqcore.demo.history import History
from sqcore.demo.impressions import PERSONAL_ITEMS, on_scale
from sqcore.demo.visits import COUNTER

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


def alarms(series: Floats, *, limit: float = 8, slack: float = 0.5) -> list[int]:
    """Return the weeks (from 1) at which an upper CUSUM passes its limit; it restarts at 0.

    The baseline is the first 26 weeks; sigma the larger of moving range / 1.128 and deviation.
    """
    base = series[:BASELINE]
    sigma = max(np.abs(np.diff(base)).mean() / 1.128, base.std(ddof=1))
    found, height = [], 0.0
    for week, value in enumerate(series[BASELINE:], start=BASELINE + 1):
        height = max(0.0, height + (value - base.mean()) / sigma - slack)
        if height > limit:
            found.append(week)
            height = 0.0
    return found


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
