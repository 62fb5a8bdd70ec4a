"""What a person does with a ticket: the form of each verb, and what it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy

from improvement.actions import services as actions
from improvement.cycle import forms, intake, services
from improvement.diagnosis import services as diagnosis
from improvement.tickets.comments import attach_file, comment, set_watching
from improvement.tickets.models import Ticket
from improvement.verification import services as verification
from improvement.verification.planning import places_of
from sqcore.base.periods import Grain
from sqcore.identity.principals import Principal

Run = Callable[[Ticket, Any, Principal, datetime], object]


@dataclass(frozen=True)
class Verb:
    """Something that a person does with a ticket. `place` is the part of the page that its form
    stands in."""

    title: str | Promise
    button: str | Promise
    form: type[forms.TicketForm]
    run: Run
    place: str = "next"
    is_hard: bool = False


def _step(call: Callable[..., object]) -> Run:
    """Run a service of the cycle with what the form asked, at the revision that was seen."""

    def run(ticket: Ticket, form: Any, by: Principal, now: datetime) -> object:
        seen = form.cleaned_data["revision"]
        return call(ticket_id=ticket.pk, revision=seen, by=by, now=now, **form.asked)

    return run


def _on_ticket(call: Callable[..., object]) -> Run:
    """Run a service that asks for no revision."""

    def run(ticket: Ticket, form: Any, by: Principal, now: datetime) -> object:
        return call(ticket_id=ticket.pk, by=by, now=now, **form.asked)

    return run


def _on_item(call: Callable[..., object], name: str) -> Run:
    """Run a service on one of the things of a ticket; `name` is its argument."""

    def run(ticket: Ticket, form: Any, by: Principal, now: datetime) -> object:
        asked = {key: value for key, value in form.asked.items() if key != "item"}
        return call(**{name: form.cleaned_data["item"]}, by=by, now=now, **asked)

    return run


def _promise(ticket: Ticket, form: Any, by: Principal, now: datetime) -> object:
    return verification.save_effect_plan(
        ticket_id=ticket.pk, **promised(ticket, form), balancing=_balancing(ticket, form), by=by,
        now=now,
    )  # fmt: skip


def promised(ticket: Ticket, form: Any) -> dict[str, Any]:
    """Return the promise in the unit of the figures: a share is typed in percent."""
    given = form.promise
    factor = factors_at(ticket, given["grain"]).get(given["code"], 1.0)
    return {**given, "minimum": given["minimum"] / factor}


def _balancing(ticket: Ticket, form: Any) -> list[tuple[str, float]]:
    factors = factors_at(ticket, form.promise["grain"])
    return [(code, margin / factors.get(code, 1.0)) for code, margin in form.balancing]


def factors_at(ticket: Ticket, grain: Grain) -> dict[str, float]:
    """Return by what the figures of each indicator are multiplied where they are shown."""
    return {place.leaf.code: place.scale.factor for place in places_of(ticket, grain)}


def _attach(ticket: Ticket, form: Any, by: Principal, now: datetime) -> object:
    file = form.cleaned_data["file"]
    return attach_file(ticket_id=ticket.pk, name=file.name, chunks=file.chunks(), by=by, now=now)


VERBS: Mapping[str, Verb] = {
    "accept": Verb(lazy("Accept"), lazy("Accept it"), forms.AcceptForm, _step(intake.accept)),
    "reject": Verb(
        lazy("Reject"), lazy("Reject it"), forms.RejectForm, _step(intake.reject), is_hard=True
    ),
    "duplicate": Verb(
        lazy("Mark as a duplicate"),
        lazy("It is the same"),
        forms.DuplicateForm,
        _step(intake.mark_duplicate),
    ),
    "snooze": Verb(lazy("Snooze"), lazy("Snooze it"), forms.SnoozeForm, _step(intake.snooze)),
    "comment": Verb(lazy("Comment"), lazy("Comment"), forms.TextForm, _on_ticket(comment), "talk"),
    "watch": Verb(
        lazy("Watch"), lazy("Watch it"), forms.WatchForm, _on_ticket(set_watching), "talk"
    ),
    "attach": Verb(lazy("Attach a file"), lazy("Attach it"), forms.FileForm, _attach, "talk"),
    "problem": Verb(
        lazy("State the problem"),
        lazy("Keep it"),
        forms.ProblemForm,
        _step(services.state_problem),
        "problem",
    ),
    "contain": Verb(
        lazy("Contain"), lazy("Keep it"), forms.ContainForm, _step(services.contain), "problem"
    ),
    "submit": Verb(
        lazy("Submit the plan"), lazy("Submit"), forms.NothingForm, _step(services.submit_plan)
    ),
    "plan-small": Verb(
        lazy("Plan the small fix"),
        lazy("Start doing"),
        forms.SmallForm,
        _step(services.plan_small),
    ),
    "approve": Verb(
        lazy("Approve the plan"), lazy("Approve"), forms.CommentForm, _step(services.approve_plan)
    ),
    "return": Verb(
        lazy("Return the plan"), lazy("Return"), forms.ReturnForm, _step(services.return_plan)
    ),
    "block": Verb(lazy("Block"), lazy("Block"), forms.ReasonForm, _step(services.block)),
    "unblock": Verb(lazy("Unblock"), lazy("Unblock"), forms.NothingForm, _step(services.unblock)),
    "finish": Verb(
        lazy("Finish doing"), lazy("Finish"), forms.NothingForm, _step(services.finish_doing)
    ),
    "conclude": Verb(
        lazy("Conclude the check"),
        lazy("Conclude"),
        forms.NothingForm,
        _step(services.conclude_check),
    ),
    "standardise": Verb(
        lazy("Write the standard"),
        lazy("Give it to the second person"),
        forms.StandardForm,
        _step(services.standardise),
    ),
    "approve-standard": Verb(
        lazy("Approve the standard"),
        lazy("Approve"),
        forms.CommentForm,
        _step(services.approve_standard),
    ),
    "return-standard": Verb(
        lazy("Return the standard"),
        lazy("Return"),
        forms.ReturnForm,
        _step(services.return_standard),
    ),
    "next-cycle": Verb(
        lazy("Start the next cycle"),
        lazy("Plan anew"),
        forms.LessonForm,
        _step(services.next_cycle),
    ),
    "extend": Verb(
        lazy("Extend the check"), lazy("Extend"), forms.NothingForm, _step(services.extend)
    ),
    "abandon": Verb(
        lazy("Abandon"),
        lazy("Abandon it"),
        forms.LessonForm,
        _step(services.abandon),
        is_hard=True,
    ),
    "cancel": Verb(
        lazy("Cancel the ticket"),
        lazy("Cancel it"),
        forms.ReasonForm,
        _step(services.cancel),
        is_hard=True,
    ),
    "find": Verb(
        lazy("Add a cause"),
        lazy("Add it"),
        forms.FindingForm,
        _on_ticket(diagnosis.add_finding),
        "causes",
    ),
    "remove-finding": Verb(
        lazy("Remove the cause"),
        lazy("Remove it"),
        forms.RemoveForm,
        _on_item(diagnosis.remove_finding, "finding_id"),
        "causes",
    ),
    "add-action": Verb(
        lazy("Add an action"),
        lazy("Add it"),
        forms.ActionForm,
        _on_ticket(actions.add_action),
        "actions",
    ),
    "change-action": Verb(
        lazy("Change the action"),
        lazy("Keep it"),
        forms.ChangeActionForm,
        _on_item(actions.change_action, "action_id"),
        "actions",
    ),
    "complete-action": Verb(
        lazy("The action is done"),
        lazy("It is done"),
        forms.DoneForm,
        _on_item(actions.complete_action, "action_id"),
        "actions",
    ),
    "cancel-action": Verb(
        lazy("Cancel the action"),
        lazy("Cancel the action"),
        forms.CancelActionForm,
        _on_item(actions.cancel_action, "action_id"),
        "actions",
        is_hard=True,
    ),
    "promise": Verb(
        lazy("Promise an effect"), lazy("Keep the promise"), forms.EffectForm, _promise, "effect"
    ),
    "check": Verb(
        lazy("Look at the effect"),
        lazy("Look at the effect"),
        forms.NothingForm,
        _on_ticket(verification.check_effect),
        "effect",
    ),
    "confirm": Verb(
        lazy("Confirm the verdict"),
        lazy("Confirm"),
        forms.RemoveForm,
        _on_item(verification.confirm_effect, "check_id"),
        "effect",
    ),
    "override": Verb(
        lazy("Ask for another verdict"),
        lazy("Ask for it"),
        forms.OverrideForm,
        _on_item(verification.override_effect, "check_id"),
        "effect",
        is_hard=True,
    ),
    "withdraw-override": Verb(
        lazy("Take the other verdict away"),
        lazy("Take it away"),
        forms.RemoveForm,
        _on_item(verification.withdraw_override, "check_id"),
        "effect",
    ),
}
