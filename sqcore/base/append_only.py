"""Tables whose rows the database itself refuses to change, for every program that connects to it.

SQLite drops a table's triggers when a migration rebuilds the table: such a migration calls
`install` again. A test of each such table sees that they are there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper

_ACTS = {"sqlite": ("update", "delete"), "postgresql": ("update", "delete", "truncate")}


@dataclass(frozen=True)
class AppendOnly:
    """Tables to which rows are only ever added; `message` is what the database says otherwise.

    `function` names what PostgreSQL's triggers call. Neither it nor the tables ever change: a
    migration has installed them.
    """

    tables: tuple[str, ...]
    function: str
    message: str

    def expected(self, vendor: str) -> set[str]:
        """Return the names of all triggers that must be there."""
        return {f"{table}_no_{act}" for table in self.tables for act in _ACTS[vendor]}

    def present(self, connection: BaseDatabaseWrapper) -> set[str]:
        """Return the names of the triggers of these tables that are there and in force."""
        query = (
            "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
            if connection.vendor == "sqlite"
            else "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
        )
        with connection.cursor() as cursor:
            cursor.execute(query)
            return {name for name, table in cursor.fetchall() if table in self.tables}

    def install(self, connection: BaseDatabaseWrapper) -> None:
        """Make the triggers; those that are there stay."""
        sqlite = connection.vendor == "sqlite"
        _run(connection, self._on_sqlite() if sqlite else self._on_postgresql())

    def remove(self, connection: BaseDatabaseWrapper) -> None:
        """Take the triggers away."""
        if connection.vendor == "sqlite":
            names = sorted(self.expected("sqlite"))
            _run(connection, (f"DROP TRIGGER IF EXISTS {name}" for name in names))
        else:
            _run(connection, [f"DROP FUNCTION IF EXISTS {self.function}() CASCADE"])

    def _on_sqlite(self) -> Iterator[str]:
        for table in self.tables:
            for act in _ACTS["sqlite"]:
                yield (
                    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{act} BEFORE {act.upper()} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, '{self.message}'); END"
                )

    def _on_postgresql(self) -> Iterator[str]:
        yield (
            f"CREATE OR REPLACE FUNCTION {self.function}() RETURNS trigger LANGUAGE plpgsql AS $$"
            f" BEGIN RAISE EXCEPTION '{self.message}'"
            " USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
        for table in self.tables:
            for act in _ACTS["postgresql"]:
                each = "STATEMENT" if act == "truncate" else "ROW"
                yield (
                    f"CREATE OR REPLACE TRIGGER {table}_no_{act} BEFORE {act.upper()} ON {table}"
                    f" FOR EACH {each} EXECUTE FUNCTION {self.function}()"
                )


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
