"""How sure the scores of units are, kept beside a run for the places of units."""

from datetime import date, timedelta

import numpy as np
import pytest

from sqcore.evaluation import standard_errors
from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.queries import standard_errors_of
from sqcore.evaluation.services import evaluate_due, replay
from sqcore.evaluation.standard_errors import StandardErrors
from sqcore.tests.evaluation.bank import MemorySource, bank_system, measure, months_later
from sqcore.tests.evaluation.test_figures import EMPATHY_DOUBLED, RELIABILITY
from sqcore.tests.factories import make_unit

pytestmark = pytest.mark.django_db


def _run() -> EvaluationRun:
    return EvaluationRun.objects.get(is_current=True)


def test_a_run_keeps_what_the_interval_of_each_score_was_made_of(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system([measure("reliability", "r"), measure("empathy", "e")])
    rows = zip(RELIABILITY, EMPATHY_DOUBLED, strict=True)
    source.add(unit, date(2026, 1, 9), *[{"reliability": r, "empathy": e} for r, e in rows])

    evaluate_due(now=months_later(1))

    whole = standard_errors_of(run=_run(), code="composite")[unit.pk]
    one = standard_errors_of(run=_run(), code="reliability")[unit.pk]
    assert whole == pytest.approx((4.4358, 5), abs=1e-4)
    assert one == pytest.approx((100 / 6 * (1.1 / 6) ** 0.5, 5), abs=1e-4)
    assert standard_errors_of(run=_run(), code="r")[unit.pk] == pytest.approx(one)
    assert replay(run_id=_run().pk).fault == ""


def test_of_a_share_it_is_what_its_interval_is_worth(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system([measure("overall", "o", statistic="proportion", worst=0, best=1)])
    source.add(unit, date(2026, 1, 9), *[{"overall": 1}] * 6)

    evaluate_due(now=months_later(1))

    se, df = standard_errors_of(run=_run(), code="overall")[unit.pk]
    # Wilson: 6 of 6 may be 61 percent.
    assert se == pytest.approx((100 - 60.967) / 2 / 1.959964, abs=1e-3)
    assert df == np.inf


def test_a_unit_whose_figures_are_held_has_none(source: MemorySource) -> None:
    unit, other = make_unit("bank"), make_unit("other")
    bank_system([measure("reliability", "r")])
    for each in (unit, other):
        source.add(each, date(2026, 1, 9), *[{"reliability": r} for r in RELIABILITY])
    evaluate_due(now=months_later(1))
    later = months_later(1) + timedelta(hours=1)
    source.add(unit, date(2026, 1, 9), {"reliability": 1}, came_at=later)
    source.add(other, date(2026, 1, 9), *[{"reliability": 1}] * 6, came_at=later)

    evaluate_due(now=later + timedelta(hours=1))

    assert set(standard_errors_of(run=_run(), code="composite")) == {other.pk}


def test_a_run_of_before_they_were_kept_has_none(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system([measure("reliability", "r")])
    source.add(unit, date(2026, 1, 9), *[{"reliability": r} for r in RELIABILITY])
    evaluate_due(now=months_later(1))

    _run().frozen_cells.filter(source=standard_errors.KEY).delete()

    assert standard_errors_of(run=_run(), code="composite") == {}
    assert replay(run_id=_run().pk).fault == ""


def test_as_bytes_and_back_nothing_is_lost() -> None:
    given = StandardErrors(
        (7, 3), ("composite", "x"), np.array([[1.5, np.nan], [0.0, 2.0]]),
        np.array([[4.0, 5.0], [np.inf, 8.0]]),
    )  # fmt: skip

    found = standard_errors.thaw(standard_errors.freeze(given))

    assert (found.units, found.codes) == ((7, 3), ("composite", "x"))
    assert found.of("composite") == {7: (1.5, 4.0), 3: (0.0, np.inf)}
    assert found.of("x") == {3: (2.0, 8.0)}
    assert found.of("y") == {}
