"""Errors that people are meant to read. Anything else that is raised is a bug and travels up."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with what came in: where, and why.

    `row` counts from 1 as the sender sees it (a file's line, an item of a JSON list).
    """

    reason: str
    field: str = ""
    row: int | None = None

    def __str__(self) -> str:
        told = {"row": self.row, "field": self.field, "reason": self.reason}
        if self.row is not None and self.field:
            return _("row %(row)d, %(field)s: %(reason)s") % told
        if self.row is not None:
            return _("row %(row)d: %(reason)s") % told
        return _("%(field)s: %(reason)s") % told if self.field else self.reason


class DomainError(Exception):
    """An anticipated refusal. `message` is for people; `problems` name each row and field."""

    code = "refused"
    status = 409

    def __init__(self, message: str, *, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)


class InvalidInput(DomainError):
    """What came in cannot be understood or breaks a rule of its form."""

    code = "invalid"
    status = 400


class NotPermitted(DomainError):
    """The person or token may not do this."""

    code = "not_permitted"
    status = 403


class NotFound(DomainError):
    """There is no such thing, or the asker may not know of it."""

    code = "not_found"
    status = 404


class Conflict(DomainError):
    """It clashes with what is already there."""

    code = "conflict"
    status = 409
