"""What every act on awards asks first, and that each is written down."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import InvalidInput, NotFound, NotPermitted, Problem
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff
from training.incentives.models import Scheme

LONGEST_REASON = 1000


def require_everywhere(by: Principal, permission: Permission) -> None:
    """Schemes and payroll are those of the whole organisation."""
    by.require(permission)
    if not by.scope(permission).everywhere:
        raise NotPermitted(_("This belongs to the whole organisation, you see a part of it."))


def checked_text(value: str, *, most: int, name: str) -> str:
    """raises: InvalidInput for nothing, for too much, and for what cannot be kept"""
    said = value.strip()
    if not said:
        reason = _("Write something here.")
    elif "\x00" in said:
        reason = _("This text has a character that cannot be kept.")
    elif len(said) > most:
        reason = _("Write at most %(most)d characters.") % {"most": most}
    else:
        return said
    raise InvalidInput(reason, problems=[Problem(reason, field=name)])


def locked_scheme(scheme_id: int) -> Scheme:
    """Return a scheme whose rules, budget and grants nobody else changes meanwhile."""
    found = Scheme.objects.select_for_update(of=("self",)).filter(pk=scheme_id).first()
    if found is None:
        raise NotFound(_("There is no such incentive scheme."))
    return found


def person_other_than(staff_id: int, by: Principal) -> User:
    """Return who decides. raises: NotPermitted for a program, and for oneself"""
    if by.user is None:
        raise NotPermitted(_("People decide on awards, no program does."))
    is_own = Staff.objects.filter(pk=staff_id, user=by.user).exists()
    if is_own or by.staff_id == staff_id:
        raise NotPermitted(_("Nobody decides on their own award."))
    return by.user


def note_act(
    action: str, subject: str, by: Principal, now: datetime, details: Mapping[str, Any]
) -> None:
    record(action=action, subject=subject, by=by, now=now, details=details)
