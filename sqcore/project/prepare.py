"""What stands between a checkout and a running installation: database, static files, demo."""

import hashlib
import importlib
import json
import shutil
from collections.abc import Callable
from datetime import datetime
from io import StringIO

from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connections

from sqcore.base.errors import Conflict
from sqcore.project.home import Home
from sqcore.project.static import StaticConfig

Report = Callable[[str, int, int], None]
"""Told (what is being done, how many are done, of how many); each thing ends with done == total."""

LOADING, COMPLETE = "loading", "complete"


def refuse_other_kind(home: Home, *, demo: bool) -> None:
    """Keep the demo and an installation's own data apart. raises: Conflict"""
    if demo and home.database.exists() and not home.demo_mark.exists():
        raise Conflict(
            f"{home.path} is a home for your own data. The demo has one of its own: make run, "
            "or SQ_HOME=var/demo manage.py up --demo"
        )
    if not demo and home.demo_mark.exists():
        raise Conflict(f"{home.path} holds the demo; start it with --demo.")
    if demo and not home.demo_mark.exists():
        home.demo_mark.write_text(LOADING)


def migrate(home: Home) -> None:
    """Bring the database up to date; what an interrupted demo load left is thrown away first."""
    if home.demo_mark.exists() and not demo_is_complete(home):
        connections.close_all()
        for suffix in ("", "-wal", "-shm", "-journal"):
            home.database.with_name(home.database.name + suffix).unlink(missing_ok=True)
    call_command("migrate", interactive=False, verbosity=0)


def collect_static(home: Home) -> None:
    """Gather the static files, named by content and compressed, unless they are as they were."""
    fingerprint = _static_fingerprint()
    mark = home.static / "fingerprint"
    if mark.exists() and mark.read_text() == fingerprint:
        return
    shutil.rmtree(home.static, ignore_errors=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    mark.write_text(fingerprint)


def _static_fingerprint() -> str:
    found = [
        (path, storage.size(path), str(storage.get_modified_time(path)))
        for finder in get_finders()
        for path, storage in finder.list(StaticConfig.ignore_patterns)
    ]
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()


def install_what_comes_with_it() -> None:
    """Add what every installation begins with and does not have yet: the ready questionnaires."""
    call_command("install_instruments", verbosity=0, stdout=StringIO())


def demo_is_complete(home: Home) -> bool:
    return home.demo_mark.exists() and home.demo_mark.read_text().strip() == COMPLETE


def load_demo(home: Home, *, now: datetime, report: Report) -> None:
    """Fill the empty home with the demo and note that it is complete.

    raises: Conflict when anybody has an account here
    """
    if get_user_model().objects.exists():
        raise Conflict(f"{home.path} has accounts; the demo goes into an empty home only.")
    services = importlib.import_module("sqcore.demo.services")
    services.load_demo(now=now, report=report)
    home.demo_mark.write_text(COMPLETE)


def demo_log_ins() -> list[str]:
    """Return a line for each person of the demo: who, log-in, password."""
    return list(importlib.import_module("sqcore.demo.services").log_ins())
