"""Timing things in turn within one process, and setting them in relation to their limit."""

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Candidate = Callable[[], object]


@dataclass(frozen=True)
class Budget:
    """`candidate` divided by `limit` in CPU time: at most (or, as a speed, at least) `ratio`."""

    what: str
    candidate: str
    limit: str
    ratio: float
    as_speed: bool = False


def in_turn(candidates: Mapping[str, Candidate], *, rounds: int) -> dict[str, list[float]]:
    """Return CPU seconds of each candidate in each of interleaved rounds."""
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for _round in range(rounds):
        for name, candidate in candidates.items():
            start = time.process_time()
            candidate()
            found[name].append(time.process_time() - start)
    return found


def report(title: str, found: Mapping[str, Sequence[float]], budgets: Sequence[Budget]) -> bool:
    """Print each candidate's CPU time and each ratio as median [range]; True when all are kept."""
    print(f"\n{title}")
    for name, seconds in found.items():
        print(f"  {name:<28} {_spread([1000 * s for s in seconds], 'ms CPU')}")
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
