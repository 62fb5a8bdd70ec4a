"""Reading tickets: one, its history, those of the same problem, and what an ended one blocks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, TextChoices
from django.utils.translation import gettext_lazy as _

from improvement.tickets.models import (
    ENDED,
    INTAKE,
    Attachment,
    Comment,
    State,
    Step,
    Ticket,
    TicketSignal,
)
from sqcore.base.errors import NotFound
from sqcore.base.text import TranslatedText
from sqcore.evaluation.models import KpiValue
from sqcore.identity.directory import directory
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal
from sqcore.indicators.models import Indicator, WeightedIndicator
from sqcore.indicators.queries import targets_by_code
from sqcore.indicators.shapes import is_even, is_two_sided, points_at
from sqcore.monitoring.models import Signal
from sqcore.org.models import RoleGrant, during
from sqcore.org.queries import local_day, principal_for, tree_on


def tickets_listed(principal: Principal) -> QuerySet[Ticket]:
    """Return the tickets of this person or client with their units, without their long texts."""
    found = Ticket.objects.visible_to(principal).select_related("unit")
    return found.defer("description", "problem", "similar", "lesson", "evidence", "containment")


def ticket_of(principal: Principal, pk: int) -> Ticket:
    """Return a ticket with its unit, people and signal. raises: NotFound"""
    found = (
        Ticket.objects.visible_to(principal)
        .select_related("unit", "system", "owner", "proposed_by", "signal", "parent")
        .filter(pk=pk)
        .first()
    )
    if found is None:
        raise NotFound(f"There is no ticket T-{pk}.")
    return found


def history(ticket: Ticket) -> list[Step]:
    """Return what was done with a ticket, in order. One query."""
    return list(ticket.steps.select_related("by").order_by("id"))


def comments_of(ticket: Ticket) -> list[Comment]:
    return list(ticket.comments.select_related("by").order_by("id"))


def attachments_of(ticket: Ticket) -> list[Attachment]:
    return list(ticket.attachments.select_related("by").order_by("id"))


def attachment_of(principal: Principal, *, ticket_id: int, attachment_id: int) -> Attachment:
    """Return a file of a ticket that the asker sees. raises: NotFound"""
    seen = Ticket.objects.visible_to(principal).filter(pk=ticket_id)
    found = Attachment.objects.filter(pk=attachment_id, ticket__in=seen).first()
    if found is None:
        raise NotFound("There is no such file.")
    return found


def watchers_of(ticket: Ticket) -> list[User]:
    return list(User.objects.filter(pk__in=ticket.watchers.values("user_id")).order_by("name"))


def is_watching(ticket: Ticket, user: User) -> bool:
    return ticket.watchers.filter(user=user).exists()


def title_of(ticket: Ticket) -> TranslatedText:
    """Return the title in the languages of the house; what a person wrote is in one alone."""
    found = ticket.evidence.get("title") or {"en": ticket.title}
    return {str(language): str(text) for language, text in found.items()}


def signals_seen_by(principal: Principal, ticket: Ticket) -> list[TicketSignal]:
    """Return the episodes of signals that belong to a ticket, the first attached first.

    Without those of units whose results the asker does not see: the signal of a unit above belongs
    to the ticket of one below.
    """
    seen = Signal.objects.visible_to(principal)
    return list(
        ticket.signals.filter(signal__in=seen).select_related("signal__unit").order_by("id")
    )


# ---- The same problem ----------------------------------------------------------------------------
def open_ticket_for(signal: Signal) -> Ticket | None:
    """Return the open ticket that this signal belongs to in its present episode."""
    return (
        Ticket.objects.open()
        .filter(Q(signal=signal) | Q(pk__in=_linked(signal, episode=signal.episode)))
        .order_by("id")
        .first()
    )


def open_tickets_about(code: str, *, units: Iterable[int]) -> QuerySet[Ticket]:
    """Return the open tickets of an indicator at these units, the oldest first."""
    found = Ticket.objects.open().filter(code=code, unit_id__in=list(units))
    return found.select_related("unit", "signal").order_by("id")


def open_signals_at(code: str, *, units: Iterable[int], on: date) -> list[Signal]:
    """Return what is in alarm on an indicator at these units, and not muted."""
    found = Signal.objects.open().not_muted_on(on).filter(code=code, unit_id__in=list(units))
    return list(found.select_related("unit", "system", "baseline").order_by("id"))


def last_ended_for(signal: Signal) -> Ticket | None:
    """Return the ticket that ended last of those that this signal belonged to."""
    ended = Ticket.objects.filter(state__in=ENDED)
    mine = ended.filter(Q(signal=signal) | Q(pk__in=_linked(signal)))
    return mine.order_by("-ended_at", "-id").first()


def last_parent_ended(code: str, unit_id: int) -> Ticket | None:
    """Return the parent of several units that ended last here on this indicator."""
    ended = Ticket.objects.filter(
        code=code, unit_id=unit_id, state__in=ENDED, evidence__has_key="children"
    )
    return ended.order_by("-ended_at", "-id").first()


def held_or_closed_for(signal: Signal) -> Ticket | None:
    """Return the newest ticket of this signal whose effect is being held or was: what comes back
    is a regression of it."""
    done = Ticket.objects.filter(state__in=[State.STANDARD, State.CLOSED])
    mine = done.filter(Q(signal=signal) | Q(pk__in=_linked(signal)))
    return mine.order_by("-moved_at", "-id").first()


def _linked(signal: Signal, *, episode: int | None = None) -> QuerySet[TicketSignal, int]:
    links = TicketSignal.objects.filter(signal=signal)
    if episode is not None:
        links = links.filter(episode=episode)
    return links.values_list("ticket_id", flat=True)


# ---- Proposals -----------------------------------------------------------------------------------
def is_root() -> Q:
    """Tickets that stand for themselves: without a parent that is still open."""
    return Q(parent__isnull=True) | Q(parent__ended_at__isnull=False)


@dataclass(frozen=True)
class Waiting:
    """A proposal of a machine, and whether people were told of it."""

    ticket: Ticket
    is_announced: bool


def machine_proposals_for(owner_id: int) -> list[Waiting]:
    """Return the proposals of machines that wait for one person, the strongest first."""
    machines = [Ticket.Source.SIGNAL, Ticket.Source.CLIENT]
    found = Ticket.objects.filter(
        is_root(), owner_id=owner_id, state=State.PROPOSED, source__in=machines
    )
    told = set(found.filter(_is_announced()).values_list("pk", flat=True))
    rows = found.select_related("signal").order_by("id")
    waiting = [Waiting(ticket, ticket.pk in told) for ticket in rows]
    return sorted(waiting, key=lambda each: rank_of(each.ticket))


def rank_of(ticket: Ticket) -> tuple[int, float, int]:
    """Return the place of a proposal among others: by severity, then by strength, then by age."""
    strength = abs(ticket.signal.shift_sigma) if ticket.signal else 0.0
    return (ticket.severity or LEAST, -strength, ticket.pk)


LEAST = 9
"""Where a proposal stands that nobody gave a severity: behind those that have one."""
ANNOUNCED = "announced"
"""The step that says that people were told of a proposal."""
NEWS = ("narrowed", "woken", ANNOUNCED)
"""What decides whether people know of a proposal as it is now: the last of these steps."""


def _is_announced() -> Q:
    mine = Step.objects.filter(ticket=OuterRef(OuterRef("pk")), action__in=NEWS)
    newest = mine.order_by("-id")
    told = Step.objects.filter(pk=Subquery(newest.values("pk")[:1]), action=ANNOUNCED)
    return Q(Exists(told))


def not_announced() -> QuerySet[Ticket]:
    """Return the proposals that nobody was told of yet, the oldest first."""
    found = Ticket.objects.filter(is_root(), state=State.PROPOSED, is_over_budget=False)
    return found.exclude(_is_announced()).select_related("unit").order_by("id")


def snoozed_until(on: date) -> QuerySet[Ticket]:
    """Return the proposals that were put off until this day or before."""
    return Ticket.objects.filter(state=State.SNOOZED, snoozed_until__lte=on).order_by("id")


def proposals_of(signal_id: int) -> QuerySet[Ticket]:
    """Return the proposals of the software that this signal belongs to, taken on by nobody."""
    found = Ticket.objects.filter(state__in=INTAKE, source=Ticket.Source.SIGNAL)
    linked = TicketSignal.objects.filter(signal_id=signal_id).values("ticket_id")
    return found.filter(Q(signal_id=signal_id) | Q(pk__in=linked)).order_by("id")


def signals_without_ticket(*, on: date) -> QuerySet[Signal]:
    """Return what is in alarm, not muted and part of no open ticket in its present episode."""
    open_ = Ticket.objects.open()
    own = open_.filter(signal=OuterRef("pk"))
    links = TicketSignal.objects.filter(
        signal=OuterRef("pk"), episode=OuterRef("episode"), ticket__ended_at__isnull=True
    )
    alarms = Signal.objects.open().not_muted_on(on)
    return alarms.filter(~Exists(own), ~Exists(links)).order_by("id")


def has_open_signals(ticket: Ticket) -> bool:
    """True while one of the signals of a ticket lasts, or a ticket below it is open."""
    lasting = TicketSignal.objects.filter(ticket=ticket).exclude(
        signal__state=Signal.State.RECOVERED
    )
    return lasting.exists() or ticket.children.open().exists()


# ---- What a proposal rests on --------------------------------------------------------------------
@dataclass(frozen=True)
class Newest:
    """The figure of the newest period that a signal was judged on, and the way to the target."""

    run_id: int | None = None
    value: float | None = None
    n: int | None = None
    target: float | None = None
    gap: float | None = None


def newest_of(signal: Signal) -> Newest:
    """Return what is known of the newest period of a signal. Figures that may not be shown are
    not known here either. Where there is no target, the gap is that to the centre."""
    found = KpiValue.objects.filter(
        system_id=signal.system_id,
        unit_id=signal.unit_id,
        code=signal.code,
        grain=signal.grain,
        starts_on=signal.last_on,
        margin="",
        is_current=True,
        status=KpiValue.Status.OK,
    ).first()
    if found is None or found.value is None:
        return Newest(run_id=found.run_id if found else None)
    use = _use_of(signal)
    target = targets_by_code([signal.code], on=signal.last_on).get(signal.code)
    if use is not None and is_two_sided(use):
        target = None
    wanted = signal.baseline.centre if target is None else target.value
    return Newest(
        run_id=found.run_id,
        value=found.value,
        n=found.n,
        target=None if target is None else target.value,
        gap=None if use is None else _gap(use, value=found.value, wanted=wanted),
    )


def _use_of(signal: Signal) -> WeightedIndicator | None:
    """Return how the indicator of a signal scores in the published version of its system."""
    return (
        WeightedIndicator.objects.filter(
            indicator__code=signal.code,
            dimension__version__system_id=signal.system_id,
            dimension__version__state="published",
        )
        .order_by("id")
        .first()
    )


def _gap(use: WeightedIndicator, *, value: float, wanted: float) -> float:
    """Return how far a value is on the wrong side of what is wanted, as a share of the goalposts;
    of another shape, how many points it has less, as a share of 100. 0.0 on the right side."""
    if not is_even(use):
        return max(0.0, (points_at(use, wanted) - points_at(use, value)) / 100)
    return max(0.0, (wanted - value) / (use.best - use.worst))


def indicator_of(code: str) -> Indicator | None:
    return Indicator.objects.filter(code=code).select_related("owner").first()


# ---- Who is asked --------------------------------------------------------------------------------
class Part(TextChoices):
    """In which part somebody is asked to look at a proposal."""

    INDICATOR = "indicator", _("You look after this indicator.")
    MANAGER = "manager", _("You manage this unit, or the one above it that has a manager.")
    QUALITY = "quality", _("You see to quality, and nobody manages this unit or one above it.")


def asked_about(unit_id: int, code: str, *, now: datetime) -> tuple[Part, list[User]]:
    """Return who is to look at a proposal, and why: who looks after the indicator and may run
    tickets there; else the managers of the nearest unit that has one; else quality.

    The first of them is the owner-to-be.
    """
    on = local_day(now)
    indicator = indicator_of(code) if code else None
    owner = indicator.owner if indicator else None
    if owner and may_run(owner, unit_id, on=on):
        return Part.INDICATOR, [owner]
    path = tree_on(on).path(unit_id)
    grants = RoleGrant.objects.filter(
        during(on), role=Role.MANAGER, unit__in=path, user__is_active=True
    )
    managers: dict[int, list[User]] = {}
    for grant in grants.select_related("user").order_by("user_id"):
        managers.setdefault(grant.unit_id or 0, []).append(grant.user)
    for above in path:
        if above in managers:
            return Part.MANAGER, managers[above]
    quality = directory().holders_of(Permission.CONFIRM_EFFECTS, unit_id=unit_id, now=now)
    return Part.QUALITY, quality


def may_run(user: User, unit_id: int, *, on: date) -> bool:
    """True when this person may log in and run tickets at the unit."""
    may = principal_for(user, on=on).may(Permission.RUN_TICKETS, unit_id=unit_id)
    return user.is_active and may
