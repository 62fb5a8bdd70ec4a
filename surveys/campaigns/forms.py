"""Forms about campaigns."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from sqcore.base.forms import DayField
from sqcore.base.text import in_language
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.org.models import Channel, Unit
from surveys.campaigns.models import Campaign
from surveys.instruments.queries import is_one_unjudged, usable_versions

NAME_LANGUAGES = [code for code, _name in settings.LANGUAGES]

MODES = [
    (
        Campaign.Mode.ANONYMOUS,
        _("Anonymous: only the day is kept. Nobody can find out who answered, or when."),
    ),
    (
        Campaign.Mode.CONFIDENTIAL,
        _("Confidential: the time of sending is kept; answers are shown only in groups."),
    ),
    (
        Campaign.Mode.IDENTIFIED,
        _("With name: answers come in by REST or from a file and say which visit they are of."),
    ),
]


class VersionField(forms.ModelChoiceField):  # type: ignore[type-arg]  # Django's is not generic at run time
    def label_from_instance(self, obj: Any) -> str:
        return f"{in_language(obj.instrument.name)} ({obj.number})"


class PlacesField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # as above
    def __init__(self, **over: Any) -> None:
        super().__init__(
            Unit.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, **over
        )


class PlacesForm(forms.Form):
    """Where a survey is answered: a link for each chosen unit and channel."""

    everywhere = forms.BooleanField(label=_("Every unit in the list"), required=False)
    units = PlacesField(label=_("Units"))
    channels = PlacesField(
        label=_("Channels"),
        help_text=_("Without a channel, a unit gets one link whatever the channel."),
    )

    def __init__(self, *args: Any, by: Principal, today: date, **over: Any) -> None:
        super().__init__(*args, **over)
        self.fields["units"].queryset = places_for(by, today)  # type: ignore[attr-defined]  # a model field
        self.fields["channels"].queryset = Channel.objects.order_by("position", "id")  # type: ignore[attr-defined]  # as above

    @property
    def has_units(self) -> bool:
        """False while there is nothing that a link could be about."""
        return bool(self.fields["units"].queryset.exists())  # type: ignore[attr-defined]  # as above

    def places(self) -> dict[str, Any]:
        """Return what the service wants to know about places."""
        cleaned = self.cleaned_data
        units = self.fields["units"].queryset if cleaned["everywhere"] else cleaned["units"]  # type: ignore[attr-defined]  # as above
        return {"units": list(units), "channels": list(cleaned["channels"])}


class CampaignForm(PlacesForm):
    """A new campaign."""

    version = VersionField(
        usable_versions(), label=_("Questionnaire"), empty_label=_("Choose a questionnaire")
    )
    mode = forms.ChoiceField(
        label=_("Privacy"),
        choices=MODES,
        initial=Campaign.Mode.ANONYMOUS,
        widget=forms.RadioSelect,
        help_text=_("It is printed on the form and stays as it is from the first answer on."),
    )
    opens_on = DayField(
        label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last_on = DayField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Leave it out for a survey that goes on until you close it."),
    )
    open_now = forms.BooleanField(
        label=_("Open it at once: the links take answers from the first day on"),
        required=False,
        initial=True,
    )
    judge = forms.BooleanField(
        label=_("Evaluate these answers"),
        required=False,
        initial=True,
        help_text=_("Makes an indicator system with equal weights; change it later in Set-up."),
    )
    field_order = [
        "version",
        "mode",
        "opens_on",
        "last_on",
        "everywhere",
        "units",
        "channels",
        "open_now",
        "judge",
    ]

    def __init__(self, *args: Any, by: Principal, today: date, **over: Any) -> None:
        super().__init__(*args, by=by, today=today, **over)
        self.fields["opens_on"].initial = today
        if not by.may(Permission.MANAGE_INDICATORS) or not is_one_unjudged():
            del self.fields["judge"]
        names = {
            f"name_{code}": forms.CharField(
                label=_("Name, in %(language)s") % {"language": name},
                max_length=100,
                required=False,
                help_text=_("Respondents see it. One language is enough.") if at == 0 else "",
            )
            for at, (code, name) in enumerate(settings.LANGUAGES)
        }
        self.fields = names | self.fields

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        name = {code: cleaned.get(f"name_{code}", "") for code in NAME_LANGUAGES}
        cleaned["name"] = {code: text for code, text in name.items() if text}
        if not cleaned["name"]:
            self.add_error(f"name_{NAME_LANGUAGES[0]}", _("Give a name in at least one language."))
        opens_on, last_on = cleaned.get("opens_on"), cleaned.get("last_on")
        if opens_on and last_on and last_on < opens_on:
            self.add_error("last_on", _("The last day is before the first."))
        return cleaned

    def campaign(self) -> dict[str, Any]:
        """Return what the service wants to know."""
        cleaned = self.cleaned_data
        last_on = cleaned["last_on"]
        return {
            "name": cleaned["name"],
            "version": cleaned["version"],
            "mode": Campaign.Mode(cleaned["mode"]),
            "opens_on": cleaned["opens_on"],
            "closes_on": last_on + timedelta(days=1) if last_on else None,
            "open_now": cleaned["open_now"],
            "judge": cleaned.get("judge", False),
            **self.places(),
        }


def places_for(by: Principal, today: date) -> QuerySet[Unit]:
    """Return the units that who asks may put a survey up at."""
    return Unit.objects.visible_to(by, Permission.MANAGE_SURVEYS).open_on(today).order_by("code")
