"""The plan of a cycle as a whole: what it still lacks, and the hash that approvers have seen."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from improvement.actions.models import Action
from improvement.cycle.models import Approval
from improvement.diagnosis.models import Finding
from improvement.tickets.models import Severity, Step, Ticket
from improvement.verification.models import EffectPlan
from improvement.verification.queries import compared_with, content_of, plan_of
from sqcore.base.periods import Grain

SUBMIT = "submit"
"""The step by which a plan is given to the second person."""
APPROVERS = {Severity.S1: 2, Severity.S2: 2, Severity.S3: 1, Severity.S4: 0}
"""How many people approve a plan."""


def actions_of_cycle(ticket: Ticket) -> QuerySet[Action]:
    return Action.objects.filter(ticket=ticket, cycle=ticket.cycle).order_by("id")


def missing_for_plan(ticket: Ticket) -> list[str]:
    """Say in sentences what the plan of this cycle still lacks; empty when it can be submitted.

    A small fix (S4) needs an action and nothing else.
    """
    return list(_missing(ticket))


def _missing(ticket: Ticket) -> Iterator[str]:
    is_small = ticket.severity == Severity.S4
    if not is_small:
        yield from _missing_reasons(ticket)
    if not actions_of_cycle(ticket).exclude(state=Action.State.CANCELLED).exists():
        yield _("The plan has no action yet.")
    if not is_small:
        yield from _missing_effect(ticket)


def _missing_reasons(ticket: Ticket) -> Iterator[str]:
    if not ticket.problem.strip():
        yield _("The problem statement is missing.")
    roots = Finding.objects.filter(ticket=ticket, cycle=ticket.cycle, is_root=True)
    if not roots.exists():
        yield _("No root cause is named yet.")
    elif not roots.exclude(evidence="").exists():
        yield _("No root cause has its evidence yet.")
    if not ticket.similar.strip():
        yield _("It is not said yet whether the same could happen elsewhere.")


def _missing_effect(ticket: Ticket) -> Iterator[str]:
    plan = plan_of(ticket)
    if plan is None:
        yield _("No effect is promised yet.")
    elif not plan.balancing.exists():
        yield _("The promised effect has no balancing measure yet.")
    elif _compares_with_less(ticket, plan):
        yield _(
            "The containment leaves less to compare with than the effect was promised on. Promise "
            "it again."
        )


def _compares_with_less(ticket: Ticket, plan: EffectPlan) -> bool:
    """True when a containment that was told after the promise cuts off periods that it counted."""
    plan.ticket = ticket
    found = compared_with(plan)
    span = found.ends_on(plan.starts_on) - found.compares_from
    return plan.n_before > span.days // (28 if plan.grain == Grain.MONTH else 7)


def submission_of(ticket: Ticket) -> Step | None:
    """Return the step by which the plan of this cycle was submitted last."""
    steps = Step.objects.filter(ticket=ticket, cycle=ticket.cycle, action=SUBMIT)
    return steps.order_by("-id").first()


def approvers_needed(ticket: Ticket) -> int:
    return APPROVERS[Severity(ticket.severity or Severity.S3)]


def approvals_given(ticket: Ticket, digest: str) -> list[Approval]:
    """Return who approved exactly this plan; of one that changed since, or was submitted anew,
    nobody did."""
    given = Approval.objects.filter(
        ticket=ticket,
        cycle=ticket.cycle,
        subject=Approval.Subject.PLAN,
        decision=Approval.Decision.APPROVED,
        digest=digest,
    )
    return list(given.select_related("by").order_by("id"))


def digest_of_plan(ticket: Ticket) -> str:
    """Return the hash of all that the plan says, and of the submission that it was seen in."""
    submission, promise = submission_of(ticket), plan_of(ticket)
    said = {
        "ticket": ticket.pk,
        "cycle": ticket.cycle,
        "submission": submission.pk if submission else None,
        "severity": ticket.severity,
        "problem": ticket.problem,
        "similar": ticket.similar,
        "contained_on": ticket.contained_on,
        "causes": _causes(ticket),
        "actions": _actions(ticket),
        "effect": content_of(promise) if promise else None,
    }
    written = json.dumps(said, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(written.encode()).hexdigest()


def _causes(ticket: Ticket) -> list[Any]:
    rows = Finding.objects.filter(ticket=ticket, cycle=ticket.cycle).order_by("id")
    return list(rows.values("id", "kind", "cause", "text", "evidence", "parent_id", "is_root"))


def _actions(ticket: Ticket) -> list[Any]:
    rows = actions_of_cycle(ticket).prefetch_related("people")
    names = ("id", "kind", "text", "owner_id", "due_on", "state")
    return [
        {**{name: getattr(action, name) for name in names}, **_training(action)} for action in rows
    ]


def _training(action: Action) -> dict[str, Any]:
    if not action.competency:
        return {}
    return {"competency": action.competency, "people": sorted(p.pk for p in action.people.all())}
