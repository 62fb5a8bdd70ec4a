"""Walks through the shell in a real browser: policy, charts, menus, themes, accessibility."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from sqcore.tests.factories import PASSWORD, make_user
from tests.browser import DESK, PHONE, chromium, log_in, walk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(autouse=True)
def ada() -> None:
    make_user("ada", name="Ada Ng", is_staff=True, is_superuser=True)


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_component_keeps_the_content_policy(
    live_server: LiveServer, browser: Browser, viewport: dict[str, int], scheme: str
) -> None:
    with walk(browser, live_server.url, viewport=viewport, color_scheme=scheme) as ada:
        log_in(ada.page, "ada", PASSWORD, then="/design/")
        ada.page.wait_for_selector("[data-figure] .main-svg")

        for chart in ada.page.locator("[data-figure]").all():
            chart.scroll_into_view_if_needed()
            box = chart.bounding_box() or {"x": 0, "y": 0, "width": 0, "height": 0}
            middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            ada.page.mouse.move(middle[0] - 20, middle[1], steps=3)
            ada.page.mouse.move(*middle, steps=3)
        ada.page.wait_for_timeout(200)

        assert ada.page.locator("[data-figure] .scatterlayer .trace").count() == 6
        assert ada.complaints == []
        assert ada.sideways == 0


def test_a_chart_takes_the_colours_of_the_theme(live_server: LiveServer, browser: Browser) -> None:
    with walk(browser, live_server.url, color_scheme="light") as ada:
        log_in(ada.page, "ada", PASSWORD, then="/design/")
        line = ada.page.locator("[data-figure=figure-line] .lines path.js-line").last
        line.wait_for()
        light = line.evaluate("path => path.style.stroke")

        ada.page.click("button[popovertarget=profile-menu]")
        ada.page.get_by_role("button", name="Dark", exact=True).click()
        ada.page.wait_for_function(
            "light => [...document.querySelectorAll('.lines path.js-line')].at(0)"
            " && [...document.querySelectorAll('[data-figure=figure-line] .lines path.js-line')]"
            ".at(-1).style.stroke !== light",
            arg=light,
        )
        ada.page.reload()

        assert ada.page.locator("html").get_attribute("data-theme") == "dark"
        assert ada.complaints == []


def test_without_scripts_the_table_stands_in_for_the_chart(
    live_server: LiveServer, browser: Browser
) -> None:
    with walk(browser, live_server.url, java_script_enabled=False) as ada:
        log_in(ada.page, "ada", PASSWORD, then="/design/")

        assert not ada.page.locator("[data-figure=figure-line]").is_visible()
        ada.page.get_by_text("The numbers as a table").first.click()
        assert ada.page.get_by_role("rowheader", name="Region North").first.is_visible()


def test_the_phone_s_menu_works_without_scripts(live_server: LiveServer, browser: Browser) -> None:
    with walk(browser, live_server.url, viewport=PHONE, java_script_enabled=False) as ada:
        log_in(ada.page, "ada", PASSWORD, then="/inbox/")

        assert not ada.page.get_by_role("link", name="Jobs").is_visible()
        ada.page.get_by_role("button", name="Menu").click()
        ada.page.get_by_role("link", name="Jobs").click()

        assert ada.page.get_by_role("heading", name="Jobs", level=1).is_visible()


def test_the_keyboard_reaches_the_content_first(live_server: LiveServer, browser: Browser) -> None:
    with walk(browser, live_server.url) as ada:
        log_in(ada.page, "ada", PASSWORD, then="/inbox/")

        ada.page.keyboard.press("Tab")
        assert ada.page.evaluate("document.activeElement.className") == "skip-link"
        ada.page.keyboard.press("Enter")
        assert ada.page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/design/?errors", "/jobs/", "/inbox/", "/profile/"])
def test_axe_finds_nothing(
    live_server: LiveServer, browser: Browser, path: str, scheme: str, viewport: dict[str, int]
) -> None:
    with walk(browser, live_server.url, viewport=viewport, color_scheme=scheme) as ada:
        log_in(ada.page, "ada", PASSWORD, then=path)
        ada.page.wait_for_load_state("networkidle")

        found = Axe().run(ada.page).response["violations"]

        assert [
            (kind["id"], [node["html"][:160] for node in kind["nodes"]]) for kind in found
        ] == []
