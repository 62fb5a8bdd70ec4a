"""The database's own refusal to change the ledger, for every program that connects to it.

SQLite drops a table's triggers when a migration rebuilds the table: such a migration calls
`install` again. A test sees that they are there.
"""

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = ("sqcore_auditentry", "sqcore_auditseal")
MESSAGE = "the audit ledger is never changed"
FUNCTION = "sqcore_audit_refuse"


def expected(vendor: str) -> set[str]:
    """Return the names of all triggers that must be there."""
    acts = ["update", "delete"] + (["truncate"] if vendor == "postgresql" else [])
    return {f"{table}_no_{act}" for table in TABLES for act in acts}


def present(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the names of the ledger's triggers that are there and in force."""
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'sqcore_audit%'"
        if connection.vendor == "sqlite"
        else "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE relname LIKE 'sqcore_audit%' AND NOT tgisinternal AND tgenabled IN ('O', 'A')"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return {name for (name,) in cursor.fetchall()}


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the triggers; those that are there stay."""
    _run(connection, _on_sqlite() if connection.vendor == "sqlite" else _on_postgresql())


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers away."""
    if connection.vendor == "sqlite":
        _run(connection, (f"DROP TRIGGER IF EXISTS {name}" for name in expected("sqlite")))
    else:
        _run(connection, [f"DROP FUNCTION IF EXISTS {FUNCTION}() CASCADE"])


def _run(connection: BaseDatabaseWrapper, statements: Iterator[str] | list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _on_sqlite() -> Iterator[str]:
    for table in TABLES:
        for act in ("update", "delete"):
            yield (
                f"CREATE TRIGGER IF NOT EXISTS {table}_no_{act} BEFORE {act.upper()} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )


def _on_postgresql() -> Iterator[str]:
    yield (
        f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';"
        " END $$"
    )
    for table in TABLES:
        for act, each in (("update", "ROW"), ("delete", "ROW"), ("truncate", "STATEMENT")):
            yield (
                f"CREATE OR REPLACE TRIGGER {table}_no_{act} BEFORE {act.upper()} ON {table}"
                f" FOR EACH {each} EXECUTE FUNCTION {FUNCTION}()"
            )
