"""A draft of three dimensions to weigh, and people who weigh it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqcore.base.periods import Grain
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal
from sqcore.indicators.models import (
    Dimension,
    Indicator,
    IndicatorSystem,
    SystemVersion,
    WeightedIndicator,
)
from sqcore.tests.factories import NOW, make_principal, make_user

NAMES = ("reliability", "responsiveness", "empathy")


def make_draft(
    codes: Sequence[str] = NAMES, *, system: IndicatorSystem | None = None, number: int = 1
) -> SystemVersion:
    """A draft with these dimensions; the first has two indicators, the second one more."""
    system = system or IndicatorSystem.objects.create(code="service", name={"en": "Service"})
    version = SystemVersion.objects.create(
        system=system, number=number, grains=[Grain.MONTH], since=date(2025, 1, 1)
    )
    for place, code in enumerate(codes):
        Dimension.objects.create(
            version=version,
            code=code,
            name={"en": code.title()},
            weight=Decimal(1) / len(codes),
            position=place,
        )
    first = Dimension.objects.get(version=version, code=codes[0])
    for place, code in enumerate(("kept-promises", "without-error")):
        indicator, _made = Indicator.objects.get_or_create(
            code=code,
            defaults={
                "name": {"en": code.replace("-", " ").capitalize()},
                "source": "surveys",
                "parameters": {"measure": code},
            },
        )
        WeightedIndicator.objects.create(
            dimension=first,
            indicator=indicator,
            weight=Decimal("0.5"),
            worst=1,
            best=7,
            position=place,
        )
    return version


def publish(version: SystemVersion) -> SystemVersion:
    """Count from now on, without asking whether it is complete."""
    SystemVersion.objects.published().filter(system=version.system).update(
        state=SystemVersion.State.RETIRED
    )
    version.state = SystemVersion.State.PUBLISHED
    version.published_at = NOW
    version.save()
    return version


def make_expert(name: str) -> Principal:
    """Somebody who may change the indicator system."""
    return principal_of_expert(make_user(name))


def principal_of_expert(user: User) -> Principal:
    permissions = {Permission.MANAGE_INDICATORS: EVERYWHERE, Permission.VIEW_RESULTS: EVERYWHERE}
    return make_principal(permissions, key=f"user:{user.pk}", user=user)


def weights_of(version: SystemVersion) -> dict[str, str]:
    """The weights of the top dimensions as they stand, to six places."""
    found = Dimension.objects.filter(version=version, parent=None).order_by("position")
    return {each.code: f"{each.weight:.6f}" for each in found}
