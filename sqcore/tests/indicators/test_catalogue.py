"""The catalogue: formulas that are refused, changes, and targets over time."""

from datetime import date

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE
from sqcore.indicators import sources
from sqcore.indicators.cataloguing import change_indicator, define_indicator
from sqcore.indicators.models import Indicator, Target
from sqcore.indicators.services import define_system, draft_version, publish_version
from sqcore.indicators.sources import Counts
from sqcore.indicators.targets import end_target, set_target
from sqcore.indicators.trees import Branch, Leaf
from sqcore.tests.evaluation.bank import SYSTEM, MemorySource
from sqcore.tests.factories import NOW, make_principal

pytestmark = pytest.mark.django_db

SINCE = date(2026, 1, 1)


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    source = MemorySource(
        scales={"wait": 1, "errors": 1, "cases": 1}, key="counted", counts=Counts.ENCOUNTERS
    )
    monkeypatch.setitem(sources.SOURCES._offers, source.key, source)


def _define(code: str, formula: str = "", **over: object) -> Indicator:
    given: dict[str, object] = {"formula": formula}
    if not formula:
        given = {"source": "counted", "parameters": {"measure": "wait"}}
    return define_indicator(
        code=code,
        name={"en": code.title()},
        by=SYSTEM,
        now=NOW,
        **(given | over),  # type: ignore[arg-type]  # fields by name
    )


def _publish(*indicators: Indicator) -> None:
    leaves = [Leaf(indicator, 1 / len(indicators), 1, 7) for indicator in indicators]
    draft = draft_version(
        system=define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW),
        grains=["month"],
        since=SINCE,
        tree=[Branch("a", {"en": "A"}, 1.0, leaves)],
        by=SYSTEM,
        now=NOW,
    )
    publish_version(version=draft, by=SYSTEM, now=NOW)


class TestFormulas:
    def test_is_kept_without_source(self) -> None:
        _define("errors")

        made = _define("accuracy", "1 - [errors]")

        assert (made.source, made.parameters, made.formula) == ("", {}, "1 - [errors]")

    @pytest.mark.parametrize(
        ("formula", "said"),
        [
            ("1 - (2 * [wait]", "At character 5, “(2 * [wait]”: The parenthesis opened here"),
            ("1 - wait", "At character 5, “wait”: There are only min, max and abs"),
            ("[wait] / 0", "At character 8, “/ 0”: This always divides by 0."),
            ("2 + 2", "At character 1, “2 + 2”: It names no indicator"),
            ("1 - [speed]", "There is no indicator “speed”."),
            ("[rate] + 1", "The formula needs itself: rate → rate."),
        ],
    )
    def test_what_cannot_be_computed_is_named(self, formula: str, said: str) -> None:
        _define("wait")

        with pytest.raises(InvalidInput) as refused:
            _define("rate", formula)

        assert said in refused.value.message
        assert {problem.field for problem in refused.value.problems} == {"formula"}
        assert not Indicator.objects.filter(code="rate").exists()

    def test_every_unknown_name_is_a_problem(self) -> None:
        with pytest.raises(InvalidInput) as refused:
            _define("rate", "[a] / [b]")

        assert [problem.reason for problem in refused.value.problems] == [
            "There is no indicator “a”.",
            "There is no indicator “b”.",
        ]

    def test_a_circle_over_several_is_named_as_a_way(self) -> None:
        _define("wait")
        first = _define("a", "[wait] + 1")
        _define("b", "[a] * 2")
        _define("c", "[b] + [wait]")

        with pytest.raises(InvalidInput, match="a → c → b → a"):
            change_indicator(indicator=first, changes={"formula": "[c] + 1"}, by=SYSTEM, now=NOW)

        first.refresh_from_db()
        assert first.formula == "[wait] + 1"

    def test_both_or_neither_of_source_and_formula_is_refused(self) -> None:
        _define("wait")

        with pytest.raises(InvalidInput, match="either a source or a formula"):
            _define("both", "[wait]", source="counted", parameters={"measure": "wait"})
        with pytest.raises(InvalidInput, match="either a source or a formula"):
            _define("none", source="", parameters={})

        assert Indicator.objects.count() == 1

    def test_an_operand_must_be_valid_while_its_formula_is(self) -> None:
        _define("wait", valid_from=date(2026, 1, 1), valid_to=date(2026, 7, 1))

        with pytest.raises(InvalidInput, match="“wait” is not valid on every day"):
            _define("half", "[wait] / 2", valid_from=date(2026, 1, 1))

        made = _define("half", "[wait] / 2", valid_from=date(2026, 2, 1), valid_to=date(2026, 7, 1))
        assert made.valid_from == date(2026, 2, 1)

    def test_an_unknown_unit_of_measure_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(InvalidInput, match=r"“furlongs” is no unit of measure here.*min"):
            _define("wait", unit_of_measure="furlongs")

        assert not Indicator.objects.exists()


class TestChange:
    def test_what_is_told_can_change_at_any_time(self) -> None:
        wait = _define("wait")
        _publish(wait)

        change_indicator(
            indicator=wait,
            changes={"name": {"en": "Waiting"}, "stage": "preparation"},
            by=SYSTEM,
            now=NOW,
        )

        wait.refresh_from_db()
        assert (wait.name, wait.stage) == ({"en": "Waiting"}, "preparation")
        entry = AuditEntry.objects.get(action="indicator.changed")
        assert entry.details == {"code": "wait", "fields": ["name", "stage"]}

    def test_what_a_published_version_uses_is_measured_as_it_was(self) -> None:
        wait = _define("wait")
        _publish(wait)

        with pytest.raises(Conflict, match="A published version uses this indicator"):
            change_indicator(indicator=wait, changes={"statistic": "rate"}, by=SYSTEM, now=NOW)

        wait.refresh_from_db()
        assert wait.statistic == "mean"

    def test_also_what_a_published_formula_needs(self) -> None:
        wait = _define("wait")
        _define("half", "[wait] / 2")
        _publish(_define("quarter", "[half] / 2"))

        with pytest.raises(Conflict):
            change_indicator(
                indicator=wait, changes={"parameters": {"measure": "cases"}}, by=SYSTEM, now=NOW
            )

    def test_before_that_it_can_be_measured_otherwise(self) -> None:
        wait = _define("wait")

        change_indicator(
            indicator=wait, changes={"parameters": {"measure": "cases"}}, by=SYSTEM, now=NOW
        )

        wait.refresh_from_db()
        assert wait.parameters == {"measure": "cases"}

    def test_cannot_end_while_a_formula_needs_it(self) -> None:
        wait = _define("wait")
        _define("half", "[wait] / 2")

        with pytest.raises(InvalidInput, match="not valid on every day on which “half” is"):
            change_indicator(
                indicator=wait, changes={"valid_to": date(2027, 1, 1)}, by=SYSTEM, now=NOW
            )

        wait.refresh_from_db()
        assert wait.valid_to is None

    def test_its_code_never_changes(self) -> None:
        wait = _define("wait")

        with pytest.raises(InvalidInput, match="“code” cannot be changed"):
            change_indicator(indicator=wait, changes={"code": "w"}, by=SYSTEM, now=NOW)

    def test_the_same_again_is_no_act(self) -> None:
        wait = _define("wait")

        change_indicator(indicator=wait, changes={"name": {"en": "Wait"}}, by=SYSTEM, now=NOW)

        assert not AuditEntry.objects.filter(action="indicator.changed").exists()


class TestTargets:
    def _set(self, wait: Indicator, value: float, on: date, **over: object) -> Target:
        given: dict[str, object] = {"floor": None, "by": SYSTEM, "now": NOW}
        return set_target(indicator=wait, value=value, on=on, **(given | over))  # type: ignore[arg-type]  # fields by name

    def test_a_next_one_ends_the_one_before(self) -> None:
        wait = _define("wait", direction="lower", unit_of_measure="min")
        first = self._set(wait, 8, date(2026, 1, 1), floor=12)

        self._set(wait, 6, date(2026, 4, 1))

        first.refresh_from_db()
        assert (first.valid_from, first.valid_to) == (date(2026, 1, 1), date(2026, 4, 1))
        assert AuditEntry.objects.filter(action="indicator.target_set").count() == 2

    @pytest.mark.parametrize(
        ("on", "until"),
        [
            (date(2026, 1, 1), None),
            (date(2025, 6, 1), None),
            (date(2025, 6, 1), date(2026, 1, 2)),
            (date(2026, 3, 1), date(2026, 3, 2)),
        ],
    )
    def test_two_on_one_day_are_refused(self, on: date, until: date | None) -> None:
        wait = _define("wait")
        self._set(wait, 8, date(2026, 1, 1))

        with pytest.raises(Conflict, match="There is a target of 8 from 2026-01-01 on"):
            self._set(wait, 6, on, until=until)

        kept = Target.objects.get()
        assert (kept.value, kept.valid_to) == (8, None)

    def test_one_beside_another_is_taken(self) -> None:
        wait = _define("wait")
        self._set(wait, 8, date(2026, 1, 1), until=date(2026, 4, 1))

        self._set(wait, 6, date(2026, 4, 1), until=date(2026, 7, 1))
        self._set(wait, 9, date(2025, 10, 1), until=date(2026, 1, 1))

        assert Target.objects.count() == 3

    @pytest.mark.parametrize(
        ("over", "value", "floor", "said"),
        [
            ({}, 5.0, 6.0, "The floor must not be better than the target"),
            ({"direction": "lower"}, 5.0, 4.0, "The floor must not be better than the target"),
            ({"unit_of_measure": "share"}, 95.0, None, "95 cannot be: it is measured in share"),
            ({"unit_of_measure": "min"}, -1.0, None, "-1 cannot be: it is measured in minutes"),
            ({"unit_of_measure": "%"}, 50.0, 120.0, "120 cannot be"),
            ({}, float("nan"), None, "A number is missing"),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, over: dict[str, str], value: float, floor: float | None, said: str
    ) -> None:
        wait = _define("wait", "", **over)

        with pytest.raises(InvalidInput, match=said):
            self._set(wait, value, SINCE, floor=floor)

        assert not Target.objects.exists()

    def test_cannot_end_before_it_begins(self) -> None:
        wait = _define("wait")

        with pytest.raises(InvalidInput, match="The last day is before the first"):
            self._set(wait, 5, SINCE, until=SINCE)

        assert not Target.objects.exists()

    def test_ends_on_a_day_once(self) -> None:
        target = self._set(_define("wait"), 5, SINCE)

        end_target(target=target, on=date(2026, 6, 1), by=SYSTEM, now=NOW)

        target.refresh_from_db()
        assert target.valid_to == date(2026, 6, 1)
        with pytest.raises(Conflict, match="ended already"):
            end_target(target=target, on=date(2026, 6, 1), by=SYSTEM, now=NOW)

    def test_ended_on_its_first_day_it_never_was(self) -> None:
        target = self._set(_define("wait"), 5, SINCE)

        end_target(target=target, on=SINCE, by=SYSTEM, now=NOW)

        assert not Target.objects.exists()
        assert AuditEntry.objects.filter(action="indicator.target_ended").exists()


class TestPermission:
    def test_who_only_sees_results_changes_nothing(self) -> None:
        wait = _define("wait")
        mei = make_principal({Permission.VIEW_RESULTS: EVERYWHERE}, key="user:8")

        with pytest.raises(NotPermitted):
            define_indicator(code="x", name={"en": "X"}, formula="[wait]", by=mei, now=NOW)
        with pytest.raises(NotPermitted):
            change_indicator(indicator=wait, changes={"stage": "outcome"}, by=mei, now=NOW)
        with pytest.raises(NotPermitted):
            set_target(indicator=wait, value=5, floor=None, on=SINCE, by=mei, now=NOW)

        assert Indicator.objects.count() == 1
        assert not Target.objects.exists()
