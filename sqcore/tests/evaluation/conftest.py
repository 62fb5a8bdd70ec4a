import pytest

from sqcore.indicators import sources
from sqcore.indicators.sources import Counts
from sqcore.tests.evaluation.bank import MemorySource


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> MemorySource:
    """A source of its own, registered for one test."""
    memory = MemorySource(
        scales={"reliability": 1, "empathy": 2, "recommend": 1, "wait": 1, "overall": 1}
    )
    monkeypatch.setitem(sources.SOURCES._offers, memory.key, memory)
    return memory


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> MemorySource:
    """Encounters, each a row: nothing about them is an opinion."""
    memory = MemorySource(
        scales={"waiting": 60, "solved": 1, "errors": 1, "handling": 60, "stock": 10},
        key="desk",
        counts=Counts.ENCOUNTERS,
    )
    monkeypatch.setitem(sources.SOURCES._offers, memory.key, memory)
    return memory
