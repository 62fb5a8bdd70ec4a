"""From the goals to the publication, and what stands beside the numbers, in a real browser: steps,
shapes of points, competitors, populations, customers at risk, a review on paper, early warnings."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from sqcore.base.periods import Grain
from sqcore.comparators.models import ComparatorValue
from sqcore.identity.permissions import Role
from sqcore.indicators.models import Indicator, UnitOfMeasure, WeightedIndicator
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_inline
from sqcore.monitoring.foretelling import foretell
from sqcore.org.queries import local_day
from sqcore.publication.models import Candidate, Goal
from sqcore.tests.factories import PASSWORD, give_role, make_segment, make_unit, make_user
from sqcore.tests.monitoring.series import Series, leaf, make_series
from sqcore.tests.reports.making import Bank
from sqcore.tests.weighting.factories import make_draft
from surveys.drivers.kinds import DriversKind
from surveys.representation.models import Population
from surveys.tests.churn.making import come
from surveys.tests.drivers.making import (
    answers_of,
    codebook,
    make_analysis,
    planted,
    raw_visit,
)
from surveys.tests.factories import make_campaign, make_ready_version, make_version
from surveys.tests.gaps.test_expectations import QUARTERS, analyse_all, ask
from tests.browser import DESK, PHONE, Reader, Walk, card, check, chromium, log_in, walk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

MONTHS = 24
RISING = [9.0 + 0.25 * at + (0.5 if at % 2 else -0.5) for at in range(MONTHS)]
"""Minutes: 0.25 more every month, to and fro by a minute."""
VERSION = "/setup/systems/service/versions/1/"
REFUSED = "status of 400"
"""What the browser notes when a form comes back with what is wrong in it; the page says it."""


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


@pytest.fixture(params=["desk", "phone without scripts"])
def ana(request: pytest.FixtureRequest, reader: Reader) -> Iterator[Walk]:
    """Ana, an analyst, at her desk, or on a phone that runs no scripts."""
    scripts = request.param == "desk"
    viewport = DESK if scripts else PHONE
    make_analyst()
    with walk(
        reader.browser, reader.address, viewport=viewport, java_script_enabled=scripts
    ) as walked:
        log_in(walked.page, "ana", PASSWORD, then="/profile/")
        yield walked
        assert [each for each in walked.complaints if REFUSED not in each] == []


@pytest.fixture
def at_desk(reader: Reader) -> Iterator[Walk]:
    make_analyst()
    with walk(reader.browser, reader.address) as walked:
        log_in(walked.page, "ana", PASSWORD, then="/profile/")
        yield walked
        assert walked.complaints == []


def make_analyst() -> None:
    give_role(make_user("ana", name="Ana Li"), Role.ANALYST)


def choose(page: Page, field: str, words: str) -> None:
    page.get_by_label(field, exact=True).select_option(label=words)


def press(page: Page, words: str) -> None:
    page.locator("main").get_by_role("button", name=words, exact=True).click()


def follow(page: Page | Locator, words: str) -> None:
    page.get_by_role("link", name=words, exact=True).first.click()


def tab_to(page: Page, there: Locator) -> None:
    """Come to a place with the tabulator key alone."""
    expect(there).to_be_visible()
    for _step in range(150):
        page.keyboard.press("Tab")
        if there.evaluate("place => place === document.activeElement"):
            return
    raise AssertionError("The tabulator key does not lead there.")


# The six steps -----------------------------------------------------------------------------------


def test_a_draft_says_what_each_of_its_steps_still_lacks(ana: Walk) -> None:
    make_draft()
    page = ana.page
    page.goto(VERSION)
    follow(page, "Six steps")
    goals, screening = page.locator("#at-goals"), page.locator("#at-screening")
    expect(goals).to_contain_text("No goal is written down.")

    follow(goals, "Goals")
    page.get_by_label("Goal, in English").fill("Nobody waits long")
    page.get_by_label("Served by").select_option(label="Responsiveness")
    press(page, "Add the goal")
    expect(page.get_by_text("The goal is kept.")).to_be_visible()
    expect(page.get_by_text("Dimensions that no goal asks for:")).to_be_visible()

    page.goto(f"{VERSION}steps/")
    expect(goals).to_contain_text("1 goal")
    expect(goals).to_contain_text("No goal asks for the dimension “Reliability”.")
    expect(screening).to_contain_text("Kept promises; Without error")

    follow(screening, "Screening")
    page.get_by_label("Indicator of the catalogue").select_option(label="Kept promises")
    press(page, "Put it up")
    expect(page.get_by_text("The candidate is put up.")).to_be_visible()
    follow(page, "Kept promises")
    for criterion, points in (
        ("Important", "5"),
        ("Operable", "4"),
        ("Consistent", "4"),
        ("Complete", "3"),
        ("Dynamic", "4"),
    ):
        choose(page, criterion, points)
    press(page, "Keep my rating")
    row = page.get_by_role("row", name="Kept promises")
    expect(row).to_contain_text("4.0 by 1 person")
    expect(row).to_contain_text("open", ignore_case=True)

    page.goto(f"{VERSION}steps/")
    expect(screening).to_contain_text("1 candidate is not decided.")
    follow(screening, "Screening")
    follow(page, "Kept promises")
    page.get_by_label("Keep it").check()
    page.get_by_label("Why").fill("Customers name it first.")
    press(page, "Decide")
    expect(row.get_by_role("cell").last).to_contain_text("kept", ignore_case=True)
    expect(row).to_contain_text("Customers name it first. · Ana Li")

    page.goto(f"{VERSION}steps/")
    expect(screening).not_to_contain_text("not decided")
    expect(screening).to_contain_text("1 indicator of it was not screened: Without error")
    assert ana.sideways == 0
    assert [(str(goal), goal.dimension) for goal in Goal.objects.all()] == [
        ("Nobody waits long", "responsiveness")
    ]
    assert Candidate.objects.get().decision == Candidate.Decision.KEEP


@pytest.mark.parametrize(
    ("page", "sign"),
    [("steps/", "#at-publication"), ("screening/", "section[aria-labelledby=add]")],
)
def test_the_pages_of_the_steps_hold_for_everybody(reader: Reader, page: str, sign: str) -> None:
    make_analyst()
    make_draft()
    reader.reads(f"{VERSION}{page}", sign)


# Another shape of points -------------------------------------------------------------------------


def test_an_indicator_is_best_in_the_middle_and_shows_its_points_before_they_are_kept(
    ana: Walk,
) -> None:
    make_draft()
    page = ana.page
    page.goto(VERSION)
    follow(page, "Kept promises")
    expect(card(page, "Points")).to_contain_text("as it is kept")
    follow(page, "Best in the middle")
    page.get_by_label("Best value").fill("5")
    page.get_by_label("Tolerance").fill("0")
    press(page, "Show the points")
    expect(page.get_by_text("The tolerance must be above 0.", exact=True)).to_be_visible()
    expect(card(page, "Points")).to_have_count(0)

    page.get_by_label("Tolerance").fill("2")
    page.get_by_label("Dead band").fill("0.5")
    press(page, "Show the points")
    preview = card(page, "Points")
    expect(preview).to_contain_text("not kept yet")
    expect(preview.locator("polyline")).to_be_visible()
    best = preview.get_by_role("row").filter(
        has=page.get_by_role("rowheader", name="5", exact=True)
    )
    expect(best.get_by_role("cell")).to_have_text("100")
    assert ana.sideways == 0
    assert _shape() == ("goalposts", 7.0)

    press(page, "Keep")
    expect(page.get_by_text("The draft is changed.")).to_be_visible()
    assert _shape() == ("nominal", 5.0)


def _shape() -> tuple[str, float]:
    found = WeightedIndicator.objects.get(indicator__code="kept-promises")
    return found.shape, found.best


@pytest.mark.parametrize("shape", ["goalposts", "knots"])
def test_the_page_of_a_shape_holds_for_everybody(reader: Reader, shape: str) -> None:
    make_analyst()
    make_draft()
    reader.reads(f"{VERSION}indicators/kept-promises/?shape={shape}", "form.form")


# Competitors and the market ----------------------------------------------------------------------


def make_rising(**over: Any) -> Series:
    """The minutes at North that rise every month of 2024 and 2025; less is better."""
    waiting = leaf("waiting", unit_of_measure=UnitOfMeasure.MINUTES.value, **over)
    Indicator.objects.create(
        code="waiting",
        name={"en": "Waiting"},
        source="encounters",
        unit_of_measure="min",
        statistic="mean",
        direction="lower",
    )
    series = make_series(waiting, grain=Grain.MONTH)
    series.put(make_unit("north"), list(RISING), error=0.5)
    return series


def test_a_value_of_a_competitor_is_revised_and_stands_beside_own_results(
    ana: Walk, reader: Reader
) -> None:
    make_rising()
    page = ana.page
    page.goto("/comparators/")
    expect(page.get_by_text("Nobody to compare with yet")).to_be_visible()
    follow(page, "Add somebody to compare with")
    page.get_by_label("Code").fill("rival")
    page.get_by_label("English").fill("Rival Bank")
    choose(page, "Kind", "Competitor")
    press(page, "Add")
    expect(page.get_by_role("row", name="Rival Bank")).to_be_visible()

    page.goto("/comparators/")
    follow(page, "Write a value down")
    page.get_by_label("Competitor or market").select_option(label="Rival Bank")
    page.get_by_label("Indicator").select_option(label="Waiting")
    page.get_by_label("From").fill("2025-01-01")
    page.get_by_label("Last day").fill("2025-12-31")
    page.get_by_label("Value", exact=True).fill("7.5")
    page.get_by_label("Source", exact=True).fill("Yearbook of banks")
    press(page, "Write it down")
    expect(page.get_by_text("The value is written down.")).to_be_visible()
    follow(page, "Revise")
    page.get_by_label("Value", exact=True).fill("6.5")
    page.get_by_label("Source", exact=True).fill("Yearbook, second edition")
    press(page, "Revise the value")
    expect(page.get_by_text("The new revision holds.")).to_be_visible()
    expect(card(page, "Revisions").get_by_role("row")).to_have_count(3)

    page.goto("/quality/indicators/waiting/?grain=month&unit=north")
    beside = card(page, "Competitors and market")
    row = beside.get_by_role("row", name="Rival Bank")
    expect(row).to_contain_text("6.5 min")
    expect(row).to_contain_text("Yearbook, second edition")
    expect(beside).not_to_contain_text("7.5")
    follow(page, "Control chart")
    page.get_by_text("The numbers as a table").first.click()
    drawn = page.get_by_role("row").filter(has_text="Rival Bank")
    expect(drawn.first).to_be_visible()
    expect(drawn.first).to_contain_text("Yearbook, second edition")
    assert ana.sideways == 0
    _sees_nothing(reader, ComparatorValue.objects.order_by("-revision")[0].pk)


def _sees_nothing(reader: Reader, value: int) -> None:
    """Who has no role is told nothing of competitors, on no page."""
    make_user("hua", name="Hua")
    with walk(reader.browser, reader.address) as hua:
        log_in(hua.page, "hua", PASSWORD, then="/profile/")
        for path in (
            "/comparators/",
            f"/comparators/values/{value}/",
            "/comparators/who/",
            "/quality/indicators/waiting/",
            "/quality/charts/bank/north/waiting/?grain=month",
        ):
            answer = hua.page.goto(path)
            assert answer is not None
            assert answer.status in {403, 404}, path
            expect(hua.page.locator("body")).not_to_contain_text("Rival Bank")


@pytest.mark.parametrize(
    ("path", "sign"),
    [
        ("/comparators/", "section[aria-labelledby=values-title]"),
        ("/comparators/new/", "form.form"),
    ],
)
def test_the_pages_of_competitors_hold_for_everybody(reader: Reader, path: str, sign: str) -> None:
    make_analyst()
    reader.reads(path, sign)


# A population ------------------------------------------------------------------------------------


def test_a_wrong_line_of_a_population_is_named_by_its_number(ana: Walk) -> None:
    bank = make_unit("bank")
    for code in ("north", "south"):
        make_unit(code, parent=bank)
    page = ana.page
    page.goto("/surveys/populations/")
    expect(page.get_by_text("No population yet")).to_be_visible()
    follow(page, "New population")
    page.get_by_label("Name").fill("Customers, end of 2025")
    page.get_by_label("Source").fill("Core system")
    page.get_by_label("As of").fill("2025-12-31")
    page.get_by_label("Units (optional)", exact=True).fill("north 1200\nsouth many")
    press(page, "Keep the population")
    expect(
        page.get_by_text("row 2, south: must be a number, 0 or more", exact=True)
    ).to_be_visible()
    expect(page.get_by_label("Units (optional)", exact=True)).to_have_value(
        "north 1200\nsouth many"
    )
    assert not Population.objects.exists()

    page.get_by_label("Units (optional)", exact=True).fill("north 1200\nsouth 800")
    press(page, "Keep the population")
    expect(page.get_by_text("The population is there.")).to_be_visible()
    expect(page.get_by_role("row", name="north")).to_contain_text("60")
    assert ana.sideways == 0
    assert Population.objects.get().figures == {"unit": {"north": 1200.0, "south": 800.0}}


@pytest.mark.parametrize(
    ("path", "sign"),
    [
        ("/surveys/populations/", "section[aria-labelledby=served]"),
        ("/surveys/populations/new/", "form.form"),
    ],
)
def test_the_pages_of_populations_hold_for_everybody(reader: Reader, path: str, sign: str) -> None:
    make_analyst()
    reader.reads(path, sign)


# Customers at risk -------------------------------------------------------------------------------


def test_a_new_scorecard_says_that_there_is_not_enough_history(ana: Walk) -> None:
    bank = make_unit("bank")
    last_month = local_day(timezone.now()).replace(day=1) - timedelta(days=5)
    for number in range(6):
        come(f"new-{number}", bank, [last_month])
    page = ana.page
    page.goto("/churn/")
    expect(page.get_by_text("No scorecard yet")).to_be_visible()
    follow(page, "Write a scorecard")
    page.get_by_label("Reason").fill("As experience says.")
    press(page, "Keep and try")
    expect(page.get_by_text("The scorecard is being tried; it takes a moment.")).to_be_visible()
    expect(card(page, "What counts")).to_contain_text("As experience says.")

    run_inline(Job.objects.get(), now=timezone.now())
    page.reload()
    expect(card(page, "By unit").get_by_role("row", name="Bank")).to_be_visible()
    expect(card(page, "Tried on history")).to_contain_text("There is not enough history yet")
    assert ana.sideways == 0


@pytest.mark.parametrize(
    ("path", "sign"),
    [("/churn/", "main .card"), ("/churn/scorecard/", "form.form")],
)
def test_the_pages_of_customers_at_risk_hold_for_everybody(
    reader: Reader, path: str, sign: str
) -> None:
    make_analyst()
    reader.reads(path, sign)


# A review on paper -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("viewport", "scripts"), [(DESK, True), (PHONE, False)], ids=["desk", "phone without scripts"]
)
def test_the_review_of_a_unit_is_taken_along_as_a_pdf(
    reader: Reader, viewport: dict[str, int], scripts: bool, tmp_path: Path
) -> None:
    Bank()
    with walk(
        reader.browser, reader.address, viewport=viewport, java_script_enabled=scripts
    ) as ana:
        page = ana.page
        log_in(page, "ana", PASSWORD, then="/quality/units/oak/review/")
        with page.expect_download() as awaited:
            follow(page, "As PDF")
        download = awaited.value
        assert download.suggested_filename == "review-oak-2025-Q4.pdf"
        kept = tmp_path / "review.pdf"
        download.save_as(kept)
        assert kept.read_bytes().startswith(b"%PDF-")
        expect(page.get_by_role("link", name="As PDF")).to_be_visible()
        assert ana.complaints == []


# An early warning --------------------------------------------------------------------------------


@pytest.fixture
def warned() -> None:
    series = make_rising(floor=15.6)
    foretell(system=series.system, grain=series.grain, now=series.after(MONTHS))


@pytest.mark.usefixtures("warned")
def test_an_early_warning_on_home_leads_to_its_chart(at_desk: Walk) -> None:
    page = at_desk.page
    page.goto("/")
    early = card(page, "Early warnings")
    expect(early).to_contain_text("what it must never exceed (15.6 min)")
    check(at_desk, "home")
    follow(early, "Waiting")
    page.wait_for_url("**/quality/charts/bank/north/waiting/**#outlook")
    expect(page.locator("[data-figure=figure-control] .main-svg").first).to_be_visible()
    outlook = card(page, "Trend and forecast")
    expect(outlook).to_contain_text("15.6 min")


@pytest.mark.usefixtures("warned")
def test_home_with_an_early_warning_holds_for_everybody(reader: Reader) -> None:
    make_analyst()
    reader.reads("/", "section[aria-labelledby=early-warnings]")


# By keyboard: what bad costs, and what customers expect ------------------------------------------


@pytest.fixture
def slow_costs() -> None:
    """Who finds the bank slow is three steps less content; who finds it fast gains nothing."""
    table = planted(1000, [0.0, 0.0, 0.3])
    slow = table[:, :3].mean(axis=1) < 3.3
    table[slow, 9] = np.maximum(table[slow, 9].astype(int) - 3, 1)
    found = DriversKind().find(answers_of(codebook(raw_visit()), table))
    make_analysis(
        make_version(raw_visit()),
        make_unit("bank"),
        None,
        status=found.status.value,
        n=len(table),
        found=dict(found.values),
    )


@pytest.mark.usefixtures("slow_costs")
def test_what_bad_costs_and_good_brings_is_read_by_keyboard(at_desk: Walk) -> None:
    page = at_desk.page
    page.goto("/what-matters/")
    effects = card(page, "What bad costs, what good brings: Bank")
    expect(effects).to_contain_text("Judged low:")
    numbers = effects.get_by_role("rowheader", name="Speed").first
    expect(numbers).to_be_hidden()
    tab_to(page, effects.locator("summary"))
    page.keyboard.press("Enter")
    expect(numbers).to_be_visible()
    tab_to(page, effects.locator(".table-scroll"))
    check(at_desk, "effects")


@pytest.mark.usefixtures("slow_costs")
def test_what_bad_costs_holds_for_everybody(reader: Reader) -> None:
    make_analyst()
    reader.reads("/what-matters/", "section[aria-labelledby^=effects-] .main-svg")


@pytest.fixture
def expecting_more() -> None:
    """Private customers expect one more of seven in the last quarter, others what they did."""
    bank, private = make_unit("bank"), make_segment("private")
    visit = make_campaign(
        version=make_ready_version("servqual"), code="visit", opens_on=date(2024, 1, 1)
    )
    for quarter, expected in zip(QUARTERS, (4, 4, 5), strict=True):
        ask(visit, bank, quarter, expected, segment_id=private.pk)
        ask(visit, bank, quarter, 4)
    analyse_all(visit)


@pytest.mark.usefixtures("expecting_more")
def test_what_customers_expect_is_read_by_keyboard(at_desk: Walk) -> None:
    page = at_desk.page
    page.goto("/gaps/")
    part = card(page, "What customers expect, and how that shifts")
    tab_to(page, part.locator(".table-scroll"))
    of_private = part.get_by_role("row").filter(has_text="Private").first
    expect(of_private).to_contain_text("rose")
    expect(part).to_contain_text("Means and changes have 95 % intervals.")
    check(at_desk, "expected")


@pytest.mark.usefixtures("expecting_more")
def test_what_customers_expect_holds_for_everybody(reader: Reader) -> None:
    make_analyst()
    reader.reads("/gaps/", "section[aria-labelledby=expected] table")
