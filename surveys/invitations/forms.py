"""The form of a sampling plan."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.forms import DayField
from sqcore.encounters.models import Service
from sqcore.org.models import Channel, Segment, Unit
from surveys.campaigns.models import Campaign
from surveys.invitations.services import NewPlan


def _day(label: Any, **over: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return DayField(label=label, widget=widget, **over)


def _many(label: Any, **over: Any) -> Any:
    return forms.ModelMultipleChoiceField(
        Unit.objects.none(),
        label=label,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        **over,
    )


class PlanForm(forms.Form):
    """What a plan asks for; whether it makes sense the service says."""

    share = forms.DecimalField(
        label=_("Share of the encounters, in percent"),
        max_digits=5,
        decimal_places=2,
        initial=Decimal(15),
        help_text=_("Drawn by chance, the same encounters however often it is drawn."),
    )
    starts_on = _day(_("First day of the encounters"))
    last_on = _day(
        _("Last day of the encounters"),
        required=False,
        help_text=_("Leave it out for a plan that goes on until you end it."),
    )
    below = forms.ModelChoiceField(
        Unit.objects.order_by("code"),
        label=_("Units"),
        required=False,
        empty_label=_("All units"),
        help_text=_("The chosen unit and all below it."),
    )
    channels = _many(_("Channels"), help_text=_("None chosen means all."))
    segments = _many(_("Segments"))
    services = _many(_("Services"))
    least = forms.IntegerField(
        label=_("At least, by unit and week"),
        initial=0,
        help_text=_("Where fewer were drawn, more are invited when the week is over."),
    )
    most = forms.IntegerField(
        label=_("At most, by unit and week"),
        required=False,
        help_text=_("Let out evenly from Monday to Friday. Leave it out for no limit."),
    )
    delay_h = forms.IntegerField(label=_("Hours after the encounter"), initial=2)
    oldest_days = forms.IntegerField(
        label=_("Not after this many days"),
        initial=14,
        help_text=_("Encounters that become known later are not invited any more."),
    )
    valid_days = forms.IntegerField(label=_("Days that a link is valid"), initial=14)
    recontact_days = forms.IntegerField(
        label=_("Days before a customer is asked again"),
        initial=90,
        help_text=_("Counted over all campaigns."),
    )
    with_unknown = forms.BooleanField(
        label=_("Also invite after encounters whose customer is not known"),
        required=False,
        initial=True,
    )

    def __init__(self, *args: Any, campaign: Campaign, today: date, **over: Any) -> None:
        super().__init__(*args, **over)
        self.fields["starts_on"].initial = max(today, campaign.opens_on)
        choices = (
            ("channels", Channel.objects.order_by("position", "id")),
            ("segments", Segment.objects.order_by("position", "id")),
            ("services", Service.objects.order_by("position", "id")),
        )
        for name, rows in choices:
            self.fields[name].queryset = rows  # type: ignore[attr-defined]  # a model field
            if not rows.exists():
                del self.fields[name]

    def plan(self) -> NewPlan:
        """Return what the service wants to know."""
        cleaned = dict(self.cleaned_data)
        last_on = cleaned.pop("last_on")
        for name in ("channels", "segments", "services"):
            cleaned[name] = list(cleaned.get(name) or ())
        return NewPlan(ends_on=last_on + timedelta(days=1) if last_on else None, **cleaned)

    def show(self, problems: Any) -> None:
        """Put what the service found beside the fields."""
        for problem in problems:
            name = "last_on" if problem.field == "ends_on" else problem.field
            self.add_error(name if name in self.fields else None, problem.reason)
