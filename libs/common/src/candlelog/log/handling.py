"""Bringing records to an end: decoded, handled, the bad ones buried; outages are waited out."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from random import Random
from typing import Final, ParamSpec, TypeVar

import structlog
from opentelemetry import context

from candlelog.clock import Clock
from candlelog.errors import Fatal, Unavailable
from candlelog.events.codec import Decode, decode
from candlelog.log.backoff import full_jitter
from candlelog.log.dead_letters import DeadLetter, DeadLetters
from candlelog.log.outcome import Outcome
from candlelog.log.types import Received, Record
from candlelog.log.verdicts import Verdict, note, opened, verdicts
from candlelog.telemetry import HANDLE_SECONDS, OUTAGES, context_of

Handle = Callable[[Sequence[Received]], Awaitable[Sequence[Outcome]]]
"""One outcome for each event, in order. When it returns, the effects are durable."""

_LOGGER: Final = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def _trace_of(received: Sequence[Received]) -> Generator[None]:
    """What is done for one event belongs to its trace; what is done for several, to none."""
    if len(received) != 1:
        yield
        return
    token = context.attach(context_of(received[0].envelope.traceparent))
    try:
        yield
    finally:
        context.detach(token)


class DroppedError(Exception):
    """The records in hand belong to the next owner of the partition."""


class Handling:
    """Feeds a handler.

    - `Reject`, or bytes that are no event: to the dead letters.
    - `Unavailable` from the handler: the same events again after a back-off; nothing is skipped.
    - Any other exception propagates: a bug.
    """

    def __init__(
        self,
        handle: Handle,
        dead_letters: DeadLetters,
        *,
        clock: Clock,
        decode: Decode = decode,
        random: Random | None = None,
        rejects_limit: int = 100,
    ) -> None:
        self.letting_go = asyncio.Event()
        """While it is set, records that wait for an outage to end are dropped."""
        self.trouble: str | None = None
        """Why records are waiting, while they are."""
        self._handle = handle
        self._dead_letters = dead_letters
        self._clock = clock
        self._decode = decode
        self._random = random or Random()
        self._rejects_limit = rejects_limit
        self._rejects_in_a_row = 0

    async def finish(self, records: Sequence[Record]) -> Sequence[Verdict]:
        """Return once everything that follows from the records is durable.

        Raises `DroppedError` when they are let go meanwhile.
        """
        items = [opened(record, self._decode) for record in records]
        received = [item for item in items if isinstance(item, Received)]
        with _trace_of(received):
            outcomes = await self._persist(self._call, received) if received else ()
            found = verdicts(items, outcomes)
            letters = [verdict for verdict in found if isinstance(verdict, DeadLetter)]
            if letters:
                await self._persist(self._dead_letters.bury, letters)
            note(records, found)
        return found

    def count_rejects(self, found: Sequence[Verdict]) -> None:
        """Raise `Fatal` when as many records in a row were given up as may be."""
        for verdict in found:
            if not isinstance(verdict, DeadLetter):
                self._rejects_in_a_row = 0
                continue
            self._rejects_in_a_row += 1
            if self._rejects_in_a_row >= self._rejects_limit:
                raise Fatal(
                    f"{self._rejects_in_a_row} rejects in a row, the last: {verdict.reason}"
                )

    def note_outage(self, error: Unavailable) -> None:
        """Count and log that something is away."""
        OUTAGES.labels(self._dead_letters.service).inc()
        _LOGGER.warning("outage", reason=str(error))

    async def _call(self, received: Sequence[Received]) -> Sequence[Outcome]:
        began = self._clock.monotonic()
        outcomes = await self._handle(received)
        topics = ",".join(sorted({item.record.partition.topic for item in received}))
        HANDLE_SECONDS.labels(topics).observe(self._clock.monotonic() - began)
        return outcomes

    async def _persist(
        self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call until the outage is over; raises `DroppedError` when the records are let go."""
        attempt = 1
        while True:
            try:
                result = await call(*args, **kwargs)
            except Unavailable as error:
                self.note_outage(error)
                self.trouble = str(error)
            else:
                self.trouble = None
                return result
            await self._pause(full_jitter(attempt, self._random))
            attempt += 1

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.letting_go.wait()
        if self.letting_go.is_set():
            self.trouble = None  # of the next owner, if it lasts
            raise DroppedError
