"""Measurements as other systems send them: each row is checked and what is wrong is named."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, NotPermitted, Problem
from sqcore.base.periods import Grain, Period
from sqcore.base.text import day
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import UnitOfMeasure
from sqcore.measurements.models import Feed, Measure
from sqcore.org.models import Channel, Segment, Unit

LARGEST = 2**53
"""The largest sum; more could not be told exactly in every program that reads it."""
LARGEST_WEIGHT = 94_906_265
"""The largest number whose square is not above LARGEST."""
FIELDS = (
    "measure", "unit", "channel", "segment", "period", "grain", "starts_on", "value", "n", "sum",
    "sum_of_squares", "numerator", "denominator", "unit_of_measure", "feed",
)  # fmt: skip
NUMBERS = frozenset({"value", "n", "sum", "sum_of_squares", "numerator", "denominator"})
TEXTS = frozenset(FIELDS) - NUMBERS
OF_MEANS = {"value", "n", "sum", "sum_of_squares"}
OF_COUNTS = {"numerator", "denominator"}

Place = tuple[int, date, int, int | None, int | None]


class NewMeasurement(NamedTuple):
    """An observation to be taken in; numbers as `Observation` keeps them."""

    measure_id: int
    unit_id: int
    grain: str
    starts_on: date
    n: int
    numerator: int
    denominator: int = 0
    squares: int | None = None
    channel_id: int | None = None
    segment_id: int | None = None
    feed_id: int | None = None

    @property
    def place(self) -> Place:
        return self.measure_id, self.starts_on, self.unit_id, self.channel_id, self.segment_id


class WrongRow(Exception):
    """A row that cannot be taken, and all that is wrong with it."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.problems = problems


@dataclass
class Check:
    """What rows can refer to, read once; it remembers the places of the rows it let through."""

    today: date
    fiscal_start: int
    measures: Mapping[str, Measure]
    units: Mapping[str, Unit]
    channels: Mapping[str, int]
    segments: Mapping[str, int]
    feeds: Mapping[str, int]
    seen: dict[Place, int] = field(default_factory=dict)
    comes_in_pieces: bool = False
    """Rows are counted anew in each piece, so that an earlier one is not named by its number."""
    _periods: dict[tuple[str, str, str], Period] = field(default_factory=dict)

    @classmethod
    def of(cls, *, by: Principal, today: date, fiscal_start: int) -> "Check":
        """raises: NotPermitted for who may send measurements of no unit"""
        allowed = (Permission.SEND_MEASUREMENTS, Permission.MANAGE_MEASUREMENTS)
        if not any(by.may(permission) for permission in allowed):
            raise NotPermitted(_("You may not send measurements for any unit."))
        units = {
            unit.code: unit
            for permission in allowed
            for unit in Unit.objects.visible_to(by, permission)
        }
        return cls(
            today=today,
            fiscal_start=fiscal_start,
            measures={measure.code: measure for measure in Measure.objects.all()},
            units=units,
            channels=dict(Channel.objects.values_list("code", "id")),
            segments=dict(Segment.objects.values_list("code", "id")),
            feeds=dict(Feed.objects.values_list("code", "id")),
        )

    def read(self, rows: Sequence[Any]) -> tuple[list[NewMeasurement], list[Problem]]:
        """Return the rows that can be taken, and every problem by its row, counted from 1."""
        good: list[NewMeasurement] = []
        problems: list[Problem] = []
        for number, row in enumerate(rows, start=1):
            try:
                good.append(self._row(row, number))
            except WrongRow as wrong:
                problems += [
                    Problem(reason, field=name, row=number) for name, reason in wrong.problems
                ]
        return good, problems

    def _row(self, row: Any, number: int) -> NewMeasurement:
        if not isinstance(row, Mapping):
            raise WrongRow([("", _("must be an object"))])
        wrong = list(_wrong_fields(row))
        measure = self._found(self.measures, row, "measure", wrong)
        unit = self._found(self.units, row, "unit", wrong)
        channel = self._maybe(self.channels, row, "channel", wrong)
        segment = self._maybe(self.segments, row, "segment", wrong)
        feed = self._maybe(self.feeds, row, "feed", wrong)
        period = self._period(row, measure, wrong)
        if measure is None:
            raise WrongRow(wrong)
        if period is not None:
            wrong += self._wrong_period(measure, unit, period)
        if (given := row.get("unit_of_measure")) and given != measure.unit_of_measure:
            wanted = measure.unit_of_measure or "none"
            wrong.append(
                (
                    "unit_of_measure",
                    _("must be %(wanted)s, the one of this measure") % {"wanted": wanted},
                )
            )
        numbers = _numbers(measure, row, wrong)
        if wrong or unit is None or period is None or numbers is None:
            raise WrongRow(wrong)
        found = NewMeasurement(
            measure.pk, unit.pk, period.grain.value, period.start, *numbers,
            channel, segment, feed or measure.feed_id,
        )  # fmt: skip
        if found.place in self.seen:
            raise WrongRow([("period", self._same_place(found.place))])
        self.seen[found.place] = number
        return found

    def _same_place(self, place: Place) -> str:
        if self.comes_in_pieces:
            return _("an earlier row is for the same place and period")
        return _("row %(row)s is for the same place and period") % {"row": self.seen[place]}

    # -- what a row refers to
    def _found(
        self, known: Mapping[str, Any], row: Mapping[str, Any], name: str, wrong: Any
    ) -> Any:
        code = row.get(name)
        if not code:
            wrong.append((name, _("is missing")))
        elif isinstance(code, str):
            if code in known:
                return known[code]
            wrong.append((name, _("“%(code)s” is not known, or not yours") % {"code": code[:50]}))
        return None

    def _maybe(
        self, known: Mapping[str, int], row: Mapping[str, Any], name: str, wrong: Any
    ) -> Any:
        return self._found(known, row, name, wrong) if row.get(name) else None

    def _period(
        self, row: Mapping[str, Any], measure: Measure | None, wrong: list[tuple[str, str]]
    ) -> Period | None:
        """Return the period that a row names; a first day alone is one of the measure's grain."""
        key, grain, start = (row.get(name) or "" for name in ("period", "grain", "starts_on"))
        if start and not grain and measure is not None:
            grain = measure.grain.value
        if not all(isinstance(part, str) for part in (key, grain, start)):
            return None
        if bool(key) == bool(start or grain):
            wrong.append(("period", _("give either period or starts_on")))
            return None
        known = self._periods.get((key, grain, start))
        if known is None:
            try:
                known = self._parsed(key, grain, start)
            except WrongRow as error:
                wrong.extend(error.problems)
                return None
            self._periods[key, grain, start] = known
        return known

    def _parsed(self, key: str, grain: str, start: str) -> Period:
        if grain and grain not in Grain.values:
            raise WrongRow(
                [("grain", _("must be one of %(known)s") % {"known": ", ".join(Grain.values)})]
            )
        try:
            named = Period.parse(key or start, fiscal_start=self.fiscal_start)
        except InvalidInput as error:
            raise WrongRow([("period" if key else "starts_on", error.message)]) from error
        if key:
            return named
        if named.grain != Grain.DAY:
            raise WrongRow([("starts_on", _("must be a day, such as 2026-05-01"))])
        if not grain:
            raise WrongRow([("grain", _("is missing"))])
        whole = Period.of(named.start, Grain(grain), fiscal_start=self.fiscal_start)
        if whole.start != named.start:
            reason = _("is no start of a %(grain)s; the %(grain)s begins on %(start)s") % {
                "grain": whole.grain.label.lower(),
                "start": whole.start,
            }
            raise WrongRow([("starts_on", reason)])
        return whole

    def _wrong_period(
        self, measure: Measure, unit: Unit | None, period: Period
    ) -> Iterator[tuple[str, str]]:
        if period.grain != measure.grain:
            yield (
                "period",
                _("this measure comes by %(wanted)s, not by %(grain)s")
                % {
                    "wanted": Grain(measure.grain).label.lower(),
                    "grain": period.grain.label.lower(),
                },
            )
        if period.start > self.today:
            yield "period", _("has not begun yet")
        if period.end <= measure.since:
            yield (
                "period",
                _("is over before the measure begins on %(since)s") % {"since": day(measure.since)},
            )
        if measure.retired_on and period.start >= measure.retired_on:
            yield (
                "period",
                _("the measure is retired since %(day)s") % {"day": day(measure.retired_on)},
            )
        if unit is not None and (
            period.end <= unit.opened_on or (unit.closed_on and period.start >= unit.closed_on)
        ):
            yield "period", _("the unit was not open then")


def _wrong_fields(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if name in TEXTS:
            if value is not None and not isinstance(value, str):
                yield name, _("must be a text")
        elif name in NUMBERS:
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | float)
            ):
                yield name, _("must be a number")
        else:
            near = get_close_matches(str(name), FIELDS, n=1)
            hint = _("; did you mean “%(near)s”?") % {"near": near[0]} if near else ""
            yield str(name)[:60], _("is no field of a measurement") + hint


# ---- Numbers -------------------------------------------------------------------------------------
def _numbers(
    measure: Measure, row: Mapping[str, Any], wrong: list[tuple[str, str]]
) -> tuple[int, int, int, int | None] | None:
    """Return n, numerator, denominator and squares as they are kept, or note what is wrong."""
    if any(name in NUMBERS for name, _reason in wrong):
        return None
    is_mean = measure.kind == Measure.Kind.MEAN
    foreign = OF_COUNTS if is_mean else OF_MEANS
    strange = [name for name in row if name in foreign and row[name] is not None]
    if strange:
        wrong.append(
            (
                min(strange),
                _("is no field of a measure of the kind “%(kind)s”")
                % {"kind": Measure.Kind(measure.kind).label},
            )
        )
        return None
    try:
        found = _mean(measure, row) if is_mean else _counts(measure, row)
    except WrongRow as error:
        wrong.extend(error.problems)
        return None
    return found


def _mean(measure: Measure, row: Mapping[str, Any]) -> tuple[int, int, int, int | None]:
    value, n, total, squares = (row.get(name) for name in ("value", "n", "sum", "sum_of_squares"))
    if value is not None:
        if (n, total, squares) != (None, None, None):
            raise WrongRow([("value", _("give either value, or n and sum"))])
        reading = _fixed("value", value, measure.decimals)
        _within("value", value, measure)
        _not_above("value", abs(reading), LARGEST_WEIGHT)
        return 1, reading, 0, reading * reading
    if n is None or total is None:
        missing = "n" if n is None else "sum"
        raise WrongRow([(missing, _("is missing; give value, or n and sum"))])
    count = _whole("n", n)
    if count < 1:
        raise WrongRow([("n", _("must be 1 or more"))])
    summed = _fixed("sum", total, measure.decimals)
    _not_above("n", count, LARGEST)
    _not_above("sum", abs(summed), LARGEST)
    _within("sum", total / count, measure)
    if squares is None:
        # One weighted observation: what its square needs must be whole and exact as well.
        _not_above("n", count, LARGEST_WEIGHT)
        _not_above("sum", abs(summed), LARGEST_WEIGHT)
        return count, summed, 0, None
    return count, summed, 0, _squares(squares, count, summed, measure.decimals)


def _squares(given: float, n: int, summed: int, decimals: int) -> int:
    if given < 0:
        raise WrongRow([("sum_of_squares", _("must not be negative"))])
    _not_above("sum_of_squares", given, LARGEST)
    exact = Decimal(repr(given)).scaleb(2 * decimals)
    squares = int(exact.to_integral_value())
    _not_above("sum_of_squares", squares, LARGEST)
    least = -(-summed * summed // n)
    # A number with a fraction may have been rounded by its sender in the last place.
    if squares < least and (exact == squares or least - squares > 1 + squares // 10**12):
        raise WrongRow(
            [("sum_of_squares", _("is impossible: n times it is less than the square of the sum"))]
        )
    return max(squares, least)


def _counts(measure: Measure, row: Mapping[str, Any]) -> tuple[int, int, int, int | None]:
    above, below = row.get("numerator"), row.get("denominator")
    missing = [name for name in ("numerator", "denominator") if row.get(name) is None]
    if above is None or below is None:
        raise WrongRow([(name, _("is missing")) for name in missing])
    is_ratio = measure.kind == Measure.Kind.RATIO
    numerator = (
        _fixed("numerator", above, measure.decimals) if is_ratio else _whole("numerator", above)
    )
    denominator = _whole("denominator", below)
    if numerator < 0:
        raise WrongRow([("numerator", _("must not be negative"))])
    if denominator < 1:
        raise WrongRow([("denominator", _("must be 1 or more"))])
    if measure.kind == Measure.Kind.SHARE and numerator > denominator:
        raise WrongRow([("numerator", _("is more than the denominator"))])
    is_share = measure.kind == Measure.Kind.SHARE
    most = LARGEST if is_share else LARGEST_WEIGHT
    _not_above("numerator", numerator, most)
    _not_above("denominator", denominator, most)
    _within("numerator", above / below, measure)
    return (denominator if is_share else 1), numerator, denominator, None


def _whole(name: str, value: float) -> int:
    if not math.isfinite(value) or value != int(value):
        raise WrongRow([(name, _("must be a whole number"))])
    return int(value)


def _fixed(name: str, value: float, decimals: int) -> int:
    exact = Decimal(repr(value))
    if not exact.is_finite():
        raise WrongRow([(name, _("must be a number"))])
    _not_above(name, abs(value), LARGEST)
    scaled = exact.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        reason = (
            _("has more than %(decimals)s decimals") % {"decimals": decimals}
            if decimals
            else _("must be a whole number")
        )
        raise WrongRow([(name, reason)])
    return int(scaled)


def _not_above(name: str, value: float, most: int) -> None:
    if value > most:
        raise WrongRow([(name, _("is more than %(most)s") % {"most": f"{most:,}"})])


def _within(name: str, value: float, measure: Measure) -> None:
    """Refuse what the unit of measure or the measure itself calls impossible."""
    low, high = measure.minimum, measure.maximum
    if measure.kind == Measure.Kind.MEAN and measure.unit_of_measure:
        limits = UnitOfMeasure(measure.unit_of_measure).limits
        low = limits[0] if low is None else max(low, limits[0])
        high = limits[1] if high is None else min(high, limits[1])
    if low is not None and value < low:
        raise WrongRow(
            [
                (
                    name,
                    _("%(value)s is below what is plausible, %(low)s")
                    % {"value": f"{value:g}", "low": f"{low:g}"},
                )
            ]
        )
    if high is not None and value > high:
        raise WrongRow(
            [
                (
                    name,
                    _("%(value)s is above what is plausible, %(high)s")
                    % {"value": f"{value:g}", "high": f"{high:g}"},
                )
            ]
        )
