"""The process map: whose encounters it is drawn from, what of it is shown, how it is said."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import translation

from sqcore.base.errors import NotFound
from sqcore.base.periods import Period
from sqcore.encounters.models import Stage
from sqcore.encounters.process import Asked, Chosen, Reading, choose, map_as_json, read, reading_of
from sqcore.encounters.process_page import process_page
from sqcore.encounters.process_words import Names, bottleneck_sentence, duration
from sqcore.encounters.services import NewEncounter, Step, take_encounters
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import Principal, Scope, system_principal
from sqcore.org.models import Unit
from sqcore.tests.encounters.factories import MORNING, encounter, step
from sqcore.tests.encounters.hospital import Event, events
from sqcore.tests.factories import (
    give_role,
    make_channel,
    make_principal,
    make_unit,
    make_user,
)
from sqcore.tests.pages import faults_of
from sqcore.tests.rest import get, make_key

pytestmark = pytest.mark.django_db

NOW = MORNING + timedelta(days=40)
URL = "/process/"


@pytest.fixture(autouse=True)
def _in_april() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def north() -> Unit:
    bank = make_unit("bank")
    make_unit("south", parent=bank)
    for code, phase in (
        ("advice", "preparation"),
        ("counter", "execution"),
        ("sign", "completion"),
    ):
        Stage.objects.create(code=code, name={"en": code.title(), "zh-hans": "柜"}, phase=phase)
    return make_unit("north", parent=bank)


def visit(
    key: str, unit: Unit, path: str = "cs", *, wait: float = 10, day: int = 0
) -> NewEncounter:
    """A visit that waits before each stage; each stage takes two minutes."""
    at, minute, steps = MORNING + timedelta(days=day), 0.0, []
    stages = {"a": "advice", "c": "counter", "s": "sign"}
    for letter in path:
        minute += wait if letter == "c" else 1
        steps.append(step(stages[letter], minute, minute + 2, at=at))
        minute += 2
    return encounter(key, unit, at=at, steps=steps)


def take(*rows: NewEncounter) -> None:
    take_encounters(rows=rows, now=NOW)


def a_month(unit: Unit, *, wait: float = 10, day: int = 0, n: int = 30) -> None:
    take(*(visit(f"{unit.code}-{day}-{i}", unit, wait=wait + i % 5, day=day) for i in range(n)))


def chosen_of(principal: Principal, **asked: str) -> Chosen:
    chosen = choose(principal=principal, asked=Asked(**asked), now=NOW)
    assert chosen is not None
    return chosen


def reading(principal: Principal, **asked: str) -> Reading:
    return read(chosen_of(principal, **asked))


def manager_of(*units: Unit) -> Principal:
    scope = Scope(units=frozenset(unit.pk for unit in units))
    return make_principal({Permission.VIEW_RESULTS: scope})


ADA = system_principal("Ada")


class TestWhose:
    def test_a_manager_sees_the_encounters_of_their_units_only(self, north: Unit) -> None:
        south = Unit.objects.get(code="south")
        a_month(north)
        a_month(south, n=12)

        assert reading(ADA).found.cases == 42
        assert reading(manager_of(north)).found.cases == 30
        assert reading(manager_of(south)).found.cases == 12

    def test_a_unit_comes_with_those_below_it(self, north: Unit) -> None:
        a_month(north)
        a_month(Unit.objects.get(code="south"), n=12)

        assert reading(ADA, unit="bank").found.cases == 42
        assert reading(ADA, unit="north").found.cases == 30

    def test_another_unit_is_not_there_for_them(self, north: Unit) -> None:
        a_month(north)

        with pytest.raises(NotFound):
            reading(manager_of(north), unit="south")

    def test_there_is_nothing_where_nothing_was_recorded(self, north: Unit) -> None:
        a_month(north)
        south = Unit.objects.get(code="south")

        assert choose(principal=manager_of(south), asked=Asked(), now=NOW) is None

    def test_the_newest_period_that_is_over_is_shown_first(self, north: Unit) -> None:
        a_month(north)
        a_month(north, day=31, n=7)

        assert reading(ADA).period == Period.parse("2026-03")
        assert reading(ADA, period="2026-04").found.cases == 7
        assert reading(ADA, grain="week").period == Period.parse("2026-W14")
        assert reading(ADA, grain="year").found.cases == 37

    def test_a_channel_is_a_part(self, north: Unit) -> None:
        counter = make_channel("counter")
        a_month(north)
        rows = [visit(f"c{i}", north) for i in range(6)]
        take(*(encounter(row.key, north, steps=row.steps, channel_id=counter.pk) for row in rows))

        assert reading(ADA, channel="counter").found.cases == 6
        assert reading(ADA).found.cases == 36

    def test_at_most_twenty_thousand_are_read(
        self, north: Unit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sqcore.encounters.process.MOST_READ", 20)
        a_month(north)
        a_month(north, day=1, wait=20, n=20)

        found = reading(ADA)

        assert (found.found.cases, found.is_cut) == (20, True)
        assert found.found.edges.wait.median[-1] == 22 * 60  # the latest ones


class TestNobodyIsRecognised:
    def test_a_path_of_a_few_customers_is_not_told_apart(self, north: Unit) -> None:
        a_month(north)
        take(*(visit(f"odd-{i}", north, "cacs") for i in range(4)))

        found = reading(ADA)

        assert [path.n for path in found.shown_paths] == [30]
        moves = map_as_json(chosen_of(ADA), found)["moves"]
        assert [(move["source"], move["target"], move["n"]) for move in moves] == [
            ("counter", "sign", 34), ("sign", None, 34), (None, "counter", 34),
        ]  # fmt: skip

    def test_five_customers_are_enough(self, north: Unit) -> None:
        a_month(north)
        take(*(visit(f"odd-{i}", north, "cacs") for i in range(5)))

        assert [path.n for path in reading(ADA).shown_paths] == [30, 5]

    def test_how_long_a_stage_was_is_told_of_a_single_customer(self, north: Unit) -> None:
        a_month(north)
        take(visit("odd", north, "cacs"))

        told = map_as_json(chosen_of(ADA), reading(ADA))["stages"]

        assert [(stage["stage"], stage["encounters"]) for stage in told] == [
            ("counter", 31), ("advice", 1), ("sign", 31),
        ]  # fmt: skip

    def test_of_four_encounters_stages_are_told_and_no_way(
        self, north: Unit, client: Client
    ) -> None:
        a_month(north, n=4)
        login(client, "ada", Role.ADMINISTRATOR)

        content = client.get(URL).content.decode()

        assert "Too few encounters to draw the way" in content
        assert "Counter" in content
        assert "Counter → Sign" not in content
        assert '<svg class="process-drawing' not in content
        body = get("process-map", make_key(Permission.VIEW_RESULTS, now=NOW)).json()  # type: ignore[attr-defined]  # the test client's answer
        assert body["is_withheld"] is True
        assert (body["encounters"], body["bottleneck"], body["moves"], body["paths"]) == (
            4, None, [], [],
        )  # fmt: skip
        assert [(stage["stage"], stage["n"]) for stage in body["stages"]] == [
            ("counter", 4), ("sign", 4),
        ]  # fmt: skip


class TestWords:
    def test_the_bottleneck_is_said_with_n_and_interval(self, north: Unit) -> None:
        a_month(north)

        page = process_page(principal=ADA, asked=Asked(), now=NOW)

        assert page is not None
        assert page.bottleneck == (
            "The bottleneck is the wait before “Counter”: 71 % of all the time that customers "
            "spend (95 % interval 70 – 72 %), in 30 encounters."
        )

    def test_too_few_are_no_bottleneck(self, north: Unit) -> None:
        a_month(north, n=19)

        said = bottleneck_sentence(reading(ADA), Names({}))

        assert said == (
            "Most of the time goes on the wait before “counter”, 70 % in 19 encounters, but these "
            "are too few to call it the bottleneck."
        )

    def test_two_alike_are_no_clear_bottleneck(self) -> None:
        steps = [
            [["a", wait, wait + work, ""]] for wait, work in ((60, 50), (40, 55), (50, 45)) * 10
        ]
        found = reading_of(steps, period=Period.parse("2026-03"), smallest_group=5)

        assert bottleneck_sentence(found, Names({})) == (
            "No clear bottleneck: the stage “a” takes 50 % of the time that customers spend "
            "(95 % interval 48 – 52 %), the wait before “a” takes 50 % (48 – 52 %)."
        )

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [
            (0, "0 s"), (0.44, "0.4 s"), (45, "45 s"), (89, "89 s"), (90, "1.5 min"),
            (5399, "90 min"), (5400, "1.5 h"), (129_600, "1.5 d"), (30_069_085, "348 d"),
            (-120, "−2.0 min"), (float("nan"), ""),
        ],
    )  # fmt: skip
    def test_times_are_said_in_the_unit_that_reads_easily(self, seconds: float, said: str) -> None:
        assert duration(seconds) == said


class TestBeforeAndAfter:
    def test_a_longer_wait_is_a_clear_change(self, north: Unit) -> None:
        a_month(north, wait=10)
        a_month(north, wait=15, day=-28)

        page = process_page(principal=ADA, asked=Asked(), now=NOW)

        assert page is not None
        assert page.before_title == "February 2026"
        changed = {line.name: line.change for line in page.moves}
        before_counter = changed["Arrival → Counter"]
        assert before_counter is not None
        assert before_counter.is_clear
        assert (before_counter.before, before_counter.text, before_counter.tone) == (
            "17 min", "5.0 min", "good",
        )  # fmt: skip
        # All waited one minute here: nothing shows how sure that is.
        assert changed["Counter → Sign"] is None

    def test_there_need_not_be_a_comparison(self, north: Unit) -> None:
        a_month(north)
        a_month(north, day=-28)

        page = process_page(principal=ADA, asked=Asked(against="none"), now=NOW)

        assert page is not None
        assert page.before is None


def login(client: Client, name: str, role: Role, unit: Unit | None = None) -> None:
    user = make_user(name)
    give_role(user, role, unit)
    client.force_login(user)


class TestPage:
    def test_it_keeps_the_rules_of_pages(self, north: Unit, client: Client) -> None:
        a_month(north)
        take(*(visit(f"again-{i}", north, "acacs") for i in range(8)))
        login(client, "mei", Role.MANAGER, north)

        for language in ("en", "zh-hans"):
            client.cookies["django_language"] = language
            response = client.get(URL)
            assert response.status_code == 200
            assert faults_of(response.content.decode()) == []
        assert response.content.decode().count('class="move back"') == 2  # the map and its legend

    def test_it_asks_the_database_little(
        self, north: Unit, client: Client, django_assert_max_num_queries: object
    ) -> None:
        a_month(north)
        a_month(north, day=-28)
        login(client, "mei", Role.MANAGER, north)

        with django_assert_max_num_queries(15):  # type: ignore[operator]  # a fixture of pytest-django
            client.get(URL)

    def test_an_empty_house_is_told_what_to_do(self, north: Unit, client: Client) -> None:
        login(client, "mei", Role.MANAGER, north)

        content = client.get(URL).content.decode()

        assert "There are no encounters yet" in content
        assert faults_of(content) == []

    def test_it_is_for_those_who_see_results(self, north: Unit, client: Client) -> None:
        a_month(north)
        client.force_login(make_user("chen"))

        assert client.get(URL).status_code == 403

    def test_neither_staff_nor_customers_stand_on_it(self, north: Unit, client: Client) -> None:
        take(
            *(
                encounter(
                    f"v{i}",
                    north,
                    customer="C-77123",
                    steps=[step("counter", 3, 9, staff="S-4711")],
                )
                for i in range(9)
            )
        )
        login(client, "mei", Role.MANAGER, north)

        content = client.get(URL).content.decode()

        assert "C-77123" not in content
        assert "S-4711" not in content
        assert "visit-33" not in content


def timed(event: Event, first: Event) -> Step:
    """A stage without an end, as long after the morning as the event was after the first."""
    code = event.activity.lower().replace(" ", "-")
    return step(code, (event.at - first.at).total_seconds() / 60, None)


class TestHospital:
    """A log whose events have one time only is drawn as well."""

    @pytest.fixture
    def hospital(self, north: Unit) -> Unit:
        cases: dict[str, list[Event]] = {}
        for event in events():
            cases.setdefault(event.case, []).append(event)
        take(
            *(
                encounter(f"h-{case}", north, steps=[timed(event, found[0]) for event in found])
                for case, found in cases.items()
            )
        )
        return north

    def test_four_hundred_cases_do_not_settle_the_bottleneck(self, hospital: Unit) -> None:
        page = process_page(principal=ADA, asked=Asked(), now=NOW)

        assert page is not None
        assert page.reading.found.cases == 400
        assert page.bottleneck == (
            "No clear bottleneck: the time from “new” to “fin” takes 36 % of the time that "
            "customers spend (95 % interval 30 – 43 %), the time from “code-ok” to “billed” takes "
            "27 % (24 – 31 %)."
        )
        assert page.notes == [
            "The end of some stages is not recorded: the wait after them runs from their start, "
            "so that it contains the stage itself."
        ]
        assert len(page.drawing.arrows) < len(page.reading.found.edges.n)


def test_stages_that_nobody_described_are_shown_by_their_code(north: Unit) -> None:
    Stage.objects.all().delete()
    a_month(north)

    page = process_page(principal=ADA, asked=Asked(), now=NOW)

    assert page is not None
    assert [line.name for line in page.stages] == ["counter", "sign"]


def test_over_rest_the_map_has_its_figures(north: Unit) -> None:
    a_month(north)

    response = get(
        "process-map?period=2026-03&unit=north", make_key(Permission.VIEW_RESULTS, now=NOW)
    )
    body = response.json()  # type: ignore[attr-defined]  # the test client's answer

    assert response.status_code == 200
    assert {key: body[key] for key in ("unit", "period", "channel", "encounters", "is_cut")} == {
        "unit": "north", "period": "2026-03", "channel": None, "encounters": 30, "is_cut": False,
    }  # fmt: skip
    assert [row["stage"] for row in body["stages"]] == ["counter", "sign"]
    wait = next(row for row in body["moves"] if row["source"] is None)
    assert (wait["target"], wait["n"], wait["wait"]["median_s"]) == ("counter", 30, 720.0)
    assert body["bottleneck"]["kind"] == "move"
    assert body["bottleneck"]["is_clear"] is True
    assert body["paths"] == [{"stages": ["counter", "sign"], "encounters": 30, "share": 1.0}]


def test_over_rest_a_wrong_parameter_is_named(north: Unit) -> None:
    a_month(north)
    key = make_key(Permission.VIEW_RESULTS, now=NOW)

    assert get("process-map?period=soon", key).status_code == 400
    assert get("process-map?staff=1001", key).status_code == 400
    assert get("process-map?unit=nowhere", key).status_code == 404


def test_a_token_of_a_unit_reads_of_that_unit(north: Unit) -> None:
    a_month(north)
    a_month(Unit.objects.get(code="south"), n=12)
    key = make_key(Permission.VIEW_RESULTS, units=[north], now=NOW)

    body = get("process-map", key).json()  # type: ignore[attr-defined]  # the test client's answer

    assert body["encounters"] == 30
    assert get("process-map?unit=south", key).status_code == 404


def test_the_page_speaks_chinese(north: Unit) -> None:
    a_month(north)

    with translation.override("zh-hans"):
        page = process_page(principal=ADA, asked=Asked(), now=NOW)
        assert page is not None
        assert "瓶颈" in page.bottleneck
