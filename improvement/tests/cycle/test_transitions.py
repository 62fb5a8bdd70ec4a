"""Every step where it belongs, and every step where it does not: refused, and nothing happened."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from improvement.actions.models import Action
from improvement.cycle.models import Approval
from improvement.cycle.queries import possible_actions
from improvement.cycle.transitions import TABLE, TRANSITIONS, Facts, Who, refusal
from improvement.diagnosis.models import Finding
from improvement.standards.models import Standard, StandardVersion
from improvement.tests.cycle.making import (
    LATER,
    STEPS,
    acting,
    checking,
    doing,
    lock,
    planned,
    submitted,
    take,
    with_draft,
)
from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets.models import ENDED, State, Step, Ticket
from improvement.tickets.rules import may_follow
from improvement.verification.models import EffectPlan, Verdict
from sqcore.audit.models import AuditEntry
from sqcore.audit.queries import check_chain
from sqcore.audit.services import seal
from sqcore.base.errors import Conflict, NotFound, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.principals import system_principal
from sqcore.monitoring.models import Annotation
from sqcore.notices.models import Notice
from sqcore.tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def everything() -> Any:
    """All that a step could have written."""
    tables = (Step, OutboxEvent, AuditEntry, Approval, Action, Finding, Standard, StandardVersion)
    counts = [model.objects.count() for model in (*tables, Annotation, EffectPlan, Notice)]
    return counts, list(Ticket.objects.order_by("id").values())


def returned_words(bank: Bank) -> Ticket:
    return with_draft(bank, acting(bank))


def extendable(bank: Bank) -> Ticket:
    ticket = acting(bank, Verdict.INCONCLUSIVE)
    EffectPlan.objects.filter(ticket=ticket).update(is_extendable=True)
    _lock_anew(ticket)
    return ticket


def _lock_anew(ticket: Ticket) -> None:
    plan = ticket.effect_plans.get()
    plan.locked_at, plan.digest = None, ""
    plan.save()
    lock(plan)


def blocked(bank: Bank) -> Ticket:
    return doing(bank, blocked_at=NOW, blocked_reason="no counter")


READY: dict[str, tuple[Callable[[Bank], Ticket], str, State]] = {
    "problem": (planned, "li", State.PLAN),
    "contain": (planned, "li", State.PLAN),
    "submit": (planned, "li", State.REVIEW),
    "plan-small": (
        lambda bank: make_ticket(bank.north, State.PLAN, owner=bank.li, severity=4),
        "li",
        State.DO,
    ),
    "approve": (submitted, "mei", State.DO),
    "return": (submitted, "mei", State.PLAN),
    "block": (doing, "li", State.DO),
    "unblock": (blocked, "li", State.DO),
    "finish": (doing, "li", State.CHECK),
    "conclude": (checking, "li", State.ACT),
    "standardise": (acting, "li", State.ACT),
    "approve-standard": (returned_words, "mei", State.STANDARD),
    "return-standard": (returned_words, "mei", State.ACT),
    "next-cycle": (lambda bank: acting(bank, Verdict.NO_CHANGE), "li", State.PLAN),
    "extend": (extendable, "li", State.CHECK),
    "abandon": (lambda bank: acting(bank, Verdict.WORSE), "mei", State.ABANDONED),
    "cancel": (doing, "mei", State.CANCELLED),
}
"""A ticket that is ready for each step, who takes it, and where the ticket is then."""


def person(bank: Bank, name: str) -> Any:
    return getattr(bank, name)


def test_every_step_of_people_is_walked_here() -> None:
    of_people = {each.action for each in TABLE if each.who != Who.SYSTEM}

    assert of_people == set(READY) == set(STEPS)


@pytest.mark.parametrize("action", READY)
def test_step_is_taken_where_it_belongs(action: str, bank: Bank) -> None:
    make, name, to = READY[action]
    ticket = make(bank)
    former, revision = ticket.state, Ticket.objects.get(pk=ticket.pk).revision
    steps = Step.objects.count()

    take(bank, action, ticket, by=person(bank, name))

    ticket.refresh_from_db()
    step = Step.objects.order_by("-id").first()
    assert step is not None
    assert (ticket.state, ticket.revision > revision) == (to, True)
    assert (step.action, step.former, step.state) == (action, former, to)
    assert step.by == person(bank, name)
    assert Step.objects.count() > steps
    entry = AuditEntry.objects.filter(action=f"ticket.{action}").get()
    assert entry.actor == f"user:{person(bank, name).pk}"
    moved = OutboxEvent.objects.filter(kind="improvement.ticket.moved", payload__step_id=step.pk)
    assert moved.count() == (1 if former != to else 0)
    seal(now=LATER)
    assert check_chain().problem == ""


@pytest.mark.parametrize("action", READY)
def test_step_is_one_that_may_follow(action: str) -> None:
    each = TRANSITIONS[action]

    assert all(may_follow(former, to) for former in each.sources for to in each.to)


@pytest.mark.parametrize("action", READY)
def test_page_offers_what_can_be_done(action: str, bank: Bank) -> None:
    make, name, _to = READY[action]
    ticket = make(bank)

    offered = {each.action: each for each in possible_actions(ticket, bank.as_(person(bank, name)))}

    assert offered[action].is_possible
    assert offered[action].is_theirs


@pytest.mark.parametrize("state", State)
def test_step_is_refused_in_every_other_state(state: State, bank: Bank) -> None:
    for number, (action, (_make, name, _to)) in enumerate(READY.items()):
        if state in TRANSITIONS[action].sources:
            continue
        over: dict[str, Any] = {"snoozed_until": NOW.date()} if state == State.SNOOZED else {}
        if state == State.DUPLICATE:
            over["duplicate_of"] = make_ticket(bank.south)
        severity = 4 if action == "plan-small" else 3
        ticket = make_ticket(
            bank.north, state, owner=bank.li, severity=severity, title=f"Case {number}", **over
        )
        before = everything()

        with pytest.raises(Conflict, match="cannot be done while a ticket is in the state"):
            take(bank, action, ticket, by=person(bank, name))

        assert everything() == before, action


@pytest.mark.parametrize("action", READY)
def test_nobody_takes_a_step_with_a_ticket_that_is_not_theirs(action: str, bank: Bank) -> None:
    ticket = READY[action][0](bank)
    before = everything()

    with pytest.raises(NotFound):
        take(bank, action, ticket, by=bank.chen)

    assert everything() == before


@pytest.mark.parametrize("action", READY)
def test_who_may_only_see_a_ticket_takes_no_step(action: str, bank: Bank) -> None:
    ticket = READY[action][0](bank)
    Ticket.objects.filter(pk=ticket.pk).update(owner=bank.mei)
    before = everything()

    with pytest.raises(NotPermitted):
        take(bank, action, ticket, by=bank.li)

    assert everything() == before


@pytest.mark.parametrize("action", READY)
def test_software_takes_no_step_of_people(action: str, bank: Bank) -> None:
    ticket = READY[action][0](bank)

    refused = refusal(TRANSITIONS[action], Facts(ticket, system_principal()))

    assert isinstance(refused, NotPermitted)


@pytest.mark.parametrize("action", ["close", "not-held", "regressed"])
def test_person_takes_no_step_of_the_software(action: str, bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.STANDARD, owner=bank.li)

    refused = refusal(TRANSITIONS[action], Facts(ticket, bank.as_(bank.mei)))

    assert isinstance(refused, NotPermitted)
    assert action not in {each.action for each in possible_actions(ticket, bank.as_(bank.mei))}


@pytest.mark.parametrize("action", READY)
def test_second_of_two_people_is_refused(action: str, bank: Bank) -> None:
    """Both saw the same revision; the first one changed the ticket."""
    make, name, _to = READY[action]
    ticket = make(bank)
    seen = Ticket.objects.get(pk=ticket.pk).revision
    Ticket.objects.filter(pk=ticket.pk).update(revision=seen + 1)
    before = everything()

    with pytest.raises(Conflict, match="Somebody changed this ticket"):
        take(bank, action, ticket, by=person(bank, name), revision=seen)

    assert everything() == before


@pytest.mark.parametrize("action", ["approve", "return", "abandon", "cancel"])
def test_owner_decides_nothing_that_a_second_person_decides(action: str, bank: Bank) -> None:
    ticket = READY[action][0](bank)
    Ticket.objects.filter(pk=ticket.pk).update(owner=bank.mei)
    before = everything()

    with pytest.raises(NotPermitted, match="You own this ticket"):
        take(bank, action, ticket, by=bank.mei)

    assert everything() == before


@pytest.mark.parametrize(
    ("action", "field"),
    [
        ("problem", "problem"),
        ("contain", "containment"),
        ("return", "comment"),
        ("block", "reason"),
        ("return-standard", "comment"),
        ("next-cycle", "lesson"),
        ("abandon", "lesson"),
        ("cancel", "reason"),
    ],
)
@pytest.mark.parametrize("text", ["", "  \n", "x" * 5001], ids=["empty", "blank", "too long"])
def test_words_that_a_step_needs_are_asked_for(
    action: str, field: str, text: str, bank: Bank
) -> None:
    make, name, _to = READY[action]
    ticket = make(bank)
    before = everything()

    with pytest.raises(Exception, match="Write") as refused:
        take(bank, action, ticket, by=person(bank, name), **{field: text})

    assert [problem.field for problem in refused.value.problems] == [field]  # type: ignore[attr-defined]  # InvalidInput
    assert everything() == before


def test_small_fix_is_refused_to_what_is_not_small(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.PLAN, owner=bank.li, severity=3)
    before = everything()

    with pytest.raises(Conflict, match="Only a small fix"):
        take(bank, "plan-small", ticket, by=bank.li)

    assert everything() == before
    offered = {each.action for each in possible_actions(ticket, bank.as_(bank.li))}
    assert "plan-small" not in offered


def test_ended_ticket_offers_nothing(bank: Bank) -> None:
    for state in ENDED:
        over = {"duplicate_of": make_ticket(bank.south)} if state == State.DUPLICATE else {}
        ticket = make_ticket(bank.north, state, owner=bank.li, **over)

        assert possible_actions(ticket, bank.as_(bank.mei)) == []


def test_offers_are_read_in_few_queries(
    bank: Bank, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    ticket = Ticket.objects.select_related("unit", "owner").get(pk=submitted(bank).pk)
    mei = bank.as_(bank.mei)

    with django_assert_max_num_queries(24):
        offered = possible_actions(ticket, mei)

    assert [each.action for each in offered if each.is_possible] == ["approve", "return", "cancel"]


def test_time_of_the_step_is_the_one_that_was_given(bank: Bank) -> None:
    ticket = take(bank, "submit", planned(bank), by=bank.li, now=NOW + timedelta(days=3))

    assert ticket.moved_at == NOW + timedelta(days=3)
