"""The parts of a day between which service is compared; each organisation has its own."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from sqcore.base.text import validate_translated

MOST_SHIFTS = 8
CODE = re.compile(r"[a-z0-9-]{1,30}")
Starts = Mapping[str, int]
"""By code of a shift the hour in which it begins; it lasts until the next one, the last one of a
day into the next day, so that shifts always cover the whole day."""


def usual_shifts() -> list[dict[str, Any]]:
    """Return the shifts of an organisation that chose none."""
    return [
        {"code": "morning", "begins": 6, "name": {"en": "Morning", "zh-hans": "上午"}},
        {"code": "midday", "begins": 11, "name": {"en": "Midday", "zh-hans": "中午"}},
        {"code": "afternoon", "begins": 14, "name": {"en": "Afternoon", "zh-hans": "下午"}},
        {"code": "evening", "begins": 17, "name": {"en": "Evening", "zh-hans": "晚间"}},
        {"code": "night", "begins": 22, "name": {"en": "Night", "zh-hans": "夜间"}},
    ]


def starts_of(shifts: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    return {shift["code"]: shift["begins"] for shift in shifts}


def unusual_starts(shifts: Iterable[Mapping[str, Any]]) -> dict[str, int] | None:
    """Return what a run freezes of its shifts: None for the usual ones."""
    starts = starts_of(shifts)
    return starts if starts != starts_of(usual_shifts()) else None


def shift_of(hour: int, starts: Starts) -> str:
    """Return the code of the shift that an hour belongs to.

    >>> [shift_of(hour, {"early": 6, "late": 14}) for hour in (0, 6, 13, 14, 23)]
    ['late', 'early', 'early', 'late', 'late']
    """
    begun = [code for code, begins in starts.items() if begins <= hour]
    return max(begun or starts, key=starts.__getitem__)


def validate_shifts(value: object) -> None:
    """Refuse anything but two to eight shifts with codes, whole hours and names of their own."""
    shifts = value if isinstance(value, list) else []
    if not 2 <= len(shifts) <= MOST_SHIFTS:
        raise ValidationError(
            _("Give two shifts at least, and %(most)s at the most.") % {"most": MOST_SHIFTS}
        )
    for shift in shifts:
        _validate_shift(shift)
    if len({shift["begins"] for shift in shifts}) < len(shifts):
        raise ValidationError(_("Two shifts begin in the same hour."))
    names = [pair for shift in shifts for pair in shift["name"].items() if pair[1]]
    codes = {shift["code"] for shift in shifts}
    if len(codes) < len(shifts) or len(set(names)) < len(names):
        raise ValidationError(_("Two shifts have the same name."))


def _validate_shift(shift: object) -> None:
    if not isinstance(shift, dict) or set(shift) != {"code", "begins", "name"}:
        raise ValidationError(_("A shift has a code, an hour in which it begins and a name."))
    begins = shift["begins"]
    if type(begins) is not int or not 0 <= begins <= 23:
        raise ValidationError(_("A shift begins at a whole hour from 0 to 23."))
    if not isinstance(shift["code"], str) or not CODE.fullmatch(shift["code"]):
        raise ValidationError(_("The code of a shift is of small letters, digits and hyphens."))
    validate_translated(shift["name"])
