"""Events in, records out."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID, uuid4

from candlelog.clock import Clock
from candlelog.events.codec import Message, content_type, encode
from candlelog.events.envelope import Envelope
from candlelog.log.ports import Producer
from candlelog.log.types import Outgoing
from candlelog.telemetry import RECORDS_PUBLISHED, current_traceparent


class Publisher:
    """Encodes events with their CloudEvents headers and appends them to the topic they name.

    `source` says which service speaks; `new_id` makes the `ce_id` of each event.
    """

    def __init__(
        self,
        producer: Producer,
        *,
        source: str,
        clock: Clock,
        topic_prefix: str,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        self.source: Final = source
        self.clock: Final = clock
        self.topic_prefix: Final = topic_prefix
        self._producer = producer
        self._new_id = new_id

    def outgoing(self, event: Message) -> Outgoing:
        """The record of an event, for an outbox: encoded, not sent."""
        envelope = Envelope(
            id=str(self._new_id()),
            type=event.ce_type,
            source=self.source,
            time=self.clock.now(),
            subject=event.key,
            content_type=content_type(event),
            traceparent=current_traceparent(),
        )
        return Outgoing(
            topic=self.topic_prefix + event.topic,
            key=event.key.encode(),
            value=encode(event),
            headers=envelope.headers(),
        )

    async def publish(self, *events: Message) -> Sequence[int]:
        """Append the events and return their offsets once durable; may raise `Unavailable`."""
        return await self.send([self.outgoing(event) for event in events])

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """Append records that were encoded before, such as those of an outbox."""
        offsets = await self._producer.send(messages)
        for topic, count in Counter(message.topic for message in messages).items():
            RECORDS_PUBLISHED.labels(topic).inc(count)
        return offsets
