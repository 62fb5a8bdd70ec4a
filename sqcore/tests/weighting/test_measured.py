"""Weights by published figures, and two ways made one."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from sqcore.base.errors import InvalidInput
from sqcore.indicators.conditions import TOP
from sqcore.indicators.models import Dimension, SystemVersion
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, make_unit
from sqcore.tests.weighting.factories import (
    evaluate,
    make_draft,
    make_expert,
    make_units,
    publish,
)
from sqcore.tests.weighting.test_services import CONSISTENT
from sqcore.weighting.measured import CombinedWeights, CriticWeights, EntropyWeights
from sqcore.weighting.methods import Basis, Figures, Proposal
from sqcore.weighting.models import WeightSet
from sqcore.weighting.queries import Weighting, group_of, origins_of, weighting_of
from sqcore.weighting.services import apply_weights, choose_method, judge
from sqcore.weighting.wording import words_of

pytestmark = pytest.mark.django_db

FIVE = [(80, 50, 60), (70, 50, 65), (60, 50, 40), (75, 50, 90), (90, 50, 45)]


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def branches(bank: Unit) -> list[Unit]:
    return make_units(5, bank)


@pytest.fixture
def published() -> SystemVersion:
    return publish(make_draft())


@pytest.fixture
def draft(published: SystemVersion) -> SystemVersion:
    return make_draft(system=published.system, number=2)


def figures(
    published: SystemVersion,
    bank: Unit,
    branches: list[Unit],
    rows: Sequence[Sequence[float | None]] = FIVE,
    period: str = "2026-01",
    **over: Any,
) -> None:
    evaluate(published, period, dict(zip(branches, rows, strict=True)), top=bank, **over)


def look(version: SystemVersion, method: str) -> Weighting:
    return weighting_of(version, group_of(version, TOP), method=method)


class TestByFigures:
    def test_what_tells_units_apart_weighs(
        self, published: SystemVersion, draft: SystemVersion, bank: Unit, branches: list[Unit]
    ) -> None:
        figures(published, bank, branches)

        for method in ("entropy", "critic"):
            found = look(draft, method)
            assert found.weights is not None
            assert found.weights["responsiveness"] == 0
            assert found.weights["empathy"] > found.weights["reliability"] * Decimal("0.9")
            assert sum(found.weights.values()) == 1
            facts = found.proposal.facts
            assert (facts["period"], facts["of_version"]) == ("2026-01", 1)
            assert (facts["units"], facts["units_left_out"]) == (5, 0)

    def test_the_newest_closed_period_counts_or_the_one_chosen(
        self, published: SystemVersion, draft: SystemVersion, bank: Unit, branches: list[Unit]
    ) -> None:
        figures(published, bank, branches)
        figures(published, bank, branches, period="2026-02")
        assert look(draft, "entropy").proposal.facts["period"] == "2026-02"

        choose_method(
            version=draft,
            group=TOP,
            method="entropy",
            settings={"period": "2026-01"},
            by=make_expert("ana"),
            now=NOW,
        )

        assert look(draft, "").proposal.facts["period"] == "2026-01"

    def test_weeks_beside_months_have_no_scores_of_dimensions(
        self, published: SystemVersion, draft: SystemVersion, bank: Unit, branches: list[Unit]
    ) -> None:
        published.grains = ["week", "month"]
        published.save()
        figures(published, bank, branches, period="2026-W20")

        assert look(draft, "entropy").weights is None

    def test_units_above_are_not_counted_twice(
        self, published: SystemVersion, draft: SystemVersion, bank: Unit, branches: list[Unit]
    ) -> None:
        rows = dict(zip(branches, FIVE, strict=True)) | {bank: (75, 50, 60)}
        run = evaluate(published, "2026-01", rows)
        run.tree = {str(branch.pk): bank.pk for branch in branches} | {str(bank.pk): None}
        run.save()

        assert look(draft, "critic").proposal.facts["units"] == 5

    def test_suppressed_figures_take_no_part(
        self, published: SystemVersion, draft: SystemVersion, bank: Unit
    ) -> None:
        figures(published, bank, make_units(6, bank), [*FIVE, (10, None, 99)])

        facts = look(draft, "critic").proposal.facts
        assert (facts["units"], facts["units_left_out"]) == (5, 1)

    def test_indicators_of_a_dimension_are_weighed_too(
        self, published: SystemVersion, draft: SystemVersion, bank: Unit, branches: list[Unit]
    ) -> None:
        rows = [(80, 60), (70, 65), (60, 40), (75, 90), (90, 45)]
        codes = ("kept-promises", "without-error")
        figures(published, bank, branches, rows, codes=codes, kind="indicator")

        found = weighting_of(draft, group_of(draft, "reliability"), method="critic")

        assert found.weights is not None
        assert set(found.weights) == set(codes)

    def test_without_figures_of_the_version_in_force_there_are_none(
        self, published: SystemVersion, draft: SystemVersion, bank: Unit, branches: list[Unit]
    ) -> None:
        assert look(draft, "entropy").proposal == Proposal(
            None, "There are no published figures of a closed period by the version in force."
        )
        figures(published, bank, branches)
        third = publish(draft)
        next_draft = make_draft(system=third.system, number=3)

        assert look(next_draft, "entropy").weights is None

    @pytest.mark.parametrize(
        ("rows", "reason"),
        [
            (FIVE[:4], "4 units have a published figure in every part; at least 5 are needed."),
            (
                [(row[0], row[1], None) for row in FIVE],
                "No unit has a published figure of: Empathy.",
            ),
            (
                [(50, 50, 50)] * 5,
                "The units hardly differ in these parts, so that their figures cannot weigh them.",
            ),
        ],
    )
    def test_too_little_is_refused_with_its_reason(
        self,
        published: SystemVersion,
        draft: SystemVersion,
        bank: Unit,
        rows: list[tuple[float | None, ...]],
        reason: str,
    ) -> None:
        figures(published, bank, make_units(len(rows), bank), rows)

        found = look(draft, "critic")

        assert (found.weights, found.proposal.reason) == (None, reason)

    def test_parts_that_say_the_same_cannot_be_told_apart(self) -> None:
        rows = tuple((float(at), float(2 * at)) for at in range(5))

        found = CriticWeights().weigh(Basis(("a", "b"), figures=Figures("2026-01", 1, 1, 1, rows)))

        assert found.weights is None
        assert found.reason.startswith("All parts put the units into the same order")

    def test_one_part_has_all_the_weight(self) -> None:
        assert EntropyWeights().weigh(Basis(("a",))).weights == {"a": Decimal(1)}

    def test_nobody_is_asked(self, draft: SystemVersion) -> None:
        with pytest.raises(InvalidInput, match="asks no experts"):
            judge(
                version=draft,
                group=TOP,
                method="critic",
                answers={},
                by=make_expert("ana"),
                now=NOW,
            )

        assert not WeightSet.objects.exists()

    def test_takes_a_fixed_number_of_queries(
        self,
        published: SystemVersion,
        draft: SystemVersion,
        bank: Unit,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        figures(published, bank, make_units(12, bank), (FIVE * 3)[:12])
        group = group_of(draft, TOP)

        with django_assert_num_queries(6):
            assert weighting_of(draft, group, method="critic").weights is not None


class TestCombined:
    def parts(self) -> dict[str, Proposal]:
        return {
            "ahp": Proposal({"a": Decimal("0.6"), "b": Decimal("0.4")}, facts={"cr": 0.0}),
            "critic": Proposal({"a": Decimal("0.2"), "b": Decimal("0.8")}),
        }

    @pytest.mark.parametrize(
        ("settings", "a"),
        [
            ({}, "0.400000"),
            ({"theta": 0.25}, "0.300000"),
            ({"how": "multiplicative"}, "0.272727"),
            ({"how": "geometric"}, "0.379796"),
        ],
    )
    def test_two_ways_become_one(self, settings: dict[str, Any], a: str) -> None:
        found = CombinedWeights().weigh(Basis(("a", "b"), settings, others=self.parts()))

        assert found.weights is not None
        assert f"{found.weights['a']:.6f}" == a
        assert sum(found.weights.values()) == 1
        assert found.facts["parts"]["ahp"] == {
            "weights": {"a": "0.6", "b": "0.4"},
            "facts": {"cr": 0.0},
        }

    def test_what_one_of_them_lacks_is_said(self) -> None:
        others = {**self.parts(), "critic": Proposal(None, "Too few.")}

        found = CombinedWeights().weigh(Basis(("a", "b"), others=others))

        assert (found.weights, found.reason) == (None, "“CRITIC” proposes nothing: Too few.")

    def test_a_product_needs_a_part_in_both(self) -> None:
        others = {
            "ahp": Proposal({"a": Decimal(1), "b": Decimal(0)}),
            "critic": Proposal({"a": Decimal(0), "b": Decimal(1)}),
        }

        found = CombinedWeights().weigh(Basis(("a", "b"), {"how": "multiplicative"}, others=others))

        assert (found.weights, found.reason) == (None, "No part has a weight in both.")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("first", "combined"),
            ("first", "oracle"),
            ("second", "ahp"),
            ("how", "median"),
            ("theta", 1.5),
            ("theta", "half"),
            ("theta", float("nan")),
        ],
    )
    def test_settings_that_cannot_be_are_named(self, name: str, value: object) -> None:
        draft = make_draft()

        with pytest.raises(InvalidInput) as refusal:
            choose_method(
                version=draft,
                group=TOP,
                method="combined",
                settings={name: value},
                by=make_expert("ana"),
                now=NOW,
            )

        assert [problem.field for problem in refusal.value.problems] == [name]
        assert not WeightSet.objects.exists()

    def test_a_published_version_tells_both(
        self, published: SystemVersion, draft: SystemVersion, bank: Unit, branches: list[Unit]
    ) -> None:
        figures(published, bank, branches)
        ana = make_expert("ana")
        judge(version=draft, group=TOP, answers=CONSISTENT, by=ana, now=NOW)
        choose_method(version=draft, group=TOP, method="combined", by=ana, now=NOW)
        apply_weights(version=draft, group=TOP, by=ana, now=NOW, seen=look(draft, "").digest)

        found = origins_of(publish(draft))[0]

        assert found.method == "combined"
        assert dict(words_of(found).lines) == {
            "Made of": "Compared in pairs (AHP) and CRITIC by sum; the first has the share 0.50.",
            "Compared in pairs (AHP) – Consistency": "consistent (0.000)",
            "CRITIC – Figures": "January 2026 by version 1, from 5 units.",
        }
        half = Decimal("0.5") * Decimal("0.222222")
        weight = Dimension.objects.get(version=draft, code="responsiveness").weight
        assert weight == pytest.approx(half, abs=Decimal("0.000001"))
