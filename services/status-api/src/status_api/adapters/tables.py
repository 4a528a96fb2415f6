"""The tables of schema `status` as the rows of the domain, read and written in bulk."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import orjson

from candlelog.stores.postgres import Connection
from status_api.domain.rows import Answer, ChunkRow, JobRow, Submission, TaskRow

R = TypeVar("R", Submission, JobRow, TaskRow, ChunkRow, Answer)

_TYPES: Final[dict[object, str]] = {
    bool: "boolean",
    bool | None: "boolean",
    datetime: "timestamptz",
    datetime | None: "timestamptz",
    int: "bigint",
    int | None: "bigint",
    UUID: "uuid",
}
"""Types of columns by those of fields; everything else is text."""
_ARRAYS: Final = frozenset({"symbols", "timeframes"})
"""Columns that are arrays themselves travel as JSON: `unnest` would flatten them."""


@dataclass(frozen=True, slots=True)
class Table(Generic[R]):
    """A table whose columns are the fields of a row class; the statements follow from them."""

    name: str
    row: type[R]
    key: str
    replaces: bool
    """Whether a row that is written replaces the one with its key, or leaves it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the fields."""
        return tuple(field.name for field in fields(self.row))

    @property
    def select(self) -> str:
        """Rows by their keys ($1)."""
        columns = ", ".join(self.columns)
        return f"SELECT {columns} FROM {self.name} WHERE {self.key} = ANY($1::uuid[])"  # noqa: S608 -- names of our own tables

    @property
    def upsert(self) -> str:
        """Write rows, one array a column."""
        names = self.columns
        arrays = ", ".join(f"${n}::{_kind(self.row, name)}[]" for n, name in enumerate(names, 1))
        values = ", ".join(_value(name) for name in names)
        others = [name for name in names if name != self.key]
        news = ", ".join(f"{name} = excluded.{name}" for name in others)
        conflict = f"DO UPDATE SET {news}" if self.replaces else "DO NOTHING"
        return (
            f"INSERT INTO {self.name} ({', '.join(names)}) "  # noqa: S608 -- names of our own tables
            f"SELECT {values} FROM unnest({arrays}) AS new ({', '.join(names)}) "
            f"ON CONFLICT ({self.key}) {conflict}"
        )

    def of_record(self, record: Mapping[str, Any], prefix: str = "") -> R:
        """The row in a record that holds all its columns, each with `prefix` before its name."""
        values = {name: record[prefix + name] for name in self.columns}
        for name in _ARRAYS & values.keys():
            values[name] = tuple(values[name])
        return self.row(**values)


class TableAccess(Generic[R]):
    """Runs the statements of a table, built once."""

    def __init__(self, table: Table[R]) -> None:
        self._table = table
        self._select = table.select
        self._upsert = table.upsert
        self._columns = table.columns

    async def load(self, connection: Connection, keys: Iterable[UUID]) -> dict[UUID, R]:
        """The rows that stand, by key."""
        wanted = list(keys)
        if not wanted:
            return {}
        records = await connection.fetch(self._select, wanted)
        row = self._table.row
        return {record[self._table.key]: row(**dict(record)) for record in records}

    async def save(self, connection: Connection, rows: Mapping[UUID, R]) -> None:
        """Write rows, in the order of their keys so that two writers cannot lock each other out."""
        if not rows:
            return
        ordered = [rows[key] for key in sorted(rows)]
        arrays = [[_plain(name, getattr(row, name)) for row in ordered] for name in self._columns]
        await connection.execute(self._upsert, *arrays)


SUBMISSIONS: Final = Table("submissions", Submission, "job_id", replaces=False)
JOBS: Final = Table("jobs", JobRow, "job_id", replaces=True)
TASKS: Final = Table("tasks", TaskRow, "task_id", replaces=True)
CHUNKS: Final = Table("chunks", ChunkRow, "chunk_id", replaces=True)
ANSWERS: Final = Table("answers", Answer, "correlation_id", replaces=False)


def _kind(row: type[Submission | JobRow | TaskRow | ChunkRow | Answer], column: str) -> str:
    return next(_TYPES.get(each.type, "text") for each in fields(row) if each.name == column)


def _value(column: str) -> str:
    if column in _ARRAYS:
        return f"ARRAY(SELECT jsonb_array_elements_text({column}::jsonb))"
    return column


def _plain(column: str, value: Any) -> Any:
    return orjson.dumps(value).decode() if column in _ARRAYS else value
