"""What rooms take in from files: kinds of rows, whose fields are those that REST takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from sqcore.base.errors import Problem
from sqcore.base.registry import Registry
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


@dataclass(frozen=True)
class RowField:
    """A field of the rows: what people call it, how its cells are read, and how a column that
    holds it is usually named.

    reads: "text", "number" (a point or one comma as decimal sign), "day", "moment" or "truth"
    guess: a pattern for names of columns, in any case
    """

    name: str
    title: "_StrOrPromise"
    reads: str = "text"
    guess: str = ""
    required: bool = False


Rows = Sequence[Mapping[str, Any]]


class Intake(Protocol):
    """One pass through a file, piece by piece. What it remembers between the pieces is its own."""

    def problems(self, rows: Rows) -> list[Problem]:
        """Return what is wrong with this piece; `row` counts its rows from 1. Stores nothing."""
        ...

    def store(self, rows: Rows) -> None:
        """Take rows that had no problem, in a transaction under the fence of the job.

        A job may begin again: storing the same rows a second time must change nothing.
        """
        ...

    def finish(self) -> Mapping[str, int]:
        """Do what is left, in the transaction that ends the job; return counts for the report."""
        ...


@runtime_checkable
class TellsOfRows(Protocol):
    """What an intake may have besides: rows that are right and still bring nothing."""

    def told(self) -> list[Problem]:
        """Return what to tell of rows of the piece that was checked last; `row` counts as in
        `problems`. They stop nothing: a public file says “Not Available” in half of its rows."""
        ...


class RowKind(Protocol):
    """A kind of rows that files may hold. Register an instance in `ROW_KINDS`."""

    @property
    def key(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def permission(self) -> Permission:
        """Who may take such files in."""
        ...

    @property
    def fields(self) -> Sequence[RowField]: ...

    def codes(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """Return, by field, the codes that there are, each with its names; only fields that have
        codes."""
        ...

    def open(self, *, by: Principal, now: datetime) -> Intake: ...


ROW_KINDS: Registry[RowKind] = Registry("kinds of rows in files")
