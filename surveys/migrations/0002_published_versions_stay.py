"""A published version is the codebook of its answers: the database refuses to change it."""

from django.db import migrations

TABLES = {
    "surveys_instrumentversion": ("UPDATE", "DELETE"),
    "surveys_item": ("INSERT", "UPDATE", "DELETE"),
}
MESSAGE = "a published version of a questionnaire never changes"


def _condition(table, event):
    """SQL that holds when the row, old or new, belongs to a published version."""
    if table == "surveys_instrumentversion":
        return "OLD.published_at IS NOT NULL"
    rows = {"INSERT": ["NEW"], "DELETE": ["OLD"], "UPDATE": ["OLD", "NEW"]}[event]
    ids = ", ".join(f"{row}.version_id" for row in rows)
    return (
        "EXISTS (SELECT 1 FROM surveys_instrumentversion"
        f" WHERE id IN ({ids}) AND published_at IS NOT NULL)"
    )


def _name(table, event):
    return f"{table}_published_{event.lower()}"


def _add_on_sqlite(editor, table, event):
    editor.execute(
        f"CREATE TRIGGER {_name(table, event)} BEFORE {event} ON {table} FOR EACH ROW"
        f" WHEN {_condition(table, event)} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    )


def _add_on_postgresql(editor, table, event):
    row = "OLD" if event == "DELETE" else "NEW"
    editor.execute(
        f"CREATE FUNCTION {_name(table, event)}() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN IF {_condition(table, event)} THEN"
        f" RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';"
        f" END IF; RETURN {row}; END $$"
    )
    editor.execute(
        f"CREATE TRIGGER {_name(table, event)} BEFORE {event} ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {_name(table, event)}()"
    )


def add_triggers(apps, editor):
    add = {"sqlite": _add_on_sqlite, "postgresql": _add_on_postgresql}[editor.connection.vendor]
    for table, events in TABLES.items():
        for event in events:
            add(editor, table, event)


def drop_triggers(apps, editor):
    for table, events in TABLES.items():
        for event in events:
            if editor.connection.vendor == "sqlite":
                editor.execute(f"DROP TRIGGER {_name(table, event)}")
            else:
                editor.execute(f"DROP FUNCTION {_name(table, event)}() CASCADE")


class Migration(migrations.Migration):
    dependencies = [("surveys", "0001_initial")]
    operations = [migrations.RunPython(add_triggers, drop_triggers)]
