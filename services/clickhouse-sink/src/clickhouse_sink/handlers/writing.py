"""The steps by which batches get into a set of tables, in the order the reasoning rests on."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from candlelog.market.series import Series
from clickhouse_sink.domain.batches import Batch, Window
from clickhouse_sink.domain.restatement import (
    NEVER_ASKED,
    NO_ROWS,
    Asked,
    Changes,
    compare,
    resolve,
)
from clickhouse_sink.domain.tables import CANDLE_ROWS, TableName, candle_rows, coverage_rows
from clickhouse_sink.ports import Tables

AskedBefore = Mapping[Series, Asked]
"""What was asked before of some windows, and perhaps of others of their series."""


async def write(tables: Tables, wave: Sequence[Batch], asked: AskedBefore | None = None) -> None:
    """Write a wave to one set; whatever a crash leaves is made whole when the wave comes again.

    `asked` is what was asked before, where that is known. `domain.restatement` says why. Raises
    `Unavailable`.
    """
    if asked is None:
        asked = await tables.asked([batch.window for batch in wave])
    changes = await _changes(tables, wave, asked)
    # Joined on the loop: a thread would hold memory of its own, and copying rows is milliseconds.
    await _append(tables, "candle_revisions", _joined(changes.revisions))
    await _append(tables, "candles", _joined(changes.candles))
    await _append(tables, "coverage", coverage_rows(wave))


async def _append(tables: Tables, name: TableName, rows: pa.Table) -> None:
    if rows.num_rows:
        await tables.append(name, rows)


async def _changes(tables: Tables, wave: Sequence[Batch], asked: Mapping[Series, Asked]) -> Changes:
    fresh: list[Batch] = []
    again: list[tuple[Batch, Asked]] = []
    for batch in wave:
        before = asked.get(batch.window.series, NEVER_ASKED).within(batch.window)
        if len(before.start):
            again.append((batch, before))
        else:
            fresh.append(batch)
    restated = await _restated(tables, again) if again else []
    candles = [candle_rows(fresh)] if fresh else []
    candles.extend(rows for changes in restated for rows in changes.candles)
    return Changes(candles, [rows for changes in restated for rows in changes.revisions])


async def _restated(tables: Tables, again: Sequence[tuple[Batch, Asked]]) -> list[Changes]:
    rows = await tables.held("candles", [batch.window for batch, _ in again])
    compared = await asyncio.to_thread(
        lambda: [
            compare(batch, rows.get(batch.window.series, NO_ROWS), asked) for batch, asked in again
        ]
    )
    unclear = [item.unclear_window for item in compared]
    revisions = await tables.held("candle_revisions", _present(unclear))
    return await asyncio.to_thread(
        lambda: [
            resolve(item, revisions.get(item.batch.window.series, NO_ROWS)) for item in compared
        ]
    )


def _present(windows: Iterable[Window | None]) -> list[Window]:
    return [window for window in windows if window is not None]


def _joined(parts: Sequence[pa.RecordBatch]) -> pa.Table:
    """The parts as one block, so that ClickHouse makes one part of it for each partition."""
    return pa.Table.from_batches(parts, CANDLE_ROWS).combine_chunks()
