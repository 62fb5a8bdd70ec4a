"""Server mode for real: PostgreSQL, a broker, and web, worker and clock as processes of their own.

`make test-server` runs it once with Redis and once with RabbitMQ.
"""

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from tests.house import ROOT
from tests.running import free_port, wait_for

pytestmark = [pytest.mark.server, pytest.mark.slow]

HOST = "quality.example.org"
PARTS = {
    "web": ("gunicorn", "-c", "python:sqcore.project.web", "--workers", "1"),
    "worker": ("celery", "-A", "sqcore.project.celery", "worker", "--pool", "threads"),
    "clock": ("celery", "-A", "sqcore.project.celery", "beat", "--pidfile="),
}


@contextmanager
def _database(server: str) -> Iterator[str]:
    """Make a database of its own on this server; yield its address and drop it afterwards."""
    name = f"sqcore_servers_{secrets.token_hex(4)}"
    parts = urlsplit(server)
    quoted = sql.Identifier(name)
    with psycopg.connect(
        urlunsplit(parts._replace(path="/postgres")), autocommit=True
    ) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(quoted))
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted))


class Servers:
    """The parts of one installation on servers; each is started and killed by name."""

    def __init__(self, home: Path, database: str, broker: str) -> None:
        self.home, self.port = home, free_port()
        own = {key: value for key, value in os.environ.items() if not key.startswith("SQ_")}
        self.environment = own | {
            "DJANGO_SETTINGS_MODULE": "sqcore.project.settings.current",
            "SQ_MODE": "server",
            "SQ_HOME": str(home),
            "SQ_SECRET_KEY": secrets.token_urlsafe(60),
            "SQ_BASE_URL": f"https://{HOST}",
            "SQ_DATABASE_URL": database,
            "SQ_BROKER_URL": broker,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def manage(self, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            timeout=300,
        )

    def start(self, part: str) -> None:
        bind = [f"--bind=127.0.0.1:{self.port}"] if part == "web" else []
        with (self.home / f"{part}.log").open("ab") as log:
            self.processes[part] = subprocess.Popen(
                [sys.executable, "-m", *PARTS[part], *bind],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, part: str) -> None:
        process = self.processes.pop(part)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def ask(self, path: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": HOST})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.ask("/readyz")[0] == http.HTTPStatus.OK
        except OSError:
            return False


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    database = os.environ.get("SQ_TEST_DATABASE_URL", "")
    broker = os.environ.get("SQ_TEST_BROKER_URL", "")
    if not database or not broker:
        pytest.skip("SQ_TEST_DATABASE_URL and SQ_TEST_BROKER_URL name the servers")
    with _database(database) as own:
        servers = Servers(tmp_path_factory.mktemp("servers"), own, broker)
        try:
            servers.manage("migrate", "--verbosity", "0")
            servers.manage("collectstatic", "--noinput", "--verbosity", "0")
            for part in PARTS:
                servers.start(part)
            wait_for(servers.is_ready, seconds=240)
            yield servers
        finally:
            for part in list(servers.processes):
                servers.kill(part)


def test_pages_insist_on_https(servers: Servers) -> None:
    status, headers, _body = servers.ask("/")

    assert status == 301
    assert headers["Location"] == f"https://{HOST}/"


def test_forwarded_headers_are_not_believed_without_proxies(servers: Servers) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", servers.port, timeout=10)
    connection.request("GET", "/", headers={"Host": HOST, "X-Forwarded-Proto": "https"})
    answer = connection.getresponse()
    connection.close()

    assert answer.status == 301


def test_work_goes_on_after_worker_and_clock_were_killed(servers: Servers) -> None:
    servers.kill("worker")
    servers.kill("clock")
    before = _pulse(servers)

    servers.start("worker")
    servers.start("clock")

    wait_for(lambda: _pulse(servers) > before, seconds=120)
    assert json.loads(servers.ask("/readyz")[2])["ready"] is True


def _pulse(servers: Servers) -> str:
    with psycopg.connect(servers.environment["SQ_DATABASE_URL"]) as connection:
        row = connection.execute("SELECT max(seen_at)::text FROM sqcore_heartbeat").fetchone()
    assert row is not None
    return str(row[0])
