"""The catalogue: indicators are defined, changed, and measure something else from an epoch on."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base import bus
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.events import IndicatorRedefined
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators import epochs
from sqcore.indicators.conditions import (
    dependents,
    formulas_with,
    is_published,
    mixed_units,
    problems_of_epoch,
    problems_of_version,
    require_covers,
    require_measurable,
    require_target,
    require_units,
)
from sqcore.indicators.drafts import save
from sqcore.indicators.epochs import measured_by
from sqcore.indicators.models import Indicator, IndicatorEpoch, SystemVersion, Target, UnitOfMeasure
from sqcore.org.queries import local_day

MEASURED = frozenset(epochs.MEASURED)
"""What changes only by a new epoch once an indicator was published."""


TOLD = frozenset({"name", "definition", "owner", "stage", "valid_from", "valid_to"})
"""What can be changed at any time: how an indicator is spoken of, and when it is valid."""


LONGEST_REASON = 300


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
    return keep_defined(indicator, by=by, now=now)


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


def keep_defined(indicator: Indicator, *, by: Principal, now: datetime) -> Indicator:
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
