"""The rules of the intake as versioned data, and which state may follow which.

Why they are as they are: `docs/decisions/how-tickets-propose-themselves.md`.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from improvement.tickets.models import ACCEPTED, Severity, State


@dataclass(frozen=True)
class IntakePolicy:
    """When a signal becomes a proposal. Its version stands in the evidence of every ticket.

    cool_down: how long after the end of its last ticket the same signal proposes none
    reopening: how long after the end a signal that comes back reopens its ticket as a regression
    budget: how many proposals that a machine made may wait for one person; others are ranked behind
    siblings: from how many units below the same one a common parent is proposed
    s2_from, s3_from: the impact from which these severities are suggested (see `impact_of`)
    most_strength: shifts beyond so many sigma count as this one
    """

    version: int = 1
    cool_down: timedelta = timedelta(days=91)
    reopening: timedelta = timedelta(days=90)
    budget: int = 3
    siblings: int = 3
    s2_from: float = 100.0
    s3_from: float = 10.0
    most_strength: float = 4.0


POLICY = IntakePolicy()


@dataclass(frozen=True)
class Facts:
    """What the severity of a signal is suggested from; None for what is not known.

    n: how much the newest period counts (customers, encounters)
    gap: how far its value is from the target, as a share of the way from worst to best
    strength: how far the mean since the alarm is from the centre, in sigma
    """

    n: int | None
    gap: float | None
    strength: float


def impact_of(facts: Facts, policy: IntakePolicy = POLICY) -> float | None:
    """Return n of the newest point x gap to the target x strength of the signal, or None.

    The gap is at most the whole way from worst to best, the strength at most `most_strength`: a
    quiet series with a tiny sigma is not more important for it. 400 customers a week, a tenth of
    the way from the target, at 2 sigma: 80.

    >>> impact_of(Facts(n=400, gap=0.1, strength=-2.0))
    80.0
    """
    if facts.n is None or facts.gap is None:
        return None
    strength = min(abs(facts.strength), policy.most_strength)
    return round(facts.n * min(facts.gap, 1.0) * strength, 1)


def suggested_severity(impact: float | None, policy: IntakePolicy = POLICY) -> Severity:
    """Return the severity that the impact suggests. A person decides on acceptance.

    S1 is never suggested: harm and breaches of law are not seen from a chart. What cannot be
    computed is S3, so that nobody waives its containment by the way.

    >>> suggested_severity(80.0)
    Severity.S3
    """
    if impact is None:
        return Severity.S3
    if impact >= policy.s2_from:
        return Severity.S2
    return Severity.S3 if impact >= policy.s3_from else Severity.S4


def is_cooling(ended_on: date, *, on: date, policy: IntakePolicy = POLICY) -> bool:
    """True while a signal whose last ticket ended on this day proposes no other.

    >>> is_cooling(date(2026, 1, 1), on=date(2026, 4, 1))
    True
    >>> is_cooling(date(2026, 1, 1), on=date(2026, 4, 2))
    False
    """
    return on < ended_on + policy.cool_down


def reopens(ended_on: date, *, on: date, policy: IntakePolicy = POLICY) -> bool:
    """True while what comes back is a regression of the ended ticket, and no new problem."""
    return on <= ended_on + policy.reopening


_NEXT: dict[State, frozenset[State]] = {
    State.PROPOSED: frozenset(
        {State.PLAN, State.REJECTED, State.DUPLICATE, State.SNOOZED, State.WITHDRAWN}
    ),
    State.SNOOZED: frozenset(
        {State.PROPOSED, State.PLAN, State.REJECTED, State.DUPLICATE, State.WITHDRAWN}
    ),
    State.PLAN: frozenset({State.REVIEW, State.DO}),
    State.REVIEW: frozenset({State.DO, State.PLAN}),
    State.DO: frozenset({State.CHECK, State.CLOSED}),
    State.CHECK: frozenset({State.ACT}),
    State.ACT: frozenset({State.STANDARD, State.PLAN, State.CHECK, State.ABANDONED}),
    State.STANDARD: frozenset({State.CLOSED, State.PLAN}),
    State.CLOSED: frozenset({State.PLAN}),
}


def may_follow(former: State, to: State) -> bool:
    """True when this step exists; to stay where it is, a ticket must be open.

    Who may take it, and what must be there before, the room `cycle` guards.
    """
    if former == to:
        return former in _NEXT and former != State.CLOSED
    if to == State.CANCELLED:
        return former in ACCEPTED
    return to in _NEXT.get(former, frozenset())
