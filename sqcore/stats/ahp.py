"""Weights from comparisons in pairs (AHP), how consistent they are, and those of a group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import permutations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse.csgraph import connected_components

from sqcore.stats.arrays import BoolArray, FloatArray, chosen, finite, shaped
from sqcore.stats.errors import StatisticsError

LARGEST = 15
"""So many things are compared in pairs at the most: 105 comparisons."""
SAATY = {3: 0.58, 4: 0.90, 5: 1.12, 6: 1.24, 7: 1.32, 8: 1.41, 9: 1.45, 10: 1.49}
TOLERANCE = 1e-12
MOST_STEPS = 10_000
CONSISTENT = 1e-9
RECIPROCAL = 0.01
"""How far ln a_ij + ln a_ji may be from 0: published matrices are printed rounded."""


class Prioritisation(StrEnum):
    """How one matrix becomes weights."""

    EIGENVECTOR = "eigenvector"
    GEOMETRIC_MEAN = "geometric_mean"


class Aggregation(StrEnum):
    """What of the experts is averaged: their judgements (AIJ) or their weights (AIP)."""

    JUDGEMENTS = "judgements"
    PRIORITIES = "priorities"


class RandomIndices(StrEnum):
    """Whose mean consistency index of random matrices a ratio is taken against."""

    SAATY = "saaty"
    ALONSO_LAMATA = "alonso_lamata"


class AhpStatus(StrEnum):
    """What kind of answer came out."""

    OK = "ok"
    NOT_CONNECTED = "not_connected"
    NOBODY_LEFT = "nobody_left"

    @property
    def reason(self) -> str:
        return _REASONS[self]


_REASONS = {
    AhpStatus.OK: "",
    AhpStatus.NOT_CONNECTED: "No comparison links these parts with each other.",
    AhpStatus.NOBODY_LEFT: "No expert's judgements are complete and consistent enough.",
}


@dataclass(frozen=True)
class Limits:
    """Up to which consistency ratio judgements count as consistent, by the number of things."""

    usual: float = 0.10
    three: float = 0.10
    four: float = 0.10

    def __post_init__(self) -> None:
        if not all(0 < limit <= 1 for limit in (self.usual, self.three, self.four)):
            raise StatisticsError("limits of the consistency ratio must lie in (0, 1]")

    def of(self, n: int) -> float:
        return {3: self.three, 4: self.four}.get(n, self.usual)


USUAL = Limits()
STRICT = Limits(three=0.05, four=0.08)


@dataclass(frozen=True)
class RandomIndex:
    """The mean consistency index of random matrices, and whose table or fit it is."""

    value: float
    name: RandomIndices


@dataclass(frozen=True)
class Consistency:
    """How far judgements are from contradicting nowhere.

    lambda_max: the principal eigenvalue, n when consistent; ci: (lambda_max - n) / (n - 1)
    ri: what ci is compared with; None up to two things, and where nothing was compared twice
    cr: ci / ri; 0 where there is no ri, as nothing can contradict then
    """

    lambda_max: float
    ci: float
    ri: RandomIndex | None
    cr: float


@dataclass(frozen=True)
class Triple:
    """Three comparisons that contradict: i over j `ij`, j over k `jk`, but i over k `ik`.

    fits: what would fit for i over k, ij x jk; deviation: |ln fits - ln ik|. i over k is, of the
    three, the comparison farthest from what all judgements together say.
    """

    i: int
    j: int
    k: int
    ij: float
    jk: float
    ik: float
    deviation: float

    @property
    def fits(self) -> float:
        return self.ij * self.jk


@dataclass(frozen=True, eq=False)
class Priorities:
    """Weights of n things from one matrix.

    weights: (n,), sum 1; NaN unless the status is ok
    parts: the things that comparisons link with each other, each in order; one part when ok
    consistency, worst: None unless ok; worst also where no three things contradict
    given, possible: how many comparisons there are, and how many there could be
    """

    status: AhpStatus
    weights: FloatArray
    parts: tuple[tuple[int, ...], ...]
    consistency: Consistency | None
    worst: Triple | None
    given: int
    possible: int

    @property
    def ok(self) -> bool:
        return self.status == AhpStatus.OK


@dataclass(frozen=True, eq=False)
class GroupPriorities:
    """Weights of n things from m experts.

    together: the group's; its consistency is that of the judgements' geometric mean, whatever is
        averaged. experts: each one's own; kept: (m,), who went in
    low, high: (n,), the least and the greatest weight among those kept; NaN if nobody is
    """

    together: Priorities
    experts: tuple[Priorities, ...]
    kept: BoolArray
    low: FloatArray
    high: FloatArray


def comparison_matrix(comparisons: Mapping[tuple[int, int], float], n: int) -> FloatArray:
    """Return the matrix of comparisons; what was not compared is NaN.

    comparisons: (i, j) to how many times as much i matters as j; either direction of a pair
    n: how many things there are, 1 to 15
    returns: (n, n), reciprocal, 1 on the diagonal
    raises: StatisticsError for i or j out of range, a value that is not positive, (i, i) other
        than 1, or both directions of a pair that contradict

    >>> comparison_matrix({(0, 1): 2, (1, 2): 4}, 3).tolist()
    [[1.0, 2.0, nan], [0.5, 1.0, 4.0], [nan, 0.25, 1.0]]
    """
    _size(n)
    raw = np.full((n, n), np.nan)
    np.fill_diagonal(raw, 1.0)
    for (i, j), value in comparisons.items():
        if not (0 <= i < n and 0 <= j < n):
            raise StatisticsError(f"comparison ({i}, {j}) is out of range")
        raw[i, j] = finite(value, "comparisons")
    return reciprocal(raw)


def reciprocal(matrix: npt.ArrayLike) -> FloatArray:
    """Return a matrix of comparisons checked, both directions of every pair filled in.

    matrix: (n, n), a_ij how many times as much i matters as j, NaN where not compared; of a pair
        one direction is enough. n from 1 to 15
    returns: (n, n), a_ji exactly 1 / a_ij. Where both directions are given and differ by rounding
        (1 %), their geometric mean
    raises: StatisticsError if it is not square, too large, a value is not positive and finite, the
        diagonal is not 1, or a_ij and a_ji contradict
    assumes: a ratio scale
    source: Saaty 1980, The Analytic Hierarchy Process

    >>> reciprocal([[1, 3], [0.3333, 1]]).round(3).tolist()
    [[1.0, 3.0], [0.333, 1.0]]
    """
    try:
        a = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError("a matrix of comparisons must be a square of numbers") from error
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise StatisticsError("a matrix of comparisons must be square")
    _size(a.shape[0])
    if np.isinf(a).any() or (a <= 0).any():
        raise StatisticsError("comparisons must be positive and finite")
    if not (np.diagonal(a) == 1).all():
        raise StatisticsError("a thing compared with itself must be 1")
    back = a.T
    if (np.abs(np.log(a * back)) > RECIPROCAL).any():
        raise StatisticsError("the two directions of a pair contradict each other")
    there, mirrored = ~np.isnan(a), ~np.isnan(back)
    full = np.where(there & mirrored, np.sqrt(a / back), np.where(there, a, 1 / back))
    below = np.tril_indices_from(full, -1)
    full[below] = 1 / full.T[below]
    return np.asarray(full, dtype=np.float64)


def priorities(
    matrix: npt.ArrayLike,
    *,
    method: Prioritisation = Prioritisation.EIGENVECTOR,
    indices: RandomIndices = RandomIndices.SAATY,
) -> Priorities:
    """Return the weights that comparisons in pairs imply, and how consistent these are.

    matrix: as in `reciprocal`; comparisons may be missing (NaN)
    method: the principal eigenvector (power iteration to 1e-12), of an incomplete matrix that of
        the completion with the least principal eigenvalue; or the geometric mean, of an
        incomplete matrix logarithmic least squares, which is the same where it is complete
    indices: what the consistency ratio is taken against, see `random_index`
    returns: Priorities. Not all things linked by comparisons: not_connected, with the parts
    raises: StatisticsError as `reciprocal`, and for another method or other indices
    assumes: a ratio scale. The consistency is always that of the eigenvalue
    source: Saaty 1980; Crawford and Williams 1985, doi:10.1016/0022-2496(85)90002-1 (geometric
        mean); Bozoki, Fulop, Ronyai 2010, doi:10.1016/j.mcm.2010.02.047 (incomplete)

    >>> found = priorities([[1, 2, 6], [1 / 2, 1, 3], [1 / 6, 1 / 3, 1]])
    >>> found.weights.round(3).tolist(), round(found.consistency.cr, 9)
    ([0.6, 0.3, 0.1], 0.0)
    """
    chosen(method, Prioritisation, "method")
    chosen(indices, RandomIndices, "random index")
    a = reciprocal(matrix)
    n = len(a)
    given, possible = int(np.isfinite(a).sum() - n) // 2, n * (n - 1) // 2
    parts = _parts(a)
    if len(parts) > 1:
        nothing = np.full(n, np.nan)
        return Priorities(AhpStatus.NOT_CONNECTED, nothing, parts, None, None, given, possible)
    logs = _least_squares(a)
    root, right = _principal(_completed(a, logs))
    weights = right if method == Prioritisation.EIGENVECTOR else _shares(logs)
    consistency = _consistency(root, n, missing=possible - given, indices=indices)
    return Priorities(
        AhpStatus.OK, weights, parts, consistency, _worst_triple(a, logs), given, possible
    )


def random_index(
    n: int, *, missing: int = 0, indices: RandomIndices = RandomIndices.SAATY
) -> RandomIndex | None:
    """Return the mean consistency index of random matrices of n things.

    n: 1 to 15
    missing: how many comparisons are not there; the index shrinks in proportion, down to 0 where
        the comparisons left form a tree
    indices: Saaty's table, which ends at 10 (beyond it Alonso and Lamata, and the name says so), or
        the fit of Alonso and Lamata, (1.7699 n - 4.3513) / (n - 1)
    returns: None where there is nothing to compare with: up to two things, or a tree
    raises: StatisticsError if n is out of range, more is missing than there is, or for other
        indices
    source: Saaty 1980; Alonso and Lamata 2006, doi:10.1142/S0218488506004114; Agoston and Csato
        2022, doi:10.1016/j.omega.2021.102576 (nearly linear in what is missing)

    >>> random_index(5)
    RandomIndex(value=1.12, name=<RandomIndices.SAATY: 'saaty'>)
    """
    _size(n)
    chosen(indices, RandomIndices, "random index")
    spare = (n - 1) * (n - 2) // 2
    if not 0 <= missing <= n * (n - 1) // 2:
        raise StatisticsError("more comparisons are missing than there are")
    if missing >= spare:
        return None
    name = indices if n in SAATY else RandomIndices.ALONSO_LAMATA
    full = SAATY[n] if name == RandomIndices.SAATY else (1.7699 * n - 4.3513) / (n - 1)
    return RandomIndex(full * (1 - missing / spare), name)


def group_priorities(
    matrices: Sequence[npt.ArrayLike],
    *,
    exponents: npt.ArrayLike | None = None,
    aggregation: Aggregation = Aggregation.JUDGEMENTS,
    method: Prioritisation = Prioritisation.EIGENVECTOR,
    indices: RandomIndices = RandomIndices.SAATY,
    leave_out_above: float | None = None,
) -> GroupPriorities:
    """Return the weights of a group of experts, each with a matrix of their own.

    matrices: m of them, n things each, as in `reciprocal`
    exponents: (m,), >= 0, how much each expert counts; the same for all when None
    aggregation: the weighted geometric mean of judgements, which keeps them reciprocal (of a pair
        that some did not compare, of those who did), or of weights, normalised
    leave_out_above: experts whose consistency ratio is greater are left out; None keeps them
    returns: GroupPriorities. Who did not link all things is always left out, as is an exponent
        of 0. Nobody left: nobody_left
    raises: StatisticsError for no matrix, matrices of different size, wrong exponents, another
        aggregation, and as `priorities`
    assumes: the experts answer for one organisation (AIJ) or each for themselves (AIP)
    source: Aczel and Saaty 1983, doi:10.1016/0022-2496(83)90028-7; Forman and Peniwati 1998,
        doi:10.1016/S0377-2217(97)00244-0

    >>> found = group_priorities([[[1, 8]] + [[1 / 8, 1]], [[1, 2]] + [[1 / 2, 1]]])
    >>> found.together.weights.round(3).tolist(), found.kept.tolist()
    ([0.8, 0.2], [True, True])
    """
    chosen(aggregation, Aggregation, "aggregation")
    checked = [reciprocal(matrix) for matrix in matrices]
    if len({len(a) for a in checked}) != 1:
        raise StatisticsError("a group needs matrices of one size, at least one")
    m = len(checked)
    power = np.ones(m) if exponents is None else finite(exponents, "exponents")
    shaped(power, (m,), "exponents")
    if (power < 0).any() or power.sum() <= 0:
        raise StatisticsError("exponents must be positive in sum and none negative")
    own = tuple(priorities(a, method=method, indices=indices) for a in checked)
    kept = np.array(
        [
            _counts(each, leave_out_above) and share > 0
            for each, share in zip(own, power, strict=True)
        ]
    )
    if not kept.any():
        return _nobody(own, kept)
    matrix = _mean_judgements(np.array(checked)[kept], power[kept])
    together = priorities(matrix, method=method, indices=indices)
    every = np.array([each.weights for each in own])[kept]
    if aggregation == Aggregation.PRIORITIES:
        mean = power[kept] @ np.log(every) / power[kept].sum()
        together = replace(together, weights=_shares(mean))
    return GroupPriorities(together, own, kept, every.min(axis=0), every.max(axis=0))


def _size(n: int) -> None:
    if not 1 <= n <= LARGEST:
        raise StatisticsError(f"compare 1 to {LARGEST} things in pairs, not {n}")


def _shares(logs: FloatArray) -> FloatArray:
    raw = np.exp(logs - logs.max())
    return np.asarray(raw / raw.sum(), dtype=np.float64)


def _parts(a: FloatArray) -> tuple[tuple[int, ...], ...]:
    """The connected components of what was compared."""
    count, label = connected_components(np.isfinite(a), directed=False)
    return tuple(tuple(np.flatnonzero(label == part).tolist()) for part in range(count))


def _least_squares(a: FloatArray) -> FloatArray:
    """The logarithms, mean 0, that come nearest to all comparisons: L ln w = row sums of ln a."""
    known = np.isfinite(a)
    logs = np.where(known, np.log(np.where(known, a, 1.0)), 0.0)
    n = len(a)
    laplacian = np.diag(known.sum(axis=1)) - known.astype(np.float64)
    # A connected graph's Laplacian lacks only the constant vector, which the ones supply.
    return np.asarray(np.linalg.solve(laplacian + 1.0 / n, logs.sum(axis=1)), dtype=np.float64)


def _completed(a: FloatArray, logs: FloatArray) -> FloatArray:
    """The matrix with its missing comparisons such that the principal eigenvalue is the least.

    The eigenvalue is convex in their logarithms, so what is found from the least squares start is
    the only minimum.
    """
    i, j = np.nonzero(np.isnan(np.triu(a)))
    if not i.size:
        return a

    def with_values(y: FloatArray) -> FloatArray:
        full = a.copy()
        full[i, j], full[j, i] = np.exp(y), np.exp(-y)
        return full

    def goal(y: FloatArray) -> tuple[float, FloatArray]:
        full = with_values(y)
        root, right = _principal(full)
        left = _principal(full.T)[1]
        slope = left[i] * right[j] * np.exp(y) - left[j] * right[i] * np.exp(-y)
        return np.log(root), slope / (left @ right) / root

    best = minimize(goal, logs[i] - logs[j], jac=True, method="BFGS", options={"gtol": 1e-10})
    return with_values(best.x)


def _principal(a: FloatArray) -> tuple[float, FloatArray]:
    """The principal eigenvalue and its vector, sum 1, by power iteration.

    Iterates on the matrix divided by its row geometric means, where the vector is nearly constant,
    and shifted by the eigenvalue's estimate, so that a cycle of judgements cannot swing for ever.
    """
    scale = np.exp(np.log(a).mean(axis=1))
    balanced = a * scale / scale[:, None]
    x = np.ones(len(a))
    for _step in range(MOST_STEPS):
        image = balanced @ x
        following = image + (image / x).max() * x
        following /= following.sum()
        moved = np.abs(following / x - 1).max()
        x = following
        if moved < TOLERANCE:
            break
    else:
        raise StatisticsError("the judgements contradict too much for an eigenvector")
    root = float((balanced @ x).sum() / x.sum())
    vector = x * scale
    return root, np.asarray(vector / vector.sum(), dtype=np.float64)


def _consistency(root: float, n: int, *, missing: int, indices: RandomIndices) -> Consistency:
    ri = random_index(n, missing=missing, indices=indices)
    if ri is None:
        return Consistency(float(n), 0.0, None, 0.0)
    ci = max((root - n) / (n - 1), 0.0)
    return Consistency(root, ci, ri, ci / ri.value)


def _worst_triple(a: FloatArray, logs: FloatArray) -> Triple | None:
    """The three comparisons that contradict most; None where nothing does."""
    known = np.log(a)
    around = np.abs(known[:, :, None] + known[None, :, :] - known[:, None, :])
    around = np.where(np.isnan(around), 0.0, around)
    # Whoever is compared in a circle deviates the same from each of its six beginnings.
    ordered = np.arange(len(a))
    rising = (ordered[:, None, None] < ordered[:, None]) & (ordered[:, None] < ordered)
    around = np.where(rising, around, 0.0)
    if around.max() <= CONSISTENT:
        return None
    found = np.unravel_index(int(around.argmax()), around.shape)
    off = np.abs(known - (logs[:, None] - logs))
    i, j, k = max(
        permutations(int(at) for at in found),
        key=lambda at: (round(off[at[0], at[2]], 9), known[at[0], at[1]] + known[at[1], at[2]]),
    )
    deviation = float(around.max())
    return Triple(i, j, k, float(a[i, j]), float(a[j, k]), float(a[i, k]), deviation)


def _counts(each: Priorities, leave_out_above: float | None) -> bool:
    if each.consistency is None:
        return False
    return leave_out_above is None or each.consistency.cr <= leave_out_above


def _mean_judgements(matrices: FloatArray, power: FloatArray) -> FloatArray:
    """The weighted geometric mean, each pair over those who compared it."""
    known = np.isfinite(matrices)
    logs = np.where(known, np.log(np.where(known, matrices, 1.0)), 0.0)
    weight = np.einsum("m,mij->ij", power, known.astype(np.float64))
    total = np.einsum("m,mij->ij", power, logs)
    return np.where(weight > 0, np.exp(total / np.where(weight > 0, weight, 1.0)), np.nan)


def _nobody(own: tuple[Priorities, ...], kept: BoolArray) -> GroupPriorities:
    n = own[0].weights.size
    nothing = np.full(n, np.nan)
    together = Priorities(AhpStatus.NOBODY_LEFT, nothing, (), None, None, 0, n * (n - 1) // 2)
    return GroupPriorities(together, own, kept, nothing, nothing)
