"""House rules about migrations: four lines, each straight, leaning only on the ground floor."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

from tests.house import APPS


@pytest.fixture(scope="module")
def loader() -> MigrationLoader:
    return MigrationLoader(None)


def test_migrations_lean_only_downwards(loader: MigrationLoader) -> None:
    wrong = [
        f"{app}.{name} leans on {parent.key[0]}.{parent.key[1]}"
        for (app, name), node in loader.graph.node_map.items()
        if app in APPS
        for parent in node.parents
        if parent.key[0] in APPS and parent.key[0] not in {app, "sqcore"}
    ]

    assert wrong == []


@pytest.mark.parametrize("app", APPS)
def test_migrations_of_an_app_are_one_line(loader: MigrationLoader, app: str) -> None:
    assert len(loader.graph.leaf_nodes(app)) <= 1


@pytest.mark.django_db
def test_models_and_migrations_agree() -> None:
    said = StringIO()

    call_command("makemigrations", check=True, dry_run=True, stdout=said, verbosity=1)

    assert said.getvalue() == "No changes detected\n"
