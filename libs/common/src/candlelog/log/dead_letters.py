"""Where records go whose data is bad for ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from candlelog.events.candles import CandleBatchHeaderV1, CandleBatchV1
from candlelog.events.codec import Message
from candlelog.events.envelope import Headers
from candlelog.events.features import ChunkFeatures, FeatureBatchV1
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.progress import ChunkFailedV1
from candlelog.events.replay import ReplayRequestedV1
from candlelog.events.topics import DEAD_LETTERS, MAX_MESSAGE_BYTES
from candlelog.log.publish import Publisher
from candlelog.log.types import Outgoing, Record
from candlelog.telemetry import DEAD_LETTERS as DEAD_LETTERS_COUNT


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is given up: why, the stack where an error said so, its event if it has one."""

    record: Record
    reason: str
    stack: str = ""
    event: Message | None = None


class DeadLetters:
    """Keeps the original bytes and headers, says who gave up and why, and fails the chunk.

    Added headers: `reason`, `service`, `version`, `stack`, `origin_topic`, `origin_partition`,
    `origin_offset`. A key or value that was absent is kept as empty bytes; of a value that was
    compressed past the limit of a record the beginning is kept, and `cut_from_bytes` added.
    """

    def __init__(self, publisher: Publisher, *, service: str, version: str) -> None:
        self.service: Final = service
        self._version = version
        self._publisher = publisher

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Append the letters, and a ChunkFailed for each chunk that they carried.

        May raise `Unavailable`; then it may be called again with the same letters.
        """
        messages = [self._outgoing(letter) for letter in letters]
        failures = (failure for letter in letters for failure in self._failures(letter))
        messages += [self._publisher.outgoing(failure) for failure in failures]
        await self._publisher.send(messages)
        for letter in letters:
            DEAD_LETTERS_COUNT.labels(letter.record.partition.topic).inc()

    def _outgoing(self, letter: DeadLetter) -> Outgoing:
        record = letter.record
        return Outgoing(
            topic=DEAD_LETTERS.full_name(self._publisher.topic_prefix),
            key=record.key or b"",
            value=(record.value or b"")[:MAX_MESSAGE_BYTES],
            headers=record.headers + self._postmark(letter),
        )

    def _postmark(self, letter: DeadLetter) -> Headers:
        topic, number = letter.record.partition
        size = len(letter.record.value or b"")
        cut = {"cut_from_bytes": str(size)} if size > MAX_MESSAGE_BYTES else {}
        pairs = cut | {
            "reason": letter.reason,
            "service": self.service,
            "version": self._version,
            "stack": letter.stack,
            "origin_topic": topic,
            "origin_partition": str(number),
            "origin_offset": str(letter.record.offset),
        }
        return tuple((name, text.encode()) for name, text in pairs.items())

    def _failures(self, letter: DeadLetter) -> list[ChunkFailedV1]:
        return [
            ChunkFailedV1(
                job_id=chunk.job_id,
                task_id=chunk.task_id,
                chunk_id=chunk.chunk_id,
                generation=chunk.generation,
                release=chunk.release,
                code="rejected",
                message=f"{self.service}: {letter.reason}",
                transient=False,
                attempt=attempt,
                max_attempts=max_attempts,
                failed_at=self._publisher.clock.now(),
            )
            for chunk, attempt, max_attempts in _chunks(letter.event)
        ]


Chunk = CandleBatchHeaderV1 | ChunkFeatures | FetchRequestedV1 | ReplayRequestedV1


def _chunks(event: Message | None) -> list[tuple[Chunk, int, int]]:
    """The chunks that end with an event, each with its attempt and how many it may have."""
    match event:
        case CandleBatchV1():
            return [(event.header, 1, 1)]
        case FeatureBatchV1():
            return [(chunk, 1, 1) for chunk in event.header.answers]
        case CandleBatchHeaderV1() | ReplayRequestedV1():
            return [(event, 1, 1)]
        case FetchRequestedV1():
            return [(event, event.attempt, event.max_attempts)]
        case _:
            return []
