"""Analyses of one quarter with a million answers: how much time and memory each kind takes.

Each kind runs in a process of its own, whose largest memory is taken; so does the job that analyses
the whole, every unit, channel and segment. Beside it stands what exact sums by item would cost if
they were kept by unit and month, as the sums of measures are: n, sums and cross-products of each
pair of questions over who answered both, with the histogram of each question; unweighted, packed as
small as they go, without channels, segments and the buckets of the jackknife.
"""

import os
import resource
import time
import traceback
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial

import numpy as np
import numpy.typing as npt
from django.db import connection, connections

from benchmarks.evaluation import DIFFERENT, filled
from sqcore.base.periods import Grain, Period
from sqcore.jobs.runner import run_inline
from sqcore.org.models import Placement, Unit
from surveys.analyses.models import Analysis
from surveys.analyses.port import KINDS, AnalysisKind
from surveys.analyses.services import analyse
from surveys.instruments.codebook import MISSING, NOT_APPLICABLE, Bytes, Codebook, codebook_of
from surveys.instruments.models import InstrumentVersion
from surveys.responses.items import ItemAnswers, item_answers

SIZE = 1_000_000
QUARTER = Period(date(2025, 10, 1), Grain.QUARTER)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
MEGABYTES = 1000
OPTIONS = 13
"""Answers 0 to 10, not applicable and missing."""


def _sheets(chance: np.random.Generator, book: Codebook) -> Bytes:
    """Draw different answers that hang together, with 1 % missing and 0.5 % not applicable."""
    low = np.array([item.low for item in book.scored])
    high = np.array([item.high for item in book.scored])
    shape = (DIFFERENT, len(low))
    felt = 0.6 * chance.normal(size=(DIFFERENT, 1)) + 0.8 * chance.normal(size=shape)
    answers = np.clip(np.rint(low + (high - low) * (0.6 + 0.2 * felt)), low, high)
    dice = chance.random(shape)
    answers[dice < 0.01] = MISSING
    answers[dice > 0.995] = NOT_APPLICABLE
    return np.asarray(answers, dtype=np.uint8)


def _apart(work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU seconds and the largest memory (MB) of work in a process of its own."""
    connections.close_all()
    mine, theirs = os.pipe()
    child = os.fork()
    if not child:
        # However it ends, it must not go on as its parent does.
        try:
            started = time.process_time()
            work()
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
            os.write(theirs, f"{time.process_time() - started} {used}".encode())
        except Exception:  # noqa: BLE001 - whatever it is, it is said
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(mine) as said:
        told = said.read().split()
    os.waitpid(child, 0)
    assert told, "it failed, as said above"
    return float(told[0]), float(told[1])


def _fill(size: int) -> None:
    filled(size, days=(QUARTER.start, QUARTER.end), sheets=_sheets)
    units = list(Unit.objects.order_by("id"))
    bank = Unit.objects.create(code="bank", name={"en": "Bank"}, opened_on=QUARTER.start)
    Placement.objects.create(unit=bank, parent=None, valid_from=QUARTER.start)
    Placement.objects.bulk_create(
        Placement(unit=unit, parent=bank, valid_from=QUARTER.start) for unit in units
    )


def _find(kind: AnalysisKind, version: InstrumentVersion) -> None:
    kind.find(item_answers(version, QUARTER))


def _analyse(version: InstrumentVersion) -> None:
    run_inline(analyse(version=version, period=QUARTER, now=NOW, tell_worker=False), now=NOW)


def run(size: int | None) -> bool:
    """Print the scenario; True when every step keeps to its memory."""
    asked = size or SIZE
    # Apart as well: what Python holds of the making must not be counted.
    _apart(lambda: _fill(asked))
    version = InstrumentVersion.objects.get(instrument__code="servqual")
    nothing = _apart(lambda: None)[1]
    steps: dict[str, Callable[[], object]] = {"reading": lambda: item_answers(version, QUARTER)}
    for kind in KINDS:
        if kind.suits(codebook_of(version)):
            steps[f"reading, {kind.key}"] = partial(_find, kind, version)
    steps["all kinds and groups, stored"] = lambda: _analyse(version)
    print(f"\nAnalyses of {asked:,} answers of a quarter on {connection.vendor}")
    most = 0.0
    for name, step in steps.items():
        cpu, peak = _apart(step)
        most = max(most, peak)
        print(
            f"  {name:<32} {cpu:6.1f} s CPU  {peak:5.0f} MB ({nothing:.0f} MB before)", flush=True
        )
    print(f"  ({Analysis.objects.count()} findings)")
    kept = most < MEGABYTES
    word = "kept" if kept else "MISSED"
    print(f"  memory: {most:.0f} MB, budget < {MEGABYTES:,} MB {word}")
    _beside_sums_by_item(item_answers(version, QUARTER))
    return kept


# ---- What sums by item would cost ----------------------------------------------------------------


def _beside_sums_by_item(answers: ItemAnswers) -> None:
    """Print the bytes of cells of some sizes, as answers and as exact sums."""
    print("  a unit x month as its answers, and as exact sums by item (zlib in brackets):")
    for people in (50, 200, 1000, 5000, 20_000):
        packed = answers.packed[:people]
        started = time.process_time()
        sums = _sums(packed)
        took = time.process_time() - started
        small = len(zlib.compress(packed.tobytes())), len(zlib.compress(sums))
        print(
            f"    {people:>6,} people: {packed.nbytes / 1000:7.1f} kB ({small[0] / 1000:.1f}),"
            f" {len(sums) / 1000:6.1f} kB ({small[1] / 1000:.1f}), {1000 * took:.1f} ms CPU to add"
        )


def _sums(packed: Bytes) -> bytes:
    there = (packed < NOT_APPLICABLE).astype(np.float64)
    value = np.where(packed < NOT_APPLICABLE, packed, 0).astype(np.float64)
    upper = np.triu_indices(packed.shape[1])
    parts = [
        (there.T @ there)[upper],
        (there.T @ value).ravel(),
        (value.T @ value)[upper],
        _histograms(packed).ravel(),
    ]
    # Whole numbers below 2 to the 53rd, each part in the narrowest type that holds it.
    return b"".join(part.astype(np.min_scalar_type(int(part.max()))).tobytes() for part in parts)


def _histograms(packed: Bytes) -> npt.NDArray[np.int64]:
    unscored = packed >= NOT_APPLICABLE
    option = np.where(unscored, packed - NOT_APPLICABLE + (OPTIONS - 2), packed)
    return np.stack([np.bincount(column, minlength=OPTIONS) for column in option.T])
