"""Planning what is done, by whom and until when; doing it; telling who has to.

The plan is made in Plan. In Do an action may be added, done or cancelled, and nothing else.
raises, all of them: NotFound for what is not theirs, NotPermitted, Conflict in another state,
InvalidInput naming each field
"""

from collections.abc import Sequence
from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from improvement.actions.models import Action
from improvement.actions.queries import overdue, trainable_people
from improvement.tickets.models import State, Ticket
from improvement.tickets.services import locked, move
from sqcore.audit.services import record
from sqcore.base.bus import publish
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, Problem
from sqcore.base.events import TrainingRequested
from sqcore.base.text import TranslatedText, in_all_languages
from sqcore.base.trainable import trainable_subjects
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.notices.services import notify
from sqcore.org.models import Staff
from sqcore.org.queries import local_day

REFERENCE = "action-"
"""How an action is named where training is asked for: this and its number."""


@transaction.atomic
def add_action(
    *,
    ticket_id: int,
    kind: str,
    text: str,
    owner_id: int,
    due_on: date,
    competency: str = "",
    people_ids: Sequence[int] = (),
    by: Principal,
    now: datetime,
) -> Action:
    """Plan an action, or, in Do, add one that the plan did not have; its owner is told.

    Training may name a competency and who is to be trained in it: people at the unit of the ticket
    or below whom the asker may see. It is asked for as soon as the ticket is in Do.
    """
    ticket = _planned_by(ticket_id, by, states=(State.PLAN, State.DO))
    action = Action(
        ticket=ticket, cycle=ticket.cycle, kind=kind, text=text.strip(), due_on=due_on,
        owner_id=owner_id, created_at=now, competency=competency,
    )  # fmt: skip
    _checked(action, today=local_day(now))
    people = _people_of(action, people_ids, by=by, today=local_day(now))
    action.save(force_insert=True)
    action.people.set(people)
    # The history marks what came after the plan was approved.
    _note("added", action, ticket=ticket, by=by, now=now)
    _tell_owner(action, by=by, now=now)
    if ticket.state == State.DO:
        request_training(ticket=ticket, now=now)
    return action


@transaction.atomic
def change_action(
    *,
    action_id: int,
    kind: str,
    text: str,
    owner_id: int,
    due_on: date,
    competency: str = "",
    people_ids: Sequence[int] = (),
    by: Principal,
    now: datetime,
) -> Action:
    """Change an action of the plan; a new owner is told."""
    action = _found(action_id, by)
    ticket = _planned_by(action.ticket_id, by, states=(State.PLAN,))
    _open_in(action, ticket, states=(State.PLAN,))
    former = action.owner_id
    action.kind, action.text, action.due_on = kind, text.strip(), due_on
    action.owner_id, action.competency = owner_id, competency
    _checked(action, today=local_day(now))
    people = _people_of(action, people_ids, by=by, today=local_day(now))
    action.save(update_fields=["kind", "text", "due_on", "owner", "competency"])
    action.people.set(people)
    _note("changed", action, ticket=ticket, by=by, now=now)
    if action.owner_id != former:
        _tell_owner(Action.objects.get(pk=action.pk), by=by, now=now)
    return action


@transaction.atomic
def complete_action(
    *, action_id: int, outcome: str, effective_on: date, by: Principal, now: datetime
) -> Action:
    """Say what was done, and from which day it takes effect; by its owner, or the ticket's.

    Never from a day before the plan was approved: an effect is promised before its action, and the
    day decides which periods are compared.
    """
    action = _found(action_id, by)
    ticket = locked(action.ticket_id, revision=None, by=system_principal())
    if by.user is None or by.user.pk not in (action.owner_id, ticket.owner_id):
        _require_planner(ticket, by)
    _open_in(action, ticket, states=(State.DO,))
    if effective_on > local_day(now):
        raise _wrong("effective_on", _("This day is still to come."))
    if effective_on < local_day(ticket.moved_at):
        # It came to Do when its plan was approved, and has not moved since.
        raise _wrong("effective_on", _("The plan was approved after this day."))
    action.effective_on = effective_on
    _end(action, Action.State.DONE, outcome, "outcome", by=by, now=now)
    _note("done", action, ticket=ticket, by=by, now=now)
    return action


@transaction.atomic
def cancel_action(*, action_id: int, reason: str, by: Principal, now: datetime) -> Action:
    """Say that an action is not done after all, and why; by who plans."""
    action = _found(action_id, by)
    ticket = _planned_by(action.ticket_id, by, states=(State.PLAN, State.DO))
    _open_in(action, ticket, states=(State.PLAN, State.DO))
    _end(action, Action.State.CANCELLED, reason, "reason", by=by, now=now)
    _note("cancelled", action, ticket=ticket, by=by, now=now)
    return action


def cancel_open_actions(*, ticket: Ticket, reason: str, by: Principal, now: datetime) -> int:
    """Cancel what is still to do because the ticket ends; return how many. The caller holds the
    ticket and has checked who may end it."""
    rows = list(Action.objects.open().filter(ticket=ticket).order_by("id"))
    for action in rows:
        _end(action, Action.State.CANCELLED, reason, "reason", by=by, now=now)
    return len(rows)


def _end(
    action: Action, state: Action.State, text: str, field: str, *, by: Principal, now: datetime
) -> None:
    said = text.strip()
    if not said:
        raise _wrong(field, _("Write something here."))
    if len(said) > 1000:
        raise _wrong(field, _("Write at most %(most)d characters.") % {"most": 1000})
    action.state, action.outcome = state, said
    action.ended_at, action.ended_by = now, by.user
    action.save(update_fields=["state", "outcome", "effective_on", "ended_at", "ended_by"])


# ---- Training ------------------------------------------------------------------------------------
def request_training(*, ticket: Ticket, now: datetime) -> int:
    """Ask for the training that the open actions of this cycle name, each once; return for how
    many. The caller holds the ticket, which is in Do."""
    waiting = Action.objects.open().filter(
        ticket=ticket, cycle=ticket.cycle, kind=Action.Kind.TRAINING, to_train__isnull=True
    )
    asked = 0
    for action in waiting.exclude(competency="").order_by("id"):
        people = tuple(action.people.order_by("pk").values_list("pk", flat=True))
        if not people:
            continue
        action.trained, action.to_train = 0, len(people)
        action.save(update_fields=["trained", "to_train"])
        publish(
            TrainingRequested(
                reference=f"{REFERENCE}{action.pk}",
                staff_ids=people,
                competency=action.competency,
                text=f"{ticket.reference}: {action.text}",
            ),
            now=now,
        )
        asked += 1
    return asked


@transaction.atomic
def note_training(*, reference: str, done: int, of: int) -> bool:
    """Note how far the training that an action asked for has come; False when it is of no action.
    What is done stays done, in whatever order it is heard."""
    number = reference.removeprefix(REFERENCE)
    if number == reference or not number.isdecimal():
        return False
    action = Action.objects.select_for_update(of=("self",)).filter(pk=int(number)).first()
    if action is None:
        return False
    action.trained, action.to_train = max(action.trained or 0, done), of
    action.save(update_fields=["trained", "to_train"])
    return True


def _people_of(
    action: Action, people_ids: Sequence[int], *, by: Principal, today: date
) -> list[Staff]:
    """Return who is to be trained. raises: InvalidInput naming the field"""
    if action.kind != Action.Kind.TRAINING:
        if action.competency or people_ids:
            raise _wrong("kind", _("Only training names a competency and people."))
        return []
    if not action.competency and not people_ids:
        return []
    if action.competency not in trainable_subjects():
        raise _wrong("competency", _("Choose what they are to be trained in."))
    wanted = set(people_ids)
    people = [each for each in trainable_people(action.ticket, by, on=today) if each.pk in wanted]
    if not wanted or len(people) != len(wanted):
        raise _wrong("people_ids", _("Choose people who work at the unit of the ticket."))
    return people


# ---- Who may -------------------------------------------------------------------------------------
def _found(action_id: int, by: Principal) -> Action:
    """Return an action that the asker sees, locked together with its ticket."""
    seen = Action.objects.visible_to(by).filter(pk=action_id).first()
    if seen is None:
        raise NotFound(_("There is no such action."))
    # First the ticket, as everywhere: two who lock in another order would wait for each other.
    locked(seen.ticket_id, revision=None, by=system_principal())
    return Action.objects.select_for_update(of=("self",)).get(pk=action_id)


def _planned_by(ticket_id: int, by: Principal, *, states: tuple[State, ...]) -> Ticket:
    ticket = locked(ticket_id, revision=None, by=by)
    _require_planner(ticket, by)
    if ticket.state not in states:
        raise Conflict(_refused(ticket))
    return ticket


def _require_planner(ticket: Ticket, by: Principal) -> None:
    is_owner = by.user is not None and ticket.owner_id == by.user.pk
    if by.user is None or not (is_owner or by.may(Permission.RUN_TICKETS, unit_id=ticket.unit_id)):
        raise NotPermitted(_("The owner does this, or who may run tickets of the unit."))


def _open_in(action: Action, ticket: Ticket, *, states: tuple[State, ...]) -> None:
    if ticket.state not in states:
        raise Conflict(_refused(ticket))
    if action.state != Action.State.OPEN or action.cycle != ticket.cycle:
        raise Conflict(_("This action is over already."))


def _refused(ticket: Ticket) -> str:
    state = State(ticket.state)
    if state in (State.REVIEW, State.DO):
        return _("The plan is locked; its actions change no more.")
    return _("This cannot be done while a ticket is in the state “%(state)s”.") % {
        "state": state.label
    }


def _checked(action: Action, *, today: date) -> None:
    """raises: InvalidInput naming each field that is wrong"""
    problems = []
    try:
        given = {"kind", "text", "due_on"}
        action.clean_fields(exclude={each.name for each in Action._meta.fields} - given)
    except ValidationError as error:
        problems += [
            Problem(reason, field=name)
            for name, reasons in error.message_dict.items()
            for reason in reasons
        ]
    if not User.objects.filter(pk=action.owner_id, is_active=True).exists():
        problems.append(Problem(_("There is no such person."), field="owner_id"))
    if action.due_on < today:
        problems.append(Problem(_("This day is over already."), field="due_on"))
    if problems:
        raise InvalidInput(_("Some fields are wrong."), problems=problems)


def _wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput(reason, problems=[Problem(reason, field=field)])


def _note(act: str, action: Action, *, ticket: Ticket, by: Principal, now: datetime) -> None:
    """Write it into the history of the ticket, and into the ledger."""
    move(
        ticket=ticket,
        to=State(ticket.state),
        action=f"action-{act}",
        by=by,
        now=now,
        note=action.text,
    )
    record(
        action=f"action.{act}",
        subject=f"action:{action.pk}",
        by=by,
        now=now,
        details={
            "ticket": action.ticket_id,
            "cycle": action.cycle,
            "state": ticket.state,
            "owner": action.owner_id,
            "due_on": action.due_on.isoformat(),
        },
    )


# ---- Telling -------------------------------------------------------------------------------------
def _tell_owner(action: Action, *, by: Principal, now: datetime) -> None:
    """Tell who has to do it, once a person; nobody of what they gave to themselves."""
    if by.user is not None and by.user.pk == action.owner_id:
        return
    notify(
        readers=[action.owner],
        key=f"action-assigned:{action.pk}",
        title=in_all_languages(
            gettext_lazy("You have an action: %(action)s"), action=_as_said(action.text)
        ),
        body=in_all_languages(
            gettext_lazy("%(ticket)s. It is due on %(day)s."),
            ticket=_as_said(str(action.ticket)),
            day=_as_said(action.due_on.isoformat()),
        ),
        reason=in_all_languages(gettext_lazy("It was given to you.")),
        link=reverse("improvement:ticket", args=[action.ticket_id]),
        now=now,
    )


def tell_of_overdue(*, now: datetime) -> int:
    """Tell the owners of overdue actions, and of their tickets, once an action and due date; return
    how many people were told."""
    told = 0
    for action in overdue(on=local_day(now)):
        for reader, reason in _those_who_wait(action):
            told += notify(
                readers=[reader],
                key=f"action-overdue:{action.pk}:{action.due_on.isoformat()}",
                title=in_all_languages(
                    gettext_lazy("Overdue: %(action)s"), action=_as_said(action.text)
                ),
                body=in_all_languages(
                    gettext_lazy("%(ticket)s. It was due on %(day)s."),
                    ticket=_as_said(str(action.ticket)),
                    day=_as_said(action.due_on.isoformat()),
                ),
                reason=reason,
                link=reverse("improvement:ticket", args=[action.ticket_id]),
                now=now,
            )
    return told


def _those_who_wait(action: Action) -> list[tuple[User, TranslatedText]]:
    mine = in_all_languages(gettext_lazy("You have to do it."))
    found = [(action.owner, mine)]
    owner = action.ticket.owner
    if owner is not None and owner.pk != action.owner_id:
        found.append((owner, in_all_languages(gettext_lazy("You own the ticket."))))
    return found


def _as_said(text: str) -> TranslatedText:
    """What a person wrote, in whatever language."""
    return {"en": text}
