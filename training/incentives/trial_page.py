"""What rules would have proposed in former periods, what that costs, and how groups would fare."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sqcore.base.periods import title_of
from sqcore.base.text import number
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from training.incentives.marks import Mark, amount_of, period_of
from training.incentives.models import Scheme, Trial
from training.incentives.queries import trial_picture
from training.incentives.trials import hash_of
from training.incentives.wording import FACTORS, GROUPS, money, why_blocked


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
        return is_blocking(self.trial)


MISSING: dict[str, str | Promise] = {
    "results": lazy("no results of people"),
    "scores": lazy("no scores of units"),
}


def is_blocking(trial: Trial) -> bool:
    return trial.is_blocking and trial.reviewed_at is None


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
        may_review=is_blocking(trial) and approves and not wrote,
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
