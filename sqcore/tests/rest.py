"""Asking over REST in tests: tokens, requests, and figures to ask for."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from sqcore.access.services import make_token
from sqcore.base.periods import Grain, Period
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import system_principal
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW

API = "/api/v1/"
ADMINISTRATOR = system_principal("test")


def make_key(
    *permissions: Permission,
    units: Collection[Unit] = (),
    now: datetime | None = None,
    days: int = 30,
) -> str:
    """The key of a new token, made at the real present unless told otherwise."""
    now = now or timezone.now()
    _token, key = make_token(
        name="A client",
        permissions=permissions,
        units=units,
        expires_at=now + timedelta(days=days),
        by=ADMINISTRATOR,
        now=now,
    )
    return key


def get(path: str, key: str = "", **headers: str) -> HttpResponse:
    """The answer to a GET below /api/v1/, with this token."""
    given = {"Authorization": f"Bearer {key}"} if key else {}
    response: HttpResponse = Client().get(API + path, headers={**given, **headers})  # type: ignore[assignment]  # the test client's own kind
    return response


def post(
    path: str, body: Any, key: str = "", *, once: str = "key-00000001", **headers: str
) -> HttpResponse:
    """The answer to a POST of JSON, with this token and Idempotency-Key."""
    given = {"Authorization": f"Bearer {key}"} if key else {}
    if once:
        given["Idempotency-Key"] = once
    response: HttpResponse = Client().post(  # type: ignore[assignment]  # the test client's own kind
        API + path, body, content_type="application/json", headers={**given, **headers}
    )
    return response


def make_system(code: str = "service") -> IndicatorSystem:
    """A system with one published version, without dimensions."""
    system = IndicatorSystem.objects.create(code=code, name={"en": code.title()})
    SystemVersion.objects.create(
        system=system,
        number=1,
        state=SystemVersion.State.PUBLISHED,
        grains=[Grain.MONTH],
        since=date(2025, 1, 1),
        published_at=NOW,
    )
    return system


def make_run(
    system: IndicatorSystem, period: str, *, revision: int = 1, is_current: bool = True
) -> EvaluationRun:
    """A published run of this period, without values."""
    of = Period.parse(period)
    return EvaluationRun.objects.create(
        system=system,
        version=system.versions.get(),
        grain=of.grain,
        starts_on=of.start,
        ends_on=of.end,
        revision=revision,
        is_current=is_current,
        state=EvaluationRun.State.PUBLISHED,
        reason="closed",
        created_at=NOW,
        published_at=NOW,
    )


def make_value(run: EvaluationRun, unit: Unit, **over: Any) -> KpiValue:
    """A composite of 120 answers: 70 points from 68 to 72; or what is told otherwise."""
    fields: dict[str, Any] = {
        "kind": KpiValue.Kind.COMPOSITE,
        "code": "composite",
        "status": KpiValue.Status.OK,
        "score": 70.0,
        "score_low": 68.0,
        "score_high": 72.0,
        "n": 120,
        "coverage": 1.0,
        "is_current": run.is_current,
    }
    if over.get("status", KpiValue.Status.OK) != KpiValue.Status.OK:
        fields |= dict.fromkeys(("score", "score_low", "score_high", "n", "coverage"))
    return KpiValue.objects.create(
        run=run,
        system=run.system,
        grain=run.grain,
        starts_on=run.starts_on,
        unit=unit,
        **{**fields, **over},
    )
