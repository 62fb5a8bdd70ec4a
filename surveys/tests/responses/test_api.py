"""Responses over REST: all or none, each problem named, once."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries

from sqcore.audit.models import AuditEntry
from sqcore.base.models import OutboxEvent, RememberedRequest
from sqcore.identity.permissions import Permission
from sqcore.org.models import Assignment, Unit
from sqcore.tests.factories import (
    NOW,
    TODAY,
    make_channel,
    make_post,
    make_staff,
    make_unit,
)
from sqcore.tests.rest import get, make_key, post
from surveys.campaigns.models import Campaign
from surveys.responses.models import Response
from surveys.tests.factories import make_campaign

pytestmark = pytest.mark.django_db

SUBMIT = Permission.SUBMIT_RESPONSES
OPENED = TODAY - timedelta(days=30)
ONE = "campaigns/visits/responses"
BATCH = "campaigns/visits/response-batches"


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def north() -> Unit:
    root = make_unit("bank")
    make_unit("south", parent=root)
    return make_unit("north", parent=root)


@pytest.fixture
def campaign(north: Unit) -> Campaign:
    return make_campaign("visits", opens_on=OPENED)


@pytest.fixture
def identified(north: Unit) -> Campaign:
    return make_campaign("visits", opens_on=OPENED, mode=Campaign.Mode.IDENTIFIED)


def row(**over: Any) -> dict[str, Any]:
    return {
        "unit": "north",
        "answered_on": TODAY.isoformat(),
        "answers": {"p1": 6, "p2": "na", "overall": 7, "comment": "很好 👍"},
        **over,
    }


def problems(response: Any) -> list[tuple[int | None, str]]:
    assert response["Content-Type"] == "application/problem+json"
    errors = json.loads(response.content)["errors"]
    return [(error["row"], error["field"]) for error in errors]


class TestOne:
    def test_is_stored_as_it_was_answered(self, campaign: Campaign, north: Unit) -> None:
        make_channel("counter")

        answer = post(ONE, row(channel="counter", language="en"), make_key(SUBMIT))

        assert answer.status_code == 201
        assert json.loads(answer.content) == {"campaign": "visits", "accepted": 1}
        stored = Response.objects.get()
        assert (stored.unit, stored.origin, stored.answered_on) == (north, "api", TODAY)
        assert stored.answers == row()["answers"]
        assert stored.channel is not None
        assert stored.channel.code == "counter"

    def test_of_an_anonymous_campaign_leaves_no_trace(self, campaign: Campaign) -> None:
        post(ONE, row(), make_key(SUBMIT))

        stored = Response.objects.get()
        remembered = RememberedRequest.objects.get()
        assert (stored.received_at, stored.external_key, stored.staff) == (None, None, None)
        assert remembered.body == {"campaign": "visits", "accepted": 1}
        assert str(stored.key) not in str(RememberedRequest.objects.values_list().get())
        assert not OutboxEvent.objects.exists()
        assert AuditEntry.objects.latest("id").action == "token.made"

    def test_of_a_campaign_with_names_has_an_id_and_who_served(
        self, identified: Campaign, north: Unit
    ) -> None:
        staff = make_staff("100")
        Assignment.objects.create(
            staff=staff, unit=north, post=make_post(), valid_from=date(2024, 1, 1)
        )

        answer = post(ONE, row(staff="100", key="visit-1", encounter="e-1"), make_key(SUBMIT))

        stored = Response.objects.get()
        assert json.loads(answer.content)["ids"] == [str(stored.key)]
        assert (stored.staff, stored.external_key, stored.encounter_key) == (
            staff,
            "visit-1",
            "e-1",
        )

    @pytest.mark.parametrize(
        ("over", "field"),
        [
            ({"unit": "nowhere"}, "unit"),
            ({"unit": None}, "unit"),
            ({"unit": 7}, "unit"),
            ({"unit": "x" * 51}, "unit"),
            ({"channel": "drone"}, "channel"),
            ({"segment": "vip"}, "segment"),
            ({"language": "fr"}, "language"),
            ({"answered_on": "yesterday"}, "answered_on"),
            ({"answered_on": "2026-13-01"}, "answered_on"),
            ({"answered_on": "20260301"}, "answered_on"),
            ({"answered_on": (TODAY + timedelta(days=1)).isoformat()}, "answered_on"),
            ({"answered_on": (OPENED - timedelta(days=1)).isoformat()}, "answered_on"),
            ({"answers": {}}, "answers"),
            ({"answers": {"p1": None}}, "answers"),
            ({"answers": [6]}, "answers"),
            ({"answers": {"p1": 8}}, "answers.p1"),
            ({"answers": {"p1": 0}}, "answers.p1"),
            ({"answers": {"p1": 5.5}}, "answers.p1"),
            ({"answers": {"p1": True}}, "answers.p1"),
            ({"answers": {"p1": "6"}}, "answers.p1"),
            ({"answers": {"p1": [6]}}, "answers.p1"),
            ({"answers": {"p1": 10**30}}, "answers.p1"),
            ({"answers": {"q99": 6}}, "answers.q99"),
            ({"answers": {"comment": "x" * 4001}}, "answers.comment"),
            ({"key": "visit-1"}, "key"),
            ({"staff": "100"}, "staff"),
            ({"encounter": "e-1"}, "encounter"),
            ({"received_at": "2026-01-01T00:00:00Z"}, "received_at"),
            ({"weight": 2}, "weight"),
        ],
    )
    def test_that_cannot_be_is_refused_by_field(
        self, campaign: Campaign, over: dict[str, Any], field: str
    ) -> None:
        answer = post(ONE, row(**over), make_key(SUBMIT))

        assert answer.status_code == 400
        assert problems(answer) == [(None, field)]
        assert not Response.objects.exists()
        assert not RememberedRequest.objects.exists()

    @pytest.mark.parametrize("body", [b"", b"{}"])
    def test_that_is_empty_is_refused(self, campaign: Campaign, body: bytes) -> None:
        answer = post(ONE, body, make_key(SUBMIT))

        assert problems(answer) == [(None, "unit"), (None, "answered_on"), (None, "answers")]

    def test_for_a_unit_out_of_scope_is_refused(self, campaign: Campaign, north: Unit) -> None:
        answer = post(ONE, row(unit="south"), make_key(SUBMIT, units=[north]))

        assert problems(answer) == [(None, "unit")]
        assert not Response.objects.exists()

    def test_names_staff_who_work_there_that_day(self, identified: Campaign) -> None:
        make_staff("100")

        assert problems(post(ONE, row(staff="100"), make_key(SUBMIT))) == [(None, "staff")]

    @pytest.mark.parametrize(
        "over",
        [
            {"state": "draft"},
            {"state": "closed"},
            {"opens_on": TODAY + timedelta(days=1)},
            {"opens_on": OPENED, "closes_on": TODAY},
        ],
    )
    def test_comes_only_into_an_open_campaign(self, north: Unit, over: dict[str, Any]) -> None:
        make_campaign("visits", **{"opens_on": OPENED, **over})

        answer = post(ONE, row(), make_key(SUBMIT))

        assert answer.status_code in (404, 409)
        assert not Response.objects.exists()


class TestBatch:
    def test_is_stored_whole(self, campaign: Campaign) -> None:
        answer = post(BATCH, {"responses": [row() for _ in range(1000)]}, make_key(SUBMIT))

        assert json.loads(answer.content) == {"campaign": "visits", "accepted": 1000}
        assert Response.objects.count() == 1000

    def test_with_one_bad_row_is_not_stored_at_all(self, campaign: Campaign) -> None:
        rows = [row(), row(unit="nowhere", answers={"p1": 9}), row(), "text"]

        answer = post(BATCH, {"responses": rows}, make_key(SUBMIT))

        assert answer.status_code == 400
        assert problems(answer) == [(2, "unit"), (2, "answers.p1"), (4, "")]
        assert not Response.objects.exists()

    def test_takes_each_key_once(self, identified: Campaign) -> None:
        key = make_key(SUBMIT)
        post(ONE, row(key="a"), key)

        answer = post(
            BATCH, {"responses": [row(key="a"), row(key="b"), row(key="b")]}, key, once="other-key"
        )

        assert problems(answer) == [(1, "key"), (2, "key"), (3, "key")]
        assert Response.objects.count() == 1

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"responses": []},
            {"responses": {}},
            {"responses": "all"},
            {"responses": [{}] * 1001},
            {"responses": [{}], "campaign": "other"},
        ],
    )
    def test_of_another_form_is_refused(self, campaign: Campaign, body: dict[str, Any]) -> None:
        assert post(BATCH, body, make_key(SUBMIT)).status_code == 400
        assert not Response.objects.exists()

    def test_costs_the_same_queries_for_ten_and_for_thirty(
        self, campaign: Campaign, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = make_key(SUBMIT)
        post(ONE, row(), key)

        for count in (10, 30):
            with django_assert_num_queries(13):
                post(BATCH, {"responses": [row()] * count}, key, once=f"batch-of-{count}")


class TestOnce:
    def test_a_repeat_gets_the_same_answer_and_stores_nothing(self, identified: Campaign) -> None:
        key = make_key(SUBMIT)
        first = post(ONE, row(), key)

        again = post(ONE, row(), key)

        assert (again.status_code, again.content) == (201, first.content)
        assert again["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first
        assert Response.objects.count() == 1

    def test_the_key_with_another_body_is_refused(self, campaign: Campaign) -> None:
        key = make_key(SUBMIT)
        post(ONE, row(), key)

        answer = post(ONE, row(answers={"p1": 1}), key)

        assert answer.status_code == 422
        assert Response.objects.count() == 1

    def test_a_refused_request_can_be_repeated_with_its_key(self, campaign: Campaign) -> None:
        key = make_key(SUBMIT)
        assert post(ONE, row(unit="nowhere"), key).status_code == 400

        assert post(ONE, row(), key).status_code == 201

    def test_without_a_key_nothing_is_taken(self, campaign: Campaign) -> None:
        answer = post(ONE, row(), make_key(SUBMIT), once="")

        assert answer.status_code == 400
        assert "Idempotency-Key" in json.loads(answer.content)["detail"]
        assert not Response.objects.exists()

    def test_two_tokens_do_not_meet_in_one_key(self, campaign: Campaign) -> None:
        for _ in range(2):
            assert post(ONE, row(), make_key(SUBMIT)).status_code == 201

        assert Response.objects.count() == 2


class TestCampaigns:
    def test_a_sender_sees_opened_ones(self, north: Unit) -> None:
        version = make_campaign("visits", opens_on=OPENED).version
        make_campaign("next", state="draft", version=version)

        found = json.loads(get("campaigns", make_key(SUBMIT, units=[north])).content)["results"]

        assert [campaign["code"] for campaign in found] == ["visits"]
        assert found[0]["mode"] == "anonymous"

    def test_one_says_what_can_be_answered(self, campaign: Campaign) -> None:
        found = json.loads(get("campaigns/visits", make_key(SUBMIT)).content)

        assert found["languages"] == ["en"]
        assert [item["code"] for item in found["items"]] == ["e1", "p1", "p2", "overall", "comment"]
        assert found["items"][1]["high"] == 7

    def test_an_unknown_one_is_not_found(self, campaign: Campaign) -> None:
        key = make_key(SUBMIT)

        assert get("campaigns/other", key).status_code == 404
        assert post("campaigns/other/responses", row(), key).status_code == 404
