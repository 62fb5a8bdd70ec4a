"""What can be worked out from several results: nothing about fewer than five answers."""

from collections import Counter
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.performance import runs
from sqcore.performance.batches import cut, without_slivers
from sqcore.performance.gathering import in_batches
from sqcore.performance.models import AnswerBatch, Dispute
from sqcore.performance.queries import own_answers_in_batches
from sqcore.performance.runs import evaluate_people
from sqcore.performance.sources import PERSON_SOURCES
from sqcore.performance.windows import months_before
from sqcore.tests.factories import make_post, make_unit
from sqcore.tests.performance.people import CARE, MadeSource, hire
from sqcore.tests.performance.rows import make_policy


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(2))
def test_no_sum_or_difference_of_all_that_was_ever_shown_is_about_fewer_than_five_answers(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two years of windows, late answers, withdrawals, disputes upheld and reversed.

    What is shown of a set of answers is its number and mean, so each shown set is a row of 0 and 1.
    Whatever is worked out from them weighs answers alike that were in the same sets. So it is about
    five answers at least when at least five are alike, for every way to be in some of them.
    """
    source, random = MadeSource(), Random(seed)
    monkeypatch.setattr(PERSON_SOURCES, "_offers", {source.key: source})
    unit, post = make_unit("north"), make_post()
    make_policy(valid_from=date(2024, 1, 1))
    li = hire("li", unit, post)
    shown: list[set[int]] = []
    counted = in_batches

    def noted(*asked: Any) -> Any:
        taken = counted(*asked)
        shown.append(set(taken.counted.answer.tolist()))
        return taken

    monkeypatch.setattr(runs, "in_batches", noted)
    month = date(2024, 1, 1)
    for number in range(24):
        following = months_before(month, -1)
        for each in range(random.choice((0, 1, 3, 4, 6, 9))):
            late = random.random() < 0.1
            on = month - timedelta(days=200) if late else month + timedelta(random.randrange(28))
            value, key = random.choice((1.0, 4.0, 7.0)), f"E-{number}-{each}"
            source.put(li, (value,), 1, on=on, encounter=key)
        if source.rows and random.random() < 0.3:
            source.rows.pop(random.randrange(len(source.rows)))
        if source.rows and random.random() < 0.5:
            _dispute(li.pk, unit.pk, random.choice(source.rows).encounter, month)
        now = datetime.fromisoformat(f"{following}T03:00Z")
        evaluate_people(ends_on=following, now=now)
        if number > 2 and random.random() < 0.4:
            evaluate_people(ends_on=months_before(following, 2), now=now)
        own = own_answers_in_batches(li.pk, CARE.key, now=now)
        assert all(len(batch.values) >= 5 for batch in own.batches)
        month = following

    everything = set().union(*shown)
    ways = Counter(tuple(answer in one for one in shown) for answer in everything)
    assert len(everything) > 60
    assert len(set(map(frozenset, shown))) > 12
    assert min(ways.values()) >= 5
    # Each batch on the page of own answers is made of such answers, too.
    for batch in AnswerBatch.objects.all():
        members = np.frombuffer(bytes(batch.members), dtype=">u8").tolist()
        assert len(members) >= 5
        assert len({tuple(answer in one for one in shown) for answer in members}) == 1


def one_month(there: Any) -> Any:
    return np.zeros(len(there), dtype="M8[M]")


def test_batches_begin_with_months_where_these_have_answers_enough() -> None:
    """Six, then three and four, then twelve and two answers a month."""
    month = np.repeat(np.arange(5), [6, 3, 4, 12, 2]).astype("M8[M]")

    found = cut(np.ones((27, 1), dtype=bool), month, 5)

    assert found == [(0, 6), (6, 13), (13, 20), (20, 27)]


def _dispute(staff: int, unit: int, key: str, on: date) -> None:
    """An upheld dispute; one that was upheld already is reversed."""
    at = datetime.fromisoformat(f"{on}T02:00Z")
    found, is_new = Dispute.objects.get_or_create(
        staff_id=staff, encounter_key=key,
        defaults={"unit_id": unit, "encounter_at": at, "reason": "abuse", "state": "upheld",
                  "raised_at": at, "due_on": on, "decided_at": at},
    )  # fmt: skip
    if not is_new:
        found.state = Dispute.State.REVERSED
        found.save()


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), st.integers(5, 8))
def test_batches_follow_one_another_and_are_at_least_as_large_as_they_must_be(
    rows: list[tuple[bool, bool]], least: int
) -> None:
    there = np.array(rows, dtype=bool).reshape(-1, 2)

    found = cut(there, one_month(there), least)

    assert bool(found) == (len(there) >= least)
    assert all(last - first >= least for first, last in found)
    assert [first for first, _last in found[1:]] == [last for _first, last in found[:-1]]
    if found:
        assert (found[0][0], found[-1][1]) == (0, len(there))


@pytest.mark.parametrize(
    ("answers", "sizes"),
    [(4, []), (5, [5]), (9, [9]), (10, [5, 5]), (13, [6, 7]), (64, [5, 5, 6] * 4)],
)
def test_what_is_left_over_is_spread(answers: int, sizes: list[int]) -> None:
    found = cut(np.ones((answers, 1), dtype=bool), np.zeros(answers, dtype="M8[M]"), 5)

    assert [last - first for first, last in found][: len(sizes)] == sizes
    assert sum(last - first for first, last in found) == (answers if answers > 4 else 0)


def test_a_batch_waits_until_each_measure_has_five_answers_in_it() -> None:
    there = np.ones((12, 2), dtype=bool)
    there[1, 1] = False

    assert cut(there, one_month(there), 5) == [(0, 6), (6, 12)]


def test_a_measure_with_fewer_than_five_answers_in_a_batch_does_not_count_there() -> None:
    values = np.array([[4.0, 5.0]] * 5 + [[4.0, np.nan]] + [[4.0, 5.0]] * 5)
    place = np.array([0] * 5 + [1] * 5 + [1])
    values[6:8, 1] = np.nan

    found = without_slivers(values, place)

    assert np.isfinite(found).sum(axis=0).tolist() == [11, 5]
