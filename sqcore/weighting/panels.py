"""The panel of the page of a system: how its weights came about."""

from collections.abc import Mapping
from datetime import datetime

from sqcore.dashboards.panels import Page
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.indicators.models import SystemVersion
from sqcore.weighting.queries import origins_of
from sqcore.weighting.wording import words_of


class OriginsPanel:
    key = "weight-origins"
    page = Page.SYSTEM
    order = 10
    template_name = "sqcore/weighting/_origins.html"

    def context(
        self, *, principal: Principal, now: datetime, subject: object
    ) -> Mapping[str, object] | None:
        """Nothing where nobody wrote down how any of the weights came about."""
        if not isinstance(subject, SystemVersion) or not _may_see(subject, principal):
            return None
        origins = origins_of(subject)
        if not any(origin.method for origin in origins):
            return None
        return {
            "version": subject,
            "origins": [(origin, words_of(origin)) for origin in origins],
        }


def _may_see(version: SystemVersion, principal: Principal) -> bool:
    is_draft = version.state == SystemVersion.State.DRAFT
    return principal.may(Permission.MANAGE_INDICATORS if is_draft else Permission.VIEW_RESULTS)
