"""Building an indicator system: its catalogue, its drafts, and the publication that freezes one."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max, Q
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base import bus
from sqcore.base.errors import Conflict, InvalidInput, NotFound, Problem
from sqcore.base.events import IndicatorRedefined
from sqcore.base.periods import Grain
from sqcore.base.text import TranslatedText, in_language
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators import epochs
from sqcore.indicators.companions import COMPANIONS
from sqcore.indicators.conditions import (
    dependents,
    formulas_with,
    hidden_formulas,
    is_published,
    mixed_formulas,
    mixed_units,
    problems_of_epoch,
    problems_of_version,
    require_covers,
    require_measurable,
    require_target,
    require_units,
)
from sqcore.indicators.definition import COMPOSITE
from sqcore.indicators.drafts import (
    add_indicator,
    as_stored,
    equal_weights,
    locked_draft,
    note,
    require_points,
    save,
    weight_of,
)
from sqcore.indicators.epochs import measured_by
from sqcore.indicators.importers import ReadyIndicator, ReadySystem, ready_system
from sqcore.indicators.models import (
    Dimension,
    Indicator,
    IndicatorEpoch,
    IndicatorSystem,
    SystemVersion,
    Target,
    UnitOfMeasure,
    WeightedIndicator,
)
from sqcore.indicators.queries import published_version
from sqcore.indicators.shapes import (
    Aggregation,
    HasShape,
    Scoring,
    Shape,
    Shaped,
    scoring_of,
    shape_of,
)
from sqcore.org.queries import local_day

MEASURED = frozenset(epochs.MEASURED)
"""What changes only by a new epoch once an indicator was published."""
TOLD = frozenset({"name", "definition", "owner", "stage", "valid_from", "valid_to"})
"""What can be changed at any time: how an indicator is spoken of, and when it is valid."""
LONGEST_REASON = 300


@dataclass(frozen=True)
class Leaf(Shaped):
    """An indicator in a dimension, with the values of 0 and 100 points and what its shape says."""

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
    target: float | None = None


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
    by: Principal,
    now: datetime,
    source: str = "",
    parameters: Mapping[str, Any] | None = None,
    formula: str = "",
    definition: Mapping[str, str] | None = None,
    unit_of_measure: str = "",
    direction: str = Indicator.Direction.HIGHER,
    statistic: str = Indicator.Statistic.MEAN,
    stage: str = "",
    owner: User | None = None,
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> Indicator:
    """Add an indicator to the catalogue: what a source measures, or a formula over others.

    raises: Conflict when the code is taken; InvalidInput when the source does not exist or does
    not know the measure, when the formula cannot be read, names what is not there or what is not
    valid, when its units do not go together, or when the unit of measure is none of
    `UnitOfMeasure`
    """
    by.require(Permission.MANAGE_INDICATORS)
    indicator = Indicator(
        code=code,
        name=dict(name),
        definition=dict(definition or {}),
        unit_of_measure=unit_of_measure,
        direction=direction,
        statistic=statistic,
        source=source,
        parameters=dict(parameters or {}),
        formula=formula,
        stage=stage,
        owner=owner,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    _require_source_or_formula(indicator)
    require_measurable(indicator)
    require_units(indicator)
    return _define(indicator, by=by, now=now)


@transaction.atomic
def change_indicator(
    *,
    indicator: Indicator,
    changes: Mapping[str, Any],
    by: Principal,
    now: datetime,
    reason: str = "",
    starts_on: date | None = None,
) -> Indicator:
    """Change fields of an indicator: those of `TOLD` at any time, those of `MEASURED` freely until
    a version that uses it is published.

    From then on what it measures changes only by a new epoch: a person says why (`reason`) and
    from which day on it counts (`starts_on`, not in the past). Periods that end before that day
    stay as they were measured, also when they are evaluated anew.
    raises: Conflict when it was published and no epoch is begun, or a version in force does not
    fit what it would measure; InvalidInput as `define_indicator`, also when a formula needs it on
    days on which it would not be valid or in another unit, or the epoch lacks a reason or a day
    """
    by.require(Permission.MANAGE_INDICATORS)
    unknown = sorted(set(changes) - MEASURED - TOLD)
    if unknown:
        raise InvalidInput(_("“%(field)s” cannot be changed.") % {"field": unknown[0]})
    # All of the catalogue: two formulas changed at once could else come to need each other.
    held = {found.pk: found for found in Indicator.objects.select_for_update().order_by("id")}
    present = held[indicator.pk]
    changed = {key for key, value in changes.items() if getattr(present, key) != value}
    epoch = None
    if changed & MEASURED and is_published(present):
        epoch = _next_epoch(present, changes, reason, starts_on, by=by, now=now)
    for key in changed:
        setattr(present, key, changes[key])
    _require_source_or_formula(present)
    _require_fitting(present, changed, held)
    if epoch is not None:
        _begin_epoch(epoch, present, by=by, now=now)
    elif changed:
        save(present, _("indicator “%(code)s”") % {"code": present.code}, new=False)
    if changed:
        record(
            action="indicator.changed",
            subject=f"indicator:{present.pk}",
            by=by,
            now=now,
            details={"code": present.code, "fields": sorted(changed)},
        )
    return present


def _require_fitting(
    present: Indicator, changed: Collection[str], held: Mapping[int, Indicator]
) -> None:
    """Refuse what cannot be measured, or does not fit formulas and targets that are there.

    raises: InvalidInput
    """
    if MEASURED.isdisjoint(changed) and {"valid_from", "valid_to"}.isdisjoint(changed):
        return
    require_measurable(present)
    for formula in formulas_with(present.code):
        require_covers(present, formula)
    for target in Target.objects.filter(indicator=present).order_by("valid_from"):
        require_target(present, target.value, target.floor)
    if not MEASURED.isdisjoint(changed):
        _require_units_around(present, before=held)


def _require_units_around(present: Indicator, *, before: Mapping[int, Indicator]) -> None:
    """Refuse units that do not go together in its own formula, or in one that names it and in
    which they did. raises: InvalidInput"""
    require_units(present)
    known = {found.code: found for found in before.values()}
    was = Indicator.objects.get(pk=present.pk)
    for formula in formulas_with(present.code):
        reason = mixed_units(formula, known | {present.code: present})
        if reason and not mixed_units(formula, known | {present.code: was}):
            message = _("The formula of “%(code)s” needs it: %(reason)s") % {
                "code": formula.code,
                "reason": reason,
            }
            raise InvalidInput(message, problems=[Problem(message, field="unit_of_measure")])


def _next_epoch(
    present: Indicator,
    changes: Mapping[str, Any],
    reason: str,
    starts_on: date | None,
    *,
    by: Principal,
    now: datetime,
) -> IndicatorEpoch:
    """Return the epoch that a change begins, not kept yet. raises: Conflict, InvalidInput"""
    said = " ".join(reason.split())
    if not said and starts_on is None:
        message = _("A published version uses this indicator. To measure something else from a day"
                    " on, say from which and why: that begins a new epoch.")  # fmt: skip
        raise Conflict(message, problems=[Problem(message, field="reason")])
    problems = []
    if not said or len(said) > LONGEST_REASON:
        problems.append(
            Problem(
                _("Say why, in at most %(most)d characters.") % {"most": LONGEST_REASON},
                field="reason",
            )
        )
    last = IndicatorEpoch.objects.filter(indicator=present).order_by("-number").first()
    earliest = max(local_day(now), last.starts_on) if last else local_day(now)
    if starts_on is None or starts_on < earliest:
        problems.append(
            Problem(
                _("Say the first day from which it counts, %(day)s or later: what was published"
                  " before stays as it was measured.") % {"day": earliest.isoformat()},
                field="starts_on",
            )
        )  # fmt: skip
    if by.user is None:
        problems.append(Problem(_("Only a person can decide that.")))
    if problems or starts_on is None or by.user is None:
        raise InvalidInput(problems[0].reason, problems=problems)
    before = measured_by(present)
    return IndicatorEpoch(
        indicator=present,
        number=2 if last is None else last.number + 1,
        starts_on=starts_on,
        before=before,
        after=before | {key: changes[key] for key in MEASURED & set(changes)},
        reason=said,
        begun_by=by.user,
        begun_at=now,
    )


def _begin_epoch(
    epoch: IndicatorEpoch, present: Indicator, *, by: Principal, now: datetime
) -> None:
    """Keep an epoch with what is measured from now on, when all versions in force can be evaluated
    so. raises: Conflict"""
    was = Indicator.objects.get(pk=present.pk)
    problems = list(problems_of_epoch(was, present))
    versions = SystemVersion.objects.published().filter(
        dimensions__indicators__indicator__in=dependents(was)
    )
    listed = list(versions.distinct().order_by("id"))
    known = {version.pk: set(map(str, problems_of_version(version))) for version in listed}
    save(present, _("indicator “%(code)s”") % {"code": present.code}, new=False)
    epoch.save()
    for version in listed:
        problems += [
            problem
            for problem in problems_of_version(version)
            if str(problem) not in known[version.pk]
        ]
    if problems:
        raise Conflict(problems[0].reason, problems=problems)
    record(
        action="indicator.epoch_begun",
        subject=f"indicator:{present.pk}",
        by=by,
        now=now,
        details={
            "code": present.code,
            "number": epoch.number,
            "from": epoch.starts_on.isoformat(),
            "reason": epoch.reason,
            "fields": [key for key in sorted(MEASURED) if epoch.before[key] != epoch.after[key]],
        },
    )
    bus.publish(IndicatorRedefined(epoch_id=epoch.pk), now=now)


@transaction.atomic
def set_target(
    *,
    indicator: Indicator,
    value: float,
    floor: float | None,
    on: date,
    by: Principal,
    now: datetime,
    until: date | None = None,
) -> Target:
    """Say what an indicator should reach from a day on. A target that is open until then ends on
    that day, when the new one is open too.

    raises: InvalidInput when the target cannot be, or the floor is better than it; Conflict when
    another target holds on one of its days
    """
    by.require(Permission.MANAGE_INDICATORS)
    Indicator.objects.select_for_update().get(pk=indicator.pk)
    require_target(indicator, value, floor)
    if until is not None and until <= on:
        reason = _("The last day is before the first.")
        raise InvalidInput(reason, problems=[Problem(reason, field="until")])
    targets = Target.objects.filter(indicator=indicator)
    if until is None:
        targets.filter(valid_to__isnull=True, valid_from__lt=on).update(valid_to=on)
    others = targets.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=on))
    if until is not None:
        others = others.filter(valid_from__lt=until)
    if other := others.order_by("valid_from").first():
        message = _("There is a target of %(value)s from %(day)s on; end it first.") % {
            "value": f"{other.value:g}",
            "day": other.valid_from.isoformat(),
        }
        raise Conflict(message, problems=[Problem(message, field="on")])
    target = Target.objects.create(
        indicator=indicator, value=value, floor=floor, valid_from=on, valid_to=until
    )
    record(
        action="indicator.target_set",
        subject=f"indicator:{indicator.pk}",
        by=by,
        now=now,
        details={"code": indicator.code, "value": value, "floor": floor, "from": on.isoformat()},
    )
    return target


@transaction.atomic
def end_target(*, target: Target, on: date, by: Principal, now: datetime) -> None:
    """Let a target end: it holds no more on this day. On its first day or before it is withdrawn.

    raises: Conflict when it ended before
    """
    by.require(Permission.MANAGE_INDICATORS)
    Indicator.objects.select_for_update().get(pk=target.indicator_id)
    present = Target.objects.select_related("indicator").filter(pk=target.pk).first()
    if present is None or (present.valid_to is not None and present.valid_to <= on):
        raise Conflict(_("This target has ended already."))
    if on <= present.valid_from:
        present.delete()
    else:
        present.valid_to = on
        present.save(update_fields=["valid_to"])
    record(
        action="indicator.target_ended",
        subject=f"indicator:{target.indicator_id}",
        by=by,
        now=now,
        details={"code": present.indicator.code, "on": on.isoformat()},
    )


@transaction.atomic
def define_system(
    *, code: str, name: Mapping[str, str], by: Principal, now: datetime
) -> IndicatorSystem:
    """Add an indicator system, still without a version. raises: Conflict when the code is taken"""
    by.require(Permission.MANAGE_INDICATORS)
    if IndicatorSystem.objects.filter(code=code).exists():
        raise Conflict(_("There is an indicator system “%(code)s” already.") % {"code": code})
    system = IndicatorSystem(code=code, name=dict(name))
    save(system, _("indicator system “%(code)s”") % {"code": code})
    record(
        action="indicators.system_defined",
        subject=f"system:{system.pk}",
        by=by,
        now=now,
        details={"code": code},
    )
    return system


@transaction.atomic
def begin_system(
    *, code: str, name: Mapping[str, str], since: date, by: Principal, now: datetime
) -> SystemVersion:
    """Add a system with an empty draft that is evaluated by week and longer.

    raises: Conflict when the code is taken
    """
    system = define_system(code=code, name=name, by=by, now=now)
    grains = [grain.value for grain in Grain if grain != Grain.DAY]
    return draft_version(system=system, grains=grains, since=since, by=by, now=now)


@transaction.atomic
def draft_version(
    *,
    system: IndicatorSystem,
    grains: Sequence[str],
    since: date,
    by: Principal,
    now: datetime,
    tree: Sequence[Branch] = (),
    target: float | None = None,
    aggregation: str = Aggregation.ARITHMETIC,
) -> SystemVersion:
    """Start the next version of a system as a draft; evaluated by `grains` from `since` on.

    Locks the system, so that two drafts started at once get two numbers.
    raises: InvalidInput for a grain that does not exist, or none, a target that is no score or an
    aggregation that is none
    """
    by.require(Permission.MANAGE_INDICATORS)
    _require_grains(grains)
    require_points(target, "target")
    _require_aggregation(aggregation)
    IndicatorSystem.objects.select_for_update().get(pk=system.pk)
    last = SystemVersion.objects.filter(system=system).aggregate(last=Max("number"))["last"]
    version = SystemVersion.objects.create(
        system=system,
        number=(last or 0) + 1,
        grains=[grain.value for grain in Grain if grain in grains],
        since=since,
        target=target,
        aggregation=aggregation,
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
def copy_version(*, system: IndicatorSystem, by: Principal, now: datetime) -> SystemVersion:
    """Start the next version of a system as a draft that says what the published one says.

    raises: Conflict while there is another draft, or nothing is published
    """
    by.require(Permission.MANAGE_INDICATORS)
    IndicatorSystem.objects.select_for_update().get(pk=system.pk)
    if SystemVersion.objects.filter(system=system, state=SystemVersion.State.DRAFT).exists():
        raise Conflict(_("There is a draft already; publish it, or discard it."))
    present = published_version(system)
    if present is None:
        raise Conflict(_("Nothing of this system is published yet."))
    draft = draft_version(
        system=system,
        grains=present.grains,
        since=present.since,
        target=present.target,
        aggregation=present.aggregation,
        tree=tree_of(present),
        by=by,
        now=now,
    )
    for companion in COMPANIONS:
        companion.carry(former=present, draft=draft, now=now)
    return draft


def tree_of(version: SystemVersion) -> list[Branch]:
    """Return what a version says as it could be given to `set_tree`."""
    dimensions = list(Dimension.objects.filter(version=version).order_by("position", "id"))
    leaves: dict[int, list[Leaf]] = {}
    for leaf in (
        WeightedIndicator.objects.filter(dimension__version=version)
        .select_related("indicator")
        .order_by("position", "id")
    ):
        given = Leaf(leaf.indicator, leaf.weight, leaf.worst, leaf.best, **shape_of(leaf))
        leaves.setdefault(leaf.dimension_id, []).append(given)

    def below(parent: int | None) -> list[Branch]:
        return [
            Branch(
                each.code,
                each.name,
                each.weight,
                leaves.get(each.pk, []),
                below(each.pk),
                each.target,
            )
            for each in dimensions
            if each.parent_id == parent
        ]

    return below(None)


@transaction.atomic
def change_draft(
    *,
    version: SystemVersion,
    grains: Sequence[str],
    since: date,
    target: float | None,
    by: Principal,
    now: datetime,
    aggregation: str | None = None,
) -> SystemVersion:
    """Change what a draft is evaluated by, from which day on, what it should reach, and how scores
    become one (None: as until now).

    raises: Conflict when it is no draft; InvalidInput as `draft_version`
    """
    draft = locked_draft(version, by)
    _require_grains(grains)
    require_points(target, "target")
    draft.grains = [grain.value for grain in Grain if grain in grains]
    draft.since, draft.target = since, target
    if aggregation is not None:
        _require_aggregation(aggregation)
        draft.aggregation = aggregation
    draft.save(update_fields=["grains", "since", "target", "aggregation"])
    note(draft, "changed", by=by, now=now)
    return draft


@transaction.atomic
def discard_draft(*, version: SystemVersion, by: Principal, now: datetime) -> None:
    """Throw a draft away, with its tree. raises: Conflict when it is none"""
    draft = locked_draft(version, by)
    note(draft, "discarded", by=by, now=now)
    draft.delete()


@transaction.atomic
def set_tree(
    *, version: SystemVersion, tree: Sequence[Branch], by: Principal, now: datetime
) -> None:
    """Replace the dimensions and indicators of a draft by these, weights and goalposts included.

    Whether the weights sum to 1 is asked when it is published. raises: Conflict when it is not a
    draft; InvalidInput for a code used twice, a weight outside 0..1 or goalposts that are equal
    """
    draft = locked_draft(version, by)
    problems = list(_problems_of_codes(tree))
    if problems:
        raise InvalidInput(_("The indicator system has errors."), problems=problems)
    Dimension.objects.filter(version=draft).delete()
    _plant(draft, tree, parent=None)
    note(draft, "tree_set", by=by, now=now)


def doubts_of_draft(version: SystemVersion) -> list[Problem]:
    """Return what does not stop a draft from being published, and should be looked at: formulas
    whose units do not go together, kept before units were checked, and those that stay hidden."""
    mixed = [Problem(reason, field=found.code) for found, reason in mixed_formulas(version)]
    told = _(
        "Its formula needs the opinion “%(name)s”, which stands nowhere in this version, and would"
        " stay without figures: put that in too; with the weight 0 it is only watched."
    )
    hidden = [
        Problem(told % {"name": in_language(needed.name)}, field=found.code)
        for found, needed in hidden_formulas(version)
    ]
    return mixed + hidden


def problems_of_draft(version: SystemVersion) -> list[Problem]:
    """Return what stops a draft from being published, in the order of its tree."""
    return list(problems_of_version(version))


@transaction.atomic
def publish_version(*, version: SystemVersion, by: Principal, now: datetime) -> SystemVersion:
    """Freeze a draft and let it count from now on; the version before it retires.

    raises: Conflict when it is not a draft; InvalidInput, naming every fault, when weights of
    siblings do not sum to 1, a dimension is empty, a source does not know a measure, a formula
    cannot be computed, goalposts and targets do not fit, or another system evaluates the same
    answers
    """
    draft = locked_draft(version, by)
    problems = list(problems_of_version(draft))
    if problems:
        raise InvalidInput(_("This version cannot be published yet."), problems=problems)
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
def install_ready_system(
    *,
    code: str,
    since: date,
    by: Principal,
    now: datetime,
    grains: Sequence[str] = (),
    system_code: str = "",
) -> SystemVersion:
    """Make a draft of a ready system, with the indicators and targets it needs.

    Indicators that are there already are used as they are. What is measured by something that is
    not defined yet is installed all the same: publishing names it. `grains`: those of the ready
    system; `system_code`: its own.
    raises: NotFound; Conflict when an indicator's code stands for something else, or while the
    system has a draft
    """
    by.require(Permission.MANAGE_INDICATORS)
    ready = ready_system(code)
    named = system_code or ready.system
    system = IndicatorSystem.objects.filter(code=named).first() or define_system(
        code=named, name=ready.name, by=by, now=now
    )
    if SystemVersion.objects.filter(system=system, state=SystemVersion.State.DRAFT).exists():
        raise Conflict(_("There is a draft already; publish it, or discard it."))
    indicators = {
        each.code: _ready_indicator(each, since, by=by, now=now) for each in ready.indicators
    }
    return draft_version(
        system=system,
        grains=grains or ready.grains,
        since=since,
        tree=_ready_tree(ready, indicators),
        target=ready.target,
        aggregation=ready.aggregation,
        by=by,
        now=now,
    )


@transaction.atomic
def place_indicator(
    *,
    version: SystemVersion,
    within: str,
    indicator: str,
    by: Principal,
    now: datetime,
    scoring: Scoring | None = None,
) -> WeightedIndicator:
    """Put an indicator into a dimension of a draft: one of the catalogue by its code, or one of a
    ready system as "system:code", which comes into the catalogue with what its formula needs.
    Without a `scoring` it gives points as in the ready system.

    raises: NotFound; Conflict when it is no draft, or the code stands for something else;
    InvalidInput when it is there already, cannot be scored so, or nobody says how
    """
    draft = locked_draft(version, by)
    system, _colon, code = indicator.rpartition(":")
    found: Indicator | None
    ready: HasShape | None = None
    if system:
        ready = next(
            (leaf for d in ready_system(system).dimensions for leaf in d.indicators
             if leaf.code == code), None,
        )  # fmt: skip
        found = _from_ready(ready_system(system), code, draft.since, by=by, now=now)
    else:
        found = Indicator.objects.filter(code=code).first()
    if found is None:
        raise NotFound(_("There is no indicator “%(code)s”.") % {"code": code})
    return add_indicator(
        version=draft,
        within=within,
        indicator=found,
        scoring=scoring or _scoring_of_ready(ready),
        by=by,
        now=now,
    )


def _scoring_of_ready(ready: HasShape | None) -> Scoring:
    if ready is None:
        reason = _("Say which values are worth 0 and 100 points.")
        raise InvalidInput(reason, problems=[Problem(reason, field="worst")])
    return scoring_of(ready)


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


def _plant(version: SystemVersion, tree: Sequence[Branch], *, parent: Dimension | None) -> None:
    for place, branch in enumerate(tree):
        dimension = Dimension(
            version=version,
            parent=parent,
            code=branch.code,
            name=dict(branch.name),
            weight=weight_of(branch.weight, branch.code),
            target=branch.target,
            position=place,
        )
        save(dimension, _("dimension “%(code)s”") % {"code": branch.code})
        for at, leaf in enumerate(branch.indicators):
            weighted = WeightedIndicator(
                dimension=dimension,
                indicator=leaf.indicator,
                weight=weight_of(leaf.weight, leaf.indicator.code),
                position=at,
                **as_stored(leaf),
            )
            save(weighted, _("indicator “%(code)s”") % {"code": leaf.indicator.code})
        _plant(version, branch.branches, parent=dimension)


def _require_source_or_formula(indicator: Indicator) -> None:
    if bool(indicator.source) == bool(indicator.formula):
        reason = _("An indicator has either a source or a formula.")
        raise InvalidInput(reason, problems=[Problem(reason, field="source")])
    unit = indicator.unit_of_measure
    if unit and unit not in UnitOfMeasure.values:
        reason = _("“%(unit)s” is no unit of measure here; there are: %(known)s.") % {
            "unit": unit,
            "known": ", ".join(UnitOfMeasure.values),
        }
        raise InvalidInput(reason, problems=[Problem(reason, field="unit_of_measure")])


def _define(indicator: Indicator, *, by: Principal, now: datetime) -> Indicator:
    if Indicator.objects.filter(code=indicator.code).exists():
        raise Conflict(_("There is an indicator “%(code)s” already.") % {"code": indicator.code})
    save(indicator, _("indicator “%(code)s”") % {"code": indicator.code})
    record(
        action="indicator.defined",
        subject=f"indicator:{indicator.pk}",
        by=by,
        now=now,
        details={"code": indicator.code, "source": indicator.source or "formula"},
    )
    return indicator


def _from_ready(
    ready: ReadySystem, code: str, since: date, *, by: Principal, now: datetime
) -> Indicator:
    """Take one indicator of a ready system into the catalogue, with what its formula needs."""
    known = {each.code: each for each in ready.indicators}
    if code not in known:
        raise NotFound(_("There is no indicator “%(code)s”.") % {"code": code})
    for name in known[code].needs:
        _ready_indicator(known[name], since, by=by, now=now)
    return _ready_indicator(known[code], since, by=by, now=now)


def _ready_indicator(
    ready: ReadyIndicator, since: date, *, by: Principal, now: datetime
) -> Indicator:
    wanted = {
        "source": ready.source,
        "parameters": dict(ready.parameters),
        "formula": ready.formula,
        "statistic": ready.statistic,
        "unit_of_measure": ready.unit,
        "direction": ready.direction,
    }
    found = Indicator.objects.filter(code=ready.code).first()
    if found is not None:
        if any(getattr(found, key) != value for key, value in wanted.items()):
            raise Conflict(
                _("The indicator “%(code)s” already stands for another measure.")
                % {"code": ready.code}
            )
        return found
    indicator = Indicator(
        code=ready.code,
        name=dict(ready.name),
        definition=dict(ready.definition),
        stage=ready.stage,
        **wanted,
    )
    _define(indicator, by=by, now=now)
    if ready.target is not None:
        set_target(
            indicator=indicator, value=ready.target, floor=ready.floor, on=since, by=by, now=now
        )
    return indicator


def _ready_tree(ready: ReadySystem, indicators: Mapping[str, Indicator]) -> list[Branch]:
    return [
        Branch(
            code=dimension.code,
            name=dimension.name,
            weight=dimension.weight,
            indicators=[
                Leaf(indicators[leaf.code], leaf.weight, leaf.worst, leaf.best, **shape_of(leaf))
                for leaf in dimension.indicators
            ],
            target=dimension.target,
        )
        for dimension in ready.dimensions
    ]


def _require_aggregation(aggregation: str) -> None:
    if aggregation not in Aggregation.values:
        reason = _("Choose how scores become one among %(known)s.") % {
            "known": ", ".join(Aggregation.values)
        }
        raise InvalidInput(reason, problems=[Problem(reason, field="aggregation")])


def _require_grains(grains: Sequence[str]) -> None:
    unknown = sorted(set(grains) - set(Grain.values))
    if unknown or not grains:
        reason = _("Choose what it is evaluated by among %(known)s.") % {
            "known": ", ".join(Grain.values)
        }
        raise InvalidInput(reason, problems=[Problem(reason, field="grains")])


def _codes(tree: Iterable[Branch]) -> Iterator[str]:
    for branch in tree:
        yield branch.code
        yield from (leaf.indicator.code for leaf in branch.indicators)
        yield from _codes(branch.branches)


def _problems_of_codes(tree: Sequence[Branch]) -> Iterator[Problem]:
    for code, times in Counter(_codes(tree)).items():
        if times > 1:
            yield Problem(
                _("The code stands for %(times)d things; give each its own.") % {"times": times},
                field=code,
            )
        if code == COMPOSITE:
            yield Problem(_("This code stands for the overall score."), field=code)
