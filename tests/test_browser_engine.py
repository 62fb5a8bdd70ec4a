"""What the numbers say, in a real browser: what matters, gaps, soundness, weights, diagnosis,
trends."""

from collections.abc import Iterator
from datetime import date
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from sqcore.base.periods import Grain
from sqcore.identity.permissions import Role
from sqcore.indicators.models import UnitOfMeasure
from sqcore.tests.factories import NOW, PASSWORD, give_role, make_unit, make_user
from sqcore.tests.monitoring.series import leaf, make_series
from sqcore.tests.reports.making import Bank
from sqcore.tests.weighting.factories import make_draft, weights_of
from sqcore.weighting.models import Judgement
from surveys.campaigns.models import Campaign
from surveys.drivers.kinds import DriversKind
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses
from surveys.tests.analyses.making import only, run
from surveys.tests.drivers.making import CODES, planted, raw_visit
from surveys.tests.factories import make_campaign, make_version, raw_definition
from surveys.tests.gaps.test_gaps import ask_all
from surveys.tests.validation.making import drawn
from surveys.validation.kinds import Validation
from tests.browser import PHONE, Reader, Walk, card, check, chromium, log_in, walk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
IN_NOVEMBER = date(2025, 11, 5)


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


@pytest.fixture
def reader(live_server: LiveServer, browser: Browser) -> Reader:
    return Reader(browser, live_server.url)


def make_analyst() -> None:
    give_role(make_user("ana", name="Ana Li"), Role.ANALYST)


# What matters ------------------------------------------------------------------------------------


@pytest.fixture
def two_branches() -> None:
    """In the north content hangs on speed, in the south on care."""
    make_analyst()
    bank = make_unit("bank")
    campaign = make_campaign(version=make_version(raw_visit()), opens_on=date(2025, 1, 1))
    for seed, (code, parts) in enumerate({"north": (0.9, 0.2, 0), "south": (0.2, 0.9, 0)}.items()):
        unit = make_unit(code, parent=bank)
        rows = planted(150, parts, seed=seed).tolist()
        tell(campaign, unit.pk, [*CODES, "overall", "nps"], rows)
    with only(DriversKind()):
        run(campaign)


def tell(campaign: Campaign, unit: int, codes: list[str], rows: list[list[int]]) -> None:
    """These are the answers of customers of the unit in November."""
    responses = [
        NewResponse(
            answers=dict(zip(codes, row, strict=True)), unit_id=unit, answered_on=IN_NOVEMBER
        )
        for row in rows
    ]
    add_responses(campaign=campaign, responses=responses, origin=Response.Origin.API, now=NOW)


@pytest.mark.usefixtures("two_branches")
def test_an_analyst_sees_what_matters_and_compares_two_groups(reader: Reader) -> None:
    with walk(reader.browser, reader.address) as ana:
        page = ana.page
        log_in(page, "ana", PASSWORD, then="/")
        page.get_by_role("link", name="What matters", exact=True).first.click()
        expect(page.locator("h1")).to_have_text("What matters")
        page.get_by_label("Of whom").select_option("unit:north")
        north = card(page, "North")
        expect(north.locator("[data-figure] .main-svg").first).to_be_visible()
        expect(north.locator("ol.drivers h3").first).to_have_text("Speed")
        north.get_by_text("The numbers as a table").click()
        expect(north.get_by_role("rowheader", name="Speed")).to_be_visible()

        page.get_by_label("Beside them").select_option("unit:south")
        compared = card(page, "What counts more here than there")
        expect(compared.get_by_role("row", name="Speed")).to_contain_text(
            "clearly counts more here"
        )
        expect(compared.get_by_role("row", name="Care")).to_contain_text("clearly counts less here")
        expect(compared.get_by_role("row", name="Rooms")).to_contain_text("no clear difference")
        for name in ("North", "South"):
            map_of = card(page, name).locator("[data-figure] .main-svg").first
            expect(map_of).to_be_visible()
        check(ana, "compared")
    reader.reads("/what-matters/?of=unit:north&against=unit:south", "[data-figure] .main-svg")


# Five gaps ---------------------------------------------------------------------------------------


def test_five_gaps_have_intervals_and_their_causes_open_by_keyboard(reader: Reader) -> None:
    make_analyst()
    ask_all(make_unit("bank"))
    with walk(reader.browser, reader.address) as ana:
        page = ana.page
        log_in(page, "ana", PASSWORD, then="/")
        page.get_by_role("link", name="Five gaps", exact=True).first.click()
        for gap, points in enumerate(("−2.00", "−2.00", "−1.00", "−3.00", "−1.00"), 1):
            section = page.locator(f"section[aria-labelledby=gap-{gap}]")
            whole = section.locator("table").first.locator("tbody tr").first
            expect(whole).to_contain_text(points)
            expect(whole).to_contain_text(" to ")

        causes = page.locator("section[aria-labelledby=gap-1] details").last
        conflict = causes.get_by_role("rowheader").first
        expect(conflict).to_be_hidden()
        causes.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(conflict).to_be_visible()
        expect(causes).to_contain_text("Likely cause")
        check(ana, "causes")
        page.keyboard.press("Enter")
        expect(conflict).to_be_hidden()
    reader.reads("/gaps/", "section[aria-labelledby=glance] table")


# Is the questionnaire sound? ---------------------------------------------------------------------


def test_a_questionnaire_says_whether_it_is_sound(reader: Reader) -> None:
    make_analyst()
    raw = raw_definition()
    codes = [f"{name}{at}" for name in "sc" for at in range(4)]
    raw["items"] = [
        {
            "code": code,
            "dimension": "speed" if code.startswith("s") else "care",
            "text": {"en": f"Question {code}"},
        }
        for code in codes
    ]
    campaign = make_campaign(version=make_version(raw), opens_on=date(2025, 1, 1))
    tell(campaign, make_unit("bank").pk, codes, drawn(200).tolist())
    with only(Validation()):
        run(campaign)

        with walk(reader.browser, reader.address) as ana:
            page = ana.page
            log_in(page, "ana", PASSWORD, then="/surveys/questionnaires/visit/1/")
            page.get_by_role("link", name="Is it sound?").click()
            expect(page.locator("h1")).to_have_text("Is the questionnaire sound?")
            short = card(page, "In short")
            expect(short).to_contain_text("6 of 6 questions about the questionnaire")
            expect(short).to_contain_text("200 answers")
            short.get_by_role("link", name="Were people attentive?").click()
            expect(page.get_by_role("heading", name="Were people attentive?")).to_be_in_viewport()
            for summary in page.locator("section[aria-labelledby=technical] summary").all():
                summary.click()
            expect(page.get_by_role("rowheader", name="Question s0").first).to_be_visible()
            check(ana, "all open")
        reader.reads("/surveys/questionnaires/visit/1/soundness/", ".report")


# Weights of an expert ----------------------------------------------------------------------------


def test_an_expert_answers_on_a_phone_without_scripts_and_the_weights_come_of_it(
    reader: Reader,
) -> None:
    make_analyst()
    make_unit("bank")
    draft = make_draft()
    group = f"/setup/systems/versions/{draft.pk}/weights/top/"
    with walk(reader.browser, reader.address) as ana:
        log_in(ana.page, "ana", PASSWORD, then=f"{group}?method=ahp")
        link = _invite(ana, "Dr Wang")
        with walk(
            reader.browser, reader.address, viewport=PHONE, java_script_enabled=False
        ) as wang:
            _compare(wang, urlsplit(link).path)
        assert Judgement.objects.get().answers == {
            "reliability:responsiveness": 3.0,
            "reliability:empathy": 6.0,
            "responsiveness:empathy": 2.0,
        }
        _take(ana, f"{group}?method=ahp")
    assert weights_of(draft) == {
        "reliability": "0.666667",
        "responsiveness": "0.222222",
        "empathy": "0.111111",
    }
    reader.reads(f"{group}?method=ahp", "section[aria-labelledby=experts]")


def _invite(ana: Walk, name: str) -> str:
    """Return the personal link that the page shows this once."""
    page = ana.page
    page.get_by_text("Invite an expert", exact=True).click()
    page.get_by_label("Name of the expert").fill(name)
    page.get_by_role("button", name="Make the link").click()
    expect(page.locator("h1")).to_have_text(f"Link for {name}")
    check(ana, "link")
    return page.get_by_label("Personal link").input_value()


def _compare(wang: Walk, path: str) -> None:
    page = wang.page
    page.goto(path)
    for pair, said in (
        ("Reliability or Responsiveness?", "Reliability matters moderately more"),
        ("Reliability or Empathy?", "Reliability matters between strongly and very strongly more"),
        (
            "Responsiveness or Empathy?",
            "Responsiveness matters between equally and moderately more",
        ),
    ):
        asked = page.get_by_role("group", name=pair)
        asked.get_by_role("radio", name=said, exact=True).check()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(page.get_by_text("3 of 3 pairs compared")).to_be_visible()
    assert wang.complaints == []


def _take(ana: Walk, path: str) -> None:
    """Ana sees who judged and how, and takes the weights for the draft."""
    page = ana.page
    page.goto(path)
    judged = card(page, "Experts").get_by_role("row", name="Dr Wang")
    expect(judged).to_contain_text("3 of 3")
    expect(judged).to_contain_text("yes")
    result = card(page, "Result")
    expect(result.get_by_role("row", name="Reliability")).to_contain_text("66.7 %")
    expect(result.get_by_role("row", name="Empathy")).to_contain_text("11.1 %")
    page.get_by_role("link", name="Apply to the draft").click()
    page.get_by_role("button", name="Apply to the draft").click()
    expect(page.get_by_text("The draft has these weights now.")).to_be_visible()
    assert ana.complaints == []


# Diagnosis ---------------------------------------------------------------------------------------


def test_the_page_of_a_unit_leads_to_its_diagnosis_and_to_a_ticket(reader: Reader) -> None:
    bank = Bank()
    bank.put(bank.oak, "wait", 13.0, 0.6)
    with walk(reader.browser, reader.address) as ana:
        page = ana.page
        log_in(page, "ana", PASSWORD, then="/quality/units/oak/")
        short = card(page, "Diagnosis")
        short.scroll_into_view_if_needed()
        expect(short.get_by_role("listitem")).to_have_count(6)
        check(ana, "unit")
        short.get_by_role("link", name="Diagnosis of Oak, with its evidence").click()
        expect(page.locator("h1")).to_have_text("Diagnosis of Oak")
        process = page.locator("section[aria-labelledby=class-process]")
        expect(process).to_contain_text("Wait: 13.00 here, 9.00 on average at 5 other units.")
        expect(process).to_contain_text("95 % interval +16.7 to +23.3")
        process.get_by_role("link", name="Propose a ticket").click()
        expect(page.locator("textarea[name=description]")).to_have_value(
            "Suspected cause: Process.\nWait: 13.00 here, 9.00 on average at 5 other units."
        )
    reader.reads("/quality/units/oak/diagnosis/", "section[aria-labelledby=how-to-read]")
    reader.reads("/quality/units/oak/review/", "section[aria-labelledby=review-diagnosis]")


# Trend, forecast and funnel ----------------------------------------------------------------------

RISING = [9.0 + 0.25 * at + (0.5 if at % 2 else -0.5) for at in range(24)]
"""Minutes: 0.25 more every month, to and fro by a minute."""
WAITING = "/quality/charts/bank/north/waiting/?grain=month"


def test_a_chart_says_where_it_is_going_and_shows_the_units_beside_each_other(
    reader: Reader,
) -> None:
    make_analyst()
    waiting = leaf("waiting", unit_of_measure=UnitOfMeasure.MINUTES.value, target=8.0, floor=15.6)
    series = make_series(waiting, grain=Grain.MONTH)
    head = make_unit("bank")
    series.put(make_unit("north", parent=head), list(RISING), error=0.5)
    for at in range(15):
        beside = make_unit(f"branch-{at}", parent=head)
        series.put(beside, [9.0 + 0.1 * (at % 5)], first=24, error=0.5)
    with walk(reader.browser, reader.address) as ana:
        page = ana.page
        log_in(page, "ana", PASSWORD, then=WAITING)
        expect(page.locator("[data-figure=figure-control] .main-svg").first).to_be_visible()
        outlook = card(page, "Trend and forecast")
        expect(outlook).to_contain_text("Rises, which is worse, by")
        expect(outlook).to_contain_text("95 % interval")
        expect(outlook).to_contain_text("what should never be missed (15.6 min).")
        expect(outlook.get_by_role("row", name="January 2026")).to_be_visible()

        page.get_by_role("link", name="Units beside each other").click()
        expect(page.locator("[data-figure=figure-funnel] .main-svg").first).to_be_visible()
        funnel = card(page, "Units beside each other")
        expect(funnel).to_contain_text("1 of 16 units lie outside the inner limits")
        funnel.get_by_text("The numbers as a table").click()
        north = funnel.get_by_role("row", name="North")
        expect(north).to_contain_text("clearly higher than chance explains")
        check(ana, "funnel")
        beside_address = page.url
    reader.reads(WAITING, "[data-figure=figure-control] .main-svg")
    parts = urlsplit(beside_address)
    reader.reads(f"{parts.path}?{parts.query}", "[data-figure=figure-funnel] .main-svg")
