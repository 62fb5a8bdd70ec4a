"""KPI series over REST: our list beside raw SQL in a bare Django view and beside stock DRF.

One million KPI values in SQLite; one series of one unit and indicator, asked for with a token. All
candidates answer through Django's own WSGI handler in this process, so that nothing but CPU is
compared, and what they answer is compared before anything is timed: the raw view and ours byte for
byte, stock DRF value for value.

`ours` runs in the product's whole stack of middleware; `raw_bare` has none at all, which is the
limit; `raw` is the same view in the product's stack.

The settings must be the embedded ones, with a data home of the benchmark's own.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
from django.core.management import call_command
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path
from django_filters import CharFilter, FilterSet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import (
    CharField,
    DateField,
    DateTimeField,
    IntegerField,
    ModelSerializer,
)
from rest_framework.viewsets import ReadOnlyModelViewSet

from benchmarks.serving import Answer, ask, get, handler
from benchmarks.side_by_side import Budget, measured, report
from sqcore.access.models import ApiToken
from sqcore.access.services import make_token
from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import system_principal
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.org.models import Placement, Unit

UNITS, MONTHS = 200, 36
MARGINS = [("", ""), *(("channel", code) for code in ("counter", "telephone", "app", "agent"))]
CODES = [
    ("composite", "composite"),
    *(("dimension", f"dimension-{number}") for number in range(5)),
    *(("indicator", f"indicator-{number}") for number in range(22)),
]
NOW = datetime(2026, 2, 1, 3, tzinfo=UTC)
REQUESTS = 100

Ask = Callable[[], Answer]

ASKED = (
    "system=service&grain=month&unit=unit-17&code=indicator-3&margin=channel&margin_value=counter"
)


# ---- The data ------------------------------------------------------------------------------------


def prepare() -> None:
    """Make the tables and a million values, once."""
    call_command("migrate", verbosity=0)
    fill()


def fill() -> None:
    """Write 200 units x 36 months x 28 codes x 5 margins = 1,008,000 values."""
    if KpiValue.objects.exists():
        return
    with transaction.atomic():
        system, runs, units = _ground()
        with connection.cursor() as cursor:
            cursor.executemany(_insert(), _rows(system, runs, units))  # type: ignore[arg-type]  # the driver takes any iterable
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _ground() -> tuple[IndicatorSystem, list[EvaluationRun], list[Unit]]:
    first = date(2023, 1, 1)
    system = IndicatorSystem.objects.create(code="service", name={"en": "Service quality"})
    version = SystemVersion.objects.create(
        system=system, number=1, state="published", since=first, published_at=NOW
    )
    units = Unit.objects.bulk_create(
        Unit(code=f"unit-{number}", name={"en": f"Unit {number}"}, opened_on=first)
        for number in range(UNITS)
    )
    Placement.objects.bulk_create(
        Placement(unit=unit, parent=units[0] if unit is not units[0] else None, valid_from=first)
        for unit in units
    )
    runs, period = [], Period.of(first, Grain.MONTH)
    for _month in range(MONTHS):
        runs.append(
            EvaluationRun(
                system=system, version=version, grain="month", starts_on=period.start,
                ends_on=period.end, is_current=True, state="published", reason="closed",
                created_at=NOW, published_at=NOW,
            )
        )  # fmt: skip
        period = period.next
    return system, EvaluationRun.objects.bulk_create(runs), units


def _columns() -> list[str]:
    return [str(field.column) for field in KpiValue._meta.concrete_fields if not field.primary_key]


def _insert() -> str:
    columns = _columns()
    marks = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {KpiValue._meta.db_table} ({', '.join(columns)}) VALUES ({marks})"


def _rows(
    system: IndicatorSystem, runs: list[EvaluationRun], units: list[Unit]
) -> Iterator[tuple[Any, ...]]:
    """One row in fifty is suppressed; the numbers have as many digits as real ones."""
    chance = random.Random(7)
    columns = _columns()
    for run in runs:
        for unit in units:
            for margin, margin_value in MARGINS:
                for kind, code in CODES:
                    row = {
                        "run_id": run.pk, "is_current": True, "system_id": system.pk,
                        "grain": "month", "starts_on": run.starts_on.isoformat(),
                        "unit_id": unit.pk, "margin": margin, "margin_value": margin_value,
                        "kind": kind, "code": code, "status": "suppressed", "reason": "small",
                    }  # fmt: skip
                    if chance.random() > 0.02:
                        score = 40 + 50 * chance.random()
                        row |= {"status": "ok", "reason": "", "score": score, "n": 120,
                                "score_low": score - 1.7, "score_high": score + 1.7,
                                "coverage": 1.0}  # fmt: skip
                        if kind == "indicator":
                            row |= {"value": score / 15, "low": score / 15 - 0.1,
                                    "high": score / 15 + 0.1}  # fmt: skip
                    yield tuple(row.get(column) for column in columns)


def token() -> str:
    """Return a fresh token that sees results everywhere."""
    now = datetime.now(UTC)
    _token, key = make_token(
        name="bench", permissions=[Permission.VIEW_RESULTS], units=[],
        expires_at=now + timedelta(days=1), by=system_principal(), now=now,
    )  # fmt: skip
    return key


# ---- The limit: raw SQL in a bare view -----------------------------------------------------------

RAW = """
    SELECT s.code, u.code, k.grain, k.starts_on, r.ends_on, k.margin, k.margin_value, k.kind,
           k.code, k.status, k.reason, k.value, k.low, k.high, k.score, k.score_low, k.score_high,
           k.n, k.coverage, k.run_id, r.revision, r.published_at
    FROM sqcore_kpivalue k
    JOIN sqcore_indicatorsystem s ON s.id = k.system_id
    JOIN sqcore_unit u ON u.id = k.unit_id
    JOIN sqcore_evaluationrun r ON r.id = k.run_id
    WHERE k.is_current AND s.code = %s AND k.grain = %s AND u.code = %s AND k.code = %s
      AND k.margin = %s AND k.margin_value = %s
    ORDER BY k.starts_on, k.id LIMIT 51
"""
NAMES = (
    "system", "unit", "grain", "period", "starts_on", "ends_on", "margin", "margin_value", "kind",
    "code", "status", "reason", "value", "low", "high", "score", "score_low", "score_high", "n",
    "coverage", "run", "revision", "published_at",
)  # fmt: skip


def raw_view(request: HttpRequest) -> HttpResponse:
    """What one would write by hand for this one question and nothing else."""
    asked = request.GET
    names = ("system", "grain", "unit", "code", "margin", "margin_value")
    params = [asked[name] for name in names]
    with connection.cursor() as cursor:
        cursor.execute(RAW, params)
        rows = cursor.fetchall()
    results = [
        dict(
            zip(
                NAMES,
                (
                    *row[:3],
                    f"{row[3].year}-{row[3].month:02d}",
                    *row[3:5],
                    row[5] or "overall",
                    row[6] or None,
                    *row[7:10],
                    row[10] or None,
                    *row[11:],
                ),
                strict=True,
            )
        )
        for row in rows[:50]
    ]
    body = orjson.dumps(
        {"results": results, "next": None}, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
    )
    return HttpResponse(body, content_type="application/json")


# ---- Stock DRF -----------------------------------------------------------------------------------


class StockToken(BaseAuthentication):
    """As the framework's own: one query a request."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken]:
        key = request.META["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
        found = ApiToken.objects.filter(digest=sha256(key.encode()).hexdigest()).first()
        if found is None:
            raise AuthenticationFailed
        return User(username="bench"), found


class StockFilter(FilterSet):
    system = CharFilter("system__code")
    unit = CharFilter("unit__code")

    class Meta:
        model = KpiValue
        fields = ("grain", "code", "margin", "margin_value")


class StockSerializer(ModelSerializer[KpiValue]):
    system = CharField(source="system.code")
    unit = CharField(source="unit.code")
    ends_on = DateField(source="run.ends_on")
    revision = IntegerField(source="run.revision")
    published_at = DateTimeField(source="run.published_at")

    class Meta:
        model = KpiValue
        fields = tuple(name for name in NAMES if name != "period")


class StockPages(PageNumberPagination):
    page_size = 50


class StockList(ReadOnlyModelViewSet[KpiValue]):
    queryset = (
        KpiValue.objects.current()
        .select_related("system", "unit", "run")
        .order_by("starts_on", "id")
    )
    serializer_class = StockSerializer
    pagination_class = StockPages
    authentication_classes = (StockToken,)
    permission_classes = (IsAuthenticated,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = DefaultContentNegotiation
    filter_backends = (DjangoFilterBackend,)
    filterset_class = StockFilter


router = SimpleRouter()
router.register("stock", StockList, basename="stock")
urlpatterns = [
    path("raw", raw_view),
    path("", include(router.urls)),
    path("", include("sqcore.project.urls")),
]


# ---- Side by side --------------------------------------------------------------------------------


def candidates() -> dict[str, Ask]:
    """Return what is compared: each call makes one request.

    To be called, and each candidate too, within `side_by_side()`.
    """
    whole, bare = handler(), handler(bare=True)
    key = {"HTTP_AUTHORIZATION": f"Bearer {token()}"}
    ours, raw = get(f"/api/v1/kpi-values?{ASKED}", **key), get(f"/raw?{ASKED}", **key)
    known = ours | {"HTTP_IF_NONE_MATCH": ask(whole, ours).headers["ETag"]}
    stock = get(f"/stock/?{ASKED}", **key)
    return {
        "ours": lambda: ask(whole, ours),
        "raw_bare": lambda: ask(bare, raw),
        "raw": lambda: ask(whole, raw),
        "ours_304": lambda: ask(whole, known),
        "stock": lambda: ask(whole, stock),
    }


def side_by_side() -> override_settings:
    """Return the settings under which all candidates have an address, and no limit a minute."""
    return override_settings(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["testserver"],
        API_LIMITS=dict.fromkeys(("read", "write", "refused"), 10**9),
    )


def check(asked: Mapping[str, Ask]) -> None:
    """Refuse to compare what does not answer the same."""
    answers = {name: ask_now() for name, ask_now in asked.items()}
    assert answers["ours"].body == answers["raw"].body == answers["raw_bare"].body
    assert answers["ours"].status == answers["raw_bare"].status == 200
    assert (answers["ours_304"].status, answers["ours_304"].body) == (304, b"")
    rows = json.loads(answers["ours"].body)["results"]
    stock = json.loads(answers["stock"].body)["results"]
    assert len(rows) == len(stock) == MONTHS
    for mine, theirs in zip(rows, stock, strict=True):
        theirs["margin"] = theirs["margin"] or "overall"
        theirs |= {name: theirs[name] or None for name in ("margin_value", "reason")}
        assert theirs == {name: value for name, value in mine.items() if name != "period"}


def run(rounds: int) -> bool:
    """Print the scenario; True when its budgets are kept."""
    prepare()
    with side_by_side():
        asked = candidates()
        check(asked)
        cpu, _wall = measured(
            {name: _often(ask_now) for name, ask_now in asked.items()},
            rounds=rounds,
            times=REQUESTS,
        )
    budgets = [
        Budget("speed of raw SQL in a bare view", "ours", "raw_bare", 0.35, as_speed=True),
        Budget("speed of stock DRF", "ours", "stock", 3, as_speed=True),
    ]
    title = f"A series of {MONTHS} months over REST, of {KpiValue.objects.count():,} values"
    kept = report(title, cpu, budgets)
    print("  (stretch for the first: 0.6; ours_304 answers that nothing changed)")
    return kept


def _often(ask_now: Ask) -> Callable[[], None]:
    def asking() -> None:
        for _request in range(REQUESTS):
            ask_now()

    return asking
