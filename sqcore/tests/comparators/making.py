"""Plain makers for the tests of comparators."""

from datetime import date
from typing import Any

from sqcore.comparators.models import Comparator, ComparatorValue
from sqcore.comparators.services import add_comparator, add_value
from sqcore.evaluation.models import EvaluationRun
from sqcore.identity.principals import system_principal
from sqcore.indicators.definition import (
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
)
from sqcore.indicators.models import Indicator, IndicatorSystem
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW
from sqcore.tests.rest import make_run, make_value

SYSTEM = system_principal("test")
YEAR = (date(2025, 1, 1), date(2026, 1, 1))


def make_indicator(code: str = "solved", **over: Any) -> Indicator:
    """A share of which more is better, unless told otherwise."""
    fields: dict[str, Any] = {
        "name": {"en": code.replace("-", " ").title()},
        "source": "surveys",
        "unit_of_measure": "share",
        "statistic": "proportion",
        "parameters": {"measure": code},
    }
    return Indicator.objects.create(code=code, **{**fields, **over})


def make_comparator(code: str = "market", kind: str = "average", **over: Any) -> Comparator:
    fields: dict[str, Any] = {"name": {"en": code.replace("-", " ").title()}}
    return add_comparator(code=code, kind=kind, by=SYSTEM, now=NOW, **{**fields, **over})


def reached(
    comparator: Comparator, indicator: Indicator, value: float, **over: Any
) -> ComparatorValue:
    """What somebody reached in 2025, from the yearbook, unless told otherwise."""
    fields: dict[str, Any] = {
        "starts_on": YEAR[0],
        "ends_on": YEAR[1],
        "source": "Yearbook of banks",
    }
    return add_value(
        comparator=comparator, indicator=indicator, value=value, by=SYSTEM, now=NOW,
        **{**fields, **over},
    )  # fmt: skip


def leaf(code: str, weight: float, **over: Any) -> IndicatorDefinition:
    """A share from 50 % (0 points) to 100 % (100 points), unless told otherwise."""
    fields: dict[str, Any] = {
        "name": {"en": code.replace("-", " ").title()},
        "definition": {},
        "unit_of_measure": "share",
        "direction": "higher",
        "statistic": "proportion",
        "source": "surveys",
        "measure": code,
        "worst": 0.5,
        "best": 1.0,
    }
    return IndicatorDefinition(code=code, weight=weight, **{**fields, **over})


def system_of(*leaves: IndicatorDefinition) -> SystemDefinition:
    """A system of one dimension, care, with these indicators."""
    care = DimensionDefinition("care", {"en": "Care"}, 1.0, indicators=leaves)
    return SystemDefinition("service", {"en": "Service"}, 1, (care,))


def evaluated(
    system: IndicatorSystem, unit: Unit, definition: SystemDefinition, period: str = "2025-12"
) -> EvaluationRun:
    """A run with the composite 70 (68 to 72) and its dimension; indicators are put in by tests."""
    run = make_run(system, period)
    run.definition = definition.as_json()
    run.tree = {str(unit.pk): None}
    run.policy = {"smallest_group": 5, "coverage": 0.6, "confidence": 0.95}
    run.save()
    make_value(run, unit)
    make_value(run, unit, kind="dimension", code="care")
    return run


def figure(
    run: EvaluationRun, unit: Unit, code: str, value: float, *, by: float | None = 0.02, **over: Any
) -> None:
    """A share as an indicator of `leaf`, sure to plus and minus `by`."""
    ends: dict[str, Any] = {"low": None, "high": None, "score_low": None, "score_high": None}
    if by is not None:
        low, high = value - by, value + by
        ends = {
            "low": low, "high": high,
            "score_low": 200 * (low - 0.5), "score_high": 200 * (high - 0.5),
        }  # fmt: skip
    fields = {"kind": "indicator", "code": code, "value": value, "score": 200 * (value - 0.5)}
    make_value(run, unit, **{**fields, **ends, **over})
