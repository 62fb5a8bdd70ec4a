"""Periodic work of the cycle: beat rings, the database says what is due."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from improvement.cycle import intake, reopening


@shared_task(name="improvement.cycle.close_sustained")
def close_sustained(**_: Any) -> int:
    """Close the tickets whose effect held at the second check."""
    return reopening.close_sustained(now=timezone.now())


@shared_task(name="improvement.cycle.wake_snoozed")
def wake_snoozed(**_: Any) -> int:
    """Bring the proposals back to the intake that were put off until today."""
    return intake.wake_snoozed(now=timezone.now())
