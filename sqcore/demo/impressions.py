"""What customers of the demo's bank felt, and which of them say so.

A customer has one impression of the visit, five judgements that differ a little from it, and six
about the person who served: those of SERVQUAL's items 12, 14, 16, 17, 20 and 22. All are numbers
without bounds; who answers rounds them to 1-7 (`on_scale`).
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sqcore.demo.bank import BRANCH_CODES
from sqcore.demo.calendar import Bools, Calendar, Floats, Ints, stream
from sqcore.demo.people import FrontLine
from sqcore.demo.truths import CourseTruth, Truths
from sqcore.demo.visits import APP, COUNTER, PHONE, Visits

LEVELS = {
    "tangibles": 5.70,
    "reliability": 5.60,
    "responsiveness": 5.35,
    "assurance": 5.75,
    "empathy": 5.30,
}
PERSONAL = {12: "responsiveness", 14: "assurance", 16: "assurance", 17: "assurance"} | {
    20: "empathy",
    22: "empathy",
}
"""The items about the person who served, and their dimensions."""
PERSONAL_ITEMS = np.array(list(PERSONAL))
OF_ATTENTION = (20, 22)
ANSWERS = {COUNTER: 17_500, PHONE: 8_200, APP: 4_300}
SIZE = sum(ANSWERS.values())
RECONTACT = timedelta(days=30)
"""Nobody is invited again so soon."""
SOON = 6
"""Who answers does so within so many days of the invitation."""


@dataclass(frozen=True)
class Course:
    """A course as it was held: whom customers judged lowest, and who of them was trained.

    All are rows of the front line. The others of the pool are its controls.
    """

    truth: CourseTruth
    pool: Ints
    trained: Ints

    @property
    def controls(self) -> Ints:
        return np.setdiff1d(self.pool, self.trained)


@dataclass(frozen=True)
class Impressions:
    """What the visitors felt who answered: rows of the visits, in the order of their answers.

    `judged` has a column a dimension, `personal` one an item of `PERSONAL`.
    """

    visit: Ints
    answered_day: Ints
    judged: Floats
    personal: Floats
    courses: tuple[Course, ...]

    def __len__(self) -> int:
        return len(self.visit)


def draw_impressions(
    *, seed: int, calendar: Calendar, people: FrontLine, visits: Visits, truths: Truths
) -> Impressions:
    """Draw who answers and what was felt; hold the courses; and let them have their effects."""
    generator = stream(seed, "impressions")
    answered_on = _days_of_answering(generator, calendar, visits)
    rows = _who_answers(generator, calendar, people, visits, truths, answered_on)
    rows = rows[np.argsort(answered_on[rows], kind="stable")]
    answered_day = answered_on[rows]
    seen = visits.at(rows)
    month = calendar.month_of_day()[seen.day]
    felt = _felt(generator, seen, month, truths)
    # Whatever the newcomer's customers would have felt: it was not their day.
    felt[seen.staff == people.newcomer] = -truths.newcomer.loss
    judged = felt[:, None] + generator.normal(0, truths.dimension_sd, (SIZE, len(LEVELS)))
    judged += np.array(list(LEVELS.values()))
    judged[:, list(LEVELS).index("responsiveness")] += _promptness(seen, month, truths)
    personal = _personal(generator, judged, seen, people, truths)
    answered = calendar.month_of_day()[answered_day]
    courses = hold_courses(seed=seed, personal=personal, seen=seen, month=answered, truths=truths)
    for course in courses:
        _train(personal, course, seen, month)
    return Impressions(rows, answered_day, judged, personal, courses)


def on_scale(felt: Floats) -> Ints:
    """Return what is answered on a scale from 1 to 7."""
    return np.clip(np.rint(felt), 1, 7).astype(np.int64)


def _who_answers(
    generator: np.random.Generator,
    calendar: Calendar,
    people: FrontLine,
    visits: Visits,
    truths: Truths,
    answered_on: Ints,
) -> Ints:
    """Draw who of the invited answers: so many a channel; about two people so many as planted."""
    in_last_year = calendar.month_of_day()[answered_on] >= calendar.months - 12
    with_weak = visits.solo & (visits.staff == people.weak) & in_last_year
    with_newcomer = (visits.staff == people.newcomer) | (visits.partner == people.newcomer)
    planted = with_weak | with_newcomer
    asked = who_is_asked(visits) & (invited_on(visits) < calendar.days)

    def draw(group: Bools, size: int) -> list[int]:
        return list(generator.choice(np.flatnonzero(group & asked), size, replace=False).tolist())

    chosen = draw(with_weak, truths.weak.answers)
    chosen += draw(with_newcomer & visits.solo, truths.newcomer.answers)
    for channel, size in ANSWERS.items():
        left = size - len(chosen) if channel == COUNTER else size
        chosen += draw((visits.channel == channel) & ~planted, left)
    return np.sort(np.array(chosen))


def invited_on(visits: Visits) -> Ints:
    """Return the day of every visit's invitation: the Monday after it."""
    return np.asarray(7 * (visits.day // 7 + 1))


def _days_of_answering(generator: np.random.Generator, calendar: Calendar, visits: Visits) -> Ints:
    """Draw on which day each customer would answer: soon after the invitation."""
    late = np.minimum(generator.geometric(0.35, len(visits)) - 1, SOON)
    return np.asarray(np.minimum(invited_on(visits) + late, calendar.days - 1))


def who_is_asked(visits: Visits) -> Bools:
    """Return after which visits the customer is surely invited to answer.

    Everybody is, but for those who were invited within the time of `RECONTACT` before. Of two
    visits on one day only one is followed by an invitation, and which one is left to the lot.
    """
    last: dict[int, int] = {}
    first_row: dict[tuple[int, int], int] = {}
    asked = np.zeros(len(visits), dtype=np.bool_)
    columns = (visits.customer, visits.day, invited_on(visits))
    for row, (customer, day, invited) in enumerate(
        zip(*(c.tolist() for c in columns), strict=True)
    ):
        if (customer, day) in first_row:
            asked[first_row[customer, day]] = False
            continue
        first_row[customer, day] = row
        if customer not in last or invited - last[customer] >= RECONTACT.days:
            last[customer] = invited
            asked[row] = True
    return asked


def _felt(generator: np.random.Generator, seen: Visits, month: Ints, truths: Truths) -> Floats:
    branches = generator.normal(0, truths.branch_sd, len(BRANCH_CODES))
    felt = generator.normal(0, truths.impression_sd, len(seen)) + branches[seen.branch]
    felt -= truths.phone_loss * (seen.channel == PHONE)
    felt += truths.app_gain * (seen.channel == APP) * np.clip((month - 11) / 12, 0, 1)
    return felt


def _promptness(seen: Visits, month: Ints, truths: Truths) -> Floats:
    harbour = seen.branch == BRANCH_CODES.index(truths.harbour)
    loss = truths.harbour_loss * (harbour & (month >= truths.harbour_month - 1))
    waited = np.where(seen.channel == COUNTER, seen.wait_s / 60 - truths.wait_min, 0.0)
    return np.asarray(-loss - truths.wait_loss * waited)


def _personal(
    generator: np.random.Generator,
    judged: Floats,
    seen: Visits,
    people: FrontLine,
    truths: Truths,
) -> Floats:
    """Return what is felt about the person who served; of two, each by the share."""
    places = [list(LEVELS).index(dimension) for dimension in PERSONAL.values()]
    personal = judged[:, places] + generator.normal(0, truths.item_sd, (len(seen), len(PERSONAL)))
    attends = np.isin(PERSONAL_ITEMS, OF_ATTENTION)
    for staff, share in ((seen.staff, seen.share), (seen.partner, 10_000 - seen.share)):
        here = staff >= 0
        part = np.where(here, share / 10_000, 0.0)[:, None]
        own = people.warmth[staff][:, None] + people.attention[staff][:, None] * attends
        personal += part * own
    return np.asarray(personal)


def hold_courses(
    *, seed: int, personal: Floats, seen: Visits, month: Ints, truths: Truths
) -> tuple[Course, ...]:
    """Choose for each course the people whose customers judged its topic lowest, and train some.

    Chosen are, among those of no earlier pool, the lowest means of the answers to the topic's items
    that came in its months from encounters that were theirs alone; half of them by lot are trained.
    """
    generator = stream(seed, "courses")
    taken: set[int] = set()
    held: list[Course] = []
    for truth in truths.courses:
        means = topic_means(personal, seen, month, truth)
        free = [row for row in np.argsort(means, kind="stable").tolist() if row not in taken]
        pool = np.sort(np.array(free[: truth.pool]))
        taken |= set(pool.tolist())
        held.append(Course(truth, pool, np.sort(generator.choice(pool, truth.trained, False))))
    return tuple(held)


def topic_means(personal: Floats, seen: Visits, month: Ints, truth: CourseTruth) -> Floats:
    """Return each person's mean answer to the items of a course before it; infinite without any."""
    first, last = truth.chosen_on_months
    inside = seen.solo & (month >= first - 1) & (month < last)
    scores = on_scale(personal[inside][:, np.isin(PERSONAL_ITEMS, truth.items)]).mean(axis=1)
    staff = seen.staff[inside]
    size = int(seen.staff.max()) + 1
    n = np.bincount(staff, minlength=size)
    total = np.bincount(staff, weights=scores, minlength=size)
    return np.asarray(np.where(n > 0, total / np.maximum(n, 1), np.inf))


def _train(personal: Floats, course: Course, seen: Visits, month: Ints) -> None:
    """Add the effect to what is felt about the trained, from the month after the course on."""
    truth = course.truth
    rows = np.isin(seen.staff, course.trained) & (month >= truth.month)
    part = truth.effect * seen.share[rows] / 10_000
    personal[np.ix_(rows, np.isin(PERSONAL_ITEMS, truth.items))] += part[:, None]
