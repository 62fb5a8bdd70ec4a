"""Two real connections at the same money: the budget is never exceeded, nothing is paid twice."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from sqcore.base.errors import Conflict
from sqcore.identity.permissions import Role
from sqcore.tests.encounters.test_at_once import HEAD_START, Other
from sqcore.tests.factories import give_role
from training.incentives import deciding, payroll, proposing
from training.incentives.deciding import approve_proposal
from training.incentives.models import BatchLine, Decision, LedgerEntry, PayrollBatch, Scheme
from training.incentives.payroll import freeze_batch
from training.incentives.proposing import propose_period
from training.incentives.queries import budget_left
from training.tests.factories import Bank, make_bank, teller
from training.tests.incentives.making import (
    APRIL,
    PAY,
    QUARTER,
    make_system,
    proposed,
    reviewed,
    scheme_in_force,
    scores,
    second_hr,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]


def first_let(other: Other, before: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, which starts the other one and leaves it time before it goes on."""

    def after(*args: Any, **kwargs: Any) -> Any:
        if other.ident is None:
            other.start()
            time.sleep(HEAD_START)
        return before(*args, **kwargs)

    return after


def or_refused(call: Callable[[], object]) -> Other:
    """The other one; its outcome is what it returns, or "Conflict"."""

    def attempt() -> object:
        try:
            return call()
        except Conflict:
            return "Conflict"

    return Other(attempt)


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def scheme(bank: Bank) -> Scheme:
    """A budget that reaches for one of two awards of 56,000."""
    version = make_system()
    found = scheme_in_force(bank, rules=[{**PAY[0], "posts": ["teller"]}], budget=100_000)
    scores(version, {bank.north: 80.0})
    teller("wang", bank.north)
    return found


def approve(bank: Bank, proposal_id: int, by: str = "hua") -> LedgerEntry | None:
    person = bank.hua if by == "hua" else type(bank.hua).objects.get(number=by)
    return approve_proposal(
        proposal_id=proposal_id, agrees=True, reason="Right", by=bank.as_(person), now=APRIL
    )


def test_of_two_approvers_at_the_cap_exactly_one_grants(
    monkeypatch: pytest.MonkeyPatch, bank: Bank, scheme: Scheme
) -> None:
    first = reviewed(bank, proposed(scheme, bank.li))
    second = reviewed(bank, scheme.proposals.exclude(pk=first.pk).get())
    second_hr()
    other = or_refused(lambda: approve(bank, second.pk, "han"))
    monkeypatch.setattr(deciding, "_grant", first_let(other, deciding._grant))

    assert approve(bank, first.pk) is not None
    other.join(timeout=60)

    assert other.outcome == "Conflict"
    assert [entry.proposal_id for entry in LedgerEntry.objects.all()] == [first.pk]
    assert budget_left(scheme, QUARTER).left == 44_000
    second.refresh_from_db()
    assert second.state == "reviewed"
    assert Decision.objects.filter(step=2).count() == 1


def test_a_double_click_grants_once(
    monkeypatch: pytest.MonkeyPatch, bank: Bank, scheme: Scheme
) -> None:
    proposal = reviewed(bank, proposed(scheme, bank.li))
    other = or_refused(lambda: approve(bank, proposal.pk))
    monkeypatch.setattr(deciding, "_grant", first_let(other, deciding._grant))

    assert approve(bank, proposal.pk) is not None
    other.join(timeout=60)

    assert other.outcome == "Conflict"
    assert LedgerEntry.objects.count() == 1


def test_two_that_propose_at_once_propose_once(
    monkeypatch: pytest.MonkeyPatch, bank: Bank, scheme: Scheme
) -> None:
    def propose() -> int:
        return propose_period(scheme_id=scheme.pk, period_start=QUARTER, now=APRIL)

    other = or_refused(propose)
    monkeypatch.setattr(proposing, "_propose", first_let(other, proposing._propose))

    assert propose() == 2
    other.join(timeout=60)

    assert (other.outcome, scheme.proposals.count()) == (0, 2)


def test_two_that_freeze_at_once_pay_once(
    monkeypatch: pytest.MonkeyPatch, bank: Bank, scheme: Scheme
) -> None:
    proposal = reviewed(bank, proposed(scheme, bank.li))
    approve(bank, proposal.pk)
    user, _han = second_hr()
    give_role(user, Role.ANALYST)

    def freeze() -> PayrollBatch:
        return freeze_batch(currency="CNY", through=APRIL.date(), by=bank.as_(bank.hua), now=APRIL)

    other = or_refused(freeze)
    monkeypatch.setattr(payroll, "_hash", first_let(other, payroll._hash))

    assert freeze().total == 56_000
    other.join(timeout=60)

    assert other.outcome == "Conflict"
    assert (PayrollBatch.objects.count(), BatchLine.objects.count()) == (1, 1)
