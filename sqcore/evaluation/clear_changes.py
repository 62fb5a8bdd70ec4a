"""Which units changed clearly in which dimensions, beside what chance alone would list."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sqcore.evaluation.figures import Overview, UnitLine
from sqcore.evaluation.wording import Mark, Step, mark_of, number, step_of, title_of
from sqcore.indicators.definition import counts_of_code

MOST_CHANGES = 10
"""Clear changes that a page lists; it says how many more there are."""


@dataclass(frozen=True)
class ChangedLine:
    unit_code: str
    unit: str
    code: str
    name: str
    mark: Mark
    step: Step


@dataclass(frozen=True)
class Changes:
    """Which units changed clearly in which dimensions, and how many chance alone would list."""

    lines: list[ChangedLine]
    found: int
    compared: int
    by_chance: float
    since: str

    @property
    def more(self) -> int:
        return self.found - len(self.lines)

    @property
    def sentence(self) -> str:
        if not self.compared:
            return _("There is nothing yet to compare with.")
        if not self.found:
            return _(
                "Nothing: none of %(compared)s comparisons (units by dimensions) is a clear "
                "change since %(since)s."
            ) % {"compared": self.compared, "since": self.since}
        said = ngettext(
            "%(found)s of %(compared)s comparisons (units by dimensions) is a clear change "
            "since %(since)s.",
            "%(found)s of %(compared)s comparisons (units by dimensions) are clear changes "
            "since %(since)s.",
            self.found,
        ) % {"found": self.found, "compared": self.compared, "since": self.since}
        chance = _(
            "If nothing had changed anywhere, chance alone would list about %(count)s of them."
        ) % {"count": number(self.by_chance, 0 if self.by_chance >= 2 else 1)}
        return f"{said} {chance}"

    @property
    def reading(self) -> str:
        """How to take the list."""
        if not self.found:
            return ""
        if self.found > 2 * self.by_chance and self.found >= 3:
            return _("That is more than chance gives: something did change.")
        return _(
            "That is about what chance gives: take single lines as hints, see whether they last."
        )


def changes_of(view: Overview) -> Changes:
    """Return the clear changes among all visible units and dimensions, the surest first."""
    run = view.standing.run
    dimensions = {found.code for found in run.definition.all_dimensions()}
    compared = [
        line
        for code, lines in view.units.items()
        if code in dimensions
        for line in lines
        if line.change is not None
    ]
    clear = sorted((line for line in compared if line.change and line.change.is_clear), key=_doubt)
    return Changes(
        lines=[
            ChangedLine(
                unit_code=line.code,
                unit=line.name,
                code=line.figure.code,
                name=run.definition.name_of(line.figure.code),
                mark=mark_of(line.figure, counts=counts_of_code(run.definition, line.figure.code)),
                step=step,
            )
            for line in clear[:MOST_CHANGES]
            if (step := step_of(line.change)) is not None
        ],
        found=len(clear),
        compared=len(compared),
        by_chance=len(compared) * (1 - run.confidence),
        since=title_of(run.period.previous),
    )


def _doubt(line: UnitLine) -> float:
    """How wide the interval of a change is for its size: the smaller, the surer."""
    change = line.change
    return (change.high - change.low) / abs(change.by) if change and change.by else float("inf")
