"""How often the opener and the check are wrong, simulated, beside the tables they rest on.

The opener: false alarms a weekly series-year against the reference table. The check: its size
and coverage, and how often the three truths of the demo bank get the verdict that they should.
Seeded; the budgets are the time of 10,000 series and of one check, and that the table holds.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from scipy.signal import lfilter

from sqcore.stats.arrays import BoolArray, FloatArray
from sqcore.stats.cusum import Opener, false_alarms_a_year, openers, standardised
from sqcore.stats.effects import LOOK_CONFIDENCE, Effect, Verdict, mean_shift, verdict

SERIES, FOLLOWED = 60_000, 78
REPLICATES = 2_000
REFERENCE: dict[tuple[int, float], tuple[float, ...]] = {
    (26, 0.0): (0.139, 0.081, 0.033, 0.014),
    (26, 0.2): (0.345, 0.231, 0.116, 0.067),
    (52, 0.0): (0.099, 0.049, 0.012, 0.005),
}
HEIGHTS = (5, 6, 8, 10)
WITHIN = 0.25
NIGHTLY_SECONDS, CHECK_SECONDS = 10.0, 1.0
TOTAL_MEAN, TOTAL_SIGMA = 9.0, 1.43
"""Minutes; the wait of a branch-week of the demo bank and its spread."""
Weeks = tuple[int, int]


def autoregressive(
    rng: np.random.Generator, series: int, points: int, phi: float = 0.0
) -> FloatArray:
    """Return stationary normal series of spread 1, (series, points)."""
    drawn = rng.standard_normal((series, points))
    drawn[:, 1:] *= np.sqrt(1.0 - phi * phi)
    out: FloatArray = lfilter([1.0], [1.0, -phi], drawn, axis=1)
    return out


def against_baseline(points: FloatArray, n0: int) -> FloatArray:
    """Return what follows the first n0 points, in sigma = max(moving range, SD) of those."""
    base = points[:, :n0]
    moving = np.abs(np.diff(base, axis=1)).mean(axis=1) * np.sqrt(np.pi) / 2.0
    sigma = np.maximum(moving, base.std(axis=1, ddof=1))
    return standardised(points[:, n0:], centre=base.mean(axis=1), sigma_between=sigma)


def run() -> bool:
    """Print all tables; True when the budgets were kept."""
    return all([_opener_table(), _opener_time(), _check_table(), _repair_table(), _truths()])


def _opener_table() -> bool:
    print(f"\nFalse alarms a weekly series-year, {SERIES:,} series of {FOLLOWED} weeks a row")
    print("  n0  phi    " + "".join(f"h={h:<26}" for h in HEIGHTS))
    rng = np.random.default_rng(104)
    worst = 0.0
    for n0 in (26, 52):
        for phi in (0.0, 0.2):
            z = against_baseline(autoregressive(rng, SERIES, n0 + FOLLOWED, phi), n0)
            cells = []
            for at, h in enumerate(HEIGHTS):
                found = float(openers(z, Opener(h=h)).alarm.sum()) / SERIES * 52 / FOLLOWED
                signed = REFERENCE.get((n0, phi))
                used = false_alarms_a_year(n0=n0, phi=phi, h=h)
                worst = max(worst, abs(found / signed[at] - 1.0)) if signed else worst
                beside = f"{signed[at]:.3f}" if signed else "  -  "
                cells.append(f"{found:.4f} ref {beside} used {used:.4f}")
            print(f"  {n0}  {phi:.1f}  " + "  ".join(cells))
    kept = worst < WITHIN
    print(f"  farthest from the reference: {worst:.0%} {_word(kept, f'within {WITHIN:.0%}')}")
    return kept


def _opener_time() -> bool:
    z = autoregressive(np.random.default_rng(1), 10_000, 104)
    seconds = _seconds(lambda: openers(z))
    kept = seconds < NIGHTLY_SECONDS
    print(f"  10,000 series x 104 points: {seconds:.3f} s {_word(kept, f'< {NIGHTLY_SECONDS} s')}")
    return kept


def _check_table() -> bool:
    print(f"\nThe check when nothing changed, {REPLICATES:,} a row: wrong at 95 %, no interval;")
    print("  then coverage of a shift of 1.5 sigma; wrong at either of two looks at .975")
    rng = np.random.default_rng(95)
    for n0, n1 in ((12, 20), (24, 12), (8, 8), (52, 26)):
        for phi in (0.0, 0.3, 0.6):
            drawn = autoregressive(rng, REPLICATES, n0 + 2 * n1, phi)
            effects = [mean_shift(row[:n0], row[n0 : n0 + n1]) for row in drawn]
            moved = [mean_shift(row[:n0], row[n0 : n0 + n1] + 1.5) for row in drawn]
            looks = [
                any(
                    _clear(mean_shift(row[:n0], row[n0 : n0 + n], confidence=LOOK_CONFIDENCE))
                    for n in (n1, 2 * n1)
                )
                for row in drawn
            ]
            none = sum(e.low is None for e in effects)
            wrong = sum(map(_clear, effects)) / (REPLICATES - none)
            covered = sum(_holds(e, 1.5) for e in moved) / (REPLICATES - none)
            print(
                f"  {n0:>2}+{n1:<2} phi {phi}: wrong {wrong:.3f}, none {none / REPLICATES:.3f};"
                f" covered {covered:.3f}; two looks {np.mean(looks):.3f}"
            )
    row = np.random.default_rng(2).standard_normal(104)
    seconds = _seconds(lambda: mean_shift(row[:26], row[26:]))
    kept = seconds < CHECK_SECONDS
    print(f"  one check: {seconds * 1000:.1f} ms {_word(kept, f'< {CHECK_SECONDS} s')}")
    return kept


def _repair_table() -> bool:
    """A wait rose 2.7 sigma and is back where it was: which points before tell so?"""
    print("\nA shift of 2.7 sigma, fully repaired, judged against")
    rng = np.random.default_rng(27)
    drawn = autoregressive(rng, REPLICATES, 24 + 12 + 20)
    drawn[:, 24:36] += 2.7
    for minimum in (0.0, 1.0):
        for name, start in (("the 24 points before the trigger", 0), ("the 12 after it", 24)):
            before = slice(start, start + 24 if start == 0 else start + 12)
            said = [_verdict(row[before], row[36:], minimum=minimum)[0] for row in drawn]
            share = said.count(Verdict.IMPROVED) / REPLICATES
            print(f"  {name}, minimum {minimum} sigma: improved in {share:.4f}")
    return True


def _truths() -> bool:
    print(f"\nThe demo bank's truths, {REPLICATES:,} each, minimum 1 sigma = {TOTAL_SIGMA} min")
    rng = np.random.default_rng(49)
    harbour = _waits(rng, 5.0, (40, 104))
    caught = _alarms(harbour)
    first, in_alarm = caught[:, 39:48].any(axis=1), caught[:, 35:48].any(axis=1)
    print(
        f"  shifted from week 40: alarms in weeks 40-48 {first.mean():.4f}; in alarm or its"
        f" cool-down in week 48 {in_alarm.mean():.4f}"
    )
    ferry = _waits(rng, 5.0, (40, 60))
    _tell("repaired, F 49-60, post 63-82", ferry, [(49, 60)] * REPLICATES, (63, 82))
    first = np.argmax(_alarms(ferry)[:, 39:], axis=1) + 40
    _tell("repaired, F from the alarm", ferry, [(int(w) + 1, 60) for w in first], (63, 82))
    lighthouse = _waits(rng, 6.0, (61, 65))
    alarm = _alarms(lighthouse)
    print(f"  a bad spell in weeks 61-65: alarm in 61-78 {alarm[:, 60:78].any(axis=1).mean():.4f}")
    _tell("bad spell, F 67-78, post 79-98", lighthouse, [(67, 78)] * REPLICATES, (79, 98))
    _tell("bad spell, F 67-78, post 79-101", lighthouse, [(67, 78)] * REPLICATES, (79, 101))
    first = np.argmax(alarm[:, 60:], axis=1) + 61
    early = [(int(w) + 1, 78) for w in first if w < 70]
    _tell("bad spell, F from the alarm", lighthouse[first < 70], early, (79, 98))
    _tell("bad spell, naive 61-65 before", lighthouse, [(61, 65)] * REPLICATES, (66, 73), least=3)
    return True


def _waits(rng: np.random.Generator, minutes: float, weeks: Weeks) -> FloatArray:
    waits = TOTAL_MEAN + TOTAL_SIGMA * rng.standard_normal((REPLICATES, 104))
    waits[:, weeks[0] - 1 : weeks[1]] += minutes
    return waits


def _alarms(waits: FloatArray) -> BoolArray:
    """Return where the opener alarms, week 1 first; the baseline is weeks 1 to 26."""
    alarm = openers(against_baseline(waits, 26)).alarm
    return np.hstack([np.zeros((len(waits), 26), dtype=np.bool_), alarm])


def _tell(
    name: str, waits: FloatArray, before: Sequence[Weeks], after: Weeks, least: int = 8
) -> None:
    said = Counter(
        ": ".join(
            _verdict(
                row[start - 1 : end], row[after[0] - 1 : after[1]],
                minimum=TOTAL_SIGMA, better=-1, least=least,
            )
        )
        for row, (start, end) in zip(waits, before, strict=True)
    )  # fmt: skip
    shares = ", ".join(f"{what} {n / len(waits):.4f}" for what, n in said.most_common())
    print(f"  {name}: {shares}")


def _verdict(
    before: FloatArray, after: FloatArray, *, minimum: float, better: int = -1, least: int = 8
) -> tuple[Verdict, str]:
    effect = mean_shift(before, after, least_before=least)
    return verdict(effect, better=better, minimum=minimum)


def _clear(effect: Effect) -> bool:
    return not _holds(effect, 0.0) and effect.low is not None


def _holds(effect: Effect, truth: float) -> bool:
    if effect.low is None or effect.high is None:
        return False
    return effect.low <= truth <= effect.high


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def _word(kept: bool, budget: str) -> str:
    return f"(budget {budget} {'kept' if kept else 'MISSED'})"
