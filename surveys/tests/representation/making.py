"""Populations and weighings for tests."""

from collections.abc import Mapping
from datetime import date

from sqcore.base.periods import Period
from sqcore.jobs.runner import run_inline
from sqcore.tests.factories import NOW
from surveys.campaigns.models import Campaign
from surveys.representation.models import Population, Weighing
from surveys.representation.services import state_population, weigh_answers
from surveys.tests.analyses.making import Q4
from surveys.tests.factories import analyst


def known(**figures: Mapping[str, float]) -> Population:
    """A population that the core system knows."""
    return state_population(
        name="Customers",
        source="Core system",
        stated_on=date(2025, 12, 31),
        figures=figures,
        by=analyst(),
        now=NOW,
    )


def weigh(campaign: Campaign, population: Population, period: Period = Q4) -> Weighing | None:
    """Weigh the answers to a campaign's questionnaire here and now."""
    job = weigh_answers(
        version=campaign.version,
        period=period,
        population=population,
        by=analyst(),
        now=NOW,
        tell_worker=False,
    )
    run_inline(job, now=NOW)
    return Weighing.objects.filter(version=campaign.version).first()
