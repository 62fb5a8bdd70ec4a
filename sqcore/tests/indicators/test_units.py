"""Formulas whose units do not go together are refused, and told where they were kept before."""

from datetime import date

import pytest

from sqcore.base.errors import InvalidInput
from sqcore.indicators import sources
from sqcore.indicators.cataloguing import change_indicator, define_indicator
from sqcore.indicators.conditions import mixed_units
from sqcore.indicators.importers import ready_systems
from sqcore.indicators.models import Indicator
from sqcore.indicators.services import (
    define_system,
    doubts_of_draft,
    draft_version,
    problems_of_draft,
)
from sqcore.indicators.sources import Counts
from sqcore.indicators.trees import Branch, Leaf
from sqcore.tests.evaluation.bank import SYSTEM, MemorySource
from sqcore.tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    source = MemorySource(scales={"wait": 1, "errors": 1}, key="counted", counts=Counts.ENCOUNTERS)
    monkeypatch.setitem(sources.SOURCES._offers, source.key, source)


def _define(code: str, unit: str, formula: str = "") -> Indicator:
    measured = {"source": "counted", "parameters": {"measure": "wait"}}
    return define_indicator(
        code=code,
        name={"en": code.title()},
        unit_of_measure=unit,
        by=SYSTEM,
        now=NOW,
        **({"formula": formula} if formula else measured),
    )


def test_minutes_and_a_share_are_not_added_and_both_are_named() -> None:
    _define("wait", "min")
    _define("errors", "share")

    with pytest.raises(InvalidInput) as refused:
        _define("both", "min", "[wait] + 2 * [errors]")

    assert refused.value.message == (
        "“[wait]” (minutes) and “2 * [errors]” (share, 0 to 1) cannot be added or compared: they"
        " are in different units. Write the factor that turns one into the other: 60 turns hours"
        " into minutes."
    )
    assert [problem.field for problem in refused.value.problems] == ["formula"]
    assert not Indicator.objects.filter(code="both").exists()


def test_the_result_must_be_in_the_unit_of_the_indicator() -> None:
    _define("handling", "h")

    with pytest.raises(InvalidInput, match="is in hours, but the indicator is measured in minutes"):
        _define("total", "min", "2 * [handling]")

    assert _define("total", "min", "60 * [handling]").formula == "60 * [handling]"


def test_a_plain_number_is_not_added_to_a_time() -> None:
    _define("wait", "min")

    with pytest.raises(
        InvalidInput, match=r"“5” is a plain number and cannot be added to “.wait.”"
    ):
        _define("longer", "min", "[wait] + 5")


def test_what_a_formula_needs_keeps_a_unit_that_fits_it() -> None:
    wait = _define("wait", "min")
    _define("handling", "min")
    _define("total", "min", "[wait] + [handling]")

    with pytest.raises(InvalidInput, match="The formula of “total” needs it"):
        change_indicator(indicator=wait, changes={"unit_of_measure": "h"}, by=SYSTEM, now=NOW)

    wait.refresh_from_db()
    assert wait.unit_of_measure == "min"


def test_a_formula_that_was_kept_before_is_told_and_stops_nothing() -> None:
    wait = _define("wait", "min")
    _define("errors", "share")
    old = _define("old", "", "[wait] * 1")
    Indicator.objects.filter(pk=old.pk).update(formula="[wait] + [errors]")
    old.refresh_from_db()
    draft = draft_version(
        system=define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW),
        grains=["month"],
        since=date(2026, 1, 1),
        tree=[Branch("a", {"en": "A"}, 1.0, [Leaf(old, 0.5, 0, 1), Leaf(wait, 0.5, 0, 1)])],
        by=SYSTEM,
        now=NOW,
    )

    assert problems_of_draft(draft) == []
    assert [
        (doubt.field, "cannot be added" in doubt.reason) for doubt in doubts_of_draft(draft)
    ] == [("old", True)]
    renamed = change_indicator(indicator=old, changes={"name": {"en": "Older"}}, by=SYSTEM, now=NOW)
    assert renamed.name == {"en": "Older"}


@pytest.mark.parametrize("code", sorted(ready_systems()))
def test_formulas_of_ready_systems_go_together(code: str) -> None:
    known = {
        each.code: Indicator(code=each.code, formula=each.formula, unit_of_measure=each.unit)
        for each in ready_systems()[code].indicators
    }

    assert {
        code: mixed_units(each, known) for code, each in known.items() if each.formula
    } == dict.fromkeys((code for code, each in known.items() if each.formula), "")
