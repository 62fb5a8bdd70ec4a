"""What the kind “validation” found, as things with names instead of JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from django.utils.formats import number_format

from sqcore.base.text import in_language
from sqcore.stats.results import MethodStatus
from surveys.analyses.wording import WHY_NOT
from surveys.instruments.models import InstrumentVersion, Item

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Number:
    """A number with its interval and n; without one, why."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    status: str

    @classmethod
    def of(cls, raw: Json) -> "Number":
        return cls(raw["value"], raw["low"], raw["high"], raw["n"], raw["status"])

    @property
    def why_not(self) -> str:
        return "" if self.status == MethodStatus.OK else str(WHY_NOT[self.status])

    @property
    def percent(self) -> str:
        """A share in percent.

        >>> Number(0.034, 0.02, 0.05, 100, "ok").percent
        '3.4 %'
        """
        shown = 100 * (self.value or 0.0)
        return f"{number_format(shown, decimal_pos=1)} %"

    def is_above(self, limit: float) -> bool:
        """Whether it is, for sure: with its whole interval where it has one."""
        low = self.value if self.low is None else self.low
        return low is not None and low > limit

    def is_below(self, limit: float) -> bool:
        high = self.value if self.high is None else self.high
        return high is not None and high < limit


@dataclass(frozen=True)
class Question:
    code: str
    text: str
    total: Number
    without: Number


@dataclass(frozen=True)
class Block:
    """The questions of a dimension, or all: how far they belong together."""

    code: str
    name: str
    n: int
    left_out: int
    alpha: Number
    omega: Number
    straight: Number
    lowest: Number
    highest: Number
    questions: Sequence[Question]


@dataclass(frozen=True)
class Fit:
    """How well a structure of dimensions describes the answers."""

    status: str
    chi2: float | None
    df: int | None
    p: float | None
    cfi: float | None
    tli: float | None
    srmr: float | None
    rmsea: Number | None
    loadings: Sequence[Json]
    correlations: Sequence[Sequence[float]]
    errors: Sequence[Sequence[float]]

    @classmethod
    def of(cls, raw: Json) -> "Fit":
        found = {name: raw.get(name) for name in ("chi2", "df", "p", "cfi", "tli", "srmr")}
        return cls(
            status=raw["status"],
            **found,
            rmsea=Number.of(raw["rmsea"]) if "rmsea" in raw else None,
            loadings=raw.get("loadings", ()),
            correlations=raw.get("correlations", ()),
            errors=raw.get("errors", ()),
        )

    @property
    def is_there(self) -> bool:
        return self.status == MethodStatus.OK

    @property
    def why_not(self) -> str:
        return "" if self.is_there else str(WHY_NOT[self.status])


@dataclass(frozen=True)
class Pair:
    """Two dimensions and how much they go together: 1 is the same thing."""

    first: str
    second: str
    value: float
    error: float

    @property
    def low(self) -> float:
        return max(self.value - 1.96 * self.error, -1.0)

    @property
    def high(self) -> float:
        return min(self.value + 1.96 * self.error, 1.0)


@dataclass(frozen=True)
class Part:
    """What the answers of all, or of those who were not marked, say."""

    people: int
    dimensions: Sequence[Block]
    whole: Block
    kmo: Number | None
    bartlett: float | None
    adequacy: str
    one: Fit
    many: Fit

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every two dimensions, those that go together most first."""
        if not self.many.is_there:
            return []
        named = list(enumerate(self.dimensions))
        found = [
            Pair(
                a.name, b.name, self.many.correlations[at][to] or 0.0, self.many.errors[at][to] or 0
            )
            for (at, a), (to, b) in combinations(named, 2)
        ]
        return sorted(found, key=lambda pair: -pair.value)


@dataclass(frozen=True)
class Shares:
    """How often a question stayed open, and reached the ends of its scale."""

    code: str
    text: str
    role: str
    missing: Number
    not_applicable: Number
    lowest: Number
    highest: Number


@dataclass(frozen=True)
class Attention:
    limit: int
    straight: Number
    in_a_row: Number
    unusual: Number
    either: Number


@dataclass(frozen=True)
class Reading:
    """All that was found about a version in a period."""

    everybody: Part
    attentive: Part | None
    attention: Attention
    questions: Sequence[Shares]


def reading_of(found: Json, version: InstrumentVersion, items: Sequence[Item]) -> Reading:
    """Return what was found, with the names of the questionnaire in the language of who asks."""
    texts = {item.code: in_language(item.text) for item in items}
    names = {each["code"]: in_language(each["name"]) for each in version.dimensions}
    roles = {item.code: item.role for item in items}
    careless = found["careless"]
    return Reading(
        everybody=_part(found["all"], names, texts),
        attentive=_part(found["attentive"], names, texts) if found["attentive"] else None,
        attention=Attention(
            careless["limit"],
            *(Number.of(careless[name]) for name in ("straight", "in_a_row", "unusual", "either")),
        ),
        questions=[
            Shares(
                each["code"],
                texts.get(each["code"], each["code"]),
                roles.get(each["code"], ""),
                *(
                    Number.of(each[name])
                    for name in ("missing", "not_applicable", "lowest", "highest")
                ),
            )
            for each in found["questions"]
        ],
    )


def _part(raw: Json, names: Mapping[str, str], texts: Mapping[str, str]) -> Part:
    whole, adequacy = raw["whole"], raw["whole"]["adequacy"]
    return Part(
        people=raw["people"],
        dimensions=[
            _block(each, names.get(each["code"]) or each["code"], texts)
            for each in raw["dimensions"]
        ],
        whole=_block(whole, "", texts),
        kmo=Number.of(adequacy["kmo"]) if "kmo" in adequacy else None,
        bartlett=adequacy.get("p"),
        adequacy=adequacy["status"],
        one=Fit.of(whole["one"]),
        many=Fit.of(whole["many"]),
    )


def _block(raw: Json, name: str, texts: Mapping[str, str]) -> Block:
    return Block(
        code=raw.get("code", ""),
        name=name,
        n=raw["n"],
        left_out=raw["left_out"],
        **{key: Number.of(raw[key]) for key in ("alpha", "omega", "straight", "lowest", "highest")},
        questions=[
            Question(
                item["code"],
                texts.get(item["code"], item["code"]),
                Number.of(item["total"]),
                Number.of(item["without"]),
            )
            for item in raw["items"]
        ],
    )
