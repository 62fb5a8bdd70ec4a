"""A real browser for walks through the product; `CHROMIUM` names another than Debian's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

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
