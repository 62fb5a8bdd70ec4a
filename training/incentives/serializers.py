"""How awards look over REST. Results of people are not in them."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from sqcore.base.periods import Grain
from training.incentives.models import Decision, Proposal, Scheme


class SchemeVersionRow(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    valid_from = serializers.DateField(allow_null=True)
    published_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    rules = serializers.JSONField(help_text="As written: rule and parameters")


class SchemeRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.DictField(child=serializers.CharField(), help_text="By language")
    kind = serializers.ChoiceField(Scheme.Kind.choices)
    grain = serializers.ChoiceField(Grain.choices)
    currency = serializers.CharField(help_text="Empty where no money is in it")
    budget = serializers.IntegerField(allow_null=True, help_text="Of a period, in minor units")
    state = serializers.ChoiceField(Scheme.State.choices)
    versions = SchemeVersionRow(many=True, help_text="The newest first")


class ProposalRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    scheme = serializers.CharField(source="scheme.code")
    staff = serializers.CharField(source="staff.number", help_text="The staff number")
    unit = serializers.CharField(source="unit.code")
    period = serializers.DateField(source="period_start", help_text="Its first day")
    amount = serializers.IntegerField(help_text="In minor units")
    currency = serializers.CharField(source="scheme.currency")
    state = serializers.ChoiceField(Proposal.State.choices)
    proposed_at = serializers.DateTimeField(default_timezone=UTC)
    changed_at = serializers.DateTimeField(default_timezone=UTC)


class LedgerRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    key = serializers.CharField(help_text="Its natural key; it never changes")
    scheme = serializers.CharField(source="scheme.code")
    staff = serializers.CharField(source="staff.number", help_text="The staff number")
    unit = serializers.CharField(source="unit.code")
    period = serializers.DateField(source="period_start")
    amount = serializers.IntegerField(help_text="In minor units; below 0 what is taken back")
    currency = serializers.CharField()
    title = serializers.DictField(child=serializers.CharField(), help_text="By language")
    reverses = serializers.CharField(
        source="reverses.key", allow_null=True, default=None, help_text="The entry it takes back"
    )
    entered_at = serializers.DateTimeField(default_timezone=UTC)


class BatchRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    number = serializers.IntegerField()
    through = serializers.DateField()
    currency = serializers.CharField()
    total = serializers.IntegerField(help_text="In minor units")
    people = serializers.IntegerField()
    content_hash = serializers.CharField(help_text="SHA-256 of its lines")
    frozen_at = serializers.DateTimeField(default_timezone=UTC)


class DecisionRequest(serializers.Serializer[Any]):
    agrees = serializers.BooleanField(help_text="False declines")
    reason = serializers.CharField(max_length=Decision._meta.get_field("reason").max_length or 1000)


class DecisionMade(serializers.Serializer[Any]):
    proposal = serializers.IntegerField()
    state = serializers.ChoiceField(Proposal.State.choices)
    entry = serializers.CharField(allow_null=True, help_text="The key of the ledger's entry")
