"""Periods: a grain and a local start date; half-open, so that they join without overlap."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import TextChoices
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import InvalidInput
from sqcore.base.text import day as day_text


class Grain(TextChoices):
    DAY = "day", _("Day")
    WEEK = "week", _("Week")
    MONTH = "month", _("Month")
    QUARTER = "quarter", _("Quarter")
    YEAR = "year", _("Year")


FINENESS = {grain: rank for rank, grain in enumerate(Grain)}
"""0 for the finest grain."""

_MONTHS = {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}
_KEYS = re.compile(
    r"(?P<year>\d{4})(?:-(?:W(?P<week>\d{2})|Q(?P<quarter>[1-4])|(?P<month>\d{2})(?:-(?P<day>\d{2}))?))?"
)


def _month_later(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


@dataclass(frozen=True, order=True)
class Period:
    """All local dates from `start` up to but not including `end`.

    `fiscal_start` is the month (1-12) in which quarters and years begin.
    """

    start: date
    grain: Grain
    fiscal_start: int = 1

    @classmethod
    def of(cls, day: date, grain: Grain, *, fiscal_start: int = 1) -> "Period":
        """Return the period of this grain that contains `day`."""
        if grain == Grain.DAY:
            return cls(day, grain, fiscal_start)
        if grain == Grain.WEEK:
            return cls(day - timedelta(days=day.weekday()), grain, fiscal_start)
        span = _MONTHS[grain]
        anchor = fiscal_start - 1 if grain != Grain.MONTH else 0
        index = day.year * 12 + day.month - 1 - anchor
        first = index // span * span + anchor
        return cls(date(first // 12, first % 12 + 1, 1), grain, fiscal_start)

    @classmethod
    def parse(cls, key: str, *, fiscal_start: int = 1) -> "Period":
        """Return the period that `key` names: 2026, 2026-Q2, 2026-05, 2026-W21 or 2026-05-17.

        raises: InvalidInput when it names none
        """
        found = _KEYS.fullmatch(key)
        try:
            if found is None:
                raise ValueError(key)
            return cls._parsed(found, fiscal_start)
        except ValueError as error:
            raise InvalidInput(
                gettext(
                    "“%(key)s” names no period; "
                    "write 2026, 2026-Q2, 2026-05, 2026-W21 or 2026-05-17."
                )
                % {"key": key}
            ) from error

    @classmethod
    def _parsed(cls, found: re.Match[str], fiscal_start: int) -> "Period":
        year = int(found["year"])
        if not 1900 <= year < 2200:
            raise ValueError(year)
        if found["week"]:
            return cls(date.fromisocalendar(year, int(found["week"]), 1), Grain.WEEK, fiscal_start)
        if found["quarter"]:
            first = date(year, fiscal_start, 1)
            start = _month_later(first, 3 * (int(found["quarter"]) - 1))
            return cls(start, Grain.QUARTER, fiscal_start)
        if found["day"]:
            start = date(year, int(found["month"]), int(found["day"]))
            return cls(start, Grain.DAY, fiscal_start)
        if found["month"]:
            return cls(date(year, int(found["month"]), 1), Grain.MONTH, fiscal_start)
        return cls(date(year, fiscal_start, 1), Grain.YEAR, fiscal_start)

    @property
    def end(self) -> date:
        if self.grain == Grain.DAY:
            return self.start + timedelta(days=1)
        if self.grain == Grain.WEEK:
            return self.start + timedelta(days=7)
        return _month_later(self.start, _MONTHS[self.grain])

    @property
    def next(self) -> "Period":
        return Period(self.end, self.grain, self.fiscal_start)

    @property
    def previous(self) -> "Period":
        return Period.of(self.start - timedelta(days=1), self.grain, fiscal_start=self.fiscal_start)

    @property
    def key(self) -> str:
        """What `parse` reads back; a fiscal year is named after the calendar year it starts in."""
        if self.grain == Grain.DAY:
            return self.start.isoformat()
        if self.grain == Grain.WEEK:
            year, week, _weekday = self.start.isocalendar()
            return f"{year}-W{week:02d}"
        if self.grain == Grain.MONTH:
            return f"{self.start:%Y-%m}"
        index = self.start.year * 12 + self.start.month - self.fiscal_start
        year, month = divmod(index, 12)
        if self.grain == Grain.QUARTER:
            return f"{year}-Q{month // 3 + 1}"
        return str(year)

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def __str__(self) -> str:
        return self.key


def periods_between(
    start: date, end: date, grain: Grain, *, fiscal_start: int = 1
) -> Iterator[Period]:
    """Yield, oldest first, every period of this grain that touches [start, end)."""
    period = Period.of(start, grain, fiscal_start=fiscal_start)
    while period.start < end:
        yield period
        period = period.next


def title_of(period: Period) -> str:
    """Return a period as people name it: October 2026, quarter 3 of 2026, week 44 of 2026."""
    if period.grain == Grain.DAY:
        return day_text(period.start)
    if period.grain == Grain.MONTH:
        return date_format(period.start, "YEAR_MONTH_FORMAT")
    if period.grain == Grain.WEEK:
        year, week, _weekday = period.start.isocalendar()
        return gettext("week %(week)s of %(year)s") % {"week": week, "year": year}
    if period.grain == Grain.QUARTER:
        year_key, _dash, quarter = period.key.partition("-Q")
        named = gettext("quarter %(quarter)s of %(year)s")
        return named % {"quarter": quarter, "year": _year(int(year_key), period)}
    return pgettext("as a period", "%(year)s") % {"year": _year(int(period.key), period)}


def _year(year: int, period: Period) -> str:
    """A year that does not begin in January spans two."""
    return str(year) if period.fiscal_start == 1 else f"{year}/{(year + 1) % 100:02d}"
