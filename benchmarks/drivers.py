"""What a satisfaction hangs on, of 22 items: shares and their intervals out of cross-products.

The two ways of sharing out stand side by side, and beside the plain way of the second: a least
squares solution for each subset of drivers, here of 12 and so of 4,096 subsets.
"""

import itertools
from math import factorial

import numpy as np

from benchmarks.side_by_side import Budget, in_turn, report
from sqcore.stats.arrays import FloatArray
from sqcore.stats.cross_products import CrossProducts, cross_products
from sqcore.stats.drivers import EXACT_UP_TO, drivers, shapley

ROWS, ITEMS, FEW = 20_000, 22, 12
SECONDS = 0.2
ERROR = 0.005


def run(rounds: int) -> bool:
    """Print the scenario; True when its budgets are kept."""
    products, covariance = _products(ITEMS), _products(ITEMS).covariance
    found = in_turn(
        {
            "relative, 22, intervals": lambda: drivers(products),
            "shapley, 22, parts alone": lambda: shapley(covariance),
            "shapley, 22, intervals": lambda: drivers(products, method="shapley"),
            f"shapley, {EXACT_UP_TO}, intervals": lambda: drivers(
                _cut(products, EXACT_UP_TO), method="shapley"
            ),
        },
        rounds=rounds,
    )
    report(f"Drivers of {ROWS:,} answers, 50 buckets", found, [])
    slowest = max(found["shapley, 22, intervals"])
    quick = slowest < SECONDS
    print(f"  22 drivers: slowest {slowest:.3f} s, budget < {SECONDS:g} s {_word(quick)}")
    error = float(shapley(covariance).error.max())
    steady = error < ERROR
    print(f"  error of a part by sampling: {error:.4f}, budget < {ERROR:g} {_word(steady)}")
    return quick and steady and _beside_plain(rounds)


def _word(kept: bool) -> str:
    return "kept" if kept else "MISSED"


def _products(items: int) -> CrossProducts:
    """Draw answers 1 to 7 that hang together, and an outcome that hangs on them less and less."""
    drawn = np.random.default_rng(22)
    x = drawn.normal(size=(ROWS, items)) + drawn.normal(size=(ROWS, 1))
    x = np.clip(np.rint(5 + 1.1 * x), 1, 7)
    y = np.clip(np.rint(x @ (0.8 ** np.arange(items)) / 4 + drawn.normal(size=ROWS)), 0, 10)
    return cross_products(np.column_stack([x, y]), bucket=drawn.integers(0, 50, ROWS))


def _cut(products: CrossProducts, items: int) -> CrossProducts:
    kept = np.r_[:items, ITEMS]
    return CrossProducts(
        n=products.n,
        weight=products.weight,
        squares=products.squares,
        sums=products.sums[:, kept],
        products=products.products[:, kept[:, None], kept],
        left_out=products.left_out,
    )


def _beside_plain(rounds: int) -> bool:
    covariance = _cut(_products(ITEMS), FEW).covariance
    np.testing.assert_allclose(shapley(covariance).parts, _plain(covariance), atol=1e-9)
    found = in_turn(
        {"by halves": lambda: shapley(covariance), "plain": lambda: _plain(covariance)},
        rounds=rounds,
    )
    budget = Budget("one covariance, of a solution a subset", "by halves", "plain", 0.1)
    return report(f"All orders of {FEW} drivers, same parts found", found, [budget])


def _plain(covariance: FloatArray) -> FloatArray:
    sd = np.sqrt(np.diag(covariance))
    r = covariance / np.outer(sd, sd)
    among, towards, size = r[:-1, :-1], r[:-1, -1], len(r) - 1
    r2: dict[tuple[int, ...], float] = {(): 0.0}
    for many in range(1, size + 1):
        for one in itertools.combinations(range(size), many):
            its = list(one)
            r2[one] = float(towards[its] @ np.linalg.solve(among[np.ix_(its, its)], towards[its]))
    parts = np.zeros(size)
    for subset, explained in r2.items():
        if len(subset) == size:
            continue
        chance = factorial(len(subset)) * factorial(size - len(subset) - 1) / factorial(size)
        for driver in set(range(size)) - set(subset):
            more = r2[tuple(sorted((*subset, driver)))]
            parts[driver] += chance * (more - explained)
    return parts
