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
from surveys.drivers.predictors import levels_of
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
    stated_of,
    wanted_in,
)
from surveys.drivers.stated import How, stated_items
from surveys.instruments.codebook import codebook_of
from surveys.instruments.models import InstrumentVersion, Item

INDENT = "\u2003"
DERIVED, STATED = "derived", "stated"


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
        if self.reading is None:
            return []
        return [_line(driver, self.reading.how) for driver in self.reading.drivers]

    @property
    def longest(self) -> float:
        """The end of the bars of shares, in percent."""
        ends = [line.high or line.percent or 0.0 for line in self.lines]
        return min(100.0, 5.0 * (max(ends, default=0.0) // 5 + 1))

    @property
    def is_stated(self) -> bool:
        return self.reading is not None and self.reading.how != How.DERIVED

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
    counts: str
    why_not_stated: str
    disagreement: str

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
    def ways(self) -> list[tuple[str, str, bool]]:
        """How importance is known: (key, title, is it the current one); one where nobody was asked
        what counts."""
        if self.why_not_stated:
            return []
        named = (
            (DERIVED, _("Derived: what the outcome hangs on")),
            (STATED, _("Stated: what customers say counts")),
        )
        return [(key, title, key == self.counts) for key, title in named]

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
        if self.counts == STATED:
            return _("Means over the people who said what counts, with 95 % t intervals.")
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
    why_not = _why_not_stated(chosen.version, level)
    counts = STATED if asked.counts == STATED and not why_not else DERIVED
    return MattersPage(
        chosen=chosen,
        outcomes=outcomes,
        outcome=outcome,
        levels=levels,
        level=level,
        sides=_sides(groups, rows, outcome, level, counts),
        wanted=_wanted(chosen, groups),
        counts=counts,
        why_not_stated=why_not if outcome is not None else "",
        disagreement=_disagreement(rows[0], outcome, level),
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


def _why_not_stated(version: InstrumentVersion, level: str) -> str:
    """Return why nothing can be told of what customers say counts; empty where it was asked."""
    codebook = codebook_of(version)
    asked = [key for key, each in levels_of(codebook).items() if stated_items(codebook, each)]
    if level in asked:
        return ""
    return wording.not_asked(is_asked_of_dimensions=bool(asked))


def _disagreement(row: Analysis | None, outcome: Item | None, level: str) -> str:
    derived, said = _reading(row, outcome, level), _stated(row, level)
    return wording.disagreement(derived, said) if derived and said else ""


def _sides(
    groups: Sequence[GroupRow],
    rows: Sequence[Analysis | None],
    outcome: Item | None,
    level: str,
    counts: str = DERIVED,
) -> list[Side]:
    if all(row is None for row in rows):
        return []
    if counts == STATED:
        readings = [_stated(row, level) for row in rows]
    else:
        readings = [_reading(row, outcome, level) for row in rows]
    if len(readings) == 2 and readings[0] and readings[1]:
        readings[1] = readings[1].numbered_as(readings[0])
    ends = ends_of(reading for reading in readings if reading is not None)
    return [
        Side(
            key=f"side-{at}",
            group=group,
            reading=reading,
            why="" if reading else _why(row, outcome, level, counts),
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


def _stated(row: Analysis | None, level: str) -> Reading | None:
    """Return what customers say counts, where enough said so."""
    found = stated_of(row, level) if row is not None and row.found else None
    return found if found is not None and found.status == MethodStatus.OK else None


def _why(row: Analysis | None, outcome: Item | None, level: str, counts: str) -> str:
    if row is None:
        return _("This group was not looked at in this period.")
    if not row.found:
        return wording.status_sentence(MethodStatus(row.status))
    if counts == STATED:
        said = stated_of(row, level)
        return wording.not_stated(said.status if said is not None else None)
    statuses = [
        found.status
        for each in ([level] if level else ["dimension", "item"])
        if outcome and (found := reading_of(row, outcome.code, each)) is not None
    ]
    return wording.status_sentence(statuses[0] if statuses else MethodStatus.NOT_APPLICABLE)


def _line(driver: Driver, how: How) -> DriverLine:
    share = driver.share
    return DriverLine(
        driver=driver,
        share=wording.share_sentence(driver, how),
        low=None if share.low is None else 100 * share.low,
        high=None if share.high is None else 100 * share.high,
        judged=wording.points_text(driver.performance),
        place=place_text(driver),
        quadrant=wording.QUADRANTS[driver.quadrant] if driver.quadrant else None,
        effect=wording.EFFECTS[driver.effect] if driver.effect else None,
        effect_text=wording.effect_sentence(driver),
    )


def _compared(here: Reading, there: Reading) -> list[ComparedLine]:
    others = {driver.code: driver for driver in there.drivers}
    return [
        _compared_line(driver, others[driver.code], here.how)
        for driver in here.drivers
        if driver.code in others
    ]


def _compared_line(here: Driver, there: Driver, how: How) -> ComparedLine:
    verdict, is_clear = _("no clear difference"), False
    a, b = here.share, there.share
    if None not in (a.low, a.high, b.low, b.high):
        if a.low > b.high:  # type: ignore[operator]  # none of them is None here
            verdict, is_clear = _("clearly counts more here"), True
        elif a.high < b.low:  # type: ignore[operator]  # none of them is None here
            verdict, is_clear = _("clearly counts less here"), True
    first, second = (wording.counts_text(share, how) or "–" for share in (a, b))
    return ComparedLine(here.name, first, second, verdict, is_clear)


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
    disagreement: str


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
                side.first, query, _disagreement(row, outcome, level),
            )  # fmt: skip
    return None


def _group_of(row: Analysis) -> GroupRow:
    return GroupRow(
        row.unit_id, row.margin, row.margin_value, f"unit:{row.unit.code}", str(row.unit), 0, row.n
    )
