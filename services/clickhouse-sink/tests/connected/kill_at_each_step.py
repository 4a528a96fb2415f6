"""Stores a flush in child processes, each of which kills itself (SIGKILL) at another step.

`python kill_at_each_step.py FILE URL`: FILE holds, pickled, for each child the encoded events to
store; child *n* dies at step *n* // 2, before it or after it. Prints how each child ended.
"""

import asyncio
import json
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from candlelog.clock import ManualClock
from candlelog.events.candles import CandleBatchV1
from candlelog.events.codec import decode
from candlelog.events.topics import CANDLES
from candlelog.log.memory import MemoryLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition, Record
from candlelog.stores.clickhouse import ClickHouse
from clickhouse_sink.adapters.clickhouse import ClickHouseTables
from clickhouse_sink.handlers.batches import StoreBatches
from clickhouse_sink.handlers.turns import Turns
from clickhouse_sink.handlers.watermarks import Watermarks

NOW = datetime(2024, 3, 1, tzinfo=UTC)


class Mortal:
    """Passes calls on, and kills the process before or after the one with the fatal number."""

    def __init__(self, target: object, fatal: int) -> None:
        self._target = target
        self._fatal = fatal
        self._moment = 0

    def __getattr__(self, name: str):
        method = getattr(self._target, name)

        async def call(*args: object, **kwargs: object) -> object:
            self._die_at(self._moment)
            result = await method(*args, **kwargs)
            self._die_at(self._moment + 1)
            self._moment += 2
            return result

        return call

    def _die_at(self, moment: int) -> None:
        if moment == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


class OneSet:
    def __init__(self, tables: object) -> None:
        self._tables = tables

    async def current(self) -> Sequence[object]:
        return [self._tables]


async def store(values: Sequence[bytes], url: str, fatal: int) -> None:
    clickhouse, clock = ClickHouse(url), ManualClock(NOW)
    async with MemoryLog().producer() as producer:
        publisher = Publisher(producer, source="sink", clock=clock, topic_prefix="candlelog.")
        mortal = Mortal(ClickHouseTables(clickhouse), fatal)
        handler = StoreBatches(
            OneSet(mortal),
            publisher,
            Watermarks(CANDLES),
            clock=clock,
            max_rows=1000,
            turns=Turns(),
        )
        events = [decode(CandleBatchV1.ce_type, value) for value in values]
        outgoing = [publisher.outgoing(event) for event in events]
        await handler(
            [
                receive(
                    Record(Partition("candlelog.candles", 0), n, x.key, x.value, x.headers, NOW)
                )
                for n, x in enumerate(outgoing)
            ]
        )
    await clickhouse.close()


def main() -> None:
    path, url = sys.argv[1:]
    ends: list[int] = []
    for fatal, values in enumerate(pickle.loads(Path(path).read_bytes())):
        child = os.fork()
        if not child:
            asyncio.run(store(values, url, fatal))
            os._exit(0)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    sys.stdout.write(json.dumps(ends))


if __name__ == "__main__":
    main()
