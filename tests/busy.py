"""Work for an installation under test; called inside it by `Installation.run`."""

import random
from datetime import UTC, date, datetime

from django.utils import timezone

from sqcore.base.periods import Grain, periods_between
from sqcore.evaluation.services import start_due
from sqcore.identity.principals import system_principal
from sqcore.indicators.starters import StarterMeasure, starter_system
from sqcore.tests.factories import make_unit
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, absorb, add_responses
from surveys.tests.factories import make_campaign, make_links, make_version

FIRST, END = date(2024, 1, 1), date(2026, 1, 1)
BRANCHES = 12
ANSWERS = 2_400
RUNS = 24 + 8 + 2
"""Months, quarters and years from FIRST to END."""


def fill() -> None:
    """Add branches, a survey with two years of answers and an indicator system; print links."""
    chance = random.Random(4)
    root = make_unit("bank")
    branches = [make_unit(f"branch-{number}", parent=root) for number in range(BRANCHES)]
    campaign = make_campaign(version=make_version(), opens_on=FIRST)
    months = [period.start for period in periods_between(FIRST, END, Grain.MONTH)]
    add_responses(
        campaign=campaign,
        responses=[
            NewResponse(
                answers={code: chance.randint(3, 7) for code in ("e1", "p1", "p2", "overall")},
                unit_id=branches[number % BRANCHES].pk,
                answered_on=months[number % len(months)],
            )
            for number in range(ANSWERS)
        ],
        origin=Response.Origin.IMPORT,
        now=timezone.now(),
    )
    while absorb(clock=timezone.now):
        pass
    for link in make_links(campaign, branches):
        print(link.token)  # noqa: T201 - read by the test


def evaluate() -> None:
    """Publish the indicator system and hand everything that is due to the worker."""
    starter_system(
        code="bank",
        name={"en": "Service of the bank"},
        measures=[_measure("speed"), _measure("care")],
        grains=[Grain.MONTH, Grain.QUARTER, Grain.YEAR],
        since=FIRST,
        by=system_principal("test"),
        now=datetime(2024, 1, 1, tzinfo=UTC),
    )
    start_due(now=timezone.now())


def _measure(code: str) -> StarterMeasure:
    return StarterMeasure(
        code=code,
        name={"en": code.title()},
        group=f"{code}-at-all",
        group_name={"en": f"{code.title()} at all"},
        source="surveys",
        parameters={"instrument": "visit", "measure": f"perception:{code}"},
        statistic="mean",
        worst=1.0,
        best=7.0,
    )
