"""A shadow is filled from the log, and with what the log no longer holds: a step at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from candlelog.events.candles import CandleBatchV1
from candlelog.events.rebuild import PartRebuiltV1, RebuildRequestedV1
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.ports import Log
from candlelog.log.publish import Publisher
from candlelog.log.receive import read_or_log
from candlelog.log.types import Partition, Received, Record
from clickhouse_sink.domain.batches import Batch
from clickhouse_sink.domain.retelling import retold
from clickhouse_sink.domain.validation import fault
from clickhouse_sink.domain.waves import waves
from clickhouse_sink.handlers.turns import Turn, Turns
from clickhouse_sink.handlers.writing import write
from clickhouse_sink.ports import Sets, Tables

_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class StepSize:
    """How much is rebuilt before the partition's other records have their turn."""

    records: int
    rows: int


class Rebuild:
    """Handles one request: does a step, says how far it came, and asks for the next.

    Done twice, a step leaves the same tables. The request stands in the partition that it is about:
    its owner alone writes the partition's series to the shadow, one thing after the other, each in
    its turn.
    """

    def __init__(
        self, sets: Sets, log: Log, publisher: Publisher, size: StepSize, *, turns: Turns
    ) -> None:
        self._sets = sets
        self._log = log
        self._publisher = publisher
        self._size: Final = size
        self._turns = turns

    async def __call__(self, item: Received) -> Outcome:
        """Do one step. Raises `Unavailable`."""
        event, record = item.event, item.record
        assert isinstance(event, RebuildRequestedV1)
        if record.partition.number != event.partition:
            return Reject("the topic has other partitions than its table says")
        async with self._turns.mine() as turn:
            shadow = await self._sets.shadow(event.number)
            if shadow is None:
                return Skip("the shadow is closed")
            if event.origin == "log":
                await self._from_log(event, record, shadow, turn)
            else:
                await self._from_store(event, shadow, turn)
        return Done()

    async def _from_log(
        self, event: RebuildRequestedV1, record: Record, shadow: Tables, turn: Turn
    ) -> None:
        end = record.offset if event.end is None else event.end
        part = await self._read(record.partition, event.position, end)
        turn.writes(part.batches)
        await self._store(shadow, part.batches)
        first = part.begin if event.first is None else event.first
        await self._answer(
            event.model_copy(update={"first": first, "position": part.position, "end": end}),
            done=part.position - first,
            total=end - first,
            batches=part.batches,
        )

    async def _from_store(self, event: RebuildRequestedV1, shadow: Tables, turn: Turn) -> None:
        """Live tables are read while they are written: an answer that is stored meanwhile was
        written to the shadow before, and is none of those that it lacks."""
        untold = await self._sets.untold(event.partition, self._size.records)
        answers = untold.within(self._size.rows) if untold.answers else []
        live = (await self._sets.current())[-1]
        windows = [answer.window for answer in answers]
        rows = await live.held("candles", windows)
        revisions = await live.held("candle_revisions", windows)
        batches = list(retold(answers, rows, revisions))
        turn.writes(batches)
        await self._store(shadow, batches)
        before = event.position or 0
        done = before + len(answers)
        await self._answer(
            event.model_copy(update={"position": done}),
            done=done,
            total=before + untold.total,
            batches=batches,
        )

    async def _store(self, shadow: Tables, batches: Sequence[Batch]) -> None:
        for wave in waves(batches, self._size.rows):
            await write(shadow, wave)

    async def _answer(
        self, reached: RebuildRequestedV1, *, done: int, total: int, batches: Sequence[Batch]
    ) -> None:
        rebuilt = PartRebuiltV1(
            job_id=reached.job_id,
            origin=reached.origin,
            partition=reached.partition,
            done=done,
            total=total,
            rows=sum(batch.rows.num_rows for batch in batches),
            rebuilt_at=self._publisher.clock.now(),
        )
        await self._publisher.publish(rebuilt, *(() if rebuilt.through else (reached,)))

    async def _read(self, partition: Partition, position: int | None, end: int) -> "_Part":
        if not end:
            return _Part(0, 0, [])
        start = {} if position is None else {partition: position}
        batches: list[Batch] = []
        async with self._log.tail([partition.topic], start=start, only=partition) as tail:
            begin = reached = (await tail.positions())[partition]
            left = self._size.records
            while reached < end and left > 0:
                records = await tail.poll(max_records=left, timeout=_POLL_SECONDS)
                left -= len(records)
                batches += [batch for one in records if (batch := _batch(one, end)) is not None]
                reached = (await tail.positions())[partition]
        return _Part(begin, min(reached, end), batches)


@dataclass(frozen=True, slots=True)
class _Part:
    begin: int
    position: int
    batches: Sequence[Batch]


def _batch(record: Record, end: int) -> Batch | None:
    """What was stored of a record; nothing of one that had been refused."""
    event = read_or_log(record) if record.offset < end else None
    if not isinstance(event, CandleBatchV1) or fault(event) is not None:
        return None
    return Batch.of(event)
