"""The pages of incentives: whom they show what, and what their forms do."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from sqcore.dashboards.panels import Page, panels_on
from sqcore.identity.permissions import Role
from sqcore.org.models import Staff
from sqcore.performance.models import Dispute, Look, ResultsRun
from sqcore.tests.factories import give_role, make_staff, make_user
from sqcore.tests.pages import faults_of
from training.incentives.models import (
    Decision,
    LedgerEntry,
    PayrollBatch,
    Proposal,
    Recognition,
    Scheme,
    SchemeVersion,
    Trial,
)
from training.incentives.payroll import freeze_batch
from training.incentives.schemes import save_scheme
from training.tests.factories import Bank, assign
from training.tests.incentives.making import (
    APRIL,
    NEW_YEAR,
    OVERALL,
    PAY,
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
State = Proposal.State


def path(name: str, *args: object) -> str:
    return reverse(f"training:incentives-{name}", args=args)


def client_of(who: Staff) -> Client:
    client = Client()
    assert who.user is not None
    client.force_login(who.user)
    return client


def open_(who: Staff, at: str) -> HttpResponse:
    return client_of(who).get(at)  # type: ignore[return-value]  # the test client's own kind


def send(who: Staff, at: str, **body: object) -> HttpResponse:
    return client_of(who).post(at, body)  # type: ignore[return-value]  # the test client's own kind


def text_of(response: HttpResponse) -> str:
    page = response.content.decode()
    assert faults_of(page) == []
    return page


@pytest.fixture
def run() -> ResultsRun:
    return make_run()


@pytest.fixture
def scheme(bank: Bank, run: ResultsRun) -> Scheme:
    """A bonus of 560.00 and up to 240.00 for everybody of the north."""
    version = make_system()
    found = scheme_in_force(bank)
    scores(version, {bank.north: 80.0})
    result(run, bank.li, bank.north, 4.0)
    return found


@pytest.fixture
def lis(bank: Bank, scheme: Scheme) -> Proposal:
    return proposed(scheme, bank.li)


class TestAwardsToDecide:
    def test_a_manager_sees_what_the_award_of_their_people_rests_on(
        self, bank: Bank, lis: Proposal
    ) -> None:
        page = text_of(open_(bank.mei, path("proposals")))

        assert "Staff li" in page
        assert "CNY 740.00" in page
        assert "The unit reached 80.0 of 100." in page
        assert "4.00 (95 % certain: 3.80 to 4.20)" in page
        assert "Overall · 90 answers" in page
        assert "Staff mei" not in page.split("<main", 1)[1]
        look = Look.objects.get(staff=bank.li)
        assert (look.viewer_name, look.way) == ("Mei", Look.Way.LIST)

    def test_who_manages_elsewhere_sees_nothing_of_it_and_staff_are_refused(
        self, bank: Bank, lis: Proposal
    ) -> None:
        page = text_of(open_(bank.chen, path("proposals")))

        assert "Nothing waits for you" in page
        assert open_(bank.chen, path("proposal", lis.pk)).status_code == 404
        assert open_(bank.li, path("proposals")).status_code == 403
        assert open_(bank.li, path("proposal", lis.pk)).status_code == 404
        assert not Look.objects.exists()

    def test_the_manager_agrees_then_hr_grants(self, bank: Bank, lis: Proposal) -> None:
        here = path("proposal", lis.pk)

        first = send(bank.mei, here, decision="agree", reason="Right")
        waiting = text_of(open_(bank.hua, path("proposals")))
        second = send(bank.hua, here, decision="agree", reason="Right too")

        assert (first.status_code, second.status_code) == (302, 302)
        assert "Staff li" in waiting
        assert LedgerEntry.objects.get().amount == 74_000
        page = text_of(open_(bank.hua, path("proposals") + "?tab=decided"))
        assert "Granted" in page
        assert "Declined 0 of 1 (0 %)." in page

    def test_declining_ends_it(self, bank: Bank, lis: Proposal) -> None:
        send(bank.mei, path("proposal", lis.pk), decision="decline", reason="On loan elsewhere")

        lis.refresh_from_db()
        assert lis.state == Proposal.State.DECLINED
        assert not LedgerEntry.objects.exists()
        assert "On loan elsewhere" in text_of(open_(bank.mei, path("proposal", lis.pk)))

    @pytest.mark.parametrize("body", [{"decision": "agree", "reason": " "}, {"reason": "Right"}])
    def test_a_decision_without_a_reason_or_an_answer_is_refused(
        self, bank: Bank, lis: Proposal, body: dict[str, str]
    ) -> None:
        response = send(bank.mei, path("proposal", lis.pk), **body)

        assert response.status_code == 400
        assert "Nothing was decided" in text_of(response)
        assert not Decision.objects.exists()

    def test_nobody_decides_on_their_own_or_twice(self, bank: Bank, scheme: Scheme) -> None:
        own, lis = proposed(scheme, bank.mei), proposed(scheme, bank.li)
        refused = send(bank.mei, path("proposal", own.pk), decision="agree", reason="I am good")
        give_role(bank.mei.user, Role.HR)  # type: ignore[arg-type]  # everybody here has a log-in
        reviewed(bank, lis)
        again = send(bank.mei, path("proposal", lis.pk), decision="agree", reason="Once more")

        assert (refused.status_code, again.status_code) == (404, 403)
        assert Decision.objects.count() == 1
        assert not LedgerEntry.objects.exists()

    def test_a_manager_does_not_see_their_own_before_it_is_granted(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        own = proposed(scheme, bank.mei)

        for state in (State.PROPOSED, State.REVIEWED, State.DECLINED):
            Proposal.objects.filter(pk=own.pk).update(state=state)
            assert open_(bank.mei, path("proposal", own.pk)).status_code == 404
            for tab in ("mine", "open", "decided"):
                page = text_of(open_(bank.mei, path("proposals") + f"?tab={tab}"))
                assert "Staff mei" not in page.split("<main", 1)[1]
        Proposal.objects.filter(pk=own.pk).update(state=State.APPROVED)
        assert "CNY 752.00" in text_of(open_(bank.mei, path("proposal", own.pk)))

    def test_who_decides_for_a_unit_sees_the_whole_budget_and_not_what_is_left(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        own, lis = proposed(scheme, bank.mei), proposed(scheme, bank.li)
        entered(own)

        mei = text_of(open_(bank.mei, path("proposal", lis.pk)))
        hua = text_of(open_(bank.hua, path("proposal", lis.pk)))

        assert "CNY 10,000.00" in mei
        assert "9,248.00" not in mei
        assert "CNY 9,248.00" in hua

    def test_beyond_the_budget_nothing_is_granted_and_the_page_says_what_is_left(
        self, bank: Bank, lis: Proposal
    ) -> None:
        reviewed(bank, lis)
        Scheme.objects.update(budget=70_000)

        response = send(bank.hua, path("proposal", lis.pk), decision="agree", reason="Right")

        assert response.status_code == 400
        assert "CNY 700.00 is left of CNY 700.00" in text_of(response)
        assert not LedgerEntry.objects.exists()
        lis.refresh_from_db()
        assert lis.state == Proposal.State.REVIEWED

    def test_disputes_and_flags_stand_beside_the_award(
        self, bank: Bank, scheme: Scheme, run: ResultsRun
    ) -> None:
        run.results.filter(staff=bank.li).update(held="dispute", raw=3.0)
        lis = proposed(scheme, bank.li)
        dispute(bank)

        listed = text_of(open_(bank.mei, path("proposals")))
        page = text_of(open_(bank.mei, path("proposal", lis.pk)))

        assert "1 open dispute" in listed
        assert "1 dispute of this person waits for a decision." in page
        assert "held back for now" in page
        assert "Ask why." in page

    def test_the_list_asks_as_often_for_many_as_for_few(
        self, bank: Bank, scheme: Scheme, run: ResultsRun
    ) -> None:
        for number in range(30):
            person = make_staff(f"n{number:02}")
            assign(person, bank.north, bank.teller)
            result(run, person, bank.north, 4.0)
        proposed(scheme, bank.li)
        client = client_of(bank.mei)
        client.get(path("proposals"))

        with CaptureQueriesContext(connection) as asked:
            page = client.get(path("proposals")).content.decode()

        assert page.count('data-label="Amount"') == 25
        assert len(questions_in(asked)) <= 15


def entered(*proposals: Proposal) -> list[LedgerEntry]:
    """What is proposed stands in the ledger, whoever decided."""
    return [
        LedgerEntry.objects.create(
            key=f"award:{each.pk}", staff=each.staff, unit=each.unit, scheme=each.scheme,
            proposal=each, period_start=each.period_start, amount=each.amount,
            currency=each.scheme.currency, title=each.title, entered_at=APRIL,
        )
        for each in proposals
    ]  # fmt: skip


def many_of_the_north(bank: Bank, scheme: Scheme, run: ResultsRun) -> list[LedgerEntry]:
    """Thirty-two people who were granted something."""
    for number in range(30):
        person = make_staff(f"n{number:02}")
        assign(person, bank.north, bank.teller)
        result(run, person, bank.north, 4.0)
    proposed(scheme, bank.li)
    return entered(*Proposal.objects.select_related("scheme", "staff", "unit"))


def questions_in(asked: CaptureQueriesContext) -> list[str]:
    """Return what the database was asked, without the marks of its transactions."""
    marks = ("SAVEPOINT", "RELEASE")
    return [query["sql"] for query in asked if not query["sql"].startswith(marks)]


def dispute(bank: Bank) -> Dispute:
    now = timezone.now()
    return Dispute.objects.create(
        staff=bank.li,
        unit=bank.north,
        encounter_key="E1",
        encounter_at=now,
        reason=Dispute.Reason.values[0],
        raised_at=now,
        due_on=now.date() + timedelta(days=14),
    )


class TestSchemes:
    def test_who_works_here_reads_the_rules_in_plain_words_and_no_budget(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        listed = text_of(open_(bank.li, path("list")))
        page = text_of(open_(bank.li, path("scheme", scheme.code)))

        assert "Service bonus" in listed
        assert "10,000.00" not in listed + page
        assert "of at most CNY 700.00 as many per cent as the unit has points" in page
        assert "“Five”" in page
        assert "up to CNY 300.00 more, in proportion to their own result in “Overall”" in page
        assert "Write a draft" not in page

    def test_hr_sees_what_is_left_of_the_budget(self, bank: Bank, scheme: Scheme) -> None:
        page = text_of(open_(bank.hua, path("list")))

        assert page.count("CNY 10,000.00") == 2
        assert "Left now" in page
        assert "<dt>Left</dt>" in text_of(open_(bank.hua, path("scheme", scheme.code)))

    def test_a_manager_of_a_unit_sees_the_whole_budget_before_and_after_an_award(
        self, bank: Bank, lis: Proposal
    ) -> None:
        at = (path("list"), path("scheme", lis.scheme.code))
        before = [text_of(open_(bank.chen, each)) for each in at]
        granted(bank, lis)
        after = [text_of(open_(bank.chen, each)) for each in at]

        for page in (*before, *after):
            assert page.count("CNY 10,000.00") == 1
            assert "Left" not in page
            assert "9,260.00" not in page
        assert "CNY 9,260.00" in text_of(open_(bank.hua, path("proposal", lis.pk)))

    def test_who_has_nothing_to_do_here_is_refused(self, bank: Bank, scheme: Scheme) -> None:
        nobody = make_user("nobody")
        client = Client()
        client.force_login(nobody)

        assert client.get(path("list")).status_code == 403
        assert client.get(path("scheme", scheme.code)).status_code == 403

    def test_hr_writes_a_scheme_rule_by_rule_tries_it_and_somebody_else_reviews_it(
        self, bank: Bank
    ) -> None:
        make_system()
        hua = bank.hua
        _user, han = second_hr()
        made = send(
            hua, path("new"), code="bonus", name_en="Bonus", kind="pay", grain="quarter",
            currency="CNY", budget="10000.50",
        )  # fmt: skip
        first = send(hua, path("add-rule", "bonus", "unit-result"), amount="700", system="five")
        second = send(
            hua, path("add-rule", "bonus", "result-linear"), amount="300", measure=OVERALL
        )
        tried = send(hua, path("try", "bonus"), first="2025-10-01", end="2026-01-01")
        scheme, version = Scheme.objects.get(), SchemeVersion.objects.get()
        trial = Trial.objects.get()
        page = text_of(open_(hua, path("trial", trial.pk)))
        own = send(hua, path("trial", trial.pk), review="Mine")
        early = send(hua, path("publish", "bonus"))

        assert [r.status_code for r in (made, first, second, tried)] == [302] * 4
        assert scheme.budget == 1_000_050
        assert version.rules == [{**PAY[0], "posts": []}, PAY[1]]
        assert "would have proposed nothing" in page
        assert "0 of 3" in page
        assert own.status_code == 403
        assert early.status_code == 302
        scheme.refresh_from_db()
        assert scheme.state == Scheme.State.DRAFT

        send(han, path("trial", trial.pk), review="There was no evaluation yet")
        send(hua, path("publish", "bonus"))
        scheme.refresh_from_db()
        assert scheme.state == Scheme.State.ACTIVE
        assert "There was no evaluation yet" in text_of(open_(hua, path("trial", trial.pk)))

    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            ("rank-bonus", "Rules by rank are refused"),
            ("top-ten-percent", "Rules by top or bottom shares"),
            ("magic", "There is no such rule."),
        ],
    )
    def test_rules_by_rank_or_share_cannot_be_made(
        self, bank: Bank, scheme: Scheme, rule: str, said: str
    ) -> None:
        response = send(bank.hua, path("add-rule", scheme.code, rule), amount="1")

        assert response.status_code == 400
        assert said in text_of(response)
        assert SchemeVersion.objects.count() == 1
        assert said == "There is no such rule." or said in text_of(
            open_(bank.hua, path("draft", scheme.code))
        )

    def test_a_refusal_stands_at_its_field(self, bank: Bank, scheme: Scheme) -> None:
        response = send(
            bank.hua, path("change-rule", scheme.code, 2), amount="301", measure=OVERALL
        )

        assert response.status_code == 400
        page = text_of(response)
        assert '<a href="#id_amount">' in page
        assert "At most 30 % of the amount may come from a person" in page
        assert SchemeVersion.objects.count() == 1

    def test_the_first_change_of_rules_in_force_writes_a_draft(
        self, bank: Bank, scheme: Scheme
    ) -> None:
        send(bank.hua, path("change-rule", scheme.code, 2), amount="200", measure=OVERALL)
        send(
            bank.hua, path("draft", scheme.code), valid_from="2030-01-01", reason="Fewer people fit"
        )

        draft = SchemeVersion.objects.get(published_at__isnull=True)
        assert (draft.number, draft.valid_from, draft.reason) == (
            2, date(2030, 1, 1), "Fewer people fit",
        )  # fmt: skip
        assert [rule["amount"] for rule in draft.rules] == [70_000, 20_000]
        send(bank.hua, path("remove-rule", scheme.code, 2))
        draft.refresh_from_db()
        assert [rule["rule"] for rule in draft.rules] == ["unit-result"]
        refused = send(bank.hua, path("remove-rule", scheme.code, 1))
        draft.refresh_from_db()
        assert refused.status_code == 302
        assert len(draft.rules) == 1

    def test_managers_and_staff_write_nothing(self, bank: Bank, scheme: Scheme) -> None:
        body = {"amount": "1", "measure": OVERALL}
        answers = [
            send(who, at, **body)
            for who in (bank.mei, bank.li, bank.chen)
            for at in (
                path("new"),
                path("edit", scheme.code),
                path("change-rule", scheme.code, 2),
                path("switch", scheme.code),
                path("publish", scheme.code),
            )
        ]

        assert {answer.status_code for answer in answers} == {403}
        assert SchemeVersion.objects.count() == 1
        assert Scheme.objects.get().state == Scheme.State.ACTIVE

    def test_a_scheme_is_switched_off_and_on(self, bank: Bank, scheme: Scheme) -> None:
        send(bank.hua, path("switch", scheme.code))
        scheme.refresh_from_db()
        assert scheme.state == Scheme.State.OFF
        assert open_(bank.li, path("scheme", scheme.code)).status_code == 404

        send(bank.hua, path("switch", scheme.code))
        scheme.refresh_from_db()
        assert scheme.state == Scheme.State.ACTIVE

    def test_rules_of_every_kind_are_said_in_words(self, bank: Bank) -> None:
        rules: dict[str, list[dict[str, object]]] = {
            "honour": [
                {"rule": "achievement-fixed", "amount": 0, "kinds": ["course"]},
                {"rule": "above-honour", "measure": OVERALL},
                {"rule": "thanks-honour", "least": 2, "sources": ["customer"]},
            ],
            "career": [{"rule": "career-checklist", "post": "manager", "years": 2}],
            "feedback": [
                {"rule": "feedback-note", "kinds": ["result"], "text": {"en": "Well done"}}
            ],
        }
        said = ""
        for kind, written in rules.items():
            scheme_in_force(bank, kind=kind, code=kind, rules=written)
            said += text_of(open_(bank.li, path("scheme", kind)))
            for row in range(1, len(written) + 1):
                assert open_(bank.hua, path("change-rule", kind, row)).status_code == 200

        assert "An honour for achievements of the period: Course completed." in said
        assert "as many as there are, and possibly none" in said
        assert "whom at least 2 different people thanked" in said
        assert "Whose thanks count: A customer." in said
        assert "years in the organisation: 2" in said
        assert "“Well done”" in said

    def test_an_honour_is_written_without_money(self, bank: Bank) -> None:
        save_scheme(
            code="honour", name={"en": "Honour"}, kind="honour", grain="year",
            by=bank.as_(bank.hua), now=NEW_YEAR,
        )  # fmt: skip
        at = path("add-rule", "honour", "achievement-fixed")
        page = text_of(open_(bank.hua, at))
        send(bank.hua, at, kinds=["course", "recognition"], most="2")

        assert "Amount" not in page
        assert SchemeVersion.objects.get().rules == [
            {
                "rule": "achievement-fixed",
                "amount": 0,
                "kinds": ["course", "recognition"],
                "most": 2,
            }
        ]

    @pytest.mark.parametrize("name", ["list", "scheme"])
    def test_the_pages_of_schemes_ask_few_questions(
        self, bank: Bank, scheme: Scheme, name: str
    ) -> None:
        client = client_of(bank.hua)
        at = path(name) if name == "list" else path(name, scheme.code)
        client.get(at)

        with CaptureQueriesContext(connection) as asked:
            client.get(at)

        assert len(questions_in(asked)) <= 15


class TestLedgerAndPayroll:
    def test_a_manager_sees_their_people_and_hr_takes_back(self, bank: Bank, lis: Proposal) -> None:
        entry = granted(bank, lis)
        _user, han = second_hr()

        assert "CNY 740.00" in text_of(open_(bank.mei, path("ledger")))
        assert "No entry" in text_of(open_(bank.chen, path("ledger")))
        assert open_(bank.li, path("ledger")).status_code == 403
        own = send(bank.hua, path("reverse", entry.pk), reason="Wrong")
        manager = send(bank.mei, path("reverse", entry.pk), reason="Wrong")
        silent = send(han, path("reverse", entry.pk), reason="")
        assert [own.status_code, manager.status_code, silent.status_code] == [403, 403, 400]
        assert LedgerEntry.objects.count() == 1

        send(han, path("reverse", entry.pk), reason="The wrong unit")
        page = text_of(open_(han, path("ledger") + "?text=Staff+li&scheme=quarter"))
        assert "CNY −740.00" in page
        assert "The wrong unit" in page
        assert "Taken back" in page
        assert send(han, path("reverse", entry.pk), reason="Again").status_code == 400
        assert LedgerEntry.objects.count() == 2

    def test_a_batch_is_frozen_once_and_downloaded(self, bank: Bank, lis: Proposal) -> None:
        granted(bank, lis)
        before = text_of(open_(bank.hua, path("batches")))
        through = APRIL.date().isoformat()
        frozen = send(bank.hua, path("batches"), currency="CNY", through=through)
        again = send(bank.hua, path("batches"), currency="CNY", through=through)

        assert "1 entry, CNY 740.00" in before
        assert (frozen.status_code, again.status_code) == (302, 400)
        assert "nothing to pay" in text_of(again)
        number = PayrollBatch.objects.get().number
        assert "CNY 740.00 for 1 person." in text_of(open_(bank.hua, path("batch", number)))
        csv = send(bank.hua, path("file", number), format="csv")
        assert csv["Content-Disposition"] == 'attachment; filename="payroll-1-CNY.csv"'
        assert b"li,74000,CNY,2026-01-01,quarter,north" in csv.content
        assert send(bank.hua, path("file", number), format="xlsx").content[:2] == b"PK"

    def test_amounts_that_tell_a_result_are_a_look_at_their_people(
        self, bank: Bank, lis: Proposal
    ) -> None:
        entry = granted(bank, lis)
        through = APRIL.date()
        batch = freeze_batch(currency="CNY", through=through, by=bank.as_(bank.hua), now=APRIL)
        Look.objects.all().delete()

        open_(bank.hua, path("ledger"))
        open_(bank.hua, path("batch", batch.number))
        open_(bank.hua, path("reverse", entry.pk))
        open_(bank.chen, path("ledger"))
        open_(bank.chen, path("reverse", entry.pk))
        open_(bank.mei, path("ledger"))

        looks = Look.objects.order_by("viewer_name", "way")
        assert list(looks.values_list("viewer_name", "staff", "way", "times")) == [
            ("Hua", bank.li.pk, Look.Way.LIST, 2),
            ("Hua", bank.li.pk, Look.Way.PAGE, 1),
            ("Mei", bank.li.pk, Look.Way.LIST, 1),
        ]

    def test_amounts_that_tell_no_result_are_no_look(self, bank: Bank, lis: Proposal) -> None:
        Proposal.objects.filter(pk=lis.pk).update(basis={**lis.basis, "run": None})
        entered(lis)

        assert "CNY 740.00" in text_of(open_(bank.mei, path("ledger")))
        assert not Look.objects.exists()

    @pytest.mark.parametrize("name", ["ledger", "batches", "batch"])
    def test_they_ask_as_often_for_many_as_for_few(
        self, bank: Bank, scheme: Scheme, run: ResultsRun, name: str
    ) -> None:
        many_of_the_north(bank, scheme, run)
        at = path(name) if name != "batch" else path(name, 1)
        if name == "batch":
            hua, through = bank.as_(bank.hua), APRIL.date()
            freeze_batch(currency="CNY", through=through, by=hua, now=APRIL)
        client = client_of(bank.hua)
        client.get(at)

        with CaptureQueriesContext(connection) as asked:
            page = client.get(at).content.decode()

        assert page.count('data-label="Amount"') == (0 if name == "batches" else 25)
        assert ("32 entries" in page) == (name == "batches")
        assert len(questions_in(asked)) <= 15

    def test_payroll_is_for_hr(self, bank: Bank, lis: Proposal) -> None:
        granted(bank, lis)
        for who in (bank.mei, bank.li):
            assert open_(who, path("batches")).status_code == 403
            send(who, path("batches"), currency="CNY", through="2026-04-02")
            assert send(who, path("file", 1), format="csv").status_code in (403, 404)
        assert not PayrollBatch.objects.exists()


class TestWall:
    def test_words_are_shown_when_the_person_agrees(self, bank: Bank) -> None:
        found = text_of(open_(bank.mei, path("write") + "?name=staff+l"))
        send(bank.mei, path("write") + "?to=li", text="You calmed him", source="colleague")
        words = Recognition.objects.get()
        hidden = text_of(open_(bank.chen, path("wall")))
        mine = text_of(open_(bank.li, path("wall")))
        wrong = send(bank.chen, path("answer", words.pk), answer="show")
        send(bank.li, path("answer", words.pk), answer="show")
        shown = text_of(open_(bank.chen, path("wall")))

        assert "?to=li" in found
        assert "?to=chen" not in found
        assert "You calmed him" not in hidden
        assert "For you" in mine
        assert wrong.status_code == 404
        assert "You calmed him" in shown
        assert "Take down" not in shown

    def test_it_asks_as_often_for_many_words_as_for_few(self, bank: Bank) -> None:
        assert bank.chen.user is not None
        for number in range(30):
            Recognition.objects.create(
                staff=bank.li, unit=bank.north, text=f"Words {number}", state="shown",
                written_by=bank.chen.user, written_at=APRIL, answered_at=APRIL,
            )  # fmt: skip
        client = client_of(bank.mei)
        client.get(path("wall"))

        with CaptureQueriesContext(connection) as asked:
            page = client.get(path("wall")).content.decode()

        assert page.count("<article") == 24
        assert len(questions_in(asked)) <= 15

    def test_they_are_kept_back_or_taken_down(self, bank: Bank) -> None:
        for text in ("One", "Two"):
            send(bank.mei, path("write") + "?to=li", text=text, source="colleague")
        one, two = Recognition.objects.order_by("pk")
        send(bank.li, path("answer", one.pk), answer="keep")
        send(bank.li, path("answer", two.pk), answer="show")
        refused = send(bank.chen, path("take-down", two.pk))
        send(bank.li, path("take-down", two.pk))

        assert refused.status_code == 403
        states = list(Recognition.objects.order_by("pk").values_list("state", flat=True))
        assert states == ["declined", "withdrawn"]
        assert "No words on the wall yet" in text_of(open_(bank.chen, path("wall")))

    def test_words_for_oneself_for_nobody_or_without_a_customers_consent_are_refused(
        self, bank: Bank
    ) -> None:
        body = {"text": "Great", "source": "colleague"}
        own = send(bank.mei, path("write") + "?to=mei", **body)
        nobody = send(bank.mei, path("write") + "?to=zoe", **body)
        customer = send(bank.mei, path("write") + "?to=li", text="Kind", source="customer")

        assert [own.status_code, nobody.status_code, customer.status_code] == [404, 404, 400]
        assert "id_consent_of_customer" in text_of(customer)
        assert not Recognition.objects.exists()


class TestPanels:
    def shown(self, bank: Bank, who: Staff, page: Page, subject: object = None) -> set[str]:
        found = panels_on(page, principal=bank.as_(who), now=APRIL, subject=subject)
        keys = {"training.awards", "training.recognitions"}
        return {each.key for each in found} & (
            keys | {"training.awards-waiting", "training.thanked"}
        )

    def test_own_awards_stand_on_my_page_with_how_they_came_about(
        self, bank: Bank, lis: Proposal
    ) -> None:
        granted(bank, lis)

        page = text_of(open_(bank.li, reverse("sqcore:performance-me")))

        assert "CNY 740.00" in page
        assert "The unit reached 80.0 of 100." in page
        assert self.shown(bank, bank.mei, Page.PERSON, bank.li) >= {"training.awards"}
        assert "training.awards" not in self.shown(bank, bank.chen, Page.PERSON, bank.li)
        own = text_of(open_(bank.li, path("proposal", lis.pk)))
        assert "Left of the budget" not in own

    def test_home_says_what_waits(self, bank: Bank, lis: Proposal) -> None:
        send(bank.mei, path("write") + "?to=li", text="Thank you", source="colleague")

        assert self.shown(bank, bank.mei, Page.HOME) == {"training.awards-waiting"}
        assert self.shown(bank, bank.li, Page.HOME) == {"training.thanked"}
        assert self.shown(bank, bank.chen, Page.HOME) == set()
        home = text_of(open_(bank.mei, "/"))
        assert "Awards to decide" in home

    def test_navigation_names_what_one_may_open(self, bank: Bank, lis: Proposal) -> None:
        li, mei = text_of(open_(bank.li, path("list"))), text_of(open_(bank.mei, path("list")))

        assert f'href="{path("wall")}"' in li
        assert f'href="{path("proposals")}"' not in li
        assert f'href="{path("proposals")}"' in mei
