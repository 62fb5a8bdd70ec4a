"""What a version of an indicator system says, as plain values that a run can freeze as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqcore.base.text import TranslatedText, in_language

COMPOSITE = "composite"
"""The code of the overall score, beside those of dimensions and indicators."""

OVERALL_NAME: TranslatedText = {"en": "Overall quality", "zh-hans": "总体服务质量"}


@dataclass(frozen=True)
class IndicatorDefinition:
    """An indicator in its place: what is asked of which source, its weight and its goalposts."""

    code: str
    name: TranslatedText
    definition: TranslatedText
    unit_of_measure: str
    direction: str
    statistic: str
    source: str
    measure: str
    weight: float
    floor: float
    target: float


@dataclass(frozen=True)
class DimensionDefinition:
    code: str
    name: TranslatedText
    weight: float
    dimensions: tuple["DimensionDefinition", ...] = ()
    indicators: tuple[IndicatorDefinition, ...] = ()

    def walk(self) -> Iterator["DimensionDefinition"]:
        """Yield this dimension and all below it, parents first."""
        yield self
        for below in self.dimensions:
            yield from below.walk()


@dataclass(frozen=True)
class SystemDefinition:
    """The tree of a version: dimensions with their indicators, in the order of their pages."""

    system: str
    name: TranslatedText
    version: int
    dimensions: tuple[DimensionDefinition, ...]

    def all_dimensions(self) -> list[DimensionDefinition]:
        return [found for top in self.dimensions for found in top.walk()]

    def all_indicators(self) -> list[IndicatorDefinition]:
        return [found for dimension in self.all_dimensions() for found in dimension.indicators]

    def name_of(self, code: str) -> str:
        """Return what people read for a code, in the active language; the code if it has none."""
        names = {COMPOSITE: OVERALL_NAME}
        names |= {found.code: found.name for found in self.all_dimensions()}
        names |= {found.code: found.name for found in self.all_indicators()}
        return in_language(names.get(code, {"en": code}))

    def indicator(self, code: str) -> IndicatorDefinition | None:
        return next((found for found in self.all_indicators() if found.code == code), None)

    def sources(self) -> list[str]:
        """Return the keys of the sources it draws on, in order, each once."""
        return list(dict.fromkeys(found.source for found in self.all_indicators()))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "SystemDefinition":
        """Rebuild what `as_json` wrote."""
        return cls(
            system=stored["system"],
            name=stored["name"],
            version=stored["version"],
            dimensions=tuple(_dimension(found) for found in stored["dimensions"]),
        )


def _dimension(stored: Mapping[str, Any]) -> DimensionDefinition:
    return DimensionDefinition(
        code=stored["code"],
        name=stored["name"],
        weight=stored["weight"],
        dimensions=tuple(_dimension(found) for found in stored["dimensions"]),
        indicators=tuple(IndicatorDefinition(**found) for found in stored["indicators"]),
    )
