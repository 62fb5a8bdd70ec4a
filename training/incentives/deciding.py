"""Two people decide on an award; nobody on their own, and nothing beyond the budget."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from sqcore.base.bus import publish
from sqcore.base.errors import Conflict, NotFound, NotPermitted
from sqcore.base.events import AwardGranted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day
from sqcore.performance.models import Look
from sqcore.performance.services import note_look
from training.incentives.guards import (
    LONGEST_REASON,
    checked_text,
    locked_scheme,
    note_act,
    person_other_than,
)
from training.incentives.models import Decision, LedgerEntry, Proposal, Scheme
from training.incentives.queries import ProposalPicture, budget_left, proposal_picture
from training.incentives.wording import money


def look_at_proposal(*, proposal_id: int, by: Principal, now: datetime) -> ProposalPicture:
    """Return what the deciders must see, and remember that they looked at the person's results.

    raises: NotFound
    """
    picture = proposal_picture(by, proposal_id, on=local_day(now))
    if picture.results:
        note_look(staff_ids=[picture.proposal.staff_id], way=Look.Way.PAGE, by=by, now=now)
    return picture


@transaction.atomic
def review_proposal(
    *, proposal_id: int, agrees: bool, reason: str, by: Principal, now: datetime
) -> Proposal:
    """Take the first step: a manager of the unit agrees or declines, with a reason.

    raises: NotFound; NotPermitted, on oneself among them; InvalidInput; Conflict
    """
    proposal = _locked_proposal(proposal_id, by)
    by.require(Permission.REVIEW_AWARDS, unit_id=proposal.unit_id)
    _decide(proposal, Decision.Step.REVIEW, agrees, reason, by, now)
    return proposal


@transaction.atomic
def approve_proposal(
    *, proposal_id: int, agrees: bool, reason: str, by: Principal, now: datetime
) -> LedgerEntry | None:
    """Take the second step: HR grants or declines what somebody else reviewed; return the entry.

    The scheme is locked: what is granted in one period never exceeds its budget, however many
    approve at once.

    raises: NotFound; NotPermitted, on oneself among them; InvalidInput; Conflict, which names what
        is left of the budget
    """
    scheme_ids = Proposal.objects.visible_to(by).filter(pk=proposal_id)
    scheme_id = scheme_ids.values_list("scheme_id", flat=True).first()
    if scheme_id is None:
        raise NotFound(_("There is no such proposed award."))
    scheme = locked_scheme(scheme_id)
    proposal = _locked_proposal(proposal_id, by)
    by.require(Permission.APPROVE_AWARDS, unit_id=proposal.unit_id)
    _decide(proposal, Decision.Step.APPROVAL, agrees, reason, by, now)
    if not agrees:
        return None
    if scheme.state != Scheme.State.ACTIVE:
        raise Conflict(_("This scheme is switched off: nothing is granted."))
    _refuse_beyond_budget(scheme, proposal)
    return _grant(scheme, proposal, by, now)


def _locked_proposal(proposal_id: int, by: Principal) -> Proposal:
    found = (
        Proposal.objects.visible_to(by)
        .select_for_update(of=("self",))
        .filter(pk=proposal_id)
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such proposed award."))
    return found


def _decide(
    proposal: Proposal,
    step: Decision.Step,
    agrees: bool,
    reason: str,
    by: Principal,
    now: datetime,
) -> None:
    """Write one step of a locked proposal and what state it leads to."""
    user = person_other_than(proposal.staff_id, by)
    said = checked_text(reason, most=LONGEST_REASON, name="reason")
    if proposal.decisions.filter(by=user).exclude(step=step).exists():
        raise NotPermitted(_("Two people decide: you took the step before."))
    wanted = Proposal.State.PROPOSED if step == Decision.Step.REVIEW else Proposal.State.REVIEWED
    if proposal.state != wanted:
        raise Conflict(
            _("This award is “%(state)s”: this step is not to be taken now.")
            % {"state": Proposal.State(proposal.state).label}
        )
    Decision.objects.create(
        proposal=proposal, step=step, agrees=agrees, reason=said, by=user, at=now
    )
    agreed = Proposal.State.REVIEWED if step == Decision.Step.REVIEW else Proposal.State.APPROVED
    proposal.state = agreed if agrees else Proposal.State.DECLINED
    proposal.changed_at = now
    proposal.save(update_fields=["state", "changed_at"])
    details = {"step": int(step), "agrees": agrees, "amount": proposal.amount}
    note_act("award.decided", f"proposal:{proposal.pk}", by, now, details)


def _refuse_beyond_budget(scheme: Scheme, proposal: Proposal) -> None:
    left = budget_left(scheme, proposal.period_start).left
    if left is not None and proposal.amount > left:
        raise Conflict(
            _("The budget of this period does not reach: %(left)s is left of %(budget)s.")
            % {
                "left": money(left, scheme.currency),
                "budget": money(scheme.budget or 0, scheme.currency),
            }
        )


def _grant(scheme: Scheme, proposal: Proposal, by: Principal, now: datetime) -> LedgerEntry:
    entry = LedgerEntry.objects.create(
        key=f"award:{proposal.pk}",
        staff_id=proposal.staff_id,
        unit_id=proposal.unit_id,
        scheme=scheme,
        proposal=proposal,
        period_start=proposal.period_start,
        amount=proposal.amount,
        currency=scheme.currency,
        title=proposal.title,
        entered_by=by.user,
        entered_at=now,
    )
    publish(
        AwardGranted(
            entry_id=entry.pk,
            staff_id=entry.staff_id,
            scheme=scheme.code,
            on=local_day(now).isoformat(),
            title=entry.title,
        ),
        now=now,
    )
    return entry
