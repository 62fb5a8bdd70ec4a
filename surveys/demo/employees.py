"""Managers and contact staff are asked about the gaps; what the answers tell is then analysed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sqcore.base.periods import Grain, Period
from sqcore.demo.calendar import stream
from sqcore.demo.chapters import Report, Story
from sqcore.org.models import Unit
from surveys.analyses.services import queue_due
from surveys.campaigns.models import Campaign
from surveys.campaigns.services import start_campaign
from surveys.instruments.codebook import Codebook, codebook_of
from surveys.instruments.models import InstrumentVersion
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, absorb, add_responses

WEEKS_OPEN = 3
SPREAD = 0.9


@dataclass(frozen=True)
class Panel:
    """One group of employees: how many answer, and what they mean, by how item codes begin."""

    questionnaire: str
    name: Mapping[str, str]
    people: int
    means: Mapping[str, float]


MANAGERS = Panel(
    "gaps-managers",
    {"en": "Managers on service, autumn", "zh-hans": "管理者谈服务（秋季）"},
    24,
    {
        "e": 6.0,
        "standards": 5.4,
        "standards-empathy": 3.8,
        "promises": 5.8,
        "upward-communication": 3.1,
        "": 4.9,
    },
)
STAFF = Panel(
    "gaps-staff",
    {"en": "The front line on service, autumn", "zh-hans": "一线谈服务（秋季）"},
    132,
    {
        "standards": 6.0,
        "standards-responsiveness": 4.9,
        "promises": 5.1,
        "role-conflict": 2.9,
        "propensity-to-overpromise": 3.2,
        "": 4.8,
    },
)
"""Means after reversed items were turned: what is below 4 speaks as a cause."""


@dataclass(frozen=True)
class EmployeesChapter:
    """Managers think too little of what customers expect; the front line is torn."""

    key: str = "employees"
    order: int = 99

    def tell(self, story: Story, report: Report) -> None:
        quarter = Period.of(story.end - timedelta(days=1), Grain.QUARTER)
        if quarter.end > story.end:
            quarter = quarter.previous
        for done, panel in enumerate((MANAGERS, STAFF), start=1):
            self._ask(panel, story, quarter)
            report("Managers and the front line are asked", done, 2)
        while absorb(clock=lambda: story.now):
            pass
        queue_due(now=story.now)

    def _ask(self, panel: Panel, story: Story, quarter: Period) -> None:
        version = InstrumentVersion.objects.published().get(instrument__code=panel.questionnaire)
        opens_on = quarter.end - timedelta(weeks=WEEKS_OPEN + 1)
        begun = story.at(opens_on, hour=9)
        whole = Unit.objects.get(code="harbour-bank")
        campaign = start_campaign(
            name=dict(panel.name),
            version=version,
            mode=Campaign.Mode.ANONYMOUS,
            opens_on=opens_on,
            closes_on=opens_on + timedelta(weeks=WEEKS_OPEN),
            units=[whole],
            channels=[],
            open_now=True,
            by=story.by,
            now=begun,
        )
        generator = stream(story.seed, panel.questionnaire)
        codebook = codebook_of(version)
        responses = [
            NewResponse(
                answers=_answers(codebook, panel.means, generator),
                unit_id=whole.pk,
                answered_on=opens_on + timedelta(days=int(generator.integers(0, 7 * WEEKS_OPEN))),
            )
            for _person in range(panel.people)
        ]
        add_responses(campaign=campaign, responses=responses, origin=Response.Origin.API, now=begun)


def _answers(
    codebook: Codebook, means: Mapping[str, float], generator: np.random.Generator
) -> dict[str, int]:
    """What one person says: a leaning of their own, and of each item the mean of its kind."""
    leaning = generator.normal(0.0, 0.4)
    found = {}
    for item in codebook.scored:
        begins = max((start for start in means if item.code.startswith(start)), key=len)
        drawn = int(np.clip(np.rint(means[begins] + leaning + generator.normal(0, SPREAD)), 1, 7))
        found[item.code] = item.low + item.high - drawn if item.is_reversed else drawn
    return found
