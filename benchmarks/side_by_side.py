"""Timing things in turn within one process, and setting them in relation to their limit."""

import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

Candidate = Callable[[], object]
Found = dict[str, list[float]]
"""Seconds by candidate, one for each round."""


@dataclass(frozen=True)
class Budget:
    """`candidate` divided by `limit` in CPU time: at most (or, as a speed, at least) `ratio`."""

    what: str
    candidate: str
    limit: str
    ratio: float
    as_speed: bool = False


def in_turn(candidates: Mapping[str, Candidate], *, rounds: int, times: int = 1) -> Found:
    """Return CPU seconds of each candidate in each of interleaved rounds."""
    cpu, _wall = measured(candidates, rounds=rounds, times=times)
    return cpu


def measured(
    candidates: Mapping[str, Candidate],
    *,
    rounds: int,
    times: int = 1,
    worked: Callable[[], float] = time.process_time,
) -> tuple[Found, Found]:
    """Return CPU and wall seconds of each candidate in each of interleaved rounds.

    A candidate that does its thing `times` times a call is charged for one of them.
    worked: the CPU seconds so far of whatever does the work
    """
    cpu: Found = {name: [] for name in candidates}
    wall: Found = {name: [] for name in candidates}
    for _round in range(rounds):
        for name, candidate in candidates.items():
            started, before = time.perf_counter(), worked()
            candidate()
            cpu[name].append((worked() - before) / times)
            wall[name].append((time.perf_counter() - started) / times)
    return cpu, wall


def report(
    title: str,
    found: Mapping[str, Sequence[float]],
    budgets: Sequence[Budget],
    *,
    unit: str = "ms CPU",
) -> bool:
    """Print each candidate's time and each ratio as median [range]; True when all are kept."""
    print(f"\n{title}")
    for name, seconds in found.items():
        print(f"  {name:<28} {_spread([1000 * s for s in seconds], unit)}")
    kept = [_judge(found, budget) for budget in budgets]
    return all(kept)


def _judge(found: Mapping[str, Sequence[float]], budget: Budget) -> bool:
    pairs = zip(found[budget.candidate], found[budget.limit], strict=True)
    ratios = [b / a if budget.as_speed else a / b for a, b in pairs]
    median = statistics.median(ratios)
    kept = median >= budget.ratio if budget.as_speed else median <= budget.ratio
    sign = ">=" if budget.as_speed else "<="
    print(
        f"  {budget.what}: {_spread(ratios, 'x')}, budget {sign} {budget.ratio:g}"
        f" {'kept' if kept else 'MISSED'}"
    )
    return kept


def _spread(values: Sequence[float], unit: str) -> str:
    middle = statistics.median(values)
    return f"{middle:,.3g} [{min(values):,.3g} - {max(values):,.3g}] {unit}"


def machine() -> str:
    """Say how busy the machine is: figures of a busy one mean little."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"


def versions() -> str:
    """Say what the figures were made with."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("django", "numpy", "duckdb"))
    return f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}"
