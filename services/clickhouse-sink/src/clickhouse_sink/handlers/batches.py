"""Candle batches: into the tables, and then the news of it."""

import asyncio
from collections.abc import Sequence

from candlelog.clock import Clock
from candlelog.events.candles import CandleBatchV1
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.publish import Publisher
from candlelog.log.types import Received
from clickhouse_sink.domain.answers import stored
from clickhouse_sink.domain.batches import Batch
from clickhouse_sink.domain.tables import quarantine_rows
from clickhouse_sink.domain.validation import fault
from clickhouse_sink.domain.waves import waves
from clickhouse_sink.handlers.watermarks import Watermarks
from clickhouse_sink.handlers.writing import write
from clickhouse_sink.ports import Sets, Tables


class StoreBatches:
    """Handles many batches at once; whatever a crash leaves is made whole when they come again.

    Calls may overlap: one is checked while another is written, and writes while what the one before
    has written is told. Whose `turn` it is writes; turns are in the order of the calls.

    While a shadow is open, each wave is written to it, and then to the live tables: before anybody
    hears of a batch, it is in both. So they may be exchanged at any moment.
    """

    def __init__(
        self,
        sets: Sets,
        publisher: Publisher,
        watermarks: Watermarks,
        *,
        clock: Clock,
        max_rows: int,
        turn: asyncio.Lock,
    ) -> None:
        self._sets = sets
        self._publisher = publisher
        self._watermarks = watermarks
        self._clock = clock
        self._max_rows = max_rows
        self._turn = turn

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """Store the batches, say so, and move the watermarks. One outcome for each event.

        Raises `Unavailable` when ClickHouse or the log is away; call again with the same events.
        """
        # On the loop: a thread would hold memory of its own, and here it is milliseconds.
        outcomes, batches = _checked(received)
        async with self._turn:
            sets = await self._sets.current()
            for wave in waves(batches, self._max_rows):
                await self._write(wave, sets)
        now = self._clock.now()
        self._watermarks.advance(item.record for item in received)
        await self._publisher.publish(
            *(stored(batch, now) for batch in batches), *self._watermarks.events()
        )
        return outcomes

    async def _write(self, wave: Sequence[Batch], sets: Sequence[Tables]) -> None:
        if (refused := quarantine_rows(wave)).num_rows:
            await sets[-1].append("quarantine", refused)
        for tables in sets:
            await write(tables, wave)


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
