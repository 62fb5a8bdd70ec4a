"""Expert rounds: scores become weights, a round shows what all said, and when it is settled."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE
from sqcore.indicators.conditions import TOP
from sqcore.indicators.models import Dimension, SystemVersion
from sqcore.tests.factories import NOW, make_principal
from sqcore.tests.weighting.factories import (
    SCORES,
    make_draft,
    make_expert,
    publish,
    scored,
    weights_of,
)
from sqcore.weighting.methods import Basis, Said
from sqcore.weighting.models import ExpertRound, Judgement, WeightSet
from sqcore.weighting.queries import Weighting, group_of, origins_of, weighting_of
from sqcore.weighting.rounds import ScoreRounds
from sqcore.weighting.services import apply_weights, choose_method, close_round, judge
from sqcore.weighting.wording import words_of

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=1)


def look(version: SystemVersion) -> Weighting:
    return weighting_of(version, group_of(version, TOP), method="rounds")


def say(draft: SystemVersion, name: str, answers: dict[str, Any], **over: Any) -> None:
    given = {"by": make_expert(name), "now": NOW, **over}
    judge(version=draft, group=TOP, method="rounds", answers=answers, **given)


@pytest.fixture
def draft() -> SystemVersion:
    made = make_draft()
    for name, scores in SCORES.items():
        say(made, name, scored(scores))
    return made


class TestScores:
    def test_mean_scores_become_weights(self, draft: SystemVersion) -> None:
        # Means 9, 19 / 3 and 3, sum 55 / 3
        weights = look(draft).weights

        assert weights is not None
        assert {code: f"{weight:.6f}" for code, weight in weights.items()} == {
            "reliability": "0.490909",
            "responsiveness": "0.345455",
            "empathy": "0.163636",
        }
        assert sum(weights.values()) == 1

    def test_how_far_they_agree_is_told(self, draft: SystemVersion) -> None:
        facts = look(draft).proposal.facts

        assert (facts["experts"], facts["left_out"], facts["round"]) == (3, 0, 1)
        assert (facts["w"], facts["p_by"]) == (1.0, "exact")
        assert facts["p"] == pytest.approx(1 / 36)
        assert facts["parts"]["reliability"]["median"] == 9
        assert facts["parts"]["reliability"]["cv"] == pytest.approx(1 / 9)

    def test_who_left_a_part_out_does_not_count(self, draft: SystemVersion) -> None:
        say(draft, "hua", scored((1,), ("empathy",)))

        facts = look(draft).proposal.facts
        assert (facts["experts"], facts["left_out"], facts["w"]) == (3, 1, 1.0)

    def test_an_expert_can_count_more_or_nothing(self, draft: SystemVersion) -> None:
        ids = {each.expert.username: each.pk for each in Judgement.objects.select_related("expert")}  # type: ignore[union-attr]  # all have accounts
        choose_method(
            version=draft,
            group=TOP,
            method="rounds",
            exponents={ids["mei"]: 0, ids["chen"]: 3},
            by=make_expert("hua"),
            now=NOW,
        )

        # 3 x 8 6 2 and 10 7 4: 34, 25, 10 of 69
        weights = look(draft).weights
        assert weights is not None
        assert f"{weights['reliability']:.6f}" == f"{34 / 69:.6f}"

    def test_an_answer_is_kept_with_its_reason_and_can_be_withdrawn(self) -> None:
        draft, mei = make_draft(), make_expert("mei")
        answers: dict[str, Any] = {"reliability": {"score": 7, "reason": " A  reason\n"}}
        judge(version=draft, group=TOP, method="rounds", answers=answers, by=mei, now=NOW)
        assert Judgement.objects.get().answers == {
            "reliability": {"score": 7, "reason": "A reason"}
        }

        answers = {"reliability": None, "empathy": {"score": 3}}
        judge(version=draft, group=TOP, method="rounds", answers=answers, by=mei, now=NOW)

        assert Judgement.objects.get().answers == {"empathy": {"score": 3, "reason": ""}}

    @pytest.mark.parametrize(
        "answer",
        [
            {"score": 0},
            {"score": 11},
            {"score": 7.5},
            {"score": True},
            {"score": "7"},
            {},
            7,
            {"score": 7, "reason": "x" * 501},
        ],
    )
    def test_what_is_no_score_is_refused(self, answer: object) -> None:
        with pytest.raises(InvalidInput) as refusal:
            say(make_draft(), "mei", {"reliability": answer})

        assert [problem.field for problem in refusal.value.problems] == ["reliability"]
        assert not Judgement.objects.exists()

    def test_a_part_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(InvalidInput):
            say(make_draft(), "mei", {"price": {"score": 5}})

        assert not Judgement.objects.exists()

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            ((), "Nobody has scored yet."),
            ((Said(1, {"a": {"score": 5}}),), "No expert has scored all parts yet."),
        ],
    )
    def test_without_scores_of_all_parts_there_are_no_weights(
        self, said: tuple[Said, ...], reason: str
    ) -> None:
        found = ScoreRounds().weigh(Basis(("a", "b"), said=said))

        assert (found.weights, found.reason) == (None, reason)

    def test_one_part_has_all_the_weight(self) -> None:
        found = ScoreRounds().weigh(Basis(("a",)))

        assert found.weights == {"a": Decimal(1)}


class TestClosing:
    def test_shows_all_what_was_said_and_nobody_by_name(self, draft: SystemVersion) -> None:
        reasons = scored(SCORES["mei"])
        reasons["empathy"]["reason"] = "Machines do it now"
        say(draft, "hua", reasons)

        closed = close_round(version=draft, group=TOP, by=make_expert("ana"), now=NOW)

        assert (closed.number, closed.summary["experts"]) == (1, 4)
        assert closed.summary["settled"] == "agreed"
        empathy = closed.summary["parts"]["empathy"]
        assert (empathy["median"], empathy["reasons"]) == (3.0, ["Machines do it now"])
        assert not {"mei", "Mei", "Hua"} & set(str(closed.summary).split("'"))
        entry = AuditEntry.objects.get(action="weighting.round_closed")
        assert entry.details == {"group": TOP, "number": 1}

    def test_keeps_what_everybody_had_said(self, draft: SystemVersion) -> None:
        close_round(version=draft, group=TOP, by=make_expert("ana"), now=NOW)
        mei = Judgement.objects.get(expert__username="mei")
        assert mei.former == mei.answers == scored(SCORES["mei"])

    def test_an_answer_after_it_moves_the_weights(self, draft: SystemVersion) -> None:
        ana = make_expert("ana")
        close_round(version=draft, group=TOP, by=ana, now=NOW)
        judge(
            version=draft,
            group=TOP,
            method="rounds",
            answers=scored((10, 10, 10)),
            by=ana,
            now=LATER,
        )

        found = look(draft)
        assert found.proposal.facts["round"] == 2
        assert found.proposal.facts["rounds"] == [
            {
                "number": 1,
                "experts": 3,
                "w": 1.0,
                "p": pytest.approx(1 / 36),
                "settled": "agreed",
            }
        ]
        assert found.proposal.facts["experts"] == 4

    def test_is_steady_when_close_scores_move_no_more(self) -> None:
        # Two of three experts turn one pair round: W 1 / 9 in both rounds, all quartiles within 1
        draft = make_draft()
        for name, scores in {"mei": (5, 5, 6), "chen": (6, 5, 5), "li": (5, 6, 5)}.items():
            say(draft, name, scored(scores))
        ana = make_expert("ana")
        first = close_round(version=draft, group=TOP, by=ana, now=NOW)
        say(draft, "hua", scored((5, 5, 6)), now=LATER)
        Judgement.objects.filter(expert__username="hua").delete()
        Judgement.objects.filter(expert__username="mei").update(said_at=LATER)

        second = close_round(version=draft, group=TOP, by=ana, now=LATER)

        assert first.summary["settled"] == "open"
        assert (second.number, second.summary["settled"]) == (2, "steady")

    def test_needs_an_answer_since_the_last_one(self, draft: SystemVersion) -> None:
        ana = make_expert("ana")
        close_round(version=draft, group=TOP, by=ana, now=NOW)

        with pytest.raises(Conflict, match="Nobody has answered since"):
            close_round(version=draft, group=TOP, by=ana, now=LATER)

        assert ExpertRound.objects.count() == 1

    def test_needs_two_experts(self) -> None:
        draft, mei = make_draft(), make_expert("mei")
        with pytest.raises(Conflict, match="at least 2 experts"):
            close_round(version=draft, group=TOP, by=mei, now=NOW)
        judge(
            version=draft,
            group=TOP,
            method="rounds",
            answers=scored((9, 6, 3)),
            by=mei,
            now=NOW,
        )

        with pytest.raises(Conflict, match="at least 2 experts"):
            close_round(version=draft, group=TOP, by=mei, now=NOW)

        assert not ExpertRound.objects.exists()

    def test_is_for_who_may_change_the_system_and_a_draft(self, draft: SystemVersion) -> None:
        reader = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})
        with pytest.raises(NotPermitted):
            close_round(version=draft, group=TOP, by=reader, now=NOW)
        ana = make_expert("ana")
        publish(draft)
        with pytest.raises(Conflict, match="never changes"):
            close_round(version=draft, group=TOP, by=ana, now=NOW)

        assert not ExpertRound.objects.exists()
        assert not ExpertRound.objects.visible_to(reader).exists()


class TestOrigin:
    def test_a_published_version_tells_how_far_experts_agreed(self, draft: SystemVersion) -> None:
        ana = make_expert("ana")
        close_round(version=draft, group=TOP, by=ana, now=NOW)
        choose_method(version=draft, group=TOP, method="rounds", by=ana, now=NOW)
        apply_weights(version=draft, group=TOP, by=ana, now=NOW)

        found = origins_of(publish(draft))[0]

        assert weights_of(draft)["reliability"] == "0.490909"
        assert found.method == "rounds"
        lines = dict(words_of(found).lines)
        assert lines["Agreement"].startswith("strong agreement (W 1.00).")
        assert lines["Rounds"] == ("1 round was closed. They agree: another round is not needed.")

    def test_what_is_watched_is_not_scored(self, draft: SystemVersion) -> None:
        Dimension.objects.filter(code="empathy").update(weight=0)

        found = look(draft)

        assert found.basis.codes == ("reliability", "responsiveness")
        assert found.weights is not None
        assert found.weights["empathy"] == 0
        assert WeightSet.objects.get().method == "rounds"
