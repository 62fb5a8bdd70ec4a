"""The chapter of the operational data: what branches report, and the state of their machines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.db import transaction

from sqcore.base.periods import Period
from sqcore.demo import bank
from sqcore.demo.chapters import Report, Story
from sqcore.demo.operations import Reported, draw_outages, draw_reports
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.importers import ready_measures
from sqcore.measurements.intake import NewMeasurement
from sqcore.measurements.models import Equipment, EquipmentState, Feed, Measure
from sqcore.measurements.services import (
    NewState,
    add_equipment,
    define_feed,
    define_measure,
    take_measurements,
    take_states,
)
from sqcore.org.models import Unit

HOUR = 2
DUE_DAYS = {"day": 7, "month": 10, "": 10}
UP, DOWN = EquipmentState.State.UP, EquipmentState.State.DOWN
AT_ONCE = 1_000


@dataclass(frozen=True)
class MeasurementsChapter:
    """Systems, machines and people send what they measured, week by week."""

    key: str = "measurements"
    order: int = 25

    def tell(self, story: Story, report: Report) -> None:
        units = [Unit.objects.get(code=code) for code in bank.BRANCH_CODES]
        with transaction.atomic():
            _define_measures(story, _define_feeds(story))
            machines = _install_machines(story, units)
            _define_outages(story)
        _send_reports(story, [unit.pk for unit in units], report)
        _send_states(story, machines, report)


def _define_feeds(story: Story) -> dict[str, Feed]:
    return {
        code: define_feed(
            code=code,
            name=feed.name,
            kind=feed.kind,
            silent_after_days=35,
            by=story.by,
            now=story.at(story.opening, hour=7),
        )
        for code, feed in bank.FEEDS.items()
    }


def _define_measures(story: Story, feeds: dict[str, Feed]) -> None:
    """Define what the bank case asks for; reports that come on Fridays come irregularly."""
    feed_of = {
        measure: feeds[code] for code, feed in bank.FEEDS.items() for measure in feed.measures
    }
    for ready in ready_measures("bank"):
        every = "" if ready.code in bank.IRREGULAR else ready.every
        define_measure(
            code=ready.code,
            name=ready.name,
            kind=ready.kind,
            unit_of_measure=ready.unit,
            every=every,
            due_days=DUE_DAYS[every],
            feed=feed_of[ready.code],
            since=story.opening,
            by=story.by,
            now=story.at(story.opening, hour=7),
        )


def _install_machines(story: Story, units: Sequence[Unit]) -> list[list[Equipment]]:
    feed = Feed.objects.get(code="machine-monitor")
    return [
        [
            add_equipment(
                code=f"{unit.code}-{code}",
                name=machine.name,
                kind=machine.kind,
                unit=unit,
                feed=feed,
                installed_on=story.opening,
                by=story.by,
                now=story.at(story.opening, hour=7),
            )
            for code, machine in bank.MACHINES.items()
        ]
        for unit in units
    ]


def _define_outages(story: Story) -> None:
    """Put into the catalogue how often machines fail: watched at each branch, in no score."""
    define_indicator(
        code=bank.OUTAGES,
        name=bank.both("Outages of self-service machines", "自助设备故障次数"),
        definition=bank.both(
            "How many outages began in 100 days of a machine.", "每百台日发生的故障次数。"
        ),
        source="equipment",
        parameters={"measure": "outages", "kind": bank.SELF_SERVICE},
        unit_of_measure="per 100",
        direction="lower",
        statistic="rate",
        by=story.by,
        now=story.at(story.opening, hour=7),
    )


def _send_reports(story: Story, units: Sequence[int], report: Report) -> None:
    measures = {measure.code: measure for measure in Measure.objects.all()}
    calendar = story.history.calendar
    reports = draw_reports(seed=story.seed, calendar=calendar)
    done = 0
    for week, group in groupby(reports, key=lambda each: each.sent // 7):
        of_week = list(group)
        rows = [_row(each, measures[each.measure], units, story) for each in of_week]
        sent_at = story.at(calendar.day(7 * week + 7), hour=HOUR)
        take_measurements(rows=rows, source="api", now=min(sent_at, story.now))
        done += len(rows)
        report("Branches report what they measure", done, len(reports))


def _row(each: Reported, measure: Measure, units: Sequence[int], story: Story) -> NewMeasurement:
    period = Period.of(story.history.calendar.day(each.day), measure.grain)
    is_mean = measure.kind == Measure.Kind.MEAN
    return NewMeasurement(
        measure_id=measure.pk,
        unit_id=units[each.branch],
        grain=period.grain.value,
        starts_on=period.start,
        n=1 if measure.kind == Measure.Kind.RATE else each.size,
        numerator=each.number,
        denominator=0 if is_mean else each.size,
        squares=each.squares,
        feed_id=measure.feed_id,
    )


def _send_states(story: Story, machines: Sequence[Sequence[Equipment]], report: Report) -> None:
    states = sorted(_states(story, machines), key=lambda state: (state.at, state.equipment_id))
    for first in range(0, len(states), AT_ONCE):
        some = states[first : first + AT_ONCE]
        take_states(rows=some, now=some[-1].at)
        report("Machines tell their state", first + len(some), len(states))
    # The monitor was heard until the end, though nothing had changed since.
    last_day = story.history.calendar.day(story.history.calendar.days - 1)
    take_states(rows=states[-1:], now=story.at(last_day, hour=23))


def _states(story: Story, machines: Sequence[Sequence[Equipment]]) -> Iterator[NewState]:
    opening = story.at(story.opening, hour=0)
    for of_branch in machines:
        for machine in of_branch:
            yield NewState(machine.pk, UP, opening)
    for outage in draw_outages(seed=story.seed, calendar=story.history.calendar):
        machine = machines[outage.branch][outage.machine]
        yield NewState(machine.pk, DOWN, _after(opening, outage.start))
        yield NewState(machine.pk, UP, _after(opening, outage.end))


def _after(opening: datetime, seconds: int) -> datetime:
    return opening + timedelta(seconds=seconds)
