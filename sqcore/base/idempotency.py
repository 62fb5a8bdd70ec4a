"""The same request sent twice happens once: what it created, and what was answered, are one row."""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.base.errors import DomainError, InvalidInput
from sqcore.base.models import RememberedRequest

KEPT = timedelta(days=2)
_KEY = re.compile(r"[\x21-\x7e]{8,128}")


class KeyUsedBefore(DomainError):
    """The key came before, with another body."""

    code = "idempotency_key_reused"
    status = 422


@dataclass(frozen=True)
class Answer:
    """What a request is answered; `repeated` when it had been answered before."""

    status: int
    body: Mapping[str, Any]
    repeated: bool = False


def answer_once(
    *, scope: str, key: str, body: Mapping[str, Any], today: date, make: Callable[[], Answer]
) -> Answer:
    """Return what `make` answers, or, for a key seen before in this scope, its answer of then.

    The row is written first, in the transaction in which `make` works: of requests at the same time
    one works and the others wait for its answer. What fails is not remembered.

    The client's key itself is not stored, and the digest of the body is keyed with it: who
    holds the database, even with the server's secret, cannot try which rows a request had brought.

    raises: InvalidInput without a usable key; KeyUsedBefore when the body is another one
    """
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            _(
                "Send an Idempotency-Key header: 8 to 128 visible characters, new for each thing "
                "to create and the same when you repeat the request. A UUID is good."
            )
        )
    digest = _keyed("body", key, orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
    with transaction.atomic():
        row, is_new = RememberedRequest.objects.get_or_create(
            key=_keyed("key", scope, key.encode()),
            defaults={
                "scope": scope,
                "digest": digest,
                "status": 0,
                "body": {},
                "created_on": today,
            },
        )
        if not is_new:
            return _repeated(row, digest)
        answer = make()
        row.status, row.body = answer.status, dict(answer.body)
        row.save(update_fields=["status", "body"])
    return answer


def _repeated(row: RememberedRequest, digest: str) -> Answer:
    if not hmac.compare_digest(row.digest, digest):
        raise KeyUsedBefore(
            "This Idempotency-Key came before with another body. Use a new key for a new request."
        )
    return Answer(row.status, row.body, repeated=True)


def _keyed(purpose: str, context: str, message: bytes) -> str:
    secret = f"{purpose}\n{settings.SECRET_KEY}\n{context}".encode()
    return hmac.new(secret, message, "sha256").hexdigest()


def forget_requests(*, today: date) -> int:
    """Forget requests older than KEPT; return how many."""
    count, _by_model = RememberedRequest.objects.filter(created_on__lt=today - KEPT).delete()
    return count
