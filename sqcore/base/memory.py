"""What a process may remember for some seconds instead of asking the database each time."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class ShortMemory(Generic[K, V]):
    """Values that this process keeps for `seconds`, at most `entries` of them.

    Another process does not hear of a change: what is kept here may be that old.
    """

    def __init__(
        self, *, seconds: float, entries: int = 1000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self.entries = entries
        self._clock = clock
        self._kept: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        found = self._kept.get(key)
        if found is None or found[0] <= self._clock():
            return None
        return found[1]

    def put(self, key: K, value: V) -> None:
        if len(self._kept) >= self.entries:
            self._drop_old()
        self._kept[key] = (self._clock() + self.seconds, value)

    def forget(self, unless: Callable[[V], bool] = lambda _value: False) -> None:
        """Drop everything but the values that `unless` holds for."""
        self._kept = {key: kept for key, kept in self._kept.copy().items() if unless(kept[1])}

    def _drop_old(self) -> None:
        now = self._clock()
        kept = {key: value for key, value in self._kept.copy().items() if value[0] > now}
        # Still full of what is fresh: start anew, which costs look-ups and never memory.
        self._kept = kept if len(kept) < self.entries else {}
