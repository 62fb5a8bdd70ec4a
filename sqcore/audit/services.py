"""Writing to the ledger, sealing it, and writing its head down elsewhere."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from sqcore.audit.models import AuditCheck, AuditEntry, AuditSeal
from sqcore.audit.queries import (
    ChainReport,
    Head,
    check_chain,
    head,
    link_digest,
    read_anchors,
    unsealed_entries,
)
from sqcore.identity.principals import Principal

SEALER_LOCK = 0x5EA1
"""The number of PostgreSQL's advisory lock that the one sealer holds."""
AT_ONCE = 1000
LATECOMERS = 10_000
"""How far before the last sealed entry one may still appear: ids are given before the commit."""


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


def seal(*, now: datetime, look_at_all: bool = False) -> int:
    """Continue the chain over the entries that have no link yet; return how many.

    One sealer works at a time; a second one returns 0. Looks back a good way for entries whose
    transaction ended late; `look_at_all` finds any.
    """
    sealed = 0
    while added := _seal_some(now=now, look_at_all=look_at_all):
        sealed += added
    return sealed


@transaction.atomic
def _seal_some(*, now: datetime, look_at_all: bool) -> int:
    if not _only_sealer():
        return 0
    last = AuditSeal.objects.order_by("-sequence").first()
    after = last.entry_id - LATECOMERS if last and not look_at_all else 0
    at, links = head(), []
    for entry in unsealed_entries(after=after).order_by("id")[:AT_ONCE]:
        sequence, previous = at.sequence + 1, at.digest
        digest = link_digest(sequence=sequence, previous=previous, sealed_at=now, entry=entry)
        links.append(
            AuditSeal(
                sequence=sequence, entry=entry, previous=previous, digest=digest, sealed_at=now
            )
        )
        at = Head(sequence, digest)
    AuditSeal.objects.bulk_create(links)
    return len(links)


def _only_sealer() -> bool:
    """Become the only sealer until the transaction ends.

    SQLite's transactions are IMMEDIATE: there is only one writer anyway.
    """
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEALER_LOCK])
        return bool(cursor.fetchone()[0])


def check_and_export(*, anchors: Path, now: datetime) -> ChainReport:
    """Seal the rest, compute the whole chain again, keep what was found and write down its head.

    The head is added to the file `anchors`, all of whose lines must be on the chain. Copied to
    another machine, or printed, it proves that nobody rewrote what came before.
    """
    seal(now=now, look_at_all=True)
    known = _anchors_in(anchors)
    report = check_chain(anchors=known)
    AuditCheck.objects.create(
        checked_at=now,
        sequence=report.head.sequence,
        digest=report.head.digest,
        problem=report.problem,
    )
    if not report.problem and report.head.sequence and report.head not in known:
        _append(anchors, {"at": now.isoformat(), **vars(report.head)})
    return report


def _anchors_in(path: Path) -> list[Head]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as lines:
        return list(read_anchors(lines))


def _append(path: Path, line: Mapping[str, Any]) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())
