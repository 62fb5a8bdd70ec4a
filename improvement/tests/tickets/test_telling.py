"""The real bus from signal to proposal, and who is told of what, why, and how often."""

from datetime import timedelta

import pytest
from django.core import mail

from improvement.cycle.intake import snooze
from improvement.tests.factories import (
    Bank,
    make_bank,
    make_indicator,
    make_signal,
    make_ticket,
    recover,
)
from improvement.tickets.comments import comment, set_watching
from improvement.tickets.from_signals import withdraw_recovered
from improvement.tickets.models import State, Step, Ticket, TicketSignal, Watcher
from improvement.tickets.services import propose
from improvement.tickets.telling import announce
from sqcore.base import bus
from sqcore.base.errors import InvalidInput, NotFound, NotPermitted
from sqcore.base.events import SignalRaised, SignalRecovered, TicketMoved
from sqcore.base.models import Delivery
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE
from sqcore.monitoring.models import Signal
from sqcore.notices.models import Notice
from sqcore.notices.services import send_mail
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, give_role, make_principal, make_unit, make_user

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def bank() -> Bank:
    make_indicator()
    return make_bank()


def raise_(signal: Signal) -> None:
    bus.publish(SignalRaised(signal_id=signal.pk, episode=signal.episode), now=NOW)


def told() -> list[tuple[str, str]]:
    return list(Notice.objects.order_by("id").values_list("reader__username", "key"))


class TestOnTheBus:
    def test_a_raised_signal_proposes_and_a_recovered_one_withdraws(self, bank: Bank) -> None:
        signal = make_signal(bank.north)
        raise_(signal)
        bus.drain(now=NOW)
        assert Ticket.objects.get().state == State.PROPOSED

        bus.publish(SignalRecovered(signal_id=recover(signal).pk, episode=1), now=LATER)
        bus.drain(now=LATER)

        assert Ticket.objects.get().state == State.WITHDRAWN
        assert not Delivery.objects.exclude(state=Delivery.State.DONE).exists()

    def test_what_is_delivered_twice_happens_once(self, bank: Bank) -> None:
        signal = make_signal(bank.north)
        for _time in range(2):
            raise_(signal)
            bus.drain(now=NOW)
        Delivery.objects.update(state=Delivery.State.PENDING, next_attempt_at=NOW, attempts=0)
        bus.drain(now=NOW)

        assert Ticket.objects.count() == TicketSignal.objects.count() == 1
        assert list(Step.objects.values_list("action", flat=True)) == ["proposed"]

    def test_recovery_heard_before_the_alarm_leaves_no_proposal(self, bank: Bank) -> None:
        signal = recover(make_signal(bank.north))
        bus.publish(SignalRecovered(signal_id=signal.pk, episode=1), now=NOW)
        bus.drain(now=NOW)
        raise_(signal)
        bus.drain(now=NOW)

        assert not Ticket.objects.exists()


class TestDigests:
    def test_twenty_proposals_of_a_pass_are_one_notice_a_reader(self, bank: Bank) -> None:
        for number in range(20):
            manager = make_user(f"manager{number}")
            unit = make_unit(f"unit-{number}", parent=bank.region)
            give_role(manager, "manager", unit)  # type: ignore[arg-type]  # a role by its key
            make_ticket(unit)
        for number in range(20):
            make_ticket(bank.north, title=f"Problem {number}")

        # Steps of others, so that no id of a step is that of a ticket.
        ended = make_ticket(bank.north, State.REJECTED)
        for _number in range(100):
            Step.objects.create(ticket=ended, action="x", state="rejected", at=NOW)

        assert announce(now=LATER) == 21
        assert announce(now=LATER) == 0

        mei = Notice.objects.get(reader=bank.mei)
        assert mei.title["en"] == "20 proposals for improvement wait for you"
        lines = mei.body["en"].splitlines()
        assert len(lines) == 6
        assert lines[0].endswith("Problem 0")
        assert lines[-1] == "and 15 more"
        assert mei.reason["en"] == ("You manage this unit, or the one above it that has a manager.")
        assert set(mei.title) == set(mei.body) == set(mei.reason) == {"en", "zh-hans"}
        assert mei.link == "/intake/"
        send_mail(now=LATER)
        assert sum(message.to == ["mei@bank.test"] for message in mail.outbox) == 1

    def test_it_waits_until_a_pass_is_through_but_not_for_ever(self, bank: Bank) -> None:
        make_ticket(bank.north)
        assert announce(now=NOW + timedelta(minutes=1)) == 0
        make_ticket(bank.south, now=NOW + timedelta(minutes=29))

        assert announce(now=NOW + timedelta(minutes=29)) == 0
        assert announce(now=NOW + timedelta(minutes=30)) == 1

    def test_why_it_went_out_stands_in_the_history(self, bank: Bank) -> None:
        make_indicator("queue", owner=bank.ana)
        ticket = make_ticket(bank.north, code="queue")

        announce(now=LATER)

        step = ticket.steps.get()
        assert (step.action, step.note) == ("announced", "indicator")
        assert told() == [("ana", f"ticket-proposals:{step.pk}")]
        assert Notice.objects.get().reason["en"] == "You look after this indicator."

    def test_where_nobody_manages_quality_is_asked(self, bank: Bank) -> None:
        make_ticket(bank.bank)

        announce(now=LATER)

        assert [name for name, _key in told()] == ["ana"]
        assert Notice.objects.get().reason["en"].startswith("You see to quality")

    def test_nobody_is_told_of_their_own_proposal(self, bank: Bank) -> None:
        make_ticket(bank.north, proposed_by=bank.mei)

        assert announce(now=LATER) == 0
        assert told() == []

    def test_what_is_over_budget_or_below_a_parent_is_not_told_of(self, bank: Bank) -> None:
        parent = make_ticket(bank.region)
        make_ticket(bank.north, parent=parent)
        make_ticket(bank.south, is_over_budget=True)

        announce(now=LATER)

        assert Notice.objects.get().title["en"] == "1 proposal for improvement waits for you"

    def test_a_proposal_that_went_down_to_a_branch_is_told_of_there(self, bank: Bank) -> None:
        wu = make_user("wu")
        give_role(wu, "manager", bank.north)  # type: ignore[arg-type]  # a role by its key
        for code in ("region", "north"):
            raise_(make_signal(Unit.objects.get(code=code)))
            bus.drain(now=NOW)
            announce(now=LATER)

        assert [name for name, _key in told()] == ["mei", "wu"]

    def test_whoever_lost_their_role_sees_it_no_longer(self, bank: Bank) -> None:
        make_ticket(bank.north)
        announce(now=LATER)

        nobody = make_principal({}, user=bank.mei)
        assert not Notice.objects.visible_to(nobody).exists()
        assert Notice.objects.visible_to(bank.as_(bank.mei)).exists()


class TestMovesInTheIntake:
    def test_who_proposed_and_who_watches_are_told_once_and_not_who_did_it(
        self, bank: Bank
    ) -> None:
        ticket = make_ticket(bank.north, proposed_by=bank.li)
        for user in (bank.mei, bank.ana, bank.li):
            Watcher.objects.create(ticket=ticket, user=user)

        snooze(
            ticket_id=ticket.pk, revision=1, until=NOW.date() + timedelta(days=9),
            by=bank.as_(bank.mei), now=NOW,
        )  # fmt: skip
        bus.drain(now=NOW)
        Delivery.objects.update(state=Delivery.State.PENDING, next_attempt_at=NOW, attempts=0)
        bus.drain(now=NOW)

        found = {notice.reader.username: notice for notice in Notice.objects.all()}
        assert set(found) == {"ana", "li"}
        assert len(told()) == 2
        assert found["li"].reason["en"] == "You proposed this ticket."
        assert found["ana"].reason["en"] == "You watch this ticket."
        assert found["ana"].title["en"] == f"T-{ticket.pk} is now in the state “Snoozed”"
        assert found["ana"].link == f"/tickets/{ticket.pk}/"

    def test_a_new_proposal_is_left_to_the_digest(self, bank: Bank) -> None:
        propose(unit=bank.north, title="Long queue", by=bank.as_(bank.li), now=NOW)
        bus.drain(now=NOW)

        assert told() == []

    def test_a_withdrawn_one_is_told_to_who_watches(self, bank: Bank) -> None:
        signal = recover(make_signal(bank.north))
        ticket = make_ticket(bank.north, signal=signal)
        Watcher.objects.create(ticket=ticket, user=bank.ana)

        withdraw_recovered(signal_id=signal.pk, now=NOW)
        bus.drain(now=NOW)

        step = ticket.steps.get()
        assert told() == [("ana", f"ticket-step:{step.pk}")]

    def test_a_step_that_is_gone_is_told_to_nobody(self, bank: Bank) -> None:
        bus.publish(TicketMoved(ticket_id=0, former="plan", state="snoozed", step_id=0), now=NOW)
        delivery = Delivery.objects.get(handler="improvement.tickets.tell")

        assert bus.deliver(delivery.pk, now=NOW)
        assert told() == []


class TestComments:
    def test_the_owner_and_who_watches_are_told_of_a_comment(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.DO, owner=bank.mei, proposed_by=bank.li)
        Watcher.objects.create(ticket=ticket, user=bank.ana)
        Watcher.objects.create(ticket=ticket, user=bank.mei)

        made = comment(ticket_id=ticket.pk, text=" Look ", by=bank.as_(bank.li), now=NOW)

        assert (made.text, made.by, made.at) == ("Look", bank.li, NOW)
        assert told() == [
            ("mei", f"ticket-comment:{made.pk}"),
            ("ana", f"ticket-comment:{made.pk}"),
        ]

    @pytest.mark.parametrize("text", ["", "  ", "x" * 5001, "nul\x00"])
    def test_what_is_no_comment_is_refused(self, bank: Bank, text: str) -> None:
        ticket = make_ticket(bank.north)

        with pytest.raises(InvalidInput):
            comment(ticket_id=ticket.pk, text=text, by=bank.as_(bank.li), now=NOW)
        assert not ticket.comments.exists()

    def test_others_and_programs_cannot_comment(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)
        client = make_principal(
            {Permission.VIEW_TICKETS: EVERYWHERE, Permission.PROPOSE_TICKETS: EVERYWHERE},
            key="token:1",
        )

        with pytest.raises(NotFound):
            comment(ticket_id=ticket.pk, text="Hm", by=bank.as_(bank.chen), now=NOW)
        with pytest.raises(NotPermitted):
            comment(ticket_id=ticket.pk, text="Hm", by=client, now=NOW)
        assert not ticket.comments.exists()

    def test_watching_begins_and_ends_once(self, bank: Bank) -> None:
        ticket, li = make_ticket(bank.north), bank.as_(bank.li)

        for watching in (True, True):
            set_watching(ticket_id=ticket.pk, watching=watching, by=li, now=NOW)
        assert list(ticket.watchers.values_list("user__username", flat=True)) == ["li"]
        for watching in (False, False):
            set_watching(ticket_id=ticket.pk, watching=watching, by=li, now=NOW)
        assert not ticket.watchers.exists()

    def test_what_one_does_not_see_one_cannot_watch(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north)

        with pytest.raises(NotFound):
            set_watching(ticket_id=ticket.pk, watching=True, by=bank.as_(bank.chen), now=NOW)
        assert not ticket.watchers.exists()
