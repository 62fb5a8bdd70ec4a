"""Systems that come ready made, installed whole or one indicator at a time."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.base.errors import Conflict, InvalidInput, NotFound, Problem
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.cataloguing import keep_defined
from sqcore.indicators.drafts import add_indicator, locked_draft
from sqcore.indicators.importers import ReadyIndicator, ReadySystem, ready_system
from sqcore.indicators.models import Indicator, IndicatorSystem, SystemVersion, WeightedIndicator
from sqcore.indicators.services import define_system, draft_version
from sqcore.indicators.shapes import HasShape, Scoring, scoring_of, shape_of
from sqcore.indicators.targets import set_target
from sqcore.indicators.trees import Branch, Leaf


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
    keep_defined(indicator, by=by, now=now)
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
