"""Topics for a while, on a broker that many tests share."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient

from candlelog.events.topics import TOPICS, Topic
from candlelog.log.topics_admin import apply_topics


@asynccontextmanager
async def topics_under(
    bootstrap: str, prefix: str, table: Sequence[Topic] = TOPICS
) -> AsyncGenerator[None]:
    """The topics of a table under `prefix`, deleted in the end: a broker of this size would not
    carry the partitions of hundreds of tests."""
    await apply_topics(bootstrap, prefix, table)
    try:
        yield
    finally:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            mine = [name for name in await admin.list_topics() if name.startswith(prefix)]
            await admin.delete_topics(mine)
        finally:
            await admin.close()
