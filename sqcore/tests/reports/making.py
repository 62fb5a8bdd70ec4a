"""A bank of one region with six branches, evaluated in a quarter: everything alike, until told."""

from datetime import date, datetime, timedelta
from typing import Any

from sqcore.encounters.models import Encounter
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal
from sqcore.indicators.definition import (
    DimensionDefinition,
    IndicatorDefinition,
    SystemDefinition,
)
from sqcore.org.models import Assignment, Unit
from sqcore.org.queries import principal_for
from sqcore.performance.models import ResultsPolicy, ResultsRun, StaffResult
from sqcore.tests.factories import (
    NOW,
    TODAY,
    give_role,
    make_post,
    make_staff,
    make_unit,
    make_user,
)
from sqcore.tests.rest import make_run, make_system, make_value

BRANCHES = ("ash", "beech", "cedar", "elm", "fir", "oak")
QUARTER = "2025-Q4"
MEASURE = "made/overall"


def leaf(code: str, source: str, counts: str, **over: Any) -> IndicatorDefinition:
    fields: dict[str, Any] = {
        "code": code,
        "name": {"en": code.capitalize()},
        "definition": {},
        "unit_of_measure": "points",
        "direction": "higher",
        "statistic": "mean",
        "source": source,
        "measure": code,
        "weight": 1.0,
        "worst": 1.0,
        "best": 7.0,
        "counts": counts,
    }
    return IndicatorDefinition(**{**fields, **over})


CARE = leaf("care", "surveys", "answers")
WAIT = leaf(
    "wait", "encounters", "encounters",
    unit_of_measure="minutes", direction="lower", worst=20.0, best=0.0, target=10.0, floor=14.0,
)  # fmt: skip
UPTIME = leaf(
    "uptime", "equipment", "measurements",
    unit_of_measure="share", worst=0.9, best=1.0, target=0.98, floor=0.96,
)  # fmt: skip


def definition(*leaves: IndicatorDefinition) -> SystemDefinition:
    dimensions = (
        DimensionDefinition(
            code,
            {"en": code.capitalize()},
            1.0,
            (),
            tuple(each for each in leaves if each.code in codes),
        )
        for code, codes in (
            ("empathy", ("care",)),
            ("process", ("wait", "calls")),
            ("tangibles", ("uptime",)),
        )
    )
    kept = tuple(each for each in dimensions if each.indicators)
    return SystemDefinition("service", {"en": "Service"}, 1, kept)


class Bank:
    """Mei manages the region, Chen a branch elsewhere, Oak the branch oak, Ana sees all results and
    Hua people's as well. In each branch care is 5.2, the wait 9 min, machines work 98.5 %."""

    def __init__(self, *leaves: IndicatorDefinition) -> None:
        self.system = make_system()
        self.root = make_unit("bank")
        self.region = make_unit("region", parent=self.root)
        self.branches = {code: make_unit(code, parent=self.region) for code in BRANCHES}
        self.elsewhere = make_unit("elsewhere", parent=self.root)
        self.oak = self.branches["oak"]
        self.run = make_run(self.system, QUARTER)
        self.settle(definition(*(leaves or (CARE, WAIT, UPTIME))))
        for unit in (self.root, self.region, *self.branches.values(), self.elsewhere):
            self.tell(unit)
        grants: tuple[tuple[str, Role, Unit | None], ...] = (
            ("mei", Role.MANAGER, self.region),
            ("chen", Role.MANAGER, self.elsewhere),
            ("olga", Role.MANAGER, self.oak),
            ("ana", Role.ANALYST, None),
            ("hua", Role.HR, None),
        )
        for name, role, at in grants:
            give_role(make_user(name), role, at)

    def settle(self, asked: SystemDefinition) -> None:
        tree: dict[str, int | None] = {str(self.root.pk): None}
        tree |= {str(unit.pk): self.root.pk for unit in (self.region, self.elsewhere)}
        tree |= {str(unit.pk): self.region.pk for unit in self.branches.values()}
        EvaluationRun.objects.filter(pk=self.run.pk).update(
            definition=asked.as_json(),
            tree=tree,
            policy={"smallest_group": 5, "coverage": 0.6, "confidence": 0.95},
        )
        self.run.refresh_from_db()

    def tell(self, unit: Unit) -> None:
        make_value(self.run, unit)
        for code in ("empathy", "process", "tangibles"):
            make_value(self.run, unit, kind="dimension", code=code)
        self.put(unit, "care", 5.2, 0.18)
        self.put(unit, "wait", 9.0, 0.6, n=480)
        self.put(unit, "uptime", 0.985, 0.004, n=180)

    def put(self, unit: Unit, code: str, value: float, half: float | None, **over: Any) -> None:
        """Put a figure with this half of its interval in place of what is there."""
        KpiValue.objects.filter(run=self.run, unit=unit, code=code, margin="").delete()
        ends = (None, None) if half is None else (value - half, value + half)
        fields = {"n": 160, "value": value, "low": ends[0], "high": ends[1], "score": 50.0}
        fields |= {"score_low": None, "score_high": None}
        make_value(self.run, unit, kind="indicator", code=code, **{**fields, **over})

    def score(self, unit: Unit, code: str, value: float, half: float) -> None:
        """Put a score with its interval in place of what is there."""
        KpiValue.objects.filter(run=self.run, unit=unit, code=code, margin="").update(
            score=value, score_low=value - half, score_high=value + half
        )

    def channels(self, unit: Unit, **values: float) -> None:
        """What customers of each channel say of care; .2 to each side."""
        for channel, value in values.items():
            make_value(
                self.run, unit, kind="indicator", code="care", margin="channel",
                margin_value=channel, value=value, low=value - 0.2, high=value + 0.2, n=100,
            )  # fmt: skip

    def as_(self, name: str) -> Principal:
        return principal_for(User.objects.get(username=name), on=TODAY)


def serve(unit: Unit, *, times: int, again: int = 0, wait: int = 300) -> None:
    """Encounters of two stages in the quarter, `again` of them with a stage done again."""
    at = datetime(2025, 11, 3, 2, 0, tzinfo=NOW.tzinfo)
    Encounter.objects.bulk_create(
        Encounter(
            key=f"{unit.code}-{number}",
            unit=unit,
            on=date(2025, 11, 3),
            arrived_at=at,
            waiting_s=wait,
            handling_s=300,
            reworked=number < again,
            steps=[
                ["desk", number % 5, 60 + number % 7, ""],
                ["counter", 60 + wait + number % 11, 300 + wait + number % 13, ""],
            ],
            recorded_at=at + timedelta(days=1),
        )
        for number in range(times)
    )


def people_of(unit: Unit, means: list[float], *, n: int = 60, within: float = 1.2) -> ResultsRun:
    """Results of as many people of one post, with these means of so many answers each."""
    policy, _is_new = ResultsPolicy.objects.get_or_create(
        number=1, defaults={"valid_from": date(2020, 1, 1), "made_at": NOW}
    )
    run, _is_new = ResultsRun.objects.get_or_create(
        ends_on=date(2026, 1, 1),
        defaults={
            "policy": policy,
            "frozen": {"measures": {MEASURE: {"within": within, "n": 900}}, "icc": {}},
            "computed_at": NOW,
        },
    )
    post = make_post(f"teller-{unit.code}")
    for number, mean in enumerate(means):
        staff = make_staff(f"{unit.code}-{number}")
        Assignment.objects.create(staff=staff, unit=unit, post=post, valid_from=date(2020, 1, 1))
        StaffResult.objects.create(
            run=run, staff=staff, unit=unit, post=post, measure=MEASURE,
            starts_on=date(2025, 1, 1), n=n, raw=mean, adjusted=mean, verdict="few",
        )  # fmt: skip
    return run
