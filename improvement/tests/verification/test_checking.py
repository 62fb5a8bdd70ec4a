"""The verdict on an effect, from series of the shapes that repairs and chance have."""

import pytest
from scipy import stats

from improvement.tests.verification.stage import (
    ACTION,
    ALARM,
    FIRST_AFTER,
    PLANNED,
    Stage,
    make_stage,
    quiet,
    repaired,
    risen,
    shifted,
)
from improvement.tickets.models import State, Ticket
from improvement.verification.models import EffectCheck, EffectPlan, Verdict
from improvement.verification.queries import replay_check, verify_digest
from improvement.verification.services import (
    check_effect,
    check_held,
    extend_check,
    lock_effect_plan,
)
from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, NotFound, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.monitoring.models import Annotation, Baseline
from sqcore.stats.effects import Verdict as Judged
from sqcore.stats.effects import mean_shift, verdict

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage() -> Stage:
    return make_stage()


# ---- The demo's truths ---------------------------------------------------------------------------
def test_finds_a_repaired_shift_improved_and_restored(stage: Stage) -> None:
    check = stage.checked(repaired(104), week=90, wished_on=stage.on(83))

    assert (check.verdict, check.reasons) == (Verdict.IMPROVED, ["minimum_reached"])
    assert (check.n_before, check.n_after) == (12, 20)
    assert check.mean_before == pytest.approx(14.0)
    assert check.mean_after == pytest.approx(9.0)
    assert check.estimate == pytest.approx(-5.0)
    assert check.is_restored is True
    assert check.grade == EffectCheck.Grade.C
    assert [row["on"] for row in check.points["before"]] == [
        stage.on(week).isoformat() for week in range(ALARM + 1, ACTION)
    ]
    assert check.points["after"][0]["on"] == stage.on(FIRST_AFTER).isoformat()
    assert check.points["after"][-1]["on"] == stage.on(82).isoformat()


def test_a_baseline_before_the_trigger_would_not_see_the_repair(stage: Stage) -> None:
    waits = [value for value in repaired(104) if value is not None]

    naive = mean_shift(waits[:26], waits[FIRST_AFTER - 1 : 82])

    assert verdict(naive, better=-1, minimum=1.5)[0] is not Judged.IMPROVED


def test_takes_regression_to_the_mean_for_no_improvement(stage: Stage) -> None:
    waits = shifted(quiet(104), 6.0, since=44, until=ALARM)
    known = [value for value in waits if value is not None]
    naive = stats.ttest_ind(known[ALARM - 5 : ALARM], known[FIRST_AFTER - 1 : FIRST_AFTER + 7])

    check = stage.checked(waits, week=90, wished_on=stage.on(83))

    assert naive.pvalue < 0.05
    assert (check.verdict, check.reasons) == (Verdict.NO_CHANGE, ["minimum_excluded"])


def test_says_when_it_got_worse(stage: Stage) -> None:
    check = stage.checked(shifted(risen(104), 3.0, since=ACTION), week=90)

    assert (check.verdict, check.reasons) == (Verdict.WORSE, ["interval_on_the_bad_side"])
    assert check.is_restored is False


def test_a_gain_below_the_promise_is_no_improvement(stage: Stage) -> None:
    check = stage.checked(repaired(104, by=1.2), week=90, wished_on=stage.on(83))

    assert (check.verdict, check.reasons) == (Verdict.NO_CHANGE, ["gain_below_minimum"])
    assert check.high is not None
    assert check.high < 0


# ---- Why nothing can be said ---------------------------------------------------------------------
def test_too_few_periods_before_an_action_that_came_early(stage: Stage) -> None:
    stage.put(repaired(104))
    stage.put(quiet(104), code="errors")
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket))
    stage.do(ticket, week=54)

    check = stage.check(ticket, week=90)

    assert (check.verdict, check.reasons) == (Verdict.INCONCLUSIVE, ["too_few_before"])
    assert check.n_before == 5
    assert check.low is None


def test_a_containment_ends_the_side_before(stage: Stage) -> None:
    stage.put(repaired(104))
    stage.put(quiet(104), code="errors")
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket))
    stage.do(ticket)
    Ticket.objects.filter(pk=ticket.pk).update(contained_on=stage.on(52))

    check = stage.check(ticket, week=90)

    assert check.reasons == ["too_few_before"]
    assert check.n_before == 3
    assert check.points["first_on"] == stage.on(52).isoformat()


def test_a_change_of_another_ticket_makes_it_inconclusive(stage: Stage) -> None:
    stage.put(repaired(104))
    stage.put(quiet(104), code="errors")
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket))
    stage.do(ticket)
    for reference, week in ((f"ticket:{ticket.pk}", 61), ("ticket:999", 40), ("ticket:999", 64)):
        Annotation.objects.create(
            kind=Annotation.Kind.CHANGE,
            unit=stage.unit,
            code="waiting",
            starts_on=stage.on(week),
            ends_on=stage.on(week + 1),
            text="a change",
            reference=reference,
            created_at=stage.at(week),
        )

    check = stage.check(ticket, week=90)

    assert check.verdict == Verdict.INCONCLUSIVE
    assert check.reasons == ["concurrent_change", "minimum_reached"]
    assert len(check.points["concurrent"]) == 1


def test_a_balancing_measure_that_got_worse_takes_the_improvement_away(stage: Stage) -> None:
    stage.put(repaired(104))
    stage.put(shifted(quiet(104), 3.0, since=ACTION), code="errors")
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket, wished_on=stage.on(83)))
    stage.do(ticket)

    check = stage.check(ticket, week=90)

    assert check.verdict == Verdict.INCONCLUSIVE
    assert check.reasons == ["balancing_worse", "minimum_reached"]
    assert check.balancing[0]["is_worse"] is True
    assert check.balancing[0]["estimate"] == pytest.approx(3.0)


def test_too_many_holes_after_the_action_are_no_ground_for_a_verdict(stage: Stage) -> None:
    waits = repaired(104)
    for week in (64, 66, 68, 70, 72, 74):
        waits[week - 1] = None

    check = stage.checked(waits, week=104, wished_on=stage.on(83))

    assert check.verdict == Verdict.INCONCLUSIVE
    assert check.reasons[0] == "data_quality"
    assert len(check.points["after"]) == 25
    assert check.n_after == 19


def test_skips_excluded_periods_and_waits_for_others(stage: Stage) -> None:
    stage.put(repaired(104))
    stage.put(quiet(104), code="errors")
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket, wished_on=stage.on(83)))
    stage.do(ticket)
    Annotation.objects.create(
        kind=Annotation.Kind.EXCLUSION,
        unit=stage.unit,
        starts_on=stage.on(70),
        ends_on=stage.on(72),
        text="flood",
        created_at=stage.at(72),
    )

    early, late = stage.check(ticket, week=83), stage.check(ticket, week=84)

    assert early.is_interim
    assert (late.is_interim, late.n_after, len(late.points["after"])) == (False, 20, 22)


def test_a_period_that_is_only_late_is_waited_for(stage: Stage) -> None:
    stage.put(repaired(81))
    stage.put(quiet(81), code="errors")
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket, wished_on=stage.on(83)))
    stage.do(ticket)

    assert stage.check(ticket, week=82).is_interim


def test_a_series_that_ended_is_not_waited_for_for_ever(stage: Stage) -> None:
    check = stage.checked(repaired(70), week=92, wished_on=stage.on(83))

    assert (check.verdict, check.reasons[0]) == (Verdict.INCONCLUSIVE, "data_quality")
    assert check.n_after == 8


def test_without_a_frozen_baseline_the_evidence_is_weaker(stage: Stage) -> None:
    stage.put(repaired(104))
    stage.put(quiet(104), code="errors")
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket))
    stage.do(ticket)
    Baseline.objects.update(applies_from=stage.on(100))

    check = stage.check(ticket, week=90)

    assert (check.grade, check.is_restored) == (EffectCheck.Grade.D, None)
    assert check.verdict == Verdict.IMPROVED


# ---- Looking ------------------------------------------------------------------------------------
def test_an_early_look_has_no_verdict_and_no_interval(stage: Stage) -> None:
    check = stage.checked(repaired(104), week=66, wished_on=stage.on(83))

    assert check.is_interim
    assert (check.verdict, check.reasons, check.n_after) == ("", [], 4)
    assert (check.low, check.high, check.p, check.is_restored) == (None, None, None, None)
    assert check.estimate == pytest.approx(-4.625)


def test_looking_often_leaves_one_row_a_period(stage: Stage) -> None:
    first = stage.checked(repaired(104), week=66, wished_on=stage.on(83))
    ticket = first.plan.ticket

    again, later = stage.check(ticket, week=66), stage.check(ticket, week=67)

    assert again.pk == first.pk
    assert later.pk != first.pk
    assert EffectCheck.objects.count() == 2


def test_a_final_look_is_made_once(stage: Stage) -> None:
    first = stage.checked(repaired(104), week=83, wished_on=stage.on(83))

    again = stage.check(first.plan.ticket, week=100)

    assert again.pk == first.pk
    assert again.n_after == 20
    assert AuditEntry.objects.filter(action="effect.checked").count() == 1


def test_the_same_points_give_the_same_numbers(stage: Stage) -> None:
    check = stage.checked(repaired(104), week=90)

    assert replay_check(EffectCheck.objects.get(pk=check.pk)).is_same


def test_a_changed_point_is_found(stage: Stage) -> None:
    check = stage.checked(repaired(104), week=90)
    check.points["after"][0]["value"] = 1.0
    check.save()

    differs = replay_check(EffectCheck.objects.get(pk=check.pk)).differs

    assert {"mean_after", "estimate", "digest"} <= set(differs)


def test_late_data_do_not_change_a_check_that_was_made(stage: Stage) -> None:
    check = stage.checked(repaired(104), week=90)
    stage.series.revise(stage.unit, FIRST_AFTER, 99.0)

    again = stage.check(check.plan.ticket, week=91)

    assert again.pk == check.pk
    assert replay_check(again).is_same


def test_refuses_to_check_what_is_not_done(stage: Stage) -> None:
    stage.put(repaired(104))
    stage.put(quiet(104), code="errors")
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket))

    with pytest.raises(Conflict):
        stage.check(ticket, week=90)
    Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)
    with pytest.raises(Conflict):
        stage.check(ticket, week=90)

    assert not EffectCheck.objects.exists()


def test_refuses_to_check_without_a_locked_promise(stage: Stage) -> None:
    stage.put(repaired(104))
    stage.put(quiet(104), code="errors")
    ticket = stage.ticket()
    stage.plan(ticket)
    stage.do(ticket)

    with pytest.raises(Conflict):
        stage.check(ticket, week=90)

    assert not EffectCheck.objects.exists()


def test_refuses_to_check_a_promise_that_was_changed_in_the_database(stage: Stage) -> None:
    stage.put(repaired(104))
    stage.put(quiet(104), code="errors")
    ticket = stage.ticket()
    plan = stage.lock(stage.plan(ticket))
    stage.do(ticket)
    EffectPlan.objects.filter(pk=plan.pk).update(minimum=0.1)

    with pytest.raises(Conflict):
        stage.check(ticket, week=90)

    assert not verify_digest(EffectPlan.objects.get(pk=plan.pk))
    assert not EffectCheck.objects.exists()


def test_who_sees_no_tickets_here_finds_none(stage: Stage) -> None:
    stage.put(repaired(104))
    stage.put(quiet(104), code="errors")
    ticket = stage.ticket()
    stage.lock(stage.plan(ticket))
    stage.do(ticket)

    with pytest.raises(NotFound):
        check_effect(ticket_id=ticket.pk, by=stage.as_(stage.bank.chen), now=stage.at(90))

    assert not EffectCheck.objects.exists()


# ---- A second look -------------------------------------------------------------------------------
def _inconclusive(stage: Stage, **over: object) -> EffectCheck:
    """A promise that may be extended, and a first look that saw less than was promised."""
    waits = repaired(104, by=0.6)
    return stage.checked(waits, week=90, wished_on=stage.on(75), **over)


def test_a_second_look_sees_twice_as_much_at_the_same_confidence(stage: Stage) -> None:
    first = _inconclusive(stage, is_extendable=True)
    ticket = first.plan.ticket

    plan = extend_check(ticket_id=ticket.pk, by=stage.mei, now=stage.at(91))
    early = stage.check(ticket, week=first.n_after * 2 + FIRST_AFTER - 2)
    second = stage.check(ticket, week=first.n_after * 2 + FIRST_AFTER - 1)

    assert first.confidence == second.confidence == 0.975
    assert plan.extended_to == stage.on(FIRST_AFTER + 2 * first.n_after)
    assert early.is_interim
    assert (second.look, second.n_after) == (2, 2 * first.n_after)
    assert verify_digest(EffectPlan.objects.get(pk=plan.pk))


def test_a_check_is_extended_once(stage: Stage) -> None:
    first = _inconclusive(stage, is_extendable=True)
    ticket = first.plan.ticket
    extend_check(ticket_id=ticket.pk, by=stage.mei, now=stage.at(91))

    with pytest.raises(Conflict):
        extend_check(ticket_id=ticket.pk, by=stage.mei, now=stage.at(92))

    assert AuditEntry.objects.filter(action="effect.extended").count() == 1


def test_refuses_a_second_look_that_was_not_promised(stage: Stage) -> None:
    first = _inconclusive(stage)

    with pytest.raises(Conflict):
        extend_check(ticket_id=first.plan.ticket_id, by=stage.mei, now=stage.at(91))

    assert first.confidence == 0.95
    assert not EffectPlan.objects.filter(extended_to__isnull=False).exists()


def test_a_look_without_an_interval_spent_nothing(stage: Stage) -> None:
    first = stage.checked(repaired(65), week=92, wished_on=stage.on(83))

    plan = extend_check(ticket_id=first.plan.ticket_id, by=stage.mei, now=stage.at(92))

    assert first.low is None
    assert plan.extended_to is not None


def test_refuses_to_extend_a_clear_verdict(stage: Stage) -> None:
    first = stage.checked(repaired(104), week=90, is_extendable=True)

    with pytest.raises(Conflict):
        extend_check(ticket_id=first.plan.ticket_id, by=stage.mei, now=stage.at(91))

    assert not EffectPlan.objects.filter(extended_to__isnull=False).exists()


def test_who_only_works_here_extends_nothing(stage: Stage) -> None:
    first = _inconclusive(stage, is_extendable=True)
    Ticket.objects.update(owner=stage.bank.mei)

    with pytest.raises(NotPermitted):
        extend_check(ticket_id=first.plan.ticket_id, by=stage.as_(stage.bank.li), now=stage.at(91))

    assert not EffectPlan.objects.filter(extended_to__isnull=False).exists()


# ---- Later ---------------------------------------------------------------------------------------
def _confirmed(check: EffectCheck) -> EffectCheck:
    EffectCheck.objects.filter(pk=check.pk).update(confirmed_verdict=check.verdict)
    return check


def test_an_effect_holds_while_the_gain_is_as_large_as_promised(stage: Stage) -> None:
    check = _confirmed(stage.checked(repaired(104), week=83, wished_on=stage.on(83)))
    ticket_id = check.plan.ticket_id

    assert check_held(ticket_id=ticket_id, now=stage.at(89)) is None
    stage.series.system.signals.update(state="recovered", recovered_on=stage.on(80))
    assert check_held(ticket_id=ticket_id, now=stage.at(90)) is True


def test_an_effect_does_not_hold_while_a_signal_is_open(stage: Stage) -> None:
    check = _confirmed(stage.checked(repaired(104), week=83, wished_on=stage.on(83)))

    assert check_held(ticket_id=check.plan.ticket_id, now=stage.at(90)) is False


def test_an_effect_that_fades_does_not_hold(stage: Stage) -> None:
    waits = shifted(repaired(104), 4.5, since=83)
    check = _confirmed(stage.checked(waits, week=83, wished_on=stage.on(83)))
    stage.series.system.signals.update(state="recovered", recovered_on=stage.on(80))

    assert check.verdict == Verdict.IMPROVED
    assert check_held(ticket_id=check.plan.ticket_id, now=stage.at(95)) is False


def test_nothing_holds_that_was_not_confirmed(stage: Stage) -> None:
    check = stage.checked(repaired(104), week=83)

    assert check_held(ticket_id=check.plan.ticket_id, now=stage.at(104)) is None
    assert not OutboxEvent.objects.filter(kind="improvement.effect.verified").exists()


def test_locking_again_changes_nothing(stage: Stage) -> None:
    stage.put(risen(60))
    stage.put(quiet(60), code="errors")
    plan = stage.lock(stage.plan(stage.ticket()))
    digest, locked_at = plan.digest, plan.locked_at

    lock_effect_plan(plan=plan, now=stage.at(PLANNED + 5))

    kept = EffectPlan.objects.get(pk=plan.pk)
    assert (kept.digest, kept.locked_at) == (digest, locked_at)
    assert len(digest) == 64
