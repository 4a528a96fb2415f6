"""The fixtures every connected test of the workspace stands on."""

import asyncpg
import clickhouse_connect
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

pytestmark = pytest.mark.connected


async def test_the_broker_takes_a_record(kafka_bootstrap: str, topic_prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(f"{topic_prefix}x", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, acks="all", enable_idempotence=True
    ) as producer:
        record = await producer.send_and_wait(f"{topic_prefix}x", b"1")
    assert record.offset == 0


async def test_every_test_has_an_empty_database(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    tables = await connection.fetchval(
        "SELECT count(*) FROM pg_tables WHERE schemaname NOT LIKE ALL ('{pg_%,information_%}')"
    )
    await connection.close()
    assert tables == 0


def test_every_test_has_an_empty_clickhouse_database(clickhouse_url: str) -> None:
    with clickhouse_connect.get_client(dsn=clickhouse_url) as client:
        assert client.query("SHOW TABLES").result_rows == []
        assert client.command("SELECT currentDatabase()") == clickhouse_url.rsplit("/", 1)[1]


async def test_the_topics_of_a_test_stand_under_its_prefix(
    kafka_bootstrap: str, topics: str
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    names = await admin.list_topics()
    await admin.close()
    assert f"{topics}candles" in names
