"""The contracts of the log hold still."""

import hashlib
from importlib.resources import files
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from pydantic import ValidationError

from candlelog.events.asyncapi import render
from candlelog.events.candles import CandleBatchV1
from candlelog.events.codec import ARROW_HEADERS, UndecodableError, decode, decode_headers, encode
from candlelog.events.envelope import Envelope
from candlelog.events.examples import Example, load_examples
from candlelog.events.features import OPEN_TIME, FeatureBatchV1
from candlelog.events.registry import EVENTS
from candlelog.events.topics import TOPICS

ROOT = Path(__file__).parents[5]
EXAMPLES = load_examples()
ARROW_EXAMPLES = [each for each in EXAMPLES if EVENTS[each.ce_type] in ARROW_HEADERS]
JSON_EXAMPLES = [each for each in EXAMPLES if each not in ARROW_EXAMPLES]
by_type = pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.ce_type)


def test_every_event_version_has_a_golden_example():
    assert {example.ce_type for example in EXAMPLES} == set(EVENTS)


@by_type
def test_a_golden_example_is_never_edited(example: Example):
    name = f"{example.ce_type}.json"
    folder = files("candlelog.events.examples")
    sums = dict(
        reversed(line.split("  "))
        for line in folder.joinpath("SHA256SUMS").read_text().splitlines()
    )
    actual = hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest()
    assert actual == sums[name], f"breaking change: {name} was edited; add a new version instead"


@by_type
def test_an_event_still_says_what_its_golden_example_says(example: Example):
    again = encode(decode(example.ce_type, example.value))
    if example in ARROW_EXAMPLES:
        assert decode(example.ce_type, again) == decode(example.ce_type, example.value)
        return
    said, says = orjson.loads(example.value), orjson.loads(again)
    changed = {field for field in said if says.get(field) != said[field]}
    assert not changed, (
        f"breaking change in {example.ce_type}: {changed}; add a new version instead"
    )


@by_type
def test_the_key_of_an_event_is_that_of_its_golden_example(example: Example):
    assert decode(example.ce_type, example.value).key.encode() == example.key


@by_type
def test_headers_read_alone_are_those_of_the_event(example: Example):
    event = decode(example.ce_type, example.value)
    header = event.header if isinstance(event, CandleBatchV1) else event
    assert decode_headers(example.ce_type, example.value) == header


@by_type
def test_an_envelope_survives_its_headers(example: Example):
    envelope = Envelope.from_headers(example.headers)
    assert Envelope.from_headers(envelope.headers()) == envelope


@pytest.mark.parametrize("example", JSON_EXAMPLES, ids=lambda each: each.ce_type)
def test_a_reader_ignores_a_field_it_does_not_know(example: Example):
    extended = orjson.dumps({**orjson.loads(example.value), "from_the_future": 1})
    assert decode(example.ce_type, extended) == decode(example.ce_type, example.value)


def test_a_writer_is_refused_a_field_that_does_not_exist():
    with pytest.raises(ValidationError, match="Extra inputs"):
        EVENTS["candlelog.jobs.list_markets.v1"](
            exchange="binance", requested_at="2024-03-01T00:00:00Z", surprise=1
        )


def test_every_event_stands_on_a_topic_of_the_table():
    assert {event.topic for event in EVENTS.values()} <= {topic.name for topic in TOPICS}


@pytest.mark.parametrize(
    "value", [b"", b"not arrow", b"\xff" * 100], ids=["empty", "text", "noise"]
)
@pytest.mark.parametrize("ce_type", sorted(EVENTS))
def test_bytes_that_hold_no_event_are_undecodable(ce_type: str, value: bytes):
    with pytest.raises(UndecodableError):
        decode(ce_type, value)


@pytest.mark.parametrize("example", ARROW_EXAMPLES, ids=lambda each: each.ce_type)
def test_rows_in_a_second_batch_of_a_stream_are_not_overlooked(example: Example):
    with pa.ipc.open_stream(example.value) as reader:
        schema, rows = reader.schema, reader.read_next_batch()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(rows)
        writer.write_batch(rows)
    with pytest.raises(UndecodableError, match="more than one"):
        decode(example.ce_type, sink.getvalue().to_pybytes())


LZ4, ZSTD = bytes.fromhex("04224d18"), bytes.fromhex("28b52ffd")
"""What frames of these begin with."""


@pytest.mark.parametrize(
    ("ce_type", "magics"), [(CandleBatchV1.ce_type, []), (FeatureBatchV1.ce_type, [LZ4])]
)
def test_a_batch_is_compressed_where_the_log_does_not_do_it(ce_type: str, magics: list[bytes]):
    (example,) = (each for each in ARROW_EXAMPLES if each.ce_type == ce_type)
    written = encode(decode(ce_type, example.value))
    assert [each for each in (LZ4, ZSTD) if each in written] == magics


def test_a_feature_that_is_no_float_is_undecodable():
    (example,) = (each for each in EXAMPLES if each.ce_type == FeatureBatchV1.ce_type)
    batch = decode(example.ce_type, example.value)
    assert isinstance(batch, FeatureBatchV1)
    texts = pa.RecordBatch.from_arrays(
        [batch.rows.column("open_time"), pa.array(["high", "low"])], [OPEN_TIME.name, "rsi_14"]
    )
    with pytest.raises(UndecodableError, match="other columns"):
        decode(example.ce_type, encode(FeatureBatchV1(batch.header, texts)))


@pytest.mark.parametrize("name", ["x; DROP TABLE", "Close", "open_time", "revision", ""])
def test_a_feature_whose_name_can_be_no_column_is_undecodable(name: str):
    (example,) = (each for each in EXAMPLES if each.ce_type == FeatureBatchV1.ce_type)
    batch = decode(example.ce_type, example.value)
    assert isinstance(batch, FeatureBatchV1)
    renamed = batch.rows.rename_columns([OPEN_TIME.name, "rsi_14", name])
    with pytest.raises(UndecodableError, match="can be no feature"):
        decode(example.ce_type, encode(FeatureBatchV1(batch.header, renamed)))


def test_an_unknown_type_is_undecodable():
    with pytest.raises(UndecodableError, match="unknown event type"):
        decode("candlelog.nobody.knows.v1", b"{}")


def test_the_committed_asyncapi_document_is_current():
    committed = (ROOT / "docs/reference/asyncapi.json").read_bytes()
    assert committed == render(), (
        "run: python -m candlelog.events.asyncapi docs/reference/asyncapi.json"
    )
