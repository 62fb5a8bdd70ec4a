"""Writing to the ledger, and sealing it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqcore.audit.models import AuditEntry
from sqcore.identity.principals import Principal


def record(
    *,
    action: str,
    subject: str,
    by: Principal,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Append one act to the ledger, in the caller's transaction.

    `subject` is `kind:id`; `details` holds ids, codes and numbers, never text of people.
    """
    return AuditEntry.objects.create(
        at=now, actor=by.key, action=action, subject=subject, details=dict(details or {})
    )
