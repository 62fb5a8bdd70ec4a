"""Forms of the cycle: what a person is asked before a ticket moves, and the filters of the board.

Every form on a ticket carries the `revision` that the person saw and the last `step` of its
history, so that a conflict can show what happened since.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from improvement.actions.models import Action
from improvement.cycle.board import Asked
from improvement.diagnosis.models import Finding
from improvement.tickets.models import Severity, Ticket
from improvement.verification.models import Verdict
from sqcore.base.forms import DayField
from sqcore.base.periods import Grain

Choices = Sequence[tuple[Any, Any]]
REJECTIONS = (
    Ticket.EndReason.FALSE_ALARM,
    Ticket.EndReason.KNOWN,
    Ticket.EndReason.NOT_OURS,
    Ticket.EndReason.TOO_SMALL,
    Ticket.EndReason.OTHER,
)
MEASURES = ("", "_2", "_3")
"""The endings of the fields of one balancing measure after the other."""


def _day(label: Any, **options: Any) -> DayField:
    return DayField(
        label=label, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"), **options
    )


def _long(label: Any, *, most: int = 2000, rows: int = 3, **options: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=most, widget=forms.Textarea({"rows": rows}), **options
    )


class TicketForm(forms.Form):
    """The base of all: which state of the ticket the person saw."""

    revision = forms.IntegerField(widget=forms.HiddenInput, required=False)
    step = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, offers: Mapping[str, Choices] | None = None, **kw: Any) -> None:
        """offers: the choices of fields that depend on the ticket, by their name."""
        super().__init__(*args, **kw)
        for name, choices in (offers or {}).items():
            field = self.fields.get(name)
            if isinstance(field, forms.ChoiceField):
                has_none = not field.required and not isinstance(field, forms.MultipleChoiceField)
                field.choices = [*([("", "–")] if has_none else []), *choices]

    @property
    def asked(self) -> dict[str, Any]:
        """What the person gave, without what the page carried along."""
        return {k: v for k, v in self.cleaned_data.items() if k not in ("revision", "step")}


class AcceptForm(TicketForm):
    owner_id = forms.TypedChoiceField(label=_("Owner"), coerce=int, choices=())
    severity = forms.TypedChoiceField(
        label=_("Severity"), coerce=int, choices=Severity.choices, initial=Severity.S3
    )
    customers_affected = forms.IntegerField(
        label=_("Customers affected, about"), min_value=0, max_value=10**9, required=False
    )
    containment = _long(
        _("Containment"),
        required=False,
        rows=2,
        help_text=_("What protects customers at once, before anybody knows the cause."),
    )
    contained_on = _day(_("Contained on"), required=False)
    is_containment_waived = forms.BooleanField(
        label=_("Nothing has to be contained; the reason stands above"), required=False
    )


class RejectForm(TicketForm):
    reason = forms.ChoiceField(label=_("Reason"), choices=[(r.value, r.label) for r in REJECTIONS])
    note = _long(_("In your words"), most=1000, required=False, rows=2)


class DuplicateForm(TicketForm):
    of_id = forms.CharField(
        label=_("The same as"), max_length=12, help_text=_("The reference of the other: T-12.")
    )

    def clean_of_id(self) -> int:
        given = str(self.cleaned_data["of_id"]).strip().upper().removeprefix("T-")
        if not (given.isascii() and given.isdecimal()) or len(given) > 9:
            raise forms.ValidationError(_("Write the reference of a ticket, such as T-12."))
        return int(given)


class SnoozeForm(TicketForm):
    until = _day(_("Until"), help_text=_("It comes back to the intake on this day."))


class ProblemForm(TicketForm):
    problem = _long(
        _("Problem statement"),
        most=5000,
        rows=4,
        help_text=_("What happens, where, since when, how much: not why, and not who."),
    )
    similar = _long(
        _("Similar elsewhere"),
        required=False,
        rows=2,
        help_text=_("Could the same happen at other units or services? Say what you found."),
    )


class ContainForm(TicketForm):
    containment = _long(_("Containment"), rows=2)
    contained_on = _day(_("Contained on"), required=False)
    is_containment_waived = forms.BooleanField(
        label=_("Nothing has to be contained; the reason stands above"), required=False
    )


class NothingForm(TicketForm):
    """For what needs no words."""


class CommentForm(TicketForm):
    comment = _long(_("Comment"), required=False, rows=2)


class ReturnForm(TicketForm):
    comment = _long(_("What has to change"), rows=2)


class ReasonForm(TicketForm):
    reason = _long(_("Reason"), most=500, rows=2)


class LessonForm(TicketForm):
    lesson = _long(_("Lesson"), most=5000, help_text=_("What others should know who try the same."))


class StandardForm(TicketForm):
    code = forms.SlugField(
        label=_("Code"),
        max_length=50,
        help_text=_("Short; the code of a standard that is there makes its next version."),
    )
    title = forms.CharField(label=_("Title"), max_length=200)
    text = _long(
        _("How it is done from now on"), most=20000, rows=8, help_text=_("What to do, and when.")
    )
    valid_from = _day(_("Valid from"))
    rebase = forms.BooleanField(
        label=_("Propose new limits for the chart, from the periods since the action"),
        required=False,
    )


class SmallForm(TicketForm):
    text = forms.CharField(label=_("Action"), max_length=500)
    owner_id = forms.TypedChoiceField(label=_("Who does it"), coerce=int, choices=())
    due_on = _day(_("Due"))


class FindingForm(TicketForm):
    kind = forms.ChoiceField(label=_("Kind"), choices=Finding.Kind.choices)
    text = forms.CharField(label=_("Cause"), max_length=500)
    parent_id = forms.TypedChoiceField(
        label=_("It answers the why of"), coerce=int, empty_value=None, required=False, choices=()
    )
    cause = forms.ChoiceField(
        label=_("Kind of cause"),
        required=False,
        choices=(),
        help_text=_("The branch of the fishbone."),
    )
    evidence = _long(
        _("Evidence"),
        most=1000,
        rows=2,
        required=False,
        help_text=_("What shows that it is so: numbers, observations, who was asked."),
    )
    is_root = forms.BooleanField(label=_("It is a root cause"), required=False)


class RemoveForm(TicketForm):
    item = forms.IntegerField(widget=forms.HiddenInput)


class ActionForm(TicketForm):
    text = forms.CharField(label=_("Action"), max_length=500)
    kind = forms.ChoiceField(label=_("Kind"), choices=Action.Kind.choices)
    owner_id = forms.TypedChoiceField(label=_("Owner"), coerce=int, choices=())
    due_on = _day(_("Due"))
    competency = forms.ChoiceField(
        label=_("Training in"),
        choices=(),
        required=False,
        help_text=_("For training: a need opens for each person once the plan is approved."),
    )
    people_ids = forms.TypedMultipleChoiceField(
        label=_("Who is to be trained"),
        coerce=int,
        choices=(),
        required=False,
        help_text=_("People at the unit of the ticket whom you may see."),
    )


class ChangeActionForm(ActionForm):
    item = forms.IntegerField(widget=forms.HiddenInput)


class DoneForm(RemoveForm):
    outcome = _long(_("What was done"), most=1000, rows=2)
    effective_on = _day(
        _("Takes effect on"), help_text=_("Periods before this day say nothing about it.")
    )


class CancelActionForm(RemoveForm):
    reason = _long(_("Reason"), most=1000, rows=2)


class EffectForm(TicketForm):
    """The promised effect. The button `look` shows what can be seen by when, and keeps nothing."""

    code = forms.ChoiceField(label=_("Indicator"), choices=())
    grain = forms.ChoiceField(
        label=_("Periods"), choices=[(g.value, g.label) for g in (Grain.WEEK, Grain.MONTH)]
    )
    minimum = forms.FloatField(
        label=_("Better by at least"),
        help_text=_("In the unit behind its name. Less than this is not worth the effort."),
    )
    starts_on = _day(_("Action planned for"))
    washout = forms.IntegerField(
        label=_("Periods left out after it"), min_value=0, max_value=26, initial=1
    )
    wished_on = _day(
        _("Check not before"),
        required=False,
        help_text=_("Empty: as soon as the gain can be seen. Never earlier than that."),
    )
    balancing_code = forms.ChoiceField(
        label=_("What must not get worse"),
        choices=(),
        help_text=_("A number that could suffer for the gain."),
    )
    balancing_margin = forms.FloatField(
        label=_("At most worse by"), min_value=0, initial=0, help_text=_("In its unit.")
    )
    balancing_code_2 = forms.ChoiceField(
        label=_("A second one that must not get worse"), choices=(), required=False
    )
    balancing_margin_2 = forms.FloatField(
        label=_("The second at most worse by"), min_value=0, initial=0, required=False
    )
    balancing_code_3 = forms.ChoiceField(
        label=_("A third one that must not get worse"), choices=(), required=False
    )
    balancing_margin_3 = forms.FloatField(
        label=_("The third at most worse by"), min_value=0, initial=0, required=False
    )
    is_extendable = forms.BooleanField(
        label=_("The check may be extended once"),
        required=False,
        help_text=_("Then there are two looks, each judged more strictly (97.5 %)."),
    )

    @property
    def promise(self) -> dict[str, Any]:
        """What is computed from, as it was typed, without the balancing measures."""
        names = ("code", "grain", "minimum", "starts_on", "washout", "wished_on", "is_extendable")
        given = {name: self.cleaned_data[name] for name in names}
        return {**given, "grain": Grain(given["grain"])}

    @property
    def balancing(self) -> list[tuple[str, float]]:
        """The balancing measures with their margins, as they were typed."""
        given = [
            (self.cleaned_data[f"balancing_code{at}"], self.cleaned_data[f"balancing_margin{at}"])
            for at in MEASURES
        ]
        return [(code, margin or 0.0) for code, margin in given if code]


class OverrideForm(RemoveForm):
    verdict = forms.ChoiceField(label=_("Verdict"), choices=Verdict.choices)
    reason = _long(_("Reason"), most=1000, rows=2)


class TextForm(TicketForm):
    text = _long(_("Comment"), most=5000, rows=2)


class WatchForm(TicketForm):
    watching = forms.BooleanField(required=False, widget=forms.HiddenInput)


class FileForm(TicketForm):
    file = forms.FileField(
        label=_("File"), help_text=_("A picture, a PDF, a table or a text; 10 MB at the most.")
    )


class ProposeForm(forms.Form):
    """A ticket that a person brings."""

    title = forms.CharField(label=_("What is the problem?"), max_length=200)
    description = _long(_("What happens, where, since when"), most=5000, rows=5, required=False)
    unit = forms.ChoiceField(label=_("Unit"), choices=())
    indicator = forms.ChoiceField(
        label=_("Indicator"),
        choices=(),
        required=False,
        help_text=_("The number that shows it, if there is one: its chart will be on the ticket."),
    )
    grain = forms.ChoiceField(
        label=_("Periods"),
        choices=[(g.value, g.label) for g in (Grain.WEEK, Grain.MONTH)],
        required=False,
    )
    severity = forms.TypedChoiceField(
        label=_("Severity"),
        coerce=int,
        empty_value=None,
        choices=[("", _("Leave it to the unit")), *Severity.choices],
        required=False,
    )

    def __init__(self, *args: Any, units: Choices, indicators: Choices, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.fields["unit"].choices = units  # type: ignore[attr-defined]  # it is a choice field
        self.fields["indicator"].choices = [("", "–"), *indicators]  # type: ignore[attr-defined]  # it is a choice field


class BoardForm(forms.Form):
    """What the board is filtered by; what cannot be meant filters nothing."""

    unit = forms.CharField(max_length=50, required=False)
    indicator = forms.CharField(max_length=80, required=False)
    owner = forms.RegexField("^(me|[0-9]{1,9})$", required=False)
    severity = forms.RegexField("^[1-4]$", required=False)
    text = forms.CharField(max_length=100, required=False)

    def asked(self) -> Asked:
        self.is_valid()
        return Asked(**{name: self.cleaned_data.get(name, "") for name in self.fields})
