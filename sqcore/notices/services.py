"""Telling people, in the inbox and by e-mail; changing the inbox."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from string import Template

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext, ngettext, override

from sqcore.base.errors import NotFound
from sqcore.base.text import in_language
from sqcore.identity.directory import directory
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.notices.models import Notice

log = logging.getLogger(__name__)

MAIL_HELD_FOR = timedelta(minutes=5)
"""How long other workers stay away from what one is mailing."""
MAIL_ATTEMPTS = 8
MAIL_AT_ONCE = 500


# ---- Telling -------------------------------------------------------------------------------------
def notify(
    *,
    readers: Iterable[User],
    key: str,
    title: Mapping[str, str],
    body: Mapping[str, str],
    reason: Mapping[str, str],
    now: datetime,
    link: str = "",
    permission: Permission | None = None,
    unit_id: int | None = None,
) -> int:
    """Tell these people, each once a key however often it is called; return to how many.

    `reason` says why they get it. Who loses `permission` (at the unit, if one is named) sees the
    notice no longer and gets no e-mail about it. No figures of groups belong into a notice.
    """
    people = {reader.pk: reader for reader in readers}
    told = Notice.objects.filter(key=key, reader__in=people).values_list("reader_id", flat=True)
    fresh = [
        Notice(
            reader=people[pk],
            key=key,
            title=dict(title),
            body=dict(body),
            reason=dict(reason),
            link=link,
            permission=permission or "",
            unit_id=unit_id,
            created_at=now,
            mail_at=now,
        )
        for pk in sorted(set(people) - set(told))
    ]
    # Two at once: the one that comes second leaves the first's notice as it is.
    Notice.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=500)
    return len(fresh)


def notify_holders_of(
    permission: Permission,
    *,
    key: str,
    title: Mapping[str, str],
    body: Mapping[str, str],
    reason: Mapping[str, str],
    now: datetime,
    link: str = "",
    unit_id: int | None = None,
) -> int:
    """Tell everybody who holds this permission at the unit (without one: anywhere at all)."""
    return notify(
        readers=directory().holders_of(permission, unit_id=unit_id, now=now),
        key=key,
        title=title,
        body=body,
        reason=reason,
        now=now,
        link=link,
        permission=permission,
        unit_id=unit_id,
    )


# ---- The inbox -----------------------------------------------------------------------------------
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


def forget_notices(*, before: datetime) -> int:
    """Delete notices older than this, read or not; return how many."""
    deleted, _by_model = Notice.objects.filter(created_at__lt=before).delete()
    return deleted


# ---- E-mail --------------------------------------------------------------------------------------
def send_mail(*, now: datetime) -> int:
    """Send what waits, one e-mail a person; return how many e-mails left.

    Each notice is claimed by moving its next try on, so that two workers do not send it twice. A
    worker that dies between sending and noting it leaves one e-mail that comes again.
    """
    waiting = Notice.objects.filter(mail_at__lte=now).order_by("reader_id", "created_at", "id")
    chosen = list(waiting.select_related("reader")[:MAIL_AT_ONCE])
    if not chosen:
        return 0
    try:
        # One connection for all: a server that is away is waited for once.
        with get_connection() as connection:
            return sum(
                _mail_to_one(list(group), connection, now=now)
                for _reader, group in groupby(chosen, key=lambda notice: notice.reader_id)
            )
    except (SMTPException, OSError) as error:
        log.warning("The mail server cannot be used: %s", error)
        return 0


def _mail_to_one(notices: list[Notice], connection: BaseEmailBackend, *, now: datetime) -> bool:
    reader = notices[0].reader
    wanted = set(_wanted(reader, notices, now=now))
    _rows(notices).exclude(pk__in=wanted).update(mail_at=None)
    claimed = [notice for notice in notices if notice.pk in wanted and _claim(notice, now=now)]
    if not claimed:
        return False
    try:
        _message(reader, claimed, connection).send()
    except (SMTPResponseException, SMTPRecipientsRefused, ValueError) as error:
        # The address stays out of the log; its owner is found by the number.
        log.warning("Mail to user %s was refused: %s.", reader.pk, type(error).__name__)
        _rows(claimed).filter(mail_attempts__gte=MAIL_ATTEMPTS).update(mail_at=None)
        return False
    _rows(claimed).update(mailed_at=now, mail_at=None)
    return True


def _rows(notices: list[Notice]) -> QuerySet[Notice]:
    return Notice.objects.filter(pk__in=[notice.pk for notice in notices])


def _wanted(reader: User, notices: list[Notice], *, now: datetime) -> Iterable[int]:
    """Return which of them this person wants by mail and may still see; the access may be over."""
    if not (reader.is_active and reader.gets_mail and reader.email):
        return ()
    principal = directory().principal_of(reader, now=now)
    unread = Notice.objects.visible_to(principal).unread()
    return unread.filter(pk__in=[notice.pk for notice in notices]).values_list("pk", flat=True)


def _claim(notice: Notice, *, now: datetime) -> bool:
    attempts = notice.mail_attempts + 1
    mine = Notice.objects.filter(pk=notice.pk, mail_attempts=notice.mail_attempts)
    pause = min(MAIL_HELD_FOR * 2 ** (attempts - 1), timedelta(hours=12))
    return bool(mine.filter(mail_at__lte=now).update(mail_attempts=attempts, mail_at=now + pause))


def _message(reader: User, notices: list[Notice], connection: BaseEmailBackend) -> EmailMessage:
    """Write one plain e-mail in the reader's language; texts are put in as they are."""
    language = reader.language
    with override(language):
        titles = [" ".join(in_language(notice.title, language).split()) for notice in notices]
        count = len(notices)
        subject = (
            titles[0]
            if count == 1
            else ngettext("%(count)d new notice", "%(count)d new notices", count) % {"count": count}
        )
        parts = [_part(notice, language) for notice in notices]
        # Translators: keep $profile; it becomes an address.
        end = Template(gettext("Your profile says whether you get these e-mails: $profile"))
        parts.append(end.safe_substitute(profile=_address(reverse("sqcore:identity-profile"))))
    return EmailMessage(
        subject=f"[SQCore] {subject}",
        body="\n\n-- \n".join(["\n\n\n".join(parts[:-1]), parts[-1]]) + "\n",
        to=[reader.email],
        connection=connection,
        headers={"Auto-Submitted": "auto-generated"},
    )


def _part(notice: Notice, language: str) -> str:
    # Translators: keep $reason; it says why the reader gets this notice.
    why = Template(gettext("Why you get this: $reason"))
    lines = [
        in_language(notice.title, language),
        in_language(notice.body, language),
        _address(notice.link) if notice.link else "",
        why.safe_substitute(reason=in_language(notice.reason, language)) if notice.reason else "",
    ]
    return "\n\n".join(line for line in lines if line)


def _address(path: str) -> str:
    return f"{settings.BASE_URL}{path}"
