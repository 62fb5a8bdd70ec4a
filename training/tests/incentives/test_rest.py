from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.performance.models import Look
from sqcore.tests.rest import API, get, make_key
from training.incentives.models import Decision, LedgerEntry, Proposal
from training.incentives.payroll import freeze_batch
from training.tests.factories import Bank
from training.tests.incentives.making import (
    APRIL,
    PAY,
    granted,
    make_run,
    make_system,
    proposed,
    result,
    reviewed,
    scheme_in_force,
    scores,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def proposal(bank: Bank) -> Proposal:
    """Li is proposed 56,000."""
    version = make_system()
    scheme = scheme_in_force(bank, rules=PAY[:1])
    scores(version, {bank.north: 80.0})
    return proposed(scheme, bank.li)


def read(path: str, key: str) -> list[dict[str, Any]]:
    response = get(path, key)
    assert response.status_code == 200, response.content
    rows: list[dict[str, Any]] = response.json()["results"]  # type: ignore[attr-defined]  # the test client's own kind
    return rows


def decide(
    user: User | None, proposal: Proposal, step: str, *, once: str = "key-00000001", **body: Any
) -> HttpResponse:
    client = Client()
    if user is not None:
        client.force_login(user)
    response: HttpResponse = client.post(  # type: ignore[assignment]  # the test client's own kind
        f"{API}proposals/{proposal.pk}/{step}",
        {"agrees": True, "reason": "Right", **body},
        content_type="application/json",
        headers={"Idempotency-Key": once},
    )
    return response


class TestReading:
    def test_rules_proposals_ledger_and_batches(self, bank: Bank, proposal: Proposal) -> None:
        entry = granted(bank, proposal)
        key = make_key(Permission.VIEW_AWARDS, units=[bank.bank])

        [scheme] = read("schemes", key)
        assert (scheme["code"], scheme["budget"], scheme["state"]) == (
            "quarter",
            1_000_000,
            "active",
        )
        assert scheme["versions"][0]["rules"] == [{**PAY[0], "posts": []}]
        rows = {row["staff"]: row for row in read("proposals", key)}
        assert (rows["li"]["amount"], rows["li"]["state"], rows["mei"]["state"]) == (
            56_000,
            "approved",
            "proposed",
        )
        assert "basis" not in rows["li"]
        assert [row["staff"] for row in read("proposals?state=proposed", key)] == ["mei"]
        assert [(row["key"], row["amount"]) for row in read("ledger", key)] == [(entry.key, 56_000)]
        freeze_batch(currency="CNY", through=APRIL.date(), by=bank.as_(bank.hua), now=APRIL)
        assert read("payroll-batches", key) == []  # for who sees the awards of all

    def test_every_reading_of_people_is_recorded(self, bank: Bank, proposal: Proposal) -> None:
        key = make_key(Permission.VIEW_AWARDS, units=[bank.north])
        read("proposals", key)

        entry = AuditEntry.objects.get(action="awards.read")
        assert entry.details == {"numbers": ["li", "mei"]}

    def test_an_amount_that_tells_a_result_is_a_look_at_its_person(self, bank: Bank) -> None:
        version = make_system()
        result(make_run(), bank.li, bank.north, 4.0)
        scheme = scheme_in_force(bank)
        scores(version, {bank.north: 80.0})
        granted(bank, proposed(scheme, bank.li))
        Look.objects.all().delete()
        key = make_key(Permission.VIEW_AWARDS, units=[bank.north])

        read("ledger", key)
        assert [(look.staff, look.way, look.times) for look in Look.objects.all()] == [
            (bank.li, "rest", 1)
        ]
        read("proposals?state=approved", key)
        assert Look.objects.get(staff=bank.li).times == 2

    def test_other_units_are_not_seen_and_other_permissions_do_not_reach(
        self, bank: Bank, proposal: Proposal
    ) -> None:
        granted(bank, proposal)
        south = make_key(Permission.VIEW_AWARDS, units=[bank.south])

        assert read("proposals", south) == read("ledger", south) == []
        other = make_key(Permission.VIEW_TICKETS, units=[bank.north])
        for path in ("schemes", "proposals", "ledger", "payroll-batches"):
            assert get(path, other).status_code == 403
            assert get(path).status_code == 401

    def test_only_what_is_declared_filters(self, bank: Bank, proposal: Proposal) -> None:
        key = make_key(Permission.VIEW_AWARDS, units=[bank.north])

        assert get("proposals?basis=1", key).status_code == 400
        assert get("ledger?amount=1", key).status_code == 400


class TestDeciding:
    def test_two_people_take_two_steps_once_a_key(self, bank: Bank, proposal: Proposal) -> None:
        first = decide(bank.mei.user, proposal, "review")
        again = decide(bank.mei.user, proposal, "review")

        assert (first.status_code, again.status_code) == (200, 200)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert first.content == again.content
        for _ in range(2):
            done = decide(bank.hua.user, proposal, "approve", once="key-00000002")
            assert done.json()["entry"] == f"award:{proposal.pk}"  # type: ignore[attr-defined]  # the test client's own kind
        assert LedgerEntry.objects.count() == 1
        late = decide(bank.hua.user, proposal, "approve", once="key-00000003")
        assert late.status_code == 409

    def test_declining_leaves_no_entry(self, bank: Bank, proposal: Proposal) -> None:
        reviewed(bank, proposal)
        done = decide(bank.hua.user, proposal, "approve", agrees=False)

        assert done.json() == {"entry": None, "proposal": proposal.pk, "state": "declined"}  # type: ignore[attr-defined]  # the test client's own kind
        assert LedgerEntry.objects.count() == 0

    @pytest.mark.parametrize(
        "body", [{"reason": ""}, {"agrees": "perhaps"}, {"amount": 5}, {"agrees": None}]
    )
    def test_what_cannot_be_understood_is_refused(
        self, bank: Bank, proposal: Proposal, body: dict[str, Any]
    ) -> None:
        assert decide(bank.mei.user, proposal, "review", **body).status_code == 400
        assert Decision.objects.count() == 0

    def test_who_may_not_is_refused(self, bank: Bank, proposal: Proposal) -> None:
        assert decide(bank.li.user, proposal, "review").status_code == 403
        assert decide(bank.hua.user, proposal, "review").status_code == 403
        assert decide(bank.mei.user, proposal, "approve").status_code == 403
        assert decide(bank.chen.user, proposal, "review").status_code == 404
        assert decide(None, proposal, "review").status_code in (401, 403)
        assert Decision.objects.count() == 0
