"""Shapes of scores: what is refused, what is kept, frozen, copied, shown and read again."""

import tomllib
from datetime import date
from typing import Any

import orjson
import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from sqcore.base.errors import InvalidInput
from sqcore.identity.permissions import Role
from sqcore.indicators import drafts, importers, sources
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.definition import SystemDefinition, definition_of
from sqcore.indicators.models import Indicator, SystemVersion, WeightedIndicator
from sqcore.indicators.services import (
    change_draft,
    copy_version,
    define_system,
    draft_version,
    problems_of_draft,
    publish_version,
)
from sqcore.indicators.shapes import (
    Scoring,
    Shape,
    along,
    by_limit,
    fault_of,
    in_the_middle,
    is_two_sided,
    points_at,
    scoring_of,
    side_of,
    words_of,
)
from sqcore.indicators.targets import set_target
from sqcore.indicators.trees import Branch, Leaf
from sqcore.tests.evaluation.bank import SYSTEM, MemorySource
from sqcore.tests.factories import NOW, give_role, make_user
from sqcore.tests.pages import faults_of

SINCE = date(2026, 1, 1)
DRAFT = "/setup/systems/bank/versions/1/"
MIDDLE = in_the_middle(22.0, 4.0, 1.0)
LIMIT = by_limit(5.0, 9.0)
KNOTS = along([(0, 100), (5, 90), (15, 0)])


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:
    source = MemorySource(scales={"wait": 60, "warmth": 1})
    monkeypatch.setitem(sources.SOURCES._offers, source.key, source)


def _indicator(code: str, direction: str = "lower") -> Indicator:
    return define_indicator(
        code=code, name={"en": code.title()}, source="memory", parameters={"measure": code},
        unit_of_measure="min", direction=direction, by=SYSTEM, now=NOW,
    )  # fmt: skip


@pytest.fixture
def draft(db: None) -> SystemVersion:
    system = define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW)
    wait = Leaf(_indicator("wait"), 1.0, 30, 0)
    tree = [Branch("speed", {"en": "Speed"}, 1.0, [wait])]
    return draft_version(
        system=system, grains=["month"], since=SINCE, tree=tree, by=SYSTEM, now=NOW
    )


def _shape(draft: SystemVersion, scoring: Scoring) -> None:
    drafts.set_scoring(version=draft, code="wait", scoring=scoring, by=SYSTEM, now=NOW)


class TestWords:
    def test_says_of_each_shape_what_is_worth_what(self) -> None:
        def said(value: float) -> str:
            return f"{value:g} min"

        assert words_of(Scoring(30, 0), said) == "30 min is 0 points, 0 min is 100 points"
        assert words_of(MIDDLE, said) == ("21 min to 23 min is 100 points; 18 min and 26 min are 0")
        assert words_of(in_the_middle(22, 4), said) == (
            "22 min is 100 points; 18 min and 26 min are 0"
        )
        assert words_of(LIMIT, said) == "5 min is 100 points, 9 min is 60, 15 min is 0"
        assert words_of(KNOTS, said) == (
            "0 min is 100 points; 5 min is 90 points; 15 min is 0 points"
        )

    def test_points_come_along_the_shape(self) -> None:
        assert points_at(Scoring(30, 0), 12.0) == 60
        assert [points_at(MIDDLE, value) for value in (18.0, 19.5, 22.5, 30.0)] == [0, 50, 100, 0]
        assert [points_at(LIMIT, value) for value in (3.0, 9.0, 20.0)] == [100, 60, 0]
        assert points_at(KNOTS, 10.0) == 45

    def test_only_what_can_be_too_low_and_too_high_has_two_sides(self) -> None:
        assert is_two_sided(MIDDLE)
        assert is_two_sided(along([(0, 0), (5, 100), (9, 50)]))
        assert not any(map(is_two_sided, (Scoring(30, 0), LIMIT, KNOTS)))


@pytest.mark.parametrize(
    ("scoring", "field"),
    [
        (Scoring(3, 3), "worst"),
        (in_the_middle(5, 0), "tolerance"),
        (in_the_middle(5, 2, 2), "dead_band"),
        (in_the_middle(5, 2, -1), "dead_band"),
        (by_limit(5, 5), "limit"),
        (along([]), "knots"),
        (along([(1, 50)]), "knots"),
        (along([(2, 0), (1, 100)]), "knots"),
        (along([(1, 0), (2, 101)]), "knots"),
        (along([(1, 50), (2, 50)]), "knots"),
        (along([(at, at) for at in range(13)]), "knots"),
        (Scoring(1, 2, shape="round"), "shape"),
        (Scoring(float("nan"), 2), "best"),
    ],
)
def test_what_cannot_be_is_refused_by_field_and_by_the_service(
    draft: SystemVersion, scoring: Scoring, field: str
) -> None:
    fault = fault_of(scoring)
    assert fault is not None
    assert fault[0] == field

    with pytest.raises(InvalidInput) as refusal:
        _shape(draft, scoring)
    assert refusal.value.problems[0].field == field
    assert WeightedIndicator.objects.get().shape == "goalposts"


@pytest.mark.parametrize(
    "nonsense",
    [
        {"shape": "round"},
        {"dead_band": 1.0},
        {"shape": "nominal"},
        {"shape": "nominal", "dead_band": 30.0},
        {"shape": "nominal", "dead_band": -1.0},
        {"shape": "target"},
        {"shape": "target", "limit": 0.0},
        {"limit": 5.0},
        {"shape": "knots"},
        {"knots": [[0, 0], [1, 100]]},
    ],
)
def test_the_database_refuses_nonsense(draft: SystemVersion, nonsense: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        WeightedIndicator.objects.update(**nonsense)


@pytest.mark.django_db
def test_the_database_refuses_an_aggregation_that_is_none(draft: SystemVersion) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        SystemVersion.objects.update(aggregation="harmonic")
    with pytest.raises(InvalidInput):
        change_draft(
            version=draft, grains=["month"], since=SINCE, target=None, aggregation="harmonic",
            by=SYSTEM, now=NOW,
        )  # fmt: skip


@pytest.mark.parametrize("scoring", [MIDDLE, LIMIT, KNOTS])
class TestKept:
    def test_is_kept_frozen_and_read_again(self, draft: SystemVersion, scoring: Scoring) -> None:
        _shape(draft, scoring)

        assert scoring_of(WeightedIndicator.objects.get()) == scoring
        said = definition_of(draft)
        stored = orjson.loads(orjson.dumps(said.as_json()))
        assert stored["dimensions"][0]["indicators"][0]["shape"] == scoring.shape
        assert SystemDefinition.from_json(stored) == said
        assert scoring_of(said.all_indicators()[0]) == scoring

    def test_goes_along_into_the_next_version(self, draft: SystemVersion, scoring: Scoring) -> None:
        _shape(draft, scoring)
        Indicator.objects.update(direction="higher" if scoring.best > scoring.worst else "lower")
        change_draft(
            version=draft, grains=["month"], since=SINCE, target=None, aggregation="geometric",
            by=SYSTEM, now=NOW,
        )  # fmt: skip
        publish_version(version=draft, by=SYSTEM, now=NOW)

        copied = copy_version(system=draft.system, by=SYSTEM, now=NOW)

        leaf = WeightedIndicator.objects.get(dimension__version=copied)
        assert scoring_of(leaf) == scoring
        assert copied.aggregation == "geometric"


def test_a_definition_that_says_nothing_new_is_stored_as_ever(draft: SystemVersion) -> None:
    stored = definition_of(draft).as_json()

    assert "aggregation" not in stored
    (leaf,) = stored["dimensions"][0]["indicators"]
    assert not {"shape", "dead_band", "limit", "knots"} & set(leaf)


def test_a_target_needs_a_good_side(draft: SystemVersion) -> None:
    wait = Indicator.objects.get()
    set_target(indicator=wait, value=22, floor=None, on=SINCE, by=SYSTEM, now=NOW)
    _shape(draft, in_the_middle(22, 4, rising=False))

    (problem,) = problems_of_draft(draft)
    assert "too low and too high" in problem.reason
    (leaf,) = definition_of(draft, on=SINCE).all_indicators()
    assert (leaf.target, leaf.floor) == (None, None)


def test_best_in_the_middle_has_no_direction_to_contradict(draft: SystemVersion) -> None:
    _shape(draft, in_the_middle(22, 4, rising=True))

    assert problems_of_draft(draft) == []


def test_a_ready_system_may_bring_shapes_along() -> None:
    text = """
code = "small"
system = "small"
grains = ["month"]
aggregation = "geometric"
name = { en = "Small" }
description = { en = "Small" }
[[dimensions]]
code = "a"
name = { en = "A" }
weight = "1"
"""
    shapes = {
        "even": "worst = 30\nbest = 0",
        "middle": 'shape = "nominal"\nbest = 22\ntolerance = 4\ndead_band = 1',
        "limit": 'shape = "target"\nbest = 5\nlimit = 9',
        "bent": 'shape = "knots"\nknots = [[0, 100], [5, 90], [15, 0]]',
    }
    for code, said in shapes.items():
        text += f"""
[[dimensions.indicators]]
code = "{code}"
name = {{ en = "{code}" }}
definition = {{}}
unit = "min"
direction = "{"higher" if code == "middle" else "lower"}"
statistic = "mean"
source = "memory"
weight = "0.25"
{said}
"""
    ready = importers._system(tomllib.loads(text))

    assert ready.aggregation == "geometric"
    found = {leaf.code: scoring_of(leaf) for leaf in ready.dimensions[0].indicators}
    assert found == {"even": Scoring(30, 0), "middle": MIDDLE, "limit": LIMIT, "bent": KNOTS}
    with pytest.raises(InvalidInput, match="bent, knots"):
        importers._system(tomllib.loads(text.replace("[5, 90]", "[0, 90]")))


class TestPage:
    @pytest.fixture
    def ana(self, draft: SystemVersion) -> Client:
        user = make_user("ana")
        give_role(user, Role.ANALYST)
        client = Client()
        client.force_login(user)
        return client

    @pytest.mark.parametrize("shape", Shape.values)
    def test_each_shape_has_its_form(self, ana: Client, shape: str) -> None:
        page = ana.get(f"{DRAFT}indicators/wait/?shape={shape}").content.decode()

        assert faults_of(page) == []
        assert f'href="?shape={shape}" aria-current="page"' in page

    @pytest.mark.parametrize(
        ("form", "wanted"),
        [
            ({"worst": "20", "best": "5"}, Scoring(20, 5)),
            (
                {"best": "22", "tolerance": "4", "dead_band": "1"},
                in_the_middle(22, 4, 1, rising=False),
            ),
            ({"best": "22", "tolerance": "4"}, in_the_middle(22, 4, rising=False)),
            ({"best": "5", "limit": "9"}, LIMIT),
            ({"knots": "0 100\r\n5 90\r\n\r\n15 0"}, KNOTS),
        ],
    )
    def test_keeps_what_was_entered(
        self, ana: Client, form: dict[str, str], wanted: Scoring
    ) -> None:
        answer = ana.post(f"{DRAFT}indicators/wait/?shape={wanted.shape}", form)

        assert answer.status_code == 302
        assert scoring_of(WeightedIndicator.objects.get()) == wanted
        again = ana.get(f"{DRAFT}indicators/wait/").content.decode()
        assert f'href="?shape={wanted.shape}" aria-current="page"' in again
        assert "as it is kept" in again
        assert faults_of(ana.get(DRAFT).content.decode()) == []

    def test_shows_the_points_and_keeps_nothing(self, ana: Client) -> None:
        form = {"best": "22", "tolerance": "4", "preview": "1"}
        answer = ana.post(f"{DRAFT}indicators/wait/?shape=nominal", form)

        page = answer.content.decode()
        assert answer.status_code == 200
        assert "22 min is 100 points; 18 min and 26 min are 0" in page
        assert "<polyline" in page
        assert "not kept yet" in page
        assert faults_of(page) == []
        assert WeightedIndicator.objects.get().shape == "goalposts"

    @pytest.mark.parametrize(
        ("shape", "form", "said"),
        [
            ("nominal", {"best": "22", "tolerance": "0"}, "must be above 0"),
            ("nominal", {"best": "22", "tolerance": "2", "dead_band": "2"}, "below the tolerance"),
            ("target", {"best": "5", "limit": "5"}, "must differ"),
            ("knots", {"knots": "0 100\nfive"}, "“five” is not a value and its points"),
            ("knots", {"knots": "5 0\n0 100"}, "must rise"),
            ("goalposts", {"worst": "5", "best": "5"}, "must differ"),
        ],
    )
    def test_says_beside_the_field_what_is_wrong(
        self, ana: Client, shape: str, form: dict[str, str], said: str
    ) -> None:
        answer = ana.post(f"{DRAFT}indicators/wait/?shape={shape}", form)

        page = answer.content.decode()
        assert answer.status_code == 400
        assert said in page
        assert faults_of(page) == []
        assert scoring_of(WeightedIndicator.objects.get()) == Scoring(30, 0)

    def test_how_scores_become_one_is_chosen_with_the_periods(
        self, ana: Client, draft: SystemVersion
    ) -> None:
        kept = {"grains": ["month"], "since": "2026-01-01"}
        ana.post(f"{DRAFT}settings/", {**kept, "aggregation": "geometric"})
        draft.refresh_from_db()
        assert draft.aggregation == "geometric"
        assert "Geometric mean" in ana.get(DRAFT).content.decode()

        ana.post(f"{DRAFT}settings/", kept)
        draft.refresh_from_db()
        assert draft.aggregation == "geometric"


@pytest.mark.parametrize(
    ("scoring", "side"),
    [
        (Scoring(1, 7), 1),
        (Scoring(30, 0), -1),
        (by_limit(5, 9), -1),
        (by_limit(98, 95), 1),
        (along([(0, 100), (5, 90), (5.5, 90), (15, 0)]), -1),
        (along([(0, 0), (50, 80), (60, 100)]), 1),
        (along([(0, 0), (5, 90), (15, 20)]), 0),
        (in_the_middle(8, 4), 0),
        (in_the_middle(8, 4, rising=False), 0),
    ],
)
def test_only_what_rises_or_falls_all_the_way_has_a_better_side(
    scoring: Scoring, side: int
) -> None:
    assert side_of(scoring) == side
