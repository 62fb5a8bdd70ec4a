"""What an indicator measured on a day: its definition now, or one that a later epoch replaced."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from datetime import date
from typing import Any

from sqcore.indicators.models import Indicator, IndicatorEpoch

MEASURED = ("direction", "formula", "parameters", "source", "statistic", "unit_of_measure")
"""The fields that say what an indicator measures."""

Former = Mapping[int, Mapping[str, Any]]
"""By the key of an indicator, what it measured on a day, where that is not what it measures now."""


def measured_by(indicator: Indicator) -> dict[str, Any]:
    """Return what an indicator measures, as an epoch keeps it."""
    return {key: getattr(indicator, key) for key in MEASURED}


def former_definitions(on: date | None) -> Former:
    """Return what indicators measured on a day before epochs that began after it; with None, the
    definitions of today are meant and nothing is former. One query at most."""
    if on is None:
        return {}
    later = IndicatorEpoch.objects.filter(starts_on__gt=on).order_by("-number")
    # The first of the later epochs is read last, and stays.
    return dict(later.values_list("indicator_id", "before"))


def as_measured(indicators: Iterable[Indicator], former: Former) -> list[Indicator]:
    """Return the indicators as they were defined then: copies where that was otherwise."""
    return [_with(each, former[each.pk]) if each.pk in former else each for each in indicators]


def all_definitions(indicators: Iterable[Indicator]) -> list[Indicator]:
    """Return the indicators, each followed by all that it ever measured before. One query."""
    known = {each.pk: each for each in indicators}
    found = list(known.values())
    epochs = IndicatorEpoch.objects.filter(indicator__in=known).order_by("indicator", "number")
    return [*found, *(_with(known[epoch.indicator_id], epoch.before) for epoch in epochs)]


def former_sources(codes: Sequence[str]) -> list[str]:
    """Return the keys of the sources that these indicators had in former epochs. One query."""
    found = IndicatorEpoch.objects.filter(indicator__code__in=codes).order_by("id")
    befores = found.values_list("before", flat=True)
    return list(dict.fromkeys(before["source"] for before in befores if before["source"]))


def _with(indicator: Indicator, measured: Mapping[str, Any]) -> Indicator:
    then = copy(indicator)
    for key in MEASURED:
        setattr(then, key, measured[key])
    return then
