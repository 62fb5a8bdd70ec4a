"""Scorecards, their runs, the page and REST."""

import json
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import time_machine
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import InvalidInput, NotPermitted
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
from surveys.churn.services import define_scorecard, run_scorecard
from surveys.tests.analyses.making import answer
from surveys.tests.churn.making import come, make_scorecard
from surveys.tests.factories import make_campaign, make_ready_version

pytestmark = pytest.mark.django_db

BY = system_principal("test")


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
    every = [TODAY - timedelta(days=1 + 20 * at) for at in range(16)]
    for number in range(30):
        come(f"stays-{number}", north, every)
    for number in range(10):
        gone = [day for day in every if day <= TODAY - timedelta(days=70)]
        come(f"leaves-{number}", north, gone, solved=False)
    return north


def run(card: RiskScorecard) -> RiskRun:
    run_inline(run_scorecard(scorecard=card, by=BY, now=NOW, tell_worker=False), now=NOW)
    return RiskRun.objects.order_by("-id")[0]


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
        assert date.fromisoformat(found.trial["day"]) == TODAY - timedelta(days=60)

    def test_few_customers_of_a_unit_are_not_told_of(self, north: Unit, bank: Unit) -> None:
        south = make_unit("south", parent=bank)
        for number in range(3):
            come(f"rare-{number}", south, [TODAY - timedelta(days=9)])

        run(make_scorecard())

        rows = {row.unit.code: row.n for row in UnitRisk.objects.select_related("unit")}
        assert rows["south"] is None
        assert rows["north"] is None or rows["bank"] is None

    def test_without_history_there_is_no_trial(self, bank: Unit) -> None:
        for number in range(6):
            come(f"new-{number}", bank, [TODAY - timedelta(days=5)])

        assert run(make_scorecard()).trial == {}

    def test_without_encounters_there_is_nothing(self, bank: Unit) -> None:
        found = run(make_scorecard())

        assert (found.customers, found.trial, UnitRisk.objects.count()) == (None, {}, 0)


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
            "unit": "north", "on": TODAY.isoformat(), "scorecard": 1, "n": 40,
            "high": 25, "medium": 0, "low": 75, "unknown": 0,
        }
    ]  # fmt: skip
