"""Making webhooks, queueing what happened for them, and sending it until it arrives."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.bell import ring_after_commit
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.base.events import Event
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.webhooks.models import Webhook, WebhookMessage
from sqcore.webhooks.queries import PING, TITLES
from sqcore.webhooks.sending import OUTSIDE, NotReached, Ways, check_address, secret_text, send

SEND_TASK = "sqcore.webhooks.send_waiting"
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440))
"""How long a message waits after each failure; after the last it is given up."""
HELD_FOR = timedelta(minutes=2)
"""How long other workers stay away from what one is sending."""
AT_ONCE = 100
MOST = 50


@transaction.atomic
def make_webhook(
    *,
    name: str,
    url: str,
    kinds: Sequence[str],
    by: Principal,
    now: datetime,
    ways: Ways = OUTSIDE,
) -> tuple[Webhook, str]:
    """Return a new webhook and its secret, which is shown this once.

    raises: InvalidInput for a private address, no or unknown events; Conflict beyond 50 in use
    """
    by.require(Permission.MANAGE_USERS)
    known = {event.kind for event in TITLES}
    if not kinds or set(kinds) - known:
        reason = _("Choose at least one event.")
        raise InvalidInput(reason, problems=[Problem(reason, field="kinds")])
    try:
        check_address(url, ways=ways)
    except InvalidInput as refusal:
        problems = [Problem(refusal.message, field="url")]
        raise InvalidInput(refusal.message, problems=problems) from refusal
    if Webhook.objects.filter(ended_at=None).count() >= MOST:
        raise Conflict(_("There are too many webhooks. End one that is not needed."))
    webhook = Webhook.objects.create(
        name=name.strip()[:100],
        url=url,
        kinds=sorted(kinds),
        salt=secrets.token_hex(16),
        created_by=by.user,
        created_at=now,
    )
    details = {"events": webhook.kinds}
    record(action="webhook.made", subject=_subject(webhook), by=by, now=now, details=details)
    return webhook, secret_text(webhook.salt)


@transaction.atomic
def renew_secret(*, webhook: Webhook, by: Principal, now: datetime) -> str:
    """Give the webhook a new secret; what is sent from now on is signed with it."""
    by.require(Permission.MANAGE_USERS)
    salt = secrets.token_hex(16)
    if not Webhook.objects.filter(pk=webhook.pk, ended_at=None).update(salt=salt):
        raise Conflict(_("This webhook is ended already."))
    record(action="webhook.secret_renewed", subject=_subject(webhook), by=by, now=now)
    return secret_text(salt)


@transaction.atomic
def end_webhook(*, webhook: Webhook, by: Principal, now: datetime) -> None:
    """Send nothing more to it; what waits is given up."""
    by.require(Permission.MANAGE_USERS)
    if not Webhook.objects.filter(pk=webhook.pk, ended_at=None).update(ended_at=now):
        raise Conflict(_("This webhook is ended already."))
    waiting = webhook.messages.filter(state=WebhookMessage.State.WAITING)
    waiting.update(state=WebhookMessage.State.FAILED, answer="ended")
    record(action="webhook.ended", subject=_subject(webhook), by=by, now=now)


@transaction.atomic
def ping(*, webhook: Webhook, by: Principal, now: datetime) -> WebhookMessage:
    """Queue a message that says nothing, so that the receiver can be tried."""
    by.require(Permission.MANAGE_USERS)
    if webhook.ended_at is not None:
        raise Conflict(_("This webhook is ended already."))
    message = _message(webhook, PING, {}, now)
    message.save(force_insert=True)
    record(action="webhook.tried", subject=_subject(webhook), by=by, now=now)
    ring_after_commit(SEND_TASK)
    return message


@transaction.atomic
def send_again(*, webhook: Webhook, by: Principal, now: datetime) -> int:
    """Queue what was given up once more, under the same ids; return how many."""
    by.require(Permission.MANAGE_USERS)
    if webhook.ended_at is not None:
        raise Conflict(_("This webhook is ended already."))
    failed = webhook.messages.filter(state=WebhookMessage.State.FAILED)
    count = failed.update(state=WebhookMessage.State.WAITING, attempts=0, next_attempt_at=now)
    record(
        action="webhook.sent_again",
        subject=_subject(webhook),
        by=by,
        now=now,
        details={"messages": count},
    )
    ring_after_commit(SEND_TASK)
    return count


def queue(event: Event, *, now: datetime) -> int:
    """Queue the event for every webhook that wants it; return for how many.

    Called by a handler, in the transaction that marks it as handled: each gets it once.
    """
    wanting = [
        webhook
        for webhook in Webhook.objects.filter(ended_at=None, created_at__lte=now).order_by("id")
        if event.kind in webhook.kinds
    ]
    WebhookMessage.objects.bulk_create(
        [_message(webhook, event.kind, asdict(event), now) for webhook in wanting]
    )
    if wanting:
        ring_after_commit(SEND_TASK)
    return len(wanting)


def send_waiting(*, now: datetime, ways: Ways = OUTSIDE) -> int:
    """Send what is due, the oldest first; return how many arrived.

    Each is claimed by moving its next attempt on, so that two workers do not send it at once; a
    worker that dies between the answer and the note leaves a message that comes again, with the
    same id.
    """
    due = WebhookMessage.objects.filter(
        state=WebhookMessage.State.WAITING, next_attempt_at__lte=now
    ).order_by("next_attempt_at", "created_at", "id")
    return sum(
        _send(message, now=now, ways=ways) for message in due.select_related("webhook")[:AT_ONCE]
    )


def forget_messages(*, before: datetime) -> int:
    """Delete messages that were queued before this and do not wait; return how many."""
    done = WebhookMessage.objects.filter(created_at__lt=before)
    deleted, _models = done.exclude(state=WebhookMessage.State.WAITING).delete()
    return deleted


def _send(message: WebhookMessage, *, now: datetime, ways: Ways) -> bool:
    mine = WebhookMessage.objects.filter(
        pk=message.pk, attempts=message.attempts, state=WebhookMessage.State.WAITING
    )
    if not mine.update(attempts=F("attempts") + 1, next_attempt_at=now + HELD_FOR):
        return False
    row = WebhookMessage.objects.filter(pk=message.pk, state=WebhookMessage.State.WAITING)
    try:
        status = send(
            url=message.webhook.url,
            salt=message.webhook.salt,
            message_id=str(message.pk),
            body=json.dumps(message.body, sort_keys=True).encode(),
            now=now,
            ways=ways,
        )
    except NotReached as reason:
        _put_off(row, message, str(reason), now=now)
        return False
    delivered = WebhookMessage.State.DELIVERED
    return bool(row.update(state=delivered, answer=str(status), delivered_at=now))


def _put_off(
    row: QuerySet[WebhookMessage], message: WebhookMessage, reason: str, *, now: datetime
) -> None:
    tries = message.attempts
    if tries < len(PAUSES):
        row.update(next_attempt_at=now + PAUSES[tries], answer=reason)
    else:
        row.update(state=WebhookMessage.State.FAILED, answer=reason)


def _message(
    webhook: Webhook, kind: str, details: dict[str, object], now: datetime
) -> WebhookMessage:
    return WebhookMessage(
        webhook=webhook,
        kind=kind,
        body={"type": kind, "timestamp": now.isoformat(), "data": details},
        next_attempt_at=now,
        created_at=now,
    )


def _subject(webhook: Webhook) -> str:
    return f"webhook:{webhook.pk}"
