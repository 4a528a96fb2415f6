"""The one consume loop: poll, decode, handle, dead-letter, commit.

Shutdown and rebalance have the same order: stop taking, finish or drop what is in hand, commit,
and then (by whoever opened the consumer) leave. What was dropped comes again to the next owner.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from candlelog.clock import Clock
from candlelog.errors import Unavailable
from candlelog.grace import IN_HAND_SECONDS
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.handling import DroppedError, Handle, Handling
from candlelog.log.in_hand import InHand
from candlelog.log.ports import Consumer
from candlelog.log.progress import Progress
from candlelog.log.types import Record

_POLL_SECONDS: Final = 0.2
_COMMIT_SECONDS: Final = 0.2


class ConsumeLoop:
    """Feeds a handler and commits, per partition, only what is done without a hole before it.

    With `concurrency=1` the handler gets up to `batch` events at once, one call at a time and in
    order. With `concurrency=N` up to N calls run at once and may overtake one another.

    - `Reject`, or bytes that are no event: to the dead letters, and on to the next.
    - `Unavailable` from the handler: the same events again after a back-off; nothing is skipped.
    - `rejects_limit` rejects in a row: buried and committed, then `Fatal` ends the process.
    - Any other exception propagates: a bug ends the process before the commit.
    """

    grace_seconds: float = IN_HAND_SECONDS
    """How long a rebalance or a shutdown waits for what is in hand before it is dropped."""

    def __init__(
        self,
        consumer: Consumer,
        handle: Handle,
        dead_letters: DeadLetters,
        *,
        clock: Clock,
        batch: int = 500,
        concurrency: int = 1,
        rejects_limit: int = 100,
        random: Random | None = None,
    ) -> None:
        self._consumer = consumer
        self._handling = Handling(
            handle, dead_letters, clock=clock, random=random, rejects_limit=rejects_limit
        )
        self._clock = clock
        self._batch = batch
        self._forget: Callable[[], None] | None = None
        self._in_hand = InHand(concurrency)
        self._progress = Progress()
        self._committed_at = clock.monotonic()

    @property
    def lag(self) -> int:
        """Records between what was committed and the ends of the partitions held."""
        return self._consumer.lag

    @property
    def trouble(self) -> str | None:
        """What the records in hand wait for, while something is away."""
        return self._handling.trouble

    def when_revoked(self, forget: Callable[[], None]) -> None:
        """Have `forget` called when the partitions were taken away: what was known of them is
        another's to say now."""
        self._forget = forget

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set; raises what ended it otherwise."""
        self._consumer.before_revoke(self._release)
        try:
            while not stopping.is_set():
                await self._step()
        finally:
            await self._let_go()
        self._in_hand.reap()

    async def _step(self) -> None:
        self._in_hand.reap()
        idle = False
        if self._in_hand.free:
            records = await self._poll(self._in_hand.free * self._batch)
            self._dispatch(records)
            idle = not records
        else:
            await self._in_hand.settle(_POLL_SECONDS)
        if idle or self._clock.monotonic() - self._committed_at >= _COMMIT_SECONDS:
            await self._commit()

    async def _poll(self, max_records: int) -> Sequence[Record]:
        try:
            return await self._consumer.poll(max_records=max_records, timeout=_POLL_SECONDS)
        except Unavailable as error:
            self._handling.note_outage(error)
            await asyncio.sleep(_POLL_SECONDS)
            return ()

    def _dispatch(self, records: Sequence[Record]) -> None:
        self._progress.take(records)
        for first in range(0, len(records), self._batch):
            self._in_hand.start(self._work(records[first : first + self._batch]))

    async def _work(self, records: Sequence[Record]) -> None:
        try:
            found = await self._handling.finish(records)
        except DroppedError:
            return
        self._progress.finish(records)
        self._handling.count_rejects(found)

    async def _release(self) -> None:
        """Called before the partitions are taken away."""
        await self._let_go()
        self._progress.forget()
        if self._forget is not None:
            self._forget()

    async def _let_go(self) -> None:
        self._handling.letting_go.set()
        await self._in_hand.drain(self.grace_seconds)
        await self._commit()
        self._handling.letting_go.clear()

    async def _commit(self) -> None:
        self._committed_at = self._clock.monotonic()
        positions = self._progress.positions()
        if not positions:
            return
        try:
            await self._consumer.commit(positions)
        except Unavailable as error:
            self._handling.note_outage(error)
        else:
            self._progress.committed(positions)
