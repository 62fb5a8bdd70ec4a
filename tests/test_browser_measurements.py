"""Operational data in a real browser: from a file to its values, on a desk and on a phone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from sqcore.base.periods import Grain, Period
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_inline
from sqcore.measurements.services import NewState, define_feed, take_states
from sqcore.tests.factories import PASSWORD, give_role, make_unit, make_user
from sqcore.tests.measurements.making import SYSTEM, machine, measure, send, share
from tests.browser import DESK, PHONE, chromium, log_in, walk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PAGES = (
    "/measurements/", "/measurements/of/errors/", "/measurements/new/",
    "/measurements/equipment/", "/measurements/equipment/atm-1/", "/files/measurements/",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(autouse=True)
def _bank() -> None:
    """A bank of two units whose core system reports, with a correction and something missing."""
    now = timezone.now()
    give_role(make_user("ana", name="Ana Li"), Role.ANALYST)
    core = define_feed(code="core", name={"en": "Core system"}, by=SYSTEM, now=now)
    north, _south = make_unit("north"), make_unit("south")
    measure("errors", unit_of_measure="share", feed=core)
    month = Period.of(now.date(), Grain.MONTH)
    for number in range(6):
        month = month.previous
        send(share("north", month.key, number, 200), now=now - timedelta(days=1))
        if number != 2:
            send(share("south", month.key, number + 3, 240), now=now - timedelta(days=1))
    send(share("north", month.key, 9, 200), now=now)
    atm = machine("atm-1", north, feed=core)
    machine("atm-2", north)
    states = [("up", 90), ("down", 9), ("up", 8), ("down", 2)]
    rows = [NewState(atm.pk, state, now - timedelta(hours=hours)) for state, hours in states]
    take_states(rows=rows, now=now)


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_pages_fit_and_can_be_read_by_everybody(
    live_server: LiveServer, browser: Browser, viewport: dict[str, int], language: str
) -> None:
    User.objects.update(language=language)
    with walk(browser, live_server.url, viewport=viewport) as ana:
        log_in(ana.page, "ana", PASSWORD, then="/measurements/")
        for path in PAGES:
            ana.page.goto(path)
            assert ana.sideways == 0, path
            found = Axe().run(ana.page)
            assert found.violations_count == 0, (path, found.generate_report())
        assert ana.complaints == []


def test_from_a_file_to_its_values(
    live_server: LiveServer, browser: Browser, tmp_path: Path
) -> None:
    today = timezone.now().date()
    month = Period.of(today, Grain.MONTH).previous.key
    file = tmp_path / "errors.csv"
    file.write_text(f"Measure,Branch,Month,Errors,Total\nerrors,South,{month},1,1000\n")
    with walk(browser, live_server.url) as ana:
        page: Page = ana.page
        log_in(page, "ana", PASSWORD, then="/measurements/")
        page.get_by_role("link", name="Take in a file").click()
        page.set_input_files("input[name=file]", file)
        page.get_by_role("button", name="Look at the file").click()
        assert Axe().run(page).violations_count == 0
        page.get_by_role("button", name="Check the file").click()
        page.get_by_role("button", name="Take 1 row in").click()
        page.wait_for_selector("text=It is being taken in")
        run_inline(Job.objects.get(), now=timezone.now())
        page.wait_for_selector("text=The file is in")
        page.goto("/measurements/of/errors/")

        assert "0.10 %" in page.inner_text("main")
        assert ana.complaints == []
