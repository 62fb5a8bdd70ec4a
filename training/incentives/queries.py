"""Reading awards: schemes with what they spent, proposals, ledger, the wall."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet, Sum

from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period, periods_between
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope
from sqcore.org.models import Assignment, Leave, Terms, during
from sqcore.org.queries import fiscal_start, organisation
from sqcore.performance.models import Dispute, StaffResult
from sqcore.performance.watching import watched
from training.incentives.models import (
    BatchLine,
    Decision,
    LedgerEntry,
    PayrollBatch,
    Proposal,
    Recognition,
    Scheme,
    SchemeVersion,
    Trial,
)

RUBBER_STAMP_FROM = 10
"""From so many decisions on, somebody who never declined is said to be a rubber stamp."""


# ---- Schemes ----
def closed_periods(scheme: Scheme, first: date, end: date) -> list[Period]:
    """Return the periods of a scheme that lie within [first, end), oldest first."""
    found = periods_between(first, end, Grain(scheme.grain), fiscal_start=fiscal_start())
    return [period for period in found if period.start >= first and period.end <= end]


@dataclass(frozen=True)
class BudgetLeft:
    """What was granted in a period and what is left of the budget; no budget, nothing is capped."""

    granted: int
    budget: int | None

    @property
    def left(self) -> int | None:
        return None if self.budget is None else max(0, self.budget - self.granted)


@dataclass(frozen=True)
class SchemeOverview:
    """A scheme as its page shows it. `valid` holds today; `draft` is being written."""

    scheme: Scheme
    valid: SchemeVersion | None
    draft: SchemeVersion | None
    versions: Sequence[SchemeVersion]
    trial: Trial | None
    budget: BudgetLeft
    period: Period
    waiting: int


def schemes_seen_by(principal: Principal) -> QuerySet[Scheme]:
    """Return the schemes with their published `versions` (who writes schemes: all). Two queries."""
    writes = principal.may(Permission.MANAGE_AWARDS)
    versions = SchemeVersion.objects.order_by("-number").select_related("written_by")
    if not writes:
        versions = versions.filter(published_at__isnull=False)
    found = Scheme.objects.visible_to(principal).order_by("kind", "code")
    return found.prefetch_related(Prefetch("versions", queryset=versions))


def scheme_of(principal: Principal, code: str) -> Scheme:
    """Return one scheme with its versions. raises: NotFound"""
    found = schemes_seen_by(principal).filter(code=code).first()
    if found is None:
        raise NotFound(f"There is no incentive scheme “{code}”.")
    return found


def valid_version(scheme: Scheme, *, on: date) -> SchemeVersion | None:
    """Return the version whose rules hold on this day."""
    published = scheme.versions.filter(published_at__isnull=False, valid_from__lte=on)
    return published.order_by("-valid_from", "-number").first()


def budget_left(scheme: Scheme, period_start: date) -> BudgetLeft:
    """Return what is left of the budget of the period that begins on this day. One query."""
    entries = LedgerEntry.objects.filter(scheme=scheme, period_start=period_start)
    granted = entries.aggregate(total=Sum("amount"))["total"] or 0
    return BudgetLeft(granted, scheme.budget)


def budgets_left(schemes: Sequence[Scheme], *, on: date) -> dict[int, BudgetLeft]:
    """Return what is left of the budgets of the running periods, by scheme. One query."""
    starts = {
        each.pk: Period.of(on, Grain(each.grain), fiscal_start=fiscal_start()).start
        for each in schemes
    }
    rows = (
        LedgerEntry.objects.filter(scheme_id__in=starts, period_start__in=set(starts.values()))
        .order_by()
        .values_list("scheme_id", "period_start")
        .annotate(total=Sum("amount"))
    )
    granted = {(scheme, start): total for scheme, start, total in rows}
    return {
        each.pk: BudgetLeft(granted.get((each.pk, starts[each.pk]), 0), each.budget)
        for each in schemes
    }


def scheme_overview(principal: Principal, code: str, *, on: date) -> SchemeOverview:
    """Return a scheme with its rules, its newest trial and its budget of the running period.

    raises: NotFound
    """
    scheme = scheme_of(principal, code)
    versions = list(scheme.versions.all())
    draft = next((each for each in versions if each.published_at is None), None)
    period = Period.of(on, Grain(scheme.grain), fiscal_start=fiscal_start())
    waiting = proposals_seen_by(principal).filter(
        scheme=scheme, state__in=[Proposal.State.PROPOSED, Proposal.State.REVIEWED]
    )
    return SchemeOverview(
        scheme=scheme,
        valid=valid_version(scheme, on=on),
        draft=draft,
        versions=versions,
        trial=newest_trial(draft) if draft else None,
        budget=budget_left(scheme, period.start),
        period=period,
        waiting=waiting.count(),
    )


def newest_trial(version: SchemeVersion) -> Trial | None:
    """Return the newest trial of a version, of whatever rules it had then."""
    trials = version.trials.select_related("made_by", "reviewed_by")
    return trials.order_by("-made_at", "-id").first()


def trial_picture(principal: Principal, trial_id: int) -> Trial:
    """Return a trial with its version and scheme; for who writes schemes or approves awards.

    raises: NotFound
    """
    may = principal.scope(Permission.MANAGE_AWARDS) | principal.scope(Permission.APPROVE_AWARDS)
    found = Trial.objects.select_related("version__scheme", "made_by", "reviewed_by")
    trial = found.filter(pk=trial_id).first() if may.everywhere else None
    if trial is None:
        raise NotFound("There is no such trial.")
    return trial


# ---- Groups of people, for trials ----
def terms_of(staff_ids: Collection[int]) -> dict[int, Terms]:
    return {each.staff_id: each for each in Terms.objects.filter(staff_id__in=staff_ids)}


def smallest_group() -> int:
    return organisation().smallest_group


# ---- Proposals ----
@dataclass(frozen=True)
class ProposalPicture:
    """What somebody who decides must see: the lines with their reasons, the result as it stands
    now, disputes that wait, flags, leave, and what is left of the budget."""

    proposal: Proposal
    lines: Sequence[Mapping[str, Any]]
    results: Sequence[StaffResult]
    disputes: int
    flags: Sequence[str]
    on_leave: bool
    decisions: Sequence[Decision]
    budget: BudgetLeft
    may_review: bool
    may_approve: bool


def proposals_seen_by(principal: Principal) -> QuerySet[Proposal]:
    """Return the proposals of units whose awards one may see, and one's own granted ones."""
    found = Proposal.objects.visible_to(principal)
    if principal.staff_id is not None:
        own = Q(staff_id=principal.staff_id)
        found = found.exclude(own & ~Q(state=Proposal.State.APPROVED))
    return found.select_related("scheme", "staff", "unit").order_by("-period_start", "id")


def proposals_waiting_for(principal: Principal) -> QuerySet[Proposal]:
    """Return what this person is asked to decide on, the oldest first; never on their own.

    A manager is asked for the first step, HR for the second, who reviewed is not asked again.
    """
    wanted = _within(principal.scope(Permission.REVIEW_AWARDS)) & Q(state=Proposal.State.PROPOSED)
    wanted |= _within(principal.scope(Permission.APPROVE_AWARDS)) & Q(state=Proposal.State.REVIEWED)
    found = Proposal.objects.visible_to(principal).filter(wanted)
    if principal.staff_id is not None:
        found = found.exclude(staff_id=principal.staff_id)
    if principal.user is not None:
        found = found.exclude(decisions__by=principal.user)
    return found.select_related("scheme", "staff", "unit").order_by("period_start", "id")


def _within(scope: Scope) -> Q:
    return Q() if scope.everywhere else Q(unit_id__in=scope.units)


def proposal_of(principal: Principal, proposal_id: int) -> Proposal:
    """raises: NotFound"""
    found = proposals_seen_by(principal).filter(pk=proposal_id).first()
    if found is None:
        raise NotFound("There is no such proposed award.")
    return found


def proposal_picture(principal: Principal, proposal_id: int, *, on: date) -> ProposalPicture:
    """Return what the deciders must see; `services.look_at_proposal` also keeps who looked.

    raises: NotFound
    """
    proposal = proposal_of(principal, proposal_id)
    measured = {line["measure"] for line in proposal.basis["lines"] if line.get("measure")}
    results = StaffResult.objects.filter(
        run_id=proposal.basis.get("run"), staff_id=proposal.staff_id, measure__in=measured
    )
    shown = list(results.select_related("run__policy").order_by("measure"))
    waiting = proposals_waiting_for(principal).filter(pk=proposal.pk).exists()
    is_first = proposal.state == Proposal.State.PROPOSED
    return ProposalPicture(
        proposal=proposal,
        lines=proposal.basis["lines"],
        results=shown,
        disputes=open_disputes([proposal.staff_id]).get(proposal.staff_id, 0),
        flags=sorted({*flags_of(shown), *(each for one in shown for each in watched(one))}),
        on_leave=Leave.objects.filter(during(on), staff_id=proposal.staff_id).exists(),
        decisions=list(proposal.decisions.select_related("by").order_by("step")),
        budget=budget_left(proposal.scheme, proposal.period_start),
        may_review=waiting and is_first,
        may_approve=waiting and not is_first,
    )


def open_disputes(staff_ids: Collection[int]) -> dict[int, int]:
    """Return how many disputes of each person wait for a decision."""
    rows = Dispute.objects.filter(staff_id__in=staff_ids, state=Dispute.State.OPEN)
    return dict(rows.order_by().values_list("staff_id").annotate(count=Count("id")))


def flags_of(results: Iterable[StaffResult]) -> list[str]:
    """Return what asks for a second look: `wording.FLAGS` has the sentences.

    `held`: the unit has an open signal, or a dispute waits; `disputed`: answers are left out for
    now; `raised`: adjusting for what the person cannot influence raised the result by more than its
    own interval.
    """
    found = set()
    for result in results:
        if result.held:
            found.add("held")
        if result.disputed:
            found.add("disputed")
        if _moved_much(result):
            found.add("raised")
    return sorted(found)


def _moved_much(result: StaffResult) -> bool:
    if result.raw is None or result.adjusted is None or result.low is None or result.high is None:
        return False
    return result.adjusted - result.raw > (result.high - result.low) / 2


# ---- Decisions ----
@dataclass(frozen=True)
class OverrideRate:
    """How often somebody declined what they were asked to decide."""

    user_id: int
    name: str
    step: int
    decided: int
    declined: int

    @property
    def share(self) -> float:
        return self.declined / self.decided

    @property
    def is_rubber_stamp(self) -> bool:
        return self.declined == 0 and self.decided >= RUBBER_STAMP_FROM


def override_rates(principal: Principal) -> list[OverrideRate]:
    """Return, by step and person, how many proposals that one may see were declined. One query."""
    rows = (
        Decision.objects.filter(proposal__in=proposals_seen_by(principal).order_by())
        .order_by("step", "by__name", "by_id")
        .values_list("by_id", "by__name", "step")
        .annotate(decided=Count("id"), declined=Count("id", filter=Q(agrees=False)))
    )
    return [OverrideRate(*row) for row in rows]


# ---- Ledger and payroll ----
def ledger_seen_by(principal: Principal) -> QuerySet[LedgerEntry]:
    found = LedgerEntry.objects.visible_to(principal)
    return found.select_related("scheme", "staff", "unit", "reverses").order_by(
        "-entered_at", "-id"
    )


def ledger_of(principal: Principal, staff_id: int) -> QuerySet[LedgerEntry]:
    """Return the entries of one person that the asker may see, the newest first."""
    return ledger_seen_by(principal).filter(staff_id=staff_id)


def batches_seen_by(principal: Principal) -> QuerySet[PayrollBatch]:
    return (
        PayrollBatch.objects.visible_to(principal).select_related("frozen_by").order_by("-number")
    )


def batch_of(principal: Principal, number: int) -> PayrollBatch:
    """raises: NotFound"""
    found = batches_seen_by(principal).filter(number=number).first()
    if found is None:
        raise NotFound("There is no such payroll batch.")
    return found


def entries_to_pay(currency: str) -> QuerySet[LedgerEntry]:
    """Return the entries of pay that no batch has yet."""
    return _unpaid().filter(currency=currency).order_by("id")


def _unpaid() -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(scheme__kind=Scheme.Kind.PAY, line__isnull=True)


def unpaid_totals() -> list[tuple[str, int, int]]:
    """Return, by currency, how many entries no batch has yet, and their sum. One query."""
    rows = _unpaid().order_by("currency").values_list("currency")
    return list(rows.annotate(count=Count("id"), total=Sum("amount")))


def batch_lines(batch: PayrollBatch) -> QuerySet[BatchLine]:
    """Return the lines of a batch in the order in which they were entered. One query."""
    lines = batch.lines.select_related("entry__staff", "entry__unit", "entry__scheme")
    return lines.order_by("entry_id")


# ---- Recognition ----
def wall(principal: Principal) -> QuerySet[Recognition]:
    """Return the words that their people consented to show, the newest first."""
    shown = Recognition.objects.visible_to(principal).filter(state=Recognition.State.SHOWN)
    return shown.select_related("staff", "unit").order_by("-answered_at", "-id")


def recognitions_asked(principal: Principal) -> QuerySet[Recognition]:
    """Return the words that wait for this person's consent."""
    if principal.staff_id is None:
        return Recognition.objects.none()
    asked = Recognition.objects.filter(staff_id=principal.staff_id, state=Recognition.State.ASKED)
    return asked.select_related("unit").order_by("written_at", "id")


def colleagues_named(principal: Principal, said: str, *, on: date) -> QuerySet[Assignment]:
    """Return where people of this name or number work on a day, the asker left out."""
    named = Q(staff__name__icontains=said) | Q(staff__number__iexact=said)
    found = Assignment.objects.filter(during(on)).filter(named)
    if principal.staff_id is not None:
        found = found.exclude(staff_id=principal.staff_id)
    return found.select_related("staff", "unit", "post").order_by(
        "staff__name", "staff_id", "valid_from", "id"
    )
