"""Looking at topics, creating them, and setting their configuration."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from candlelog.errors import Unavailable
from candlelog.log.kafka.errors import mapped

_REPLICAS: Final = 3
_ALREADY_EXISTS: Final = 36
_TOO_FEW_BROKERS: Final = 38
"""No place for the copies: whoever was away for a while is not let in again at once."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker has it."""

    name: str
    partitions: int
    configuration: Mapping[str, str]


class KafkaAdmin:
    """What the broker lets an administrator do; raises `Unavailable` when it is away."""

    def __init__(self, client: AIOKafkaAdminClient) -> None:
        self._client = client

    async def topics(self, prefix: str) -> Sequence[TopicState]:
        """All topics whose name begins with `prefix`, by name."""
        with mapped("listing topics"):
            found = await self._client.describe_topics()
            counts = {
                topic["topic"]: len(topic["partitions"])
                for topic in found
                if topic["topic"].startswith(prefix)
            }
            configurations = await self._configurations(sorted(counts))
        return [
            TopicState(name, counts[name], configuration)
            for name, configuration in configurations.items()
        ]

    async def create(self, topics: Sequence[TopicState]) -> None:
        """Create topics, three copies where there are so many brokers; what is there stays."""
        with mapped("creating topics"):
            brokers = (await self._client.describe_cluster())["brokers"]
            if not brokers:
                raise Unavailable("creating topics: no broker is listed")
            response = await self._client.create_topics(
                [
                    NewTopic(
                        name=topic.name,
                        num_partitions=topic.partitions,
                        replication_factor=min(_REPLICAS, len(brokers)),
                        topic_configs=dict(topic.configuration),
                    )
                    for topic in topics
                ]
            )
            for answer in response.to_object()["topic_errors"]:
                if answer["error_code"] == _TOO_FEW_BROKERS:
                    raise Unavailable(f"creating topics: {answer['error_message']}")
                if answer["error_code"] != _ALREADY_EXISTS:
                    _check(answer, answer["topic"])

    async def configure(self, topics: Sequence[TopicState]) -> None:
        """Set the configuration of topics; settings that are not named go back to defaults."""
        with mapped("configuring topics"):
            responses = await self._client.alter_configs(
                [
                    ConfigResource(ConfigResourceType.TOPIC, topic.name, dict(topic.configuration))
                    for topic in topics
                ]
            )
            for response in responses:
                for answer in response.to_object()["resources"]:
                    _check(answer, answer["resource_name"])

    async def _configurations(self, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        found: dict[str, Mapping[str, str]] = {}
        for response in await self._client.describe_configs(resources) if resources else ():
            for answer in response.to_object()["resources"]:
                entries = answer["config_entries"]
                found[answer["resource_name"]] = {
                    entry["config_names"]: entry["config_value"] for entry in entries
                }
        return found


@asynccontextmanager
async def administration(bootstrap: str) -> AsyncGenerator[KafkaAdmin]:
    """Connect to the broker at `bootstrap`."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        with mapped("connecting to the log"):
            await client.start()
        yield KafkaAdmin(client)
    finally:
        await client.close()


def _check(answer: Mapping[str, Any], topic: str) -> None:
    if answer["error_code"]:
        raise for_code(answer["error_code"])(f"topic {topic}: {answer['error_message']}")
