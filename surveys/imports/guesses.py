"""Guessing what the columns of a file mean, and turning what people chose into a mapping. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import SequenceMatcher
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.errors import InvalidInput
from sqcore.base.text import TranslatedText
from sqcore.files.cells import normal, plain_number, whole_number
from sqcore.files.importers import Table

LOOKED_AT = 5000
DISTINCT = 60
SIMILAR = 0.8
NEW = "new"

DATE_FORMATS = (
    "", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y年%m月%d日", "%Y%m%d",
    "%m/%d/%Y %I:%M:%S %p", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S",
)  # fmt: skip
PLACES = ("unit", "channel", "segment")
NAMES = {
    "unit": r"unit|branch|store|site|location|office|department|网点|机构|支行|门店|部门",
    "channel": r"channel|渠道",
    "segment": r"segment|customer ?type|客群|客户类型",
    "date": r"date|\bday\b|time|日期|时间",
    "weight": r"weight|^wt|权重",
    "key": r"^id$|_id$|respnum|response ?id|respondent|^key$|编号|序号",
    "language": r"lang|语言",
    "comment": r"comment|remark|feedback|suggest|意见|建议|评价|留言",
    "outcome": r"overall|satisf|whole|recommend|nps|总体|满意|推荐",
}


@dataclass
class ColumnFacts:
    """What a column holds, as far as was looked."""

    name: str
    values: Counter[str] = field(default_factory=Counter)
    filled: int = 0
    is_open: bool = False

    @property
    def sample(self) -> list[str]:
        return [value if len(value) < 30 else f"{value[:29]}…" for value in list(self.values)[:4]]


@dataclass(frozen=True)
class KnownPlaces:
    """Codes of units (or channels, segments) with their names."""

    names: Mapping[str, Sequence[str]]

    def code_of(self, value: str) -> str:
        """Return the code that this value means, by code or by name; nothing if it means none."""
        plain = normal(value)
        for code, names in self.names.items():
            if plain == normal(code) or plain in map(normal, names):
                return code
        return ""


@dataclass(frozen=True)
class Known:
    """What is in the database that columns could mean; instruments: code -> item code -> texts."""

    instruments: Mapping[str, Mapping[str, Sequence[str]]]
    places: Mapping[str, KnownPlaces]


@dataclass
class Choices:
    """What a person chose (or was proposed) for a file: the guided form as plain values.

    roles: one a column: "" | unit | channel | segment | date | weight | key | language |
    item:<code> | new | comment
    """

    roles: list[str]
    instrument: str = ""
    name: str = ""
    low: int = 1
    high: int = 5
    wave: str = ""
    date_format: str = ""
    unit: str = ""
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    not_applicable: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    is_reversed: bool = False
    outside: str = "row"
    campaign: str = ""
    mode: str = "anonymous"
    judge: bool = False


def look(table: Table) -> list[ColumnFacts]:
    """Look at the first rows of a file, column by column."""
    facts = [ColumnFacts(name) for name in table.header]
    for row in islice(table.rows(), LOOKED_AT):
        if row.problem:
            continue
        for column, cell in zip(facts, row.cells, strict=False):
            if text := cell.strip():
                column.filled += 1
                if text in column.values or len(column.values) < DISTINCT:
                    column.values[text] += 1
                else:
                    column.is_open = True
    return facts


# ---- Guessing ------------------------------------------------------------------------------------
def guess(facts: Sequence[ColumnFacts], known: Known, *, makes_places: bool = False) -> Choices:
    """Propose what each column means; with `makes_places` new places for what nobody knows."""
    instrument, items = _best_instrument(facts, known)
    choices = Choices(roles=["" for _column in facts], instrument=instrument)
    taken: set[str] = set()
    for at, column in enumerate(facts):
        role = items.get(at, "") or _role(column, known, is_new=not instrument)
        if role and (role in ("new", "comment") or role not in taken):
            choices.roles[at] = role
            taken.add(role)
    if not instrument:
        choices.low, choices.high = _ends(facts, choices.roles)
    for at, role in enumerate(choices.roles):
        if role == "date":
            choices.date_format = _date_format(facts[at]) or ""
        if role in PLACES:
            choices.values[role] = place_values(
                facts[at], known.places[role], makes_places=makes_places
            )
    return choices


def place_values(
    column: ColumnFacts, places: KnownPlaces, *, makes_places: bool = False
) -> dict[str, str]:
    """Return what each value of a column probably stands for; with `makes_places` new ones when
    it has nothing to do with what is there."""
    found = {value: places.code_of(value) for value in column.values}
    if makes_places and not any(found.values()):
        return dict.fromkeys(found, NEW)
    return found


def _best_instrument(facts: Sequence[ColumnFacts], known: Known) -> tuple[str, dict[int, str]]:
    best: tuple[str, dict[int, str]] = ("", {})
    for code, items in known.instruments.items():
        found = _items_of(facts, items)
        if len(found) > len(best[1]) and 2 * len(found) >= min(len(items), len(facts)):
            best = code, found
    return best


def _items_of(facts: Sequence[ColumnFacts], items: Mapping[str, Sequence[str]]) -> dict[int, str]:
    """Pair columns with items by code first, then by similar wording; each at most once."""
    found: dict[int, str] = {}
    left = dict(items)
    for exact in (True, False):
        for at, column in enumerate(facts):
            if at in found:
                continue
            for code, texts in left.items():
                if _is_item(column.name, code, texts, exact=exact):
                    found[at] = f"item:{code}"
                    del left[code]
                    break
    return found


def _is_item(name: str, code: str, texts: Iterable[str], *, exact: bool) -> bool:
    plain = normal(name)
    if exact:
        return _bare(plain) == _bare(code) or plain in map(normal, texts)
    if len(plain) < 8:
        return False
    return any(SequenceMatcher(None, plain, normal(text)).ratio() >= SIMILAR for text in texts)


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _role(column: ColumnFacts, known: Known, *, is_new: bool) -> str:
    if not column.filled:
        return ""
    found = _role_by_values(column, known) or _role_by_name(column)
    if found or not is_new:
        return found
    if _named(column, "comment") or sum(map(len, column.values)) > 25 * len(column.values):
        return "comment"
    return NEW if _is_scale(column) else ""


def _role_by_values(column: ColumnFacts, known: Known) -> str:
    for role in PLACES:
        values = place_values(column, known.places[role])
        if sum(map(bool, values.values())) >= 0.6 * len(values):
            return role
    return ""


def _role_by_name(column: ColumnFacts) -> str:
    if _named(column, "date") and _date_format(column) is not None:
        return "date"
    if _named(column, "weight") and all(plain_number(v) is not None for v in column.values):
        return "weight"
    if _named(column, "key") and max(column.values.values()) == 1:
        return "key"
    coded = (role for role in (*PLACES, "language") if _named(column, role))
    return "" if column.is_open else next(coded, "")


def _named(column: ColumnFacts, role: str) -> bool:
    return re.search(NAMES[role], column.name, re.IGNORECASE) is not None


def _is_scale(column: ColumnFacts) -> bool:
    numbers = [whole_number(value) for value in column.values]
    return (
        not column.is_open
        and 3 <= len(numbers) <= 13
        and all(number is not None and 0 <= number <= 99 for number in numbers)
        and sum(1 for number in numbers if number is not None and number <= 10) >= 3
    )


def _ends(facts: Sequence[ColumnFacts], roles: Sequence[str]) -> tuple[int, int]:
    """Return the scale that the numbers look like: 1 to 5, 1 to 7, 0 to 10 or 1 to 10."""
    seen: Counter[int] = Counter()
    for column, role in zip(facts, roles, strict=True):
        if role == NEW:
            for value, times in column.values.items():
                seen[whole_number(value) or 0] += times
    total = sum(seen.values()) or 1

    def occurs(number: int) -> bool:
        return seen[number] > 0.01 * total

    # One number above a scale is a code, such as 6 for "not used" on 1 to 5: look beyond it.
    if occurs(10):
        return (0, 10) if occurs(0) else (1, 10)
    return (1, 7) if occurs(7) else (1, 5)


def _date_format(column: ColumnFacts) -> str | None:
    """Return how the days are written ("" for 2026-05-17), None when they are no days."""
    for form in DATE_FORMATS:
        if all(_is_day(value, form) for value in column.values):
            return form
    return None


def _is_day(text: str, form: str) -> bool:
    try:
        if form:
            datetime.strptime(text, form)  # noqa: DTZ007 - a day has no zone
        else:
            datetime.fromisoformat(text)
    except ValueError:
        return False
    return not text.isdecimal() or form == "%Y%m%d"


# ---- From choices to a mapping -------------------------------------------------------------------
def to_mapping(
    choices: Choices, header: Sequence[str], known: Known, *, campaign_name: TranslatedText
) -> dict[str, Any]:
    """Return the table of the mapping that says what was chosen."""
    raw: dict[str, Any] = {"campaign": _campaign(choices, campaign_name)}
    by_role: dict[str, list[str]] = {}
    for name, role in zip(header, choices.roles, strict=True):
        by_role.setdefault(role, []).append(name)
    for role in ("date", "weight", "key", "language"):
        if role in by_role:
            raw[role] = {"column": by_role[role][0]}
    if "date" in raw and choices.date_format:
        raw["date"]["format"] = choices.date_format
    for role in PLACES:
        if role in by_role:
            _add_place(raw, role, by_role[role][0], choices.values.get(role, {}), known)
    if "unit" not in raw and choices.unit:
        raw["unit"] = {"constant": choices.unit}
    answers: dict[str, Any] = {
        "not_applicable": choices.not_applicable,
        "missing": choices.missing,
        "reversed": choices.is_reversed,
        "outside": choices.outside,
    }
    raw["answers"] = {key: value for key, value in answers.items() if value}
    raw["instrument"], raw["columns"] = _instrument(choices, header)
    if choices.judge:
        raw["system"] = {"code": raw["instrument"]["code"], "name": campaign_name}
    return raw


def _campaign(choices: Choices, name: TranslatedText) -> dict[str, Any]:
    campaign: dict[str, Any] = {"code": choices.campaign, "name": name, "mode": choices.mode}
    if choices.wave:
        campaign["wave"] = choices.wave
    return campaign


def _add_place(
    raw: dict[str, Any], role: str, column: str, values: Mapping[str, str], known: Known
) -> None:
    """Say what each value of a column stands for; make what is to be made."""
    places = known.places[role]
    new = {value: slug(value) for value, code in values.items() if code == NEW}
    chosen = {value: new.get(value, code) for value, code in values.items() if code}
    if not chosen:
        if role == "unit":
            raise InvalidInput(_("Say for at least one value which unit it stands for."))
        return
    raw[role] = {"column": column}
    if any(normal(value) != code for value, code in chosen.items()) or len(chosen) < len(values):
        raw[role]["values"] = chosen
        if role != "unit":
            raw[role]["otherwise"] = ""
    made = {code: value for value, code in new.items() if code not in places.names}
    if not made:
        return
    entries: list[dict[str, Any]] = [
        {"code": code, "name": {"en": value}} for code, value in made.items()
    ]
    if role == "unit":
        root = next(iter(places.names), "")
        for entry in entries:
            entry["parent"] = root or "organisation"
        if not root:
            whole = {"en": "The whole organisation", "zh-hans": "整个机构"}
            entries.insert(0, {"code": "organisation", "name": whole, "kind": "organisation"})
    raw[f"{role}s"] = entries


def slug(text: str) -> str:
    """Return a code for a name; names without Latin letters get one from their characters.

    >>> slug("Head Office, East"), slug("城东")
    ('head-office-east', 'u57ce4e1c')
    """
    plain = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
    coded = "u" + "".join(f"{ord(letter):x}" for letter in text if letter.isalnum())
    return (plain or coded)[:50]


def _instrument(choices: Choices, header: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    if choices.instrument:
        columns = {
            role.removeprefix("item:"): name
            for name, role in zip(header, choices.roles, strict=True)
            if role.startswith("item:")
        }
        return {"code": choices.instrument}, columns
    items: list[dict[str, Any]] = []
    columns = {}
    for name, role in zip(header, choices.roles, strict=True):
        if role not in (NEW, "comment"):
            continue
        code = _free(slug(name), columns)
        columns[code] = name
        items.append({"code": code, "text": {"en": name}} | _new_item(role, name, choices))
    instrument = {
        "code": slug(choices.name or choices.campaign),
        "languages": ["en"],
        "name": {"en": choices.name or choices.campaign},
        "dimensions": [{"code": "service", "name": {"en": "Service"}}],
        "items": items,
    }
    return instrument, columns


def _new_item(role: str, name: str, choices: Choices) -> dict[str, Any]:
    if role == "comment":
        return {"kind": "comment", "role": "context"}
    item: dict[str, Any] = {"low": choices.low, "high": choices.high}
    if re.search(NAMES["outcome"], name, re.IGNORECASE):
        return item | {"role": "outcome"}
    return item | {"dimension": "service"}


def _free(code: str, taken: Iterable[str]) -> str:
    there, number = set(taken), 2
    found = code
    while found in there:
        found, number = f"{code[:45]}-{number}", number + 1
    return found


# ---- And back ------------------------------------------------------------------------------------
def choices_of(raw: Mapping[str, Any], facts: Sequence[ColumnFacts], known: Known) -> Choices:
    """Return the choices that a mapping made by `to_mapping` came from."""
    by_name = {normal(column.name): at for at, column in enumerate(facts)}
    campaign, answers = raw.get("campaign", {}), raw.get("answers", {})
    instrument = raw.get("instrument", {})
    items = {item["code"]: item for item in instrument.get("items", [])}
    choices = Choices(
        roles=["" for _column in facts],
        instrument="" if items else instrument.get("code", ""),
        name=instrument.get("name", {}).get("en", "") if items else "",
        wave=str(campaign.get("wave", "")),
        date_format=raw.get("date", {}).get("format", ""),
        unit=raw.get("unit", {}).get("constant", ""),
        not_applicable=[str(code) for code in answers.get("not_applicable", [])],
        missing=[str(code) for code in answers.get("missing", [])],
        is_reversed=bool(answers.get("reversed")),
        outside=answers.get("outside", "row"),
        campaign=campaign.get("code", ""),
        mode=campaign.get("mode", "anonymous"),
        judge="system" in raw,
    )
    for item in items.values():
        choices.low, choices.high = item.get("low", choices.low), item.get("high", choices.high)
    for code, name in raw.get("columns", {}).items():
        if isinstance(name, str) and (at := by_name.get(normal(name))) is not None:
            kind = "comment" if items.get(code, {}).get("kind") == "comment" else NEW
            choices.roles[at] = kind if items else f"item:{code}"
    for role in (*PLACES, "date", "weight", "key", "language"):
        name = raw.get(role, {}).get("column", "")
        if isinstance(name, str) and (at := by_name.get(normal(name))) is not None:
            choices.roles[at] = role
            if role in PLACES:
                proposed = place_values(facts[at], known.places[role])
                made = {place["code"] for place in raw.get(f"{role}s", [])}
                stored = raw[role].get("values", proposed)
                choices.values[role] = {
                    value: NEW if stored.get(value) in made else stored.get(value, "")
                    for value in proposed
                }
    return choices
