"""The one page of periodic work names only tasks that exist; tasks are named after their room."""

import pytest

from sqcore.base import bus
from sqcore.project.celery import app
from sqcore.project.schedule import ROWS
from tests.house import APPS


@pytest.fixture(scope="module")
def tasks() -> dict[str, str]:
    """Return the module of each task of the house by the task's name."""
    app.loader.import_default_modules()
    app.finalize()
    return {name: task.__module__ for name, task in app.tasks.items() if name.split(".")[0] in APPS}


def test_every_scheduled_task_exists(tasks: dict[str, str]) -> None:
    assert [row.task for row in ROWS if row.task not in tasks] == []


def test_the_bell_rings_for_a_task_that_exists(tasks: dict[str, str]) -> None:
    assert bus.DELIVER_TASK in tasks


def test_tasks_are_named_after_their_room(tasks: dict[str, str]) -> None:
    wrong = [name for name, module in tasks.items() if name.split(".")[:2] != module.split(".")[:2]]

    assert wrong == []


def test_no_task_is_scheduled_twice() -> None:
    assert len({row.task for row in ROWS}) == len(ROWS)
