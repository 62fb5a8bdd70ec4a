import pytest

from sqcore.indicators import sources
from sqcore.tests.evaluation.bank import MemorySource


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> MemorySource:
    """A source of its own, registered for one test."""
    memory = MemorySource(
        scales={"reliability": 1, "empathy": 2, "recommend": 1, "wait": 1, "overall": 1}
    )
    monkeypatch.setitem(sources.SOURCES._offers, memory.key, memory)
    return memory
