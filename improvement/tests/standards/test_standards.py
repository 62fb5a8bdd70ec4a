"""Standards: in versions, written by one and approved by another."""

from datetime import date, timedelta
from typing import Any

import pytest

from improvement.standards.models import Standard, StandardVersion
from improvement.standards.queries import (
    draft_of,
    standard_of,
    standards_of,
    standards_seen_by,
    valid_version,
    versions_of_ticket,
)
from improvement.standards.services import approve_standard, write_standard
from improvement.tests.factories import Bank, make_bank, make_ticket
from improvement.tickets.models import State, Ticket
from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.identity.models import User
from sqcore.tests.factories import NOW, TODAY

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ticket(bank: Bank) -> Ticket:
    return make_ticket(bank.north, State.ACT, owner=bank.li)


def write(bank: Bank, ticket: Ticket, *, by: User | None = None, **over: Any) -> StandardVersion:
    fields: dict[str, Any] = {
        "code": "noon-rota",
        "title": "Counters at noon",
        "text": "Three counters are open.",
        "valid_from": TODAY,
        "now": NOW,
    }
    return write_standard(ticket=ticket, by=bank.as_(by or bank.li), **{**fields, **over})


def approve(bank: Bank, version: StandardVersion, *, by: User | None = None) -> StandardVersion:
    return approve_standard(version=version, by=bank.as_(by or bank.mei), now=NOW)


def test_draft_is_no_standard_yet(bank: Bank, ticket: Ticket) -> None:
    draft = write(bank, ticket)

    assert draft_of(ticket) == draft
    assert list(standards_seen_by(bank.as_(bank.mei))) == []
    with pytest.raises(NotFound):
        standard_of(bank.as_(bank.mei), "noon-rota")


def test_approved_version_is_read_by_all_of_the_unit(bank: Bank, ticket: Ticket) -> None:
    version = approve(bank, write(bank, ticket))

    assert draft_of(ticket) is None
    assert versions_of_ticket(ticket) == [version]
    assert [each.code for each in standards_of("waiting-time", principal=bank.as_(bank.li))] == [
        "noon-rota"
    ]
    assert list(standards_seen_by(bank.as_(bank.chen))) == []
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["standard.written", "standard.approved"]


def test_next_version_takes_its_place_on_its_day(bank: Bank, ticket: Ticket) -> None:
    approve(bank, write(bank, ticket))
    other = make_ticket(bank.north, State.ACT, owner=bank.li)
    second = write(
        bank, other, title="Counters at noon and at five", text="Four.",
        valid_from=TODAY + timedelta(days=30),
    )  # fmt: skip
    before = Standard.objects.get().title
    approve(bank, second)

    standard = standard_of(bank.as_(bank.mei), "noon-rota")
    numbers = [
        version.number if version else None
        for version in (
            valid_version(standard, on=TODAY - timedelta(days=1)),
            valid_version(standard, on=TODAY),
            valid_version(standard, on=TODAY + timedelta(days=30)),
        )
    ]
    assert numbers == [None, 1, 2]
    assert (before, standard.title) == ("Counters at noon", "Counters at noon and at five")
    assert [each.number for each in standard.versions.all()] == [2, 1]


def test_draft_written_again_takes_the_place_of_the_former(bank: Bank, ticket: Ticket) -> None:
    write(bank, ticket)

    write(bank, ticket, text="Four counters are open.", code="other-code")

    version = StandardVersion.objects.get()
    assert (version.number, version.text) == (1, "Four counters are open.")
    assert Standard.objects.get().code == "other-code"


def test_writer_does_not_approve(bank: Bank, ticket: Ticket) -> None:
    draft = write(bank, ticket)

    with pytest.raises(NotPermitted, match="You wrote this standard"):
        approve(bank, draft, by=bank.li)

    draft.refresh_from_db()
    assert draft.approved_at is None


def test_approved_version_is_not_approved_again(bank: Bank, ticket: Ticket) -> None:
    version = approve(bank, write(bank, ticket))

    with pytest.raises(Conflict, match="approved already"):
        approve(bank, version, by=bank.ana)

    version.refresh_from_db()
    assert version.approved_by == bank.mei


def test_two_tickets_do_not_write_one_standard_at_once(bank: Bank, ticket: Ticket) -> None:
    write(bank, ticket)
    other = make_ticket(bank.north, State.ACT, owner=bank.mei)

    with pytest.raises(Conflict, match=f"T-{ticket.pk}"):
        write(bank, other, by=bank.mei, text="Mine")

    assert StandardVersion.objects.get().text == "Three counters are open."


def test_draft_of_a_ticket_that_ended_makes_place(bank: Bank, ticket: Ticket) -> None:
    write(bank, ticket)
    Ticket.objects.update(state=State.CANCELLED, ended_at=NOW)
    other = make_ticket(bank.north, State.ACT, owner=bank.mei)

    write(bank, other, by=bank.mei, text="Mine")

    assert StandardVersion.objects.get().text == "Mine"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", " "),
        ("text", "x" * 20001),
        ("title", ""),
        ("title", "x" * 201),
        ("code", "No spaces, please"),
        ("code", ""),
    ],
)
def test_unusable_standard_is_refused_by_its_field(
    field: str, value: str, bank: Bank, ticket: Ticket
) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(bank, ticket, **dict[str, Any]({field: value}))

    assert field in {problem.field for problem in refused.value.problems}
    assert not Standard.objects.exists()


def test_version_does_not_begin_before_the_former(bank: Bank, ticket: Ticket) -> None:
    approve(bank, write(bank, ticket))

    with pytest.raises(InvalidInput) as refused:
        write(bank, ticket, valid_from=date(2026, 1, 1))

    assert [problem.field for problem in refused.value.problems] == ["valid_from"]
    assert StandardVersion.objects.count() == 1


def test_standard_of_another_unit_is_not_changed(bank: Bank, ticket: Ticket) -> None:
    approve(bank, write(bank, ticket))
    far = make_ticket(bank.elsewhere, State.ACT, owner=bank.chen)
    south = make_ticket(bank.south, State.ACT, owner=bank.li)

    with pytest.raises(NotFound):
        write(bank, far, by=bank.chen, text="Chen's")
    with pytest.raises(NotPermitted):
        write(bank, south, by=bank.li, text="Li's")

    assert StandardVersion.objects.count() == 1
    assert write(bank, south, by=bank.mei).number == 2


def test_list_is_read_in_two_queries(
    bank: Bank, ticket: Ticket, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        approve(bank, write(bank, ticket, code=f"rule-{number}"))
    mei = bank.as_(bank.mei)

    with django_assert_num_queries(2):
        found = [
            (each.code, each.unit, len(each.versions.all())) for each in standards_seen_by(mei)
        ]

    assert found == [(f"rule-{number}", bank.north, 1) for number in range(3)]
