"""What changed between two versions of a system, as values: settings, tree, definitions, weights,
goals.

Each version stands as on the day of its publication, a draft as it stands today: epochs and targets
that came later belong to neither.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqcore.base.text import TranslatedText
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import with_operands
from sqcore.indicators.epochs import MEASURED, as_measured, former_definitions
from sqcore.indicators.models import Dimension, SystemVersion, WeightedIndicator
from sqcore.indicators.queries import targets_by_code
from sqcore.indicators.shapes import Scoring, scoring_of
from sqcore.org.queries import local_day
from sqcore.publication.models import Goal
from sqcore.publication.queries import goals_of

SETTINGS = ("grains", "since", "target", "aggregation")
INDICATOR = "indicator"
DIMENSION = "dimension"


@dataclass(frozen=True)
class Change:
    """One field that says something else; None where there was or is nothing."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Part:
    """A dimension, or an indicator in its place (`dimension` is empty where only formulas need it),
    with all that a version says of it; the weight is its share of what stands beside it."""

    kind: str
    code: str
    name: TranslatedText
    dimension: str
    weight: Decimal | None
    says: Mapping[str, Any]


@dataclass(frozen=True)
class Changed:
    """A part that both versions have, and what they say otherwise of it."""

    part: Part
    before: Part
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Weighed:
    """The weight of a part before and after; None where it did not stand in the tree."""

    part: Part
    before: Decimal | None
    after: Decimal | None


@dataclass(frozen=True)
class ChangedGoal:
    before: Goal
    after: Goal


@dataclass(frozen=True)
class Differences:
    """All that is not the same in two versions; `same_weights` counts what weighs the same."""

    former: SystemVersion
    later: SystemVersion
    settings: tuple[Change, ...] = ()
    added: tuple[Part, ...] = ()
    removed: tuple[Part, ...] = ()
    changed: tuple[Changed, ...] = ()
    weights: tuple[Weighed, ...] = ()
    same_weights: int = 0
    goals_added: tuple[Goal, ...] = ()
    goals_removed: tuple[Goal, ...] = ()
    goals_changed: tuple[ChangedGoal, ...] = ()
    names: Mapping[str, TranslatedText] = field(default_factory=dict)
    """The dimensions of both by code."""

    @property
    def are_none(self) -> bool:
        return not (
            self.settings
            or self.added
            or self.removed
            or self.changed
            or self.weights
            or self.goals_added
            or self.goals_removed
            or self.goals_changed
        )


def differences(
    former: SystemVersion, later: SystemVersion, *, principal: Principal, now: datetime
) -> Differences:
    """Return what changed from one version to another. A dozen queries, whatever their size."""
    before, after = parts_of(former, now=now), parts_of(later, now=now)
    both = [key for key in after if key in before]
    found = ((after[key], before[key], changes_of(before[key], after[key])) for key in both)
    weights = list(_weights(before, after))
    goals = {each.key: each for each in goals_of(former, principal=principal)}
    goals_now = {each.key: each for each in goals_of(later, principal=principal)}
    return Differences(
        former=former,
        later=later,
        settings=tuple(
            Change(name, getattr(former, name), getattr(later, name))
            for name in SETTINGS
            if getattr(former, name) != getattr(later, name)
        ),
        added=tuple(part for key, part in after.items() if key not in before),
        removed=tuple(part for key, part in before.items() if key not in after),
        changed=tuple(Changed(part, was, changes) for part, was, changes in found if changes),
        weights=tuple(each for each in weights if each.before != each.after),
        same_weights=sum(each.before == each.after for each in weights),
        goals_added=tuple(goal for key, goal in goals_now.items() if key not in goals),
        goals_removed=tuple(goal for key, goal in goals.items() if key not in goals_now),
        goals_changed=tuple(
            ChangedGoal(goals[key], goal)
            for key, goal in goals_now.items()
            if key in goals and _said(goal) != _said(goals[key])
        ),
        names={
            part.code: part.name
            for part in (*before.values(), *after.values())
            if part.kind == DIMENSION
        },
    )


def changes_of(before: Part, after: Part) -> tuple[Change, ...]:
    """Return the fields of a part that say something else; the weight is told apart."""
    said = {"dimension": before.dimension, **before.says}
    says = {"dimension": after.dimension, **after.says}
    return tuple(
        Change(name, said.get(name), says.get(name))
        for name in dict.fromkeys([*said, *says])
        if said.get(name) != says.get(name)
    )


def day_of(version: SystemVersion, *, now: datetime) -> date:
    """Return the day as on which a version stands: that of its publication, of a draft today."""
    return local_day(version.published_at or now)


def parts_of(version: SystemVersion, *, now: datetime) -> dict[tuple[str, str], Part]:
    """Return the dimensions and indicators of a version in the order of its tree, and then what
    only its formulas need, by kind and code."""
    on = day_of(version, now=now)
    dimensions = list(Dimension.objects.filter(version=version).order_by("position", "id"))
    codes = {each.pk: each.code for each in dimensions}
    uses = list(
        WeightedIndicator.objects.filter(dimension__version=version)
        .select_related("indicator")
        .order_by("dimension__position", "dimension_id", "position", "id")
    )
    former = former_definitions(on)
    found = with_operands(as_measured([use.indicator for use in uses], former), former=former)
    targets = targets_by_code(list(found), on=on)
    parts: list[Part] = [
        Part(
            DIMENSION,
            each.code,
            each.name,
            codes.get(each.parent_id, "") if each.parent_id else "",
            each.weight,
            {"name": each.name, "target": each.target},
        )
        for each in dimensions
    ]
    placed: dict[str, WeightedIndicator] = {use.indicator.code: use for use in uses}
    for code, indicator in found.items():
        use, target = placed.get(code), targets.get(code)
        says = {key: getattr(indicator, key) for key in MEASURED}
        if use is not None:
            says |= {"points": scoring_of(use)}
            says |= {"target": target.value if target else None}
            says |= {"floor": target.floor if target else None}
        parts.append(
            Part(
                INDICATOR,
                code,
                indicator.name,
                codes[use.dimension_id] if use else "",
                use.weight if use else None,
                says,
            )
        )
    return {(part.kind, part.code): part for part in parts}


def _weights(
    before: Mapping[tuple[str, str], Part], after: Mapping[tuple[str, str], Part]
) -> Iterable[Weighed]:
    for key in dict.fromkeys([*after, *before]):
        was = before[key].weight if key in before else None
        now = after[key].weight if key in after else None
        if was is not None or now is not None:
            yield Weighed(after.get(key) or before[key], was, now)


def _said(goal: Goal) -> tuple[TranslatedText, str]:
    return goal.text, goal.dimension


def points_row(value: object) -> object:
    """Return a field as it stands in JSON: a shape by its names."""
    if isinstance(value, Scoring):
        knots = [list(knot) for knot in value.knots]
        return {
            "worst": value.worst,
            "best": value.best,
            "shape": value.shape,
            "dead_band": value.dead_band,
            "limit": value.limit,
            "knots": knots,
        }
    return value.isoformat() if isinstance(value, date) else value
