"""People in a real browser: HR runs a course, an agent reads and disputes, two decide an award."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from sqcore.identity.permissions import Role
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_inline
from sqcore.performance.models import Dispute, Look, StaffResult
from sqcore.performance.sources import PERSON_SOURCES
from sqcore.tests.factories import NOW, PASSWORD, give_role, make_user
from sqcore.tests.performance.people import (
    ENDS_ON,
    USUAL,
    WEAK,
    MadeSource,
    evaluated,
    hire,
    serve,
)
from surveys.tests.factories import make_ready_version
from tests.browser import DESK, PHONE, Walk, chromium, log_in, walk
from training.certificates.models import Certificate
from training.courses.models import Session
from training.enrolments.models import Enrolment
from training.incentives.models import Decision, LedgerEntry, Proposal
from training.tests.factories import Bank, course_of, make_bank, teller
from training.tests.incentives.making import (
    APRIL,
    make_run,
    make_system,
    proposed,
    questions,
    result,
    scheme_in_force,
    scores,
)

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Iterator[None]:
    """Wait longer than Playwright does by itself: these pages are read on busy machines, too."""
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=5_000)


class Visits:
    """Log people in, each in a window of their own at a moment of their own."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser, self.address = browser, address

    @contextmanager
    def by(
        self, user: str, at: datetime, what: str, viewport: dict[str, int] = DESK
    ) -> Iterator[Walk]:
        with (
            time_machine.travel(at, tick=True),
            walk(self.browser, self.address, viewport=viewport) as seen,
        ):
            log_in(seen.page, user, PASSWORD, then=what)
            yield seen
            seen.page.wait_for_load_state("networkidle")
            assert seen.complaints == []


@pytest.fixture
def visits(live_server: LiveServer, browser: Browser) -> Visits:
    return Visits(browser, live_server.url)


def check(seen: Walk, heading: str) -> None:
    """The page of this heading has come, axe finds nothing there, and it does not go sideways."""
    page = seen.page
    expect(page.locator("h1")).to_have_text(heading)
    page.wait_for_load_state("networkidle")
    found = Axe().run(page).response["violations"]
    assert [
        (heading, kind["id"], [node["html"][:160] for node in kind["nodes"]]) for kind in found
    ] == []
    assert seen.sideways == 0, heading


def follow(page: Page, words: str, to: str) -> None:
    """Follow the link of these words in what the page shows, and wait until one is there."""
    page.locator("main").get_by_role("link", name=words, exact=True).first.click()
    page.wait_for_url(f"**{to}")


def press(page: Page, words: str) -> None:
    page.locator("main").get_by_role("button", name=words, exact=True).click()


def line(page: Page, name: str) -> Locator:
    """The line of a table that is about this person."""
    return page.locator("main tr").filter(has=page.get_by_role("rowheader", name=name))


# HR ----------------------------------------------------------------------------------------------

HELD = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
"""The evening of the day on which the session is held."""
SAFETY = "/training/sessions/safety-march/"


def test_hr_plans_enrols_records_closes_and_sees_the_effect(visits: Visits) -> None:
    bank = make_bank()
    teller("wang", bank.north)
    make_ready_version("training-reaction")
    course_of("safety", pass_mark=60, certifies=True, valid_months=24, reaction="training-reaction")

    _plan_and_enrol(visits)
    session = Session.objects.get()
    assert (session.state, session.enrolments.filter(state="enrolled").count()) == ("planned", 2)

    _record_and_close(visits)
    assert [
        (row.staff.number, row.state) for row in Enrolment.objects.order_by("staff__number")
    ] == [("li", "passed"), ("wang", "failed")]
    assert Certificate.objects.get().staff == bank.li

    _certificates_and_effect(visits, Certificate.objects.get().number)


def _plan_and_enrol(visits: Visits) -> None:
    with visits.by("hua", NOW, "/training/courses/safety/") as hua:
        page = hua.page
        check(hua, "Safety")
        follow(page, "Plan a session", "/plan/")
        check(hua, "Plan a session")
        page.fill("input[name=code]", "safety-march")
        page.fill("input[name=slots_day1]", "2026-03-10")
        page.fill("input[name=slots_from1]", "09:00")
        page.fill("input[name=slots_until1]", "17:00")
        page.select_option("select[name=unit]", "north")
        page.fill("input[name=provider]", "Fire brigade")
        page.fill("input[name=planned_cost]", "1200")
        press(page, "Plan it")
        page.wait_for_url(f"**{SAFETY}")
        expect(page.get_by_text("The session is planned. Now enrol people.")).to_be_visible()
        check(hua, "Safety")
        follow(page, "Enrol people", "/enrol/")
        follow(page, "Search", "/enrol/?way=search")
        page.fill("#enrol-text", "Staff")
        press(page, "Search")
        for name in ("Staff li", "Staff wang"):
            page.get_by_role("checkbox", name=name).check()
        check(hua, "Safety")
        press(page, "Enrol")
        page.wait_for_url(f"**{SAFETY}")
        expect(page.get_by_text("2 people have a seat.")).to_be_visible()
        expect(line(page, "Staff wang")).to_contain_text("Enrolled")


def _record_and_close(visits: Visits) -> None:
    with visits.by("hua", HELD, SAFETY) as hua:
        page = hua.page
        follow(page, "Presence", "/attendance/")
        page.get_by_role("spinbutton", name="Staff wang").fill("400")
        check(hua, "Safety")
        press(page, "All others were there")
        expect(page.get_by_text("2 entries are kept.")).to_be_visible()
        expect(page.get_by_role("spinbutton", name="Staff li")).to_have_value("480")

        follow(page, "Tests", "/results/")
        _scores(page, "before", li="40", wang="30")
        expect(page.get_by_text("2 results are kept.")).to_be_visible()
        _scores(page, "test", li="90", wang="50")
        expect(line(page, "Staff li")).to_contain_text("passed")
        expect(line(page, "Staff wang")).to_contain_text("not passed")
        check(hua, "Safety")

        follow(page, "People", SAFETY)
        follow(page, "Close the session", "/close/")
        expect(line(page, "Staff li")).to_contain_text("Passed")
        page.fill("input[name=actual_cost]", "1300")
        check(hua, "Safety")
        press(page, "Close the session")
        page.wait_for_url(f"**{SAFETY}")
        expect(page.get_by_text("The session is closed")).to_be_visible()
        check(hua, "Safety")


def _scores(page: Page, kind: str, **scores: str) -> None:
    page.select_option("select[name=kind]", kind)
    for number, score in scores.items():
        page.get_by_label(f"New score of Staff {number}").fill(score)
    press(page, "Keep the scores")
    # The fields are empty again on the page that comes back.
    expect(line(page, "Staff li")).to_contain_text(f"{scores['li']} %")


def _certificates_and_effect(visits: Visits, number: str) -> None:
    with visits.by("hua", HELD + HOUR, "/training/certificates/") as hua:
        page = hua.page
        check(hua, "Certificates")
        expect(line(page, "Staff wang")).to_have_count(0)
        expect(line(page, "Staff li")).to_contain_text("9 Mar 2028")
        page.get_by_role("link", name=number).click()
        expect(page.get_by_text("has passed")).to_be_visible()
        check(hua, "Certificate")

        page.goto("/training/effect/")
        check(hua, "Effect of training")
        follow(page, "Safety", "/courses/safety/")
        expect(page.get_by_text("is shown when the questionnaire has closed")).to_be_visible()
        expect(page.get_by_text("too few people to show").first).to_be_visible()
        expect(page.get_by_text("No study was registered.")).to_be_visible()
        check(hua, "Safety")


# A person ----------------------------------------------------------------------------------------

KEY = "E-7"
MINE = "/people/me/"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> MadeSource:
    """What customers say about people, instead of what questionnaires say."""
    made = MadeSource()
    monkeypatch.setattr(PERSON_SOURCES, "_offers", {made.key: made})
    return made


@pytest.fixture
def bank(said: MadeSource) -> Bank:
    """A north of ten tellers: customers say less good things about Li, once in an encounter that
    Li remembers."""
    found = make_bank()
    give_role(make_user("ana"), Role.ANALYST)
    for number in range(9):
        said.put(hire(f"n{number}", found.north, found.teller), USUAL)
    said.put(found.li, WEAK, 59)
    said.put(found.li, WEAK, 1, encounter=KEY)
    serve(found.li, found.north, KEY)
    evaluated(ENDS_ON, NOW)
    return found


def test_an_agent_reads_disputes_and_sees_who_looked(visits: Visits, bank: Bank) -> None:
    with visits.by("li", NOW + HOUR, MINE, PHONE) as li:
        _read_and_dispute(li)
    dispute = Dispute.objects.get()
    assert (dispute.staff, dispute.reason, dispute.state) == (bank.li, "not-mine", "open")

    with visits.by("mei", NOW + 2 * HOUR, "/people/li/") as mei:
        expect(
            mei.page.get_by_text("Staff li is told that you looked at this page")
        ).to_be_visible()
        check(mei, "Staff li")
    with visits.by("ana", NOW + 3 * HOUR, "/people/disputes/") as ana:
        _decide(ana)
    run_inline(Job.objects.get(state=Job.State.QUEUED), now=NOW + 4 * HOUR)
    assert list(Look.objects.values_list("viewer_name", "way")) == [("Mei", "page")]
    # The answer goes with the batch it came in, so that nobody finds it by subtracting.
    assert StaffResult.objects.current().get(staff=bank.li).n == 55

    with visits.by("li", NOW + 5 * HOUR, MINE, PHONE) as li:
        page = li.page
        expect(page.get_by_text("55 answers").first).to_be_visible()
        expect(line(page, "Mei")).to_contain_text("Page")
        expect(line(page, "Ana")).to_have_count(0)
        check(li, "My results")
        follow(page, "My encounters", "/encounters/")
        expect(line(page, KEY).first).to_contain_text("Upheld")
        expect(line(page, KEY).first).to_contain_text("The rota says so")
        check(li, "My encounters")


def _read_and_dispute(li: Walk) -> None:
    page = li.page
    expect(page.get_by_text("Below comparable colleagues").first).to_be_visible()
    expect(page.locator(".ladder").first).to_contain_text("Drawn towards them")
    expect(page.locator(".ladder").first).to_contain_text("60 answers")
    page.get_by_text("Step by step").first.click()
    expect(page.locator(".ladder").first).to_be_hidden()
    page.get_by_text("Step by step").first.click()
    expect(page.locator(".ladder").first).to_be_visible()
    check(li, "My results")

    follow(page, "My encounters", "/encounters/")
    check(li, "My encounters")
    line(page, KEY).get_by_role("link", name="Dispute it").click()
    page.wait_for_url(f"**/{KEY}/")
    page.check("input[name=reason][value=not-mine]")
    page.fill("textarea[name=text]", "I was at lunch.")
    check(li, "Dispute an encounter")
    press(page, "Raise the dispute")
    page.wait_for_url("**/encounters/")
    expect(page.get_by_text("The dispute is raised.")).to_be_visible()
    expect(line(page, KEY).first).to_contain_text("Open")
    page.goto(MINE)
    expect(page.get_by_text("You have 1 open dispute.")).to_be_visible()


def _decide(ana: Walk) -> None:
    """Without what the customer answered, and without the results of the person."""
    page = ana.page
    check(ana, "Disputes")
    follow(page, "Staff li", "/")
    expect(page.get_by_text("I was at lunch.")).to_be_visible()
    expect(page.get_by_text("Whether and what its customer answered is not shown")).to_be_visible()
    page.check("input[name=outcome][value=uphold]")
    page.fill("textarea[name=decision]", "The rota says so")
    expect(page.locator("h1")).not_to_have_text("Disputes")
    page.wait_for_load_state("networkidle")
    assert Axe().run(page).response["violations"] == []
    press(page, "Decide")
    page.wait_for_url("**/people/disputes/")
    expect(page.get_by_text("It is decided.")).to_be_visible()
    response = page.goto("/people/li/")
    assert response is not None
    assert response.status == 404
    ana.complaints.clear()


# Two who decide ----------------------------------------------------------------------------------

AWARDS = "/awards/"


@pytest.fixture
def awards() -> Iterator[tuple[Proposal, Proposal]]:
    """What the rules propose for Li and for Wang of the north, for the first quarter."""
    with questions():
        found = make_bank()
        wang = teller("wang", found.north)
        version, run = make_system(), make_run()
        scheme = scheme_in_force(found)
        scores(version, {found.north: 80.0})
        result(run, found.li, found.north, 4.0)
        result(run, wang, found.north, 3.0)
        yield proposed(scheme, found.li), proposed(scheme, wang)


def test_two_people_decide_on_an_award_with_reasons(
    visits: Visits, awards: tuple[Proposal, Proposal]
) -> None:
    lis, wangs = awards

    with visits.by("mei", APRIL + HOUR, AWARDS, PHONE) as mei:
        _review(mei)
    assert list(Decision.objects.order_by("pk").values_list("proposal", "agrees", "reason")) == [
        (wangs.pk, False, "On loan to the south for two months"),
        (lis.pk, True, "I saw how Li works"),
    ]
    assert not LedgerEntry.objects.exists()

    with visits.by("hua", APRIL + 2 * HOUR, AWARDS) as hua:
        _approve(hua)
    entry = LedgerEntry.objects.get()
    assert (entry.proposal, entry.amount) == (lis, 74_000)
    wangs.refresh_from_db()
    assert wangs.state == Proposal.State.DECLINED


def _review(mei: Walk) -> None:
    page = mei.page
    check(mei, "Awards to decide")
    expect(line(page, "Staff li")).to_contain_text("CNY 740.00")
    line(page, "Staff wang").get_by_role("link", name="Staff wang").click()
    page.wait_for_url(f"**{AWARDS}*/")
    check(mei, "Service bonus, quarter 1 of 2026")
    # The browser holds back what is empty; what is blank the server refuses.
    page.fill("textarea[name=reason]", "  ")
    press(page, "Decline")
    expect(page.get_by_role("heading", name="Nothing was decided")).to_be_visible()
    check(mei, "Service bonus, quarter 1 of 2026")
    assert not Decision.objects.exists()
    assert [said for said in mei.complaints if "400" not in said] == []
    mei.complaints.clear()
    page.fill("textarea[name=reason]", "On loan to the south for two months")
    press(page, "Decline")
    expect(page.get_by_text("The award is declined. Nothing is granted.")).to_be_visible()

    expect(line(page, "Staff wang")).to_have_count(0)
    line(page, "Staff li").get_by_role("link", name="Staff li").click()
    page.wait_for_url(f"**{AWARDS}*/")
    expect(page.get_by_text("The unit reached 80.0 of 100.")).to_be_visible()
    page.fill("textarea[name=reason]", "I saw how Li works")
    press(page, "Agree")
    expect(page.get_by_text("You agreed. It now waits for HR.")).to_be_visible()
    check(mei, "Awards to decide")


def _approve(hua: Walk) -> None:
    page = hua.page
    check(hua, "Awards to decide")
    line(page, "Staff li").get_by_role("link", name="Staff li").click()
    page.wait_for_url(f"**{AWARDS}*/")
    expect(page.get_by_text("I saw how Li works")).to_be_visible()
    check(hua, "Service bonus, quarter 1 of 2026")
    page.fill("textarea[name=reason]", "The rules are kept")
    press(page, "Agree")
    expect(page.get_by_text("The award is granted.")).to_be_visible()
    page.goto("/incentives/ledger/")
    check(hua, "Ledger of awards")
    expect(line(page, "Staff li")).to_contain_text("CNY 740.00")
    expect(line(page, "Staff wang")).to_have_count(0)
