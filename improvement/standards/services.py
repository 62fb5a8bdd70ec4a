"""Writing standards: one person writes a version, another one approves it."""

from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from improvement.standards.models import Standard, StandardVersion
from improvement.tickets.models import Ticket
from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal

LONGEST = 20000


@transaction.atomic
def write_standard(
    *,
    ticket: Ticket,
    code: str,
    title: str,
    text: str,
    valid_from: date,
    by: Principal,
    now: datetime,
) -> StandardVersion:
    """Write the next version of the standard `code`, or a new standard of the unit and indicator of
    the ticket. It is a draft until `approve_standard`; written again by the same ticket, the new
    text takes the place of the draft. The caller has checked that the ticket allows it.

    raises: InvalidInput naming each field; NotFound and NotPermitted for a standard of others;
        Conflict while another ticket's draft waits
    """
    writer = _person(by)
    said, name = text.strip(), " ".join(title.split())
    _discard_draft_of(ticket, except_of=code)
    standard = _standard_for(ticket, code, name, writer, by=by, now=now)
    last = standard.versions.filter(approved_at__isnull=False).order_by("-number").first()
    _refuse_unusable(said, name, valid_from, last)
    _discard_other_draft(standard, ticket)
    version = StandardVersion.objects.create(
        standard=standard,
        number=last.number + 1 if last else 1,
        title=name,
        text=said,
        valid_from=valid_from,
        ticket=ticket,
        written_by=writer,
        written_at=now,
    )
    _note("written", version, by=by, now=now)
    return version


@transaction.atomic
def approve_standard(*, version: StandardVersion, by: Principal, now: datetime) -> StandardVersion:
    """Approve a draft; by another person than who wrote it. raises: NotPermitted, Conflict"""
    approver = _person(by)
    draft = StandardVersion.objects.select_for_update(of=("self",)).get(pk=version.pk)
    if draft.approved_at is not None:
        raise Conflict(_("This version was approved already."))
    if draft.written_by_id == approver.pk:
        raise NotPermitted(_("You wrote this standard; another person approves it."))
    draft.approved_by, draft.approved_at = approver, now
    draft.save(update_fields=["approved_by", "approved_at"])
    Standard.objects.filter(pk=draft.standard_id).update(title=draft.title)
    _note("approved", draft, by=by, now=now)
    return draft


def _standard_for(
    ticket: Ticket, code: str, title: str, writer: User, *, by: Principal, now: datetime
) -> Standard:
    standard = Standard.objects.select_for_update(of=("self",)).filter(code=code).first()
    if standard is None:
        standard = Standard(
            code=code, title=title, unit=ticket.unit, indicator=ticket.code, owner=writer,
            created_at=now,
        )  # fmt: skip
        _checked(standard)
        standard.save(force_insert=True)
        return standard
    if not Standard.objects.visible_to(by).filter(pk=standard.pk).exists():
        raise NotFound(_("This code belongs to a standard that you may not change."))
    if standard.unit_id != ticket.unit_id and not _may_change(standard, by):
        raise NotPermitted(_("This code belongs to a standard that you may not change."))
    return standard


def _may_change(standard: Standard, by: Principal) -> bool:
    if standard.unit_id is None:
        return by.scope(Permission.RUN_TICKETS).everywhere
    return by.may(Permission.RUN_TICKETS, unit_id=standard.unit_id)


def _checked(standard: Standard) -> None:
    try:
        standard.clean_fields(exclude=["unit", "owner"])
    except ValidationError as error:
        raise InvalidInput(
            _("Some fields are wrong."),
            problems=[
                Problem(reason, field=name)
                for name, reasons in error.message_dict.items()
                for reason in reasons
            ],
        ) from error


def _refuse_unusable(text: str, title: str, valid_from: date, last: StandardVersion | None) -> None:
    faults = {
        "text": (not text and _("Write something here."))
        or (len(text) > LONGEST and _("Write at most %(most)d characters.") % {"most": LONGEST}),
        "title": (not title and _("Write something here."))
        or (len(title) > 200 and _("Write at most %(most)d characters.") % {"most": 200}),
        "valid_from": last is not None
        and valid_from < last.valid_from
        and _("The version before it is valid from a later day."),
    }
    problems = [Problem(why, field=name) for name, why in faults.items() if why]
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


def _discard_draft_of(ticket: Ticket, *, except_of: str) -> None:
    """Take away what this ticket wrote under another code, and a standard that was only that."""
    drafts = StandardVersion.objects.filter(ticket=ticket, approved_at__isnull=True)
    for draft in drafts.exclude(standard__code=except_of).select_related("standard"):
        draft.delete()
        if not draft.standard.versions.exists():
            draft.standard.delete()


def _discard_other_draft(standard: Standard, ticket: Ticket) -> None:
    """Make place for the one draft that a standard has."""
    draft = standard.versions.filter(approved_at__isnull=True).select_related("ticket").first()
    if draft is None:
        return
    if draft.ticket_id != ticket.pk and draft.ticket and draft.ticket.ended_at is None:
        raise Conflict(
            _("Another ticket, %(ticket)s, is writing this standard.")
            % {"ticket": draft.ticket.reference}
        )
    draft.delete()


def _person(by: Principal) -> User:
    if by.user is None:
        raise NotPermitted(_("Only a person does this."))
    return by.user


def _note(act: str, version: StandardVersion, *, by: Principal, now: datetime) -> None:
    record(
        action=f"standard.{act}",
        subject=f"standard:{version.standard_id}",
        by=by,
        now=now,
        details={"version": version.number, "ticket": version.ticket_id},
    )
