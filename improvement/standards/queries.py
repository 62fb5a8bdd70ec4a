"""Reading standards: the list, one with its versions, and what waits for approval."""

import hashlib
from datetime import date

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from improvement.standards.models import Standard, StandardVersion
from improvement.tickets.models import Ticket
from sqcore.base.errors import NotFound
from sqcore.identity.principals import Principal


def approved_versions() -> QuerySet[StandardVersion]:
    """Return the versions that two people stand for; drafts are none."""
    found = StandardVersion.objects.filter(approved_at__isnull=False)
    return found.select_related("ticket", "written_by", "approved_by").order_by("-number")


def standards_seen_by(principal: Principal) -> QuerySet[Standard]:
    """Return the standards that this person may read, each with its approved `versions`, the newest
    first. Two queries."""
    approved = StandardVersion.objects.filter(standard=OuterRef("pk"), approved_at__isnull=False)
    found = Standard.objects.visible_to(principal).filter(Exists(approved))
    versions = Prefetch("versions", queryset=approved_versions())
    return found.select_related("unit", "owner").prefetch_related(versions).order_by("code")


def standard_of(principal: Principal, code: str) -> Standard:
    """Return one standard with its approved versions. raises: NotFound"""
    found = standards_seen_by(principal).filter(code=code).first()
    if found is None:
        raise NotFound(f"There is no standard “{code}”.")
    return found


def standards_of(code: str, *, principal: Principal) -> list[Standard]:
    """Return the standards of an indicator that this person may read."""
    return list(standards_seen_by(principal).filter(indicator=code))


def valid_version(standard: Standard, *, on: date) -> StandardVersion | None:
    """Return the version that holds on this day, of a standard with its versions."""
    return next((each for each in standard.versions.all() if _holds(each, on)), None)


def _holds(version: StandardVersion, on: date) -> bool:
    return version.approved_at is not None and version.valid_from <= on


def draft_of(ticket: Ticket) -> StandardVersion | None:
    """Return the version that a ticket wrote and nobody approved yet."""
    drafts = StandardVersion.objects.filter(ticket=ticket, approved_at__isnull=True)
    return drafts.select_related("standard", "written_by").order_by("id").first()


def versions_of_ticket(ticket: Ticket) -> list[StandardVersion]:
    """Return the approved versions that came out of a ticket."""
    return list(approved_versions().filter(ticket=ticket).select_related("standard"))


def text_digest(version: StandardVersion) -> str:
    """Return the hash of a draft as it was written then; who approves has seen this one."""
    parts = (
        version.standard.code,
        version.title,
        version.text,
        version.valid_from.isoformat(),
        version.written_at.isoformat(),
    )
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
