from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from sqcore.achievements.models import Achievement
from sqcore.audit.models import AuditEntry
from sqcore.base.bus import deliver_event
from sqcore.base.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sqcore.base.models import OutboxEvent
from sqcore.identity.permissions import Role
from sqcore.identity.principals import Principal, system_principal
from sqcore.notices.models import Notice
from sqcore.org.models import Leave
from sqcore.performance.models import Dispute, Look, ResultsRun
from sqcore.tests.factories import TODAY, give_role
from training.incentives.deciding import approve_proposal, look_at_proposal, review_proposal
from training.incentives.models import NEVER_CHANGED, Decision, LedgerEntry, Proposal, Scheme
from training.incentives.payroll import reverse_entry
from training.incentives.proposing import propose_due, propose_period
from training.incentives.queries import (
    budget_left,
    ledger_of,
    override_rates,
    proposal_picture,
    proposals_seen_by,
    proposals_waiting_for,
    scheme_overview,
)
from training.incentives.schemes import switch_off
from training.incentives.wording import override_said
from training.tests.factories import Bank
from training.tests.incentives.making import (
    APRIL,
    NEW_YEAR,
    PAY,
    QUARTER,
    granted,
    make_run,
    make_system,
    proposed,
    result,
    reviewed,
    scheme_in_force,
    scores,
    second_hr,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def scheme(bank: Bank) -> Scheme:
    """A bonus of 56,000 and up to 24,000 for everybody of the north."""
    version = make_system()
    found = scheme_in_force(bank)
    scores(version, {bank.north: 80.0})
    result(make_run(), bank.li, bank.north, 4.0)
    return found


def approve(by: Principal, proposal: Proposal, agrees: bool = True) -> LedgerEntry | None:
    return approve_proposal(
        proposal_id=proposal.pk, agrees=agrees, reason="Right", by=by, now=APRIL
    )


def states() -> list[str]:
    return list(Proposal.objects.order_by("staff__number").values_list("state", flat=True))


class TestProposing:
    def test_once_a_scheme_period_and_person(self, bank: Bank, scheme: Scheme) -> None:
        counts = [
            propose_period(scheme_id=scheme.pk, period_start=QUARTER, now=APRIL) for _ in range(2)
        ]

        assert counts == [2, 0]
        rows = Proposal.objects.order_by("staff__number").values_list("staff__number", "amount")
        assert list(rows) == [("li", 74_000), ("mei", 75_200)]
        proposal = Proposal.objects.get(staff=bank.li)
        assert proposal.title["en"] == "Service bonus, quarter 1 of 2026"
        assert [line["part"] for line in proposal.basis["lines"]] == ["team", "person"]

    def test_a_period_that_is_over_proposes_itself_once(self, bank: Bank, scheme: Scheme) -> None:
        assert propose_due(now=NEW_YEAR) == 0
        assert propose_due(now=APRIL) == 2
        assert propose_due(now=APRIL + timedelta(days=1)) == 0

    def test_a_scheme_whose_measure_is_gone_stops_no_other_and_hr_is_told_once(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        other = scheme_in_force(bank, code="team", rules=PAY[:1])
        team, own = rules = scheme.versions.get().rules
        scheme.versions.update(rules=[team, {**own, "measure": "gone/overall"}])

        assert propose_due(now=APRIL) == 2
        assert propose_due(now=APRIL + timedelta(days=1)) == 0

        assert set(Proposal.objects.values_list("scheme_id", flat=True)) == {other.pk}
        told = Notice.objects.get(key=f"scheme-skipped:{scheme.pk}:2026-01-01")
        assert (told.reader, told.title["en"]) == (bank.hua.user, "Skipped: Service bonus")
        assert told.body["en"].startswith("Nothing was proposed for quarter 1 of 2026:")
        with pytest.raises(Conflict, match="no longer there: gone/overall"):
            propose_period(scheme_id=scheme.pk, period_start=QUARTER, now=APRIL)
        scheme.versions.update(rules=rules)
        assert propose_due(now=APRIL + timedelta(days=2)) == 2

    def test_late_results_are_waited_for_but_not_for_ever(self, bank: Bank, scheme: Scheme) -> None:
        scheme.proposals.all().delete()
        bank.li.results.all().delete()
        ResultsRun.objects.all().delete()

        assert propose_due(now=APRIL) == 0
        assert propose_due(now=APRIL + timedelta(days=10)) == 2

    @pytest.mark.parametrize("day", [1, 31])
    def test_a_day_that_begins_no_closed_period_is_refused(
        self, bank: Bank, scheme: Scheme, day: int
    ) -> None:
        start = QUARTER.replace(month=4) if day == 1 else QUARTER.replace(day=day)
        with pytest.raises(InvalidInput, match="a period that is over"):
            propose_period(scheme_id=scheme.pk, period_start=start, now=APRIL)

    def test_a_scheme_that_is_off_or_not_yet_in_force_proposes_nothing(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        with pytest.raises(Conflict):
            propose_period(scheme_id=scheme.pk, period_start=QUARTER.replace(year=2025), now=APRIL)
        switch_off(scheme_id=scheme.pk, by=bank.as_(bank.hua), now=APRIL)
        with pytest.raises(Conflict):
            propose_period(scheme_id=scheme.pk, period_start=QUARTER, now=APRIL)

        assert propose_due(now=APRIL) == 0
        assert Proposal.objects.count() == 0

    def test_only_hr_proposes_by_hand(self, bank: Bank, scheme: Scheme) -> None:
        with pytest.raises(NotPermitted):
            propose_period(
                scheme_id=scheme.pk, period_start=QUARTER, now=APRIL, by=bank.as_(bank.mei)
            )
        assert Proposal.objects.count() == 0


class TestTwoPeople:
    def test_a_manager_reviews_hr_approves_and_the_person_is_told_once(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        entry = granted(bank, proposed(scheme, bank.li))
        event = OutboxEvent.objects.filter(kind="training.award.granted").get()
        for _ in range(2):
            deliver_event(event.pk, now=APRIL)

        assert (entry.amount, entry.currency, entry.key[:6]) == (74_000, "CNY", "award:")
        told = Notice.objects.get(key=f"award:{entry.pk}")
        assert told.reader == bank.li.user
        assert told.body["en"] == "You are granted CNY 740.00. It comes with your pay."
        assert Achievement.objects.get(reference=f"award:{entry.pk}").staff == bank.li
        assert list(ledger_of(bank.as_(bank.li), bank.li.pk)) == [entry]
        steps = Decision.objects.order_by("step").values_list("step", "by__username")
        assert list(steps) == [(1, "mei"), (2, "hua")]
        assert AuditEntry.objects.filter(action="award.decided").count() == 2

    def test_a_double_click_grants_once(self, bank: Bank, scheme: Scheme) -> None:
        proposal = proposed(scheme, bank.li)
        granted(bank, proposal)

        with pytest.raises(Conflict, match="Approved"):
            approve(bank.as_(bank.hua), proposal)
        assert LedgerEntry.objects.count() == 1

    def test_nothing_is_approved_that_was_not_reviewed(self, bank: Bank, scheme: Scheme) -> None:
        proposal = proposed(scheme, bank.li)

        with pytest.raises(Conflict, match="Proposed"):
            approve(bank.as_(bank.hua), proposal)
        assert LedgerEntry.objects.count() == Decision.objects.count() == 0

    @pytest.mark.parametrize("step", [1, 2])
    def test_either_can_decline_and_nothing_follows(
        self, bank: Bank, scheme: Scheme, step: int
    ) -> None:
        proposal = proposed(scheme, bank.li)
        if step == 1:
            review_proposal(
                proposal_id=proposal.pk,
                agrees=False,
                reason="A dispute waits",
                by=bank.as_(bank.mei),
                now=APRIL,
            )
        else:
            reviewed(bank, proposal)
            assert approve(bank.as_(bank.hua), proposal, agrees=False) is None

        assert states() == ["declined", "proposed"]
        assert LedgerEntry.objects.count() == 0
        with pytest.raises(Conflict):
            approve(bank.as_(bank.hua), proposal)

    def test_nobody_decides_on_their_own(self, bank: Bank, scheme: Scheme) -> None:
        own = proposed(scheme, bank.mei)

        with pytest.raises(NotPermitted, match="their own"):
            reviewed(bank, own)
        give_role(bank.mei.user, Role.HR)  # type: ignore[arg-type]  # she has a log-in
        give_role(bank.hua.user, Role.MANAGER, bank.bank)  # type: ignore[arg-type]  # she has a log-in
        review_proposal(
            proposal_id=own.pk, agrees=True, reason="x", by=bank.as_(bank.hua), now=APRIL
        )
        with pytest.raises(NotPermitted, match="their own"):
            approve(bank.as_(bank.mei), own)
        assert LedgerEntry.objects.count() == 0

    def test_one_person_never_takes_both_steps(self, bank: Bank, scheme: Scheme) -> None:
        give_role(bank.hua.user, Role.MANAGER, bank.bank)  # type: ignore[arg-type]  # she has a log-in
        hua, proposal = bank.as_(bank.hua), proposed(scheme, bank.li)
        review_proposal(proposal_id=proposal.pk, agrees=True, reason="x", by=hua, now=APRIL)

        with pytest.raises(NotPermitted, match="Two people"):
            approve(hua, proposal)
        assert states() == ["reviewed", "proposed"]

    def test_no_program_and_no_outsider_decides(self, bank: Bank, scheme: Scheme) -> None:
        proposal = proposed(scheme, bank.li)

        with pytest.raises(NotPermitted, match="no program"):
            review_proposal(
                proposal_id=proposal.pk,
                agrees=True,
                reason="x",
                by=system_principal(),
                now=APRIL,
            )
        with pytest.raises(NotFound):
            review_proposal(
                proposal_id=proposal.pk, agrees=True, reason="x", by=bank.as_(bank.chen), now=APRIL
            )
        with pytest.raises(NotFound):
            approve(bank.as_(bank.li), proposal)
        with pytest.raises(NotPermitted):
            review_proposal(
                proposal_id=proposal.pk, agrees=True, reason="x", by=bank.as_(bank.hua), now=APRIL
            )
        assert states() == ["proposed", "proposed"]

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 1001, "a\x00b"])
    def test_each_step_needs_a_reason(self, bank: Bank, scheme: Scheme, reason: str) -> None:
        proposal = proposed(scheme, bank.li)

        with pytest.raises(InvalidInput) as refusal:
            review_proposal(
                proposal_id=proposal.pk,
                agrees=True,
                reason=reason,
                by=bank.as_(bank.mei),
                now=APRIL,
            )
        assert refusal.value.problems[0].field == "reason"
        assert Decision.objects.count() == 0

    def test_a_scheme_that_was_switched_off_grants_nothing(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        proposal = reviewed(bank, proposed(scheme, bank.li))
        switch_off(scheme_id=scheme.pk, by=bank.as_(bank.hua), now=APRIL)

        with pytest.raises(Conflict, match="switched off"):
            approve(bank.as_(bank.hua), proposal)
        assert states() == ["reviewed", "proposed"]
        assert LedgerEntry.objects.count() == 0


class TestBudget:
    def test_what_is_beyond_is_refused_and_what_is_left_is_named(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        Scheme.objects.update(budget=100_000)
        proposal = proposed(scheme, bank.li)
        granted(bank, proposal)
        give_role(bank.chen.user, Role.MANAGER, bank.north)  # type: ignore[arg-type]  # he has a log-in
        other = Proposal.objects.get(staff=bank.mei)
        review_proposal(
            proposal_id=other.pk, agrees=True, reason="x", by=bank.as_(bank.chen), now=APRIL
        )

        with pytest.raises(Conflict, match=r"CNY 260.00 is left of CNY 1,000.00"):
            approve(bank.as_(bank.hua), other)

        scheme.refresh_from_db()
        assert (budget_left(scheme, QUARTER).granted, budget_left(scheme, QUARTER).left) == (
            74_000,
            26_000,
        )
        assert states() == ["approved", "reviewed"]
        assert Decision.objects.filter(proposal=other).count() == 1

    def test_what_is_taken_back_returns_to_the_budget(self, bank: Bank, scheme: Scheme) -> None:
        entry = granted(bank, proposed(scheme, bank.li))
        _user, han = second_hr()

        back = reverse_entry(
            entry_id=entry.pk, reason="A dispute was upheld", by=bank.as_(han), now=APRIL
        )

        assert (back.amount, back.reverses, budget_left(scheme, QUARTER).granted) == (
            -74_000,
            entry,
            0,
        )
        assert not Achievement.objects.standing().exists()


class TestReversal:
    def test_happens_once_and_never_to_a_reversal(self, bank: Bank, scheme: Scheme) -> None:
        entry = granted(bank, proposed(scheme, bank.li))
        _user, han = second_hr()
        back = reverse_entry(entry_id=entry.pk, reason="Wrong", by=bank.as_(han), now=APRIL)

        for each in (entry, back):
            with pytest.raises((Conflict, NotPermitted)):
                reverse_entry(entry_id=each.pk, reason="Wrong", by=bank.as_(han), now=APRIL)
        assert LedgerEntry.objects.count() == 2

    def test_not_by_who_granted_it_nor_without_permission_or_reason(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        entry = granted(bank, proposed(scheme, bank.li))
        _user, han = second_hr()
        for who, error in (
            (bank.hua, NotPermitted),
            (bank.mei, NotPermitted),
            (bank.chen, NotFound),
        ):
            with pytest.raises(error):
                reverse_entry(entry_id=entry.pk, reason="x", by=bank.as_(who), now=APRIL)
        with pytest.raises(InvalidInput):
            reverse_entry(entry_id=entry.pk, reason=" ", by=bank.as_(han), now=APRIL)
        assert LedgerEntry.objects.count() == 1


class TestTriggers:
    def test_are_all_there_after_all_migrations(self) -> None:
        assert NEVER_CHANGED.present(connection) == NEVER_CHANGED.expected(connection.vendor)

    @pytest.mark.parametrize(
        "act",
        [
            "UPDATE training_ledgerentry SET amount = 0",
            "DELETE FROM training_ledgerentry",
            "UPDATE training_decision SET reason = 'y'",
            "DELETE FROM training_decision",
            "TRUNCATE training_ledgerentry CASCADE",
        ],
    )
    def test_refuse_to_change_the_ledger(self, bank: Bank, scheme: Scheme, act: str) -> None:
        if act.startswith("TRUNCATE") and connection.vendor == "sqlite":
            pytest.skip("SQLite has no TRUNCATE")
        granted(bank, proposed(scheme, bank.li))
        connection.check_constraints()  # now, so that no later check stands before TRUNCATE

        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            connection.cursor().execute(act)
        assert LedgerEntry.objects.get().amount == 74_000


class TestWhatDecidersSee:
    def test_interval_gate_disputes_flags_leave_and_budget(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        proposal = proposed(scheme, bank.li)
        bank.li.results.update(held="dispute", disputed=1)
        Leave.objects.create(staff=bank.li, valid_from=TODAY, valid_to=APRIL.date())
        Dispute.objects.create(
            staff=bank.li,
            unit=bank.north,
            encounter_key="e1",
            encounter_at=NEW_YEAR,
            reason=Dispute.Reason.OUTAGE,
            raised_at=APRIL,
            due_on=APRIL.date(),
        )

        seen = proposal_picture(bank.as_(bank.mei), proposal.pk, on=TODAY)

        assert (seen.results[0].low, seen.results[0].high, seen.results[0].gate) == (
            3.8,
            4.2,
            "pay",
        )
        assert (seen.disputes, list(seen.flags), seen.on_leave) == (1, ["disputed", "held"], True)
        assert (seen.budget.left, seen.may_review, seen.may_approve) == (1_000_000, True, False)
        assert [line["amount"] for line in seen.lines] == [56_000, 18_000]

    def test_who_looks_is_kept_and_told_to_the_person(self, bank: Bank, scheme: Scheme) -> None:
        proposal = proposed(scheme, bank.li)
        for who in (bank.mei, bank.mei, bank.hua):
            look_at_proposal(proposal_id=proposal.pk, by=bank.as_(who), now=APRIL)

        looks = Look.objects.visible_to(bank.as_(bank.li)).order_by("id")
        assert [(look.viewer_name, look.times) for look in looks] == [("Mei", 2), ("Hua", 1)]

    def test_a_result_that_adjusting_raised_much_is_flagged(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        proposal = proposed(scheme, bank.li)
        bank.li.results.update(raw=3.7, adjusted=4.0)

        assert proposal_picture(bank.as_(bank.mei), proposal.pk, on=TODAY).flags == ["raised"]

    def test_each_is_asked_for_their_step_and_never_about_themselves(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        proposal = proposed(scheme, bank.li)

        assert list(proposals_waiting_for(bank.as_(bank.mei))) == [proposal]
        assert list(proposals_waiting_for(bank.as_(bank.hua))) == []
        reviewed(bank, proposal)
        assert list(proposals_waiting_for(bank.as_(bank.mei))) == []
        assert list(proposals_waiting_for(bank.as_(bank.hua))) == [proposal]
        assert list(proposals_waiting_for(bank.as_(bank.chen))) == []
        assert list(proposals_waiting_for(bank.as_(bank.li))) == []

    def test_the_person_sees_it_only_once_it_is_granted(self, bank: Bank, scheme: Scheme) -> None:
        proposal = proposed(scheme, bank.li)
        assert not proposals_seen_by(bank.as_(bank.li)).exists()
        assert list(proposals_seen_by(bank.as_(bank.mei))) == [proposal]  # not her own

        granted(bank, proposal)

        assert list(proposals_seen_by(bank.as_(bank.li))) == [proposal]

    def test_a_scheme_shows_its_rules_budget_and_what_waits(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        proposed(scheme, bank.li)

        seen = scheme_overview(bank.as_(bank.hua), "quarter", on=TODAY)

        assert seen.valid is not None
        assert (seen.valid.number, seen.draft, seen.waiting) == (1, None, 2)
        assert (seen.period.key, seen.budget.left) == ("2026-Q1", 1_000_000)

    def test_who_never_declines_is_said_to_be_a_rubber_stamp(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        granted(bank, proposed(scheme, bank.li))
        few = override_rates(bank.as_(bank.hua))

        assert [(rate.name, rate.decided, rate.declined) for rate in few] == [
            ("Mei", 1, 0),
            ("Hua", 1, 0),
        ]
        assert override_said(few[0]) == "Declined 0 of 1 (0 %)."
        many = type(few[0])(few[0].user_id, "Mei", 1, 10, 0)
        assert override_said(many) == "Declined none of 10: a rubber stamp is no decision."
