"""The demo's truths are found again in the evaluated series (docs/demo.md)."""

import pytest
from django.test import TestCase

from sqcore.base.periods import Grain
from sqcore.demo.chapters import CHAPTERS
from sqcore.demo.services import story_of
from sqcore.evaluation.due import due_periods
from sqcore.evaluation.models import KpiValue
from sqcore.evaluation.services import plan_runs, run_jobs
from sqcore.org.models import Staff, Unit
from sqcore.tests.factories import NOW
from surveys.models import Response


def nothing(_what: str, _done: int, _total: int) -> None:
    """Report to nobody."""


@pytest.mark.slow
class TestTruths(TestCase):
    """One telling of the demo, evaluated by quarter and year."""

    @classmethod
    def setUpTestData(cls) -> None:
        story = story_of(NOW)
        for chapter in sorted(CHAPTERS, key=lambda chapter: chapter.order):
            if chapter.key != "evaluation":
                chapter.tell(story, nothing)
        long = (Grain.QUARTER, Grain.YEAR)
        due = [each for each in due_periods(now=NOW) if each.period.grain in long]
        run_jobs(planned=plan_runs(due=due, by=story.by, now=NOW), now=NOW)

    def figure(
        self, code: str, period: str, *, unit: str = "harbour-bank", channel: str = ""
    ) -> KpiValue:
        values = KpiValue.objects.current().filter(
            code=code, unit__code=unit, margin="channel" if channel else "", margin_value=channel
        )
        grain = Grain.QUARTER if "-Q" in period else Grain.YEAR
        year, _dash, quarter = period.partition("-Q")
        month = 3 * int(quarter) - 2 if quarter else 1
        return values.get(grain=grain, starts_on=f"{year}-{month:02d}-01")

    def test_everything_was_told(self) -> None:
        assert Response.objects.count() == 30_000
        assert Unit.objects.filter(kind="branch").count() == 20
        assert Staff.objects.count() == 300

    def test_the_telephone_is_clearly_the_worst_channel(self) -> None:
        phone = self.figure("composite", "2025", channel="phone")
        counter = self.figure("composite", "2025", channel="counter")

        assert phone.score_high is not None
        assert counter.score_low is not None
        assert phone.score_high < counter.score_low

    def test_responsiveness_falls_at_harbour_gate(self) -> None:
        before = self.figure("perceived-responsiveness", "2025-Q1", unit="harbour-gate")
        after = self.figure("perceived-responsiveness", "2025-Q4", unit="harbour-gate")

        assert before.low is not None
        assert after.high is not None
        assert after.high < before.low

    def test_the_app_gains_over_the_second_year(self) -> None:
        first = self.figure("perceived-reliability", "2024-Q2", channel="app")
        last = self.figure("perceived-reliability", "2025-Q4", channel="app")

        assert first.high is not None
        assert last.low is not None
        assert first.high < last.low

    def test_recommendation_is_in_points_from_minus_to_plus_100(self) -> None:
        nps = self.figure("recommendation", "2025")

        assert nps.value is not None
        assert nps.score == pytest.approx((nps.value + 100) / 2)
        assert abs(nps.value) > 1
