"""What the page of the changes between two versions says, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.periods import Grain
from sqcore.base.text import TranslatedText, day, in_language
from sqcore.indicators.pages import in_unit, measured_as, percent
from sqcore.indicators.shapes import Aggregation, Scoring, words_of
from sqcore.publication.differences import (
    INDICATOR,
    Change,
    Changed,
    Differences,
    Part,
    Weighed,
)

FIELDS: Mapping[str, str | Promise] = {
    "grains": gettext_lazy("Evaluated by"),
    "since": gettext_lazy("First day"),
    "aggregation": gettext_lazy("How scores become one"),
    "dimension": gettext_lazy("Dimension"),
    "name": gettext_lazy("Name"),
    "source": gettext_lazy("Source"),
    "parameters": gettext_lazy("Parameters"),
    "formula": gettext_lazy("Formula"),
    "statistic": gettext_lazy("Statistic"),
    "unit_of_measure": gettext_lazy("Unit of measure"),
    "direction": gettext_lazy("Direction"),
    "points": gettext_lazy("Points"),
    "target": gettext_lazy("Target"),
    "floor": gettext_lazy("Floor"),
}


@dataclass(frozen=True)
class ChangeRow:
    field: str
    before: str
    after: str


@dataclass(frozen=True)
class PartRow:
    """A dimension or an indicator; `code` leads to its page, empty for a dimension."""

    name: str
    kind: str
    within: str
    code: str
    changes: tuple[ChangeRow, ...] = ()


@dataclass(frozen=True)
class WeightRow:
    name: str
    kind: str
    within: str
    before: str
    after: str


@dataclass(frozen=True)
class Told:
    """The changes as the page shows them."""

    settings: tuple[ChangeRow, ...]
    added: tuple[PartRow, ...]
    removed: tuple[PartRow, ...]
    changed: tuple[PartRow, ...]
    weights: tuple[WeightRow, ...]
    goals: tuple[tuple[str | Promise, str, str], ...]


def told(found: Differences) -> Told:
    return Told(
        settings=tuple(_change(each, found.names) for each in found.settings),
        added=tuple(_part(each, found.names) for each in found.added),
        removed=tuple(_part(each, found.names) for each in found.removed),
        changed=tuple(_changed(each, found.names) for each in found.changed),
        weights=tuple(_weight(each, found.names) for each in found.weights),
        goals=(
            *((_("new"), "", _goal(each, found.names)) for each in found.goals_added),
            *(
                (_("changed"), _goal(each.before, found.names), _goal(each.after, found.names))
                for each in found.goals_changed
            ),
            *((_("taken out"), _goal(each, found.names), "") for each in found.goals_removed),
        ),
    )


def _goal(goal: Any, names: Mapping[str, TranslatedText]) -> str:
    if goal.dimension not in names:
        return str(goal)
    return _("%(goal)s (served by %(name)s)") % {
        "goal": goal,
        "name": in_language(names[goal.dimension]),
    }


def _part(part: Part, names: Mapping[str, TranslatedText]) -> PartRow:
    is_indicator = part.kind == INDICATOR
    within = in_language(names[part.dimension]) if part.dimension in names else ""
    if is_indicator and not part.dimension:
        within = _("only in formulas")
    return PartRow(
        in_language(part.name),
        _("Indicator") if is_indicator else _("Dimension"),
        within,
        part.code if is_indicator else "",
    )


def _changed(found: Changed, names: Mapping[str, TranslatedText]) -> PartRow:
    row = _part(found.part, names)
    was, now = (part.says.get("unit_of_measure", "") for part in (found.before, found.part))
    rows = tuple(_change(each, names, was=was, now=now) for each in found.changes)
    return PartRow(row.name, row.kind, row.within, row.code, rows)


def _weight(found: Weighed, names: Mapping[str, TranslatedText]) -> WeightRow:
    row = _part(found.part, names)
    before, after = ("–" if w is None else f"{percent(w)} %" for w in (found.before, found.after))
    return WeightRow(row.name, row.kind, row.within, before, after)


def _change(
    change: Change, names: Mapping[str, TranslatedText], *, was: str = "", now: str = ""
) -> ChangeRow:
    return ChangeRow(
        str(FIELDS[change.field]),
        _words(change.field, change.before, was, names),
        _words(change.field, change.after, now, names),
    )


def _words(field: str, value: Any, unit: str, names: Mapping[str, TranslatedText]) -> str:
    """Return what a field says in words; a dash where it says nothing."""
    if value in (None, "", {}, []):
        return "–"
    if isinstance(value, Scoring):
        return words_of(value, lambda each: in_unit(each, unit))
    match field:
        case "name":
            return in_language(value)
        case "dimension":
            return in_language(names[value]) if value in names else str(value)
        case "grains":
            return ", ".join(str(Grain(each).label) for each in value)
        case "since":
            return day(value)
        case "target" | "floor":
            return in_unit(value, unit)
        case "aggregation":
            return str(Aggregation(value).label)
    return measured_as(field, value)
