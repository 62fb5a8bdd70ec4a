"""Periodic work of tickets: beat rings, the database says what is due."""

from celery import shared_task
from django.utils import timezone

from improvement.tickets.from_signals import take_what_waits
from improvement.tickets.telling import announce


@shared_task(name="improvement.tickets.announce")
def announce_proposals(**_later: object) -> int:
    """Tell people of the proposals that wait for them."""
    return announce(now=timezone.now())


@shared_task(name="improvement.tickets.take_what_waits")
def look_again(**_later: object) -> int:
    """Look again at signals whose mute or cool-down ended."""
    return take_what_waits(now=timezone.now())
