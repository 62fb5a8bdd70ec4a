"""Periodic work of monitoring: beat rings, the database says what is due."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from sqcore.monitoring import foretelling, watching


@shared_task(name=watching.WATCH_TASK)
def watch_due(**_: Any) -> int:
    """Pass over the series of which there are new figures."""
    return watching.watch_due(now=timezone.now())


@shared_task(name=foretelling.FORETELL_TASK)
def foretell_due(**_: Any) -> int:
    """Search the watched series for early warnings where there are new figures."""
    return foretelling.foretell_due(now=timezone.now())
