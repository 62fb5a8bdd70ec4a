"""Writing down what people achieved, once, and taking back what was wrong by another row."""

from collections.abc import Collection, Mapping
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from sqcore.achievements.models import Achievement, Kind
from sqcore.base.text import in_all_languages
from sqcore.org.queries import local_day

LONGEST_REASON = 300


@transaction.atomic
def record_achievement(
    *,
    staff_id: int,
    kind: Kind,
    title: Mapping[str, str],
    on: date,
    reference: str,
    now: datetime,
) -> bool:
    """Write one achievement, once a `reference` however often it is told; True when it is new.

    One that was taken back stays so.
    """
    _achievement, is_new = Achievement.objects.get_or_create(
        reference=reference,
        defaults={
            "staff_id": staff_id,
            "kind": kind,
            "title": dict(title),
            "on": on,
            "recorded_at": now,
        },
    )
    return is_new


@transaction.atomic
def reverse_achievement(*, reference: str, reason: str, now: datetime) -> bool:
    """Take an achievement back by another row; False when there is none, or it is back already."""
    found = (
        Achievement.objects.select_for_update(of=("self",))
        .filter(reference=reference, reverses__isnull=True)
        .first()
    )
    if found is None:
        return False
    _reversal, is_new = Achievement.objects.get_or_create(
        reverses=found,
        defaults={
            "staff_id": found.staff_id,
            "kind": found.kind,
            "title": found.title,
            "on": local_day(now),
            "reference": f"{reference}/back",
            "reason": reason[:LONGEST_REASON],
            "recorded_at": now,
        },
    )
    return is_new


@transaction.atomic
def take_back(
    *,
    staff_id: int,
    kind: Kind,
    title: Mapping[str, str],
    reference: str,
    reason: str,
    now: datetime,
) -> bool:
    """Take back what may not be written yet: its own event can come after the one that ends it.

    Then it is written and taken back at once, so that the late event finds it and adds nothing.
    """
    record_achievement(
        staff_id=staff_id, kind=kind, title=title, on=local_day(now), reference=reference, now=now
    )
    return reverse_achievement(reference=reference, reason=reason, now=now)


@transaction.atomic
def record_improvement(
    *, ticket_id: int, staff_ids: Collection[int], on: date, now: datetime
) -> int:
    """Write a verified improvement for everybody who carried it out, once a ticket; return for how
    many it is new."""
    title = in_all_languages(_("Verified improvement T-%(ticket)s"), ticket=str(ticket_id))
    return sum(
        record_achievement(
            staff_id=staff_id,
            kind=Kind.IMPROVEMENT,
            title=title,
            on=on,
            reference=f"improvement:{ticket_id}:{staff_id}",
            now=now,
        )
        for staff_id in sorted(set(staff_ids))
    )
