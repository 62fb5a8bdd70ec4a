"""Studies of courses: registered beforehand, drawn by lot, concluded once."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope
from sqcore.org.models import Staff
from sqcore.tests.factories import NOW
from training.effect.models import Study
from training.effect.queries import figure_of, studies_seen_by, study_of
from training.effect.rules import drawn
from training.effect.services import abandon_study, conclude_study, enrol_drawn, register_study
from training.tests.effect.making import (
    AFTER,
    BEFORE,
    CARE,
    SELECTED,
    Bank,
    make_enrolment,
    make_session,
)

pytestmark = pytest.mark.django_db
LATER = datetime(2026, 8, 3, 9, 0, tzinfo=UTC)


def register(bank: Bank, *, by: User | Principal | None = None, **over: Any) -> Study:
    fields: dict[str, Any] = {
        "code": "listening-spring",
        "course": bank.course,
        "measure": CARE,
        "pool": "lowest",
        "selected_from": SELECTED[0],
        "selected_to": SELECTED[1],
        "before_from": BEFORE[0],
        "before_to": BEFORE[1],
        "after_from": AFTER[0],
        "after_to": AFTER[1],
        "minimum": 0.25,
        "size": 20,
        "now": NOW,
    }
    who = by if isinstance(by, Principal) else bank.as_(by or bank.hua)
    return register_study(by=who, **{**fields, **over})


def conclude(bank: Bank, study: Study, *, now: datetime = LATER) -> Study:
    return conclude_study(study_id=study.pk, by=bank.as_(bank.hua), now=now)


def groups(study: Study) -> tuple[set[int], set[int]]:
    rows = study.members.values_list("staff_id", "is_trained")
    return {i for i, trained in rows if trained}, {i for i, trained in rows if not trained}


def fields_of(refused: pytest.ExceptionInfo[InvalidInput]) -> set[str]:
    return {problem.field for problem in refused.value.problems}


def test_pool_is_the_lowest_and_half_of_it_is_drawn(bank: Bank) -> None:
    study = register(bank)

    trained, controls = groups(study)
    assert (len(trained), len(controls)) == (10, 10)
    lowest = {each.pk for each in bank.staff[:20]}
    assert len((trained | controls) & lowest) >= 18
    assert study.is_by_lot
    assert study.seed is not None
    assert trained == set(drawn(sorted(trained | controls), 10, study.seed))


def test_what_chance_alone_would_bring_is_kept(bank: Bank) -> None:
    found = register(bank).outcome["selection"]

    assert found["judged"] == 60
    assert found["chosen"] < found["mean"]
    assert 0 < found["reliability"] < 1
    gain = (1 - found["reliability"]) * (found["mean"] - found["chosen"])
    assert found["gain_without_training"] == pytest.approx(gain)


def test_another_seed_draws_others_and_the_same_seed_the_same() -> None:
    pool = list(range(100, 140))

    assert drawn(pool, 20, 7) == drawn(list(reversed(pool)), 20, 7)
    assert drawn(pool, 20, 7) != drawn(pool, 20, 8)
    assert len(set(drawn(pool, 20, 7))) == 20


def test_registration_is_audited_with_its_seed(bank: Bank) -> None:
    study = register(bank)

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("study.registered", f"study:{study.pk}")
    assert entry.details == {"course": bank.course.pk, "seed": study.seed, "trained": 10}


def test_course_that_works_is_effective(bank: Bank) -> None:
    study = register(bank)
    bank.said.moved = dict.fromkeys(groups(study)[0], 0.6)

    done = conclude(bank, study)

    found = done.outcome["differences"]
    assert done.verdict == Study.Verdict.EFFECTIVE
    assert found["effect"] == pytest.approx(0.6, abs=0.05)
    assert found["low"] > 0
    assert (found["trained"], found["controls"]) == (10, 10)
    assert found["pre_trend"]["low"] < 0 < found["pre_trend"]["high"]
    assert (done.state, done.concluded_at) == (Study.State.CONCLUDED, LATER)


def test_gain_of_everybody_is_no_effect_of_the_course(bank: Bank) -> None:
    study = register(bank)
    bank.said.moved = dict.fromkeys(bank.said.levels, 0.6)

    done = conclude(bank, study)

    found = done.outcome["differences"]
    assert done.verdict == Study.Verdict.NOT_EFFECTIVE
    assert found["effect"] == pytest.approx(0.0, abs=0.05)
    assert found["naive_p"] < 0.001


def test_course_that_does_harm_says_so(bank: Bank) -> None:
    study = register(bank)
    bank.said.moved = dict.fromkeys(groups(study)[0], -0.5)

    assert conclude(bank, study).verdict == Study.Verdict.HARMFUL


def test_who_left_is_lost_and_a_group_that_got_too_small_has_no_figures(bank: Bank) -> None:
    study = register(bank)
    bank.said.silent = set(sorted(groups(study)[0])[:6])

    done = conclude(bank, study)

    assert done.verdict == Study.Verdict.NOT_YET
    assert "differences" not in done.outcome
    assert figure_of(done) is None
    assert done.outcome["too_few"] is True
    assert (done.outcome["lost_trained"], done.outcome["lost_controls"]) == (6, 0)


def test_groups_stay_as_registered_whoever_took_the_course(bank: Bank) -> None:
    study = register(bank)
    trained, controls = groups(study)
    session = make_session(bank.course, "s1")
    for staff_id in [*sorted(trained)[:8], *sorted(controls)[:1]]:
        make_enrolment(session, Staff.objects.get(pk=staff_id), state="passed")

    done = conclude(bank, study)

    assert (done.outcome["took_trained"], done.outcome["took_controls"]) == (8, 1)
    assert done.outcome["differences"]["trained"] == 10


def test_same_answers_conclude_with_the_same_hash(bank: Bank) -> None:
    first = register(bank)
    trained = groups(first)[0]
    second = register(bank, code="again", trained_ids=trained)

    assert conclude(bank, first).outcome["input"] == conclude(bank, second).outcome["input"]


def test_conclusion_is_refused_before_the_end_and_made_once(bank: Bank) -> None:
    study = register(bank)
    with pytest.raises(Conflict, match="has not ended"):
        conclude(bank, study, now=datetime(2026, 7, 31, 9, 0, tzinfo=UTC))
    study.refresh_from_db()
    assert study.state == Study.State.REGISTERED

    done = conclude(bank, study)
    with pytest.raises(Conflict, match="has ended"):
        conclude(bank, study)

    assert AuditEntry.objects.filter(action="study.concluded").count() == 1
    study.refresh_from_db()
    assert study.outcome == done.outcome


def test_trained_that_were_chosen_by_others_are_not_by_lot(bank: Bank) -> None:
    pool = sorted(set.union(*groups(register(bank))))

    study = register(bank, code="chosen", trained_ids=pool[:7])

    assert groups(study) == (set(pool[:7]), set(pool[7:]))
    assert (study.is_by_lot, study.seed) == (False, None)


def test_pool_that_was_chosen_elsewhere_is_both_groups(bank: Bank) -> None:
    everybody = [each.pk for each in bank.staff]

    study = register(bank, trained_ids=everybody[:6], control_ids=everybody[-6:])

    assert groups(study) == (set(everybody[:6]), set(everybody[-6:]))
    assert study.outcome["selection"]["judged"] == len(everybody)


def test_nobody_is_in_both_groups(bank: Bank) -> None:
    everybody = [each.pk for each in bank.staff]

    with pytest.raises(InvalidInput) as refused:
        register(bank, trained_ids=everybody[:7], control_ids=everybody[6:12])

    assert fields_of(refused) == {"control_ids"}
    assert not Study.objects.exists()


def test_who_was_never_judged_is_in_no_group(bank: Bank) -> None:
    everybody = [each.pk for each in bank.staff]

    with pytest.raises(InvalidInput) as refused:
        register(bank, trained_ids=everybody[:6], control_ids=[*everybody[6:12], 10**9])

    assert fields_of(refused) == {"control_ids"}
    assert not Study.objects.exists()


def test_trained_outside_the_pool_have_nobody_to_compare_with(bank: Bank) -> None:
    with pytest.raises(InvalidInput) as refused:
        register(bank, trained_ids=[each.pk for each in bank.staff[-3:]])

    assert fields_of(refused) == {"trained_ids"}
    assert "3 of the trained" in refused.value.problems[0].reason
    assert not Study.objects.exists()


def test_drawn_are_enrolled_and_nobody_else(bank: Bank) -> None:
    study = register(bank)
    session = make_session(bank.course, "s1")
    make_enrolment(session, Staff.objects.get(pk=min(groups(study)[0])), origin="self")

    outcomes = enrol_drawn(study_id=study.pk, session_id=session.pk, by=bank.as_(bank.hua), now=NOW)

    assert (len(outcomes.done), outcomes.refused) == (10, {})
    assert set(session.enrolments.values_list("staff_id", flat=True)) == groups(study)[0]
    entry = AuditEntry.objects.get(action="study.enrolled")
    assert entry.details["done"] == 10
    assert "staff" not in str(entry.details)


@pytest.mark.parametrize("on", [date(2026, 2, 10), date(2026, 4, 10)])
def test_nobody_is_enrolled_into_a_session_inside_the_windows(on: date, bank: Bank) -> None:
    study = register(bank)
    session = make_session(bank.course, "s1", on=on)

    with pytest.raises(InvalidInput):
        enrol_drawn(study_id=study.pk, session_id=session.pk, by=bank.as_(bank.hua), now=NOW)

    assert not session.enrolments.exists()


def test_who_does_not_run_training_enrols_nobody(bank: Bank) -> None:
    study, session = register(bank), make_session(bank.course, "s1")

    with pytest.raises(NotPermitted):
        enrol_drawn(study_id=study.pk, session_id=session.pk, by=bank.as_(bank.mei), now=NOW)

    assert not session.enrolments.exists()


def test_waiting_list_are_the_controls_of_who_has_a_seat(bank: Bank) -> None:
    session = make_session(bank.course, "s1")
    for number, each in enumerate(bank.staff[:14]):
        waits = {"state": "waiting", "waits_since": NOW} if number >= 8 else {}
        make_enrolment(session, each, **waits)

    study = register(bank, pool="waiting", selected_from=None, selected_to=None)

    assert groups(study) == (
        {each.pk for each in bank.staff[:8]},
        {each.pk for each in bank.staff[8:14]},
    )
    assert (study.is_by_lot, study.outcome) == (False, {})
    bank.said.moved = dict.fromkeys(groups(study)[0], 0.6)
    assert conclude(bank, study).verdict == Study.Verdict.EFFECTIVE


def test_groups_below_the_smallest_that_is_shown_are_refused(bank: Bank) -> None:
    with pytest.raises(InvalidInput, match="Some fields") as refused:
        register(bank, size=9)

    assert fields_of(refused) == {"size"}
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"code": "no spaces"}, "code"),
        ({"code": "x" * 61}, "code"),
        ({"pool": "best"}, "pool"),
        ({"minimum": 0.0}, "minimum"),
        ({"minimum": 7.0}, "minimum"),
        ({"minimum": float("nan")}, "minimum"),
        ({"share_trained": 1.0}, "share_trained"),
        ({"selected_from": None}, "selected_from"),
        ({"selected_from": date(2020, 1, 1), "selected_to": date(2020, 2, 1)}, "selected_from"),
        ({"selected_to": date(2025, 5, 1)}, "selected_to"),
        ({"selected_to": date(2026, 3, 3), "before_from": date(2026, 3, 3),
          "before_to": date(2026, 3, 30)}, "selected_to"),
        ({"before_from": date(2025, 10, 1)}, "before_from"),
        ({"before_to": date(2025, 10, 1)}, "before_to"),
        ({"after_to": date(2026, 4, 1)}, "after_to"),
        ({"after_from": date(2026, 2, 1)}, "after_from"),
        ({"after_from": date(2026, 3, 1)}, "after_from"),
        ({"size": 61}, "size"),
        ({"size": 0}, "size"),
    ],
)  # fmt: skip
def test_unusable_study_is_refused_by_its_field(
    over: dict[str, Any], field: str, bank: Bank
) -> None:
    with pytest.raises(InvalidInput) as refused:
        register(bank, **over)

    assert fields_of(refused) == {field}
    assert not Study.objects.exists()
    assert not AuditEntry.objects.exists()


def test_people_who_do_not_differ_have_no_lowest(bank: Bank) -> None:
    bank.said.levels = dict.fromkeys(bank.said.levels, 5.0)

    with pytest.raises(InvalidInput) as refused:
        register(bank)

    assert fields_of(refused) == {"measure"}


def test_unknown_measure_is_not_found(bank: Bank) -> None:
    with pytest.raises(NotFound, match="talk/speed"):
        register(bank, measure="talk/speed")


def test_code_is_taken_once(bank: Bank) -> None:
    register(bank)

    with pytest.raises(Conflict, match="this code"):
        register(bank)

    assert Study.objects.count() == 1


def test_who_does_not_run_all_training_registers_nothing(bank: Bank) -> None:
    here = Principal(
        key="token:1",
        name="North",
        permissions={Permission.MANAGE_TRAINING: Scope(units=frozenset({bank.north.pk}))},
    )
    for by in (bank.mei, bank.li, here):
        with pytest.raises(NotPermitted):
            register(bank, by=by)

    assert not Study.objects.exists()


def test_study_given_up_stays_with_its_reason(bank: Bank) -> None:
    study = register(bank)
    with pytest.raises(InvalidInput):
        abandon_study(study_id=study.pk, why=" ", by=bank.as_(bank.hua), now=NOW)

    abandon_study(study_id=study.pk, why="The course fell out.", by=bank.as_(bank.hua), now=NOW)

    found = study_of(bank.as_(bank.hua), "listening-spring")
    assert (found.state, found.why_abandoned) == ("abandoned", "The course fell out.")
    with pytest.raises(Conflict):
        conclude(bank, study)


def test_only_who_runs_all_training_ends_a_study(bank: Bank) -> None:
    study = register(bank)
    mei = bank.as_(bank.mei)

    with pytest.raises(NotPermitted):
        conclude_study(study_id=study.pk, by=mei, now=LATER)
    with pytest.raises(NotPermitted):
        abandon_study(study_id=study.pk, why="No", by=mei, now=NOW)
    with pytest.raises(NotFound):
        conclude_study(study_id=study.pk + 1, by=bank.as_(bank.hua), now=LATER)

    study.refresh_from_db()
    assert study.state == Study.State.REGISTERED


def test_who_sees_training_sees_studies_and_others_do_not(bank: Bank) -> None:
    study = register(bank)

    assert list(studies_seen_by(bank.as_(bank.mei))) == [study]
    assert list(studies_seen_by(bank.as_(bank.li))) == []
    with pytest.raises(NotFound):
        study_of(bank.as_(bank.li), study.code)


def test_list_of_studies_counts_both_groups_in_one_query(
    bank: Bank, django_assert_num_queries: Any
) -> None:
    register(bank)
    register(bank, code="second", size=30, share_trained=0.4)
    hua = bank.as_(bank.hua)

    with django_assert_num_queries(1):
        seen: list[Any] = list(studies_seen_by(hua))
        found = {(each.code, each.course.code, each.trained, each.controls) for each in seen}

    assert found == {
        ("listening-spring", "listening", 10, 10),
        ("second", "listening", 12, 18),
    }
