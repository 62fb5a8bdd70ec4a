"""What the customers of the demo's bank answer to SERVQUAL: their impressions, put into numbers.

The truths are planted in the impressions (`sqcore.demo.impressions`). Here each item adds its own
noise, expectations stand beside perceptions, and some questions are left out.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sqcore.demo.calendar import Ints, stream
from sqcore.demo.impressions import PERSONAL, Impressions, on_scale

DIMENSIONS = {
    "tangibles": range(1, 5),
    "reliability": range(5, 10),
    "responsiveness": range(10, 14),
    "assurance": range(14, 18),
    "empathy": range(18, 23),
}
EXPECTED = {
    "tangibles": 5.6,
    "reliability": 6.5,
    "responsiveness": 6.3,
    "assurance": 6.3,
    "empathy": 5.9,
}
COUNTS = {
    "tangibles": 0.12,
    "reliability": 0.32,
    "responsiveness": 0.23,
    "assurance": 0.18,
    "empathy": 0.15,
}
"""What customers say counts: how they divide 100 points, in steps of five."""
AGREE, STEPS = 25, 20
NO_POINTS_SHARE, MISCOUNTED_SHARE, MISCOUNTED = 0.06, 0.03, 25
OUTCOMES = ("overall", "nps", "repurchase")
ITEM_SD, HOPE_SD = 0.6, 0.5
NOT_APPLICABLE, MISSING = -1, -2
NOT_APPLICABLE_SHARE, MISSING_SHARE = 0.015, 0.01
COMMENT_SHARE = 0.08
LANGUAGES = ("zh-hans", "en")
CHINESE_SHARE = 0.8

COMMENTS = {
    "good": (
        ("en", "Quick and friendly, thank you."),
        ("zh-hans", "服务很好，办理很快。"),
        ("en", "She explained everything until I understood it."),
        ("zh-hans", "柜员很耐心，讲解清楚。"),
    ),
    "poor": (
        ("en", "I waited far too long although two counters were closed."),
        ("zh-hans", "排队时间太长，只开了两个窗口。"),
        ("en", "I was passed on three times and had to start again each time."),
        ("zh-hans", "电话转了好几次，问题还是没有解决。"),
    ),
}


def draw_answers(*, seed: int, impressions: Impressions) -> dict[str, Ints]:
    """Draw the answers to every scored item of SERVQUAL: item code -> N whole numbers.

    -1 stands for not applicable, -2 for no answer. To a question about the person who served there
    is always an answer, so that whom customers judge lowest is as in `sqcore.demo.impressions`.
    """
    generator = stream(seed, "answers")
    size = len(impressions)
    answers: dict[str, Ints] = {}
    personal = list(PERSONAL)
    for place, (dimension, items) in enumerate(DIMENSIONS.items()):
        score = impressions.judged[:, place]
        hope = EXPECTED[dimension] + generator.normal(0, 0.4, size)
        for item in items:
            answers[f"e{item}"] = on_scale(hope + generator.normal(0, HOPE_SD, size))
            noise = generator.normal(0, ITEM_SD, size)
            if item in personal:
                felt = impressions.personal[:, personal.index(item)]
            else:
                felt = score + noise
            answers[f"p{item}"] = on_scale(felt)
    total = impressions.judged.mean(axis=1)
    answers["overall"] = on_scale(total + generator.normal(0, 0.5, size))
    answers["repurchase"] = on_scale(total + 0.3 + generator.normal(0, 0.9, size))
    recommend = 7.4 + 1.3 * (total - 5.3) + generator.normal(0, 1.2, size)
    answers["nps"] = np.clip(np.rint(recommend), 0, 10).astype(np.int64)
    for code in sorted(answers.keys() - {f"p{item}" for item in personal}):
        chance = generator.random(size)
        answers[code][chance < MISSING_SHARE] = MISSING
        if code not in OUTCOMES:
            answers[code][chance > 1 - NOT_APPLICABLE_SHARE] = NOT_APPLICABLE
    return answers | draw_points(seed=seed, size=size)


def draw_points(*, seed: int, size: int) -> dict[str, Ints]:
    """Draw how customers divide 100 points; some give none, and some miscount."""
    generator = stream(seed, "points")
    parts = generator.dirichlet(AGREE * np.array(list(COUNTS.values())), size)
    ends = np.rint(np.cumsum(parts, axis=1) * STEPS)
    points = (np.diff(ends, axis=1, prepend=0) * 100 / STEPS).astype(np.int64)
    points[generator.random(size) < MISCOUNTED_SHARE, 0] += MISCOUNTED
    points[generator.random(size) < NO_POINTS_SHARE] = MISSING
    return {
        f"points-{dimension}": np.minimum(points[:, at], 100) for at, dimension in enumerate(COUNTS)
    }


def as_given(answers: Mapping[str, Ints], at: int) -> dict[str, Any]:
    """Return the answers of one visit as a customer gives them."""
    given = {code: int(values[at]) for code, values in answers.items() if values[at] != MISSING}
    return {code: "na" if value == NOT_APPLICABLE else value for code, value in given.items()}


def comment(overall: object, language: str, which: int) -> str:
    """Return what somebody adds who judged like this."""
    mood = "good" if isinstance(overall, int) and overall >= 5 else "poor"
    return [text for spoken, text in COMMENTS[mood] if spoken == language][which]
