"""Brings the broker's topics in line with the table of topics."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from candlelog.errors import Misconfigured, Unavailable
from candlelog.events.topics import TOPICS, Topic
from candlelog.log.kafka.admin import KafkaAdmin, TopicState, administration

_LOOKS: Final = 300
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Applied:
    """Names of the topics that were created, and of those whose settings were changed."""

    created: tuple[str, ...]
    changed: tuple[str, ...]


async def apply_topics(bootstrap: str, prefix: str, table: Sequence[Topic] = TOPICS) -> Applied:
    """Create what is missing and set what differs; doing it again does nothing.

    Returns once the broker shows everything as the table says. Raises `Misconfigured` when a topic
    has another number of partitions (its keys would move), `Unavailable` when the broker is away.
    """
    wanted = [_wanted(topic, prefix) for topic in table]
    async with administration(bootstrap) as admin:
        missing, differing = await _difference(admin, prefix, wanted)
        if missing:
            await admin.create(missing)
        if differing:
            await admin.configure(differing)
        if missing or differing:
            await _await_agreement(admin, prefix, wanted)
    return Applied(_names(missing), _names(differing))


async def list_topics(bootstrap: str, prefix: str) -> Sequence[TopicState]:
    """The topics under `prefix` as the broker has them."""
    async with administration(bootstrap) as admin:
        return await admin.topics(prefix)


async def _difference(
    admin: KafkaAdmin, prefix: str, wanted: Sequence[TopicState]
) -> tuple[Sequence[TopicState], Sequence[TopicState]]:
    """Topics that are missing, and those with other settings."""
    there = {topic.name: topic for topic in await admin.topics(prefix)}
    return (
        [topic for topic in wanted if topic.name not in there],
        [topic for topic in wanted if topic.name in there and _differs(topic, there[topic.name])],
    )


async def _await_agreement(admin: KafkaAdmin, prefix: str, wanted: Sequence[TopicState]) -> None:
    """A controller says yes before every broker has heard of it."""
    for _ in range(_LOOKS):
        if await _difference(admin, prefix, wanted) == ([], []):
            return
        await asyncio.sleep(_LOOK_SECONDS)
    raise Unavailable("the broker does not show the topics that its controller has accepted")


def _names(topics: Sequence[TopicState]) -> tuple[str, ...]:
    return tuple(topic.name for topic in topics)


def _wanted(topic: Topic, prefix: str) -> TopicState:
    return TopicState(topic.full_name(prefix), topic.partitions, topic.configuration())


def _differs(wanted: TopicState, found: TopicState) -> bool:
    if wanted.partitions != found.partitions:
        raise Misconfigured(
            f"topic {wanted.name} has {found.partitions} partitions instead of {wanted.partitions}:"
            " use another prefix, or move its records to a new topic"
        )
    return any(found.configuration.get(name) != v for name, v in wanted.configuration.items())
