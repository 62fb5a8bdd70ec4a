"""What an indicator must be to be measured, and a version to be published."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.periods import Grain
from sqcore.indicators.definition import LONGER_THAN_WEEKS, measure_of, with_operands
from sqcore.indicators.epochs import all_definitions
from sqcore.indicators.models import (
    Dimension,
    Indicator,
    SystemVersion,
    Target,
    UnitOfMeasure,
    WeightedIndicator,
)
from sqcore.indicators.shapes import is_two_sided
from sqcore.indicators.sources import SOURCES
from sqcore.stats.dimensions import UNITS, Side, UnitStatus, check_units
from sqcore.stats.formula import Fault, Formula, FormulaError, parse

TOLERANCE = Decimal("0.000001")
"""How far the weights of siblings may be from 1."""
TOP = "dimensions"
"""The name of the group of dimensions that stand in no other."""

FAULTS = {
    Fault.EMPTY: gettext_lazy("There is no formula."),
    Fault.TOO_LONG: gettext_lazy("The formula is too long."),
    Fault.TOO_DEEP: gettext_lazy("Too many parentheses stand in each other."),
    Fault.UNREADABLE: gettext_lazy("This is neither a number, an indicator in [ ] nor a sign."),
    Fault.VALUE_EXPECTED: gettext_lazy("A number, an indicator in [ ] or a parenthesis must stand"
                                       " here."),
    Fault.SIGN_EXPECTED: gettext_lazy("One of + - * / must stand here."),
    Fault.NOT_CLOSED: gettext_lazy("The parenthesis opened here is never closed."),
    Fault.UNKNOWN_FUNCTION: gettext_lazy("There are only min, max and abs; codes of indicators"
                                         " stand in [ ]."),
    Fault.WRONG_COUNT: gettext_lazy("min and max take at least two values, abs takes one."),
    Fault.NUMBER_TOO_LARGE: gettext_lazy("This number is too large."),
    Fault.DIVIDES_BY_ZERO: gettext_lazy("This always divides by 0."),
    Fault.NO_NAME: gettext_lazy("It names no indicator; write the code of one in [ ]."),
}  # fmt: skip

Group = tuple[str, str]
"""Whose answers an indicator sums: its source, and the questionnaire or the like."""


def require_measurable(indicator: Indicator) -> None:
    """Refuse an indicator that nothing can be computed for: of an unknown source or measure, or
    with a formula that cannot be read, names what is not there, itself, or what is not valid.

    raises: InvalidInput
    """
    if indicator.formula:
        _require_formula(indicator)
        return
    if indicator.source not in SOURCES:
        known = ", ".join(source.key for source in SOURCES)
        raise InvalidInput(
            _("There is no source “%(source)s”; there are: %(known)s.")
            % {"source": indicator.source, "known": known}
        )
    measure_of(indicator)


def read_formula(text: str) -> Formula:
    """Return the formula. raises: InvalidInput, which names the place of the error"""
    try:
        return parse(text)
    except FormulaError as error:
        reason = str(FAULTS[error.fault])
        if error.found:
            where = _("At character %(place)d, “%(found)s”: %(reason)s") % {
                "place": error.place, "found": error.found, "reason": reason,
            }  # fmt: skip
        else:
            where = _("At character %(place)d: %(reason)s") % {
                "place": error.place,
                "reason": reason,
            }
        raise InvalidInput(where, problems=[Problem(where, field="formula")]) from error


def _require_formula(indicator: Indicator) -> None:
    names = read_formula(indicator.formula).names
    found = with_operands([indicator])
    missing = [name for name in names if name not in found]
    if missing:
        message = _("There is no indicator “%(code)s”.") % {"code": missing[0]}
        problems = [
            Problem(_("There is no indicator “%(code)s”.") % {"code": name}, field="formula")
            for name in missing
        ]
        raise InvalidInput(message, problems=problems)
    if circle := circle_of(indicator.code, found):
        message = _("The formula needs itself: %(circle)s.") % {"circle": " → ".join(circle)}
        raise InvalidInput(message, problems=[Problem(message, field="formula")])
    for name in names:
        require_covers(found[name], indicator)


def require_units(indicator: Indicator) -> None:
    """Refuse a formula that adds what is not alike, or whose result is in another unit than the
    one declared; an indicator without a formula has nothing to add. raises: InvalidInput"""
    if not indicator.formula:
        return
    if reason := mixed_units(indicator, with_operands([indicator])):
        raise InvalidInput(reason, problems=[Problem(reason, field="formula")])


def mixed_units(indicator: Indicator, found: Mapping[str, Indicator]) -> str:
    """Return why the units of a formula do not go together, empty where they do or where that
    cannot be told. `found` are the indicators by code, those it names among them."""
    formula = parse(indicator.formula)
    if any(name not in found for name in formula.names):
        return ""
    units = {name: _known_unit(found[name]) for name in formula.names}
    said = check_units(formula, units, _known_unit(indicator))
    if not said.is_refused:
        return ""
    if said.left is None or said.right is None:
        return _(
            "The result of the formula is in %(found)s, but the indicator is measured in"
            " %(declared)s."
        ) % {"found": _units_in_words(said.units), "declared": _unit_in_words(said.declared)}
    left, right = _side_in_words(said.left), _side_in_words(said.right)
    if said.status == UnitStatus.NUMBER_BESIDE:
        return _(
            "%(number)s is a plain number and cannot be added to %(value)s: a number takes on the"
            " unit of a share, of percent, points or a count, never of a time."
        ) % {"number": right, "value": left}
    return _(
        "%(left)s and %(right)s cannot be added or compared: they are in different units. Write the"
        " factor that turns one into the other: 60 turns hours into minutes."
    ) % {"left": left, "right": right}


def _known_unit(indicator: Indicator) -> str:
    unit = indicator.unit_of_measure
    return unit if unit in UNITS else ""


def _side_in_words(side: Side) -> str:
    if not side.units:
        return f"“{side.text}”"
    return _("“%(part)s” (%(unit)s)") % {"part": side.text, "unit": _units_in_words(side.units)}


def _units_in_words(units: Sequence[str]) -> str:
    return _(" or ").join(_unit_in_words(unit) for unit in units)


def _unit_in_words(unit: str) -> str:
    return str(UnitOfMeasure(unit).label) if unit in UnitOfMeasure.values else unit


def mixed_formulas(version: SystemVersion) -> list[tuple[Indicator, str]]:
    """Return the formulas that a version needs and whose units do not go together, each with the
    reason: kept before units were checked, they compute all the same."""
    leaves = WeightedIndicator.objects.filter(dimension__version=version)
    placed = [leaf.indicator for leaf in leaves.select_related("indicator").order_by("id")]
    found = with_operands(placed)
    said = ((each, mixed_units(each, found)) for each in found.values() if each.formula)
    return sorted(((each, why) for each, why in said if why), key=lambda pair: pair[0].code)


def hidden_formulas(version: SystemVersion) -> list[tuple[Indicator, Indicator]]:
    """Return the formulas in a version's tree that need an opinion which stands nowhere in it,
    each with that opinion: answers are released only where they have a place, so that such a
    formula never has a figure."""
    leaves = WeightedIndicator.objects.filter(dimension__version=version)
    placed = [leaf.indicator for leaf in leaves.select_related("indicator").order_by("id")]
    found = with_operands(placed)
    codes = {each.code for each in placed}
    return [
        (each, needed)
        for each in placed
        if each.formula
        for needed in with_operands([each], among=found).values()
        if needed.code not in codes
        and needed.source in SOURCES
        and SOURCES[needed.source].counts.are_opinions
    ]


def circle_of(code: str, found: Mapping[str, Indicator]) -> list[str]:
    """Return a way from an indicator over its formulas back to itself; empty if there is none."""
    seen: set[str] = set()

    def walk(at: str, path: list[str]) -> list[str]:
        formula = found[at].formula if at in found else ""
        for name in parse(formula).names if formula else ():
            if name == code:
                return [*path, name]
            if name not in seen:
                seen.add(name)
                if way := walk(name, [*path, name]):
                    return way
        return []

    return walk(code, [code])


def require_covers(operand: Indicator, formula: Indicator) -> None:
    """Refuse an operand that is not valid on every day of its formula. raises: InvalidInput"""
    begins = operand.valid_from is None or (
        formula.valid_from is not None and operand.valid_from <= formula.valid_from
    )
    ends = operand.valid_to is None or (
        formula.valid_to is not None and operand.valid_to >= formula.valid_to
    )
    if not (begins and ends):
        message = _("“%(operand)s” is not valid on every day on which “%(formula)s” is.") % {
            "operand": operand.code,
            "formula": formula.code,
        }
        raise InvalidInput(message, problems=[Problem(message, field="formula")])


def formulas_with(code: str) -> list[Indicator]:
    """Return the indicators whose formula names this one."""
    formulas = Indicator.objects.exclude(formula="").order_by("code")
    return [found for found in formulas if code in parse(found.formula).names]


def dependents(indicator: Indicator) -> list[Indicator]:
    """Return the indicator and all whose formulas need it, at whatever remove."""
    found = {indicator.code: indicator}
    waiting = [indicator]
    while waiting:
        more = [each for each in formulas_with(waiting.pop().code) if each.code not in found]
        found |= {each.code: each for each in more}
        waiting += more
    return list(found.values())


def is_published(indicator: Indicator) -> bool:
    """True when a version that was ever published uses it, in its tree or in a formula."""
    uses = WeightedIndicator.objects.filter(indicator__in=dependents(indicator))
    return uses.exclude(dimension__version__state=SystemVersion.State.DRAFT).exists()


def problems_of_epoch(before: Indicator, after: Indicator) -> Iterator[Problem]:
    """Yield what stops an indicator from measuring something else while a version is in force:
    goalposts that would mean something else. `after` is what it is to be."""
    if before.unit_of_measure in ("", after.unit_of_measure):
        return
    uses = WeightedIndicator.objects.filter(
        indicator=before, weight__gt=0, dimension__version__state=SystemVersion.State.PUBLISHED
    )
    for use in uses.select_related("dimension__version__system").order_by("id"):
        yield Problem(
            _(
                "“%(version)s” scores it by goalposts in %(unit)s: in another unit they would mean"
                " something else. Define another indicator, and put it into the next version."
            )
            % {
                "version": use.dimension.version,
                "unit": _unit_in_words(before.unit_of_measure),
            },
            field="unit_of_measure",
        )


def require_target(indicator: Indicator, value: float, floor: float | None) -> None:
    """Refuse what cannot be reached, or a floor that is better. raises: InvalidInput"""
    problems = [
        Problem(reason, field=field)
        for field, number in (("value", value), ("floor", floor))
        if number is not None
        for reason in _implausible(indicator, number)
    ]
    rising = indicator.direction == Indicator.Direction.HIGHER
    if floor is not None and not problems and (floor > value if rising else floor < value):
        reason = _("The floor must not be better than the target.")
        problems.append(Problem(reason, field="floor"))
    if problems:
        raise InvalidInput(problems[0].reason, problems=problems)


def _implausible(indicator: Indicator, number: float) -> Iterator[str]:
    unit = indicator.unit_of_measure
    low, high = UnitOfMeasure(unit).limits if unit in UnitOfMeasure.values else (None, None)
    if not float("-inf") < number < float("inf"):
        yield _("A number is missing.")
    elif low is not None and high is not None and not low <= number <= high:
        yield _("%(number)s cannot be: it is measured in %(unit)s.") % {
            "number": f"{number:g}",
            "unit": UnitOfMeasure(unit).label,
        }


def problems_of_version(version: SystemVersion) -> Iterator[Problem]:
    """Yield what stops a draft from being published; a problem's field is the code of the
    indicator or dimension, `TOP`, "grains", or empty."""
    dimensions = list(Dimension.objects.filter(version=version).order_by("position", "id"))
    leaves = list(
        WeightedIndicator.objects.filter(dimension__version=version)
        .select_related("indicator")
        .order_by("dimension__position", "dimension_id", "position", "id")
    )
    if not leaves:
        yield Problem(_("It has no indicator yet."))
        return
    found = with_operands([leaf.indicator for leaf in leaves])
    yield from _problems_of_weeks(version, leaves, found)
    yield from _problems_of_weights(dimensions, leaves)
    elsewhere = _evaluated_elsewhere(version)
    targets = _targets_of(leaves, version.since)
    for leaf in leaves:
        yield from _problems_of_measure(leaf, found, elsewhere)
        yield from _problems_of_ends(leaf, targets.get(leaf.indicator_id, ()), version.since)


def _problems_of_weights(
    dimensions: Sequence[Dimension], leaves: Sequence[WeightedIndicator]
) -> Iterator[Problem]:
    inside: dict[int | None, list[Decimal]] = {None: []}
    for dimension in dimensions:
        inside.setdefault(dimension.parent_id, []).append(dimension.weight)
    for leaf in leaves:
        inside.setdefault(leaf.dimension_id, []).append(leaf.weight)
    if not any(inside[None]):
        yield Problem(
            _("Everything in it is only watched: give at least one dimension a weight."), field=TOP
        )
    elif abs(_sum(inside[None]) - 1) > TOLERANCE:
        yield Problem(_not_one(inside[None]), field=TOP)
    for dimension in dimensions:
        weights = inside.get(dimension.pk, [])
        if not weights:
            reason = _("It has neither an indicator nor a dimension in it.")
            yield Problem(reason, field=dimension.code)
        elif any(weights) and abs(_sum(weights) - 1) > TOLERANCE:
            yield Problem(_not_one(weights), field=dimension.code)
        elif not any(weights) and dimension.weight:
            reason = _("Everything in it is only watched, so that it cannot have a weight itself.")
            yield Problem(reason, field=dimension.code)


def _sum(weights: Iterable[Decimal]) -> Decimal:
    return sum(weights, Decimal(0))


def _not_one(weights: Iterable[Decimal]) -> str:
    total = float(_sum(weights))
    return _("The weights in it sum to %(sum)s, not to 1.") % {"sum": f"{total:.6g}"}


def _groups_of(indicator: Indicator, found: Mapping[str, Indicator]) -> set[Group]:
    """Return whose answers an indicator sums, itself or in its formula; none where it has no
    opinions. What is gone brings no answers any more."""
    groups = set()
    for each in with_operands([indicator], among=found).values():
        if each.formula or each.source not in SOURCES:
            continue
        if SOURCES[each.source].counts.are_opinions:
            with suppress(InvalidInput):
                groups.add((each.source, measure_of(each).partition("/")[0]))
    return groups


def _groups_by_use(
    uses: Iterable[WeightedIndicator],
) -> Iterator[tuple[WeightedIndicator, set[Group]]]:
    listed = list(uses)
    found = with_operands([use.indicator for use in listed])
    defined: dict[str, list[Indicator]] = {}
    for each in all_definitions(found.values()):
        defined.setdefault(each.code, []).append(each)
    for use in listed:
        yield use, _groups_ever(use.indicator, found, defined)


def _groups_ever(
    indicator: Indicator,
    found: Mapping[str, Indicator],
    defined: Mapping[str, Sequence[Indicator]],
) -> set[Group]:
    """Return whose answers an indicator sums or once summed, in what its formula needs too."""
    groups = _groups_of(indicator, found)
    for code in with_operands([indicator], among=found):
        for former in defined[code][1:]:
            groups |= _groups_of(former, with_operands([former]))
    return groups


def _evaluated_elsewhere(version: SystemVersion) -> dict[Group, str]:
    """Return, by group of answers, the other system that evaluates or once evaluated it."""
    others = (
        WeightedIndicator.objects.exclude(dimension__version__state=SystemVersion.State.DRAFT)
        .exclude(dimension__version__system=version.system_id)
        .select_related("indicator", "dimension__version__system")
        .order_by("id")
    )
    return {
        group: use.dimension.version.system.code
        for use, groups in _groups_by_use(others)
        for group in groups
    }


def _by_week(grains: Sequence[str]) -> bool | None:
    """Whether opinions are evaluated by week; None where neither by week nor by longer periods."""
    if LONGER_THAN_WEEKS & set(grains):
        return False
    return True if Grain.WEEK in grains else None


def _problems_of_weeks(
    version: SystemVersion,
    leaves: Sequence[WeightedIndicator],
    found: Mapping[str, Indicator],
) -> Iterator[Problem]:
    """Opinions are evaluated by week, or by month and longer, for good."""
    former = (
        WeightedIndicator.objects.exclude(dimension__version__state=SystemVersion.State.DRAFT)
        .filter(dimension__version__system=version.system_id)
        .select_related("indicator", "dimension__version")
        .order_by("id")
    )
    ways: dict[Group, set[bool | None]] = {}
    for use, groups in _groups_by_use(former):
        for group in groups:
            ways.setdefault(group, set()).add(_by_week(use.dimension.version.grains))
    now = _by_week(version.grains)
    mixed = now is not None and any(
        (not now) in ways.get(group, ())
        for leaf in leaves
        for group in _groups_of(leaf.indicator, found)
    )
    if mixed:
        yield Problem(
            _(
                "Weeks do not add up to months: their difference would show single days. Answers"
                " that were evaluated by week stay by week, and those by month, quarter or year"
                " stay with these."
            ),
            field="grains",
        )


def _problems_of_measure(
    leaf: WeightedIndicator, found: Mapping[str, Indicator], elsewhere: Mapping[Group, str]
) -> Iterator[Problem]:
    code = leaf.indicator.code
    for each in with_operands([leaf.indicator], among=found).values():
        try:
            require_measurable(each)
        except InvalidInput as error:
            reason = error.message
            if each.code != code:
                reason = _("It needs “%(operand)s”: %(reason)s") % {
                    "operand": each.code,
                    "reason": reason,
                }
            yield Problem(reason, field=code)
    for group in sorted(_groups_of(leaf.indicator, found)):
        if other := elsewhere.get(group):
            yield Problem(
                _(
                    "These answers are evaluated in the system “%(system)s”. Two systems over the"
                    " same answers could be subtracted from each other; add it there."
                )
                % {"system": other},
                field=code,
            )


def _targets_of(leaves: Sequence[WeightedIndicator], since: date) -> dict[int, list[Target]]:
    held: dict[int, list[Target]] = {}
    targets = Target.objects.filter(indicator__in=[leaf.indicator_id for leaf in leaves])
    for target in targets.exclude(valid_to__lte=since).order_by("valid_from"):
        held.setdefault(target.indicator_id, []).append(target)
    return held


def _problems_of_ends(
    leaf: WeightedIndicator, targets: Sequence[Target], since: date
) -> Iterator[Problem]:
    indicator = leaf.indicator
    if indicator.valid_to is not None and indicator.valid_to <= since:
        reason = _("It ended before the first day that is evaluated.")
        yield Problem(reason, field=indicator.code)
    if is_two_sided(leaf):
        if targets:
            reason = _(
                "It can be too low and too high, so a target has no good side: end its target, or"
                " let its points rise one way."
            )
            yield Problem(reason, field=indicator.code)
        return
    rising = leaf.best > leaf.worst
    ends = {"worst": f"{leaf.worst:g}", "best": f"{leaf.best:g}"}
    if rising != (indicator.direction == Indicator.Direction.HIGHER):
        yield Problem(
            _("Its goalposts run from %(worst)s to %(best)s, but it says: %(direction)s.")
            % {**ends, "direction": Indicator.Direction(indicator.direction).label},
            field=indicator.code,
        )
    low, high = sorted((leaf.worst, leaf.best))
    for target in targets:
        if not low <= target.value <= high:
            yield Problem(
                _(
                    "Its target %(target)s lies outside its goalposts, %(worst)s to %(best)s: it"
                    " could never be told from the points."
                )
                % {**ends, "target": f"{target.value:g}"},
                field=indicator.code,
            )
