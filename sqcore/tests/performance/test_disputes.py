"""Disputes: blind, with closed reasons and a deadline, decided by others, and reversible."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, Scope
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_inline
from sqcore.notices.models import Notice
from sqcore.org.models import RoleGrant
from sqcore.performance.disputes import (
    decide_dispute,
    raise_dispute,
    reverse_decision,
    withdraw_dispute,
)
from sqcore.performance.due import due_windows, evaluate_due
from sqcore.performance.models import (
    Dispute,
    FrozenReliability,
    Outage,
    ResultsPolicy,
    ResultsRun,
    StaffResult,
)
from sqcore.performance.queries import current_run
from sqcore.performance.runs import replay_run
from sqcore.performance.sources import PERSON_SOURCES
from sqcore.tests.factories import make_post, make_unit, make_user
from sqcore.tests.performance.people import (
    ENDS_ON,
    NOW,
    USUAL,
    Branch,
    MadeSource,
    answer_all,
    decider,
    evaluated,
    hire,
    make_branch,
    principal_of,
    result,
    serve,
)

pytestmark = pytest.mark.django_db

Verdict, Gate, State = StaffResult.Verdict, StaffResult.Gate, Dispute.State
SERVED = datetime(2025, 6, 2, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


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


def disputed(branch: Branch, key: str = "E-1", reason: str = "not-mine", **over: Any) -> Dispute:
    """A dispute of the weak one about an encounter that was theirs."""
    serve(branch.weak, branch.unit, key)
    asked = {"encounter_key": key, "reason": reason, "text": "", "now": NOW, **over}
    return raise_dispute(**asked, by=principal_of(branch.weak))


def decided(dispute: Dispute, uphold: bool = True, **over: Any) -> Dispute:
    asked = {"decision": "The log says so", "now": NOW + HOUR, "by": decider(), **over}
    return decide_dispute(dispute_id=dispute.pk, uphold=uphold, **asked)


def recomputed(now: datetime = NOW + 2 * HOUR) -> ResultsRun:
    """Run the job that the decision started."""
    run_inline(Job.objects.get(state=Job.State.QUEUED), now=now)
    run = current_run()
    assert run is not None
    return run


# ---- Raising -------------------------------------------------------------------------------------


def test_a_dispute_is_raised_about_an_own_encounter(branch: Branch) -> None:
    ana = decider()
    assert ana.user is not None
    RoleGrant.objects.create(user=ana.user, role="analyst", valid_from=date(2020, 1, 1))

    dispute = disputed(branch, text=" I was at lunch. ")

    assert (dispute.staff, dispute.unit, dispute.state) == (branch.weak, branch.unit, State.OPEN)
    assert (dispute.encounter_at, dispute.text) == (SERVED, "I was at lunch.")
    assert dispute.due_on == date(2026, 3, 16)
    assert AuditEntry.objects.get(action="dispute.raised").details == {
        "reason": "not-mine", "due_on": "2026-03-16",
    }  # fmt: skip
    notice = Notice.objects.get(reader=ana.user)
    assert notice.body["en"] == "It is to be decided by 16 Mar 2026."
    assert "2026年3月16日" in notice.body["zh-hans"]


def test_the_deadline_is_that_of_the_rules(branch: Branch) -> None:
    ResultsPolicy.objects.create(number=1, valid_from=ENDS_ON, dispute_days=3, made_at=NOW)

    assert disputed(branch).due_on == date(2026, 3, 5)


def test_sent_twice_it_is_one_dispute(branch: Branch) -> None:
    first = disputed(branch)
    again = disputed(branch)

    assert again == first
    assert AuditEntry.objects.filter(action="dispute.raised").count() == 1


def test_an_encounter_is_disputed_once(branch: Branch) -> None:
    disputed(branch)

    with pytest.raises(Conflict):
        disputed(branch, reason="abuse")

    assert Dispute.objects.get().reason == "not-mine"


@pytest.mark.parametrize("reason", ["", "unfair", "I did not like it"])
def test_reasons_are_a_closed_list(branch: Branch, reason: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        disputed(branch, reason=reason)

    assert refusal.value.problems[0].field == "reason"
    assert not Dispute.objects.exists()


def test_somebody_elses_encounter_and_one_that_is_not_there_are_alike(branch: Branch) -> None:
    serve(branch.staff[0], branch.unit, "theirs")
    me = principal_of(branch.weak)
    said = set()

    for key in ("theirs", "nowhere"):
        with pytest.raises(NotFound) as refusal:
            raise_dispute(encounter_key=key, reason="abuse", by=me, now=NOW)
        said.add(refusal.value.message)

    assert len(said) == 1
    assert not Dispute.objects.exists()


def test_who_is_no_staff_member_disputes_nothing(branch: Branch) -> None:
    serve(branch.weak, branch.unit, "E-1")

    with pytest.raises(NotPermitted):
        raise_dispute(encounter_key="E-1", reason="abuse", by=decider(), now=NOW)

    assert not Dispute.objects.exists()


def test_it_is_the_same_whether_the_customer_answered_or_not(
    branch: Branch, source: MadeSource
) -> None:
    source.put(branch.weak, (1.0,), 1, encounter="answered")
    evaluated()
    serve(branch.weak, branch.unit, "answered")
    serve(branch.weak, branch.unit, "silent")
    me = principal_of(branch.weak)

    found = [
        raise_dispute(encounter_key=key, reason="abuse", by=me, now=NOW)
        for key in ("answered", "silent")
    ]

    assert {(each.state, each.due_on, each.reason) for each in found} == {
        (State.OPEN, date(2026, 3, 16), "abuse")
    }


def test_a_dispute_can_be_taken_back_by_its_own_person_alone(branch: Branch) -> None:
    dispute = disputed(branch)

    with pytest.raises(NotFound):
        withdraw_dispute(dispute_id=dispute.pk, by=principal_of(branch.staff[0]), now=NOW)
    dispute.refresh_from_db()
    assert dispute.state == State.OPEN

    me = principal_of(branch.weak)
    withdraw_dispute(dispute_id=dispute.pk, by=me, now=NOW)
    again = withdraw_dispute(dispute_id=dispute.pk, by=me, now=NOW)
    assert again.state == State.WITHDRAWN
    assert AuditEntry.objects.filter(action="dispute.withdrawn").count() == 1
    with pytest.raises(Conflict):
        decided(dispute)


# ---- While it is pending -------------------------------------------------------------------------


def test_a_dispute_that_is_raised_makes_its_window_due_at_once(
    branch: Branch, source: MadeSource
) -> None:
    february = evaluated(date(2026, 2, 1))
    evaluated()
    assert due_windows(now=NOW) == []

    disputed(branch)

    assert due_windows(now=NOW) == [(ENDS_ON, "dispute")]
    assert recomputed().revision == 2
    assert due_windows(now=NOW) == []
    february.refresh_from_db()
    assert february.is_current


def test_a_pending_dispute_cannot_lower_a_verdict(source: MadeSource) -> None:
    branch = make_branch(make_unit("north"), make_post())
    for staff in branch.staff[:-1]:
        source.put(staff, USUAL)
    source.put(branch.weak, USUAL, 30)
    for at in range(30):
        source.put(branch.weak, (3.0,), 1, encounter=f"E-{at}")
    assert result(branch.weak).verdict == Verdict.LOW
    for at in range(30):
        disputed(branch, f"E-{at}")

    found = result(branch.weak)

    assert (found.verdict, found.held, found.disputed) == (Verdict.HELD, "dispute", 30)
    assert (found.n, found.raw) == (60, 4.0)


def test_who_is_low_without_the_disputed_encounter_as_well_stays_low(
    branch: Branch, source: MadeSource
) -> None:
    source.put(branch.weak, (1.0,), 1, encounter="E-1")
    disputed(branch)

    found = result(branch.weak)

    assert (found.verdict, found.held, found.disputed) == (Verdict.LOW, "", 1)


def test_a_pending_dispute_produces_no_above(source: MadeSource) -> None:
    branch = make_branch(make_unit("north"), make_post())
    for staff in branch.staff[:-1]:
        source.put(staff, USUAL)
    source.put(branch.weak, (5.0, 7.0), 50)
    for at in range(25):
        source.put(branch.weak, (1.0,), 1, encounter=f"E-{at}")
        disputed(branch, f"E-{at}")

    assert result(branch.weak).verdict == Verdict.ALIKE
    for dispute in Dispute.objects.all():
        decided(dispute)
    assert result(branch.weak).verdict == Verdict.ABOVE


def test_a_pending_dispute_never_raises_a_gate(branch: Branch, source: MadeSource) -> None:
    FrozenReliability.objects.create(
        measure="made/care", year=2026, icc=0.08, icc_se=0.01, within=1, between=0.1, persons=9,
        n=99, computed_at=NOW,
    )  # fmt: skip
    few = hire("few", branch.unit, branch.post)
    source.put(few, USUAL, 29)
    source.put(few, (5.0,), 1, encounter="mine")
    serve(few, branch.unit, "mine")
    assert (result(few).verdict, result(few).gate) == (Verdict.ALIKE, Gate.COACHING)
    raise_dispute(encounter_key="mine", reason="abuse", by=principal_of(few), now=NOW)

    found = result(few)

    assert (found.n, found.verdict, found.gate) == (30, Verdict.NOT_ENOUGH, Gate.NONE)


def test_a_pending_dispute_shows_no_other_figures(branch: Branch, source: MadeSource) -> None:
    """The difference would tell what the customer answered."""
    source.put(branch.weak, (1.0,), 1, encounter="E-1")
    before = result(branch.weak)
    disputed(branch)
    after = result(branch.weak)

    assert (after.n, after.raw, after.estimate) == (before.n, before.raw, before.estimate)


# ---- Deciding ------------------------------------------------------------------------------------


def test_an_upheld_encounter_does_not_count_and_the_window_is_computed_anew(
    branch: Branch, source: MadeSource
) -> None:
    source.put(branch.weak, (1.0,), 1, encounter="E-1")
    first = evaluated()
    dispute = decided(disputed(branch))

    run = recomputed()

    assert (dispute.state, dispute.decision) == (State.UPHELD, "The log says so")
    assert (run.revision, run.reason, run.ends_on) == (2, "dispute", first.ends_on)
    # Its whole batch stands aside, the last five of 61: 56 in turn 3 and 5 are left.
    assert (result(branch.weak, first).n, result(branch.weak, run).n) == (61, 55)
    assert result(branch.weak, run).raw == pytest.approx((28 * 3 + 27 * 5) / 55, abs=1e-8)
    assert due_windows(now=NOW + 3 * HOUR) == []
    assert replay_run(run.pk).is_same
    assert replay_run(first.pk).is_same


def test_a_rejected_encounter_counts(branch: Branch, source: MadeSource) -> None:
    source.put(branch.weak, (1.0,), 1, encounter="E-1")
    dispute = disputed(branch)
    evaluated()
    decided(dispute, uphold=False)

    run = recomputed()

    assert (run.revision, result(branch.weak, run).n) == (2, 61)
    assert result(branch.weak, run).disputed == 0


def test_a_decision_makes_a_revision_also_when_nobody_had_answered(branch: Branch) -> None:
    evaluated()
    decided(disputed(branch))

    run = recomputed()

    assert (run.revision, result(branch.weak, run).n) == (2, 60)


def test_windows_since_the_dispute_was_raised_are_computed_anew_and_no_others(
    branch: Branch, source: MadeSource
) -> None:
    source.put(branch.weak, (1.0,), 1, encounter="E-1")
    february = evaluated(date(2026, 2, 1))
    evaluated(ENDS_ON)
    dispute = disputed(branch)
    later = NOW + timedelta(days=35)
    evaluated(date(2026, 4, 1), later)
    decided(dispute, now=later)

    assert due_windows(now=later) == [(ENDS_ON, "dispute"), (date(2026, 4, 1), "dispute")]
    recomputed(later)
    assert due_windows(now=later) == []
    february.refresh_from_db()
    assert (february.is_current, february.revision) == (True, 1)


def test_nobody_decides_their_own_dispute(branch: Branch) -> None:
    dispute = disputed(branch)
    ana = decider()
    own = Principal(ana.key, ana.name, ana.permissions, ana.user, branch.weak.pk)

    with pytest.raises(NotPermitted):
        decided(dispute, by=own)

    dispute.refresh_from_db()
    assert (dispute.state, dispute.decided_at) == (State.OPEN, None)


def test_only_who_decides_disputes_decides_them_and_only_people(branch: Branch) -> None:
    dispute = disputed(branch)
    token = Principal("token:1", "A client", decider().permissions)
    jobs = Job.objects.count()

    for by in (principal_of(branch.staff[0]), token):
        with pytest.raises(NotPermitted):
            decided(dispute, by=by)

    assert Dispute.objects.get().state == State.OPEN
    assert Job.objects.count() == jobs


def test_a_decision_needs_its_reason(branch: Branch) -> None:
    dispute = disputed(branch)

    with pytest.raises(InvalidInput):
        decided(dispute, decision="  ")

    assert Dispute.objects.get().state == State.OPEN


def test_the_same_decision_twice_is_one(branch: Branch) -> None:
    evaluated()
    dispute = disputed(branch)
    decided(dispute)
    decided(dispute)

    assert AuditEntry.objects.filter(action="dispute.upheld").count() == 1
    assert Job.objects.count() == 1
    assert Notice.objects.filter(reader=branch.weak.user).count() == 1
    with pytest.raises(Conflict):
        decided(dispute, uphold=False)


def test_the_person_is_told_of_the_decision_without_figures(branch: Branch) -> None:
    evaluated()
    decided(disputed(branch))

    notice = Notice.objects.get(reader=branch.weak.user)
    assert notice.title["en"] == "Your dispute was decided"
    assert not any(letter.isdigit() for letter in notice.title["en"] + notice.body["en"])


def test_a_reversed_decision_lets_the_encounter_count_again(
    branch: Branch, source: MadeSource
) -> None:
    source.put(branch.weak, (1.0,), 1, encounter="E-1")
    evaluated()
    dispute = decided(disputed(branch))
    recomputed()

    reverse_decision(dispute_id=dispute.pk, why="The log was wrong", by=decider(), now=NOW + HOUR)
    run = recomputed(NOW + 3 * HOUR)

    dispute.refresh_from_db()
    assert (dispute.state, dispute.decision) == (State.REVERSED, "The log was wrong")
    assert (run.revision, result(branch.weak, run).n) == (3, 61)


def test_only_what_was_upheld_is_reversed_and_not_by_the_person(branch: Branch) -> None:
    dispute = disputed(branch)
    with pytest.raises(Conflict):
        reverse_decision(dispute_id=dispute.pk, why="No", by=decider(), now=NOW)
    decided(dispute)
    ana = decider()
    own = Principal(ana.key, ana.name, ana.permissions, ana.user, branch.weak.pk)
    with pytest.raises(NotPermitted):
        reverse_decision(dispute_id=dispute.pk, why="No", by=own, now=NOW)

    assert Dispute.objects.get().state == State.UPHELD


# ---- Outages -------------------------------------------------------------------------------------


def outage(branch: Branch, dispute: Dispute, **over: Any) -> Dispute:
    hours = {"outage_from": SERVED - HOUR, "outage_to": SERVED + HOUR, **over}
    return decided(dispute, **hours)


def test_an_outage_excludes_all_encounters_of_its_window_for_everyone(
    branch: Branch, source: MadeSource
) -> None:
    first, south = branch.staff[0], make_unit("south")
    for staff, key, unit, minutes in (
        (first, "within", branch.unit, -60),
        (first, "before", branch.unit, -61),
        (first, "after", branch.unit, 60),
        (first, "elsewhere", south, 0),
    ):
        serve(staff, unit, key, at=SERVED + timedelta(minutes=minutes))
        source.put(staff, (1.0,), 1, encounter=key)
    source.put(branch.weak, (1.0,), 1, encounter="E-1")
    evaluated()

    dispute = outage(branch, disputed(branch, reason="outage"))
    run = recomputed()

    # Of 64 answers about the first the last six are a batch, of 61 about the weak one.
    assert (result(first, run).n, result(branch.weak, run).n) == (58, 55)
    reverse_decision(dispute_id=dispute.pk, why="It was up", by=decider(), now=NOW + HOUR)
    again = recomputed(NOW + 3 * HOUR)
    assert (result(first, again).n, result(branch.weak, again).n) == (64, 61)
    assert Outage.objects.get().reversed_at == NOW + HOUR


@pytest.mark.parametrize(
    "hours",
    [
        {"outage_from": None},
        {"outage_to": None},
        {"outage_from": SERVED + HOUR / 2},
        {"outage_to": SERVED},
        {"outage_to": NOW + timedelta(days=1)},
        {"outage_to": SERVED + timedelta(days=8)},
    ],
)
def test_hours_that_cannot_be_are_refused(branch: Branch, hours: dict[str, Any]) -> None:
    dispute = disputed(branch, reason="outage")

    with pytest.raises(InvalidInput):
        outage(branch, dispute, **hours)

    assert Dispute.objects.get().state == State.OPEN
    assert not Outage.objects.exists()


def test_no_hours_without_an_outage(branch: Branch) -> None:
    dispute = disputed(branch, reason="abuse")

    with pytest.raises(InvalidInput):
        outage(branch, dispute)

    assert Dispute.objects.get().state == State.OPEN


# ---- When it is due ------------------------------------------------------------------------------


def test_closed_months_are_due_once(branch: Branch) -> None:
    assert due_windows(now=NOW) == [(ENDS_ON, "month")]

    job = evaluate_due(now=NOW)
    assert job is not None
    assert evaluate_due(now=NOW) == job
    run_inline(job, now=NOW)

    assert evaluate_due(now=NOW + timedelta(days=1)) is None
    job.refresh_from_db()
    assert (job.state, job.result) == (Job.State.DONE, {"windows": ["2026-03-01"]})
    assert OutboxEvent.objects.filter(kind="performance.results.published").count() == 1


def test_windows_that_were_missed_are_computed_too(branch: Branch) -> None:
    evaluated(date(2026, 1, 1))

    assert due_windows(now=NOW) == [(date(2026, 2, 1), "month"), (ENDS_ON, "month")]


def test_who_decides_for_one_unit_does_not_see_what_others_dispute(branch: Branch) -> None:
    dispute = disputed(branch)
    south = make_unit("south")
    user = make_user("sun")
    elsewhere = Principal(
        f"user:{user.pk}",
        user.name,
        {Permission.DECIDE_DISPUTES: Scope(units=frozenset({south.pk}))},
        user,
    )

    assert not Dispute.objects.visible_to(elsewhere).exists()
    assert Dispute.objects.visible_to(decider()).get() == dispute
    with pytest.raises(NotPermitted):
        decided(dispute, by=elsewhere)
    dispute.refresh_from_db()
    assert dispute.state == State.OPEN
