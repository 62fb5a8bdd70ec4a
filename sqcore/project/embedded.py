"""Running an installation on one machine: prepare its data home, then keep its processes."""

import http.client
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.signing import TimestampSigner
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from sqcore.project import prepare
from sqcore.project.home import Home
from sqcore.project.settings.base import DEFAULT_BASE_URL
from sqcore.project.supervisor import Child, Supervisor, held_lock

EVERY_INTERFACE = {"0.0.0.0", "::"}  # noqa: S104 - recognised here, chosen by who starts it


class PortTaken(OSError):
    """The address cannot be listened on."""


def run(home: Home, *, demo: bool, host: str, port: int, out: TextIO) -> None:
    """Prepare and serve until SIGINT or SIGTERM.

    raises: AlreadyRunning when another process serves this home; PortTaken; Conflict when the demo
    is asked for and the home holds data of one's own, or the other way round
    """
    with held_lock(home.lock), _listening(host, port) as listener:
        address = _reachable_address(host, port)
        if settings.BASE_URL == DEFAULT_BASE_URL:
            settings.BASE_URL = address
        _prepare(home, demo=demo, out=out)
        words = _welcome(home, demo=demo, address=address)
        connections.close_all()
        os.environ |= {
            "SQ_HOME": str(home.path),
            "SQ_BASE_URL": settings.BASE_URL,
            "SQ_DEMO": "yes" if demo else "no",
        }
        family = Supervisor(
            _children(home, listener),
            say=lambda line: _say(out, line),
            is_up=lambda: _answers(host, port),
        )
        family.run(welcome=words)
    _say(out, "Stopped.")


def _children(home: Home, listener: socket.socket) -> list[Child]:
    celery = [sys.executable, "-m", "celery", "-A", "sqcore.project.celery", "-q"]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "python:sqcore.project.web"]
    web_log, descriptor = home.logs / "web.log", listener.fileno()
    return [
        Child(
            "web",
            [*gunicorn, f"--bind=fd://{descriptor}", f"--access-logfile={web_log}"],
            web_log,
            sockets=(descriptor,),
            prints=True,  # e-mail, as long as no mail server is set
        ),
        Child(
            "worker",
            [*celery, "worker", "--pool=threads", "--concurrency=2", *alone],
            home.logs / "worker.log",
        ),
        Child("clock", [*celery, "beat", "--pidfile="], home.logs / "clock.log"),
    ]


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Hold the socket that the web processes serve from.

    It stays open here, so that people wait instead of being refused while a web process starts.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except (OSError, OverflowError) as error:
            raise PortTaken(getattr(error, "strerror", "") or str(error)) from error
        yield listener


def _reachable_address(host: str, port: int) -> str:
    """Return the address for links; when serving on every interface, this machine's own."""
    if host in EVERY_INTERFACE:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # sends nothing, only chooses a route
                host = probe.getsockname()[0]
            except OSError:
                host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _answers(host: str, port: int) -> bool:
    """True when the web process answers."""
    near = "127.0.0.1" if host in EVERY_INTERFACE else host
    connection = http.client.HTTPConnection(near, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# ---- What people see in the terminal -------------------------------------------------------------
def _say(out: TextIO, line: str) -> None:
    out.write(f"{line}\n")
    out.flush()


def _prepare(home: Home, *, demo: bool, out: TextIO) -> None:
    with _step(out, "Database"):
        prepare.refuse_other_kind(home, demo=demo)
        prepare.migrate(home)
        if not demo:
            prepare.install_what_comes_with_it()
    with _step(out, "Static files"):
        prepare.collect_static(home)
    if demo and not prepare.demo_is_complete(home):
        prepare.load_demo(home, now=timezone.now(), report=Bar(out))


@contextmanager
def _step(out: TextIO, name: str) -> Iterator[None]:
    started = time.monotonic()
    out.write(f"{name:<14}")
    out.flush()
    yield
    _say(out, f"ready  {time.monotonic() - started:5.1f} s")


class Bar:
    """A progress bar for each thing done; elsewhere than on a terminal a line at its end."""

    WIDTH = 30

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.name = ""
        self.started = self.shown = 0.0

    def __call__(self, name: str, done: int, total: int) -> None:
        now = time.monotonic()
        if name != self.name:
            self.name, self.started, self.shown = name, now, 0.0
        finished = done >= total
        if self.out.isatty() and (finished or now - self.shown > 0.1):
            self.shown = now
            full = self.WIDTH * done // max(total, 1)
            bar = "█" * full + "·" * (self.WIDTH - full)
            self.out.write(f"\r{name:<34.34}{bar} {done:>7,} of {total:,}")
        elif finished:
            self.out.write(f"{name:<34.34}{done:>7,}")
        if finished:
            _say(self.out, f"  {now - self.started:5.1f} s")
        self.out.flush()


def _welcome(home: Home, *, demo: bool, address: str) -> str:
    lines = ["", f"  SQCore is at {address}", ""]
    if demo:
        lines += ["  The demo's people:", *(f"    {line}" for line in prepare.demo_log_ins()), ""]
    elif not get_user_model().objects.exists():
        lines += ["  Make the first administrator here, within a day:"]
        lines += [f"    {address}{_first_administrator_path()}", ""]
    lines += [f"  Data and logs are in {home.path}. Ctrl-C stops it.", ""]
    return "\n".join(lines)


def _first_administrator_path() -> str:
    token = TimestampSigner(salt="first-administrator").sign("first-administrator")
    return reverse("sqcore:identity-first-administrator", kwargs={"token": token})
