"""Periods join without gap or overlap, in every grain and fiscal year."""

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain, Period, periods_between

days = st.dates(date(1990, 1, 1), date(2060, 12, 31))
grains = st.sampled_from(Grain)
months = st.integers(1, 12)


@given(days, grains, months)
def test_every_day_lies_in_its_period_and_in_no_neighbour(
    day: date, grain: Grain, fiscal_start: int
) -> None:
    period = Period.of(day, grain, fiscal_start=fiscal_start)

    assert day in period
    assert day not in period.next
    assert day not in period.previous
    assert period.next.start == period.end
    assert period.previous.end == period.start


@given(days, grains, months)
def test_key_is_read_back(day: date, grain: Grain, fiscal_start: int) -> None:
    period = Period.of(day, grain, fiscal_start=fiscal_start)

    assert Period.parse(period.key, fiscal_start=fiscal_start) == period


@pytest.mark.parametrize(
    ("key", "start", "end"),
    [
        ("2026", date(2026, 1, 1), date(2027, 1, 1)),
        ("2026-Q2", date(2026, 4, 1), date(2026, 7, 1)),
        ("2026-02", date(2026, 2, 1), date(2026, 3, 1)),
        ("2026-W01", date(2025, 12, 29), date(2026, 1, 5)),
        ("2026-05-17", date(2026, 5, 17), date(2026, 5, 18)),
    ],
)
def test_reads_keys(key: str, start: date, end: date) -> None:
    period = Period.parse(key)

    assert (period.start, period.end) == (start, end)


def test_fiscal_year_is_named_after_the_year_it_starts_in() -> None:
    year = Period.of(date(2026, 2, 1), Grain.YEAR, fiscal_start=4)

    assert (year.key, year.start, year.end) == ("2025", date(2025, 4, 1), date(2026, 4, 1))
    assert Period.of(date(2026, 2, 1), Grain.QUARTER, fiscal_start=4).key == "2025-Q4"


@pytest.mark.parametrize(
    "key",
    ["", "26", "2026-Q5", "2026-13", "2026-02-30", "2026-W54", "x", "0001-01", "9999-12", "9999"],
)
def test_refuses_what_names_no_period(key: str) -> None:
    with pytest.raises(InvalidInput, match="names no period"):
        Period.parse(key)


def test_lists_every_period_that_touches_a_span() -> None:
    found = list(periods_between(date(2026, 1, 31), date(2026, 3, 1), Grain.MONTH))

    assert [period.key for period in found] == ["2026-01", "2026-02"]


@given(days, st.integers(1, 400), grains)
def test_periods_between_cover_the_span(first: date, length: int, grain: Grain) -> None:
    found = list(periods_between(first, first + timedelta(days=length), grain))

    assert found[0].start <= first
    assert found[-1].end >= first + timedelta(days=length)
    assert all(a.end == b.start for a, b in itertools.pairwise(found))
