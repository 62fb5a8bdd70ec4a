"""Reading the ledger, and computing its chain of hashes again."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from sqcore.audit.models import AuditCheck, AuditEntry, AuditSeal
from sqcore.identity.models import User
from sqcore.identity.principals import Principal

FIRST = "0" * 64
"""What stands before the first link."""


@dataclass(frozen=True)
class Head:
    """A link of the chain by its place and hash; written down elsewhere, it is an anchor."""

    sequence: int
    digest: str


@dataclass(frozen=True)
class ChainReport:
    """What the chain says when it is computed again.

    `head` is the last link that holds. `problem` names the first that does not; empty: all hold.
    `unsealed` counts entries that no link covers yet.
    """

    head: Head
    problem: str = ""
    unsealed: int = 0


def entries_of(
    principal: Principal, *, subject: str = "", actor: str = "", before: int | None = None
) -> QuerySet[AuditEntry]:
    """Return the entries this person may see, newest first.

    subject: the whole of `kind:id`, or its kind alone; actor: the whole key, or a user name;
    before: only entries with a lower id
    """
    entries = AuditEntry.objects.visible_to(principal).select_related("seal")
    if subject:
        entries = entries.filter(Q(subject=subject) | Q(subject__startswith=f"{subject}:"))
    if actor:
        user = User.objects.filter(username=actor).first()
        entries = entries.filter(actor=f"user:{user.pk}" if user else actor)
    if before is not None:
        entries = entries.filter(id__lt=before)
    return entries.order_by("-id")


def actor_names(entries: Iterable[AuditEntry]) -> dict[str, str]:
    """Return the names of the people among the actors of these entries, by actor key."""
    ids = {
        int(number)
        for kind, _colon, number in (entry.actor.partition(":") for entry in entries)
        if kind == "user" and number.isdecimal()
    }
    people = User.objects.filter(pk__in=ids).order_by("pk").values_list("pk", "name")
    return {f"user:{pk}": name for pk, name in people}


def last_check() -> AuditCheck | None:
    """Return what the last check of the whole chain found."""
    return AuditCheck.objects.order_by("-id").first()


def unsealed_entries(*, after: int = 0) -> QuerySet[AuditEntry]:
    """Return the entries with a higher id that no seal covers."""
    return AuditEntry.objects.filter(seal__isnull=True, id__gt=after)


def head() -> Head:
    """Return the last link of the chain."""
    last = AuditSeal.objects.order_by("-sequence").first()
    return Head(last.sequence, last.digest) if last else Head(0, FIRST)


def link_digest(*, sequence: int, previous: str, sealed_at: datetime, entry: AuditEntry) -> str:
    """Return the SHA-256 of a link: its place, the hash before it and all of its entry."""
    content = {
        "sequence": sequence,
        "previous": previous,
        "sealed_at": _moment(sealed_at),
        "entry": {
            "id": entry.pk,
            "at": _moment(entry.at),
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "details": entry.details,
        },
    }
    return hashlib.sha256(_canonical(content)).hexdigest()


def check_chain(*, anchors: Sequence[Head] = ()) -> ChainReport:
    """Compute every link again, from the first; compare with what was written down elsewhere."""
    head = Head(0, FIRST)
    awaited: dict[int, set[str]] = {}
    for anchor in anchors:
        awaited.setdefault(anchor.sequence, set()).add(anchor.digest)
    for seal in _links():
        problem = _fault(seal, head) or _missed(awaited, seal)
        if problem:
            return ChainReport(head, problem)
        head = Head(seal.sequence, seal.digest)
    last = max(awaited, default=0)
    if last > head.sequence:
        return ChainReport(
            head, f"The chain ends at link {head.sequence}; the anchor names link {last}."
        )
    return ChainReport(head, unsealed=unsealed_entries().count())


def read_anchors(lines: Iterable[str]) -> Iterator[Head]:
    """Read heads that were written down, one JSON object a line.

    raises: ValueError when a line is not one
    """
    for line in lines:
        if line.strip():
            found = json.loads(line)
            if not isinstance(found, dict) or not {"sequence", "digest"} <= found.keys():
                raise ValueError("a line of the anchor has no sequence and digest")
            yield Head(int(found["sequence"]), str(found["digest"]))


def _links() -> Iterator[AuditSeal]:
    # The join leaves out a link whose entry is gone, so that it is missed like a deleted one.
    links = AuditSeal.objects.select_related("entry").order_by("sequence")
    return links.iterator(chunk_size=2000)


def _fault(seal: AuditSeal, before: Head) -> str:
    if seal.sequence != before.sequence + 1:
        return f"Link {before.sequence + 1} or its entry is missing."
    if seal.previous != before.digest:
        return f"Link {seal.sequence} does not continue the one before it."
    digest = link_digest(
        sequence=seal.sequence, previous=seal.previous, sealed_at=seal.sealed_at, entry=seal.entry
    )
    if seal.digest != digest:
        return f"Link {seal.sequence} or its entry {seal.entry_id} was changed."
    return ""


def _missed(awaited: Mapping[int, set[str]], seal: AuditSeal) -> str:
    if awaited.get(seal.sequence, {seal.digest}) != {seal.digest}:
        return f"Link {seal.sequence} is not the one that the anchor names."
    return ""


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
