"""Brings the broker's topics in line with the table of topics."""

from collections.abc import Sequence
from dataclasses import dataclass

from candlelog.errors import Misconfigured
from candlelog.events.topics import TOPICS, Topic
from candlelog.log.kafka.admin import TopicState, administration


@dataclass(frozen=True, slots=True)
class Applied:
    """Names of the topics that were created, and of those whose settings were changed."""

    created: tuple[str, ...]
    changed: tuple[str, ...]


async def apply_topics(bootstrap: str, prefix: str) -> Applied:
    """Create what is missing and set what differs; doing it again does nothing.

    Raises `Misconfigured` when a topic has another number of partitions: its keys would move.
    """
    async with administration(bootstrap) as admin:
        there = {topic.name: topic for topic in await admin.topics(prefix)}
        wanted = [_wanted(topic, prefix) for topic in TOPICS]
        missing = [topic for topic in wanted if topic.name not in there]
        differing = [
            topic for topic in wanted if topic.name in there and _differs(topic, there[topic.name])
        ]
        if missing:
            await admin.create(missing)
        if differing:
            await admin.configure(differing)
    return Applied(tuple(topic.name for topic in missing), tuple(t.name for t in differing))


async def list_topics(bootstrap: str, prefix: str) -> Sequence[TopicState]:
    """The topics under `prefix` as the broker has them."""
    async with administration(bootstrap) as admin:
        return await admin.topics(prefix)


def _wanted(topic: Topic, prefix: str) -> TopicState:
    return TopicState(topic.full_name(prefix), topic.partitions, topic.configuration())


def _differs(wanted: TopicState, found: TopicState) -> bool:
    if wanted.partitions != found.partitions:
        raise Misconfigured(
            f"topic {wanted.name} has {found.partitions} partitions instead of {wanted.partitions}:"
            " use another prefix, or move its records to a new topic"
        )
    return any(found.configuration.get(name) != v for name, v in wanted.configuration.items())
