"""Reading the outbox: whether deliveries keep up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from sqcore.base.models import Delivery

GRACE = timedelta(minutes=10)


@dataclass(frozen=True)
class LateDeliveries:
    """`late` should have happened more than ten minutes ago, `dead` are not tried any more."""

    late: int
    dead: int


def late_deliveries(*, now: datetime) -> LateDeliveries:
    late = Q(state=Delivery.State.PENDING, next_attempt_at__lte=now - GRACE)
    dead = Q(state=Delivery.State.DEAD)
    counted = Delivery.objects.filter(late | dead).aggregate(
        late=Count("pk", filter=late), dead=Count("pk", filter=dead)
    )
    return LateDeliveries(counted["late"], counted["dead"])
