"""The surveys' chapter of the demo: two years of answers at the bank, and how they are judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from sqcore.base.periods import Grain, periods_between
from sqcore.base.text import TranslatedText
from sqcore.demo.bank import both
from sqcore.demo.chapters import Report, Story
from sqcore.indicators.models import Indicator
from sqcore.indicators.services import (
    Branch,
    Leaf,
    define_indicator,
    define_system,
    draft_version,
    publish_version,
)
from sqcore.org.models import Channel, Segment, Unit
from surveys.campaigns.models import Campaign
from surveys.campaigns.services import create_campaign, make_links, open_campaign
from surveys.demo.answers import (
    COMMENT_SHARE,
    COMMENTS,
    DIMENSIONS,
    as_given,
    draw_answers,
    draw_visits,
)
from surveys.instruments.models import InstrumentVersion
from surveys.instruments.services import install_ready_instruments
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, absorb, add_responses

RESPONSES = 30_000
CAMPAIGN = "after-the-visit"
SYSTEM = "service-quality"


@dataclass(frozen=True)
class AnswersChapter:
    """30,000 customers fill in SERVQUAL after a visit."""

    key: str = "answers"
    order: int = 30

    def tell(self, story: Story, report: Report) -> None:
        install_ready_instruments(now=story.at(story.first, hour=7))
        campaign = _open_campaign(story)
        days = [story.first + timedelta(days=n) for n in range((story.end - story.first).days)]
        taken = 0
        for day, responses in _responses_by_day(story, days):
            taken += add_responses(
                campaign=campaign,
                responses=responses,
                origin=Response.Origin.LINK,
                now=story.at(day),
            )
            report("Customers answer after their visit", taken, RESPONSES)
        while absorb(clock=lambda: story.now):
            pass


def _open_campaign(story: Story) -> Campaign:
    opened = story.at(story.first, hour=7)
    version = InstrumentVersion.objects.get(instrument__code="servqual", number=1)
    campaign = create_campaign(
        code=CAMPAIGN,
        name=both("After the visit", "服务后调查"),
        version=version,
        mode=Campaign.Mode.ANONYMOUS,
        opens_on=story.first,
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
    return campaign


def _responses_by_day(story: Story, days: list[date]) -> Iterator[tuple[date, list[NewResponse]]]:
    generator = np.random.default_rng(story.seed)
    units = list(Unit.objects.filter(kind="branch").order_by("id").values_list("code", "id"))
    channels = list(Channel.objects.order_by("position").values_list("code", "id"))
    segments = list(Segment.objects.order_by("position").values_list("id", flat=True))
    months = {p.start: at for at, p in enumerate(periods_between(days[0], story.end, Grain.MONTH))}
    day_of = np.sort(generator.integers(0, len(days), RESPONSES))
    month_of = np.array([months[day.replace(day=1)] for day in days], dtype=np.int64)[day_of]
    visits = draw_visits(generator, month_of, len(units))
    codes = [code for code, _id in channels]
    answers = draw_answers(
        generator,
        visits,
        phone=codes.index("phone"),
        app=codes.index("app"),
        harbour_gate=[code for code, _id in units].index("harbour-gate"),
    )
    languages = generator.choice(["zh-hans", "en"], RESPONSES, p=[0.8, 0.2]).tolist()
    speaks = generator.random(RESPONSES) < COMMENT_SHARE
    which = generator.integers(0, 2, RESPONSES)
    at = 0
    for place, day in enumerate(days):
        responses = []
        while at < RESPONSES and day_of[at] == place:
            given = as_given(answers, at)
            if speaks[at]:
                given["comment"] = _comment(given.get("overall"), languages[at], int(which[at]))
            responses.append(
                NewResponse(
                    answers=given,
                    unit_id=units[visits.branch[at]][1],
                    channel_id=channels[visits.channel[at]][1],
                    segment_id=segments[visits.segment[at]],
                    answered_on=day,
                    language=languages[at],
                )
            )
            at += 1
        yield day, responses


def _comment(overall: object, language: str, which: int) -> str:
    mood = "good" if isinstance(overall, int) and overall >= 5 else "poor"
    return [text for spoken, text in COMMENTS[mood] if spoken == language][which]


WEIGHTS = {
    "reliability": (both("Reliability", "可靠性"), "0.25"),
    "responsiveness": (both("Responsiveness", "响应性"), "0.20"),
    "assurance": (both("Assurance", "保证性"), "0.15"),
    "empathy": (both("Empathy", "移情性"), "0.15"),
    "tangibles": (both("Tangibles", "有形性"), "0.10"),
}


@dataclass(frozen=True)
class SystemChapter:
    """The bank decides what service quality is: five dimensions and what came of the visit."""

    key: str = "indicator-system"
    order: int = 50

    def tell(self, story: Story, report: Report) -> None:
        now = story.at(story.first, hour=7)
        system = define_system(
            code=SYSTEM, name=both("Service quality", "服务质量"), by=story.by, now=now
        )
        tree = [_dimension(code, story) for code in WEIGHTS] + [_outcome(story)]
        draft = draft_version(
            system=system,
            grains=[Grain.MONTH, Grain.QUARTER, Grain.YEAR],
            since=story.first,
            tree=tree,
            by=story.by,
            now=now,
        )
        publish_version(version=draft, by=story.by, now=now)
        report("The bank publishes its indicator system", 1, 1)


def _dimension(code: str, story: Story) -> Branch:
    name, weight = WEIGHTS[code]
    perceived = _indicator(
        f"perceived-{code}",
        both(f"{name['en']} as perceived", f"感知{name['zh-hans']}"),
        both(
            f"Mean of the {len(DIMENSIONS[code])} perception items of a customer, from 1 to 7.",
            f"每位顾客对 {len(DIMENSIONS[code])} 个感知题项评分的均值，1 至 7 分。",
        ),
        f"perception:{code}",
        story,
    )
    gap = _indicator(
        f"gap-{code}",
        both(f"{name['en']} against expectation", f"{name['zh-hans']}与期望之差"),
        both(
            "Perception minus expectation (SERVQUAL); below 0 the service falls short.",
            "感知减去期望（SERVQUAL）；低于 0 表示未达到期望。",
        ),
        f"gap:{code}",
        story,
    )
    leaves = [Leaf(perceived, Decimal("0.7"), 1, 7), Leaf(gap, Decimal("0.3"), -3, 0)]
    return Branch(code, name, Decimal(weight), leaves)


def _outcome(story: Story) -> Branch:
    overall = _indicator(
        "overall-judgement",
        both("Overall judgement", "总体评价"),
        both("“All in all, how good was the service?”, 1 to 7.", "“总的来说怎么样？”，1 至 7 分。"),
        "item:overall",
        story,
    )
    nps = _indicator(
        "recommendation",
        both("Recommendation (NPS)", "推荐度（NPS）"),
        both(
            "Share of 9 and 10 minus share of 0 to 6, in points from -100 to 100.",
            "9、10 分的比例减去 0 至 6 分的比例，-100 至 100。",
        ),
        "nps:nps",
        story,
        Indicator.Statistic.NPS,
    )
    back = _indicator(
        "would-come-back",
        both("Would come back", "愿意再来"),
        both("Share of customers who answer 6 or 7 of 7.", "7 分制中回答 6 或 7 分的顾客比例。"),
        "top2:repurchase",
        story,
        Indicator.Statistic.PROPORTION,
    )
    leaves = [
        Leaf(overall, Decimal("0.4"), 1, 7),
        Leaf(nps, Decimal("0.3"), -100, 100),
        Leaf(back, Decimal("0.3"), 0, 1),
    ]
    return Branch("outcome", both("Outcome", "服务结果"), Decimal("0.15"), leaves)


def _indicator(
    code: str,
    name: TranslatedText,
    definition: TranslatedText,
    measure: str,
    story: Story,
    statistic: str = Indicator.Statistic.MEAN,
) -> Indicator:
    units = {
        Indicator.Statistic.MEAN: "points",
        Indicator.Statistic.NPS: "points",
        Indicator.Statistic.PROPORTION: "share",
    }
    return define_indicator(
        code=code,
        name=name,
        definition=definition,
        unit_of_measure=units[Indicator.Statistic(statistic)],
        statistic=statistic,
        source="surveys",
        parameters={"instrument": "servqual", "measure": measure},
        by=story.by,
        now=story.at(story.first, hour=7),
    )
