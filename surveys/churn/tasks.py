"""Periodic work on customers at risk: the database says what is due."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from surveys.churn import services


@shared_task(name="surveys.churn.run_due")
def run_due(**_later: Any) -> bool:
    """Queue the scorecard in force for the month that has closed."""
    return services.run_due(now=timezone.now()) is not None


@shared_task(name="surveys.churn.forget")
def forget(**_later: Any) -> int:
    """Delete runs of long ago."""
    return services.forget_runs(now=timezone.now())
