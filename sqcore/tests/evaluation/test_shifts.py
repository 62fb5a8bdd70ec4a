"""The organisation's own shifts in a run: compared, frozen, and a reason to evaluate anew."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from sqcore.encounters.services import sum_up, take_encounters
from sqcore.evaluation.models import EvaluationRun, FrozenCells, KpiValue
from sqcore.evaluation.services import evaluate_due, replay
from sqcore.identity.permissions import Role
from sqcore.indicators.cataloguing import define_indicator
from sqcore.indicators.trees import Leaf
from sqcore.org.models import Organisation
from sqcore.org.services import set_shifts
from sqcore.stats.consistency import consistency
from sqcore.tests.encounters.factories import MORNING, encounter
from sqcore.tests.evaluation.bank import BEFORE, SYSTEM, branch, months_later, tree_system
from sqcore.tests.evaluation.test_pages import page, person, words
from sqcore.tests.factories import NOW, make_unit

pytestmark = pytest.mark.django_db

WAITS = {9: 3, 12: 8, 15: 5, 18: 12, 23: 1}
"""By hour of arrival, the shortest of six waits in minutes; the next is two longer each time."""
THREE = [
    {"code": "early", "begins": 5, "name": {"en": "Early"}},
    {"code": "late", "begins": 13, "name": {"en": "Late"}},
    {"code": "night", "begins": 19, "name": {"en": "Night"}},
]


def leaf(between: str) -> Leaf:
    made = define_indicator(
        code=f"waiting-{between or 'all'}",
        name={"en": "Waiting"},
        source="encounters",
        parameters={"measure": "waiting", **({"between": between} if between else {})},
        statistic="spread" if between else "mean",
        unit_of_measure="min",
        direction="lower",
        by=SYSTEM,
        now=BEFORE,
    )
    return Leaf(made, 1, 60, 0)


def serve() -> None:
    """Let six customers arrive in each of some hours of days in March."""
    unit = make_unit("bank")
    rows = [
        encounter(
            f"h{hour}-{day}",
            unit,
            at=MORNING + timedelta(days=day, hours=hour - 9),
            wait=shortest + 2 * day,
        )
        for hour, shortest in WAITS.items()
        for day in range(6)
    ]
    take_encounters(rows=rows, now=NOW)
    while sum_up(clock=lambda: NOW):
        pass


def spread(*shifts: Iterable[int]) -> float | None:
    """Return how far shifts of these hours differ."""
    groups = [[WAITS[hour] + 2 * day for hour in hours for day in range(6)] for hours in shifts]
    found = consistency(
        [len(each) for each in groups],
        [float(np.mean(each)) for each in groups],
        [float(np.var(each, ddof=1)) for each in groups],
    )
    return found.tau.value


def change(shifts: Sequence[dict[str, Any]]) -> None:
    set_shifts(shifts=shifts, by=SYSTEM, now=NOW)


def test_other_shifts_give_another_spread_and_are_frozen() -> None:
    tree_system([branch("waiting", 1, leaf("shift"))])
    serve()
    assert evaluate_due(now=months_later(3)) == 1
    usual = EvaluationRun.objects.get()
    first = KpiValue.objects.get(code="waiting-shift", is_current=True).value
    assert first == pytest.approx(spread([9], [12], [15], [18], [23]))

    change(THREE)

    assert evaluate_due(now=months_later(4)) == 1
    run = EvaluationRun.objects.current().get()
    assert (run.reason, run.revision) == (EvaluationRun.Reason.RULES, 2)
    assert run.policy["shifts"] == {"early": 5, "late": 13, "night": 19}
    second = KpiValue.objects.get(code="waiting-shift", is_current=True).value
    assert second == pytest.approx(spread([9, 12], [15, 18], [23]))
    assert evaluate_due(now=months_later(4)) == 0
    said = words(page(person("ana", Role.ANALYST), "/quality/indicators/waiting-shift/"))
    assert "Early from 5:00, Late from 13:00, Night from 19:00" in said
    for each in (usual, run):
        assert replay(run_id=each.pk).fault == ""


def test_the_usual_shifts_leave_the_hashes_of_runs_as_they_were() -> None:
    tree_system([branch("waiting", 1, leaf("shift"))])
    serve()
    evaluate_due(now=months_later(3))
    usual = EvaluationRun.objects.get()
    change(THREE)
    evaluate_due(now=months_later(4))

    change(Organisation._meta.get_field("shifts").get_default())

    assert evaluate_due(now=months_later(5)) == 1
    again = EvaluationRun.objects.current().get()
    assert set(again.policy) == {"smallest_group", "coverage", "confidence", "method"}
    assert (again.input_digest, again.result_digest) == (usual.input_digest, usual.result_digest)


def test_a_new_name_of_a_shift_evaluates_nothing_anew() -> None:
    tree_system([branch("waiting", 1, leaf("shift"))])
    serve()
    change(THREE)
    evaluate_due(now=months_later(3))

    change([{**each, "name": {"en": f"{each['code']} shift"}} for each in THREE])

    assert evaluate_due(now=months_later(4)) == 0


def test_what_compares_no_shifts_is_not_evaluated_anew() -> None:
    tree_system([branch("waiting", 1, leaf("week"))])
    serve()
    assert evaluate_due(now=months_later(3)) == 1

    change(THREE)

    assert evaluate_due(now=months_later(4)) == 0
    assert "shifts" not in EvaluationRun.objects.get().policy
    assert not FrozenCells.objects.filter(source__endswith="~shift").exists()
