"""Judging, choosing how to weigh, applying, and what is kept of it."""

from decimal import Decimal
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal, system_principal
from sqcore.indicators.conditions import TOP
from sqcore.indicators.models import Dimension, SystemVersion
from sqcore.indicators.services import copy_version
from sqcore.tests.factories import NOW, make_principal
from sqcore.tests.weighting.factories import make_draft, make_expert, publish, weights_of
from sqcore.weighting.models import Judgement, WeightSet
from sqcore.weighting.queries import (
    Origin,
    Weighting,
    group_of,
    groups_of,
    origins_of,
    weighting_of,
)
from sqcore.weighting.services import apply_weights, choose_method, judge

pytestmark = pytest.mark.django_db

CONSISTENT = {
    "reliability:responsiveness": 3,
    "responsiveness:empathy": 2,
    "reliability:empathy": 6,
}
CIRCLE = {**CONSISTENT, "reliability:empathy": 1}


def look(version: SystemVersion, method: str = "") -> Weighting:
    return weighting_of(version, group_of(version, TOP), method=method)


def judgement_of(by: Principal) -> int:
    return Judgement.objects.get(expert=by.user).pk


def origin(version: SystemVersion) -> Origin:
    return origins_of(version)[0]


class TestJudge:
    def test_comparisons_are_kept_and_become_a_proposal(self) -> None:
        draft, mei = make_draft(), make_expert("mei")

        judge(version=draft, group=TOP, answers=CONSISTENT, by=mei, now=NOW)

        found = look(draft).weights
        assert found is not None
        assert {code: f"{weight:.6f}" for code, weight in found.items()} == {
            "reliability": "0.666667",
            "responsiveness": "0.222222",
            "empathy": "0.111111",
        }
        assert sum(found.values()) == 1
        assert weights_of(draft)["reliability"] == "0.333333"
        entry = AuditEntry.objects.get(action="weighting.judged")
        assert entry.details == {"group": TOP, "method": "ahp", "answers": 3}

    def test_the_answer_is_kept_the_way_it_is_at_least_one(self) -> None:
        draft, mei = make_draft(), make_expert("mei")

        judge(version=draft, group=TOP, answers={"empathy:reliability": 0.25}, by=mei, now=NOW)

        assert Judgement.objects.get().answers == {"reliability:empathy": 4.0}

    def test_what_is_said_later_stands_and_the_rest_stays(self) -> None:
        draft, mei = make_draft(), make_expert("mei")
        judge(version=draft, group=TOP, answers=CIRCLE, by=mei, now=NOW)

        judge(
            version=draft,
            group=TOP,
            answers={"empathy:reliability": 1 / 6, "reliability:responsiveness": None},
            by=mei,
            now=NOW,
        )

        assert Judgement.objects.get().answers == {
            "responsiveness:empathy": 2.0,
            "reliability:empathy": pytest.approx(6),
        }

    def test_too_few_comparisons_are_kept_but_propose_nothing(self) -> None:
        draft, mei = make_draft(), make_expert("mei")

        judge(version=draft, group=TOP, answers={"reliability:empathy": 3}, by=mei, now=NOW)

        assert look(draft).weights is None
        assert look(draft).proposal.reason.startswith("No expert is left")

    @pytest.mark.parametrize(
        "answers",
        [
            {"reliability:nothing": 3},
            {"reliability:reliability": 1},
            {"reliability": 3},
            {"reliability:empathy": 10},
            {"reliability:empathy": 0},
            {"reliability:empathy": -3},
            {"reliability:empathy": float("nan")},
            {"reliability:empathy": "3"},
            {"reliability:empathy": True},
            {"reliability:empathy": 3, "empathy:reliability": 3},
        ],
    )
    def test_what_is_no_comparison_is_refused(self, answers: dict[str, Any]) -> None:
        draft, mei = make_draft(), make_expert("mei")

        with pytest.raises(InvalidInput) as refusal:
            judge(version=draft, group=TOP, answers=answers, by=mei, now=NOW)

        assert refusal.value.problems[0].field in answers
        assert not Judgement.objects.exists()
        assert not AuditEntry.objects.exists()

    def test_a_published_version_is_not_judged(self) -> None:
        version, mei = publish(make_draft()), make_expert("mei")

        with pytest.raises(Conflict):
            judge(version=version, group=TOP, answers=CONSISTENT, by=mei, now=NOW)

        assert not WeightSet.objects.exists()

    def test_who_may_not_change_the_system_does_not_judge(self) -> None:
        draft, li = make_draft(), make_principal({Permission.VIEW_RESULTS: EVERYWHERE})

        with pytest.raises(NotPermitted):
            judge(version=draft, group=TOP, answers=CONSISTENT, by=li, now=NOW)

        assert not WeightSet.objects.exists()

    def test_only_a_person_is_an_expert(self) -> None:
        with pytest.raises(InvalidInput, match="Only a person"):
            judge(
                version=make_draft(), group=TOP, answers=CONSISTENT, by=system_principal(), now=NOW
            )

    def test_a_group_that_is_not_there_is_not_found(self) -> None:
        with pytest.raises(NotFound):
            judge(version=make_draft(), group="price", answers={}, by=make_expert("mei"), now=NOW)


class TestGroups:
    def test_are_the_top_and_every_dimension(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        draft = make_draft()

        with django_assert_num_queries(2):
            groups = groups_of(draft)

        assert [(group.code, group.codes) for group in groups] == [
            (TOP, ("reliability", "responsiveness", "empathy")),
            ("reliability", ("kept-promises", "without-error")),
            ("responsiveness", ()),
            ("empathy", ()),
        ]

    def test_top_is_a_name_of_the_top(self) -> None:
        assert group_of(make_draft(), "top").code == TOP


class TestExperts:
    def test_who_contradicts_too_much_is_left_out_with_a_setting(self) -> None:
        draft, mei, chen = make_draft(), make_expert("mei"), make_expert("chen")
        judge(version=draft, group=TOP, answers=CONSISTENT, by=mei, now=NOW)
        judge(version=draft, group=TOP, answers=CIRCLE, by=chen, now=NOW)

        facts = look(draft).proposal.facts
        assert (facts["experts"], facts["left_out"]) == (1, 1)
        assert facts["cr"] == pytest.approx(0, abs=1e-9)
        assert (facts["ri"], facts["ri_of"], facts["limit"]) == (0.58, "saaty", 0.1)

        choose_method(
            version=draft,
            group=TOP,
            method="ahp",
            settings={"leave_out_above": None, "strict": True},
            by=mei,
            now=NOW,
        )
        facts = look(draft).proposal.facts
        assert (facts["experts"], facts["left_out"], facts["limit"]) == (2, 0, 0.05)
        # Together: a geometric mean of 6 and 1 for the pair they disagree on
        assert facts["cr"] == pytest.approx((6 ** (1 / 6) + 6 ** (-1 / 6) - 2) / 2 / 0.58)

    def test_an_exponent_counts_one_more(self) -> None:
        draft, mei, chen = make_draft(("a", "b")), make_expert("mei"), make_expert("chen")
        judge(version=draft, group=TOP, answers={"a:b": 8}, by=mei, now=NOW)
        judge(version=draft, group=TOP, answers={"a:b": 1}, by=chen, now=NOW)

        choose_method(
            version=draft,
            group=TOP,
            method="ahp",
            exponents={judgement_of(mei): 2},
            by=mei,
            now=NOW,
        )

        weights = look(draft).weights
        assert weights is not None
        assert f"{weights['a']:.6f}" == "0.800000"

    @pytest.mark.parametrize("exponent", [-1, 101, float("nan")])
    def test_an_exponent_that_cannot_be_is_refused(self, exponent: float) -> None:
        draft, mei = make_draft(), make_expert("mei")
        judge(version=draft, group=TOP, answers=CONSISTENT, by=mei, now=NOW)

        with pytest.raises(InvalidInput):
            choose_method(
                version=draft,
                group=TOP,
                method="ahp",
                exponents={judgement_of(mei): exponent},
                by=mei,
                now=NOW,
            )

        assert Judgement.objects.get().exponent == 1

    def test_somebody_must_count(self) -> None:
        draft, mei = make_draft(), make_expert("mei")
        judge(version=draft, group=TOP, answers=CONSISTENT, by=mei, now=NOW)

        with pytest.raises(InvalidInput) as refusal:
            choose_method(
                version=draft,
                group=TOP,
                method="ahp",
                exponents={judgement_of(mei): 0},
                by=mei,
                now=NOW,
            )

        assert "more than 0" in str(refusal.value.problems[0])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("prioritisation", "median"),
            ("aggregation", "sum"),
            ("indices", "own"),
            ("leave_out_above", 0),
            ("leave_out_above", "much"),
        ],
    )
    def test_a_setting_that_cannot_be_is_named(self, name: str, value: object) -> None:
        draft, mei = make_draft(), make_expert("mei")

        with pytest.raises(InvalidInput) as refusal:
            choose_method(
                version=draft, group=TOP, method="ahp", settings={name: value}, by=mei, now=NOW
            )

        assert [problem.field for problem in refusal.value.problems] == [name]
        assert not WeightSet.objects.exists()


class TestShares:
    def enter(self, draft: SystemVersion, **shares: object) -> None:
        choose_method(
            version=draft,
            group=TOP,
            method="direct",
            settings={"shares": shares},
            by=make_expert("mei"),
            now=NOW,
        )

    def test_shares_become_weights(self) -> None:
        draft = make_draft()

        self.enter(draft, reliability="50", responsiveness="30.5", empathy="19.5")

        assert look(draft).weights == {
            "reliability": Decimal("0.5"),
            "responsiveness": Decimal("0.305"),
            "empathy": Decimal("0.195"),
        }

    def test_rounded_thirds_sum_to_one(self) -> None:
        draft = make_draft()

        self.enter(draft, reliability="33.3", responsiveness="33.3", empathy="33.3")

        weights = look(draft).weights
        assert weights is not None
        assert sum(weights.values()) == 1
        assert {f"{weight:.9f}" for weight in weights.values()} == {"0.333333333"}

    @pytest.mark.parametrize(
        ("shares", "field"),
        [
            ({"reliability": 50, "responsiveness": 30}, "empathy"),
            ({"reliability": 50, "responsiveness": 30, "empathy": 30}, ""),
            ({"reliability": 110, "responsiveness": -10, "empathy": 0}, "reliability"),
            ({"reliability": "x", "responsiveness": 50, "empathy": 50}, "reliability"),
            ({"reliability": 50, "responsiveness": 30, "empathy": 20, "price": 0}, "price"),
        ],
    )
    def test_shares_that_cannot_be_are_named(self, shares: dict[str, object], field: str) -> None:
        draft = make_draft()

        with pytest.raises(InvalidInput) as refusal:
            self.enter(draft, **shares)

        assert refusal.value.problems[0].field == field
        assert not WeightSet.objects.exists()

    def test_after_a_part_was_added_the_shares_are_asked_anew(self) -> None:
        draft = make_draft()
        self.enter(draft, reliability=50, responsiveness=30, empathy=20)
        Dimension.objects.create(version=draft, code="price", name={"en": "Price"}, weight=0)

        assert look(draft).weights is None
        assert "anew" in look(draft).proposal.reason


class TestWatched:
    def test_what_has_no_weight_is_not_compared(self) -> None:
        draft, mei = make_draft(), make_expert("mei")
        Dimension.objects.filter(code="empathy").update(weight=0)

        judge(version=draft, group=TOP, answers={"reliability:responsiveness": 4}, by=mei, now=NOW)

        assert look(draft).weights == {
            "reliability": Decimal("0.8"),
            "responsiveness": Decimal("0.2"),
            "empathy": Decimal(0),
        }

    def test_it_can_be_taken_in(self) -> None:
        draft, mei = make_draft(), make_expert("mei")
        Dimension.objects.filter(code="empathy").update(weight=0)

        choose_method(version=draft, group=TOP, method="equal", watched=[], by=mei, now=NOW)

        weights = look(draft).weights
        assert weights is not None
        assert f"{weights['empathy']:.6f}" == "0.333333"

    @pytest.mark.parametrize("watched", [["price"], ["reliability", "responsiveness", "empathy"]])
    def test_something_of_the_group_must_count(self, watched: list[str]) -> None:
        draft = make_draft()

        with pytest.raises(InvalidInput):
            choose_method(
                version=draft,
                group=TOP,
                method="equal",
                watched=watched,
                by=make_expert("mei"),
                now=NOW,
            )

        assert not WeightSet.objects.exists()


class TestApply:
    def test_writes_the_weights_into_the_draft_and_keeps_how_they_came_about(self) -> None:
        draft, mei = make_draft(), make_expert("mei")
        judge(version=draft, group=TOP, answers=CONSISTENT, by=mei, now=NOW)

        apply_weights(version=draft, group=TOP, by=mei, now=NOW, seen=look(draft).digest)

        assert weights_of(draft) == {
            "reliability": "0.666667",
            "responsiveness": "0.222222",
            "empathy": "0.111111",
        }
        found = origin(publish(draft))
        assert (found.method, found.number, found.by, found.at) == ("ahp", 1, "Mei", NOW)
        assert found.facts is not None
        assert (found.facts["experts"], found.facts["given"]) == (1, 3)
        entry = AuditEntry.objects.get(action="weighting.applied")
        assert entry.details["method"] == "ahp"
        assert AuditEntry.objects.filter(action="indicators.weights_set").exists()

    def test_what_nobody_saw_is_not_applied(self) -> None:
        draft, mei, chen = make_draft(), make_expert("mei"), make_expert("chen")
        judge(version=draft, group=TOP, answers=CONSISTENT, by=mei, now=NOW)
        seen = look(draft).digest
        judge(version=draft, group=TOP, answers={"reliability:empathy": 3}, by=mei, now=NOW)

        with pytest.raises(Conflict, match="changed since"):
            apply_weights(version=draft, group=TOP, by=chen, now=NOW, seen=seen)

        assert weights_of(draft)["reliability"] == "0.333333"

    def test_without_weights_there_is_nothing_to_apply(self) -> None:
        draft, mei = make_draft(), make_expert("mei")
        with pytest.raises(Conflict, match="Nobody has weighed"):
            apply_weights(version=draft, group=TOP, by=mei, now=NOW)
        judge(version=draft, group=TOP, answers={"reliability:empathy": 3}, by=mei, now=NOW)

        with pytest.raises(Conflict, match="no weights to apply"):
            apply_weights(version=draft, group=TOP, by=mei, now=NOW)

        assert weights_of(draft)["reliability"] == "0.333333"

    def test_a_published_version_keeps_its_weights(self) -> None:
        draft, mei = make_draft(), make_expert("mei")
        judge(version=draft, group=TOP, answers=CONSISTENT, by=mei, now=NOW)
        publish(draft)

        with pytest.raises(Conflict, match="never changes"):
            apply_weights(version=draft, group=TOP, by=mei, now=NOW)

        assert weights_of(draft)["reliability"] == "0.333333"

    def test_indicators_of_a_dimension_are_weighed_among_themselves(self) -> None:
        draft, mei = make_draft(), make_expert("mei")
        answers = {"kept-promises:without-error": 4}
        judge(version=draft, group="reliability", answers=answers, by=mei, now=NOW)

        apply_weights(version=draft, group="reliability", by=mei, now=NOW)

        assert group_of(draft, "reliability").weights == {
            "kept-promises": Decimal("0.8"),
            "without-error": Decimal("0.2"),
        }


class TestOrigin:
    def applied(self) -> SystemVersion:
        draft, mei = make_draft(), make_expert("mei")
        judge(version=draft, group=TOP, answers=CONSISTENT, by=mei, now=NOW)
        apply_weights(version=draft, group=TOP, by=mei, now=NOW)
        return draft

    def test_is_not_claimed_after_somebody_changed_the_weights(self) -> None:
        draft = self.applied()
        Dimension.objects.filter(code="empathy").update(weight=Decimal("0.2"))

        assert origin(draft).method == ""

    def test_goes_on_into_the_next_version(self) -> None:
        version = publish(self.applied())
        draft = copy_version(system=version.system, by=make_expert("chen"), now=NOW)

        found = origin(draft)

        assert (found.method, found.number) == ("ahp", 1)

    def test_takes_three_queries(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        draft = self.applied()

        with django_assert_num_queries(3):
            assert [each.group.code for each in origins_of(draft)] == [TOP, "reliability"]

    def test_of_a_draft_is_for_its_makers_only(self) -> None:
        draft = self.applied()
        reader = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})

        assert not WeightSet.objects.visible_to(reader).exists()
        assert not Judgement.objects.visible_to(reader).exists()
        publish(draft)
        assert WeightSet.objects.visible_to(reader).exists()
        assert not Judgement.objects.visible_to(reader).exists()
