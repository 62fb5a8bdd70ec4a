"""A customer answers in a real browser, without scripts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from sqcore.tests.factories import make_unit
from surveys.campaigns.models import Link
from surveys.responses.models import Response
from surveys.tests.factories import make_campaign, make_link, make_ready_version
from tests.browser import DESK, PHONE, chromium, walk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

SMALLEST = {"width": 320, "height": 568}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def link() -> Link:
    return make_link(make_campaign(version=make_ready_version("servqual")), make_unit("harbour"))


def choose(page: Page, code: str, value: str) -> None:
    page.check(f"input[name={code}][value='{value}']")


def chosen(page: Page, code: str) -> str:
    return page.locator(f"input[name={code}]:checked").get_attribute("value") or ""


def heading(page: Page) -> str:
    return page.locator("h2:visible").inner_text().split(" ·")[0]


def test_going_back_and_switching_the_language_lose_nothing(
    live_server: LiveServer, browser: Browser, link: Link
) -> None:
    with walk(browser, live_server.url, viewport=PHONE, java_script_enabled=False) as customer:
        page = customer.page
        page.goto(f"/a/{link.token}/")
        choose(page, "e1", "7")
        page.click("a:visible:text('Next')")
        choose(page, "p5", "3")
        page.click("a:visible:text('Next')")
        choose(page, "p10", "na")

        page.go_back()
        page.go_back()
        assert heading(page) == "Part 1 of 7"
        page.click("a:visible:text('Next')")
        assert (heading(page), chosen(page, "p5")) == ("Part 2 of 7", "3")
        page.click("button:visible:text('简体中文')")
        assert page.locator("section:visible legend").first.inner_text().endswith("就在哪天办好。")
        for _ in range(5):
            page.locator("nav:visible a.go").click()
        page.fill("textarea", "谢谢")
        page.locator("button.go:visible").click()

        assert "/thanks/?in=zh-hans" in page.url
        assert Response.objects.get().answers == {"e1": 7, "p5": 3, "p10": "na", "comment": "谢谢"}
        assert customer.complaints == []


def test_going_back_from_the_thanks_and_sending_again_stores_once(
    live_server: LiveServer, browser: Browser, link: Link
) -> None:
    with walk(browser, live_server.url, viewport=PHONE, java_script_enabled=False) as customer:
        page = customer.page
        page.goto(f"/a/{link.token}/#s6")
        choose(page, "nps", "9")
        page.click("a:visible:text('Next')")
        page.click("button.go:visible")
        page.go_back()
        assert chosen(page, "nps") == "9"
        page.click("button.go:visible")

        page.wait_for_url("**/thanks/?in=en")
        page.reload()
        assert Response.objects.count() == 1


def test_enter_on_an_answer_presses_no_button(
    live_server: LiveServer, browser: Browser, link: Link
) -> None:
    with walk(browser, live_server.url, java_script_enabled=False) as customer:
        page = customer.page
        page.goto(f"/a/{link.token}/")
        choose(page, "e1", "7")
        page.press("input[name=e1]:checked", "Enter")

        assert chosen(page, "e1") == "7"
        assert page.locator("html").get_attribute("lang") == "en"
        assert not Response.objects.exists()


@pytest.mark.parametrize("viewport", [DESK, PHONE, SMALLEST], ids=["desk", "phone", "smallest"])
def test_every_screen_fits_and_can_be_touched(
    live_server: LiveServer, browser: Browser, link: Link, viewport: dict[str, int]
) -> None:
    with walk(browser, live_server.url, viewport=viewport) as customer:
        page = customer.page
        for screen in range(1, 8):
            page.goto(f"/a/{link.token}/#s{screen}")
            assert heading(page) == f"Part {screen} of 7"
            assert customer.sideways == 0
            targets = page.locator("section:visible :is(fieldset label, a, button)").all()
            boxes = [target.bounding_box() or {"width": 0, "height": 0} for target in targets]
            assert min(round(box["height"]) for box in boxes) >= 44
            assert min(round(box["width"]) for box in boxes) >= 43
        assert customer.complaints == []
