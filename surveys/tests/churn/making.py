"""Customers who come and stay away, for tests: exact days, nothing random."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from sqcore.encounters.models import Customer, Encounter
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW
from surveys.churn.models import RiskScorecard


def come(name: str, unit: Unit, days: Iterable[date], *, solved: bool | None = True) -> Customer:
    """A customer who came on these days; `solved` is of the last visit."""
    days = sorted(days)
    customer, _new = Customer.objects.get_or_create(pseudonym=name, defaults={"first_on": days[0]})
    Encounter.objects.bulk_create(
        Encounter(
            key=f"{name}-{day}",
            customer=customer,
            unit=unit,
            on=day,
            arrived_at=datetime.combine(day, time(9), UTC),
            solved=solved if day == days[-1] else True,
            digest="-",
            recorded_at=NOW,
        )
        for day in days
    )
    return customer


def make_scorecard(**over: object) -> RiskScorecard:
    fields: dict[str, object] = {
        "number": 1,
        "points": {"unsolved_last": 3, "long_away": 2},
        "medium": 2,
        "high": 3,
        "horizon_days": 60,
        "active_days": 120,
        "reason": "As experience says.",
        "created_at": NOW,
    }
    return RiskScorecard.objects.create(**(fields | over))
