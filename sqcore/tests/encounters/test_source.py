"""What indicators get of encounters is what the rows say, whichever way they are read."""

import random
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from sqcore.base.errors import InvalidInput
from sqcore.base.periods import Grain, Period
from sqcore.encounters.models import Encounter, Service
from sqcore.encounters.services import NewEncounter, sum_up, take_encounters
from sqcore.encounters.sources import EncounterSource
from sqcore.encounters.sums import MEASURES as ALL
from sqcore.encounters.sums import SCALES
from sqcore.indicators.sources import Between, Collected, SourceCell
from sqcore.org.models import Channel, Segment, Unit
from sqcore.stats.moments import Moments, moments_of
from sqcore.tests.encounters.factories import MORNING, encounter, step
from sqcore.tests.factories import NOW, make_channel, make_segment, make_staff, make_unit

pytestmark = pytest.mark.django_db

SOURCE = EncounterSource()
PERIODS = ["2026-03-04", "2026-W10", "2026-W14", "2026-03", "2026-Q1", "2026"]
MEASURES = ["waiting", "handling", "solved", "reworked"]


@pytest.fixture
def world() -> dict[str, list[int]]:
    return {
        "units": [make_unit(code).pk for code in ("lujiazui", "xujiahui")],
        "channels": [make_channel(code).pk for code in ("app", "counter", "phone")],
        "segments": [make_segment(code).pk for code in ("private", "business")],
        "services": [
            Service.objects.create(code=code, name={"en": code}).pk for code in ("loan", "card")
        ],
    }


def some_encounters(world: dict[str, list[int]], count: int, *, seed: int) -> list[NewEncounter]:
    chance = random.Random(seed)
    units = {unit.pk: unit for unit in Unit.objects.all()}
    made = []
    for number in range(count):
        at = MORNING + timedelta(days=chance.randrange(-40, 70), minutes=chance.randrange(400))
        wait, handle = chance.randrange(60), chance.randrange(1, 40)
        end = None if chance.random() < 0.1 else wait + handle
        steps = [step("counter", wait, end, at=at)]
        if chance.random() < 0.3:
            steps.append(step("counter", wait + handle + 2, wait + handle + 5.5, at=at))
        made.append(
            encounter(
                f"e{number}",
                units[chance.choice(world["units"])],
                at=at,
                steps=[] if chance.random() < 0.1 else steps,
                channel_id=chance.choice([None, *world["channels"]]),
                segment_id=chance.choice([None, *world["segments"]]),
                service_id=chance.choice([None, *world["services"]]),
                solved=chance.choice([True, False, None]),
            )
        )
    return made


def naive(period: Period, names: list[str]) -> dict[SourceCell, Moments]:
    """Every row by itself, by the definitions alone."""
    channels = dict(Channel.objects.values_list("pk", "code"))
    segments = dict(Segment.objects.values_list("pk", "code"))
    services = dict(Service.objects.values_list("pk", "code"))
    of_cell: dict[SourceCell, list[list[int | None]]] = {}
    for row in Encounter.objects.filter(on__gte=period.start, on__lt=period.end):
        channel = channels.get(row.channel_id or 0, "")
        segment = segments.get(row.segment_id or 0, "")
        values: list[int | None] = []
        for name in names:
            measure, _, rest = name.partition("@")
            measure, _, service = (measure if rest else name).partition("#")
            if rest:
                rest, _, service = rest.partition("#")
            counts = (not rest or channel in rest.split(",")) and (
                not service or services.get(row.service_id or 0) == service
            )
            value = {
                "waiting": row.waiting_s,
                "handling": row.handling_s,
                "solved": row.solved,
                "reworked": row.reworked,
            }[measure]
            values.append(int(value) if counts and value is not None else None)
        of_cell.setdefault(SourceCell(row.unit_id), []).append(values)
        if channel:
            of_cell.setdefault(SourceCell(row.unit_id, "channel", channel), []).append(values)
        if segment:
            of_cell.setdefault(SourceCell(row.unit_id, "segment", segment), []).append(values)
    return {cell: _moments(rows) for cell, rows in of_cell.items()}


def _moments(rows: list[list[int | None]]) -> Moments:
    values = np.array([[value or 0 for value in row] for row in rows], dtype=np.int64)
    present = np.array([[value is not None for value in row] for row in rows])
    return moments_of(values, present, None, np.zeros(len(rows), dtype=np.int64), 1)


def by_cell(collected: Collected) -> dict[SourceCell, Moments]:
    return {cell: collected.moments.take([at]) for at, cell in enumerate(collected.cells)}


def collect(key: str, names: list[str]) -> dict[SourceCell, Moments]:
    return by_cell(SOURCE.collect(measures=names, period=Period.parse(key)))


def sum_all_up() -> None:
    while sum_up(clock=lambda: NOW, limit=7):
        pass


@pytest.mark.parametrize("key", PERIODS)
@pytest.mark.parametrize(
    "names",
    [MEASURES, ["waiting@app,phone", "waiting@counter", "solved", "waiting"], ["handling#loan"]],
)
def test_sums_are_those_of_the_rows_for_every_grain_and_margin(
    world: dict[str, list[int]], key: str, names: list[str]
) -> None:
    take_encounters(rows=some_encounters(world, 300, seed=1), now=NOW)
    expected = naive(Period.parse(key), names)
    assert expected

    assert collect(key, names) == expected  # before they are summed up: from the rows
    sum_all_up()
    assert collect(key, names) == expected


@pytest.mark.parametrize("key", PERIODS)
def test_sums_stay_exact_when_encounters_are_replaced_and_repeated(
    world: dict[str, list[int]], key: str
) -> None:
    take_encounters(rows=some_encounters(world, 200, seed=1), now=NOW)
    sum_all_up()
    take_encounters(rows=some_encounters(world, 100, seed=2), now=NOW)  # the same keys
    take_encounters(rows=some_encounters(world, 120, seed=1)[100:], now=NOW)
    sum_up(clock=lambda: NOW, limit=9)  # and some are still to be summed up

    assert collect(key, MEASURES) == naive(Period.parse(key), MEASURES)


def test_weeks_and_months_are_sums_of_the_same_spans(world: dict[str, list[int]]) -> None:
    take_encounters(rows=some_encounters(world, 300, seed=3), now=NOW)
    sum_all_up()
    first, last = SOURCE.spans()[Grain.DAY]

    def counted(grain: Grain) -> int:
        total = 0
        period = Period.of(first, grain)
        while period.start <= last:
            found = by_cell(SOURCE.collect(measures=["waiting"], period=period))
            total += sum(int(m.respondents[0]) for cell, m in found.items() if not cell.margin)
            period = period.next
        return total

    assert {counted(grain) for grain in Grain} == {300}


def test_times_read_in_minutes(world: dict[str, list[int]]) -> None:
    found = SOURCE.collect(measures=MEASURES, period=Period.parse("2026-03"))

    assert list(found.scales) == [60, 60, 1, 1]
    assert list(found.cells) == []


def test_a_change_is_told_by_the_days_of_its_span(world: dict[str, list[int]]) -> None:
    take_encounters(rows=some_encounters(world, 50, seed=1), now=NOW)
    sum_all_up()
    later = NOW + timedelta(hours=1)
    assert SOURCE.changed_since(NOW) == []

    unit = Unit.objects.get(code="lujiazui")
    take_encounters(rows=[encounter("new", unit, at=MORNING)], now=later)
    sum_up(clock=lambda: later)

    monday = MORNING.date()
    assert SOURCE.changed_since(NOW) == [(monday, monday + timedelta(days=6))]


class TestParameters:
    def test_channels_may_be_one_or_several(self, world: dict[str, list[int]]) -> None:
        assert SOURCE.measure({"measure": "waiting"}) == "waiting"
        assert SOURCE.measure({"measure": "waiting", "channel": "counter"}) == "waiting@counter"
        several = {"measure": "waiting", "channel": ["phone", "app"], "service": "loan"}
        assert SOURCE.measure(several) == "waiting@app,phone#loan"

    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({}, "Encounters measure no “”"),
            ({"measure": "smiles"}, "Encounters measure no “smiles”"),
            ({"measure": "waiting", "channel": "fax"}, "There is no channel “fax”"),
            ({"measure": "waiting", "channel": [3]}, "Name a channel by its code"),
            ({"measure": "waiting", "service": "fax"}, "There is no service “fax”"),
            ({"measure": "waiting", "unit": "x"}, "Encounters have no parameter “unit”"),
        ],
    )
    def test_what_is_not_there_is_refused(
        self, world: dict[str, list[int]], parameters: dict[str, object], reason: str
    ) -> None:
        with pytest.raises(InvalidInput, match=reason):
            SOURCE.measure(parameters)


class TestGroups:
    """Groups that are compared: the same rows, told apart by week, shift and person."""

    def collected(self, between: Between, period: str, names: list[str]) -> dict[SourceCell, Any]:
        found = SOURCE.collect_groups(measures=names, between=between, period=Period.parse(period))
        assert found.scales == [SCALES[ALL.index(name.partition("#")[0])] for name in names]
        return {cell: found.moments.take([at]) for at, cell in enumerate(found.cells)}

    @pytest.mark.parametrize("period", PERIODS)
    @pytest.mark.parametrize("names", [["waiting", "solved"], ["waiting#loan"]])
    def test_by_week_are_what_the_weeks_have(
        self, world: dict[str, list[int]], period: str, names: list[str]
    ) -> None:
        take_encounters(rows=some_encounters(world, 400, seed=3), now=NOW)
        sum_all_up()
        whole = Period.parse(period)

        found = self.collected(Between.WEEK, period, names)

        rows = Encounter.objects.filter(on__gte=whole.start, on__lt=whole.end)
        weeks = {Period.of(day, Grain.WEEK).key for day in rows.values_list("on", flat=True)}
        assert {cell.value for cell in found} == weeks
        all_of_it = {
            cell: moments for cell, moments in naive(whole, names).items() if not cell.margin
        }
        for cell, moments in all_of_it.items():
            mine = [part for each, part in found.items() if each.unit_id == cell.unit_id]
            assert sum(part.n for part in mine).tolist() == moments.n.tolist()
            assert sum(part.linear for part in mine).tolist() == moments.linear.tolist()
            assert sum(part.products for part in mine).tolist() == moments.products.tolist()

    def test_by_shift_go_by_the_local_hour_of_arrival(self, world: dict[str, list[int]]) -> None:
        unit = Unit.objects.get(pk=world["units"][0])
        hours = {9: "morning", 12: "midday", 15: "afternoon", 18: "evening", 23: "night"}
        for hour in hours:
            at = MORNING + timedelta(hours=hour - 9)
            take_encounters(rows=[encounter(f"h{hour}", unit, at=at, wait=hour)], now=NOW)

        found = self.collected(Between.SHIFT, "2026-03", ["waiting"])

        assert {cell.value: moments.linear[0].tolist() for cell, moments in found.items()} == {
            name: [1, 60 * hour] for hour, name in hours.items()
        }

    def test_by_staff_count_what_was_their_own_and_name_nobody(
        self, world: dict[str, list[int]]
    ) -> None:
        units = [Unit.objects.get(pk=pk) for pk in world["units"]]
        mei, li = make_staff("Mei"), make_staff("Li")
        shares: list[tuple[Unit, dict[int, int], float]] = [
            (units[0], {mei.pk: 10_000}, 4),
            (units[1], {mei.pk: 8_000, li.pk: 2_000}, 6),
            (units[0], {li.pk: 10_000}, 2),
            (units[0], {mei.pk: 5_000, li.pk: 5_000}, 50),
            (units[0], {}, 60),
        ]
        for at, (unit, parts, wait) in enumerate(shares):
            one = encounter(f"s{at}", unit, wait=wait, shares=parts)
            take_encounters(rows=[one], now=NOW)

        found = self.collected(Between.STAFF, "2026-03", ["waiting"])

        assert {
            (cell.unit_id, cell.value): moments.linear[0].tolist()
            for cell, moments in found.items()
        } == {
            (units[0].pk, "1"): [1, 120],
            (units[0].pk, "2"): [1, 240],
            (units[1].pk, "2"): [1, 360],
        }

    def test_every_measure_can_be_compared_between_every_kind_of_group(self) -> None:
        offered = [offer for offer in SOURCE.offers() if offer.statistic == "spread"]

        assert len(offered) == len(ALL) * len(Between)
        assert offered[0].title == "Waiting time: how far channels differ"
        assert {str(each.unit_of_measure) for each in offered} == {"min", "share"}

    def test_nothing_is_there_where_nobody_came(self) -> None:
        for between in (Between.WEEK, Between.SHIFT, Between.STAFF):
            assert self.collected(between, "2026-03", ["waiting"]) == {}


class TestDays:
    def test_tell_of_how_many_an_outcome_is_true_and_known(self) -> None:
        north, south = make_unit("north"), make_unit("south")
        phone, app = make_channel("phone"), make_channel("app")
        loan = Service.objects.create(code="loan", name={"en": "Loan"})
        told: list[tuple[Unit, int, bool | None, Channel]] = [
            *((north, 0, True, phone), (north, 0, False, app), (north, 0, None, phone)),
            *((north, 1, False, phone), (south, 1, True, phone), (north, 3, True, phone)),
        ]
        for at, (unit, day, again, channel) in enumerate(told):
            one = encounter(
                f"d{at}",
                unit,
                at=MORNING + timedelta(days=day),
                reworked=again,
                channel_id=channel.pk,
                service_id=loan.pk if at == 0 else None,
            )
            take_encounters(rows=[one], now=NOW)
        # Without stages and a word from the sender it is not known.
        Encounter.objects.filter(key="d2").update(reworked=None)
        through = (MORNING + timedelta(days=3)).date()

        def days(measure: str) -> list[tuple[int, int, int]]:
            found = SOURCE.days(measure=measure, units=[north.pk], through=through)
            return [(day.day, true, known) for day, true, known in found]

        assert days("reworked") == [(2, 1, 2), (3, 0, 1)]
        assert days("reworked@phone") == [(2, 1, 1), (3, 0, 1)]
        assert days("reworked#loan") == [(2, 1, 1)]
        assert days("solved@app") == [(2, 1, 1)]
        assert days("waiting") == []
