"""The demo's calendar: its weeks count from the Monday on or before the story's first day."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SUNDAY = 6


@dataclass(frozen=True)
class Calendar:
    """Days, weeks and months of the story as whole numbers from 0; day 0 is a Monday.

    The few days before the story's first month count to it; those after its last whole week are
    in no week.
    """

    first: date
    end: date

    @property
    def monday(self) -> date:
        return self.first - timedelta(days=self.first.weekday())

    @property
    def days(self) -> int:
        return (self.end - self.monday).days

    @property
    def weeks(self) -> int:
        """How many whole weeks there are: 104 or 105."""
        return self.days // 7

    @property
    def months(self) -> int:
        return 12 * (self.end.year - self.first.year) + self.end.month - self.first.month

    def day(self, place: int) -> date:
        return self.monday + timedelta(days=place)

    def month_starts(self) -> list[date]:
        """Return the first day of every month, and the day after the last one."""
        at = [self.first.year * 12 + self.first.month - 1 + n for n in range(self.months + 1)]
        return [date(month // 12, month % 12 + 1, 1) for month in at]

    def first_day_of_month(self, month: int) -> int:
        """Return the day at which a month begins; months count from 0."""
        return (self.month_starts()[month] - self.monday).days

    def month_of_day(self) -> Ints:
        """Return the month of every day."""
        starts = [(start - self.monday).days for start in self.month_starts()]
        months = np.searchsorted(starts, np.arange(self.days), side="right") - 1
        return np.asarray(np.maximum(months, 0), dtype=np.int64)

    def open_days(self) -> Ints:
        """Return the days on which the branches are open: all but Sundays."""
        days = np.arange(self.days)
        return np.asarray(days[days % 7 != SUNDAY], dtype=np.int64)


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of one part of the story, whatever the other parts draw."""
    return np.random.default_rng([seed, *name.encode()])
