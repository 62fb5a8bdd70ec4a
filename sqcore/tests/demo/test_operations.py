"""What the demo's branches report, and what they do not, is as docs/demo.md says."""

from datetime import date
from functools import cache

import numpy as np

from sqcore.demo.bank import BRANCH_CODES, MACHINES
from sqcore.demo.calendar import Calendar
from sqcore.demo.operations import Outage, Reported, draw_outages, draw_reports
from sqcore.indicators.importers import ready_measures

CALENDAR = Calendar(date(2024, 3, 1), date(2026, 3, 1))
OBSERVATORY, STADIUM, SILK_STREET, OLD_TOWN, TEA_HOUSE, NORTH_GATE = (
    BRANCH_CODES.index(code)
    for code in ("observatory", "stadium", "silk-street", "old-town", "tea-house", "north-gate")
)

BANKING_SYSTEM_AT = list(MACHINES).index("core")


@cache
def reports() -> list[Reported]:
    return draw_reports(seed=20260101, calendar=CALENDAR)


@cache
def outages() -> list[Outage]:
    return draw_outages(seed=20260101, calendar=CALENDAR)


def of_measure(code: str, branch: int) -> list[Reported]:
    return [each for each in reports() if each.measure == code and each.branch == branch]


class TestReports:
    def test_every_measure_of_the_bank_case_is_reported_by_every_branch(self) -> None:
        wanted = {(measure.code, at) for measure in ready_measures("bank") for at in range(20)}

        assert {(each.measure, each.branch) for each in reports()} == wanted

    def test_they_come_in_the_order_in_which_they_are_sent_and_within_the_story(self) -> None:
        sent = [each.sent for each in reports()]

        assert sent == sorted(sent)
        assert sent[-1] <= CALENDAR.days

    def test_numbers_are_possible(self) -> None:
        for each in reports():
            assert each.size >= 1
            if each.measure not in ("complaint-satisfaction", "care-activities"):
                assert 0 <= each.number <= each.size
            if each.squares is not None:
                assert each.size <= each.number <= 5 * each.size
                assert each.squares * each.size >= each.number**2

    def test_observatory_sent_no_promises_in_months_7_to_9(self) -> None:
        days = np.array([each.day for each in of_measure("promises-kept", OBSERVATORY)])
        first, end = CALENDAR.first_day_of_month(6), CALENDAR.first_day_of_month(9)

        assert not ((days >= first) & (days < end)).any()
        assert (days < first).any()
        assert (days >= end).any()

    def test_stadium_sent_the_transactions_of_month_14_twenty_days_late(self) -> None:
        first, end = CALENDAR.first_day_of_month(13), CALENDAR.first_day_of_month(14)
        late = {
            each.sent - each.day
            for each in of_measure("transaction-errors", STADIUM)
            if first <= each.day < end
        }

        assert late == {20}

    def test_tea_house_is_silent_about_the_last_ten_days(self) -> None:
        last = max(each.day for each in of_measure("transaction-errors", TEA_HOUSE))

        assert last == CALENDAR.days - 11

    def test_silk_street_corrects_the_loans_of_month_15_two_months_later(self) -> None:
        loans = of_measure("loans-in-time", SILK_STREET)
        places = [each.day for each in loans]
        twice = sorted({day for day in places if places.count(day) == 2})
        first, end = CALENDAR.first_day_of_month(14), CALENDAR.first_day_of_month(15)

        assert twice
        assert all(first <= day < end for day in twice)
        for day in twice:
            told, corrected = (each for each in loans if each.day == day)
            assert corrected.sent - told.sent == 59
            assert told.number == corrected.number // 2

    def test_old_town_has_an_error_in_every_60th_transaction(self) -> None:
        def rate(branch: int) -> float:
            rows = of_measure("transaction-errors", branch)
            return sum(each.number for each in rows) / sum(each.size for each in rows)

        assert 0.0155 < rate(OLD_TOWN) < 0.0165
        assert all(0.0055 < rate(at) < 0.0065 for at in range(20) if at != OLD_TOWN)


class TestOutages:
    def test_they_end_and_do_not_overlap(self) -> None:
        ends: dict[tuple[int, int], int] = {}
        for each in outages():
            assert ends.get((each.branch, each.machine), 0) < each.start < each.end
            ends[each.branch, each.machine] = each.end
        assert max(ends.values()) < 86_400 * CALENDAR.days
        assert len(ends) == 20 * len(MACHINES)

    def test_north_gates_machines_fail_three_times_as_often_from_month_16_on(self) -> None:
        since = 86_400 * CALENDAR.first_day_of_month(15)

        def hours(branch: int) -> float:
            seconds = [
                each.end - each.start
                for each in outages()
                if each.branch == branch and each.start >= since and each.machine < 2
            ]
            return sum(seconds) / 3600

        others = [hours(at) for at in range(20) if at != NORTH_GATE]
        assert hours(NORTH_GATE) > 1.5 * max(others)

    def test_every_branch_has_a_fault_of_its_banking_system_in_any_three_months(self) -> None:
        for month in range(CALENDAR.months - 2):
            first = 86_400 * CALENDAR.first_day_of_month(month)
            end = 86_400 * CALENDAR.first_day_of_month(month + 3)
            repaired = {
                each.branch
                for each in outages()
                if first <= each.end < end and each.machine == BANKING_SYSTEM_AT
            }

            assert repaired == set(range(20))
