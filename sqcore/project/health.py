"""For overseers: `/healthz` says that the process lives, `/readyz` that the whole works."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from sqcore.base.heartbeat import last_beat, overdue_deliveries
from sqcore.base.models import Heartbeat
from sqcore.evaluation.models import EvaluationRun

PATIENCE = timedelta(seconds=60)
"""How long a delivery may wait and the clock be silent before somebody should look."""


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked, so that a slow database restarts nobody."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when every check holds, else 503; the body names each check."""
    now = timezone.now()
    checks = {name: _holds(check, now) for name, check in CHECKS.items()}
    if settings.DEMO:
        checks["demo_evaluated"] = _holds(_evaluated, now)
    ready = all(checks.values())
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


Check = Callable[[datetime], bool]


def _holds(check: Check, now: datetime) -> bool:
    try:
        return check(now)
    except DatabaseError:
        return False


def _writable(now: datetime) -> bool:
    """Write a row and take it back: a full disk and a read-only database show here."""
    with transaction.atomic():
        Heartbeat.objects.update_or_create(name="readyz", defaults={"seen_at": now})
        transaction.set_rollback(True)
    return True


_seen_migrated = False


def _migrated(now: datetime) -> bool:
    """Once true it stays true: other migrations come with other code, in another process."""
    global _seen_migrated
    if not _seen_migrated:
        executor = MigrationExecutor(connection)
        _seen_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _seen_migrated


def _delivered(now: datetime) -> bool:
    return overdue_deliveries(now=now, after=PATIENCE) == 0


def _beating(now: datetime) -> bool:
    seen = last_beat()
    return seen is not None and now - seen < PATIENCE


def _evaluated(now: datetime) -> bool:
    return EvaluationRun.objects.filter(is_current=True).exists()


CHECKS: dict[str, Check] = {
    "database_writable": _writable,
    "migrations_applied": _migrated,
    "deliveries_on_time": _delivered,
    "clock_beating": _beating,
}
