"""Periodic work on measurements."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from sqcore.measurements.services import tell_of_silence


@shared_task(name="sqcore.measurements.tell_of_silence")
def tell(**_later: Any) -> int:
    """Tell owners of feeds from which nothing comes any more."""
    return tell_of_silence(now=timezone.now())
