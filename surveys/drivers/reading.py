"""What the kinds of this room found, read back from JSON and given the names of the questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.text import in_language
from sqcore.stats.importance import Kind, Quadrant
from sqcore.stats.kano import Category
from sqcore.stats.results import Figure, MethodStatus
from surveys.analyses.models import Analysis
from surveys.drivers.predictors import DIMENSION, POINTS
from surveys.drivers.stated import How
from surveys.instruments.codebook import codebook_of
from surveys.instruments.models import Item

ORDER = tuple(Category)


@dataclass(frozen=True)
class Driver:
    """A dimension or a question with its part in what explains the outcome.

    rank: its number on map and list, usually 1 for the largest share; 0 for one whose answers
        are all alike, which has no share
    odds, odds_place: by how much ten points more multiply the odds of a better answer, and its
        place in the order of an ordinal regression; alike_p: of the test that this holds for
        every step of the scale
    """

    rank: int
    code: str
    name: str
    share: Figure
    sign: int
    performance: Figure
    quadrant: Quadrant | None
    is_certain: bool
    penalty: Figure | None
    reward: Figure | None
    asymmetry: Figure | None
    effect: Kind | None
    odds: Figure | None = None
    odds_place: int | None = None
    alike_p: float | None = None


@dataclass(frozen=True)
class Steps:
    """An ordinal regression of the outcome; p: of the test that all steps of its scale are alike,
    None where it could not be tried."""

    status: MethodStatus
    n: int
    p: float | None


@dataclass(frozen=True)
class Reading:
    """What an outcome hangs on in a group, or what customers say counts (`how` says which), usually
    the largest share first.

    Without drivers `status` says why. cross: where the lines of the map stand: performance in
    points, importance as a share; None without a map
    """

    level: str
    status: MethodStatus
    n: int
    left_out: int
    r2: Figure
    repeat_each_other: bool
    cross: tuple[float, float] | None
    drivers: Sequence[Driver]
    steps: Steps | None = None
    how: How = How.DERIVED

    @property
    def ranked(self) -> list[Driver]:
        """Those that have a share."""
        return [driver for driver in self.drivers if driver.rank]

    def numbered_as(self, other: "Reading") -> "Reading":
        """Return it with the order and the numbers of another one, to lay both side by side."""
        places = {driver.code: place for place, driver in enumerate(other.drivers, 1)}
        if {driver.code for driver in self.drivers} != set(places):
            return self
        ordered = sorted(self.drivers, key=lambda driver: places[driver.code])
        numbered = [
            replace(driver, rank=place if driver.rank else 0)
            for place, driver in enumerate(ordered, 1)
        ]
        return replace(self, drivers=numbered)


@dataclass(frozen=True)
class Wanted:
    """What a feature is to customers; `status` says why nothing could be told."""

    code: str
    name: str
    without: str
    status: MethodStatus
    n: int = 0
    category: Category | None = None
    second: Category | None = None
    shares: Mapping[Category, Figure] | None = None
    better: Figure | None = None
    worse: Figure | None = None
    is_mixed: bool = False
    is_questionable: bool = False


def outcomes_in(row: Analysis) -> list[Item]:
    """Return the outcome questions that were looked at."""
    items = codebook_of(row.version).by_code
    return [items[each["code"]] for each in row.found["outcomes"]]


def levels_in(row: Analysis, outcome: str) -> list[str]:
    """Return by what the outcome was looked at with success."""
    ok = MethodStatus.OK.value
    return [level["level"] for level in _levels(row, outcome) if level["status"] == ok]


def reading_of(row: Analysis, outcome: str, level: str) -> Reading | None:
    """Return what was found for an outcome at a level; None where it was not looked at."""
    raw = next((each for each in _levels(row, outcome) if each["level"] == level), None)
    if raw is None:
        return None
    status = MethodStatus(raw["status"])
    if status != MethodStatus.OK:
        return Reading(level, status, 0, 0, Figure.none(status), False, None, ())
    names = _names(row)
    told = sorted(raw["drivers"], key=lambda each: -each["share"].get("value", -1.0))
    cross = raw["cross"]["performance"], raw["cross"]["importance"]
    return Reading(
        level=level,
        status=status,
        n=raw["n"],
        left_out=raw["left_out"],
        r2=figure_of(raw["r2"]),
        repeat_each_other=raw["repeat_each_other"],
        cross=None if None in cross else cross,
        drivers=[_driver(each, at, names) for at, each in enumerate(told, 1)],
        steps=_steps(raw["ordinal"]) if "ordinal" in raw else None,
    )


def stated_of(row: Analysis, level: str) -> Reading | None:
    """Return what customers say counts, points as shares of 100; None where a finding has nothing
    of it at this level."""
    raw = row.found.get("stated")
    if raw is None or raw["level"] != level:
        return None
    status, how = MethodStatus(raw["status"]), How(raw["how"])
    r2 = Figure.none(MethodStatus.NOT_APPLICABLE)
    if status != MethodStatus.OK:
        return Reading(level, status, 0, 0, r2, False, None, (), how=how)
    names = _names(row)
    told = sorted(raw["things"], key=lambda each: -each["points"].get("value", -1.0))
    judged, counts = raw["cross"]["performance"], raw["cross"]["importance"]
    return Reading(
        level=level,
        status=status,
        n=raw["n"],
        left_out=raw["left_out"],
        r2=r2,
        repeat_each_other=False,
        cross=None if None in (judged, counts) else (judged, counts / POINTS[1]),
        drivers=[
            _driver({**each, "share": _share(each["points"]), "sign": 1}, at, names)
            for at, each in enumerate(told, 1)
        ],
        how=how,
    )


def _share(points: Mapping[str, Any]) -> dict[str, Any]:
    """Return points of 100 as a share."""
    ends = {key: points[key] for key in ("value", "low", "high") if points.get(key) is not None}
    return {**points, **{key: end / POINTS[1] for key, end in ends.items()}}


def wanted_in(row: Analysis) -> list[Wanted]:
    """Return the features of a Kano questionnaire: must-be first, of each what counts most."""
    items = codebook_of(row.version).by_code
    found = [_wanted(each, items) for each in row.found["pairs"]]
    return sorted(found, key=_of_weight)


def figure_of(raw: Mapping[str, Any]) -> Figure:
    """Return the figure that `figure_json` wrote."""
    return Figure(
        raw.get("value"), raw.get("low"), raw.get("high"), raw["n"], MethodStatus(raw["status"])
    )


def _levels(row: Analysis, outcome: str) -> list[dict[str, Any]]:
    for each in row.found["outcomes"]:
        if each["code"] == outcome:
            levels: list[dict[str, Any]] = each["levels"]
            return levels
    return []


def _names(row: Analysis) -> dict[tuple[str, str], str]:
    """The names of dimensions and questions, by what they are and their code."""
    found = {
        (DIMENSION, each["code"]): in_language(each["name"]) for each in row.version.dimensions
    }
    for item in codebook_of(row.version).items:
        found["item", item.code] = in_language(item.text)
    return found


def _driver(raw: Mapping[str, Any], place: int, names: Mapping[tuple[str, str], str]) -> Driver:
    share = figure_of(raw["share"])
    return Driver(
        rank=place if share.value is not None else 0,
        code=raw["code"],
        name=names.get((raw["of"], raw["code"]), raw["code"]),
        share=share,
        sign=raw["sign"],
        performance=figure_of(raw["performance"]),
        quadrant=Quadrant(raw["quadrant"]) if raw["quadrant"] else None,
        is_certain=raw["is_certain"],
        penalty=figure_of(raw["penalty"]) if "penalty" in raw else None,
        reward=figure_of(raw["reward"]) if "reward" in raw else None,
        asymmetry=figure_of(raw["asymmetry"]) if "asymmetry" in raw else None,
        effect=Kind(raw["effect"]) if raw.get("effect") else None,
        odds=figure_of(raw["odds"]) if "odds" in raw else None,
        odds_place=raw.get("odds_place"),
        alike_p=raw.get("alike_p"),
    )


def _steps(raw: Mapping[str, Any]) -> Steps:
    return Steps(MethodStatus(raw["status"]), raw["n"], raw["alike"]["p"])


def _wanted(raw: Mapping[str, Any], items: Mapping[str, Item]) -> Wanted:
    item = items[raw["code"]]
    asked = item.code, in_language(item.text), in_language(items[item.pair].text)
    status = MethodStatus(raw["status"])
    if status != MethodStatus.OK:
        return Wanted(*asked, status)
    return Wanted(
        *asked,
        status,
        n=raw["n"],
        category=Category(raw["category"]),
        second=Category(raw["second"]) if raw["second"] else None,
        shares={Category(key): figure_of(share) for key, share in raw["shares"].items()},
        better=figure_of(raw["better"]),
        worse=figure_of(raw["worse"]),
        is_mixed=raw["is_mixed"],
        is_questionable=raw["is_questionable"],
    )


def _of_weight(wanted: Wanted) -> tuple[int, float, str]:
    if wanted.category is None or wanted.shares is None:
        return len(ORDER), 0.0, wanted.code
    share = wanted.shares[wanted.category].value or 0.0
    return ORDER.index(wanted.category), -share, wanted.code


def level_name(level: str) -> str:
    return _("By dimension") if level == DIMENSION else _("By question")
