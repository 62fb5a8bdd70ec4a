"""The pages about a campaign's invitations, and the list over REST."""

import csv
import io
from typing import Any

import pytest
import time_machine
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.org.models import Unit
from sqcore.tests.factories import give_role, make_channel, make_unit, make_user
from sqcore.tests.pages import faults_of
from sqcore.tests.rest import make_key
from surveys.campaigns.models import Campaign
from surveys.invitations.links import address_of
from surveys.invitations.models import Invitation, SamplingPlan
from surveys.invitations.services import InvitedAnswer, draw_invitations, submit_invited
from surveys.tests.factories import make_campaign
from surveys.tests.invitations.factories import DAY, MONDAY, NOON, invite, keys, make_a_plan, served

pytestmark = pytest.mark.django_db

PAGE = "/surveys/campaigns/visits/invitations/"


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def north() -> Unit:
    return make_unit("north", parent=make_unit("bank"))


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ana() -> Client:
    user = make_user("ana")
    give_role(user, Role.ANALYST)
    return logged_in(user)


@pytest.fixture
def mei(north: Unit) -> Client:
    user = make_user("mei")
    give_role(user, Role.MANAGER, north)
    return logged_in(user)


def form(**over: Any) -> dict[str, Any]:
    fields = {
        "share": "50", "starts_on": "2026-03-02", "last_on": "", "below": "", "least": "0",
        "most": "", "delay_h": "2", "oldest_days": "14", "valid_days": "14",
        "recontact_days": "90", "with_unknown": "on",
    }  # fmt: skip
    return fields | over


class TestThePlan:
    def test_is_set_up_from_the_empty_page(self, ana: Client, north: Unit) -> None:
        make_campaign()
        empty = ana.get(PAGE)
        assert "No service encounters yet" in empty.content.decode()
        assert f"{PAGE}new/" in empty.content.decode()

        made = ana.post(f"{PAGE}new/", form(below=str(north.pk), most="20", last_on="2026-03-31"))

        assert made.status_code == 302
        plan = SamplingPlan.objects.get()
        assert (plan.below, plan.most, str(plan.share)) == (north, 20, "50.00")
        assert str(plan.ends_on) == "2026-04-01"
        page = ana.get(PAGE).content.decode()
        assert "at most 20 by unit and week" in page
        assert faults_of(page) == []

    def test_is_tried_before(self, ana: Client, north: Unit) -> None:
        make_campaign()
        served(north, keys("visit", 40), at=NOON - 3 * DAY)

        tried = ana.post(f"{PAGE}new/", form(share="100", **{"try": "1"}))

        text = tried.content.decode()
        assert "Of 40 encounters of the last 28 days about 40 would have been invited." in text
        assert faults_of(text) == []
        assert not SamplingPlan.objects.exists()

    @pytest.mark.parametrize(
        ("over", "words"),
        [
            ({"share": "0"}, "must be more than 0 and at most 100"),
            ({"share": "many"}, "Enter a number"),
            ({"least": "9", "most": "3"}, "not less than the smallest number"),
            ({"last_on": "2026-03-01"}, "must not be before the first day"),
            ({"recontact_days": "3"}, "at least a week longer"),
            ({"last_on": "9999-12-31"}, "less than or equal to 2200-12-31"),
            ({"starts_on": "9999-12-31"}, "less than or equal to 2200-12-31"),
            ({"starts_on": "0001-01-01"}, "greater than or equal to 2000-01-01"),
        ],
    )
    def test_that_makes_no_sense_comes_back_with_the_reason(
        self, ana: Client, over: dict[str, str], words: str
    ) -> None:
        make_campaign()

        refused = ana.post(f"{PAGE}new/", form(**over))

        assert refused.status_code == 400
        assert words in refused.content.decode()
        assert not SamplingPlan.objects.exists()

    @pytest.mark.parametrize(
        ("over", "words"),
        [
            ({"mode": Campaign.Mode.IDENTIFIED}, "Answers with names come in by REST"),
            ({"state": Campaign.State.CLOSED}, "This campaign is closed"),
        ],
    )
    def test_cannot_be_set_up_where_nobody_can_be_invited(
        self, ana: Client, over: dict[str, str], words: str
    ) -> None:
        make_campaign(**over)  # type: ignore[arg-type]  # a choice by its value

        page = ana.get(PAGE).content.decode()

        assert words in page
        assert f"{PAGE}new/" not in page
        assert ana.post(f"{PAGE}new/", form()).status_code == 400
        assert not SamplingPlan.objects.exists()

    def test_is_ended_from_the_page(self, ana: Client) -> None:
        plan = make_a_plan(make_campaign())

        ana.post(f"{PAGE}{plan.pk}/end/")

        assert SamplingPlan.objects.get().ends_on == MONDAY
        assert "Former plan" in ana.get(PAGE).content.decode()

    def test_of_another_campaign_is_not_found(self, ana: Client) -> None:
        other = make_a_plan(make_campaign("other"))
        make_campaign(version=other.campaign.version)

        assert ana.post(f"{PAGE}{other.pk}/end/").status_code == 404
        assert SamplingPlan.objects.get().ends_on is None


@pytest.mark.parametrize("path", ["", "new/", "withdraw/"])
def test_a_manager_does_not_plan_who_is_asked(mei: Client, path: str) -> None:
    make_campaign()

    assert mei.get(f"{PAGE}{path}").status_code == 403
    assert mei.post(f"{PAGE}export/").status_code == 403


class TestTheRates:
    def test_are_shown_by_unit_and_channel_when_their_weeks_are_over(
        self, ana: Client, mei: Client, north: Unit
    ) -> None:
        south, phone = make_unit("south", parent=Unit.objects.get(code="bank")), make_channel("tel")
        campaign = make_campaign()
        served(north, keys("north", 40), channel_id=phone.pk)
        served(south, keys("south", 40), channel_id=phone.pk)
        draw_invitations(plan=make_a_plan(campaign), now=NOON)
        for prefix, count in (("north", 10), ("south", 16)):
            answers = [InvitedAnswer(key, {"p1": 6}) for key in keys(prefix, count)]
            submit_invited(campaign=campaign, answers=answers, now=NOON)

        during = mei.get("/surveys/campaigns/visits/").content.decode()
        with time_machine.travel(NOON + 7 * DAY, tick=False):
            for client, name in ((ana, "ana"), (mei, "mei")):
                client.force_login(User.objects.get(username=name))
            page = ana.get(PAGE).content.decode()
            mine = mei.get("/surveys/campaigns/visits/").content.decode()

        assert "25.0" not in during
        for rate in ("25.0", "40.0", "32.5"):
            assert rate in page
        assert faults_of(page) == []
        assert "25.0" in mine
        assert "40.0" not in mine
        assert "No week of invitations is over yet" in during

    def test_cost_the_same_queries_however_many_units(
        self, ana: Client, django_assert_num_queries: Any
    ) -> None:
        campaign = make_campaign()
        for number in range(3):
            invite(campaign, f"first-{number}", make_unit(f"unit-{number}"))
        ana.get(PAGE)
        with django_assert_num_queries(17) as counted:
            ana.get(PAGE)
        for number in range(3, 30):
            invite(campaign, f"more-{number}", make_unit(f"unit-{number}"))

        with django_assert_num_queries(len(counted)):
            ana.get(PAGE)


class TestTheFile:
    def test_has_the_open_links_and_no_formula(self, ana: Client, north: Unit) -> None:
        campaign = make_campaign()
        made = invite(campaign, "=1+1", north)
        invite(campaign, "gone", north, withdrawn_at=NOON)

        sent = ana.post(f"{PAGE}export/")

        [row] = csv.DictReader(io.StringIO(sent.content.decode("utf-8-sig")))
        assert (row["encounter"], row["link"]) == ("'=1+1", address_of(made))
        assert sent["Cache-Control"] == "no-store"
        assert Invitation.objects.get(pk=made.pk).handed_out_on == MONDAY
        assert AuditEntry.objects.filter(action="invitations.exported").count() == 1

    def test_is_not_made_by_looking(self, ana: Client) -> None:
        make_campaign()

        assert ana.get(f"{PAGE}export/").status_code == 405


def test_links_are_withdrawn_after_a_question(ana: Client, north: Unit) -> None:
    campaign = make_campaign()
    for key in keys("visit", 3):
        invite(campaign, key, north)

    asked = ana.get(f"{PAGE}withdraw/")
    assert "3 open links" in asked.content.decode()
    assert faults_of(asked.content.decode()) == []
    ana.post(f"{PAGE}withdraw/")

    assert Invitation.objects.filter(withdrawn_at=NOON).count() == 3


class TestRest:
    @pytest.fixture
    def core(self, north: Unit) -> Client:
        key = make_key(Permission.SEND_MEASUREMENTS, units=[north])
        return Client(headers={"Authorization": f"Bearer {key}"})

    def test_lists_the_links_of_the_units_that_are_sent_for(
        self, core: Client, north: Unit
    ) -> None:
        campaign, counter = make_campaign(), make_channel("counter")
        made = invite(campaign, "a", north, channel=counter)
        invite(campaign, "b", make_unit("south"))
        invite(campaign, "c", north, valid_until=MONDAY, invited_on=MONDAY - 9 * DAY)

        first = core.get("/api/v1/invitations?campaign=visits").json()
        again = core.get("/api/v1/invitations?campaign=visits").json()

        assert first == again
        assert first["results"] == [
            {
                "encounter": "a",
                "link": address_of(made),
                "unit": "north",
                "channel": "counter",
                "encounter_on": "2026-03-02",
                "invited_on": "2026-03-02",
                "valid_until": "2026-03-16",
                "handed_out_on": None,
            }
        ]
        assert AuditEntry.objects.filter(action="invitations.read").count() == 2

    def test_tells_what_waits(self, core: Client, north: Unit) -> None:
        campaign = make_campaign()
        invite(campaign, "a", north)
        invite(campaign, "b", north)
        body = {"campaign": "visits", "encounters": ["a"]}

        noted = core.post("/api/v1/invitations/hand-out", body, content_type="application/json")

        assert noted.json() == {"campaign": "visits", "handed_out": 1}
        waiting = core.get("/api/v1/invitations?campaign=visits&waiting=yes").json()
        out = core.get("/api/v1/invitations?campaign=visits&waiting=no").json()
        assert [row["encounter"] for row in waiting["results"]] == ["b"]
        assert [row["encounter"] for row in out["results"]] == ["a"]

    def test_says_nothing_of_who_answered(self, core: Client, north: Unit) -> None:
        campaign = make_campaign()
        for key in keys("visit", 5):
            invite(campaign, key, north)
        before = core.get("/api/v1/invitations?campaign=visits").content
        answers = [InvitedAnswer("visit-00000", {"p1": 6})]
        submit_invited(campaign=campaign, answers=answers, now=NOON)

        assert core.get("/api/v1/invitations?campaign=visits").content == before

    @pytest.mark.parametrize(
        "asked", ["", "?campaign=never", "?campaign=visits&waiting=maybe", "?campaign=%00"]
    )
    def test_refuses_what_it_does_not_know(self, core: Client, asked: str) -> None:
        assert core.get(f"/api/v1/invitations{asked}").status_code == 400

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"campaign": "visits"},
            {"campaign": "visits", "encounters": "a"},
            {"campaign": "visits", "encounters": [1]},
            {"campaign": "visits", "encounters": []},
            {"campaign": "visits", "encounters": ["never"]},
            {"campaign": "never", "encounters": ["a"]},
            {"campaign": ["visits"], "encounters": ["a"]},
            {"campaign": "visits", "encounters": ["a"], "on": "2026-03-02"},
        ],
    )
    def test_refuses_to_note_nonsense(
        self, core: Client, north: Unit, body: dict[str, Any]
    ) -> None:
        invite(make_campaign(), "a", north)

        refused = core.post("/api/v1/invitations/hand-out", body, content_type="application/json")

        assert refused.status_code == 400
        assert refused.json()["errors"]
        assert Invitation.objects.get().handed_out_on is None
