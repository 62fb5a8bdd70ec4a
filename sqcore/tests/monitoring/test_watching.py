"""A pass over made series: what it freezes, judges, counts and leaves alone."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sqcore.base.models import OutboxEvent
from sqcore.base.periods import Grain
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.principals import system_principal
from sqcore.jobs import services as jobs
from sqcore.monitoring import watching
from sqcore.monitoring.models import Annotation, Baseline, Signal, SignalEvent, Watch
from sqcore.monitoring.services import annotate
from sqcore.monitoring.watching import watch_after, watch_due
from sqcore.stats.cusum import false_alarms_a_year
from sqcore.tests.factories import make_unit
from sqcore.tests.monitoring.series import CENTRE, MIDDLE, SIGMA, leaf, make_series, quiet, shifted

pytestmark = pytest.mark.django_db


def test_freezes_the_first_26_weeks() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, quiet(30))

    watched = bank.watch(30)

    baseline = Baseline.objects.get()
    assert (baseline.unit, baseline.code, baseline.grain) == (north, "waiting", "week")
    assert (baseline.starts_on, baseline.ends_on) == (bank.start(1), bank.start(27))
    assert (baseline.applies_from, baseline.n) == (bank.start(27), 26)
    assert (baseline.kind, baseline.state, baseline.origin) == ("xmr", "in_force", "first")
    assert (baseline.centre, baseline.phi) == (CENTRE, 0)
    assert baseline.sigma == pytest.approx(SIGMA)
    assert (baseline.spread, baseline.between) == (baseline.sigma, baseline.sigma)
    assert (watched.series, watched.judged, watched.through) == (1, 1, bank.start(31))
    assert (watched.found_so_far, watched.open_signals) == (0, 0)


def test_a_month_needs_24_and_a_quarter_has_no_opener() -> None:
    north = make_unit("north")
    months = make_series(grain=Grain.MONTH, code="months")
    months.put(north, quiet(25))
    quarters = make_series(grain=Grain.QUARTER, code="quarters")
    quarters.put(north, quiet(40))

    by_month, by_quarter = months.watch(25), quarters.watch(40)

    baseline = Baseline.objects.get()
    assert (baseline.grain, baseline.n, baseline.applies_from) == ("month", 24, months.start(25))
    assert (by_month.series, by_month.judged) == (1, 1)
    assert (by_quarter.series, by_quarter.judged) == (1, 0)
    rate = false_alarms_a_year(n0=24, phi=0, h=8, points_a_year=12)
    assert by_month.expected_a_year == pytest.approx(rate)
    assert by_month.expected_so_far == pytest.approx(rate / 12)


def test_a_series_that_is_too_short_is_counted_and_not_judged() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, [*quiet(25), None, None])

    watched = bank.watch(27)

    assert (watched.series, watched.judged) == (1, 0)
    assert (watched.expected_so_far, watched.expected_a_year) == (0, 0)
    assert not Baseline.objects.exists()


def test_a_series_that_never_varies_is_counted_and_not_judged() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, [9.0] * 30 + [40.0] * 10)

    watched = bank.watch(40)

    assert (watched.series, watched.judged) == (1, 0)
    assert not Baseline.objects.exists()
    assert not Signal.objects.exists()


def test_a_baseline_skips_gaps_and_excluded_periods() -> None:
    bank, north = make_series(), make_unit("north")
    # Weeks 3 and 4 show nothing, weeks 5 and 6 are excluded: 26 usable ones end with week 30.
    bank.put(north, [8.0, 10.0, None, None, 90.0, 90.0, *quiet(26)])
    annotate(
        kind=Annotation.Kind.EXCLUSION, unit=None, code="", starts_on=bank.start(5),
        ends_on=bank.start(7), text="The hall was flooded.", by=system_principal(),
        now=bank.after(6),
    )  # fmt: skip

    bank.watch(32)

    baseline = Baseline.objects.get()
    assert (baseline.starts_on, baseline.ends_on) == (bank.start(1), bank.start(31))
    assert (baseline.n, baseline.centre) == (26, CENTRE)


def test_an_exclusion_holds_below_its_unit_and_for_its_code_alone() -> None:
    bank = make_series(leaf("waiting"), leaf("errors"))
    region, other = make_unit("region"), make_unit("other")
    branch = make_unit("branch", parent=region)
    for unit in (branch, other):
        for code in ("waiting", "errors"):
            bank.put(unit, shifted(quiet(44), 3, since=40), code=code)
    annotate(
        kind=Annotation.Kind.EXCLUSION, unit=region, code="waiting", starts_on=bank.start(40),
        ends_on=bank.start(45), text="Moved house.", by=system_principal(), now=bank.after(44),
    )  # fmt: skip

    bank.watch(44)

    found = Signal.objects.order_by("unit_id", "code").values_list("unit__code", "code")
    assert list(found) == [("other", "errors"), ("other", "waiting"), ("branch", "errors")]


def test_with_intervals_what_varies_with_the_number_of_people_is_told_apart() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, quiet(26), error=1.0)
    bank.put(north, shifted(quiet(42), 3, since=40)[26:], first=27, error=4.0)

    bank.watch(42)

    baseline = Baseline.objects.get()
    # What is left of the spread (pi) when the squared errors (1) are taken off.
    assert baseline.between == pytest.approx((SIGMA**2 - 1) ** 0.5, rel=1e-5)
    # Weeks of so few people are too unsure: z is .7, not 3.
    assert not Signal.objects.exists()


def test_shares_keep_the_limits_of_a_p_chart_and_a_spread_in_their_own_unit() -> None:
    bank = make_series(leaf("solved", statistic="proportion", worst=0.0, best=1.0))
    north = make_unit("north")
    bank.put(north, [0.5 if number % 2 else 0.6 for number in range(30)], code="solved", n=100)

    bank.watch(30)

    baseline = Baseline.objects.get()
    assert baseline.kind == "p_prime"
    assert baseline.centre == pytest.approx(0.55)
    # A moving range of .1 is 2.01 binomial sigma of .55 in 100, so 1.7814 when divided by d2.
    assert baseline.sigma == pytest.approx(1.7814, abs=1e-4)
    assert baseline.spread == pytest.approx(0.1 / 1.128379)


def test_judges_indicators_alone_and_only_the_whole_of_a_unit() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, quiet(30))
    rows = list(KpiValue.objects.order_by("id"))
    for row in rows:
        row.pk, row.kind, row.code = None, KpiValue.Kind.DIMENSION, "service"
    KpiValue.objects.bulk_create(rows)
    for row in rows:
        row.pk, row.kind, row.code = None, KpiValue.Kind.INDICATOR, "waiting"
        row.margin, row.margin_value = "channel", "counter"
    KpiValue.objects.bulk_create(rows)

    assert bank.watch(30).series == 1


def test_nothing_is_read_of_a_period_that_is_not_over() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, shifted(quiet(42), 3, since=40))

    # Two hours before week 42 has ended in China, where it is two in the morning already.
    watched = bank.watch(41, later=timedelta(days=6, hours=20))
    assert watched.through == bank.start(43)

    assert Signal.objects.get().alarm_on == bank.start(42)


def test_the_week_that_still_runs_is_left_alone() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, shifted(quiet(42), 3, since=40))

    watched = bank.watch(41, later=timedelta(days=6))

    assert watched.through == bank.start(42)
    assert not Signal.objects.exists()


def test_expects_false_signals_for_all_that_was_judged() -> None:
    bank = make_series()
    units = [make_unit(f"unit-{number}") for number in range(3)]
    for unit in units:
        bank.put(unit, quiet(78))

    watched = bank.watch(78)

    # Three series over 52 weeks: three times what one has in a year.
    rate = false_alarms_a_year(n0=26, phi=0, h=8)
    assert watched.expected_so_far == pytest.approx(3 * rate)
    assert watched.expected_a_year == pytest.approx(3 * rate)
    assert (watched.opener["k"], watched.opener["h"], watched.opener["version"]) == (0.5, 8.0, 1)


def test_a_pass_reads_in_few_queries_however_many_series() -> None:
    bank = make_series()
    for number in range(12):
        bank.put(make_unit(f"unit-{number}"), quiet(40))
    bank.watch(39)

    with CaptureQueriesContext(
        connection,
    ) as captured:
        bank.watch(40)

    assert len(captured) <= 24


def test_without_any_figure_a_pass_says_so() -> None:
    bank = make_series()

    watched = bank.watch(3)

    assert (watched.series, watched.judged, watched.through) == (0, 0, bank.start(4))


def test_is_due_when_a_run_was_published_and_not_again() -> None:
    bank, north = make_series(), make_unit("north")
    assert watch_due(now=bank.after(1)) == 0
    bank.put(north, quiet(30))

    assert watch_due(now=bank.after(30)) == 1
    assert watch_due(now=bank.after(30) + timedelta(minutes=1)) == 0

    bank.revise(north, 30, 11.0)

    assert watch_due(now=bank.after(30) + timedelta(minutes=2)) == 1


def test_is_due_when_something_is_excluded() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, quiet(30))
    watch_due(now=bank.after(30))

    annotate(
        kind=Annotation.Kind.EXCLUSION, unit=north, code="", starts_on=bank.start(28),
        ends_on=bank.start(29), text="Strike", by=system_principal(), now=bank.after(30),
    )  # fmt: skip

    assert watch_due(now=bank.after(30) + timedelta(minutes=1)) == 1


def queue_run(bank: Any, number: int) -> None:
    job = jobs.start(
        kind="evaluation.run",
        key="bank",
        title={"en": "Evaluation"},
        parameters={},
        owner=None,
        now=bank.after(30),
    )
    run = bank._run(bank.period(number))
    run.state, run.is_current, run.job = EvaluationRun.State.QUEUED, False, job
    run.save()


def test_waits_while_runs_of_the_system_wait_but_for_an_hour_at_most() -> None:
    """A baseline is frozen from the first periods: they must be there before it is."""
    bank, north = make_series(), make_unit("north")
    bank.put(north, quiet(30))
    queue_run(bank, 31)

    assert watch_due(now=bank.after(30)) == 0
    assert not Watch.objects.exists()

    EvaluationRun.objects.filter(state=EvaluationRun.State.QUEUED).delete()
    assert watch_due(now=bank.after(30)) == 1
    queue_run(bank, 31)
    bank.revise(north, 30, 11.0)

    assert watch_due(now=bank.after(30) + timedelta(minutes=59)) == 0
    assert watch_due(now=bank.after(30) + timedelta(minutes=61)) == 1


def test_rings_once_the_last_run_is_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(watching, "ring_after_commit", rung.append)
    bank, north = make_series(), make_unit("north")
    bank.put(north, quiet(30))
    first = bank.runs[bank.start(1)].pk
    queue_run(bank, 31)

    watch_after(run_id=first)
    assert rung == []

    EvaluationRun.objects.filter(state=EvaluationRun.State.QUEUED).delete()
    watch_after(run_id=first)
    assert rung == ["sqcore.monitoring.watch_due"]


def rows_of(models: Iterable[Any]) -> list[dict[str, Any]]:
    """Return all rows without the ids and without the times of writing."""
    found = []
    for model in models:
        for row in model.objects.order_by("pk").values():
            timeless = {
                name: round(value, 9) if isinstance(value, float) else value
                for name, value in row.items()
                if not name.endswith("_at") and name not in ("id", "at")
            }
            found.append(timeless)
    return sorted(found, key=str)


KEPT = (Baseline, Signal, Watch)


def events() -> list[tuple[Any, ...]]:
    rows = SignalEvent.objects.order_by("signal__fingerprint", "period_on", "kind")
    return list(rows.values_list("signal__fingerprint", "kind", "episode", "period_on", "note"))


def test_earlier_clocks_in_order_end_where_one_late_pass_does() -> None:
    def story() -> tuple[Any, Any]:
        return rows_of(KEPT), events()

    bank = make_series(leaf("waiting"), leaf("solved", worst=2.0, best=20.0))
    units = [make_unit(f"unit-{number}") for number in range(4)]
    bank.put(units[0], shifted(quiet(104), 3, since=40, until=50))
    bank.put(units[1], shifted(shifted(quiet(104), 3, since=40, until=60), 3, since=80))
    bank.put(units[2], shifted(quiet(104), -2, since=70), code="solved")
    bank.put(units[3], [*quiet(60), *[None] * 10, *shifted(quiet(34), 4, since=5)])

    bank.replay(20, 104)
    replayed = story()
    for model in (SignalEvent, Signal, Baseline, Watch):
        model.objects.all().delete()
    bank.watch(104)
    late = story()

    signals = Signal.objects.order_by("unit_id")
    assert [(s.state, s.episode) for s in signals] == [
        ("recovered", 1), ("ongoing", 2), ("ongoing", 1), ("ongoing", 1),
    ]  # fmt: skip
    without_keys = ["signal_id", "baseline_id"]
    assert [{k: v for k, v in row.items() if k not in without_keys} for row in late[0]] == [
        {k: v for k, v in row.items() if k not in without_keys} for row in replayed[0]
    ]
    assert late[1] == replayed[1]


def test_the_same_pass_again_changes_nothing() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, shifted(shifted(quiet(90), 3, since=40, until=50), 3, since=70))
    bank.watch(90)
    before = [list(model.objects.order_by("pk").values()) for model in (Baseline, Signal)]
    history, told = events(), OutboxEvent.objects.count()

    bank.watch(90)
    bank.watch(90, later=timedelta(hours=5))

    assert [list(model.objects.order_by("pk").values()) for model in (Baseline, Signal)] == before
    assert (events(), OutboxEvent.objects.count()) == (history, told)


def test_an_earlier_clock_than_the_last_changes_nothing() -> None:
    bank, north = make_series(), make_unit("north")
    bank.put(north, shifted(quiet(48), 3, since=40))
    bank.watch(48)
    before = Watch.objects.values().get(), Signal.objects.values().get()

    bank.watch(41)

    assert (Watch.objects.values().get(), Signal.objects.values().get()) == before


def test_what_is_best_in_the_middle_is_charted_and_not_judged() -> None:
    bank = make_series(MIDDLE)
    north = make_unit("north")
    bank.put(north, shifted(quiet(60), 3, since=41))

    watched = bank.watch(60)

    assert (watched.series, watched.judged, watched.found_so_far) == (1, 0, 0)
    assert (watched.expected_so_far, watched.expected_a_year) == (0, 0)
    assert Baseline.objects.get().centre == CENTRE
    assert not Signal.objects.exists()


@pytest.mark.parametrize(
    "over",
    [
        {"worst": 15.0, "best": 5.0, "shape": "target", "limit": 9.0},
        {"worst": 15.0, "best": 2.0, "shape": "knots", "knots": ((2, 100), (9, 60), (15, 0))},
    ],
)
def test_what_falls_all_the_way_is_watched_on_its_side(over: dict[str, Any]) -> None:
    bank = make_series(leaf("waiting", **over))
    bank.put(make_unit("north"), shifted(quiet(60), 3, since=41))

    bank.replay(44, 60)

    assert Signal.objects.get().direction == Signal.Direction.HIGH
