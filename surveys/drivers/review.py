"""What matters most to customers of a unit, in the review of a period."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqcore.base.periods import title_of
from sqcore.reports.evidence import Question
from surveys.drivers.pages import strongest_of
from surveys.drivers.queries import latest_drivers, period_of


@dataclass(frozen=True)
class DriversSection:
    """The newest finding whose period had ended by the end of the period."""

    key: str = "surveys.drivers"
    order: int = 5
    template_name: str = "surveys/drivers/_strongest.html"

    def context(self, question: Question) -> Mapping[str, object] | None:
        row = latest_drivers(question.principal, unit=question.unit, by=question.period.end)
        if row is None:
            return None
        period = period_of(row)
        found = strongest_of(row, period=title_of(period), period_key=period.key)
        return None if found is None else {"strongest": found}
