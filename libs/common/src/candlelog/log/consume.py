"""The one consume loop: poll, decode, handle, dead-letter, commit.

Shutdown and rebalance have the same order: stop taking, finish or drop what is in hand, commit,
and then (by whoever opened the consumer) leave. What was dropped comes again to the next owner.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Final, ParamSpec, TypeVar

import structlog
from opentelemetry import context
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from candlelog.clock import Clock
from candlelog.errors import Fatal, Unavailable
from candlelog.grace import IN_HAND_SECONDS
from candlelog.log.backoff import full_jitter
from candlelog.log.dead_letters import DeadLetter, DeadLetters
from candlelog.log.in_hand import InHand
from candlelog.log.outcome import Outcome
from candlelog.log.ports import Consumer
from candlelog.log.progress import Progress
from candlelog.log.types import Received, Record
from candlelog.log.verdicts import Verdict, note, opened, verdicts
from candlelog.telemetry import HANDLE_SECONDS, OUTAGES, context_of

Handle = Callable[[Sequence[Received]], Awaitable[Sequence[Outcome]]]
"""One outcome for each event, in order. When it returns, the effects are durable."""

_POLL_SECONDS: Final = 0.2
_COMMIT_SECONDS: Final = 0.2
_LOGGER: Final = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")


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
        self._handle = handle
        self._dead_letters = dead_letters
        self._clock = clock
        self._batch = batch
        self._rejects_limit = rejects_limit
        self._random = random or Random()
        self._in_hand = InHand(concurrency)
        self._progress = Progress()
        self._letting_go = asyncio.Event()
        self._rejects_in_a_row = 0
        self._committed_at = clock.monotonic()

    @property
    def lag(self) -> int:
        """Records between what was committed and the ends of the partitions held."""
        return self._consumer.lag

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
            self._note_outage(error)
            await asyncio.sleep(_POLL_SECONDS)
            return ()

    def _dispatch(self, records: Sequence[Record]) -> None:
        self._progress.take(records)
        for first in range(0, len(records), self._batch):
            self._in_hand.start(self._work(records[first : first + self._batch]))

    async def _work(self, records: Sequence[Record]) -> None:
        items = [opened(record) for record in records]
        received = [item for item in items if isinstance(item, Received)]
        try:
            outcomes = await self._persist(self._call, received) if received else ()
            found = verdicts(items, outcomes)
            letters = [verdict for verdict in found if isinstance(verdict, DeadLetter)]
            if letters:
                await self._persist(self._dead_letters.bury, letters)
        except _DroppedError:
            return
        self._progress.finish(records)
        note(records, found)
        self._count_rejects(found)

    async def _call(self, received: Sequence[Received]) -> Sequence[Outcome]:
        if len(received) == 1:  # the task ends with this record, and its context with it
            context.attach(context_of(received[0].envelope.traceparent))
        began = self._clock.monotonic()
        outcomes = await self._handle(received)
        topics = ",".join(sorted({item.record.partition.topic for item in received}))
        HANDLE_SECONDS.labels(topics).observe(self._clock.monotonic() - began)
        return outcomes

    async def _persist(
        self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call until the outage is over; raises `_DroppedError` when the records are let go."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            wait=lambda state: full_jitter(state.attempt_number, self._random),
            sleep=self._pause,
            before_sleep=self._note_retry,
        )
        return await retrying(call, *args, **kwargs)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._letting_go.wait()
        if self._letting_go.is_set():
            raise _DroppedError

    def _note_retry(self, state: RetryCallState) -> None:
        assert state.outcome is not None
        self._note_outage(state.outcome.exception())

    def _note_outage(self, error: BaseException | None) -> None:
        OUTAGES.labels(self._dead_letters.service).inc()
        _LOGGER.warning("outage", reason=str(error))

    def _count_rejects(self, found: Sequence[Verdict]) -> None:
        for verdict in found:
            if not isinstance(verdict, DeadLetter):
                self._rejects_in_a_row = 0
                continue
            self._rejects_in_a_row += 1
            if self._rejects_in_a_row >= self._rejects_limit:
                raise Fatal(
                    f"{self._rejects_in_a_row} rejects in a row, the last: {verdict.reason}"
                )

    async def _release(self) -> None:
        """Called before the partitions are taken away."""
        await self._let_go()
        self._progress.forget()

    async def _let_go(self) -> None:
        self._letting_go.set()
        await self._in_hand.drain(self.grace_seconds)
        await self._commit()
        self._letting_go.clear()

    async def _commit(self) -> None:
        self._committed_at = self._clock.monotonic()
        positions = self._progress.positions()
        if not positions:
            return
        try:
            await self._consumer.commit(positions)
        except Unavailable as error:
            self._note_outage(error)
        else:
            self._progress.committed(positions)


class _DroppedError(Exception):
    """The records in hand belong to the next owner of the partition."""
