"""The tables of schema `status` as the rows of the domain, read and written in bulk."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import orjson

from candlelog.stores.postgres import Connection
from status_api.domain.rows import (
    Answer,
    ChunkRow,
    FileRow,
    GapFill,
    GapRow,
    JobRow,
    ShadowRow,
    Submission,
    TaskRow,
)

R = TypeVar("R", Submission, JobRow, TaskRow, ChunkRow, Answer, GapRow, GapFill, ShadowRow, FileRow)

_TYPES: Final[dict[object, str]] = {
    bool: "boolean",
    bool | None: "boolean",
    datetime: "timestamptz",
    datetime | None: "timestamptz",
    int: "bigint",
    int | None: "bigint",
    UUID: "uuid",
    UUID | None: "uuid",
}
"""Types of columns by those of fields; everything else is text."""
_ARRAYS: Final = frozenset({"symbols", "timeframes", "feature_sets"})
"""Columns that are arrays themselves travel as JSON: `unnest` would flatten them."""
_DOCUMENTS: Final = frozenset({"missing", "replay", "parts"})
"""So do those that hold JSON."""


class Table(Generic[R]):
    """A table whose columns are the fields of a row class; the statements follow from them.

    A row that is written replaces the one with its key, or, where `replaces` is false, leaves it.
    """

    def __init__(self, name: str, row: type[R], key: str, *, replaces: bool) -> None:
        self._row = row
        self._key = key
        self.columns: Final = tuple(field.name for field in fields(row))
        kinds = {field.name: _TYPES.get(field.type, "text") for field in fields(row)}
        self._select = _select(name, self.columns, key)
        self._upsert = _upsert(name, kinds, key, replaces=replaces)

    async def load(self, connection: Connection, keys: Iterable[UUID]) -> dict[UUID, R]:
        """The rows that stand, by key."""
        wanted = list(keys)
        if not wanted:
            return {}
        records = await connection.fetch(self._select, wanted)
        return {record[self._key]: self._row(**dict(record)) for record in records}

    async def save(self, connection: Connection, rows: Mapping[UUID, R]) -> None:
        """Write rows, in the order of their keys so that two writers cannot lock each other out."""
        if not rows:
            return
        ordered = [rows[key] for key in sorted(rows)]
        arrays = [[_plain(name, getattr(row, name)) for row in ordered] for name in self.columns]
        await connection.execute(self._upsert, *arrays)

    def of_record(self, record: Mapping[str, Any], prefix: str = "") -> R:
        """The row in a record that holds all its columns, each with `prefix` before its name."""
        values: dict[str, Any] = {name: record[prefix + name] for name in self.columns}
        for name in _ARRAYS & values.keys():
            values[name] = tuple(values[name])
        return self._row(**values)


def _select(table: str, columns: Iterable[str], key: str) -> str:
    """Rows by their keys ($1)."""
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {key} = ANY($1::uuid[])"  # noqa: S608 -- names of our own tables


def _upsert(table: str, kinds: Mapping[str, str], key: str, *, replaces: bool) -> str:
    """Write rows, one array a column."""
    names = ", ".join(kinds)
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds.values(), 1))
    values = ", ".join(_value(name) for name in kinds)
    news = ", ".join(f"{name} = excluded.{name}" for name in kinds if name != key)
    return (
        f"INSERT INTO {table} ({names}) "  # noqa: S608 -- names of our own tables
        f"SELECT {values} FROM unnest({arrays}) AS new ({names}) "
        f"ON CONFLICT ({key}) {f'DO UPDATE SET {news}' if replaces else 'DO NOTHING'}"
    )


def _value(column: str) -> str:
    if column in _ARRAYS:
        return f"ARRAY(SELECT jsonb_array_elements_text({column}::jsonb))"
    return f"{column}::jsonb" if column in _DOCUMENTS else column


def _plain(column: str, value: Any) -> Any:
    if value is None or column not in _ARRAYS | _DOCUMENTS:
        return value
    return orjson.dumps(value).decode()


SUBMISSIONS: Final = Table("submissions", Submission, "job_id", replaces=False)
JOBS: Final = Table("jobs", JobRow, "job_id", replaces=True)
TASKS: Final = Table("tasks", TaskRow, "task_id", replaces=True)
CHUNKS: Final = Table("chunks", ChunkRow, "chunk_id", replaces=True)
ANSWERS: Final = Table("answers", Answer, "correlation_id", replaces=False)
GAPS: Final = Table("gaps", GapRow, "gap_id", replaces=True)
FILLS: Final = Table("gap_fills", GapFill, "fill_id", replaces=False)
SHADOWS: Final = Table("shadows", ShadowRow, "job_id", replaces=True)
FILES: Final = Table("files", FileRow, "file_id", replaces=True)
