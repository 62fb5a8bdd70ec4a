"""The demo's truths are found again in the evaluated series (docs/demo.md)."""

from datetime import date, timedelta

import numpy as np
import pytest
from django.db import connection
from django.db.models import Count, Max, Q
from django.test import TestCase
from scipy import stats

from improvement.demo.chapters import WAIT
from improvement.standards.models import StandardVersion
from improvement.tickets.models import State, Ticket
from improvement.verification.models import EffectCheck, Verdict
from sqcore.base.periods import Grain, Period
from sqcore.demo.bank import BRANCH_CODES, OUTAGES
from sqcore.demo.calendar import Floats
from sqcore.demo.chapters import CHAPTERS, Story
from sqcore.demo.operations import FROM_MONTH
from sqcore.demo.services import story_of
from sqcore.encounters.models import Customer, Encounter
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.evaluation.services import replay
from sqcore.identity.principals import system_principal
from sqcore.indicators.importers import ready_system
from sqcore.indicators.models import IndicatorSystem
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_inline
from sqcore.measurements.models import Equipment, Observation
from sqcore.monitoring.charts import Chart, chart_at
from sqcore.monitoring.models import Baseline, Kind, Signal
from sqcore.org.models import Staff, Unit
from sqcore.performance.models import ResultsRun, StaffResult
from sqcore.performance.queries import current_run
from sqcore.performance.runs import replay_run
from sqcore.stats.cusum import false_alarms_a_year
from sqcore.stats.rules import Rule
from sqcore.tests.factories import NOW
from surveys.analyses.models import Analysis
from surveys.analyses.services import JOB_KIND
from surveys.instruments.models import InstrumentVersion
from surveys.models import Invitation, Response
from training.effect.models import Study
from training.incentives.models import LedgerEntry, PayrollBatch
from training.needs.models import Need

BANK_CASE = [leaf.code for each in ready_system("bank").dimensions for leaf in each.indicators]
SAID = ("tangibles", "reliability", "responsiveness", "assurance", "empathy")


def nothing(_what: str, _done: int, _total: int) -> None:
    """Report to nobody."""


@pytest.mark.slow
class TestTruths(TestCase):
    """One telling of the demo, and everything of it evaluated."""

    story: Story

    @classmethod
    def setUpTestData(cls) -> None:
        cls.story = story_of(NOW)
        for chapter in sorted(CHAPTERS, key=lambda chapter: chapter.order):
            chapter.tell(cls.story, nothing)
        # What the database put off is looked at here, once, and not at the end of each test.
        connection.check_constraints()

    def figure(
        self, code: str, period: str, *, unit: str = "harbour-bank", channel: str = ""
    ) -> KpiValue:
        values = KpiValue.objects.current().filter(
            code=code, unit__code=unit, margin="channel" if channel else "", margin_value=channel
        )
        named = Period.parse(period)
        return values.get(grain=named.grain, starts_on=named.start)

    def bounds(
        self, code: str, period: str, *, unit: str = "harbour-bank", channel: str = ""
    ) -> tuple[float, float]:
        value = self.figure(code, period, unit=unit, channel=channel)
        assert value.low is not None
        assert value.high is not None
        return value.low, value.high

    def weeks(self, branch: str) -> Floats:
        """Return the evaluated wait at the counter of a branch in every whole week of the story."""
        calendar = self.story.history.calendar
        values = KpiValue.objects.current().filter(
            code=WAIT,
            unit__code=branch,
            grain=Grain.WEEK,
            margin="",
            starts_on__lt=calendar.monday + timedelta(weeks=calendar.weeks),
        )
        series = list(values.order_by("starts_on").values_list("value", flat=True))
        assert len(series) == calendar.weeks
        return np.array(series, dtype=np.float64)

    def monday(self, week: int) -> date:
        return self.story.opening + timedelta(weeks=week - 1)

    def signal_at(self, branch: str) -> Signal:
        return Signal.objects.get(unit__code=branch, code=WAIT, grain=Grain.WEEK)

    def ticket_at(self, branch: str) -> Ticket:
        return Ticket.objects.get(unit__code=branch, code=WAIT)

    def chart_at(self, branch: str, code: str, grain: Grain) -> Chart:
        return chart_at(
            principal=system_principal("test"),
            system=IndicatorSystem.objects.get(code="service-quality"),
            unit=Unit.objects.get(code=branch),
            code=code,
            grain=grain,
            today=self.story.end,
        )

    # ---- Everything is there -------------------------------------------------------------------

    def test_everything_was_told(self) -> None:
        after_visits = Response.objects.filter(campaign__code="after-the-visit")
        assert after_visits.count() == 30_000
        employees = Response.objects.filter(version__instrument__code__startswith="gaps-")
        assert employees.count() == 24 + 132
        others = Response.objects.exclude(pk__in=after_visits).exclude(pk__in=employees)
        assert 40 <= others.count() <= 80
        assert Encounter.objects.count() == 120_000
        assert Unit.objects.filter(kind="branch").count() == 20
        assert Staff.objects.count() == 300
        assert Equipment.objects.count() == 60

    def test_every_evaluation_and_every_run_of_results_replays_to_its_hash(self) -> None:
        runs = EvaluationRun.objects.filter(state="published").order_by("pk")
        results = ResultsRun.objects.filter(is_current=True).order_by("pk")
        assert runs.count() > 100
        assert results.count() >= 1

        assert [run.pk for run in runs if not replay(run_id=run.pk).is_same] == []
        assert [run.pk for run in results if not replay_run(run.pk).is_same] == []

    def test_every_answer_came_by_invitation_and_knows_its_encounter(self) -> None:
        uninvited = Response.objects.exclude(origin=Response.Origin.INVITED)
        assert uninvited.exclude(version__instrument__code__startswith="gaps-").count() == 0
        after_visits = Response.objects.filter(campaign__code="after-the-visit")
        assert after_visits.filter(encounter_key="").count() == 0
        assert 90_000 < Invitation.objects.count() < 105_000

    def test_gaps_inside_are_found_with_their_causes(self) -> None:
        found = {}
        for code in ("gaps-managers", "gaps-staff"):
            version = InstrumentVersion.objects.get(instrument__code=code)
            for job in Job.objects.filter(kind=JOB_KIND, key__startswith=f"{version.pk}:quarter"):
                run_inline(job, now=self.story.now)
            found[code] = Analysis.objects.get(kind=code, grain=Grain.QUARTER).found

        standards = dict(
            zip(
                found["gaps-managers"]["dimensions"],
                found["gaps-managers"]["standards"]["dimensions"],
                strict=True,
            )
        )
        empathy = standards.pop("empathy")
        assert empathy["high"] < min(other["low"] for other in standards.values())
        causes = {each["cause"]: each for each in found["gaps-staff"]["causes"]["3"]}
        assert [name for name, each in causes.items() if each["speaks"]] == ["role_conflict"]

    def test_answers_about_one_person_are_attributed(self) -> None:
        people = self.story.history.people
        own = Response.objects.filter(staff__isnull=False)
        counts = dict(own.values_list("staff__number").annotate(count=Count("id")))
        last_year = own.filter(
            answered_on__gte=self.story.end.replace(year=self.story.end.year - 1)
        )

        assert own.count() == pytest.approx(24_400, abs=200)
        assert counts[people.numbers[people.newcomer]] == 4
        weak = last_year.filter(staff__number=people.numbers[people.weak])
        assert weak.count() == pytest.approx(120, abs=4)

    def test_customers_are_kept_under_pseudonyms(self) -> None:
        digests = Customer.objects.filter(pseudonym__regex="^[0-9a-f]{64}$")

        assert digests.count() == Customer.objects.count()
        assert 28_000 < Customer.objects.count() < 36_000

    def test_each_indicator_of_the_bank_case_has_a_value_for_every_branch_and_quarter(self) -> None:
        quarters = KpiValue.objects.current().filter(
            grain=Grain.QUARTER, margin="", unit__code__in=BRANCH_CODES, value__isnull=False
        )
        told = set(quarters.values_list("code", "unit__code", "starts_on"))
        starts = {start for _code, _unit, start in told}

        assert len(starts) == 7
        assert {
            (code, unit, start) for code in BANK_CASE for unit in BRANCH_CODES for start in starts
        } <= told

    def test_every_unit_has_a_composite_in_every_month_quarter_and_year(self) -> None:
        scores = KpiValue.objects.current().filter(code="composite", margin="", score__isnull=False)
        found = scores.values_list("grain").annotate(count=Count("id")).order_by("grain")

        assert dict(found) == {"month": 25 * 24, "quarter": 25 * 7, "year": 25}

    def test_opinions_are_not_evaluated_by_week(self) -> None:
        weekly = KpiValue.objects.current().filter(grain=Grain.WEEK)
        codes = set(weekly.order_by().values_list("code", flat=True).distinct())

        assert codes >= {"counter-waiting-time", "enquiry-answer-time", "transaction-accuracy"}
        assert not codes & {"composite", "cleanliness", *(f"perceived-{each}" for each in SAID)}

    # ---- Waiting at the counter ----------------------------------------------------------------

    def test_the_wait_rises_at_riverside_in_week_40_and_stays(self) -> None:
        waits = self.weeks("riverside")

        assert self.signal_at("riverside").alarm_on <= self.monday(48)
        assert self.ticket_at("riverside").state == State.PROPOSED
        assert waits[39:].mean() - waits[:39].mean() == pytest.approx(5, abs=0.8)
        assert waits[-12:].mean() > 12.5

    def test_the_wait_rises_at_ferry_in_week_40_and_is_repaired_in_week_61(self) -> None:
        waits = self.weeks("ferry")

        assert self.signal_at("ferry").alarm_on <= self.monday(48)
        assert waits[48:60].mean() - waits[62:82].mean() > 3.5
        assert waits[62:].mean() == pytest.approx(9, abs=0.8)

    def test_lighthouse_has_five_bad_weeks_that_pass_by_themselves(self) -> None:
        waits = self.weeks("lighthouse")

        assert self.monday(61) <= self.signal_at("lighthouse").alarm_on <= self.monday(67)
        assert waits[60:65].mean() == pytest.approx(15, abs=2.2)
        assert waits[65:].mean() == pytest.approx(9, abs=0.8)

    def test_the_improvement_of_ferry_is_verified_and_became_a_standard(self) -> None:
        check = EffectCheck.objects.get(plan__ticket=self.ticket_at("ferry"))

        assert check.verdict == Verdict.IMPROVED
        assert check.confirmed_verdict == Verdict.IMPROVED
        assert check.is_restored
        assert check.high is not None
        assert check.high < -check.plan.minimum
        assert self.ticket_at("ferry").state == State.CLOSED
        assert StandardVersion.objects.get(approved_by__username="ana").number == 1

    def test_lighthouse_did_not_improve_although_a_naive_test_says_so(self) -> None:
        waits = self.weeks("lighthouse")
        naive = stats.ttest_ind(waits[60:65], waits[65:73])
        check = EffectCheck.objects.get(plan__ticket=self.ticket_at("lighthouse"))

        assert naive.pvalue < 0.05
        assert naive.statistic > 0
        assert check.verdict == Verdict.NO_CHANGE
        assert check.low is not None
        assert check.high is not None
        assert check.low < 0 < check.high

    def test_quiet_branches_raise_no_more_signals_than_chance_does(self) -> None:
        planted = ("riverside", "ferry", "lighthouse")
        quiet = Signal.objects.filter(code=WAIT, unit__code__in=BRANCH_CODES, grain=Grain.WEEK)
        found = quiet.exclude(unit__code__in=planted).count()
        expected = false_alarms_a_year(n0=26, phi=0.0, h=8.0) * 17 * 78 / 52

        assert found <= stats.poisson.ppf(0.999, expected)

    def test_what_nobody_planted_was_withdrawn_or_waits_and_north_gate_was_found(self) -> None:
        machines = Ticket.objects.filter(unit__code="north-gate", code="equipment-available")

        assert machines.get().state == State.PROPOSED
        assert Ticket.objects.filter(state=State.WITHDRAWN).count() >= 3

    # ---- What customers say --------------------------------------------------------------------

    def test_the_telephone_is_clearly_the_worst_channel_in_everything(self) -> None:
        for code in ("overall-judgement", *(f"perceived-{each}" for each in SAID)):
            _low, phone = self.bounds(code, "2025", channel="phone")
            counter, _high = self.bounds(code, "2025", channel="counter")
            app, _high = self.bounds(code, "2025", channel="app")

            assert phone < min(counter, app)

    def test_the_telephone_has_4_000_answers_about_80_people_in_the_last_year(self) -> None:
        last_year = self.story.end.replace(year=self.story.end.year - 1)
        answers = Response.objects.filter(channel__code="phone", answered_on__gte=last_year)

        assert answers.count() >= 4_000
        assert answers.values("staff").distinct().count() == 80

    def test_responsiveness_falls_at_harbour_gate(self) -> None:
        before, _high = self.bounds("perceived-responsiveness", "2025-Q1", unit="harbour-gate")
        _low, after = self.bounds("perceived-responsiveness", "2025-Q4", unit="harbour-gate")

        assert after < before

    def test_the_app_gains_over_the_second_year(self) -> None:
        _low, first = self.bounds("perceived-reliability", "2024-Q2", channel="app")
        last, _high = self.bounds("perceived-reliability", "2025-Q4", channel="app")

        assert first < last

    def test_recommendation_is_in_points_from_minus_to_plus_100(self) -> None:
        nps = self.figure("recommendation", "2025")

        assert nps.value is not None
        assert nps.score == pytest.approx((nps.value + 100) / 2)
        assert abs(nps.value) > 1

    # ---- What is measured ----------------------------------------------------------------------

    def test_every_kind_of_chart_can_be_opened(self) -> None:
        opened = {
            (branch, code): self.chart_at(branch, code, grain).limits.kind.value
            for branch, code, grain in (
                ("riverside", "care-activities", Grain.MONTH),
                ("riverside", "loans-decided-in-time", Grain.MONTH),
                ("riverside", "promises-kept", Grain.WEEK),
                ("riverside", OUTAGES, Grain.WEEK),
                ("riverside", "complaint-handling", Grain.MONTH),
                ("riverside", "transaction-accuracy", Grain.WEEK),
            )
        }

        assert list(opened.values()) == ["c", "p", "g", "t", "xbar_s", "xmr"]
        frozen = set(Baseline.objects.values_list("kind", flat=True))
        assert Kind.P_PRIME in frozen

    def test_days_between_outages_at_north_gate_get_fewer(self) -> None:
        found = self.chart_at("north-gate", OUTAGES, Grain.WEEK)

        calendar = self.story.history.calendar
        worse = calendar.day(calendar.first_day_of_month(FROM_MONTH - 1))
        before = [p for p in found.points if p.seen.period.start < worse]
        after = [p for p in found.points if p.seen.period.start >= worse]
        days = [
            float(np.mean([p.seen.value for p in some if p.seen.value is not None]))
            for some in (before, after)
        ]
        assert days[1] < days[0] / 2
        shifts = [p for p in after if any(f.rule == Rule.SHIFT and f.side < 0 for f in p.flags)]
        assert len(shifts) >= 7
        assert found.passed is not None
        assert found.better == 1

    def test_old_town_makes_the_most_errors(self) -> None:
        _low, worst = self.bounds("transaction-accuracy", "2025", unit="old-town")
        others = [
            self.bounds("transaction-accuracy", "2025", unit=code)[0]
            for code in BRANCH_CODES
            if code != "old-town"
        ]

        assert worst < min(others)

    def test_north_gates_machines_are_available_least_in_the_last_two_quarters(self) -> None:
        for quarter in ("2025-Q3", "2025-Q4"):
            available = {
                code: self.figure("equipment-available", quarter, unit=code).value or 0
                for code in BRANCH_CODES
            }

            assert min(available, key=lambda code: available[code]) == "north-gate"
            assert available["north-gate"] < 0.985

    def test_observatory_has_no_promises_in_three_months_and_no_others_lack_any(self) -> None:
        months = KpiValue.objects.current().filter(
            code="promises-kept", grain=Grain.MONTH, margin="", unit__code__in=BRANCH_CODES
        )
        there = set(months.filter(value__isnull=False).values_list("unit__code", "starts_on"))
        all_months = self.story.history.calendar.month_starts()[:-1]
        missing = {(code, start) for code in BRANCH_CODES for start in all_months} - there

        assert missing == {("observatory", start) for start in all_months[6:9]}

    def test_the_loans_of_silk_street_were_corrected_once(self) -> None:
        corrected = Observation.objects.filter(revision=2, superseded_at__isnull=True)
        found = corrected.values_list("measure__code", "unit__code").distinct()

        assert set(found) == {("loans-in-time", "silk-street")}
        before = Observation.objects.filter(superseded_at__isnull=False)
        assert before.count() == corrected.count()

    def result_of(self, number: str, measure: str) -> StaffResult:
        run = current_run()
        assert run is not None
        assert run.ends_on == self.story.end
        return StaffResult.objects.get(run=run, staff__number=number, measure=measure)

    def test_customers_find_the_weak_teller_inattentive_and_a_need_was_planned(self) -> None:
        result = self.result_of("0704", "servqual/empathy")

        assert result.n == 120
        assert (result.verdict, result.gate) == (StaffResult.Verdict.LOW, StaffResult.Gate.PAY)
        need = Need.objects.get(staff__number="0704", competency__code="service-awareness")
        assert need.state == Need.State.PLANNED
        assert [reason.origin for reason in need.reasons.all()] == ["result"]

    def test_of_four_bad_answers_nothing_is_shown_and_nothing_follows(self) -> None:
        for measure in ("overall", "responsiveness", "assurance", "empathy"):
            result = self.result_of("1007", f"servqual/{measure}")
            assert (result.n, result.verdict) == (4, StaffResult.Verdict.NOT_ENOUGH)
            assert (result.raw, result.estimate, result.low, result.high) == (None,) * 4
        assert not Need.objects.filter(staff__number="1007", reasons__origin="result").exists()

    def test_the_course_in_listening_works(self) -> None:
        study = Study.objects.get(code="listening-1")
        found = study.outcome["differences"]

        assert study.verdict == Study.Verdict.EFFECTIVE
        assert found["low"] > 0
        assert found["effect"] >= 0.25

    def test_the_course_in_products_only_seems_to(self) -> None:
        study = Study.objects.get(code="product-knowledge-1")
        found = study.outcome["differences"]
        print(f"naive t of product knowledge: {found['naive_t']:.2f}")  # noqa: T201 - as promised

        assert study.verdict in (Study.Verdict.NOT_EFFECTIVE, Study.Verdict.NOT_YET)
        assert found["low"] < 0 < found["high"]

    def test_awards_were_granted_by_two_people_and_handed_to_payroll_once(self) -> None:
        granted = LedgerEntry.objects.filter(staff__number__startswith="06")

        assert granted.count() == 11
        assert all(
            {step.by.username for step in entry.proposal.decisions.all()} == {"mei", "hua"}
            for entry in granted
            if entry.proposal is not None
        )
        batch = PayrollBatch.objects.get()
        assert (batch.people, batch.total) == (11, sum(entry.amount for entry in granted))

    def test_nothing_is_told_after_the_story(self) -> None:
        last = KpiValue.objects.current().aggregate(
            week=Max("starts_on", filter=Q(grain=Grain.WEEK)),
            month=Max("starts_on", filter=Q(grain=Grain.MONTH)),
        )

        assert last["week"] < self.story.end
        assert last["month"] < self.story.end
