"""Periodic work on invitations."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from sqcore.org.queries import organisation
from surveys.invitations.services import draw_all, settle


@shared_task(name="surveys.invitations.draw")
def draw(**_: Any) -> int:
    """Invite after the encounters that became due."""
    return draw_all(now=timezone.now())


@shared_task(name="surveys.invitations.settle")
def settle_spent_links(**_: Any) -> int:
    """Take the order of their coming from the marks of used links."""
    return settle(least=organisation().smallest_group)
