"""The diagnosis of a unit: each class with a truth that is planted, and who is told what."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries

from sqcore.base.errors import NotFound, NotPermitted
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.indicators.definition import SystemDefinition
from sqcore.monitoring.models import Baseline, Signal, Watch
from sqcore.reports import evidence
from sqcore.reports.comparison import in_points
from sqcore.reports.evidence import Evidence, Question, Says, Strength
from sqcore.reports.pages import ClassFound, diagnosis
from sqcore.reports.queries import Row
from sqcore.reports.rules import Verdict
from sqcore.tests.factories import NOW, make_user
from sqcore.tests.reports.making import CARE, UPTIME, WAIT, Bank, people_of, serve

pytestmark = pytest.mark.django_db
QUERIES = 30
ALIKE = [5.2, 5.1, 5.3, 5.25, 5.15, 5.2, 5.05, 5.3]
APART = [5.2, 3.6, 6.2, 4.1, 6.0, 5.2, 3.9, 6.1]


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    return Bank()


def found(bank: Bank, who: str = "mei", code: str = "oak") -> dict[str, ClassFound]:
    told = diagnosis(principal=bank.as_(who), code=code, asked=Asked(), now=NOW)
    assert told is not None
    return {each.code: each for each in told.classes}


def line(classes: dict[str, ClassFound], cause: str, key: str) -> Evidence:
    return next(each.evidence for each in classes[cause].heard if each.source.key == key)


def verdicts(classes: dict[str, ClassFound]) -> dict[str, str]:
    return {code: each.judgement.verdict.value for code, each in classes.items()}


class TestAwareness:
    def test_customers_who_say_less_than_elsewhere_speak_for_it(self, bank: Bank) -> None:
        """5.2 to 4.0 of 7 are 20 of 100 points; the others' mean is known to 1.3 points."""
        bank.put(bank.oak, "care", 4.0, 0.18)

        classes = found(bank)
        said = line(classes, "awareness", "results.attitude")

        assert classes["awareness"].judgement.verdict == Verdict.FOR
        assert classes["awareness"].judgement.strength == Strength.STRONG
        assert said.effect is not None
        assert said.effect.value == pytest.approx(20.0)
        assert said.effect.low == pytest.approx(20 - (3.0**2 + 3.0**2 / 5) ** 0.5)
        assert said.effect.n == 160
        assert said.sentence == "Care: 4.00 here, 5.20 on average at 5 other units."

    def test_the_same_as_elsewhere_speaks_against_it(self, bank: Bank) -> None:
        assert found(bank)["awareness"].judgement.verdict == Verdict.AGAINST

    def test_a_wide_interval_tells_nothing(self, bank: Bank) -> None:
        bank.put(bank.oak, "care", 4.6, 0.9)

        assert found(bank)["awareness"].judgement.verdict == Verdict.UNCLEAR

    def test_a_figure_of_too_few_answers_is_not_read(self, bank: Bank) -> None:
        KpiValue.objects.filter(unit=bank.oak, code="care").delete()

        said = line(found(bank), "awareness", "results.attitude")

        assert said.says == Says.NOTHING
        assert said.why.startswith("Nothing of it is shown here in this period")
        assert said.effect is None

    def test_a_figure_without_an_interval_is_not_compared(self, bank: Bank) -> None:
        bank.put(bank.oak, "care", 1.0, None)

        said = line(found(bank), "awareness", "results.attitude")

        assert (said.says, said.effect) == (Says.NOTHING, None)
        assert said.why.startswith("How sure the figures are cannot be said")


class TestProcess:
    def test_a_longer_wait_speaks_for_it(self, bank: Bank) -> None:
        bank.put(bank.oak, "wait", 13.0, 0.6)

        classes = found(bank)
        said = line(classes, "process", "results.times")

        assert classes["process"].judgement.verdict == Verdict.FOR
        assert said.effect is not None
        assert said.effect.value == pytest.approx(20.0)
        assert said.sentence == "Wait: 13.00 here, 9.00 on average at 5 other units."

    def test_all_bad_alike_is_bad_by_the_floor(self, bank: Bank) -> None:
        for unit in bank.branches.values():
            bank.put(unit, "wait", 19.0, 0.6)

        classes = found(bank)

        assert line(classes, "process", "results.times").says == Says.AGAINST
        assert line(classes, "process", "results.times-floor").says == Says.FOR
        assert classes["process"].judgement.verdict == Verdict.FOR

    def test_work_done_again_more_often_speaks_for_it(self, bank: Bank) -> None:
        serve(bank.oak, times=100, again=30)
        serve(bank.branches["elm"], times=200, again=8)

        said = line(found(bank), "process", "encounters.rework")

        assert said.says == Says.FOR
        assert said.effect is not None
        assert said.effect.value == pytest.approx(0.26)
        assert said.effect.n == 100

    def test_few_encounters_say_nothing(self, bank: Bank) -> None:
        serve(bank.oak, times=4, again=4)
        serve(bank.branches["elm"], times=200, again=8)

        said = line(found(bank), "process", "encounters.rework")

        assert (said.says, said.sentence, said.effect) == (Says.NOTHING, "", None)

    def test_time_that_goes_into_one_wait_speaks_for_it(self, bank: Bank) -> None:
        serve(bank.oak, times=100, wait=2400)
        serve(bank.branches["elm"], times=200, wait=300)

        said = line(found(bank), "process", "encounters.bottleneck")

        assert said.says == Says.FOR
        assert "waiting from desk to counter" in said.sentence
        assert said.effect is not None
        assert said.effect.value == pytest.approx(2402 / 2706 - 302 / 606, abs=0.002)

    def test_a_signal_is_shown_and_makes_no_verdict(self, bank: Bank) -> None:
        _signal(bank)

        classes = found(bank)
        said = line(classes, "process", "signals.times")

        assert (said.says, said.supports_only) == (Says.FOR, True)
        assert said.effect is not None
        assert (said.effect.low, said.effect.high) == (None, None)
        assert said.effect.no_interval.startswith("A signal is there or not")
        assert classes["process"].judgement.verdict == Verdict.AGAINST

    def test_a_signal_of_later_is_not_told_of_the_quarter(self, bank: Bank) -> None:
        _signal(bank)
        Signal.objects.update(alarm_on="2026-01-05")

        assert line(found(bank), "process", "signals.times").says == Says.UNCLEAR


def _signal(bank: Bank) -> None:
    baseline = Baseline.objects.create(
        system=bank.system, unit=bank.oak, code="wait", grain="week", kind="xmr",
        starts_on="2025-01-06", ends_on="2025-07-07", applies_from="2025-07-07", n=26, centre=9.0,
        sigma=1.4, spread=1.4, between=1.0, phi=0.0, origin=Baseline.Origin.FIRST, created_at=NOW,
    )  # fmt: skip
    Signal.objects.create(
        fingerprint="oak-wait", system=bank.system, unit=bank.oak, code="wait", grain="week",
        direction="high", baseline=baseline, alarm_on="2025-11-03", since_on="2025-10-06",
        last_on="2025-12-29", height=9.0, shift=4.2, shift_sigma=3.0, found_at=NOW, changed_at=NOW,
    )  # fmt: skip
    Watch.objects.create(
        system=bank.system, grain="week", through="2026-01-01", watched_at=NOW, series=20,
        judged=20, found_so_far=1, open_signals=1, expected_so_far=1.0, expected_a_year=0.7,
    )  # fmt: skip


class TestShapes:
    """The wait is best at 9 minutes and worth nothing at 1 and at 17: 12.5 points a minute."""

    @pytest.fixture
    def bank(self) -> Bank:
        wait = replace(WAIT, worst=1.0, best=9.0, shape="nominal", target=None, floor=None)
        return Bank(CARE, wait, UPTIME)

    @pytest.mark.parametrize("wait", [5.0, 13.0])
    def test_too_short_is_as_far_behind_as_too_long(self, bank: Bank, wait: float) -> None:
        bank.put(bank.oak, "wait", wait, 0.6, n=480)

        said = line(found(bank), "process", "results.times")

        assert said.says == Says.FOR
        assert said.effect is not None
        assert said.effect.value == pytest.approx(50.0)
        assert said.effect.low is not None
        assert said.effect.low > 35
        assert said.sentence == (
            f"Wait: {wait:.2f} here, which is worth 50.0 points; at 5 other units 100.0 points "
            "on average."
        )

    def test_an_interval_across_the_best_reaches_up_to_100(self, bank: Bank) -> None:
        leaf = SystemDefinition.from_json(bank.run.definition).indicator("wait")
        row = Row(bank.oak.pk, "wait", "", 9.4, 8.6, 10.2, 480)

        assert leaf is not None
        assert in_points(leaf, row) == pytest.approx((95.0, 85.0, 100.0))

    def test_no_signals_are_looked_for(self, bank: Bank) -> None:
        _signal(bank)

        said = line(found(bank), "process", "signals.times")

        assert said.says == Says.NOTHING
        assert said.why.endswith("best in the middle: no signals are looked for.")


class TestSkills:
    def test_people_who_differ_speak_for_it(self, bank: Bank) -> None:
        people_of(bank.oak, APART)

        classes = found(bank)
        said = line(classes, "skills", "people.apart")

        assert classes["skills"].judgement.verdict == Verdict.FOR
        assert said.effect is not None
        assert said.effect.n == 8
        assert said.effect.matters == pytest.approx(0.0556, abs=1e-4)
        assert said.effect.low is not None
        assert said.effect.low > 0.2

    def test_people_who_are_alike_speak_against_it(self, bank: Bank) -> None:
        people_of(bank.oak, ALIKE, n=200)

        assert found(bank)["skills"].judgement.verdict == Verdict.AGAINST

    def test_of_seven_people_nothing_is_told(self, bank: Bank) -> None:
        people_of(bank.oak, APART[:7])

        said = line(found(bank), "skills", "people.apart")

        assert (said.says, said.effect) == (Says.NOTHING, None)
        assert said.why == "Fewer than 8 people have enough answers about them."

    def test_who_sees_no_results_of_people_is_told_none(self, bank: Bank) -> None:
        people_of(bank.oak, APART)

        said = line(found(bank, "ana"), "skills", "people.apart")

        assert (said.says, said.sentence, said.effect) == (Says.NOTHING, "", None)

    def test_a_window_that_ends_later_is_not_of_the_quarter(self, bank: Bank) -> None:
        run = people_of(bank.oak, APART)
        run.ends_on = run.ends_on.replace(month=2)
        run.save()

        assert found(bank)["skills"].heard == []


class TestStandards:
    def test_units_that_differ_speak_for_it(self, bank: Bank) -> None:
        for unit, score in zip(bank.branches.values(), (50, 70, 90, 55, 85, 65), strict=True):
            bank.score(unit, "empathy", score, 3.0)

        classes = found(bank, "mei", "region")
        said = line(classes, "standards", "results.units-apart")

        assert said.says == Says.FOR
        assert said.sentence.startswith("Empathy: beyond chance two of the 6 units")
        assert said.sentence.endswith("seen are 50.0 to 90.0.")

    def test_channels_that_differ_speak_for_it(self, bank: Bank) -> None:
        bank.channels(bank.oak, counter=5.6, phone=4.4, app=6.2)

        said = line(found(bank), "standards", "results.channels-apart")

        assert said.says == Says.FOR
        assert said.effect is not None
        assert said.effect.high is not None
        assert said.effect.high <= 100.0

    def test_one_channel_tells_nothing(self, bank: Bank) -> None:
        bank.channels(bank.oak, counter=5.6)

        assert line(found(bank), "standards", "results.channels-apart").says == Says.NOTHING

    def test_a_branch_has_no_units_to_compare(self, bank: Bank) -> None:
        keys = [each.source.key for each in found(bank)["standards"].heard]

        assert "results.units-apart" not in keys


class TestSupport:
    def test_machines_that_fail_speak_for_it(self, bank: Bank) -> None:
        bank.put(bank.oak, "uptime", 0.93, 0.004)

        classes = found(bank)

        assert classes["support"].judgement.verdict == Verdict.FOR
        assert line(classes, "support", "results.machines").says == Says.FOR
        assert line(classes, "support", "results.machines-floor").says == Says.FOR


class TestWhatIsCompared:
    def test_who_sees_one_unit_compares_with_the_target(self, bank: Bank) -> None:
        bank.put(bank.oak, "wait", 13.0, 0.6)

        classes = found(bank, "olga")
        said = line(classes, "process", "results.times")

        assert said.sentence == (
            "Wait: 13.00 here; its target is 10.00. You see too few other units to compare it with "
            "them."
        )
        assert said.effect is not None
        assert said.effect.value == pytest.approx(15.0)
        assert classes["awareness"].judgement.verdict == Verdict.NOTHING

    def test_the_worst_of_two_is_told_with_a_wider_interval(self) -> None:
        bank = Bank(WAIT, replace(WAIT, code="calls", name={"en": "Calls"}))
        for unit in bank.branches.values():
            bank.put(unit, "calls", 3.0, 0.6)
        bank.put(bank.oak, "calls", 7.0, 0.6)

        said = line(found(bank), "process", "results.times")

        assert said.sentence == (
            "Calls: 7.00 here, 3.00 on average at 5 other units. Of 2 indicators looked at, it is "
            "the one furthest behind."
        )
        assert said.effect is not None
        assert said.effect.low is not None
        plain = (3.0**2 + 3.0**2 / 5) ** 0.5
        assert said.effect.low == pytest.approx(20 - plain * 2.2414 / 1.96, abs=1e-3)


class TestWhoIsTold:
    def test_an_outsider_finds_no_such_unit(self, bank: Bank) -> None:
        with pytest.raises(NotFound):
            found(bank, "chen")

    def test_who_sees_no_results_is_refused(self, bank: Bank) -> None:
        make_user("nobody")

        with pytest.raises(NotPermitted):
            found(bank, "nobody")

    def test_nothing_is_told_while_nothing_was_evaluated(self, bank: Bank) -> None:
        KpiValue.objects.all().delete()
        EvaluationRun.objects.all().delete()

        told = diagnosis(principal=bank.as_("mei"), code="oak", asked=Asked(), now=NOW)

        assert told is None


class TestAsAWhole:
    def test_the_classes_stand_by_the_weight_of_evidence(self, bank: Bank) -> None:
        bank.put(bank.oak, "care", 4.6, 0.1)
        bank.put(bank.oak, "uptime", 0.95, 0.002)

        told = diagnosis(principal=bank.as_("mei"), code="oak", asked=Asked(), now=NOW)

        assert told is not None
        assert [each.code for each in told.classes][:2] == ["support", "awareness"]
        assert len(told.classes) == 6

    def test_the_questions_do_not_grow_with_the_units(
        self, bank: Bank, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        people_of(bank.oak, APART)
        serve(bank.oak, times=60)
        serve(bank.branches["elm"], times=60)
        principal = bank.as_("mei")

        with django_assert_max_num_queries(QUERIES):
            diagnosis(principal=principal, code="oak", asked=Asked(), now=NOW)

    def test_a_class_of_which_nobody_speaks_says_so(
        self, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(evidence.EVIDENCE, "_offers", {})

        assert set(verdicts(found(bank)).values()) == {"silent"}

    def test_a_source_may_have_nothing_to_say(
        self, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Mute:
            key, cause, title, method = "mute", "feedback", "Mute", 1

            def speak(self, question: Question) -> Evidence | None:
                return None

        monkeypatch.setattr(evidence.EVIDENCE, "_offers", {"mute": Mute()})

        assert found(bank)["feedback"].heard == []
