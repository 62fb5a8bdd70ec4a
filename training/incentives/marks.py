"""States, periods and amounts in words, as all pages of incentives say them."""

from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from sqcore.base.periods import Grain, Period
from sqcore.base.text import number
from sqcore.org.queries import fiscal_start
from sqcore.performance.models import StaffResult
from training.incentives.models import Proposal, Scheme
from training.incentives.wording import money

State = Proposal.State


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
