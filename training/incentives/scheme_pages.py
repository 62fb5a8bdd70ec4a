"""Schemes with their rules in plain words, their versions, and the draft that is being written."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import pgettext

from sqcore.base.periods import title_of
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from training.incentives.marks import Mark, scheme_state
from training.incentives.models import Scheme, SchemeVersion
from training.incentives.queries import (
    BudgetLeft,
    SchemeOverview,
    budgets_left,
    scheme_overview,
    schemes_seen_by,
)
from training.incentives.readers import (
    budget_text,
    require_reader,
    sees_awards_of_all,
    writes_schemes,
)
from training.incentives.rule_sentences import Names, RuleLine, rule_lines
from training.incentives.rulebook import RULES, Rule
from training.incentives.trial_page import is_blocking
from training.incentives.trials import hash_of
from training.incentives.wording import money, why_blocked


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


def schemes_page(*, principal: Principal, on: date) -> SchemesPage:
    """Return the schemes; who works here sees those in force.

    raises: NotPermitted for who neither works here nor sees awards
    """
    require_reader(principal)
    schemes = list(schemes_seen_by(principal))
    sees_left = sees_awards_of_all(principal)
    left = budgets_left(schemes, on=on) if sees_left else {}
    return SchemesPage(
        rows=[_scheme_row(each, left.get(each.pk), on) for each in schemes],
        may_write=writes_schemes(principal),
        sees_budgets=principal.may(Permission.VIEW_AWARDS),
        sees_left=sees_left,
    )


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
    require_reader(principal)
    overview = scheme_overview(principal, code, on=on)
    scheme, names = overview.scheme, Names()
    may_write = writes_schemes(principal)
    lines = [_version_line(each, overview, names, on) for each in overview.versions]
    draft = next((each for each in lines if each.version.published_at is None), None)
    budget, left = budget_text(overview.budget, scheme, principal)
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
        blocked=why_blocked(trial.outcome) if trial and is_blocking(trial) else "",
        is_tried=tried,
        may_write=may_write,
        sees_awards=principal.may(Permission.VIEW_AWARDS),
    )


def _offered(scheme: Scheme) -> list[Rule]:
    return sorted((r for r in RULES if scheme.kind in r.kinds), key=lambda r: r.order)


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
