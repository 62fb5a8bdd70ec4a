"""The worked example of docs/methods/evaluation.md, figure by figure."""

from datetime import date

import pytest

from sqcore.evaluation.models import KpiValue
from sqcore.evaluation.services import evaluate_due
from sqcore.org.models import Unit
from sqcore.tests.evaluation.bank import (
    MemorySource,
    bank_system,
    measure,
    months_later,
)
from sqcore.tests.factories import make_unit

pytestmark = pytest.mark.django_db

RELIABILITY = (4, 5, 5, 6, 6, 7)
EMPATHY_DOUBLED = (10, 10, 12, 12, 11, 11)


def _figure(unit: Unit, code: str) -> KpiValue:
    return KpiValue.objects.get(unit=unit, code=code, margin="")


def test_composite_takes_its_interval_from_the_cross_products(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system([measure("reliability", "r"), measure("empathy", "e")])
    rows = zip(RELIABILITY, EMPATHY_DOUBLED, strict=True)
    source.add(unit, date(2026, 1, 9), *[{"reliability": r, "empathy": e} for r, e in rows])

    evaluate_due(now=months_later(1))

    reliability, empathy = _figure(unit, "reliability"), _figure(unit, "empathy")
    composite = _figure(unit, "composite")
    assert (reliability.value, reliability.score, reliability.n) == (5.5, 75.0, 6)
    assert reliability.low == pytest.approx(4.39935, abs=1e-5)
    assert reliability.high == pytest.approx(6.60065, abs=1e-5)
    assert empathy.value == 5.5
    assert composite.score == pytest.approx(75.0, abs=1e-9)
    assert composite.score_low == pytest.approx(63.5975, abs=1e-4)
    assert composite.score_high == pytest.approx(86.4025, abs=1e-4)
    assert (composite.n, composite.coverage, composite.value) == (6, 1.0, None)


def test_a_share_has_wilson_limits_and_the_promoters_adjusted_ones(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system(
        [
            measure("overall", "o", statistic="proportion", worst=0, best=1),
            measure("recommend", "l", statistic="nps", worst=-100, best=100),
        ]
    )
    rows = zip((1, 1, 1, 1, 0, 0), (1, 1, 1, 0, 0, -1), strict=True)
    source.add(unit, date(2026, 1, 9), *[{"overall": o, "recommend": n} for o, n in rows])

    evaluate_due(now=months_later(1))

    share, net = _figure(unit, "overall"), _figure(unit, "recommend")
    assert share.value == pytest.approx(2 / 3)
    assert share.low == pytest.approx(0.3000, abs=1e-4)
    assert share.high == pytest.approx(0.9032, abs=1e-4)
    assert net.value == pytest.approx(100 / 3)
    assert net.low == pytest.approx(-26.743, abs=1e-3)
    assert net.high == pytest.approx(71.188, abs=1e-3)
    assert net.score == pytest.approx(200 / 3)


def test_lower_is_better_scores_by_its_goalposts(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system([measure("wait", "process", worst=30, best=0)])
    source.add(unit, date(2026, 1, 9), *[{"wait": minutes} for minutes in (6, 10, 12, 14, 18)])

    evaluate_due(now=months_later(1))

    wait = _figure(unit, "wait")
    assert (wait.value, wait.score) == (12.0, 60.0)
    assert wait.score_low is not None
    assert wait.score_low == pytest.approx((30 - (wait.high or 0)) / 30 * 100)


def test_a_value_beyond_its_goalposts_scores_the_end(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system([measure("wait", "process", worst=30, best=10)])
    source.add(unit, date(2026, 1, 9), *[{"wait": minutes} for minutes in (4, 5, 6, 7, 8)])

    evaluate_due(now=months_later(1))

    assert _figure(unit, "wait").score == 100.0


def test_what_is_hidden_leaves_the_rest_and_lowers_the_coverage(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system([measure("overall", "a"), measure("reliability", "b"), measure("wait", "c")])
    source.add(unit, date(2026, 1, 9), *[{"overall": 4, "reliability": r} for r in RELIABILITY])
    source.add(unit, date(2026, 1, 9), *[{"wait": 3}] * 2)

    evaluate_due(now=months_later(1))

    assert _figure(unit, "wait").status == "suppressed"
    assert _figure(unit, "c").status == "suppressed"
    assert _figure(unit, "composite").coverage == pytest.approx(2 / 3)
    assert _figure(unit, "composite").score == pytest.approx((50 + 75) / 2)


def test_too_little_coverage_is_not_enough_data(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system([measure("overall", "a"), measure("reliability", "b")])
    source.add(unit, date(2026, 1, 9), *[{"overall": v} for v in RELIABILITY])

    evaluate_due(now=months_later(1))

    composite = _figure(unit, "composite")
    assert (composite.status, composite.reason) == ("insufficient", "coverage")
    assert (composite.score, composite.n, composite.coverage) == (None, None, None)
    assert not KpiValue.objects.filter(code="reliability").exists()


def test_equal_answers_have_a_score_and_no_interval(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system([measure("overall", "a")])
    source.add(unit, date(2026, 1, 9), *[{"overall": 6}] * 5)

    evaluate_due(now=months_later(1))

    overall = _figure(unit, "overall")
    assert (overall.status, overall.value, overall.low) == ("ok", 6.0, None)
    assert overall.reason == "no_interval"


def test_respondents_count_by_their_weight(source: MemorySource) -> None:
    unit = make_unit("bank")
    bank_system([measure("overall", "a")])
    source.add(unit, date(2026, 1, 9), *[{"overall": 7}] * 2, weight=3000)
    source.add(unit, date(2026, 1, 9), *[{"overall": 1}] * 4, weight=1000)

    evaluate_due(now=months_later(1))

    assert _figure(unit, "overall").value == pytest.approx((7 * 6 + 1 * 4) / 10)
    assert _figure(unit, "overall").n == 6
