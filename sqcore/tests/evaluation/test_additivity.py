"""What holds for any answers: children add up to their parents, and order does not matter."""

from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sqcore.base.periods import Grain, Period
from sqcore.evaluation.frozen import canonical, freeze_source, thaw_source
from sqcore.evaluation.lattice import Key, Lattice
from sqcore.evaluation.rules import Inputs, Policy, digest_of, evaluate
from sqcore.indicators.definition import (
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
)
from sqcore.indicators.sources import Collected
from sqcore.tests.evaluation.bank import Answer, MemorySource

TREE = {1: None, 2: 1, 3: 1, 4: 2, 5: 2}
MAY = Period(date(2026, 5, 1), Grain.MONTH)

answers = st.lists(
    st.builds(
        Answer,
        unit_id=st.sampled_from([1, 2, 3, 4, 5]),
        on=st.just(date(2026, 5, 7)),
        values=st.fixed_dictionaries(
            {"overall": st.integers(1, 7)}, optional={"wait": st.integers(0, 60)}
        ),
        channel=st.sampled_from(["", "desk", "phone"]),
        segment=st.sampled_from(["", "young"]),
        weight=st.integers(1, 3000),
    ),
    max_size=60,
)


def _leaf(code: str, worst: float, best: float) -> IndicatorDefinition:
    return IndicatorDefinition(
        code=code,
        name={"en": code},
        definition={},
        unit_of_measure="",
        direction="higher",
        statistic="mean",
        source="memory",
        measure=code,
        weight=1.0,
        worst=worst,
        best=best,
    )


DEFINITION = SystemDefinition(
    system="bank",
    name={"en": "Bank"},
    version=1,
    dimensions=(
        DimensionDefinition("a", {"en": "A"}, 0.7, (), (_leaf("overall", 1, 7),)),
        DimensionDefinition("b", {"en": "B"}, 0.3, (), (_leaf("wait", 60, 0),)),
    ),
)


def _collected(given_answers: list[Answer]) -> Collected:
    source = MemorySource(scales={"overall": 1, "wait": 1}, answers=given_answers)
    return canonical(source.collect(measures=["overall", "wait"], period=MAY))


@given(answers)
@settings(max_examples=60, deadline=None)
def test_a_unit_is_the_sum_of_its_units_and_its_own_answers(given_answers: list[Answer]) -> None:
    source = _collected(given_answers)
    lattice = Lattice.over(TREE, [source])
    moments = lattice.rolled_up(source)

    for key in lattice.keys:
        mine = [
            at
            for at, cell in enumerate(source.cells)
            if (cell.margin, cell.value) == (key.margin, key.value) and cell.unit_id == key.unit
        ]
        below = [
            lattice.index[child]
            for unit, parent in TREE.items()
            if parent == key.unit and (child := key._replace(unit=unit)) in lattice.index
        ]
        for part in ("n", "respondents", "linear", "products"):
            own = getattr(source.moments, part)[mine].sum(axis=0)
            children = getattr(moments, part)[below].sum(axis=0)
            assert np.array_equal(getattr(moments, part)[lattice.index[key]], own + children)


@given(answers)
@settings(max_examples=60, deadline=None)
def test_every_equation_of_the_lattice_holds_for_the_counts(given_answers: list[Answer]) -> None:
    source = _collected(given_answers)
    lattice = Lattice.over(TREE, [source])
    people = lattice.counts(source.cells, source.moments.respondents[:, None])[:, 0]
    families = lattice.families

    for number, parent in enumerate(families.parents.tolist()):
        children = families.children[families.family == number]
        assert people[parent] == people[children].sum()


@given(answers, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_answers_changes_nothing(given_answers: list[Answer], chance: object) -> None:
    shuffled = list(given_answers)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random

    first, second = _collected(given_answers), _collected(shuffled)

    assert freeze_source(first) == freeze_source(second)
    assert thaw_source(freeze_source(first)).moments == first.moments
    results = [
        digest_of(evaluate(Inputs(DEFINITION, Policy(), TREE, {"memory": each})))
        for each in (first, second)
    ]
    assert results[0] == results[1]


@given(answers)
@settings(max_examples=60, deadline=None)
def test_scores_stay_between_0_and_100_and_hidden_rows_are_bare(
    given_answers: list[Answer],
) -> None:
    rows = evaluate(Inputs(DEFINITION, Policy(), TREE, {"memory": _collected(given_answers)}))

    assert len({(row.key, row.code) for row in rows}) == len(rows)
    for row in rows:
        if row.status != "ok":
            assert row[7:] == (None,) * 8
        else:
            assert row.n is not None
            assert row.n >= 5
            low, score, high = row.score_low, row.score, row.score_high
            assert score is not None
            assert 0 <= score <= 100
            assert low is None or high is None or low <= score + 1e-9 <= high + 2e-9


def test_keys_read_as_places() -> None:
    assert Key(3) == (3, "", "")
