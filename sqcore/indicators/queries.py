"""Reading indicator systems: which version counts, and what it says."""

from collections.abc import Collection, Sequence
from datetime import date

from django.db.models import Q

from sqcore.base.errors import NotFound
from sqcore.identity.principals import Principal
from sqcore.indicators.models import (
    Indicator,
    IndicatorEpoch,
    IndicatorSystem,
    SystemVersion,
    Target,
)


def systems(principal: Principal) -> list[IndicatorSystem]:
    """Return the systems that are evaluated, the one defined first at the front."""
    return list(
        IndicatorSystem.objects.visible_to(principal)
        .filter(is_active=True, versions__state=SystemVersion.State.PUBLISHED)
        .order_by("id")
    )


def system_by_code(principal: Principal, code: str) -> IndicatorSystem:
    """Return the system of this code. raises: NotFound"""
    found = IndicatorSystem.objects.visible_to(principal).filter(code=code).first()
    if found is None:
        raise NotFound(f"There is no indicator system “{code}”.")
    return found


def published_versions() -> list[SystemVersion]:
    """Return the published version of every active system, with its system."""
    return list(
        SystemVersion.objects.published()
        .filter(system__is_active=True)
        .select_related("system")
        .order_by("system_id")
    )


def published_version(system: IndicatorSystem) -> SystemVersion | None:
    """Return the version that counts now; None before the first is published."""
    return SystemVersion.objects.published().filter(system=system).select_related("system").first()


def past_versions(system: IndicatorSystem) -> list[SystemVersion]:
    """Return the versions that are or were published, the newest first."""
    found = SystemVersion.objects.filter(system=system).exclude(state=SystemVersion.State.DRAFT)
    return list(found.order_by("-number"))


def targets_by_code(codes: Sequence[str], *, on: date) -> dict[str, Target]:
    """Return the targets of a day by the code of their indicator. One query."""
    held = Target.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=on),
        indicator__code__in=codes,
        valid_from__lte=on,
    ).select_related("indicator")
    return {target.indicator.code: target for target in held}


def epoch_on(principal: Principal, codes: Collection[str], *, on: date) -> IndicatorEpoch | None:
    """Return the newest epoch of these indicators that had begun by a day; None while they measure
    what they always did. One query."""
    found = IndicatorEpoch.objects.visible_to(principal).filter(
        indicator__code__in=codes, starts_on__lte=on
    )
    return found.order_by("-starts_on", "-number", "pk").first()


def owner_of(principal: Principal, code: str) -> str:
    """Return the name of who looks after an indicator; empty when nobody does. One query."""
    found = Indicator.objects.visible_to(principal).filter(code=code, owner__isnull=False)
    return found.values_list("owner__name", flat=True).first() or ""
