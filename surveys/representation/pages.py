"""What the page about representation shows: sample beside population, plain beside weighed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.periods import Period, title_of
from sqcore.base.text import in_language, number, signed
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Segment, Unit
from surveys.instruments.codebook import Measure, codebook_of
from surveys.instruments.models import InstrumentVersion
from surveys.instruments.queries import version_named
from surveys.representation.margins import CROSSED, parts_of
from surveys.representation.models import Weighing
from surveys.representation.queries import period_of, weighings_of
from surveys.representation.wording import MARGINS, remarks, sentence
from surveys.responses.sources import WAYS

Stored = Mapping[str, Any]
SHOWN_CODES = 6


@dataclass(frozen=True)
class CategoryLine:
    """A category: its share of the population and of those who answered."""

    name: str
    population: float
    sample: float
    people: int

    @property
    def written_population(self) -> str:
        return percent(self.population)

    @property
    def written_sample(self) -> str:
        return percent(self.sample)

    @property
    def written_difference(self) -> str:
        """In percentage points: above 0 where too many answered."""
        return signed(100 * (self.sample - self.population), 1)


@dataclass(frozen=True)
class MarginTable:
    name: str
    lines: Sequence[CategoryLine]


@dataclass(frozen=True)
class Told:
    """A mean or share with its interval, as it is written."""

    value: str
    between: str


@dataclass(frozen=True)
class MeasureLine:
    """A measure as it was answered and weighed. `moves`: the intervals do not hold each other's
    value."""

    name: str
    n: int | None
    effective: int | None
    plain: Told | None
    weighed: Told | None
    moves: bool


@dataclass(frozen=True)
class WeighingPage:
    """The weighings of a version, and one of them."""

    version: InstrumentVersion
    rows: Sequence[Weighing]
    row: Weighing | None

    @property
    def options(self) -> list[tuple[str, str]]:
        return [(period.key, title_of(period)) for period in map(period_of, self.rows)]

    @property
    def period(self) -> Period | None:
        return period_of(self.row) if self.row is not None else None

    @property
    def title(self) -> str:
        return title_of(self.period) if self.period is not None else ""

    @property
    def is_ok(self) -> bool:
        return self.row is not None and self.row.status == "ok"

    @property
    def said(self) -> str:
        return sentence(self.row.status, self.row.n) if self.row is not None else ""

    @property
    def found(self) -> Stored:
        return self.row.found if self.row is not None else {}

    @cached_property
    def remarks(self) -> list[str]:
        return list(remarks(self.found)) if self.is_ok else []

    @cached_property
    def margins(self) -> list[MarginTable]:
        names = _names(self.found)
        return [
            MarginTable(
                str(MARGINS[margin["margin"]]),
                [_category(margin["margin"], each, names) for each in margin["categories"]],
            )
            for margin in self.found.get("margins", [])
        ]

    @cached_property
    def measures(self) -> list[MeasureLine]:
        titles = _titles(self.version)
        return [
            _measure(titles[each["measure"]], each)
            for each in self.found.get("measures", [])
            if each["measure"] in titles
        ]

    @property
    def moved(self) -> int:
        return sum(line.moves for line in self.measures)


def percent(share: float) -> str:
    return _("%(number)s %%") % {"number": number(100 * share, 1)}


def weighing_page(*, code: str, number: int, period: str, principal: Principal) -> WeighingPage:
    """Return the weighing of a version and period, the latest unless another is asked for.

    raises: NotFound, NotPermitted
    """
    version = version_named(code, number, principal=principal)
    return weighing_of(version, principal=principal, period=period)


def weighing_of(
    version: InstrumentVersion, *, principal: Principal, period: str = ""
) -> WeighingPage:
    """Return the latest weighing of a version, or that of a period. raises: NotPermitted"""
    rows = weighings_of(version, principal=principal)
    asked = next((row for row in rows if period_of(row).key == period), None)
    return WeighingPage(version, rows, asked or (rows[0] if rows else None))


def _names(found: Stored) -> dict[tuple[str, str], str]:
    models = {"unit": Unit, "channel": Channel, "segment": Segment}
    names: dict[tuple[str, str], str] = {}
    for margin in found.get("margins", []):
        codes = {code for category in margin["categories"] for code in category["codes"]}
        parts = {margin["margin"]: codes}
        if margin["margin"] in CROSSED:
            units, others = zip(*map(parts_of, codes), strict=True)
            parts = {"unit": set(units), CROSSED[margin["margin"]]: set(others)}
        for part, wanted in parts.items():
            rows = models[part].objects.filter(code__in=wanted)  # type: ignore[attr-defined]  # three models with a code and a name
            names |= {
                (part, code): in_language(name) for code, name in rows.values_list("code", "name")
            }
    return names


def _named(margin: str, code: str, names: Mapping[tuple[str, str], str]) -> str:
    if margin not in CROSSED:
        return names.get((margin, code), code)
    unit, other = parts_of(code)
    return " × ".join([names.get(("unit", unit), unit), _named(CROSSED[margin], other, names)])


def _category(margin: str, category: Stored, names: Mapping[tuple[str, str], str]) -> CategoryLine:
    codes = category["codes"]
    name = ", ".join(_named(margin, code, names) for code in codes[:SHOWN_CODES])
    if not codes:
        name = _("Not known")
    elif len(codes) > SHOWN_CODES:
        name = _("%(names)s and %(more)s more") % {
            "names": name,
            "more": number(len(codes) - SHOWN_CODES, 0),
        }
    return CategoryLine(name, category["population"], category["sample"], category["people"])


def _titles(version: InstrumentVersion) -> dict[str, tuple[str, Measure]]:
    """Return what each measure is called without its questionnaire, in order."""
    book = codebook_of(version)
    names = {dimension["code"]: dimension["name"] for dimension in version.dimensions}
    names |= {item.code: item.text for item in book.items if item.code not in names}
    found = {}
    for measure in book.measures:
        kind, _colon, code = measure.key.partition(":")
        title = str(WAYS[kind]) if kind in WAYS else "%(instrument)s: %(what)s"
        asked = {"instrument": "", "what": in_language(names.get(code, {"en": code}))}
        found[measure.key] = ((title % asked).lstrip(":： "), measure)
    return found


def _measure(titled: tuple[str, Measure], found: Stored) -> MeasureLine:
    name, measure = titled
    plain, weighed = found["plain"], found["weighted"]
    return MeasureLine(
        name=name,
        n=found["n"],
        effective=found["effective"],
        plain=_told(measure, plain),
        weighed=_told(measure, weighed),
        moves=_moves(plain, weighed),
    )


def _told(measure: Measure, figure: Stored | None) -> Told | None:
    if figure is None or figure["value"] is None:
        return None
    factor = 100 if measure.kind == "top2" else 1
    decimals = 1 if measure.kind in ("top2", "nps", "index") else 2
    written = {
        key: number(factor * figure[key], decimals)
        for key in ("value", "low", "high")
        if figure[key] is not None
    }
    if measure.kind == "top2":
        written = {key: _("%(number)s %%") % {"number": text} for key, text in written.items()}
    between = ""
    if "low" in written and "high" in written:
        between = _("%(low)s to %(high)s") % written
    return Told(written["value"], between)


def _moves(plain: Stored | None, weighed: Stored | None) -> bool:
    if plain is None or weighed is None:
        return False
    ends = (plain["low"], plain["high"], weighed["low"], weighed["high"])
    if any(end is None for end in ends) or plain["value"] is None or weighed["value"] is None:
        return False
    in_plain = plain["low"] <= weighed["value"] <= plain["high"]
    in_weighed = weighed["low"] <= plain["value"] <= weighed["high"]
    return not (in_plain and in_weighed)
