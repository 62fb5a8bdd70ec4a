"""Keeps a few processes running: restarts what dies, leaves none behind, stops them all at once.

Knows nothing of Django. Every child leads a process group of its own and is tethered to this
process, so that even `kill -9` of the supervisor ends them.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_AFTER = 30.0
"""Seconds after which a child counts as healthy again and its pauses start anew."""
GRACE = 8.0
LOG_LIMIT = 5 * 1024 * 1024


class AlreadyRunning(RuntimeError):
    """Another supervisor holds the lock."""


@contextlib.contextmanager
def held_lock(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs; the kernel frees it whatever happens to us.

    raises: AlreadyRunning when somebody else holds it
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise AlreadyRunning(file.read().strip()) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@dataclass
class Child:
    """One process to keep running. What it writes is appended to `log`.

    With `prints` its stdout goes to the terminal: what it prints is meant for people.
    """

    name: str
    command: Sequence[str]
    log: Path
    sockets: tuple[int, ...] = ()
    prints: bool = False
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = FIRST_PAUSE

    def start(self, now: float) -> None:
        tether = [sys.executable, "-m", "sqcore.project.tether", str(os.getpid())]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - commands of this program
                [*tether, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=None if self.prints else log,
                stderr=log,
                start_new_session=True,
                pass_fds=self.sockets,
            )
        self.started = now

    def signal_group(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """Runs its children until SIGINT or SIGTERM.

    `say` is told what people should know; `is_up` looks whether the whole works.
    """

    children: list[Child]
    say: Callable[[str], None]
    is_up: Callable[[], bool]
    _stop: bool = field(default=False, init=False)
    _hurry: bool = field(default=False, init=False)

    def run(self, *, welcome: str) -> None:
        """Start all and keep them; say `welcome` once when it is up."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        welcomed, logs_seen = False, 0.0
        try:
            while not self._stop:
                now = time.monotonic()
                for child in self.children:
                    self._keep(child, now)
                if not welcomed and self.is_up():
                    welcomed = True
                    self.say(welcome)
                if now - logs_seen > 60:
                    logs_seen = now
                    self._trim_logs()
                time.sleep(0.1)
        finally:
            self._end()

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._hurry = self._stop
        self._stop = True

    def _keep(self, child: Child, now: float) -> None:
        if child.running:
            if now - child.started > STEADY_AFTER:
                child.pause = FIRST_PAUSE
            return
        if child.process is not None:
            self._lost(child, now)
        if now >= child.due:
            child.start(now)

    def _lost(self, child: Child, now: float) -> None:
        """The child died: clear away what it left and choose when it starts again."""
        assert child.process is not None  # noqa: S101 - only called for a child that ran
        code = child.process.returncode
        why = f"signal {-code}" if code < 0 else f"exit code {code}"
        self.say(f"{child.name} ended ({why}); starting it again. Its log: {child.log}")
        child.signal_group(signal.SIGKILL)
        child.process = None
        child.due = now + child.pause
        child.pause = min(child.pause * 2, LONGEST_PAUSE)

    def _trim_logs(self) -> None:
        """Keep one earlier log beside each; the children go on appending to the emptied file."""
        for log in {child.log for child in self.children}:
            if log.exists() and log.stat().st_size > LOG_LIMIT:
                shutil.copyfile(log, log.with_suffix(".1.log"))
                os.truncate(log, 0)

    def _end(self) -> None:
        """End all children: kindly first, by force after the grace or a second Ctrl-C."""
        for child in self.children:
            child.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while any(child.running for child in self.children):
            if self._hurry or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        for child in self.children:
            child.signal_group(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()
