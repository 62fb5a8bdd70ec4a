"""What changed between two versions of a system, on its page and over REST."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.test import Client

from sqcore.base.periods import Grain
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import EVERYWHERE, Principal
from sqcore.indicators.cataloguing import change_indicator
from sqcore.indicators.drafts import leaf_of, remove_indicator, set_scoring, set_weights
from sqcore.indicators.models import SystemVersion
from sqcore.indicators.ready import place_indicator
from sqcore.indicators.services import (
    change_draft,
    copy_version,
    define_system,
    draft_version,
    publish_version,
)
from sqcore.indicators.shapes import Scoring, in_the_middle
from sqcore.indicators.targets import set_target
from sqcore.indicators.trees import Leaf
from sqcore.jobs.models import Job
from sqcore.publication.differences import differences
from sqcore.publication.models import Goal
from sqcore.publication.services import add_goal, change_goal
from sqcore.tests.evaluation.bank import SYSTEM, MemorySource, branch, indicator
from sqcore.tests.evaluation.conftest import desk  # noqa: F401 - a fixture
from sqcore.tests.factories import NOW, give_role, make_principal, make_unit, make_user
from sqcore.tests.pages import faults_of
from sqcore.tests.rest import get, make_key

pytestmark = pytest.mark.django_db

LATER = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
AT = "/setup/systems/bank/versions/2/changes/"


@pytest.fixture
def mei() -> User:
    user = make_user("mei")
    give_role(user, Role.ANALYST)
    return user


@pytest.fixture
def by(mei: User) -> Principal:
    may = {Permission.MANAGE_INDICATORS: EVERYWHERE, Permission.VIEW_RESULTS: EVERYWHERE}
    return make_principal(may, key=f"user:{mei.pk}", user=mei)


@pytest.fixture
def client(mei: User) -> Client:
    found = Client()
    found.force_login(mei)
    return found


@pytest.fixture
def first(desk: MemorySource, by: Principal) -> SystemVersion:  # noqa: F811 - the fixture
    """A published version: wait and queue in speed, errors in care, a goal."""
    desk.scales |= {"wait": 1, "queue": 1, "errors": 1, "smiles": 1, "till": 1}
    wait, queue, errors = (
        indicator(code, source="desk", unit_of_measure="min")
        for code in ("wait", "queue", "errors")
    )
    indicator("smiles", source="desk")
    draft = draft_version(
        system=define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW),
        grains=[Grain.MONTH],
        since=date(2026, 1, 1),
        tree=[
            branch("speed", 0.5, Leaf(wait, 0.5, 0, 20), Leaf(queue, 0.5, 0, 20)),
            branch("care", 0.5, Leaf(errors, 1, 0, 20)),
        ],
        by=SYSTEM,
        now=NOW,
    )
    add_goal(version=draft, text={"en": "Nobody waits"}, dimension="speed", by=by, now=NOW)
    return publish_version(version=draft, by=SYSTEM, now=NOW)


@pytest.fixture
def second(first: SystemVersion, by: Principal) -> SystemVersion:
    return copy_version(system=first.system, by=by, now=NOW)


def _changed(second: SystemVersion, by: Principal) -> None:
    """Everything that can change, once."""
    weights = {"speed": 0.6, "care": 0.4}
    set_weights(version=second, group="dimensions", weights=weights, by=by, now=NOW)
    remove_indicator(version=second, code="queue", by=by, now=NOW)
    place_indicator(
        version=second, within="care", indicator="smiles", scoring=Scoring(1, 7), by=by, now=NOW
    )
    set_scoring(version=second, code="errors", scoring=in_the_middle(10, 5, 1), by=by, now=NOW)
    wait = leaf_of(second, "wait").indicator
    set_target(indicator=wait, value=15, floor=10, on=date(2026, 5, 1), by=SYSTEM, now=NOW)
    change_indicator(
        indicator=wait,
        changes={"parameters": {"measure": "till"}},
        reason="The till is new",
        starts_on=date(2026, 5, 1),
        by=by,
        now=NOW,
    )
    change_draft(
        version=second, grains=[Grain.MONTH], since=date(2026, 1, 1), target=80, by=by, now=NOW
    )
    goal = Goal.objects.get(version=second)
    text = {"en": "Nobody waits long"}
    change_goal(version=second, key=goal.key, text=text, dimension="care", by=by, now=NOW)
    add_goal(version=second, text={"en": "Trust"}, by=by, now=NOW)
    second.refresh_from_db()


def test_a_copy_says_the_same(first: SystemVersion, second: SystemVersion, by: Principal) -> None:
    found = differences(first, second, principal=by, now=NOW)

    assert found.are_none
    assert found.same_weights == 5


def test_all_that_was_changed_is_told_and_nothing_else(
    first: SystemVersion, second: SystemVersion, by: Principal
) -> None:
    _changed(second, by)

    found = differences(first, second, principal=by, now=LATER)

    assert [(c.field, c.before, c.after) for c in found.settings] == [("target", None, 80)]
    assert [part.code for part in found.added] == ["smiles"]
    assert [part.code for part in found.removed] == ["queue"]
    assert {each.part.code: [c.field for c in each.changes] for each in found.changed} == {
        "wait": ["parameters", "target", "floor"],
        "errors": ["points"],
    }
    weights = {each.part.code: (each.before, each.after) for each in found.weights}
    told = {code: tuple(None if w is None else float(w) for w in w) for code, w in weights.items()}
    assert told == {
        "speed": (0.5, 0.6),
        "care": (0.5, 0.4),
        "wait": (0.5, 1.0),
        "errors": (1.0, 0.5),
        "smiles": (None, 0.5),
        "queue": (0.5, None),
    }
    assert [str(goal) for goal in found.goals_added] == ["Trust"]
    assert [str(each.after) for each in found.goals_changed] == ["Nobody waits long"]
    assert found.goals_removed == ()


def test_what_came_after_a_publication_is_no_change_of_its_version(
    first: SystemVersion, second: SystemVersion, by: Principal
) -> None:
    _changed(second, by)
    publish_version(version=second, by=SYSTEM, now=NOW)
    second.refresh_from_db()

    found = differences(first, second, principal=by, now=LATER)

    assert "wait" not in {each.part.code for each in found.changed}


class TestPage:
    def test_says_it_in_words_and_is_reached_from_where_one_asks(
        self, client: Client, second: SystemVersion, by: Principal
    ) -> None:
        _changed(second, by)

        answer = client.get(AT)

        page = answer.content.decode()
        assert answer.status_code == 200
        assert faults_of(page) == []
        for text in ("Nobody waits long", "Smiles", "Queue", "0 min is 0 points", "60 %", "100 %"):
            assert text in page
        for path in ("steps/", "check/"):
            at = f"/setup/systems/bank/versions/2/{path}"
            assert AT in client.get(at).content.decode()
        assert AT in client.get("/setup/systems/bank/").content.decode()

    def test_the_first_version_has_nothing_before_it(
        self, client: Client, first: SystemVersion
    ) -> None:
        assert client.get("/setup/systems/bank/versions/1/changes/").status_code == 404
        assert "versions/1/changes/" not in client.get("/setup/systems/bank/").content.decode()

    def test_a_draft_is_for_its_makers(self, second: SystemVersion) -> None:
        reader = Client()
        user = make_user("hua")
        give_role(user, Role.STAFF, make_unit("south"))
        reader.force_login(user)

        assert reader.get(AT).status_code == 403
        publish_version(version=second, by=SYSTEM, now=NOW)
        assert reader.get(AT).status_code == 200

    def test_costs(
        self,
        client: Client,
        second: SystemVersion,
        by: Principal,
        django_assert_max_num_queries: Any,
    ) -> None:
        _changed(second, by)

        with django_assert_max_num_queries(26):
            client.get(AT)


def test_rest_tells_the_same(first: SystemVersion, second: SystemVersion, by: Principal) -> None:
    key = make_key(Permission.VIEW_RESULTS)
    path = "systems/bank/versions/2/changes"
    _changed(second, by)

    assert get(path, key).status_code == 403
    publish_version(version=second, by=SYSTEM, now=LATER)

    told = json.loads(get(path, key).content)
    assert (told["former"], told["version"]) == (1, 2)
    assert told["settings"] == [{"field": "target", "before": None, "after": 80.0}]
    assert [part["code"] for part in told["added"]] == ["smiles"]
    wait, errors = told["changed"]
    assert wait["changes"][0] == {
        "field": "parameters",
        "before": {"measure": "wait"},
        "after": {"measure": "till"},
    }
    assert errors["changes"][0]["after"]["shape"] == "nominal"
    assert [goal["before"] and goal["before"]["text"]["en"] for goal in told["goals"]] == [
        None,
        "Nobody waits",
    ]
    assert get(f"{path}?former=7", key).status_code == 404


class TestEvaluating:
    def test_an_analyst_starts_the_evaluation_of_a_closed_period(
        self, client: Client, first: SystemVersion
    ) -> None:
        at = "/setup/systems/bank/evaluate/"
        assert at in client.get("/setup/systems/bank/").content.decode()
        assert faults_of(client.get(at).content.decode()) == []

        assert client.post(at, {"period": "2020-01"}).status_code == 400
        assert not Job.objects.exists()
        answer = client.post(at, {"period": "2026-01"})

        job = Job.objects.get()
        assert (answer.status_code, job.kind) == (302, "evaluation.run")
        assert str(job.pk) in answer.headers["Location"]

    def test_who_may_not_start_evaluations_has_no_button(self, first: SystemVersion) -> None:
        reader = Client()
        user = make_user("hua")
        give_role(user, Role.STAFF, make_unit("south"))
        reader.force_login(user)

        assert "/evaluate/" not in reader.get("/setup/systems/bank/").content.decode()
        refused = reader.post("/setup/systems/bank/evaluate/", {"period": "2026-01"})
        assert refused.status_code == 403
        assert not Job.objects.exists()
