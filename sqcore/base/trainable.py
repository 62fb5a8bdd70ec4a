"""The port through which a room names what people can be trained in, without knowing who trains."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqcore.base.registry import Registry


class Trainable(Protocol):
    """What people can be trained in. Register an instance in `<app>/plugins.py`."""

    @property
    def key(self) -> str: ...

    def subjects(self) -> Sequence[tuple[str, Mapping[str, str]]]:
        """Return the code and name of each subject in use, in their order."""
        ...


TRAINABLE: Registry[Trainable] = Registry("what people can be trained in")


def trainable_subjects() -> dict[str, Mapping[str, str]]:
    """Return the name of everything that people can be trained in, by its code."""
    return {code: name for offer in TRAINABLE for code, name in offer.subjects()}
