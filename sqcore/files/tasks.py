"""Periodic work on files of rows."""

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from sqcore.files.services import forget_abandoned

KEEP_UNTAKEN = timedelta(days=7)


@shared_task(name="sqcore.files.forget")
def forget(**_later: Any) -> int:
    """Delete files that nobody took in."""
    return forget_abandoned(before=timezone.now() - KEEP_UNTAKEN)
