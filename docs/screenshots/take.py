"""Takes the pictures of this folder from a running SQCore.

    make run &
    .venv/bin/python docs/screenshots/take.py http://127.0.0.1:8000 --home var/demo

takes every page of the demo for a desk in light English and for a phone in dark Chinese; `--every`
takes all eight kinds. `--sfo` takes the pictures of the tutorial docs/tutorials/sfo.md: from a
home with the waves up to 2015, where `--user` may import and demo-password holds the password:

    .venv/bin/python docs/screenshots/take.py http://127.0.0.1:8000 --home var/sfo --sfo FOLDER

Pictures are named page-device-theme-language.png and made small by pngquant where it is installed.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
HIGHEST = {"desk": 1600, "phone": 2400}
"""Longer pages are cut off here, in CSS pixels."""

CAMPAIGN = "/surveys/campaigns/after-the-visit/"
ANALYST = {
    "home": "/",
    "quality": "/quality/",
    "indicator": "/quality/indicators/perceived-responsiveness/?unit=harbour-gate",
    "unit": "/quality/units/harbour-gate/",
    "surveys": "/surveys/",
    "campaign": CAMPAIGN,
    "campaign-new": "/surveys/new/",
    "questionnaire": "/surveys/questionnaires/servqual/1/",
    "imports": "/surveys/imports/",
    "waiting": "/quality/indicators/counter-waiting-time/?unit=riverside&grain=week",
    "control-chart": "/quality/charts/service-quality/riverside/counter-waiting-time/?grain=week",
    "signals": "/quality/signals/",
    "process": "/process/",
    "encounters": "/encounters/",
    "measurements": "/measurements/",
    "system": "/setup/systems/service-quality/",
    "catalogue": "/setup/indicators/",
    "invitations": f"{CAMPAIGN}invitations/",
    "inbox": "/inbox/",
    "profile": "/profile/",
}
ADMINISTRATOR = {
    "jobs": "/jobs/",
    "audit": "/audit/",
    "tokens": "/tokens/",
    "api": "/api/v1/docs/",
}


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    device: str
    theme: str
    language: str

    @property
    def ending(self) -> str:
        return f"{self.device}-{self.theme}-{self.language}"

    def options(self, address: str) -> dict[str, object]:
        desk = self.device == "desk"
        return {
            "base_url": address,
            "viewport": {"width": 1280, "height": 860} if desk else {"width": 390, "height": 844},
            "device_scale_factor": 1 if desk else 1.5,
            "color_scheme": self.theme,
            "reduced_motion": "reduce",
            "has_touch": not desk,
            "locale": {"en": "en-GB", "zh": "zh-CN"}[self.language],
        }


LOOKS = [
    Look(*kind) for kind in itertools.product(("desk", "phone"), ("light", "dark"), ("en", "zh"))
]
SHOWN = [Look("desk", "light", "en"), Look("phone", "dark", "zh")]


@dataclass(frozen=True)
class Photographer:
    address: str
    look: Look
    browser: Browser

    @contextmanager
    def window(self, username: str = "", password: str = "") -> Iterator[Page]:
        """Open a window, logged in when a name is given."""
        context = self.browser.new_context(**self.look.options(self.address))  # type: ignore[arg-type]  # one dict for all options
        page = context.new_page()
        if username:
            page.goto("/log-in/")
            page.fill("input[name=username]", username)
            page.fill("input[name=password]", password)
            page.click("main button[type=submit]")
            page.wait_for_url(lambda url: "/log-in/" not in url)
        self._speak(context)
        try:
            yield page
        finally:
            context.close()

    def _speak(self, context: BrowserContext) -> None:
        language = {"en": "en", "zh": "zh-hans"}[self.look.language]
        cookie = {"name": "django_language", "value": language, "url": self.address}
        context.add_cookies([cookie])  # type: ignore[list-item]  # a TypedDict of these keys

    def take(self, page: Page, name: str, *, whole: bool = True) -> None:
        """Write what the page shows; say when it is wider than the screen."""
        page.mouse.move(0, 0)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(300)
        file = FOLDER / f"{name}-{self.look.ending}.png"
        size = page.viewport_size or {"width": 0, "height": 0}
        width, height = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        if width > size["width"]:
            sys.stdout.write(f"{file.name}: {width - size['width']} px too wide\n")
        if whole:
            shown = min(max(height, size["height"]), HIGHEST[self.look.device])
            page.set_viewport_size({"width": size["width"], "height": shown})
            page.wait_for_timeout(300)
            page.screenshot(path=file)
            page.set_viewport_size({"width": size["width"], "height": size["height"]})
        else:
            page.screenshot(path=file)
        if shutil.which("pngquant"):
            quant = ["pngquant", "--force", "--skip-if-larger", "--strip", "--ext", ".png", "128"]
            subprocess.run([*quant, str(file)], check=False)  # noqa: S603  # our own file


def demo(photographer: Photographer, password: str) -> None:
    """Take every page of the bank."""
    with photographer.window() as page:
        page.goto("/log-in/")
        photographer.take(page, "log-in")
    with photographer.window("ana", password) as page:
        for name, path in ANALYST.items():
            page.goto(path)
            photographer.take(page, name)
        page.goto(CAMPAIGN)
        link = page.locator("a[href*='/a/']").first.get_attribute("href") or ""
        _import(photographer, page)
    with photographer.window("ada", password) as page:
        for name, path in ADMINISTRATOR.items():
            page.goto(path)
            photographer.take(page, name)
    with photographer.window() as page:
        page.goto(link)
        photographer.take(page, "answer-start", whole=False)
        page.click("section:target a.go, section:first-of-type a.go")
        photographer.take(page, "answer-block", whole=False)
        page.goto(f"{link}thanks/")
        photographer.take(page, "answer-thanks", whole=False)


def _import(photographer: Photographer, page: Page) -> None:
    """Look at a file without a mapping, and forget it."""
    page.goto("/surveys/imports/")
    file = {"name": "callers-2026.csv", "mimeType": "text/csv", "buffer": _callers().encode()}
    page.set_input_files("input[name=file]", file)  # type: ignore[arg-type]  # a TypedDict of these keys
    page.click("form.form button.primary")
    photographer.take(page, "imports-columns")
    page.click("form.stack button.primary")
    photographer.take(page, "imports-report")
    page.click("form[action$='/discard/'] button")


def _callers() -> str:
    """Write what 200 callers said, with the slips that files have."""
    rows = ["id,branch,date,friendly,quick,clear,phone_number,comment"]
    for number in range(1, 201):
        branch = ("Harbour Gate", "Lakeside", "Riverside", "Old Town")[number % 4]
        marks = [str(3 + (number * step) % 3) for step in (1, 2, 5)]
        if number in {17, 60, 141}:
            marks[1] = "9"
        day = f"2026-10-{1 + number % 30:02d}"
        comment = "Waited for twelve minutes." if number % 9 == 0 else ""
        rows.append(f"{number},{branch},{day},{','.join(marks)},555-0{100 + number},{comment}")
    return "\n".join(rows) + "\n"


def sfo(photographer: Photographer, username: str, password: str, folder: Path) -> None:
    """Take the last wave in by the pages, and look at what came out."""
    mappings = ROOT / "docs" / "tutorials" / "sfo"
    with photographer.window(username, password) as page:
        page.goto("/surveys/imports/")
        page.set_input_files("input[name=file]", folder / "sfo_2016.csv")
        page.set_input_files(
            "input[name=mapping]", [mappings / "2016.toml", mappings / "base.toml"]
        )
        page.click("form.form button.primary")
        photographer.take(page, "sfo-import")
        page.click("form[action$='/take/'] button")
        page.wait_for_timeout(60_000)
        page.goto("/quality/")
        photographer.take(page, "sfo-quality")
        page.goto("/quality/units/area-b/")
        photographer.take(page, "sfo-unit")


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the pictures of the documentation.")
    parser.add_argument("address")
    parser.add_argument("--home", type=Path, required=True, help="holds the file demo-password")
    parser.add_argument("--every", action="store_true", help="all eight kinds of each page")
    parser.add_argument("--user", default="ada", help="who takes the tutorial's file in")
    parser.add_argument("--sfo", type=Path, help="take the tutorial, with sfo_2016.csv in here")
    options = parser.parse_args()
    password = (options.home / "demo-password").read_text(encoding="utf-8").strip()
    walk: Callable[[Photographer], None]
    if options.sfo:
        looks, walk = SHOWN[:1], lambda by: sfo(by, options.user, password, options.sfo)
    else:
        looks = LOOKS if options.every else SHOWN
        walk = lambda by: demo(by, password)  # noqa: E731  # the two walks take what they need
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for look in looks:
            walk(Photographer(options.address, look, browser))
        browser.close()


if __name__ == "__main__":
    main()
