"""The product's web server in a process of its own, and what a request costs it.

The server is the one that people meet (gunicorn, `sqcore.project.web`), with one worker. It serves
the product and, below `/bare/`, the bare views of a scenario in no middleware at all.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

WAIT = 180
"""Seconds for the server to come up."""


@dataclass(frozen=True)
class Server:
    """A running server, asked over one connection that stays open."""

    connection: HTTPConnection
    workers: tuple[int, ...]

    def post(self, address: str, body: bytes, respondent: str) -> int:
        """Send a form as if from this respondent's address; return the status."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Forwarded-For": respondent,
        }
        self.connection.request("POST", address, body, headers)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def worked(self) -> float:
        """Return the CPU seconds that all threads of the workers have used."""
        tasks = [task for pid in self.workers for task in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def serving(scenario: str) -> Iterator[Server]:
    """Serve the product and the bare views of `benchmarks.<scenario>`, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = f"benchmarks.server:application('benchmarks.{scenario}')"
    command = [sys.executable, "-m", "gunicorn", "-c", "python:sqcore.project.web"]
    options = [
        "--workers=1",
        f"--bind=127.0.0.1:{port}",
        "--max-requests=0",
        f"--access-logfile={os.devnull}",
    ]
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [*command, *options, served], env=os.environ | {"SQ_PROXIES": "1"}
    )
    connection = HTTPConnection("127.0.0.1", port)
    try:
        _wait(connection, process)
        yield Server(connection, _children(process.pid))
    finally:
        connection.close()
        process.terminate()
        process.wait()


def _wait(connection: HTTPConnection, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + WAIT
    while time.monotonic() < end and process.poll() is None:
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            connection.close()
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("The server did not come up.")


def _children(pid: int) -> tuple[int, ...]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return tuple(int(child) for child in children)


def application(urls: str) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Return what the server runs: two handlers, chosen by the path before either has work."""
    import django
    from django.conf import settings

    os.environ["DJANGO_SETTINGS_MODULE"] = "sqcore.project.settings.current"
    django.setup()
    settings.ROOT_URLCONF = urls
    from benchmarks.serving import handler

    ours, bare = handler(), handler(bare=True)

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        is_bare = environ["PATH_INFO"].startswith("/bare/")
        return (bare if is_bare else ours)(environ, start)

    return answer
