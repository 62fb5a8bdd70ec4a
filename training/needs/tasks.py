"""Periodic work of training needs: beat rings, the database says what is needed."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from training.needs import services


@shared_task(name="training.needs.search")
def search(**_: Any) -> int:
    """Look for gaps of skills and certificates that end."""
    return services.search_needs(now=timezone.now())
