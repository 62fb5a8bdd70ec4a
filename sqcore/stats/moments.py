"""Exact additive sufficient statistics of several measures, with pairwise presence.

A respondent i with the integer weight w and the integer measures x gives the vector

    u = (w 1_1, ..., w 1_M, w 1_1 x_1, ..., w 1_M x_M),   1_a = 1 if the measure a is present

A cell keeps the sum of u and the sum of u u'. Means, variances and covariances of weighted means
follow from these alone, they add and subtract exactly, and no answer is read a second time.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from sqcore.stats.arrays import BoolArray, FloatArray, IntArray, int64s, integers, shaped
from sqcore.stats.errors import StatisticsError

EXACT_FLOAT = 2**53
LARGEST = 2**63 - 1
ROWS_AT_ONCE = 2**16
NUMBERS_AT_ONCE = 2**22
CELLS_AT_ONCE = 128


@dataclass(frozen=True, eq=False)
class Moments:
    """The sufficient statistics of C cells and M measures, all int64.

    n: (C, M) respondents that have the measure
    respondents: (C,) respondents, whether they have a measure or not
    linear: (C, 2M) sums of u
    products: (C, M(2M+1)) sums of u u', each pair once: presence x presence (upper triangle),
        presence x value (all M x M), value x value (upper triangle); see `gram`
    """

    n: IntArray
    respondents: IntArray
    linear: IntArray
    products: IntArray

    def __post_init__(self) -> None:
        if self.n.ndim != 2:
            raise StatisticsError("n must have shape (cells, measures)")
        cells, measures = self.n.shape
        shaped(self.respondents, (cells,), "respondents")
        shaped(self.linear, (cells, 2 * measures), "linear")
        shaped(self.products, (cells, measures * (2 * measures + 1)), "products")
        for field in fields(self):
            if getattr(self, field.name).dtype != np.int64:
                raise StatisticsError(f"{field.name} must be int64")

    @property
    def cells(self) -> int:
        return int(self.n.shape[0])

    @property
    def measures(self) -> int:
        return int(self.n.shape[1])

    @property
    def gram(self) -> IntArray:
        """The sums of u u' written out, shape (C, 2M, 2M)."""
        width = 2 * self.measures
        everywhere = _layout(self.measures)[1]
        return self.products[:, everywhere].reshape(self.cells, width, width)

    @property
    def own(self) -> tuple[IntArray, IntArray, IntArray]:
        """The sums of w^2, w^2 x and w^2 x^2 of each measure alone, each of shape (C, M)."""
        m = self.measures
        where = _layout(m)[1].reshape(2 * m, 2 * m)
        blocks = (where[:m, :m], where[:m, m:], where[m:, m:])
        squared_weight, crossed, squared = (self.products[:, b.diagonal()] for b in blocks)
        return squared_weight, crossed, squared

    def take(self, cells: npt.ArrayLike) -> "Moments":
        """Return the cells at these positions (integers or a mask), in this order."""
        index = np.asarray(cells)
        return Moments(
            self.n[index], self.respondents[index], self.linear[index], self.products[index]
        )

    def select(self, measures: Sequence[int]) -> "Moments":
        """Return the same cells with only these measures, in this order."""
        chosen = np.asarray(measures, dtype=np.int64)
        both = np.concatenate([chosen, chosen + self.measures])
        width = 2 * self.measures
        where = _layout(self.measures)[1].reshape(width, width)[np.ix_(both, both)].ravel()
        return Moments(
            self.n[:, chosen],
            self.respondents,
            self.linear[:, both],
            self.products[:, where[_layout(len(chosen))[0]]],
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Moments):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]  # the arrays in it can change


@functools.lru_cache(maxsize=64)
def _layout(measures: int) -> tuple[IntArray, IntArray]:
    """Where each kept product stands in the flat (2M x 2M) matrix, and the way back."""
    width = 2 * measures
    flat = np.arange(width * width, dtype=np.int64).reshape(width, width)
    upper = np.triu_indices(measures)
    kept = np.concatenate(
        [
            flat[:measures, :measures][upper],
            flat[:measures, measures:].ravel(),
            flat[measures:, measures:][upper],
        ]
    )
    back = np.empty((width, width), dtype=np.int64)
    rows, columns = np.divmod(kept, width)
    back[rows, columns] = back[columns, rows] = np.arange(kept.size)
    return kept, back.ravel()


def no_moments(cells: int, measures: int) -> Moments:
    """Return the moments of nobody: the neutral element of `add`.

    cells, measures: how many
    returns: all zero
    raises: StatisticsError if a number is negative

    >>> no_moments(2, 3).n.tolist()
    [[0, 0, 0], [0, 0, 0]]
    """
    if cells < 0 or measures < 0:
        raise StatisticsError("cells and measures cannot be negative")
    return Moments(
        np.zeros((cells, measures), dtype=np.int64),
        np.zeros(cells, dtype=np.int64),
        np.zeros((cells, 2 * measures), dtype=np.int64),
        np.zeros((cells, measures * (2 * measures + 1)), dtype=np.int64),
    )


def moments_of(
    values: npt.ArrayLike,
    present: npt.ArrayLike,
    weights: npt.ArrayLike | None,
    cell: npt.ArrayLike,
    cells: int,
) -> Moments:
    """Return the exact moments of N respondents, cell by cell.

    values: shape (N, M), integers; what stands where a measure is absent is not looked at
    present: shape (N, M), bool
    weights: shape (N,), integers >= 0, or None for 1 each; who weighs 0 is counted nowhere
    cell: shape (N,), integers in 0..cells-1
    returns: Moments of `cells` cells, all integers exact
    raises: StatisticsError if a shape, a weight or a cell is wrong, if the largest
        weight x |value| exceeds 94,906,265 (its square 2^53), or if a sum could exceed 63 bits
    assumes: one row a respondent
    source: Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115 (merging); linearised
        ratio means as in Cochran 1977, Sampling Techniques, section 6.

    >>> m = moments_of([[4, 1], [6, 0]], [[True, True], [True, False]], None, [0, 0], 1)
    >>> m.n.tolist(), m.linear.tolist()
    ([[2, 1]], [[2, 1, 10, 1]])
    >>> m.gram[0].tolist()
    [[2, 1, 10, 1], [1, 1, 4, 1], [10, 4, 52, 4], [1, 1, 4, 1]]
    """
    x, here, w, index = _checked(values, present, weights, cell, cells)
    keep = np.flatnonzero(w > 0) if w is not None else None
    if keep is not None and keep.size < x.shape[0] and w is not None:
        x, here, w, index = x[keep], here[keep], w[keep], index[keep]
    out = no_moments(cells, x.shape[1])
    if x.shape[0] == 0:
        return out
    counts = np.bincount(index, minlength=cells)
    out.respondents[:] = counts
    largest = _largest(x, here, w)
    if largest**2 > EXACT_FLOAT:
        raise StatisticsError("weight x value must not exceed 94,906,265")
    if largest**2 * int(counts.max()) > LARGEST:
        raise StatisticsError("the sums of a cell could exceed 63 bits")
    order = np.argsort(index.astype(np.min_scalar_type(max(cells - 1, 0))), kind="stable")
    for owners, rows in _pieces(counts, EXACT_FLOAT // largest**2, 4 * x.shape[1] ** 2):
        _accumulate(out, owners, order[rows], x, here, w)
    return out


def _checked(
    values: npt.ArrayLike,
    present: npt.ArrayLike,
    weights: npt.ArrayLike | None,
    cell: npt.ArrayLike,
    cells: int,
) -> tuple[npt.NDArray[np.integer[Any]], BoolArray, IntArray | None, IntArray]:
    x = integers(values, "values")
    try:
        here = np.asarray(present)
    except ValueError as error:
        raise StatisticsError("present must have rows of one length") from error
    if x.ndim != 2:
        raise StatisticsError("values must have shape (respondents, measures)")
    if here.dtype != np.bool_:
        raise StatisticsError("present must be bool")
    shaped(here, x.shape, "present")
    index = int64s(cell, "cell")
    shaped(index, (x.shape[0],), "cell")
    if index.size and (int(index.min()) < 0 or int(index.max()) >= cells):
        raise StatisticsError(f"cell must lie in 0..{cells - 1}")
    if weights is None:
        return x, here, None, index
    w = int64s(weights, "weights")
    shaped(w, (x.shape[0],), "weights")
    if w.size and int(w.min()) < 0:
        raise StatisticsError("weights cannot be negative")
    return x, here, w, index


def _largest(x: npt.NDArray[np.integer[Any]], here: BoolArray, w: IntArray | None) -> int:
    top = 1
    if x.size:
        seen = np.where(here, x, 0) if not here.all() else x
        top = max(1, int(seen.max()), -int(seen.min()))
    return top * (int(w.max()) if w is not None and w.size else 1)


def _pieces(
    counts: IntArray, exact_rows: int, products: int
) -> Iterator[tuple[IntArray, IntArray]]:
    """Cut the sorted rows into pieces of one cell each, in batches of pieces of equal length.

    A piece is short enough for its float64 products to be exact integers. Yields the cell of
    each piece, (K,), and the positions of its rows, (K, length).
    """
    longest = min(exact_rows, ROWS_AT_ONCE)
    owner = np.repeat(np.arange(counts.size), -(-counts // longest))
    nth = np.arange(owner.size) - np.searchsorted(owner, owner)
    starts = (np.cumsum(counts) - counts)[owner] + nth * longest
    lengths = np.minimum(counts[owner] - nth * longest, longest)
    by_length = np.argsort(lengths, kind="stable")
    sizes, first = np.unique(lengths[by_length], return_index=True)
    for size, begin, end in zip(sizes, first, [*first[1:], owner.size], strict=True):
        batch = max(1, min(ROWS_AT_ONCE // int(size), NUMBERS_AT_ONCE // max(products, 1)))
        for at in range(int(begin), int(end), batch):
            chosen = by_length[at : min(at + batch, int(end))]
            yield owner[chosen], starts[chosen][:, None] + np.arange(int(size))


def _accumulate(
    out: Moments,
    owners: IntArray,
    rows: IntArray,
    x: npt.NDArray[np.integer[Any]],
    here: BoolArray,
    w: IntArray | None,
) -> None:
    measures = x.shape[1]
    u: FloatArray = np.empty((*rows.shape, 2 * measures))
    seen = here[rows]
    if w is None:
        u[..., :measures] = seen
    else:
        np.multiply(seen, w[rows][..., None], out=u[..., :measures])
    np.multiply(x[rows], u[..., :measures], out=u[..., measures:])
    gram = np.matmul(u.transpose(0, 2, 1), u).reshape(len(owners), -1)
    _add_at(out.products, owners, gram[:, _layout(measures)[0]].astype(np.int64))
    _add_at(out.linear, owners, u.sum(axis=1).astype(np.int64))
    _add_at(out.n, owners, seen.sum(axis=1))


def _add_at(total: IntArray, owners: IntArray, parts: IntArray) -> None:
    """Add each part to the row of its owner; quickly where no owner has two parts."""
    if np.unique(owners).size == owners.size:
        total[owners] += parts
    else:
        np.add.at(total, owners, parts)


def add(first: Moments, second: Moments) -> Moments:
    """Return the moments of both groups of respondents together, cell by cell.

    first, second: the same number of cells and measures; no respondent is in both
    returns: exact sums
    raises: StatisticsError if the shapes differ or a sum could exceed 63 bits

    >>> one = moments_of([[4]], [[True]], None, [0], 1)
    >>> add(one, one).linear.tolist()
    [[2, 8]]
    """
    return _combined(first, second, 1)


def subtract(whole: Moments, part: Moments) -> Moments:
    """Return the moments of who is in `whole` and not in `part`; the exact inverse of `add`.

    whole, part: the same number of cells and measures; every respondent of part is in whole
    returns: exact differences
    raises: StatisticsError if the shapes differ, or if part cannot be a part of whole (a
        count or a sum of squares would be negative)

    >>> one = moments_of([[4]], [[True]], None, [0], 1)
    >>> subtract(add(one, one), one) == one
    True
    """
    rest = _combined(whole, part, -1)
    diagonal = _layout(rest.measures)[1].reshape(2 * rest.measures, -1).diagonal()
    for left in (rest.n, rest.respondents, rest.products[:, diagonal]):
        if left.size and int(left.min()) < 0:
            raise StatisticsError("cannot subtract respondents who are not in the whole")
    return rest


def _combined(first: Moments, second: Moments, sign: int) -> Moments:
    if first.n.shape != second.n.shape:
        raise StatisticsError(
            f"moments of shape {first.n.shape} and {second.n.shape} do not combine"
        )
    parts = []
    for field in fields(Moments):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if _magnitude(a) + _magnitude(b) > LARGEST:
            raise StatisticsError("the sums of a cell could exceed 63 bits")
        parts.append(a + b if sign > 0 else a - b)
    return Moments(*parts)


def _magnitude(array: IntArray) -> int:
    return max(int(array.max()), -int(array.min())) if array.size else 0


def merge(
    moments: Moments,
    group: npt.ArrayLike,
    groups: int,
    *,
    cell: npt.ArrayLike | None = None,
) -> Moments:
    """Return the sums of cells over groups.

    moments: C cells
    group: shape (E,), the group that receives a cell, in 0..groups-1
    cell: shape (E,), the cell that is given to it; None: cell e goes to group[e], so E = C.
        A cell may be given to many groups (a unit and all above it), and to none
    returns: Moments of `groups` cells, exact; a group that receives nothing is all zero
    raises: StatisticsError if a position is out of range or a sum could exceed 63 bits

    >>> m = moments_of([[4], [5], [9]], [[True]] * 3, None, [0, 1, 2], 3)
    >>> merge(m, [0, 0, 1], 2).linear.tolist()
    [[2, 9], [1, 9]]
    >>> merge(m, [0, 1, 0], 2, cell=[0, 0, 2]).linear.tolist()
    [[2, 13], [1, 4]]
    """
    to = int64s(group, "group")
    source = np.arange(moments.cells) if cell is None else int64s(cell, "cell")
    shaped(to, source.shape, "group")
    for index, end, name in ((to, groups, "group"), (source, moments.cells, "cell")):
        if index.size and (int(index.min()) < 0 or int(index.max()) >= end):
            raise StatisticsError(f"{name} must lie in 0..{end - 1}")
    most = int(np.bincount(to).max()) if to.size else 0
    ones = np.ones(to.size, dtype=np.int64)
    sums = sparse.csr_array((ones, (to, source)), shape=(groups, moments.cells))
    parts = []
    for field in fields(Moments):
        array = getattr(moments, field.name)
        if _magnitude(array) * most > LARGEST:
            raise StatisticsError("the sums of a cell could exceed 63 bits")
        parts.append(sums @ array)
    return Moments(*parts)


def stacked(parts: Sequence[Moments]) -> Moments:
    """Return the cells of all parts one after the other.

    parts: at least one, all with the same number of measures
    returns: Moments of as many cells as the parts have together
    raises: StatisticsError if there is no part or the measures differ in number

    >>> one = moments_of([[4]], [[True]], None, [0], 1)
    >>> stacked([one, add(one, one)]).linear.tolist()
    [[1, 4], [2, 8]]
    """
    if not parts:
        raise StatisticsError("there is nothing to stack")
    if len({part.measures for part in parts}) > 1:
        raise StatisticsError("the parts differ in their number of measures")
    return Moments(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Moments)
        )
    )


def scaled(moments: Moments, factors: Sequence[int]) -> Moments:
    """Return the moments of the same respondents with each measure times a whole number.

    moments: C cells, M measures
    factors: M integers > 0
    returns: exact, what `moments_of` gives for the multiplied values
    raises: StatisticsError if a factor is not positive or a sum could exceed 63 bits

    >>> m = moments_of([[4]], [[True]], None, [0], 1)
    >>> scaled(m, [10]) == moments_of([[40]], [[True]], None, [0], 1)
    True
    """
    times = int64s(factors, "factors")
    shaped(times, (moments.measures,), "factors")
    if times.size and int(times.min()) < 1:
        raise StatisticsError("factors must be positive")
    each = np.concatenate([np.ones_like(times), times])
    pairs = np.outer(each, each).ravel()[_layout(moments.measures)[0]]
    for array, by in ((moments.linear, each), (moments.products, pairs)):
        if array.size and _magnitude(array) * int(by.max()) > LARGEST:
            raise StatisticsError("the sums of a cell could exceed 63 bits")
    return Moments(moments.n, moments.respondents, moments.linear * each, moments.products * pairs)


def widened(moments: Moments, places: Sequence[int], measures: int) -> Moments:
    """Return the same respondents among `measures` measures, of which they have no others.

    moments: C cells, M measures
    places: where each of the M measures goes, distinct, in 0..measures-1
    returns: C cells, `measures` measures
    raises: StatisticsError if places repeat or lie outside

    >>> m = moments_of([[4]], [[True]], None, [0], 1)
    >>> widened(m, [1], 2).linear.tolist()
    [[0, 1, 0, 4]]
    """
    to = int64s(places, "places")
    shaped(to, (moments.measures,), "places")
    if len(set(to.tolist())) < to.size or (to.size and not 0 <= to.min() <= to.max() < measures):
        raise StatisticsError(f"places must be distinct and lie in 0..{measures - 1}")
    wide = no_moments(moments.cells, measures)
    wide.n[:, to] = moments.n
    wide.respondents[:] = moments.respondents
    both = np.concatenate([to, to + measures])
    wide.linear[:, both] = moments.linear
    where = _layout(measures)[1].reshape(2 * measures, 2 * measures)[np.ix_(both, both)].ravel()
    wide.products[:, where[_layout(moments.measures)[0]]] = moments.products
    return wide


# A packed cell: version, flags, M (two bytes), the width code of each section, the weight that all
# have (four bytes, 0 where they differ), the sections.
# Sections: respondents and n; linear; presence x presence; presence x value; value x value.
VERSION = 1
HEADER = 13
WIDTHS = tuple(np.dtype(code) for code in ("<i1", "<u1", "<i2", "<u2", "<i4", "<u4", "<i8"))
_LOWEST = np.array([np.iinfo(width).min for width in WIDTHS])
_HIGHEST = np.array([np.iinfo(width).max for width in WIDTHS])


def pack(moments: Moments) -> list[bytes]:
    """Return every cell as a short string of bytes: versioned, little endian.

    moments: C cells of at most 65,535 measures
    returns: C strings; each section in the smallest integer type that holds the cell. A cell
        in which everybody weighs the same leaves out what its products repeat
    raises: StatisticsError if there are too many measures

    >>> m = moments_of([[4]], [[True]], None, [0], 1)
    >>> pack(m)[0].hex()
    '0100010000000000000100000001010410'
    >>> unpack(pack(m)) == m
    True
    """
    if moments.measures > 0xFFFF:
        raise StatisticsError("too many measures to pack")
    weight = _common_weight(moments)
    plain = weight > 0
    by = np.maximum(weight, 1)[:, None]
    light = Moments(moments.n, moments.respondents, moments.linear, moments.products // by**2)
    codes = np.stack([_width_codes(part) for part in _sections(light)], axis=1)
    codes[plain, 1] = 0
    codes[plain, 0] = _width_codes(moments.respondents[:, None])[plain]
    bytes_of_weight = weight.astype("<u4")[:, None].view(np.uint8)
    kinds, which = np.unique(
        np.hstack([codes.astype(np.uint8), bytes_of_weight]), axis=0, return_inverse=True
    )
    out: list[bytes] = [b""] * moments.cells
    for number, kind in enumerate(kinds):
        cells = np.flatnonzero(which.reshape(-1) == number)
        for cell, blob in zip(
            cells.tolist(), _packed_alike(light.take(cells), kind.tobytes()), strict=True
        ):
            out[cell] = blob
    return out


def _sections(moments: Moments) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray]:
    triangle = moments.measures * (moments.measures + 1) // 2
    return (
        np.column_stack([moments.respondents, moments.n]),
        moments.linear,
        moments.products[:, :triangle],
        moments.products[:, triangle:-triangle] if triangle else moments.products,
        moments.products[:, -triangle:] if triangle else moments.products,
    )


def _common_weight(moments: Moments) -> IntArray:
    """The weight that everybody in a cell has, where n and linear can be read off the products.

    0 where weights differ; 1 where nobody has a measure.
    """
    linear_n = moments.linear[:, : moments.measures]
    weight = linear_n.sum(axis=1) // np.maximum(moments.n.sum(axis=1), 1)
    weight = np.where((weight > 0) & (weight <= 0xFFFF), weight, 1)[:, None]
    light, rest = np.divmod(moments.products, weight**2)
    n, linear = _read_off(light, moments.measures)
    alike = (rest == 0).all(axis=1) & (n == moments.n).all(axis=1)
    alike &= (linear * weight == moments.linear).all(axis=1)
    return np.where(alike, weight[:, 0], 0)


def _read_off(products: IntArray, measures: int) -> tuple[IntArray, IntArray]:
    where = _layout(measures)[1].reshape(2 * measures, 2 * measures)
    n = products[:, where[:measures, :measures].diagonal()]
    return n, np.concatenate([n, products[:, where[:measures, measures:].diagonal()]], axis=1)


def _diagonal(measures: int) -> IntArray:
    """Where in an upper triangle each measure stands with itself."""
    return np.cumsum([0, *range(measures, 1, -1)][:measures])


def _width_codes(section: IntArray) -> npt.NDArray[np.int64]:
    low = section.min(axis=1, initial=0)[:, None]
    high = section.max(axis=1, initial=0)[:, None]
    fits = (low >= _LOWEST) & (high <= _HIGHEST)
    return np.asarray(np.argmax(fits, axis=1))


def _packed_alike(moments: Moments, kind: bytes) -> Iterator[bytes]:
    """Pack cells that share their header."""
    header = bytes([VERSION, 0]) + moments.measures.to_bytes(2, "little") + kind
    record = _record(header)
    rows = np.empty(moments.cells, dtype=record)
    rows["header"] = np.void(header)
    for name, section in zip(SECTIONS, _sections(moments), strict=True):
        rows[name] = section[:, : record[name].shape[0]]
    flat, size = rows.tobytes(), record.itemsize
    return (flat[at : at + size] for at in range(0, len(flat), size))


SECTIONS = ("counts", "linear", "presence", "crossed", "squares")


@functools.lru_cache(maxsize=1024)
def _record(header: bytes) -> np.dtype[np.void]:
    """The layout that a header announces."""
    if header[0] != VERSION:
        raise StatisticsError(f"packed moments of version {header[0]} are not known")
    if header[1] != 0 or max(header[4:9]) >= len(WIDTHS):
        raise StatisticsError("packed moments have a broken header")
    measures = int.from_bytes(header[2:4], "little")
    triangle = measures * (measures + 1) // 2
    lengths = [1 + measures, 2 * measures, triangle, measures * measures, triangle]
    if any(header[9:]):
        lengths[:2] = [1, 0]
    sections = [
        (name, WIDTHS[code], (length,))
        for name, code, length in zip(SECTIONS, header[4:9], lengths, strict=True)
    ]
    return np.dtype([("header", np.void, HEADER), *sections])


def unpack(blobs: Sequence[bytes]) -> Moments:
    """Return the cells that `pack` wrote, in the order of the strings.

    blobs: C > 0 strings of the same number of measures
    returns: Moments of C cells, equal to what was packed
    raises: StatisticsError if there is no string, if a string is cut or of an unknown
        version, or if the strings differ in their number of measures

    >>> unpack([b"01"])
    Traceback (most recent call last):
        ...
    sqcore.stats.errors.StatisticsError: packed moments are cut short
    """
    alike: dict[bytes, list[int]] = {}
    for position, blob in enumerate(blobs):
        alike.setdefault(bytes(blob[:HEADER]), []).append(position)
    if not alike:
        raise StatisticsError("there is nothing to unpack")
    if min(map(len, alike)) < HEADER:
        raise StatisticsError("packed moments are cut short")
    if len({header[2:4] for header in alike}) > 1:
        raise StatisticsError("packed moments differ in their number of measures")
    measures = int.from_bytes(next(iter(alike))[2:4], "little")
    out = _empty(len(blobs), measures)
    for header, positions in alike.items():
        weight = int.from_bytes(header[9:], "little")
        _unpack_alike(out, positions, [blobs[at] for at in positions], _record(header), weight)
    return out


def _empty(cells: int, measures: int) -> Moments:
    return Moments(
        np.empty((cells, measures), dtype=np.int64),
        np.empty(cells, dtype=np.int64),
        np.empty((cells, 2 * measures), dtype=np.int64),
        np.empty((cells, measures * (2 * measures + 1)), dtype=np.int64),
    )


def _unpack_alike(
    out: Moments,
    positions: list[int],
    blobs: list[bytes],
    record: np.dtype[np.void],
    weight: int,
) -> None:
    if set(map(len, blobs)) != {record.itemsize}:
        raise StatisticsError("packed moments are cut short")
    rows, every = np.frombuffer(b"".join(blobs), dtype=record), np.array(positions)
    scale = np.int64(weight**2 or 1)
    # A few cells at a time: what is written twice stays in the processor's memory.
    block = np.empty((min(len(rows), CELLS_AT_ONCE), out.products.shape[1]), dtype=np.int64)
    for start in range(0, len(rows), CELLS_AT_ONCE):
        some = rows[start : start + CELLS_AT_ONCE]
        at = 0
        for name in ("presence", "crossed", "squares"):
            end = at + record[name].shape[0]
            np.multiply(some[name], scale, out=block[: len(some), at:end])
            at = end
        out.products[every[start : start + CELLS_AT_ONCE]] = block[: len(some)]
    out.respondents[every] = rows["counts"][:, 0]
    if weight == 0:
        out.n[every] = rows["counts"][:, 1:]
        out.linear[every] = rows["linear"]
        return
    size = out.measures
    n = rows["presence"][:, _diagonal(size)].astype(np.int64)
    out.n[every] = n
    out.linear[every] = np.concatenate([n, rows["crossed"][:, :: size + 1]], axis=1) * weight
