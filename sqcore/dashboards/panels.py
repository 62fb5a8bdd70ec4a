"""Panels: parts of a page that rooms offer to the pages of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db.models import TextChoices

from sqcore.base.registry import Registry
from sqcore.identity.principals import Principal


class Page(TextChoices):
    """The pages that take panels, and what a panel's `subject` is there."""

    HOME = "home"  # None
    QUALITY = "quality"  # None
    UNIT = "unit"  # the sqcore.org.models.Unit
    STANDING = "standing"  # the QualityPage or UnitPage of sqcore.evaluation that is shown
    INDICATOR = "indicator"  # the IndicatorPage of sqcore.evaluation that is shown
    PERSON = "person"  # the sqcore.org.models.Staff whose page is shown
    CHART = "chart"  # the sqcore.monitoring.queries.SeriesKey whose control chart is shown
    SYSTEM = "system"  # the sqcore.indicators.models.SystemVersion that is shown
    CAMPAIGN = "campaign"  # the surveys.campaigns.models.Campaign


class Panel(Protocol):
    """A part of a page. Register an instance in `<app>/plugins.py`: `PANELS.register(MyPanel())`.

    key: unique, stable
    page: where it stands; order: small numbers come first
    template_name: a card (`templates/<app>/<room>/_name.html`), rendered with what `context` gives
    """

    @property
    def key(self) -> str: ...

    @property
    def page(self) -> Page: ...

    @property
    def order(self) -> int: ...

    @property
    def template_name(self) -> str: ...

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        """Return what the template needs, read only through `visible_to(principal)`.

        None when there is nothing for this person here; the panel is then not shown.
        """


PANELS: Registry[Panel] = Registry("panels")


@dataclass(frozen=True)
class ShownPanel:
    """A panel with what it shows to one person; a page draws it with `{% panel shown %}`."""

    key: str
    template_name: str
    context: Mapping[str, object]


def panels_on(
    page: Page, *, principal: Principal, now: datetime, subject: object = None
) -> list[ShownPanel]:
    """Return the panels of a page for this person, in their order."""
    offered = sorted(
        (panel for panel in PANELS if panel.page == page),
        key=lambda panel: (panel.order, panel.key),
    )
    shown = []
    for panel in offered:
        context = panel.context(principal=principal, now=now, subject=subject)
        if context is not None:
            shown.append(ShownPanel(panel.key, panel.template_name, context))
    return shown
