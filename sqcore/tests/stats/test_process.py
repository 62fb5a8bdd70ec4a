from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.arrays import BoolArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.process import (
    ProcessMap,
    bottleneck,
    filter_edges,
    process_map,
    variants,
)
from sqcore.tests.encounters.hospital import events

MINUTE, HOUR, DAY = 60, 3600, 86_400

BOOK = {
    "ae": 5, "abce": 10, "acbe": 10, "abe": 1, "ace": 1, "ade": 10, "adde": 2, "addde": 1,
}  # fmt: skip
"""The event log of 40 cases in van der Aalst 2016, Process Mining, section 7.2.1."""


def log_of(
    paths: list[str], letters: str = "abcdefgh", *, step: float = 1.0
) -> tuple[list[int], list[int], list[float], list[float]]:
    """Case, activity, start and end of cases that follow these paths, a step an event."""
    rows = [
        (number, letters.index(letter), place * step, place * step)
        for number, path in enumerate(paths)
        for place, letter in enumerate(path)
    ]
    case, activity, start, end = zip(*rows, strict=True) if rows else ((), (), (), ())
    return list(case), list(activity), list(start), list(end)


def map_of(paths: list[str], *, activities: int = 5) -> ProcessMap:
    case, activity, start, end = log_of(paths)
    return process_map(case, activity, start, end, activities=activities)


def moves_of(found: ProcessMap, letters: str = "abcde") -> dict[str, int]:
    names = [*letters[: found.arrival], ">", "|"]
    edges = found.edges
    return {
        names[source] + names[target]: n
        for source, target, n in zip(
            edges.source.tolist(), edges.target.tolist(), edges.n.tolist(), strict=True
        )
    }


class TestPublished:
    def test_the_book_counts_what_follows_what(self) -> None:
        """Table 7.2 of van der Aalst 2016."""
        found = map_of([path for path, n in BOOK.items() for _ in range(n)])

        assert found.cases == 40
        assert moves_of(found) == {
            "ab": 11, "ac": 11, "ad": 13, "ae": 5,
            "bc": 10, "be": 11, "cb": 10, "ce": 11, "dd": 4, "de": 13,
            ">a": 40, "e|": 40,
        }  # fmt: skip

    def test_the_book_has_eight_paths(self) -> None:
        case, activity, _start, _end = log_of([path for path, n in BOOK.items() for _ in range(n)])

        found = variants(case, activity)

        assert {"".join("abcde"[a] for a in one.path): one.n for one in found} == BOOK
        assert [one.n for one in found] == [10, 10, 10, 5, 2, 1, 1, 1]
        assert found[0].coverage == 0.25
        assert found[3].coverage == 0.875
        assert found[-1].coverage == 1.0


@cache
def hospital() -> tuple[list[str], ProcessMap]:
    """The activities of the log, and its map."""
    rows = events()
    names = sorted({row.activity for row in rows})
    cases: dict[str, int] = {}
    found = process_map(
        [cases.setdefault(row.case, len(cases)) for row in rows],
        [names.index(row.activity) for row in rows],
        [row.at.timestamp() for row in rows],
        [np.nan] * len(rows),
        activities=len(names),
    )
    return names, found


class TestHospital:
    """A real log whose events have one time only, against pm4py 2.7.23.11 and a plain loop."""

    @pytest.fixture
    def names(self) -> list[str]:
        return hospital()[0]

    @pytest.fixture
    def found(self) -> ProcessMap:
        return hospital()[1]

    def test_counts_and_times_are_those_of_pm4py(self, found: ProcessMap, names: list[str]) -> None:
        edges, wait = found.edges, found.edges.wait
        at = {
            (names[s], names[t]): place
            for place, (s, t) in enumerate(zip(edges.source, edges.target, strict=True))
            if s < found.arrival and t < found.arrival
        }

        assert (found.cases, found.events, len(at), int(edges.n[list(at.values())].sum())) == (
            400, 2031, 35, 1631,
        )  # fmt: skip
        seen = {
            move: (int(edges.n[i]), round(float(wait.mean[i]), 3), float(wait.median[i]))
            for move in (("FIN", "RELEASE"), ("NEW", "FIN"), ("RELEASE", "CODE OK"))
            for i in [at[move]]
        }
        assert seen == {
            ("FIN", "RELEASE"): (313, 65563.543, 16505.0),
            ("NEW", "FIN"): (102, 20035978.245, 28687025.0),
            ("RELEASE", "CODE OK"): (305, 398452.669, 349863.0),
        }
        assert float(wait.total[at["CHANGE DIAGN", "FIN"]]) == 1247131365.0
        ends = edges.target == found.leaving
        assert {names[s]: n for s, n in zip(edges.source[ends], edges.n[ends], strict=True)} == {
            "BILLED": 282, "NEW": 70, "DELETE": 41, "FIN": 3, "SET STATUS": 3, "JOIN-PAT": 1,
        }  # fmt: skip

    def test_every_edge_is_as_a_plain_loop_finds_it(
        self, found: ProcessMap, names: list[str]
    ) -> None:
        waits, cases = defaultdict(list), defaultdict(set)
        for before, after in pairwise(events()):
            if before.case == after.case:
                move = names.index(before.activity), names.index(after.activity)
                waits[move].append((after.at - before.at).total_seconds())
                cases[move].add(before.case)
        edges = found.edges
        inner = [
            i
            for i in range(len(edges.n))
            if edges.source[i] < found.arrival and edges.target[i] < found.arrival
        ]

        assert [(int(edges.source[i]), int(edges.target[i])) for i in inner] == sorted(waits)
        for i, move in zip(inner, sorted(waits), strict=True):
            assert edges.n[i] == edges.wait.n[i] == edges.untimed[i] == len(waits[move])
            assert edges.cases[i] == len(cases[move])
            assert edges.wait.median[i] == pytest.approx(np.median(waits[move]))
            assert edges.wait.p90[i] == pytest.approx(np.percentile(waits[move], 90))
            assert edges.wait.mean[i] == pytest.approx(np.mean(waits[move]))

    def test_rework_is_counted_by_case(self, found: ProcessMap, names: list[str]) -> None:
        counts = Counter((event.case, event.activity) for event in events())

        assert found.stages.n.tolist() == [
            sum(n for (_case, activity), n in counts.items() if activity == name) for name in names
        ]
        assert found.stages.repeated.tolist() == [
            sum(n > 1 for (_case, activity), n in counts.items() if activity == name)
            for name in names
        ]

    def test_the_handling_is_not_known(self, found: ProcessMap) -> None:
        handling = found.stages.handling

        assert handling.n.tolist() == [0] * found.arrival
        assert np.isnan(handling.mean).all()
        assert handling.total.tolist() == [0.0] * found.arrival

    def test_the_map_is_thinned_but_stays_whole(self, found: ProcessMap) -> None:
        shown = filter_edges(found, flow=0.9)

        assert (int(shown.edges.sum()), len(shown.edges)) == (26, 42)
        assert shown.flow == pytest.approx(0.98149, abs=1e-5)
        assert reached(found, shown.edges) == set(range(found.arrival))


def reached(found: ProcessMap, kept: BoolArray) -> set[int]:
    """Stages on a way from the arrival that also lead to the leaving, over the kept edges."""

    def spread(start: int, pairs: list[tuple[int, int]]) -> set[int]:
        seen, waiting = {start}, [start]
        while waiting:
            at = waiting.pop()
            for source, target in pairs:
                if source == at and target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return seen

    pairs = [
        (int(s), int(t))
        for s, t in zip(found.edges.source[kept], found.edges.target[kept], strict=True)
    ]
    forth = spread(found.arrival, pairs)
    back = spread(found.leaving, [(t, s) for s, t in pairs])
    return (forth & back) - {found.arrival, found.leaving}


class TestTimes:
    def test_waiting_runs_from_the_end_of_one_stage_to_the_start_of_the_next(self) -> None:
        found = process_map(
            [0, 0, 1, 1], [0, 1, 0, 1], [2, 9, 3, 16], [4, 10, 6, 18],
            activities=2, arrived=[0, 0, 0, 0],
        )  # fmt: skip

        assert moves_of(found) == {"ab": 2, "b|": 2, ">a": 2}
        assert found.edges.wait.mean.tolist()[0] == 7.5
        assert found.edges.wait.mean.tolist()[2] == 2.5
        assert found.stages.handling.mean.tolist() == [2.5, 1.5]
        assert found.stages.place.tolist() == [0.0, 1.0]

    def test_stages_at_the_same_time_are_no_negative_wait(self) -> None:
        found = process_map([0, 0, 0], [0, 1, 2], [0, 3, 9], [5, 8, 9], activities=3)

        assert found.edges.overlaps.tolist() == [1, 0, 0, 0]
        assert found.edges.wait.total.tolist() == [0.0, 1.0, 0.0, 0.0]

    def test_a_stage_without_an_end_is_waited_for_from_its_start(self) -> None:
        found = process_map([0, 0], [0, 1], [0, 6], [np.nan, 8], activities=2)

        assert found.edges.untimed.tolist() == [1, 0, 0]
        assert found.edges.wait.total.tolist() == [6.0, 0.0, 0.0]
        assert found.stages.handling.n.tolist() == [0, 1]

    def test_the_mean_has_the_interval_of_a_ratio_of_cases(self) -> None:
        """Two cases: one handled 2 and 4, the other 9; means 5, residuals -4 and 4."""
        found = process_map([0, 0, 1], [0, 0, 0], [0, 5, 0], [2, 9, 9], activities=1)

        se = np.sqrt((16 + 16) * 2) / 3
        assert found.stages.handling.mean.tolist() == [5.0]
        assert found.stages.handling.low[0] == pytest.approx(5 * np.exp(-12.7062047 * se / 5))
        skewness = 2 * se / 5 * np.sqrt(2)
        inner = 1 - skewness * (12.7062047 / np.sqrt(2) + skewness / 12)
        above = 3 * np.sqrt(2) / skewness * (1 - np.cbrt(inner))
        assert found.stages.handling.high[0] == pytest.approx(5 + se * above)

    def test_one_case_has_no_interval(self) -> None:
        found = process_map([0], [0], [0], [7], activities=1)

        assert np.isnan([found.stages.handling.low[0], found.stages.handling.high[0]]).all()

    def test_nothing_gives_an_empty_map(self) -> None:
        found = process_map([], [], [], [], activities=2)

        assert (found.cases, found.events, len(found.edges.n)) == (0, 0, 0)
        assert bottleneck(found) is None
        assert variants([], []) == []
        assert filter_edges(found).flow == 1.0

    def test_the_intervals_hold(self) -> None:
        """60 skewed cases, 1,000 times: the true share and mean lie inside in about 95 %."""
        rng = np.random.default_rng(7)
        held = np.zeros(2)
        for _ in range(1000):
            waits, work = rng.lognormal(0, 1, 60), rng.lognormal(0, 0.5, 60)
            found = process_map(
                range(60), [0] * 60, waits, waits + work, activities=1, arrived=[0.0] * 60
            )
            times = found.stages.handling
            truth = np.exp(0.125) / (np.exp(0.125) + np.exp(0.5))
            held += [
                times.share_low[0] < truth < times.share_high[0],
                found.edges.wait.low[1] < np.exp(0.5) < found.edges.wait.high[1],
            ]

        assert (held > 900).all(), held
        assert (held < 970).all(), held

    @pytest.mark.parametrize(
        ("sigma", "cases", "least", "most"),
        [
            (1.0, 20, 0.93, 0.97),
            (1.0, 60, 0.93, 0.96),
            (1.0, 300, 0.93, 0.97),
            (0.5, 20, 0.93, 0.97),
        ],
    )
    def test_the_mean_of_few_skewed_times_is_inside(
        self, sigma: float, cases: int, least: float, most: float
    ) -> None:
        """2,000 stages of lognormal times at once: how often the interval has the true mean."""
        runs, rng = 2000, np.random.default_rng(5)
        stage = np.tile(np.arange(runs), cases)
        start = 1000.0 * stage
        took = rng.lognormal(0, sigma, runs * cases)

        times = process_map(
            np.repeat(np.arange(cases), runs), stage, start, start + took, activities=runs
        ).stages.handling

        truth = np.exp(sigma**2 / 2)
        assert least < float(np.mean((times.low < truth) & (truth < times.high))) < most


class TestBottleneck:
    def visits(self, wait: list[float], work: list[float]) -> ProcessMap:
        n = len(wait)
        arrived = np.arange(n) * DAY
        start = arrived + wait
        return process_map(range(n), [0] * n, start, start + work, activities=1, arrived=arrived)

    def test_the_longest_stretch_is_named_with_its_share(self) -> None:
        found = self.visits([8.0, 9, 10] * 10, [2.0, 3, 1] * 10)

        most = bottleneck(found)

        assert most is not None
        assert most.second is not None
        assert (most.stage, most.edge, most.cases, most.is_clear) == (None, 1, 30, True)
        assert most.share == pytest.approx(270 / 330)
        assert most.second.stage == 0
        assert most.low > most.second.high

    def test_two_that_are_alike_are_no_clear_bottleneck(self) -> None:
        most = bottleneck(self.visits([1.0, 9, 2, 8] * 10, [9.0, 2, 7, 1] * 10))

        assert most is not None
        assert not most.is_clear

    def test_a_few_cases_are_no_clear_bottleneck(self) -> None:
        most = bottleneck(self.visits([8.0, 9, 10] * 6, [2.0, 3, 1] * 6))

        assert most is not None
        assert most.share == pytest.approx(270 / 330)
        assert not most.is_clear

    def test_what_a_few_cases_did_is_not_looked_at(self) -> None:
        paths = ["ab"] * 30 + ["aab"]
        case, activity, start, end = log_of(paths)
        end[-2] = start[-1] = 500.0
        end[-1] = 501.0
        found = process_map(case, activity, start, end, activities=2)

        everything, guarded = bottleneck(found), bottleneck(found, fewest=5)

        assert everything is not None
        assert everything.stage == 0
        assert everything.cases == 31
        assert guarded is not None
        assert guarded.share <= everything.share

    def test_no_time_is_no_bottleneck(self) -> None:
        assert bottleneck(process_map([0, 1], [0, 0], [5, 5], [5, 5], activities=1)) is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("case", "activity", "start", "end", "arrived"),
        [
            ([0], [0], [5], [4], None),
            ([0, 0], [0, 0], [5, 4], [5, 5], None),
            ([0, 1, 0], [0, 0, 0], [1, 2, 3], [1, 2, 3], None),
            ([0], [2], [0], [0], None),
            ([0], [-1], [0], [0], None),
            ([0, 0], [0], [0, 0], [0, 0], None),
            ([0], [0], [np.nan], [1], None),
            ([0], [0], [0], [np.inf], None),
            ([0], [0], [5], [6], [5.5]),
            ([0.5], [0], [5], [6], None),
        ],
    )
    def test_what_cannot_be_is_refused(
        self,
        case: list[float],
        activity: list[int],
        start: list[float],
        end: list[float],
        arrived: list[float] | None,
    ) -> None:
        with pytest.raises(StatisticsError):
            process_map(case, activity, start, end, activities=2, arrived=arrived)

    def test_a_flow_is_a_share(self) -> None:
        with pytest.raises(StatisticsError):
            filter_edges(map_of(["ab"]), flow=1.1)


PATHS = st.lists(st.text("abcd", min_size=1, max_size=7), min_size=1, max_size=12)


class TestAlways:
    @given(PATHS)
    def test_what_comes_in_goes_out(self, paths: list[str]) -> None:
        found = map_of(paths)
        edges = found.edges

        into = np.bincount(edges.target, weights=edges.n, minlength=7)
        out_of = np.bincount(edges.source, weights=edges.n, minlength=7)

        assert into[:5].tolist() == out_of[:5].tolist() == found.stages.n.tolist()
        assert into[found.leaving] == out_of[found.arrival] == found.cases == len(paths)

    @given(PATHS)
    def test_the_shares_of_the_time_sum_to_one(self, paths: list[str]) -> None:
        found = map_of(["a" + path for path in paths])
        shares = [*found.stages.handling.share, *found.edges.wait.share]

        assert sum(shares) == pytest.approx(1.0)

    @given(PATHS, st.floats(0, 1))
    def test_no_stage_stands_apart(self, paths: list[str], flow: float) -> None:
        found = map_of(paths)
        shown = filter_edges(found, flow=flow)

        assert shown.flow >= flow - 1e-9
        assert reached(found, shown.edges) == set(np.flatnonzero(found.stages.n).tolist())

    @given(PATHS)
    def test_the_order_of_the_cases_does_not_matter(self, paths: list[str]) -> None:
        assert moves_of(map_of(paths)) == moves_of(map_of(paths[::-1]))
        case, activity, *_times = log_of(paths)
        again, same, *_times = log_of(paths[::-1])
        assert variants(case, activity) == variants(again, same)

    @given(PATHS)
    def test_the_paths_cover_all_cases_once(self, paths: list[str]) -> None:
        case, activity, *_times = log_of(paths)
        found = variants(case, activity)

        assert sum(one.n for one in found) == len(paths)
        assert found[-1].coverage == 1.0
        assert Counter(paths) == {"".join("abcd"[a] for a in one.path): one.n for one in found}


def test_fifty_thousand_events_take_less_than_a_fifth_of_a_second() -> None:
    rng = np.random.default_rng(1)
    case = np.repeat(np.arange(10_000), 5)
    start = np.cumsum(rng.exponential(60, 50_000))
    end = start + rng.exponential(30, 50_000)
    activity = rng.integers(0, 16, 50_000)

    before = process_time()
    found = process_map(case, activity, start, end, activities=16)
    bottleneck(found)
    filter_edges(found)
    variants(case, activity)
    taken = process_time() - before

    assert taken < 0.4  # twice the budget: other work shares the processor
