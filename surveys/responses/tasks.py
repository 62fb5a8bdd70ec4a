"""Periodic work on answers."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from surveys.responses.services import absorb


@shared_task(name="surveys.responses.absorb")
def absorb_responses(**_: Any) -> int:
    """Bring the sums up to the rows."""
    return absorb(clock=timezone.now)
