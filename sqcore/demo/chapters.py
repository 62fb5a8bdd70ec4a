"""The demo as chapters: each app tells its part of the bank's history, in a given order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Protocol
from zoneinfo import ZoneInfo

from sqcore.base.registry import Registry
from sqcore.demo.history import History, history
from sqcore.identity.principals import Principal

Report = Callable[[str, int, int], None]
"""Told (what is being done, how many are done, of how many)."""

ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Story:
    """The frame of the demo: two years of whole months that end before today.

    `seed` decides every random number; `now` is when the demo is loaded. The bank opens on the
    Monday on or before the first day, so that its weeks are whole.
    """

    first: date
    end: date
    now: datetime
    by: Principal
    seed: int = 20260101

    @property
    def history(self) -> History:
        """What happened: the same for every chapter."""
        return history(seed=self.seed, first=self.first, end=self.end)

    @property
    def opening(self) -> date:
        return self.history.calendar.monday

    def at(self, day: date, hour: int = 18) -> datetime:
        """Return the moment at which something of this day is told."""
        return datetime.combine(day, time(hour), tzinfo=ZONE)


class Chapter(Protocol):
    """A part of the demo. Register an instance in `CHAPTERS`; chapters run by `order`.

    `tell` goes through the same services as people and clients do, with the clock of the story
    passed in, and reports its progress.
    """

    @property
    def key(self) -> str: ...

    @property
    def order(self) -> int: ...

    def tell(self, story: Story, report: Report) -> None: ...


CHAPTERS: Registry[Chapter] = Registry("demo chapters")
"""Orders: 10 the organisation, 20 encounters, 25 measurements, 30 answers, 50 the indicator system,
90 the evaluation of all of it, 92 the market beside it."""
