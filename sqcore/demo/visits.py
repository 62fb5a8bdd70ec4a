"""Who came to the demo's bank, when, for what, how long it took and what came of it."""

from dataclasses import dataclass, fields, replace

import numpy as np

from sqcore.demo.bank import (
    BRANCH_CODES,
    CHANNELS,
    FRONT_LINE_A_BRANCH,
    SEGMENTS,
    SERVICES,
    TELLERS_A_BRANCH,
)
from sqcore.demo.calendar import Bools, Calendar, Floats, Ints, stream
from sqcore.demo.people import FrontLine
from sqcore.demo.truths import Truths, WaitShift

COUNTER, PHONE, APP = range(3)
SIZES = {COUNTER: 80_000, PHONE: 20_000, APP: 20_000}
AT_LEAST_A_WEEK = 34
CUSTOMERS = 36_000
SHARED = 0.08
"""The share of counter visits at which two people served."""
HALVES = (5_000, 7_000)
"""What the first of two people may have had of 10,000."""
OPENS_H, SHUTS_H = 9, 17
APPROVAL_SHARE = 0.55
"""How much of the wait stands before the second signature, where one is needed."""
OTHER_WAITS = {PHONE: (2.5, 0.9), APP: (1.2, 0.7)}
"""Mean (minutes) and coefficient of variation of the wait for an answer."""


@dataclass(frozen=True)
class Visits:
    """N visits in the order of their arrival; codes by their position in `bank`.

    `staff` and `partner` are rows of the front line or -1, `share` the first one's part of 10,000.
    `wait_s` is the wait in all, `held_s` the part of it before the second signature. The stages
    took `stage_s`, in the order in which a channel has them; `again_s` is the time at the counter
    (on the telephone, in the app) that was spent a second time, 0 where it was not.
    """

    branch: Ints
    channel: Ints
    day: Ints
    second: Ints
    service: Ints
    customer: Ints
    segment: Ints
    staff: Ints
    partner: Ints
    share: Ints
    wait_s: Ints
    held_s: Ints
    opening_s: Ints
    work_s: Ints
    approval_s: Ints
    closing_s: Ints
    again_s: Ints
    solved: Bools
    reworked: Bools

    def __len__(self) -> int:
        return len(self.branch)

    def at(self, rows: Ints | Bools | slice) -> "Visits":
        return replace(self, **{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    @property
    def solo(self) -> Bools:
        return (self.staff >= 0) & (self.partner < 0)


def draw_visits(*, seed: int, calendar: Calendar, people: FrontLine, truths: Truths) -> Visits:
    """Draw every visit of the story."""
    generator = stream(seed, "visits")
    branch, day, second, channel = _arrivals(generator, calendar)
    service = _services(generator, channel)
    staff, partner, share = _served_by(generator, branch, channel, day, people)
    customer, segment = _customers(generator, branch)
    wait_s = _waits(generator, calendar, truths, branch, channel, day)
    errands = list(SERVICES.values())
    approved = np.array([each.approved for each in errands])[service] & (channel == COUNTER)
    reworked = generator.random(len(branch)) < np.array([e.reworked for e in errands])[service]
    solved_by = np.array([each.solved for each in errands])[service] - 0.06 * (channel == PHONE)
    solved = generator.random(len(branch)) < solved_by - 0.3 * reworked
    work_s = _lengths(generator, np.array([each.minutes for each in errands])[service])
    work_s = np.where(channel == APP, 20 + work_s // 3, work_s)
    return Visits(
        branch=branch,
        channel=channel,
        day=day,
        second=second,
        service=service,
        customer=customer,
        segment=segment,
        staff=staff,
        partner=partner,
        share=share,
        wait_s=wait_s,
        held_s=np.where(approved, np.rint(APPROVAL_SHARE * wait_s), 0).astype(np.int64),
        opening_s=_lengths(generator, np.array([1.0, 0.6, 0.3])[channel]),
        work_s=work_s,
        approval_s=np.where(approved, _lengths(generator, np.full(len(branch), 3.0)), 0),
        closing_s=_lengths(generator, np.array([1.5, 1.0, 0.2])[channel]),
        again_s=np.where(reworked, np.maximum(work_s // 2, 30), 0),
        solved=solved,
        reworked=reworked,
    )


def _arrivals(generator: np.random.Generator, calendar: Calendar) -> tuple[Ints, Ints, Ints, Ints]:
    """Draw branch, day, second of the day and channel of every visit, in the order of arrival."""
    parts = [_counter_arrivals(generator, calendar)]
    for place in (PHONE, APP):
        days = calendar.open_days() if place == PHONE else np.arange(calendar.days)
        where = generator.choice(len(BRANCH_CODES), SIZES[place], p=_busy())
        parts.append((where, generator.choice(days, SIZES[place])))
    branch = np.concatenate([part[0] for part in parts])
    day = np.concatenate([part[1] for part in parts])
    channel = np.repeat(np.arange(3), [len(part[0]) for part in parts])
    # Two rushes, before noon and after it; the app is open from seven to eleven at night.
    rush = np.where(generator.random(len(day)) < 0.55, 10.7, 14.6)
    hour = np.clip(rush + generator.normal(0, 1.1, len(day)), OPENS_H, SHUTS_H - 0.1)
    hour = np.where(channel == APP, 7 + 16 * generator.random(len(day)), hour)
    second = (hour * 3600).astype(np.int64)
    order = np.lexsort((second, day))
    return branch[order], day[order], second[order], channel[order]


def _busy() -> Floats:
    busy = 1 + 0.25 * np.sin(np.arange(len(BRANCH_CODES)))
    return np.asarray(busy / busy.sum(), dtype=np.float64)


def _counter_arrivals(generator: np.random.Generator, calendar: Calendar) -> tuple[Ints, Ints]:
    """Draw who comes to the counter: so many a branch and week at least, the others by chance."""
    open_days = calendar.open_days()
    days_of_week = np.bincount(open_days // 7)
    least = np.tile(AT_LEAST_A_WEEK * days_of_week // 6, (len(BRANCH_CODES), 1))
    chance = _busy()[:, None] * days_of_week / days_of_week.sum()
    more = generator.multinomial(SIZES[COUNTER] - least.sum(), chance.ravel())
    sizes = least.ravel() + more
    branch = np.repeat(np.repeat(np.arange(len(BRANCH_CODES)), len(days_of_week)), sizes)
    week = np.repeat(np.tile(np.arange(len(days_of_week)), len(BRANCH_CODES)), sizes)
    in_week = np.floor(generator.random(len(week)) * days_of_week[week])
    return branch, (7 * week + in_week).astype(np.int64)


def _services(generator: np.random.Generator, channel: Ints) -> Ints:
    service = np.zeros(len(channel), dtype=np.int64)
    for place, code in enumerate(CHANNELS):
        here = np.flatnonzero(channel == place)
        chances = [errand.share.get(code, 0.0) for errand in SERVICES.values()]
        service[here] = generator.choice(len(SERVICES), len(here), p=chances)
    return service


def _served_by(
    generator: np.random.Generator, branch: Ints, channel: Ints, day: Ints, people: FrontLine
) -> tuple[Ints, Ints, Ints]:
    """Draw who served: whoever is there, by how much each one serves; nobody in the app."""
    staff = np.full(len(branch), -1)
    partner = np.full(len(branch), -1)
    share = np.full(len(branch), 10_000)
    for place, seats in (
        (COUNTER, range(TELLERS_A_BRANCH)),
        (PHONE, range(TELLERS_A_BRANCH, FRONT_LINE_A_BRANCH)),
    ):
        here = np.flatnonzero(channel == place)
        staff[here] = _pick(generator, branch[here], day[here], people, seats)
    together = np.flatnonzero((channel == COUNTER) & (generator.random(len(branch)) < SHARED))
    other = _pick(generator, branch[together], day[together], people, range(TELLERS_A_BRANCH))
    together, other = together[other != staff[together]], other[other != staff[together]]
    partner[together] = other
    share[together] = generator.choice(HALVES, len(together))
    return staff, partner, share


def _pick(
    generator: np.random.Generator, branch: Ints, day: Ints, people: FrontLine, seats: range
) -> Ints:
    rows = branch[:, None] * FRONT_LINE_A_BRANCH + np.array(seats)
    present = people.first_day[rows] <= day[:, None]
    reach = np.cumsum(people.activity[rows] * present, axis=1)
    hit = generator.random(len(branch)) * reach[:, -1]
    return np.asarray(rows[np.arange(len(rows)), (reach <= hit[:, None]).sum(axis=1)])


def _customers(generator: np.random.Generator, branch: Ints) -> tuple[Ints, Ints]:
    """Draw which customer of the branch came; some come often."""
    home = generator.choice(len(BRANCH_CODES), CUSTOMERS, p=_busy())
    segment_of = generator.choice(len(SEGMENTS), CUSTOMERS, p=[0.55, 0.14, 0.19, 0.12])
    often = generator.gamma(1.5, 1, CUSTOMERS)
    customer = np.zeros(len(branch), dtype=np.int64)
    for place in range(len(BRANCH_CODES)):
        here, own = np.flatnonzero(branch == place), np.flatnonzero(home == place)
        customer[here] = generator.choice(own, len(here), p=often[own] / often[own].sum())
    return customer, segment_of[customer]


def _waits(
    generator: np.random.Generator,
    calendar: Calendar,
    truths: Truths,
    branch: Ints,
    channel: Ints,
    day: Ints,
) -> Ints:
    """Draw the waits, in seconds: at the counter around a level that differs by branch and week."""
    weeks = -(-calendar.days // 7)
    level = truths.wait_min + generator.normal(0, truths.wait_week_sd, (len(BRANCH_CODES), weeks))
    minutes = level[branch, day // 7] * _gamma(generator, truths.wait_cv, len(branch))
    # What is added in a bad week differs from customer to customer as well.
    longer = _added_minutes(truths.shifts, weeks)[branch, day // 7]
    minutes += longer * _gamma(generator, 0.5, len(branch))
    for place, (mean, cv) in OTHER_WAITS.items():
        here = np.flatnonzero(channel == place)
        minutes[here] = mean * _gamma(generator, cv, len(here))
    return np.rint(60 * minutes).astype(np.int64)


def _gamma(generator: np.random.Generator, cv: float, size: int) -> Floats:
    """Draw positive numbers of mean 1 with this coefficient of variation."""
    return generator.gamma(1 / cv**2, cv**2, size)


def _added_minutes(shifts: tuple[WaitShift, ...], weeks: int) -> Floats:
    added = np.zeros((len(BRANCH_CODES), weeks))
    for shift in shifts:
        row = BRANCH_CODES.index(shift.branch)
        added[row, shift.first_week - 1 : shift.last_week] += shift.minutes
    return added


def _lengths(generator: np.random.Generator, minutes: Floats) -> Ints:
    """Draw how long something takes that takes so many minutes on average, in seconds."""
    drawn = 60 * minutes * generator.lognormal(-0.08, 0.4, len(minutes))
    return np.maximum(np.rint(drawn), 5).astype(np.int64)


def week_of(visits: Visits) -> Ints:
    """Return the week of every visit, from 0."""
    return visits.day // 7
