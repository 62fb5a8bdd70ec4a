"""Building and publishing an indicator system."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput
from sqcore.indicators import sources
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.definition import SystemDefinition, definition_of
from sqcore.indicators.drafts import equal_weights
from sqcore.indicators.models import Dimension, Indicator, IndicatorSystem, SystemVersion
from sqcore.indicators.queries import published_version, systems
from sqcore.indicators.services import define_system, draft_version, publish_version
from sqcore.indicators.starters import starter_system
from sqcore.indicators.trees import Branch, Leaf, set_tree
from sqcore.tests.evaluation.bank import SYSTEM, MemorySource, measure
from sqcore.tests.factories import NOW, make_principal

pytestmark = pytest.mark.django_db

SINCE = date(2026, 1, 1)


@pytest.fixture(autouse=True)
def source(monkeypatch: pytest.MonkeyPatch) -> MemorySource:
    memory = MemorySource(scales={"overall": 1, "wait": 1})
    monkeypatch.setitem(sources.SOURCES._offers, memory.key, memory)
    return memory


def _indicator(code: str, **over: object) -> Indicator:
    given: dict[str, object] = {
        "code": code,
        "name": {"en": code.title()},
        "source": "memory",
        "parameters": {"measure": "overall"},
    }
    return define_indicator(**{**given, **over}, by=SYSTEM, now=NOW)  # type: ignore[arg-type]  # fields by name


def _leaf(indicator: Indicator, weight: float = 1.0, ends: tuple[float, float] = (1, 7)) -> Leaf:
    return Leaf(indicator, weight, *ends)


def _branch(code: str, weight: float, *leaves: Leaf, branches: Sequence[Branch] = ()) -> Branch:
    return Branch(code, {"en": code.title()}, weight, leaves, branches)


def _draft(*tree: Branch, code: str = "bank") -> SystemVersion:
    system = IndicatorSystem.objects.filter(code=code).first() or define_system(
        code=code, name={"en": "Bank"}, by=SYSTEM, now=NOW
    )
    return draft_version(
        system=system, grains=["month"], since=SINCE, by=SYSTEM, now=NOW, tree=tree
    )


def _refusals(version: SystemVersion) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        publish_version(version=version, by=SYSTEM, now=NOW)
    version.refresh_from_db()
    assert version.state == "draft"
    return [str(problem) for problem in refused.value.problems]


class TestPublish:
    def test_freezes_the_tree_and_retires_the_former(self) -> None:
        first = _draft(_branch("outcome", 1.0, _leaf(_indicator("satisfaction"))))
        publish_version(version=first, by=SYSTEM, now=NOW)
        second = _draft(_branch("result", 1.0, _leaf(Indicator.objects.get())))

        publish_version(version=second, by=SYSTEM, now=NOW)

        first.refresh_from_db()
        assert (first.state, published_version(first.system)) == ("retired", second)
        assert AuditEntry.objects.filter(action="indicators.version_published").count() == 2

    def test_names_the_sum_of_weights_that_is_not_one(self) -> None:
        version = _draft(
            _branch("a", 0.6, _leaf(_indicator("one"), 0.5), _leaf(_indicator("two"), 0.4)),
            _branch("b", 0.5, _leaf(_indicator("three"))),
        )

        assert _refusals(version) == [
            "dimensions: The weights in it sum to 1.1, not to 1.",
            "a: The weights in it sum to 0.9, not to 1.",
        ]

    @pytest.mark.parametrize("sixth", ["0.333334", "0.333335"])
    def test_takes_weights_within_a_millionth(self, sixth: str) -> None:
        version = _draft(
            _branch(
                "a",
                1.0,
                *(
                    Leaf(_indicator(f"i{place}"), Decimal(weight), 1, 7)
                    for place, weight in enumerate(("0.333333", "0.333333", sixth))
                ),
            )
        )

        assert publish_version(version=version, by=SYSTEM, now=NOW).state == "published"

    def test_needs_an_indicator(self) -> None:
        assert _refusals(_draft()) == ["It has no indicator yet."]

    def test_names_an_empty_dimension(self) -> None:
        version = _draft(_branch("a", 0.5, _leaf(_indicator("one"))), _branch("b", 0.5))

        assert _refusals(version) == ["b: It has neither an indicator nor a dimension in it."]

    def test_goalposts_point_the_way_of_the_indicator(self) -> None:
        wait = _indicator("wait", direction="lower")
        version = _draft(_branch("a", 1.0, _leaf(wait, 1.0, (0, 30))))

        assert _refusals(version) == [
            "wait: Its goalposts run from 0 to 30, but it says: Lower is better."
        ]

    def test_asks_the_source_again(self, source: MemorySource) -> None:
        version = _draft(_branch("a", 1.0, _leaf(_indicator("one"))))
        del source.scales["overall"]

        assert _refusals(version) == ["one: There is no measure “overall”."]

    def test_a_published_version_never_changes(self) -> None:
        version = _draft(_branch("a", 1.0, _leaf(_indicator("one"))))
        publish_version(version=version, by=SYSTEM, now=NOW)

        with pytest.raises(Conflict, match="never changes"):
            set_tree(version=version, tree=[], by=SYSTEM, now=NOW)
        with pytest.raises(Conflict, match="never changes"):
            publish_version(version=version, by=SYSTEM, now=NOW)

        assert Dimension.objects.count() == 1


class TestDraft:
    def test_equal_goalposts_are_refused_and_nothing_is_left(self) -> None:
        indicator = _indicator("one")

        with pytest.raises(InvalidInput, match="indicator “one”"):
            _draft(_branch("a", 1.0, _leaf(indicator, 1.0, (5, 5))))

        assert not Dimension.objects.exists()
        assert not SystemVersion.objects.exists()

    @pytest.mark.parametrize("weight", [-0.1, 1.2, float("nan"), float("inf")])
    def test_a_weight_outside_0_to_1_is_refused(self, weight: float) -> None:
        with pytest.raises(InvalidInput, match="between 0 and 1"):
            _draft(_branch("a", weight, _leaf(_indicator("one"))))

    def test_codes_are_unique_within_a_version(self) -> None:
        with pytest.raises(InvalidInput) as refused:
            _draft(_branch("one", 1.0, _leaf(_indicator("one"))))

        assert [problem.field for problem in refused.value.problems] == ["one"]

    def test_the_code_of_the_overall_score_is_taken(self) -> None:
        with pytest.raises(InvalidInput) as refused:
            _draft(_branch("composite", 1.0, _leaf(_indicator("one"))))

        assert "overall score" in str(refused.value.problems[0])

    @pytest.mark.parametrize("grains", [[], ["fortnight"]])
    def test_grains_that_do_not_exist_are_refused(self, grains: list[str]) -> None:
        system = define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW)

        with pytest.raises(InvalidInput, match="day, week, month, quarter, year"):
            draft_version(system=system, grains=grains, since=SINCE, by=SYSTEM, now=NOW)

    def test_weeks_may_stand_beside_months(self) -> None:
        system = define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW)

        draft = draft_version(
            system=system, grains=["month", "week"], since=SINCE, by=SYSTEM, now=NOW
        )

        assert draft.grains == ["week", "month"]


class TestDefineIndicator:
    def test_an_unknown_source_is_refused_with_what_there_is(self) -> None:
        with pytest.raises(InvalidInput, match=r"no source “weather”; there are: .*memory"):
            _indicator("one", source="weather")

        assert not Indicator.objects.exists()

    def test_a_measure_that_the_source_has_not_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="no measure “speed”"):
            _indicator("one", parameters={"measure": "speed"})

        assert not Indicator.objects.exists()

    def test_a_code_that_is_no_slug_names_the_field(self) -> None:
        with pytest.raises(InvalidInput) as refused:
            _indicator("two words")

        assert refused.value.problems[0].field == "indicator “two words”, code"

    def test_a_second_one_of_the_same_code_is_refused(self) -> None:
        _indicator("one")

        with pytest.raises(Conflict, match="“one” already"):
            _indicator("one")


class TestDefinition:
    def test_survives_json(self) -> None:
        inner = _branch("inner", 0.5, _leaf(_indicator("two")))
        version = _draft(_branch("a", 1.0, _leaf(_indicator("one"), 0.5), branches=[inner]))

        definition = definition_of(version)

        assert SystemDefinition.from_json(definition.as_json()) == definition
        assert [leaf.code for leaf in definition.all_indicators()] == ["one", "two"]

    def test_leaves_out_what_is_not_valid_on_the_day(self) -> None:
        old = _indicator("old", valid_to=date(2026, 3, 1))
        version = _draft(
            _branch("a", 0.5, _leaf(old, 0.25), _leaf(_indicator("kept"), 0.75)),
            _branch("b", 0.5, _leaf(_indicator("new", valid_from=date(2026, 2, 1)))),
        )

        january = definition_of(version, on=date(2026, 1, 31))
        march = definition_of(version, on=date(2026, 3, 31))

        assert [(leaf.code, leaf.weight) for leaf in january.all_indicators()] == [
            ("old", 0.25),
            ("kept", 0.75),
        ]
        assert [found.weight for found in january.dimensions] == [1.0]
        assert [(leaf.code, leaf.weight) for leaf in march.all_indicators()] == [
            ("kept", 1.0),
            ("new", 1.0),
        ]


class TestTheSameAnswersTwice:
    """Their figures could be subtracted: 101 people in one system, 100 of them in the other."""

    def _publish(self, system: str, indicator: Indicator) -> SystemVersion:
        draft = _draft(_branch("a", 1.0, _leaf(indicator)), code=system)
        return publish_version(version=draft, by=SYSTEM, now=NOW)

    def test_a_second_system_is_refused(self) -> None:
        self._publish("bank", _indicator("one"))
        other = _draft(_branch("a", 1.0, _leaf(_indicator("two"))), code="other")

        assert _refusals(other) == [
            "two: These answers are evaluated in the system “bank”. Two systems over the same"
            " answers could be subtracted from each other; add it there."
        ]

    def test_other_questions_to_the_same_people_are_refused_too(self, source: MemorySource) -> None:
        source.scales |= {"visit/care": 1, "visit/speed": 1}
        self._publish("bank", _indicator("care", parameters={"measure": "visit/care"}))
        speed = _indicator("speed", parameters={"measure": "visit/speed"})

        assert (
            "evaluated in the system “bank”"
            in _refusals(_draft(_branch("a", 1.0, _leaf(speed)), code="other"))[0]
        )

    def test_what_a_system_once_evaluated_stays_its_own(self) -> None:
        one = _indicator("one")
        self._publish("bank", one)
        self._publish("bank", _indicator("wait", parameters={"measure": "wait"}))

        assert _refusals(_draft(_branch("a", 1.0, _leaf(one)), code="other"))

    def test_other_answers_and_the_next_version_are_taken(self) -> None:
        one = _indicator("one")
        self._publish("bank", one)

        assert self._publish("bank", one).number == 2
        assert self._publish("other", _indicator("wait", parameters={"measure": "wait"}))

    def test_a_system_by_month_does_not_change_to_weeks(self) -> None:
        one = _indicator("one")
        version = self._publish("bank", one)
        weekly = draft_version(
            system=version.system,
            grains=["week"],
            since=SINCE,
            by=SYSTEM,
            now=NOW,
            tree=[_branch("a", 1.0, _leaf(one))],
        )

        assert [problem.partition(":")[0] for problem in _refusals(weekly)] == ["grains"]


class TestStarterSystem:
    def _publish(self, *codes: str) -> SystemVersion:
        return starter_system(
            code="bank",
            name={"en": "Bank"},
            measures=[measure(code, f"group-{code}") for code in codes],
            grains=["month"],
            since=SINCE,
            by=SYSTEM,
            now=NOW,
        )

    def test_publishes_equal_weights(self) -> None:
        version = self._publish("overall", "wait")

        definition = definition_of(version)
        assert [found.weight for found in definition.dimensions] == [0.5, 0.5]
        assert [found.code for found in definition.dimensions] == ["group-overall", "group-wait"]

    def test_the_same_again_changes_nothing(self) -> None:
        assert self._publish("overall") == self._publish("overall")
        assert SystemVersion.objects.count() == 1

    def test_more_measures_make_the_next_version(self) -> None:
        self._publish("overall")

        assert self._publish("overall", "wait").number == 2

    def test_weights_sum_to_one_for_any_number(self) -> None:
        assert all(sum(equal_weights(count)) == 1 for count in range(1, 60))


def test_systems_are_for_who_sees_results() -> None:
    version = _draft(_branch("a", 1.0, _leaf(_indicator("one"))))
    publish_version(version=version, by=SYSTEM, now=NOW)

    assert systems(SYSTEM) == [version.system]
    assert systems(make_principal({})) == []
