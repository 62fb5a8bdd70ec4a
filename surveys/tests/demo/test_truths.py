"""The demo's truths are found again in the evaluated series (docs/demo.md)."""

from datetime import timedelta

import numpy as np
import pytest
from django.db.models import Count, Max, Q
from django.test import TestCase

from sqcore.base.periods import Grain, Period
from sqcore.demo.bank import BRANCH_CODES
from sqcore.demo.calendar import Floats
from sqcore.demo.chapters import CHAPTERS, Story
from sqcore.demo.services import story_of
from sqcore.encounters.models import Customer, Encounter
from sqcore.evaluation.models import KpiValue
from sqcore.indicators.importers import ready_system
from sqcore.measurements.models import Equipment, Observation
from sqcore.org.models import Staff, Unit
from sqcore.tests.demo.arithmetic import alarms
from sqcore.tests.factories import NOW
from surveys.models import Invitation, Response

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
            code="counter-waiting-time",
            unit__code=branch,
            grain=Grain.WEEK,
            margin="",
            starts_on__lt=calendar.monday + timedelta(weeks=calendar.weeks),
        )
        series = list(values.order_by("starts_on").values_list("value", flat=True))
        assert len(series) == calendar.weeks
        return np.array(series, dtype=np.float64)

    # ---- Everything is there -------------------------------------------------------------------

    def test_everything_was_told(self) -> None:
        assert Response.objects.count() == 30_000
        assert Encounter.objects.count() == 120_000
        assert Unit.objects.filter(kind="branch").count() == 20
        assert Staff.objects.count() == 300
        assert Equipment.objects.count() == 60

    def test_every_answer_came_by_invitation_and_knows_its_encounter(self) -> None:
        assert Response.objects.exclude(origin=Response.Origin.INVITED).count() == 0
        assert Response.objects.filter(encounter_key="").count() == 0
        assert 90_000 < Invitation.objects.count() < 105_000

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

        assert any(40 <= week <= 48 for week in alarms(waits))
        assert waits[39:].mean() - waits[:39].mean() == pytest.approx(5, abs=0.8)
        assert waits[-12:].mean() > 12.5

    def test_the_wait_rises_at_ferry_in_week_40_and_is_repaired_in_week_61(self) -> None:
        waits = self.weeks("ferry")

        assert any(40 <= week <= 48 for week in alarms(waits))
        assert waits[48:60].mean() - waits[62:82].mean() > 3.5
        assert waits[62:].mean() == pytest.approx(9, abs=0.8)

    def test_lighthouse_has_five_bad_weeks_that_pass_by_themselves(self) -> None:
        waits = self.weeks("lighthouse")

        assert any(61 <= week <= 67 for week in alarms(waits))
        assert waits[60:65].mean() == pytest.approx(15, abs=2.2)
        assert waits[65:].mean() == pytest.approx(9, abs=0.8)

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

    def test_nothing_is_told_after_the_story(self) -> None:
        last = KpiValue.objects.current().aggregate(
            week=Max("starts_on", filter=Q(grain=Grain.WEEK)),
            month=Max("starts_on", filter=Q(grain=Grain.MONTH)),
        )

        assert last["week"] < self.story.end
        assert last["month"] < self.story.end
