"""What the customers of the demo's bank answer: drawn from a generator whose truth is known.

A customer has one latent impression of the visit. Each dimension, item and outcome adds its own
noise; branches differ a little. Three things are true on purpose, see docs/demo.md:
the telephone is half a point worse; responsiveness at Harbour Gate falls by 0.9 points with the
20th month; the app gains 0.4 points over the second year.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DIMENSIONS = {
    "tangibles": range(1, 5),
    "reliability": range(5, 10),
    "responsiveness": range(10, 14),
    "assurance": range(14, 18),
    "empathy": range(18, 23),
}
LEVELS = {
    "tangibles": 5.5,
    "reliability": 5.4,
    "responsiveness": 5.1,
    "assurance": 5.6,
    "empathy": 5.0,
}
EXPECTED = {
    "tangibles": 5.6,
    "reliability": 6.5,
    "responsiveness": 6.3,
    "assurance": 6.3,
    "empathy": 5.9,
}
PHONE_LOSS, HARBOUR_LOSS, APP_GAIN = 0.5, 0.9, 0.4
HARBOUR_FROM_MONTH = 19
NOT_APPLICABLE_SHARE, MISSING_SHARE, COMMENT_SHARE = 0.015, 0.01, 0.08

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


@dataclass(frozen=True)
class Visits:
    """N visits: which branch (0-19), channel and segment (by position), in which month (0-23)."""

    branch: Ints
    channel: Ints
    segment: Ints
    month: Ints

    def __len__(self) -> int:
        return len(self.branch)


def draw_visits(generator: np.random.Generator, months: Ints, branches: int) -> Visits:
    """Draw where, how and by whom the visits of these months were made."""
    size = len(months)
    busy = 1 + 0.25 * np.sin(np.arange(branches))
    return Visits(
        branch=generator.choice(branches, size, p=busy / busy.sum()),
        channel=generator.choice(3, size, p=[0.62, 0.2, 0.18]),
        segment=generator.choice(4, size, p=[0.55, 0.14, 0.19, 0.12]),
        month=months,
    )


def draw_answers(
    generator: np.random.Generator, visits: Visits, *, phone: int, app: int, harbour_gate: int
) -> dict[str, Ints]:
    """Draw the answers to every scored item of SERVQUAL: item code -> N whole numbers.

    -1 stands for not applicable, -2 for no answer.
    """
    size = len(visits)
    branch_effect = generator.normal(0, 0.15, visits.branch.max() + 1)[visits.branch]
    impression = generator.normal(0, 0.8, size) + branch_effect
    impression -= PHONE_LOSS * (visits.channel == phone)
    impression += APP_GAIN * (visits.channel == app) * np.clip((visits.month - 11) / 12, 0, 1)
    harbour = (visits.branch == harbour_gate) & (visits.month >= HARBOUR_FROM_MONTH)
    answers: dict[str, Ints] = {}
    total = np.zeros(size)
    for dimension, items in DIMENSIONS.items():
        loss = HARBOUR_LOSS * harbour if dimension == "responsiveness" else 0.0
        score = LEVELS[dimension] + impression + generator.normal(0, 0.45, size) - loss
        hope = EXPECTED[dimension] + generator.normal(0, 0.4, size)
        total += score / len(DIMENSIONS)
        for item in items:
            answers[f"e{item}"] = _scale(hope + generator.normal(0, 0.5, size))
            answers[f"p{item}"] = _scale(score + generator.normal(0, 0.6, size))
    answers["overall"] = _scale(total + generator.normal(0, 0.5, size))
    answers["repurchase"] = _scale(total + 0.3 + generator.normal(0, 0.9, size))
    recommend = 7.4 + 1.5 * (total - 5.3) + generator.normal(0, 1.2, size)
    answers["nps"] = np.clip(np.rint(recommend), 0, 10).astype(np.int64)
    for code, values in answers.items():
        chance = generator.random(size)
        values[chance < MISSING_SHARE] = -2
        if code not in ("overall", "nps", "repurchase"):
            values[chance > 1 - NOT_APPLICABLE_SHARE] = -1
    return answers


def _scale(latent: Floats) -> Ints:
    return np.clip(np.rint(latent), 1, 7).astype(np.int64)


def as_given(answers: Mapping[str, Ints], at: int) -> dict[str, Any]:
    """Return the answers of one visit as a customer gives them."""
    given = {code: int(values[at]) for code, values in answers.items() if values[at] != -2}
    return {code: "na" if value == -1 else value for code, value in given.items()}
