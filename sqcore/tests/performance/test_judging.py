"""What a run says of people, rule by rule; the figures are done by hand in `people`."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from sqcore.base.errors import InvalidInput
from sqcore.base.models import OutboxEvent
from sqcore.indicators.models import Indicator
from sqcore.monitoring.models import Signal
from sqcore.org.models import Assignment, Leave, Organisation, Placement, Post, Unit
from sqcore.performance.due import due_windows
from sqcore.performance.models import FrozenReliability, ResultsPolicy, ResultsRun, StaffResult
from sqcore.performance.queries import group_means, policy_on, run_figures
from sqcore.performance.runs import evaluate_people, replay_run
from sqcore.performance.sources import PERSON_SOURCES
from sqcore.stats.people import expected_flags
from sqcore.tests.factories import make_channel, make_post, make_unit
from sqcore.tests.monitoring.series import leaf, make_series, quiet, shifted
from sqcore.tests.performance.people import (
    CARE,
    ENDS_ON,
    NOW,
    STARTS_ON,
    USUAL,
    WEAK,
    Branch,
    MadeSource,
    answer_all,
    evaluated,
    hire,
    make_branch,
    result,
)

pytestmark = pytest.mark.django_db

Verdict, Gate, Group = StaffResult.Verdict, StaffResult.Gate, StaffResult.Group
WITHIN = 600 / 590
V = WITHIN / 60
BETWEEN = 0.1 - V
B = BETWEEN / 0.1


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> MadeSource:
    made = MadeSource()
    monkeypatch.setattr(PERSON_SOURCES, "_offers", {made.key: made})
    return made


@pytest.fixture
def branch(source: MadeSource) -> Branch:
    found = make_branch(make_unit("north"), make_post())
    answer_all(source, found)
    return found


def test_the_weak_one_of_ten_is_low_as_computed_by_hand(branch: Branch) -> None:
    found = result(branch.weak)

    assert (found.n, found.raw, found.adjusted) == (60, 4.0, 4.0)
    assert found.centre == pytest.approx(4.9, abs=1e-8)
    assert found.weight == pytest.approx(B, abs=1e-8)
    assert found.estimate == pytest.approx(4.9 - 0.9 * B, abs=1e-8)
    sd = np.sqrt(B * V + (1 - B) ** 2 * 0.01)
    assert found.sd == pytest.approx(sd, abs=1e-8)
    assert found.low == pytest.approx(4.9 - 0.9 * B - 1.959963985 * sd, abs=1e-8)
    away = (0.9 * B - 0.3) / np.sqrt(B * V + B**2 * 0.01)
    assert found.probability_low == pytest.approx(ndtr(away), abs=1e-8)
    assert round(found.probability_low or 0, 4) == 0.999
    assert (found.verdict, found.held, found.disputed) == (Verdict.LOW, "", 0)
    assert (found.group, found.peers) == (Group.UNIT_POST, 9)
    assert (found.unit, found.post, found.starts_on) == (branch.unit, branch.post, STARTS_ON)


def test_the_others_show_no_detectable_difference(branch: Branch) -> None:
    run = evaluated()

    others = StaffResult.objects.filter(run=run).exclude(staff=branch.weak)
    assert set(others.values_list("verdict", "raw", "n")) == {(Verdict.ALIKE, 5.0, 60)}


def test_above_is_judged_like_low(source: MadeSource) -> None:
    branch = make_branch(make_unit("north"), make_post())
    for staff in branch.staff[:-1]:
        source.put(staff, USUAL)
    source.put(branch.staff[-1], (5.0, 7.0))

    found = result(branch.staff[-1])

    assert found.verdict == Verdict.ABOVE
    assert round(found.probability_above or 0, 4) == 0.999


def test_low_needs_more_than_the_smallest_difference_that_matters(branch: Branch) -> None:
    ResultsPolicy.objects.create(
        number=1, valid_from=STARTS_ON, smallest_difference=0.5, made_at=NOW
    )

    found = result(branch.weak)

    # Phi((.7475 - .5) / .1448) = .9562
    assert round(found.probability_low or 0, 3) == 0.956
    assert found.verdict == Verdict.ALIKE


def test_reliability_uses_the_icc_of_the_year_and_opens_the_gates(branch: Branch) -> None:
    found = result(branch.weak)
    frozen = FrozenReliability.objects.get()

    assert (frozen.measure, frozen.year, frozen.persons, frozen.n) == (CARE.key, 2026, 10, 600)
    assert frozen.icc == pytest.approx(BETWEEN / 1.1, abs=1e-9)
    assert found.reliability == pytest.approx(B, abs=1e-8)
    assert found.gate == Gate.PAY


@pytest.mark.parametrize(
    ("icc", "gate"), [(0.0, Gate.NONE), (0.04, Gate.COACHING), (0.0624, Gate.COACHING),
                      (0.0626, Gate.PAY), (0.037, Gate.NONE)],
)  # fmt: skip
def test_the_gate_is_seven_tenths_for_coaching_and_eight_for_pay(
    branch: Branch, icc: float, gate: str
) -> None:
    freeze_icc(icc)

    # 60 answers: .037 gives .697, .04 .714, .0624 .7997, .0626 .8003.
    assert result(branch.weak).gate == gate


def freeze_icc(icc: float) -> None:
    FrozenReliability.objects.create(
        measure=CARE.key, year=2026, icc=icc, icc_se=0.01, within=1, between=0.1, persons=9, n=99,
        computed_at=NOW,
    )  # fmt: skip


def test_the_icc_stands_still_for_a_year(branch: Branch, source: MadeSource) -> None:
    evaluated()
    before = FrozenReliability.objects.get().icc
    source.put(branch.weak, (1.0,), 30, on=date(2026, 3, 5))

    later = evaluated(date(2026, 4, 1), NOW + timedelta(days=40))

    assert FrozenReliability.objects.get().icc == before
    assert later.frozen["icc"] == {CARE.key: before}
    assert result(branch.weak, later).reliability == pytest.approx(
        90 * before / (1 + 89 * before), abs=1e-8
    )


def test_a_new_year_has_an_icc_of_its_own(branch: Branch) -> None:
    evaluated(date(2025, 12, 1))
    evaluated(date(2026, 1, 1))

    assert list(FrozenReliability.objects.order_by("year").values_list("year", flat=True)) == [
        2025, 2026,
    ]  # fmt: skip


def test_no_icc_is_frozen_of_less_than_a_comparison_group(source: MadeSource) -> None:
    small = make_branch(make_unit("north"), make_post(), people=7)
    answer_all(source, small)

    assert result(small.weak).gate == Gate.NONE
    assert not FrozenReliability.objects.exists()


def test_fewer_than_thirty_answers_get_no_verdict_and_no_gate(
    branch: Branch, source: MadeSource
) -> None:
    new = hire("new", branch.unit, branch.post)
    source.put(new, (1.0,), 29)
    freeze_icc(0.5)

    found = result(new)

    assert (found.n, found.verdict, found.gate) == (29, Verdict.NOT_ENOUGH, Gate.NONE)
    assert found.raw == 1.0
    assert found.estimate is not None


def test_below_the_smallest_group_nothing_but_the_verdict_is_kept(
    branch: Branch, source: MadeSource
) -> None:
    new = hire("new", branch.unit, branch.post)
    source.put(new, (1.0,), 4)

    found = result(new)

    figures = ("raw", "adjusted", "estimate", "sd", "low", "high", "reliability", "centre")
    assert (found.n, found.verdict, found.gate) == (4, Verdict.NOT_ENOUGH, Gate.NONE)
    assert {getattr(found, name) for name in figures} == {None}
    assert (found.peers, found.group, found.weight, found.probability_low) == (None, "", None, None)


def test_the_smallest_group_is_the_organisations(branch: Branch, source: MadeSource) -> None:
    Organisation.objects.create(pk=1, name={"en": "Bank"}, smallest_group=10)
    new = hire("new", branch.unit, branch.post)
    source.put(new, (1.0,), 9)

    assert result(new).raw is None


def test_who_serves_customers_and_was_not_answered_about_has_not_enough_data(
    branch: Branch,
) -> None:
    new = hire("new", branch.unit, branch.post)
    office = Post.objects.create(code="office", name={"en": "Office"}, is_front_line=False)
    clerk = hire("clerk", branch.unit, office)

    found = result(new)

    assert (found.n, found.verdict) == (0, Verdict.NOT_ENOUGH)
    assert not StaffResult.objects.filter(staff=clerk).exists()


def test_a_branch_of_eight_is_compared_with_itself_so_that_its_fall_lowers_nobody(
    branch: Branch, source: MadeSource
) -> None:
    fallen = make_branch(make_unit("south"), branch.post, people=8)
    seven = make_branch(make_unit("west"), branch.post, people=7)
    for staff in (*fallen.staff, *seven.staff):
        source.put(staff, WEAK)

    run = evaluated()

    results = StaffResult.objects.filter(run=run)
    at_eight, at_seven = results.filter(unit=fallen.unit), results.filter(unit=seven.unit)
    assert set(at_eight.values_list("group", "peers", "verdict")) == {
        (Group.UNIT_POST, 7, Verdict.ALIKE)
    }
    assert set(at_seven.values_list("group", "peers")) == {(Group.POST, 24)}
    assert all(each.centre == pytest.approx(4.0, abs=1e-8) for each in at_eight)


def test_fewer_than_eight_people_are_compared_with_all_of_the_post(
    branch: Branch, source: MadeSource
) -> None:
    small = make_branch(make_unit("south"), branch.post, people=3)
    for staff in small.staff:
        source.put(staff, USUAL)

    run = evaluated()
    there, here = result(small.staff[0], run), result(branch.weak, run)

    assert (there.group, there.peers) == (Group.POST, 12)
    assert there.centre == pytest.approx((12 * 5.0 + 4.0) / 13, abs=1e-8)
    assert (here.group, here.peers) == (Group.UNIT_POST, 9)
    assert here.centre == pytest.approx(4.9)


def test_another_post_is_no_comparison(branch: Branch, source: MadeSource) -> None:
    adviser = hire("adviser", branch.unit, make_post("adviser"))
    source.put(adviser, (1.0, 3.0))

    found = result(adviser)

    assert (found.raw, found.group, found.estimate) == (2.0, "", None)
    assert found.verdict == Verdict.NOT_ENOUGH


def test_differences_of_branches_are_not_differences_of_people(
    branch: Branch, source: MadeSource
) -> None:
    kinder = make_branch(make_unit("south"), branch.post)
    for staff in kinder.staff[:-1]:
        source.put(staff, (5.0, 7.0))
    source.put(kinder.weak, (4.0, 6.0))

    run = evaluated()

    # The same within as of one branch, 1200 / 1180, and the same spread in both.
    assert run.frozen["measures"][CARE.key]["between"] == pytest.approx(BETWEEN, abs=1e-8)
    assert result(kinder.weak, run).centre == pytest.approx(5.9, abs=1e-8)
    assert result(kinder.weak, run).verdict == Verdict.LOW


def test_what_a_person_cannot_influence_is_taken_out_as_fitted_within_people(
    source: MadeSource,
) -> None:
    """Everybody's customers give 1 less on the phone; the last one serves there alone by half."""
    branch = make_branch(make_unit("north"), make_post())
    counter, phone = make_channel("counter"), make_channel("phone")
    for staff in branch.staff:
        calls = 30 if staff == branch.weak else 6
        source.put(staff, (3.0, 5.0), calls, channel=phone.pk)
        source.put(staff, USUAL, 60 - calls, channel=counter.pk)

    run = evaluated()
    found = result(branch.weak, run)

    mix = run_figures(run).measures[0].mix
    assert [(each.factor, each.coefficient) for each in mix] == [("channel/phone", -1.0)]
    share = (30 + 9 * 6) / 600
    assert mix[0].share == pytest.approx(share)
    assert found.raw == 4.5
    assert found.adjusted == pytest.approx(4.5 + (0.5 - share), abs=1e-8)
    assert found.adjusted == pytest.approx(result(branch.staff[0], run).adjusted)
    assert found.verdict == Verdict.ALIKE


def test_only_the_twelve_closed_months_count(branch: Branch, source: MadeSource) -> None:
    source.put(branch.weak, (7.0,), 50, on=STARTS_ON - timedelta(days=1))
    source.put(branch.weak, (7.0,), 50, on=ENDS_ON)

    assert (result(branch.weak).n, result(branch.weak).raw) == (60, 4.0)


@pytest.mark.parametrize("ends_on", [date(2026, 3, 2), date(2026, 4, 1)])
def test_a_month_that_is_not_closed_is_refused(branch: Branch, ends_on: date) -> None:
    with pytest.raises(InvalidInput):
        evaluate_people(ends_on=ends_on, now=NOW)

    assert not ResultsRun.objects.exists()
    assert not ResultsPolicy.objects.exists()


@pytest.mark.parametrize(
    ("spans", "starts_on"),
    [
        ([(date(2025, 7, 1), date(2025, 9, 1))], date(2025, 1, 1)),
        ([(date(2025, 7, 16), date(2025, 8, 16))], date(2025, 2, 1)),
        ([(date(2025, 7, 10), date(2025, 7, 20))], date(2025, 3, 1)),
        ([(date(2025, 7, 1), date(2025, 7, 12)), (date(2025, 7, 8), date(2025, 7, 17))],
         date(2025, 2, 1)),
        ([(date(2024, 12, 1), date(2025, 4, 1))], date(2024, 11, 1)),
    ],
)  # fmt: skip
def test_leave_extends_the_window_back_by_the_months_it_took_half_of(
    branch: Branch, source: MadeSource, spans: list[tuple[date, date]], starts_on: date
) -> None:
    for since, until in spans:
        Leave.objects.create(staff=branch.weak, valid_from=since, valid_to=until)
    source.put(branch.weak, (4.0,), 7, on=starts_on)
    source.put(branch.weak, (4.0,), 50, on=starts_on - timedelta(days=1))

    run = evaluated()

    assert result(branch.weak, run).starts_on == starts_on
    assert result(branch.weak, run).n == 67
    assert result(branch.staff[0], run).starts_on == STARTS_ON


def test_the_person_is_where_they_work_on_the_last_day(branch: Branch) -> None:
    south = make_unit("south")
    Assignment.objects.filter(staff=branch.weak).update(valid_to=date(2026, 2, 28))
    Assignment.objects.create(
        staff=branch.weak, unit=south, post=branch.post, valid_from=date(2026, 2, 28)
    )
    Assignment.objects.filter(staff=branch.staff[0]).update(valid_to=date(2026, 2, 28))

    run = evaluated()

    assert result(branch.weak, run).unit == south
    assert not StaffResult.objects.filter(run=run, staff=branch.staff[0]).exists()


# ---- Signals -------------------------------------------------------------------------------------


@pytest.fixture
def waiting(branch: Branch) -> Unit:
    """Customers of the region above the branch wait longer, and nobody has mended it."""
    bank = make_series(leaf("waiting"))
    Indicator.objects.filter(code="waiting").update(parameters={"measure": "waiting"})
    region = make_unit("region")
    bank.put(region, shifted(quiet(44), 3, since=40))
    bank.watch(44)
    return region


def below(unit: Unit, parent: Unit) -> None:
    Placement.objects.filter(unit=unit).update(parent=parent)


def test_verdicts_are_held_while_a_unit_above_has_a_signal_of_waiting(
    branch: Branch, waiting: Unit
) -> None:
    below(branch.unit, waiting)

    found = result(branch.weak)

    assert policy_on(ENDS_ON).freezing == ["waiting"]  # type: ignore[union-attr]  # it was made
    assert (found.verdict, found.held, found.gate) == (Verdict.HELD, "signal", Gate.NONE)
    assert found.estimate is not None


def test_a_signal_where_nobody_serves_makes_nothing_due_again_and_again(
    branch: Branch, waiting: Unit
) -> None:
    boss = make_post("boss")
    boss.is_front_line = False
    boss.save()
    hire("boss", waiting, boss)
    run = evaluated()

    assert run.frozen["setting"]["held_units"] == []
    assert due_windows(now=NOW) == []


def test_a_signal_elsewhere_of_something_else_or_over_holds_nothing(
    branch: Branch, waiting: Unit
) -> None:
    assert result(branch.weak).verdict == Verdict.LOW

    below(branch.unit, waiting)
    ResultsPolicy.objects.update(freezing=["other"])
    assert result(branch.weak).verdict == Verdict.LOW

    ResultsPolicy.objects.update(freezing=["waiting"])
    assert result(branch.weak).verdict == Verdict.HELD
    Signal.objects.update(state=Signal.State.RECOVERED, recovered_on=ENDS_ON)
    assert result(branch.weak).verdict == Verdict.LOW


def test_who_has_not_enough_data_has_nothing_to_hold(
    branch: Branch, waiting: Unit, source: MadeSource
) -> None:
    below(branch.unit, waiting)
    new = hire("new", branch.unit, branch.post)
    source.put(new, (1.0,), 10)

    assert (result(new).verdict, result(new).held) == (Verdict.NOT_ENOUGH, "")


# ---- Runs ----------------------------------------------------------------------------------------


def test_the_first_rules_name_the_indicators_of_waiting_times(branch: Branch) -> None:
    for code, source, measure in (
        ("a-wait", "encounters", "waiting"),
        ("a-time", "encounters", "handling"),
        ("b-wait", "measurements", "waiting"),
    ):
        Indicator.objects.create(
            code=code, name={"en": code}, source=source, parameters={"measure": measure}
        )

    assert evaluated().policy.freezing == ["a-wait"]


def test_the_same_again_changes_nothing(branch: Branch) -> None:
    first = evaluated()
    again = evaluated(now=NOW + timedelta(hours=1))

    assert again == first
    assert ResultsRun.objects.count() == 1
    assert StaffResult.objects.count() == 10
    assert OutboxEvent.objects.filter(kind="performance.results.published").count() == 1


def test_other_answers_make_a_new_revision(branch: Branch, source: MadeSource) -> None:
    first = evaluated()
    source.put(branch.weak, (7.0,), 5)

    second = evaluated()

    first.refresh_from_db()
    assert (first.is_current, second.is_current, second.revision) == (False, True, 2)
    assert StaffResult.objects.filter(run=first).count() == 10
    assert result(branch.weak, second).n == 65


def test_fewer_new_answers_than_a_batch_wait_and_change_nothing(
    branch: Branch, source: MadeSource
) -> None:
    first = evaluated()
    source.put(branch.weak, (7.0,), 4)

    assert evaluated() == first
    later = evaluated(date(2026, 4, 1), NOW + timedelta(days=40))
    assert (result(branch.weak, later).n, result(branch.weak, later).raw) == (60, 4.0)
    source.put(branch.weak, (7.0,), 1, on=date(2026, 4, 2))
    may = evaluated(date(2026, 5, 1), NOW + timedelta(days=70))
    assert result(branch.weak, may).n == 65


def test_a_run_can_be_replayed_hash_for_hash(branch: Branch, source: MadeSource) -> None:
    run = evaluated()
    ResultsPolicy.objects.update(smallest_difference=1.0)
    FrozenReliability.objects.update(icc=0.5)

    replay = replay_run(run.pk)

    assert replay.is_same
    assert replay.result_hash == run.result_hash
    source.put(branch.weak, (7.0,), 5)
    evaluated()
    assert replay_run(run.pk).is_same
    source.rows.pop(0)
    assert not replay_run(run.pk).is_same


def test_the_expected_wrong_verdicts_stand_beside_those_found(branch: Branch) -> None:
    figures = run_figures(evaluated())

    measure = figures.measures[0]
    assert (figures.judged, figures.low, measure.above, measure.held) == (10, 1, 0, 0)
    assert (measure.n, measure.people, measure.few) == (600, 10, 0)
    assert 0 < figures.expected_wrong < measure.expected_all < 3
    flags = expected_flags([60] * 10, WITHIN, BETWEEN, 0.3, 0.975, centre_variance=0.01)
    assert measure.expected_wrong == pytest.approx(flags.wrong, abs=1e-8)


def test_a_run_of_forty_people_asks_thirty_questions_of_the_database(
    source: MadeSource, django_assert_num_queries: Any
) -> None:
    branch = make_branch(make_unit("north"), make_post(), people=40)
    answer_all(source, branch)
    evaluated(date(2026, 2, 1))

    with django_assert_num_queries(30):
        evaluated()


def test_nobody_at_all_is_an_empty_run(source: MadeSource) -> None:
    run = evaluated()

    assert run.results.count() == 0
    assert run_figures(run).measures == ()


def test_equal_answers_of_everybody_give_no_verdict(source: MadeSource) -> None:
    branch = make_branch(make_unit("north"), make_post())
    for staff in branch.staff:
        source.put(staff, (7.0,))

    found = result(branch.weak)

    assert (found.raw, found.estimate, found.verdict) == (7.0, None, Verdict.NOT_ENOUGH)


# ---- The unit together ---------------------------------------------------------------------------


def test_the_mean_of_a_unit_is_there_for_who_passes_no_gate(
    branch: Branch, source: MadeSource
) -> None:
    new = hire("new", branch.unit, branch.post)
    source.put(new, (1.0,), 4)
    run = evaluated()

    mean = group_means(run, branch.unit)[CARE.key]

    assert (mean.people, mean.answers) == (10, 600)
    assert mean.mean == pytest.approx(4.9)


def test_the_mean_of_a_few_people_is_withheld(branch: Branch, source: MadeSource) -> None:
    small = make_branch(make_unit("south"), branch.post, people=4)
    for staff in small.staff:
        source.put(staff, WEAK)
    run = evaluated()

    assert group_means(run, small.unit) == {}
    assert set(group_means(run, branch.unit)) == {CARE.key}


def test_a_measure_that_is_asked_from_now_on_changes_nothing_of_former_windows(
    branch: Branch, source: MadeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = evaluated()
    new = MadeSource(key="new")
    monkeypatch.setattr(PERSON_SOURCES, "_offers", {source.key: source, new.key: new})

    assert replay_run(run.pk).is_same
    assert evaluated() == run
