"""The chapter of the market: what other banks reach, as a made-up yearbook has it."""

from dataclasses import dataclass
from datetime import date

from django.db import transaction

from sqcore.base.text import TranslatedText
from sqcore.comparators.models import Comparator
from sqcore.comparators.services import add_comparator, add_value
from sqcore.demo.bank import both
from sqcore.demo.chapters import Report, Story
from sqcore.indicators.models import Indicator

YEARBOOK = "Yearbook of the banks of the city (made up for the demo)"
TEST_CUSTOMERS = "Visits of test customers (made up for the demo)"


@dataclass(frozen=True)
class Reached:
    """A value in each of the two years; `within` is half the length of its interval."""

    indicator: str
    first: float
    second: float
    within: float | None = None


@dataclass(frozen=True)
class Other:
    code: str
    name: TranslatedText
    kind: str
    source: str
    values: tuple[Reached, ...]


OTHERS = (
    Other(
        "city-average",
        both("Average of the city's banks", "全市银行平均"),
        Comparator.Kind.AVERAGE,
        YEARBOOK,
        (
            Reached("transaction-accuracy", 0.990, 0.991, 0.001),
            Reached("system-repair-time", 4.1, 3.8, 0.4),
            Reached("loans-decided-in-time", 0.84, 0.85, 0.02),
            Reached("counter-waiting-time", 9.9, 9.6, 0.3),
            Reached("enquiry-answer-time", 2.3, 2.2, 0.1),
            Reached("qualified-staff", 0.93, 0.94, 0.02),
            Reached("promises-kept", 0.93, 0.94, 0.01),
        ),
    ),
    Other(
        "riverbank-trust",
        both("Riverbank Trust", "江岸信托银行"),
        Comparator.Kind.COMPETITOR,
        TEST_CUSTOMERS,
        (
            Reached("counter-waiting-time", 8.4, 8.1),
            Reached("promises-kept", 0.96, 0.96),
        ),
    ),
)
"""Of the competitor nobody says how sure it is, and it has too little of the weight to compare."""


@dataclass(frozen=True)
class MarketChapter:
    """A person keeps what the yearbook says of two years."""

    key: str = "market"
    order: int = 92

    def tell(self, story: Story, report: Report) -> None:
        indicators = {each.code: each for each in Indicator.objects.order_by("code")}
        middle = story.first.replace(year=story.first.year + 1)
        with transaction.atomic():
            for done, other in enumerate(OTHERS, start=1):
                _tell_of(other, indicators, middle, story)
                report("What other banks reach", done, len(OTHERS))


def _tell_of(other: Other, indicators: dict[str, Indicator], middle: date, story: Story) -> None:
    comparator = add_comparator(
        code=other.code, name=other.name, kind=other.kind, by=story.by, now=story.at(middle)
    )
    for reached in other.values:
        if reached.indicator not in indicators:
            continue
        for starts_on, ends_on, value in (
            (story.first, middle, reached.first),
            (middle, story.end, reached.second),
        ):
            ends: tuple[float | None, float | None] = (None, None)
            if reached.within is not None:
                ends = (round(value - reached.within, 6), round(value + reached.within, 6))
            add_value(
                comparator=comparator,
                indicator=indicators[reached.indicator],
                starts_on=starts_on,
                ends_on=ends_on,
                value=value,
                low=ends[0],
                high=ends[1],
                source=other.source,
                published_on=ends_on,
                by=story.by,
                now=min(story.at(ends_on, hour=20), story.now),
            )
