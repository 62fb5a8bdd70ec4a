"""One evaluation of a bank: 25 units, 3 channels, 4 segments, 24 indicators, one month."""

import random
from datetime import date, timedelta
from time import process_time

import pytest

from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.evaluation.services import evaluate_due
from sqcore.indicators import sources
from sqcore.indicators.sources import Counts
from sqcore.indicators.trees import Leaf
from sqcore.tests.evaluation.bank import (
    MemorySource,
    branch,
    indicator,
    months_later,
    tree_system,
)
from sqcore.tests.factories import make_unit

SAID, MEASURED, MOST = 9, 13, 3.0


def _source(monkeypatch: pytest.MonkeyPatch, key: str, count: int, counts: Counts) -> MemorySource:
    names = [f"{key}-{at}" for at in range(count)]
    memory = MemorySource(scales=dict.fromkeys(names, 1), key=key, counts=counts)
    monkeypatch.setitem(sources.SOURCES._offers, key, memory)
    return memory


@pytest.mark.slow
@pytest.mark.django_db
def test_a_bank_is_evaluated_in_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    said = _source(monkeypatch, "said", SAID, Counts.ANSWERS)
    desk = _source(monkeypatch, "desk", MEASURED, Counts.ENCOUNTERS)
    root = make_unit("bank")
    regions = [make_unit(f"r{at}", parent=root) for at in range(4)]
    branches = [make_unit(f"b{at}", parent=regions[at % 4]) for at in range(20)]
    leaves = [
        Leaf(indicator(name, source=of.key), 0.125, 0, 10)
        for of in (said, desk)
        for name in of.scales
    ]
    leaves += [
        Leaf(indicator(f"f-{at}", formula=f"[desk-{at}] / ([desk-{at}] + 1)"), 0.125, 0, 1)
        for at in range(2)
    ]
    tree_system(
        [branch(f"d{at}", 1 / 3, *leaves[8 * at : 8 * at + 8]) for at in range(3)],
        grains=["week", "month", "quarter", "year"],
    )
    for source, people in ((said, 60), (desk, 60)):
        for unit in branches:
            for _ in range(people):
                source.add(
                    unit,
                    date(2026, 1, chance.randint(1, 28)),
                    {name: chance.randint(0, 10) for name in source.scales},
                    channel=chance.choice(["desk", "phone", "app"]),
                    segment=chance.choice(["young", "old", "firm", "rich"]),
                )
    evaluate_due(now=months_later(1))
    # Late answers: the second evaluation is the dearer one, with all that was shown before.
    late = months_later(1) + timedelta(days=1)
    said.add(branches[0], date(2026, 1, 5), {"said-0": 3}, channel="app", came_at=late)
    desk.add(branches[0], date(2026, 1, 5), {"desk-0": 3}, channel="app", came_at=late)
    collecting = _collecting(monkeypatch, said, desk)

    started = process_time()
    evaluate_due(now=months_later(2))
    took = process_time() - started - collecting[0]

    published = EvaluationRun.objects.filter(revision=2).count()
    rows = KpiValue.objects.filter(run__grain="month", is_current=True).count()
    assert (published, rows) == (2, 25 * 8 * 28)
    assert took / published < MOST


def _collecting(monkeypatch: pytest.MonkeyPatch, *sources_: MemorySource) -> list[float]:
    """Count the time that the sources of this test take: real ones keep their sums."""
    spent = [0.0]
    for source in sources_:
        original = source.collect

        def timed(*, original=original, **asked):  # type: ignore[no-untyped-def]
            started = process_time()
            try:
                return original(**asked)
            finally:
                spent[0] += process_time() - started

        monkeypatch.setattr(source, "collect", timed)
    return spent
