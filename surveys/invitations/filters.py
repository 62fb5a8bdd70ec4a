"""By what invitations can be filtered over REST."""

from typing import Any

from django.db.models import TextChoices
from django_filters import CharFilter, ChoiceFilter, FilterSet

from sqcore.base.filters import Conditions
from surveys.invitations.models import Invitation


class Waiting(TextChoices):
    YES = "yes", "not handed out yet"
    NO = "no", "handed out"


class WaitingFilter(Conditions, ChoiceFilter):
    def conditions(self, value: Any) -> dict[str, Any]:
        return {"handed_out_on__isnull": value == Waiting.YES}


class InvitationFilter(FilterSet):
    campaign = CharFilter("campaign__code", help_text="Of which campaign; required", max_length=60)
    unit = CharFilter("unit__code", help_text="At this unit alone", max_length=50)
    waiting = WaitingFilter(
        choices=Waiting.choices, help_text="yes: only those that were not handed out yet"
    )

    class Meta:
        model = Invitation
        fields: list[str] = []
