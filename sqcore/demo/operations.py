"""What the demo's bank measures beside its encounters, and how its machines fare."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sqcore.demo.bank import BRANCH_CODES, MACHINES, STAFF_A_BRANCH
from sqcore.demo.calendar import SUNDAY, Calendar, stream

FRIDAY = 4
USUAL_ERRORS, MANY_ERRORS = 0.006, 0.016
ERRORS_AT = "old-town"
"""Where every 60th transaction has to be corrected, not every 170th."""
OFTEN_DOWN, FROM_MONTH = "north-gate", 16
"""Where machines fail three times as often from this month on, and stay down twice as long."""
NO_PROMISES = ("observatory", 7, 9)
"""Which branch sent nothing of its promises, from which month to which."""
NO_CHECKLIST = ("lakeside", 20)
LATE_TRANSACTIONS = ("stadium", 14)
LATE_DAYS = 20
CORRECTED_LOANS = ("silk-street", 15)
CORRECTED_AFTER_DAYS = 60
SILENT = ("tea-house", 10)
"""Whose transactions of the last days have not come."""


class Reported(NamedTuple):
    """What was reported of one measure: `number` of `size`, or a sum of `size` readings.

    `day` is the first day of the period, `sent` the day it was sent; of two reports of one place
    and period the later one corrects the former.
    """

    measure: str
    branch: int
    day: int
    number: int
    size: int
    sent: int
    squares: int | None = None


class Outage(NamedTuple):
    """A machine of a branch was out of order; moments in seconds from the story's first Monday."""

    branch: int
    machine: int
    start: int
    end: int


@dataclass(frozen=True)
class _Months:
    """The months of the story as spans of days."""

    spans: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, calendar: Calendar) -> "_Months":
        firsts = [(start - calendar.monday).days for start in calendar.month_starts()]
        return cls(tuple(pairwise(firsts)))

    def contains(self, month: int, day: int) -> bool:
        """Say whether a day is of this month; months count from 1."""
        first, end = self.spans[month - 1]
        return first <= day < end


def draw_reports(*, seed: int, calendar: Calendar) -> list[Reported]:
    """Draw what every branch reports, in the order in which it is sent."""
    generator = stream(seed, "operations")
    months = _Months.of(calendar)
    reports = [
        *_transactions(generator, calendar, months),
        *_promises(generator, calendar, months),
        *_loans(generator, calendar, months),
        *_monthly(generator, months),
    ]
    return sorted((each for each in reports if each.sent <= calendar.days), key=_in_order)


def _in_order(report: Reported) -> tuple[int, str, int, int]:
    return report.sent, report.measure, report.branch, report.day


def _transactions(
    generator: np.random.Generator, calendar: Calendar, months: _Months
) -> Iterator[Reported]:
    late, silent = BRANCH_CODES.index(LATE_TRANSACTIONS[0]), BRANCH_CODES.index(SILENT[0])
    for branch, code in enumerate(BRANCH_CODES):
        rate = MANY_ERRORS if code == ERRORS_AT else USUAL_ERRORS
        days = np.arange(calendar.days)
        # On Sundays the machines work alone.
        sizes = 1 + generator.poisson(np.where(days % 7 == SUNDAY, 60, 320))
        errors = generator.binomial(sizes, rate)
        for day, size, count in zip(days.tolist(), sizes.tolist(), errors.tolist(), strict=True):
            if branch == silent and day >= calendar.days - SILENT[1]:
                continue
            is_late = branch == late and months.contains(LATE_TRANSACTIONS[1], day)
            sent = day + (LATE_DAYS if is_late else 1)
            yield Reported("transaction-errors", branch, day, count, size, sent)


def _promises(
    generator: np.random.Generator, calendar: Calendar, months: _Months
) -> Iterator[Reported]:
    """Yield what fell due in a week, reported on its Friday."""
    missing, first, last = NO_PROMISES
    gap = range(months.spans[first - 1][0], months.spans[last - 1][1])
    for branch, code in enumerate(BRANCH_CODES):
        for day in range(FRIDAY, calendar.days, 7):
            size = 4 + int(generator.poisson(12))
            count = int(generator.binomial(size, 0.95))
            if not (code == missing and day in gap):
                yield Reported("promises-kept", branch, day, count, size, day + 1)


def _loans(
    generator: np.random.Generator, calendar: Calendar, months: _Months
) -> Iterator[Reported]:
    """Yield what the loan committee decided on a Friday; of one month it was counted wrongly."""
    for branch, code in enumerate(BRANCH_CODES):
        for day in range(FRIDAY, calendar.days, 7):
            size = 2 + int(generator.poisson(6))
            count = int(generator.binomial(size, 0.88))
            wrong = code == CORRECTED_LOANS[0] and months.contains(CORRECTED_LOANS[1], day)
            first_told = count // 2 if wrong else count
            yield Reported("loans-in-time", branch, day, first_told, size, day + 1)
            if wrong:
                sent = day + CORRECTED_AFTER_DAYS
                yield Reported("loans-in-time", branch, day, count, size, sent)


def _monthly(generator: np.random.Generator, months: _Months) -> Iterator[Reported]:
    for month, (first, end) in enumerate(months.spans, start=1):
        for branch, code in enumerate(BRANCH_CODES):
            qualified = int(generator.binomial(STAFF_A_BRANCH, 0.94))
            yield Reported("staff-qualified", branch, first, qualified, STAFF_A_BRANCH, end)
            found = int(generator.binomial(25, 0.96))
            if (code, month) != NO_CHECKLIST:
                yield Reported("privacy-safeguards", branch, first, found, 25, end)
            ratings = generator.choice(5, 3 + generator.poisson(6), p=RATINGS) + 1
            yield Reported(
                "complaint-satisfaction",
                branch,
                first,
                int(ratings.sum()),
                len(ratings),
                end,
                int((ratings**2).sum()),
            )
            visits = int(generator.poisson(8))
            yield Reported("care-activities", branch, first, visits, 1, end)


RATINGS = (0.05, 0.08, 0.17, 0.42, 0.28)
"""How complainants rate the handling, from 1 to 5."""


def draw_outages(*, seed: int, calendar: Calendar) -> list[Outage]:
    """Draw when each machine was out of order, in the order of time; none is down at the end."""
    generator = stream(seed, "outages")
    worse_from = 86_400 * calendar.first_day_of_month(FROM_MONTH - 1)
    found: list[Outage] = []
    for branch, code in enumerate(BRANCH_CODES):
        for machine, kind in enumerate(MACHINES.values()):
            at = 0
            while True:
                is_worse = code == OFTEN_DOWN and at >= worse_from and kind.is_self_service
                between = kind.days_between / (3 if is_worse else 1)
                # Machines wear: faults come more evenly than by pure chance, in every quarter some.
                at += int(generator.gamma(4, between / 4) * 86_400)
                lasts = int(generator.lognormal(np.log(kind.hours_down), 0.6) * 3600)
                lasts = 60 + lasts * (2 if is_worse else 1)
                if at + lasts >= 86_400 * calendar.days:
                    break
                found.append(Outage(branch, machine, at, at + lasts))
                at += lasts
    return sorted(found, key=lambda outage: (outage.start, outage.branch, outage.machine))
