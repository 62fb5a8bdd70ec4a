"""The port for validations: who knows whether a version measures what it should registers here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from django.utils.functional import Promise

from sqcore.base.registry import Registry
from sqcore.identity.principals import Principal
from sqcore.indicators.models import SystemVersion


class Verdict(StrEnum):
    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One sentence about a version, and the page that says more."""

    verdict: Verdict
    text: str
    url: str = ""


class Validation(Protocol):
    """A question to a version, and what is found. Register an instance in `VALIDATIONS`.

    Findings rest on published figures that the principal may see, never on single answers. Where
    nothing can be said yet, that is a finding of verdict unknown.
    """

    @property
    def key(self) -> str: ...

    @property
    def title(self) -> str | Promise: ...

    def findings(
        self, *, version: SystemVersion, principal: Principal, now: datetime
    ) -> Sequence[Finding]:
        """Return what is found; nothing where the question does not arise."""
        ...


VALIDATIONS: Registry[Validation] = Registry("validations of versions")
