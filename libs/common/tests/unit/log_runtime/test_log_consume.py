"""What the loop does with each outcome."""

import asyncio
from random import Random

import pytest

from candlelog.clock import SystemClock
from candlelog.errors import Fatal, Unavailable
from candlelog.events.progress import ChunkFailedV1
from candlelog.log.backoff import LONGEST_SECONDS, full_jitter
from candlelog.log.handling import Handling
from candlelog.log.outcome import Done, Reject, Skip
from candlelog.log.types import Outgoing
from candlelog.telemetry import context_of, current_traceparent

LISTING = "candlelog.jobs.list_markets.v1"


@pytest.mark.parametrize("outcome", [Done(), Skip("not for us")])
async def test_done_and_skip_are_committed(bench, handler, eventually, outcome):
    await bench.commands(20)
    handle = handler(lambda event: outcome)
    async with bench.running(handle):
        await eventually(lambda: len(handle.seen) == 20)

    assert await bench.uncommitted() == 0
    assert not bench.buried()


async def test_each_event_is_handled_once(bench, handler, eventually):
    await bench.commands(300)
    handle = handler()
    async with bench.running(handle, batch=7):
        await eventually(lambda: len(handle.seen) == 300)

    assert sorted(handle.seen) == sorted(f"venue-{number}" for number in range(300))
    assert max(len(call) for call in handle.calls) == 7


async def test_a_reject_is_buried_and_the_next_event_is_handled(bench, handler, eventually):
    await bench.commands(10)
    handle = handler(lambda event: Reject("no such venue") if event.key == "venue-3" else Done())
    async with bench.running(handle, batch=2):
        await eventually(lambda: len(handle.seen) == 10)

    (letter,) = bench.buried()
    headers = dict(letter.headers)
    assert letter.key == b"venue-3"
    assert headers["reason"] == b"no such venue"
    assert await bench.uncommitted() == 0


@pytest.mark.parametrize(
    ("headers", "value", "reason"),
    [
        ((), b"{}", b"no header 'ce_id'"),
        ((("ce_id", b"\xff"),), b"{}", b"unreadable header"),
        ("known", b"not json", b"candlelog.jobs.list_markets.v1"),
        ("known", None, b"without a value"),
        ("unknown", b"{}", b"unknown event type"),
        ("batch", b"not arrow", b"not an Arrow stream"),
        ("naive", b"{}", b"time zone"),
    ],
)
async def test_a_record_that_is_no_event_is_buried_and_the_next_is_handled(
    bench, handler, eventually, headers, value, reason
):
    records = [Outgoing(bench.topic, b"venue-0", value, envelope(headers))]
    await bench.publisher.send(records)
    await bench.commands(1)
    handle = handler()
    async with bench.running(handle):
        await eventually(lambda: handle.seen == ["venue-0"])

    (letter,) = bench.buried()
    assert reason in dict(letter.headers)["reason"]
    assert b"UndecodableError" in dict(letter.headers)["stack"]
    assert letter.value == (value or b"")
    assert await bench.uncommitted() == 0


def envelope(kind):
    if not isinstance(kind, str):
        return kind
    types = {"unknown": "candlelog.no.such.v1", "batch": "candlelog.candles.batch.v1"}
    return tuple(
        {
            "ce_id": b"1",
            "ce_type": types.get(kind, LISTING).encode(),
            "ce_source": b"tester",
            "ce_time": b"2024-01-01T00:00:00" + (b"" if kind == "naive" else b"+00:00"),
            "ce_subject": b"venue-0",
            "content-type": b"application/json",
        }.items()
    )


async def test_a_reason_without_end_is_cut(bench, handler, eventually):
    await bench.commands(1)
    async with bench.running(handler(lambda event: Reject("x" * 1_000_000))):
        await eventually(bench.buried)

    (letter,) = bench.buried()
    assert len(dict(letter.headers)["reason"]) == 2000


async def test_a_rejected_request_fails_its_chunk(bench, handler, eventually, fetch_requested):
    await bench.publish(fetch_requested)
    handle = handler(lambda event: Reject("no such symbol"))
    async with bench.running(handle, topics=["candlelog.fetch.requested"]):
        await eventually(bench.buried)

    (failed,) = bench.said("progress", ChunkFailedV1)
    assert failed.chunk_id == fetch_requested.chunk_id
    assert (failed.generation, failed.release) == (4, 5)
    assert (failed.attempt, failed.max_attempts) == (2, 3)
    assert failed.final
    assert failed.message == "tester: no such symbol"


async def test_a_rejected_batch_fails_its_chunk(bench, handler, eventually, candle_batch):
    await bench.publish(candle_batch)
    handle = handler(lambda event: Reject("cannot be stored"))
    async with bench.running(handle, topics=["candlelog.candles"]):
        await eventually(bench.buried)

    (failed,) = bench.said("progress", ChunkFailedV1)
    assert failed.chunk_id == candle_batch.header.chunk_id
    assert failed.final


async def test_an_outage_holds_the_partition_and_the_same_events_come_again(
    bench, handler, eventually
):
    away = [Unavailable("the store is away")] * 3

    def answer(event):
        if away and event.key == "venue-0":
            raise away.pop()
        return Done()

    await bench.commands(1)
    handle = handler(answer)
    async with bench.running(handle):
        await eventually(lambda: not away)
        await eventually(lambda: len(handle.calls) == 4)
        await bench.commands(1, first=1)
        await eventually(lambda: "venue-1" in handle.seen)

    assert handle.calls == [["venue-0"]] * 4 + [["venue-1"]]
    assert not bench.buried()
    assert await bench.uncommitted() == 0


async def test_what_is_waited_for_is_told_while_it_lasts(bench, handler, eventually):
    away = True

    def answer(event):
        if away:
            raise Unavailable("ClickHouse: too many parts")
        return Done()

    await bench.commands(1)
    async with bench.running(handler(answer)):
        await eventually(lambda: bench.loop.trouble == "ClickHouse: too many parts")
        away = False
        await eventually(lambda: bench.loop.trouble is None)


async def test_an_outage_of_the_log_itself_is_waited_for(bench, handler, eventually):
    await bench.commands(1)
    handle = handler(lambda event: Reject("bad"))
    async with bench.running(handle):
        await eventually(bench.buried)
        bench.log.away = True
        await asyncio.sleep(0.5)
        bench.log.away = False
        await bench.commands(1, first=1)
        await eventually(lambda: len(bench.buried()) == 2)

    assert await bench.uncommitted() == 0


async def test_dead_letters_wait_for_the_log_and_the_handler_is_not_asked_again(
    bench, handler, eventually
):
    def answer(event):
        bench.log.away = True
        return Reject("bad")

    await bench.commands(1)
    handle = handler(answer)
    async with bench.running(handle):
        await eventually(lambda: bench.log.away)
        await asyncio.sleep(0.3)
        bench.log.away = False
        await eventually(bench.buried)

    assert handle.calls == [["venue-0"]]
    assert len(bench.buried()) == 1


async def test_a_bug_ends_the_loop_before_the_commit(bench, handler):
    def answer(event):
        raise ZeroDivisionError

    await bench.commands(3)
    with pytest.raises(ZeroDivisionError):
        async with bench.running(handler(answer)) as task:
            await task

    assert await bench.uncommitted() == 3


async def test_a_handler_that_forgets_an_outcome_ends_the_loop(bench):
    async def handle(received):
        return [Done()] * (len(received) - 1)

    await bench.commands(3)
    with pytest.raises(ValueError, match="one for each event"):
        async with bench.running(handle) as task:
            await task

    assert await bench.uncommitted() == 3


async def test_many_rejects_in_a_row_end_the_loop_with_nothing_lost(bench, handler):
    await bench.commands(12)
    with pytest.raises(Fatal, match="5 rejects in a row, the last: bad"):
        async with bench.running(
            handler(lambda event: Reject("bad")), batch=1, rejects_limit=5
        ) as task:
            await task

    assert len(bench.buried()) == 5
    assert await bench.uncommitted() == 12 - 5


async def test_rejects_that_are_not_in_a_row_do_not_end_the_loop(bench, handler, eventually):
    await bench.commands(30)
    turns = iter(range(30))
    handle = handler(lambda event: Done() if next(turns) % 3 == 2 else Reject("bad"))
    async with bench.running(handle, rejects_limit=3):
        await eventually(lambda: len(bench.buried()) == 20)

    assert await bench.uncommitted() == 0


async def test_records_that_are_no_events_count_as_rejects(bench, handler):
    await bench.publisher.send([Outgoing(bench.topic, b"k", b"", ())] * 5)
    with pytest.raises(Fatal):
        async with bench.running(handler(), rejects_limit=5) as task:
            await task

    assert len(bench.buried()) == 5


async def test_with_concurrency_calls_overlap_and_no_more_than_allowed(bench, eventually):
    running, most, gate = 0, 0, asyncio.Event()

    async def handle(received):
        nonlocal running, most
        assert len(received) == 1
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return [Done()]

    await bench.commands(20)
    async with bench.running(handle, batch=1, concurrency=4):
        await eventually(lambda: running == 4)
        await asyncio.sleep(0.3)
        gate.set()
        await eventually(lambda: running == 0)
        await asyncio.sleep(0.1)

    assert most == 4
    assert await bench.uncommitted() == 0


async def test_with_concurrency_only_the_prefix_without_a_hole_is_committed(bench, eventually):
    """The third of a partition's records is slow: those after it are done but not committed."""
    done, gate = [], asyncio.Event()

    async def handle(received):
        if received[0].record.offset == 2:
            await gate.wait()
        done.append(received[0].record.offset)
        return [Done()]

    await bench.publisher.send([same_key(bench) for _ in range(6)])
    async with bench.running(handle, batch=1, concurrency=8, grace=0.1):
        await eventually(lambda: len(done) == 5)

    assert sorted(done) == [0, 1, 3, 4, 5]
    assert await bench.uncommitted() == 4


def same_key(bench):
    return Outgoing(
        bench.topic,
        b"venue-0",
        b'{"exchange": "venue-0", "requested_at": "2024-01-01T00:00:00Z"}',
        envelope("known"),
    )


async def test_the_handler_of_one_record_runs_in_its_trace(bench, eventually):
    from opentelemetry import context

    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    seen = []

    async def handle(received):
        seen.append(current_traceparent())
        return [Done()]

    token = context.attach(context_of(parent))
    await bench.commands(1)
    context.detach(token)
    async with bench.running(handle, batch=1):
        await eventually(lambda: seen)

    assert seen == [parent]


async def test_the_trace_of_a_record_ends_with_it(bench, handler):
    from opentelemetry import context

    token = context.attach(context_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
    await bench.commands(1)
    context.detach(token)
    handling = Handling(handler(), bench.dead_letters, clock=SystemClock())
    await handling.finish(bench.log.records(bench.topic))
    assert current_traceparent() is None


def test_the_back_off_doubles_up_to_its_bound_and_jitters_from_zero():
    random = Random(3)
    delays = [[full_jitter(attempt, random) for _ in range(200)] for attempt in (1, 2, 3, 50)]

    assert [round(max(found), 1) for found in delays] == [0.2, 0.4, 0.8, LONGEST_SECONDS]
    assert all(min(found) < max(found) / 10 for found in delays)
