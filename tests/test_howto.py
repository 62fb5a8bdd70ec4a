"""What the how-tos show works: their code is taken from the pages and run."""

import re
from dataclasses import fields
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.template import engines

from sqcore.base.periods import Period
from sqcore.dashboards.panels import PANELS, Page, panels_on
from sqcore.evaluation.models import KpiValue
from sqcore.evaluation.services import evaluate_due
from sqcore.identity.principals import ANONYMOUS, system_principal
from sqcore.indicators.sources import SOURCES
from sqcore.indicators.starters import StarterMeasure, starter_system
from sqcore.org.models import Unit
from sqcore.tests.factories import NOW, make_unit
from sqcore.webhooks.queries import TITLES
from sqcore.webhooks.sending import secret_of, secret_text, signature
from surveys.tests.factories import make_campaign

pytestmark = pytest.mark.django_db

HOWTO = Path(__file__).parents[1] / "docs" / "howto"
SYSTEM = system_principal("test")


def blocks(page: str, language: str) -> list[str]:
    text = (HOWTO / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def run_page(page: str, **known: Any) -> dict[str, Any]:
    names: dict[str, Any] = dict(known)
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), names)  # noqa: S102 - the page's own code is the test
    return names


@pytest.fixture
def _registries_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SOURCES, "_offers", dict(SOURCES._offers))
    monkeypatch.setattr(PANELS, "_offers", dict(PANELS._offers))


@pytest.fixture
def branches() -> list[Unit]:
    bank = make_unit("bank")
    return [make_unit(code, parent=bank) for code in ("ferry", "lighthouse")]


@pytest.mark.usefixtures("_registries_as_before")
def test_inspection_source_is_evaluated(branches: list[Unit]) -> None:
    ferry, lighthouse = branches
    met = [(ferry, 1)] * 8 + [(ferry, 0)] * 2 + [(lighthouse, 1)] * 5 + [(lighthouse, 0)] * 5
    rows = [SimpleNamespace(unit_id=unit.pk, points={"queue-tickets": seen}) for unit, seen in met]
    january = Period.parse("2026-01")
    run_page(
        "add-an-indicator-source.md",
        SOURCES=SOURCES,
        inspections_in=lambda period: rows if period == january else [],
        first_day=lambda: date(2026, 1, 1),
        last_day=lambda: date(2026, 1, 31),
        changed_inspections=lambda moment: [],
    )
    measure = StarterMeasure(
        code="queue-tickets",
        name={"en": "Queue tickets are given"},
        group="process",
        group_name={"en": "Process"},
        source="inspections",
        parameters={"point": "queue-tickets"},
        statistic="proportion",
        worst=0,
        best=1,
    )
    starter_system(
        code="inspections",
        name={"en": "Inspections"},
        measures=[measure],
        grains=["month"],
        since=date(2026, 1, 1),
        by=SYSTEM,
        now=NOW,
    )

    assert evaluate_due(now=NOW) == 1

    values = KpiValue.objects.current().filter(code="queue-tickets", margin="")
    found = {row.unit.code: (row.value, row.n) for row in values.select_related("unit")}
    assert found == {"bank": (0.65, 20), "ferry": (0.8, 10), "lighthouse": (0.5, 10)}


@pytest.mark.usefixtures("_registries_as_before")
def test_panel_shows_what_the_person_may_see_and_nothing_else() -> None:
    run_page("add-a-panel.md", PANELS=PANELS)
    make_campaign()

    def shown_to(principal: Any) -> list[dict[str, object]]:
        shown = panels_on(Page.HOME, principal=principal, now=NOW)
        return [dict(p.context) for p in shown if p.key == "surveys.open-campaigns"]

    assert shown_to(SYSTEM) == [{"count": 1}]
    assert shown_to(ANONYMOUS) == []
    card = engines["django"].from_string(blocks("add-a-panel.md", "html")[0])
    assert "<p>1</p>" in card.render({"count": 1})


def test_a_receiver_recognises_our_webhooks_and_no_others() -> None:
    page = run_page("receive-webhooks.md")
    body, salt = b'{"type":"webhooks.test"}', "ab"
    signed = signature(secret=secret_of(salt), message_id="m-1", timestamp=1000, body=body)
    headers = {"webhook-id": "m-1", "webhook-timestamp": "1000", "webhook-signature": signed}

    def told(secret: str, of: bytes, now: int) -> bool:
        return bool(page["is_from_sqcore"](secret, headers, of, now))

    assert told(secret_text(salt), body, 1200)
    assert not told(secret_text("cd"), body, 1200)
    assert not told(secret_text(salt), body + b" ", 1200)
    assert not told(secret_text(salt), body, 2000)


def test_the_how_to_names_every_event_that_leaves_the_house() -> None:
    text = (HOWTO / "receive-webhooks.md").read_text(encoding="utf-8")

    for event in TITLES:
        assert f"`{event.kind}`" in text
        assert all(f"`{field.name}`" in text for field in fields(event))
