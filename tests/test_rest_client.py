"""The client in docs/howto/rest-client.md is run as it stands there."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from sqcore.identity.permissions import Permission
from sqcore.tests.factories import make_unit
from sqcore.tests.rest import make_key, make_run, make_system, make_value
from surveys.responses.models import Response
from surveys.tests.factories import make_campaign

HOWTO = Path(__file__).resolve().parents[1] / "docs" / "howto" / "rest-client.md"


@pytest.mark.django_db(transaction=True)
def test_the_client_of_the_howto_reads_the_series_and_sends_an_answer(
    live_server: LiveServer,
) -> None:
    today = timezone.now().date()
    root = make_unit("bank")
    north = make_unit("north", parent=root)
    system = make_system()
    for month in range(1, 4):
        make_value(make_run(system, f"2026-{month:02d}"), north, score=70.0 + month)
    make_value(make_run(system, "2025-12"), north, status="suppressed")
    make_campaign("visits", opens_on=today - timedelta(days=2))
    (code,) = re.findall(r"```python\n(.*?)```", HOWTO.read_text(), re.DOTALL)
    code = code.replace('"2026-03-02"', repr(today.isoformat())).replace(
        "urlencode(filters)", "urlencode({**filters, 'page_size': 2})"
    )
    key = make_key(Permission.VIEW_RESULTS, Permission.SUBMIT_RESPONSES)

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SQ_URL": live_server.url, "SQ_TOKEN": key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "north 2025-12 None None suppressed",
        "north 2026-01 71.0 120 ok",
        "north 2026-02 72.0 120 ok",
        "north 2026-03 73.0 120 ok",
        "{'accepted': 1, 'campaign': 'visits'}",
    ]
    assert Response.objects.get().unit == north


def test_it_has_about_twenty_lines() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", HOWTO.read_text(), re.DOTALL)

    assert sum(bool(line.strip()) for line in code.splitlines()) <= 30
