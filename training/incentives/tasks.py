"""Periodic work of incentives: beat rings, the database says what is due."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from training.incentives import proposing


@shared_task(name="training.incentives.propose_due")
def propose_due(**_: Any) -> int:
    """Propose the period that is over, for every scheme in force, once."""
    return proposing.propose_due(now=timezone.now())
