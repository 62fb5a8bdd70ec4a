"""What is true of the demo's bank on purpose (docs/demo.md says it in words).

The generators take these as parameters and read no other numbers about what is planted. Weeks and
months count from 1, as in the documentation.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class WaitShift:
    """Customers at the counter of a branch wait longer from one week to another, both included."""

    branch: str
    minutes: float
    first_week: int
    last_week: int | None = None


@dataclass(frozen=True)
class WeakTeller:
    """Somebody whom customers find inattentive, whoever they are: on the items of attention."""

    branch: str
    seat: int
    loss: float = 1.2
    answers: int = 120
    first_month: int = 11


@dataclass(frozen=True)
class Newcomer:
    """Somebody with a handful of bad answers, about whom nothing can be said."""

    branch: str
    seat: int
    answers: int = 4
    days: int = 35
    loss: float = 3.2


@dataclass(frozen=True)
class CourseTruth:
    """A course for half of a pool: those whose customers judged the topic lowest before.

    `effect` is what it does to the topic's items, in points of 7.
    """

    code: str
    items: tuple[int, ...]
    effect: float
    pool: int = 80
    trained: int = 40
    chosen_on_months: tuple[int, int] = (1, 8)
    month: int = 13


@dataclass(frozen=True)
class Truths:
    """Every number that is planted. Spreads of answers are those before rounding to 1-7."""

    wait_min: float = 9.0
    wait_cv: float = 0.8
    wait_week_sd: float = 0.7
    shifts: tuple[WaitShift, ...] = (
        WaitShift("riverside", 5.0, 40),
        WaitShift("ferry", 5.0, 40, 60),
        WaitShift("lighthouse", 6.0, 61, 65),
    )
    person_sd: float = 0.345
    branch_sd: float = 0.15
    impression_sd: float = 1.17
    dimension_sd: float = 0.25
    item_sd: float = 0.50
    answers_cv: float = 0.35
    weak: WeakTeller = WeakTeller("fish-market", 3)
    newcomer: Newcomer = Newcomer("east-park", 6)
    phone_loss: float = 0.5
    app_gain: float = 0.4
    harbour: str = "harbour-gate"
    harbour_loss: float = 0.9
    harbour_month: int = 20
    wait_loss: float = 0.02
    """What a minute of waiting costs on the items of promptness, in points."""
    courses: tuple[CourseTruth, ...] = field(
        default=(
            CourseTruth("listening", (20, 22), 0.5),
            CourseTruth("product-knowledge", (14, 16, 17), 0.0),
        )
    )


TRUTHS = Truths()
