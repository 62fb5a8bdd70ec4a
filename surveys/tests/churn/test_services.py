"""Scorecards, their runs, the page and REST."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from unittest.mock import patch

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotPermitted
from sqcore.base.periods import Grain, Period
from sqcore.encounters.models import Encounter
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import EVERYWHERE, system_principal
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_inline
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, TODAY, give_role, make_principal, make_unit, make_user
from sqcore.tests.rest import get, make_key
from surveys.campaigns.models import Campaign
from surveys.churn.models import RiskRun, RiskScorecard, UnitRisk
from surveys.churn.queries import named_answers_since
from surveys.churn.services import define_scorecard, forget_runs, run_due, run_scorecard
from surveys.tests.analyses.making import answer
from surveys.tests.churn.making import come, make_scorecard
from surveys.tests.factories import make_campaign, make_ready_version

pytestmark = pytest.mark.django_db

BY = system_principal("test")
MONTH = Period(date(2026, 2, 1), Grain.MONTH)
"""The last closed month at NOW."""
IN_APRIL = NOW + timedelta(days=33)


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def north(bank: Unit) -> Unit:
    """30 who come every 20 days, and 10 whose last visit 70 days ago was not solved."""
    north = make_unit("north", parent=bank)
    every = [TODAY - timedelta(days=2 + 20 * at) for at in range(16)]
    for number in range(30):
        come(f"stays-{number}", north, every)
    for number in range(10):
        gone = [day for day in every if day <= TODAY - timedelta(days=70)]
        come(f"leaves-{number}", north, gone, solved=False)
    return north


def run(card: RiskScorecard, now: datetime = NOW) -> RiskRun:
    run_inline(run_scorecard(scorecard=card, by=BY, now=now, tell_worker=False), now=now)
    return RiskRun.objects.order_by("-id")[0]


def told(unit: Unit, found: RiskRun) -> tuple[int | None, int | None, date | None]:
    row = UnitRisk.objects.get(unit=unit, run=found)
    return row.n, row.high, row.as_of


class TestDefineScorecard:
    def define(self, **over: object) -> RiskScorecard:
        fields: dict[str, object] = {
            "points": {"unsolved_last": 3, "detractor": 0}, "medium": 2, "high": 3,
            "horizon_days": 90, "active_days": 180, "reason": "So it is.", "by": BY, "now": NOW,
        }  # fmt: skip
        return define_scorecard(**(fields | over))  # type: ignore[arg-type]

    def test_the_same_again_adds_nothing(self) -> None:
        assert self.define() == self.define()
        assert RiskScorecard.objects.count() == 1

    def test_adds_the_next_version_with_an_entry_in_the_ledger(self) -> None:
        first, second = self.define(), self.define(points={"unsolved_last": 4})

        assert (first.number, second.number) == (1, 2)
        assert first.points == {"unsolved_last": 3}
        assert AuditEntry.objects.filter(action="risk_scorecard.defined").count() == 2

    def test_who_writes_the_first_one_at_the_same_moment_is_told_so(self) -> None:
        """As on PostgreSQL, where nothing is there to wait for."""
        make_scorecard()
        nothing = RiskScorecard.objects.none()

        with (
            patch.object(RiskScorecard.objects, "order_by", return_value=nothing),
            pytest.raises(Conflict),
        ):
            self.define()

        assert RiskScorecard.objects.get().reason == "As experience says."
        assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize(
        "over",
        [
            {"points": {}},
            {"points": {"age": 3}},
            {"points": {"unsolved_last": 10}},
            {"high": 4},
            {"medium": 0},
            {"horizon_days": 7},
            {"active_days": 60},
            {"reason": " "},
        ],
    )
    def test_refuses_what_makes_no_sense(self, over: dict[str, object]) -> None:
        with pytest.raises(InvalidInput):
            self.define(**over)

        assert not RiskScorecard.objects.exists()

    def test_is_for_who_changes_indicators(self) -> None:
        mei = make_principal({Permission.VIEW_RESULTS: EVERYWHERE})

        with pytest.raises(NotPermitted):
            self.define(by=mei)


class TestARun:
    def test_tells_levels_by_unit_and_what_happened_before(self, north: Unit) -> None:
        found = run(make_scorecard())

        row = UnitRisk.objects.get(unit=north)
        assert (row.n, row.high, row.low) == (40, 25, 75)
        assert found.customers == 40
        assert found.trial["customers"] == 40
        assert found.trial["left"] == 0.25
        assert date.fromisoformat(found.trial["day"]) == MONTH.end - timedelta(days=60)
        assert (found.on, found.starts_on) == (date(2026, 2, 28), MONTH.start)

    def test_knows_nothing_of_the_month_that_is_not_over(self, north: Unit) -> None:
        for number in range(30):
            come(f"new-{number}", north, [MONTH.end])

        run(make_scorecard())

        assert UnitRisk.objects.get(unit=north).n == 40

    def test_few_customers_of_a_unit_are_not_told_of(self, north: Unit, bank: Unit) -> None:
        south = make_unit("south", parent=bank)
        for number in range(3):
            come(f"rare-{number}", south, [MONTH.end - timedelta(days=9)])

        run(make_scorecard())

        rows = {row.unit.code: row.n for row in UnitRisk.objects.select_related("unit")}
        assert rows["south"] is None
        assert rows["north"] is None or rows["bank"] is None

    def test_without_history_there_is_no_trial(self, bank: Unit) -> None:
        for number in range(6):
            come(f"new-{number}", bank, [MONTH.end - timedelta(days=5)])

        assert run(make_scorecard()).trial == {}

    def test_without_encounters_there_is_nothing(self, bank: Unit) -> None:
        found = run(make_scorecard())

        assert (found.customers, found.trial, UnitRisk.objects.count()) == (None, {}, 0)


class TestWhatMayBeTold:
    """Two runs are never subtracted to find fewer than five."""

    def test_fewer_than_thirty_customers_have_no_shares(self, bank: Unit) -> None:
        for number in range(29):
            come(f"few-{number}", bank, [MONTH.end - timedelta(days=9)])

        assert told(bank, run(make_scorecard())) == (None, None, None)

    def test_shares_leave_a_single_customer_open(self, north: Unit) -> None:
        come("one-more", north, [MONTH.end - timedelta(days=70)], solved=False)

        assert told(north, run(make_scorecard())) == (41, 25, None)

    def test_who_comes_as_one_of_few_is_not_told_of(self, north: Unit) -> None:
        card = make_scorecard(horizon_days=20, active_days=400)
        run(card)
        for number in range(4):
            come(f"new-{number}", north, [MONTH.end + timedelta(days=9)], solved=False)

        assert told(north, run(card, IN_APRIL)) == (40, 25, date(2026, 2, 28))
        come("new-4", north, [MONTH.end + timedelta(days=9)], solved=False)
        assert told(north, run(card, IN_APRIL))[::2] == (45, None)

    def test_another_scorecard_does_not_repeat_the_shares_of_the_first(self, north: Unit) -> None:
        run(make_scorecard(active_days=400))
        come("one-more", north, [MONTH.end - timedelta(days=300)])

        found = run(make_scorecard(number=2, active_days=500))

        assert told(north, found) == (None, None, None)

    def test_every_earlier_month_is_compared_with(self, north: Unit) -> None:
        """Ten of March left again in April but one: February and April differ by that one."""
        card = make_scorecard(horizon_days=20, active_days=400)
        run(card)
        for number in range(9):
            come(f"new-{number}", north, [MONTH.end + timedelta(days=9)])
        assert told(north, run(card, IN_APRIL))[0] == 49
        Encounter.objects.filter(customer__pseudonym__startswith="new-").exclude(
            customer__pseudonym="new-0"
        ).delete()

        assert told(north, run(card, IN_APRIL))[0] == 49

    def test_a_trial_whose_customers_differ_by_one_is_not_shown(self, north: Unit) -> None:
        card = make_scorecard()
        before = run(card)
        come("one-more", north, [MONTH.end - timedelta(days=70)])

        assert run(card).trial == before.trial
        other = run(make_scorecard(number=2, points={"unsolved_last": 3}))
        assert other.trial == {}


class TestTheClock:
    def test_runs_the_newest_scorecard_once_a_closed_month(self, north: Unit) -> None:
        make_scorecard()
        newest = make_scorecard(number=2)
        later = NOW + timedelta(days=2)

        job = run_due(now=later, tell_worker=False)

        assert job is not None
        run_inline(job, now=later)
        assert [(each.scorecard, each.starts_on) for each in RiskRun.objects.all()] == [
            (newest, MONTH.start)
        ]
        assert run_due(now=later + timedelta(days=20)) is None
        assert run_due(now=later + timedelta(days=31)) is not None

    def test_waits_three_days_for_late_encounters(self, north: Unit) -> None:
        make_scorecard()

        assert run_due(now=NOW) is None

    def test_without_a_scorecard_or_encounters_there_is_nothing_to_run(self, bank: Unit) -> None:
        later = NOW + timedelta(days=2)

        assert run_due(now=later) is None
        make_scorecard()
        assert run_due(now=later) is None
        assert not Job.objects.exists()

    def test_runs_of_more_than_two_years_ago_are_deleted_but_the_one_on_show(
        self, north: Unit
    ) -> None:
        card = make_scorecard()
        first, second = run(card), run(card)
        much_later = NOW + timedelta(days=760)

        assert forget_runs(now=NOW + timedelta(days=700)) == 0
        assert forget_runs(now=much_later) == 1
        assert RiskRun.objects.get() == second
        assert not UnitRisk.objects.filter(run_id=first.pk).exists()


@pytest.mark.parametrize(
    ("mode", "count"),
    [
        (Campaign.Mode.IDENTIFIED, 1),
        (Campaign.Mode.CONFIDENTIAL, 0),
        (Campaign.Mode.ANONYMOUS, 0),
    ],
)
def test_only_answers_given_with_a_name_are_tied_to_a_customer(
    bank: Unit, mode: Campaign.Mode, count: int
) -> None:
    day = TODAY - timedelta(days=9)
    come("hua", bank, [day])
    campaign = make_campaign(
        version=make_ready_version("experience"), mode=mode, opens_on=day - timedelta(days=9)
    )
    answer(campaign, bank, 1, on=day, answers={"recommend": 4}, encounter_key=f"hua-{day}")

    assert len(named_answers_since(day).customer) == count


def client_of(role: Role, unit: Unit | None = None) -> Client:
    user = make_user(role.value)
    give_role(user, role, unit)
    client = Client()
    client.force_login(User.objects.get(pk=user.pk))
    return client


class TestThePage:
    def test_shows_rules_levels_and_the_trial(self, north: Unit) -> None:
        run(make_scorecard())

        page = client_of(Role.MANAGER, north).get("/churn/").content.decode()

        for said in ("25 %", "not solved", "did not come again within 60 days", "never tied"):
            assert said in page
        assert "Change the scorecard" not in page

    def test_asks_as_often_for_many_units_as_for_one(
        self, north: Unit, bank: Unit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        run(make_scorecard())
        client = client_of(Role.ANALYST)
        with django_assert_num_queries(9):
            client.get("/churn/")
        for number in range(12):
            come(f"far-{number}", make_unit(f"far-{number}", parent=bank), [MONTH.start])
        run(make_scorecard(number=2))

        with django_assert_num_queries(9):
            client.get("/churn/")

    def test_a_manager_sees_nothing_of_other_units(self, north: Unit, bank: Unit) -> None:
        south = make_unit("south", parent=bank)
        run(make_scorecard())

        page = client_of(Role.MANAGER, south).get("/churn/").content.decode()

        assert "North" not in page
        assert "Nothing to show" in page

    def test_the_analyst_writes_a_scorecard_and_it_is_tried(self, north: Unit) -> None:
        client = client_of(Role.ANALYST)
        form = {
            "unsolved_last": 3, "long_away": 2, "fewer_visits": 0, "detractor": 0,
            "falling_answers": 0, "medium": 2, "high": 3, "horizon_days": 60,
            "active_days": 120, "reason": "As experience says.",
        }  # fmt: skip

        assert client.get("/churn/scorecard/").status_code == 200
        assert client.post("/churn/scorecard/", form).status_code == 302
        assert RiskScorecard.objects.get().points == {"unsolved_last": 3, "long_away": 2}
        assert Job.objects.get().kind == "surveys.churn"

    def test_only_analysts_change_it(self, north: Unit) -> None:
        client = client_of(Role.MANAGER, north)

        assert client.get("/churn/scorecard/").status_code == 403
        assert client.post("/churn/again/").status_code == 403
        assert not Job.objects.exists()

    def test_before_a_scorecard_it_says_what_to_do(self, bank: Unit) -> None:
        assert "No scorecard yet" in client_of(Role.ANALYST).get("/churn/").content.decode()


def test_over_rest_a_token_gets_its_units(north: Unit, bank: Unit) -> None:
    run(make_scorecard())

    response = get("customers-at-risk", make_key(Permission.VIEW_RESULTS, units=[north]))

    assert json.loads(response.content)["results"] == [
        {
            "unit": "north", "on": "2026-02-28", "scorecard": 1, "n": 40,
            "high": 25, "medium": 0, "low": 75, "unknown": 0,
        }
    ]  # fmt: skip
