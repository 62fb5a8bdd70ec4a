"""What competitors and the market reach: added, revised, withdrawn, with everything kept."""

from datetime import date, timedelta
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.comparators.models import Comparator, ComparatorValue, ForeignName
from sqcore.comparators.rules import NewValue
from sqcore.comparators.services import (
    add_comparator,
    change_comparator,
    forget_name,
    name_in_files,
    revise_value,
    take_values,
    withdraw_value,
)
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE
from sqcore.tests.comparators.making import (
    SYSTEM,
    YEAR,
    make_comparator,
    make_indicator,
    reached,
)
from sqcore.tests.factories import NOW, make_principal

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=1)
READER = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})


def wrong_fields(refusal: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [problem.field for problem in refusal.value.problems]


class TestComparators:
    def test_are_added_with_an_entry_in_the_ledger(self) -> None:
        made = make_comparator("riverbank", "competitor", note="All branches of the city")

        assert (str(made), made.kind, made.is_active) == ("Riverbank", "competitor", True)
        assert AuditEntry.objects.get().details == {"code": "riverbank", "kind": "competitor"}

    def test_change_but_for_their_code(self) -> None:
        made = make_comparator()

        change_comparator(
            comparator=made, name={"en": "The market"}, kind="best", note="", is_active=False,
            by=SYSTEM, now=LATER,
        )  # fmt: skip

        stored = Comparator.objects.get()
        assert (stored.code, str(stored), stored.kind) == ("market", "The market", "best")
        assert not stored.is_active

    def test_a_code_is_taken_once(self) -> None:
        make_comparator()

        with pytest.raises(InvalidInput) as refusal:
            make_comparator()

        assert wrong_fields(refusal) == ["code"]

    def test_are_kept_by_those_who_may(self) -> None:
        with pytest.raises(NotPermitted):
            add_comparator(code="x", name={"en": "X"}, kind="best", by=READER, now=NOW)

        assert not Comparator.objects.exists()


class TestAdding:
    def test_keeps_the_number_with_its_source_and_days(self) -> None:
        made = reached(
            make_comparator(), make_indicator(), 0.88, low=0.86, high=0.9, n=1200,
            published_on=date(2026, 2, 1), url="https://example.org/yearbook",
        )  # fmt: skip

        stored = ComparatorValue.objects.get()
        assert (stored.value, stored.low, stored.high, stored.n) == (0.88, 0.86, 0.9, 1200)
        assert (stored.starts_on, stored.ends_on) == YEAR
        assert (stored.revision, stored.recorded_by, stored.recorded_at) == (1, "system", NOW)
        assert AuditEntry.objects.latest("id").details == {
            "comparator": "market", "indicator": "solved", "from": "2025-01-01",
            "until": "2026-01-01", "revision": 1,
        }  # fmt: skip
        assert stored == made

    @pytest.mark.parametrize(
        ("over", "field"),
        [
            ({"value": 88.0}, "value"),
            ({"value": -0.1}, "value"),
            ({"value": float("nan")}, "value"),
            ({"low": 0.8}, "high"),
            ({"low": 0.89, "high": 0.9}, "value"),
            ({"low": 0.8, "high": 1.2}, "high"),
            ({"source": "  "}, "source"),
            ({"source": "x" * 301}, "source"),
            ({"url": "javascript:alert(1)"}, "url"),
            ({"ends_on": date(2025, 1, 1)}, "ends_on"),
            ({"starts_on": date(2026, 6, 1), "ends_on": date(2026, 7, 1)}, "starts_on"),
            ({"published_on": date(2024, 5, 1)}, "published_on"),
            ({"published_on": date(2026, 5, 1)}, "published_on"),
            ({"n": 0}, "n"),
        ],
    )
    def test_refuses_what_cannot_be(self, over: dict[str, Any], field: str) -> None:
        market, solved = make_comparator(), make_indicator()
        value = over.pop("value", 0.88)

        with pytest.raises(InvalidInput) as refusal:
            reached(market, solved, value, **over)

        assert wrong_fields(refusal) == [field]
        assert not ComparatorValue.objects.exists()

    def test_limits_are_those_of_the_indicator(self) -> None:
        market = make_comparator()
        nps = make_indicator("nps", statistic="nps", unit_of_measure="points")
        minutes = make_indicator("wait", statistic="mean", unit_of_measure="min")
        plain = make_indicator("index", statistic="mean", unit_of_measure="")

        assert reached(market, nps, -35).value == -35
        assert reached(market, minutes, 640).value == 640
        assert reached(market, plain, -3).value == -3
        for indicator, value in ((nps, 101), (minutes, -1)):
            with pytest.raises(InvalidInput):
                reached(market, indicator, value, starts_on=date(2024, 1, 1))

    def test_the_same_time_has_one_value(self) -> None:
        market, solved = make_comparator(), make_indicator()
        reached(market, solved, 0.88)

        with pytest.raises(Conflict):
            reached(market, solved, 0.9)

        assert reached(market, solved, 0.9, ends_on=date(2025, 7, 1)).revision == 1


class TestRevising:
    def test_writes_a_next_revision_and_keeps_the_first(self) -> None:
        first = reached(make_comparator(), make_indicator(), 0.88, low=0.86, high=0.9)

        second = revise_value(former=first, by=SYSTEM, now=LATER, note="corrected", n=40)

        first.refresh_from_db()
        assert (first.superseded_at, first.note) == (LATER, "")
        assert (second.revision, second.note, second.n, second.low) == (2, "corrected", 40, 0.86)
        assert list(ComparatorValue.objects.current()) == [second]

    def test_nothing_new_is_no_revision(self) -> None:
        first = reached(make_comparator(), make_indicator(), 0.88)

        same = revise_value(former=first, by=SYSTEM, now=LATER, note="")

        assert (same.pk, ComparatorValue.objects.count()) == (first.pk, 1)

    def test_of_an_old_revision_is_a_conflict(self) -> None:
        first = reached(make_comparator(), make_indicator(), 0.88)
        revise_value(former=first, by=SYSTEM, now=LATER, note="new")

        with pytest.raises(Conflict):
            revise_value(former=first, by=SYSTEM, now=LATER, note="other")

    def test_of_whom_and_when_it_speaks_stays(self) -> None:
        first = reached(make_comparator(), make_indicator(), 0.88)

        with pytest.raises(InvalidInput) as refusal:
            revise_value(former=first, by=SYSTEM, now=LATER, starts_on=date(2024, 1, 1))

        assert wrong_fields(refusal) == ["starts_on"]


class TestWithdrawing:
    def test_takes_it_out_of_comparison_and_keeps_it(self) -> None:
        value = reached(make_comparator(), make_indicator(), 0.88)

        withdraw_value(value=value, because="A misprint.", by=SYSTEM, now=LATER)

        stored = ComparatorValue.objects.get()
        assert (stored.withdrawn_at, stored.withdrawn_because) == (LATER, "A misprint.")
        assert list(ComparatorValue.objects.in_force()) == []
        assert list(ComparatorValue.objects.current()) == [stored]

    def test_needs_a_reason_and_happens_once(self) -> None:
        value = reached(make_comparator(), make_indicator(), 0.88)
        with pytest.raises(InvalidInput):
            withdraw_value(value=value, because=" ", by=SYSTEM, now=LATER)
        withdraw_value(value=value, because="A misprint.", by=SYSTEM, now=LATER)

        with pytest.raises(Conflict):
            withdraw_value(value=value, because="Again.", by=SYSTEM, now=LATER)

    def test_a_new_value_of_the_time_is_its_next_revision(self) -> None:
        market, solved = make_comparator(), make_indicator()
        withdraw_value(value=reached(market, solved, 0.88), because="Wrong.", by=SYSTEM, now=LATER)

        again = reached(market, solved, 0.78)

        assert again.revision == 2
        assert list(ComparatorValue.objects.in_force()) == [again]

    def test_who_may_not_changes_nothing(self) -> None:
        value = reached(make_comparator(), make_indicator(), 0.88)

        with pytest.raises(NotPermitted):
            withdraw_value(value=value, because="No.", by=READER, now=LATER)

        assert not ComparatorValue.objects.get().is_withdrawn


class TestTakingIn:
    def test_brings_values_up_to_what_is_said(self) -> None:
        market, solved, seen = make_comparator(), make_indicator(), make_indicator("seen")
        kept, changed = reached(market, solved, 0.8), reached(market, seen, 0.5)
        rows = [
            NewValue(market, solved, *YEAR, 0.8, "Yearbook of banks"),
            NewValue(market, seen, *YEAR, 0.6, "Yearbook of banks"),
            NewValue(market, seen, date(2024, 1, 1), YEAR[0], 0.4, "Yearbook of banks"),
        ]

        taken = take_values(rows=rows, by=SYSTEM, now=LATER)

        assert (taken.new, taken.replaced, taken.unchanged) == (1, 1, 1)
        changed.refresh_from_db()
        assert changed.superseded_at == LATER
        current = ComparatorValue.objects.current().order_by("value")
        assert [(each.value, each.revision) for each in current] == [(0.4, 1), (0.6, 2), (0.8, 1)]
        assert current[2] == kept

        again = take_values(rows=rows, by=SYSTEM, now=LATER)
        assert (again.new, again.replaced, again.unchanged) == (0, 0, 3)

    def test_what_was_withdrawn_comes_back_only_if_it_differs(self) -> None:
        market, solved = make_comparator(), make_indicator()
        withdraw_value(value=reached(market, solved, 0.8), because="Wrong.", by=SYSTEM, now=LATER)

        same = take_values(
            rows=[NewValue(market, solved, *YEAR, 0.8, "Yearbook of banks")], by=SYSTEM, now=LATER
        )
        other = take_values(
            rows=[NewValue(market, solved, *YEAR, 0.7, "Yearbook of banks")], by=SYSTEM, now=LATER
        )

        assert (same.unchanged, other.new) == (1, 1)
        assert ComparatorValue.objects.in_force().get().value == 0.7


class TestNamesInFiles:
    def test_are_kept_as_they_are_compared(self) -> None:
        name_in_files(text=" H_COMP_1  A ", indicator=make_indicator(), by=SYSTEM, now=NOW)

        assert ForeignName.objects.get().text == "h_comp_1 a"

    def test_mean_one_thing_of_each_sort(self) -> None:
        solved, market = make_indicator(), make_comparator()
        name_in_files(text="tx", indicator=solved, by=SYSTEM, now=NOW)
        name_in_files(text="TX", comparator=market, by=SYSTEM, now=NOW)

        with pytest.raises(Conflict):
            name_in_files(text="Tx", indicator=make_indicator("seen"), by=SYSTEM, now=NOW)
        for over in ({}, {"indicator": solved, "comparator": market}):
            with pytest.raises(InvalidInput):
                name_in_files(text="both", by=SYSTEM, now=NOW, **over)  # type: ignore[arg-type]  # by name

        assert ForeignName.objects.count() == 2

    def test_are_forgotten(self) -> None:
        kept = name_in_files(text="tx", comparator=make_comparator(), by=SYSTEM, now=NOW)

        forget_name(name_id=kept.pk, by=SYSTEM, now=NOW)

        assert not ForeignName.objects.exists()


def test_everybody_who_sees_results_sees_the_market_and_nobody_else() -> None:
    value = reached(make_comparator(), make_indicator(), 0.88)
    nobody = make_principal({Permission.VIEW_TRAINING: EVERYWHERE})

    assert list(ComparatorValue.objects.visible_to(READER)) == [value]
    assert list(ComparatorValue.objects.visible_to(nobody)) == []
    assert list(Comparator.objects.visible_to(nobody)) == []
