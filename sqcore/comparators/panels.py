"""Competitors and the market on the pages of results: the composite, one indicator."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqcore.comparators.pages import beside_page, comparison_cards
from sqcore.dashboards.panels import Page
from sqcore.evaluation.indicator_page import IndicatorPage
from sqcore.evaluation.models import KpiValue
from sqcore.evaluation.quality_page import QualityPage
from sqcore.evaluation.unit_page import UnitPage
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal


@dataclass(frozen=True)
class MarketStandingPanel:
    """The composite of a unit beside that of each comparator, on the indicators of both."""

    key: str = "comparators.standing"
    page: Page = Page.STANDING
    order: int = 10
    template_name: str = "sqcore/comparators/_standing.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, QualityPage | UnitPage):
            return None
        cards = comparison_cards(principal=principal, chosen=subject.chosen, unit=subject.hero.unit)
        if not cards:
            return None
        return {"cards": cards, "chosen": subject.chosen, "unit": subject.hero.unit}


@dataclass(frozen=True)
class MarketIndicatorPanel:
    """What others reached in an indicator; of a dimension or the composite, the comparison."""

    key: str = "comparators.indicator"
    page: Page = Page.INDICATOR
    order: int = 20
    template_name: str = "sqcore/comparators/_beside.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        if not isinstance(subject, IndicatorPage) or subject.part:
            return None
        may_manage = principal.may(Permission.MANAGE_COMPARATORS)
        if subject.kind == KpiValue.Kind.INDICATOR:
            beside = beside_page(principal=principal, page=subject)
            if beside is None:
                return None
            return {"beside": beside, "code": subject.code, "may_manage": may_manage}
        cards = comparison_cards(
            principal=principal, chosen=subject.chosen, unit=subject.unit, code=subject.code
        )
        if not cards:
            return None
        return {"cards": cards, "chosen": subject.chosen, "unit": subject.unit}
