"""The bell: a message that tells a worker to look at a row. What it misses, the sweepers find."""

import logging
import time
from functools import partial

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

SILENCE = 10.0
"""Seconds without ringing after the broker was found away: one caller waits for it, not each."""

_silent_until = 0.0


def ring_after_commit(task: str, **kwargs: int | str) -> None:
    """Send this task once the running transaction is committed; nothing is sent if it is not."""
    transaction.on_commit(partial(ring, task, **kwargs), robust=True)


def ring(task: str, **kwargs: int | str) -> bool:
    """Send this task now; False when the broker is away, which costs time but no work."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return False
    try:
        current_app.send_task(task, kwargs=kwargs, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        _silent_until = time.monotonic() + SILENCE
        log.warning("The broker is away (%s); the sweepers take over.", error)
        return False
    return True
