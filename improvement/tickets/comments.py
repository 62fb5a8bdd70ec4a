"""What people add to a ticket: comments, files, and that they watch it."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _

from improvement.tickets.files import bounded, clean_name, folder, kind_of
from improvement.tickets.models import Attachment, Comment, Ticket, Watcher
from improvement.tickets.services import fault_of_text, locked
from improvement.tickets.telling import tell_of_comment
from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.files.storage import stored
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal

LONGEST_COMMENT = 5000
MOST_FILES = 50


@transaction.atomic
def comment(*, ticket_id: int, text: str, by: Principal, now: datetime) -> Comment:
    """Say something about a ticket; its people and who watches it are told.

    raises: NotFound; NotPermitted; InvalidInput
    """
    ticket, user = _for_a_word(ticket_id, by)
    words = text.strip()
    if fault := fault_of_text(words, most=LONGEST_COMMENT, needed=True):
        raise InvalidInput(fault, problems=[Problem(fault, field="text")])
    made = Comment.objects.create(ticket=ticket, text=words, by=user, at=now)
    record(
        action="ticket.commented",
        subject=f"ticket:{ticket.pk}",
        by=by,
        now=now,
        details={"comment": made.pk},
    )
    tell_of_comment(made, now=now)
    return made


@transaction.atomic
def set_watching(*, ticket_id: int, watching: bool, by: Principal, now: datetime) -> None:
    """Be told of what happens with a ticket, or no longer. raises: NotFound; NotPermitted"""
    ticket = _visible(ticket_id, by)
    if by.user is None:
        raise NotPermitted(_("Only a person can watch a ticket."))
    if watching:
        _watcher, changed = Watcher.objects.get_or_create(ticket=ticket, user=by.user)
    else:
        count, _by_model = Watcher.objects.filter(ticket=ticket, user=by.user).delete()
        changed = bool(count)
    if changed:
        record(
            action="ticket.watched" if watching else "ticket.unwatched",
            subject=f"ticket:{ticket.pk}",
            by=by,
            now=now,
        )


def attach_file(
    *, ticket_id: int, name: str, chunks: Iterable[bytes], by: Principal, now: datetime
) -> Attachment:
    """Keep a file with a ticket; the same content is kept once. Files stay.

    It is judged by its content alone and lies in a private folder under a random name. When
    anything goes wrong, nothing is left of it.

    raises: NotFound; NotPermitted; InvalidInput for what is too large, empty or of another kind;
    Conflict when the ticket has too many files
    """
    _for_a_word(ticket_id, by)
    with stored(bounded(chunks), folder()) as (path, digest):
        kind = kind_of(path, name=name)
        with transaction.atomic():
            ticket = locked(ticket_id, revision=None, by=by)
            there = ticket.attachments.filter(sha256=digest).first()
            made = there or _kept(
                ticket, path, name=clean_name(name, kind=kind), kind=kind, digest=digest,
                by=by, now=now,
            )  # fmt: skip
        if there:
            path.unlink()
    return made


def _kept(
    ticket: Ticket,
    path: Path,
    *,
    name: str,
    kind: str,
    digest: str,
    by: Principal,
    now: datetime,
) -> Attachment:
    if ticket.attachments.count() >= MOST_FILES:
        raise Conflict(_("A ticket holds at most %(most)d files.") % {"most": MOST_FILES})
    made = Attachment.objects.create(
        ticket=ticket,
        name=name,
        kind=kind,
        size=path.stat().st_size,
        sha256=digest,
        path=path.name,
        by=_person(by),
        at=now,
    )
    record(
        action="ticket.file_attached",
        subject=f"ticket:{ticket.pk}",
        by=by,
        now=now,
        details={"file": made.pk, "size": made.size, "sha256": digest},
    )
    return made


def _visible(ticket_id: int, by: Principal) -> Ticket:
    found = Ticket.objects.visible_to(by).select_related("unit", "owner", "proposed_by")
    ticket = found.filter(pk=ticket_id).first()
    if ticket is None:
        raise NotFound(_("There is no such ticket."))
    return ticket


def _person(by: Principal) -> User:
    if by.user is None:
        raise NotPermitted(_("Only a person can do this."))
    return by.user


def _for_a_word(ticket_id: int, by: Principal) -> tuple[Ticket, User]:
    """Return the ticket and the person, who may comment on it: it is theirs, or of their unit."""
    ticket = _visible(ticket_id, by)
    user = _person(by)
    if user.pk not in (ticket.owner_id, ticket.proposed_by_id):
        by.require(Permission.PROPOSE_TICKETS, unit_id=ticket.unit_id)
    return ticket, user
