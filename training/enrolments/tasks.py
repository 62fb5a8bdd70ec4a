"""Periodic work of enrolments: beat rings, the database says what is due."""

from celery import shared_task
from django.utils import timezone

from training.enrolments import services


@shared_task(name="training.enrolments.tell_of_unclosed")
def tell_of_unclosed(**_later: object) -> int:
    """Tell of sessions that are over and were not closed."""
    return services.tell_of_unclosed(now=timezone.now())


@shared_task(name="training.enrolments.release_leavers")
def release_leavers(**_later: object) -> int:
    """Give the seats of who leaves to who waits."""
    return services.release_leavers(now=timezone.now())
