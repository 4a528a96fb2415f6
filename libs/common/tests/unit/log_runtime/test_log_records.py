"""Records out and in: publisher, dead letters, partitions."""

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.clock import ManualClock
from candlelog.events.codec import UndecodableError, decode, decode_headers, encode
from candlelog.events.envelope import Envelope
from candlelog.events.examples import load_examples
from candlelog.events.jobs import ListMarketsV1
from candlelog.events.progress import ChunkFailedV1
from candlelog.events.topics import MAX_MESSAGE_BYTES
from candlelog.log.dead_letters import DeadLetter, DeadLetters
from candlelog.log.memory import MemoryLog
from candlelog.log.partitioner import murmur2
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition, Record
from candlelog.telemetry import context_of

T0 = datetime(2024, 1, 1, tzinfo=UTC)
EVENT = ListMarketsV1(exchange="binance", requested_at=T0)


@pytest.fixture
async def publisher():
    async with MemoryLog().producer() as producer:
        yield Publisher(
            producer,
            source="tester",
            clock=ManualClock(T0),
            topic_prefix="candlelog.",
            new_id=lambda: UUID(int=7),
        )


async def test_an_event_is_published_with_its_envelope_key_and_topic(publisher):
    message = publisher.outgoing(EVENT)

    assert (message.topic, message.key) == ("candlelog.jobs.commands", b"binance")
    assert message.value == encode(EVENT)
    assert Envelope.from_headers(message.headers) == Envelope(
        id=str(UUID(int=7)),
        type="candlelog.jobs.list_markets.v1",
        source="tester",
        time=T0,
        subject="binance",
        content_type="application/json",
    )


async def test_the_trace_of_the_task_travels_in_the_headers(publisher):
    from opentelemetry import context

    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    token = context.attach(context_of(parent))
    headers = publisher.outgoing(EVENT).headers
    context.detach(token)

    assert Envelope.from_headers(headers).traceparent == parent


async def test_what_was_published_is_received(publisher, candle_batch):
    for event in (EVENT, candle_batch):
        message = publisher.outgoing(event)
        record = Record(Partition("t", 0), 0, message.key, message.value, message.headers, T0)
        assert receive(record).event == event


async def test_a_dead_letter_keeps_bytes_and_headers_and_says_who_gave_up_and_why(bench):
    record = Record(
        Partition("candlelog.candles", 3), 41, b"key", b"\x00\xff", (("ce_id", b"9"),), T0
    )
    letters = DeadLetters(bench.publisher, service="clickhouse-sink", version="1.2.3")
    await letters.bury([DeadLetter(record, "broken", "Traceback…")])

    (buried,) = bench.buried()
    assert (buried.key, buried.value) == (b"key", b"\x00\xff")
    assert dict(buried.headers) == {
        "ce_id": b"9",
        "reason": b"broken",
        "service": b"clickhouse-sink",
        "version": b"1.2.3",
        "stack": "Traceback…".encode(),
        "origin_topic": b"candlelog.candles",
        "origin_partition": b"3",
        "origin_offset": b"41",
    }


@pytest.mark.parametrize(
    "ce_type",
    [
        "candlelog.candles.batch.v1",
        "candlelog.features.batch.v1",
        "candlelog.fetch.requested.v1",
        "candlelog.replay.requested.v1",
    ],
)
@pytest.mark.parametrize("read", [decode, decode_headers])
async def test_a_chunk_that_is_buried_is_failed_for_good(bench, ce_type, read):
    (example,) = (each for each in load_examples() if each.ce_type == ce_type)
    record = Record(Partition("t", 0), 1, example.key, example.value, example.headers, T0)
    event = read(ce_type, example.value)
    letters = DeadLetters(bench.publisher, service="featurizer", version="1.2.3")
    await letters.bury([DeadLetter(record, "broken", event=event)])

    (failed,) = bench.said("progress", ChunkFailedV1)
    assert (failed.chunk_id, failed.release) == (UUID("00000000-0000-4000-8000-000000000003"), 2)
    assert (failed.code, failed.transient) == ("rejected", False)


async def test_a_value_beyond_the_limit_is_cut_and_its_length_is_told(bench):
    value = bytes(MAX_MESSAGE_BYTES + 7)
    record = Record(Partition("candlelog.candles", 3), 41, b"key", value, (), T0)
    letters = DeadLetters(bench.publisher, service="sink", version="1.2.3")
    await letters.bury([DeadLetter(record, "broken")])

    (letter,) = bench.buried()
    assert letter.value == value[:MAX_MESSAGE_BYTES]
    assert dict(letter.headers)["cut_from_bytes"] == str(len(value)).encode()


@pytest.mark.parametrize("read", [decode, decode_headers])
@given(value=st.binary(max_size=200), kind=st.sampled_from(["json", "arrow", "other"]))
def test_no_bytes_raise_anything_but_undecodable(read, value, kind):
    types = {"json": EVENT.ce_type, "arrow": "candlelog.candles.batch.v1", "other": "x"}
    headers = Envelope("1", types[kind], "s", T0, "k", "c").headers()
    with pytest.raises(UndecodableError):
        receive(Record(Partition("t", 0), 0, None, value, headers, T0), read)


@given(
    st.lists(st.tuples(st.sampled_from(["ce_id", "ce_type", "ce_time", "x"]), st.binary())),
)
def test_no_headers_raise_anything_but_undecodable(headers):
    with pytest.raises(UndecodableError):
        receive(Record(Partition("t", 0), 0, None, b"{}", tuple(headers), T0))


@pytest.mark.parametrize("read", [decode, decode_headers])
@given(data=st.data())
def test_a_damaged_batch_is_undecodable_or_still_a_batch(candle_batch_bytes, read, data):
    at = data.draw(st.integers(0, len(candle_batch_bytes) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=8))
    value = candle_batch_bytes[:at] + damage + candle_batch_bytes[at + len(damage) :]
    headers = Envelope("1", "candlelog.candles.batch.v1", "s", T0, "k", "c").headers()
    with suppress(UndecodableError):
        receive(Record(Partition("t", 0), 0, None, value, headers, T0), read)


@pytest.fixture(scope="module")
def candle_batch_bytes():
    import numpy as np
    import pyarrow as pa

    from candlelog.events.candles import CANDLE_SCHEMA, CandleBatchHeaderV1, CandleBatchV1

    rows = pa.RecordBatch.from_arrays(
        [
            pa.array([0, 60_000], pa.int64()).cast(CANDLE_SCHEMA[0].type),
            *[pa.array(np.ones(2)) for _ in range(5)],
            pa.nulls(2, pa.float64()),
            pa.nulls(2, pa.uint32()),
        ],
        schema=CANDLE_SCHEMA,
    )
    header = CandleBatchHeaderV1(
        job_id=UUID(int=1), task_id=UUID(int=2), chunk_id=UUID(int=3), generation=0, release=1,
        exchange="binance", symbol="BTC/USDT", timeframe="1m", start=T0, end=T0, slots=0,
        answer="empty", observed_at=T0,
    )  # fmt: skip
    return encode(CandleBatchV1(header, rows))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_keys_hash_as_in_kafkas_own_client(key, expected):
    assert murmur2(key) == expected & 0xFFFFFFFF
