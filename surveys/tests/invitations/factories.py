"""Encounters, plans and invitations for tests: exact values, nothing random."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqcore.encounters.models import Encounter
from sqcore.encounters.services import NewEncounter, take_encounters
from sqcore.org.models import Unit
from sqcore.tests.encounters.factories import MORNING, encounter
from surveys.campaigns.models import Campaign
from surveys.invitations.models import Invitation, SamplingPlan
from surveys.invitations.services import NewPlan, make_plan
from surveys.tests.factories import SYSTEM

NOON = MORNING + timedelta(hours=3)
"""Three hours after the encounters of the morning."""
MONDAY = date(2026, 3, 2)
DAY = timedelta(days=1)


def new_plan(**over: Any) -> NewPlan:
    """Everybody who came since Sunday, whoever they are."""
    fields: dict[str, Any] = {"share": Decimal(100), "starts_on": date(2026, 3, 1)}
    return NewPlan(**fields | over)


def make_a_plan(campaign: Campaign, **over: Any) -> SamplingPlan:
    return make_plan(campaign=campaign, new=new_plan(**over), by=SYSTEM, now=MORNING)


def served(unit: Unit, keys: Iterable[str], *, at: datetime = MORNING, **over: Any) -> None:
    """Encounters of these keys at a unit, all at one moment, known an hour later."""
    rows: list[NewEncounter] = [encounter(key, unit, at=at, **over) for key in keys]
    take_encounters(rows=rows, now=at + timedelta(hours=1))


def keys(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:05}" for number in range(count)]


def give_staff(key: str, staff_id: int) -> None:
    Encounter.objects.filter(key=key).update(staff_id=staff_id)


def invite(campaign: Campaign, key: str, unit: Unit, **over: Any) -> Invitation:
    """An invitation of this noon, without a drawing."""
    plan = SamplingPlan.objects.filter(campaign=campaign).first() or make_a_plan(campaign)
    fields: dict[str, Any] = {
        "campaign": campaign,
        "plan": plan,
        "encounter_key": key,
        "unit": unit,
        "encounter_on": MONDAY,
        "invited_on": MONDAY,
        "valid_until": MONDAY + 14 * DAY,
    }
    return Invitation.objects.create(**fields | over)
