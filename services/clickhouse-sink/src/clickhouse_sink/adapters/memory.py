"""The tables in memory: what `ClickHouseTables` does, as small as it can be said."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal
from uuid import UUID

import numpy as np
import pyarrow as pa

from candlelog.events.topics import CANDLES
from candlelog.log.partitioner import partition_of
from candlelog.market.series import Series
from candlelog.market.timeframe import milliseconds
from clickhouse_sink.domain.batches import Window
from clickhouse_sink.domain.builds import Build, Note, State
from clickhouse_sink.domain.restatement import Asked
from clickhouse_sink.domain.retelling import Answered, Untold
from clickhouse_sink.domain.tables import CANDLE_ROWS, TableName

Row = dict[str, Any]

_SLOT: Final = ("exchange", "symbol", "timeframe", "open_time")
_KEYS: Final[dict[TableName, tuple[str, ...]]] = {
    "candles": _SLOT,
    "candle_revisions": (*_SLOT, "observed_at"),
    "coverage": ("exchange", "symbol", "timeframe", "start", "end", "observed_at", "chunk_id"),
    "quarantine": (
        "exchange", "symbol", "timeframe", "chunk_id", "observed_at", "reason", "raw",
    ),
}  # fmt: skip


class MemoryTables:
    """`Tables` of one process; `rows` shows what a reader of the real ones would see."""

    def __init__(self) -> None:
        self._tables: dict[TableName, dict[tuple[object, ...], Row]] = {name: {} for name in _KEYS}

    async def asked(self, windows: Sequence[Window]) -> Mapping[Series, Asked]:
        """Coverage that overlaps any of the windows."""
        found: dict[Series, list[tuple[int, int, int]]] = {}
        for row in self._tables["coverage"].values():
            start, end = milliseconds(row["start"]), milliseconds(row["end"])
            series = _series(row)
            if any(item.series == series and item.overlaps(start, end) for item in windows):
                found.setdefault(series, []).append((start, end, milliseconds(row["observed_at"])))
        return {
            series: Asked(*np.array(sorted(rows), dtype=np.int64).T)
            for series, rows in found.items()
        }

    async def held(
        self, table: Literal["candles", "candle_revisions"], windows: Sequence[Window]
    ) -> Mapping[Series, pa.RecordBatch]:
        """Rows whose open time lies in any of the windows."""
        found: dict[Series, list[Row]] = {}
        for row in self.rows(table):
            series, time = _series(row), milliseconds(row["open_time"])
            if any(item.series == series and item.overlaps(time, time + 1) for item in windows):
                found.setdefault(series, []).append(row)
        return {
            series: pa.RecordBatch.from_pylist(rows, schema=CANDLE_ROWS)
            for series, rows in found.items()
        }

    async def append(self, table: TableName, rows: pa.Table) -> None:
        """Add rows; of equal keys the newest stays, or the last one written."""
        kept = self._tables[table]
        for row in rows.to_pylist():
            key = tuple(row[name] for name in _KEYS[table])
            if key not in kept or kept[key]["observed_at"] <= row["observed_at"]:
                kept[key] = row

    def rows(self, table: TableName) -> list[Row]:
        """The rows of a table, by key."""
        kept = self._tables[table]
        return [kept[key] for key in sorted(kept)]


def _series(row: Row) -> Series:
    return Series(row["exchange"], row["symbol"], row["timeframe"])


class MemoryFeatureTables:
    """`FeatureTables` of one process; `rows` shows what a reader of the table would see."""

    _KEY: Final = (*_SLOT, "feature_set", "version", "build")

    def __init__(self) -> None:
        self._notes: dict[Build, Note] = {}
        self._rows: dict[tuple[object, ...], Row] = {}

    async def builds(self, series: Collection[Series]) -> dict[Build, State]:
        """What was noted of these series."""
        notes = self._notes.items()
        return {build: note.state for build, note in notes if build.series in series}

    async def note(self, notes: Mapping[Build, Note]) -> None:
        """Write these states."""
        for build, note in notes.items():
            if build not in self._notes or self._notes[build].number <= note.number:
                self._notes[build] = note

    async def append_features(self, rows: pa.Table) -> None:
        """Add rows; of equal keys the one with the higher revision stays, or the last written."""
        for row in rows.to_pylist():
            key = tuple(row[name] for name in self._KEY)
            if key not in self._rows or self._rows[key]["revision"] <= row["revision"]:
                self._rows[key] = row

    def rows(self) -> list[Row]:
        """The rows, by key."""
        return [self._rows[key] for key in sorted(self._rows, key=str)]


class MemorySets:
    """`Sets` and `Shadows` of one process, by number; `live` and `beside` say which are which."""

    def __init__(self, live: MemoryTables | None = None) -> None:
        self.tables: Final[dict[int, MemoryTables]] = {0: live or MemoryTables()}
        self.live = 0
        self.beside: int | None = None

    async def current(self) -> Sequence[MemoryTables]:
        """The shadow, if one is open, and the live set."""
        order = [self.live] if self.beside is None else [self.beside, self.live]
        return [self.tables[number] for number in order]

    async def shadow(self, number: int) -> MemoryTables | None:
        """The set with this number, if it is the shadow."""
        return self.tables[number] if number == self.beside else None

    async def untold(self, partition: int, most: int) -> Untold:
        """Answers that the live set has and the shadow lacks."""
        told = self.tables[self.beside].rows("coverage") if self.beside is not None else []
        lacking = [
            answer
            for row in self.tables[self.live].rows("coverage")
            if row not in told and _partition(answer := _answered(row)) == partition
        ]
        lacking.sort(key=lambda answer: (answer.series, answer.observed_at, answer.start))
        return Untold(lacking[:most], len(lacking))

    async def open(self, number: int) -> None:
        """Make a set, empty; unless it is there."""
        if number != self.live:
            self.tables.setdefault(number, MemoryTables())
            self.beside = number

    async def serve(self, number: int, *, rebuilt: bool) -> None:
        """Have the set with this number be the live one, or the shadow."""
        if self.beside is None or number not in (self.live, self.beside):
            return
        if (self.live == number) != rebuilt:
            self.live, self.beside = self.beside, self.live

    async def close(self, number: int) -> None:
        """Drop the shadow, unless it was opened later."""
        if self.beside is not None and number in (self.live, self.beside) and self.beside <= number:
            del self.tables[self.beside]
            self.beside = None


def _answered(row: Row) -> Answered:
    return Answered(
        series=_series(row),
        start=row["start"],
        end=row["end"],
        source=row["source"],
        outcome=row["outcome"],
        job_id=UUID(row["job_id"]),
        chunk_id=UUID(row["chunk_id"]),
        observed_at=row["observed_at"],
    )


def _partition(answer: Answered) -> int:
    return partition_of(answer.series.text.encode(), CANDLES.partitions)
