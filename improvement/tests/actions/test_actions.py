"""Actions: planned, given to somebody, done, and told of when they are late."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.urls import reverse

from improvement.actions.models import Action
from improvement.actions.queries import actions_of, my_actions, my_ended_actions, overdue
from improvement.actions.services import (
    add_action,
    cancel_action,
    change_action,
    complete_action,
    tell_of_overdue,
)
from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets.models import State, Step, Ticket
from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.identity.models import User
from sqcore.notices.models import Notice
from sqcore.tests.factories import NOW, TODAY

pytestmark = pytest.mark.django_db
DUE = TODAY + timedelta(days=7)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def make_planned(bank: Bank, state: State = State.PLAN, **over: Any) -> Ticket:
    return make_ticket(bank.north, state, **{"owner": bank.mei, **over})


def add(bank: Bank, ticket: Ticket, *, by: User | None = None, **over: Any) -> Action:
    fields: dict[str, Any] = {
        "kind": "corrective",
        "text": "Open a third counter",
        "owner_id": bank.li.pk,
        "due_on": DUE,
        "now": NOW,
    }
    return add_action(ticket_id=ticket.pk, by=bank.as_(by or bank.mei), **{**fields, **over})


def test_action_is_given_to_somebody_who_is_told_why(bank: Bank) -> None:
    ticket = make_planned(bank)

    action = add(bank, ticket)

    assert (action.owner, action.cycle, action.state) == (bank.li, 1, "open")
    notice = Notice.objects.get()
    assert notice.reader == bank.li
    assert notice.title["en"] == "You have an action: Open a third counter"
    assert notice.body["en"] == f"{ticket}. It is due on 2026-03-09."
    assert notice.reason["en"] == "It was given to you."
    assert notice.link == reverse("improvement:ticket", args=[ticket.pk])
    entry = AuditEntry.objects.get(action="action.added")
    assert entry.details == {
        "ticket": ticket.pk,
        "cycle": 1,
        "state": "plan",
        "owner": bank.li.pk,
        "due_on": "2026-03-09",
    }
    assert Step.objects.get().action == "action-added"


def test_nobody_is_told_of_what_they_gave_to_themselves(bank: Bank) -> None:
    add(bank, make_planned(bank), owner_id=bank.mei.pk)

    assert not Notice.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("text", "  ", "text"),
        ("text", "x" * 501, "text"),
        ("kind", "strange", "kind"),
        ("due_on", TODAY - timedelta(days=1), "due_on"),
        ("owner_id", 999999, "owner_id"),
    ],
)
def test_unusable_action_is_refused_by_its_field(
    field: str, value: Any, wrong: str, bank: Bank
) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(bank, make_planned(bank), **{field: value})

    assert {problem.field for problem in refused.value.problems} == {wrong}
    assert not Action.objects.exists()
    assert not Notice.objects.exists()


def test_who_left_is_given_nothing(bank: Bank) -> None:
    User.objects.filter(pk=bank.li.pk).update(is_active=False)

    with pytest.raises(InvalidInput):
        add(bank, make_planned(bank))

    assert not Action.objects.exists()


def test_somebody_who_may_not_plan_is_refused(bank: Bank) -> None:
    with pytest.raises(NotPermitted):
        add(bank, make_planned(bank), by=bank.li)
    with pytest.raises(NotFound):
        add(bank, make_planned(bank), by=bank.chen)

    assert not Action.objects.exists()


def test_changed_action_tells_its_new_owner(bank: Bank) -> None:
    action = add(bank, make_planned(bank))

    change_action(
        action_id=action.pk, kind="preventive", text="Open it at noon", owner_id=bank.ana.pk,
        due_on=DUE, by=bank.as_(bank.mei), now=NOW,
    )  # fmt: skip

    action.refresh_from_db()
    assert (action.kind, action.text, action.owner) == ("preventive", "Open it at noon", bank.ana)
    assert Notice.objects.filter(reader=bank.ana).count() == 1


# ---- Done ----------------------------------------------------------------------------------------
def begin(ticket: Ticket) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(state=State.DO)


def complete(bank: Bank, action: Action, *, by: User, **over: Any) -> Action:
    fields: dict[str, Any] = {"outcome": "It is open", "effective_on": TODAY, "now": NOW}
    return complete_action(action_id=action.pk, by=bank.as_(by), **{**fields, **over})


@pytest.mark.parametrize("who", ["li", "mei"])
def test_action_is_done_by_its_owner_or_that_of_the_ticket(who: str, bank: Bank) -> None:
    ticket = make_planned(bank)
    action = add(bank, ticket)
    begin(ticket)

    complete(bank, action, by=getattr(bank, who))

    action.refresh_from_db()
    assert (action.state, action.outcome, action.effective_on) == ("done", "It is open", TODAY)
    assert (action.ended_at, action.ended_by) == (NOW, getattr(bank, who))
    assert AuditEntry.objects.filter(action="action.done").count() == 1


def test_owner_of_an_action_needs_no_part_in_the_unit(bank: Bank) -> None:
    ticket = make_planned(bank)
    action = add(bank, ticket, owner_id=bank.chen.pk)
    begin(ticket)

    assert complete(bank, action, by=bank.chen).state == "done"


def test_somebody_else_does_not_say_that_it_is_done(bank: Bank) -> None:
    ticket = make_planned(bank)
    action = add(bank, ticket, owner_id=bank.mei.pk)
    begin(ticket)

    with pytest.raises(NotPermitted):
        complete(bank, action, by=bank.li)
    with pytest.raises(NotFound):
        complete(bank, action, by=bank.chen)

    action.refresh_from_db()
    assert action.state == "open"


@pytest.mark.parametrize("state", [s for s in State if s not in (State.DO, State.DUPLICATE)])
def test_action_is_done_while_the_ticket_is_in_do(state: State, bank: Bank) -> None:
    ticket = make_planned(bank)
    action = add(bank, ticket)
    Ticket.objects.filter(pk=ticket.pk).update(
        state=state,
        snoozed_until=TODAY,
        ended_at=NOW if ticket.__class__(state=state).phase == "ended" else None,
    )
    steps = Step.objects.count()

    with pytest.raises(Conflict):
        complete(bank, action, by=bank.li)

    action.refresh_from_db()
    assert (action.state, Step.objects.count()) == ("open", steps)


def test_action_takes_effect_on_a_day_that_has_come(bank: Bank) -> None:
    ticket = make_planned(bank)
    action = add(bank, ticket)
    begin(ticket)

    with pytest.raises(InvalidInput, match="still to come"):
        complete(bank, action, by=bank.li, effective_on=TODAY + timedelta(days=1))
    with pytest.raises(InvalidInput, match="Write something"):
        complete(bank, action, by=bank.li, outcome=" ")

    action.refresh_from_db()
    assert action.state == "open"


def test_action_takes_no_effect_before_its_plan_was_approved(bank: Bank) -> None:
    ticket = make_planned(bank)
    action = add(bank, ticket)
    begin(ticket)

    with pytest.raises(InvalidInput, match="approved after this day") as refused:
        complete(bank, action, by=bank.li, effective_on=TODAY - timedelta(days=1))

    assert [each.field for each in refused.value.problems] == ["effective_on"]
    action.refresh_from_db()
    assert (action.state, action.effective_on) == ("open", None)
    assert not Step.objects.filter(action="action-done").exists()


def test_what_is_over_stays_as_it_is(bank: Bank) -> None:
    ticket = make_planned(bank)
    action = add(bank, ticket)
    begin(ticket)
    complete(bank, action, by=bank.li)

    with pytest.raises(Conflict, match="over already"):
        complete(bank, action, by=bank.li, outcome="Again")
    with pytest.raises(Conflict, match="over already"):
        cancel_action(action_id=action.pk, reason="No", by=bank.as_(bank.mei), now=NOW)

    action.refresh_from_db()
    assert action.outcome == "It is open"


def test_cancelled_action_says_why(bank: Bank) -> None:
    ticket = make_planned(bank)
    action = add(bank, ticket)
    begin(ticket)

    cancel_action(action_id=action.pk, reason="Too dear", by=bank.as_(bank.mei), now=NOW)

    action.refresh_from_db()
    assert (action.state, action.outcome, action.effective_on) == ("cancelled", "Too dear", None)


# ---- Lists ---------------------------------------------------------------------------------------
def test_my_actions_are_those_still_to_do_the_first_due_first(
    bank: Bank, django_assert_num_queries: Any
) -> None:
    ticket = make_planned(bank)
    later = add(bank, ticket, due_on=DUE)
    sooner = add(bank, ticket, due_on=TODAY)
    add(bank, ticket, owner_id=bank.ana.pk)
    over = make_planned(bank)
    add(bank, over)
    Ticket.objects.filter(pk=over.pk).update(state=State.CANCELLED, ended_at=NOW)

    with django_assert_num_queries(1):
        mine = [(each.pk, each.ticket.unit.code) for each in my_actions(bank.li)]

    assert mine == [(sooner.pk, "north"), (later.pk, "north")]
    begin(ticket)
    complete(bank, sooner, by=bank.li)
    assert [each.pk for each in my_ended_actions(bank.li)] == [sooner.pk]
    with django_assert_num_queries(1):
        assert len(actions_of(ticket)) == 3


def test_overdue_is_what_was_due_before_today_in_do(bank: Bank) -> None:
    ticket = make_planned(bank)
    action = add(bank, ticket, due_on=TODAY)

    in_plan = list(overdue(on=TODAY + timedelta(days=1)))
    begin(ticket)

    assert in_plan == []
    assert list(overdue(on=TODAY)) == []
    assert list(overdue(on=TODAY + timedelta(days=1))) == [action]


def test_overdue_action_is_told_of_once(bank: Bank) -> None:
    ticket = make_planned(bank)
    action = add(bank, ticket, due_on=TODAY)
    begin(ticket)
    Notice.objects.all().delete()

    told = [tell_of_overdue(now=NOW + timedelta(days=days)) for days in (0, 1, 2)]

    assert told == [0, 2, 0]
    reasons = {
        row.reader.username: (row.title["en"], row.reason["en"]) for row in Notice.objects.all()
    }
    assert reasons == {
        "li": ("Overdue: Open a third counter", "You have to do it."),
        "mei": ("Overdue: Open a third counter", "You own the ticket."),
    }
    assert action.due_on == date(2026, 3, 2)
