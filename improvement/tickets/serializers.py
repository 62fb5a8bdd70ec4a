"""How tickets look over REST. There are no people in them: an owner is there, or is not."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from improvement.tickets.models import Phase, Severity, State, Ticket
from sqcore.base.periods import Grain


class TicketRow(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    reference = serializers.CharField(help_text="What people call it: T-12")
    title = serializers.CharField()
    unit = serializers.CharField(source="unit.code")
    indicator = serializers.CharField(source="code", help_text="Empty where it is about none")
    grain = serializers.ChoiceField([*Grain.choices, ("", "")])
    source = serializers.ChoiceField(Ticket.Source.choices)  # type: ignore[assignment]  # a field of this name
    state = serializers.ChoiceField(State.choices)
    phase = serializers.ChoiceField(Phase.choices, help_text="The column of the board")
    severity = serializers.ChoiceField(
        Severity.choices, allow_null=True, help_text="1 is the gravest; suggested until accepted"
    )
    cycle = serializers.IntegerField(help_text="Plan, do, check and act for the how-manieth time")
    has_owner = serializers.BooleanField(help_text="Somebody took it on")
    is_blocked = serializers.BooleanField()
    is_over_budget = serializers.BooleanField(
        help_text="A proposal behind those that its unit is asked to look at first"
    )
    parent = serializers.IntegerField(source="parent_id", allow_null=True)  # type: ignore[assignment]  # a field of this name
    duplicate_of = serializers.IntegerField(source="duplicate_of_id", allow_null=True)
    recurrence_of = serializers.IntegerField(source="recurrence_of_id", allow_null=True)
    end_reason = serializers.ChoiceField([*Ticket.EndReason.choices, ("", "")])
    proposed_at = serializers.DateTimeField(default_timezone=UTC)
    accepted_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    moved_at = serializers.DateTimeField(default_timezone=UTC, help_text="When its state changed")
    ended_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)


class TicketStepRow(serializers.Serializer[Any]):
    action = serializers.CharField()
    former = serializers.ChoiceField([*State.choices, ("", "")])
    state = serializers.ChoiceField(State.choices)
    cycle = serializers.IntegerField()
    at = serializers.DateTimeField(default_timezone=UTC)


class SignalLink(serializers.Serializer[Any]):
    signal = serializers.IntegerField(source="signal_id")
    unit = serializers.CharField(source="signal.unit.code")
    episode = serializers.IntegerField()
    attached_at = serializers.DateTimeField(default_timezone=UTC)


class TicketDetail(TicketRow):
    description = serializers.CharField()
    problem = serializers.CharField()
    customers_affected = serializers.IntegerField(allow_null=True)
    revision = serializers.IntegerField(help_text="Rises with every change")
    steps = TicketStepRow(many=True, help_text="What was done, in order")
    signals = SignalLink(many=True, help_text="The alarms that belong to it")


class TicketRequest(serializers.Serializer[Any]):
    unit = serializers.CharField(max_length=50, help_text="The code of a unit")
    title = serializers.CharField(max_length=200)
    description = serializers.CharField(
        max_length=5000, required=False, allow_blank=True, default=""
    )
    indicator = serializers.CharField(
        max_length=80,
        required=False,
        allow_blank=True,
        default="",
        help_text="The code of an indicator",
    )
    dedup_key = serializers.CharField(
        max_length=255,
        required=False,
        allow_blank=True,
        default="",
        help_text="Your name for the problem: while a ticket with it is open, that one is "
        "answered. Programs must send one.",
    )


class CommentRequest(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=5000)


class CommentMade(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    ticket = serializers.IntegerField()
    at = serializers.DateTimeField(default_timezone=UTC)
