"""The page of a ticket: what it shows, what can be done there, and what a refusal gives back."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from improvement.cycle.drawing import fishbone_of
from improvement.diagnosis.models import Finding
from improvement.tests.cycle.making import (
    EFFECTIVE,
    acting,
    doing,
    looked,
    make_finding,
    planned,
    submitted,
    with_draft,
)
from improvement.tests.factories import Bank, make_bank, make_signal, make_ticket
from improvement.tests.verification.stage import PLANNED, Stage, make_stage, repaired
from improvement.tickets.models import Attachment, Comment, State, Ticket, Watcher
from improvement.verification.models import EffectPlan, Verdict
from sqcore.identity.models import User
from sqcore.tests.factories import NOW, TODAY
from sqcore.tests.monitoring.series import leaf, make_series, quiet
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    return make_bank()


def client(user: User) -> Client:
    found = Client()
    found.force_login(user)
    return found


def shown(user: User, ticket: Ticket, more: str = "") -> str:
    answer = client(user).get(f"/tickets/{ticket.pk}/{more}")
    assert answer.status_code == 200
    html = answer.content.decode()
    assert faults_of(html) == []
    return html


def sent(user: User, ticket: Ticket, verb: str, **data: object) -> tuple[int, str]:
    answer = client(user).post(f"/tickets/{ticket.pk}/do/{verb}/", data)
    return answer.status_code, answer.content.decode()


class TestWhoSees:
    @pytest.mark.parametrize("more", ["", "a3/", "?do=comment"])
    def test_an_outsider_finds_nothing(self, bank: Bank, more: str) -> None:
        ticket = planned(bank)

        assert client(bank.chen).get(f"/tickets/{ticket.pk}/{more}").status_code == 404

    def test_an_outsider_does_nothing(self, bank: Bank) -> None:
        ticket = planned(bank)

        assert sent(bank.chen, ticket, "submit")[0] == 404
        assert sent(bank.chen, ticket, "comment", text="I was here")[0] == 404
        assert Ticket.objects.get().state == State.PLAN
        assert Comment.objects.count() == 0

    def test_somebody_without_log_in_is_asked_for_it(self, bank: Bank) -> None:
        ticket = planned(bank)

        answer = Client().get(f"/tickets/{ticket.pk}/")

        assert answer.headers["Location"] == f"/log-in/?next=/tickets/{ticket.pk}/"

    def test_a_file_of_others_is_not_handed_out(self, bank: Bank) -> None:
        ticket = planned(bank)
        file = SimpleUploadedFile("rota.txt", b"Monday: three counters\n")
        sent(bank.li, ticket, "attach", file=file)
        kept = Attachment.objects.get()

        mine = client(bank.li).get(f"/tickets/{ticket.pk}/files/{kept.pk}/")
        theirs = client(bank.chen).get(f"/tickets/{ticket.pk}/files/{kept.pk}/")

        assert b"".join(mine.streaming_content) == b"Monday: three counters\n"  # type: ignore[attr-defined]  # it streams
        mine.close()
        assert mine.headers["Content-Disposition"].startswith("attachment;")
        assert theirs.status_code == 404


def test_how_far_the_unit_above_moved_is_for_those_who_see_its_results(bank: Bank) -> None:
    ticket = planned(bank, signal=make_signal(bank.north))
    above = make_signal(bank.region, shift=0.7)
    ticket.signals.create(signal=above, episode=1, attached_at=NOW)

    mine, theirs = shown(bank.li, ticket), shown(bank.mei, ticket)

    assert "1.2 min" in mine
    assert "0.7 min" not in mine
    assert "0.7 min" in theirs


class TestPlan:
    def test_it_shows_problem_causes_actions_and_promise(self, bank: Bank) -> None:
        ticket = planned(bank)

        html = shown(bank.li, ticket)

        for words in (
            "At noon people wait 14 minutes instead of 9.",
            "One counter is closed at noon",
            "Open a third counter at noon",
            "Waiting time: lower by at least 0.8 min",
            "4 May 2026, after 8 weeks",
            "Smallest detectable effect",
            "ready to be submitted",
        ):
            assert words in html

    def test_whys_stand_below_each_other_and_factors_in_the_fishbone(self, bank: Bank) -> None:
        ticket = planned(bank)
        first = Finding.objects.get()
        make_finding(ticket, text="Breaks are all at noon", parent=first, is_root=False)
        make_finding(ticket, kind="factor", cause="process-scheduling", text="One rota for all")

        html = shown(bank.li, ticket)

        assert html.index("One counter is closed") < html.index("Breaks are all at noon")
        assert '<svg class="fishbone"' in html
        assert "The causes as a table" in html
        assert html.count("One rota for all") >= 2

    def test_what_is_missing_is_said_in_words(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.PLAN, owner=bank.li)

        html = shown(bank.li, ticket)

        assert "The problem statement is missing." in html
        assert "The plan has no action yet." in html
        assert f'action="/tickets/{ticket.pk}/do/submit/"' not in html

    def test_a_cause_an_action_and_a_statement_are_added_by_forms(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.PLAN, owner=bank.li)

        assert "Add a cause" in shown(bank.li, ticket, "?do=find")
        for verb, data in (
            ("problem", {"problem": "14 minutes", "similar": "no"}),
            ("find", {"kind": "why", "text": "Closed at noon", "is_root": "on"}),
            (
                "add-action",
                {"text": "Open it", "kind": "corrective", "owner_id": bank.li.pk, "due_on": TODAY},
            ),
        ):
            assert sent(bank.li, ticket, verb, **data)[0] == 302, verb

        ticket.refresh_from_db()
        assert ticket.problem == "14 minutes"
        assert ticket.findings.get().text == "Closed at noon"
        assert ticket.actions.get().owner == bank.li

    def test_what_is_typed_comes_back_with_the_reason(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.PLAN, owner=bank.li)

        status, html = sent(bank.li, ticket, "find", kind="factor", text="The rota")

        assert status == 400
        assert "Say what kind of cause it is." in html
        assert 'value="The rota"' in html
        assert Finding.objects.count() == 0


class TestConflict:
    def test_a_form_carries_the_last_step_as_its_last_word(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.PLAN, owner=bank.li)
        sent(bank.mei, ticket, "problem", revision=ticket.revision, problem="Mei's words")
        last = ticket.steps.latest("pk").pk

        html = shown(bank.li, ticket, "?do=problem")

        fields = re.findall('<input type="hidden" name="step"[^>]*>', html)
        assert f'value="{last}"' in fields[-1]

    def test_it_shows_what_happened_and_keeps_what_was_typed(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.PLAN, owner=bank.li)
        seen = ticket.revision
        sent(bank.mei, ticket, "problem", revision=seen, problem="Mei's words")

        status, html = sent(bank.li, ticket, "problem", revision=seen, step=0, problem="Li's words")

        assert status == 409
        assert "Somebody changed this ticket since you opened it." in html
        assert "Problem stated · Mei" in html
        assert "Li&#x27;s words" in html
        assert Ticket.objects.get().problem == "Mei's words"

    def test_sent_again_it_goes_through(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.PLAN, owner=bank.li)
        sent(bank.mei, ticket, "problem", revision=ticket.revision, problem="Mei's words")
        _status, html = sent(bank.li, ticket, "problem", revision=1, problem="Li's words")
        now_seen = Ticket.objects.get().revision

        assert f'name="revision" value="{now_seen}"' in html
        assert sent(bank.li, ticket, "problem", revision=now_seen, problem="Li's words")[0] == 302


class TestApproval:
    def test_the_owner_is_told_that_another_decides(self, bank: Bank) -> None:
        ticket = submitted(bank)

        html = shown(bank.li, ticket)
        status, refused = sent(bank.li, ticket, "approve", revision=ticket.revision)

        assert "The next step is not yours." in html
        assert status == 403
        assert "You own this ticket; another person decides this." in refused
        assert Ticket.objects.get().state == State.REVIEW

    def test_a_second_person_approves_and_the_promise_is_locked(self, bank: Bank) -> None:
        ticket = submitted(bank)

        assert sent(bank.mei, ticket, "approve", revision=ticket.revision)[0] == 302

        plan = EffectPlan.objects.get()
        html = shown(bank.li, ticket)
        assert Ticket.objects.get().state == State.DO
        assert plan.digest[:12] in html
        assert "it cannot change any more" in html


class TestDo:
    def test_an_action_is_done_with_its_outcome_and_day(self, bank: Bank) -> None:
        ticket = doing(bank, is_done=False, moved_at=NOW - timedelta(days=14))
        action = ticket.actions.get()
        form = shown(bank.li, ticket, f"?do=complete-action&item={action.pk}")

        status, _html = sent(
            bank.li,
            ticket,
            "complete-action",
            item=action.pk,
            outcome="It is open",
            effective_on=EFFECTIVE,
        )

        action.refresh_from_db()
        assert "What was done" in form
        assert (status, action.state, action.effective_on) == (302, "done", EFFECTIVE)
        assert "takes effect on 23 Feb 2026" in shown(bank.li, ticket)

    def test_finishing_with_open_actions_is_refused_in_words(self, bank: Bank) -> None:
        ticket = doing(bank, is_done=False)

        assert "Some actions are still open." in shown(bank.li, ticket)
        assert sent(bank.li, ticket, "finish")[0] == 409
        assert Ticket.objects.get().state == State.DO


class TestPlanning:
    def test_an_action_of_the_plan_is_changed(self, bank: Bank) -> None:
        ticket = planned(bank)
        action = ticket.actions.get()
        form = shown(bank.li, ticket, f"?do=change-action&item={action.pk}")

        status, _html = sent(
            bank.li, ticket, "change-action", item=action.pk, text="Open a fourth counter",
            kind=action.kind, owner_id=bank.mei.pk, due_on=action.due_on,
        )  # fmt: skip

        action.refresh_from_db()
        assert 'value="Open a third counter at noon"' in form
        assert (status, action.text, action.owner) == (302, "Open a fourth counter", bank.mei)

    def test_what_is_missing_is_the_next_button(self, bank: Bank) -> None:
        ticket = make_ticket(bank.north, State.PLAN, owner=bank.li)

        url = f'<a class="button primary" href="/tickets/{ticket.pk}/?do=problem#do">'
        assert url in shown(bank.li, ticket)


class TestCheck:
    def test_a_verdict_stands_with_its_interval_and_n(self, bank: Bank) -> None:
        ticket = doing(bank)
        Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)
        looked(
            ticket.effect_plans.get(), Verdict.IMPROVED, confirmed_by=None, estimate=-1.2,
            smallest_detectable=0.6, is_restored=True,
        )  # fmt: skip

        html = shown(bank.ana, ticket)

        for words in (
            "Improved", "restored", "−1.2 min", "−1.6 to −0.9 min", "24 weeks before",
            "C: before and after", "Confirm the verdict", "Ask for another verdict",
        ):  # fmt: skip
            assert words in html
        assert "Confirm the verdict" not in shown(bank.li, ticket)

    def test_quality_confirms_and_the_owner_concludes(self, bank: Bank) -> None:
        ticket = doing(bank)
        Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)
        check = looked(ticket.effect_plans.get(), Verdict.IMPROVED, confirmed_by=None)

        assert sent(bank.ana, ticket, "confirm", item=check.pk)[0] == 302
        assert sent(bank.li, ticket, "conclude")[0] == 302
        assert Ticket.objects.get().state == State.ACT

    def test_an_interim_look_is_marked(self, bank: Bank) -> None:
        ticket = doing(bank)
        Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)
        check = looked(ticket.effect_plans.get(), Verdict.IMPROVED, confirmed_by=None)
        type(check).objects.update(is_interim=True, verdict="", low=None, high=None)

        html = shown(bank.ana, ticket)

        assert "Interim look: no verdict" in html
        assert "Confirm the verdict" not in html

    def test_a_verdict_is_said_in_plain_words_with_what_comes_next(self, bank: Bank) -> None:
        ticket = doing(bank)
        Ticket.objects.filter(pk=ticket.pk).update(state=State.CHECK)
        looked(ticket.effect_plans.get(), Verdict.IMPROVED, confirmed_by=None, estimate=-1.2)

        html = shown(bank.ana, ticket)

        for words in (
            "Waiting time: 1.2 min lower than before the action",
            "Chance does not explain that: the 95 % interval of the change is −1.6 to −0.9 min.",
            "Promised was: lower by at least 0.8 min.",
            "Once it is confirmed, the owner makes the new way the standard.",
            "Read the verdict and confirm it",
        ):
            assert words in html
        assert "Read the verdict and confirm it" not in shown(bank.li, ticket)
        assert "Look at the effect" not in html  # it was looked at


class TestAct:
    def test_the_standard_waits_for_the_second_person(self, bank: Bank) -> None:
        ticket = with_draft(bank, acting(bank))

        assert "waits for the second person" in shown(bank.mei, ticket)
        assert sent(bank.mei, ticket, "approve-standard")[0] == 302
        assert Ticket.objects.get().state == State.STANDARD

        page = client(bank.li).get("/standards/noon-rota/").content.decode()
        assert faults_of(page) == []
        assert "Three counters are open from 11:30 to 13:30." in page
        assert "Counters at noon" in client(bank.li).get("/standards/").content.decode()
        assert client(bank.chen).get("/standards/noon-rota/").status_code == 404


class TestTalk:
    def test_comments_files_and_watching(self, bank: Bank) -> None:
        ticket = planned(bank)
        file = SimpleUploadedFile("rota.txt", b"Monday: three counters\n")

        assert sent(bank.mei, ticket, "comment", text="Ask the guard too")[0] == 302
        assert sent(bank.mei, ticket, "attach", file=file)[0] == 302
        assert sent(bank.mei, ticket, "watch", watching="on")[0] == 302

        html = shown(bank.mei, ticket)
        assert "Ask the guard too" in html
        assert "rota.txt" in html
        assert "Watch it no longer" in html
        assert Watcher.objects.get().user == bank.mei

        assert sent(bank.mei, ticket, "watch", watching="")[0] == 302
        assert Watcher.objects.count() == 0

    def test_a_comment_is_text_and_nothing_else(self, bank: Bank) -> None:
        ticket = planned(bank)
        sent(bank.mei, ticket, "comment", text="<script>alert(1)</script>")

        assert "&lt;script&gt;alert(1)" in shown(bank.mei, ticket)


class TestPaper:
    def test_the_sheet_has_all_parts_and_no_navigation(self, bank: Bank) -> None:
        html = shown(bank.li, planned(bank), "a3/")

        for part in (
            "Background", "Current state", "Target", "Causes", "Actions", "Check",
            "Standard and lesson",
        ):  # fmt: skip
            assert f"<h2>{part}</h2>" in html
        assert 'id="nav"' not in html
        assert "<script" not in html


class TestChart:
    def test_it_shows_the_chart_of_its_series_and_what_can_be_seen_by_when(self) -> None:
        stage = make_stage()
        stage.put(repaired(PLANNED))
        stage.put(quiet(PLANNED), code="errors")
        ticket = stage.ticket()
        with time_machine.travel(stage.at(PLANNED), tick=False):
            html = shown(stage.bank.li, ticket)
            _status, look = sent(
                stage.bank.li, ticket, "promise", look="1", code="waiting", grain="week",
                minimum="1.5", starts_on=stage.on(61), washout="2", balancing_code="errors",
                balancing_margin="1",
            )  # fmt: skip
            sheet = shown(stage.bank.li, ticket, "a3/")

        assert 'data-figure="figure-ticket"' in html
        assert '<svg class="still-chart"' in sheet
        assert "An effect of this size is seen four times out of five" in look
        assert "Check on " in look
        assert EffectPlan.objects.count() == 0

    def test_the_queries_of_a_full_page_are_as_many(self) -> None:
        stage = make_stage()
        stage.put(repaired(PLANNED))
        stage.put(quiet(PLANNED), code="errors")
        ticket = stage.ticket()
        stage.plan(ticket)
        asker = client(stage.bank.mei)
        with time_machine.travel(stage.at(PLANNED), tick=False):
            asker.get(f"/tickets/{ticket.pk}/")
            with CaptureQueriesContext(connection) as seen:
                asker.get(f"/tickets/{ticket.pk}/")

        assert len(seen) == 34


class TestPromise:
    def test_up_to_three_measures_and_a_wished_day_are_kept_and_shares_typed_in_percent(
        self,
    ) -> None:
        leaves = leaf("waiting", unit_of_measure="min"), leaf("errors", unit_of_measure="share")
        stage = Stage(make_bank(), make_series(*leaves))
        stage.put(repaired(PLANNED))
        stage.put(quiet(PLANNED), code="errors")
        ticket = stage.ticket()
        wished = stage.on(100)
        with time_machine.travel(stage.at(PLANNED), tick=False):
            status, _html = sent(
                stage.bank.li, ticket, "promise", code="waiting", grain="week", minimum="1.5",
                starts_on=stage.on(61), washout="2", wished_on=wished, balancing_code="errors",
                balancing_margin="1", balancing_code_2="", balancing_margin_2="0",
            )  # fmt: skip
            plan = EffectPlan.objects.get()
            again = shown(stage.bank.li, ticket, "?do=promise")

        assert status == 302
        assert (plan.minimum, plan.check_on) == (1.5, wished)
        assert [(m.code, m.margin) for m in plan.balancing.all()] == [("errors", 0.01)]
        assert f'name="wished_on" value="{wished}"' in again
        assert 'name="balancing_margin" value="1.0"' in again


class TestLines:
    def test_chinese_words_are_broken_by_their_width(self) -> None:
        drawn = fishbone_of([("流程", [("排队机把三种业务混在同一个队列里叫号", True)])], "等待")

        assert drawn is not None
        assert [line.text for line in drawn.bones[0].causes] == [
            "排队机把三种业务混在同一个",
            "队列里叫号",
        ]


def test_a_page_of_every_state_is_a_page_of_the_house(bank: Bank) -> None:
    for state in State:
        over: dict[str, object] = {"owner": bank.li, "severity": 3}
        if state == State.SNOOZED:
            over["snoozed_until"] = TODAY + timedelta(days=3)
        if state == State.DUPLICATE:
            over["duplicate_of"] = Ticket.objects.first()
        ticket = make_ticket(bank.north, state, **over)

        assert ticket.get_state_display() in shown(bank.mei, ticket)
