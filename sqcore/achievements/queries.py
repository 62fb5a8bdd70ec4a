"""Reading what people achieved."""

from collections.abc import Collection
from datetime import date

from django.db.models import QuerySet

from sqcore.achievements.models import Achievement
from sqcore.identity.principals import Principal


def achievements_of(staff_ids: Collection[int], first: date, end: date) -> QuerySet[Achievement]:
    """Return what these people achieved on days [first, end) and what was not taken back, by day.

    Whoever shows it to others begins with `achievements_seen_by`.
    """
    found = Achievement.objects.standing().filter(staff_id__in=staff_ids, on__gte=first, on__lt=end)
    return found.order_by("on", "id")


def achievements_seen_by(
    principal: Principal, *, on: date, staff_id: int | None = None
) -> QuerySet[Achievement]:
    """Return what stands and this person may see, the newest first."""
    found = Achievement.objects.visible_to(principal, on=on).standing()
    if staff_id is not None:
        found = found.filter(staff_id=staff_id)
    return found.select_related("staff").order_by("-on", "-id")
