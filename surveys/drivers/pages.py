"""What the page “What matters” shows, put together from the queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.base.periods import title_of
from sqcore.base.text import in_language
from sqcore.dashboards.figures import Figure as Chart
from sqcore.identity.principals import Principal
from sqcore.stats.importance import Kind
from sqcore.stats.results import MethodStatus
from surveys.analyses.models import Analysis
from surveys.drivers import wording
from surveys.drivers.drawing import (
    effects_figure,
    ends_of,
    map_figure,
    place_text,
    points_text,
)
from surveys.drivers.effects import (
    EffectLine,
    OddsLine,
    agreement,
    effect_lines,
    odds_lines,
    steps_alike,
)
from surveys.drivers.kinds import DRIVERS, KANO
from surveys.drivers.queries import (
    Asked,
    Chosen,
    GroupRow,
    chosen_by,
    is_asked_for,
    version_key,
)
from surveys.drivers.reading import (
    Driver,
    Reading,
    Wanted,
    level_name,
    levels_in,
    outcomes_in,
    reading_of,
    wanted_in,
)
from surveys.instruments.models import InstrumentVersion, Item

INDENT = "\u2003"


@dataclass(frozen=True)
class Select:
    """A choice of the filter bar."""

    name: str
    label: str
    options: list[tuple[str, str]]
    value: str


@dataclass(frozen=True)
class DriverLine:
    """A driver in the list, in words; `place` and `effect` explain themselves."""

    driver: Driver
    share: str
    low: float | None
    high: float | None
    judged: str
    place: str
    quadrant: wording.Said | None
    effect: wording.Said | None
    effect_text: str

    @property
    def percent(self) -> float | None:
        return None if self.driver.share.value is None else 100 * self.driver.share.value


@dataclass(frozen=True)
class Side:
    """A group with what was found in it; without a reading `why` says why."""

    key: str
    group: GroupRow
    reading: Reading | None
    why: str
    figure: Chart | None
    outcome: str

    @property
    def people(self) -> str:
        n = self.reading.n if self.reading else 0
        said = ngettext("%(n)s person", "%(n)s people", n)
        return said % {"n": number_format(n, force_grouping=True)}

    @property
    def map_title(self) -> str:
        return _("What counts, and how it is judged: %(group)s") % {"group": self.group.name}

    @cached_property
    def lines(self) -> list[DriverLine]:
        return [_line(driver) for driver in self.reading.drivers] if self.reading else []

    @property
    def longest(self) -> float:
        """The end of the bars of shares, in percent."""
        ends = [line.high or line.percent or 0.0 for line in self.lines]
        return min(100.0, 5.0 * (max(ends, default=0.0) // 5 + 1))

    @property
    def explained(self) -> str:
        return wording.explained(self.reading, self.outcome) if self.reading else ""

    @property
    def first(self) -> str:
        return wording.first_steps(self.reading) if self.reading else ""

    @property
    def kinds(self) -> list[str]:
        if self.reading is None:
            return []
        said = (wording.kinds_sentence(self.reading, k) for k in (Kind.BASIC, Kind.EXCITEMENT))
        return [sentence for sentence in said if sentence]

    @cached_property
    def effects(self) -> list[EffectLine]:
        return effect_lines(self.reading) if self.reading else []

    @cached_property
    def effects_figure(self) -> Chart | None:
        return effects_figure(self.reading) if self.reading else None

    @property
    def odds(self) -> list[OddsLine]:
        return odds_lines(self.reading) if self.reading else []

    @property
    def agreement(self) -> str:
        return agreement(self.reading) if self.reading else ""

    @property
    def steps_alike(self) -> str:
        return steps_alike(self.reading) if self.reading else ""

    @property
    def cautions(self) -> list[str]:
        return wording.cautions(self.reading) if self.reading else []

    @property
    def is_partly_open(self) -> bool:
        """Some points are drawn open, as their quadrant is not certain."""
        return (
            any(not driver.is_certain for driver in self.reading.ranked) if self.reading else False
        )


@dataclass(frozen=True)
class ComparedLine:
    """One driver in two groups."""

    name: str
    here: str
    there: str
    verdict: str
    is_clear: bool


@dataclass(frozen=True)
class WantedLine:
    wanted: Wanted
    said: wording.Said | None
    text: str
    better: str
    worse: str


@dataclass(frozen=True)
class WantedSide:
    """What customers want, in one group."""

    group: GroupRow
    lines: list[WantedLine]
    why: str


@dataclass(frozen=True)
class MattersPage:
    chosen: Chosen
    outcomes: Sequence[Item]
    outcome: Item | None
    levels: Sequence[str]
    level: str
    sides: Sequence[Side]
    wanted: Sequence[WantedSide]

    @property
    def title(self) -> str:
        return title_of(self.chosen.period)

    @property
    def selects(self) -> list[Select]:
        return list(_selects(self))

    @property
    def tabs(self) -> list[tuple[str, str, bool]]:
        """(level, title, is it the current one)"""
        return [(level, level_name(level), level == self.level) for level in self.levels]

    @property
    def main(self) -> Side | None:
        return self.sides[0] if self.sides else None

    @property
    def asked_outcome(self) -> str:
        return in_language(self.outcome.text) if self.outcome else ""

    @cached_property
    def compared(self) -> list[ComparedLine]:
        readings = [side.reading for side in self.sides if side.reading is not None]
        return _compared(*readings) if len(readings) == 2 else []

    @property
    def sure(self) -> str:
        return _(
            "Shares are relative weights (Johnson) of what all of them explain together; 95 % "
            "intervals by leaving out one of 50 groups of people after another."
        )

    @property
    def source(self) -> str:
        return _("%(questionnaire)s, %(period)s, %(people)s.") % {
            "questionnaire": _version_name(self.chosen.version),
            "period": self.title,
            "people": self.main.people if self.main else "",
        }


@dataclass(frozen=True)
class Nothing:
    """Why there is no page yet: no questionnaire asks for it, or nothing was closed so far."""

    is_asked_for: bool


def matters_page(*, principal: Principal, asked: Asked) -> MattersPage | Nothing:
    """Return the page, or why there is none."""
    chosen = chosen_by(principal, asked)
    if chosen is None:
        return Nothing(is_asked_for())
    groups = [chosen.group, *([chosen.against] if chosen.against else [])]
    rows = [chosen.row(DRIVERS, group) for group in groups]
    outcomes, outcome = _outcome(rows, asked)
    levels = _levels(rows, outcome)
    level = asked.by if asked.by in levels else next(iter(levels), "")
    return MattersPage(
        chosen=chosen,
        outcomes=outcomes,
        outcome=outcome,
        levels=levels,
        level=level,
        sides=_sides(groups, rows, outcome, level),
        wanted=_wanted(chosen, groups),
    )


def _outcome(rows: Sequence[Analysis | None], asked: Asked) -> tuple[list[Item], Item | None]:
    known = next((outcomes_in(row) for row in rows if row is not None and row.found), [])
    named = (item for item in known if item.code == asked.outcome)
    return known, next(named, known[0] if known else None)


def _levels(rows: Sequence[Analysis | None], outcome: Item | None) -> list[str]:
    """By what something was found in all groups where anything was found."""
    found = [
        levels_in(row, outcome.code) for row in rows if row is not None and row.found and outcome
    ]
    first, *others = found or [[]]
    return [level for level in first if all(level in other for other in others)] or first


def _sides(
    groups: Sequence[GroupRow], rows: Sequence[Analysis | None], outcome: Item | None, level: str
) -> list[Side]:
    if all(row is None for row in rows):
        return []
    readings = [_reading(row, outcome, level) for row in rows]
    if len(readings) == 2 and readings[0] and readings[1]:
        readings[1] = readings[1].numbered_as(readings[0])
    ends = ends_of(reading for reading in readings if reading is not None)
    return [
        Side(
            key=f"side-{at}",
            group=group,
            reading=reading,
            why="" if reading else _why(row, outcome, level),
            figure=map_figure(reading, ends) if reading else None,
            outcome=in_language(outcome.text) if outcome else "",
        )
        for at, (group, row, reading) in enumerate(zip(groups, rows, readings, strict=True))
    ]


def _reading(row: Analysis | None, outcome: Item | None, level: str) -> Reading | None:
    if row is None or not row.found or outcome is None:
        return None
    found = reading_of(row, outcome.code, level)
    return found if found is not None and found.status == MethodStatus.OK else None


def _why(row: Analysis | None, outcome: Item | None, level: str) -> str:
    if row is None:
        return _("This group was not looked at in this period.")
    if not row.found:
        return wording.status_sentence(MethodStatus(row.status))
    statuses = [
        found.status
        for each in ([level] if level else ["dimension", "item"])
        if outcome and (found := reading_of(row, outcome.code, each)) is not None
    ]
    return wording.status_sentence(statuses[0] if statuses else MethodStatus.NOT_APPLICABLE)


def _line(driver: Driver) -> DriverLine:
    share = driver.share
    return DriverLine(
        driver=driver,
        share=wording.share_sentence(driver),
        low=None if share.low is None else 100 * share.low,
        high=None if share.high is None else 100 * share.high,
        judged=points_text(driver.performance),
        place=place_text(driver),
        quadrant=wording.QUADRANTS[driver.quadrant] if driver.quadrant else None,
        effect=wording.EFFECTS[driver.effect] if driver.effect else None,
        effect_text=wording.effect_sentence(driver),
    )


def _compared(here: Reading, there: Reading) -> list[ComparedLine]:
    others = {driver.code: driver for driver in there.drivers}
    return [
        _compared_line(driver, others[driver.code])
        for driver in here.drivers
        if driver.code in others
    ]


def _compared_line(here: Driver, there: Driver) -> ComparedLine:
    verdict, is_clear = _("no clear difference"), False
    a, b = here.share, there.share
    if None not in (a.low, a.high, b.low, b.high):
        if a.low > b.high:  # type: ignore[operator]  # none of them is None here
            verdict, is_clear = _("clearly counts more here"), True
        elif a.high < b.low:  # type: ignore[operator]  # none of them is None here
            verdict, is_clear = _("clearly counts less here"), True
    return ComparedLine(
        here.name, wording.percents(a) or "–", wording.percents(b) or "–", verdict, is_clear
    )


def _wanted(chosen: Chosen, groups: Sequence[GroupRow]) -> list[WantedSide]:
    found = []
    for group in groups:
        row = chosen.row(KANO, group)
        if row is None:
            continue
        why = "" if row.found else wording.too_few_pairs()
        lines = [_wanted_line(wanted) for wanted in wanted_in(row)] if row.found else []
        found.append(WantedSide(group, lines, why))
    return found


def _wanted_line(wanted: Wanted) -> WantedLine:
    return WantedLine(
        wanted,
        wording.CATEGORIES[wanted.category] if wanted.category else None,
        wording.wanted_sentence(wanted),
        wording.percents(wanted.better) if wanted.better else "",
        wording.percents(wording.turned(wanted.worse)) if wanted.worse else "",
    )


# The filter bar ---------------------------------------------------------------------------------


def _selects(page: MattersPage) -> list[Select]:
    chosen = page.chosen
    found = []
    if len(chosen.versions) > 1:
        named = [(version_key(version), _version_name(version)) for version in chosen.versions]
        current = version_key(chosen.version)
        found.append(Select("questionnaire", _("Questionnaire"), named, current))
    periods = [(period.key, title_of(period)) for period in chosen.periods]
    found.append(Select("period", _("Period"), periods, chosen.period.key))
    if len(chosen.groups) > 1:
        groups = [(group.key, _group_title(group)) for group in chosen.groups]
        found.append(Select("of", _("Of whom"), groups, chosen.group.key))
        others = [("", _("nobody")), *(each for each in groups if each[0] != chosen.group.key)]
        against = chosen.against.key if chosen.against else ""
        found.append(Select("against", _("Beside them"), others, against))
    if len(page.outcomes) > 1 and page.outcome is not None:
        outcomes = [(item.code, in_language(item.text)) for item in page.outcomes]
        found.append(Select("outcome", _("Outcome"), outcomes, page.outcome.code))
    return found


def _version_name(version: InstrumentVersion) -> str:
    name = in_language(version.instrument.name)
    return name if version.number == 1 else f"{name} ({version.number})"


def _group_title(group: GroupRow) -> str:
    margin = {"channel": _("Channel: %(name)s"), "segment": _("Segment: %(name)s")}
    named = margin[group.margin] % {"name": group.name} if group.margin else group.name
    said = "" if group.n is not None else _(" (too few)")
    return f"{INDENT * group.depth}{named}{said}"


# The panel --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Strongest:
    """The three strongest drivers of a group, for a panel."""

    row: Analysis
    period: str
    outcome: str
    lines: list[DriverLine]
    longest: float
    first: str
    query: str


STRONGEST = 3


def strongest_of(row: Analysis, *, period: str, period_key: str) -> Strongest | None:
    """Return the strongest drivers of the first outcome that something was found for."""
    for outcome in outcomes_in(row):
        for level in levels_in(row, outcome.code):
            side = _sides([_group_of(row)], [row], outcome, level)[0]
            if side.reading is None:
                continue
            query = (
                f"questionnaire={version_key(row.version)}&period={period_key}"
                f"&of=unit:{row.unit.code}&outcome={outcome.code}"
            )
            return Strongest(
                row, period, in_language(outcome.text), side.lines[:STRONGEST], side.longest,
                side.first, query,
            )  # fmt: skip
    return None


def _group_of(row: Analysis) -> GroupRow:
    return GroupRow(
        row.unit_id, row.margin, row.margin_value, f"unit:{row.unit.code}", str(row.unit), 0, row.n
    )
