from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqcore.stats.arrays import BoolArray, IntArray
from sqcore.stats.errors import StatisticsError
from sqcore.stats.moments import Moments, add, merge, moments_of, no_moments, pack, subtract, unpack

Data = tuple[IntArray, BoolArray, Any, IntArray, int]


def respondents(
    seed: int,
    rows: int = 60,
    measures: int = 3,
    cells: int = 4,
    weighted: bool = True,
    top: int = 420,
) -> Data:
    rng = np.random.default_rng(seed)
    return (
        rng.integers(-top, top + 1, (rows, measures)),
        rng.random((rows, measures)) < 0.8,
        rng.integers(0, 50, rows) if weighted else None,
        rng.integers(0, cells, rows),
        cells,
    )


def by_hand(
    values: IntArray, present: BoolArray, weights: IntArray | None, cell: IntArray, cells: int
) -> tuple[Any, Any, Any, Any]:
    """The definition, row by row, in Python integers."""
    measures = values.shape[1]
    n = np.zeros((cells, measures), dtype=object)
    people = np.zeros(cells, dtype=object)
    linear = np.zeros((cells, 2 * measures), dtype=object)
    gram = np.zeros((cells, 2 * measures, 2 * measures), dtype=object)
    for i, c in enumerate(cell):
        w = 1 if weights is None else int(weights[i])
        if w == 0:
            continue
        here = [int(p) for p in present[i]]
        u = [w * p for p in here] + [w * p * int(x) for p, x in zip(here, values[i], strict=True)]
        n[c] += here
        people[c] += 1
        linear[c] += u
        gram[c] += np.outer(np.array(u, dtype=object), np.array(u, dtype=object))
    return n, people, linear, gram


def assert_same(moments: Moments, expected: tuple[Any, Any, Any, Any]) -> None:
    n, people, linear, gram = expected
    assert moments.n.tolist() == n.tolist()
    assert moments.respondents.tolist() == people.tolist()
    assert moments.linear.tolist() == linear.tolist()
    assert moments.gram.tolist() == gram.tolist()


class TestMomentsOf:
    @pytest.mark.parametrize("weighted", [False, True])
    def test_equals_the_definition_row_by_row(self, weighted: bool) -> None:
        data = respondents(1, weighted=weighted)

        assert_same(moments_of(*data), by_hand(*data))

    def test_is_exact_where_one_product_needs_all_53_bits(self) -> None:
        values = np.array([[94_906_265], [94_906_264], [-94_906_265]])
        data = (values, np.ones((3, 1), dtype=bool), None, np.zeros(3, dtype=int), 1)

        assert_same(moments_of(*data), by_hand(*data))

    def test_is_exact_in_a_cell_longer_than_one_piece(self) -> None:
        rng = np.random.default_rng(2)
        values = rng.integers(2**22, 2**23, (70_000, 1))
        here = np.ones((70_000, 1), dtype=bool)

        moments = moments_of(values, here, None, np.zeros(70_000, dtype=int), 1)

        assert moments.gram[0, 1, 1] == sum(int(v) ** 2 for v in values[:, 0])

    def test_takes_narrow_integers_without_wrapping(self) -> None:
        values = np.full((3, 1), -128, dtype=np.int8)
        moments = moments_of(values, np.ones((3, 1), dtype=bool), None, [0, 0, 0], 1)

        assert moments.gram[0].tolist() == [[3, -384], [-384, 49152]]

    def test_does_not_look_at_absent_values(self) -> None:
        moments = moments_of([[2**62, 7]], [[False, True]], None, [0], 1)

        assert moments.linear.tolist() == [[0, 1, 0, 7]]

    def test_leaves_out_who_weighs_nothing(self) -> None:
        moments = moments_of([[4], [6]], [[True], [True]], [0, 3], [0, 0], 1)

        assert moments.n.tolist() == [[1]]
        assert moments.respondents.tolist() == [1]
        assert moments.linear.tolist() == [[3, 18]]

    def test_counts_a_respondent_without_any_measure(self) -> None:
        moments = moments_of([[4]], [[False]], None, [0], 1)

        assert moments.respondents.tolist() == [1]
        assert moments.n.tolist() == [[0]]

    def test_of_nobody_is_all_zero(self) -> None:
        empty = moments_of(np.zeros((0, 2), dtype=int), np.zeros((0, 2), dtype=bool), None, [], 3)

        assert empty == no_moments(3, 2)

    @given(st.integers(0, 10_000))
    def test_does_not_depend_on_the_order_of_respondents(self, seed: int) -> None:
        values, present, weights, cell, cells = respondents(seed)
        shuffled = np.random.default_rng(seed).permutation(len(cell))

        assert moments_of(values, present, weights, cell, cells) == moments_of(
            values[shuffled], present[shuffled], weights[shuffled], cell[shuffled], cells
        )

    @given(st.integers(0, 10_000))
    def test_weights_of_one_change_nothing(self, seed: int) -> None:
        values, present, _, cell, cells = respondents(seed)

        assert moments_of(values, present, np.ones(len(cell), dtype=int), cell, cells) == (
            moments_of(values, present, None, cell, cells)
        )


class TestArithmetic:
    @given(st.integers(0, 10_000), st.integers(0, 60))
    def test_the_union_is_the_sum_and_subtracting_undoes_it(self, seed: int, cut: int) -> None:
        values, present, weights, cell, cells = respondents(seed)
        first, second = (
            moments_of(values[part], present[part], weights[part], cell[part], cells)
            for part in (slice(cut), slice(cut, None))
        )
        whole = moments_of(values, present, weights, cell, cells)

        assert add(first, second) == whole
        assert subtract(whole, second) == first
        assert subtract(whole, whole) == no_moments(cells, 3)

    def test_refuses_to_subtract_who_was_never_there(self) -> None:
        one = moments_of([[4]], [[True]], None, [0], 1)

        with pytest.raises(StatisticsError, match="not in the whole"):
            subtract(no_moments(1, 1), one)

    def test_refuses_a_sum_beyond_63_bits(self) -> None:
        huge = Moments(*(np.full_like(a, 2**62) for a in vars(no_moments(1, 1)).values()))

        with pytest.raises(StatisticsError, match="63 bits"):
            add(huge, huge)
        with pytest.raises(StatisticsError, match="63 bits"):
            merge(huge, [0, 0], 1, cell=[0, 0])

    @given(st.integers(0, 10_000))
    def test_merging_cells_equals_never_having_split_them(self, seed: int) -> None:
        values, present, weights, cell, cells = respondents(seed)
        group = np.array([1, 0, 1, 2])

        merged = merge(moments_of(values, present, weights, cell, cells), group, 3)

        assert merged == moments_of(values, present, weights, group[cell], 3)

    def test_gives_a_cell_to_all_above_it(self) -> None:
        moments = moments_of([[4], [5]], [[True], [True]], None, [0, 1], 2)

        merged = merge(moments, [0, 1, 2, 2], 3, cell=[0, 1, 0, 1])

        assert merged.linear.tolist() == [[1, 4], [1, 5], [2, 9]]

    def test_selects_measures_in_another_order(self) -> None:
        values, present, weights, cell, cells = respondents(5)

        assert moments_of(values, present, weights, cell, cells).select([2, 0]) == moments_of(
            values[:, [2, 0]], present[:, [2, 0]], weights, cell, cells
        )


class TestPack:
    @given(st.integers(0, 10_000), st.booleans(), st.integers(0, 10**6), st.integers(1, 4))
    def test_unpacking_gives_back_every_integer(
        self, seed: int, weighted: bool, top: int, measures: int
    ) -> None:
        moments = moments_of(
            *respondents(seed, rows=30, measures=measures, weighted=weighted, top=top)
        )

        assert unpack(pack(moments)) == moments

    def test_keeps_the_order_of_cells_of_different_widths(self) -> None:
        values = np.array([[1], [1000], [1], [60_000]])
        moments = moments_of(values, np.ones((4, 1), dtype=bool), [1, 1, 2, 9], range(4), 5)

        blobs = pack(moments)

        assert [len(blob) for blob in blobs] == [17, 21, 17, 21, 17]
        assert unpack(blobs) == moments
        assert unpack(blobs[::-1]) == moments.take([4, 3, 2, 1, 0])

    def test_packs_a_cell_alone_as_among_others(self) -> None:
        moments = moments_of(*respondents(3))

        assert [pack(moments.take([i]))[0] for i in range(4)] == pack(moments)

    @pytest.mark.parametrize(
        ("blobs", "reason"),
        [
            ([], "nothing to unpack"),
            ([b""], "cut short"),
            ([bytes.fromhex("010001000000000000010000000101041000")], "cut short"),
            ([bytes.fromhex("02010100000000000001010410")], "version 2"),
            ([bytes.fromhex("01ff0100000000000001010410")], "broken header"),
            ([bytes.fromhex("0100010000000000090100000001010410")], "broken header"),
            ([pack(no_moments(1, m))[0] for m in (1, 2)], "number of measures"),
        ],
    )
    def test_refuses_what_it_did_not_write(self, blobs: list[bytes], reason: str) -> None:
        with pytest.raises(StatisticsError, match=reason):
            unpack(blobs)

    def test_widths_grow_with_the_numbers(self) -> None:
        lengths = [
            len(pack(moments_of([[top]], [[True]], None, [0], 1))[0])
            for top in (1, 15, 200, 40_000, 10**6)
        ]

        assert all(a <= b for a, b in pairwise(lengths))
