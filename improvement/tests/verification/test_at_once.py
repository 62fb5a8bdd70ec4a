"""Two real connections at one check: on SQLite a file, on PostgreSQL a server."""

import pytest

from improvement.tests.verification.stage import make_stage, quiet, repaired
from improvement.verification.models import EffectCheck
from improvement.verification.services import check_effect, confirm_effect
from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict
from sqcore.base.models import OutboxEvent
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal
from sqcore.tests.factories import give_role, make_user
from sqcore.tests.monitoring.test_at_once import in_threads

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_checks_and_two_confirmations_at_once_happen_once() -> None:
    stage = make_stage()
    stage.put(repaired(104))
    stage.put(quiet(104), code="errors")
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket))
    stage.do(ticket)
    mei, ana, now = stage.mei, stage.ana, stage.at(90)
    second = make_user("bo")
    give_role(second, Role.ANALYST)
    bo = stage.as_(second)

    in_threads(*[lambda: check_effect(ticket_id=ticket.pk, by=mei, now=now)] * 3)
    check = EffectCheck.objects.get()
    refused: list[Conflict] = []

    def confirm(by: Principal) -> None:
        try:
            confirm_effect(check_id=check.pk, by=by, now=now)
        except Conflict as error:
            refused.append(error)

    in_threads(lambda: confirm(ana), lambda: confirm(bo))

    assert AuditEntry.objects.filter(action="effect.checked").count() == 1
    assert OutboxEvent.objects.filter(kind="improvement.effect.verified").count() == 1
    assert len(refused) == 1
