from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from sqcore.achievements.models import Kind
from sqcore.achievements.services import record_achievement
from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import KpiValue
from sqcore.org.models import Staff
from sqcore.performance.models import StaffResult
from training.certificates.models import Certificate
from training.incentives.facts import PeriodFacts
from training.incentives.models import Recognition
from training.incentives.recognition import answer_recognition, recognise, take_down
from training.incentives.rule_checks import apply_rules, understood
from training.incentives.rule_refusals import refusal_of
from training.incentives.rulebook import RULES, Line, RefusedRule, RuleRegistry
from training.incentives.rules import FeedbackNote
from training.incentives.wording import REASONS, reason_of
from training.tests.factories import (
    Bank,
    assign,
    course_of,
    make_competency,
    post_named,
    require,
    show,
    teller,
)
from training.tests.incentives.making import (
    APRIL,
    OVERALL,
    PAY,
    QUARTER,
    make_run,
    make_system,
    result,
    scores,
)

FIRST_QUARTER = Period(QUARTER, Grain.QUARTER)


def lines_of(rules: list[dict[str, Any]], kind: str = "pay") -> dict[int, list[Line]]:
    clean, problems = understood(kind, rules)
    assert problems == []
    return apply_rules(PeriodFacts(FIRST_QUARTER), clean)


def amounts(lines: dict[int, list[Line]], staff: Staff) -> dict[str, int]:
    return {line.part: line.amount for line in lines.get(staff.pk, [])}


def faults(rules: Any, kind: str = "pay") -> list[tuple[int | None, str]]:
    return [(problem.row, problem.field) for problem in understood(kind, rules)[1]]


class TestPay:
    @pytest.fixture(autouse=True)
    def _scores(self, bank: Bank) -> None:
        scores(make_system(), {bank.north: 80.0, bank.bank: 60.0})

    def test_the_person_part_is_linear_in_the_shrunk_estimate(self, bank: Bank) -> None:
        run = make_run()
        wang = teller("wang", bank.north)
        result(run, bank.li, bank.north, 4.0)
        result(run, wang, bank.north, 4.5)

        lines = lines_of(PAY)

        # 56,000 for the unit's 80 of 100; at most 3/7 of it, 24,000, for the own result.
        assert amounts(lines, bank.li) == {"team": 56_000, "person": 18_000}
        assert amounts(lines, wang) == {"team": 56_000, "person": 21_000}
        assert lines[bank.li.pk][1].figures["estimate"] == 4.0

    def test_the_person_part_is_never_more_than_30_per_cent(self, bank: Bank) -> None:
        run = make_run()
        for place, estimate in enumerate((1.0, 3.3, 4.99, 5.0)):
            result(run, teller(f"t{place}", bank.north), bank.north, estimate)

        for lines in lines_of(PAY).values():
            person = sum(line.amount for line in lines if line.part == "person")
            assert 0 <= person <= 0.3 * sum(line.amount for line in lines)

    def test_who_is_not_gated_gets_the_mean_of_the_unit_and_never_nothing(self, bank: Bank) -> None:
        run = make_run()
        four = [teller(f"t{place}", bank.north) for place in range(4)]
        for staff, estimate in zip(four, (3.8, 4.0, 4.2, 4.4), strict=True):
            result(run, staff, bank.north, estimate)
        few = result(run, bank.li, bank.north, 3.1, gate=StaffResult.Gate.NONE)

        lines = lines_of(PAY)

        mean = (3.8 + 4.0 + 4.2 + 4.4 + 3.1) / 5
        assert amounts(lines, bank.li)["person"] == int(24_000 * (mean - 1) / 4)
        assert amounts(lines, bank.mei) == amounts(lines, bank.li)
        assert lines[bank.li.pk][1].why == "mean"
        assert few.gate == "none"

    def test_a_mean_of_few_is_taken_from_all_so_that_it_is_nobodys_result(self, bank: Bank) -> None:
        run = make_run()
        result(run, bank.li, bank.north, 2.0)
        for place in range(5):
            result(run, teller(f"s{place}", bank.south), bank.south, 4.4)

        lines = lines_of(PAY)

        assert lines[bank.mei.pk][1].figures["mean"] == pytest.approx((2.0 + 5 * 4.4) / 6)

    def test_without_any_results_the_share_of_the_unit_stands_in(self, bank: Bank) -> None:
        lines = lines_of(PAY)

        assert amounts(lines, bank.li) == {"team": 56_000, "person": 19_200}
        assert lines[bank.li.pk][1].why == "team"

    def test_an_open_signal_pays_everybody_of_the_unit_the_same(self, bank: Bank) -> None:
        run = make_run()
        wang = teller("wang", bank.north)
        result(run, bank.li, bank.north, 3.0, held="signal", verdict="held")
        result(run, wang, bank.north, 5.0, held="signal", verdict="held")

        lines = lines_of(PAY)

        assert amounts(lines, bank.li) == amounts(lines, wang)

    def test_a_dispute_lifts_nobody_to_the_mean(self, bank: Bank) -> None:
        run = make_run()
        result(run, bank.li, bank.north, 2.0, held="dispute", verdict="held", disputed=1)

        assert amounts(lines_of(PAY), bank.li)["person"] == 6_000

    def test_disputing_so_much_that_the_gate_closes_lifts_nobody_to_the_mean(
        self, bank: Bank
    ) -> None:
        run = make_run()
        for place in range(4):
            result(run, teller(f"t{place}", bank.north), bank.north, 4.0)
        closed = {"gate": StaffResult.Gate.COACHING, "disputed": 20, "verdict": "held"}
        result(run, bank.li, bank.north, 2.0, held="dispute", reliability=0.85, **closed)
        result(run, bank.mei, bank.north, 5.0, held="dispute", reliability=0.85, **closed)

        lines = lines_of(PAY)

        assert amounts(lines, bank.li)["person"] == 6_000
        assert lines[bank.li.pk][1].why == "own"
        mean = (4 * 4.0 + 2.0 + 5.0) / 6
        assert amounts(lines, bank.mei)["person"] == int(24_000 * (mean - 1) / 4)

    def test_a_unit_without_a_score_takes_that_of_the_one_above(self, bank: Bank) -> None:
        lines = lines_of(PAY)

        assert amounts(lines, bank.chen)["team"] == 42_000
        assert lines[bank.chen.pk][0].why == "unit-above"

    def test_months_stand_in_for_a_quarter_that_was_not_evaluated(self, bank: Bank) -> None:
        KpiValue.objects.filter(unit=bank.north).update(grain=Grain.MONTH)

        assert amounts(lines_of(PAY[:1]), bank.li) == {"team": 56_000}

    def test_posts_leave_out_who_is_not_named(self, bank: Bank) -> None:
        lines = lines_of([PAY[0] | {"posts": ["teller"]}, PAY[1]])

        assert set(lines) == {bank.li.pk}

    def test_who_has_left_is_left_out_and_who_came_twice_counts_once(self, bank: Bank) -> None:
        assign(bank.li, bank.south, post_named("teller"), on=QUARTER)
        Staff.objects.filter(pk=bank.chen.pk).update(left_on=QUARTER)

        assert set(lines_of(PAY)) == {bank.li.pk, bank.mei.pk}


class TestAchievements:
    def achieve(self, staff: Staff, kind: Kind, reference: str) -> None:
        record_achievement(
            staff_id=staff.pk,
            kind=kind,
            title={"en": "Cash handling"},
            on=QUARTER,
            reference=reference,
            now=APRIL,
        )

    def test_a_fixed_amount_for_each_up_to_so_many(self, bank: Bank) -> None:
        for place in range(4):
            self.achieve(bank.li, Kind.COURSE, f"c{place}")
        self.achieve(bank.li, Kind.AWARD, "a")
        rule = {"rule": "achievement-fixed", "amount": 500, "kinds": ["course"], "most": 3}

        lines = lines_of([rule])

        assert amounts(lines, bank.li) == {"fixed": 1500}
        assert set(lines) == {bank.li.pk}

    def test_a_note_says_its_words(self, bank: Bank) -> None:
        self.achieve(bank.li, Kind.IMPROVEMENT, "i")
        rule = {"rule": "feedback-note", "kinds": ["improvement"], "text": {"en": "Well done"}}

        [line] = lines_of([rule], "feedback")[bank.li.pk]

        assert (line.amount, line.title) == (0, {"en": "Well done"})
        assert reason_of(line.as_json()) == "1 achievements in the period: Cash handling."


class TestHonour:
    def test_everybody_clearly_above_is_proposed_and_nobody_else(self, bank: Bank) -> None:
        run = make_run()
        above = {"verdict": StaffResult.Verdict.ABOVE}
        result(run, bank.li, bank.north, 4.8, gate=StaffResult.Gate.COACHING, **above)
        result(run, bank.mei, bank.north, 4.9, gate=StaffResult.Gate.NONE, **above)
        result(run, bank.chen, bank.south, 4.9)

        lines = lines_of([{"rule": "above-honour", "measure": OVERALL}], "honour")

        assert {staff: line[0].why for staff, line in lines.items()} == {bank.li.pk: "above"}


class TestThanks:
    RULE: ClassVar[dict[str, Any]] = {
        "rule": "thanks-honour",
        "least": 2,
        "sources": ["colleague", "customer"],
    }
    MARCH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def thank(self, bank: Bank, giver: Staff, staff: Staff, **over: Any) -> Recognition:
        words = recognise(
            staff_id=staff.pk, text="Thank you.", by=bank.as_(giver), now=self.MARCH, **over
        )
        return answer_recognition(
            recognition_id=words.pk, show=True, by=bank.as_(staff), now=self.MARCH
        )

    def test_who_was_thanked_by_different_people_is_proposed(self, bank: Bank) -> None:
        agreed = {"source": "customer", "consent_of_customer": "By telephone."}
        self.thank(bank, bank.chen, bank.li)
        self.thank(bank, bank.mei, bank.li, **agreed)

        [line] = lines_of([self.RULE], "honour")[bank.li.pk]

        assert (line.amount, reason_of(line.as_json())) == (
            0,
            "2 different people wrote words of thanks in the period.",
        )
        assert lines_of([self.RULE | {"sources": ["customer"]}], "honour") == {}

    def test_who_thanks_often_counts_once(self, bank: Bank) -> None:
        self.thank(bank, bank.chen, bank.li)
        self.thank(bank, bank.chen, bank.li)

        assert lines_of([self.RULE], "honour") == {}

    def test_thanks_that_go_both_ways_count_for_neither(self, bank: Bank) -> None:
        self.thank(bank, bank.chen, bank.li)
        self.thank(bank, bank.mei, bank.li)
        self.thank(bank, bank.li, bank.chen)

        assert lines_of([self.RULE], "honour") == {}
        assert set(lines_of([self.RULE | {"least": 1}], "honour")) == {bank.li.pk}

    def test_words_that_were_kept_back_or_taken_down_do_not_count(self, bank: Bank) -> None:
        words = self.thank(bank, bank.chen, bank.li)
        self.thank(bank, bank.mei, bank.li)
        take_down(recognition_id=words.pk, by=bank.as_(bank.li), now=self.MARCH)
        recognise(
            staff_id=bank.li.pk, text="Thank you.", by=bank.as_(bank.hua), now=self.MARCH
        )  # fmt: skip

        assert lines_of([self.RULE], "honour") == {}

    def test_money_never_hangs_on_thanks(self, bank: Bank) -> None:
        assert faults([self.RULE]) == [(1, "rule")]


class TestCareer:
    RULE: ClassVar[dict[str, Any]] = {
        "rule": "career-checklist",
        "post": "adviser",
        "years": 3,
        "certificates": ["funds"],
        "improvements": 1,
    }

    def test_proposes_who_has_all_and_shows_each_item(self, bank: Bank) -> None:
        adviser, version = post_named("adviser"), course_of("funds")
        competency = make_competency()
        require(adviser, competency, 3)
        for staff in (bank.li, bank.mei):
            show(staff, competency, 3)
            Certificate.objects.create(
                number=staff.number,
                staff=staff,
                course=version.course,
                issued_on=QUARTER,
                issued_at=APRIL,
            )
        record_achievement(
            staff_id=bank.li.pk,
            kind=Kind.IMPROVEMENT,
            title={"en": "T-1"},
            on=QUARTER,
            reference="i",
            now=APRIL,
        )

        lines = lines_of([self.RULE], "career")

        assert set(lines) == {bank.li.pk}
        items = lines[bank.li.pk][0].figures["items"]
        assert [(i["item"], i["needed"], i["held"]) for i in items] == [
            ("level", 3, 3),
            ("certificate", 1, 1),
            ("years", 3, 6.2),
            ("improvements", 1, 1),
        ]


class TestRefused:
    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            ({"rule": "rank"}, "by rank"),
            ({"rule": "league-table"}, "by rank"),
            ({"rule": "stackRanking"}, "by rank"),
            ({"rule": "top-percent", "percent": 10}, "bottom shares"),
            ({"rule": "bottomPercent"}, "bottom shares"),
            ({"rule": "forced-distribution"}, "bottom shares"),
            ({"rule": "bell_curve"}, "bottom shares"),
            ({"rule": "quota"}, "bottom shares"),
            ({"rule": "better-than", "staff": "0007"}, "name people"),
            ({"rule": "result-linear", "rank": 3}, "by rank"),
            ({"rule": "above-honour", "top": 3}, "bottom shares"),
            ({"rule": "above-honour", "if": [{"percentile": 90}]}, "bottom shares"),
            ({"rule": "result-linear", "compare_with": ["0007"]}, "name people"),
        ],
    )
    def test_by_name_and_by_shape_with_the_reason(
        self, db: None, rule: Mapping[str, Any], said: str
    ) -> None:
        _clean, [problem] = understood("pay", [rule])

        assert said in problem.reason
        assert (problem.row, problem.field) == (1, "rule")

    @pytest.mark.parametrize(("key", "parameter"), [("top-ten", "a"), ("mine", "percentile")])
    def test_no_such_rule_can_be_registered(self, key: str, parameter: str) -> None:
        class Named:
            name = parameter

        class Bad(FeedbackNote):
            def parameters(self) -> Any:
                return (Named(),)

        Bad.key = key
        registry = RuleRegistry("rules")

        with pytest.raises(RefusedRule):
            registry.register(Bad())
        assert len(registry) == 0

    def test_none_of_the_rules_of_the_house_is_refused(self) -> None:
        assert [refusal_of({"rule": rule.key}) for rule in RULES] == [""] * 7


class TestSchema:
    @pytest.mark.parametrize(
        ("rules", "wrong"),
        [
            ([], [(None, "rules")]),
            ("unit-result", [(None, "rules")]),
            ([PAY[0]] * 11, [(None, "rules")]),
            ([5], [(1, "rule")]),
            ([{"rule": "moon"}], [(1, "rule")]),
            ([{"rule": ["unit-result"]}], [(1, "rule")]),
            ([{"rule": "above-honour", "measure": OVERALL}], [(1, "rule")]),
            ([PAY[0] | {"amount": 0}], [(1, "amount")]),
            ([PAY[0] | {"amount": True}], [(1, "amount")]),
            ([PAY[0] | {"amount": 1.5}], [(1, "amount")]),
            ([PAY[0] | {"amount": 10**12}], [(1, "amount")]),
            ([PAY[0], {"rule": "unit-result", "amount": 5}], [(2, "system")]),
            ([PAY[0] | {"system": "moon"}], [(1, "system")]),
            ([PAY[0] | {"posts": ["moon"]}], [(1, "posts")]),
            ([PAY[0] | {"posts": ["teller", "teller"]}], [(1, "posts")]),
            ([PAY[0] | {"posts": "teller"}], [(1, "posts")]),
            ([PAY[0] | {"colour": "red", "zz": 1}], [(1, "colour"), (1, "zz")]),
            ([PAY[0], PAY[1] | {"measure": "moon"}], [(2, "measure")]),
            ([{"rule": "achievement-fixed", "amount": 5, "kinds": []}], [(1, "kinds")]),
            ([{"rule": "achievement-fixed", "amount": 5, "kinds": ["award"]}], [(1, "kinds")]),
            ([{"rule": "achievement-fixed", "amount": 5, "kinds": ["result"]}], [(1, "kinds")]),
        ],
    )
    def test_names_rule_and_parameter(
        self, bank: Bank, rules: Any, wrong: list[tuple[int | None, str]]
    ) -> None:
        make_system()

        assert faults(rules) == wrong

    def test_a_person_part_of_more_than_30_per_cent_is_refused(self, bank: Bank) -> None:
        make_system()
        _clean, [problem] = understood("pay", [PAY[0], PAY[1] | {"amount": 30_001}])

        assert (problem.row, problem.field) == (2, "amount")
        assert "with 70000 for the result of the unit that is 30000" in problem.reason
        assert faults([PAY[1]]) == [(1, "amount")]
        assert faults([PAY[0], PAY[1], PAY[1]]) == [(3, "rule")]
        assert faults(PAY) == []

    def test_money_outside_of_pay_is_refused(self, bank: Bank) -> None:
        rule = {"rule": "achievement-fixed", "amount": 1, "kinds": ["course"]}

        assert faults([rule], "honour") == [(1, "amount")]
        assert faults([rule | {"amount": 0}], "honour") == []

    def test_the_words_of_a_note_are_a_text(self, bank: Bank) -> None:
        rule: dict[str, Any] = {"rule": "feedback-note", "kinds": ["course"]}
        for text in ("Well done", {}, {"en": ""}, {"en": 5}, {"en": "x" * 301}, {"en": "a\x00"}):
            assert faults([rule | {"text": text}], "feedback") == [(1, "text")]

    def test_every_parameter_has_a_schema_and_every_reason_a_sentence(self, bank: Bank) -> None:
        kinds = {p.schema()["type"] for rule in RULES for p in rule.parameters()}

        assert kinds == {"integer", "string", "array", "object"}
        assert set(REASONS) >= {"unit", "unit-above", "own", "mean", "team", "above", "checklist"}
