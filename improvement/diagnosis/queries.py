"""Reading the causes that were found, as chains of whys and as the branches of a fishbone."""

from dataclasses import dataclass, field

from improvement.diagnosis.models import Finding
from improvement.tickets.models import Ticket
from sqcore.causes.taxonomy import CAUSES, CauseClass


@dataclass
class Why:
    """One cause with those that lie deeper."""

    finding: Finding
    deeper: list["Why"] = field(default_factory=list)


@dataclass(frozen=True)
class Branch:
    """A class of causes with what was found in it."""

    of: CauseClass
    findings: tuple[Finding, ...]


def findings_of(ticket: Ticket, *, cycle: int | None = None) -> list[Finding]:
    """Return the causes found in a cycle (default: the present one), in order. One query."""
    found = ticket.findings.filter(cycle=ticket.cycle if cycle is None else cycle)
    return list(found.select_related("by").order_by("id"))


def whys_of(findings: list[Finding]) -> list[Why]:
    """Return the chains of whys, each from its first answer."""
    whys = {each.pk: Why(each) for each in findings if each.kind == Finding.Kind.WHY}
    first: list[Why] = []
    for why in whys.values():
        above = whys.get(why.finding.parent_id or 0)
        (above.deeper if above else first).append(why)
    return first


def fishbone_of(findings: list[Finding]) -> list[Branch]:
    """Return the classes of causes in their order, each with the factors that were found in it."""
    placed = [(CAUSES[each.cause].of, each) for each in findings if each.cause in CAUSES]
    return [
        Branch(of, tuple(each for place, each in placed if place == of.code))
        for of in CAUSES.classes
    ]
