"""A process may be killed at any moment: the rest goes on, it comes back, nothing is left."""

import http
import signal
import sys
from collections.abc import Iterator

import pytest

from tests.running import Installation, alive, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("home"))
    try:
        yield installation
    finally:
        if installation.is_running:
            installation.stop()


@pytest.fixture
def running(installation: Installation) -> Installation:
    """Return the installation, started again when a test has ended it."""
    if not installation.is_running:
        installation.start()
    return installation


@pytest.mark.parametrize("role", ["web", "worker", "clock"])
def test_a_killed_process_is_started_again(running: Installation, role: str) -> None:
    killed = running.kill(role)

    wait_for(lambda: running.child(role) not in {None, killed}, seconds=30)
    wait_for(running.answers, seconds=60)
    assert not alive(killed)


def test_people_wait_while_a_killed_web_process_comes_back(running: Installation) -> None:
    family = running.family("web")
    running.kill("web")
    # What it was just answering dies with it; who comes now waits.
    wait_for(lambda: not any(alive(pid) for pid in family), seconds=10)

    assert running.get("/healthz", timeout=30)[0] == http.HTTPStatus.OK


def test_it_is_ready_again_after_worker_and_clock_were_killed(running: Installation) -> None:
    running.kill("worker")
    running.kill("clock")

    wait_for(running.is_ready, seconds=90)


def test_a_second_one_on_the_same_home_is_refused(running: Installation) -> None:
    assert running.process is not None

    second = running.manage("up", "--port", "0")

    assert second.returncode == 1
    assert f"(process {running.process.pid}); stop it first." in second.stderr
    assert running.answers()


def test_a_taken_port_is_told_before_anything_is_made(
    running: Installation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Installation(tmp_path_factory.mktemp("other"), port=running.port)

    refused = other.manage("up", "--port", str(other.port))

    assert refused.returncode == 1
    assert f"Cannot listen on 127.0.0.1, port {running.port}: Address already in use" in (
        refused.stderr
    )
    assert not (other.home / "sqcore.sqlite3").exists()


def test_a_killed_supervisor_leaves_no_orphan_and_can_start_again(running: Installation) -> None:
    # In whatever order the tests run: what one before has killed is back first.
    wait_for(lambda: len(running.processes()) >= 4, seconds=60)
    processes = running.processes()

    running.stop(signal.SIGKILL)

    wait_for(lambda: not any(alive(pid) for pid in processes), seconds=5)
    running.start()
    assert running.answers()


def test_ctrl_c_stops_all_of_it(running: Installation) -> None:
    processes = running.processes()

    code = running.stop(signal.SIGINT)

    assert code == 0
    assert not any(alive(pid) for pid in processes)
