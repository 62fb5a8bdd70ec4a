"""Comparing in pairs in a real browser: by keyboard, on a phone, without scripts."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from sqcore.indicators.conditions import TOP
from sqcore.indicators.models import SystemVersion
from sqcore.tests.factories import PASSWORD, make_unit, make_user
from sqcore.tests.weighting.factories import make_draft, make_expert, weights_of
from sqcore.weighting.models import Judgement
from sqcore.weighting.services import invite_expert
from tests.browser import DESK, PHONE, chromium, log_in, walk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def draft() -> SystemVersion:
    make_user("ada", name="Ada Ng", is_staff=True, is_superuser=True)
    make_unit("bank")
    return make_draft()


def below(draft: SystemVersion, page: str = "") -> str:
    return f"/setup/systems/versions/{draft.pk}/weights/top/{page}"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_weights_come_from_comparisons(
    live_server: LiveServer,
    browser: Browser,
    draft: SystemVersion,
    viewport: dict[str, int],
    scripts: bool,
) -> None:
    with walk(browser, live_server.url, viewport=viewport, java_script_enabled=scripts) as ada:
        page = ada.page
        log_in(page, "ada", PASSWORD, then=below(draft, "judge"))
        for place, said in enumerate(
            (
                "Reliability matters moderately more",
                "Reliability matters between strongly and very strongly more",
                "Responsiveness matters between equally and moderately more",
            )
        ):
            pair = page.locator("fieldset").nth(place)
            pair.get_by_role("radio", name=said, exact=True).check()
        if scripts:
            assert ada.sideways == 0
        page.get_by_role("button", name="Keep and see the result").click()
        page.get_by_text("3 of 3 pairs compared").wait_for()
        page.get_by_role("link", name="Apply to the draft").click()
        page.get_by_role("button", name="Apply to the draft").click()
        page.get_by_text("The draft has these weights now.").wait_for()

        assert weights_of(draft)["reliability"] == "0.666667"
        assert ada.complaints == []


def test_the_scale_is_walked_by_keyboard(
    live_server: LiveServer, browser: Browser, draft: SystemVersion
) -> None:
    with walk(browser, live_server.url) as ada:
        page = ada.page
        log_in(page, "ada", PASSWORD, then=below(draft, "judge"))
        first = page.locator("fieldset").first
        first.get_by_role("radio", name="No answer yet").focus()
        page.keyboard.press("ArrowUp")

        chosen = first.get_by_role("radio", name="Responsiveness matters extremely more")
        assert chosen.is_checked()


def test_the_sum_of_shares_runs_along(
    live_server: LiveServer, browser: Browser, draft: SystemVersion
) -> None:
    with walk(browser, live_server.url) as ada:
        page = ada.page
        log_in(page, "ada", PASSWORD, then=below(draft, "?method=direct"))
        page.get_by_label("Reliability").fill("50")

        assert page.locator("[data-sum]").inner_text() == "116.6"
        page.get_by_role("button", name="Share out equally").click()
        assert page.locator("[data-sum]").inner_text() == "100"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_an_expert_without_an_account_answers_by_link(
    live_server: LiveServer,
    browser: Browser,
    draft: SystemVersion,
    viewport: dict[str, int],
    scripts: bool,
) -> None:
    by = make_expert("mei")
    given: dict[str, Any] = {
        "version": draft,
        "group": TOP,
        "days": 14,
        "by": by,
        "now": timezone.now(),
    }
    _scores, scoring = invite_expert(method="rounds", name="Dr Wang", **given)
    _pairs, pairing = invite_expert(method="ahp", name="Dr Wang", **given)
    with walk(browser, live_server.url, viewport=viewport, java_script_enabled=scripts) as wang:
        page = wang.page
        page.goto(urlsplit(scoring).path)
        for part, score in (("Reliability", 9), ("Responsiveness", 6), ("Empathy", 3)):
            page.get_by_role("radio", name=f"{part}: {score} of 10", exact=True).check()
        page.locator("textarea").first.fill("Promises are kept")
        if scripts:
            assert wang.sideways == 0
        page.get_by_role("button", name="Send").click()
        page.get_by_role("heading", name="Thank you").wait_for()
        page.get_by_role("link", name="Look at your answers").click()
        assert page.get_by_role("radio", name="Empathy: 3 of 10", exact=True).is_checked()

        page.goto(urlsplit(pairing).path)
        first = page.locator("fieldset").first
        first.get_by_role("radio", name="Reliability matters moderately more", exact=True).check()
        page.get_by_role("button", name="Send").click()
        page.get_by_text("1 of 3 pairs compared").wait_for()

        answers = {each.method: each.answers for each in Judgement.objects.order_by("id")}
        assert answers["ahp"] == {"reliability:responsiveness": 3.0}
        assert answers["rounds"]["reliability"] == {"score": 9, "reason": "Promises are kept"}
        assert wang.complaints == []
