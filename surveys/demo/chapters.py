"""The surveys' chapter of the demo: two years of answers at the bank, and how they are judged."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import groupby

import numpy as np
from django.db import transaction

from sqcore.demo.bank import OUTAGES, both
from sqcore.demo.calendar import stream
from sqcore.demo.chapters import Report, Story
from sqcore.demo.encounters import key_of
from sqcore.demo.impressions import RECONTACT, SIZE
from sqcore.indicators.drafts import add_dimension, add_indicator
from sqcore.indicators.importers import ready_system
from sqcore.indicators.models import Indicator, SystemVersion
from sqcore.indicators.ready import install_ready_system, place_indicator
from sqcore.indicators.services import publish_version
from sqcore.indicators.shapes import Scoring
from sqcore.indicators.trees import Branch, set_tree, tree_of
from sqcore.org.models import Channel, Unit
from surveys.campaigns.models import Campaign
from surveys.campaigns.services import create_campaign, make_links, open_campaign
from surveys.demo.answers import (
    CHINESE_SHARE,
    COMMENT_SHARE,
    LANGUAGES,
    as_given,
    comment,
    draw_answers,
)
from surveys.instruments.codebook import codebook_of
from surveys.instruments.models import InstrumentVersion
from surveys.instruments.services import install_ready_instruments
from surveys.invitations.models import SamplingPlan
from surveys.invitations.sampling import monday_of
from surveys.invitations.services import (
    InvitedAnswer,
    NewPlan,
    draw_invitations,
    make_plan,
    submit_invited,
)
from surveys.responses.services import absorb

CAMPAIGN = "after-the-visit"
MORNING, EVENING = 6, 20


@dataclass(frozen=True)
class AnswersChapter:
    """Customers are invited after a visit, and 30,000 of them fill in SERVQUAL."""

    key: str = "answers"
    order: int = 30

    def tell(self, story: Story, report: Report) -> None:
        install_ready_instruments(now=story.at(story.opening, hour=7))
        campaign, plan = _open_campaign(story)
        taken = 0
        for _week, days in groupby(_answers_by_day(story), key=lambda told: monday_of(told[0])):
            taken += _tell_week(campaign, plan, list(days), story)
            report("Customers answer after their visit", taken, SIZE)
        while absorb(clock=lambda: story.now):
            pass


@transaction.atomic
def _tell_week(
    campaign: Campaign,
    plan: SamplingPlan,
    days: list[tuple[date, list[InvitedAnswer]]],
    story: Story,
) -> int:
    """Invite on the Monday, and take what is answered on each day; return how many answered."""
    draw_invitations(plan=plan, now=story.at(days[0][0], hour=MORNING))
    return sum(
        submit_invited(campaign=campaign, answers=answers, now=story.at(day, hour=EVENING)).taken
        for day, answers in days
        if answers
    )


def _open_campaign(story: Story) -> tuple[Campaign, SamplingPlan]:
    """Open the campaign, with links for posters as well, and plan whom to invite: everybody."""
    opened = story.at(story.opening, hour=7)
    version = InstrumentVersion.objects.get(instrument__code="servqual", number=1)
    campaign = create_campaign(
        code=CAMPAIGN,
        name=both("After the visit", "服务后调查"),
        version=version,
        mode=Campaign.Mode.CONFIDENTIAL,
        opens_on=story.opening,
        by=story.by,
        now=opened,
    )
    open_campaign(campaign=campaign, by=story.by, now=opened)
    make_links(
        campaign=campaign,
        units=list(Unit.objects.filter(kind="branch").order_by("id")),
        channels=list(Channel.objects.order_by("position")),
        by=story.by,
        now=opened,
    )
    plan = make_plan(
        campaign=campaign,
        new=NewPlan(
            share=Decimal(100),
            starts_on=story.opening,
            delay_h=0,
            oldest_days=7,
            recontact_days=RECONTACT.days,
        ),
        by=story.by,
        now=opened,
    )
    return campaign, plan


def _answers_by_day(story: Story) -> Iterator[tuple[date, list[InvitedAnswer]]]:
    """Yield every day of the story with what is answered on it."""
    told = story.history
    generator = stream(story.seed, "languages and comments")
    answers = draw_answers(seed=story.seed, impressions=told.impressions)
    spoken = generator.choice(LANGUAGES, SIZE, p=[CHINESE_SHARE, 1 - CHINESE_SHARE]).tolist()
    comments = (generator.random(SIZE) < COMMENT_SHARE).tolist()
    which = generator.integers(0, 2, SIZE).tolist()
    visits = told.impressions.visit.tolist()
    ends = np.searchsorted(
        told.impressions.answered_day, np.arange(told.calendar.days), side="right"
    ).tolist()
    at = 0
    for place, end in enumerate(ends):
        given = []
        for row in range(at, end):
            answer = as_given(answers, row)
            if comments[row]:
                answer["comment"] = comment(answer.get("overall"), spoken[row], which[row])
            given.append(InvitedAnswer(key_of(visits[row]), answer, spoken[row]))
        yield told.calendar.day(place), given
        at = end


@dataclass(frozen=True)
class SystemChapter:
    """The bank decides what service quality is: the bank case, and what it watches beside it."""

    key: str = "indicator-system"
    order: int = 50

    def tell(self, story: Story, report: Report) -> None:
        now = story.at(story.opening, hour=7)
        draft = install_ready_system(code="bank", since=story.opening, by=story.by, now=now)
        counting = tree_of(draft)
        _place_what_customers_say(draft, counting, story)
        add_indicator(
            version=draft,
            within="tangibles",
            indicator=Indicator.objects.get(code=OUTAGES),
            scoring=Scoring(worst=20.0, best=0.0),
            by=story.by,
            now=now,
        )
        tree = _weighted_as(counting, tree_of(draft))
        set_tree(version=draft, tree=tree, by=story.by, now=now)
        publish_version(version=draft, by=story.by, now=now)
        report("The bank publishes its indicator system", 1, 1)


def _place_what_customers_say(draft: SystemVersion, tree: list[Branch], story: Story) -> None:
    """Put the indicators of SERVQUAL into their dimensions, and the outcome into one of its own."""
    now = story.at(story.opening, hour=7)
    there = {branch.code for branch in tree}
    for said in ready_system("servqual").dimensions:
        if said.code not in there:
            add_dimension(version=draft, code=said.code, name=said.name, by=story.by, now=now)
        for leaf in said.indicators:
            place_indicator(
                version=draft,
                within=said.code,
                indicator=f"servqual:{leaf.code}",
                by=story.by,
                now=now,
            )


def _weighted_as(counting: list[Branch], tree: list[Branch]) -> list[Branch]:
    """Return the tree with the weights of what counts; what was added is watched, in no score."""
    weights = {branch.code: branch.weight for branch in counting}
    of_leaf = {leaf.indicator.pk: leaf.weight for branch in counting for leaf in branch.indicators}
    return [
        replace(
            branch,
            weight=weights.get(branch.code, 0),
            indicators=[
                replace(leaf, weight=of_leaf.get(leaf.indicator.pk, 0))
                for leaf in branch.indicators
            ]
            if branch.code in weights
            else branch.indicators,
        )
        for branch in tree
    ]


@dataclass(frozen=True)
class ReactionsChapter:
    """Three of four participants say how their training was."""

    key: str = "reactions"
    order: int = 98

    def tell(self, story: Story, report: Report) -> None:
        generator = stream(story.seed, "reactions")
        asked = Campaign.objects.filter(version__instrument__code="training-reaction")
        for campaign in asked.order_by("opens_on", "id"):
            keys = campaign.invitations.order_by("encounter_key").values_list(
                "encounter_key", flat=True
            )
            codes = [item.code for item in codebook_of(campaign.version).scored]
            answers = [
                InvitedAnswer(key, dict(zip(codes, _agreement(generator, len(codes)), strict=True)))
                for key in keys
                if generator.random() < 0.75
            ]
            submit_invited(
                campaign=campaign, answers=answers, now=story.at(campaign.opens_on, hour=EVENING)
            )
        while absorb(clock=lambda: story.now):
            pass
        report("Participants say how their training was", 1, 1)


def _agreement(generator: np.random.Generator, size: int) -> list[int]:
    return [int(answer) for answer in np.clip(np.rint(generator.normal(5.6, 1.0, size)), 1, 7)]
