"""A whole cycle of improvement in a real browser, by all who have a part in it."""

from collections.abc import Iterator

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from improvement.tests.cycle.making import doing, looked, make_finding, planned, submitted
from improvement.tests.factories import make_bank, make_signal, make_system, make_ticket
from improvement.tests.verification.stage import ACTION, PLANNED, Stage, make_stage, shifted
from improvement.tests.verification.stage import quiet as slow
from improvement.tickets.models import State, Ticket
from improvement.verification.models import Verdict
from sqcore.indicators.models import Indicator
from sqcore.tests.factories import NOW, PASSWORD
from sqcore.tests.monitoring.series import quiet
from tests.browser import DESK, PHONE, chromium, log_in, walk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
CHECKED = 83
PROPOSED = 49


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def _send(page: Page) -> None:
    """Send the form that stands open on the ticket's page."""
    page.locator("#do form button:is(.primary, .danger)").click()
    page.wait_for_load_state("networkidle")


def _open(page: Page, words: str) -> None:
    page.get_by_role("link", name=words, exact=True).first.click()
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_from_a_proposal_to_the_standard(
    live_server: LiveServer, browser: Browser, viewport: dict[str, int]
) -> None:
    stage = make_stage()
    # It always took long, before anybody said so.
    stage.put(shifted(shifted(slow(90), 5.0, since=1), -5.0, since=ACTION))
    stage.put(quiet(90), code="errors")
    for code in ("waiting", "errors"):
        Indicator.objects.get_or_create(
            code=code,
            defaults={"name": {"en": code.title()}, "direction": "lower", "source": "encounters"},
        )

    def at(week: int, user: str, what: str) -> Iterator[Page]:
        """A page of this person after that week."""
        with (
            time_machine.travel(stage.at(week), tick=True),
            walk(browser, live_server.url, viewport=viewport) as seen,
        ):
            log_in(seen.page, user, PASSWORD, then=what)
            yield seen.page
            assert seen.complaints == []
            assert seen.sideways == 0

    for page in at(PROPOSED, "li", "/tickets/new/"):
        page.fill("input[name=title]", "People wait too long at noon")
        page.select_option("select[name=unit]", "north")
        page.select_option("select[name=indicator]", "waiting")
        page.locator("main form.form button.primary").click()
        expect(page.get_by_text("is in the intake.")).to_be_visible()
    ticket = Ticket.objects.get()
    Ticket.objects.update(system=stage.series.system)
    address = f"/tickets/{ticket.pk}/"

    for page in at(PROPOSED, "mei", "/intake/"):
        _open(page, f"Accept {ticket.reference}")
        page.select_option("select[name=owner_id]", str(stage.bank.mei.pk))
        page.check("input[name=is_containment_waived]")
        page.fill("textarea[name=containment]", "Nobody comes to harm")
        _send(page)
        expect(page.get_by_text("The problem statement is missing.")).to_be_visible()
    _plan(stage, at, address)
    _approve_and_do(stage, at, address)
    _check_and_act(at, address)

    ticket.refresh_from_db()
    assert ticket.state == State.STANDARD
    assert [step.action for step in ticket.steps.order_by("id")] == [
        *("proposed", "accepted", "problem", "cause-added", "action-added", "effect_planned"),
        *("submit", "approve", "action-done", "finish", "conclude"),
        *("standardise", "approve-standard"),
    ]


def _plan(stage: Stage, at, address: str) -> None:  # type: ignore[no-untyped-def]  # pages of people
    for page in at(PLANNED, "mei", address):
        _open(page, "State the problem")
        page.fill("textarea[name=problem]", "14 minutes instead of 9 at noon")
        page.fill("textarea[name=similar]", "South and east do not have it")
        _send(page)
        _open(page, "Add a cause")
        page.fill("input[name=text]", "One counter is closed at noon")
        page.fill("textarea[name=evidence]", "The rota of four weeks")
        page.check("input[name=is_root]")
        _send(page)
        _open(page, "Add an action")
        page.fill("input[name=text]", "Open a third counter")
        page.select_option("select[name=owner_id]", str(stage.bank.li.pk))
        page.fill("input[name=due_on]", stage.on(ACTION).isoformat())
        _send(page)
        _open(page, "Promise an effect")
        page.select_option("select[name=code]", "waiting")
        page.fill("input[name=minimum]", "1.5")
        page.fill("input[name=starts_on]", stage.on(ACTION).isoformat())
        page.fill("input[name=washout]", "2")
        page.select_option("select[name=balancing_code]", "errors")
        page.fill("input[name=balancing_margin]", "1")
        page.get_by_role("button", name="What can be seen by when").click()
        expect(page.get_by_text("is seen four times out of five").first).to_be_visible()
        _send(page)
        expect(page.get_by_text("Waiting: lower by at least 1.5")).to_be_visible()
        page.get_by_role("button", name="Submit the plan").click()
        expect(page.get_by_text("waits for approval by somebody else than Mei")).to_be_visible()


def _approve_and_do(stage: Stage, at, address: str) -> None:  # type: ignore[no-untyped-def]  # pages of people
    for page in at(PLANNED + 1, "ana", "/my-actions/"):
        _open(page, "Approve the plan or return it")
        _open(page, "Approve the plan")
        _send(page)
        expect(page.get_by_text("it cannot change any more")).to_be_visible()
    for page in at(ACTION, "li", "/my-actions/"):
        _open(page, "Done Open a third counter")
        page.fill("textarea[name=outcome]", "It is open from 11:30 to 13:30")
        page.fill("input[name=effective_on]", stage.on(ACTION).isoformat())
        _send(page)
    for page in at(ACTION, "mei", address):
        page.get_by_role("button", name="Finish doing").click()
        expect(page.get_by_text("check on ").first).to_be_visible()


def _check_and_act(at, address: str) -> None:  # type: ignore[no-untyped-def]  # pages of people
    for page in at(CHECKED, "mei", address):
        page.get_by_role("button", name="Look at the effect").click()
        expect(page.get_by_text("waits for quality to confirm the verdict")).to_be_visible()
    for page in at(CHECKED, "ana", "/my-actions/"):
        _open(page, "Confirm the verdict")
        page.get_by_role("button", name="Confirm the verdict").click()
        expect(page.get_by_text("Confirmed by")).to_be_visible()
    for page in at(CHECKED, "mei", address):
        page.get_by_role("button", name="Conclude the check").click()
        _open(page, "Write the standard")
        page.fill("input[name=code]", "noon-rota")
        page.fill("input[name=title]", "Counters at noon")
        page.fill("textarea[name=text]", "Three counters are open from 11:30 to 13:30.")
        _send(page)
        expect(page.get_by_text("waits for the second person")).to_be_visible()
    for page in at(CHECKED, "ana", address):
        _open(page, "Approve the standard")
        _send(page)
        expect(page.get_by_text("holding: the second check is to come")).to_be_visible()


def test_a_card_is_moved_by_pointer_and_by_keyboard(
    live_server: LiveServer, browser: Browser
) -> None:
    with time_machine.travel(NOW, tick=True):
        bank = make_bank()
        ticket = doing(bank)
        with walk(browser, live_server.url) as li:
            page = li.page
            log_in(page, "li", PASSWORD, then="/board/")
            card = page.locator(f"#card-{ticket.pk}")

            card.drag_to(page.locator("[data-column=act]"))
            expect(page.locator("[data-board-said]")).to_contain_text(
                "A ticket comes to Act when the verdict of its check is confirmed."
            )
            assert Ticket.objects.get().state == State.DO

            card.drag_to(page.locator("[data-column=check]"))
            expect(page.locator("[data-column=check] [data-card]")).to_have_count(1)
            assert Ticket.objects.get().state == State.CHECK

            summary = page.locator(f"#card-{ticket.pk} summary")
            summary.focus()
            page.keyboard.press("Enter")
            page.keyboard.press("Tab")
            expect(page.locator(":focus")).to_have_text("Conclude the check")
            page.keyboard.press("Escape")
            expect(summary).to_be_focused()
            assert li.complaints == []


@pytest.mark.parametrize("viewport", [DESK, {"width": 360, "height": 780}], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    live_server: LiveServer, browser: Browser, scheme: str, viewport: dict[str, int]
) -> None:
    with time_machine.travel(NOW, tick=True):
        bank = make_bank()
        make_ticket(bank.north, signal=make_signal(bank.north), system=make_system(), severity=2)
        planned_one = planned(bank)
        make_finding(planned_one, kind="factor", cause="process-scheduling", text="One rota")
        submitted(bank)
        checked = doing(bank)
        Ticket.objects.filter(pk=checked.pk).update(state=State.CHECK)
        looked(checked.effect_plans.get(), Verdict.IMPROVED, confirmed_by=None, estimate=-1.2)
        with walk(browser, live_server.url, viewport=viewport, color_scheme=scheme) as ana:
            page = ana.page
            log_in(page, "ana", PASSWORD, then="/board/")
            for path in (
                "/board/",
                "/board/ended/",
                "/intake/",
                "/my-actions/",
                "/standards/",
                "/tickets/new/",
                f"/tickets/{planned_one.pk}/?do=find",
                f"/tickets/{checked.pk}/",
                f"/tickets/{planned_one.pk}/a3/",
            ):
                page.goto(path)
                page.wait_for_load_state("networkidle")

                found = Axe().run(page).response["violations"]

                assert [
                    (path, kind["id"], [node["html"][:160] for node in kind["nodes"]])
                    for kind in found
                ] == []
                assert ana.sideways == 0, path
