"""Building an indicator system: its catalogue, its drafts, and the publication that freezes one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import Max

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.periods import Grain
from sqcore.base.text import TranslatedText
from sqcore.identity.models import User
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import COMPOSITE, measure_of
from sqcore.indicators.models import (
    Dimension,
    Indicator,
    IndicatorSystem,
    SystemVersion,
    WeightedIndicator,
)
from sqcore.indicators.queries import published_version
from sqcore.indicators.sources import SOURCES

TOLERANCE = Decimal("0.000001")
"""How far the weights of siblings may be from 1."""
STEP = Decimal("0.000000000001")
"""The smallest step in which weights are kept."""
NOT_OF_WEEKS = frozenset({Grain.MONTH, Grain.QUARTER, Grain.YEAR})
WEEKS_APART = (
    "Weeks do not add up to months: their difference would show single days. Evaluate a system by"
    " week, or by month, quarter and year, from its first version on."
)


@dataclass(frozen=True)
class Leaf:
    """An indicator in a dimension, with the values of 0 and 100 points."""

    indicator: Indicator
    weight: Decimal | float
    worst: float
    best: float


@dataclass(frozen=True)
class Branch:
    """A dimension of a draft, with what is in it."""

    code: str
    name: TranslatedText
    weight: Decimal | float
    indicators: Sequence[Leaf] = ()
    branches: Sequence["Branch"] = ()


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
def define_indicator(
    *,
    code: str,
    name: Mapping[str, str],
    source: str,
    parameters: Mapping[str, Any],
    by: Principal,
    now: datetime,
    definition: Mapping[str, str] | None = None,
    unit_of_measure: str = "",
    direction: str = Indicator.Direction.HIGHER,
    statistic: str = Indicator.Statistic.MEAN,
    owner: User | None = None,
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> Indicator:
    """Add an indicator to the catalogue.

    raises: Conflict when the code is taken; InvalidInput when the source does not exist or does
    not know the measure
    """
    if Indicator.objects.filter(code=code).exists():
        raise Conflict(f"There is an indicator “{code}” already.")
    indicator = Indicator(
        code=code,
        name=dict(name),
        definition=dict(definition or {}),
        unit_of_measure=unit_of_measure,
        direction=direction,
        statistic=statistic,
        source=source,
        parameters=dict(parameters),
        owner=owner,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    _require_source(indicator)
    _save(indicator, f"indicator “{code}”")
    record(
        action="indicator.defined",
        subject=f"indicator:{indicator.pk}",
        by=by,
        now=now,
        details={"code": code, "source": source},
    )
    return indicator


@transaction.atomic
def define_system(
    *, code: str, name: Mapping[str, str], by: Principal, now: datetime
) -> IndicatorSystem:
    """Add an indicator system, still without a version. raises: Conflict when the code is taken"""
    if IndicatorSystem.objects.filter(code=code).exists():
        raise Conflict(f"There is an indicator system “{code}” already.")
    system = IndicatorSystem(code=code, name=dict(name))
    _save(system, f"indicator system “{code}”")
    record(
        action="indicators.system_defined",
        subject=f"system:{system.pk}",
        by=by,
        now=now,
        details={"code": code},
    )
    return system


@transaction.atomic
def draft_version(
    *,
    system: IndicatorSystem,
    grains: Sequence[str],
    since: date,
    by: Principal,
    now: datetime,
    tree: Sequence[Branch] = (),
) -> SystemVersion:
    """Start the next version of a system as a draft; evaluated by `grains` from `since` on.

    Locks the system, so that two drafts started at once get two numbers.
    raises: InvalidInput for a grain that does not exist, none, or weeks beside months
    """
    unknown = sorted(set(grains) - set(Grain.values))
    if unknown or not grains:
        raise InvalidInput(
            f"Choose what it is evaluated by among {', '.join(Grain.values)}"
            + (f"; not “{unknown[0]}”." if unknown else ".")
        )
    if Grain.WEEK in grains and set(grains) & NOT_OF_WEEKS:
        raise InvalidInput(WEEKS_APART)
    IndicatorSystem.objects.select_for_update().get(pk=system.pk)
    last = SystemVersion.objects.filter(system=system).aggregate(last=Max("number"))["last"]
    version = SystemVersion.objects.create(
        system=system,
        number=(last or 0) + 1,
        grains=[grain.value for grain in Grain if grain in grains],
        since=since,
    )
    record(
        action="indicators.version_drafted",
        subject=f"system_version:{version.pk}",
        by=by,
        now=now,
        details={"system": system.code, "number": version.number},
    )
    if tree:
        set_tree(version=version, tree=tree, by=by, now=now)
    return version


@transaction.atomic
def set_tree(
    *, version: SystemVersion, tree: Sequence[Branch], by: Principal, now: datetime
) -> None:
    """Replace the dimensions and indicators of a draft by these, weights and goalposts included.

    Whether the weights sum to 1 is asked when it is published. raises: Conflict when it is not a
    draft; InvalidInput for a code used twice, a weight outside 0..1 or goalposts that are equal
    """
    draft = SystemVersion.objects.select_for_update().get(pk=version.pk)
    _require_draft(draft)
    problems = list(_problems_of_codes(tree))
    if problems:
        raise InvalidInput("The indicator system has errors.", problems=problems)
    Dimension.objects.filter(version=draft).delete()
    _plant(draft, tree, parent=None)
    record(action="indicators.tree_set", subject=f"system_version:{version.pk}", by=by, now=now)


@transaction.atomic
def publish_version(*, version: SystemVersion, by: Principal, now: datetime) -> SystemVersion:
    """Freeze a draft and let it count from now on; the version before it retires.

    raises: Conflict when it is not a draft; InvalidInput, naming every fault, when weights of
    siblings do not sum to 1, a dimension is empty, a source does not know a measure, or another
    system evaluates the same answers
    """
    draft = SystemVersion.objects.select_for_update().select_related("system").get(pk=version.pk)
    _require_draft(draft)
    problems = list(_problems_of_version(draft))
    if problems:
        raise InvalidInput("This version cannot be published yet.", problems=problems)
    SystemVersion.objects.published().filter(system=draft.system).update(
        state=SystemVersion.State.RETIRED
    )
    draft.state = SystemVersion.State.PUBLISHED
    draft.published_at = now
    draft.published_by = by.key
    draft.save(update_fields=["state", "published_at", "published_by"])
    record(
        action="indicators.version_published",
        subject=f"system_version:{draft.pk}",
        by=by,
        now=now,
        details={"system": draft.system.code, "number": draft.number},
    )
    return draft


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


def equal_weights(count: int) -> list[Decimal]:
    """Return equal weights that sum to exactly 1; the first ones carry what rounding leaves.

    >>> [str(weight) for weight in equal_weights(3)]
    ['0.333333333334', '0.333333333333', '0.333333333333']
    """
    if count == 0:
        return []
    steps, left = divmod(int(1 / STEP), count)
    return [STEP * (steps + (place < left)) for place in range(count)]


def _is_already(
    version: SystemVersion, measures: Sequence[StarterMeasure], grains: Sequence[str], since: date
) -> bool:
    there = set(
        WeightedIndicator.objects.filter(dimension__version=version).values_list(
            "dimension__code", "indicator__code", "worst", "best"
        )
    )
    wanted = {(each.group, each.code, each.worst, each.best) for each in measures}
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
        raise Conflict(f"The indicator “{measure.code}” already stands for another measure.")
    return found


def _plant(version: SystemVersion, tree: Sequence[Branch], *, parent: Dimension | None) -> None:
    for place, branch in enumerate(tree):
        dimension = Dimension(
            version=version,
            parent=parent,
            code=branch.code,
            name=dict(branch.name),
            weight=_weight(branch.weight, branch.code),
            position=place,
        )
        _save(dimension, f"dimension “{branch.code}”")
        for at, leaf in enumerate(branch.indicators):
            weighted = WeightedIndicator(
                dimension=dimension,
                indicator=leaf.indicator,
                weight=_weight(leaf.weight, leaf.indicator.code),
                worst=leaf.worst,
                best=leaf.best,
                position=at,
            )
            _save(weighted, f"indicator “{leaf.indicator.code}”")
        _plant(version, branch.branches, parent=dimension)


def _weight(weight: Decimal | float, code: str) -> Decimal:
    exact = weight if isinstance(weight, Decimal) else Decimal(repr(float(weight)))
    if not exact.is_finite() or not 0 <= exact <= 1:
        raise InvalidInput(f"The weight of “{code}” must lie between 0 and 1, not {weight}.")
    return exact.quantize(STEP)


def _save(thing: models.Model, what: str) -> None:
    """Check a new row and write it. raises: InvalidInput with a problem a field"""
    try:
        thing.full_clean()
    except ValidationError as error:
        raise InvalidInput(
            f"The {what} has errors.",
            problems=[
                Problem(reason, field=f"{what}, {name}" if name != "__all__" else what)
                for name, reasons in error.message_dict.items()
                for reason in reasons
            ],
        ) from error
    try:
        thing.save(force_insert=True)
    except IntegrityError as error:
        raise InvalidInput(f"The {what} breaks a rule of the database.") from error


def _require_draft(version: SystemVersion) -> None:
    if version.state != SystemVersion.State.DRAFT:
        raise Conflict("A published version never changes. Draft the next one instead.")


def _require_source(indicator: Indicator) -> None:
    if indicator.source not in SOURCES:
        known = ", ".join(source.key for source in SOURCES)
        raise InvalidInput(f"There is no source “{indicator.source}”; there are: {known}.")
    measure_of(indicator)


def _codes(tree: Iterable[Branch]) -> Iterator[str]:
    for branch in tree:
        yield branch.code
        yield from (leaf.indicator.code for leaf in branch.indicators)
        yield from _codes(branch.branches)


def _problems_of_codes(tree: Sequence[Branch]) -> Iterator[Problem]:
    for code, times in Counter(_codes(tree)).items():
        if times > 1:
            yield Problem(f"The code stands for {times} things; give each its own.", field=code)
        if code == COMPOSITE:
            yield Problem("This code stands for the overall score.", field=code)


def _group_of(indicator: Indicator) -> tuple[str, str]:
    """Return whose answers an indicator sums: its source, and the questionnaire or the like."""
    return indicator.source, measure_of(indicator).partition("/")[0]


def _evaluated_elsewhere(version: SystemVersion) -> dict[tuple[str, str], str]:
    """Return, by group of answers, the other system that evaluates or once evaluated it."""
    others = (
        WeightedIndicator.objects.exclude(dimension__version__state=SystemVersion.State.DRAFT)
        .exclude(dimension__version__system=version.system_id)
        .select_related("indicator", "dimension__version__system")
        .order_by("id")
    )
    found = {}
    for other in others:
        # A source or a measure that is gone brings no answers any more.
        with suppress(InvalidInput):
            _require_source(other.indicator)
            found[_group_of(other.indicator)] = other.dimension.version.system.code
    return found


def _mixed_weeks(version: SystemVersion) -> bool:
    """True when the system is evaluated by week and, in this or an earlier version, by month."""
    published = SystemVersion.objects.filter(system=version.system_id).exclude(
        state=SystemVersion.State.DRAFT
    )
    grains = set(version.grains).union(*published.values_list("grains", flat=True))
    return Grain.WEEK in grains and bool(grains & NOT_OF_WEEKS)


def _problems_of_version(version: SystemVersion) -> Iterator[Problem]:
    dimensions = list(Dimension.objects.filter(version=version).order_by("position", "id"))
    leaves = list(
        WeightedIndicator.objects.filter(dimension__version=version)
        .select_related("indicator")
        .order_by("position", "id")
    )
    if not leaves:
        yield Problem("It has no indicator yet.")
        return
    if _mixed_weeks(version):
        yield Problem(WEEKS_APART, field="grains")
    yield from _problems_of_weights(dimensions, leaves)
    elsewhere = _evaluated_elsewhere(version)
    for leaf in leaves:
        yield from _problems_of_leaf(leaf, elsewhere)


def _problems_of_weights(
    dimensions: Sequence[Dimension], leaves: Sequence[WeightedIndicator]
) -> Iterator[Problem]:
    weights: dict[int | None, list[Decimal]] = {None: []}
    for dimension in dimensions:
        weights.setdefault(dimension.parent_id, []).append(dimension.weight)
    for leaf in leaves:
        weights.setdefault(leaf.dimension_id, []).append(leaf.weight)
    places: list[tuple[int | None, str]] = [(None, "dimensions")]
    places += [(found.pk, found.code) for found in dimensions]
    for at, code in places:
        total = sum(weights.get(at, []), Decimal(0))
        if not weights.get(at):
            yield Problem("It has neither an indicator nor a dimension in it.", field=code)
        elif abs(total - 1) > TOLERANCE:
            yield Problem(f"The weights in it sum to {float(total):.6g}, not to 1.", field=code)


def _problems_of_leaf(
    leaf: WeightedIndicator, elsewhere: Mapping[tuple[str, str], str]
) -> Iterator[Problem]:
    try:
        _require_source(leaf.indicator)
    except InvalidInput as error:
        yield Problem(error.message, field=leaf.indicator.code)
    else:
        if other := elsewhere.get(_group_of(leaf.indicator)):
            yield Problem(
                f"These answers are evaluated in the system “{other}”. Two systems over the"
                " same answers could be subtracted from each other; add it there.",
                field=leaf.indicator.code,
            )
    rising = leaf.best > leaf.worst
    if rising != (leaf.indicator.direction == Indicator.Direction.HIGHER):
        yield Problem(
            f"Its goalposts run from {leaf.worst:g} to {leaf.best:g}, but it says: "
            f"{Indicator.Direction(leaf.indicator.direction).label}.",
            field=leaf.indicator.code,
        )
