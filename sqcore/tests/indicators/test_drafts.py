"""Editing a draft, copying the published version, and what stops publication."""

from datetime import date
from decimal import Decimal

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.indicators import drafts, sources
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.conditions import TOP
from sqcore.indicators.models import (
    Dimension,
    Indicator,
    IndicatorSystem,
    SystemVersion,
    WeightedIndicator,
)
from sqcore.indicators.ready import place_indicator
from sqcore.indicators.services import (
    begin_system,
    change_draft,
    copy_version,
    define_system,
    discard_draft,
    draft_version,
    problems_of_draft,
    publish_version,
)
from sqcore.indicators.shapes import Scoring
from sqcore.indicators.sources import Counts
from sqcore.indicators.targets import set_target
from sqcore.indicators.trees import Branch, Leaf, tree_of
from sqcore.tests.evaluation.bank import SYSTEM, MemorySource
from sqcore.tests.factories import NOW, make_principal

pytestmark = pytest.mark.django_db

SINCE = date(2026, 1, 1)


@pytest.fixture(autouse=True)
def _two_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    for source in (
        MemorySource(scales={"visit/care": 1, "visit/speed": 1}),
        MemorySource(scales={"wait": 1, "rework": 1}, key="counted", counts=Counts.ENCOUNTERS),
    ):
        monkeypatch.setitem(sources.SOURCES._offers, source.key, source)


@pytest.fixture
def draft() -> SystemVersion:
    return begin_system(code="bank", name={"en": "Bank"}, since=SINCE, by=SYSTEM, now=NOW)


def _indicator(code: str, **over: object) -> Indicator:
    opinion = {"source": "memory", "parameters": {"measure": f"visit/{code}"}}
    counted = {"source": "counted", "parameters": {"measure": code}}
    given = opinion if code in ("care", "speed") else counted
    return define_indicator(
        code=code,
        name={"en": code.title()},
        by=SYSTEM,
        now=NOW,
        **(given | over),  # type: ignore[arg-type]  # fields by name
    )


def _dimension(draft: SystemVersion, code: str, within: str = TOP) -> Dimension:
    return drafts.add_dimension(
        version=draft, code=code, name={"en": code.title()}, within=within, by=SYSTEM, now=NOW
    )


def _place(draft: SystemVersion, within: str, code: str) -> WeightedIndicator:
    return drafts.add_indicator(
        version=draft,
        within=within,
        indicator=_indicator(code),
        scoring=Scoring(1, 7),
        by=SYSTEM,
        now=NOW,
    )


def _weigh(draft: SystemVersion, group: str, **weights: float) -> None:
    drafts.set_weights(version=draft, group=group, weights=weights, by=SYSTEM, now=NOW)


def _weights(draft: SystemVersion) -> dict[str, float]:
    found = Dimension.objects.filter(version=draft).order_by("id")
    return {each.code: float(each.weight) for each in found}


def _stops(draft: SystemVersion) -> list[str]:
    return [str(problem) for problem in problems_of_draft(draft)]


class TestEditing:
    def test_siblings_that_weigh_the_same_make_room(self, draft: SystemVersion) -> None:
        for code in ("a", "b", "c", "d"):
            _dimension(draft, code)

        assert _weights(draft) == {"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}
        assert [each.position for each in Dimension.objects.order_by("id")] == [0, 1, 2, 3]

    def test_one_beside_weighed_ones_waits_to_be_weighed(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        _dimension(draft, "b")
        _weigh(draft, TOP, a=0.7, b=0.3)

        _dimension(draft, "c")

        assert _weights(draft) == {"a": 0.7, "b": 0.3, "c": 0.0}

    def test_what_is_left_keeps_its_proportions(self, draft: SystemVersion) -> None:
        for code in ("a", "b", "c"):
            _dimension(draft, code)
        _weigh(draft, TOP, a=0.5, b=0.3, c=0.2)

        drafts.remove_dimension(version=draft, code="c", by=SYSTEM, now=NOW)

        assert _weights(draft) == {"a": 0.625, "b": 0.375}
        assert sum(Dimension.objects.values_list("weight", flat=True)) == 1

    def test_indicators_weigh_beside_dimensions(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        _place(draft, "a", "wait")
        _dimension(draft, "inner", within="a")
        _place(draft, "inner", "rework")
        _weigh(draft, "a", wait=0.25, inner=0.75)

        drafts.remove_indicator(version=draft, code="wait", by=SYSTEM, now=NOW)

        assert _weights(draft) == {"a": 1.0, "inner": 1.0}

    def test_weights_are_given_to_all_of_a_group_and_to_nothing_else(
        self, draft: SystemVersion
    ) -> None:
        _dimension(draft, "a")
        _dimension(draft, "b")

        with pytest.raises(InvalidInput) as refused:
            _weigh(draft, TOP, a=0.5, c=0.5)

        assert [str(problem) for problem in refused.value.problems] == [
            "b: It has no weight.",
            "c: It does not belong to the group.",
        ]
        assert _weights(draft) == {"a": 0.5, "b": 0.5}

    @pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
    def test_a_weight_is_a_share(self, draft: SystemVersion, weight: float) -> None:
        _dimension(draft, "a")

        with pytest.raises(InvalidInput, match="weight of “a” must lie between 0 and 1"):
            _weigh(draft, TOP, a=weight)

        assert _weights(draft) == {"a": 1.0}

    def test_a_code_stands_for_one_thing(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        _place(draft, "a", "wait")

        for code in ("a", "wait", "composite", TOP):
            with pytest.raises(InvalidInput, match="is in this draft already"):
                _dimension(draft, code)

        assert Dimension.objects.count() == 1

    def test_goalposts_that_are_equal_are_refused(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        _place(draft, "a", "wait")

        with pytest.raises(InvalidInput):
            drafts.set_goalposts(version=draft, code="wait", worst=3, best=3, by=SYSTEM, now=NOW)

        assert WeightedIndicator.objects.get().best == 7
        drafts.set_goalposts(version=draft, code="wait", worst=2, best=6, by=SYSTEM, now=NOW)
        assert WeightedIndicator.objects.get().best == 6

    def test_a_dimension_takes_another_name_and_a_target(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")

        drafts.change_dimension(
            version=draft, code="a", name={"en": "Aim"}, target=80, by=SYSTEM, now=NOW
        )

        changed = Dimension.objects.get()
        assert (changed.name, changed.target) == ({"en": "Aim"}, 80)
        with pytest.raises(InvalidInput, match="Points lie between 0 and 100"):
            drafts.change_dimension(
                version=draft, code="a", name={"en": "Aim"}, target=101, by=SYSTEM, now=NOW
            )

    def test_what_is_not_there_is_not_found(self, draft: SystemVersion) -> None:
        with pytest.raises(NotFound, match="no dimension “z”"):
            drafts.remove_dimension(version=draft, code="z", by=SYSTEM, now=NOW)
        with pytest.raises(NotFound, match="no indicator “z”"):
            drafts.remove_indicator(version=draft, code="z", by=SYSTEM, now=NOW)
        with pytest.raises(NotFound):
            _weigh(draft, "z", a=1)

    def test_an_indicator_of_a_ready_system_brings_its_goalposts(
        self, draft: SystemVersion
    ) -> None:
        _dimension(draft, "a")

        made = place_indicator(
            version=draft,
            within="a",
            indicator="bank:transaction-accuracy",
            by=SYSTEM,
            now=NOW,
        )

        assert (made.worst, made.best) == (0.95, 1.0)
        assert Indicator.objects.filter(code="transaction-error-rate").exists()

    def test_one_of_the_catalogue_needs_goalposts(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        _indicator("wait")

        with pytest.raises(InvalidInput, match="which values are worth 0 and 100"):
            place_indicator(
                version=draft,
                within="a",
                indicator="wait",
                by=SYSTEM,
                now=NOW,
            )

        assert not WeightedIndicator.objects.exists()

    def test_every_act_is_in_the_ledger(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        _weigh(draft, TOP, a=1)
        discard_draft(version=draft, by=SYSTEM, now=NOW)

        acts = AuditEntry.objects.filter(action__startswith="indicators.").order_by("id")
        assert list(acts.values_list("action", flat=True)) == [
            "indicators.system_defined",
            "indicators.version_drafted",
            "indicators.dimension_added",
            "indicators.weights_set",
            "indicators.discarded",
        ]
        assert not Dimension.objects.exists()

    def test_needs_the_permission(self, draft: SystemVersion) -> None:
        chen = make_principal({}, key="user:9")

        with pytest.raises(NotPermitted):
            drafts.add_dimension(version=draft, code="a", name={"en": "A"}, by=chen, now=NOW)
        with pytest.raises(NotPermitted):
            publish_version(version=draft, by=chen, now=NOW)

        assert not Dimension.objects.exists()


class TestVersions:
    def _published(self, draft: SystemVersion) -> SystemVersion:
        _dimension(draft, "a")
        _place(draft, "a", "wait")
        return publish_version(version=draft, by=SYSTEM, now=NOW)

    def test_a_copy_says_what_the_published_one_says(self, draft: SystemVersion) -> None:
        change_draft(version=draft, grains=["month"], since=SINCE, target=70, by=SYSTEM, now=NOW)
        published = self._published(draft)

        copied = copy_version(system=published.system, by=SYSTEM, now=NOW)

        assert (copied.number, copied.state) == (2, "draft")
        assert (copied.grains, copied.since, copied.target) == (["month"], SINCE, 70)
        assert tree_of(copied) == tree_of(published)

    def test_a_second_draft_is_refused(self, draft: SystemVersion) -> None:
        published = self._published(draft)
        copy_version(system=published.system, by=SYSTEM, now=NOW)

        with pytest.raises(Conflict, match="There is a draft already"):
            copy_version(system=published.system, by=SYSTEM, now=NOW)

        assert SystemVersion.objects.count() == 2

    def test_without_a_published_one_there_is_nothing_to_copy(self) -> None:
        system = define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW)

        with pytest.raises(Conflict, match="Nothing of this system is published"):
            copy_version(system=system, by=SYSTEM, now=NOW)

    def test_a_published_one_is_not_edited(self, draft: SystemVersion) -> None:
        published = self._published(draft)

        for act in (
            lambda: _dimension(published, "b"),
            lambda: _weigh(published, TOP, a=1),
            lambda: discard_draft(version=published, by=SYSTEM, now=NOW),
            lambda: change_draft(
                version=published, grains=["week"], since=SINCE, target=None, by=SYSTEM, now=NOW
            ),
        ):
            with pytest.raises(Conflict, match="never changes"):
                act()

        assert Dimension.objects.count() == 1


class TestCheck:
    def test_only_watched_is_no_system(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        _place(draft, "a", "wait")
        _weigh(draft, TOP, a=0)

        assert _stops(draft) == [
            "dimensions: Everything in it is only watched: give at least one dimension a weight."
        ]

    def test_a_dimension_of_watched_ones_has_no_weight(self, draft: SystemVersion) -> None:
        for code, indicator in (("a", "wait"), ("b", "rework")):
            _dimension(draft, code)
            _place(draft, code, indicator)
        _weigh(draft, "b", rework=0)

        assert _stops(draft) == [
            "b: Everything in it is only watched, so that it cannot have a weight itself."
        ]
        _weigh(draft, TOP, a=1, b=0)
        assert _stops(draft) == []

    def test_weights_that_miss_one_are_named(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        _place(draft, "a", "wait")
        _place(draft, "a", "rework")
        _weigh(draft, "a", wait=0.5, rework=0.4)

        assert _stops(draft) == ["a: The weights in it sum to 0.9, not to 1."]

    def test_a_target_beyond_the_goalposts_is_named(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        leaf = _place(draft, "a", "wait")
        set_target(indicator=leaf.indicator, value=8, floor=None, on=SINCE, by=SYSTEM, now=NOW)

        assert _stops(draft) == [
            "wait: Its target 8 lies outside its goalposts, 1 to 7: it could never be told from"
            " the points."
        ]

    def test_goalposts_that_run_the_wrong_way_are_named(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        _place(draft, "a", "wait")
        drafts.set_goalposts(version=draft, code="wait", worst=7, best=1, by=SYSTEM, now=NOW)

        assert _stops(draft) == [
            "wait: Its goalposts run from 7 to 1, but it says: Higher is better."
        ]

    def test_what_ended_before_it_begins_is_named(self, draft: SystemVersion) -> None:
        _dimension(draft, "a")
        _place(draft, "a", "wait")
        Indicator.objects.update(valid_to=SINCE)

        assert _stops(draft) == ["wait: It ended before the first day that is evaluated."]

    def test_an_operand_that_is_measured_no_more_is_named(
        self, draft: SystemVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _indicator("rework")
        half = define_indicator(
            code="half", name={"en": "Half"}, formula="[rework] / 2", by=SYSTEM, now=NOW
        )
        _dimension(draft, "a")
        drafts.add_indicator(
            version=draft, within="a", indicator=half, scoring=Scoring(0, 1), by=SYSTEM, now=NOW
        )
        assert _stops(draft) == []

        Indicator.objects.filter(code="rework").update(parameters={"measure": "gone"})

        assert _stops(draft) == ["half: It needs “rework”: There is no measure “gone”."]


class TestAnswers:
    def _draft(self, code: str, *leaves: Indicator, grains: tuple[str, ...]) -> SystemVersion:
        system = IndicatorSystem.objects.filter(code=code).first() or define_system(
            code=code, name={"en": "Bank"}, by=SYSTEM, now=NOW
        )
        tree = [Branch("a", {"en": "A"}, 1, [Leaf(each, 1 / len(leaves), 1, 7) for each in leaves])]
        return draft_version(
            system=system, grains=grains, since=SINCE, tree=tree, by=SYSTEM, now=NOW
        )

    def _publish(self, code: str, *leaves: Indicator, grains: tuple[str, ...]) -> None:
        publish_version(version=self._draft(code, *leaves, grains=grains), by=SYSTEM, now=NOW)

    def test_weeks_beside_months_are_taken(self) -> None:
        draft = self._draft("bank", _indicator("care"), grains=("week", "month"))

        assert _stops(draft) == []

    def test_by_week_once_never_by_month(self) -> None:
        care = _indicator("care")
        self._publish("bank", care, grains=("week",))

        stops = _stops(self._draft("bank", care, grains=("week", "month")))

        assert [stop.partition(":")[0] for stop in stops] == ["grains"]
        assert "Weeks do not add up to months" in stops[0]

    def test_by_month_once_never_by_week_alone(self) -> None:
        care = _indicator("care")
        self._publish("bank", care, grains=("week", "month"))

        assert _stops(self._draft("bank", care, grains=("week",)))[0].startswith("grains")
        assert _stops(self._draft("bank", care, grains=("week", "year"))) == []

    def test_what_is_counted_may_change_its_periods(self) -> None:
        wait = _indicator("wait")
        self._publish("bank", wait, grains=("week",))

        assert _stops(self._draft("bank", wait, grains=("month",))) == []

    def test_what_is_counted_may_stand_in_several_systems(self) -> None:
        wait = _indicator("wait")
        self._publish("bank", wait, grains=("month",))

        assert _stops(self._draft("other", wait, grains=("month",))) == []

    def test_a_formula_over_answers_keeps_them_to_one_system(self) -> None:
        care = _indicator("care")
        self._publish("bank", care, grains=("month",))
        half = define_indicator(
            code="half", name={"en": "Half"}, formula="[care] / 2", by=SYSTEM, now=NOW
        )

        stops = _stops(self._draft("other", half, grains=("month",)))

        assert len(stops) == 1
        assert stops[0].startswith("half: These answers are evaluated in the system “bank”.")

    def test_what_only_a_formula_evaluates_belongs_to_its_system_too(self) -> None:
        _indicator("care")
        half = define_indicator(
            code="half", name={"en": "Half"}, formula="[care] / 2", by=SYSTEM, now=NOW
        )
        self._publish("bank", half, grains=("month",))

        stops = _stops(self._draft("other", _indicator("speed"), grains=("month",)))

        assert stops[0].startswith("speed: These answers are evaluated in the system “bank”.")


def test_weights_are_kept_exactly(draft: SystemVersion) -> None:
    _dimension(draft, "a")
    _dimension(draft, "b")

    drafts.set_weights(
        version=draft,
        group=TOP,
        weights={"a": Decimal("0.333333333333"), "b": Decimal("0.666666666667")},
        by=SYSTEM,
        now=NOW,
    )

    assert Dimension.objects.get(code="a").weight == Decimal("0.333333333333")
