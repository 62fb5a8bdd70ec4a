"""How long a certificate holds: pure rules on days."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from training.courses.models import CourseVersion


@dataclass(frozen=True)
class Validity:
    """In force up to but not including `expires_on` (none: for ever), to be renewed from
    `due_on`."""

    due_on: date | None = None
    expires_on: date | None = None


def validity_of(version: CourseVersion | None, issued_on: date) -> Validity:
    """Return how long a certificate of this version holds that is issued on this day."""
    if version is None or version.valid_months is None:
        return Validity()
    ends_on = months_later(issued_on, version.valid_months)
    if version.renewal == CourseVersion.Renewal.CALENDAR and version.renewal_month:
        ends_on = _end_of_month(ends_on.year, version.renewal_month)
        if ends_on <= issued_on:
            ends_on = _end_of_month(ends_on.year + 1, version.renewal_month)
    return until(ends_on, issued_on=issued_on, due_days=version.due_days)


def until(expires_on: date | None, *, issued_on: date, due_days: int) -> Validity:
    """Return the validity that ends on this day, due so many days before."""
    if expires_on is None:
        return Validity()
    return Validity(max(issued_on, expires_on - timedelta(days=due_days)), expires_on)


def months_later(day: date, months: int) -> date:
    """Return the same day so many months later; the last of a month that is too short.

    >>> months_later(date(2026, 1, 31), 1)
    datetime.date(2026, 2, 28)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _end_of_month(year: int, month: int) -> date:
    """Return the first day after a month: ends are not included."""
    return months_later(date(year, month, 1), 1)
