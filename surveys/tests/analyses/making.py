"""Answers and kinds of analyses for tests: exact values, nothing random."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqcore.base.periods import Period
from sqcore.jobs.runner import run_inline
from sqcore.org.models import Unit
from sqcore.stats.results import MethodStatus
from sqcore.tests.factories import NOW
from surveys.analyses.models import Analysis
from surveys.analyses.port import KINDS, Found
from surveys.analyses.queries import due_periods
from surveys.analyses.services import analyse
from surveys.campaigns.models import Campaign
from surveys.instruments.codebook import Codebook
from surveys.responses.items import ItemAnswers
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, absorb, add_responses

Q4 = Period.parse("2025-Q4")
YEAR = Period.parse("2025")


@dataclass
class Counting:
    """Finds how many answered, and the mean of the outcome."""

    key: str = "counting"
    title: str = "Counting"
    method: int = 1
    only_whole: bool = False
    fewest: int = 30
    status: MethodStatus = MethodStatus.OK
    needs: str = "overall"

    def suits(self, codebook: Codebook) -> bool:
        return self.needs in codebook.by_code

    def find(self, answers: ItemAnswers, *, k: int = 5) -> Found:
        mean = float(answers.values(["overall"]).mean())
        return Found(self.status, {"people": len(answers), "mean": mean})


@contextmanager
def only(*kinds: Any) -> Iterator[None]:
    """Have these kinds and no others."""
    before = dict(KINDS._offers)
    KINDS._offers.clear()
    for kind in kinds:
        KINDS.register(kind)
    try:
        yield
    finally:
        KINDS._offers.clear()
        KINDS._offers.update(before)


def answer(
    campaign: Campaign,
    unit: Unit,
    times: int,
    *,
    on: date = date(2025, 11, 5),
    answers: Mapping[str, Any] | None = None,
    **over: Any,
) -> None:
    """So many equal answers about a unit."""
    given = dict(answers or {"p1": 4, "p2": 7, "overall": 5})
    responses = [
        NewResponse(answers=given, unit_id=unit.pk, answered_on=on, **over) for _ in range(times)
    ]
    add_responses(campaign=campaign, responses=responses, origin=Response.Origin.API, now=NOW)


def leave(campaign: Campaign, unit: Unit, times: int) -> None:
    """The first of those who answered about a unit take their answers back."""
    gone = campaign.responses.filter(unit=unit, withdrawn=False).order_by("id")[:times]
    campaign.responses.filter(pk__in=[row.pk for row in gone]).update(withdrawn=True)


def take_in(now: datetime = NOW) -> None:
    """Let the sums know of all answers."""
    while absorb(clock=lambda: now):
        pass


def run(campaign: Campaign, period: Period = Q4, now: datetime = NOW) -> None:
    """Analyse a period here and now."""
    run_inline(analyse(version=campaign.version, period=period, now=now), now=now)


def analyse_due(now: datetime) -> int:
    """Analyse here and now whatever is due; return how many periods."""
    due = list(due_periods(now=now))
    for each in due:
        job = analyse(version=each.version, period=each.period, now=now, tell_worker=False)
        run_inline(job, now=now)
    return len(due)


def shown(period: Period = Q4) -> dict[str, int | None]:
    """The n of every group by unit or margin value."""
    rows = Analysis.objects.filter(grain=period.grain, starts_on=period.start)
    rows = rows.select_related("unit").order_by("id")
    return {row.margin_value or row.unit.code: row.n for row in rows}
