"""Reading the inbox."""

from django.db.models import QuerySet

from sqcore.identity.principals import Principal
from sqcore.notices.models import Notice


def inbox_of(principal: Principal, *, unread_only: bool = False) -> QuerySet[Notice]:
    """Return the notices of this person, newest first."""
    notices = Notice.objects.visible_to(principal)
    if unread_only:
        notices = notices.unread()
    return notices.order_by("-created_at", "-id")


def unread(principal: Principal) -> list[QuerySet[Notice]]:
    """Return what waits in the inbox of this person."""
    return [inbox_of(principal, unread_only=True)]
