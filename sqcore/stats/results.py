"""What a method says when it has no number to give, and a number with its interval."""

from dataclasses import dataclass
from enum import StrEnum


class MethodStatus(StrEnum):
    """Whether a method had what it needs; the same words in every method, page and REST answer."""

    OK = "ok"
    INSUFFICIENT_N = "insufficient_n"
    """Fewer answers, units or experts than the method can be trusted with."""
    ZERO_VARIANCE = "zero_variance"
    """All values are alike: nothing can be compared."""
    SINGULAR = "singular"
    """Some columns follow from others, so that their parts cannot be told apart."""
    NOT_CONNECTED = "not_connected"
    """The comparisons fall apart into groups that nobody compared with each other."""
    TOO_SHORT = "too_short"
    """The series has fewer periods than the method needs."""
    IMPROPER = "improper"
    """The best solution is an impossible one, such as a spread below 0: the model does not hold."""
    NOT_CONVERGED = "not_converged"
    """The search found no best solution."""
    NOT_APPLICABLE = "not_applicable"
    """The question does not arise for these values."""


@dataclass(frozen=True)
class Figure:
    """A number with its interval and the n behind it; without a number, the reason.

    `low` and `high` are None where no interval can be given. A status other than OK has no number.

    >>> Figure.none(MethodStatus.INSUFFICIENT_N, n=3).value is None
    True
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    status: MethodStatus = MethodStatus.OK

    @classmethod
    def none(cls, status: MethodStatus, *, n: int = 0) -> "Figure":
        """Return the figure of a method that had not what it needs."""
        return cls(None, None, None, n, status)
