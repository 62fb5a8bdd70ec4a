"""The workers' door to the ledger."""

import logging

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from sqcore.audit import services

log = logging.getLogger(__name__)


@shared_task(name="sqcore.audit.seal")
def seal(**_later: object) -> None:
    services.seal(now=timezone.now())


@shared_task(name="sqcore.audit.check")
def check(**_later: object) -> None:
    anchors = settings.HOME.path / "audit-heads.jsonl"
    report = services.check_and_export(anchors=anchors, now=timezone.now())
    if report.problem:
        log.error("The audit chain is broken: %s", report.problem)
