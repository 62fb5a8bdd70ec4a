"""How campaigns, their questions and responses look over REST; `intake` checks responses."""

from typing import Any

from rest_framework import serializers

from sqcore.base.periods import Grain
from sqcore.org.serializers import TranslatedField
from surveys.campaigns.models import Campaign
from surveys.instruments.models import Item
from surveys.responses.intake import LONGEST_ENCOUNTER, LONGEST_KEY, MOST_AT_ONCE


class CampaignRow(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = TranslatedField()
    instrument = serializers.CharField(source="version.instrument.code")
    version = serializers.IntegerField(source="version.number")
    mode = serializers.ChoiceField(
        Campaign.Mode.choices, help_text="Of an anonymous answer nothing leads back to who gave it"
    )
    state = serializers.ChoiceField(Campaign.State.choices)
    opens_on = serializers.DateField()
    closes_on = serializers.DateField(allow_null=True, help_text="The first day without answers")
    finest_grain = serializers.ChoiceField(Grain.choices)


class ItemRow(serializers.Serializer[Any]):
    """A question. Scale and NPS answers are whole numbers from low to high, or "na"."""

    code = serializers.CharField()
    kind = serializers.ChoiceField(Item.Kind.choices)
    role = serializers.ChoiceField(Item.Role.choices)
    text = TranslatedField()
    low = serializers.IntegerField()
    high = serializers.IntegerField()
    allows_na = serializers.BooleanField()
    options = serializers.ListField(
        child=serializers.CharField(), help_text="The codes that a choice can be answered with"
    )


class CampaignDetail(CampaignRow):
    languages = serializers.ListField(child=serializers.CharField(), source="version.languages")
    items = ItemRow(many=True)


class ResponseIn(serializers.Serializer[Any]):
    unit = serializers.CharField(max_length=50, help_text="Where: a unit, by its code")
    answered_on = serializers.DateField(help_text="The local day of the answer")
    answers = serializers.DictField(
        child=serializers.JSONField(),
        help_text="By question: a whole number, the code of a choice, own words, or “na”",
    )
    channel = serializers.CharField(required=False, max_length=50)
    segment = serializers.CharField(required=False, max_length=50)
    language = serializers.CharField(required=False, max_length=10)
    key = serializers.CharField(
        required=False,
        max_length=LONGEST_KEY,
        help_text="Your own key, taken once a campaign; not in an anonymous one",
    )
    staff = serializers.CharField(
        required=False, max_length=30, help_text="Who served, by number; not in an anonymous one"
    )
    encounter = serializers.CharField(
        required=False,
        max_length=LONGEST_ENCOUNTER,
        help_text="Your key of the service encounter; not in an anonymous one",
    )


class ResponseBatch(serializers.Serializer[Any]):
    responses = ResponseIn(many=True, help_text=f"1 to {MOST_AT_ONCE}; all are taken or none")


class Received(serializers.Serializer[Any]):
    campaign = serializers.CharField()
    accepted = serializers.IntegerField()
    ids = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        help_text="In the order sent; left out for an anonymous campaign",
    )
