"""Statements that are run often: compiled once, then only given their values.

Building and compiling a query of five conditions costs Django several times what the database needs
to answer it. A `Slot` stands for a value that is not known yet; `Prepared` keeps the SQL.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Expression, Field, Model, QuerySet, TextField


@dataclass(frozen=True)
class _Marker:
    name: str


class Slot(Expression):
    """A value in a query that each use of it gives anew."""

    def __init__(self, name: str, output_field: "Field[Any, Any] | None" = None) -> None:
        super().__init__(output_field=output_field or TextField())
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [_Marker(self.name)]


class Prepared:
    """A compiled query; its rows come as the database driver gives them, without conversion."""

    def __init__(self, queryset: "QuerySet[Any, Any]") -> None:
        self._sql, self._params = queryset.query.get_compiler(connection=connection).as_sql()

    def rows(self, values: Mapping[str, Any], *, limit: int | None = None) -> list[tuple[Any, ...]]:
        """Return the rows for these values of the slots."""
        params = [
            _adapted(values[param.name]) if isinstance(param, _Marker) else param
            for param in self._params
        ]
        sql = self._sql
        if limit is not None:
            sql, params = f"{sql} LIMIT %s", [*params, limit]
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


class PreparedInsert:
    """Inserts new rows of a model without asking for their ids: half of what `bulk_create` costs.

    As there, nothing is validated and `save` is not called; ids and database defaults are left to
    the database.
    """

    def __init__(self, model: type[Model]) -> None:
        self._fields = [field for field in model._meta.concrete_fields if not field.primary_key]
        self.names = [field.attname for field in self._fields]
        quote = connection.ops.quote_name
        columns = ", ".join(quote(field.column or field.name) for field in self._fields)
        marks = ", ".join(["%s"] * len(self._fields))
        self._sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({marks})"  # noqa: S608 - names of the model

    def insert(self, rows: Iterable[Model]) -> int:
        """Insert the rows, and return how many they were."""
        database = connections[DEFAULT_DB_ALIAS]  # itself: its proxy costs as much as the work
        values = [
            [
                field.get_db_prep_save(getattr(row, field.attname), database)
                for field in self._fields
            ]
            for row in rows
        ]
        return self.insert_values(values)

    def insert_values(self, values: Sequence[Sequence[Any]]) -> int:
        """Insert rows of values that the database takes as they are, in the order of `names`.

        JSON is text, a moment what `connection.ops.adapt_datetimefield_value` gives. Half again of
        what `insert` costs, and the caller vouches for every value.
        """
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.executemany(self._sql, values)
        return len(values)


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datefield_value(value) if isinstance(value, date) else value
