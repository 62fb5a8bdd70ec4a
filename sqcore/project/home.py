"""The data home: the one folder that holds everything of an installation."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """Where each thing lies. Nothing is made before it is needed."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / "sqcore.sqlite3"

    @property
    def queue(self) -> Path:
        return self.path / "queue"

    @property
    def media(self) -> Path:
        return self.path / "media"

    @property
    def static(self) -> Path:
        return self.path / "static"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def schedule(self) -> Path:
        """Where Celery beat remembers when it last rang for what."""
        return self.path / "beat-schedule"

    @property
    def lock(self) -> Path:
        return self.path / "up.lock"

    @property
    def demo_mark(self) -> Path:
        """Says that the data are the demo's; its text says whether they are complete."""
        return self.path / "demo"

    def make(self) -> None:
        """Make the folders, readable by their owner only: answers of people lie here."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.queue / "messages", self.queue / "control", self.media, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def secret_key(self) -> str:
        """Return the installation's secret key; the first call makes it.

        Linked into place when complete, so that two first starts get one key.
        """
        path = self.path / "secret-key"
        if not path.exists():
            fresh = self.path / f"secret-key.{os.getpid()}.{secrets.token_hex(4)}"
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(fresh, path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text().strip()
