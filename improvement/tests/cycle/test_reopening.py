"""What comes back reopens its ticket, but only when it came back after the change."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from improvement.cycle.queries import alarms_again
from improvement.cycle.reopening import close_sustained, mark_systemic, reopen_if_regressed
from improvement.tests.cycle.making import EFFECTIVE, make_done_action
from improvement.tests.factories import (
    Bank,
    come_back,
    make_bank,
    make_indicator,
    make_signal,
    make_ticket,
    recover,
)
from improvement.tickets.from_signals import take_signal
from improvement.tickets.models import State, Step, Ticket, TicketSignal
from sqcore.audit.models import AuditEntry
from sqcore.base import bus
from sqcore.base.events import SignalRaised
from sqcore.base.models import OutboxEvent
from sqcore.monitoring.models import Signal
from sqcore.tests.factories import NOW

pytestmark = pytest.mark.django_db
CLOSED_AT = NOW + timedelta(days=60)
AGAIN = CLOSED_AT + timedelta(days=30)
AFTER = date(2026, 5, 25)
BEFORE = date(2026, 2, 16)


@pytest.fixture
def bank() -> Bank:
    found = make_bank()
    make_indicator()
    return found


def ended(bank: Bank, state: State = State.CLOSED, **over: Any) -> tuple[Ticket, Signal]:
    """A ticket whose action took effect on EFFECTIVE, and its signal, which recovered since."""
    signal = recover(make_signal(bank.north))
    fields: dict[str, Any] = {"owner": bank.li, "end_reason": "sustained", "now": CLOSED_AT}
    if state != State.CLOSED:
        del fields["end_reason"]
    ticket = make_ticket(bank.north, state, signal=signal, **{**fields, **over})
    make_done_action(ticket)
    return ticket, signal


def raised(signal: Signal, *, alarm_on: date, now: datetime = AGAIN) -> bool:
    come_back(signal, alarm_on=alarm_on)
    return reopen_if_regressed(signal_id=signal.pk, episode=signal.episode, now=now)


@pytest.mark.parametrize("state", [State.CLOSED, State.STANDARD])
def test_signal_after_the_change_reopens_its_ticket_in_the_next_cycle(
    state: State, bank: Bank
) -> None:
    ticket, signal = ended(bank, state)

    assert raised(signal, alarm_on=AFTER)

    ticket.refresh_from_db()
    assert (ticket.state, ticket.cycle, ticket.ended_at) == (State.PLAN, 2, None)
    assert (ticket.end_reason, ticket.owner) == ("", bank.li)
    step = Step.objects.get()
    assert (step.action, step.former, step.by) == ("regressed", state, None)
    assert set(ticket.signals.values_list("episode", flat=True)) == {1, 2}
    assert AuditEntry.objects.get().actor == "system"
    assert OutboxEvent.objects.filter(kind="improvement.ticket.moved").count() == 1


@pytest.mark.parametrize("state", [State.CLOSED, State.STANDARD])
@pytest.mark.parametrize("alarm_on", [BEFORE, EFFECTIVE])
def test_signal_of_a_period_before_the_change_reopens_nothing(
    alarm_on: date, state: State, bank: Bank
) -> None:
    """Figures of old periods may arrive late; they say nothing against the change."""
    _ticket, signal = ended(bank, state)
    before = Ticket.objects.values().get()

    assert not raised(signal, alarm_on=alarm_on)

    assert Ticket.objects.values().get() == before
    assert not Step.objects.exists()


def test_last_action_decides_from_when_on_a_signal_counts(bank: Bank) -> None:
    _ticket, signal = ended(bank)
    make_done_action(Ticket.objects.get(), effective_on=AFTER)

    assert not raised(signal, alarm_on=AFTER)


def test_ticket_that_ended_ninety_days_ago_is_reopened(bank: Bank) -> None:
    _ticket, signal = ended(bank)

    assert raised(signal, alarm_on=date(2026, 7, 27), now=CLOSED_AT + timedelta(days=90))


def test_ticket_that_ended_longer_ago_is_not_reopened_but_a_new_one_names_it(bank: Bank) -> None:
    ticket, signal = ended(bank)
    late = CLOSED_AT + timedelta(days=92)

    assert not raised(signal, alarm_on=date(2026, 7, 27), now=late)
    new = take_signal(signal_id=signal.pk, episode=signal.episode, now=late)

    ticket.refresh_from_db()
    assert ticket.state == State.CLOSED
    assert new is not None
    assert (new.state, new.recurrence_of) == (State.PROPOSED, ticket)


@pytest.mark.parametrize(
    "state", [State.REJECTED, State.WITHDRAWN, State.ABANDONED, State.CANCELLED]
)
def test_ticket_that_did_not_help_is_not_reopened(state: State, bank: Bank) -> None:
    ticket, signal = ended(bank, state)

    assert not raised(signal, alarm_on=AFTER)

    ticket.refresh_from_db()
    assert ticket.state == state


def test_ticket_of_which_nothing_was_done_is_not_reopened(bank: Bank) -> None:
    ticket, signal = ended(bank)
    ticket.actions.all().delete()

    assert not raised(signal, alarm_on=AFTER)


def test_muted_signal_reopens_nothing(bank: Bank) -> None:
    _ticket, signal = ended(bank)
    signal.muted_until, signal.muted_by = date(2027, 1, 1), bank.mei
    signal.mute_reason = "The branch is being rebuilt"
    signal.save()

    assert not raised(signal, alarm_on=AFTER)


def test_ticket_that_works_on_it_already_is_left_alone(bank: Bank) -> None:
    ticket, signal = ended(bank)
    other = make_ticket(bank.north, State.DO, owner=bank.mei, signal=signal)

    assert not raised(signal, alarm_on=AFTER)

    ticket.refresh_from_db()
    other.refresh_from_db()
    assert (ticket.state, other.state) == (State.CLOSED, State.DO)


def test_ticket_is_not_reopened_while_another_has_its_key(bank: Bank) -> None:
    ticket, signal = ended(bank, dedup_key="crm-7")
    make_ticket(bank.north, dedup_key="crm-7")

    assert not raised(signal, alarm_on=AFTER)

    ticket.refresh_from_db()
    assert ticket.state == State.CLOSED


def test_event_that_is_delivered_twice_reopens_once(bank: Bank) -> None:
    ticket, signal = ended(bank)
    come_back(signal, alarm_on=AFTER)
    event = SignalRaised(signal_id=signal.pk, episode=2)

    bus.publish(event, now=AGAIN)
    bus.publish(event, now=AGAIN)
    bus.drain(now=AGAIN)

    ticket.refresh_from_db()
    assert (ticket.state, ticket.cycle) == (State.PLAN, 2)
    assert Ticket.objects.count() == 1
    assert Step.objects.filter(action="regressed").count() == 1


def test_event_of_an_episode_that_is_over_reopens_nothing(bank: Bank) -> None:
    _ticket, signal = ended(bank)
    come_back(signal, alarm_on=AFTER)

    assert not reopen_if_regressed(signal_id=signal.pk, episode=1, now=AGAIN)
    assert alarms_again(signal, now=AGAIN) is not None


def test_third_time_is_called_systemic(bank: Bank) -> None:
    ticket, signal = ended(bank, description="At noon.")

    for time in range(1, 4):
        assert raised(signal, alarm_on=AFTER)
        ticket.refresh_from_db()
        assert ticket.description.startswith("Systemic") == (time == 3)
        ended_again = {"state": State.CLOSED, "ended_at": CLOSED_AT, "moved_at": CLOSED_AT}
        Ticket.objects.update(**ended_again)
        ticket.refresh_from_db()
        make_done_action(ticket)

    assert ticket.description.endswith("\n\nAt noon.")
    assert ticket.cycle == 4


def test_new_ticket_of_a_problem_that_keeps_coming_back_is_called_systemic(bank: Bank) -> None:
    first, signal = ended(bank, now=NOW - timedelta(days=900))
    second = make_ticket(bank.north, State.CLOSED, owner=bank.li, recurrence_of=first)
    third = make_ticket(bank.north, State.CLOSED, owner=bank.li, recurrence_of=second)
    TicketSignal.objects.create(ticket=third, signal=signal, episode=1, attached_at=NOW)
    come_back(signal, alarm_on=AFTER)

    bus.publish(
        SignalRaised(signal_id=signal.pk, episode=2), now=(late := NOW + timedelta(days=92))
    )
    bus.drain(now=late)

    new = Ticket.objects.get(state=State.PROPOSED)
    assert new.recurrence_of == third
    assert new.description.startswith("Systemic: it came back for the third time.")
    assert new.steps.filter(action="systemic").count() == 1
    assert not mark_systemic(ticket_id=new.pk, now=late)


def test_second_time_is_not_called_systemic_yet(bank: Bank) -> None:
    first = make_ticket(bank.north, State.CLOSED, owner=bank.li)
    second = make_ticket(bank.north, State.CLOSED, owner=bank.li, recurrence_of=first)
    new = make_ticket(bank.north, recurrence_of=second)

    assert not mark_systemic(ticket_id=new.pk, now=NOW)

    new.refresh_from_db()
    assert (new.description, new.revision) == ("", 1)


def test_ticket_whose_standard_nobody_can_judge_yet_waits(bank: Bank) -> None:
    ticket, _signal = ended(bank, State.STANDARD)

    assert close_sustained(now=AGAIN) == 0

    ticket.refresh_from_db()
    assert ticket.state == State.STANDARD
    assert not Step.objects.exists()
