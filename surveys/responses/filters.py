"""By what campaigns can be filtered over REST."""

from django_filters import ChoiceFilter, FilterSet

from surveys.campaigns.models import Campaign


class CampaignFilter(FilterSet):
    state = ChoiceFilter(choices=Campaign.State.choices, help_text="Draft, open or closed")

    class Meta:
        model = Campaign
        fields: list[str] = []
