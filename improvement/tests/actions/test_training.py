"""Training as an action: who is named, when it is asked for, and how far it has come."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from improvement.actions.models import Action
from improvement.actions.queries import doers_of, trainable_people
from improvement.actions.services import (
    add_action,
    change_action,
    note_training,
    request_training,
)
from improvement.cycle.plan import digest_of_plan
from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets.models import State, Ticket
from sqcore.base.bus import drain, publish
from sqcore.base.errors import InvalidInput
from sqcore.base.events import TrainingDelivered, TrainingRequested
from sqcore.base.models import OutboxEvent
from sqcore.base.trainable import TRAINABLE
from sqcore.org.models import Assignment, Post, Staff, Unit
from sqcore.tests.factories import NOW, TODAY, make_post, make_staff

pytestmark = pytest.mark.django_db


class Subjects:
    """What another app would name."""

    key = "test"

    def subjects(self) -> Sequence[tuple[str, Mapping[str, str]]]:
        return [("communication", {"en": "Communication"})]


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Bank:
    monkeypatch.setitem(TRAINABLE._offers, "test", Subjects())
    return make_bank()


def at_work(number: str, unit: Unit) -> Staff:
    staff = make_staff(number)
    post = Post.objects.filter(code="teller").first() or make_post("teller")
    Assignment.objects.create(staff=staff, unit=unit, post=post, valid_from=date(2020, 1, 1))
    return staff


def make_planned(bank: Bank, state: State = State.PLAN) -> Ticket:
    return make_ticket(bank.north, state, owner=bank.mei)


def add(bank: Bank, ticket: Ticket, *people: Staff, **over: Any) -> Action:
    fields: dict[str, Any] = {
        "kind": "training",
        "text": "Say how long it takes",
        "owner_id": bank.mei.pk,
        "due_on": TODAY,
        "competency": "communication",
        "people_ids": [each.pk for each in people],
        "now": NOW,
    }
    return add_action(ticket_id=ticket.pk, by=bank.as_(bank.mei), **{**fields, **over})


def test_training_is_asked_for_once_the_ticket_is_in_do(bank: Bank) -> None:
    ann, bob = at_work("ann", bank.north), at_work("bob", bank.north)
    ticket = make_planned(bank)
    action = add(bank, ticket, ann, bob)
    assert not OutboxEvent.objects.filter(kind=TrainingRequested.kind).exists()

    for _again in range(2):
        request_training(ticket=ticket, now=NOW)

    event = OutboxEvent.objects.get(kind=TrainingRequested.kind)
    assert event.payload == {
        "reference": f"action-{action.pk}",
        "staff_ids": [ann.pk, bob.pk],
        "competency": "communication",
        "text": f"{ticket.reference}: Say how long it takes",
    }
    action.refresh_from_db()
    assert (action.trained, action.to_train) == (0, 2)


def test_an_action_that_is_added_in_do_asks_at_once(bank: Bank) -> None:
    action = add(bank, make_planned(bank, State.DO), at_work("ann", bank.north))

    assert OutboxEvent.objects.filter(kind=TrainingRequested.kind).count() == 1
    assert (action.pk, Action.objects.get().to_train) == (action.pk, 1)


def test_what_was_delivered_stands_beside_the_action_on_the_page(bank: Bank) -> None:
    ticket = make_planned(bank, State.DO)
    action = add(bank, ticket, *(at_work(f"p{number}", bank.north) for number in range(5)))
    publish(TrainingDelivered(reference=f"action-{action.pk}", done=3, of=5), now=NOW)
    drain(now=NOW)
    # An older message that comes late takes nothing away.
    assert note_training(reference=f"action-{action.pk}", done=2, of=5)

    client = Client()
    client.force_login(bank.mei)
    page = client.get(reverse("improvement:ticket", args=[ticket.pk])).content.decode()

    assert "3 of 5 trained" in page
    assert "Staff p1" not in page


def test_people_elsewhere_and_unknown_competencies_are_refused(bank: Bank) -> None:
    ann, far = at_work("ann", bank.north), at_work("far", bank.elsewhere)
    ticket = make_planned(bank)

    for people, over, field in (
        ((ann, far), {}, "people_ids"),
        ((), {}, "people_ids"),
        ((ann,), {"competency": "juggling"}, "competency"),
        ((ann,), {"kind": "document"}, "kind"),
    ):
        with pytest.raises(InvalidInput) as refused:
            add(bank, ticket, *people, **over)
        assert [problem.field for problem in refused.value.problems] == [field]

    assert not Action.objects.exists()


def test_who_may_not_see_people_can_name_nobody(bank: Bank) -> None:
    at_work("ann", bank.north)

    assert trainable_people(make_planned(bank), bank.as_(bank.ana), on=TODAY) == []


def test_a_plan_with_other_people_is_another_plan(bank: Bank) -> None:
    ann, bob = at_work("ann", bank.north), at_work("bob", bank.north)
    ticket = make_planned(bank)
    action = add(bank, ticket, ann)
    seen = digest_of_plan(ticket)

    change_action(
        action_id=action.pk, kind="training", text=action.text, owner_id=bank.mei.pk, due_on=TODAY,
        competency="communication", people_ids=[bob.pk], by=bank.as_(bank.mei), now=NOW,
    )  # fmt: skip

    assert digest_of_plan(ticket) != seen
    assert list(action.people.all()) == [bob]


def test_reports_of_what_is_no_action_are_not_heeded() -> None:
    assert not note_training(reference="something-else", done=1, of=1)
    assert not note_training(reference="action-999999", done=1, of=1)


def test_who_carried_out_the_actions_is_known_by_their_staff_number(bank: Bank) -> None:
    li = make_staff("li", user=bank.li)
    ticket = make_planned(bank, State.DO)
    for owner, state in ((bank.li, "done"), (bank.li, "done"), (bank.mei, "done")):
        Action.objects.create(
            ticket=ticket, cycle=1, kind="corrective", text="Do it", owner=owner, due_on=TODAY,
            state=state, outcome="Done", effective_on=TODAY, created_at=NOW,
        )  # fmt: skip

    assert doers_of(ticket) == [li.pk]
