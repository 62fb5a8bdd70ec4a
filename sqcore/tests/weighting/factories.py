"""A draft of three dimensions to weigh, and people who weigh it."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import EvaluationRun
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
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, make_principal, make_unit, make_user
from sqcore.tests.rest import make_value

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


SCORES = {
    "mei": (9, 6, 3),
    "chen": (8, 6, 2),
    "li": (10, 7, 4),
}
"""Scores of reliability, responsiveness and empathy that all put into the same order."""


def scored(scores: Sequence[int], codes: Sequence[str] = NAMES) -> dict[str, dict[str, object]]:
    """What an expert says in a round, without reasons."""
    return {code: {"score": score, "reason": ""} for code, score in zip(codes, scores, strict=True)}


def evaluate(
    version: SystemVersion,
    period: str,
    scores: Mapping[Unit, Sequence[float | None]],
    *,
    codes: Sequence[str] = NAMES,
    kind: str = "dimension",
    top: Unit | None = None,
    hidden: Sequence[Unit] = (),
) -> EvaluationRun:
    """A current run of this version with the scores of these units below `top`; None is
    suppressed. The overall score of `hidden` units is suppressed."""
    of = Period.parse(period)
    tree: dict[str, int | None] = {str(unit.pk): top.pk if top else None for unit in scores}
    if top is not None:
        tree[str(top.pk)] = None
    run = EvaluationRun.objects.create(
        system=version.system,
        version=version,
        grain=of.grain,
        starts_on=of.start,
        ends_on=of.end,
        is_current=True,
        state=EvaluationRun.State.PUBLISHED,
        reason="closed",
        tree=tree,
        created_at=NOW,
        published_at=NOW,
    )
    for unit, row in scores.items():
        status = "suppressed" if unit in hidden else "ok"
        make_value(run, unit, status=status)
        for code, score in zip(codes, row, strict=True):
            shown = {"status": "suppressed"} if score is None else {"score": score}
            make_value(run, unit, kind=kind, code=code, **shown)
    return run


def make_units(count: int, top: Unit) -> list[Unit]:
    return [make_unit(f"branch-{number}", parent=top) for number in range(1, count + 1)]
