from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pytest

from sqcore.base.registry import Registry
from sqcore.dashboards import panels
from sqcore.dashboards.panels import Page, Panel, panels_on
from sqcore.identity.principals import Principal
from sqcore.tests.factories import NOW, make_principal


@dataclass(frozen=True)
class Greeting:
    key: str
    page: Page
    order: int
    says: str | None
    template_name: str = "greeting.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        return None if self.says is None else {"says": self.says, "to": principal.name}


def test_shows_the_panels_of_a_page_in_order_and_leaves_empty_ones_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry: Registry[Panel] = Registry("panels")
    registry.register(Greeting("second", Page.HOME, 20, "good day"))
    registry.register(Greeting("first", Page.HOME, 10, "hello"))
    registry.register(Greeting("silent", Page.HOME, 5, None))
    registry.register(Greeting("elsewhere", Page.UNIT, 1, "hello"))
    monkeypatch.setattr(panels, "PANELS", registry)

    shown = panels_on(Page.HOME, principal=make_principal({}), now=NOW)

    assert [(panel.key, panel.context) for panel in shown] == [
        ("first", {"says": "hello", "to": "Somebody"}),
        ("second", {"says": "good day", "to": "Somebody"}),
    ]
