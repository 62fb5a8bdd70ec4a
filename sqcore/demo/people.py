"""The 240 people of the demo's front line: where they serve, how much, and how well."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sqcore.demo.bank import BRANCH_CODES, FRONT_LINE_A_BRANCH, TELLERS_A_BRANCH
from sqcore.demo.calendar import Bools, Calendar, Floats, Ints, stream
from sqcore.demo.truths import Truths


@dataclass(frozen=True)
class FrontLine:
    """One row a person, branch by branch: first the tellers, then who answers the telephone.

    `activity` is how much a person serves beside colleagues, `warmth` what the person adds to every
    item about a person, `attention` to the items of attention alone; `first_day` is the first day
    of work.
    """

    branch: Ints
    seat: Ints
    activity: Floats
    warmth: Floats
    attention: Floats
    first_day: Ints
    weak: int
    newcomer: int

    def __len__(self) -> int:
        return len(self.branch)

    @cached_property
    def on_phone(self) -> Bools:
        return self.seat >= TELLERS_A_BRANCH

    @cached_property
    def numbers(self) -> list[str]:
        """Return the staff numbers, as the organisation's chapter gives them."""
        return [
            staff_number(branch, 1 + seat)
            for branch, seat in zip(self.branch.tolist(), self.seat.tolist(), strict=True)
        ]


def staff_number(branch: int, place: int) -> str:
    """Return the number of the person at a place of a branch; both count from 0."""
    return f"{branch + 1:02d}{place:02d}"


def person_at(branch: str, seat: int) -> int:
    return BRANCH_CODES.index(branch) * FRONT_LINE_A_BRANCH + seat


def draw_front_line(*, seed: int, calendar: Calendar, truths: Truths) -> FrontLine:
    """Draw who serves the customers of the bank.

    The weak teller differs by what is planted alone, not by chance as well.
    """
    generator = stream(seed, "people")
    branch, seat = np.divmod(
        np.arange(len(BRANCH_CODES) * FRONT_LINE_A_BRANCH), FRONT_LINE_A_BRANCH
    )
    # Colleagues share what comes: the spread is a little less than what is drawn.
    shape = 1 / (truths.answers_cv**2 - 1 / 50)
    activity = np.clip(generator.gamma(shape, 1 / shape, len(branch)), 0.35, 2.0)
    warmth = generator.normal(size=len(branch))
    # People differ as much as is planted, whatever the seed; who is kind is left to chance.
    warmth *= truths.person_sd / warmth.std()
    attention = np.zeros(len(branch))
    first_day = np.zeros(len(branch), dtype=np.int64)
    weak = person_at(truths.weak.branch, truths.weak.seat)
    newcomer = person_at(truths.newcomer.branch, truths.newcomer.seat)
    activity[weak], activity[newcomer] = 2.0, 1.0
    warmth[[weak, newcomer]] = 0.0
    attention[weak] = -truths.weak.loss
    first_day[weak] = calendar.first_day_of_month(truths.weak.first_month - 1)
    first_day[newcomer] = calendar.days - truths.newcomer.days
    return FrontLine(branch, seat, activity, warmth, attention, first_day, weak, newcomer)
