"""One ticket from its plan to its end, on real figures, by all who have a part in it."""

from datetime import datetime

import pytest

from improvement.actions.services import add_action, complete_action
from improvement.cycle import reopening, services
from improvement.diagnosis.services import add_finding
from improvement.tests.verification.stage import ACTION, PLANNED, Stage, make_stage, repaired, risen
from improvement.tickets.models import State, Step, Ticket
from improvement.verification.models import EffectCheck
from improvement.verification.services import confirm_effect
from sqcore.audit.queries import check_chain
from sqcore.audit.services import seal
from sqcore.base import bus
from sqcore.identity.principals import Principal
from sqcore.monitoring.models import Annotation, Baseline, Signal
from sqcore.notices.models import Notice
from sqcore.tests.monitoring.series import quiet

pytestmark = pytest.mark.django_db
CHECKED = 83


@pytest.fixture
def stage() -> Stage:
    return make_stage()


def begun(stage: Stage) -> Ticket:
    """Mei owns the ticket; she and Li planned it, Ana approved it, Li did it."""
    ticket = stage.ticket(owner=stage.bank.mei)
    mei, now = stage.mei, stage.at(PLANNED)
    add_finding(
        ticket_id=ticket.pk, kind="factor", cause="process-scheduling", is_root=True,
        text="One counter is closed at noon", evidence="The rota", by=mei, now=now,
    )  # fmt: skip
    add_action(
        ticket_id=ticket.pk, kind="corrective", text="Open a third counter",
        owner_id=stage.bank.li.pk, due_on=stage.on(ACTION), by=mei, now=now,
    )  # fmt: skip
    stage.plan(ticket, by=mei, wished_on=stage.on(CHECKED))
    services.state_problem(
        ticket_id=ticket.pk, revision=None, problem="14 minutes instead of 9", similar="No.",
        by=mei, now=now,
    )  # fmt: skip
    submitted = services.submit_plan(ticket_id=ticket.pk, revision=None, by=mei, now=now)
    services.approve_plan(
        ticket_id=ticket.pk, revision=submitted.revision, by=stage.ana, now=stage.at(PLANNED + 1)
    )
    complete_action(
        action_id=ticket.actions.get().pk, outcome="It is open",
        effective_on=stage.on(ACTION), by=stage.as_(stage.bank.li), now=stage.at(ACTION),
    )  # fmt: skip
    services.finish_doing(ticket_id=ticket.pk, revision=None, by=mei, now=stage.at(ACTION))
    return ticket


def concluded(stage: Stage, ticket: Ticket) -> EffectCheck:
    check = stage.check(ticket, week=CHECKED)
    confirm_effect(check_id=check.pk, by=stage.ana, now=stage.at(CHECKED))
    services.conclude_check(ticket_id=ticket.pk, revision=None, by=stage.mei, now=stage.at(CHECKED))
    return check


def standardised(stage: Stage, ticket: Ticket, *, by: Principal, now: datetime) -> None:
    services.standardise(
        ticket_id=ticket.pk, revision=None, code="noon-rota", title="Counters at noon",
        text="Three counters from 11:30 to 13:30.", valid_from=stage.on(CHECKED), rebase=True,
        by=by, now=now,
    )  # fmt: skip


def test_repaired_wait_becomes_the_standard_and_is_closed_when_it_lasts(stage: Stage) -> None:
    stage.put(repaired(90))
    stage.put(quiet(90), code="errors")
    ticket = begun(stage)

    check = concluded(stage, ticket)
    standardised(stage, ticket, by=stage.mei, now=stage.at(CHECKED + 1))
    services.approve_standard(
        ticket_id=ticket.pk, revision=None, by=stage.ana, now=stage.at(CHECKED + 1)
    )
    Signal.objects.update(state=Signal.State.RECOVERED, recovered_on=stage.on(72))
    too_early = reopening.close_sustained(now=stage.at(85))
    closed = reopening.close_sustained(now=stage.at(90))

    ticket.refresh_from_db()
    assert (check.verdict, too_early, closed) == ("improved", 0, 1)
    assert (ticket.state, ticket.end_reason) == (State.CLOSED, "sustained")
    assert ticket.ended_at == stage.at(90)
    assert list(Step.objects.order_by("id").values_list("action", "state")) == [
        ("cause-added", "plan"),
        ("action-added", "plan"),
        ("effect_planned", "plan"),
        ("problem", "plan"),
        ("submit", "review"),
        ("approve", "do"),
        ("action-done", "do"),
        ("finish", "check"),
        ("conclude", "act"),
        ("standardise", "act"),
        ("approve-standard", "standard"),
        ("close", "closed"),
    ]
    note = Annotation.objects.get()
    assert (note.starts_on, note.reference) == (stage.on(ACTION), f"ticket:{ticket.pk}")
    seal(now=stage.at(91))
    assert check_chain().problem == ""


def test_limits_after_the_change_are_proposed_and_wait_for_the_second_person(
    stage: Stage,
) -> None:
    stage.put(repaired(84))
    stage.put(quiet(84), code="errors")
    ticket = begun(stage)
    concluded(stage, ticket)

    standardised(stage, ticket, by=stage.mei, now=stage.at(84))
    standardised(stage, ticket, by=stage.mei, now=stage.at(84))

    limits = Baseline.objects.get(origin=Baseline.Origin.TICKET)
    assert (limits.state, limits.proposed_by) == ("proposed", stage.bank.mei)
    assert (limits.starts_on, limits.ends_on) == (stage.on(63), stage.on(85))
    assert (limits.applies_from, limits.n) == (stage.on(85), 22)
    assert limits.reference == f"ticket:{ticket.pk}"


def test_effect_that_does_not_last_is_planned_anew(stage: Stage) -> None:
    stage.put([*repaired(CHECKED), *risen(96)[CHECKED:]])
    stage.put(quiet(96), code="errors")
    ticket = begun(stage)
    concluded(stage, ticket)
    standardised(stage, ticket, by=stage.mei, now=stage.at(84))
    services.approve_standard(ticket_id=ticket.pk, revision=None, by=stage.ana, now=stage.at(84))

    assert reopening.close_sustained(now=stage.at(95)) == 0

    ticket.refresh_from_db()
    assert (ticket.state, ticket.cycle) == (State.PLAN, 2)
    last = Step.objects.order_by("-id").first()
    assert last is not None
    assert (last.action, last.by) == ("not-held", None)
    bus.drain(now=stage.at(95))
    told = Notice.objects.filter(reader=stage.bank.mei).order_by("-id").first()
    assert told is not None
    assert told.title["en"] == f"The effect did not hold: {ticket}"


def test_wait_that_did_not_change_goes_into_the_next_cycle(stage: Stage) -> None:
    stage.put(risen(90))
    stage.put(quiet(90), code="errors")
    ticket = begun(stage)

    check = concluded(stage, ticket)
    ticket = services.next_cycle(
        ticket_id=ticket.pk, revision=None, lesson="Not the counters.", by=stage.mei,
        now=stage.at(CHECKED),
    )  # fmt: skip

    assert check.verdict == "no_change"
    assert (ticket.state, ticket.cycle) == (State.PLAN, 2)
