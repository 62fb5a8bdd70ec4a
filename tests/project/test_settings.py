"""The settings of both modes, started for real in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import ROOT

pytestmark = pytest.mark.slow

SERVER = {
    "SQ_MODE": "server",
    "SQ_SECRET_KEY": "kXh3pVw8nQzR5tYb2mLc7dGf4jSa9eUo6iPvTqHxWyNrBkZlMs0",
    "SQ_BASE_URL": "https://quality.example.org",
    "SQ_DATABASE_URL": "postgresql://sqcore@db.example.org/sqcore",
    "SQ_BROKER_URL": "amqp://broker.example.org",
}


def _manage(home: Path, *arguments: str, **given: str) -> "subprocess.CompletedProcess[str]":
    own = {key: value for key, value in os.environ.items() if not key.startswith("SQ_")}
    own |= {"DJANGO_SETTINGS_MODULE": "sqcore.project.settings.current", "SQ_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=own | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_deployment_check_finds_nothing_in_server_mode(tmp_path: Path) -> None:
    checked = _manage(tmp_path, "check", "--deploy", "--fail-level", "INFO", **SERVER)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("missing", sorted(set(SERVER) - {"SQ_MODE"}))
def test_server_mode_needs_each_of_its_variables(tmp_path: Path, missing: str) -> None:
    given = {name: value for name, value in SERVER.items() if name != missing}

    checked = _manage(tmp_path, "check", **given)

    assert checked.returncode == 1
    assert missing in checked.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SQ_SECRET_KEY", "short", "SQ_SECRET_KEY must have 50 characters or more"),
        ("SQ_BASE_URL", "http://quality.example.org", "SQ_BASE_URL must begin with https://"),
        ("SQ_BROKER_URL", "filesystem://", "SQ_BROKER_URL must be an address such as redis://"),
        ("SQ_DEMO", "yes", "SQ_DEMO is not a variable of this mode"),
    ],
)
def test_server_mode_refuses_what_is_unsafe(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    checked = _manage(tmp_path, "check", **(SERVER | {name: value}))

    assert checked.returncode == 1
    assert sentence in checked.stderr.splitlines()[-1]


def test_embedded_mode_refuses_a_server_variable(tmp_path: Path) -> None:
    checked = _manage(tmp_path, "check", SQ_DATABASE_URL="postgresql://db/sq")

    assert checked.returncode == 1
    assert "SQ_DATABASE_URL is not a variable of this mode" in checked.stderr


def test_the_secret_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    _manage(tmp_path, "check")
    key = (tmp_path / "secret-key").read_text()
    _manage(tmp_path, "check")

    assert (tmp_path / "secret-key").read_text() == key
    assert len(key) == 64
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600


def test_the_embedded_database_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    asked = _manage(
        tmp_path,
        "shell",
        "--no-imports",
        "-c",
        "from django.db import connection as c\n"
        "for p in ('journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout'):\n"
        "    print(p, c.cursor().execute(f'PRAGMA {p}').fetchone()[0])",
    )

    assert asked.stdout.splitlines() == [
        "journal_mode wal",
        "synchronous 2",
        "foreign_keys 1",
        "busy_timeout 20000",
    ]
