"""Own answers in batches, who looked, the rules, the notice, and REST."""

from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
import time_machine

from sqcore.base import bus
from sqcore.base.errors import InvalidInput, NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal
from sqcore.notices.models import Notice
from sqcore.performance.disputes import raise_dispute
from sqcore.performance.models import Look, ResultsPolicy, StaffResult
from sqcore.performance.queries import own_answers_in_batches, own_encounters
from sqcore.performance.services import note_look, set_policy
from sqcore.performance.sources import PERSON_SOURCES
from sqcore.tests.factories import make_post, make_unit
from sqcore.tests.performance.people import (
    CARE,
    ENDS_ON,
    NOW,
    Branch,
    MadeSource,
    answer_all,
    decider,
    evaluated,
    hire,
    make_branch,
    principal_of,
    serve,
)
from sqcore.tests.rest import get, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> MadeSource:
    made = MadeSource()
    monkeypatch.setattr(PERSON_SOURCES, "_offers", {made.key: made})
    return made


@pytest.fixture
def branch(source: MadeSource) -> Branch:
    found = make_branch(make_unit("north"), make_post())
    answer_all(source, found)
    return found


def test_own_answers_come_in_closed_batches_of_five_late_and_without_order(
    branch: Branch, source: MadeSource
) -> None:
    li = branch.staff[0]
    source.rows.clear()
    for day, value in enumerate((7.0, 1.0, 5.0, 3.0, 6.0, 2.0, 2.0), start=10):
        source.put(li, (value,), 1, on=date(2026, 2, day))
    source.put(li, (4.0,), 3, on=date(2026, 2, 24))
    evaluated()

    found = own_answers_in_batches(li.pk, CARE.key, now=NOW)

    # The three of the 24th are not seven days old on the 2nd of March.
    assert [(batch.until, batch.values) for batch in found.batches] == [
        (date(2026, 2, 14), (1.0, 3.0, 5.0, 6.0, 7.0))
    ]
    assert found.waiting
    later = own_answers_in_batches(li.pk, CARE.key, now=NOW + timedelta(days=2))
    assert [batch.values for batch in later.batches] == [
        (2.0, 2.0, 4.0, 4.0, 4.0), (1.0, 3.0, 5.0, 6.0, 7.0),
    ]  # fmt: skip
    assert not later.waiting


def test_own_encounters_come_newest_first_without_any_answer(branch: Branch) -> None:
    li = branch.staff[0]
    for hour in range(3):
        serve(li, branch.unit, f"E-{hour}", at=datetime.fromisoformat(f"2026-02-02T0{hour}:00Z"))
    serve(branch.weak, branch.unit, "theirs")
    raise_dispute(encounter_key="E-1", reason="abuse", by=principal_of(li), now=NOW)

    found = own_encounters(li.pk, limit=2)
    rest = own_encounters(li.pk, before=found[-1].id)

    assert [each.key for each in found] == ["E-2", "E-1"]
    assert [each.dispute is not None for each in found] == [False, True]
    assert [each.key for each in rest] == ["E-0"]


def test_a_look_at_somebody_is_one_row_a_viewer_way_and_day(branch: Branch) -> None:
    first, second = branch.staff[:2]
    mei = Principal("user:7", "Mei", {}, None, second.pk)
    for _time in range(2):
        note_look(staff_ids=[first.pk, second.pk], way="page", by=mei, now=NOW)
    note_look(staff_ids=[first.pk], way="page", by=mei, now=NOW + timedelta(days=1))

    rows = Look.objects.order_by("on").values_list("staff", "viewer_name", "on", "times")
    assert list(rows) == [
        (first.pk, "Mei", date(2026, 3, 2), 2), (first.pk, "Mei", date(2026, 3, 3), 1),
    ]  # fmt: skip


def test_each_person_is_told_once_a_window_without_figures(
    branch: Branch, source: MadeSource
) -> None:
    li = principal_of(branch.staff[0])
    evaluated()
    bus.drain(now=NOW)
    source.put(branch.weak, (7.0,), 1)
    evaluated()
    bus.drain(now=NOW)

    notice = Notice.objects.get()
    assert notice.reader == li.user
    assert "5.0" not in notice.body["en"]
    assert notice.title["en"] == "Your results are there"


def test_new_rules_hold_from_the_first_run_after_their_day(branch: Branch) -> None:
    evaluated()
    ana = decider(Permission.MANAGE_INDICATORS)

    made = set_policy(
        valid_from=date(2026, 3, 15), smallest_difference=0.5, reason="Agreed", by=ana, now=NOW
    )

    assert (made.number, made.smallest_difference, made.smallest_n) == (2, 0.5, 30)
    assert evaluated().policy.number == 1
    assert evaluated(date(2026, 4, 1), NOW + timedelta(days=31)).policy == made


def test_rules_below_the_floors_are_refused(branch: Branch) -> None:
    ana = decider(Permission.MANAGE_INDICATORS)
    with pytest.raises(InvalidInput) as refusal:
        set_policy(
            valid_from=date(2026, 3, 1), smallest_n=29, pay_reliability=0.5, reason="",
            freezing=["nothing"], by=ana, now=NOW,
        )  # fmt: skip

    fields = {problem.field for problem in refusal.value.problems}
    assert fields == {"valid_from", "smallest_n", "pay_reliability", "reason", "freezing"}
    with pytest.raises(NotPermitted):
        set_policy(valid_from=date(2026, 4, 1), reason="Mine", by=decider(), now=NOW)
    assert not ResultsPolicy.objects.exists()


@time_machine.travel(NOW, tick=False)
def test_rest_shows_people_of_the_tokens_units_and_keeps_the_look(
    branch: Branch, source: MadeSource
) -> None:
    south = make_branch(make_unit("south"), branch.post)
    answer_all(source, south)
    run = evaluated()
    key = make_key(Permission.VIEW_PEOPLE_RESULTS, units=[branch.unit], now=NOW)

    rows = orjson.loads(get("people-results", key).content)["results"]

    assert {row["unit"] for row in rows} == {"north"}
    assert len(rows) == 10
    low = next(row for row in rows if row["staff"] == branch.weak.number)
    assert (low["verdict"], low["gate"], low["raw"], low["n"]) == ("low", "pay", 4.0, 60)
    assert Look.objects.filter(way="rest").count() == 10
    runs = orjson.loads(get("people-results/runs", key).content)["results"]
    assert [(row["ends_on"], row["result_hash"]) for row in runs] == [
        (ENDS_ON.isoformat(), run.result_hash)
    ]
    assert runs[0]["measures"][0]["low"] == 2


@time_machine.travel(NOW, tick=False)
def test_rest_refuses_who_may_not_see_results_of_people(branch: Branch) -> None:
    evaluated()
    key = make_key(Permission.VIEW_RESULTS, now=NOW)

    assert get("people-results", key).status_code == 403
    assert get("people-results/runs", key).status_code == 403
    assert get("people-results").status_code == 401
    assert not Look.objects.exists()
    assert EVERYWHERE.everywhere


@time_machine.travel(NOW, tick=False)
def test_rest_tells_of_too_few_answers_not_how_many_and_of_what_is_held_no_figures(
    branch: Branch, source: MadeSource
) -> None:
    few = hire("few", branch.unit, branch.post)
    source.put(few, (7.0,), 4)
    evaluated()
    StaffResult.objects.filter(staff=branch.weak).update(verdict="held", held="signal")
    key = make_key(Permission.VIEW_PEOPLE_RESULTS, units=[branch.unit], now=NOW)

    [row] = orjson.loads(get("people-results?staff=few", key).content)["results"]
    assert (row["n"], row["raw"], row["verdict"]) == (None, None, "few")
    weak = f"people-results?staff={branch.weak.number}"
    [row] = orjson.loads(get(weak, key).content)["results"]
    assert (row["n"], row["verdict"], row["held"]) == (60, "held", "signal")
    assert {row["raw"], row["estimate"], row["high"], row["probability_low"]} == {None}


@time_machine.travel(NOW, tick=False)
def test_rest_keeps_the_look_that_finds_out_what_somebody_is_not(branch: Branch) -> None:
    evaluated()
    key = make_key(Permission.VIEW_PEOPLE_RESULTS, units=[branch.unit], now=NOW)
    asked = f"people-results?staff={branch.weak.number}&verdict=above"

    assert orjson.loads(get(asked, key).content)["results"] == []

    assert [look.staff for look in Look.objects.all()] == [branch.weak]


def test_other_rules_do_not_cut_anew_what_was_shown_in_batches(
    branch: Branch, source: MadeSource
) -> None:
    li = branch.staff[0]
    source.rows.clear()
    source.put(li, (7.0, 1.0, 5.0, 3.0, 6.0), 10, on=date(2026, 2, 10))
    evaluated()
    before = own_answers_in_batches(li.pk, CARE.key, now=NOW)
    ana = decider(Permission.MANAGE_INDICATORS)
    set_policy(valid_from=NOW.date(), batch=6, reason="Larger", by=ana, now=NOW)
    source.put(li, (2.0,), 13, on=date(2026, 3, 3))
    later = datetime(2026, 4, 2, tzinfo=UTC)
    evaluated(date(2026, 4, 1), later)

    after = own_answers_in_batches(li.pk, CARE.key, now=later)

    assert len(before.batches) == 2
    assert after.batches[-2:] == before.batches
    assert sorted(len(batch.values) for batch in after.batches) == [5, 5, 6, 7]


def test_a_batch_that_lost_an_answer_is_shown_no_more_and_the_others_stay_as_they_were(
    branch: Branch, source: MadeSource
) -> None:
    li = branch.staff[0]
    source.rows.clear()
    for day in range(10, 20):
        source.put(li, (float(day % 7 + 1),), 1, on=date(2026, 2, day))
    evaluated()
    before = own_answers_in_batches(li.pk, CARE.key, now=NOW)
    del source.rows[2]
    source.put(li, (1.0,), 1, on=date(2026, 2, 1))

    after = own_answers_in_batches(li.pk, CARE.key, now=NOW)

    assert [batch.until.day for batch in before.batches] == [19, 14]
    assert (after.batches, after.gone, after.waiting) == (before.batches[:1], 1, True)
    evaluated()
    again = own_answers_in_batches(li.pk, CARE.key, now=NOW)
    assert (again.batches, again.gone) == (before.batches[:1], 1)
    assert StaffResult.objects.current().get(staff=li).n == 5
