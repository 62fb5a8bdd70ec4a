"""A real browser for walks through the product; `CHROMIUM` names another than Debian's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from sqcore.identity.models import User
from sqcore.tests.factories import PASSWORD

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
DESK = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}


@dataclass
class Walk:
    """A page and what its console complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    @property
    def sideways(self) -> int:
        """How far the page scrolls sideways, in pixels; it should not."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return max(wide, 0)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; Django is told that its event loop is not ours."""
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            yield browser
            browser.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@contextmanager
def walk(browser: Browser, address: str, **options: Any) -> Iterator[Walk]:
    """Open a window of its own with `options` of Playwright's contexts."""
    context = browser.new_context(base_url=address, **{"viewport": DESK, **options})
    page = context.new_page()
    opened = Walk(page)
    page.on("console", opened.heard)
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    try:
        yield opened
    finally:
        context.close()


def log_in(page: Page, username: str, password: str, *, then: str) -> None:
    page.goto(f"/log-in/?next={then}")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", password)
    page.click("main button[type=submit]")
    page.wait_for_url(f"**{then}")


def check(seen: Walk, where: str) -> None:
    """Axe finds nothing on this page, it does not go sideways, and the browser is content."""
    seen.page.wait_for_load_state("networkidle")
    found = Axe().run(seen.page).response["violations"]
    assert [
        (where, kind["id"], [node["html"][:160] for node in kind["nodes"]]) for kind in found
    ] == []
    assert seen.sideways == 0, where
    assert seen.complaints == [], where


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


@dataclass(frozen=True)
class Reader:
    """Ana, who reads the pages at a desk by day and on a phone by night."""

    browser: Browser
    address: str

    def reads(self, path: str, sign: str) -> None:
        """The page holds for everybody, on the phone in the dark, too, and in Chinese.

        sign: what is there as soon as the page is whole, as a selector
        """
        looks = ((DESK, "light", "en"), (PHONE, "dark", "en"), (PHONE, "light", "zh-hans"))
        for viewport, scheme, language in looks:
            User.objects.update(language=language)
            with walk(self.browser, self.address, viewport=viewport, color_scheme=scheme) as ana:
                log_in(ana.page, "ana", PASSWORD, then="/profile/")
                ana.page.goto(path)
                expect(ana.page.locator(sign).first).to_be_visible()
                check(ana, f"{path} {scheme} {language}")
        User.objects.update(language="en")
