"""What asks for a second look before a result is used: a reason to ask, never a verdict.

Whoever gains by results could see to it who is asked, or whose encounter it was. So two figures are
watched that service does not move: how many of a person's customers answered, beside comparable
colleagues, and how many of the encounters in which they took part are theirs alone, of late beside
before. Of honest people about 2 in 1,000 are marked by each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import sqrt
from statistics import NormalDist

import numpy as np
from django.db.models import Count, Q, QuerySet

from sqcore.encounters.models import Encounter
from sqcore.performance.models import StaffResult
from sqcore.performance.windows import months_before
from sqcore.stats.funnels import overdispersion

MORE, FEWER, ATTRIBUTED = "answers-more", "answers-fewer", "attributed"
FAR = NormalDist().inv_cdf(0.999)
FEWEST = 30
"""Of fewer encounters nothing is said."""
RECENT_MONTHS = 3
LEAST_CHANGE = 0.1
"""A smaller change of the share does not matter, however sure it is."""


@dataclass(frozen=True)
class Part:
    """So many of so many."""

    some: int
    of: int

    @property
    def share(self) -> float:
        return self.some / self.of


def watched(result: StaffResult) -> list[str]:
    """Return what is unusual about how this result came about. Four queries."""
    found = [_answered(result), _attributed(result)]
    return [each for each in found if each]


def _answered(result: StaffResult) -> str:
    n = dict(_compared(result).values_list("staff_id", "n"))
    served = _served(result, list(n))
    parts = {
        staff: Part(min(n[staff], count), count)
        for staff, count in served.items()
        if count >= FEWEST
    }
    distance = far_from_others(parts, fewest=result.run.policy.fewest_peers).get(result.staff_id)
    if distance is None or abs(distance) <= FAR:
        return ""
    return MORE if distance > 0 else FEWER


def _compared(result: StaffResult) -> QuerySet[StaffResult]:
    """Return the results of those with whom this one is compared, and itself."""
    alike = StaffResult.objects.filter(
        run=result.run_id, measure=result.measure, post=result.post_id
    )
    return alike.filter(unit=result.unit_id) if result.group == "unit" else alike


def _served(result: StaffResult, staff_ids: list[int]) -> dict[int, int]:
    """Return how many encounters of the window were each one's alone."""
    rows = Encounter.objects.filter(
        staff__in=staff_ids, on__gte=result.starts_on, on__lt=result.run.ends_on
    )
    return dict(rows.order_by().values_list("staff_id").annotate(count=Count("pk")))


def far_from_others(parts: Mapping[int, Part], *, fewest: int) -> dict[int, float]:
    """Return how far each share lies from that of all together, in standard errors.

    People differ, so the spread that they have beyond chance is taken in (`overdispersion`).
    Nothing of fewer people than `fewest`, and where all shares are nothing or all.
    """
    if len(parts) < fewest:
        return {}
    whole = sum(part.some for part in parts.values()) / sum(part.of for part in parts.values())
    if not 0.0 < whole < 1.0:
        return {}
    errors = np.array([sqrt(whole * (1.0 - whole) / part.of) for part in parts.values()])
    shares = np.array([part.share for part in parts.values()])
    z = overdispersion((shares - whole) / errors, errors).z
    return dict(zip(parts, z.tolist(), strict=True))


def _attributed(result: StaffResult) -> str:
    """Say whether of late another share of the encounters is the person's alone than before."""
    since = months_before(result.run.ends_on, RECENT_MONTHS)
    own = Encounter.objects.filter(
        staff=result.staff_id, on__gte=result.starts_on, on__lt=result.run.ends_on
    )
    alone = own.aggregate(
        late=Count("pk", filter=Q(on__gte=since)), early=Count("pk", filter=Q(on__lt=since))
    )
    late, early = _shared(result, since)
    now = Part(alone["late"], alone["late"] + late)
    before = Part(alone["early"], alone["early"] + early)
    return ATTRIBUTED if has_changed(before, now) else ""


def _shared(result: StaffResult, since: date) -> tuple[int, int]:
    """Return how many encounters of the unit the person shared with others: of late, and before."""
    rows = Encounter.objects.filter(
        unit=result.unit_id,
        staff=None,
        on__gte=result.starts_on,
        on__lt=result.run.ends_on,
    ).exclude(shares={})
    own = str(result.staff_id)
    days = [on for on, shares in rows.values_list("on", "shares").iterator() if own in shares]
    late = sum(on >= since for on in days)
    return late, len(days) - late


def has_changed(before: Part, now: Part) -> bool:
    """Say whether two shares differ by what matters and beyond chance, each of enough."""
    if min(before.of, now.of) < FEWEST or abs(now.share - before.share) < LEAST_CHANGE:
        return False
    both = (before.some + now.some) / (before.of + now.of)
    error = sqrt(both * (1.0 - both) * (1.0 / before.of + 1.0 / now.of))
    return abs(now.share - before.share) > FAR * error
