"""One page of the KPI series, read as fast as the database gives it.

The query is Django's own, with `visible_to`; it is compiled once for each set of filters and each
scope, since that costs several times the query itself (`sqcore.base.prepared`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from django.db.models import Count, Max, QuerySet

from sqcore.base.api import Keyset, PageRequest
from sqcore.base.periods import Grain, Period
from sqcore.base.prepared import Prepared, Slot
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope
from sqcore.indicators.definition import COMPOSITE

OVERALL = "overall"
MARGINS = [(OVERALL, "Overall"), ("channel", "By channel"), ("segment", "By segment")]
"""What a figure is of, as clients name it."""

BY_SERIES = Keyset(("system_id", "grain", "unit_id", "code", "margin", "starts_on", "id"))
"""Series after series, each in the order of time: the order of the index `kpi_series`."""

BY_UNIT = Keyset(("unit_id", "margin", "margin_value", "kind", "code"))
"""Of one run, unit after unit: the order of its unique index."""

_FIELDS = (
    "system__code", "unit__code", "grain", "starts_on", "run__ends_on", "margin", "margin_value",
    "kind", "code", "status", "reason", "value", "low", "high", "score", "score_low", "score_high",
    "n", "coverage", "run_id", "run__revision", "run__published_at",
)  # fmt: skip


@dataclass(frozen=True)
class KpiQuestion:
    """What is asked for as look-ups, and the order in which an index gives it."""

    asked: Mapping[str, Any]
    order: Keyset


def kpi_question(asked: Mapping[str, Any]) -> KpiQuestion:
    """Return look-ups of `KpiFilter` as those that an index serves best.

    The overall score has one code. A period is one run, unless several systems were evaluated.
    """
    found = dict(asked)
    if found.get("kind") == KpiValue.Kind.COMPOSITE:
        found.setdefault("code", COMPOSITE)
    if "starts_on" in found and "grain" in found:
        named = {name: found[name] for name in _OF_RUN if name in found}
        runs = _run_query(tuple(named)).rows(named, limit=2)
        if len(runs) == 1:
            found = {name: value for name, value in found.items() if name not in named}
            return KpiQuestion({**found, "run_id": runs[0][0]}, BY_UNIT)
    return KpiQuestion(found, BY_SERIES)


_OF_RUN = ("system__code", "grain", "starts_on")


@lru_cache(maxsize=2)
def _run_query(names: tuple[str, ...]) -> Prepared:
    runs = EvaluationRun.objects.current().filter(**{name: Slot(name) for name in names})
    return Prepared(runs.order_by("id").values_list("id"))


def kpi_page(
    *, principal: Principal, question: KpiQuestion, page: PageRequest, fiscal_start: int
) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
    """Return a page of current values that the asker may see, and the key of the next one."""
    scope = principal.scope(Permission.VIEW_RESULTS)
    key = len(question.order.fields)
    names = tuple(sorted(question.asked))
    query = _query(names, question.order, scope, page.after is not None)
    values = dict(question.asked)
    if page.after is not None:
        values |= {f"after_{number}": value for number, value in enumerate(page.after)}
    found = query.rows(values, limit=page.size + 1)
    shown = found[: page.size]
    following = shown[-1][:key] if len(found) > page.size else None
    return [_row(row[key:], fiscal_start) for row in shown], following


@lru_cache(maxsize=512)
def _query(names: tuple[str, ...], order: Keyset, scope: Scope, goes_on: bool) -> Prepared:
    asker = Principal(key="", name="", permissions={Permission.VIEW_RESULTS: scope})
    values: QuerySet[KpiValue] = KpiValue.objects.visible_to(asker).current()
    values = values.filter(**{name: Slot(name) for name in names})
    if goes_on:
        after = [Slot(f"after_{number}") for number in range(len(order.fields))]
        values = order.after(values, after)
    return Prepared(values.order_by(*order.fields).values_list(*order.fields, *_FIELDS))


def _row(row: tuple[Any, ...], fiscal_start: int) -> dict[str, Any]:
    (
        system, unit, grain, starts_on, ends_on, margin, margin_value, kind, code, status, reason,
        value, low, high, score, score_low, score_high, n, coverage, run, revision, published_at,
    ) = row  # fmt: skip
    return {
        "system": system,
        "unit": unit,
        "grain": grain,
        "period": _period_key(starts_on, grain, fiscal_start),
        "starts_on": starts_on,
        "ends_on": ends_on,
        "margin": margin or OVERALL,
        "margin_value": margin_value or None,
        "kind": kind,
        "code": code,
        "status": status,
        "reason": reason or None,
        "value": value,
        "low": low,
        "high": high,
        "score": score,
        "score_low": score_low,
        "score_high": score_high,
        "n": n,
        "coverage": coverage,
        "run": run,
        "revision": revision,
        "published_at": published_at,
    }


@lru_cache(maxsize=4096)
def _period_key(starts_on: date, grain: str, fiscal_start: int) -> str:
    return Period(starts_on, Grain(grain), fiscal_start).key


def kpi_stamp() -> tuple[Any, ...]:
    """Return what is different after every publication, whatever the order in which they end."""
    return _stamp_query().rows({})[0]


@lru_cache(maxsize=1)
def _stamp_query() -> Prepared:
    runs = EvaluationRun.objects.filter(state=EvaluationRun.State.PUBLISHED).order_by()
    return Prepared(runs.values("state").annotate(Count("id"), Max("id"), Max("published_at")))
