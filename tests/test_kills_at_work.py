"""Processes are killed while they work: what was acknowledged is stored once, work ends once."""

import http.client
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

import pytest

from tests.busy import ANSWERS, RUNS
from tests.running import Installation, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

SENDERS = 4
EACH = 8

OPEN_JOBS = "SELECT count(*) FROM sqcore_job WHERE state IN ('queued', 'running')"
PUBLISHED = "SELECT count(*) FROM sqcore_evaluationrun WHERE state = 'published'"
TOLD = "SELECT payload FROM sqcore_outboxevent WHERE kind = 'evaluation.run.published'"
TWICE = """
    SELECT unit_id, margin, margin_value, kind, code, grain, starts_on FROM sqcore_kpivalue
    GROUP BY unit_id, margin, margin_value, kind, code, grain, starts_on HAVING count(*) > 1
"""
COUNTED = """
    SELECT sum(n) FROM sqcore_kpivalue
    WHERE unit_id = (SELECT id FROM sqcore_unit WHERE code = 'bank')
    AND kind = 'composite' AND grain = 'month' AND margin = ''
"""
SENT = "SELECT key FROM surveys_response WHERE origin = 'link'"
NOT_COUNTED = "SELECT count(*) FROM surveys_response WHERE NOT in_rollup"
# Nobody waits half a minute here: the leases of the dead run out now instead of later.
LET_LEASES_RUN_OUT = """
    UPDATE sqcore_job SET lease_until = '2026-01-01 00:00:00', bell_at = '2026-01-01 00:00:00'
    WHERE state = 'running'
"""


@dataclass
class Busy(Installation):
    """A running installation whose survey has answers and takes more."""

    links: list[str] = field(default_factory=list)
    thanked: list[str] = field(default_factory=list)
    """The keys of the forms whose sending was acknowledged."""

    def send(self, link: str) -> None:
        """Fill in the page and send it, again and again as people do, until it says thanks."""
        _status, page = self.insist("GET", f"/a/{link}/")
        hidden = dict(re.findall(r'name="(_[a-z]+)"[^>]*value="([^"]*)"', page.decode()))
        form = hidden | {"p1": "6", "overall": "5"}
        status, _body = self.insist("POST", f"/a/{link}/send/", form)
        assert status in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}
        self.thanked.append(hidden["_form"].partition(".")[0])

    def insist(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.ask(method, path, form, timeout=20)
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < deadline
                time.sleep(0.1)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    installation = Busy(tmp_path_factory.mktemp("home"))
    try:
        installation.start()
        installation.links = installation.run("from tests import busy; busy.fill()")
        yield installation
    finally:
        if installation.is_running:
            installation.stop()


def test_a_worker_killed_while_it_evaluates_publishes_each_period_once(busy: Busy) -> None:
    asking = threading.Thread(target=busy.run, args=["from tests import busy; busy.evaluate()"])
    asking.start()
    wait_for(lambda: busy.number(PUBLISHED) >= 2, seconds=60)

    busy.kill("worker")
    busy.kill("clock")
    assert busy.number(OPEN_JOBS) >= 1
    assert busy.number(PUBLISHED) < RUNS
    asking.join()
    busy.change(LET_LEASES_RUN_OUT)

    wait_for(lambda: busy.number(PUBLISHED) == RUNS and not busy.number(OPEN_JOBS), seconds=120)
    runs = busy.rows(
        "SELECT state, revision, is_current, grain, starts_on FROM sqcore_evaluationrun"
    )
    assert {run[:3] for run in runs} == {("published", 1, 1)}
    assert len(set(runs)) == len(runs) == RUNS
    assert len(set(busy.rows(TOLD))) == len(busy.rows(TOLD)) == RUNS
    assert busy.rows(TWICE) == []
    assert busy.number(COUNTED) == ANSWERS
    assert busy.number("SELECT max(attempts) FROM sqcore_job") == 2


def test_an_answer_sent_while_the_web_process_is_killed_is_stored_once(busy: Busy) -> None:
    def send_some(link: str) -> None:
        for _ in range(EACH):
            busy.send(link)

    before = len(busy.thanked)
    senders = [threading.Thread(target=send_some, args=[link]) for link in busy.links[:SENDERS]]
    for sender in senders:
        sender.start()
    wait_for(lambda: len(busy.thanked) >= before + SENDERS, seconds=60)
    assert len(busy.thanked) < before + SENDERS * EACH
    busy.kill("web")
    for sender in senders:
        sender.join(timeout=120)

    assert len(busy.thanked) == before + SENDERS * EACH
    assert sorted(key for (key,) in busy.rows(SENT)) == sorted(busy.thanked)


def test_answers_are_counted_after_worker_and_clock_were_killed(busy: Busy) -> None:
    busy.send(busy.links[0])
    busy.kill("worker")
    busy.kill("clock")
    busy.send(busy.links[0])

    wait_for(lambda: busy.number(NOT_COUNTED) == 0, seconds=90)
    assert sorted(key for (key,) in busy.rows(SENT)) == sorted(busy.thanked)
