"""What the pages of Set-up show: systems and their versions, drafts as groups, the catalogue."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar

from django.db.models import Count, Q
from django.urls import reverse
from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput, NotFound, Problem
from sqcore.base.periods import Grain
from sqcore.base.text import in_language, number
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.conditions import TOLERANCE, TOP, formulas_with
from sqcore.indicators.definition import measure_of, source_title, with_operands
from sqcore.indicators.epochs import MEASURED
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
from sqcore.indicators.queries import targets_by_code
from sqcore.indicators.shapes import Scoring, curve_of, ends_of, is_even, points_at, words_of
from sqcore.indicators.sources import SOURCES, IsSetUp
from sqcore.stats.formula import parse

STEPS_SHOWN = 6
"""A shape is shown at about so many values."""


def in_unit(value: float | None, unit: str) -> str:
    """Return a value as people read it with its unit: 95 %, 8 min, 5.5."""
    if value is None:
        return ""
    if unit in (UnitOfMeasure.SHARE, UnitOfMeasure.PERCENT):
        return f"{_plain(value * 100 if unit == UnitOfMeasure.SHARE else value)} %"
    if unit in ("", UnitOfMeasure.POINTS, UnitOfMeasure.COUNT):
        return _plain(value)
    return f"{_plain(value)} {unit_name(unit)}"


def unit_name(unit: str) -> str:
    """Return the unit of measure as it stands behind a number."""
    short = {UnitOfMeasure.SECONDS: "s", UnitOfMeasure.MINUTES: "min", UnitOfMeasure.HOURS: "h"}
    if unit in short:
        return short[UnitOfMeasure(unit)]
    return str(UnitOfMeasure(unit).label) if unit in UnitOfMeasure.values else unit


def _plain(value: float) -> str:
    rounded = round(value, 4)
    decimals = next(n for n in range(5) if round(rounded, n) == rounded)
    return number(rounded, decimals)


def percent(weight: Decimal) -> str:
    """Return a weight as the form shows it, in percent by two decimals.

    >>> percent(Decimal("0.333333333334")), percent(Decimal("0.25"))
    ('33.33', '25')
    """
    return f"{(weight * 100).quantize(Decimal('0.01')):f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class ScorePreview:
    """The points of a few values, and their line in a field of 100 by 40."""

    rows: list[tuple[str, str]]
    line: str
    ends: tuple[str, str]
    words: str


def score_preview(scoring: Scoring | None, unit: str) -> ScorePreview | None:
    """Return what values become which points; None where there is no shape yet."""
    if scoring is None:
        return None
    low, high = ends_of(scoring)
    curve = curve_of(scoring)
    corners = [low, high] if curve is None else curve.values.tolist()
    steps = max(1, round(STEPS_SHOWN / (len(corners) - 1)))
    values = [
        before + (after - before) * step / steps
        for before, after in pairwise(corners)
        for step in range(steps)
    ]
    beyond = (corners[-1] - corners[0]) / 10
    values = [corners[0] - beyond, *values, corners[-1], corners[-1] + beyond]
    points = [points_at(scoring, value) for value in values]
    width = values[-1] - values[0]
    places = zip(values, points, strict=True)
    line = " ".join(f"{100 * (x - values[0]) / width:.2f},{38 - y * 0.36:.2f}" for x, y in places)
    return ScorePreview(
        rows=[
            (in_unit(value, unit), number(each, 0 if each % 1 == 0 else 1))
            for value, each in zip(values, points, strict=True)
        ],
        line=line,
        ends=(in_unit(values[0], unit), in_unit(values[-1], unit)),
        words=words_of(scoring, lambda value: in_unit(value, unit)),
    )


@dataclass(frozen=True)
class SystemRow:
    """A system in the list, with its published version and its draft."""

    system: IndicatorSystem
    published: SystemVersion | None
    draft: SystemVersion | None
    indicators: int


def system_rows(principal: Principal) -> list[SystemRow]:
    """Return all systems, those first defined first. Two queries."""
    versions: dict[int, list[SystemVersion]] = {}
    counted = SystemVersion.objects.visible_to(principal).annotate(
        indicators=Count("dimensions__indicators")
    )
    for version in counted.order_by("number"):
        versions.setdefault(version.system_id, []).append(version)
    return [
        _system_row(system, versions.get(system.pk, []))
        for system in IndicatorSystem.objects.visible_to(principal).order_by("id")
    ]


def _system_row(system: IndicatorSystem, versions: Sequence[SystemVersion]) -> SystemRow:
    by_state = {version.state: version for version in versions}
    published = by_state.get(SystemVersion.State.PUBLISHED)
    draft = by_state.get(SystemVersion.State.DRAFT)
    shown = published or draft
    return SystemRow(system, published, draft, getattr(shown, "indicators", 0))


@dataclass(frozen=True)
class LeafRow:
    """An indicator in its group: `weight` in percent, `is_watched` when it counts for nothing."""

    code: str
    name: str
    source: str
    direction: str
    worst: str
    best: str
    target: str
    weight: Decimal
    points: str
    is_even: bool
    typed: str | None = None
    wrong: str = ""

    @property
    def percent(self) -> str:
        return percent(self.weight)

    @property
    def shown(self) -> str:
        """What stands in the field of its weight."""
        return self.percent if self.typed is None else self.typed

    @property
    def is_watched(self) -> bool:
        return not self.weight


@dataclass(frozen=True)
class BranchRow:
    """A dimension in the group around it."""

    code: str
    name: str
    weight: Decimal
    target: str
    leaves: int
    typed: str | None = None
    wrong: str = ""

    @property
    def percent(self) -> str:
        return percent(self.weight)

    @property
    def shown(self) -> str:
        """What stands in the field of its weight."""
        return self.percent if self.typed is None else self.typed

    @property
    def is_watched(self) -> bool:
        return not self.weight


Row = TypeVar("Row", LeafRow, BranchRow)


@dataclass(frozen=True)
class GroupRow:
    """What stands side by side and is weighed against each other: the top, or one dimension."""

    code: str
    name: str
    depth: int
    within: str
    target: str
    leaves: tuple[LeafRow, ...]
    branches: tuple[BranchRow, ...]

    @property
    def is_top(self) -> bool:
        return self.code == TOP

    @property
    def members(self) -> tuple[LeafRow | BranchRow, ...]:
        return (*self.leaves, *self.branches)

    @property
    def total(self) -> Decimal:
        return sum((member.weight for member in self.members), Decimal(0))

    @property
    def percent(self) -> str:
        return percent(self.total)

    @property
    def is_right(self) -> bool:
        return not self.total or abs(self.total - 1) <= TOLERANCE


def groups_of(version: SystemVersion, *, on: date) -> list[GroupRow]:
    """Return the groups of a version, the top first and then every dimension in the order of the
    tree, each before what is in it. Three queries."""
    dimensions = list(Dimension.objects.filter(version=version).order_by("position", "id"))
    uses = list(
        WeightedIndicator.objects.filter(dimension__version=version)
        .select_related("indicator")
        .order_by("position", "id")
    )
    targets = targets_by_code([use.indicator.code for use in uses], on=on)
    leaves: dict[int, list[LeafRow]] = {}
    for use in uses:
        leaves.setdefault(use.dimension_id, []).append(_leaf_row(use, targets))
    below: dict[int | None, list[Dimension]] = {}
    for dimension in dimensions:
        below.setdefault(dimension.parent_id, []).append(dimension)

    def branches(parent: int | None) -> tuple[BranchRow, ...]:
        return tuple(
            BranchRow(
                each.code,
                in_language(each.name),
                each.weight,
                in_unit(each.target, ""),
                len(leaves.get(each.pk, [])),
            )
            for each in below.get(parent, [])
        )

    top = GroupRow(TOP, _("Dimensions"), 0, "", in_unit(version.target, ""), (), branches(None))

    def walk(parent: int | None, within: str, depth: int) -> Iterable[GroupRow]:
        for each in below.get(parent, []):
            yield GroupRow(
                each.code,
                in_language(each.name),
                depth,
                within,
                in_unit(each.target, ""),
                tuple(leaves.get(each.pk, [])),
                branches(each.pk),
            )
            yield from walk(each.pk, in_language(each.name), depth + 1)

    return [top, *walk(None, "", 1)]


def as_typed(
    groups: Sequence[GroupRow], code: str, typed: Mapping[str, str], wrong: Mapping[str, str]
) -> list[GroupRow]:
    """Return the groups with what somebody typed as weights of one, and what is wrong with it."""

    def row(member: Row) -> Row:
        said = typed.get(member.code, member.percent)
        return replace(member, typed=said, wrong=wrong.get(member.code, ""))

    return [
        replace(
            group,
            leaves=tuple(row(leaf) for leaf in group.leaves),
            branches=tuple(row(branch) for branch in group.branches),
        )
        if group.code == code
        else group
        for group in groups
    ]


def grains_of(version: SystemVersion) -> str:
    """Return the grains of a version in words."""
    return ", ".join(str(Grain(grain).label) for grain in version.grains)


def _leaf_row(use: WeightedIndicator, targets: Mapping[str, Target]) -> LeafRow:
    indicator, target = use.indicator, targets.get(use.indicator.code)
    unit = indicator.unit_of_measure
    return LeafRow(
        code=indicator.code,
        name=in_language(indicator.name),
        source=source_of(indicator),
        direction=indicator.direction,
        worst=_plain(use.worst * 100 if unit == UnitOfMeasure.SHARE else use.worst),
        best=in_unit(use.best, unit),
        target="" if target is None else in_unit(target.value, unit),
        weight=use.weight,
        points=words_of(use, lambda value: in_unit(value, unit)),
        is_even=is_even(use),
    )


def source_of(indicator: Indicator) -> str:
    """Return what people read as the source of an indicator, also of a formula."""
    return _("Formula") if indicator.formula else source_title(indicator.source)


@dataclass(frozen=True)
class ShownProblem:
    """What stops publication: where it is, and the page on which it is mended."""

    where: str
    reason: str
    url: str
    source: str = ""
    source_url: str = ""


def shown_problems(
    version: SystemVersion, problems: Sequence[Problem], groups: Sequence[GroupRow]
) -> list[ShownProblem]:
    """Return the problems with the names and addresses of what they are about."""
    at = reverse("sqcore:indicators-version", args=[version.system.code, version.number])
    names = {TOP: _("Dimensions"), "grains": _("Periods")}
    names |= {group.code: group.name for group in groups if not group.is_top}
    names |= {leaf.code: leaf.name for group in groups for leaf in group.leaves}
    measured = {leaf.code for group in groups for leaf in group.leaves}
    unmeasured = _sources_that_refuse([p.field for p in problems if p.field in measured])
    shown = []
    for problem in problems:
        url = f"{at}#at-{problem.field}" if problem.field in names else at
        if problem.field == "grains":
            url = reverse("sqcore:indicators-settings", args=[version.system.code, version.number])
        elif problem.field in measured:
            url = reverse("sqcore:indicators-detail", args=[problem.field])
        title, page = unmeasured.get(problem.field, ("", ""))
        shown.append(ShownProblem(names.get(problem.field, ""), problem.reason, url, title, page))
    return shown


def _sources_that_refuse(codes: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return, by indicator, the title and page of the source that does not know its measure."""
    found: dict[str, tuple[str, str]] = {}
    for indicator in Indicator.objects.filter(code__in=codes).order_by("code"):
        for each in with_operands([indicator]).values():
            if each.source not in SOURCES or _is_measured(each):
                continue
            source = SOURCES[each.source]
            if isinstance(source, IsSetUp):
                found[indicator.code] = (source.title, reverse(source.set_up_at))
    return found


def _is_measured(indicator: Indicator) -> bool:
    try:
        measure_of(indicator)
    except InvalidInput:
        return False
    return True


@dataclass(frozen=True)
class CatalogueRow:
    indicator: Indicator
    name: str
    source: str
    unit: str
    target: str
    is_used: bool


def catalogue(principal: Principal, *, source: str = "", stage: str = "") -> list[Indicator]:
    """Return the indicators of the catalogue, by code; `source` may be "formula"."""
    found = Indicator.objects.visible_to(principal).order_by("code")
    if source == "formula":
        found = found.exclude(formula="")
    elif source:
        found = found.filter(source=source)
    return list(found.filter(stage=stage) if stage else found)


def catalogue_rows(indicators: Sequence[Indicator], *, on: date) -> list[CatalogueRow]:
    """Return rows of the catalogue with the targets of a day. Two queries."""
    keys = [indicator.pk for indicator in indicators]
    targets = targets_by_code([indicator.code for indicator in indicators], on=on)
    published = Q(dimension__version__state=SystemVersion.State.PUBLISHED)
    used = set(
        WeightedIndicator.objects.filter(published, indicator__in=keys).values_list(
            "indicator_id", flat=True
        )
    )
    return [
        CatalogueRow(
            indicator=indicator,
            name=in_language(indicator.name),
            source=source_of(indicator),
            unit=unit_name(indicator.unit_of_measure),
            target=_value_of(targets.get(indicator.code), indicator),
            is_used=indicator.pk in used,
        )
        for indicator in indicators
    ]


def _value_of(target: Target | None, indicator: Indicator) -> str:
    return "" if target is None else in_unit(target.value, indicator.unit_of_measure)


@dataclass(frozen=True)
class TargetRow:
    target: Target
    value: str
    floor: str
    state: str


@dataclass(frozen=True)
class EpochRow:
    """A definition that replaced another one: what was measured before, and what from then on."""

    epoch: IndicatorEpoch
    changes: list[tuple[str, str, str]]
    is_coming: bool


def _epochs_of(indicator: Indicator, on: date) -> list[EpochRow]:
    found = IndicatorEpoch.objects.filter(indicator=indicator).select_related("begun_by")
    return [
        EpochRow(
            epoch,
            [
                (
                    str(Indicator._meta.get_field(key).verbose_name),  # type: ignore[union-attr]  # a plain field
                    measured_as(key, epoch.before[key]),
                    measured_as(key, epoch.after[key]),
                )
                for key in MEASURED
                if epoch.before[key] != epoch.after[key]
            ],
            epoch.starts_on > on,
        )
        for epoch in found.order_by("-number")
    ]


def measured_as(key: str, value: Any) -> str:
    """Return a field of what is measured in words."""
    if key == "parameters":
        return "; ".join(f"{name}: {_as_text(each)}" for name, each in value.items())
    match key:
        case "source":
            return source_title(value) if value else ""
        case "unit_of_measure":
            return unit_name(value)
        case "direction" if value in Indicator.Direction.values:
            return str(Indicator.Direction(value).label)
        case "statistic" if value in Indicator.Statistic.values:
            return str(Indicator.Statistic(value).label)
    return str(value)


@dataclass(frozen=True)
class IndicatorPage:
    """One indicator of the catalogue and all that hangs on it."""

    indicator: Indicator
    source: str
    unit: str
    parameters: list[tuple[str, str]]
    operands: list[Indicator]
    formulas: list[Indicator]
    uses: list[WeightedIndicator]
    targets: list[TargetRow]
    epochs: list[EpochRow]
    has_results: bool


def indicator_named(principal: Principal, code: str) -> Indicator:
    """Return the indicator of this code. raises: NotFound"""
    found = (
        Indicator.objects.visible_to(principal).select_related("owner").filter(code=code).first()
    )
    if found is None:
        raise NotFound(_("There is no indicator “%(code)s”.") % {"code": code})
    return found


def indicator_page(principal: Principal, code: str, *, on: date) -> IndicatorPage:
    """Return what the page of an indicator shows. raises: NotFound"""
    indicator = indicator_named(principal, code)
    names = parse(indicator.formula).names if indicator.formula else ()
    uses = (
        WeightedIndicator.objects.filter(indicator=indicator)
        .select_related("dimension__version__system")
        .order_by("dimension__version__system", "-dimension__version__number")
    )
    if not principal.may(Permission.MANAGE_INDICATORS):
        uses = uses.exclude(dimension__version__state=SystemVersion.State.DRAFT)
    listed = list(uses)
    unit = indicator.unit_of_measure
    return IndicatorPage(
        indicator=indicator,
        source=source_of(indicator),
        unit=unit_name(unit),
        parameters=[(str(key), _as_text(value)) for key, value in indicator.parameters.items()],
        operands=list(Indicator.objects.filter(code__in=names).order_by("code")),
        formulas=formulas_with(indicator.code),
        uses=listed,
        targets=[
            TargetRow(
                target,
                in_unit(target.value, unit),
                in_unit(target.floor, unit),
                _state_of(target, on),
            )
            for target in Target.objects.filter(indicator=indicator).order_by("-valid_from")
        ],
        epochs=_epochs_of(indicator, on),
        has_results=any(
            use.dimension.version.state == SystemVersion.State.PUBLISHED for use in listed
        ),
    )


def _as_text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _state_of(target: Target, on: date) -> str:
    if target.valid_from > on:
        return "coming"
    return "holds" if target.valid_to is None or target.valid_to > on else "over"


def system_named(principal: Principal, code: str) -> IndicatorSystem:
    """Return the system of this code. raises: NotFound"""
    found = IndicatorSystem.objects.visible_to(principal).filter(code=code).first()
    if found is None:
        raise NotFound(_("There is no indicator system “%(code)s”.") % {"code": code})
    return found


def version_named(principal: Principal, code: str, number: int) -> SystemVersion:
    """Return a version; drafts are for who may change them. raises: NotFound, NotPermitted"""
    found = (
        SystemVersion.objects.visible_to(principal)
        .select_related("system")
        .filter(system__code=code, number=number)
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such version."))
    if found.state == SystemVersion.State.DRAFT:
        principal.require(Permission.MANAGE_INDICATORS)
    return found


def versions_of(principal: Principal, system: IndicatorSystem) -> list[SystemVersion]:
    """Return the versions of a system, the newest first."""
    found = SystemVersion.objects.visible_to(principal).filter(system=system)
    if not principal.may(Permission.MANAGE_INDICATORS):
        found = found.exclude(state=SystemVersion.State.DRAFT)
    return list(found.order_by("-number"))
