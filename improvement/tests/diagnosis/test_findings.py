"""Causes: chains of whys and a fishbone on the taxonomy, only while the plan is made."""

from typing import Any

import pytest

from improvement.diagnosis.models import Finding
from improvement.diagnosis.queries import findings_of, fishbone_of, whys_of
from improvement.diagnosis.services import DEEPEST, add_finding, remove_finding
from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets.models import State, Step, Ticket
from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.identity.models import User
from sqcore.tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ticket(bank: Bank) -> Ticket:
    return make_ticket(bank.north, State.PLAN, owner=bank.li)


def find(bank: Bank, ticket: Ticket, text: str, *, by: User | None = None, **over: Any) -> Finding:
    fields: dict[str, Any] = {"kind": "why", "now": NOW}
    return add_finding(
        ticket_id=ticket.pk, text=text, by=bank.as_(by or bank.li), **{**fields, **over}
    )


def test_whys_form_a_chain(bank: Bank, ticket: Ticket) -> None:
    first = find(bank, ticket, "People wait")
    second = find(bank, ticket, "One counter is closed", parent_id=first.pk)
    find(bank, ticket, "Nobody is planned", parent_id=second.pk, evidence="Rota", is_root=True)
    find(bank, ticket, "The door is narrow")

    chains = whys_of(findings_of(ticket))

    assert [chain.finding.text for chain in chains] == ["People wait", "The door is narrow"]
    deepest = chains[0].deeper[0].deeper[0].finding
    assert (deepest.text, deepest.is_root, deepest.evidence) == ("Nobody is planned", True, "Rota")
    assert deepest.by == bank.li


def test_factor_stands_on_its_branch_of_the_fishbone(bank: Bank, ticket: Ticket) -> None:
    factor = find(bank, ticket, "No rota", kind="factor", cause="process-scheduling")

    branches = fishbone_of(findings_of(ticket))

    assert [branch.of.code for branch in branches] == [
        "awareness", "process", "skills", "standards", "feedback", "support",
    ]  # fmt: skip
    assert [list(branch.findings) for branch in branches] == [[], [factor], [], [], [], []]
    entry = AuditEntry.objects.get(action="finding.added")
    assert entry.details["cause"] == "process-scheduling"
    assert (Step.objects.get().action, Step.objects.get().note) == ("cause-added", "No rota")


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"text": " "}, "text"),
        ({"text": "x" * 501}, "text"),
        ({"kind": "guess"}, "kind"),
        ({"kind": "factor"}, "cause"),
        ({"kind": "factor", "cause": "the-moon"}, "cause"),
        ({"evidence": "x" * 1001}, "evidence"),
        ({"parent_id": 999999}, "parent_id"),
    ],
)
def test_unusable_cause_is_refused_by_its_field(
    over: dict[str, Any], field: str, bank: Bank, ticket: Ticket
) -> None:
    with pytest.raises(InvalidInput) as refused:
        find(bank, ticket, over.pop("text", "Because"), **over)

    assert {problem.field for problem in refused.value.problems} == {field}
    assert not Finding.objects.exists()


def test_why_of_another_ticket_is_no_parent(bank: Bank, ticket: Ticket) -> None:
    other = find(bank, make_ticket(bank.north, State.PLAN, owner=bank.li), "Elsewhere")

    with pytest.raises(InvalidInput):
        find(bank, ticket, "Because", parent_id=other.pk)

    assert not ticket.findings.exists()


def test_chain_has_an_end(bank: Bank, ticket: Ticket) -> None:
    parent_id = None
    for depth in range(DEEPEST):
        parent_id = find(bank, ticket, f"Why {depth}", parent_id=parent_id).pk

    with pytest.raises(InvalidInput, match="Some fields"):
        find(bank, ticket, "Why again", parent_id=parent_id)

    assert ticket.findings.count() == DEEPEST


def test_removed_cause_takes_those_under_it_along(bank: Bank, ticket: Ticket) -> None:
    first = find(bank, ticket, "People wait")
    find(bank, ticket, "One counter is closed", parent_id=first.pk)

    remove_finding(finding_id=first.pk, by=bank.as_(bank.mei), now=NOW)

    assert not ticket.findings.exists()
    assert AuditEntry.objects.filter(action="finding.removed").count() == 1


def test_cause_of_a_former_cycle_stays(bank: Bank, ticket: Ticket) -> None:
    found = find(bank, ticket, "People wait")
    Ticket.objects.update(cycle=2)

    with pytest.raises(Conflict, match="former cycle"):
        remove_finding(finding_id=found.pk, by=bank.as_(bank.li), now=NOW)

    assert findings_of(Ticket.objects.get()) == []
    assert findings_of(Ticket.objects.get(), cycle=1) == [found]


def test_those_without_a_part_in_it_find_nothing(bank: Bank, ticket: Ticket) -> None:
    found = find(bank, ticket, "People wait")
    Ticket.objects.update(owner=bank.mei)

    with pytest.raises(NotFound):
        find(bank, ticket, "Because", by=bank.chen)
    with pytest.raises(NotFound):
        remove_finding(finding_id=found.pk, by=bank.as_(bank.chen), now=NOW)
    with pytest.raises(NotPermitted):
        find(bank, ticket, "Because", by=bank.li)

    assert ticket.findings.get() == found


@pytest.mark.parametrize("state", [State.PROPOSED, State.CLOSED, State.DO, State.REVIEW])
def test_causes_are_written_while_the_plan_is_made(state: State, bank: Bank) -> None:
    ticket = make_ticket(bank.north, state, owner=bank.li)

    with pytest.raises(Conflict):
        find(bank, ticket, "Because")

    assert not Finding.objects.exists()
    assert not Step.objects.exists()
