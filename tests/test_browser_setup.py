"""A walk through Set-up in a real browser: from nothing to a published system."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from sqcore.identity.permissions import Role
from sqcore.indicators.definition import definition_of
from sqcore.indicators.models import SystemVersion
from sqcore.tests.factories import NOW, PASSWORD, give_role, make_unit, make_user
from surveys.instruments.services import install_ready_instruments
from tests.browser import DESK, PHONE, chromium, log_in, walk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(autouse=True)
def _bank() -> None:
    install_ready_instruments(now=NOW)
    make_unit("bank")
    give_role(make_user("ana", name="Ana Li"), Role.ANALYST)


def _choose(page: Page, field: str, words: str) -> None:
    """Choose the first option that begins with these words."""
    option = page.locator(f"select[name={field}] option").filter(has_text=words).first
    page.select_option(f"select[name={field}]", option.get_attribute("value"))


def _keep(page: Page) -> None:
    page.locator("main form.form button.primary").click()


def _dimension(page: Page, name: str) -> None:
    page.get_by_role("link", name="Add a dimension").first.click()
    page.fill("input[name=name_en]", name)
    _keep(page)


def _place(page: Page, dimension: str, indicator: str) -> None:
    page.get_by_role("region", name=dimension).get_by_role("link", name="indicator").first.click()
    _choose(page, "indicator", indicator)
    _keep(page)


@pytest.mark.parametrize(
    ("viewport", "scripts"), [(DESK, True), (PHONE, False)], ids=["desk", "phone without scripts"]
)
def test_from_nothing_to_a_published_system(
    live_server: LiveServer, browser: Browser, viewport: dict[str, int], scripts: bool
) -> None:
    with walk(browser, live_server.url, viewport=viewport, java_script_enabled=scripts) as ana:
        page = ana.page
        log_in(page, "ana", PASSWORD, then="/setup/systems/")
        page.get_by_role("link", name="Make a draft").click()
        page.fill("input[name=name_en]", "Branch quality")
        page.fill("input[name=since]", "2026-01-01")
        _keep(page)

        _dimension(page, "Reliability")
        _dimension(page, "Tangibles")
        _place(page, "Reliability", "Reliability as perceived")
        _place(page, "Tangibles", "Tangibles as perceived")
        page.fill("input[name=weight-reliability]", "60")
        page.fill("input[name=weight-tangibles]", "30")
        if scripts:
            dimensions = page.get_by_role("region", name="Dimensions", exact=True)
            expect(dimensions.locator("output")).to_have_text("90")
        page.get_by_role("button", name="Keep the weights Dimensions").click()

        page.get_by_role("link", name="Check and publish").click()
        expect(page.get_by_text("The weights in it sum to 0.9, not to 1.")).to_be_visible()
        page.get_by_role("link", name="Dimensions", exact=True).click()
        page.get_by_role("button", name="Bring to 100 % Dimensions").click()
        page.get_by_role("link", name="Check and publish").click()
        page.get_by_role("button", name="Publish version 1").click()

        expect(page.get_by_text("Version 1 counts from now on.")).to_be_visible()
        assert ana.complaints == []
        assert ana.sideways == 0

    said = definition_of(SystemVersion.objects.published().get())
    assert [(found.code, round(found.weight, 6)) for found in said.dimensions] == [
        ("reliability", 0.666667),
        ("tangibles", 0.333333),
    ]
    assert [leaf.code for leaf in said.all_indicators()] == [
        "perceived-reliability",
        "perceived-tangibles",
    ]


def test_the_bank_case_says_what_it_still_needs(live_server: LiveServer, browser: Browser) -> None:
    with walk(browser, live_server.url) as ana:
        page = ana.page
        log_in(page, "ana", PASSWORD, then="/setup/systems/new/")
        page.get_by_label("The bank case").check()
        page.fill("input[name=since]", "2026-01-01")
        _keep(page)
        page.get_by_role("link", name="See what").click()

        expect(page.get_by_text("There is no measure “staff-qualified”.")).to_be_visible()
        page.get_by_role("link", name="Qualified staff").click()
        expect(page.get_by_role("heading", name="Qualified staff", level=1)).to_be_visible()
        assert ana.complaints == []


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    live_server: LiveServer, browser: Browser, scheme: str, viewport: dict[str, int]
) -> None:
    with walk(browser, live_server.url, viewport=viewport, color_scheme=scheme) as ana:
        page = ana.page
        log_in(page, "ana", PASSWORD, then="/setup/systems/new/")
        page.get_by_label("The bank case").check()
        page.fill("input[name=since]", "2026-01-01")
        _keep(page)
        version = "/setup/systems/service-quality/versions/1/"
        for path in (
            version,
            f"{version}check/",
            f"{version}dimensions/empathy/indicators/",
            "/setup/systems/",
            "/setup/indicators/",
            "/setup/indicators/new/",
            "/setup/indicators/counter-waiting-time/",
        ):
            page.goto(path)
            page.wait_for_load_state("networkidle")

            found = Axe().run(page).response["violations"]

            assert [
                (path, kind["id"], [node["html"][:160] for node in kind["nodes"]]) for kind in found
            ] == []
            assert ana.sideways == 0
