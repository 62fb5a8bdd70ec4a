"""The form of a scorecard."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from surveys.churn.models import RiskScorecard
from surveys.churn.signs import SIGNS
from surveys.churn.wording import SIGNS as TITLES

DEFAULT = {
    "unsolved_last": 3, "long_away": 2, "fewer_visits": 2, "detractor": 3, "falling_answers": 2,
}  # fmt: skip


class ScorecardForm(forms.Form):
    """Points for each sign; 0 leaves it out."""

    def __init__(self, *args: Any, before: RiskScorecard | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        points = before.points if before is not None else DEFAULT
        for sign in SIGNS:
            self.fields[sign] = forms.IntegerField(
                label=str(TITLES[sign]), min_value=0, max_value=9, initial=points.get(sign, 0)
            )
        first = RiskScorecard()
        for name, label in (
            ("medium", _("Medium risk from so many points")),
            ("high", _("High risk from so many points")),
            ("horizon_days", _("Has left who does not come for so many days")),
            ("active_days", _("Is a customer who came within so many days")),
        ):
            self.fields[name] = forms.IntegerField(
                label=label, min_value=1, max_value=999, initial=getattr(before or first, name)
            )
        self.fields["reason"] = forms.CharField(label=_("Reason"), max_length=300)

    def scorecard(self) -> dict[str, Any]:
        data = self.cleaned_data
        rest = ("medium", "high", "horizon_days", "active_days", "reason")
        return {
            "points": {sign: data[sign] for sign in SIGNS},
            **{name: data[name] for name in rest},
        }
