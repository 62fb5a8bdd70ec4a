"""How easily chance alone would have given each signal, among so many series that are watched."""

from collections import defaultdict
from collections.abc import Mapping
from math import expm1

import numpy as np

from sqcore.base.periods import Grain
from sqcore.identity.principals import Principal
from sqcore.monitoring.models import Signal, Watch
from sqcore.monitoring.passes import PERIODS_A_YEAR
from sqcore.stats.cusum import false_alarms_a_year
from sqcore.stats.selection import benjamini_hochberg

DAYS_A_YEAR = 365.25


def false_shares(principal: Principal) -> Mapping[int, float]:
    """Return the q-value of each signal somebody sees, by its id: of all signals as strong as it or
    stronger, the share that chance alone lets expect.

    p is the chance that a series that never changed reaches such a height at least once in the
    time in which it was watched; the series without a signal count with p = 1. Two queries
    """
    judged = {
        (system_id, grain): count
        for system_id, grain, count in Watch.objects.order_by("id").values_list(
            "system_id", "grain", "judged"
        )
    }
    by_pass: dict[tuple[int, str], list[tuple[int, float]]] = defaultdict(list)
    rows = Signal.objects.visible_to(principal).select_related("baseline").order_by("id")
    for signal in rows:
        by_pass[signal.system_id, signal.grain].append((signal.pk, _chance(signal)))
    shares: dict[int, float] = {}
    for key, found in by_pass.items():
        others = max(judged.get(key, 0) - len(found), 0)
        q = benjamini_hochberg(np.array([p for _pk, p in found] + [1.0] * others))
        shares |= {pk: float(each) for (pk, _p), each in zip(found, q, strict=False)}
    return shares


def _chance(signal: Signal) -> float:
    baseline = signal.baseline
    days = (signal.last_on - baseline.applies_from).days
    if signal.height <= 0 or baseline.n < 2:
        return 1.0
    a_year = false_alarms_a_year(
        n0=baseline.n,
        phi=baseline.phi,
        h=signal.height,
        points_a_year=PERIODS_A_YEAR[Grain(signal.grain)],
    )
    return -expm1(-a_year * max(days, 1) / DAYS_A_YEAR)
