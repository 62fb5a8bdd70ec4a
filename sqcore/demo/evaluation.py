"""The last chapter: everything that has been told is evaluated."""

from dataclasses import dataclass

from sqcore.demo.chapters import Report, Story
from sqcore.evaluation.services import evaluate_due


@dataclass(frozen=True)
class EvaluationChapter:
    key: str = "evaluation"
    order: int = 90

    def tell(self, story: Story, report: Report) -> None:
        def onward(done: int, total: int, _stage: str) -> None:
            report("Two years are evaluated", done, total)

        evaluate_due(now=story.now, report=onward, by=story.by)
