"""Walks through the token page and the description of the REST interface in a real browser."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from sqcore.identity.permissions import Permission
from sqcore.tests.factories import PASSWORD, make_unit, make_user
from sqcore.tests.rest import make_key
from tests.browser import DESK, PHONE, chromium, log_in, walk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("SQ_TEST_SHOTS", "")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(autouse=True)
def ada() -> None:
    make_user("ada", name="Ada Ng", is_staff=True, is_superuser=True)
    root = make_unit("bank")
    north = make_unit("north", parent=root)
    make_unit("south", parent=root)
    make_key(Permission.VIEW_RESULTS, Permission.VIEW_PEOPLE, units=[north])
    make_key(Permission.SUBMIT_RESPONSES)


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_token_is_made_shown_and_revoked(
    live_server: LiveServer, browser: Browser, viewport: dict[str, int], scheme: str
) -> None:
    with walk(browser, live_server.url, viewport=viewport, color_scheme=scheme) as ada:
        page = ada.page
        log_in(page, "ada", PASSWORD, then="/tokens/")
        assert ada.sideways == 0
        _shoot(ada.page, f"tokens-{viewport['width']}-{scheme}")

        page.get_by_label("What it is for").fill("Data warehouse, nightly")
        page.get_by_label("See results of units").check()
        page.get_by_role("button", name="Make the token").click()
        assert page.get_by_role("textbox", name="Key").input_value().startswith("sq_")
        assert ada.sideways == 0
        _shoot(ada.page, f"made-{viewport['width']}-{scheme}")

        page.get_by_role("link", name="I have copied it").click()
        page.get_by_role("button", name="Revoke Data warehouse, nightly").click()
        page.get_by_text("is revoked").wait_for()
        assert ada.complaints == []


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_the_description_is_drawn_without_anything_from_outside(
    live_server: LiveServer, browser: Browser, viewport: dict[str, int]
) -> None:
    asked: list[str] = []
    with walk(browser, live_server.url, viewport=viewport) as anybody:
        anybody.page.on("request", lambda request: asked.append(request.url))
        anybody.page.goto("/api/v1/docs/")
        anybody.page.get_by_text("KPI series with n, interval and coverage").wait_for()
        anybody.page.locator("#operations-Results-kpi_values .opblock-summary-control").click()
        anybody.page.get_by_role("button", name="Try it out").wait_for()
        _shoot(anybody.page, f"docs-{viewport['width']}")

        assert all(url.startswith((live_server.url, "data:")) for url in asked)
        assert anybody.complaints == []


def _shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page="docs" not in name)
