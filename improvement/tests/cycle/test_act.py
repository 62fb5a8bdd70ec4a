"""Act: what improved becomes the standard by two people; the rest goes on, or ends."""

from datetime import date, timedelta

import pytest

from improvement.actions.models import Action
from improvement.cycle.models import Approval
from improvement.cycle.queries import possible_actions
from improvement.standards.models import Standard, StandardVersion
from improvement.standards.queries import standards_of
from improvement.tests.cycle.making import (
    LATER,
    acting,
    checking,
    doing,
    looked,
    make_action,
    make_done_action,
    promise,
    take,
    with_draft,
)
from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets.models import State, Step, Ticket
from improvement.verification.models import EffectCheck, EffectPlan, Verdict
from sqcore.base.errors import Conflict, NotFound
from sqcore.monitoring.models import Baseline
from sqcore.tests.factories import NOW

pytestmark = pytest.mark.django_db
NOT_IMPROVED = [Verdict.NO_CHANGE, Verdict.WORSE, Verdict.INCONCLUSIVE]


@pytest.fixture
def bank() -> Bank:
    return make_bank()


# ---- Concluding the check ------------------------------------------------------------------------
def test_check_that_nobody_confirmed_is_not_concluded(bank: Bank) -> None:
    ticket = checking(bank)
    EffectCheck.objects.update(confirmed_verdict="", confirmed_by=None, confirmed_at=None)

    with pytest.raises(Conflict, match="Quality has not confirmed the verdict yet"):
        take(bank, "conclude", ticket, by=bank.li)

    assert not Step.objects.exists()


def test_interim_look_concludes_nothing(bank: Bank) -> None:
    ticket = checking(bank)
    EffectCheck.objects.update(is_interim=True, verdict="")

    with pytest.raises(Conflict, match="not been checked finally"):
        take(bank, "conclude", ticket, by=bank.li)


def test_after_an_extension_the_first_look_concludes_nothing(bank: Bank) -> None:
    ticket = checking(bank, Verdict.NO_CHANGE)
    EffectPlan.objects.update(extended_to=date(2026, 8, 1))

    with pytest.raises(Conflict, match="not been checked finally"):
        take(bank, "conclude", ticket, by=bank.li)
    looked(EffectPlan.objects.get(), Verdict.IMPROVED, confirmed_by=bank.ana, look=2)

    assert take(bank, "conclude", ticket, by=bank.li).state == State.ACT


def test_check_of_a_former_cycle_concludes_nothing(bank: Bank) -> None:
    ticket = checking(bank)
    Ticket.objects.update(cycle=2)

    with pytest.raises(Conflict, match="not been checked finally"):
        take(bank, "conclude", ticket, by=bank.li)


# ---- The standard --------------------------------------------------------------------------------
def test_standard_is_written_by_one_and_approved_by_another(bank: Bank) -> None:
    ticket = acting(bank)

    take(bank, "standardise", ticket, by=bank.li)
    ticket.refresh_from_db()
    waiting = ticket.state
    nobody_reads_it = standards_of("waiting-time", principal=bank.as_(bank.mei))
    ticket = take(bank, "approve-standard", ticket, by=bank.mei, comment="As we do it now.")

    assert (waiting, nobody_reads_it) == (State.ACT, [])
    version = StandardVersion.objects.get()
    assert (version.number, version.written_by, version.approved_by) == (1, bank.li, bank.mei)
    assert (version.approved_at, version.ticket) == (LATER, ticket)
    approval = Approval.objects.get(subject="standard")
    assert (approval.by, approval.comment) == (bank.mei, "As we do it now.")
    standard = standards_of("waiting-time", principal=bank.as_(bank.mei))[0]
    assert (standard.code, standard.title) == ("noon-rota", "Counters at noon")
    assert (standard.unit, standard.owner) == (bank.north, bank.li)
    assert ticket.state == State.STANDARD


def test_who_wrote_the_standard_does_not_approve_it(bank: Bank) -> None:
    ticket = with_draft(bank, acting(bank), by=bank.mei)

    with pytest.raises(Conflict, match="You wrote this standard"):
        take(bank, "approve-standard", ticket, by=bank.mei)

    assert StandardVersion.objects.get().approved_at is None
    assert take(bank, "approve-standard", ticket, by=bank.ana).state == State.STANDARD


def test_owner_does_not_approve_what_another_wrote(bank: Bank) -> None:
    ticket = with_draft(bank, acting(bank, owner=bank.mei), by=bank.ana)

    with pytest.raises(Exception, match="You own this ticket"):
        take(bank, "approve-standard", ticket, by=bank.mei)

    assert StandardVersion.objects.get().approved_at is None


def test_standard_that_is_not_written_is_not_approved(bank: Bank) -> None:
    with pytest.raises(Conflict, match="not written yet"):
        take(bank, "approve-standard", acting(bank), by=bank.mei)

    assert not Approval.objects.exists()


def test_returned_standard_is_written_anew_before_it_is_approved(bank: Bank) -> None:
    ticket = acting(bank)
    take(bank, "standardise", ticket, by=bank.li)
    take(bank, "return-standard", ticket, by=bank.mei, comment="Who opens them?")

    with pytest.raises(Conflict, match="was returned and has not changed"):
        take(bank, "approve-standard", ticket, by=bank.ana)
    take(bank, "standardise", ticket, by=bank.li, text="The chief opens three.", now=LATER)
    later = LATER + timedelta(minutes=1)
    take(bank, "standardise", ticket, by=bank.li, text="The chief opens three.", now=later)
    take(bank, "approve-standard", ticket, by=bank.mei)

    version = StandardVersion.objects.get()
    assert (version.text, version.approved_by) == ("The chief opens three.", bank.mei)
    assert list(Step.objects.order_by("id").values_list("action", flat=True)) == [
        "standardise",
        "return-standard",
        "standardise",
        "standardise",
        "approve-standard",
    ]


@pytest.mark.parametrize("verdict", NOT_IMPROVED)
def test_what_did_not_improve_becomes_no_standard(verdict: Verdict, bank: Bank) -> None:
    ticket = acting(bank, verdict)

    with pytest.raises(Conflict, match="Only what improved"):
        take(bank, "standardise", ticket, by=bank.li)

    assert not Standard.objects.exists()


def test_limits_that_cannot_be_set_refuse_the_standard_as_a_whole(bank: Bank) -> None:
    """The branch has no figures at all, so that no limits can be computed."""
    ticket = acting(bank, owner=bank.mei)

    with pytest.raises(NotFound, match="no such series"):
        take(bank, "standardise", ticket, by=bank.mei, rebase=True)

    assert not Standard.objects.exists()
    assert not Baseline.objects.exists()
    assert not Step.objects.exists()


# ---- The next cycle ------------------------------------------------------------------------------
@pytest.mark.parametrize("verdict", NOT_IMPROVED)
def test_next_cycle_plans_anew_with_the_lesson(verdict: Verdict, bank: Bank) -> None:
    ticket = take(bank, "next-cycle", acting(bank, verdict), by=bank.li, lesson="Noon is not it.")

    assert (ticket.state, ticket.cycle, ticket.lesson) == (State.PLAN, 2, "Noon is not it.")
    assert ticket.problem == "At noon people wait 14 minutes instead of 9."
    assert ticket.effect_plans.get().locked_at is not None


def test_lessons_of_all_cycles_stay(bank: Bank) -> None:
    ticket = acting(bank, Verdict.NO_CHANGE, lesson="First lesson.")

    ticket = take(bank, "next-cycle", ticket, by=bank.li, lesson="Second lesson.")

    assert ticket.lesson == "First lesson.\n\nSecond lesson."


def test_what_improved_needs_no_next_cycle(bank: Bank) -> None:
    with pytest.raises(Conflict, match="make it the standard"):
        take(bank, "next-cycle", acting(bank), by=bank.li)


def test_after_three_cycles_there_is_no_other(bank: Bank) -> None:
    ticket = acting(bank, Verdict.NO_CHANGE)

    for cycle in (2, 3):
        take(bank, "next-cycle", ticket, by=bank.li)
        ticket.refresh_from_db()
        assert ticket.cycle == cycle
        make_done_action(ticket)
        plan = promise(ticket)
        looked(plan, Verdict.NO_CHANGE, confirmed_by=bank.ana)
        plan.locked_at, plan.digest = NOW, "0" * 64
        plan.save()
        Ticket.objects.update(state=State.ACT)
    with pytest.raises(Conflict, match="Three cycles are the most"):
        take(bank, "next-cycle", ticket, by=bank.li)

    ticket.refresh_from_db()
    assert (ticket.state, ticket.cycle) == (State.ACT, 3)
    offered = {each.action: each.why_not for each in possible_actions(ticket, bank.as_(bank.mei))}
    assert offered["next-cycle"].startswith("Three cycles are the most.")
    assert offered["abandon"] == ""


# ---- Waiting longer ------------------------------------------------------------------------------
def test_check_is_not_extended_when_the_plan_promised_one_look(bank: Bank) -> None:
    with pytest.raises(Conflict, match="promised one look"):
        take(bank, "extend", acting(bank, Verdict.NO_CHANGE), by=bank.li)

    assert EffectPlan.objects.get().extended_to is None


def test_check_that_saw_nothing_is_extended_once(bank: Bank) -> None:
    ticket = acting(bank, Verdict.INCONCLUSIVE)
    EffectCheck.objects.update(low=None, high=None)

    ticket = take(bank, "extend", ticket, by=bank.li)
    first = ticket.state
    Ticket.objects.update(state=State.ACT)
    with pytest.raises(Conflict, match="extended already"):
        take(bank, "extend", ticket, by=bank.li)

    assert first == State.CHECK
    assert EffectPlan.objects.get().extended_to == date(2026, 4, 27)


def test_clear_verdict_is_not_waited_for(bank: Bank) -> None:
    with pytest.raises(Conflict, match="The verdict is clear"):
        take(bank, "extend", acting(bank, Verdict.WORSE), by=bank.li)


# ---- Ends ----------------------------------------------------------------------------------------
def test_abandoned_ticket_keeps_what_was_learned(bank: Bank) -> None:
    ticket = take(
        bank, "abandon", acting(bank, Verdict.WORSE), by=bank.mei, lesson="It is the systems."
    )

    assert (ticket.state, ticket.end_reason) == (State.ABANDONED, "no_effect")
    assert (ticket.lesson, ticket.ended_at) == ("It is the systems.", LATER)
    approval = Approval.objects.get()
    assert (approval.subject, approval.by, approval.comment) == (
        "end",
        bank.mei,
        "It is the systems.",
    )


def test_what_improved_is_not_abandoned(bank: Bank) -> None:
    with pytest.raises(Conflict, match="make it the standard"):
        take(bank, "abandon", acting(bank), by=bank.mei)

    assert not Approval.objects.exists()


@pytest.mark.parametrize(
    "state", [State.PLAN, State.REVIEW, State.DO, State.CHECK, State.ACT, State.STANDARD]
)
def test_accepted_ticket_is_cancelled_with_what_was_still_to_do(state: State, bank: Bank) -> None:
    ticket = doing(bank)
    to_do = make_action(ticket, text="Paint the wall")
    Ticket.objects.update(state=state)

    ticket = take(bank, "cancel", ticket, by=bank.mei, reason="The branch closes.")

    assert (ticket.state, ticket.ended_at) == (State.CANCELLED, LATER)
    assert (ticket.end_reason, ticket.end_note) == ("other", "The branch closes.")
    to_do.refresh_from_db()
    assert (to_do.state, to_do.outcome) == ("cancelled", "The branch closes.")
    assert Action.objects.filter(state="done").count() == 1
    assert Ticket.objects.count() == 1


def test_ticket_is_accepted_before_it_is_cancelled(bank: Bank) -> None:
    with pytest.raises(Conflict):
        take(bank, "cancel", make_ticket(bank.north, owner=bank.li), by=bank.mei)

    assert Ticket.objects.get().state == State.PROPOSED
