"""No event can be read that a service could not store, key or reckon with."""

from typing import Any

import orjson
import pytest

from candlelog.events.codec import ARROW_HEADERS, UndecodableError, decode
from candlelog.events.examples import load_examples
from candlelog.events.registry import EVENTS

EXAMPLES = {
    example.ce_type: orjson.loads(example.value)
    for example in load_examples()
    if EVENTS[example.ce_type] not in ARROW_HEADERS
}


def fields(kind: type) -> list[tuple[str, str]]:
    """Every field of that kind in the golden examples."""
    return [
        (ce_type, name)
        for ce_type, said in EXAMPLES.items()
        for name, value in said.items()
        if type(value) is kind
    ]


def read(ce_type: str, **changes: object) -> Any:
    return decode(ce_type, orjson.dumps({**EXAMPLES[ce_type], **changes}))


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"]
)
@pytest.mark.parametrize(
    ("ce_type", "name"),
    [(ce_type, name) for ce_type, name in fields(str) if "T" in EXAMPLES[ce_type][name][10:11]],
)
def test_a_time_that_no_column_holds_is_refused(ce_type: str, name: str, time: str):
    with pytest.raises(UndecodableError, match=name):
        read(ce_type, **{name: time})


@pytest.mark.parametrize(("ce_type", "name"), fields(int))
def test_a_number_that_64_bits_do_not_hold_is_refused(ce_type: str, name: str):
    value = orjson.dumps({**EXAMPLES[ce_type], name: 0}).replace(
        f'"{name}":0'.encode(), f'"{name}":{2**63}'.encode()
    )
    with pytest.raises(UndecodableError, match=name):
        decode(ce_type, value)


COUNTED_FROM_ONE = {
    "release",
    "attempt",
    "max_attempts",
    "parts",
    "slots",
    "tasks_total",
    "sequence",
}


@pytest.mark.parametrize(
    ("ce_type", "name"), [pair for pair in fields(int) if pair[1] in COUNTED_FROM_ONE]
)
def test_what_is_counted_from_one_is_never_zero(ce_type: str, name: str):
    with pytest.raises(UndecodableError, match=name):
        read(ce_type, **{name: 0})


@pytest.mark.parametrize(("ce_type", "name"), fields(float))
def test_a_weight_without_bound_is_refused(ce_type: str, name: str):
    value = orjson.dumps({**EXAMPLES[ce_type], name: 0.0}).replace(
        f'"{name}":0.0'.encode(), f'"{name}":1e999'.encode()
    )
    with pytest.raises(UndecodableError, match=name):
        decode(ce_type, value)


@pytest.mark.parametrize("text", ["", "a\0b", "a|b", "a\nb", "x" * 101])
@pytest.mark.parametrize(
    ("ce_type", "name"),
    [pair for pair in fields(str) if pair[1] in {"exchange", "symbol", "timeframe"}],
)
def test_a_name_that_no_series_can_have_is_refused(ce_type: str, name: str, text: str):
    with pytest.raises(UndecodableError, match=name):
        read(ce_type, **{name: text})


@pytest.mark.parametrize("name", ["symbols", "timeframes"])
def test_the_names_a_job_lists_keep_the_same_rule(name: str):
    with pytest.raises(UndecodableError, match=name):
        read("candlelog.jobs.submit.v1", **{name: ["1m", "a\0b"]})


@pytest.mark.parametrize(("ce_type", "name"), fields(str))
def test_no_text_is_read_with_a_nul(ce_type: str, name: str):
    try:
        event = read(ce_type, **{name: "a\0b"})
    except UndecodableError:
        return
    assert getattr(event, name) == "a\N{REPLACEMENT CHARACTER}b"


def test_text_without_end_is_cut():
    event = read("candlelog.progress.chunk_failed.v1", message="x" * 1_000_000)
    assert len(event.message) == 2000
