"""What every test starts from."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db.backends.base.operations import BaseDatabaseOperations
from django.utils import translation
from hypothesis import settings

from sqcore.access.authentication import forget_refusals
from sqcore.org.queries import forget_organisation
from surveys.instruments.codebook import forget_codebooks

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("sqcore", deadline=None)
settings.load_profile("sqcore")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow files, so that at the end no process waits for one of them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _fresh_codebooks() -> None:
    forget_codebooks()


@pytest.fixture(autouse=True)
def _fresh_memory() -> None:
    """What a process remembers for some seconds does not outlive a test."""
    cache.clear()
    forget_organisation()
    forget_refusals()


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """A page that a test asked for in Chinese does not make the next test Chinese."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True, scope="session")
def _emptying_is_allowed() -> Iterator[None]:
    """Let tests with real transactions empty all tables afterwards; triggers would refuse it."""
    with pytest.MonkeyPatch.context() as patch:
        empty = BaseDatabaseOperations.execute_sql_flush

        def empty_without_triggers(self: BaseDatabaseOperations, statements: list[str]) -> None:
            with self.connection.cursor() as cursor:
                if self.connection.vendor == "postgresql":
                    cursor.execute("SET session_replication_role = replica")
                    empty(self, statements)
                    cursor.execute("RESET session_replication_role")
                    return
                cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
                triggers = cursor.fetchall()
                for name, _sql in triggers:
                    cursor.execute(f"DROP TRIGGER {name}")
                empty(self, statements)
                for _name, sql in triggers:
                    cursor.execute(sql)

        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", empty_without_triggers)
        yield
