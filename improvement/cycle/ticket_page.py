"""What the page of one ticket shows, and its sheet on paper, put together from the queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from improvement.actions.models import Action
from improvement.actions.queries import actions_of
from improvement.cycle.board import Around, Mark, days_said, severity_mark, waits_for
from improvement.cycle.charted import Charted, RelatedSignal, chart_for, signals_of
from improvement.cycle.drawing import Fishbone, fishbone_of
from improvement.cycle.effect_page import CheckView, EffectView, effects_of, indicators_of
from improvement.cycle.history import Happening, Relation, happening, related_to
from improvement.cycle.next_steps import May, NextStep, may_do, next_steps, part_to_fill_in
from improvement.cycle.pages import evidence_of
from improvement.cycle.queries import blocked_time
from improvement.diagnosis.queries import Branch, Why, findings_of, whys_of
from improvement.diagnosis.queries import fishbone_of as branches_of
from improvement.standards.models import StandardVersion
from improvement.tickets import queries as tickets
from improvement.tickets.models import Attachment, Comment, Phase, Ticket
from improvement.verification.queries import plans_of
from sqcore.base.text import in_language
from sqcore.identity.principals import Principal
from sqcore.org.queries import local_day

DONE, NOW, TO_COME = "done", "now", "to come"


@dataclass(frozen=True)
class Stage:
    """A phase of the stepper: done, now or to come."""

    title: str | Promise
    standing: str


@dataclass(frozen=True)
class TicketPage:
    ticket: Ticket
    title: str
    indicator: str
    severity: Mark | None
    waits: Mark
    age: str
    blocked: str
    evidence: str
    stages: list[Stage]
    steps: list[NextStep]
    part: NextStep | None
    chart: Charted | None
    whys: list[Why]
    fishbone: Fishbone | None
    branches: list[Branch]
    actions: list[Action]
    effects: list[EffectView]
    standards: list[StandardVersion]
    history: list[Happening]
    comments: list[Comment]
    files: list[Attachment]
    related: list[Relation]
    signals: list[RelatedSignal]
    watchers: list[str]
    is_watching: bool
    last_step: int
    may: May

    @property
    def is_ended(self) -> bool:
        return self.ticket.phase == Phase.ENDED

    @property
    def possible(self) -> list[NextStep]:
        return [step for step in self.steps if not step.why_not]

    @property
    def impossible(self) -> list[NextStep]:
        return [step for step in self.steps if step.why_not]

    @property
    def effect(self) -> EffectView | None:
        """The promise of the present cycle."""
        return next((found for found in self.effects if found.is_present), None)

    @property
    def verdict(self) -> CheckView | None:
        """The last verdict of the present cycle; None before there is one."""
        checks = self.effect.checks if self.effect else ()
        return next((each for each in checks if not each.check.is_interim), None)


def ticket_page(*, ticket: Ticket, principal: Principal, now: datetime) -> TicketPage:
    """Return all that the page of a ticket shows to this person."""
    today = local_day(now)
    charted = chart_for(ticket, principal, now=now)
    plans = plans_of(ticket)
    leaves = indicators_of(ticket, plans)
    effects = effects_of(ticket, plans, principal, leaves)
    actions = actions_of(ticket)
    present = findings_of(ticket)
    steps = tickets.history(ticket)
    indicator = leaves.get(ticket.code)
    around = _around(ticket, effects, actions)
    may = may_do(ticket, principal, effects)
    watchers = tickets.watchers_of(ticket)
    branches = [branch for branch in branches_of(present) if branch.findings]
    return TicketPage(
        ticket=ticket,
        title=in_language(tickets.title_of(ticket)),
        indicator=str(indicator) if indicator else ticket.code,
        severity=severity_mark(ticket.severity),
        waits=waits_for(ticket, around, today=today),
        age=days_said((today - local_day(ticket.moved_at)).days),
        blocked=_blocked(ticket, now),
        evidence=evidence_of(ticket, indicator),
        stages=stages_of(ticket),
        steps=next_steps(ticket, principal),
        part=part_to_fill_in(ticket, may, effects, around),
        chart=charted,
        whys=whys_of(present),
        fishbone=fishbone_of(
            [(str(each.of), [(f.text, f.is_root) for f in each.findings]) for each in branches],
            ticket.problem or ticket.title,
        ),
        branches=branches,
        actions=actions,
        effects=effects,
        standards=_standards(ticket),
        history=[happening(step) for step in steps],
        comments=tickets.comments_of(ticket),
        files=tickets.attachments_of(ticket),
        related=related_to(ticket, principal),
        signals=signals_of(ticket, principal, indicator),
        watchers=[user.name for user in watchers],
        is_watching=principal.user in watchers,
        last_step=steps[-1].pk if steps else 0,
        may=may,
    )


def _around(ticket: Ticket, effects: Sequence[EffectView], actions: Sequence[Action]) -> Around:
    """What `waits_for` looks at, from what the page has read already."""
    plan = next((found.plan for found in effects if found.is_present), None)
    if plan is not None:
        final = [check for check in plan.checks.all() if not check.is_interim]
        plan.awaits_confirmation = any(c.confirmed_by_id is None for c in final)  # type: ignore[attr-defined]  # as the board annotates it
    todo = [a for a in actions if a.cycle == ticket.cycle and a.state == Action.State.OPEN]
    return Around(
        names={},
        plans={ticket.pk: plan} if plan else {},
        open_actions={ticket.pk: (len(todo), min(a.due_on for a in todo))} if todo else {},
    )


def _blocked(ticket: Ticket, now: datetime) -> str:
    """How long it stood still in all; empty where it never did."""
    days = blocked_time(ticket, now=now).days
    return _("It stood still %(days)s in all.") % {"days": days_said(days)} if days else ""


def stages_of(ticket: Ticket) -> list[Stage]:
    """Return the phases with where the ticket is among them."""
    order = (Phase.INTAKE, Phase.PLAN, Phase.DO, Phase.CHECK, Phase.ACT)
    at = order.index(ticket.phase) if ticket.phase in order else len(order)
    return [
        Stage(phase.label, DONE if index < at else NOW if index == at else TO_COME)
        for index, phase in enumerate(order)
    ]


def _standards(ticket: Ticket) -> list[StandardVersion]:
    if ticket.phase not in (Phase.ACT, Phase.ENDED) and ticket.cycle == 1:
        return []
    found = ticket.standard_versions.select_related("standard", "written_by", "approved_by")
    return list(found.order_by("id"))
