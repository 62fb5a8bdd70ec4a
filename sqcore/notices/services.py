"""Changing the inbox."""

from datetime import datetime

from sqcore.base.errors import NotFound
from sqcore.identity.principals import Principal
from sqcore.notices.models import Notice


def read_notice(*, principal: Principal, notice_id: int, now: datetime) -> Notice:
    """Return a notice of this person and remember that it was read.

    raises: NotFound
    """
    notices = Notice.objects.visible_to(principal).filter(pk=notice_id)
    notices.unread().update(read_at=now)
    notice = notices.first()
    if notice is None:
        raise NotFound("There is no such notice.")
    return notice


def read_all(*, principal: Principal, now: datetime) -> int:
    """Mark every notice of this person as read; return how many were not."""
    return Notice.objects.visible_to(principal).unread().update(read_at=now)
