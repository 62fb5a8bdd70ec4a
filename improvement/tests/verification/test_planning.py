"""Promising an effect: what can be seen by when, and what is refused with nothing written."""

from typing import Any

import pytest

from improvement.actions.models import Action
from improvement.tests.factories import come_back, make_bank
from improvement.tests.verification.stage import (
    ACTION,
    ALARM,
    FIRST_AFTER,
    PLANNED,
    Stage,
    make_stage,
    quiet,
    risen,
)
from improvement.tickets.models import State, Step, Ticket
from improvement.verification.models import BalancingMeasure, EffectPlan
from improvement.verification.queries import comparing, verify_digest
from improvement.verification.services import outlook
from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotFound, NotPermitted
from sqcore.base.periods import Grain
from sqcore.stats.effects import smallest_detectable
from sqcore.tests.monitoring.series import MIDDLE, leaf, make_series

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage() -> Stage:
    found = make_stage()
    found.put(risen(104))
    found.put(quiet(104), code="errors")
    return found


def _refused(stage: Stage, ticket: Ticket, error: type[DomainError], **over: Any) -> DomainError:
    """The plan is refused, and neither a plan nor a step nor a measure is left behind."""
    revision = Ticket.objects.get(pk=ticket.pk).revision
    plans = list(EffectPlan.objects.values())
    with pytest.raises(error) as found:
        stage.plan(ticket, **over)
    assert list(EffectPlan.objects.values()) == plans
    assert BalancingMeasure.objects.count() == len(plans)
    assert Ticket.objects.get(pk=ticket.pk).revision == revision
    return found.value


def _field(error: DomainError) -> str:
    return error.problems[0].field


# ---- What is kept --------------------------------------------------------------------------------
def test_keeps_the_promise_with_its_check_day(stage: Stage) -> None:
    plan = stage.plan(stage.ticket(), minimum=1.2)

    assert (plan.comparison, plan.better, plan.version) == ("after_signal", -1, 1)
    assert plan.compares_from == stage.on(ALARM + 1)
    assert (plan.n_before, plan.n_after) == (12, 7)
    assert plan.check_on == stage.on(FIRST_AFTER + 7)
    assert plan.phi == 0.0
    assert plan.smallest_detectable == pytest.approx(
        smallest_detectable(n_before=12, n_after=7, sigma=plan.sigma, phi=0.0)
    )
    assert plan.smallest_detectable <= 1.2
    measure = plan.balancing.get()
    assert (measure.code, measure.better, measure.margin) == ("errors", -1, 1.0)
    assert Step.objects.get().action == "effect_planned"


def test_a_plan_that_is_not_locked_is_changed_in_place(stage: Stage) -> None:
    ticket = stage.ticket()
    first = stage.plan(ticket)

    second = stage.plan(ticket, minimum=2.0, balancing=[("errors", 0.5)])

    assert second.pk == first.pk
    assert EffectPlan.objects.get().minimum == 2.0
    assert BalancingMeasure.objects.get().margin == 0.5


def test_a_later_check_may_be_wished_for(stage: Stage) -> None:
    plan = stage.plan(stage.ticket(), wished_on=stage.on(83))

    assert (plan.n_after, plan.check_on) == (20, stage.on(83))


def test_two_looks_take_longer_than_one(stage: Stage) -> None:
    ticket = stage.ticket()

    one = stage.plan(ticket, minimum=1.2).n_after
    two = stage.plan(ticket, minimum=1.2, is_extendable=True).n_after

    assert (one, two) == (7, 10)


def test_the_direction_may_be_given(stage: Stage) -> None:
    assert stage.plan(stage.ticket(), better=1).better == 1


def test_a_containment_before_the_action_ends_the_side_before(stage: Stage) -> None:
    ticket = stage.ticket(contained_on=stage.on(58))

    assert stage.plan(ticket).n_before == 9


# ---- What it compares with -----------------------------------------------------------------------
def test_a_ticket_of_a_person_is_compared_with_the_periods_before_it() -> None:
    stage = make_stage()
    stage.put(quiet(60))
    stage.put(quiet(60), code="errors")

    plan = stage.plan(stage.ticket_of_person())

    assert (plan.comparison, plan.n_before) == ("before_ticket", 26)
    assert plan.compares_from == stage.on(ALARM + 1 - 26)


def test_a_later_cycle_is_compared_with_what_the_former_left(stage: Stage) -> None:
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket))
    stage.do(ticket)
    Ticket.objects.filter(pk=ticket.pk).update(cycle=2, state=State.PLAN)
    ticket.refresh_from_db()

    plan = stage.plan(ticket, week=90, starts_on=stage.on(92))

    assert (plan.comparison, plan.cycle, plan.version) == ("after_cycle", 2, 2)
    assert plan.compares_from == stage.on(FIRST_AFTER)
    assert plan.n_before == 12


def test_a_regression_is_compared_with_the_periods_after_the_new_signal(stage: Stage) -> None:
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket))
    stage.do(ticket)
    Ticket.objects.filter(pk=ticket.pk).update(cycle=2, state=State.PLAN)
    assert ticket.signal is not None
    signal = come_back(ticket.signal, alarm_on=stage.on(80))
    ticket.signals.create(signal=signal, episode=2, attached_at=stage.at(80))
    ticket = Ticket.objects.get(pk=ticket.pk)

    found = comparing(ticket, Grain.WEEK)

    assert (found.kind, found.compares_from) == ("after_signal", stage.on(81))


def test_a_containment_of_a_former_cycle_is_part_of_the_state(stage: Stage) -> None:
    ticket = stage.ticket(contained_on=stage.on(50))
    Action.objects.create(
        ticket=ticket,
        cycle=1,
        text="Open a third counter",
        owner=stage.bank.li,
        due_on=stage.on(60),
        state=Action.State.DONE,
        effective_on=stage.on(60),
        outcome="opened",
        created_at=stage.at(50),
    )
    Ticket.objects.filter(pk=ticket.pk).update(cycle=2)
    ticket.refresh_from_db()

    found = comparing(ticket, Grain.WEEK)

    assert (found.compares_from, found.until) == (stage.on(61), None)


# ---- Refusals ------------------------------------------------------------------------------------
def test_refuses_what_can_never_be_told_from_chance(stage: Stage) -> None:
    error = _refused(stage, stage.ticket(), InvalidInput, minimum=0.5)

    assert error.message == (
        "With 12 weeks before, an effect of less than 0.8 min cannot be told from chance,"
        " however long you wait."
    )
    assert _field(error) == "minimum"


def test_refuses_a_check_before_the_effect_can_be_seen(stage: Stage) -> None:
    error = _refused(stage, stage.ticket(), InvalidInput, minimum=1.2, wished_on=stage.on(66))

    assert stage.on(FIRST_AFTER + 7).isoformat() == "2025-04-28"
    assert error.message == "An effect of 1.2 min cannot be judged before 28 Apr 2025."
    assert _field(error) == "wished_on"


def test_refuses_an_action_too_soon_after_the_signal(stage: Stage) -> None:
    error = _refused(stage, stage.ticket(), InvalidInput, starts_on=stage.on(54))

    assert error.message == (
        "The time between the signal and the action gives 5 weeks to compare with; it takes at"
        " least 8. Begin the action on 27 Jan 2025 or later."
    )
    assert stage.plan(Ticket.objects.get(), starts_on=stage.on(57), minimum=3.0).n_before == 8


def test_refuses_where_the_containment_came_at_once(stage: Stage) -> None:
    error = _refused(
        stage, stage.ticket(contained_on=stage.on(50)), InvalidInput, starts_on=stage.on(80)
    )

    assert error.message == (
        "The containment leaves 1 week to compare with; it takes at least 8, so no effect can be"
        " verified."
    )


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"code": "nonsense"}, "code"),
        ({"code": "calls"}, "code"),
        ({"minimum": 0.0}, "minimum"),
        ({"minimum": -1.0}, "minimum"),
        ({"minimum": float("nan")}, "minimum"),
        ({"minimum": float("inf")}, "minimum"),
        ({"washout": 27}, "washout"),
        ({"washout": -1}, "washout"),
        ({"better": 2}, "better"),
        ({"balancing": []}, "balancing"),
        ({"balancing": [("waiting", 1.0)]}, "balancing"),
        ({"balancing": [("errors", 1.0), ("errors", 2.0)]}, "balancing"),
        ({"balancing": [("errors", -0.1)]}, "balancing"),
        ({"balancing": [("errors", float("nan"))]}, "balancing"),
        ({"balancing": [("nonsense", 1.0)]}, "balancing"),
        ({"balancing": [("calls", 1.0)]}, "balancing"),
    ],
)
def test_refuses_what_makes_no_promise(stage: Stage, over: dict[str, Any], field: str) -> None:
    assert _field(_refused(stage, stage.ticket(), InvalidInput, **over)) == field


def test_refuses_an_action_in_the_past(stage: Stage) -> None:
    error = _refused(stage, stage.ticket(), InvalidInput, starts_on=stage.on(PLANNED))

    assert _field(error) == "starts_on"


def test_refuses_a_series_without_variation() -> None:
    stage = make_stage()
    stage.put([9.0] * 60)
    stage.put(quiet(60), code="errors")

    error = _refused(stage, stage.ticket(), InvalidInput)

    assert "all the same" in error.message


def test_refuses_a_series_that_is_too_short() -> None:
    stage = make_stage()
    stage.series.put(stage.unit, quiet(5), first=44)
    stage.series.put(stage.unit, quiet(5), first=44, code="errors")

    error = _refused(stage, stage.ticket_of_person(), InvalidInput)

    assert error.message == (
        "The time before the ticket gives 5 weeks to compare with; it takes at least 8."
    )


def test_refuses_a_side_before_that_is_full_of_holes() -> None:
    stage = make_stage()
    waits = quiet(60)
    for week in (30, 32, 34, 36, 38, 40):
        waits[week - 1] = None
    stage.put(waits)
    stage.put(quiet(60), code="errors")

    error = _refused(stage, stage.ticket_of_person(), InvalidInput)

    assert "missing or excluded" in error.message


def test_a_locked_plan_never_changes(stage: Stage) -> None:
    ticket = stage.ticket()
    plan = stage.lock(stage.plan(ticket))

    _refused(stage, ticket, Conflict, minimum=3.0)

    kept = EffectPlan.objects.get()
    assert kept.digest == plan.digest
    assert verify_digest(kept)


def test_a_changed_measure_breaks_the_lock(stage: Stage) -> None:
    plan = stage.lock(stage.plan(stage.ticket()))

    BalancingMeasure.objects.update(margin=99.0)

    assert not verify_digest(plan)


@pytest.mark.parametrize("state", [State.REVIEW, State.DO, State.CHECK, State.ACT])
def test_refuses_a_promise_outside_of_plan(stage: Stage, state: State) -> None:
    _refused(stage, stage.ticket(state=state), Conflict)


def test_only_who_works_on_the_ticket_promises(stage: Stage) -> None:
    ticket = stage.ticket(owner=stage.bank.mei)

    _refused(stage, ticket, NotPermitted)
    _refused(stage, ticket, NotFound, by=stage.as_(stage.bank.chen))


# ---- For the form --------------------------------------------------------------------------------
def test_tells_what_can_be_seen_by_when_without_a_minimum(stage: Stage) -> None:
    found = outlook(
        ticket=stage.ticket(),
        code="waiting",
        grain=Grain.WEEK,
        minimum=None,
        starts_on=stage.on(ACTION),
        washout=2,
        today=stage.on(PLANNED + 1),
    )

    assert found.refusal == ""
    assert [each.n_after for each in found.horizons] == [4, 8, 13, 26, 52]
    assert found.horizons[0].on == stage.on(FIRST_AFTER + 4)
    assert found.floor is not None
    assert found.floor < found.horizons[-1].effect < found.horizons[0].effect
    assert not EffectPlan.objects.exists()


def test_a_refused_outlook_still_tells_what_can_be_seen(stage: Stage) -> None:
    found = outlook(
        ticket=stage.ticket(),
        code="waiting",
        grain=Grain.WEEK,
        minimum=0.5,
        starts_on=stage.on(ACTION),
        washout=2,
        today=stage.on(PLANNED + 1),
    )

    assert found.refusal
    assert (found.field, found.check_on) == ("minimum", None)
    assert len(found.horizons) == 5


def test_a_month_begins_after_the_alarm_is_over(stage: Stage) -> None:
    assert comparing(stage.ticket(), Grain.MONTH).compares_from.isoformat() == "2025-01-01"


# ---- What has no better side ---------------------------------------------------------------------
@pytest.mark.parametrize("over", [{}, {"balancing": [("waiting", 1.0)], "code": "errors"}])
def test_nothing_is_promised_on_what_is_best_in_the_middle(over: dict[str, Any]) -> None:
    stage = Stage(make_bank(), make_series(MIDDLE, leaf("errors")))
    stage.put(risen(104))
    stage.put(quiet(104), code="errors")

    error = _refused(stage, stage.ticket(), InvalidInput, **{"better": -1, **over})

    assert "“Waiting” has its best in the middle" in error.message
    assert "Choose an indicator with a direction." in error.message
    assert _field(error) == ("balancing" if over else "code")


def test_what_rises_all_the_way_in_another_shape_can_be_promised() -> None:
    by_limit = leaf("waiting", worst=15.0, best=5.0, shape="target", limit=9.0)
    stage = Stage(make_bank(), make_series(by_limit, leaf("errors")))
    stage.put(risen(104))
    stage.put(quiet(104), code="errors")

    assert stage.plan(stage.ticket()).better == -1
