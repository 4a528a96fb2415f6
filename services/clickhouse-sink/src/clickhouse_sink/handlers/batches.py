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
from clickhouse_sink.handlers.turns import Turns
from clickhouse_sink.handlers.watermarks import Watermarks
from clickhouse_sink.handlers.writing import AskedBefore, write
from clickhouse_sink.ports import Sets, Tables


class StoreBatches:
    """Handles many batches at once; whatever a crash leaves is made whole when they come again.

    Two calls may overlap: one is checked, and looks for what was asked before, while another is
    written, and writes while what the one before has written is told.

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
        turns: Turns,
    ) -> None:
        self._sets = sets
        self._publisher = publisher
        self._watermarks = watermarks
        self._clock = clock
        self._max_rows = max_rows
        self._turns = turns

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """Store the batches, say so, and move the watermarks. One outcome for each event.

        Raises `Unavailable` when ClickHouse or the log is away; call again with the same events.
        """
        # On the loop: a thread would hold memory of its own, and here it is milliseconds.
        outcomes, batches = _checked(received)
        since, looking = self._turns.now, asyncio.ensure_future(self._look(batches))
        try:
            async with self._turns.mine() as turn:
                sets = await looking
                holds = not self._turns.touched(batches, since)
                turn.writes(batches)
                await self._store(batches, sets, holds=holds)
        finally:
            looking.cancel()
        now = self._clock.now()
        self._watermarks.advance(item.record for item in received)
        await self._publisher.publish(
            *(stored(batch, now) for batch in batches), *self._watermarks.events()
        )
        return outcomes

    async def _look(self, batches: Sequence[Batch]) -> Sequence[tuple[Tables, AskedBefore]]:
        """The sets there are, and what was asked before in each. Who owns the partitions of these
        series alone adds to that: it holds but for what is written until it is this call's turn."""
        windows = [batch.window for batch in batches]
        return [(tables, await tables.asked(windows)) for tables in await self._sets.current()]

    async def _store(
        self,
        batches: Sequence[Batch],
        sets: Sequence[tuple[Tables, AskedBefore]],
        *,
        holds: bool,
    ) -> None:
        for wave in waves(batches, self._max_rows):
            if (refused := quarantine_rows(wave)).num_rows:
                await sets[-1][0].append("quarantine", refused)
            for tables, asked in sets:
                await write(tables, wave, asked if holds else None)
            holds = False  # the next wave may be of slots of this one


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
