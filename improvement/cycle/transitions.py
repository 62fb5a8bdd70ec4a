"""The steps of the cycle as one table: from where to where, who takes them, what must be there.

Services ask it before they do anything, pages to show what a person may do now, and why not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from improvement.actions.models import Action
from improvement.cycle.models import Approval
from improvement.cycle.plan import (
    SUBMIT,
    actions_of_cycle,
    approvals_given,
    digest_of_plan,
    missing_for_plan,
    submission_of,
)
from improvement.standards.models import StandardVersion
from improvement.standards.queries import draft_of, text_digest
from improvement.tickets.models import ACCEPTED, Severity, State, Ticket
from improvement.verification.models import EffectCheck, EffectPlan, Verdict
from improvement.verification.queries import plan_of
from sqcore.base.errors import Conflict, DomainError, NotPermitted
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal

MOST_CYCLES = 3


class Facts:
    """What the guards ask about a ticket, each read once however many of them ask."""

    def __init__(self, ticket: Ticket, by: Principal) -> None:
        self.ticket, self.by = ticket, by

    @cached_property
    def missing(self) -> list[str]:
        return missing_for_plan(self.ticket)

    @cached_property
    def plan(self) -> EffectPlan | None:
        return plan_of(self.ticket)

    @cached_property
    def check(self) -> EffectCheck | None:
        return final_check_of(self.ticket, self.plan)

    @property
    def verdict(self) -> str:
        """The verdict that quality confirmed; empty before that."""
        return self.check.confirmed_verdict if self.check else ""

    @cached_property
    def draft(self) -> StandardVersion | None:
        return draft_of(self.ticket)


Guard = Callable[[Facts], str]
"""Says what is missing, in a sentence; the empty text when nothing is."""


class Who(Enum):
    """Who takes a step: the owner or who runs tickets at the unit; a second person, who runs
    tickets there and is not the owner; or the software alone."""

    OWNER = "owner"
    SECOND = "second"
    SYSTEM = "system"


@dataclass(frozen=True)
class Transition:
    """One step. `to` are the states in which the ticket may be afterwards; one that `is_for_small`
    only small fixes (S4) have."""

    action: str
    title: str | Promise
    sources: tuple[State, ...]
    to: tuple[State, ...]
    who: Who = Who.OWNER
    guards: tuple[Guard, ...] = ()
    is_for_small: bool = False


# What must be there -------------------------------------------------------------------------------
def plan_is_complete(facts: Facts) -> str:
    return " ".join(facts.missing)


def has_no_action(facts: Facts) -> str:
    is_there = actions_of_cycle(facts.ticket).exclude(state=Action.State.CANCELLED).exists()
    return _("The plan has an action already; submit it.") if is_there else ""


def is_not_submitter(facts: Facts) -> str:
    submission = submission_of(facts.ticket)
    same = (
        submission is not None
        and facts.by.user is not None
        and submission.by_id == facts.by.user.pk
    )
    return _("You submitted this plan; another person decides on it.") if same else ""


def has_not_approved(facts: Facts) -> str:
    given = approvals_given(facts.ticket, digest_of_plan(facts.ticket))
    mine = facts.by.user is not None and facts.by.user.pk in {each.by_id for each in given}
    return _("You approved this plan already; a second person is needed.") if mine else ""


def is_blocked(facts: Facts) -> str:
    return "" if facts.ticket.is_blocked else _("The ticket is not blocked.")


def is_not_blocked(facts: Facts) -> str:
    return _("The ticket is blocked.") if facts.ticket.is_blocked else ""


def actions_are_over(facts: Facts) -> str:
    states = list(actions_of_cycle(facts.ticket).values_list("state", flat=True))
    if Action.State.OPEN in states:
        return _("Some actions are still open.")
    return "" if Action.State.DONE in states else _("No action has been done.")


def is_confirmed(facts: Facts) -> str:
    check = facts.check
    if check is None:
        return _("The effect has not been checked finally yet.")
    return "" if check.confirmed_verdict else _("Quality has not confirmed the verdict yet.")


def has_improved(facts: Facts) -> str:
    if facts.verdict == Verdict.IMPROVED:
        return ""
    return _("Only what improved becomes the standard.")


def has_not_improved(facts: Facts) -> str:
    if facts.verdict != Verdict.IMPROVED:
        return ""
    return _("It improved: make it the standard.")


def has_cycles_left(facts: Facts) -> str:
    if facts.ticket.cycle < MOST_CYCLES:
        return ""
    return _(
        "Three cycles are the most. Take it to who answers for the unit above, or abandon it with "
        "what was learned."
    )


def may_be_extended(facts: Facts) -> str:
    plan, check = facts.plan, facts.check
    if plan is None or check is None:
        return _("The effect has not been checked finally yet.")
    if facts.verdict not in (Verdict.NO_CHANGE, Verdict.INCONCLUSIVE):
        return _("The verdict is clear; more periods would not change it.")
    if plan.extended_to is not None:
        return _("The check was extended already.")
    if not plan.is_extendable and check.low is not None:
        return _("The plan promised one look alone.")
    return ""


def has_draft(facts: Facts) -> str:
    draft = facts.draft
    if draft is None:
        return _("The standard is not written yet.")
    returned = Approval.objects.filter(
        ticket=facts.ticket,
        subject=Approval.Subject.STANDARD,
        decision=Approval.Decision.RETURNED,
        digest=text_digest(draft),
    )
    return _("The standard was returned and has not changed since.") if returned.exists() else ""


def is_not_writer(facts: Facts) -> str:
    draft = facts.draft
    same = (
        draft is not None and facts.by.user is not None and draft.written_by_id == facts.by.user.pk
    )
    return _("You wrote this standard; another person approves it.") if same else ""


def final_check_of(ticket: Ticket, plan: EffectPlan | None) -> EffectCheck | None:
    """Return the last final look at the locked plan of this cycle; while an extended one is waited
    for, only the second."""
    if plan is None or plan.locked_at is None:
        return None
    check = plan.checks.filter(is_interim=False).order_by("-look").first()
    if check is not None and ticket.state == State.CHECK and plan.extended_to is not None:
        return check if check.look > 1 else None
    return check


# The table ----------------------------------------------------------------------------------------
_PLAN, _REVIEW, _DO, _CHECK, _ACT = (
    (state,) for state in (State.PLAN, State.REVIEW, State.DO, State.CHECK, State.ACT)
)
TABLE: tuple[Transition, ...] = (
    Transition("problem", gettext_lazy("State the problem"), _PLAN, _PLAN),
    Transition("contain", gettext_lazy("Contain"), _PLAN, _PLAN),
    Transition(
        SUBMIT, gettext_lazy("Submit the plan"), _PLAN, (*_REVIEW, *_DO), guards=(plan_is_complete,)
    ),
    Transition(
        "plan-small",
        gettext_lazy("Plan the small fix"),
        _PLAN,
        _DO,
        guards=(has_no_action,),
        is_for_small=True,
    ),
    Transition(
        "approve",
        gettext_lazy("Approve the plan"),
        _REVIEW,
        (*_DO, *_REVIEW),
        Who.SECOND,
        (is_not_submitter, has_not_approved, plan_is_complete),
    ),
    Transition(
        "return", gettext_lazy("Return the plan"), _REVIEW, _PLAN, Who.SECOND, (is_not_submitter,)
    ),
    Transition("block", gettext_lazy("Block"), _DO, _DO, guards=(is_not_blocked,)),
    Transition("unblock", gettext_lazy("Unblock"), _DO, _DO, guards=(is_blocked,)),
    Transition(
        "finish",
        gettext_lazy("Finish doing"),
        _DO,
        (*_CHECK, State.CLOSED),
        guards=(is_not_blocked, actions_are_over),
    ),
    Transition(
        "conclude", gettext_lazy("Conclude the check"), _CHECK, _ACT, guards=(is_confirmed,)
    ),
    Transition(
        "standardise", gettext_lazy("Write the standard"), _ACT, _ACT, guards=(has_improved,)
    ),
    Transition(
        "approve-standard",
        gettext_lazy("Approve the standard"),
        _ACT,
        (State.STANDARD,),
        Who.SECOND,
        (has_improved, has_draft, is_not_writer),
    ),
    Transition(
        "return-standard",
        gettext_lazy("Return the standard"),
        _ACT,
        _ACT,
        Who.SECOND,
        (has_draft, is_not_writer),
    ),
    Transition(
        "next-cycle",
        gettext_lazy("Start the next cycle"),
        _ACT,
        _PLAN,
        guards=(has_not_improved, has_cycles_left),
    ),
    Transition(
        "extend",
        gettext_lazy("Extend the check"),
        _ACT,
        _CHECK,
        guards=(has_not_improved, may_be_extended),
    ),
    Transition(
        "abandon",
        gettext_lazy("Abandon"),
        _ACT,
        (State.ABANDONED,),
        Who.SECOND,
        (has_not_improved,),
    ),
    Transition(
        "cancel", gettext_lazy("Cancel the ticket"), ACCEPTED, (State.CANCELLED,), Who.SECOND
    ),
    Transition("close", gettext_lazy("Close"), (State.STANDARD,), (State.CLOSED,), Who.SYSTEM),
    Transition(
        "not-held", gettext_lazy("Reopen: it did not hold"), (State.STANDARD,), _PLAN, Who.SYSTEM
    ),
    Transition(
        "regressed",
        gettext_lazy("Reopen: it came back"),
        (State.STANDARD, State.CLOSED),
        _PLAN,
        Who.SYSTEM,
    ),
)
TRANSITIONS = {each.action: each for each in TABLE}


def fits(each: Transition, ticket: Ticket) -> bool:
    """True when this step is one of the state that the ticket is in."""
    is_small = ticket.severity == Severity.S4
    return ticket.state in each.sources and (is_small or not each.is_for_small)


def refusal(each: Transition, facts: Facts) -> DomainError | None:
    """Return why this person cannot take this step now; None when they can."""
    ticket, by = facts.ticket, facts.by
    state = State(ticket.state)
    if state not in each.sources:
        return Conflict(
            _("“%(step)s” cannot be done while a ticket is in the state “%(state)s”.")
            % {"step": each.title, "state": state.label}
        )
    if each.is_for_small and ticket.severity != Severity.S4:
        return Conflict(_("Only a small fix (S4) is planned in one step."))
    if why := _not_theirs(each.who, ticket, by):
        return NotPermitted(why)
    missing = next(filter(None, (guard(facts) for guard in each.guards)), "")
    return Conflict(missing) if missing else None


def _not_theirs(who: Who, ticket: Ticket, by: Principal) -> str:
    if who == Who.SYSTEM:
        return _("This happens by itself.")
    if by.user is None:
        return _("Only a person does this.")
    is_owner = ticket.owner_id == by.user.pk
    runs = by.may(Permission.RUN_TICKETS, unit_id=ticket.unit_id)
    if who == Who.SECOND and is_owner:
        return _("You own this ticket; another person decides this.")
    if runs or (who == Who.OWNER and is_owner):
        return ""
    return _("The owner does this, or who may run tickets of the unit.")
