"""All rules of a profile over 10,000 series of 60 points, beside the same in a compiled loop.

The loop is C, compiled here where there is a compiler, and reads each series the plain way: rule
by rule, point by point. Both must find the same runs at the same points. Without a compiler only
the time is judged.
"""

import ctypes
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.side_by_side import Budget, Candidate, in_turn, report
from sqcore.stats.arrays import FloatArray
from sqcore.stats.charts import freeze_many, z_many
from sqcore.stats.rules import ON_THE_LINE, PROFILES, Flags, Rule, RuleProfile, flags

SERIES, POINTS, BASELINE = 10_000, 60, 26
MISSING = 0.05
SECONDS = 1.0
RATIO = 4.0

Firsts = npt.NDArray[np.int16]
Loop = Callable[[FloatArray, RuleProfile], Firsts]

LOOP = r"""
#include <math.h>
#include <string.h>
#define LINE %(line)r
enum { BEYOND, SHIFT, TREND, TWO_OF_THREE, FOUR_OF_FIVE, FIFTEEN_WITHIN, ALTERNATING,
       EIGHT_OUTSIDE };

static void one(const double *v, const int *at, int n, int rule, int points, double sigma,
                int least, int one_side, int side, short *first) {
    int run = 0, marked = -1;
    for (int t = 0; t < n; t++) {
        int ends = 0, counts = 0;
        double x = side ? side * v[t] : v[t], before = t ? (side ? side * v[t - 1] : v[t - 1]) : 0;
        switch (rule) {
        case BEYOND: ends = x > sigma + LINE; break;
        case SHIFT: run = x > LINE ? run + 1 : 0; ends = run >= points; break;
        case TREND: run = t && x > before ? run + 1 : 0; ends = run >= points - 1; break;
        case FIFTEEN_WITHIN:
            run = fabs(x) < sigma - LINE ? run + 1 : 0; ends = run >= points; break;
        case ALTERNATING:
            run = t > 1 && ((x > before && before < v[t - 2]) || (x < before && before > v[t - 2]))
                ? run + 1 : 0;
            ends = run >= points - 2; break;
        case EIGHT_OUTSIDE:
            run = fabs(x) > sigma + LINE ? run + 1 : 0;
            if (run >= points) {
                for (int back = 0; back < points; back++) counts += v[t - back] > 0;
                ends = counts > 0 && counts < points;
            }
            break;
        default:
            run = x > LINE ? run + 1 : 0;
            for (int back = 0; back < points && back <= t; back++)
                counts += side * v[t - back] > sigma + LINE;
            ends = counts >= least && (one_side ? run >= points : x > sigma + LINE);
        }
        if (!ends) continue;
        int from = t - points + 1 > marked + 1 ? t - points + 1 : marked + 1;
        for (int j = from; j <= t; j++)
            if ((rule != TWO_OF_THREE && rule != FOUR_OF_FIVE) || side * v[j] > sigma + LINE)
                first[at[j]] = (short)at[t];
        marked = t;
    }
}

void read_rules(const double *z, long series, long length, int rules, const int *rule,
                const int *points, const double *sigma, const int *least, const int *one_side,
                const int *side, short *first, double *v, int *at) {
    memset(first, 0xff, sizeof(short) * rules * series * length);
    for (long s = 0; s < series; s++) {
        int n = 0;
        for (long t = 0; t < length; t++)
            if (!isnan(z[s * length + t])) { at[n] = (int)t; v[n++] = z[s * length + t]; }
        for (int r = 0; r < rules; r++)
            one(v, at, n, rule[r], points[r], sigma[r], least[r], one_side[r], side[r],
                first + (r * series + s) * length);
    }
}
"""


def run(rounds: int) -> bool:
    """Print the scenario; True when its budgets are kept."""
    with tempfile.TemporaryDirectory(prefix="sqcore-loop-") as folder:
        loop = _compiled(Path(folder))
        if loop is None:
            print("\nThere is no compiler (gcc): the loop is left out, only the time is judged.")
        whole, gaps = _series(0.0), _series(MISSING)
        kept = [
            _beside(f"{key}, {what}", z, profile, loop, rounds)
            for key, profile in PROFILES.items()
            for what, z in (("no gaps", whole), (f"{MISSING:.0%} missing", gaps))
        ]
    return all([*kept, _from_values(rounds)])


def _series(missing: float) -> FloatArray:
    """Draw series of chance, every tenth with a shift after the baseline."""
    drawn = np.random.default_rng(1984)
    values = drawn.normal(size=(SERIES, POINTS))
    values[::10, BASELINE:] += 1.5
    values[drawn.random(values.shape) < missing] = np.nan
    return values


def _beside(
    title: str, z: FloatArray, profile: RuleProfile, loop: Loop | None, rounds: int
) -> bool:
    candidates: dict[str, Candidate] = {"arrays": lambda: flags(z, profile)}
    budgets = []
    if loop is not None:
        compiled = loop
        np.testing.assert_array_equal(_firsts(flags(z, profile)), compiled(z, profile))
        candidates["compiled loop"] = lambda: compiled(z, profile)
        budgets = [Budget("arrays to loop, same runs found", "arrays", "compiled loop", RATIO)]
    found = in_turn(candidates, rounds=rounds)
    kept = report(f"{SERIES:,} x {POINTS} through {title}", found, budgets)
    return kept and _within(max(found["arrays"]))


def _from_values(rounds: int) -> bool:
    """Time the whole way: freeze the first 26 points, measure distances, read Nelson's rules."""
    values = 50 + 4 * _series(MISSING)
    first = np.arange(POINTS) < BASELINE

    def all_of_it() -> None:
        flags(z_many(values, freeze_many(values, None, first)), PROFILES["nelson"])

    found = in_turn({"limits, distances, rules": all_of_it}, rounds=rounds)
    report(f"{SERIES:,} x {POINTS} from values to flags, {MISSING:.0%} missing", found, [])
    return _within(max(found["limits, distances, rules"]))


def _within(seconds: float) -> bool:
    kept = seconds < SECONDS
    print(f"  slowest {seconds:.3f} s, budget < {SECONDS:g} s {'kept' if kept else 'MISSED'}")
    return kept


def _tables(profile: RuleProfile) -> list[tuple[Rule, int]]:
    """Return each rule with each side it has: 1 high, -1 low, 0 none."""
    without = (Rule.FIFTEEN_WITHIN, Rule.ALTERNATING, Rule.EIGHT_OUTSIDE)
    sides = [(rule, (0,) if rule in without else (1, -1)) for rule, _numbers in profile.rules]
    return [(rule, side) for rule, its in sides for side in its]


def _firsts(found: Flags) -> Firsts:
    by_side = {1: found.first_high, -1: found.first_low, 0: found.first_neither}
    return np.stack([by_side[side][rule] for rule, side in _tables(found.profile)])


def _compiled(folder: Path) -> Loop | None:
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    source, library = folder / "loop.c", folder / "loop.so"
    source.write_text(LOOP % {"line": ON_THE_LINE}, encoding="ascii")
    command = [compiler, "-O3", "-shared", "-fPIC", "-o", str(library), str(source), "-lm"]
    subprocess.run(command, check=True, stderr=sys.stderr)  # noqa: S603 - the source above
    read_rules = ctypes.CDLL(str(library)).read_rules

    def loop(z: FloatArray, profile: RuleProfile) -> Firsts:
        numbers, order = dict(profile.rules), tuple(Rule)
        tables = _tables(profile)
        its = [numbers[rule] for rule, _side in tables]
        first = np.empty((len(tables), *z.shape), dtype=np.int16)
        columns: list[npt.NDArray[np.generic]] = [
            np.array([order.index(rule) for rule, _side in tables], dtype=np.intc),
            np.array([one.points for one in its], dtype=np.intc),
            np.array([one.sigma for one in its], dtype=np.float64),
            np.array([one.least for one in its], dtype=np.intc),
            np.array([one.one_side for one in its], dtype=np.intc),
            np.array([side for _rule, side in tables], dtype=np.intc),
            first,
            np.empty(z.shape[1], dtype=np.float64),
            np.empty(z.shape[1], dtype=np.intc),
        ]
        read_rules(
            ctypes.c_void_p(z.ctypes.data), ctypes.c_long(z.shape[0]), ctypes.c_long(z.shape[1]),
            ctypes.c_int(len(tables)), *(ctypes.c_void_p(column.ctypes.data) for column in columns),
        )  # fmt: skip
        return first

    return loop
