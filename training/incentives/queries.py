"""Reading awards: what rules look at, schemes with what they spent, proposals, ledger, the wall."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet, Sum

from sqcore.achievements.models import Achievement, Kind
from sqcore.achievements.queries import achievements_of
from sqcore.base.errors import NotFound
from sqcore.base.periods import Grain, Period, periods_between
from sqcore.evaluation.models import KpiValue
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope, system_principal
from sqcore.indicators.definition import COMPOSITE
from sqcore.org.models import Assignment, Leave, Terms, Unit, during
from sqcore.org.queries import fiscal_start, organisation, tree_on
from sqcore.performance.models import Dispute, ResultsRun, StaffResult
from sqcore.performance.queries import GroupMean, group_means
from sqcore.performance.sources import PERSON_SOURCES, PersonMeasure
from training.certificates.models import Certificate
from training.competencies.models import RequiredLevel
from training.competencies.queries import held_levels
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


# ---- What rules look at --------------------------------------------------------------------------
@dataclass(frozen=True)
class Member:
    """Who works here on the last day of a period. Who is on leave is a member too."""

    staff_id: int
    unit_id: int
    post: str
    joined_on: date


@dataclass(frozen=True)
class Score:
    """The composite of a unit, or of the closest one above it that has one, in points 0 to 100."""

    points: float
    unit_id: int


@dataclass(frozen=True)
class Item:
    """One line of a checklist: what is needed, what is there."""

    item: str
    name: Mapping[str, str]
    needed: float
    held: float

    @property
    def is_met(self) -> bool:
        return self.held >= self.needed


@dataclass(frozen=True)
class CareerRule:
    """What a post asks for beside its required levels."""

    post: str
    years: float
    certificates: tuple[str, ...]
    improvements: int


class PeriodFacts:
    """What there is to know for one period; each part is read when a rule first asks for it.

    Results are those of the newest window that ended by the end of the period.
    """

    def __init__(self, period: Period) -> None:
        self.period = period
        self.last_day = date.fromordinal(period.end.toordinal() - 1)
        self._results: dict[str, dict[int, StaffResult]] = {}
        self._scores: dict[str, dict[int, Score]] = {}
        self._means: dict[int, dict[str, GroupMean]] = {}

    @cached_property
    def members(self) -> list[Member]:
        """Everybody once, at the unit and in the post they are in the longest."""
        rows = (
            Assignment.objects.filter(during(self.last_day))
            .filter(Q(staff__left_on__isnull=True) | Q(staff__left_on__gt=self.last_day))
            .order_by("staff_id", "valid_from", "id")
            .values_list("staff_id", "unit_id", "post__code", "staff__joined_on")
        )
        found: dict[int, Member] = {}
        for row in rows:
            found.setdefault(row[0], Member(*row))
        return list(found.values())

    @cached_property
    def staff_ids(self) -> list[int]:
        return [member.staff_id for member in self.members]

    @cached_property
    def run(self) -> ResultsRun | None:
        runs = ResultsRun.objects.filter(is_current=True, ends_on__lte=self.period.end)
        return runs.select_related("policy").order_by("-ends_on").first()

    def results(self, measure: str) -> dict[int, StaffResult]:
        """Return the results of all people by this measure, by staff id. One query a measure."""
        if measure not in self._results:
            found = StaffResult.objects.filter(run=self.run, measure=measure) if self.run else []
            self._results[measure] = {result.staff_id: result for result in found}
        return self._results[measure]

    def middle(self, measure: str, unit_id: int) -> float | None:
        """Return the mean estimate of the people of a unit, or of the closest one above it with
        enough people: so that a mean is never one person's result. None when none has enough."""
        found = (self._means_of(unit).get(measure) for unit in self._tree.path(unit_id))
        return next((each.estimate for each in found if each and each.estimate is not None), None)

    def _means_of(self, unit_id: int) -> dict[str, GroupMean]:
        if unit_id not in self._means:
            here = Unit(pk=unit_id)
            self._means[unit_id] = group_means(self.run, here) if self.run else {}
        return self._means[unit_id]

    def score(self, system: str, unit_id: int) -> Score | None:
        """Return how the unit stands by its composite in this period. One query a system."""
        if system not in self._scores:
            self._scores[system] = self._all_scores(system)
        found = self._scores[system]
        return next((found[unit] for unit in self._tree.path(unit_id) if unit in found), None)

    @cached_property
    def _tree(self) -> Any:
        return tree_on(self.last_day)

    def _all_scores(self, system: str) -> dict[int, Score]:
        rows = (
            KpiValue.objects.visible_to(system_principal())
            .current()
            .filter(
                system__code=system,
                code=COMPOSITE,
                margin="",
                grain__in={self.period.grain.value, Grain.MONTH.value},
                starts_on__gte=self.period.start,
                starts_on__lt=self.period.end,
                score__isnull=False,
            )
            .order_by("unit_id", "starts_on")
            .values_list("unit_id", "grain", "score")
        )
        by_unit: dict[int, dict[str, list[float]]] = {}
        for unit_id, grain, points in rows:
            by_unit.setdefault(unit_id, {}).setdefault(grain, []).append(points or 0.0)
        found = {}
        for unit_id, by_grain in by_unit.items():
            chosen = by_grain.get(self.period.grain.value) or by_grain[Grain.MONTH.value]
            found[unit_id] = Score(sum(chosen) / len(chosen), unit_id)
        return found

    @cached_property
    def achievements(self) -> dict[int, list[Achievement]]:
        """What stands of the period, by staff id. One query."""
        found: dict[int, list[Achievement]] = {}
        for each in achievements_of(self.staff_ids, self.period.start, self.period.end):
            found.setdefault(each.staff_id, []).append(each)
        return found

    @cached_property
    def _improvements(self) -> dict[int, int]:
        rows = (
            achievements_of(self.staff_ids, date.min, self.period.end)
            .filter(kind=Kind.IMPROVEMENT)
            .order_by()
            .values_list("staff_id")
            .annotate(count=Count("id"))
        )
        return dict(rows)

    @cached_property
    def _held(self) -> Mapping[tuple[int, int], int]:
        return held_levels(self.staff_ids, on=self.last_day)

    @cached_property
    def _certificates(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        held = Certificate.objects.held_on(self.last_day).filter(staff_id__in=self.staff_ids)
        for staff_id, course in held.values_list("staff_id", "course__code"):
            found.setdefault(staff_id, set()).add(course)
        return found

    def checklist(self, member: Member, asked: CareerRule) -> list[Item]:
        """Return what the post asks for beside what this person has, each item with both."""
        years = (self.last_day - member.joined_on).days / 365.25
        levels = [
            Item("level", name, level, self._held.get((member.staff_id, competency), 0) or 0)
            for competency, name, level in self._required(asked.post)
        ]
        holds = self._certificates.get(member.staff_id, set())
        certificates = [
            Item("certificate", {"en": course}, 1, int(course in holds))
            for course in asked.certificates
        ]
        improved = self._improvements.get(member.staff_id, 0)
        return [
            *levels,
            *certificates,
            Item("years", {}, asked.years, round(years, 1)),
            Item("improvements", {}, asked.improvements, improved),
        ]

    def _required(self, post: str) -> list[tuple[int, dict[str, str], int]]:
        known: dict[str, list[tuple[int, dict[str, str], int]]] = self.__dict__.setdefault(
            "_levels", {}
        )
        if post not in known:
            rows = RequiredLevel.objects.filter(during(self.last_day), post__code=post)
            known[post] = list(
                rows.order_by("competency__position", "competency__code").values_list(
                    "competency_id", "competency__name", "level"
                )
            )
        return known[post]


def measures() -> dict[str, PersonMeasure]:
    """Return what customers can say about a person, by key."""
    return {each.key: each for source in PERSON_SOURCES for each in source.measures()}


def closed_periods(scheme: Scheme, first: date, end: date) -> list[Period]:
    """Return the periods of a scheme that lie within [first, end), oldest first."""
    found = periods_between(first, end, Grain(scheme.grain), fiscal_start=fiscal_start())
    return [period for period in found if period.start >= first and period.end <= end]


# ---- Schemes -------------------------------------------------------------------------------------
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


# ---- Groups of people, for trials ----------------------------------------------------------------
def terms_of(staff_ids: Collection[int]) -> dict[int, Terms]:
    return {each.staff_id: each for each in Terms.objects.filter(staff_id__in=staff_ids)}


def smallest_group() -> int:
    return organisation().smallest_group


# ---- Proposals -----------------------------------------------------------------------------------
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
    shown = list(results.order_by("measure"))
    waiting = proposals_waiting_for(principal).filter(pk=proposal.pk).exists()
    is_first = proposal.state == Proposal.State.PROPOSED
    return ProposalPicture(
        proposal=proposal,
        lines=proposal.basis["lines"],
        results=shown,
        disputes=open_disputes([proposal.staff_id]).get(proposal.staff_id, 0),
        flags=flags_of(shown),
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


# ---- Decisions -----------------------------------------------------------------------------------
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


# ---- Ledger and payroll --------------------------------------------------------------------------
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


# ---- Recognition ---------------------------------------------------------------------------------
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


# ---- For the pages -------------------------------------------------------------------------------
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


def colleagues_named(principal: Principal, said: str, *, on: date) -> QuerySet[Assignment]:
    """Return where people of this name or number work on a day, the asker left out."""
    named = Q(staff__name__icontains=said) | Q(staff__number__iexact=said)
    found = Assignment.objects.filter(during(on)).filter(named)
    if principal.staff_id is not None:
        found = found.exclude(staff_id=principal.staff_id)
    return found.select_related("staff", "unit", "post").order_by(
        "staff__name", "staff_id", "valid_from", "id"
    )
