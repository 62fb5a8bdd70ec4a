"""Every address of the REST interface, asked by every role: who gets in, and whom it shows."""

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import time_machine
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from improvement.tests.factories import make_ticket
from improvement.tickets.models import Comment, Ticket
from sqcore.audit.models import AuditEntry
from sqcore.base.models import RememberedRequest
from sqcore.comparators.models import Comparator, ComparatorValue
from sqcore.encounters.models import Encounter
from sqcore.evaluation.models import EvaluationRun
from sqcore.identity.models import User
from sqcore.identity.permissions import MATRIX, TOKEN_PERMISSIONS, Permission, Role
from sqcore.indicators.definition import SystemDefinition
from sqcore.indicators.models import Indicator, SystemVersion
from sqcore.jobs.models import Job
from sqcore.measurements.models import EquipmentState, Observation
from sqcore.org.models import Assignment, Staff, Unit
from sqcore.tests.factories import (
    NOW,
    TODAY,
    give_role,
    make_channel,
    make_post,
    make_segment,
    make_staff,
    make_unit,
    make_user,
)
from sqcore.tests.measurements.making import machine, measure, send
from sqcore.tests.rest import make_key, make_run, make_system, make_value
from surveys.invitations.models import Invitation
from surveys.responses.models import Response
from surveys.tests.factories import make_campaign, make_link
from surveys.tests.invitations.factories import invite
from training.certificates.models import Certificate
from training.enrolments.models import Attempt, Enrolment
from training.incentives.models import Decision, LedgerEntry, Proposal, Scheme, SchemeVersion
from training.tests.factories import course_of, enrolment_of, make_competency, session_of

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[1]
P = Permission

PEOPLE: dict[str, tuple[Role, str] | None] = {
    "ada": (Role.ADMINISTRATOR, ""),
    "hua": (Role.HR, ""),
    "ana": (Role.ANALYST, ""),
    "mei": (Role.MANAGER, "north"),
    "chen": (Role.MANAGER, "south"),
    "li": (Role.STAFF, "north"),
    "nobody": None,
}
TOKENS: dict[str, tuple[tuple[Permission, ...], str]] = {
    "results token": ((P.VIEW_RESULTS,), ""),
    "organisation token": ((P.VIEW_ORGANISATION,), ""),
    "people token": ((P.VIEW_PEOPLE,), "north"),
    "sending token": ((P.SUBMIT_RESPONSES,), "north"),
    "feeding token": ((P.SEND_MEASUREMENTS,), "north"),
    "market token": ((P.MANAGE_COMPARATORS,), ""),
    "ticket token": ((P.VIEW_TICKETS, P.PROPOSE_TICKETS), "north"),
    "training token": ((P.VIEW_TRAINING, P.MANAGE_TRAINING), "north"),
    "people's results token": ((P.VIEW_PEOPLE_RESULTS,), "north"),
    "awards token": ((P.VIEW_AWARDS,), "north"),
}
KNOWN = {*PEOPLE, *TOKENS}
EVERYBODY = {"ada", "hua", "ana", "mei", "chen", "li"}

POLICY = {"smallest_group": 5, "coverage": 0.6, "confidence": 0.95}
ALLOWED: dict[str, set[str]] = {
    "GET ": KNOWN,
    "GET organisation": EVERYBODY | {"organisation token"},
    "GET units": EVERYBODY | {"organisation token"},
    "GET units/north": (EVERYBODY - {"chen"}) | {"organisation token"},
    "GET units/north/diagnosis": (EVERYBODY - {"chen"}) | {"results token"},
    "GET units/north/review.pdf": (EVERYBODY - {"chen"}) | {"results token"},
    "GET channels": EVERYBODY | {"organisation token"},
    "GET segments": EVERYBODY | {"organisation token"},
    "GET staff": {"hua", "mei", "chen", "people token"},
    "GET indicators": EVERYBODY | {"results token"},
    "GET indicators/care": EVERYBODY | {"results token"},
    "GET systems": EVERYBODY | {"results token"},
    "GET systems/service": EVERYBODY | {"results token"},
    "GET systems/service/weights": EVERYBODY | {"results token"},
    "GET systems/service/weights/sensitivity": EVERYBODY | {"results token"},
    "GET systems/service/versions/1/goals": EVERYBODY | {"results token"},
    "GET systems/service/versions/1/screening": EVERYBODY | {"results token"},
    "GET systems/service/versions/1/changes": EVERYBODY | {"results token"},
    "GET systems/service/comparison?unit=north": (EVERYBODY - {"chen"}) | {"results token"},
    "GET comparators": EVERYBODY | {"results token", "market token"},
    "GET comparator-values": EVERYBODY | {"results token", "market token"},
    "POST comparator-values": {"ada", "ana", "market token"},
    "POST comparator-values/1/withdraw": {"ada", "ana", "market token"},
    "GET measures": EVERYBODY | {"results token", "feeding token"},
    "GET measurements?measure=errors": EVERYBODY | {"results token"},
    "POST measurements": {"ana", "feeding token"},
    "POST measurement-withdrawals": {"ana", "feeding token"},
    "GET equipment": EVERYBODY | {"results token"},
    "POST equipment-states": {"ana", "feeding token"},
    "GET services": EVERYBODY | {"results token", "feeding token"},
    "GET stages": EVERYBODY | {"results token", "feeding token"},
    "GET encounters": {"ada", "ana"},
    "POST encounters": {"ana", "feeding token"},
    "GET process-map": EVERYBODY | {"results token"},
    "GET kpi-values": EVERYBODY | {"results token"},
    "GET analyses": EVERYBODY | {"results token"},
    "GET expectations": EVERYBODY | {"results token"},
    "GET weighings": EVERYBODY | {"results token"},
    "GET customers-at-risk": EVERYBODY | {"results token"},
    "GET runs": EVERYBODY | {"results token"},
    "GET runs/1": EVERYBODY | {"results token"},
    "POST runs": {"ada", "ana"},
    "GET campaigns": EVERYBODY | {"results token", "sending token"},
    "GET campaigns/visits": (EVERYBODY - {"chen"}) | {"results token", "sending token"},
    "POST campaigns/visits/responses": {"ana", "sending token"},
    "POST campaigns/visits/response-batches": {"ana", "sending token"},
    "GET invitations?campaign=visits": {"ana", "feeding token"},
    "POST invitations/hand-out": {"ana", "feeding token"},
    "GET charts?system=service&unit=north&code=composite&grain=month": (EVERYBODY - {"chen"})
    | {"results token"},
    "GET charts/forecast?system=service&unit=north&code=composite&grain=month": (
        EVERYBODY - {"chen"}
    )
    | {"results token"},
    "GET signals": EVERYBODY | {"results token"},
    "GET early-warnings": EVERYBODY | {"results token"},
    "GET watches": EVERYBODY | {"results token"},
    "GET tickets": EVERYBODY | {"ticket token"},
    "GET tickets/1": (EVERYBODY - {"chen"}) | {"ticket token"},
    "POST tickets": {"hua", "ana", "mei", "li", "ticket token"},
    "POST tickets/1/comments": {"hua", "ana", "mei", "li"},
    "GET tickets/1/checks": EVERYBODY - {"chen"},
    "POST tickets/1/snooze": {"ana", "mei"},
    "GET standards": EVERYBODY | {"ticket token"},
    "GET people-results": {"hua", "mei", "chen", "people's results token"},
    "GET people-results/runs": {"hua", "mei", "chen", "people's results token"},
    "GET schemes": {"hua", "mei", "chen", "awards token"},
    "GET proposals": {"hua", "mei", "chen", "awards token"},
    "POST proposals/1/review": {"mei"},
    "POST proposals/2/approve": {"hua"},
    "GET ledger": {"hua", "mei", "chen", "awards token"},
    "GET payroll-batches": {"hua", "mei", "chen", "awards token"},
    "GET courses": {"hua", "mei", "chen", "training token"},
    "GET sessions": {"hua", "mei", "chen", "training token"},
    "GET sessions/listening/enrolments": {"hua", "mei", "chen", "training token"},
    "POST enrolments": {"hua", "mei", "training token"},
    "POST attempts": {"hua", "mei", "training token"},
    "GET certificates": {"hua", "mei", "chen", "training token"},
    "POST certificates": {"hua", "training token"},
    "GET requirements": {"hua", "mei", "chen", "training token"},
    "POST requirements": {"hua", "training token"},
    "GET obligations": {"hua", "mei", "chen", "training token"},
    "GET competencies": {"hua", "mei", "chen", "training token"},
    "GET evidence": {"hua", "mei", "chen", "training token"},
    "POST evidence": {"hua", "mei", "training token"},
    "GET training-needs": {"hua", "mei", "chen", "training token"},
    "GET studies": {"hua", "mei", "chen", "training token"},
    "GET courses/listening/effect": {"hua", "mei", "chen", "training token"},
}
"""By method and address: who is let in. Everybody else is refused, 401, 403 or 404."""

RESPONSE = {"unit": "north", "answered_on": "2026-03-02", "answers": {"p1": 6}}
MEASUREMENT = {
    "measure": "errors", "unit": "north", "period": "2026-01", "numerator": 5, "denominator": 200,
}  # fmt: skip
WITHDRAWAL = {"measure": "errors", "unit": "north", "period": "2026-01", "because": "A mistake"}
ENCOUNTER = {"key": "t-1", "unit": "north", "arrived_at": "2026-03-02T09:00:00+08:00"}
BODIES = {
    "POST encounters": {"encounters": [ENCOUNTER]},
    "POST measurements": {"measurements": [MEASUREMENT]},
    "POST measurement-withdrawals": {"withdrawals": [WITHDRAWAL]},
    "POST equipment-states": {
        "states": [{"equipment": "atm-1", "state": "down", "at": "2026-02-17T09:30:00Z"}]
    },
    "POST comparator-values": {
        "comparator": "market",
        "indicator": "care",
        "starts_on": "2025-01-01",
        "ends_on": "2026-01-01",
        "value": 5.5,
        "source": "Yearbook",
    },
    "POST comparator-values/1/withdraw": {"because": "A misprint."},
    "POST campaigns/visits/responses": RESPONSE,
    "POST campaigns/visits/response-batches": {"responses": [RESPONSE]},
    "POST invitations/hand-out": {"campaign": "visits", "encounters": ["visit-north"]},
    "POST runs": {"system": "service", "period": "2026-01"},
    "POST tickets": {"unit": "north", "title": "No paper at noon", "dedup_key": "desk-7"},
    "POST tickets/1/comments": {"text": "Seen again."},
    "POST tickets/1/snooze": {"revision": 1, "until": "2026-04-01"},
    "POST evidence": {
        "staff": "100",
        "competency": "talking",
        "level": 2,
        "kind": "experience",
        "on": "2026-01-05",
        "reference": "seen-1",
    },
    "POST proposals/1/review": {"agrees": True, "reason": "Fits what I see."},
    "POST proposals/2/approve": {"agrees": True, "reason": "Within the rules."},
    "POST requirements": {
        "course": "listening",
        "unit": "north",
        "within_days": 30,
        "valid_from": "2026-03-02",
    },
    "POST enrolments": {"session": "listening", "staff": "100"},
    "POST attempts": {
        "session": "listening",
        "staff": "100",
        "kind": "before",
        "score": "40",
        "on": "2026-03-02",
    },
    "POST certificates": {
        "external_key": "lms-1",
        "staff": "100",
        "course": "listening",
        "issued_on": "2026-03-01",
    },
}


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> dict[str, Unit]:
    """A bank with two regions, somebody at work in each, figures and a campaign of the north."""
    root = make_unit("bank")
    units = {"bank": root}
    teller = make_post()
    for number, code in enumerate(("north", "south")):
        units[code] = make_unit(code, parent=root)
        staff = make_staff(f"10{number}")
        Assignment.objects.create(
            staff=staff, unit=units[code], post=teller, valid_from=date(2024, 1, 1)
        )
    make_channel("counter")
    make_segment("private")
    system = make_system()
    run = make_run(system, "2025-12")
    SystemVersion.objects.create(
        system=system, number=0, state="retired", since=date(2023, 1, 1), published_at=NOW
    )
    definition = SystemDefinition("service", {"en": "Service"}, 1, ()).as_json()
    EvaluationRun.objects.filter(pk=run.pk).update(id=1, definition=definition, policy=POLICY)
    run = EvaluationRun.objects.get()
    for unit in units.values():
        make_value(run, unit)
    _indicator()
    _market()
    measure("errors")
    for code in ("north", "south"):
        machine(f"atm-{'12'[code == 'south']}", units[code])
        send(MEASUREMENT | {"unit": code, "period": "2025-12"})
    campaign = make_campaign("visits", opens_on=TODAY - timedelta(days=9))
    make_link(campaign, units["north"])
    invite(campaign, "visit-north", units["north"])
    make_ticket(units["north"], id=1)
    make_competency("talking")
    session = session_of(course_of("listening"), "listening", unit=units["north"])
    enrolment_of(session, Staff.objects.get(number="100"))
    for name, grant in PEOPLE.items():
        user = make_user(name)
        if grant is not None:
            role, code = grant
            give_role(user, role, units[code] if code else None)
    _awards(units["north"])
    return units


def _awards(unit: Unit) -> None:
    """Two proposals for the teller of the north: one waits for review, one was reviewed."""
    scheme = Scheme.objects.create(
        code="bonus", name={"en": "Bonus"}, kind=Scheme.Kind.PAY, grain="quarter",
        budget=100_000, state=Scheme.State.ACTIVE, created_at=NOW,
    )  # fmt: skip
    version = SchemeVersion.objects.create(
        scheme=scheme, number=1, valid_from=date(2025, 7, 1), written_at=NOW, published_at=NOW
    )
    for number, (start, state) in enumerate(
        ((date(2025, 10, 1), "proposed"), (date(2025, 7, 1), "reviewed")), start=1
    ):
        Proposal.objects.create(
            id=number, version=version, scheme=scheme, staff=Staff.objects.get(number="100"),
            unit=unit, period_start=start, amount=5_000, title={"en": "Bonus"}, state=state,
            proposed_at=NOW, changed_at=NOW,
        )  # fmt: skip
    Decision.objects.create(
        proposal_id=2, step=Decision.Step.REVIEW, agrees=True, reason="Agreed.",
        by=User.objects.get(username="nobody"), at=NOW,
    )  # fmt: skip


def _indicator() -> None:
    Indicator.objects.create(
        code="care", name={"en": "Care"}, source="surveys", parameters={"measure": "p2"}
    )


def _market() -> None:
    ComparatorValue.objects.create(
        id=1, comparator=Comparator.objects.create(code="market", name={"en": "M"}, kind="average"),
        indicator=Indicator.objects.get(code="care"), starts_on=date(2024, 1, 1),
        ends_on=date(2025, 1, 1), value=5.0, source="Yearbook", recorded_by="system",
        recorded_at=NOW,
    )  # fmt: skip


def client_of(who: str, bank: dict[str, Unit]) -> Client:
    if who == "anonymous":
        return Client()
    if who in PEOPLE:
        client = Client()
        client.force_login(User.objects.get(username=who))
        return client
    permissions, code = TOKENS[who]
    key = make_key(*permissions, units=[bank[code]] if code else [])
    return Client(headers={"Authorization": f"Bearer {key}"})


def ask(client: Client, asked: str, *, once: str = "key-00000001") -> tuple[int, bytes]:
    method, _space, path = asked.partition(" ")
    if method == "GET":
        response = client.get(f"/api/v1/{path}")
    else:
        response = client.post(
            f"/api/v1/{path}",
            BODIES[asked],
            content_type="application/json",
            headers={"Idempotency-Key": once},
        )
    return response.status_code, response.content


@pytest.mark.parametrize("who", [*sorted(KNOWN), "anonymous"])
def test_each_role_gets_in_where_the_matrix_says(who: str, bank: dict[str, Unit]) -> None:
    client = client_of(who, bank)

    let_in = {asked for asked in ALLOWED if ask(client, asked)[0] < 300}

    assert let_in == {asked for asked, allowed in ALLOWED.items() if who in allowed}


@pytest.mark.parametrize("who", [*sorted(KNOWN), "anonymous"])
def test_a_refused_request_changes_nothing(who: str, bank: dict[str, Unit]) -> None:
    client = client_of(who, bank)
    refused = [asked for asked, allowed in ALLOWED.items() if who not in allowed]

    statuses = {ask(client, asked)[0] for asked in refused}

    assert statuses <= ({401} if who == "anonymous" else {403, 404})
    assert not Response.objects.exists()
    assert Observation.objects.count() == 2
    assert not EquipmentState.objects.exists()
    assert not ComparatorValue.objects.get().is_withdrawn
    assert not Encounter.objects.exists()
    assert not Invitation.objects.filter(handed_out_on__isnull=False).exists()
    assert not RememberedRequest.objects.exists()
    assert not Job.objects.exists()
    assert EvaluationRun.objects.count() == 1
    assert Ticket.objects.get().revision == 1
    assert not Comment.objects.exists()
    assert Enrolment.objects.count() == 1
    assert not Attempt.objects.exists()
    assert not Certificate.objects.exists()
    assert Decision.objects.count() == 1
    assert not LedgerEntry.objects.exists()


def test_the_matrix_knows_every_address() -> None:
    known = {
        re.sub(
            r"/(listening|north|care|service|visits|1|2|snooze)(?=/|$)",
            "/<>",
            asked.partition(" ")[2].partition("?")[0],
        )
        for asked in ALLOWED
    }
    described = {"docs/", "schema/", "schema/openapi.json"}

    routes = {re.sub(r"<[^>]+>", "<>", route) for route in _routes(get_resolver(), "")}

    assert routes - described == known


def _routes(resolver: URLResolver, before: str) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern, route)
        elif isinstance(pattern, URLPattern) and route.startswith("api/v1/"):
            yield route.removeprefix("api/v1/")


SECRETS = {
    "mei": ("south", "101"),
    "chen": ("north", "100"),
    "li": ("south", "101", "100"),
    "people token": ("south", "101"),
    "sending token": ("south", "101", "100"),
    "feeding token": ("south", "101", "100"),
}
"""What must not stand in any answer to them: the other unit, and its people."""


@pytest.mark.parametrize("who", sorted(SECRETS))
def test_nobody_reads_of_a_unit_that_is_not_theirs(who: str, bank: dict[str, Unit]) -> None:
    client = client_of(who, bank)

    for asked in ALLOWED:
        if asked.startswith("GET"):
            status, content = ask(client, asked)
            if status == 200:
                for secret in SECRETS[who]:
                    assert f'"{secret}"'.encode() not in content, (asked, content)


@pytest.mark.parametrize(
    "path",
    [
        "kpi-values?unit=south",
        "staff?unit=south",
        "measurements?measure=errors&unit=south",
        "equipment?unit=south",
        "units/south",
        "units/bank",
    ],
)
def test_naming_what_is_not_theirs_shows_nothing(path: str, bank: dict[str, Unit]) -> None:
    response = client_of("mei", bank).get(f"/api/v1/{path}")

    if response.status_code == 200:
        assert json.loads(response.content)["results"] == []
    else:
        assert response.status_code == 404


def test_a_person_cannot_send_without_the_csrf_token(bank: dict[str, Unit]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="ana"))

    status, content = ask(client, "POST campaigns/visits/responses")

    assert status == 403
    assert b"CSRF" in content
    assert not Response.objects.exists()


def test_a_wrong_token_is_refused_although_a_session_would_do(bank: dict[str, Unit]) -> None:
    client = client_of("ada", bank)

    response = client.get("/api/v1/units", headers={"Authorization": "Bearer sq_wrong_wrong"})

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_refusal_stands_in_the_ledger_once_a_minute(bank: dict[str, Unit]) -> None:
    client = client_of("li", bank)

    for _ in range(3):
        assert client.get("/api/v1/staff").status_code == 403

    entry = AuditEntry.objects.get(action="api.refused")
    assert entry.details == {"method": "GET", "route": "api/v1/staff"}
    assert entry.actor.startswith("user:")


def test_the_written_matrix_is_the_program() -> None:
    table = (ROOT / "docs" / "permissions.md").read_text()
    lines = [line.strip("| \n").split("|") for line in table.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line] for line in lines]
    written = {row[0]: row[1:] for row in cells[2:]}

    assert list(written) == [str(permission.label) for permission in P]
    assert cells[0][1:-1] == [str(role.label) for role in Role]
    for permission in P:
        *roles, token = (written[str(permission.label)] + [""] * 6)[:6]
        says = {role for role, cell in zip(Role, roles, strict=True) if cell == "yes"}
        assert says == {role for role in Role if permission in MATRIX[role]}, permission
        assert token.startswith("can have") == (permission in TOKEN_PERMISSIONS), permission
