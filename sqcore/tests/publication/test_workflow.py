"""Goals, screening, validation and the six steps, of a draft and of what it becomes."""

import json
from datetime import date
from typing import Any

import pytest
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput
from sqcore.base.periods import Grain
from sqcore.evaluation.services import evaluate_due
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import EVERYWHERE, Principal
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.models import Dimension, SystemVersion, WeightedIndicator
from sqcore.indicators.ready import place_indicator
from sqcore.indicators.services import (
    copy_version,
    define_system,
    doubts_of_draft,
    draft_version,
    publish_version,
)
from sqcore.indicators.shapes import Scoring
from sqcore.indicators.sources import Counts
from sqcore.indicators.trees import Leaf
from sqcore.publication.models import Candidate, Goal, Rating
from sqcore.publication.pages import Step, candidate_rows, steps_of
from sqcore.publication.services import (
    add_goal,
    change_goal,
    decide_candidate,
    propose_candidate,
    propose_placed,
    rate_candidate,
    remove_goal,
)
from sqcore.tests.evaluation.bank import (
    SYSTEM,
    MemorySource,
    branch,
    indicator,
    months_later,
)
from sqcore.tests.evaluation.conftest import desk  # noqa: F401 - a fixture
from sqcore.tests.factories import NOW, give_role, make_principal, make_unit, make_user
from sqcore.tests.pages import faults_of
from sqcore.tests.rest import get, make_key

pytestmark = pytest.mark.django_db

AT = "/setup/systems/bank/versions/1/"
POINTS = {"important": 5, "operable": 4, "consistent": 4, "complete": 3, "dynamic": 4}


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
def draft(desk: MemorySource) -> SystemVersion:  # noqa: F811 - the fixture
    desk.scales |= {"wait": 1, "queue": 1, "errors": 1}
    wait, queue = (indicator(code, source="desk") for code in ("wait", "queue"))
    errors = indicator("errors", source="desk")
    return draft_version(
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


def _steps(version: SystemVersion, by: Principal) -> dict[str, Step]:
    return {each.key: each for each in steps_of(version, principal=by, now=NOW)}


def _waiting(draft: SystemVersion, by: Principal) -> Goal:
    text = {"en": "Nobody waits"}
    return add_goal(version=draft, text=text, dimension="speed", by=by, now=NOW)


def _missing(step: Step) -> list[str]:
    return [each.text for each in step.missing]


def _shown(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    page: str = answer.content.decode()
    assert faults_of(page) == []
    return page


class TestGoals:
    def test_a_goal_without_a_dimension_and_a_dimension_without_a_goal_are_told(
        self, draft: SystemVersion, by: Principal
    ) -> None:
        assert _missing(_steps(draft, by)["goals"]) == ["No goal is written down."]

        add_goal(version=draft, text={"en": "Nobody waits"}, dimension="speed", by=by, now=NOW)
        trust = add_goal(version=draft, text={"en": "Trust"}, by=by, now=NOW)

        assert _missing(_steps(draft, by)["goals"]) == [
            "No dimension serves the goal “Trust”.",
            "No goal asks for the dimension “Care”.",
        ]
        change_goal(
            version=draft, key=trust.key, text={"en": "Trust"}, dimension="care", by=by, now=NOW
        )
        goals = _steps(draft, by)["goals"]
        assert (goals.state, goals.has) == ("done", ("2 goals",))

    def test_is_refused_without_a_text_or_for_an_unknown_dimension(
        self, draft: SystemVersion, by: Principal
    ) -> None:
        with pytest.raises(InvalidInput):
            add_goal(version=draft, text={}, by=by, now=NOW)
        with pytest.raises(InvalidInput, match="no dimension “warmth”"):
            add_goal(version=draft, text={"en": "A"}, dimension="warmth", by=by, now=NOW)

        assert not Goal.objects.exists()

    def test_sent_twice_it_stands_there_once(self, client: Client, draft: SystemVersion) -> None:
        sent = {"text_en": "Nobody waits", "dimension": "speed"}

        assert client.post(f"{AT}goals/", sent).status_code == 302
        again = client.post(f"{AT}goals/", sent)

        assert again.status_code == 400
        assert "“Nobody waits” is written down already." in again.content.decode()
        assert Goal.objects.count() == 1

    def test_is_not_changed_into_one_that_stands_there_already(
        self, draft: SystemVersion, by: Principal
    ) -> None:
        add_goal(version=draft, text={"en": "Nobody waits"}, by=by, now=NOW)
        trust = add_goal(version=draft, text={"en": "Trust"}, by=by, now=NOW)

        with pytest.raises(Conflict, match="written down already"):
            change_goal(
                version=draft, key=trust.key, text={"en": "Nobody waits"}, dimension="", by=by,
                now=NOW,
            )  # fmt: skip

        assert [goal.text["en"] for goal in Goal.objects.order_by("position")] == [
            "Nobody waits",
            "Trust",
        ]

    def test_its_key_never_comes_to_name_another_one(
        self, client: Client, draft: SystemVersion, by: Principal
    ) -> None:
        first = add_goal(version=draft, text={"en": "Nobody waits"}, by=by, now=NOW)
        remove_goal(version=draft, key=first.key, by=by, now=NOW)
        second = add_goal(version=draft, text={"en": "Trust"}, by=by, now=NOW)

        stale = client.post(f"{AT}goals/{first.key}/", {"remove": "1"})

        assert (first.position, second.position, stale.status_code) == (1, 1, 404)
        assert [str(goal) for goal in Goal.objects.all()] == ["Trust"]
        noted = AuditEntry.objects.filter(action__startswith="indicators.goal").order_by("id")
        assert [entry.details["goal"] for entry in noted] == [
            str(first.key),
            str(first.key),
            str(second.key),
        ]


class TestScreening:
    def test_people_rate_and_one_decides_with_a_reason(
        self, draft: SystemVersion, by: Principal, mei: User
    ) -> None:
        assert propose_placed(version=draft, by=by, now=NOW) == 3
        assert propose_placed(version=draft, by=by, now=NOW) == 0
        rate_candidate(version=draft, position=1, points=POINTS, by=by, now=NOW)
        rate_candidate(version=draft, position=1, points=POINTS | {"dynamic": 2}, by=by, now=NOW)
        decide_candidate(version=draft, position=1, keep=True, reason="It moves", by=by, now=NOW)

        row = candidate_rows(draft, principal=by, now=NOW)[0]
        assert (row.raters, row.total) == (1, "3.6")
        found = row.candidate
        assert (found.decision, found.reason, found.decided_by) == ("keep", "It moves", mei)

    @pytest.mark.parametrize("points", [{}, POINTS | {"dynamic": 6}, POINTS | {"complete": 0}])
    def test_a_rating_has_all_criteria_from_1_to_5(
        self, draft: SystemVersion, by: Principal, points: dict[str, int]
    ) -> None:
        propose_placed(version=draft, by=by, now=NOW)

        with pytest.raises(InvalidInput):
            rate_candidate(version=draft, position=1, points=points, by=by, now=NOW)

        assert not Rating.objects.exists()

    def test_what_only_has_a_name_is_put_up_once(self, draft: SystemVersion, by: Principal) -> None:
        propose_candidate(version=draft, name={"en": "Smiles"}, by=by, now=NOW)

        with pytest.raises(Conflict, match="“Smiles” is a candidate already"):
            propose_candidate(version=draft, name={"en": "Smiles"}, by=by, now=NOW)

        assert Candidate.objects.count() == 1

    def test_a_decision_needs_a_reason(self, draft: SystemVersion, by: Principal) -> None:
        propose_placed(version=draft, by=by, now=NOW)

        with pytest.raises(InvalidInput, match="Say why"):
            decide_candidate(version=draft, position=1, keep=False, reason=" ", by=by, now=NOW)

    def test_what_was_decided_and_what_stands_there_are_compared(
        self, draft: SystemVersion, by: Principal
    ) -> None:
        propose_placed(version=draft, by=by, now=NOW)
        propose_candidate(version=draft, name={"en": "Smiles"}, by=by, now=NOW)
        with pytest.raises(Conflict, match="is a candidate already"):
            propose_candidate(version=draft, indicator="wait", by=by, now=NOW)
        for position, keep in ((1, True), (2, False), (4, True)):
            decide_candidate(
                version=draft, position=position, keep=keep, reason="Said", by=by, now=NOW
            )

        dropped = Candidate.objects.get(position=2)
        assert _missing(_steps(draft, by)["screening"]) == [
            "1 candidate is not decided.",
            f"“{dropped}” was dropped, and stands in it.",
            "“Smiles” was kept, and does not stand in it.",
        ]


def _evaluated(draft: SystemVersion, desk: MemorySource) -> SystemVersion:  # noqa: F811
    """Three units and four months: queue is always twice wait, errors stay at the worst end."""
    units = [make_unit(code) for code in ("east", "north", "west")]
    for month in (1, 2, 3, 4):
        for place, unit in enumerate(units):
            wait = 2 + (month * 3 + place * 5) % 7
            rows = [{"wait": wait + n, "queue": 2 * (wait + n), "errors": 0} for n in (0, 1) * 4]
            desk.add(unit, date(2026, month, 5), *rows)
    version = publish_version(version=draft, by=SYSTEM, now=NOW)
    evaluate_due(now=months_later(4))
    return version


class TestFigures:
    def test_what_published_figures_say_stands_beside_a_candidate(
        self,
        draft: SystemVersion,
        by: Principal,
        desk: MemorySource,  # noqa: F811
    ) -> None:
        propose_placed(version=draft, by=by, now=NOW)
        version = _evaluated(draft, desk)

        rows = {
            row.candidate.indicator.code: row
            for row in candidate_rows(version, principal=by, now=months_later(4))
            if row.candidate.indicator
        }

        seen = rows["wait"].seen
        assert seen is not None
        assert (seen.periods, seen.units, seen.missing) == (4, 3, 0.0)
        assert rows["wait"].alike == (("Queue", "1.00"),)
        assert rows["errors"].alike == ()

    def test_validation_tells_coverage_weights_and_stuck_goalposts(
        self,
        draft: SystemVersion,
        by: Principal,
        desk: MemorySource,  # noqa: F811
    ) -> None:
        before = dict(_steps(draft, by)["validation"].findings)
        assert {each.verdict.value for found in before.values() for each in found} == {"unknown"}
        assert _steps(draft, by)["validation"].state == "empty"

        version = _evaluated(draft, desk)
        step = {each.key: each for each in steps_of(version, principal=by, now=months_later(4))}[
            "validation"
        ]
        found = dict(step.findings)

        (coverage,) = found["Is enough of it measured?"]
        assert (coverage.verdict.value, "100 % of the weight" in coverage.text) == ("good", True)
        (stuck,) = found["Do the goalposts tell units and periods apart?"]
        assert stuck.text.startswith("“Errors” has 0 points in 100 % of its figures")


class TestVersions:
    def test_a_copy_takes_goals_ratings_and_decisions_along(
        self, draft: SystemVersion, by: Principal
    ) -> None:
        goal = _waiting(draft, by)
        propose_placed(version=draft, by=by, now=NOW)
        rate_candidate(version=draft, position=1, points=POINTS, by=by, now=NOW)
        decide_candidate(version=draft, position=1, keep=True, reason="It moves", by=by, now=NOW)
        publish_version(version=draft, by=SYSTEM, now=NOW)

        copied = copy_version(system=draft.system, by=by, now=NOW)

        assert list(
            Goal.objects.filter(version=copied).values_list("key", "text", "dimension")
        ) == [(goal.key, {"en": "Nobody waits"}, "speed")]
        copies = Candidate.objects.filter(version=copied)
        first = copies.get(position=1)
        assert (first.decision, first.reason, first.ratings.count()) == ("keep", "It moves", 1)
        assert (copies.count(), Candidate.objects.filter(version=draft).count()) == (3, 3)

    def test_a_published_one_is_read_only_and_says_how_it_came_about(
        self, draft: SystemVersion, by: Principal
    ) -> None:
        goal = _waiting(draft, by)
        version = publish_version(version=draft, by=SYSTEM, now=NOW)

        for act in (
            lambda: add_goal(version=version, text={"en": "A"}, by=by, now=NOW),
            lambda: remove_goal(version=version, key=goal.key, by=by, now=NOW),
            lambda: propose_placed(version=version, by=by, now=NOW),
        ):
            with pytest.raises(Conflict, match="A published version never changes"):
                act()
        assert all(step.missing == () for step in _steps(version, by).values())


class TestPages:
    def test_what_was_kept_is_added_to_a_dimension_from_the_screening(
        self, client: Client, draft: SystemVersion, by: Principal
    ) -> None:
        propose_placed(version=draft, by=by, now=NOW)
        for position in (1, 2, 3):
            decide_candidate(
                version=draft, position=position, keep=True, reason="Said", by=by, now=NOW
            )
        WeightedIndicator.objects.filter(indicator__code="wait").delete()

        page = _shown(client, f"{AT}screening/")
        link = f"{AT}dimensions/speed/indicators/?indicator=wait"

        assert page.count("?indicator=") == Dimension.objects.filter(version=draft).count()
        assert f'href="{link}"' in page
        assert '<option value="wait" selected>' in _shown(client, link)

    def test_six_steps_say_what_is_missing_and_where_it_is_done(
        self, client: Client, draft: SystemVersion
    ) -> None:
        page = _shown(client, f"{AT}steps/")

        for title in ("1. Goals", "2. Screening", "3. Definition", "4. Weights", "5. Validation"):
            assert title in page
        assert "6. Publication and monitoring" in page
        assert "No goal is written down." in page
        assert f'href="{AT}check/"' in page
        assert f'href="{AT}steps/"' in _shown(client, AT)

    def test_goals_and_candidates_are_written_down_by_hand(
        self, client: Client, draft: SystemVersion
    ) -> None:
        client.post(f"{AT}goals/", {"text_en": "Nobody waits", "dimension": "speed"})
        assert client.post(f"{AT}goals/", {"text_en": ""}).status_code == 400
        assert "Nobody waits" in _shown(client, f"{AT}goals/")
        at = f"{AT}goals/{Goal.objects.get().key}/"
        client.post(at, {"text_en": "Nobody waits long", "dimension": "speed"})
        assert "Nobody waits long" in _shown(client, at)

        client.post(f"{AT}screening/placed/")
        client.post(f"{AT}screening/", {"text_en": "Smiles"})
        client.post(f"{AT}screening/4/", POINTS)
        client.post(f"{AT}screening/4/", {"decision": "drop", "reason": "Nobody counts them"})
        assert client.post(f"{AT}screening/4/", {"decision": "drop"}).status_code == 400

        page = _shown(client, f"{AT}screening/")
        assert "Smiles" in page
        assert "Nobody counts them" in page
        assert "only proposed" in page
        assert "Mei" in _shown(client, f"{AT}screening/4/")

        client.post(at, {"remove": "1"})
        assert not Goal.objects.exists()

    def test_of_a_published_one_pages_show_and_refuse(
        self, client: Client, draft: SystemVersion, by: Principal
    ) -> None:
        add_goal(version=draft, text={"en": "Nobody waits"}, by=by, now=NOW)
        propose_placed(version=draft, by=by, now=NOW)
        publish_version(version=draft, by=SYSTEM, now=NOW)
        reader = Client()
        user = make_user("hua")
        give_role(user, Role.MANAGER, make_unit("south"))
        reader.force_login(user)

        for path in ("steps/", "goals/", "screening/", "screening/1/"):
            assert '<form class="form"' not in _shown(reader, f"{AT}{path}")
        assert reader.post(f"{AT}goals/", {"text_en": "A"}).status_code == 403
        assert client.post(f"{AT}screening/placed/").status_code == 409
        assert "How this version came about" in _shown(reader, f"{AT}steps/")

    @pytest.mark.parametrize(("path", "most"), [("screening/", 20), ("goals/", 14)])
    def test_costs(
        self,
        client: Client,
        draft: SystemVersion,
        by: Principal,
        path: str,
        most: int,
        django_assert_max_num_queries: Any,
    ) -> None:
        propose_placed(version=draft, by=by, now=NOW)
        for n in range(20):
            add_goal(version=draft, text={"en": f"Goal {n}"}, by=by, now=NOW)
            propose_candidate(version=draft, name={"en": f"Proposed {n}"}, by=by, now=NOW)

        with django_assert_max_num_queries(most):
            client.get(f"{AT}{path}")


def test_rest_reads_goals_and_screening_of_what_is_published(
    draft: SystemVersion, by: Principal
) -> None:
    goal = _waiting(draft, by)
    propose_placed(version=draft, by=by, now=NOW)
    rate_candidate(version=draft, position=1, points=POINTS, by=by, now=NOW)
    key = make_key(Permission.VIEW_RESULTS)

    assert get("systems/bank/versions/1/goals", key).status_code in (403, 404)
    publish_version(version=draft, by=SYSTEM, now=NOW)

    goals = json.loads(get("systems/bank/versions/1/goals", key).content)
    assert goals["results"] == [
        {
            "key": str(goal.key),
            "position": 1,
            "text": {"en": "Nobody waits"},
            "dimension": "speed",
        }
    ]
    rows = json.loads(get("systems/bank/versions/1/screening", key).content)["results"]
    assert len(rows) == 3
    assert rows[0]["ratings"] == {"raters": 1, **{k: float(v) for k, v in POINTS.items()}}
    assert rows[0]["decision"] == "open"


def test_a_formula_that_needs_an_opinion_without_a_place_is_told_before_publication(
    draft: SystemVersion,
    desk: MemorySource,  # noqa: F811 - the fixture
    by: Principal,
    client: Client,
) -> None:
    desk.scales |= {"smiles": 1}
    desk.counts = Counts.ANSWERS
    indicator("smiles", source="desk")
    define_indicator(code="double", name={"en": "Twice"}, formula="2 * [smiles]", by=by, now=NOW)
    scoring = Scoring(0, 40)
    for code in ("double", "smiles"):
        told = [problem.field for problem in doubts_of_draft(draft)]
        assert told == ([] if code == "double" else ["double"])
        place_indicator(
            version=draft, within="care", indicator=code, scoring=scoring, by=by, now=NOW
        )
        if code == "double":
            assert "stands nowhere in this version" in _shown(client, f"{AT}check/")
            assert "stands nowhere in this version" in _shown(client, f"{AT}steps/")

    assert doubts_of_draft(draft) == []
