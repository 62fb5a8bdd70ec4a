"""Periodic work of requirements: beat rings, the database says what is due."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from training.requirements import services


@shared_task(name="training.requirements.start_of_day")
def start_of_day(**_: Any) -> bool:
    """Start working out what everybody owes, once a business day."""
    return services.start_of_day(now=timezone.now())
