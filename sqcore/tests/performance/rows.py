"""Plain makers of results of people: what a run would have written, with exact values."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from sqcore.encounters.models import Encounter
from sqcore.org.models import Assignment, Post, Staff, Unit
from sqcore.performance.models import (
    AnswerBatch,
    Dispute,
    FrozenReliability,
    ResultsPolicy,
    ResultsRun,
    StaffResult,
)
from sqcore.performance.sources import PERSON_SOURCES, PersonAnswers, PersonMeasure
from sqcore.tests.factories import make_staff

ENDS_ON = date(2026, 3, 1)
STARTS_ON = date(2025, 3, 1)
AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
OVERALL = "servqual/overall"
EMPATHY = "servqual/empathy"
COLLEAGUES = 9
"""Peers in the results that are made here."""


FIGURES: dict[str, object] = {
    "n": 2500, "people": 44, "judged": 41,
    "verdicts": {"low": 1, "above": 0, "alike": 40, "few": 3, "held": 0},
    "expected_wrong": 0.03, "expected_all": 0.7, "within": 1.21, "between": 0.09,
    "mix": [
        {"factor": "channel: app", "coefficient": -0.21, "error": 0.05, "identified": True,
         "share": 0.3},
        {"factor": "channel: mail", "coefficient": 0.0, "error": 0.0, "identified": False,
         "share": 0.01},
    ],
}  # fmt: skip
"""What a run keeps of a measure."""


def make_policy(**over: object) -> ResultsPolicy:
    fields: dict[str, object] = {"number": 1, "valid_from": date(2025, 1, 1), "made_at": AT}
    return ResultsPolicy.objects.create(**{**fields, **over})


def make_run(ends_on: date = ENDS_ON, **over: object) -> ResultsRun:
    policy = ResultsPolicy.objects.order_by("number").last() or make_policy()
    fields: dict[str, object] = {
        "policy": policy,
        "frozen": {"icc": {}, "measures": {OVERALL: FIGURES, EMPATHY: FIGURES}},
        "input_hash": "in",
        "result_hash": "out",
        "computed_at": AT,
    }
    return ResultsRun.objects.create(ends_on=ends_on, **{**fields, **over})


def make_frozen(measure: str = OVERALL, year: int = 2026) -> FrozenReliability:
    """Within 1.21 and between .09: the ICC is .0692, coaching needs 32 answers, pay 54."""
    return FrozenReliability.objects.create(
        measure=measure, year=year, icc=0.09 / 1.30, icc_se=0.01, within=1.21, between=0.09,
        persons=240, n=12_000, computed_at=AT,
    )  # fmt: skip


def assign(staff: Staff, unit: Unit, post: Post, on: date = date(2020, 1, 1)) -> Assignment:
    return Assignment.objects.create(staff=staff, unit=unit, post=post, valid_from=on)


def make_teller(number: str, unit: Unit, post: Post, **over: object) -> Staff:
    """Somebody who works there, with `name` and `user` if given."""
    staff = make_staff(number)
    for name, value in over.items():
        setattr(staff, name, value)
    staff.save()
    assign(staff, unit, post)
    return staff


def make_result(
    run: ResultsRun, staff: Staff, unit: Unit, post: Post, **over: object
) -> StaffResult:
    """62 answers that are like those to nine colleagues, good for pay."""
    fields: dict[str, object] = {
        "measure": OVERALL,
        "starts_on": date(run.ends_on.year - 1, run.ends_on.month, 1),
        "n": 62,
        "raw": 5.20,
        "adjusted": 5.26,
        "estimate": 5.27,
        "sd": 0.13,
        "low": 5.02,
        "high": 5.52,
        "reliability": 0.82,
        "group": StaffResult.Group.UNIT_POST,
        "peers": COLLEAGUES,
        "centre": 5.30,
        "weight": 0.82,
        "probability_low": 0.021,
        "probability_above": 0.006,
        "verdict": StaffResult.Verdict.ALIKE,
        "gate": StaffResult.Gate.PAY,
    }
    return StaffResult.objects.create(
        run=run, staff=staff, unit=unit, post=post, **{**fields, **over}
    )


LOW: dict[str, Any] = {
    "raw": 4.10, "adjusted": 4.15, "estimate": 4.36, "low": 4.11, "high": 4.61,
    "probability_low": 0.9995, "probability_above": 0.0001, "verdict": StaffResult.Verdict.LOW,
}  # fmt: skip
ABOVE: dict[str, Any] = {
    "raw": 6.30, "adjusted": 6.31, "estimate": 6.13, "low": 5.88, "high": 6.38,
    "probability_low": 0.0001, "probability_above": 0.9993, "verdict": StaffResult.Verdict.ABOVE,
}  # fmt: skip
FEW: dict[str, Any] = {
    "n": 4, "raw": None, "adjusted": None, "estimate": None, "sd": None, "low": None,
    "high": None, "reliability": None, "group": "", "peers": None, "centre": None,
    "weight": None, "probability_low": None, "probability_above": None,
    "verdict": StaffResult.Verdict.NOT_ENOUGH, "gate": StaffResult.Gate.NONE,
}  # fmt: skip


def make_encounter(key: str, staff: Staff, unit: Unit, *, at: datetime = AT) -> Encounter:
    """An encounter that was one person's alone."""
    return Encounter.objects.create(
        key=key, unit=unit, staff=staff, shares={str(staff.pk): 10_000}, on=at.date(),
        arrived_at=at, waiting_s=240, handling_s=600, digest="0", recorded_at=at,
    )  # fmt: skip


def make_dispute(encounter: Encounter, **over: object) -> Dispute:
    fields: dict[str, object] = {
        "reason": Dispute.Reason.OUTAGE,
        "text": "The system was down from ten to noon.",
        "raised_at": AT,
        "due_on": date(2026, 3, 15),
    }
    return Dispute.objects.create(
        staff_id=encounter.staff_id or 0, unit=encounter.unit, encounter_key=encounter.key,
        encounter_at=encounter.arrived_at, **{**fields, **over},
    )  # fmt: skip


# What customers say ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """A source with these answers about one person, one a day from 1 February 2026 on."""

    values: Sequence[float]
    staff: Staff
    key: str = "said"

    def measures(self) -> Sequence[PersonMeasure]:
        questions = ({"en": "They were polite."}, {"en": "They knew their work."})
        return [
            PersonMeasure(OVERALL, {"en": "Servqual"}, 1, 7, questions, is_overall=True),
            PersonMeasure(EMPATHY, {"en": "Empathy"}, 1, 7, questions[:1]),
        ]

    def collect(
        self, *, first: date, end: date, staff_ids: Collection[int] | None = None
    ) -> PersonAnswers:
        size = len(self.values)
        days = [date(2026, 2, 1) + timedelta(days=at) for at in range(size)]
        return PersonAnswers(
            measures=tuple(self.measures()),
            staff=np.full(size, self.staff.pk, dtype=np.int64),
            unit=np.ones(size, dtype=np.int64),
            on=np.array(days, dtype="datetime64[D]"),
            channel=np.zeros(size, dtype=np.int64),
            segment=np.zeros(size, dtype=np.int64),
            encounter=[""] * size,
            answer=np.arange(1, size + 1, dtype=np.uint64),
            values=np.array([self.values, self.values], dtype=np.float64).T,
        )


@contextmanager
def answered(values: Sequence[float], staff: Staff) -> Iterator[None]:
    """Have customers say this about somebody, for a test; the first five are a batch."""
    PERSON_SOURCES.register(Said(values, staff))
    AnswerBatch.objects.create(
        staff=staff, family="servqual", first_on=date(2026, 2, 1), until=date(2026, 2, 5),
        members=np.arange(1, 6, dtype=">u8").tobytes(), made_at=AT,
    )  # fmt: skip
    try:
        yield
    finally:
        del PERSON_SOURCES._offers["said"]
