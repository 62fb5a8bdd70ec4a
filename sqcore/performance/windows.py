"""What a run goes by but the answers: who is judged from which day on, by which rules, and what
counts for nobody, or not for them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from sqcore.encounters.models import Encounter
from sqcore.monitoring.models import Signal
from sqcore.org.models import Assignment, Leave, during
from sqcore.org.queries import organisation, tree_on
from sqcore.performance.judging import People, Rules
from sqcore.performance.models import Dispute, Outage, ResultsPolicy
from sqcore.performance.sources import PersonAnswers

ALGORITHM = 2
"""The version of what a result is: part of what a run goes by."""
LONGEST_PAUSE = 36
"""So many months of leave at the most move the beginning of a window."""


@dataclass(frozen=True)
class Setting:
    """Everything that a run goes by but the answers themselves.

    `people` are [staff, unit, post, first day]; `excluded` and `pending` are pairs of staff and
    encounter, `outage_keys` encounters that count for nobody; `held_units` those with an open
    signal at them or above; `icc` what is frozen, by measure.
    """

    first: date
    end: date
    rules: Rules
    people: list[tuple[int, int, int, str]]
    excluded: list[tuple[int, str]]
    pending: list[tuple[int, str]]
    outage_keys: list[str]
    held_units: list[int]
    icc: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "first": self.first.isoformat(),
            "end": self.end.isoformat(),
            "algorithm": ALGORITHM,
        }

    @classmethod
    def of_json(cls, raw: Mapping[str, Any]) -> "Setting":
        return cls(
            first=date.fromisoformat(raw["first"]),
            end=date.fromisoformat(raw["end"]),
            rules=Rules(**raw["rules"]),
            people=[tuple(row) for row in raw["people"]],
            excluded=[tuple(row) for row in raw["excluded"]],
            pending=[tuple(row) for row in raw["pending"]],
            outage_keys=list(raw["outage_keys"]),
            held_units=list(raw["held_units"]),
            icc=dict(raw["icc"]),
        )


def setting_of(policy: ResultsPolicy, ends_on: date) -> Setting:
    first = months_before(ends_on, policy.window_months)
    last = ends_on - timedelta(days=1)
    people = _people(last, first, ends_on)
    disputes = disputes_in(first)
    return Setting(
        first=first,
        end=ends_on,
        rules=Rules(
            smallest_difference=policy.smallest_difference,
            certainty=policy.certainty,
            smallest_n=policy.smallest_n,
            coaching_reliability=policy.coaching_reliability,
            pay_reliability=policy.pay_reliability,
            fewest_peers=policy.fewest_peers,
            smallest_group=organisation().smallest_group,
        ),
        people=people,
        excluded=disputes.excluded,
        pending=disputes.pending,
        outage_keys=disputes.outage_keys,
        held_units=held_units(policy, {row[1] for row in people}, last),
        icc={},
    )


def months_before(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def _people(last: date, first: date, end: date) -> list[tuple[int, int, int, str]]:
    """Return who works somewhere on the last day, each once: where they have been the longest."""
    found: dict[int, tuple[int, int]] = {}
    rows = Assignment.objects.filter(during(last)).order_by("staff_id", "valid_from", "id")
    for staff, unit, post in rows.values_list("staff_id", "unit_id", "post_id"):
        found.setdefault(staff, (unit, post))
    starts = _paused_starts(first, end)
    day = first.isoformat()
    return [(staff, unit, post, starts.get(staff, day)) for staff, (unit, post) in found.items()]


def _paused_starts(first: date, end: date) -> dict[int, str]:
    """Return the first day of the window of whom leave pauses it.

    A month during half of which or more somebody was away is no month of their window: it goes so
    many months further back.
    """
    months = round((end - first).days / 30.44)
    earliest = months_before(first, LONGEST_PAUSE)
    leaves: dict[int, list[tuple[date, date]]] = {}
    rows = Leave.objects.filter(valid_from__lt=end, valid_to__gt=earliest).order_by("staff_id")
    for staff, since, until in rows.values_list("staff_id", "valid_from", "valid_to"):
        leaves.setdefault(staff, []).append((since, until))
    return {
        staff: start.isoformat()
        for staff, spans in leaves.items()
        if (start := _paused_start(spans, end, months, earliest)) != first
    }


def _paused_start(
    spans: Sequence[tuple[date, date]], end: date, months: int, earliest: date
) -> date:
    month, counted = end, 0
    while counted < months and month > earliest:
        following, month = month, months_before(month, 1)
        away = {
            month + timedelta(days=day)
            for since, until in spans
            for day in range(max((since - month).days, 0), (min(until, following) - month).days)
        }
        counted += 2 * len(away) < (following - month).days
    return month


@dataclass(frozen=True)
class _Disputed:
    excluded: list[tuple[int, str]]
    pending: list[tuple[int, str]]
    outage_keys: list[str]


def disputes_in(first: date) -> _Disputed:
    """Return what disputes say of encounters that answers of a window can be about."""
    since = months_before(first, LONGEST_PAUSE + 12)
    rows = Dispute.objects.filter(encounter_at__date__gte=since).order_by("staff_id", "pk")
    state = Dispute.State
    keys: set[str] = set()
    for unit, starts_at, ends_at in _outages().values_list("unit_id", "starts_at", "ends_at"):
        down = Encounter.objects.filter(
            unit=unit, arrived_at__gte=starts_at, arrived_at__lt=ends_at
        )
        keys.update(down.values_list("key", flat=True))
    return _Disputed(
        excluded=disputed_pairs(rows.filter(state=state.UPHELD)),
        pending=disputed_pairs(rows.filter(state=state.OPEN)),
        outage_keys=sorted(keys),
    )


def _outages() -> Any:
    return Outage.objects.filter(reversed_at__isnull=True).order_by("pk")


def disputed_pairs(rows: Any) -> list[tuple[int, str]]:
    return sorted(rows.values_list("staff_id", "encounter_key"))


def held_units(policy: ResultsPolicy, units: Collection[int], last: date) -> list[int]:
    """Return which of the units have an open signal that freezes verdicts, at them or above.

    A muted signal is open: what is the matter is known, and still the matter.
    """
    signals = Signal.objects.open().filter(code__in=policy.freezing)
    waiting = set(signals.values_list("unit_id", flat=True))
    if not waiting:
        return []
    tree = tree_on(last)
    return sorted(unit for unit in units if waiting & set(tree.path(unit)))


def people_of(setting: Setting) -> People:
    rows = np.array([row[:3] for row in setting.people], dtype=np.int64).reshape(-1, 3)
    return People(rows[:, 0], rows[:, 1], rows[:, 2])


def with_those_answered(setting: Setting, answers: PersonAnswers) -> Setting:
    """Keep who serves customers or was answered about: others have no results."""
    known = set(np.unique(answers.staff).tolist())
    serving = set(
        Assignment.objects.filter(
            during(setting.end - timedelta(days=1)), post__is_front_line=True
        ).values_list("staff_id", flat=True)
    )
    people = [row for row in setting.people if row[0] in known or row[0] in serving]
    units = {row[1] for row in people}
    held = [unit for unit in setting.held_units if unit in units]
    return Setting(**{**vars(setting), "people": people, "held_units": held})
