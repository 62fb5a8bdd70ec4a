"""A real installation for tests: `manage.py up` in a home and on a port of its own."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.house import ROOT

ROLES = {"web": "gunicorn", "worker": " worker ", "clock": " beat "}


def wait_for(what: Callable[[], object], *, seconds: float) -> None:
    """Return as soon as `what` is true; fail the test when it is not within this time."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def alive(pid: int) -> bool:
    """True unless the process is gone or only waits to be collected."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@dataclass
class Installation:
    home: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def environment(self) -> dict[str, str]:
        own = {k: v for k, v in os.environ.items() if not k.startswith("SQ_")}
        settings = "sqcore.project.settings.current"
        return own | {"SQ_HOME": str(self.home), "DJANGO_SETTINGS_MODULE": settings}

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of this installation to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def run(self, code: str) -> list[str]:
        """Run Python inside the installation, beside its processes; return what it prints."""
        done = self.manage("shell", "--no-imports", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read from its database what is committed."""
        with closing(sqlite3.connect(self.home / "sqcore.sqlite3", timeout=20)) as database:
            return database.execute(query).fetchall()

    def number(self, query: str) -> int:
        ((number,),) = self.rows(query)
        return int(number)

    def change(self, statement: str) -> None:
        """Write into its database, past all rules: to say that time has passed."""
        path = self.home / "sqcore.sqlite3"
        with closing(sqlite3.connect(path, timeout=20)) as database, database:
            database.execute(statement)

    def start(self) -> None:
        """Start it and return when it answers."""
        with (self.home / "up.out").open("ab") as out:
            process = self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment(),
                stdout=out,
                stderr=out,
            )
        wait_for(lambda: self.answers() or process.poll() is not None, seconds=240)
        assert process.poll() is None, (self.home / "up.out").read_text()
        wait_for(lambda: all(self.child(role) for role in ROLES), seconds=30)

    def get(self, path: str, *, timeout: float = 1) -> tuple[int, bytes]:
        return self.ask("GET", path, timeout=timeout)

    def ask(
        self, method: str, path: str, form: Mapping[str, str] | None = None, *, timeout: float
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
            connection.request(method, path, urlencode(form) if form else None, kind)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return self.get("/healthz", timeout=5)[0] == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def checks(self) -> dict[str, bool]:
        """Return the checks of /readyz by name."""
        found: dict[str, bool] = json.loads(self.get("/readyz", timeout=10)[1])["checks"]
        return found

    def is_ready(self) -> bool:
        return self.get("/readyz", timeout=30)[0] == http.HTTPStatus.OK

    def family(self, role: str) -> list[int]:
        """Return the ids of the process of this role, as soon as there is one, and of all below."""
        wait_for(lambda: self.child(role), seconds=60)
        pid = self.child(role)
        assert pid is not None
        return [pid, *_below(pid)]

    def processes(self) -> list[int]:
        """Return the ids of everything the supervisor started, children before grandchildren."""
        assert self.process is not None
        return _below(self.process.pid)

    def child(self, role: str) -> int | None:
        """Return the id of the process that plays this role now."""
        assert self.process is not None
        for pid in _children(self.process.pid):
            if ROLES[role] in _command(pid):
                return pid
        return None

    def kill(self, role: str) -> int:
        """Kill the process of this role without warning, as soon as there is one; return its id."""
        wait_for(lambda: self.child(role), seconds=60)
        pid = self.child(role)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the supervisor with this signal; return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


def _children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in listed.split()]


def _below(pid: int) -> list[int]:
    children = _children(pid)
    return children + [found for child in children for found in _below(child)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") + " "
    except OSError:
        return ""
