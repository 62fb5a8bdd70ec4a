"""Doing: what stands still is counted, what changed is written on the chart, small fixes close."""

from datetime import date, timedelta

import pytest

from improvement.actions.models import Action
from improvement.actions.services import add_action, complete_action
from improvement.cycle.queries import blocked_time
from improvement.tests.cycle.making import (
    EFFECTIVE,
    LATER,
    doing,
    lock,
    make_action,
    make_done_action,
    promise,
    take,
)
from improvement.tests.factories import Bank, make_bank, make_indicator, make_ticket
from improvement.tickets.models import State, Step, Ticket
from sqcore.base.errors import Conflict
from sqcore.monitoring.models import Annotation
from sqcore.tests.factories import NOW, TODAY

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


# ---- Blocked -------------------------------------------------------------------------------------
def test_blocked_time_adds_up_over_several_blocks(bank: Bank) -> None:
    ticket = doing(bank)

    take(bank, "block", ticket, by=bank.li, now=NOW, reason="no counter")
    take(bank, "unblock", ticket, by=bank.li, now=NOW + timedelta(days=3))
    take(bank, "block", ticket, by=bank.li, now=NOW + timedelta(days=10), reason="no painter")
    ticket.refresh_from_db()
    while_blocked = blocked_time(ticket, now=NOW + timedelta(days=11))
    take(bank, "unblock", ticket, by=bank.li, now=NOW + timedelta(days=12))

    ticket.refresh_from_db()
    assert while_blocked == timedelta(days=4)
    assert ticket.blocked_for == timedelta(days=5)
    assert (ticket.blocked_at, ticket.blocked_reason) == (None, "")
    assert blocked_time(ticket, now=NOW + timedelta(days=99)) == timedelta(days=5)
    notes = Step.objects.filter(action="block").values_list("note", flat=True)
    assert list(notes) == ["no counter", "no painter"]


def test_blocked_ticket_is_not_blocked_again_and_does_not_finish(bank: Bank) -> None:
    ticket = take(bank, "block", doing(bank), by=bank.li, now=NOW, reason="no counter")

    with pytest.raises(Conflict, match="The ticket is blocked"):
        take(bank, "block", ticket, by=bank.li, reason="again")
    with pytest.raises(Conflict, match="The ticket is blocked"):
        take(bank, "finish", ticket, by=bank.li)

    ticket.refresh_from_db()
    assert (ticket.blocked_at, ticket.blocked_reason) == (NOW, "no counter")


def test_ticket_that_is_not_blocked_is_not_unblocked(bank: Bank) -> None:
    with pytest.raises(Conflict, match="not blocked"):
        take(bank, "unblock", doing(bank), by=bank.li)

    assert not Step.objects.exists()


def test_cancelling_a_blocked_ticket_keeps_the_time(bank: Bank) -> None:
    ticket = take(bank, "block", doing(bank), by=bank.li, now=NOW, reason="no counter")

    ticket = take(bank, "cancel", ticket, by=bank.mei, now=NOW + timedelta(days=2))

    assert (ticket.blocked_for, ticket.blocked_at) == (timedelta(days=2), None)


# ---- Finished ------------------------------------------------------------------------------------
def test_finished_change_is_written_on_the_chart_on_its_day(bank: Bank) -> None:
    ticket = doing(bank)
    make_done_action(ticket, effective_on=date(2026, 3, 1))
    make_action(ticket, state=Action.State.CANCELLED, outcome="not needed")

    take(bank, "finish", ticket, by=bank.li)

    first, second = Annotation.objects.order_by("starts_on")
    assert (first.kind, first.unit, first.code) == ("change", bank.north, "waiting-time")
    assert (first.starts_on, first.ends_on) == (EFFECTIVE, EFFECTIVE + timedelta(days=1))
    assert first.reference == f"ticket:{ticket.pk}"
    assert first.text == f"T-{ticket.pk} People wait too long"
    assert second.starts_on == date(2026, 3, 1)


def test_change_is_signed_by_who_may_write_on_charts(bank: Bank) -> None:
    take(bank, "finish", doing(bank), by=bank.mei)

    assert Annotation.objects.get().created_by == bank.mei


def test_owner_who_may_not_annotate_finishes_all_the_same(bank: Bank) -> None:
    take(bank, "finish", doing(bank), by=bank.li)

    assert Annotation.objects.get().created_by is None


def test_open_action_holds_up_the_end(bank: Bank) -> None:
    ticket = doing(bank)
    make_action(ticket)

    with pytest.raises(Conflict, match="still open"):
        take(bank, "finish", ticket, by=bank.li)

    assert not Annotation.objects.exists()
    assert not Step.objects.exists()


def test_plan_of_which_nothing_was_done_has_no_end(bank: Bank) -> None:
    ticket = doing(bank)
    ticket.actions.update(state=Action.State.CANCELLED, outcome="too dear")

    with pytest.raises(Conflict, match="No action has been done"):
        take(bank, "finish", ticket, by=bank.li)

    assert not Annotation.objects.exists()


def test_action_may_be_added_while_doing(bank: Bank) -> None:
    ticket = doing(bank)

    add_action(
        ticket_id=ticket.pk, kind="preventive", text="Tell the region", owner_id=bank.mei.pk,
        due_on=TODAY, by=bank.as_(bank.li), now=LATER,
    )  # fmt: skip

    step = Step.objects.get()
    assert (step.action, step.state, step.note) == ("action-added", State.DO, "Tell the region")


# ---- A small fix ---------------------------------------------------------------------------------
def test_small_fix_is_three_clicks_after_it_was_accepted(bank: Bank) -> None:
    make_indicator()
    ticket = make_ticket(bank.north, State.PLAN, owner=bank.li, severity=4)

    take(bank, "plan-small", ticket, by=bank.li, text="Move the sign")
    complete_action(
        action_id=ticket.actions.get().pk, outcome="moved", effective_on=TODAY,
        by=bank.as_(bank.li), now=LATER,
    )  # fmt: skip
    ticket = take(bank, "finish", ticket, by=bank.li)

    assert (ticket.state, ticket.end_reason, ticket.ended_at) == (State.CLOSED, "quick", LATER)
    actions = Step.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["action-added", "plan-small", "action-done", "finish"]


def test_small_fix_that_promised_an_effect_is_checked(bank: Bank) -> None:
    make_indicator()
    ticket = make_ticket(bank.north, State.PLAN, owner=bank.li, severity=4)
    promise(ticket)
    take(bank, "plan-small", ticket, by=bank.li)
    Action.objects.update(state="done", outcome="moved", effective_on=EFFECTIVE)

    ticket = take(bank, "finish", ticket, by=bank.li)

    assert ticket.state == State.CHECK
    assert ticket.effect_plans.get().locked_at == LATER


def test_small_fix_without_an_indicator_closes_too(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.DO, owner=bank.li, severity=4, code="", grain="")
    make_done_action(ticket)

    assert take(bank, "finish", ticket, by=bank.li).state == State.CLOSED
    assert Annotation.objects.get().code == ""


def test_promise_that_somebody_changed_in_the_database_is_found(bank: Bank) -> None:
    ticket = doing(bank)
    plan = ticket.effect_plans.get()
    plan.minimum = 0.01
    plan.save()

    with pytest.raises(Conflict, match="not what was locked"):
        lock(plan)

    assert Ticket.objects.get().state == State.DO
