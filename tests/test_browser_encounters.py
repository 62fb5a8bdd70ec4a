"""Encounters in a real browser: what came, how long it took, on a desk and on a phone."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from sqcore.encounters.models import Encounter
from sqcore.encounters.services import define_service, define_stage, sum_up, take_encounters
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.identity.principals import system_principal
from sqcore.tests.encounters.factories import encounter, step
from sqcore.tests.factories import (
    PASSWORD,
    give_role,
    make_channel,
    make_segment,
    make_unit,
    make_user,
)
from tests.browser import DESK, PHONE, chromium, log_in, walk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

SYSTEM = system_principal("test")
PAGES = (
    "/encounters/", "/encounters/?by=channel", "/encounters/list/", "/encounters/catalogue/",
    "/encounters/stages/new/", "/files/encounters/", "/files/events/",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(autouse=True)
def _bank() -> None:
    """Two branches that served customers over the last seventy days, in three stages."""
    now = timezone.now()
    give_role(make_user("ana", name="Ana Li"), Role.ANALYST)
    units = [make_unit("lujiazui"), make_unit("xujiahui")]
    counter, app = make_channel("counter"), make_channel("app")
    private = make_segment("private")
    define_service(code="account", name={"en": "Account", "zh-hans": "开户"}, by=SYSTEM, now=now)
    stages = (
        ("number", "Drawing a number", "取号", "preparation"),
        ("advice", "Advice", "咨询", "execution"),
        ("signing", "Signing", "签字", "completion"),
    )
    for code, english, chinese, phase in stages:
        name = {"en": english, "zh-hans": chinese}
        define_stage(code=code, name=name, phase=phase, by=SYSTEM, now=now)
    rows = []
    for number in range(240):
        at = now - timedelta(hours=7 * number + 2)
        wait = 4 + number % 11
        steps = [
            step("number", 0, 0.5, at=at),
            step("advice", wait, wait + 7, at=at, staff="1001"),
            step("signing", wait + 9, wait + 11, at=at, staff="1002"),
        ]
        made = encounter(
            f"T-{number:04}",
            units[number % 2],
            at=at,
            steps=steps,
            solved=number % 4 > 0,
            channel_id=(counter if number % 3 else app).pk,
            segment_id=private.pk,
        )
        rows.append(made)
    take_encounters(rows=rows, now=now)
    sum_up(clock=lambda: now)


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_pages_fit_and_can_be_read_by_everybody(
    live_server: LiveServer, browser: Browser, viewport: dict[str, int], language: str
) -> None:
    User.objects.update(language=language)
    one = Encounter.objects.order_by("pk")[0]
    with walk(browser, live_server.url, viewport=viewport) as ana:
        log_in(ana.page, "ana", PASSWORD, then="/encounters/")
        for path in (*PAGES, f"/encounters/{one.pk}/"):
            ana.page.goto(path)
            assert ana.sideways == 0, path
            found = Axe().run(ana.page)
            assert not found.response["violations"], (path, found.generate_report())
        assert not ana.complaints


def test_from_all_to_one(live_server: LiveServer, browser: Browser) -> None:
    with walk(browser, live_server.url) as ana:
        log_in(ana.page, "ana", PASSWORD, then="/encounters/")
        ana.page.get_by_role("link", name="By channel").click()
        ana.page.get_by_role("rowheader", name="Counter").wait_for()

        ana.page.get_by_role("link", name="Single encounters").click()
        ana.page.get_by_role("link", name="T-0003").click()

        ana.page.get_by_role("heading", name="T-0003").wait_for()
        ana.page.get_by_role("rowheader", name="Signing").wait_for()
        assert ana.page.locator("svg.timeline rect.stage").count() == 3
        assert not ana.complaints
