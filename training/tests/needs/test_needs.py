"""Training needs: what opens them, what joins them, and how they end."""

from datetime import date, timedelta
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.bus import drain, publish
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.base.events import (
    StaffResultsPublished,
    TrainingCompleted,
    TrainingDelivered,
    TrainingRequested,
)
from sqcore.base.models import OutboxEvent
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal, system_principal
from sqcore.org.models import Staff
from sqcore.performance.models import ResultsRun, StaffResult
from sqcore.tests.factories import NOW, TODAY
from training.competencies.models import Competency
from training.competencies.services import record_evidence
from training.courses.models import CourseVersion
from training.enrolments.models import Enrolment
from training.needs.models import Need, NeedReason
from training.needs.queries import needs_listed
from training.needs.services import (
    QUIET,
    ask_for_training,
    dismiss_need,
    export_needs,
    meet_needs,
    open_need,
    plan_need,
    search_needs,
)
from training.tests.factories import Bank, make_bank, make_competency, require, show
from training.tests.needs.making import (
    make_certificate,
    make_course_version,
    make_result,
    make_run,
    make_session,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def talk() -> Competency:
    return make_competency("communication", measures=["servqual/assurance"])


def open_(bank: Bank, talk: Competency, **over: Any) -> Need:
    fields: dict[str, Any] = {
        "staff_id": bank.li.pk,
        "competency_id": talk.pk,
        "origin": "gap",
        "reference": "gap:1",
        "text": {"en": "A gap"},
        "benefit": 1.0,
        "now": NOW,
    }
    need, _is_new = open_need(**{**fields, **over})
    assert need is not None
    return need


# Opening -----------------------------------------------------------------------------------------


def test_reasons_for_the_same_competency_join_in_one_need(bank: Bank, talk: Competency) -> None:
    first = open_(bank, talk)

    again, is_new = open_need(
        staff_id=bank.li.pk, competency_id=talk.pk, origin="ticket", reference="ticket/a/1",
        text={"en": "For T-1"}, benefit=2.0, now=NOW,
    )  # fmt: skip
    open_(bank, talk)

    assert (again, is_new) == (first, False)
    need = Need.objects.get()
    assert need.benefit == 3.0
    assert [reason.reference for reason in need.reasons.all()] == ["gap:1", "ticket/a/1"]


def test_a_reason_that_was_answered_opens_nothing_again(bank: Bank, talk: Competency) -> None:
    need = open_(bank, talk, origin="ticket")
    dismiss_need(need_id=need.pk, why="Known already.", by=bank.as_(bank.mei), now=NOW)

    found, is_new = open_need(
        staff_id=bank.li.pk, competency_id=talk.pk, origin="ticket", reference="gap:1",
        text={"en": "A gap"}, benefit=1.0, now=NOW,
    )  # fmt: skip

    assert (found, is_new) == (None, False)
    assert Need.objects.count() == 1


def test_a_low_result_for_coaching_opens_a_developmental_need(bank: Bank, talk: Competency) -> None:
    run = make_run()
    make_result(bank, run, bank.li)
    make_result(bank, run, bank.mei, verdict=StaffResult.Verdict.ALIKE)
    make_result(bank, run, bank.chen, gate=StaffResult.Gate.NONE)

    publish(StaffResultsPublished(run_id=run.pk), now=NOW)
    drain(now=NOW)

    need = Need.objects.get()
    assert (need.staff, need.competency, need.state) == (bank.li, talk, "open")
    assert need.benefit == pytest.approx(10 * 0.5 * 0.98)
    reason = need.reasons.get()
    assert reason.origin == "result"
    assert "comparable colleagues" in reason.text["en"]
    assert "3.5" not in reason.text["en"]


def test_the_next_run_renews_the_reason_and_adds_no_second_one(
    bank: Bank, talk: Competency
) -> None:
    for ends_on in (date(2026, 2, 1), date(2026, 3, 1)):
        run = make_run(ends_on=ends_on)
        make_result(bank, run, bank.li)
        publish(StaffResultsPublished(run_id=run.pk), now=NOW)
        drain(now=NOW)

    assert NeedReason.objects.get().reference.endswith(":2026-03-01")
    assert Need.objects.get().benefit == pytest.approx(4.9)


def test_a_result_stays_quiet_for_half_a_year_after_its_need_ended(
    bank: Bank, talk: Competency
) -> None:
    run = make_run()
    make_result(bank, run, bank.li)
    publish(StaffResultsPublished(run_id=run.pk), now=NOW)
    drain(now=NOW)
    need = Need.objects.get()
    dismiss_need(need_id=need.pk, why="Coached at work.", by=bank.as_(bank.mei), now=NOW)

    for ends_on, later in (
        (date(2026, 4, 1), NOW + timedelta(days=30)),
        (date(2026, 10, 1), NOW + QUIET + timedelta(days=1)),
    ):
        run = make_run(ends_on=ends_on)
        make_result(bank, run, bank.li)
        publish(StaffResultsPublished(run_id=run.pk), now=later)
        drain(now=later)

    assert list(Need.objects.order_by("id").values_list("state", flat=True)) == [
        "dismissed",
        "open",
    ]


def test_the_daily_search_finds_gaps_that_were_shown_and_certificates_that_end(
    bank: Bank, talk: Competency
) -> None:
    team, law = make_competency("teamwork"), make_course_version("law").course
    require(bank.teller, talk, 3)
    require(bank.teller, team, 2)
    show(bank.li, talk, 1)
    make_certificate(bank.mei, law, expires_on=TODAY + timedelta(days=60))
    make_certificate(bank.li, law, expires_on=TODAY + timedelta(days=61))

    assert search_needs(now=NOW) == 2
    assert search_needs(now=NOW) == 0

    found = {
        (need.staff.number, str(need.competency or need.course), need.benefit)
        for need in Need.objects.select_related("staff", "competency", "course")
    }
    assert found == {("li", "Communication", 2.0), ("mei", "Law", 1.0)}
    search_needs(now=NOW + timedelta(days=30))
    assert Need.objects.get(staff=bank.mei).benefit == 2.0


def test_an_improvement_opens_needs_and_hears_how_many_are_done(
    bank: Bank, talk: Competency
) -> None:
    asked = TrainingRequested(
        reference="action-7",
        staff_ids=(bank.li.pk, bank.mei.pk),
        competency="communication",
        text="Say how long it takes",
    )
    publish(asked, now=NOW)
    drain(now=NOW)
    course = make_course_version(teaches=talk).course

    meet_needs(staff_id=bank.li.pk, course=course.code, now=NOW)

    told = OutboxEvent.objects.filter(kind=TrainingDelivered.kind).order_by("id")
    assert [event.payload for event in told] == [
        {"reference": "action-7", "done": 0, "of": 2},
        {"reference": "action-7", "done": 1, "of": 2},
    ]


def test_people_ask_for_themselves_and_managers_for_their_people(
    bank: Bank, talk: Competency
) -> None:
    li, mei = bank.as_(bank.li), bank.as_(bank.mei)
    ask_for_training(staff_id=bank.li.pk, competency=talk, text="I want to.", by=li, now=NOW)
    ask_for_training(staff_id=bank.li.pk, competency=talk, text="He should.", by=mei, now=NOW)

    need = Need.objects.get()
    assert [reason.text["en"] for reason in need.reasons.all()] == ["I want to.", "He should."]
    with pytest.raises(NotPermitted):
        ask_for_training(
            staff_id=bank.li.pk, competency=talk, text="No.", by=bank.as_(bank.chen), now=NOW
        )
    assert NeedReason.objects.count() == 2


# Planning and ending -----------------------------------------------------------------------------


def test_a_need_is_planned_and_the_person_enrolled_in_one_step(
    bank: Bank, talk: Competency
) -> None:
    need = open_(bank, talk)
    session = make_session(make_course_version(teaches=talk), bank)

    plan_need(need_id=need.pk, session_id=session.pk, by=bank.as_(bank.mei), now=NOW)

    need.refresh_from_db()
    enrolment = Enrolment.objects.get()
    assert (need.state, need.enrolment) == ("planned", enrolment)
    assert (enrolment.staff, enrolment.origin, enrolment.state) == (bank.li, "need", "enrolled")
    with pytest.raises(Conflict):
        plan_need(need_id=need.pk, session_id=session.pk, by=bank.as_(bank.mei), now=NOW)


def test_a_session_that_teaches_something_else_is_refused(bank: Bank, talk: Competency) -> None:
    need = open_(bank, talk)
    session = make_session(make_course_version("law"), bank)

    with pytest.raises(InvalidInput):
        plan_need(need_id=need.pk, session_id=session.pk, by=bank.as_(bank.mei), now=NOW)

    assert Need.objects.get().state == "open"
    assert not Enrolment.objects.exists()


def test_nobody_plans_or_dismisses_needs_of_people_elsewhere(bank: Bank, talk: Competency) -> None:
    need = open_(bank, talk)
    session = make_session(make_course_version(teaches=talk), bank)

    with pytest.raises(NotFound):
        plan_need(need_id=need.pk, session_id=session.pk, by=bank.as_(bank.chen), now=NOW)
    with pytest.raises(NotPermitted):
        dismiss_need(need_id=need.pk, why="No.", by=bank.as_(bank.li), now=NOW)

    assert Need.objects.get().state == "open"


def test_a_person_takes_the_own_request_back(bank: Bank, talk: Competency) -> None:
    li = bank.as_(bank.li)
    need = ask_for_training(staff_id=bank.li.pk, competency=talk, text="Please.", by=li, now=NOW)

    dismiss_need(need_id=need.pk, why="No longer.", by=li, now=NOW)

    need.refresh_from_db()
    assert (need.state, need.closed_by, need.closed_on) == ("dismissed", bank.li.user, TODAY)


def test_a_planned_need_opens_anew_when_its_session_came_to_nothing(
    bank: Bank, talk: Competency
) -> None:
    need = open_(bank, talk, origin="ticket")
    session = make_session(make_course_version(teaches=talk), bank)
    plan_need(need_id=need.pk, session_id=session.pk, by=bank.as_(bank.mei), now=NOW)
    Enrolment.objects.update(state="absent")

    search_needs(now=NOW)

    need.refresh_from_db()
    assert (need.state, need.enrolment) == ("open", None)


def test_a_passed_course_meets_the_need_when_it_teaches_what_the_post_needs(
    bank: Bank, talk: Competency
) -> None:
    require(bank.teller, talk, 3)
    basic = make_course_version("basic", teaches=talk, level=2).course
    more = make_course_version("more", teaches=talk, level=3).course
    need = open_(bank, talk)

    assert meet_needs(staff_id=bank.li.pk, course=basic.code, now=NOW) == 0
    publish(
        TrainingCompleted(
            enrolment_id=1, staff_id=bank.li.pk, course=more.code, on="2026-03-02", title={}
        ),
        now=NOW,
    )
    drain(now=NOW)

    need.refresh_from_db()
    assert (need.state, need.why_closed) == ("met", "Passed: More")


def test_new_evidence_at_the_required_level_meets_the_need(bank: Bank, talk: Competency) -> None:
    require(bank.teller, talk, 2)
    show(bank.li, talk, 1)
    search_needs(now=NOW)
    assert Need.objects.get().state == "open"

    record_evidence(
        staff=bank.li, competency=talk, level=2, kind="assessment", on=TODAY, text="Seen.",
        by=bank.as_(bank.mei), now=NOW,
    )  # fmt: skip
    drain(now=NOW)

    assert Need.objects.get().state == "met"


def test_a_gap_that_is_none_any_more_ends_and_so_do_needs_of_who_left(
    bank: Bank, talk: Competency
) -> None:
    required = require(bank.teller, talk, 2)
    show(bank.li, talk, 1)
    search_needs(now=NOW)
    open_(bank, talk, staff_id=bank.mei.pk, origin="ticket", reference="ticket/b/1")
    required.delete()
    bank.mei.left_on = TODAY
    bank.mei.save()

    search_needs(now=NOW)

    states = dict(Need.objects.values_list("staff__number", "state"))
    assert states == {"li": "met", "mei": "dismissed"}


# Seeing ------------------------------------------------------------------------------------------


def test_the_greatest_benefit_stands_first_and_only_of_ones_people(
    bank: Bank, talk: Competency
) -> None:
    team = make_competency("teamwork")
    open_(bank, talk, benefit=1.0)
    open_(bank, team, reference="gap:2", benefit=3.0)
    open_(bank, talk, reference="gap:3", staff_id=bank.chen.pk, benefit=9.0)

    def seen(who: Any) -> list[tuple[str, str]]:
        rows = needs_listed(bank.as_(who), on=TODAY)
        return [(need.staff.number, str(need.competency)) for need in rows]

    assert seen(bank.mei) == [("li", "Teamwork"), ("li", "Communication")]
    assert seen(bank.hua) == [
        ("chen", "Communication"),
        ("li", "Teamwork"),
        ("li", "Communication"),
    ]
    assert [
        need.staff for need in needs_listed(bank.as_(bank.mei), on=TODAY, unit=bank.south)
    ] == []


def test_the_export_is_marked_kept_in_the_ledger_and_not_given_to_part_with_people(
    bank: Bank, talk: Competency
) -> None:
    open_(bank, talk, origin="result", reference="result:1:x:1:2026-03-01")
    mei = bank.as_(bank.mei)
    needs = needs_listed(mei, on=TODAY)

    for purpose in ("dismissal", ""):
        with pytest.raises(InvalidInput):
            export_needs(needs=needs, purpose=purpose, by=mei, now=NOW)
    assert not AuditEntry.objects.filter(action="needs.exported").exists()

    (row,) = export_needs(needs=needs, purpose="planning", by=mei, now=NOW)

    assert row[-1] == "Developmental, not a finding of incompetence."
    assert AuditEntry.objects.get(action="needs.exported").details == {
        "count": 1,
        "purpose": "planning",
    }
    look = bank.li.looks.get()
    assert (look.viewer, look.way) == (mei.key, "export")


def test_who_may_not_see_results_is_not_told_that_one_was_low(bank: Bank, talk: Competency) -> None:
    open_(bank, talk, origin="result", reference="result:1:x:1:2026-03-01")
    token = Principal(
        key="token:1", name="A client", permissions={Permission.VIEW_TRAINING: EVERYWHERE}
    )

    (need,) = needs_listed(token, on=TODAY)
    (full,) = needs_listed(system_principal(), on=TODAY)

    assert list(need.reasons.all()) == []
    assert [reason.origin for reason in full.reasons.all()] == ["result"]


# What comes late, twice, or turns out wrong ------------------------------------------------------


def test_late_news_of_the_certificate_that_ends_does_not_meet_its_renewal(bank: Bank) -> None:
    course = make_course_version("fire").course
    CourseVersion.objects.update(certifies=True)
    make_certificate(bank.li, course, expires_on=TODAY + timedelta(days=20))
    search_needs(now=NOW)

    met = meet_needs(staff_id=bank.li.pk, course="fire", now=NOW)

    assert (met, Need.objects.get().state) == (0, Need.State.OPEN)
    make_certificate(bank.li, course, expires_on=TODAY + timedelta(days=385))
    assert meet_needs(staff_id=bank.li.pk, course="fire", now=NOW) == 1


def test_a_record_that_is_long_over_meets_nothing(bank: Bank, talk: Competency) -> None:
    course = make_course_version("fire", teaches=talk).course
    CourseVersion.objects.update(certifies=True)
    ask_for_training(
        staff_id=bank.li.pk, course=course, text="Please", by=bank.as_(bank.li), now=NOW
    )
    open_(bank, talk)
    make_certificate(bank.li, course, expires_on=TODAY - timedelta(days=1))

    assert meet_needs(staff_id=bank.li.pk, course="fire", now=NOW) == 0
    assert set(Need.objects.values_list("state", flat=True)) == {"open"}


def test_a_need_is_not_planned_into_a_session_that_the_person_has_behind_them(
    bank: Bank, talk: Competency
) -> None:
    need = open_(bank, talk)
    session = make_session(make_course_version(teaches=talk), bank, state="held")
    Enrolment.objects.create(
        session=session, staff=bank.li, state="passed", origin="manager", enrolled_at=NOW
    )

    with pytest.raises(Conflict):
        plan_need(need_id=need.pk, session_id=session.pk, by=bank.as_(bank.hua), now=NOW)

    need.refresh_from_db()
    assert (need.state, need.enrolment) == (Need.State.OPEN, None)


def test_a_planned_need_ends_by_its_course_though_that_teaches_something_else_by_now(
    bank: Bank, talk: Competency
) -> None:
    need = open_(bank, talk)
    version = make_course_version(teaches=talk)
    session = make_session(version, bank)
    plan_need(need_id=need.pk, session_id=session.pk, by=bank.as_(bank.hua), now=NOW)
    version.course.teaches.all().delete()
    Enrolment.objects.update(state="passed", concluded_on=TODAY)

    assert meet_needs(staff_id=bank.li.pk, course="talking", now=NOW) == 1


def test_a_result_that_a_dispute_corrected_asks_for_no_training_any_more(
    bank: Bank, talk: Competency
) -> None:
    first = make_run()
    make_result(bank, first, bank.li)
    make_result(bank, first, bank.mei)
    publish(StaffResultsPublished(run_id=first.pk), now=NOW)
    drain(now=NOW)
    ResultsRun.objects.update(is_current=False)
    second = make_run(revision=2)
    make_result(bank, second, bank.li, verdict=StaffResult.Verdict.ALIKE)
    make_result(bank, second, bank.mei, held="signal", verdict=StaffResult.Verdict.HELD)

    for run in (second, first):
        publish(StaffResultsPublished(run_id=run.pk), now=NOW)
    drain(now=NOW)

    states = dict(Need.objects.values_list("staff__number", "state"))
    assert states == {"li": Need.State.DISMISSED, "mei": Need.State.OPEN}


def test_nobody_who_left_is_searched_for_gaps(bank: Bank, talk: Competency) -> None:
    require(bank.teller, talk, 3)
    show(bank.li, talk, 1)
    Staff.objects.filter(pk=bank.li.pk).update(left_on=TODAY)

    assert search_needs(now=NOW) == 0
    assert not Need.objects.exists()
