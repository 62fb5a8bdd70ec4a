"""What a plan must hold, who approves it, and what happens when it goes back."""

from datetime import date, timedelta

import pytest

from improvement.actions.models import Action
from improvement.actions.services import add_action, cancel_action, change_action
from improvement.cycle import services
from improvement.cycle.models import Approval
from improvement.cycle.plan import digest_of_plan, missing_for_plan
from improvement.diagnosis.services import add_finding, remove_finding
from improvement.tests.cycle.making import (
    LATER,
    doing,
    make_action,
    make_finding,
    planned,
    promise,
    submitted,
    take,
)
from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets.models import State, Step, Ticket
from improvement.verification.models import EffectPlan
from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, NotPermitted
from sqcore.identity.permissions import Role
from sqcore.tests.factories import NOW, TODAY, give_role, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


# ---- What is missing -----------------------------------------------------------------------------
def test_empty_plan_lacks_everything(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.PLAN, owner=bank.li)

    assert missing_for_plan(ticket) == [
        "The problem statement is missing.",
        "No root cause is named yet.",
        "It is not said yet whether the same could happen elsewhere.",
        "The plan has no action yet.",
        "No effect is promised yet.",
    ]


def test_complete_plan_lacks_nothing(bank: Bank) -> None:
    assert missing_for_plan(planned(bank)) == []


def test_root_cause_needs_evidence(bank: Bank) -> None:
    ticket = planned(bank)
    ticket.findings.update(evidence="")

    assert missing_for_plan(ticket) == ["No root cause has its evidence yet."]


def test_cause_that_is_no_root_cause_does_not_count(bank: Bank) -> None:
    ticket = planned(bank)
    ticket.findings.update(is_root=False)

    assert missing_for_plan(ticket) == ["No root cause is named yet."]


def test_cancelled_action_does_not_count(bank: Bank) -> None:
    ticket = planned(bank)
    ticket.actions.update(state=Action.State.CANCELLED, outcome="too dear")

    assert missing_for_plan(ticket) == ["The plan has no action yet."]


def test_effect_needs_a_balancing_measure(bank: Bank) -> None:
    ticket = planned(bank)
    ticket.effect_plans.get().balancing.all().delete()

    assert missing_for_plan(ticket) == ["The promised effect has no balancing measure yet."]


def test_what_belongs_to_a_former_cycle_does_not_count(bank: Bank) -> None:
    ticket = planned(bank, cycle=2)
    for rows in (ticket.findings, ticket.actions, ticket.effect_plans):
        rows.update(cycle=1)

    assert missing_for_plan(ticket) == [
        "No root cause is named yet.",
        "The plan has no action yet.",
        "No effect is promised yet.",
    ]


def test_small_fix_needs_an_action_alone(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.PLAN, owner=bank.li, severity=4)
    assert missing_for_plan(ticket) == ["The plan has no action yet."]

    make_action(ticket)

    assert missing_for_plan(ticket) == []


def test_incomplete_plan_is_not_submitted_and_all_that_lacks_is_said(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.PLAN, owner=bank.li)

    with pytest.raises(Conflict) as refused:
        take(bank, "submit", ticket, by=bank.li)

    assert refused.value.message == " ".join(missing_for_plan(ticket))
    assert not Step.objects.exists()


def test_manager_of_the_unit_may_stand_in_for_the_owner(bank: Bank) -> None:
    ticket = take(bank, "submit", planned(bank), by=bank.mei)

    assert ticket.state == State.REVIEW


# ---- Approval ------------------------------------------------------------------------------------
def test_approved_plan_is_locked_and_the_approval_names_what_was_seen(bank: Bank) -> None:
    ticket = submitted(bank)
    seen = digest_of_plan(ticket)

    take(bank, "approve", ticket, by=bank.mei, comment="Good.")

    approval = Approval.objects.get()
    assert (approval.by, approval.digest, approval.comment) == (bank.mei, seen, "Good.")
    assert (approval.subject, approval.decision, approval.cycle) == ("plan", "approved", 1)
    plan = EffectPlan.objects.get()
    assert (plan.locked_at, len(plan.digest)) == (LATER, 64)
    entry = AuditEntry.objects.get(action="approval.approved")
    assert entry.details == {"of": "plan", "cycle": 1, "digest": seen}


def test_who_submitted_does_not_approve_though_somebody_else_owns_it(bank: Bank) -> None:
    ticket = take(bank, "submit", planned(bank), by=bank.mei)

    with pytest.raises(Conflict, match="You submitted this plan"):
        take(bank, "approve", ticket, by=bank.mei)

    assert not Approval.objects.exists()
    assert take(bank, "approve", ticket, by=bank.ana).state == State.DO


@pytest.mark.parametrize("severity", [1, 2])
def test_grave_ticket_needs_two_people(severity: int, bank: Bank) -> None:
    ticket = submitted(bank, severity=severity)

    assert take(bank, "approve", ticket, by=bank.mei).state == State.REVIEW
    assert EffectPlan.objects.get().locked_at is None
    with pytest.raises(Conflict, match="You approved this plan already"):
        take(bank, "approve", ticket, by=bank.mei)
    assert take(bank, "approve", ticket, by=bank.ana).state == State.DO
    assert EffectPlan.objects.get().locked_at == LATER
    assert Approval.objects.count() == 2


def test_usual_ticket_needs_one_person(bank: Bank) -> None:
    assert take(bank, "approve", submitted(bank), by=bank.ana).state == State.DO


def test_approval_is_void_when_the_plan_went_back(bank: Bank) -> None:
    ticket = submitted(bank, severity=1)
    take(bank, "approve", ticket, by=bank.mei)
    take(bank, "return", ticket, by=bank.ana)
    take(bank, "submit", ticket, by=bank.li)

    take(bank, "approve", ticket, by=bank.ana)

    ticket.refresh_from_db()
    assert ticket.state == State.REVIEW
    assert take(bank, "approve", ticket, by=bank.mei).state == State.DO


def test_approval_is_void_when_the_plan_changed_in_the_database(bank: Bank) -> None:
    ticket = submitted(bank, severity=2)
    take(bank, "approve", ticket, by=bank.mei)
    EffectPlan.objects.update(minimum=0.1)

    take(bank, "approve", ticket, by=bank.ana)

    ticket.refresh_from_db()
    assert ticket.state == State.REVIEW


@pytest.mark.parametrize("what", ["problem", "similar", "cause", "action", "margin"])
def test_digest_stands_for_the_whole_plan(what: str, bank: Bank) -> None:
    ticket = submitted(bank)
    before = digest_of_plan(ticket)

    if what in ("problem", "similar"):
        Ticket.objects.update(**{what: "Something else"})
    elif what == "cause":
        ticket.findings.update(text="Something else")
    elif what == "action":
        ticket.actions.update(due_on=TODAY)
    else:
        ticket.effect_plans.get().balancing.update(margin=9.0)

    assert digest_of_plan(Ticket.objects.get()) != before


def test_returned_plan_says_what_has_to_change(bank: Bank) -> None:
    ticket = take(bank, "return", submitted(bank), by=bank.mei, comment="Which weeks?")

    step = Step.objects.get(action="return")
    assert (ticket.state, step.note) == (State.PLAN, "Which weeks?")
    approval = Approval.objects.get()
    assert (approval.decision, approval.comment) == ("returned", "Which weeks?")


def test_plan_goes_back_as_often_as_it_takes(bank: Bank) -> None:
    ticket = submitted(bank)

    for _time in range(3):
        take(bank, "return", ticket, by=bank.mei)
        take(bank, "submit", ticket, by=bank.li)

    assert take(bank, "approve", ticket, by=bank.mei).state == State.DO
    assert Approval.objects.filter(decision="returned").count() == 3


def test_token_of_a_client_approves_nothing(bank: Bank) -> None:
    ticket = submitted(bank)
    mei = bank.as_(bank.mei)
    token = type(mei)(key="token:1", name="Robot", permissions=mei.permissions)

    with pytest.raises(NotPermitted, match="Only a person"):
        services.approve_plan(ticket_id=ticket.pk, revision=None, by=token, now=LATER)

    assert not Approval.objects.exists()


# ---- A locked plan -------------------------------------------------------------------------------
@pytest.mark.parametrize("state", [State.REVIEW, State.DO, State.CHECK, State.ACT])
def test_locked_plan_is_not_edited(state: State, bank: Bank) -> None:
    ticket = planned(bank)
    finding, action = ticket.findings.get(), ticket.actions.get()
    Ticket.objects.update(state=state)
    li, before = bank.as_(bank.li), digest_of_plan(ticket)
    words = {"kind": "corrective", "text": "Other", "owner_id": bank.li.pk, "due_on": TODAY}

    with pytest.raises(Conflict):
        take(bank, "problem", ticket, by=bank.li)
    with pytest.raises(Conflict):
        add_finding(ticket_id=ticket.pk, kind="why", text="Other", by=li, now=LATER)
    with pytest.raises(Conflict):
        remove_finding(finding_id=finding.pk, by=li, now=LATER)
    with pytest.raises(Conflict):
        change_action(action_id=action.pk, **words, by=li, now=LATER)  # type: ignore[arg-type]  # fields by name
    if state != State.DO:
        with pytest.raises(Conflict):
            add_action(ticket_id=ticket.pk, **words, by=li, now=LATER)  # type: ignore[arg-type]  # fields by name
        with pytest.raises(Conflict):
            cancel_action(action_id=action.pk, reason="No", by=li, now=LATER)

    assert digest_of_plan(Ticket.objects.get()) == before
    assert not Step.objects.exists()


def test_next_cycle_promises_anew_and_leaves_the_former_promise_locked(bank: Bank) -> None:
    ticket = doing(bank)
    first = ticket.effect_plans.get()
    Ticket.objects.update(state=State.PLAN, cycle=2)
    ticket.refresh_from_db()
    make_finding(ticket)
    make_action(ticket)
    second = promise(ticket, minimum=0.5)

    take(bank, "submit", ticket, by=bank.li)
    take(bank, "approve", ticket, by=bank.mei)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.cycle, second.cycle) == (1, 2)
    assert (first.locked_at, second.locked_at) == (NOW, LATER)
    assert first.digest != second.digest


# ---- A small fix ---------------------------------------------------------------------------------
def test_submitted_small_fix_begins_at_once(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.PLAN, owner=bank.li, severity=4)
    make_action(ticket)

    assert take(bank, "submit", ticket, by=bank.li).state == State.DO
    assert not Approval.objects.exists()


def test_refused_action_of_a_small_fix_leaves_nothing(bank: Bank) -> None:
    ticket = make_ticket(bank.north, State.PLAN, owner=bank.li, severity=4)

    with pytest.raises(Exception, match="Some fields are wrong"):
        take(bank, "plan-small", ticket, by=bank.li, due_on=TODAY - timedelta(days=1))

    ticket.refresh_from_db()
    assert (ticket.state, ticket.revision) == (State.PLAN, 1)
    assert not Action.objects.exists()
    assert not Step.objects.exists()


def test_person_without_a_part_in_it_plans_nothing(bank: Bank) -> None:
    ticket = planned(bank, owner=bank.mei)
    wen = make_user("wen")
    give_role(wen, Role.STAFF, bank.north)

    with pytest.raises(NotPermitted):
        add_finding(ticket_id=ticket.pk, kind="why", text="Because", by=bank.as_(wen), now=LATER)

    assert ticket.findings.count() == 1


def test_containment_told_after_the_promise_makes_it_promised_again(bank: Bank) -> None:
    ticket = planned(bank)
    take(bank, "contain", ticket, by=bank.li, contained_on=date(2025, 11, 3))

    with pytest.raises(Conflict, match="Promise it again"):
        take(bank, "submit", ticket, by=bank.li)

    ticket.refresh_from_db()
    assert ticket.state == State.PLAN
    ticket.effect_plans.update(n_before=9)
    assert take(bank, "submit", ticket, by=bank.li).state == State.REVIEW
