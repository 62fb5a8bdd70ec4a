"""How steps of a ticket and checks of its effect look over REST."""

from datetime import UTC
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from improvement.tickets.models import Severity, State, Ticket
from improvement.verification.another import AnotherLook, another_look
from improvement.verification.models import EffectCheck, Verdict
from improvement.verification.wording import another_said
from sqcore.base.periods import Grain
from sqcore.stats.results import MethodStatus


class StepRequest(serializers.Serializer[Any]):
    """What is said with a step. `revision` is the one of the ticket that you saw; of the others
    each step takes its own."""

    revision = serializers.IntegerField(min_value=1)
    # accept
    severity = serializers.ChoiceField(Severity.choices, required=False)
    customers_affected = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    # accept, contain
    containment = serializers.CharField(required=False, allow_blank=True)
    contained_on = serializers.DateField(required=False, allow_null=True)
    is_containment_waived = serializers.BooleanField(required=False)
    # accept, plan-small: the id of a person
    owner_id = serializers.IntegerField(min_value=1, required=False)
    # duplicate: the id of the other ticket
    of_id = serializers.IntegerField(min_value=1, required=False)
    # snooze
    until = serializers.DateField(required=False)
    # reject (one of the reasons to reject), block, cancel (in your words)
    reason = serializers.CharField(required=False)
    note = serializers.CharField(required=False, allow_blank=True)
    # problem
    problem = serializers.CharField(required=False)
    similar = serializers.CharField(required=False, allow_blank=True)
    # plan-small, standardise
    text = serializers.CharField(required=False)
    due_on = serializers.DateField(required=False)
    # approve, return, approve-standard, return-standard
    comment = serializers.CharField(required=False, allow_blank=True)
    # next-cycle, abandon
    lesson = serializers.CharField(required=False)
    # standardise
    code = serializers.SlugField(max_length=50, required=False)
    title = serializers.CharField(required=False)
    valid_from = serializers.DateField(required=False)
    rebase = serializers.BooleanField(required=False)


class StepTaken(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    reference = serializers.CharField()
    state = serializers.ChoiceField(State.choices)
    cycle = serializers.IntegerField()
    revision = serializers.IntegerField(help_text="Name it with the next step")


class AnotherLookRow(serializers.Serializer[Any]):
    """An interrupted series beside the verdict of an indicator that counts something: it knows of
    trend and season, and changes no verdict. A status other than `ok` has no ratio; `said` says
    why."""

    status = serializers.ChoiceField([status.value for status in MethodStatus])
    said = serializers.SerializerMethodField()
    ratio = serializers.FloatField(
        allow_null=True, help_text="By how much the action multiplied the rate"
    )
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    confidence = serializers.FloatField()
    counted = serializers.FloatField(allow_null=True, help_text="After the action")
    expected = serializers.FloatField(
        allow_null=True, help_text="By trend and season alone, had nothing been done"
    )
    is_rest = serializers.BooleanField(
        help_text="Counted are those of which the share does not hold, as they are the fewer"
    )
    n_before = serializers.IntegerField(help_text="Periods with figures")
    n_after = serializers.IntegerField()
    harmonics = serializers.IntegerField()
    dispersion = serializers.FloatField(allow_null=True)
    phi = serializers.FloatField(allow_null=True)
    memory_p = serializers.FloatField(
        allow_null=True, help_text="Ljung-Box: a small one says that the interval may be too short"
    )

    def get_said(self, look: AnotherLook) -> str:
        return " ".join(another_said(look))


class CheckRow(serializers.ModelSerializer[EffectCheck]):
    """One look at the effect of a ticket. Only a final one has a verdict; it counts once it is
    confirmed."""

    cycle = serializers.IntegerField(source="plan.cycle")
    unit = serializers.CharField(source="plan.unit.code")
    code = serializers.CharField(source="plan.code", help_text="The indicator")
    grain = serializers.ChoiceField(Grain.choices, source="plan.grain")
    better = serializers.IntegerField(source="plan.better", help_text="1: higher; -1: lower")
    minimum = serializers.FloatField(source="plan.minimum", help_text="What was promised")
    check_on = serializers.DateField(source="plan.check_on")
    checked_at = serializers.DateTimeField(default_timezone=UTC)
    verdict = serializers.ChoiceField(Verdict.choices, allow_blank=True)
    confirmed_verdict = serializers.ChoiceField(Verdict.choices, allow_blank=True)
    confirmed_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    # Of their own: those of the model say what the database at hand can hold.
    look = serializers.IntegerField()
    n_before = serializers.IntegerField()
    n_after = serializers.IntegerField()
    is_overridden = serializers.SerializerMethodField()
    another_look = serializers.SerializerMethodField()

    class Meta:
        model = EffectCheck
        fields = (
            *("id", "cycle", "unit", "code", "grain", "better", "minimum", "check_on", "look"),
            *("is_interim", "checked_at", "through", "verdict", "reasons", "estimate", "low"),
            *("high", "confidence", "p", "phi", "sigma", "mean_before", "mean_after", "n_before"),
            *("n_after", "smallest_detectable", "is_restored", "grade", "balancing"),
            *("confirmed_verdict", "confirmed_at", "is_overridden", "digest", "another_look"),
        )

    def get_is_overridden(self, check: EffectCheck) -> bool:
        return bool(check.override_verdict)

    @extend_schema_field(AnotherLookRow(allow_null=True))
    def get_another_look(self, check: EffectCheck) -> dict[str, Any] | None:
        look = another_look(check.points)
        return None if look is None else dict(AnotherLookRow(look).data)


FIELDS_OF: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    action: (frozenset(needed.split()), frozenset(also.split()))
    for action, needed, also in (
        (
            "accept",
            "owner_id severity",
            "containment contained_on is_containment_waived customers_affected",
        ),
        ("reject", "reason", "note"),
        ("duplicate", "of_id", ""),
        ("snooze", "until", ""),
        ("problem", "problem", "similar"),
        ("contain", "containment", "contained_on is_containment_waived"),
        ("submit", "", ""),
        ("plan-small", "text owner_id due_on", ""),
        ("approve", "", "comment"),
        ("return", "comment", ""),
        ("block", "reason", ""),
        ("unblock", "", ""),
        ("finish", "", ""),
        ("conclude", "", ""),
        ("standardise", "code title text valid_from", "rebase"),
        ("approve-standard", "", "comment"),
        ("return-standard", "comment", ""),
        ("next-cycle", "lesson", ""),
        ("extend", "", ""),
        ("abandon", "lesson", ""),
        ("cancel", "reason", ""),
    )
}
"""What each step needs, and what it takes beside it."""


def taken(ticket: Ticket) -> dict[str, Any]:
    return dict(StepTaken(ticket).data)
