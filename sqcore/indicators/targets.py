"""What an indicator should reach, from which day on."""

from datetime import date, datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from sqcore.audit.services import record
from sqcore.base.errors import Conflict, InvalidInput, Problem
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.conditions import require_target
from sqcore.indicators.models import Indicator, Target


@transaction.atomic
def set_target(
    *,
    indicator: Indicator,
    value: float,
    floor: float | None,
    on: date,
    by: Principal,
    now: datetime,
    until: date | None = None,
) -> Target:
    """Say what an indicator should reach from a day on. A target that is open until then ends on
    that day, when the new one is open too.

    raises: InvalidInput when the target cannot be, or the floor is better than it; Conflict when
    another target holds on one of its days
    """
    by.require(Permission.MANAGE_INDICATORS)
    Indicator.objects.select_for_update().get(pk=indicator.pk)
    require_target(indicator, value, floor)
    if until is not None and until <= on:
        reason = _("The last day is before the first.")
        raise InvalidInput(reason, problems=[Problem(reason, field="until")])
    targets = Target.objects.filter(indicator=indicator)
    if until is None:
        targets.filter(valid_to__isnull=True, valid_from__lt=on).update(valid_to=on)
    others = targets.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=on))
    if until is not None:
        others = others.filter(valid_from__lt=until)
    if other := others.order_by("valid_from").first():
        message = _("There is a target of %(value)s from %(day)s on; end it first.") % {
            "value": f"{other.value:g}",
            "day": other.valid_from.isoformat(),
        }
        raise Conflict(message, problems=[Problem(message, field="on")])
    target = Target.objects.create(
        indicator=indicator, value=value, floor=floor, valid_from=on, valid_to=until
    )
    record(
        action="indicator.target_set",
        subject=f"indicator:{indicator.pk}",
        by=by,
        now=now,
        details={"code": indicator.code, "value": value, "floor": floor, "from": on.isoformat()},
    )
    return target


@transaction.atomic
def end_target(*, target: Target, on: date, by: Principal, now: datetime) -> None:
    """Let a target end: it holds no more on this day. On its first day or before it is withdrawn.

    raises: Conflict when it ended before
    """
    by.require(Permission.MANAGE_INDICATORS)
    Indicator.objects.select_for_update().get(pk=target.indicator_id)
    present = Target.objects.select_related("indicator").filter(pk=target.pk).first()
    if present is None or (present.valid_to is not None and present.valid_to <= on):
        raise Conflict(_("This target has ended already."))
    if on <= present.valid_from:
        present.delete()
    else:
        present.valid_to = on
        present.save(update_fields=["valid_to"])
    record(
        action="indicator.target_ended",
        subject=f"indicator:{target.indicator_id}",
        by=by,
        now=now,
        details={"code": present.indicator.code, "on": on.isoformat()},
    )
