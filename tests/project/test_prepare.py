"""The demo and an installation's own data never meet in one home."""

from pathlib import Path

import pytest
from django.db import connections

from sqcore.base.errors import Conflict
from sqcore.project import prepare
from sqcore.project.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def test_the_demo_is_refused_where_data_of_ones_own_are(home: Home) -> None:
    home.database.write_bytes(b"own data")

    with pytest.raises(Conflict, match="is a home for your own data"):
        prepare.refuse_other_kind(home, demo=True)

    assert home.database.read_bytes() == b"own data"
    assert not home.demo_mark.exists()


def test_own_data_are_refused_where_the_demo_is(home: Home) -> None:
    home.demo_mark.write_text(prepare.COMPLETE)

    with pytest.raises(Conflict, match="holds the demo; start it with --demo"):
        prepare.refuse_other_kind(home, demo=False)


def test_an_empty_home_becomes_the_demos_before_anything_is_loaded(home: Home) -> None:
    prepare.refuse_other_kind(home, demo=True)

    assert home.demo_mark.read_text() == prepare.LOADING
    assert not prepare.demo_is_complete(home)


def test_what_an_interrupted_load_left_is_thrown_away(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "call_command", lambda *_arguments, **_options: None)
    monkeypatch.setattr(connections, "close_all", lambda: None)
    home.demo_mark.write_text(prepare.LOADING)
    for name in ("sqcore.sqlite3", "sqcore.sqlite3-wal", "sqcore.sqlite3-shm"):
        (home.path / name).write_bytes(b"half a demo")

    prepare.migrate(home)

    assert not list(home.path.glob("sqcore.sqlite3*"))


def test_a_complete_demo_is_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "call_command", lambda *_arguments, **_options: None)
    home.demo_mark.write_text(prepare.COMPLETE)
    home.database.write_bytes(b"demo")

    prepare.migrate(home)

    assert home.database.read_bytes() == b"demo"


def test_folders_are_their_owners_only(home: Home) -> None:
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert home.media.stat().st_mode & 0o777 == 0o700
