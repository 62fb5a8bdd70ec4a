"""How many of the invited answered, told so that it tells of no single one.

Knows no database. Counts grow from week to week, and what is shown changes only by steps in which
so many more answered and so many more did not: no two looks can be subtracted to find one person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqcore.stats.proportions import wilson


@dataclass(frozen=True)
class Rate:
    """How many of the invited answered, with the Wilson interval, as shares of 1."""

    invited: int
    answered: int
    low: float
    high: float

    @classmethod
    def of(cls, invited: int, answered: int) -> "Rate":
        interval = wilson([answered], [invited])
        return cls(invited, answered, float(interval.low[0]), float(interval.high[0]))

    @property
    def percent(self) -> float:
        return 100 * self.answered / self.invited

    @property
    def low_percent(self) -> float:
        return 100 * self.low

    @property
    def high_percent(self) -> float:
        return 100 * self.high


def rate_by_steps(
    invited: Mapping[date, int], answered: Mapping[date, int], *, least: int
) -> Rate | None:
    """Return the rate after the last step that may be told; None before the first one.

    invited, answered: how many by week, weeks that are over
    """
    shown = (0, 0)
    total = [0, 0]
    for week in sorted({*invited, *answered}):
        total[0] += invited.get(week, 0)
        total[1] += answered.get(week, 0)
        more_answers = total[1] - shown[1]
        more_without = total[0] - shown[0] - more_answers
        if more_answers >= least and more_without >= least:
            shown = (total[0], total[1])
    return Rate.of(*shown) if shown[0] else None


def without_the_only_secret(rates: Mapping[int, Rate | None]) -> dict[int, Rate | None]:
    """Return the rates of the parts of a whole so that none follows from the others.

    Where exactly one is not told, the one with the fewest invited is not told either.
    """
    told = {key: rate for key, rate in rates.items() if rate is not None}
    found = dict(rates)
    if len(rates) - len(told) == 1 and told:
        found[min(told, key=lambda key: (told[key].invited, key))] = None
    return found
