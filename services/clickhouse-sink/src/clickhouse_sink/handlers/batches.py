"""Candle batches: into the tables, and then the news of it."""

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from candlelog.clock import Clock
from candlelog.events.candles import CandleBatchV1
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.publish import Publisher
from candlelog.log.types import Received
from candlelog.market.series import Series
from clickhouse_sink.domain.answers import stored
from clickhouse_sink.domain.batches import Batch, Window
from clickhouse_sink.domain.restatement import (
    NEVER_ASKED,
    NO_ROWS,
    Asked,
    Changes,
    compare,
    resolve,
)
from clickhouse_sink.domain.tables import (
    CANDLE_ROWS,
    TableName,
    candle_rows,
    coverage_rows,
    quarantine_rows,
)
from clickhouse_sink.domain.validation import fault
from clickhouse_sink.domain.waves import waves
from clickhouse_sink.handlers.watermarks import Watermarks
from clickhouse_sink.ports import Tables


class StoreBatches:
    """Handles many batches at once; whatever a crash leaves is made whole when they come again.

    The order of the steps is what the reasoning in `domain.restatement` rests on.
    """

    def __init__(
        self,
        tables: Tables,
        publisher: Publisher,
        watermarks: Watermarks,
        *,
        clock: Clock,
        max_rows: int,
    ) -> None:
        self._tables = tables
        self._publisher = publisher
        self._watermarks = watermarks
        self._clock = clock
        self._max_rows = max_rows

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """Store the batches, say so, and move the watermarks. One outcome for each event.

        Raises `Unavailable` when ClickHouse or the log is away; call again with the same events.
        """
        outcomes, batches = _checked(received)
        for wave in waves(batches, self._max_rows):
            await self._write(wave)
        now = self._clock.now()
        self._watermarks.advance(item.record for item in received)
        await self._publisher.publish(
            *(stored(batch, now) for batch in batches), *self._watermarks.events()
        )
        return outcomes

    async def _write(self, wave: Sequence[Batch]) -> None:
        asked = await self._tables.asked([batch.window for batch in wave])
        changes = await self._changes(wave, asked)
        await self._append("candle_revisions", _joined(changes.revisions))
        await self._append("candles", _joined(changes.candles))
        await self._append("quarantine", quarantine_rows(wave))
        await self._append("coverage", coverage_rows(wave))

    async def _append(self, table: TableName, rows: pa.Table) -> None:
        if rows.num_rows:
            await self._tables.append(table, rows)

    async def _changes(self, wave: Sequence[Batch], asked: Mapping[Series, Asked]) -> Changes:
        candles: list[pa.RecordBatch] = []
        again: list[tuple[Batch, Asked]] = []
        for batch in wave:
            before = asked.get(batch.window.series, NEVER_ASKED).within(batch.window)
            if len(before.start):
                again.append((batch, before))
            else:
                candles.append(candle_rows(batch, batch.rows))
        restated = await self._restated(again)
        candles.extend(rows for changes in restated for rows in changes.candles)
        return Changes(candles, [rows for changes in restated for rows in changes.revisions])

    async def _restated(self, again: Sequence[tuple[Batch, Asked]]) -> list[Changes]:
        rows = await self._tables.held("candles", [batch.window for batch, _ in again])
        compared = [
            compare(batch, rows.get(batch.window.series, NO_ROWS), asked) for batch, asked in again
        ]
        unclear = [item.unclear_window for item in compared]
        revisions = await self._tables.held("candle_revisions", _present(unclear))
        return [
            resolve(item, revisions.get(item.batch.window.series, NO_ROWS)) for item in compared
        ]


def _checked(received: Sequence[Received]) -> tuple[list[Outcome], list[Batch]]:
    outcomes: list[Outcome] = []
    batches: list[Batch] = []
    for item in received:
        event = item.event
        if not isinstance(event, CandleBatchV1):
            outcomes.append(Skip("not a candle batch"))
        elif (reason := fault(event)) is not None:
            outcomes.append(Reject(reason))
        else:
            outcomes.append(Done())
            batches.append(Batch.of(event))
    return outcomes, batches


def _present(windows: Iterable[Window | None]) -> list[Window]:
    return [window for window in windows if window is not None]


def _joined(parts: Sequence[pa.RecordBatch]) -> pa.Table:
    """The parts as one block, so that ClickHouse makes one part of it for each partition."""
    return pa.Table.from_batches(parts, CANDLE_ROWS).combine_chunks()
