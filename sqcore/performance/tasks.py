"""Periodic work of results of people: beat rings, the database says what is due."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from sqcore.performance import due


@shared_task(name="sqcore.performance.evaluate_due")
def evaluate_due(**_: Any) -> bool:
    """Queue the job of the windows that are due."""
    return due.evaluate_due(now=timezone.now()) is not None
