"""Queries that are asked often: written and compiled once by Django, then only given their values.

Building and compiling a query of five conditions costs Django several times what the database needs
to answer it. A `Slot` stands for a value that is not known yet; `Prepared` keeps the SQL.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Expression, Field, QuerySet, TextField


@dataclass(frozen=True)
class _Marker:
    name: str


class Slot(Expression):
    """A value in a query that each use of it gives anew."""

    def __init__(self, name: str, output_field: "Field[Any, Any] | None" = None) -> None:
        super().__init__(output_field=output_field or TextField())
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
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


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datefield_value(value) if isinstance(value, date) else value
