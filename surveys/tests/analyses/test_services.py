"""Analyses are made of groups that may be shown, replaced at once, and made when they are due."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from django.db.models import F
from pytest_django import DjangoAssertNumQueries

from sqcore.base.errors import DomainError, InvalidInput
from sqcore.base.periods import Grain, Period
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_job
from sqcore.org.models import Unit
from sqcore.stats.results import MethodStatus
from sqcore.tests.factories import NOW, make_channel, make_segment, make_unit
from surveys.analyses.models import Analysis, ShownGroup, ids_of
from surveys.analyses.port import Found
from surveys.analyses.services import analyse, queue_due
from surveys.campaigns.models import Campaign
from surveys.responses.items import ItemAnswers
from surveys.tests.analyses.making import (
    Q4,
    YEAR,
    Counting,
    analyse_due,
    answer,
    leave,
    only,
    run,
    shown,
    take_in,
)
from surveys.tests.factories import make_campaign, make_version, raw_definition

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=1)


@pytest.fixture
def counting() -> Iterator[Counting]:
    kind = Counting()
    with only(kind):
        yield kind


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def north(bank: Unit) -> Unit:
    return make_unit("north", parent=bank)


@pytest.fixture
def south(bank: Unit) -> Unit:
    return make_unit("south", parent=bank)


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign(opens_on=date(2025, 1, 1))


@pytest.mark.usefixtures("counting")
class TestGroups:
    def test_looks_at_the_whole_and_every_unit_with_all_below_it(
        self, campaign: Campaign, north: Unit, south: Unit
    ) -> None:
        counter = make_unit("counter", parent=north)
        answer(campaign, counter, 30)
        answer(campaign, north, 35)
        answer(campaign, south, 40)

        run(campaign)

        assert shown() == {"bank": 105, "north": 65, "counter": 30, "south": 40}

    def test_looks_at_every_channel_and_segment_of_the_whole(
        self, campaign: Campaign, north: Unit
    ) -> None:
        phone, private = make_channel("phone"), make_segment("private")
        answer(campaign, north, 40, channel_id=phone.pk)
        answer(campaign, north, 60, segment_id=private.pk)

        run(campaign)

        assert shown() == {"bank": 100, "north": 100, "phone": 40, "private": 60}

    def test_a_kind_for_the_whole_only_asks_for_nobody_else(
        self, campaign: Campaign, counting: Counting, north: Unit
    ) -> None:
        counting.only_whole = True
        answer(campaign, north, 40)

        run(campaign)

        assert shown() == {"bank": 40}

    def test_answers_by_the_tree_of_the_last_day_of_the_period(
        self, campaign: Campaign, north: Unit, south: Unit
    ) -> None:
        moved = make_unit("moved", parent=north)
        placement = moved.placements.get()
        placement.valid_to = date(2026, 1, 1)
        placement.save()
        moved.placements.create(parent=south, valid_from=date(2026, 1, 1))
        answer(campaign, moved, 30)

        run(campaign)

        assert shown() == {"bank": 30, "north": 30, "moved": 30}

    def test_a_unit_that_had_no_place_counts_for_the_whole(
        self, campaign: Campaign, north: Unit
    ) -> None:
        new = make_unit("new", parent=north, on=date(2026, 2, 1))
        answer(campaign, new, 30)
        answer(campaign, north, 40)

        run(campaign)

        assert shown() == {"bank": 70, "north": 40}

    def test_a_questionnaire_that_lacks_what_a_kind_needs_is_left_alone(
        self, campaign: Campaign, counting: Counting, north: Unit
    ) -> None:
        counting.needs = "p9"
        answer(campaign, north, 40)

        run(campaign)

        assert shown() == {}


@pytest.mark.usefixtures("counting")
class TestSmallGroups:
    def test_have_a_row_without_any_number(
        self, campaign: Campaign, north: Unit, south: Unit
    ) -> None:
        answer(campaign, north, 40)
        answer(campaign, south, 20)

        run(campaign)

        row = Analysis.objects.get(unit=south)
        assert (row.status, row.n, row.found) == (MethodStatus.INSUFFICIENT_N, None, {})
        assert shown() == {"bank": 60, "north": 40, "south": None}

    def test_hide_the_unit_that_would_give_them_away(
        self, campaign: Campaign, north: Unit, south: Unit
    ) -> None:
        answer(campaign, north, 40)
        answer(campaign, south, 4)

        run(campaign)

        assert shown() == {"bank": 44, "north": None, "south": None}

    def test_a_kind_may_want_more_answers(
        self, campaign: Campaign, counting: Counting, north: Unit, south: Unit
    ) -> None:
        counting.fewest = 100
        answer(campaign, north, 99)
        answer(campaign, south, 101)

        run(campaign)

        assert shown() == {"bank": 200, "north": None, "south": 101}

    def test_what_a_kind_cannot_tell_says_why(
        self, campaign: Campaign, counting: Counting, north: Unit
    ) -> None:
        counting.status = MethodStatus.ZERO_VARIANCE
        answer(campaign, north, 40)

        run(campaign)

        row = Analysis.objects.get(unit=north)
        assert (row.status, row.n, row.found) == (MethodStatus.ZERO_VARIANCE, 40, {})


@pytest.mark.usefixtures("counting")
class TestAgain:
    def test_gives_the_same_rows(self, campaign: Campaign, north: Unit) -> None:
        answer(campaign, north, 40)
        run(campaign)
        first = list(Analysis.objects.order_by("id").values("unit", "n", "found", "status"))

        run(campaign, now=LATER)

        assert list(Analysis.objects.order_by("id").values("unit", "n", "found", "status")) == first
        assert {row.made_at for row in Analysis.objects.all()} == {LATER}

    def test_takes_in_many_late_answers(self, campaign: Campaign, north: Unit) -> None:
        answer(campaign, north, 40)
        run(campaign)
        answer(campaign, north, 20, answers={"overall": 2})

        run(campaign, now=LATER)

        row = Analysis.objects.get(unit=north)
        assert (row.n, row.found) == (60, {"people": 60, "mean": 4.0})

    def test_few_late_answers_change_nothing_that_is_shown(
        self, campaign: Campaign, north: Unit, south: Unit
    ) -> None:
        answer(campaign, north, 40)
        answer(campaign, south, 40)
        run(campaign)
        answer(campaign, north, 3, answers={"overall": 1})

        run(campaign, now=LATER)

        row = Analysis.objects.get(unit=north)
        assert shown() == {"bank": 80, "north": 40, "south": 40}
        assert (row.found, row.made_at) == ({"people": 40, "mean": 5.0}, LATER)

    def test_one_who_came_for_one_who_left_changes_nothing_that_is_shown(
        self, campaign: Campaign, north: Unit, south: Unit
    ) -> None:
        answer(campaign, north, 40)
        answer(campaign, south, 40)
        run(campaign)
        leave(campaign, north, 1)
        answer(campaign, north, 1, answers={"overall": 1})

        run(campaign, now=LATER)

        row = Analysis.objects.get(unit=north)
        assert (row.n, row.found) == (40, {"people": 40, "mean": 5.0})

    def test_what_was_hidden_for_a_while_does_not_come_back_with_a_few_others(
        self, campaign: Campaign, counting: Counting, north: Unit, south: Unit
    ) -> None:
        answer(campaign, north, 40)
        answer(campaign, south, 40)
        run(campaign)
        leave(campaign, north, 20)
        run(campaign, now=LATER)
        assert shown()["north"] is None
        campaign.responses.filter(unit=north).update(withdrawn=False)
        answer(campaign, north, 2)

        run(campaign, now=LATER)

        assert shown()["north"] is None, "42 would tell of the two beside the first 40"

    def test_whose_answers_were_shown_is_kept_without_a_moment(
        self, campaign: Campaign, north: Unit
    ) -> None:
        answer(campaign, north, 40)
        run(campaign)
        run(campaign, now=LATER)
        answer(campaign, north, 10)
        run(campaign, now=LATER)

        kept = ShownGroup.objects.filter(unit=north).order_by("revision")
        assert [(row.revision, row.until) for row in kept] == [(1, 2), (2, None)]
        ids = list(campaign.responses.order_by("id").values_list("id", flat=True))
        assert [ids_of(row.responses).tolist() for row in kept] == [ids[:40], ids]
        kinds = {field.get_internal_type() for field in ShownGroup._meta.get_fields()}
        assert "DateTimeField" not in kinds

    def test_a_new_method_does_not_keep_what_the_old_one_found(
        self, campaign: Campaign, counting: Counting, north: Unit
    ) -> None:
        answer(campaign, north, 40)
        run(campaign)
        answer(campaign, north, 3)
        counting.method = 2

        run(campaign, now=LATER)

        assert shown() == {"bank": None, "north": None}
        assert {row.method for row in Analysis.objects.all()} == {2}

    def test_forgets_groups_that_nobody_is_in_any_more(
        self, campaign: Campaign, north: Unit, south: Unit
    ) -> None:
        answer(campaign, north, 40)
        answer(campaign, south, 40)
        run(campaign)
        campaign.responses.filter(unit=south).update(withdrawn=True)

        run(campaign, now=LATER)

        assert shown() == {"bank": 40, "north": 40}

    def test_a_year_whose_quarters_leave_few_is_hidden(
        self, campaign: Campaign, north: Unit, south: Unit
    ) -> None:
        for unit, times in ((north, 40), (south, 50)):
            answer(campaign, unit, times)
        answer(campaign, south, 40, on=date(2025, 2, 1))
        answer(campaign, north, 3, on=date(2025, 2, 1))
        for period in (Q4, Period.parse("2025-Q1"), YEAR):
            run(campaign, period)

        assert shown() == {"bank": 90, "north": 40, "south": 50}
        assert shown(Period.parse("2025-Q1")) == {"bank": 43, "north": None, "south": None}
        assert shown(YEAR) == {"bank": 133, "north": None, "south": None}

    def test_what_is_no_number_is_never_stored(
        self, campaign: Campaign, counting: Counting, north: Unit
    ) -> None:
        answer(campaign, north, 40, answers={"p1": 3})

        with pytest.raises(DomainError):
            run(campaign)

        assert not Analysis.objects.exists()


@pytest.mark.usefixtures("counting")
class TestAsking:
    def test_one_job_at_a_time(self, campaign: Campaign) -> None:
        jobs = [analyse(version=campaign.version, period=Q4, now=NOW) for _ in range(2)]

        assert jobs[0] == jobs[1]
        assert jobs[0].title["en"] == "Analyses: Visit, 2025-Q4"

    @pytest.mark.parametrize(
        ("period", "said"),
        [
            (Period(date(2025, 11, 1), Grain.MONTH), "by quarter and year"),
            (Period.parse("2026-Q1"), "not over yet"),
        ],
    )
    def test_refuses_what_cannot_be_analysed(
        self, campaign: Campaign, period: Period, said: str
    ) -> None:
        with pytest.raises(InvalidInput, match=said):
            analyse(version=campaign.version, period=period, now=NOW)

        assert not Job.objects.exists()

    def test_refuses_a_draft(self) -> None:
        draft = make_version(publish=False)

        with pytest.raises(InvalidInput, match="draft"):
            analyse(version=draft, period=Q4, now=NOW)

        assert not Job.objects.exists()


@dataclass
class TakenOver(Counting):
    """While it looks, another worker takes the job over."""

    def find(self, answers: ItemAnswers, *, k: int = 5) -> Found:
        Job.objects.update(fence=F("fence") + 1)
        return super().find(answers, k=k)


@dataclass
class AtOnce(Counting):
    """While one period is computed, another one is finished."""

    campaign: Campaign | None = None
    other: Period | None = None

    def find(self, answers: ItemAnswers, *, k: int = 5) -> Found:
        other, self.other = self.other, None
        if self.campaign is not None and other is not None:
            run(self.campaign, other)
        return super().find(answers, k=k)


class TestAtOnce:
    @pytest.mark.parametrize(("first", "other"), [(YEAR, Q4), (Q4, YEAR)])
    def test_a_year_and_its_quarter_do_not_tell_of_the_few_between_them(
        self, campaign: Campaign, north: Unit, first: Period, other: Period
    ) -> None:
        answer(campaign, north, 40)
        answer(campaign, north, 3, on=date(2025, 2, 1))

        with only(AtOnce(campaign=campaign, other=other)):
            run(campaign, first)

        people = {Q4: 40, YEAR: 43}[other]
        assert shown(other) == {"bank": people, "north": people}
        assert shown(first) == {"bank": None, "north": None}
        assert set(Job.objects.values_list("state", flat=True)) == {Job.State.DONE}


class TestTakenOver:
    def test_the_slower_worker_writes_nothing(self, campaign: Campaign, north: Unit) -> None:
        answer(campaign, north, 40)
        with only(Counting()):
            run(campaign)
        answer(campaign, north, 20)
        job = analyse(version=campaign.version, period=Q4, now=LATER)

        with only(TakenOver()):
            run_job(job.pk, clock=lambda: LATER)

        job.refresh_from_db()
        assert job.state == Job.State.RUNNING
        assert shown() == {"bank": 40, "north": 40}

    def test_says_how_far_it_is(self, campaign: Campaign, north: Unit) -> None:
        answer(campaign, north, 40)
        with only(Counting()):
            run(campaign)

        job = Job.objects.get()
        assert (job.done, job.total, job.result) == (2, 2, {"analyses": 2})


class TestDue:
    @pytest.fixture(autouse=True)
    def _answers(self, counting: Counting, campaign: Campaign, north: Unit) -> None:
        answer(campaign, north, 40)
        answer(campaign, north, 40, on=date(2025, 2, 1))
        answer(campaign, north, 40, on=date(2026, 2, 1))
        take_in()

    def queued(self) -> list[str]:
        return [job.title["en"].rpartition(" ")[2] for job in Job.objects.order_by("created_at")]

    def test_are_closed_quarters_and_years_newest_first(self) -> None:
        assert queue_due(now=NOW) == 3

        assert sorted(self.queued()) == ["2025", "2025-Q1", "2025-Q4"]

    def test_only_so_many_at_once_the_newest(self) -> None:
        assert queue_due(now=NOW, most=2) == 2

        assert sorted(self.queued()) == ["2025", "2025-Q4"]

    def test_nothing_when_all_is_analysed(self) -> None:
        assert analyse_due(NOW) == 3
        assert queue_due(now=LATER) == 0
        assert shown(YEAR) == {"bank": 80, "north": 80}

    def test_periods_whose_answers_changed(self, campaign: Campaign, north: Unit) -> None:
        analyse_due(NOW)
        answer(campaign, north, 10)
        take_in(LATER)
        Job.objects.all().delete()

        assert queue_due(now=LATER) == 2
        assert sorted(self.queued()) == ["2025", "2025-Q4"]

    def test_stay_done_when_late_answers_are_too_few_to_show(
        self, campaign: Campaign, north: Unit
    ) -> None:
        analyse_due(NOW)
        answer(campaign, north, 2)
        take_in(LATER)

        assert analyse_due(LATER) == 2
        assert analyse_due(LATER) == 0

    def test_all_when_a_method_rose_or_a_kind_is_new(self, counting: Counting) -> None:
        analyse_due(NOW)
        counting.method = 2
        assert analyse_due(LATER) == 3

        with only(counting, Counting(key="another")):
            assert analyse_due(LATER) == 3
        assert queue_due(now=LATER) == 0

    def test_not_a_quarter_of_answers_known_by_year_only(self, north: Unit) -> None:
        Analysis.objects.all().delete()
        wave = make_campaign(
            "wave", version=make_version(raw_definition("wave")), finest_grain=Grain.YEAR,
            opens_on=date(2024, 1, 1),
        )  # fmt: skip
        answer(wave, north, 40, on=date(2024, 1, 1))
        take_in()

        assert analyse_due(NOW) == 4
        rows = Analysis.objects.filter(version=wave.version, unit=north)
        assert [(row.grain, row.n) for row in rows] == [(Grain.YEAR, 40)]

    def test_finding_them_asks_few_questions(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        analyse_due(NOW)

        with django_assert_num_queries(4):
            assert queue_due(now=LATER) == 0
