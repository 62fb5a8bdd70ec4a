"""The client in docs/howto/feed-operational-data.md is run as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from sqcore.files.kinds import ROW_KINDS
from sqcore.files.mapping import read_mapping
from sqcore.files.toml import parsed_toml
from sqcore.identity.permissions import Permission
from sqcore.measurements.models import EquipmentState, Observation
from sqcore.tests.factories import make_unit
from sqcore.tests.measurements.making import machine, measure
from sqcore.tests.rest import make_key, make_run, make_system, make_value

HOWTO = Path(__file__).resolve().parents[1] / "docs" / "howto" / "feed-operational-data.md"


def _client() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", HOWTO.read_text(), re.DOTALL)
    return str(code)


@pytest.mark.django_db(transaction=True)
def test_the_client_of_the_howto_feeds_and_pulls(live_server: LiveServer) -> None:
    north = make_unit("north")
    make_value(make_run(make_system(), "2026-01"), north, score=71.0)
    measure("transaction-errors", every="day")
    machine("atm-1", north)
    key = make_key(Permission.SEND_MEASUREMENTS, Permission.VIEW_RESULTS)

    done = subprocess.run(
        [sys.executable, "-c", _client()],
        env={**os.environ, "SQ_URL": live_server.url, "SQ_TOKEN": key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "{'new': 1, 'replaced': 0, 'unchanged': 0}",
        "{'new': 1, 'replaced': 0, 'unchanged': 0}",
        "north 2026-01 composite 71.0 ok",
    ]
    assert (Observation.objects.get().numerator, Observation.objects.get().unit) == (5, north)
    assert EquipmentState.objects.get().state == "down"


def test_it_has_about_twenty_lines() -> None:
    assert sum(bool(line.strip()) for line in _client().splitlines()) <= 26


@pytest.mark.parametrize(
    ("place", "kind", "field", "form"),
    [
        (0, "measurements", "starts_on", "%d.%m.%Y"),
        (1, "encounters", "arrived_at", "%Y-%m-%d %H:%M"),
        (2, "events", "at", ""),
    ],
)
def test_the_mappings_of_the_howto_are_ones(place: int, kind: str, field: str, form: str) -> None:
    texts = re.findall(r"```toml\n(.*?)```", HOWTO.read_text(), re.DOTALL)

    mapping = read_mapping(parsed_toml(f"{kind}.toml", texts[place]), ROW_KINDS[kind])

    assert len(texts) == 3
    assert mapping.fields[field].format == form
    assert read_mapping(mapping.as_json(), ROW_KINDS[kind]) == mapping
