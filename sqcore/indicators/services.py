"""Indicator systems and their versions: drafted, changed, and frozen by publication."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.periods import Grain
from sqcore.base.text import in_language
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.companions import COMPANIONS
from sqcore.indicators.conditions import hidden_formulas, mixed_formulas, problems_of_version
from sqcore.indicators.drafts import locked_draft, note, require_points, save
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.indicators.queries import published_version
from sqcore.indicators.shapes import Aggregation
from sqcore.indicators.trees import Branch, set_tree, tree_of


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
