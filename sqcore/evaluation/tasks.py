"""Periodic work of evaluation: beat rings, the database says what is due."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from sqcore.evaluation.services import start_due


@shared_task(name="sqcore.evaluation.run_due")
def run_due(**_: Any) -> int:
    """Queue the runs that are due."""
    return start_due(now=timezone.now())
