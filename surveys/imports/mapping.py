"""The mapping: a small TOML file that says what the columns of a file of answers mean. Pure.

`docs/howto/import-responses.md` shows every key. A file may build on another one with `extends`:
tables are joined key by key, anything else is replaced. An unknown key is refused by its name.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.periods import Grain, Period
from sqcore.base.text import TranslatedText
from sqcore.files.cells import normal
from sqcore.files.importers import Layout
from sqcore.files.toml import parsed_toml, sections_as_toml, toml_text

DEEPEST = 5
OUTSIDE = ("row", "answer")
MODES = ("anonymous", "confidential", "identified")
PLACE_WORDS = {
    "unit": gettext_lazy("unit"),
    "channel": gettext_lazy("channel"),
    "segment": gettext_lazy("segment"),
    "language": gettext_lazy("language"),
}
"""What is named within a sentence by its code."""

T = TypeVar("T")


@dataclass(frozen=True)
class ColumnMap:
    """Where an item's answers are and how they are written.

    names: the column's names; the one that the file has is read
    values: as written -> whole number, text of an option, or "na"
    reversed: the file's numbers run the other way than the questionnaire's
    outside: what a value that means nothing costs: the whole "row" or the one "answer"
    """

    names: tuple[str, ...]
    values: Mapping[str, str | int] = field(default_factory=dict)
    not_applicable: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    reversed: bool = False
    outside: str = "row"


@dataclass(frozen=True)
class CodeMap:
    """How a unit, channel, segment or language is told: a constant, or a column's values.

    Without values and ranges the column holds the codes themselves. `otherwise` is for all else;
    None leaves the row out.
    """

    names: tuple[str, ...] = ()
    constant: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    ranges: tuple[tuple[float, float, str], ...] = ()
    otherwise: str | None = None

    @property
    def codes(self) -> set[str]:
        """Every code it can give, as far as the mapping says."""
        ends = {code for _low, _high, code in self.ranges}
        return {
            code
            for code in {self.constant, self.otherwise or "", *self.values.values(), *ends}
            if code
        }


@dataclass(frozen=True)
class NewPlace:
    """A unit, channel or segment to be made if it is not there."""

    code: str
    name: TranslatedText
    parent: str = ""
    kind: str = "branch"
    opened_on: date | None = None


@dataclass(frozen=True)
class CampaignMap:
    code: str
    name: TranslatedText
    mode: str = "anonymous"
    wave: Period | None = None


@dataclass(frozen=True)
class DateMap:
    names: tuple[str, ...] = ()
    format: str = ""
    known_by: Grain = Grain.DAY


@dataclass(frozen=True)
class SystemMap:
    """How the answers are judged: by which grains and since when, by which dimensions of the
    questionnaire and which outcome items (empty: all)."""

    code: str
    name: TranslatedText
    grains: tuple[str, ...]
    since: date | None = None
    dimensions: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportMapping:
    """A whole mapping, checked as far as it can be without the file and the database.

    `instrument` is {"code": ...} of one that is there, or a whole definition of a questionnaire.
    """

    raw: Mapping[str, Any]
    layout: Layout
    instrument: Mapping[str, Any]
    campaign: CampaignMap
    columns: Mapping[str, ColumnMap]
    unit: CodeMap
    channel: CodeMap
    segment: CodeMap
    language: CodeMap
    date: DateMap
    weight: tuple[str, ...]
    key: tuple[str, ...]
    ignore: frozenset[str]
    organisation: Mapping[str, Any]
    units: tuple[NewPlace, ...]
    channels: tuple[NewPlace, ...]
    segments: tuple[NewPlace, ...]
    system: SystemMap | None

    @property
    def defines_instrument(self) -> bool:
        return "items" in self.instrument


# ---- From files ----------------------------------------------------------------------------------
def read_mapping_file(path: Path) -> ImportMapping:
    """Read a mapping and what it extends from the folder it lies in.

    raises: InvalidInput that names the file, the key and the reason
    """

    def text_of(name: str) -> str:
        beside = path.parent / name
        if Path(name).name != name or not beside.is_file():
            raise InvalidInput(
                _("%(name)s extends “%(base)s”, which is not beside it.")
                % {"name": path.name, "base": name[:60]}
            )
        return toml_text(beside)

    if not path.is_file():
        raise InvalidInput(_("There is no mapping %(path)s.") % {"path": path})
    return read_mapping(joined(path.name, toml_text(path), text_of), name=path.name)


def read_mapping_texts(files: Mapping[str, str]) -> ImportMapping:
    """Read the mapping among these files that no other one of them extends."""
    tables = {name: parsed_toml(name, text) for name, text in files.items()}
    extended = [table.get("extends") for table in tables.values()]
    heads = [name for name in tables if name not in extended]
    if len(heads) != 1:
        raise InvalidInput(_("Give one mapping, and with it only the files that it extends."))

    def text_of(name: str) -> str:
        if name not in files:
            raise InvalidInput(
                _("%(head)s extends “%(name)s”; give that file as well.")
                % {"head": heads[0], "name": name[:60]}
            )
        return files[name]

    return read_mapping(joined(heads[0], files[heads[0]], text_of), name=heads[0])


def joined(
    name: str, text: str, text_of: Callable[[str], str], *, depth: int = 0
) -> dict[str, Any]:
    """Return the table of a mapping joined onto what it extends."""
    table = parsed_toml(name, text)
    base = table.pop("extends", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise InvalidInput(_("%(name)s: extends must be the name of a file.") % {"name": name})
    if depth >= DEEPEST:
        raise InvalidInput(
            _("%(name)s: mappings extend each other more than %(most)s times.")
            % {"name": name, "most": DEEPEST}
        )
    return _overlaid(joined(base, text_of(base), text_of, depth=depth + 1), table)


def _tells_a_day(form: str) -> bool:
    """True when a day that is written this way can be read again."""
    if not any(year in form for year in ("%Y", "%y", "%G", "%x", "%c")):
        return False
    day = date(2000, 1, 1)
    try:
        return datetime.strptime(day.strftime(form), form).date() == day  # noqa: DTZ007 - a day has no zone
    except (ValueError, re.error):
        return False


def _overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = _overlaid(before, value) if both else value  # type: ignore[arg-type]  # both are mappings
    return result


# ---- From a table --------------------------------------------------------------------------------
TOP_KEYS = (
    "ignore", "file", "instrument", "campaign", "answers", "columns", "unit", "channel", "segment",
    "language", "date", "weight", "key", "organisation", "units", "channels", "segments", "system",
)  # fmt: skip
"""In the order in which people read them."""
COLUMN_KEYS = {"column", "values", "not_applicable", "missing", "reversed", "outside"}
CODE_KEYS = {"column", "constant", "values", "ranges", "otherwise"}
SYSTEM_KEYS = {"code", "name", "grains", "since", "dimensions", "outcomes"}
PLACE_KEYS = {"code", "name", "parent", "kind", "opened_on"}


def read_mapping(raw: Mapping[str, Any], *, name: str = "The mapping") -> ImportMapping:
    """Return the table as a mapping. raises: InvalidInput naming every key that is wrong."""
    reader = _Reader()
    mapping = reader.read(raw)
    if reader.problems:
        raise InvalidInput(
            _("%(name)s cannot be used as it is.") % {"name": name}, problems=reader.problems[:50]
        )
    return mapping


class _Reader:
    """Reads leniently and notes every problem, so that people hear of all of them at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def note(self, where: str, reason: str) -> None:
        self.problems.append(Problem(reason, field=where))

    def read(self, raw: Mapping[str, Any]) -> ImportMapping:
        self.known(raw, TOP_KEYS, "")
        campaign = self.campaign(self.table(raw, "campaign"))
        mapping = ImportMapping(
            raw=raw,
            layout=self.layout(self.table(raw, "file")),
            instrument=self.table(raw, "instrument"),
            campaign=campaign,
            columns=self.columns(raw),
            unit=self.code_map(raw, "unit"),
            channel=self.code_map(raw, "channel"),
            segment=self.code_map(raw, "segment"),
            language=self.code_map(raw, "language"),
            date=self.date_map(self.table(raw, "date")),
            weight=self.single_column(raw, "weight"),
            key=self.single_column(raw, "key"),
            ignore=frozenset(self.names(raw.get("ignore", []), "ignore")),
            organisation=self.organisation(self.table(raw, "organisation")),
            units=self.places(raw, "units", PLACE_KEYS),
            channels=self.places(raw, "channels", {"code", "name"}),
            segments=self.places(raw, "segments", {"code", "name"}),
            system=self.system(raw),
        )
        self.together(mapping)
        return mapping

    def together(self, mapping: ImportMapping) -> None:
        if not isinstance(mapping.instrument.get("code"), str):
            self.note("instrument.code", _("name the questionnaire"))
        if not mapping.columns:
            self.note("columns", _("name at least one column with answers"))
        if not mapping.unit.names and not mapping.unit.constant:
            self.note(
                "unit", _("say where the unit stands (column), or which one it is (constant)")
            )
        if mapping.campaign.wave is None and not mapping.date.names:
            self.note("date", _("name the column with the day, or the wave in [campaign]"))
        if mapping.campaign.wave is not None and mapping.date.names:
            self.note(
                "date", _("give either a column with the day or a wave in [campaign], not both")
            )

    # -- pieces
    def known(self, table: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
        keys = sorted(keys)
        for key in table:
            if key not in keys:
                near = get_close_matches(key, keys, n=1)
                told = (
                    _("is no key of a mapping; did you mean “%(near)s”?") % {"near": near[0]}
                    if near
                    else _("is no key of a mapping; known are %(known)s")
                    % {"known": ", ".join(keys)}
                )
                self.note(f"{where}.{key[:60]}".lstrip("."), told)

    def table(self, raw: Mapping[str, Any], key: str) -> dict[str, Any]:
        return self.typed(raw, key, dict, {}, "must be a table")

    def typed(
        self,
        raw: Mapping[str, Any],
        key: str,
        kind: type[T],
        default: T,
        reason: str,
        where: str = "",
    ) -> T:
        value = raw.get(key, default)
        if isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
            return value
        self.note(where or key, reason)
        return default

    def text(self, raw: Mapping[str, Any], key: str, where: str, default: str = "") -> str:
        return self.typed(raw, key, str, default, "must be a text", f"{where}.{key}")

    def words(self, value: object, where: str) -> TranslatedText:
        if isinstance(value, str) and value:
            return {"en": value}
        if (
            isinstance(value, dict)
            and value
            and all(isinstance(part, str) and part for pair in value.items() for part in pair)
        ):
            return dict(value)
        self.note(where, _("must be a text, or one for each language"))
        return {}

    def names(self, value: object, where: str) -> tuple[str, ...]:
        listed = [value] if isinstance(value, str) else value
        if isinstance(listed, list) and all(isinstance(name, str) and name for name in listed):
            return tuple(" ".join(name.split()) for name in listed)
        self.note(where, _("must be the name of a column, or a list of names"))
        return ()

    def listed(self, raw: Mapping[str, Any], key: str, where: str) -> frozenset[str]:
        value = raw.get(key, [])
        if isinstance(value, list) and all(_is_plain(entry) for entry in value):
            return frozenset(normal(str(entry)) for entry in value)
        self.note(f"{where}.{key}", _("must be a list of values as they stand in the file"))
        return frozenset()

    def pairs(self, raw: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
        value = raw.get(key, {})
        if isinstance(value, dict) and all(_is_plain(entry) for entry in value.values()):
            return value
        self.note(f"{where}.{key}", _("must be a table: value in the file = what it means"))
        return {}

    def layout(self, raw: Mapping[str, Any]) -> Layout:
        self.known(raw, {"encoding", "delimiter", "sheet", "header_row", "first_row"}, "file")
        numbers = {}
        for key, least in (("header_row", 1), ("first_row", 2)):
            value = raw.get(key, 0)
            if key in raw and (not _is_whole(value) or not least <= value <= 1000):
                self.note(
                    f"file.{key}", _("must be a row from %(least)s to 1000") % {"least": least}
                )
                value = 0
            numbers[key] = value
        delimiter = self.text(raw, "delimiter", "file")
        if len(delimiter) > 1 or delimiter in ('"', "\n", "\r"):
            self.note("file.delimiter", _("must be one character, such as “,” or “;”"))
            delimiter = ""
        return Layout(
            encoding=self.text(raw, "encoding", "file"),
            delimiter=delimiter,
            sheet=self.text(raw, "sheet", "file"),
            header_row=numbers["header_row"] or 1,
            first_row=numbers["first_row"],
        )

    def campaign(self, raw: Mapping[str, Any]) -> CampaignMap:
        self.known(raw, {"code", "name", "mode", "wave"}, "campaign")
        wave = None
        if "wave" in raw:
            try:
                wave = Period.parse(str(raw["wave"]))
            except InvalidInput as error:
                self.note("campaign.wave", error.message)
        mode = self.text(raw, "mode", "campaign", "anonymous")
        if mode not in MODES:
            self.note("campaign.mode", _("must be one of %(known)s") % {"known": ", ".join(MODES)})
        code = self.text(raw, "code", "campaign")
        if not code:
            self.note("campaign.code", _("name the campaign"))
        words = self.words(raw.get("name", code or "-"), "campaign.name")
        return CampaignMap(code, words, mode, wave)

    def columns(self, raw: Mapping[str, Any]) -> dict[str, ColumnMap]:
        answers = self.table(raw, "answers")
        self.known(answers, COLUMN_KEYS - {"column"}, "answers")
        general = self.column({**answers, "column": []}, "answers", ColumnMap(()))
        found = {}
        for code, value in self.table(raw, "columns").items():
            own = value if isinstance(value, dict) else {"column": value}
            where = f"columns.{code}"
            self.known(own, COLUMN_KEYS, where)
            found[code] = self.column(own, where, general)
            if not found[code].names:
                self.note(where, _("name the column of the file"))
        return found

    def column(self, raw: Mapping[str, Any], where: str, general: ColumnMap) -> ColumnMap:
        outside = self.text(raw, "outside", where, general.outside)
        if outside not in OUTSIDE:
            self.note(
                f"{where}.outside", _("must be one of %(known)s") % {"known": ", ".join(OUTSIDE)}
            )
        values = {normal(key): value for key, value in self.pairs(raw, "values", where).items()}
        return ColumnMap(
            names=self.names(raw.get("column", []), f"{where}.column"),
            values=values or general.values,
            not_applicable=self.listed(raw, "not_applicable", where)
            if "not_applicable" in raw
            else general.not_applicable,
            missing=self.listed(raw, "missing", where) if "missing" in raw else general.missing,
            reversed=self.typed(
                raw,
                "reversed",
                bool,
                general.reversed,
                "must be true or false",
                f"{where}.reversed",
            ),
            outside=outside,
        )

    def code_map(self, top: Mapping[str, Any], section: str) -> CodeMap:
        raw = self.table(top, section)
        self.known(raw, CODE_KEYS, section)
        values = {
            normal(key): str(code) for key, code in self.pairs(raw, "values", section).items()
        }
        otherwise = self.text(raw, "otherwise", section) if "otherwise" in raw else None
        names = self.names(raw.get("column", []), f"{section}.column")
        constant = self.text(raw, "constant", section)
        if names and constant:
            self.note(section, _("give either a column or a constant, not both"))
        return CodeMap(names, constant, values, self.ranges(raw, section), otherwise)

    def ranges(self, raw: Mapping[str, Any], section: str) -> tuple[tuple[float, float, str], ...]:
        found = []
        for span, code in self.pairs(raw, "ranges", section).items():
            low, dash, high = span.partition("-")
            try:
                ends = float(low), float(high if dash else low)
            except ValueError:
                self.note(
                    f"{section}.ranges",
                    _('“%(span)s” is no range; write it like "1-12"') % {"span": span[:40]},
                )
                continue
            if not ends[0] <= ends[1]:
                self.note(f"{section}.ranges", _("“%(span)s” runs backwards") % {"span": span[:40]})
            found.append((*ends, str(code)))
        found.sort()
        for before, after in pairwise(found):
            if after[0] <= before[1]:
                self.note(
                    f"{section}.ranges",
                    _("%(before)s and %(after)s overlap at %(at)s")
                    % {"before": before[2], "after": after[2], "at": f"{after[0]:g}"},
                )
        return tuple(found)

    def date_map(self, raw: Mapping[str, Any]) -> DateMap:
        self.known(raw, {"column", "format", "known_by"}, "date")
        grain = self.text(raw, "known_by", "date", "day")
        if grain not in Grain.values:
            self.note(
                "date.known_by", _("must be one of %(known)s") % {"known": ", ".join(Grain.values)}
            )
            grain = "day"
        names = self.names(raw.get("column", []), "date.column")
        form = self.text(raw, "format", "date")
        if form and not _tells_a_day(form):
            told = _("must tell a day, such as %(form)s for 17.05.2026")
            self.note("date.format", told % {"form": "%d.%m.%Y"})
        return DateMap(names, form, Grain(grain))

    def single_column(self, top: Mapping[str, Any], section: str) -> tuple[str, ...]:
        raw = self.table(top, section)
        self.known(raw, {"column"}, section)
        return self.names(raw.get("column", []), f"{section}.column")

    def organisation(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        self.known(raw, {"name", "time_zone", "fiscal_start", "smallest_group"}, "organisation")
        if "name" not in raw:
            return {}
        return {**raw, "name": self.words(raw["name"], "organisation.name")}

    def system(self, top: Mapping[str, Any]) -> SystemMap | None:
        raw = self.table(top, "system")
        self.known(raw, SYSTEM_KEYS, "system")
        if not raw:
            return None
        code = self.text(raw, "code", "system")
        if not code:
            self.note("system.code", _("name the indicator system"))
        grains = self.names(raw.get("grains", ["month", "quarter", "year"]), "system.grains")
        for grain in grains:
            if grain not in Grain.values:
                self.note(
                    "system.grains",
                    _("must be among %(known)s") % {"known": ", ".join(Grain.values)},
                )
        return SystemMap(
            code=code,
            name=self.words(raw.get("name", code or "-"), "system.name"),
            grains=grains,
            since=self.day(raw, "since", "system"),
            dimensions=self.names(raw.get("dimensions", []), "system.dimensions"),
            outcomes=self.names(raw.get("outcomes", []), "system.outcomes"),
        )

    def day(self, raw: Mapping[str, Any], key: str, where: str) -> date | None:
        value = raw.get(key)
        if value is None or type(value) is date:
            return value
        self.note(f"{where}.{key}", _("must be a day, written 2010-01-01 without quotes"))
        return None

    def places(self, top: Mapping[str, Any], section: str, keys: set[str]) -> tuple[NewPlace, ...]:
        found = []
        for at, raw in enumerate(self.typed(top, section, list, [], "must be a list of tables"), 1):
            where = f"{section} {at}"
            if not isinstance(raw, dict):
                self.note(where, _("must be a table"))
                continue
            self.known(raw, keys, where)
            found.append(self.place(raw, where))
        return tuple(found)

    def place(self, raw: Mapping[str, Any], where: str) -> NewPlace:
        code = self.text(raw, "code", where)
        if not code:
            self.note(f"{where}.code", _("is missing"))
        return NewPlace(
            code=code,
            name=self.words(raw.get("name", code or "-"), f"{where}.name"),
            parent=self.text(raw, "parent", where),
            kind=self.text(raw, "kind", where, "branch"),
            opened_on=self.day(raw, "opened_on", where),
        )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def to_toml(raw: Mapping[str, Any]) -> str:
    """Return a mapping's table as TOML that people can read and change."""
    return sections_as_toml(raw, TOP_KEYS)
