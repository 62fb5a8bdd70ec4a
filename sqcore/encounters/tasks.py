"""Periodic work on encounters."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from sqcore.encounters.services import sum_up


@shared_task(name="sqcore.encounters.sum_up")
def sum_up_encounters(**_: Any) -> int:
    """Bring the sums up to the rows, a batch at a time."""
    return sum_up(clock=timezone.now)
