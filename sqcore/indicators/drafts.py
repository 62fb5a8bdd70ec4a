"""Editing a draft: one dimension, one indicator or one group of weights at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, Problem
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.conditions import TOP
from sqcore.indicators.definition import COMPOSITE
from sqcore.indicators.models import Dimension, Indicator, SystemVersion, WeightedIndicator
from sqcore.indicators.shapes import HasShape, Scoring, fault_of

STEP = Decimal("0.000000000001")
"""The smallest step in which weights are kept."""

Member = Dimension | WeightedIndicator


def leaf_of(version: SystemVersion, code: str) -> WeightedIndicator:
    """Return an indicator in its place in a version. raises: NotFound"""
    return _required_leaf(version, code)


@transaction.atomic
def add_dimension(
    *,
    version: SystemVersion,
    code: str,
    name: Mapping[str, str],
    by: Principal,
    now: datetime,
    within: str = TOP,
) -> Dimension:
    """Add a dimension to a draft, at the top or within another one.

    Where its siblings weigh the same, so does it; else it weighs 0 until it is weighed.
    raises: Conflict when it is no draft, InvalidInput when the code is taken
    """
    draft = locked_draft(version, by)
    parent = _dimension_of(draft, within)
    _require_free(draft, code)
    siblings = _group(draft, parent)
    dimension = Dimension(
        version=draft,
        parent=parent,
        code=code,
        name=dict(name),
        weight=_make_room(siblings),
        position=_next_place(siblings),
    )
    save(dimension, _("dimension “%(code)s”") % {"code": code})
    note(draft, "dimension_added", by=by, now=now, code=code)
    return dimension


@transaction.atomic
def change_dimension(
    *,
    version: SystemVersion,
    code: str,
    name: Mapping[str, str],
    target: float | None,
    by: Principal,
    now: datetime,
) -> None:
    """Give a dimension of a draft another name or target.

    raises: Conflict when it is no draft, NotFound, InvalidInput
    """
    draft = locked_draft(version, by)
    dimension = _required_dimension(draft, code)
    require_points(target, "target")
    dimension.name, dimension.target = dict(name), target
    save(dimension, _("dimension “%(code)s”") % {"code": code}, new=False)
    note(draft, "dimension_changed", by=by, now=now, code=code)


@transaction.atomic
def remove_dimension(*, version: SystemVersion, code: str, by: Principal, now: datetime) -> None:
    """Take a dimension and all in it out of a draft; the others keep their proportions.

    raises: Conflict when it is no draft, NotFound
    """
    draft = locked_draft(version, by)
    dimension = _required_dimension(draft, code)
    parent = dimension.parent
    dimension.delete()
    _close_ranks(_group(draft, parent))
    note(draft, "dimension_removed", by=by, now=now, code=code)


@transaction.atomic
def add_indicator(
    *,
    version: SystemVersion,
    within: str,
    indicator: Indicator,
    scoring: Scoring,
    by: Principal,
    now: datetime,
) -> WeightedIndicator:
    """Put an indicator into a dimension of a draft; it weighs as in `add_dimension`.

    raises: Conflict when it is no draft, NotFound, InvalidInput when it is there already or cannot
    be scored so
    """
    draft = locked_draft(version, by)
    dimension = _required_dimension(draft, within)
    _require_free(draft, indicator.code)
    require_shape(scoring)
    siblings = _group(draft, dimension)
    leaf = WeightedIndicator(
        dimension=dimension,
        indicator=indicator,
        weight=_make_room(siblings),
        position=_next_place(siblings),
        **as_stored(scoring),
    )
    save(leaf, _("indicator “%(code)s”") % {"code": indicator.code})
    note(draft, "indicator_added", by=by, now=now, code=indicator.code)
    return leaf


@transaction.atomic
def set_goalposts(
    *,
    version: SystemVersion,
    code: str,
    worst: float,
    best: float,
    by: Principal,
    now: datetime,
) -> None:
    """Say at which values an indicator of a draft has 0 and 100 points.

    raises: Conflict when it is no draft, NotFound, InvalidInput when they are equal
    """
    draft = locked_draft(version, by)
    set_scoring(version=draft, code=code, scoring=Scoring(worst, best), by=by, now=now)


@transaction.atomic
def set_scoring(
    *, version: SystemVersion, code: str, scoring: Scoring, by: Principal, now: datetime
) -> None:
    """Say how values of an indicator of a draft become points.

    raises: Conflict when it is no draft, NotFound, InvalidInput when they cannot become it so
    """
    draft = locked_draft(version, by)
    leaf = _required_leaf(draft, code)
    require_shape(scoring)
    for name, value in as_stored(scoring).items():
        setattr(leaf, name, value)
    save(leaf, _("indicator “%(code)s”") % {"code": code}, new=False)
    note(draft, "goalposts_set", by=by, now=now, code=code, shape=scoring.shape)


@transaction.atomic
def remove_indicator(*, version: SystemVersion, code: str, by: Principal, now: datetime) -> None:
    """Take an indicator out of a draft; the others keep their proportions.

    raises: Conflict when it is no draft, NotFound
    """
    draft = locked_draft(version, by)
    leaf = _required_leaf(draft, code)
    dimension = leaf.dimension
    leaf.delete()
    _close_ranks(_group(draft, dimension))
    note(draft, "indicator_removed", by=by, now=now, code=code)


@transaction.atomic
def set_weights(
    *,
    version: SystemVersion,
    group: str,
    weights: Mapping[str, Decimal | float],
    by: Principal,
    now: datetime,
    method: str = "direct",
) -> None:
    """Set the weights of the dimensions and indicators that stand in one dimension of a draft
    (`TOP`: in none), by code. A weight of 0 means that it is only watched.

    Whether they sum to 1 is asked when the version is published. `method` is for the ledger.
    raises: Conflict when it is no draft, NotFound, InvalidInput when a code is missing or strange
    or a weight outside 0..1
    """
    draft = locked_draft(version, by)
    members = _group(draft, _dimension_of(draft, group))
    known = {_code_of(member): member for member in members}
    strange = sorted(set(weights) ^ set(known))
    if strange:
        raise InvalidInput(
            _("Give a weight to each of the group, and to nothing else."),
            problems=[
                Problem(
                    _("It does not belong to the group.")
                    if code in weights
                    else _("It has no weight."),
                    field=code,
                )
                for code in strange
            ],
        )
    for code, member in known.items():
        member.weight = weight_of(weights[code], code)
        member.save(update_fields=["weight"])
    note(draft, "weights_set", by=by, now=now, group=group, method=method)


def equal_weights(count: int) -> list[Decimal]:
    """Return equal weights that sum to exactly 1; the first ones carry what rounding leaves.

    >>> [str(weight) for weight in equal_weights(3)]
    ['0.333333333334', '0.333333333333', '0.333333333333']
    """
    if count == 0:
        return []
    steps, left = divmod(int(1 / STEP), count)
    return [STEP * (steps + (place < left)) for place in range(count)]


def weight_of(weight: Decimal | float, code: str) -> Decimal:
    """Return the weight in the step in which it is kept. raises: InvalidInput outside 0..1"""
    exact = weight if isinstance(weight, Decimal) else Decimal(repr(float(weight)))
    if not exact.is_finite() or not 0 <= exact <= 1:
        reason = _("The weight of “%(code)s” must lie between 0 and 1, not %(weight)s.") % {
            "code": code,
            "weight": weight,
        }
        raise InvalidInput(reason, problems=[Problem(reason, field=code)])
    return exact.quantize(STEP)


def require_shape(scoring: HasShape) -> None:
    """Refuse a shape that cannot be. raises: InvalidInput"""
    fault = fault_of(scoring)
    if fault is not None:
        field, reason = fault
        raise InvalidInput(reason, problems=[Problem(reason, field=field)])


def as_stored(scoring: HasShape) -> dict[str, Any]:
    """Return a shape with its ends by the fields of `WeightedIndicator`."""
    return {
        "worst": scoring.worst,
        "best": scoring.best,
        "shape": scoring.shape,
        "dead_band": scoring.dead_band,
        "limit": scoring.limit,
        "knots": [list(knot) for knot in scoring.knots or ()] or None,
    }


def save(thing: models.Model, what: str, *, new: bool = True) -> None:
    """Check a row and write it. raises: InvalidInput with a problem a field"""
    try:
        thing.full_clean()
    except ValidationError as error:
        raise InvalidInput(
            _("The %(what)s has errors.") % {"what": what},
            problems=[
                Problem(reason, field=f"{what}, {name}" if name != "__all__" else what)
                for name, reasons in error.message_dict.items()
                for reason in reasons
            ],
        ) from error
    try:
        thing.save(force_insert=new)
    except IntegrityError as error:
        raise InvalidInput(
            _("The %(what)s breaks a rule of the database.") % {"what": what}
        ) from error


def locked_draft(version: SystemVersion, by: Principal) -> SystemVersion:
    """Return the draft, locked in the caller's transaction.

    raises: NotPermitted, NotFound when it was discarded, Conflict when it is published
    """
    by.require(Permission.MANAGE_INDICATORS)
    draft = (
        SystemVersion.objects.select_for_update(of=("self",))
        .select_related("system")
        .filter(pk=version.pk)
        .first()
    )
    if draft is None:
        raise NotFound(_("This draft is gone."))
    if draft.state != SystemVersion.State.DRAFT:
        raise Conflict(_("A published version never changes. Draft the next one instead."))
    return draft


def note(draft: SystemVersion, act: str, *, by: Principal, now: datetime, **details: str) -> None:
    """Write into the ledger what was done to a draft."""
    record(
        action=f"indicators.{act}",
        subject=f"system_version:{draft.pk}",
        by=by,
        now=now,
        details={"system": draft.system.code, "number": draft.number, **details},
    )


def _dimension_of(draft: SystemVersion, code: str) -> Dimension | None:
    return None if code == TOP else _required_dimension(draft, code)


def _required_dimension(draft: SystemVersion, code: str) -> Dimension:
    found = Dimension.objects.select_related("parent").filter(version=draft, code=code).first()
    if found is None:
        raise NotFound(_("The draft has no dimension “%(code)s”.") % {"code": code})
    return found


def _required_leaf(draft: SystemVersion, code: str) -> WeightedIndicator:
    found = (
        WeightedIndicator.objects.select_related("dimension", "indicator")
        .filter(dimension__version=draft, indicator__code=code)
        .first()
    )
    if found is None:
        raise NotFound(_("The draft has no indicator “%(code)s”.") % {"code": code})
    return found


def _require_free(draft: SystemVersion, code: str) -> None:
    """A code stands for one dimension or indicator of a version."""
    taken = (
        code in (COMPOSITE, TOP)
        or Dimension.objects.filter(version=draft, code=code).exists()
        or WeightedIndicator.objects.filter(dimension__version=draft, indicator__code=code).exists()
    )
    if taken:
        reason = _("“%(code)s” is in this draft already.") % {"code": code}
        raise InvalidInput(reason, problems=[Problem(reason, field="code")])


def _group(draft: SystemVersion, parent: Dimension | None) -> list[Member]:
    """Return what stands next to each other in a dimension: indicators, then dimensions."""
    dimensions = Dimension.objects.filter(version=draft, parent=parent).order_by("position", "id")
    if parent is None:
        return list(dimensions)
    leaves = (
        WeightedIndicator.objects.filter(dimension=parent)
        .select_related("indicator")
        .order_by("position", "id")
    )
    return [*leaves, *dimensions]


def _code_of(member: Member) -> str:
    return member.code if isinstance(member, Dimension) else member.indicator.code


def _next_place(siblings: Sequence[Member]) -> int:
    return max((member.position for member in siblings), default=-1) + 1


def _make_room(siblings: Sequence[Member]) -> Decimal:
    """Return the weight of one more: as much as each of the others where they weigh the same."""
    weights = [member.weight for member in siblings]
    if not weights:
        return Decimal(1)
    if not any(weights) or max(weights) - min(weights) > 2 * STEP:
        return Decimal(0)
    *others, mine = equal_weights(len(weights) + 1)
    for member, weight in zip(siblings, others, strict=True):
        member.weight = weight
        member.save(update_fields=["weight"])
    return mine


def _close_ranks(left: Sequence[Member]) -> None:
    """Let what is left of a group sum to 1 again, in the same proportions."""
    total = sum((member.weight for member in left), Decimal(0))
    if not total:
        return
    weights = [(member.weight / total).quantize(STEP) for member in left]
    weights[weights.index(max(weights))] += 1 - sum(weights)
    for member, weight in zip(left, weights, strict=True):
        member.weight = weight
        member.save(update_fields=["weight"])


def require_points(points: float | None, field_name: str) -> None:
    """Refuse a target that is no score. raises: InvalidInput"""
    if points is not None and not 0 <= points <= 100:
        reason = _("Points lie between 0 and 100.")
        raise InvalidInput(reason, problems=[Problem(reason, field=field_name)])
