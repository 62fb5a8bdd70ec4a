"""Deciding on proposals: each decision with what it needs, and what it refuses."""

from datetime import date, timedelta
from typing import Any

import pytest

from improvement.cycle.intake import accept, mark_duplicate, reject, snooze, wake_snoozed
from improvement.tests.factories import (
    Bank,
    make_bank,
    make_indicator,
    make_signal,
    make_ticket,
    recover,
)
from improvement.tickets.from_signals import take_signal, withdraw_recovered
from improvement.tickets.models import State, Step, Ticket
from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotFound, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.models import User
from sqcore.tests.factories import NOW, TODAY

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=3)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def accept_it(bank: Bank, ticket: Ticket, by: User | None = None, **over: Any) -> Ticket:
    asked: dict[str, Any] = {
        "revision": ticket.revision,
        "owner_id": bank.mei.pk,
        "severity": 3,
        "containment": "A second counter is open at noon",
        "contained_on": TODAY,
    }
    return accept(ticket_id=ticket.pk, **{**asked, **over}, by=bank.as_(by or bank.mei), now=LATER)


def untouched(ticket: Ticket, state: State = State.PROPOSED) -> bool:
    ticket.refresh_from_db()
    quiet = not Step.objects.exists() and not OutboxEvent.objects.exists()
    return (ticket.state, ticket.revision) == (state, 1) and quiet


class TestAccepting:
    def test_makes_it_a_ticket_of_its_owner(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, is_over_budget=True)

        accept_it(bank, ticket, customers_affected=120)

        ticket.refresh_from_db()
        assert (ticket.state, ticket.owner, ticket.severity) == (State.PLAN, bank.mei, 3)
        assert (ticket.containment, ticket.contained_on, ticket.is_containment_waived) == (
            "A second counter is open at noon", TODAY, False,
        )  # fmt: skip
        assert (ticket.customers_affected, ticket.accepted_at, ticket.revision) == (120, LATER, 2)
        assert ticket.is_over_budget is False
        step = Step.objects.get()
        assert (step.action, step.former, step.state, step.by) == (
            "accepted", "proposed", "plan", bank.mei,
        )  # fmt: skip

    def test_a_small_fix_needs_no_containment(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)

        accept_it(bank, ticket, severity=4, containment="", contained_on=None)

        ticket.refresh_from_db()
        assert (ticket.state, ticket.is_containment_waived) == (State.PLAN, True)

    @pytest.mark.parametrize("severity", [1, 2, 3])
    def test_containment_is_waived_with_a_reason_only(self, bank: Bank, severity: int) -> None:
        ticket = make_ticket(bank.north)
        asked: dict[str, Any] = {
            "severity": severity,
            "contained_on": None,
            "is_containment_waived": True,
        }

        with pytest.raises(InvalidInput, match="why nothing has to"):
            accept_it(bank, ticket, containment=" ", **asked)
        assert untouched(ticket)

        accept_it(bank, ticket, containment="Nobody is harmed by waiting", **asked)
        ticket.refresh_from_db()
        assert (ticket.is_containment_waived, ticket.contained_on) == (True, None)

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"contained_on": None}, "contained_on"),
            ({"contained_on": TODAY + timedelta(days=1)}, "contained_on"),
            ({"severity": 5}, "severity"),
            ({"containment": ""}, "containment"),
            ({"containment": "x" * 2001}, "containment"),
            ({"customers_affected": -1}, "customers_affected"),
            ({"owner_id": 0}, "owner_id"),
        ],
    )
    def test_what_is_missing_is_named(self, bank: Bank, wrong: dict[str, Any], field: str) -> None:
        ticket = make_ticket(bank.north)

        with pytest.raises(InvalidInput) as refused:
            accept_it(bank, ticket, **wrong)

        assert [problem.field for problem in refused.value.problems] == [field]
        assert untouched(ticket)

    @pytest.mark.parametrize("name", ["li", "chen"])
    def test_the_owner_must_run_tickets_of_the_unit(self, bank: Bank, name: str) -> None:
        ticket = make_ticket(bank.north)

        with pytest.raises(InvalidInput, match="runs tickets of this unit"):
            accept_it(bank, ticket, owner_id=getattr(bank, name).pk)
        assert untouched(ticket)

    def test_who_may_not_decide_is_refused(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)

        with pytest.raises(NotPermitted):
            accept_it(bank, ticket, by=bank.li)
        with pytest.raises(NotFound):
            accept_it(bank, ticket, by=bank.chen)
        assert untouched(ticket)

    def test_of_two_at_once_the_second_is_told(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)
        seen = ticket.revision
        accept_it(bank, ticket)

        with pytest.raises(Conflict, match="Somebody changed this ticket"):
            accept_it(bank, ticket, by=bank.ana, revision=seen, owner_id=bank.ana.pk)

        ticket.refresh_from_db()
        assert (ticket.owner, ticket.revision) == (bank.mei, 2)

    @pytest.mark.parametrize("state", [State.PLAN, State.CLOSED, State.REJECTED])
    def test_what_was_decided_is_decided(self, bank: Bank, state: State) -> None:
        ticket = make_ticket(bank.north, state, owner=bank.mei)

        with pytest.raises(Conflict, match="decided on this proposal already"):
            accept_it(bank, ticket)
        assert untouched(ticket, state)


class TestRejecting:
    def test_ends_it_with_a_reason(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)

        reject(
            ticket_id=ticket.pk, revision=1, reason="false_alarm", note="A typing error",
            by=bank.as_(bank.mei), now=LATER,
        )  # fmt: skip

        ticket.refresh_from_db()
        assert (ticket.state, ticket.end_reason, ticket.end_note, ticket.ended_at) == (
            State.REJECTED, "false_alarm", "A typing error", LATER,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("reason", "note"), [("", ""), ("sustained", ""), ("other", " "), ("known", "x" * 1001)]
    )
    def test_other_reasons_are_refused(self, bank: Bank, reason: str, note: str) -> None:
        ticket = make_ticket(bank.north)

        with pytest.raises(InvalidInput):
            reject(
                ticket_id=ticket.pk, revision=1, reason=reason, note=note,
                by=bank.as_(bank.mei), now=LATER,
            )  # fmt: skip
        assert untouched(ticket)

    def test_a_parent_takes_the_proposals_below_along_but_not_what_was_accepted(
        self, bank: Bank
    ) -> None:
        parent = make_ticket(bank.region)
        child = make_ticket(bank.north, parent=parent)
        begun = make_ticket(bank.south, State.PLAN, parent=parent, owner=bank.mei)

        reject(ticket_id=parent.pk, revision=1, reason="known", by=bank.as_(bank.mei), now=LATER)

        states = [Ticket.objects.get(pk=each.pk).state for each in (parent, child, begun)]
        assert states == [State.REJECTED, State.REJECTED, State.PLAN]


class TestDuplicates:
    def test_the_other_takes_over_what_is_in_alarm(self, bank: Bank) -> None:
        make_indicator()
        signal = make_signal(bank.north)
        ticket = take_signal(signal_id=signal.pk, episode=1, now=NOW)
        other = make_ticket(bank.north, State.DO, code="", owner=bank.mei)
        assert ticket is not None

        mark_duplicate(
            ticket_id=ticket.pk, revision=1, of_id=other.pk, by=bank.as_(bank.mei), now=LATER
        )

        ticket.refresh_from_db()
        assert (ticket.state, ticket.duplicate_of, ticket.end_reason) == (
            State.DUPLICATE, other, "duplicate",
        )  # fmt: skip
        assert other.signals.get().signal == signal
        assert take_signal(signal_id=signal.pk, episode=1, now=LATER) == other

    def test_of_itself_of_an_ended_one_or_of_one_out_of_sight_is_refused(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)
        ended = make_ticket(bank.north, State.REJECTED)
        hidden = make_ticket(bank.elsewhere)
        refusals: list[type[DomainError]] = []

        for other in (ticket.pk, ended.pk, hidden.pk, 0):
            with pytest.raises(DomainError) as refused:
                mark_duplicate(
                    ticket_id=ticket.pk, revision=1, of_id=other, by=bank.as_(bank.mei), now=LATER
                )
            refusals.append(type(refused.value))

        assert refusals == [Conflict, Conflict, InvalidInput, InvalidInput]
        assert untouched(ticket)


class TestSnoozing:
    def test_it_sleeps_until_its_day(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)
        until = TODAY + timedelta(days=14)

        snooze(ticket_id=ticket.pk, revision=1, until=until, by=bank.as_(bank.mei), now=NOW)

        assert wake_snoozed(now=NOW + timedelta(days=13)) == 0
        ticket.refresh_from_db()
        assert (ticket.state, ticket.snoozed_until) == (State.SNOOZED, until)
        assert wake_snoozed(now=NOW + timedelta(days=14)) == 1
        assert wake_snoozed(now=NOW + timedelta(days=14)) == 0
        ticket.refresh_from_db()
        assert (ticket.state, ticket.snoozed_until) == (State.PROPOSED, None)
        assert list(ticket.steps.values_list("action", flat=True)) == ["snoozed", "woken"]

    def test_it_can_be_accepted_while_it_sleeps(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.SNOOZED, snoozed_until=date(2026, 5, 1))

        accept_it(bank, ticket)

        ticket.refresh_from_db()
        assert (ticket.state, ticket.snoozed_until) == (State.PLAN, None)

    @pytest.mark.parametrize("days", [-1, 0, 181])
    def test_days_that_cannot_be_meant_are_refused(self, bank: Bank, days: int) -> None:
        ticket = make_ticket(bank.north)

        with pytest.raises(InvalidInput):
            snooze(
                ticket_id=ticket.pk, revision=1, until=TODAY + timedelta(days=days),
                by=bank.as_(bank.mei), now=NOW,
            )  # fmt: skip
        assert untouched(ticket)

    def test_what_recovers_in_its_sleep_does_not_wake(self, bank: Bank) -> None:
        signal = recover(make_signal(bank.north))
        make_ticket(bank.north, State.SNOOZED, signal=signal, snoozed_until=TODAY)
        withdraw_recovered(signal_id=signal.pk, now=NOW)

        assert wake_snoozed(now=NOW) == 0
