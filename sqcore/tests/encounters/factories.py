"""Encounters for tests: exact values, nothing random."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqcore.encounters.services import NewEncounter, Step
from sqcore.org.models import Unit

MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, nine o'clock in Shanghai."""


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def step(
    stage: str, start: float, end: float | None, *, staff: str = "", at: datetime = MORNING
) -> Step:
    """A stage from minute `start` to minute `end` after `at`."""
    return Step(stage, at + minutes(start), None if end is None else at + minutes(end), staff)


def encounter(
    key: str,
    unit: Unit,
    *,
    at: datetime = MORNING,
    wait: float = 9,
    handle: float = 6,
    solved: bool | None = True,
    shares: Mapping[int, int] | None = None,
    steps: Sequence[Step] | None = None,
    customer: str = "",
    channel_id: int | None = None,
    segment_id: int | None = None,
    service_id: int | None = None,
    reworked: bool | None = None,
) -> NewEncounter:
    """An encounter with one stage, `wait` minutes after the arrival and `handle` minutes long."""
    if steps is None:
        steps = [step("counter", wait, wait + handle, at=at)]
    return NewEncounter(
        key=key,
        unit_id=unit.pk,
        arrived_at=at,
        customer=customer,
        channel_id=channel_id,
        segment_id=segment_id,
        service_id=service_id,
        solved=solved,
        reworked=reworked,
        shares=shares or {},
        steps=steps,
    )
