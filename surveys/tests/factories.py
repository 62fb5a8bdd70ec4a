"""Plain makers of survey things for tests: exact values, nothing random."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal, system_principal
from sqcore.org.models import Channel, Unit
from sqcore.tests.factories import NOW, make_principal
from surveys.campaigns.models import Campaign, Link
from surveys.instruments.definitions import read_definition, ready_definitions
from surveys.instruments.models import InstrumentVersion
from surveys.instruments.services import create_instrument, publish_version

SYSTEM = system_principal("test")


def analyst() -> Principal:
    """Ana, who runs surveys everywhere."""
    permissions = {Permission.MANAGE_SURVEYS: EVERYWHERE, Permission.VIEW_RESULTS: EVERYWHERE}
    return make_principal(permissions, key="user:ana")


def raw_definition(code: str = "visit", **over: Any) -> dict[str, Any]:
    """A small questionnaire as a plain structure: a pair, a perception, an outcome, a comment."""
    dimensions = ("speed", "care")
    raw: dict[str, Any] = {
        "code": code,
        "languages": ["en"],
        "name": {"en": code.title()},
        "dimensions": [{"code": key, "name": {"en": key.title()}} for key in dimensions],
        "items": [
            {"code": "e1", "role": "expectation", "dimension": "speed", "pair": "p1"},
            {"code": "p1", "dimension": "speed"},
            {"code": "p2", "dimension": "care", "about": "person"},
            {"code": "overall", "role": "outcome"},
            {"code": "comment", "kind": "comment", "role": "context"},
        ],
    }
    for item in raw["items"]:
        item["text"] = {"en": f"Question {item['code']}"}
    return raw | over


def make_version(
    raw: Mapping[str, Any] | None = None, *, now: datetime = NOW, publish: bool = True
) -> InstrumentVersion:
    """A version of the small questionnaire, or of another structure; published."""
    definition = read_definition(raw or raw_definition())
    version = create_instrument(definition=definition, by=SYSTEM, now=now)
    if publish:
        publish_version(version=version, by=SYSTEM, now=now)
    return version


def make_ready_version(code: str) -> InstrumentVersion:
    """The published first version of servqual, servperf or short-form."""
    definition = next(ready for ready in ready_definitions() if ready.code == code)
    version = create_instrument(definition=definition, by=SYSTEM, now=NOW)
    publish_version(version=version, by=SYSTEM, now=NOW)
    return version


def make_campaign(
    code: str = "visits",
    *,
    version: InstrumentVersion | None = None,
    mode: str = Campaign.Mode.ANONYMOUS,
    state: str = Campaign.State.OPEN,
    opens_on: date = date(2026, 1, 1),
    closes_on: date | None = None,
    **over: Any,
) -> Campaign:
    return Campaign.objects.create(
        code=code,
        name={"en": code.title()},
        version=version or make_version(),
        mode=mode,
        state=state,
        opens_on=opens_on,
        closes_on=closes_on,
        created_at=NOW,
        **over,
    )


def make_link(campaign: Campaign, unit: Unit, channel: Channel | None = None) -> Link:
    return Link.objects.create(campaign=campaign, unit=unit, channel=channel, created_at=NOW)


def make_links(campaign: Campaign, units: Sequence[Unit]) -> list[Link]:
    return [make_link(campaign, unit) for unit in units]
