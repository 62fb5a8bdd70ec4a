"""The system that a source's own measures make: published at once, all of equal weight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.base.errors import Conflict
from sqcore.base.text import TranslatedText
from sqcore.identity.principals import Principal
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.drafts import equal_weights
from sqcore.indicators.models import Indicator, IndicatorSystem, SystemVersion, WeightedIndicator
from sqcore.indicators.queries import published_version
from sqcore.indicators.services import define_system, draft_version, publish_version
from sqcore.indicators.shapes import Aggregation, Shape
from sqcore.indicators.trees import Branch, Leaf


@dataclass(frozen=True)
class StarterMeasure:
    """One measure of a source, ready to become an indicator of the dimension `group`."""

    code: str
    name: TranslatedText
    group: str
    group_name: TranslatedText
    source: str
    parameters: Mapping[str, Any]
    statistic: str
    worst: float
    best: float
    unit_of_measure: str = ""
    definition: TranslatedText = field(default_factory=dict)


@transaction.atomic
def starter_system(
    *,
    code: str,
    name: Mapping[str, str],
    measures: Sequence[StarterMeasure],
    grains: Sequence[str],
    since: date,
    by: Principal,
    now: datetime,
) -> SystemVersion:
    """Publish a system with one dimension a group and equal weights on both levels.

    Indicators that exist under the same code, source and measure are used as they are. When the
    published version of this system already has exactly these indicators, dimensions and grains
    and begins no later, it is returned and nothing changes. raises: Conflict when an indicator's
    code stands for something else
    """
    system = IndicatorSystem.objects.filter(code=code).first() or define_system(
        code=code, name=name, by=by, now=now
    )
    present = published_version(system)
    if present is not None and _is_already(present, measures, grains, since):
        return present
    groups: dict[str, list[StarterMeasure]] = {}
    for measure in measures:
        groups.setdefault(measure.group, []).append(measure)
    tree = [
        Branch(
            code=group,
            name=members[0].group_name,
            weight=weight,
            indicators=[
                Leaf(_starter_indicator(member, by=by, now=now), share, member.worst, member.best)
                for member, share in zip(members, equal_weights(len(members)), strict=True)
            ],
        )
        for (group, members), weight in zip(groups.items(), equal_weights(len(groups)), strict=True)
    ]
    draft = draft_version(system=system, grains=grains, since=since, by=by, now=now, tree=tree)
    return publish_version(version=draft, by=by, now=now)


def _is_already(
    version: SystemVersion, measures: Sequence[StarterMeasure], grains: Sequence[str], since: date
) -> bool:
    there = set(
        WeightedIndicator.objects.filter(dimension__version=version).values_list(
            "dimension__code", "indicator__code", "worst", "best", "shape"
        )
    )
    even = Shape.GOALPOSTS.value
    wanted = {(each.group, each.code, each.worst, each.best, even) for each in measures}
    if version.aggregation != Aggregation.ARITHMETIC:
        return False
    return there == wanted and set(version.grains) == set(grains) and version.since <= since


def _starter_indicator(measure: StarterMeasure, *, by: Principal, now: datetime) -> Indicator:
    found = Indicator.objects.filter(code=measure.code).first()
    if found is None:
        return define_indicator(
            code=measure.code,
            name=measure.name,
            definition=measure.definition,
            unit_of_measure=measure.unit_of_measure,
            direction=(
                Indicator.Direction.HIGHER
                if measure.best > measure.worst
                else Indicator.Direction.LOWER
            ),
            statistic=measure.statistic,
            source=measure.source,
            parameters=measure.parameters,
            by=by,
            now=now,
        )
    same = (found.source, found.parameters, found.statistic) == (
        measure.source,
        dict(measure.parameters),
        measure.statistic,
    )
    if not same:
        raise Conflict(
            _("The indicator “%(code)s” already stands for another measure.")
            % {"code": measure.code}
        )
    return found
