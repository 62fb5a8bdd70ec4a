"""Periodic work of actions: beat rings, the database says what is overdue."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from improvement.actions import services


@shared_task(name="improvement.actions.tell_of_overdue")
def tell_of_overdue(**_: Any) -> int:
    """Tell of the actions that are overdue, each once."""
    return services.tell_of_overdue(now=timezone.now())
