"""Which analyses of this room there are for a person, and which of them an address is about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple

from django.db.models import Max, Q, QuerySet

from sqcore.base.periods import Grain, Period
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Segment, Unit
from sqcore.org.queries import fiscal_start, tree_on
from surveys.analyses.models import Analysis
from surveys.drivers.kinds import DRIVERS, KANO, DriversKind, KanoKind
from surveys.instruments.codebook import codebook_of
from surveys.instruments.models import InstrumentVersion
from surveys.instruments.queries import usable_versions

KEYS = (DRIVERS, KANO)


@dataclass(frozen=True)
class Asked:
    """What an address names; empty means the default."""

    questionnaire: str = ""
    period: str = ""
    of: str = ""
    against: str = ""
    outcome: str = ""
    by: str = ""
    counts: str = ""


@dataclass(frozen=True)
class GroupRow:
    """A group that was looked at: a unit with all below it, or a channel or segment of the whole.

    `n` is None where nothing was found, by the status of each kind.
    """

    unit_id: int
    margin: str
    margin_value: str
    key: str
    name: str
    depth: int
    n: int | None


@dataclass(frozen=True)
class Chosen:
    """Which analyses a page is about, and what else could be chosen."""

    versions: Sequence[InstrumentVersion]
    version: InstrumentVersion
    periods: Sequence[Period]
    period: Period
    groups: Sequence[GroupRow]
    group: GroupRow
    against: GroupRow | None
    found: Sequence[Analysis]

    def row(self, kind: str, group: GroupRow | None) -> Analysis | None:
        """Return what a kind found in a group, if it looked there."""
        return next(
            (
                row
                for row in self.found
                if group is not None and row.kind == kind and _place(row) == _place(group)
            ),
            None,
        )

    @cached_property
    def whole(self) -> GroupRow:
        return self.groups[0]


class _Place(NamedTuple):
    unit_id: int
    margin: str
    margin_value: str


class _Seen(NamedTuple):
    version: int
    kind: str
    grain: str
    starts_on: date
    n: int | None


def is_asked_for() -> bool:
    """True when a questionnaire in use asks what is needed to find out what matters."""
    kinds = (DriversKind(), KanoKind())
    return any(kind.suits(codebook_of(version)) for version in usable_versions() for kind in kinds)


def chosen_by(principal: Principal, asked: Asked) -> Chosen | None:
    """Return what the address is about; None while there is no analysis that the asker may see."""
    mine = Analysis.objects.visible_to(principal).filter(kind__in=KEYS)
    seen = _seen(mine)
    if not seen:
        return None
    versions = _versions(seen)
    by_name = {version_key(version): version for version in versions}
    version = by_name.get(asked.questionnaire) or _fullest(versions, seen)
    periods = _periods(each for each in seen if each.version == version.pk)
    period = next((each for each in periods if each.key == asked.period), periods[0])
    rows = mine.filter(version=version, grain=period.grain, starts_on=period.start)
    groups = _groups(rows, period)
    by_key = {group.key: group for group in groups}
    group = by_key.get(asked.of, groups[0])
    against = by_key.get(asked.against)
    against = None if against == group else against
    wanted = [each for each in (group, against) if each is not None]
    found = list(rows.filter(_any_of(wanted)).order_by("id"))
    for row in found:
        row.version = version
    return Chosen(versions, version, periods, period, groups, group, against, found)


def latest_drivers(
    principal: Principal, *, unit: Unit | None = None, by: date | None = None
) -> Analysis | None:
    """Return the newest finding of what matters at a unit; without one, at the highest unit that
    the asker sees: of the newest period, the one of most answers.

    by: the day on which its period had ended
    """
    rows = Analysis.objects.visible_to(principal).filter(kind=DRIVERS, margin="", status="ok")
    rows = rows.filter(_ended(by)) if by is not None else rows
    rows = rows.filter(unit=unit) if unit is not None else rows
    rows = rows.select_related("version__instrument", "unit")
    return rows.order_by("-starts_on", "-n", "id").first()


def _ended(by: date) -> Q:
    """Findings of periods that were over on this day."""
    found = Q(pk__in=[])
    for grain in (Grain.QUARTER, Grain.YEAR):
        running = Period.of(by, grain, fiscal_start=fiscal_start())
        found |= Q(grain=grain, starts_on__lt=running.start)
    return found


def version_key(version: InstrumentVersion) -> str:
    return f"{version.instrument.code}.{version.number}"


def period_of(row: Analysis) -> Period:
    return Period(row.starts_on, Grain(row.grain), fiscal_start())


def _seen(rows: QuerySet[Analysis]) -> list[_Seen]:
    """Return which periods of which versions were looked at, and in how many answers."""
    fields = ("version_id", "kind", "grain", "starts_on")
    counted = rows.order_by().values(*fields).annotate(most=Max("n")).order_by(*fields)
    return [_Seen(*row) for row in counted.values_list(*fields, "most")]


def _versions(seen: Sequence[_Seen]) -> list[InstrumentVersion]:
    found = InstrumentVersion.objects.filter(pk__in={each.version for each in seen})
    return list(found.select_related("instrument").order_by("instrument__code", "-number"))


def _fullest(versions: Sequence[InstrumentVersion], seen: Sequence[_Seen]) -> InstrumentVersion:
    """The version in which most was found in the newest of its periods; drivers before pairs."""
    newest = max(
        (each for each in seen),
        key=lambda each: (each.n is not None, each.kind == DRIVERS, each.starts_on, each.n or 0),
    )
    return next(version for version in versions if version.pk == newest.version)


def _periods(seen: Iterable[_Seen]) -> list[Period]:
    """The periods, those that ended last first; of a year and its last quarter the quarter."""
    month = fiscal_start()
    found = {Period(each.starts_on, Grain(each.grain), month) for each in seen}
    return sorted(found, key=lambda period: (period.end, period.start), reverse=True)


def _groups(rows: QuerySet[Analysis], period: Period) -> list[GroupRow]:
    """The groups in the order of the tree, then channels and segments."""
    fields = ("unit_id", "margin", "margin_value")
    counted = rows.order_by().values(*fields).annotate(most=Max("n"))
    people = {
        _Place(row["unit_id"], row["margin"], row["margin_value"]): row["most"] for row in counted
    }
    tree = tree_on(period.end - timedelta(days=1))
    order = {unit: at for at, unit in enumerate(u for r in tree.roots for u in tree.below(r))}
    units = {
        unit.pk: unit for unit in Unit.objects.filter(pk__in={place.unit_id for place in people})
    }
    placed = sorted(
        (place for place in people if not place.margin),
        key=lambda place: (order.get(place.unit_id, len(order)), place.unit_id),
    )
    highest = min((len(tree.path(place.unit_id)) for place in placed), default=0)
    found = [
        GroupRow(
            *place,
            key=f"unit:{units[place.unit_id].code}",
            name=str(units[place.unit_id]),
            depth=len(tree.path(place.unit_id)) - highest,
            n=people[place],
        )
        for place in placed
    ]
    return found + _margins(people)


def _margins(people: dict[_Place, int | None]) -> list[GroupRow]:
    found: list[GroupRow] = []
    kinds: tuple[tuple[str, type[Channel] | type[Segment]], ...] = (
        ("channel", Channel),
        ("segment", Segment),
    )
    for margin, model in kinds:
        places = {place.margin_value: place for place in people if place.margin == margin}
        if not places:
            continue
        named = model.objects.filter(code__in=places).order_by("position", "code")
        found += [
            GroupRow(
                *places[value.code],
                key=f"{margin}:{value.code}",
                name=str(value),
                depth=0,
                n=people[places[value.code]],
            )
            for value in named
        ]
    return found


def _place(row: Analysis | GroupRow) -> _Place:
    return _Place(row.unit_id, row.margin, row.margin_value)


def _any_of(groups: Sequence[GroupRow]) -> Q:
    wanted = Q()
    for group in groups:
        wanted |= Q(unit_id=group.unit_id, margin=group.margin, margin_value=group.margin_value)
    return wanted
