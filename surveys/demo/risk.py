"""The chapter of customers at risk: which signs count is written down, the worker tries them."""

from dataclasses import dataclass

from sqcore.demo.chapters import Report, Story
from surveys.churn.services import define_scorecard, run_scorecard

POINTS = {"unsolved_last": 3, "long_away": 2, "fewer_visits": 2}
"""Plausible and of no use: nothing that happens to a customer of this bank keeps them away, and
those who come seldom are away for long as a rule. The trial on history says so."""


@dataclass(frozen=True)
class RiskChapter:
    """The analyst writes a scorecard; it runs for the last closed month once the bank is open."""

    key: str = "risk"
    order: int = 100

    def tell(self, story: Story, report: Report) -> None:
        card = define_scorecard(
            points=POINTS,
            medium=2,
            high=4,
            horizon_days=90,
            active_days=365,
            reason="Agreed upon with the branches; to be looked at again after a year.",
            by=story.by,
            now=story.now,
        )
        run_scorecard(scorecard=card, by=story.by, now=story.now)
        report("Signs of customers who may leave are agreed upon", 1, 1)
