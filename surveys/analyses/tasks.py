"""Periodic work on analyses: the database says what is due."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from surveys.analyses.services import queue_due


@shared_task(name="surveys.analyses.run_due")
def run_due(**_: Any) -> int:
    """Queue the analyses that are due, newest periods first."""
    return queue_due(now=timezone.now())
