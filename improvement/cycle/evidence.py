"""What tickets, actions and standards say for a diagnosis, and the way to propose a ticket."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils.translation import gettext as _

from improvement.actions.models import Action
from improvement.standards.queries import standards_seen_by, valid_version
from improvement.tickets.models import State, Ticket
from sqcore.base.text import number
from sqcore.causes.taxonomy import CAUSES
from sqcore.evaluation.wording import verdict_of
from sqcore.identity.permissions import Permission
from sqcore.indicators.definition import IndicatorDefinition
from sqcore.indicators.shapes import side_of
from sqcore.reports.evidence import Effect, Evidence, Measured, Question, Says
from sqcore.reports.queries import Row, figures_beside
from sqcore.reports.rules import SHARE_MATTERS, direction
from sqcore.stats.proportions import newcombe, wilson

ANSWER_WITHIN = timedelta(days=14)
"""What is brought up should be answered by then: taken on or refused."""
LOOK_BACK = timedelta(days=365)
TOLERABLE = 0.20
"""Which share may be late, where there are no others to compare with."""
FEWEST = 5
"""Tickets or actions at the unit from which on something is said."""


@dataclass(frozen=True)
class Late:
    """How many of n were late."""

    late: int
    n: int

    @property
    def percent(self) -> str:
        return number(100 * self.late / self.n, 0) if self.n else "–"


def _effect(own: Late, others: Late, counts: str) -> Effect:
    """Return how much more often it was late here than at the others, or than is tolerable."""
    share = own.late / own.n
    if others.n >= FEWEST:
        found = newcombe([own.late], [own.n], [others.late], [others.n])
        value, less = share - others.late / others.n, 0.0
        name = _("share late, more than at the others")
    else:
        found = wilson([own.late], [own.n])
        value, less = share - TOLERABLE, TOLERABLE
        name = _("share late beyond a tolerable fifth")
    low, high = float(found.low[0]) - less, float(found.high[0]) - less
    return Effect(name, Measured.SHARE, value, low, high, SHARE_MATTERS, own.n, counts)


def _elsewhere(others: Late) -> str:
    if others.n < FEWEST:
        return _("You see too few of other units to compare it with them.")
    return _("Elsewhere it is %(share)s %% of %(n)s.") % {
        "share": others.percent,
        "n": number(others.n, 0),
    }


def _board_of(question: Question) -> str:
    return f"{reverse('improvement:board')}?{urlencode({'unit': question.unit.code})}"


def _not_for_you() -> Evidence:
    return Evidence.not_enough(_("Told only to those who may see tickets of this unit."))


def _too_few(question: Question, said: str) -> Evidence:
    return Evidence.not_enough(
        said % {"n": FEWEST}, url=_board_of(question), url_title=_("The board")
    )


def _told(question: Question, said: str, others: Late, effect: Effect, *, since: date) -> Evidence:
    return Evidence(
        direction(effect),
        f"{said} {_elsewhere(others)}",
        effect,
        since=since,
        until=question.period.end,
        url=_board_of(question),
        url_title=_("The board"),
    )


@dataclass(frozen=True)
class AnswersToProposals:
    """Whether what is brought up at a unit is answered in two weeks."""

    key: str = "tickets.answered"
    cause: str = "feedback"
    method: int = 1

    @property
    def title(self) -> str:
        return _("Answers to what is brought up")

    def speak(self, question: Question) -> Evidence | None:
        if not question.principal.may(Permission.VIEW_TICKETS, unit_id=question.unit.pk):
            return _not_for_you()
        first = question.period.end - LOOK_BACK
        own, others = self._counted(question, first)
        if not own.n and not others.n:
            return None
        if own.n < FEWEST:
            return _too_few(
                question, _("Fewer than %(n)s tickets were brought up here within a year.")
            )
        effect = _effect(own, others, "tickets")
        said = _(
            "Of %(n)s tickets brought up here within a year %(share)s %% had no answer after "
            "%(days)s days."
        ) % {"n": own.n, "share": own.percent, "days": ANSWER_WITHIN.days}
        return _told(question, said, others, effect, since=first)

    def _counted(self, question: Question, first: date) -> tuple[Late, Late]:
        """Count those whose two weeks are over; what the machine withdrew needed no answer."""
        last = min(question.period.end, question.today) - ANSWER_WITHIN
        limit = F("proposed_at") + ANSWER_WITHIN
        seen = Ticket.objects.visible_to(question.principal).exclude(state=State.WITHDRAWN)
        seen = seen.filter(proposed_at__date__gte=first, proposed_at__date__lt=last)
        in_time = Q(accepted_at__lte=limit) | Q(ended_at__lte=limit)
        return _split(seen, question, in_time, "unit")


def _split(seen: QuerySet[Any], question: Question, in_time: Q, unit: str) -> tuple[Late, Late]:
    """Count here and at the others. One query."""
    here = Q(**{f"{unit}__in": question.below})
    found = seen.filter(here | Q(**{f"{unit}__in": question.others})).aggregate(
        n=Count("pk", filter=here),
        in_time=Count("pk", filter=here & in_time),
        all=Count("pk"),
        all_in_time=Count("pk", filter=in_time),
    )
    own = Late(found["n"] - found["in_time"], found["n"])
    return own, Late(found["all"] - found["all_in_time"] - own.late, found["all"] - own.n)


@dataclass(frozen=True)
class ActionsInTime:
    """Whether what was agreed is done when it was due."""

    key: str = "actions.in-time"
    cause: str = "feedback"
    method: int = 1

    @property
    def title(self) -> str:
        return _("Actions done in time")

    def speak(self, question: Question) -> Evidence | None:
        if not question.principal.may(Permission.VIEW_TICKETS, unit_id=question.unit.pk):
            return _not_for_you()
        first = question.period.end - LOOK_BACK
        seen = Action.objects.visible_to(question.principal).exclude(state=Action.State.CANCELLED)
        seen = seen.filter(due_on__gte=first, due_on__lt=min(question.period.end, question.today))
        seen = seen.annotate(ended_on=TruncDate("ended_at"))
        own, others = _split(seen, question, Q(ended_on__lte=F("due_on")), "ticket__unit")
        if not own.n and not others.n:
            return None
        if own.n < FEWEST:
            return _too_few(question, _("Fewer than %(n)s actions were due here within a year."))
        effect = _effect(own, others, "actions")
        said = _(
            "Of %(n)s actions that were due here within a year %(share)s %% were late or are not "
            "done."
        ) % {"n": own.n, "share": own.percent}
        return _told(question, said, others, effect, since=first)


@dataclass(frozen=True)
class StandardsInForce:
    """Whether a standard is in force for what misses its target. A count; it makes no verdict."""

    key: str = "standards.in-force"
    cause: str = "standards"
    method: int = 1

    @property
    def title(self) -> str:
        return _("Standards in force")

    def speak(self, question: Question) -> Evidence | None:
        if not question.principal.may(Permission.VIEW_TICKETS, unit_id=question.unit.pk):
            return _not_for_you()
        path = question.tree.path(question.unit.pk)
        kept = [
            each
            for each in standards_seen_by(question.principal)
            if each.indicator and (each.unit_id is None or each.unit_id in path)
        ]
        if not kept:
            return Evidence.not_enough(
                _("No standard of an indicator is kept here yet: a missing one says little.")
            )
        missed = _missed(question)
        if not missed:
            return Evidence.not_enough(_("No indicator clearly misses its target here."))
        covered = {each.indicator for each in kept if valid_version(each, on=question.last_day)}
        return _standards_told(question, missed, covered)


def _missed(question: Question) -> list[IndicatorDefinition]:
    """Return the indicators whose whole interval misses the target."""
    leaves = [leaf for leaf in question.definition.all_indicators() if leaf.target is not None]
    beside = figures_beside(question, [leaf.code for leaf in leaves])
    return [
        leaf for leaf in leaves if (own := beside[leaf.code].own) is not None and _misses(leaf, own)
    ]


def _misses(leaf: IndicatorDefinition, own: Row) -> bool:
    side = side_of(leaf)
    if not side:
        return False
    found = verdict_of(
        own.value, own.low, own.high, target=leaf.target, floor=leaf.floor, rising=side > 0
    )
    return found is not None and found.key in ("missed", "below")


def _standards_told(
    question: Question, missed: Sequence[IndicatorDefinition], covered: set[str]
) -> Evidence:
    bare = [leaf for leaf in missed if leaf.code not in covered]
    names = _("; ").join(question.definition.name_of(leaf.code) for leaf in bare)
    said = _(
        "%(missed)s indicators clearly miss their target here; %(bare)s of them have no standard "
        "in force."
    ) % {"missed": len(missed), "bare": len(bare)}
    effect = Effect(
        _("share without a standard"),
        Measured.SHARE,
        len(bare) / len(missed),
        None,
        None,
        SHARE_MATTERS,
        len(missed),
        "indicators",
        _("It is a count of what is there, not a sample."),
    )
    return Evidence(
        Says.FOR if bare else Says.AGAINST,
        f"{said} {names}".strip(),
        effect,
        since=question.period.start,
        until=question.period.end,
        url=reverse("improvement:standards"),
        url_title=_("Standards"),
        supports_only=True,
    )


@dataclass(frozen=True)
class ProposeTicket:
    """The way to the intake, with what was found written down already."""

    key: str = "improvement.propose"

    @property
    def title(self) -> str:
        return _("Propose a ticket")

    def url(self, *, question: Question, cause: str, found: Sequence[str]) -> str:
        if not question.principal.may(Permission.PROPOSE_TICKETS, unit_id=question.unit.pk):
            return ""
        of = next(each for each in CAUSES.classes if each.code == cause)
        suspected = _("Suspected cause: %(cause)s.") % {"cause": of}
        given = {"unit": question.unit.code, "description": "\n".join([suspected, *found])}
        return f"{reverse('improvement:propose')}?{urlencode(given)}"
