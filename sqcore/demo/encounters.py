"""The chapter of the encounters: 120,000 customers are served."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from sqcore.demo import bank
from sqcore.demo.chapters import Report, Story
from sqcore.demo.people import staff_number
from sqcore.demo.visits import APP, Visits
from sqcore.encounters.models import Service, Stage
from sqcore.encounters.services import NewEncounter, Step, sum_up, take_encounters
from sqcore.org.models import Channel, Segment, Staff, Unit

NIGHT = 1
"""The hour of a Monday at which the core system sends what was in the week before."""
STAGES = (
    ("reception", "counter", "closing"),
    ("routing", "call", "wrap-up"),
    ("sign-in", "request", "confirmation"),
)
"""What each channel's opening, work and closing are called."""


def key_of(visit: int) -> str:
    """Return the key under which the bank's core system sends a visit."""
    return f"HB-{visit + 1:06d}"


@dataclass(frozen=True)
class EncountersChapter:
    """The bank's core system sends who was served, when, by whom and how long it took."""

    key: str = "encounters"
    order: int = 20

    def tell(self, story: Story, report: Report) -> None:
        _name_services_and_stages()
        ground = _Ground.of(story)
        calendar, days = story.history.calendar, ground.visits.day
        done = 0
        for monday in range(0, calendar.days, 7):
            rows = range(done, int(np.searchsorted(days, monday + 7)))
            sent_at = story.at(calendar.day(monday + 7), hour=NIGHT)
            take_encounters(rows=ground.encounters(rows), now=min(sent_at, story.now))
            done = rows.stop
            report("Customers are served", done, len(days))
        while sum_up(clock=lambda: story.now):
            pass


def _name_services_and_stages() -> None:
    for place, (code, errand) in enumerate(bank.SERVICES.items()):
        Service.objects.create(code=code, name=errand.name, position=place)
    for place, (code, (name, phase)) in enumerate(bank.STAGES.items()):
        Stage.objects.create(code=code, name=name, phase=phase, position=place)


@dataclass(frozen=True)
class _Ground:
    """The rows of the organisation that encounters point to, in the order of the bank's tables."""

    visits: Visits
    opening: datetime
    units: list[int]
    channels: list[int]
    segments: list[int]
    services: list[int]
    staff: list[int]
    numbers: list[str]
    officers: list[str]

    @classmethod
    def of(cls, story: Story) -> "_Ground":
        units = dict(Unit.objects.values_list("code", "id"))
        staff = dict(Staff.objects.values_list("number", "id"))
        numbers = story.history.people.numbers
        return cls(
            visits=story.history.visits,
            opening=story.at(story.opening, hour=0),
            units=[units[code] for code in bank.BRANCH_CODES],
            channels=list(Channel.objects.order_by("position").values_list("id", flat=True)),
            segments=list(Segment.objects.order_by("position").values_list("id", flat=True)),
            services=list(Service.objects.order_by("position").values_list("id", flat=True)),
            staff=[staff[number] for number in numbers],
            numbers=numbers,
            officers=[
                staff_number(branch, 1 + bank.FRONT_LINE_A_BRANCH)
                for branch in range(len(bank.BRANCH_CODES))
            ],
        )

    def encounters(self, rows: range) -> Iterator[NewEncounter]:
        """Yield these visits as the bank's core system sends them."""
        seen = self.visits.at(slice(rows.start, rows.stop))
        columns = (
            *(seen.branch, seen.channel, seen.day, seen.second, seen.service, seen.customer),
            *(seen.segment, seen.staff, seen.partner, seen.share, seen.solved, seen.reworked),
            *(seen.wait_s, seen.held_s, seen.opening_s, seen.work_s, seen.approval_s),
            *(seen.closing_s, seen.again_s),
        )
        for row, values in zip(rows, zip(*(c.tolist() for c in columns), strict=True), strict=True):
            branch, channel, day, second, service, customer, segment, staff, partner, share = (
                values[:10]
            )
            arrived = self.opening + timedelta(days=day, seconds=second)
            yield NewEncounter(
                key=key_of(row),
                unit_id=self.units[branch],
                arrived_at=arrived,
                customer=f"C{customer:06d}",
                channel_id=self.channels[channel],
                segment_id=self.segments[segment],
                service_id=self.services[service],
                solved=values[10],
                reworked=values[11],
                shares=self._shares(staff, partner, share),
                steps=self._steps(
                    arrived, channel, values[12:], self._number(staff), self.officers[branch]
                ),
            )

    def _shares(self, staff: int, partner: int, share: int) -> dict[int, int]:
        if staff < 0:
            return {}
        if partner < 0:
            return {self.staff[staff]: 10_000}
        return {self.staff[staff]: share, self.staff[partner]: 10_000 - share}

    def _number(self, staff: int) -> str:
        return self.numbers[staff] if staff >= 0 else ""

    def _steps(
        self, arrived: datetime, channel: int, times: Sequence[int], server: str, officer: str
    ) -> list[Step]:
        """Return the stages one after the other, with the waits before the second and the fourth.

        What is done again follows the first time, and is signed once.
        """
        waited, held, opening, work, approval, closing, again = times
        first, second, last = STAGES[channel]
        plan = [(first, 0, opening, ""), (second, waited - held, work, server)]
        if again:
            plan.append((second, 0, again, server))
        if approval:
            plan.append(("approval", held, approval, officer))
        plan.append((last, 0, closing, server if channel != APP else ""))
        steps, at = [], arrived
        for stage, wait, length, who in plan:
            starts = at + timedelta(seconds=wait)
            at = starts + timedelta(seconds=length)
            steps.append(Step(stage, starts, at, who))
        return steps
