"""The workers' door to notices."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from sqcore.notices import services

KEEP_NOTICES = timedelta(days=400)


@shared_task(name="sqcore.notices.send_mail")
def send_mail(**_later: object) -> None:
    services.send_mail(now=timezone.now())


@shared_task(name="sqcore.notices.forget")
def forget(**_later: object) -> None:
    services.forget_notices(before=timezone.now() - KEEP_NOTICES)
