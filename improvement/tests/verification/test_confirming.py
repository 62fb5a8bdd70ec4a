"""Who confirms a verdict, who overrides it, and what the ledger and others hear of it."""

import pytest

from improvement.tests.verification.stage import Stage, make_stage, repaired
from improvement.tickets.models import State, Ticket
from improvement.verification.models import EffectCheck, Verdict
from improvement.verification.services import (
    confirm_effect,
    override_effect,
    withdraw_override,
)
from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, DomainError, InvalidInput, NotFound, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal, system_principal
from sqcore.tests.factories import give_role, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage() -> Stage:
    return make_stage()


@pytest.fixture
def check(stage: Stage) -> EffectCheck:
    return stage.checked(repaired(104), week=90)


@pytest.fixture
def bo(stage: Stage) -> Principal:
    """A second person of quality."""
    user = make_user("bo")
    give_role(user, Role.ANALYST)
    return stage.as_(user)


def _nothing_happened(check: EffectCheck) -> None:
    kept = EffectCheck.objects.get(pk=check.pk)
    assert (kept.confirmed_verdict, kept.override_verdict) == ("", "")
    assert kept.confirmed_by is None
    assert not OutboxEvent.objects.filter(kind="improvement.effect.verified").exists()


def test_quality_confirms_and_everybody_hears(stage: Stage, check: EffectCheck) -> None:
    confirm_effect(check_id=check.pk, by=stage.ana, now=stage.at(91))

    kept = EffectCheck.objects.get(pk=check.pk)
    assert (kept.confirmed_verdict, kept.confirmed_by) == (Verdict.IMPROVED, stage.bank.ana)
    event = OutboxEvent.objects.get(kind="improvement.effect.verified")
    assert event.payload == {
        "ticket_id": check.plan.ticket_id,
        "check_id": check.pk,
        "verdict": "improved",
        "on": event.published_at.date().isoformat(),
        "staff_ids": [],
    }
    entry = AuditEntry.objects.get(action="effect.confirmed")
    assert entry.details == {"check": check.pk, "look": 1, "verdict": "improved"}


def test_nobody_confirms_twice(stage: Stage, check: EffectCheck, bo: Principal) -> None:
    confirm_effect(check_id=check.pk, by=stage.ana, now=stage.at(91))

    with pytest.raises(Conflict):
        confirm_effect(check_id=check.pk, by=bo, now=stage.at(92))

    assert OutboxEvent.objects.filter(kind="improvement.effect.verified").count() == 1


def test_the_owner_judges_nothing(stage: Stage, check: EffectCheck) -> None:
    Ticket.objects.update(owner=stage.bank.ana)

    with pytest.raises(NotPermitted):
        confirm_effect(check_id=check.pk, by=stage.ana, now=stage.at(91))
    with pytest.raises(NotPermitted):
        override_effect(
            check_id=check.pk, verdict="worse", reason="no", by=stage.ana, now=stage.at(91)
        )

    _nothing_happened(check)


@pytest.mark.parametrize(
    ("who", "error"), [("mei", NotPermitted), ("li", NotPermitted), ("chen", NotFound)]
)
def test_others_judge_nothing(
    stage: Stage, check: EffectCheck, who: str, error: type[DomainError]
) -> None:
    by = stage.as_(getattr(stage.bank, who))

    with pytest.raises(error):
        confirm_effect(check_id=check.pk, by=by, now=stage.at(91))
    with pytest.raises(error):
        override_effect(check_id=check.pk, verdict="worse", reason="no", by=by, now=stage.at(91))

    _nothing_happened(check)


def test_the_software_confirms_nothing(stage: Stage, check: EffectCheck) -> None:
    with pytest.raises(NotPermitted):
        confirm_effect(check_id=check.pk, by=system_principal(), now=stage.at(91))

    _nothing_happened(check)


def test_an_interim_look_is_not_confirmed(stage: Stage) -> None:
    early = stage.checked(repaired(104), week=64)

    with pytest.raises(Conflict):
        confirm_effect(check_id=early.pk, by=stage.ana, now=stage.at(91))

    _nothing_happened(early)


def test_a_ticket_that_moved_on_is_not_confirmed(stage: Stage, check: EffectCheck) -> None:
    Ticket.objects.update(state=State.ACT)

    with pytest.raises(Conflict):
        confirm_effect(check_id=check.pk, by=stage.ana, now=stage.at(91))

    _nothing_happened(check)


def test_an_override_takes_two_people_and_a_reason(
    stage: Stage, check: EffectCheck, bo: Principal
) -> None:
    override_effect(
        check_id=check.pk,
        verdict="inconclusive",
        reason="The branch was closed for half of the time.",
        by=stage.ana,
        now=stage.at(91),
    )
    with pytest.raises(NotPermitted):
        confirm_effect(check_id=check.pk, by=stage.ana, now=stage.at(91))
    confirm_effect(check_id=check.pk, by=bo, now=stage.at(92))

    kept = EffectCheck.objects.get(pk=check.pk)
    assert (kept.verdict, kept.confirmed_verdict) == (Verdict.IMPROVED, Verdict.INCONCLUSIVE)
    assert (kept.override_by, kept.confirmed_by) == (stage.bank.ana, bo.user)
    event = OutboxEvent.objects.get(kind="improvement.effect.verified")
    assert event.payload["verdict"] == "inconclusive"


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [("improved", "why"), ("splendid", "why"), ("worse", " "), ("worse", "x" * 1001)],
)
def test_refuses_an_override_that_says_nothing(
    stage: Stage, check: EffectCheck, verdict: str, reason: str
) -> None:
    with pytest.raises(InvalidInput):
        override_effect(
            check_id=check.pk, verdict=verdict, reason=reason, by=stage.ana, now=stage.at(91)
        )

    _nothing_happened(check)


def test_a_second_person_who_does_not_agree_takes_the_override_away(
    stage: Stage, check: EffectCheck, bo: Principal
) -> None:
    override_effect(
        check_id=check.pk, verdict="worse", reason="It feels so.", by=stage.ana, now=stage.at(91)
    )
    with pytest.raises(Conflict):
        override_effect(
            check_id=check.pk, verdict="no_change", reason="No.", by=bo, now=stage.at(91)
        )

    withdraw_override(check_id=check.pk, by=bo, now=stage.at(92))
    confirm_effect(check_id=check.pk, by=bo, now=stage.at(92))

    assert EffectCheck.objects.get(pk=check.pk).confirmed_verdict == Verdict.IMPROVED
    assert list(
        AuditEntry.objects.filter(action__startswith="effect.")
        .order_by("id")
        .values_list("action", flat=True)
    ) == [
        "effect.checked",
        "effect.overridden",
        "effect.override_withdrawn",
        "effect.confirmed",
    ]
