"""The demo's two years, drawn once: every chapter tells its part of the same history."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from sqcore.demo.calendar import Calendar
from sqcore.demo.impressions import Impressions, draw_impressions
from sqcore.demo.people import FrontLine, draw_front_line
from sqcore.demo.truths import TRUTHS, Truths
from sqcore.demo.visits import Visits, draw_visits


@dataclass(frozen=True)
class History:
    """Everything that was drawn: who serves, who came, what those felt who say so."""

    calendar: Calendar
    people: FrontLine
    visits: Visits
    impressions: Impressions


@lru_cache(maxsize=2)
def history(*, seed: int, first: date, end: date, truths: Truths = TRUTHS) -> History:
    """Return the history of a story; the same for the same seed and days."""
    calendar = Calendar(first, end)
    people = draw_front_line(seed=seed, calendar=calendar, truths=truths)
    visits = draw_visits(seed=seed, calendar=calendar, people=people, truths=truths)
    impressions = draw_impressions(
        seed=seed, calendar=calendar, people=people, visits=visits, truths=truths
    )
    return History(calendar, people, visits, impressions)
