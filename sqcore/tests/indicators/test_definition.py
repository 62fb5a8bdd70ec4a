"""What a version says: formulas and their operands, targets of the day, weeks, what is watched."""

from datetime import date

import pytest

from sqcore.indicators import sources
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.definition import SystemDefinition, definition_of
from sqcore.indicators.models import Indicator, SystemVersion
from sqcore.indicators.services import define_system, draft_version
from sqcore.indicators.sources import Counts
from sqcore.indicators.targets import set_target
from sqcore.indicators.trees import Branch, Leaf
from sqcore.tests.evaluation.bank import SYSTEM, MemorySource
from sqcore.tests.factories import NOW

pytestmark = pytest.mark.django_db

SINCE = date(2026, 1, 1)


@pytest.fixture(autouse=True)
def _two_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    for source in (
        MemorySource(scales={"visit/care": 1, "visit/speed": 1}),
        MemorySource(
            scales={"wait": 1, "errors": 1, "cases": 1}, key="counted", counts=Counts.ENCOUNTERS
        ),
    ):
        monkeypatch.setitem(sources.SOURCES._offers, source.key, source)


def _opinion(code: str, **over: object) -> Indicator:
    return _defined(code, source="memory", parameters={"measure": f"visit/{code}"}, **over)


def _counted(code: str, **over: object) -> Indicator:
    return _defined(code, source="counted", parameters={"measure": code}, **over)


def _formula(code: str, formula: str, **over: object) -> Indicator:
    return _defined(code, formula=formula, **over)


def _defined(code: str, **over: object) -> Indicator:
    return define_indicator(code=code, name={"en": code.title()}, by=SYSTEM, now=NOW, **over)  # type: ignore[arg-type]  # fields by name


def _leaf(indicator: Indicator, weight: float = 1.0, ends: tuple[float, float] = (1, 7)) -> Leaf:
    return Leaf(indicator, weight, *ends)


def _version(*tree: Branch, grains: tuple[str, ...] = ("month",)) -> SystemVersion:
    return draft_version(
        system=define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW),
        grains=grains,
        since=SINCE,
        by=SYSTEM,
        now=NOW,
        tree=tree,
    )


def _branch(code: str, weight: float, *leaves: Leaf) -> Branch:
    return Branch(code, {"en": code.title()}, weight, leaves)


class TestFormulas:
    def test_what_only_formulas_need_stands_among_the_operands(self) -> None:
        for code in ("errors", "cases", "wait"):
            _counted(code)
        _formula("error-rate", "[errors] / [cases]")
        accuracy = _formula("accuracy", "1 - [error-rate]")
        slow = Indicator.objects.get(code="wait")
        version = _version(_branch("a", 1.0, _leaf(accuracy, 0.5), _leaf(slow, 0.5)))

        said = definition_of(version)

        assert [leaf.code for leaf in said.all_indicators()] == ["accuracy", "wait"]
        assert [each.code for each in said.operands] == ["error-rate", "errors", "cases"]
        assert said.sources() == ["counted"]
        assert said.name_of("errors") == "Errors"
        leaf = said.indicator("accuracy")
        assert leaf is not None
        assert (leaf.source, leaf.measure, leaf.formula) == ("", "", "1 - [error-rate]")
        assert leaf.names == ("error-rate",)

    def test_formulas_come_after_what_they_name(self) -> None:
        for code in ("errors", "cases"):
            _counted(code)
        _formula("error-rate", "[errors] / [cases]")
        accuracy = _formula("accuracy", "1 - [error-rate]")
        twice = _formula("twice", "2 * [accuracy]")
        version = _version(_branch("a", 1.0, _leaf(twice, 0.5), _leaf(accuracy, 0.5)))

        codes = [each.code for each in definition_of(version).formulas()]

        assert codes == ["error-rate", "accuracy", "twice"]

    def test_a_formula_in_the_tree_may_name_its_sibling(self) -> None:
        wait = _counted("wait")
        half = _formula("half", "[wait] / 2")
        version = _version(_branch("a", 1.0, _leaf(wait, 0.5), _leaf(half, 0.5)))

        assert definition_of(version).operands == ()

    def test_one_opinion_makes_a_formula_an_opinion(self) -> None:
        _counted("wait")
        _opinion("care")
        mixed = _formula("mixed", "[wait] * [care]")
        plain = _formula("plain", "[wait] + 1")
        version = _version(_branch("a", 1.0, _leaf(mixed, 0.5), _leaf(plain, 0.5)))

        found = {leaf.code: leaf for leaf in definition_of(version).all_indicators()}

        assert (found["mixed"].counts, found["plain"].counts) == ("answers", "encounters")
        assert found["mixed"].are_opinions
        assert not found["plain"].are_opinions

    def test_without_a_valid_operand_a_formula_is_not_valid(self) -> None:
        wait = _counted("wait")
        _counted("errors")
        half = _formula("half", "[errors] / 2")
        version = _version(_branch("a", 1.0, _leaf(wait, 0.5), _leaf(half, 0.5)))
        Indicator.objects.filter(code="errors").update(valid_to=date(2026, 3, 1))

        before = definition_of(version, on=date(2026, 2, 28))
        after = definition_of(version, on=date(2026, 3, 1))

        assert [leaf.code for leaf in before.all_indicators()] == ["wait", "half"]
        assert [(leaf.code, leaf.weight) for leaf in after.all_indicators()] == [("wait", 1.0)]
        assert after.operands == ()


class TestTargets:
    def test_are_those_of_the_day(self) -> None:
        wait = _counted("wait", direction="lower", unit_of_measure="min")
        version = _version(_branch("a", 1.0, _leaf(wait, ends=(20, 0))))
        set_target(indicator=wait, value=8, floor=12, on=date(2026, 1, 1), by=SYSTEM, now=NOW)
        set_target(indicator=wait, value=6, floor=None, on=date(2026, 4, 1), by=SYSTEM, now=NOW)

        def on(day: date | None) -> tuple[float | None, float | None]:
            leaf = definition_of(version, on=day).all_indicators()[0]
            return leaf.target, leaf.floor

        assert on(date(2025, 12, 31)) == (None, None)
        assert on(date(2026, 3, 31)) == (8, 12)
        assert on(date(2026, 4, 1)) == (6, None)
        assert on(None) == (None, None)


class TestWeeks:
    def test_leave_opinions_out_beside_months(self) -> None:
        wait, care = _counted("wait"), _opinion("care")
        mixed = _formula("mixed", "[wait] * [care]")
        version = _version(
            _branch("a", 0.6, _leaf(wait, 0.5), _leaf(care, 0.3), _leaf(mixed, 0.2)),
            _branch("b", 0.4, _leaf(_opinion("speed"))),
            grains=("week", "month"),
        )

        weekly = definition_of(version, grain="week")

        assert not weekly.whole
        assert [leaf.code for leaf in weekly.all_indicators()] == ["wait"]
        assert [found.code for found in weekly.dimensions] == ["a"]
        assert weekly.sources() == ["counted"]
        assert definition_of(version, grain="month").whole
        assert len(definition_of(version).all_indicators()) == 4

    def test_alone_hold_everything(self) -> None:
        version = _version(_branch("a", 1.0, _leaf(_opinion("care"))), grains=("week",))

        weekly = definition_of(version, grain="week")

        assert weekly.whole
        assert [leaf.code for leaf in weekly.all_indicators()] == ["care"]


class TestWatched:
    def test_weighs_nothing_and_is_there(self) -> None:
        version = _version(_branch("a", 1.0, _leaf(_counted("wait")), _leaf(_opinion("care"), 0.0)))

        found = definition_of(version).all_indicators()

        assert [(leaf.code, leaf.weight) for leaf in found] == [("wait", 1.0), ("care", 0.0)]

    def test_a_branch_of_which_only_the_watched_is_left_weighs_nothing(self) -> None:
        ending = _counted("wait", valid_to=date(2026, 3, 1))
        version = _version(
            _branch("a", 0.5, _leaf(ending), _leaf(_counted("errors"), 0.0)),
            _branch("b", 0.5, _leaf(_counted("cases"))),
        )

        later = definition_of(version, on=date(2026, 3, 1))

        assert [(found.code, found.weight) for found in later.dimensions] == [("a", 0.0), ("b", 1)]
        assert [leaf.weight for leaf in later.all_indicators()] == [0.0, 1.0]

    def test_nothing_but_watched_divides_nothing_by_zero(self) -> None:
        version = _version(_branch("a", 1.0, _leaf(_counted("wait"), 0.0)))

        said = definition_of(version)

        assert [found.weight for found in said.dimensions] == [0.0]
        assert [leaf.weight for leaf in said.all_indicators()] == [0.0]


class TestStored:
    def test_what_is_written_reads_as_it_was(self) -> None:
        wait = _counted("wait")
        _counted("errors")
        half = _formula("half", "[errors] / 2", stage="completion")
        set_target(indicator=wait, value=5, floor=2, on=SINCE, by=SYSTEM, now=NOW)
        version = _version(
            _branch("a", 1.0, _leaf(wait, 0.5), _leaf(half, 0.5)), grains=("week", "month")
        )

        said = definition_of(version, on=SINCE, grain="week")

        assert SystemDefinition.from_json(said.as_json()) == said

    def test_what_was_stored_before_there_were_targets_reads_too(self) -> None:
        stored = {
            "system": "bank", "name": {"en": "Bank"}, "version": 3,
            "dimensions": [{
                "code": "a", "name": {"en": "A"}, "weight": 1.0, "dimensions": [],
                "indicators": [{
                    "code": "wait", "name": {"en": "Wait"}, "definition": {},
                    "unit_of_measure": "min", "direction": "lower", "statistic": "mean",
                    "source": "surveys", "measure": "visit/wait", "weight": 1.0,
                    "floor": 20.0, "target": 0.0,
                }],
            }],
        }  # fmt: skip

        said = SystemDefinition.from_json(stored)

        leaf = said.all_indicators()[0]
        assert (leaf.worst, leaf.best, leaf.target, leaf.floor) == (20.0, 0.0, None, None)
        assert (leaf.counts, leaf.formula) == ("answers", "")
        assert (said.whole, said.operands, said.target) == (True, (), None)


def test_reads_few_tables_whatever_the_size_of_the_tree(
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    _counted("errors")
    leaves = [_leaf(_formula(f"f{n}", "[errors] + 1"), 0.1) for n in range(10)]
    version = _version(_branch("a", 1.0, *leaves))

    with django_assert_num_queries(5):  # type: ignore[operator]  # pytest-django's fixture
        definition_of(version, on=SINCE)
