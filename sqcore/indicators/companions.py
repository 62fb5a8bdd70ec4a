"""The port for rooms that keep something about a version: it goes along when one is copied."""

from datetime import datetime
from typing import Protocol

from sqcore.base.registry import Registry
from sqcore.indicators.models import SystemVersion


class VersionCompanion(Protocol):
    """What belongs to a version and is kept elsewhere. Register an instance in `COMPANIONS`."""

    @property
    def key(self) -> str: ...

    def carry(self, *, former: SystemVersion, draft: SystemVersion, now: datetime) -> None:
        """Write for a draft what stands for the version that it was copied from, in the running
        transaction; the draft is new and has nothing of it yet."""
        ...


COMPANIONS: Registry[VersionCompanion] = Registry("companions of versions")
