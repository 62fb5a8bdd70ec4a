"""One page of the KPI series, read as fast as the database gives it.

The query is Django's own, with `visible_to`; it is compiled once for each set of filters and each
scope, since that costs several times the query itself (`sqcore.base.prepared`).
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from django.db.models import Count, Max

from sqcore.base.api import Keyset, PageRequest
from sqcore.base.periods import Grain, Period
from sqcore.base.prepared import Prepared, Slot
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope

ORDER = Keyset(("system_id", "grain", "unit_id", "code", "margin", "starts_on", "id"))
"""Series after series, each in the order of time: the order of the index `kpi_series`."""

_KEY = len(ORDER.fields)
_FIELDS = (
    *ORDER.fields, "system__code", "unit__code", "run__ends_on", "margin_value", "kind", "status",
    "reason", "value", "low", "high", "score", "score_low", "score_high", "n", "coverage", "run_id",
    "run__revision", "run__published_at",
)  # fmt: skip


def kpi_page(
    *, principal: Principal, asked: Mapping[str, Any], page: PageRequest, fiscal_start: int
) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
    """Return a page of current values that the asker may see, and the key of the next one.

    `asked` are look-ups of `KpiFilter`.
    """
    scope = principal.scope(Permission.VIEW_RESULTS)
    query = _query(tuple(sorted(asked)), scope, page.after is not None)
    values = dict(asked)
    if page.after is not None:
        values |= {f"after_{number}": value for number, value in enumerate(page.after)}
    found = query.rows(values, limit=page.size + 1)
    shown = found[: page.size]
    following = shown[-1][:_KEY] if len(found) > page.size else None
    return [_row(row, fiscal_start) for row in shown], following


@lru_cache(maxsize=512)
def _query(names: tuple[str, ...], scope: Scope, goes_on: bool) -> Prepared:
    asker = Principal(key="", name="", permissions={Permission.VIEW_RESULTS: scope})
    values = KpiValue.objects.visible_to(asker).current()
    values = values.filter(**{name: Slot(name) for name in names})
    if goes_on:
        values = ORDER.after(values, [Slot(f"after_{number}") for number in range(_KEY)])
    return Prepared(values.order_by(*ORDER.fields).values_list(*_FIELDS))


def _row(row: tuple[Any, ...], fiscal_start: int) -> dict[str, Any]:
    (
        _system_id, grain, _unit_id, code, margin, starts_on, _id, system, unit, ends_on,
        margin_value, kind, status, reason, value, low, high, score, score_low, score_high, n,
        coverage, run, revision, published_at,
    ) = row  # fmt: skip
    return {
        "system": system,
        "unit": unit,
        "grain": grain,
        "period": _period_key(starts_on, grain, fiscal_start),
        "starts_on": starts_on,
        "ends_on": ends_on,
        "margin": margin or "overall",
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
