"""What the pages of incentives show: proposals with what deciders must see, schemes with their
rules in plain words, trials, the ledger, payroll and the wall."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import pgettext

from sqcore.achievements.models import Kind
from sqcore.base.errors import InvalidInput, NotPermitted
from sqcore.base.periods import Grain, Period, title_of
from sqcore.base.text import in_language, number
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import IndicatorSystem
from sqcore.org.models import Post, Staff, Unit
from sqcore.org.queries import fiscal_start
from sqcore.performance.models import StaffResult
from sqcore.performance.wording import mark_of, short_use
from training.courses.models import Course
from training.incentives.models import (
    LedgerEntry,
    PayrollBatch,
    Proposal,
    Recognition,
    Scheme,
    SchemeVersion,
    Trial,
)
from training.incentives.queries import (
    BudgetLeft,
    OverrideRate,
    ProposalPicture,
    SchemeOverview,
    batch_lines,
    batches_seen_by,
    budgets_left,
    colleagues_named,
    flags_of,
    ledger_seen_by,
    measures,
    open_disputes,
    override_rates,
    proposals_seen_by,
    proposals_waiting_for,
    recognitions_asked,
    scheme_overview,
    schemes_seen_by,
    trial_picture,
    unpaid_totals,
    wall,
)
from training.incentives.rules import RULES, Rule, refusal_of
from training.incentives.trials import hash_of
from training.incentives.wording import (
    FACTORS,
    FLAGS,
    GROUPS,
    PARTS,
    item_of,
    money,
    override_said,
    reason_of,
    why_blocked,
)

PER_PAGE = 25
State = Proposal.State


# ---- Words ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Mark:
    """A state in words, with the tone and symbol of a pill."""

    text: str
    tone: str = ""
    symbol: str = ""


def state_of(proposal: Proposal) -> Mark:
    tone, symbol = {
        State.PROPOSED: ("watch", "inbox"),
        State.REVIEWED: ("accent", "inbox"),
        State.APPROVED: ("good", "check"),
        State.DECLINED: ("", "close"),
    }[State(proposal.state)]
    words = {
        State.PROPOSED: _("Waits for the manager"),
        State.REVIEWED: _("Waits for HR"),
        State.APPROVED: pgettext("state of an award", "Granted"),
        State.DECLINED: pgettext("state of an award", "Declined"),
    }[State(proposal.state)]
    return Mark(words, tone, symbol)


def scheme_state(scheme: Scheme) -> Mark:
    tone, symbol = {
        Scheme.State.DRAFT: ("watch", "design"),
        Scheme.State.ACTIVE: ("good", "check"),
        Scheme.State.OFF: ("", "close"),
    }[Scheme.State(scheme.state)]
    return Mark(scheme.get_state_display(), tone, symbol)


def period_of(scheme: Scheme, start: date) -> Period:
    return Period.of(start, Grain(scheme.grain), fiscal_start=fiscal_start())


def amount_of(amount: int, scheme: Scheme) -> str:
    """Return an amount with its currency; a dash where a scheme has no money."""
    return money(amount, scheme.currency) if scheme.kind == Scheme.Kind.PAY else "–"


def result_text(result: StaffResult) -> str:
    """Return an estimate with its interval, or that there is none."""
    if result.estimate is None or result.low is None or result.high is None:
        return _("Not enough data")
    return _("%(estimate)s (95 %% certain: %(low)s to %(high)s)") % {
        "estimate": number(result.estimate, 2),
        "low": number(result.low, 2),
        "high": number(result.high, 2),
    }


# ---- Proposals -----------------------------------------------------------------------------------
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


def decides_on_awards(principal: Principal) -> bool:
    return principal.may(Permission.REVIEW_AWARDS) or principal.may(Permission.APPROVE_AWARDS)


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
    budget, left = _money_of(picture.budget, scheme, principal)
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


def rule_title(key: str) -> str:
    return str(RULES[key].title) if key in RULES else key


# ---- Rules in plain words ------------------------------------------------------------------------
class Names:
    """What the codes in rules are called; each kind of thing is asked for when it is first said."""

    def of(self, parameter: str, code: str) -> str:
        """Return the name of a code that a parameter holds, or the code itself."""
        known = getattr(self, f"_{parameter}", None)
        return known.get(code, code) if isinstance(known, dict) else code

    def joined(self, parameter: str, codes: Iterable[str]) -> str:
        return ", ".join(self.of(parameter, code) for code in codes)

    def choices(self, parameter: str, codes: Iterable[str]) -> list[tuple[str, str]]:
        return sorted(
            ((code, self.of(parameter, code)) for code in codes), key=lambda each: each[1]
        )

    @cached_property
    def _system(self) -> dict[str, str]:
        return {each.code: str(each) for each in IndicatorSystem.objects.order_by("code")}

    @cached_property
    def _posts(self) -> dict[str, str]:
        return {each.code: str(each) for each in Post.objects.order_by("code")}

    @cached_property
    def _post(self) -> dict[str, str]:
        return self._posts

    @cached_property
    def _certificates(self) -> dict[str, str]:
        return {each.code: str(each) for each in Course.objects.order_by("code")}

    @cached_property
    def _kinds(self) -> dict[str, str]:
        return {kind.value: str(kind.label) for kind in Kind}

    @cached_property
    def _measure(self) -> dict[str, str]:
        return {key: in_language(each.name) for key, each in measures().items()}


def sentences_of(rule: Mapping[str, Any], scheme: Scheme, names: Names) -> list[str]:
    """Return what a rule says so that anyone can read it: no codes, no parameters."""
    say = _SENTENCES.get(rule["rule"], _any_rule)
    return [said for said in say(rule, scheme, names) if said]


def _any_rule(rule: Mapping[str, Any], _scheme: Scheme, _names: Names) -> list[str]:
    return [str(RULES[rule["rule"]].about)] if rule["rule"] in RULES else [rule["rule"]]


def _unit_result(rule: Mapping[str, Any], scheme: Scheme, names: Names) -> list[str]:
    system = names.of("system", rule["system"])
    return [
        _(
            "Everybody of a unit gets the same: of at most %(amount)s as many per cent as the unit "
            "has points (0 to 100) in “%(system)s”."
        )
        % {"amount": money(rule["amount"], scheme.currency), "system": system},
        _for_posts(rule, names),
    ]


def _for_posts(rule: Mapping[str, Any], names: Names) -> str:
    if not rule.get("posts"):
        return _("It holds for all posts.")
    return _("It holds for: %(posts)s.") % {"posts": names.joined("posts", rule["posts"])}


def _result_linear(rule: Mapping[str, Any], scheme: Scheme, names: Names) -> list[str]:
    return [
        _(
            "Who gets a part for the unit gets up to %(amount)s more, in proportion to their own "
            "result in “%(measure)s” between the lowest and the highest answer: no steps, never a "
            "deduction."
        )
        % {
            "amount": money(rule["amount"], scheme.currency),
            "measure": names.of("measure", rule["measure"]),
        },
        _("It is at most 30 % of what both parts are."),
        _(
            "Whose own result is not sure enough, because few customers answered, gets what the "
            "mean of the unit gives: never nothing."
        ),
    ]


def _achievement_fixed(rule: Mapping[str, Any], scheme: Scheme, names: Names) -> list[str]:
    told = {"most": rule["most"], "kinds": names.joined("kinds", rule["kinds"])}
    if not rule["amount"]:
        said = _("An honour for achievements of the period: %(kinds)s.")
        return [said % told]
    said = _("%(amount)s for each achievement of the period, at most %(most)s times: %(kinds)s.")
    return [said % {**told, "amount": money(rule["amount"], scheme.currency)}]


def _above_honour(rule: Mapping[str, Any], _scheme: Scheme, names: Names) -> list[str]:
    return [
        _(
            "An honour for everybody whose result in “%(measure)s” is clearly above that of "
            "comparable colleagues: as many as there are, and possibly none."
        )
        % {"measure": names.of("measure", rule["measure"])},
        _("No money hangs on it."),
    ]


def _career_checklist(rule: Mapping[str, Any], _scheme: Scheme, names: Names) -> list[str]:
    needed = [_("the skills at the levels that the post requires")]
    if rule["years"]:
        needed.append(_("years in the organisation: %(years)s") % {"years": rule["years"]})
    if rule["certificates"]:
        held = names.joined("certificates", rule["certificates"])
        needed.append(_("certificates in force: %(names)s") % {"names": held})
    if rule["improvements"]:
        needed.append(_("verified improvements: %(n)s") % {"n": rule["improvements"]})
    return [
        _("Proposes for the post “%(post)s” who has all of this: %(needed)s.")
        % {"post": names.of("post", rule["post"]), "needed": "; ".join(needed)},
        _("People decide: nothing follows by itself."),
    ]


def _feedback_note(rule: Mapping[str, Any], _scheme: Scheme, names: Names) -> list[str]:
    return [
        _("Who achieved something of this in the period is sent these words: %(kinds)s.")
        % {"kinds": names.joined("kinds", rule["kinds"])},
        _("“%(text)s”") % {"text": in_language(rule["text"])},
    ]


_SENTENCES = {
    "unit-result": _unit_result,
    "result-linear": _result_linear,
    "achievement-fixed": _achievement_fixed,
    "above-honour": _above_honour,
    "career-checklist": _career_checklist,
    "feedback-note": _feedback_note,
}


def rule_named(key: str) -> Rule:
    """raises: InvalidInput for a rule that there is not, with why when it never can be"""
    if key not in RULES:
        raise InvalidInput(refusal_of({"rule": key}) or _("There is no such rule."))
    return RULES[key]


def why_never() -> list[str]:
    """Return why rules by shares, by rank and against colleagues cannot be made."""
    return [refusal_of({"rule": word}) for word in ("top", "rank", "colleagues")]


# ---- Schemes -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class SchemeRow:
    scheme: Scheme
    state: Mark
    version: SchemeVersion | None
    budget: str
    left: str
    has_draft: bool


@dataclass(frozen=True)
class SchemesPage:
    rows: list[SchemeRow]
    may_write: bool
    sees_budgets: bool
    sees_left: bool


def sees_incentives(principal: Principal) -> bool:
    return principal.staff_id is not None or principal.may(Permission.VIEW_AWARDS)


def writes_schemes(principal: Principal) -> bool:
    return principal.scope(Permission.MANAGE_AWARDS).everywhere


def schemes_page(*, principal: Principal, on: date) -> SchemesPage:
    """Return the schemes; who works here sees those in force.

    raises: NotPermitted for who neither works here nor sees awards
    """
    _require_reader(principal)
    schemes = list(schemes_seen_by(principal))
    sees_left = sees_awards_of_all(principal)
    left = budgets_left(schemes, on=on) if sees_left else {}
    return SchemesPage(
        rows=[_scheme_row(each, left.get(each.pk), on) for each in schemes],
        may_write=writes_schemes(principal),
        sees_budgets=principal.may(Permission.VIEW_AWARDS),
        sees_left=sees_left,
    )


def sees_awards_of_all(principal: Principal) -> bool:
    return principal.scope(Permission.VIEW_AWARDS).everywhere


def _money_of(budget: BudgetLeft, scheme: Scheme, principal: Principal) -> tuple[str, str]:
    """Return the whole budget, and what is left of it to who sees the awards of all: to others
    two readings around one approval would tell what somebody elsewhere was granted."""
    left = budget.left if sees_awards_of_all(principal) else None
    return (
        "" if budget.budget is None else money(budget.budget, scheme.currency),
        "" if left is None else money(left, scheme.currency),
    )


def _require_reader(principal: Principal) -> None:
    if not sees_incentives(principal):
        raise NotPermitted(_("The rules are for who works here."))


def _scheme_row(scheme: Scheme, budget: BudgetLeft | None, on: date) -> SchemeRow:
    versions = list(scheme.versions.all())
    published = [each for each in versions if each.published_at and each.valid_from]
    valid = [each for each in published if each.valid_from and each.valid_from <= on]
    left = budget.left if budget else None
    return SchemeRow(
        scheme=scheme,
        state=scheme_state(scheme),
        version=valid[0] if valid else None,
        budget="" if scheme.budget is None else money(scheme.budget, scheme.currency),
        left="" if left is None else money(left, scheme.currency),
        has_draft=len(published) < len(versions),
    )


@dataclass(frozen=True)
class RuleLine:
    """A rule of a scheme in plain words; `row` counts from 1."""

    row: int
    title: str
    sentences: list[str]


@dataclass(frozen=True)
class VersionLine:
    version: SchemeVersion
    rules: list[RuleLine]
    standing: Mark


@dataclass(frozen=True)
class SchemePage:
    overview: SchemeOverview
    state: Mark
    rules: list[RuleLine]
    draft: VersionLine | None
    versions: list[VersionLine]
    period: str
    budget: str
    left: str
    offers: list[tuple[str, str, str]]
    blocked: str
    is_tried: bool
    may_write: bool
    sees_awards: bool

    @property
    def scheme(self) -> Scheme:
        return self.overview.scheme


def scheme_page(*, principal: Principal, code: str, on: date) -> SchemePage:
    """Return a scheme with its rules in plain words; to who writes schemes also the draft.

    raises: NotFound; NotPermitted
    """
    _require_reader(principal)
    overview = scheme_overview(principal, code, on=on)
    scheme, names = overview.scheme, Names()
    may_write = writes_schemes(principal)
    lines = [_version_line(each, overview, names, on) for each in overview.versions]
    draft = next((each for each in lines if each.version.published_at is None), None)
    budget, left = _money_of(overview.budget, scheme, principal)
    trial = overview.trial
    tried = (
        trial is not None
        and overview.draft is not None
        and trial.rules_hash == hash_of(scheme, overview.draft.rules)
    )
    return SchemePage(
        overview=overview,
        state=scheme_state(scheme),
        rules=rule_lines(overview.valid.rules, scheme, names) if overview.valid else [],
        draft=draft if may_write else None,
        versions=[each for each in lines if each.version.published_at is not None],
        period=title_of(overview.period),
        budget=budget,
        left=left,
        offers=[(r.key, str(r.title), str(r.about)) for r in _offered(scheme)],
        blocked=why_blocked(trial.outcome) if trial and _is_blocking(trial) else "",
        is_tried=tried,
        may_write=may_write,
        sees_awards=principal.may(Permission.VIEW_AWARDS),
    )


def _is_blocking(trial: Trial) -> bool:
    return trial.is_blocking and trial.reviewed_at is None


def _offered(scheme: Scheme) -> list[Rule]:
    return sorted((r for r in RULES if scheme.kind in r.kinds), key=lambda r: r.order)


def rule_lines(rules: Sequence[Mapping[str, Any]], scheme: Scheme, names: Names) -> list[RuleLine]:
    return [
        RuleLine(row, rule_title(rule["rule"]), sentences_of(rule, scheme, names))
        for row, rule in enumerate(rules, start=1)
    ]


def _version_line(
    version: SchemeVersion, overview: SchemeOverview, names: Names, on: date
) -> VersionLine:
    if version.published_at is None:
        standing = Mark(pgettext("state of rules", "Draft"), "watch", "design")
    elif overview.valid is not None and version.pk == overview.valid.pk:
        standing = Mark(pgettext("state of rules", "In force"), "good", "check")
    elif version.valid_from and version.valid_from > on:
        standing = Mark(pgettext("state of rules", "To come"), "accent", "calendar")
    else:
        standing = Mark(pgettext("state of rules", "Former"))
    return VersionLine(version, rule_lines(version.rules, overview.scheme, names), standing)


@dataclass(frozen=True)
class Draft:
    """What the editor of rules starts from: the draft, or else the rules in force."""

    scheme: Scheme
    rules: list[dict[str, Any]]
    reason: str
    valid_from: date
    is_written: bool


def draft_of(*, principal: Principal, code: str, on: date) -> Draft:
    """raises: NotFound; NotPermitted for who writes no schemes"""
    principal.require(Permission.MANAGE_AWARDS)
    overview = scheme_overview(principal, code, on=on)
    start = overview.draft or overview.valid
    next_start = overview.period.next.start if overview.valid else overview.period.start
    valid_from = overview.draft.valid_from if overview.draft else None
    return Draft(
        scheme=overview.scheme,
        rules=[dict(rule) for rule in start.rules] if start else [],
        reason=overview.draft.reason if overview.draft else "",
        valid_from=valid_from or next_start,
        is_written=overview.draft is not None,
    )


# ---- Trials --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class TrialPeriod:
    title: str
    members: int
    people: int
    cost: str
    budget: str
    share: str
    is_over: bool
    missing: str


@dataclass(frozen=True)
class TrialGroup:
    """How a group of people would fare beside the one of its factor that fares best."""

    factor: str
    group: str
    people: str
    chosen: str
    mean: str
    ratio: str
    said: Mark


@dataclass(frozen=True)
class TrialPage:
    trial: Trial
    scheme: Scheme
    periods: list[TrialPeriod]
    groups: list[TrialGroup]
    people: int
    chosen: int
    total: str
    lowest: str
    why: str
    smallest_group: int
    may_review: bool
    is_of_these_rules: bool

    @property
    def waits(self) -> bool:
        return _is_blocking(self.trial)


MISSING: dict[str, str | Promise] = {
    "results": lazy("no results of people"),
    "scores": lazy("no scores of units"),
}


def trial_page(*, principal: Principal, trial_id: int) -> TrialPage:
    """raises: NotFound"""
    trial = trial_picture(principal, trial_id)
    scheme, outcome = trial.version.scheme, trial.outcome
    wrote = principal.user is not None and principal.user.pk in (
        trial.made_by_id,
        trial.version.written_by_id,
    )
    approves = principal.scope(Permission.APPROVE_AWARDS).everywhere
    total = sum(each["cost"] for each in outcome["periods"])
    lowest = outcome["lowest_ratio"]
    return TrialPage(
        trial=trial,
        scheme=scheme,
        periods=[_trial_period(each, scheme) for each in outcome["periods"]],
        groups=[_trial_group(each, scheme) for each in outcome["groups"]],
        people=outcome["people"],
        chosen=outcome["chosen"],
        total=amount_of(total, scheme),
        lowest="" if lowest is None else _percent(lowest),
        why=why_blocked(outcome) if trial.is_blocking else "",
        smallest_group=outcome["smallest_group"],
        may_review=_is_blocking(trial) and approves and not wrote,
        is_of_these_rules=trial.rules_hash == hash_of(scheme, trial.version.rules),
    )


def _percent(share: float) -> str:
    return _("%(share)s %%") % {"share": number(100 * share, 0)}


def _trial_period(told: Mapping[str, Any], scheme: Scheme) -> TrialPeriod:
    budget = told["budget"]
    return TrialPeriod(
        title=title_of(period_of(scheme, date.fromisoformat(told["start"]))),
        members=told["members"],
        people=told["people"],
        cost=amount_of(told["cost"], scheme),
        budget="–" if budget is None else money(budget, scheme.currency),
        share=_percent(told["cost"] / budget) if budget else "",
        is_over=told["is_over"],
        missing=", ".join(str(MISSING.get(each, each)) for each in told["missing"]),
    )


def _trial_group(told: Mapping[str, Any], scheme: Scheme) -> TrialGroup:
    is_told = told["people"] is not None
    return TrialGroup(
        factor=str(FACTORS.get(told["factor"], told["factor"])),
        group=str(GROUPS.get(told["group"], told["group"])),
        people=str(told["people"]) if is_told else "",
        chosen=_percent(told["chosen"]) if is_told else "",
        mean="" if told["mean"] is None else money(round(told["mean"]), scheme.currency),
        ratio=_percent(told["ratio"]),
        said=_group_said(told),
    )


def _group_said(told: Mapping[str, Any]) -> Mark:
    if told["is_reference"]:
        return Mark(_("Fares best: the others are compared with this group"), "", "info")
    if told["ratio"] >= 0.8:
        return Mark(_("At least 80 % of the best: no sign of unequal treatment"), "good", "check")
    if told["is_alarm"]:
        return Mark(_("Below 80 %, and more than chance explains"), "bad", "bad")
    return Mark(_("Below 80 %; chance could explain it"), "watch", "watch")


# ---- The ledger and payroll ----------------------------------------------------------------------
@dataclass(frozen=True)
class EntryRow:
    entry: LedgerEntry
    amount: str
    period: str
    state: Mark
    may_reverse: bool


@dataclass(frozen=True)
class LedgerPage:
    page: Page[LedgerEntry]
    rows: list[EntryRow]
    schemes: list[tuple[str, str]]
    text: str
    scheme: str
    sees_payroll: bool


def ledger_page(*, principal: Principal, text: str, scheme: str, page: str) -> LedgerPage:
    """raises: NotPermitted for who sees the awards of nobody"""
    principal.require(Permission.VIEW_AWARDS)
    words = text.strip()[:100]
    found = ledger_seen_by(principal).select_related("reversal", "line__batch", "entered_by")
    if words:
        found = found.filter(Q(staff__name__icontains=words) | Q(staff__number__iexact=words))
    if scheme:
        found = found.filter(scheme__code=scheme)
    shown = Paginator(found, PER_PAGE).get_page(page)
    offered = [(each.code, str(each)) for each in Scheme.objects.visible_to(principal)]
    return LedgerPage(
        page=shown,
        rows=[_entry_row(each, principal) for each in shown.object_list],
        schemes=[("", _("All schemes")), *sorted(offered, key=lambda each: each[1])],
        text=words,
        scheme=scheme,
        sees_payroll=sees_awards_of_all(principal),
    )


def _entry_row(entry: LedgerEntry, principal: Principal) -> EntryRow:
    reversal = getattr(entry, "reversal", None)
    line = getattr(entry, "line", None)
    if entry.reverses_id is not None:
        state = Mark(_("Takes back an award"), "watch", "retry")
    elif reversal is not None:
        state = Mark(_("Taken back"), "", "close")
    elif line is not None:
        state = Mark(_("In payroll batch %(n)s") % {"n": line.batch.number}, "good", "check")
    else:
        state = Mark(_("Stands"), "good", "check")
    return EntryRow(
        entry=entry,
        amount=money(entry.amount, entry.currency) if entry.currency else "–",
        period=title_of(period_of(entry.scheme, entry.period_start)),
        state=state,
        may_reverse=reversal is None
        and entry.reverses_id is None
        and _takes_back(principal, entry),
    )


def _takes_back(principal: Principal, entry: LedgerEntry) -> bool:
    if principal.user is None or entry.staff_id == principal.staff_id:
        return False
    other = entry.entered_by_id != principal.user.pk
    return other and principal.may(Permission.APPROVE_AWARDS, unit_id=entry.unit_id)


def entry_row(*, principal: Principal, entry_id: int) -> EntryRow | None:
    found = ledger_seen_by(principal).select_related("reversal", "line__batch", "entered_by")
    entry = found.filter(pk=entry_id).first()
    return _entry_row(entry, principal) if entry else None


@dataclass(frozen=True)
class BatchRow:
    batch: PayrollBatch
    total: str


@dataclass(frozen=True)
class BatchesPage:
    page: Page[PayrollBatch]
    rows: list[BatchRow]
    open: list[tuple[str, int, str]]
    may_freeze: bool


def _require_payroll(principal: Principal) -> None:
    principal.require(Permission.VIEW_AWARDS)
    if not sees_awards_of_all(principal):
        raise NotPermitted(_("Payroll belongs to the whole organisation, you see a part of it."))


def batches_page(*, principal: Principal, page: str) -> BatchesPage:
    """Return the batches, and by currency what no batch has yet.

    raises: NotPermitted for who does not see the awards of all
    """
    _require_payroll(principal)
    shown = Paginator(batches_seen_by(principal), PER_PAGE).get_page(page)
    return BatchesPage(
        page=shown,
        rows=[BatchRow(each, money(each.total, each.currency)) for each in shown.object_list],
        open=[(each, count, money(total, each)) for each, count, total in unpaid_totals()],
        may_freeze=writes_schemes(principal),
    )


def currencies() -> list[str]:
    """Return the currencies in which schemes pay."""
    paying = Scheme.objects.filter(kind=Scheme.Kind.PAY).order_by("currency")
    return list(paying.values_list("currency", flat=True).distinct())


@dataclass(frozen=True)
class BatchPage:
    batch: PayrollBatch
    total: str
    page: Page[Any]
    lines: list[EntryRow]


def batch_page(batch: PayrollBatch, *, principal: Principal, page: str) -> BatchPage:
    shown = Paginator(batch_lines(batch), PER_PAGE).get_page(page)
    return BatchPage(
        batch=batch,
        total=money(batch.total, batch.currency),
        page=shown,
        lines=[
            EntryRow(
                each.entry,
                money(each.entry.amount, each.entry.currency),
                title_of(period_of(each.entry.scheme, each.entry.period_start)),
                Mark(""),
                may_reverse=False,
            )
            for each in shown.object_list
        ],
    )


# ---- The wall ------------------------------------------------------------------------------------
MOST_FOUND = 20


@dataclass(frozen=True)
class WallCard:
    words: Recognition
    may_take_down: bool


@dataclass(frozen=True)
class WallPage:
    page: Page[Recognition]
    cards: list[WallCard]
    asked: list[Recognition]
    written: list[Recognition]
    may_write: bool


def wall_page(*, principal: Principal, page: str) -> WallPage:
    """raises: NotPermitted for who neither works here nor sees awards"""
    _require_reader(principal)
    shown = Paginator(wall(principal).select_related("staff", "unit", "written_by"), 24)
    found = shown.get_page(page)
    waiting = Recognition.objects.visible_to(principal).filter(
        state=Recognition.State.ASKED, written_by=principal.user
    )
    return WallPage(
        page=found,
        cards=[WallCard(each, takes_down(principal, each)) for each in found.object_list],
        asked=list(recognitions_asked(principal).select_related("unit", "written_by")[:20]),
        written=list(waiting.select_related("staff", "unit").order_by("-written_at", "-id")[:20]),
        may_write=principal.staff_id is not None,
    )


def takes_down(principal: Principal, words: Recognition) -> bool:
    is_own = words.staff_id == principal.staff_id or (
        principal.user is not None and words.written_by_id == principal.user.pk
    )
    return is_own or principal.may(Permission.MANAGE_AWARDS, unit_id=words.unit_id)


@dataclass(frozen=True)
class Colleague:
    staff: Staff
    unit: Unit
    post: Post


def colleagues(*, principal: Principal, said: str, on: date) -> list[Colleague]:
    """Return who is meant by a name or number, each once; nobody for a single letter."""
    words = said.strip()[:80]
    if len(words) < 2:
        return []
    found: dict[int, Colleague] = {}
    for place in colleagues_named(principal, words, on=on)[: 2 * MOST_FOUND]:
        found.setdefault(place.staff_id, Colleague(place.staff, place.unit, place.post))
    return list(found.values())[:MOST_FOUND]


def colleague_of(*, principal: Principal, number: str, on: date) -> Colleague | None:
    """Return the colleague with exactly this number who works here on a day."""
    places = colleagues_named(principal, number, on=on).filter(staff__number=number)
    place = places.first() if number else None
    return Colleague(place.staff, place.unit, place.post) if place else None


# ---- On the pages of others ----------------------------------------------------------------------
LISTED = 5


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
        row = _entry_row(entry, principal)
        basis = entry.proposal.basis["lines"] if entry.proposal else []
        reasons = [reason_of(line) for line in basis]
        lines.append(AwardLine(entry, row.amount, row.period, row.state, reasons))
    return lines


def words_for(*, principal: Principal, staff: Staff) -> tuple[list[Recognition], int]:
    """Return the newest words of thanks on the wall for a person, and how many wait for their
    own consent."""
    shown = wall(principal).filter(staff=staff).select_related("written_by")
    waiting = recognitions_asked(principal).count() if staff.pk == principal.staff_id else 0
    return list(shown[:LISTED]), waiting


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
