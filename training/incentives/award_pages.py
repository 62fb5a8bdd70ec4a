"""Proposed awards with what deciders must see, and the awards of a person."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy

from sqcore.base.periods import title_of
from sqcore.base.text import in_language, number
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Staff
from sqcore.performance.models import StaffResult
from sqcore.performance.wording import mark_of, short_use
from training.incentives.facts import measures
from training.incentives.ledger_pages import row_of
from training.incentives.marks import Mark, State, amount_of, period_of, result_text, state_of
from training.incentives.models import LedgerEntry, Proposal
from training.incentives.queries import (
    OverrideRate,
    ProposalPicture,
    flags_of,
    ledger_seen_by,
    open_disputes,
    override_rates,
    proposals_seen_by,
    proposals_waiting_for,
)
from training.incentives.readers import budget_text, decides_on_awards
from training.incentives.rule_sentences import rule_title
from training.incentives.wording import FLAGS, PARTS, item_of, override_said, reason_of

PER_PAGE = 25
LISTED = 5
TABS: dict[str, str | Promise] = {
    "mine": lazy("Waits for me"),
    "open": lazy("Waits for others"),
    "decided": lazy("Decided"),
}


@dataclass(frozen=True)
class ResultLine:
    """A result as deciders see it: by which questions, how sure, and what it may be used for."""

    name: str
    text: str
    n: int
    use: str
    verdict: str


@dataclass(frozen=True)
class ProposalRow:
    proposal: Proposal
    amount: str
    period: str
    state: Mark
    reasons: list[str]
    results: list[ResultLine]
    disputes: int
    flags: list[str]


@dataclass(frozen=True)
class ProposalsPage:
    tab: str
    tabs: list[tuple[str, str | Promise]]
    page: Page[Proposal]
    rows: list[ProposalRow]
    rates: list[tuple[OverrideRate, str]]
    decides: bool

    @property
    def shown_results_of(self) -> list[int]:
        """Return the people whose results are on the page."""
        return [row.proposal.staff_id for row in self.rows if row.results]


def proposals_page(*, principal: Principal, tab: str, page: str) -> ProposalsPage:
    """Return what waits for this person's step, for others, or what was decided.

    raises: NotPermitted for who sees the awards of nobody
    """
    principal.require(Permission.VIEW_AWARDS)
    decides = decides_on_awards(principal)
    names = [name for name in TABS if decides or name != "mine"]
    chosen = tab if tab in names else names[0]
    found = Paginator(_proposals(principal, chosen), PER_PAGE).get_page(page)
    return ProposalsPage(
        tab=chosen,
        tabs=[(name, TABS[name]) for name in names],
        page=found,
        rows=_rows(list(found.object_list)),
        rates=[(rate, override_said(rate)) for rate in override_rates(principal)],
        decides=decides,
    )


def waits_for_me(principal: Principal) -> list[QuerySet[Proposal]]:
    """Return what the navigation counts."""
    return [proposals_waiting_for(principal)] if decides_on_awards(principal) else []


def _proposals(principal: Principal, tab: str) -> QuerySet[Proposal]:
    if tab == "mine":
        return proposals_waiting_for(principal)
    found = proposals_seen_by(principal)
    if tab == "decided":
        return found.filter(state__in=[State.APPROVED, State.DECLINED]).order_by(
            "-changed_at", "id"
        )
    mine = proposals_waiting_for(principal).order_by().values("pk")
    return found.filter(state__in=[State.PROPOSED, State.REVIEWED]).exclude(pk__in=mine)


def _rows(proposals: Sequence[Proposal]) -> list[ProposalRow]:
    """Return proposals with the results that they rest on. Two queries, and those of measures."""
    results = _results_of(proposals)
    disputes = open_disputes([each.staff_id for each in proposals])
    known = measures() if results else {}
    return [
        ProposalRow(
            proposal=each,
            amount=amount_of(each.amount, each.scheme),
            period=title_of(period_of(each.scheme, each.period_start)),
            state=state_of(each),
            reasons=[reason_of(line) for line in each.basis["lines"]],
            results=[_result_line(one, known) for one in results.get(each.pk, [])],
            disputes=disputes.get(each.staff_id, 0),
            flags=[str(FLAGS[flag]) for flag in flags_of(results.get(each.pk, []))],
        )
        for each in proposals
    ]


def _results_of(proposals: Iterable[Proposal]) -> dict[int, list[StaffResult]]:
    """Return, by proposal, the results that its lines rest on. One query."""
    wanted: dict[tuple[int, int, str], int] = {}
    for each in proposals:
        for measure in {line["measure"] for line in each.basis["lines"] if line.get("measure")}:
            if each.basis.get("run"):
                wanted[each.basis["run"], each.staff_id, measure] = each.pk
    if not wanted:
        return {}
    rows = StaffResult.objects.filter(
        run_id__in={run for run, _staff, _measure in wanted},
        staff_id__in={staff for _run, staff, _measure in wanted},
        measure__in={measure for _run, _staff, measure in wanted},
    ).order_by("measure")
    found: dict[int, list[StaffResult]] = {}
    for row in rows:
        if pk := wanted.get((row.run_id, row.staff_id, row.measure)):
            found.setdefault(pk, []).append(row)
    return found


def _result_line(result: StaffResult, known: Mapping[str, Any]) -> ResultLine:
    measure = known.get(result.measure)
    return ResultLine(
        name=in_language(measure.name) if measure else result.measure,
        text=result_text(result),
        n=result.n,
        use=str(short_use(result.gate)),
        verdict=str(mark_of(result.verdict).title),
    )


@dataclass(frozen=True)
class ProposalLine:
    """One rule of a proposal: for what, how much of how much, and why."""

    rule: str
    part: str
    amount: str
    most: str
    why: str
    items: list[tuple[str, str, str]]


@dataclass(frozen=True)
class ProposalPage:
    picture: ProposalPicture
    amount: str
    period: str
    state: Mark
    lines: list[ProposalLine]
    results: list[ResultLine]
    flags: list[str]
    budget: str
    left: str
    is_mine: bool
    entry: LedgerEntry | None

    @property
    def may_decide(self) -> bool:
        return self.picture.may_review or self.picture.may_approve


def proposal_page(picture: ProposalPicture, *, principal: Principal) -> ProposalPage:
    proposal = picture.proposal
    scheme = proposal.scheme
    known = measures() if picture.results else {}
    budget, left = budget_text(picture.budget, scheme, principal)
    return ProposalPage(
        picture=picture,
        amount=amount_of(proposal.amount, scheme),
        period=title_of(period_of(scheme, proposal.period_start)),
        state=state_of(proposal),
        lines=lines_of(proposal),
        results=[_result_line(each, known) for each in picture.results],
        flags=[str(FLAGS[flag]) for flag in picture.flags],
        budget=budget,
        left=left,
        is_mine=proposal.staff_id == principal.staff_id,
        entry=LedgerEntry.objects.filter(proposal=proposal).first(),
    )


def lines_of(proposal: Proposal) -> list[ProposalLine]:
    """Return how a proposal came about, rule by rule."""
    scheme = proposal.scheme
    return [
        ProposalLine(
            rule=rule_title(line["rule"]),
            part=str(PARTS[line["part"]]),
            amount=amount_of(line["amount"], scheme),
            most=amount_of(line["most"], scheme) if "most" in line else "",
            why=reason_of(line),
            items=[
                (item_of(item), number(item["needed"], 0), number(item["held"], 1))
                for item in line.get("items", [])
            ],
        )
        for line in proposal.basis["lines"]
    ]


@dataclass(frozen=True)
class AwardLine:
    """A granted award with how it came about."""

    entry: LedgerEntry
    amount: str
    period: str
    state: Mark
    reasons: list[str]


def awards_of(*, principal: Principal, staff: Staff) -> list[AwardLine] | None:
    """Return the newest awards of a person; None for who may not see them."""
    scope = principal.scope(Permission.VIEW_AWARDS)
    is_mine = staff.pk == principal.staff_id
    if not (scope or is_mine):
        return None
    found = ledger_seen_by(principal).filter(staff=staff, reverses__isnull=True)
    entries = list(
        found.select_related("reversal", "line__batch", "entered_by", "proposal")[:LISTED]
    )
    if not entries and not is_mine:
        return None
    lines = []
    for entry in entries:
        row = row_of(entry, principal)
        basis = entry.proposal.basis["lines"] if entry.proposal else []
        reasons = [reason_of(line) for line in basis]
        lines.append(AwardLine(entry, row.amount, row.period, row.state, reasons))
    return lines


def waiting_by_scheme(principal: Principal) -> list[tuple[Proposal, str, str]]:
    """Return the proposals that wait for this person, the oldest first."""
    rows: Collection[Proposal] = proposals_waiting_for(principal)[: LISTED + 1]
    return [
        (
            each,
            amount_of(each.amount, each.scheme),
            title_of(period_of(each.scheme, each.period_start)),
        )
        for each in rows
    ]
