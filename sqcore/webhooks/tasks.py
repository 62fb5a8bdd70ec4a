"""The workers' door to webhooks."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from sqcore.webhooks import services

KEEP_MESSAGES = timedelta(days=30)


@shared_task(name=services.SEND_TASK)
def send_waiting(**_later: object) -> None:
    services.send_waiting(now=timezone.now())


@shared_task(name="sqcore.webhooks.forget")
def forget(**_later: object) -> None:
    services.forget_messages(before=timezone.now() - KEEP_MESSAGES)
