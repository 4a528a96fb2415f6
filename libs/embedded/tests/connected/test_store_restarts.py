"""What a store has acknowledged outlives a kill, and the next start finds it."""

import asyncio
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from random import Random

import asyncpg
import clickhouse_connect
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from candlelog_embedded.broker import broker
from candlelog_embedded.clickhouse import clickhouse, clickhouse_url
from candlelog_embedded.postgres import postgres, postgres_dsn
from candlelog_embedded.process import ProcessSpec, free_ports

pytestmark = pytest.mark.connected

Start = Callable[[ProcessSpec], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Generator[Start]:
    """Starts a process and waits until it is ready; ends what still runs."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(spec: ProcessSpec) -> subprocess.Popen[bytes]:
        spec.prepare()
        process = subprocess.Popen(spec.leashed_command, stdout=subprocess.DEVNULL)
        started.append(process)
        deadline = time.monotonic() + 60
        while not spec.ready():
            assert process.poll() is None, f"{spec.name} ended"
            assert time.monotonic() < deadline, f"{spec.name} is not ready"
            time.sleep(0.05)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def folder() -> Generator[Path]:
    # Not pytest's own folder: an account other than root's must get at it.
    with tempfile.TemporaryDirectory(prefix="candlelog-restart-") as made:
        yield Path(made)


def ports(count: int) -> list[int]:
    return free_ports(count, Random())


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


async def test_the_broker_keeps_acknowledged_records(start: Start, folder: Path):
    port, controller_port = ports(2)
    spec = broker(folder / "broker", port=port, controller_port=controller_port)
    first = start(spec)
    address = f"127.0.0.1:{port}"
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("t", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(
        bootstrap_servers=address, acks="all", enable_idempotence=True
    ) as producer:
        for number in range(100):
            await producer.send_and_wait("t", str(number).encode())
        kill(first)
    start(spec)
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition("t", 0)])
        values = [int((await consumer.getone()).value) for _ in range(100)]
    finally:
        await consumer.stop()
    assert values == list(range(100))


async def test_postgres_keeps_committed_rows_and_outlives_its_orphans(start: Start, folder: Path):
    (port,) = ports(1)
    spec = postgres(folder / "postgres", port=port)
    first = start(spec)
    connection = await asyncpg.connect(postgres_dsn(port))
    await connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    busy = await asyncpg.connect(postgres_dsn(port))
    # A statement in the middle of which the postmaster dies: its backend lives on for a while.
    count = asyncio.create_task(busy.execute("SELECT count(*) FROM generate_series(1, 100000000)"))
    await asyncio.sleep(0.2)
    kill(first)
    start(spec)
    again = await asyncpg.connect(postgres_dsn(port))
    assert await again.fetchval("SELECT count(*) FROM t") == 1000
    for one in (connection, busy, again):
        one.terminate()
    await asyncio.gather(count, return_exceptions=True)


def test_the_engine_keeps_acknowledged_inserts(start: Start, folder: Path):
    (port,) = ports(1)
    spec = clickhouse(folder / "clickhouse", port=port)
    kept = list(range(30))
    for first in (0, 10, 20):
        process = start(spec)
        with clickhouse_connect.get_client(
            dsn=clickhouse_url(port), settings={"async_insert": 0}
        ) as client:
            client.command("CREATE TABLE IF NOT EXISTS t (n UInt64) ENGINE = MergeTree ORDER BY n")
            for number in kept[first : first + 10]:
                client.insert("t", [[number]], column_names=["n"])
            # Directly after the acknowledgement, while parts are merged in the background.
            kill(process)
    start(spec)
    with clickhouse_connect.get_client(dsn=clickhouse_url(port)) as client:
        assert [n for (n,) in client.query("SELECT n FROM t ORDER BY n").result_rows] == kept


def test_an_engine_waits_for_the_one_before_to_leave(start: Start, folder: Path):
    port, other_port = ports(2)
    first = start(clickhouse(folder / "clickhouse", port=port))
    leaving = threading.Timer(2, first.kill)
    leaving.start()
    start(clickhouse(folder / "clickhouse", port=other_port))
    leaving.join()
    assert first.wait(60) == -signal.SIGKILL


async def test_the_broker_makes_no_topic_by_itself(kafka_bootstrap: str, fresh_name: str):
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, request_timeout_ms=2000
    ) as producer:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.partitions_for(fresh_name)


async def test_the_broker_takes_eight_mebibytes(kafka_bootstrap: str, fresh_name: str):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(fresh_name, 1, 1)])
    await admin.close()
    value = bytes(8 * 1024 * 1024 - 1024)
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, max_request_size=9 * 1024 * 1024
    ) as producer:
        await producer.send_and_wait(fresh_name, value)
    async with AIOKafkaConsumer(
        fresh_name, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        assert (await consumer.getone()).value == value
