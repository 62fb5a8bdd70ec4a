"""Disputes of people about their own encounters: raised blind, decided blind, with a reason, by
somebody else; the results are computed anew.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.text import in_all_languages
from sqcore.encounters.models import Encounter
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.notices.services import notify, notify_holders_of
from sqcore.org.queries import local_day
from sqcore.performance.due import evaluate_due
from sqcore.performance.models import Dispute, Outage, ResultsPolicy
from sqcore.performance.queries import policy_on

LONGEST_OUTAGE = timedelta(days=7)
LONGEST_TEXT = 1000


@transaction.atomic
def raise_dispute(
    *, encounter_key: str, reason: str, text: str = "", by: Principal, now: datetime
) -> Dispute:
    """Dispute an own encounter, blind: it is the same whether its customer answered or not.

    From now on it can lower no verdict: the results are computed anew.

    The same dispute sent twice is one. raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    if by.staff_id is None:
        raise NotPermitted(_("Only staff members dispute, and only their own encounters."))
    _check_text(text, "text", needed=False)
    if reason not in Dispute.Reason.values:
        known = ", ".join(Dispute.Reason.values)
        raise InvalidInput(
            _("This is no reason for a dispute."),
            problems=[Problem(_("choose one of: %(known)s") % {"known": known}, "reason")],
        )
    encounter = Encounter.objects.filter(key=encounter_key, staff=by.staff_id).first()
    if encounter is None:
        raise NotFound(_("There is no such encounter of yours."))
    today = local_day(now)
    rules = policy_on(today) or ResultsPolicy()
    dispute, is_new = Dispute.objects.get_or_create(
        staff_id=by.staff_id,
        encounter_key=encounter.key,
        defaults={
            "unit_id": encounter.unit_id,
            "encounter_at": encounter.arrived_at,
            "reason": reason,
            "text": text.strip(),
            "raised_at": now,
            "due_on": today + timedelta(days=rules.dispute_days),
        },
    )
    if not is_new:
        same = (dispute.state, dispute.reason, dispute.text)
        if same != (Dispute.State.OPEN, reason, text.strip()):
            raise Conflict(_("This encounter was disputed before."))
        return dispute
    _note("dispute.raised", dispute, by, now, {"reason": reason, "due_on": str(dispute.due_on)})
    _tell_deciders(dispute, now)
    evaluate_due(now=now)
    return dispute


def withdraw_dispute(*, dispute_id: int, by: Principal, now: datetime) -> Dispute:
    """Take one's own open dispute back. raises: NotFound, Conflict when it is decided"""
    with transaction.atomic():
        dispute = _locked(dispute_id)
        if dispute.staff_id != by.staff_id:
            raise NotFound(_("There is no such dispute."))
        if dispute.state == Dispute.State.WITHDRAWN:
            return dispute
        _require_open(dispute)
        dispute.state = Dispute.State.WITHDRAWN
        dispute.save(update_fields=["state"])
        _note("dispute.withdrawn", dispute, by, now)
        evaluate_due(now=now)
    return dispute


def decide_dispute(
    *,
    dispute_id: int,
    uphold: bool,
    decision: str,
    outage_from: datetime | None = None,
    outage_to: datetime | None = None,
    by: Principal,
    now: datetime,
) -> Dispute:
    """Uphold a dispute or reject it, with the reason why; the results are computed anew.

    Upheld for an outage it needs the hours in which something was down at the unit: no encounter
    in them counts, for anybody. The same decision sent twice is one.

    raises: NotFound, NotPermitted, also about oneself; InvalidInput; Conflict when it is decided
    """
    with transaction.atomic():
        dispute = _locked(dispute_id)
        user = _decider(dispute, by)
        _check_text(decision, "decision", needed=True)
        hours = _hours(dispute, uphold, outage_from, outage_to, now)
        state = Dispute.State.UPHELD if uphold else Dispute.State.REJECTED
        if dispute.state == state and dispute.decided_by_id == user.pk:
            return dispute
        _require_open(dispute)
        dispute.state, dispute.decision = state, decision.strip()
        dispute.decided_by, dispute.decided_at = user, now
        dispute.save(update_fields=["state", "decision", "decided_by", "decided_at"])
        if hours is not None:
            Outage.objects.create(
                dispute=dispute, unit_id=dispute.unit_id, starts_at=hours[0], ends_at=hours[1]
            )
        _note(f"dispute.{state}", dispute, by, now)
        _tell_person(dispute, now)
        evaluate_due(now=now)
    return dispute


def reverse_decision(*, dispute_id: int, why: str, by: Principal, now: datetime) -> Dispute:
    """Take back that a dispute was upheld: the encounter counts again, and so do those of its
    outage. raises: NotFound, NotPermitted, also about oneself; InvalidInput; Conflict"""
    with transaction.atomic():
        dispute = _locked(dispute_id)
        user = _decider(dispute, by)
        _check_text(why, "why", needed=True)
        if dispute.state == Dispute.State.REVERSED and dispute.decided_by_id == user.pk:
            return dispute
        if dispute.state != Dispute.State.UPHELD:
            raise Conflict(_("Only a dispute that was upheld can be reversed."))
        dispute.state, dispute.decision = Dispute.State.REVERSED, why.strip()
        dispute.decided_by, dispute.decided_at = user, now
        dispute.save(update_fields=["state", "decision", "decided_by", "decided_at"])
        Outage.objects.filter(dispute=dispute, reversed_at=None).update(reversed_at=now)
        _note("dispute.reversed", dispute, by, now)
        _tell_person(dispute, now)
        evaluate_due(now=now)
    return dispute


def _locked(dispute_id: int) -> Dispute:
    rows = Dispute.objects.select_for_update(of=("self",)).select_related("staff")
    dispute = rows.filter(pk=dispute_id).first()
    if dispute is None:
        raise NotFound(_("There is no such dispute."))
    return dispute


def _decider(dispute: Dispute, by: Principal) -> User:
    by.require(Permission.DECIDE_DISPUTES, unit_id=dispute.unit_id)
    if by.user is None:
        raise NotPermitted(_("A person decides disputes, not a program."))
    if by.staff_id == dispute.staff_id or by.user.pk == dispute.staff.user_id:
        raise NotPermitted(_("Nobody decides their own dispute."))
    return by.user


def _require_open(dispute: Dispute) -> None:
    if dispute.state != Dispute.State.OPEN:
        raise Conflict(_("This dispute is not open any more."))


def _check_text(text: str, field: str, *, needed: bool) -> None:
    reason = ""
    if needed and not text.strip():
        reason = _("say why")
    elif len(text) > LONGEST_TEXT:
        reason = _("must have at most %(most)s characters") % {"most": LONGEST_TEXT}
    if reason:
        raise InvalidInput(_("The text cannot be taken."), problems=[Problem(reason, field)])


def _hours(
    dispute: Dispute,
    uphold: bool,
    outage_from: datetime | None,
    outage_to: datetime | None,
    now: datetime,
) -> tuple[datetime, datetime] | None:
    """Return the hours of an outage that is upheld. raises: InvalidInput"""
    if not uphold or dispute.reason != Dispute.Reason.OUTAGE:
        if outage_from is not None or outage_to is not None:
            raise _no_hours("outage_from", _("leave it out: no outage is upheld"))
        return None
    if outage_from is None or outage_to is None:
        missing = "outage_from" if outage_from is None else "outage_to"
        raise _no_hours(missing, _("say from when until when it was down"))
    if not outage_from <= dispute.encounter_at < outage_to:
        raise _no_hours("outage_from", _("the disputed encounter is not within these hours"))
    if outage_to > now:
        raise _no_hours("outage_to", _("is in the future"))
    if outage_to - outage_from > LONGEST_OUTAGE:
        raise _no_hours("outage_to", _("an outage lasts seven days at the most"))
    return outage_from, outage_to


def _no_hours(field: str, reason: str) -> InvalidInput:
    return InvalidInput(_("The hours cannot be taken."), problems=[Problem(reason, field)])


def _note(
    action: str,
    dispute: Dispute,
    by: Principal,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    record(action=action, subject=f"dispute:{dispute.pk}", by=by, now=now, details=details)


def _tell_deciders(dispute: Dispute, now: datetime) -> None:
    notify_holders_of(
        Permission.DECIDE_DISPUTES,
        key=f"dispute-raised:{dispute.pk}",
        title=in_all_languages(lazy("A dispute waits for a decision")),
        body=in_all_languages(lazy("It is to be decided by %(day)s."), day=dispute.due_on),
        reason=in_all_languages(lazy("You decide disputes.")),
        link=reverse("sqcore:performance-dispute", args=[dispute.pk]),
        unit_id=dispute.unit_id,
        now=now,
    )


def _tell_person(dispute: Dispute, now: datetime) -> None:
    notify(
        readers=User.objects.filter(staff=dispute.staff_id, is_active=True),
        key=f"dispute-{dispute.state}:{dispute.pk}",
        title=in_all_languages(lazy("Your dispute was decided")),
        body=in_all_languages(lazy("The page of your encounters says how, and why.")),
        reason=in_all_languages(lazy("You raised it.")),
        link=reverse("sqcore:performance-encounters"),
        now=now,
    )
