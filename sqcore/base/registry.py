"""A registry: what the apps offer to a room of the ground floor, under unique keys."""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


T = TypeVar("T", bound=Keyed)


class DuplicateKey(RuntimeError):
    """Two offers under one key: the program must not start."""


class Registry(Generic[T]):
    """Offers in the order in which they were registered; filled by `<app>/plugins.py` at start."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._offers: dict[str, T] = {}

    def register(self, offer: T) -> T:
        if offer.key in self._offers:
            raise DuplicateKey(f"{self.name} already has “{offer.key}”")
        self._offers[offer.key] = offer
        return offer

    def __getitem__(self, key: str) -> T:
        return self._offers[key]

    def __contains__(self, key: str) -> bool:
        return key in self._offers

    def __iter__(self) -> Iterator[T]:
        return iter(self._offers.values())

    def __len__(self) -> int:
        return len(self._offers)
