"""From one request to what stands on the log, with a venue in memory."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar
from uuid import uuid4

import orjson
import pytest

from candlelog.clock import SystemClock
from candlelog.events.candles import CandleBatchV1
from candlelog.events.codec import Message
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fetch import FetchRequestedV1, MarketsRequestedV1
from candlelog.events.jobs import JobControlV1
from candlelog.events.markets import Market, MarketsListedV1
from candlelog.events.progress import ChunkDeferredV1, ChunkFailedV1, ChunkFetchedV1
from candlelog.events.topics import CANDLES, MARKETS, PROGRESS
from candlelog.log.memory import MemoryLog
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.market.pages import Layout
from candlelog.market.profile import ExchangeProfile, profile
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, milliseconds
from fetcher import venue as venue_module
from fetcher.adapters.archive_files import ArchiveFiles
from fetcher.control import Control
from fetcher.domain.failures import Away, Permanent, RateLimited, Reset, Transient, VenueFailure
from fetcher.domain.venue_time import TimeReading
from fetcher.handlers import Handlers
from fetcher.limits.budgets import Budgets, Surroundings
from fetcher.limits.catalogue import Catalogue
from fetcher.limits.venue_time import VenueTime
from fetcher.ports import Answer, Exchange, Gate, MarketList, RawPage
from fetcher.venues import Venues

PREFIX = "candlelog."
T = TypeVar("T")
START = datetime(2024, 2, 1, tzinfo=UTC)
LAYOUT = Layout(width=12, quote_volume=7, trades=8)


def rows(start: datetime, count: int) -> list[list[object]]:
    first = milliseconds(start)
    return [
        [first + at * 60_000, "10", "11", "9", "10", "1", 0, "10", 3, "1", "10", "0"]
        for at in range(count)
    ]


@dataclass
class MemoryExchange:
    """`Exchange` in memory: a clock, two symbols, and whatever page a test puts in."""

    clock: SystemClock
    ahead: float = 0.0
    dated: bool = False
    page: Callable[[TimeRange], list[list[object]]] = lambda window: rows(window.start, 10)
    reaches: Callable[[TimeRange], TimeRange] = lambda window: window
    failure: VenueFailure | None = None
    time_failure: VenueFailure | None = None
    time_asked: int = 0
    lists_asked: int = 0
    capacity: float | None = 6000.0
    asked: int = 0
    listed: tuple[Market, ...] = (
        Market(symbol="BTC/USDT", active=True), Market(symbol="OLD/USDT", active=False),
    )  # fmt: skip
    before_writing: Callable[[], None] = lambda: None

    def _answer(self, said: T, gate: Gate) -> Answer[T]:
        self.before_writing()
        gate()
        self.asked += 1
        now = self.clock.monotonic()
        date = self.clock.now().timestamp() + self.ahead if self.dated else None
        return Answer(said, now, now, float(self.asked), date and date // 1)

    async def time(self, gate: Gate) -> Answer[TimeReading]:
        now = self.clock.monotonic()
        server = self.clock.now().timestamp() + self.ahead
        answer = self._answer(TimeReading(now, now, server), gate)
        self.time_asked += 1
        if self.time_failure is not None:
            raise self.time_failure
        return answer

    async def markets(self, gate: Gate) -> Answer[MarketList]:
        self.lists_asked += 1
        return self._answer(MarketList(self.listed, self.capacity), gate)

    async def candles(
        self, symbol: str, timeframe: str, window: TimeRange, gate: Gate, *, most: int
    ) -> Answer[RawPage]:
        answer = self._answer(None, gate)  # a request that is not let through is answered by nobody
        found = self.page(window)[:1] if most == 1 else self.page(window)
        if self.failure is not None:
            raise self.failure
        return replace(answer, said=RawPage(orjson.dumps(found), LAYOUT, self.reaches(window)))


class Desk:
    """The handlers of a fetcher over a log in memory."""

    def __init__(self, log: MemoryLog, publisher: Publisher, exchange: MemoryExchange) -> None:
        clock = exchange.clock
        self.log, self.exchange, self.publisher, self.clock = log, exchange, publisher, clock
        self.budgets = Budgets(
            Surroundings(log, publisher, clock, Random(1), uuid4()),
            Catalogue("default", None, clock),
        )
        self.control = Control(log, PREFIX + "jobs.control", clock=clock)
        self.venues = Venues(self._open, self.budgets, clock=clock, random=Random(1))
        self.archives: dict[str, str] = {}
        self.handlers = Handlers(
            self.venues,
            ArchiveFiles(self.archives),
            self.control,
            publisher,
            clock=clock,
            instance="fetcher-1",
        )

    def _open(self, venue: ExchangeProfile) -> AbstractAsyncContextManager[Exchange]:
        @asynccontextmanager
        async def opened() -> AsyncGenerator[Exchange]:
            yield self.exchange

        return opened()

    async def fetch(self, chunk: FetchRequestedV1) -> Outcome:
        async with asyncio.timeout(240):
            return await self.handlers.fetch(chunk)

    def written(self, topic: str) -> list[Message]:
        return [receive(record).event for record in self.log.records(PREFIX + topic)]


@pytest.fixture
async def desk(clock: SystemClock) -> AsyncGenerator[Desk]:
    log, never = MemoryLog(clock=clock), asyncio.Event()
    async with log.producer() as producer:
        publisher = Publisher(producer, source="test", clock=clock, topic_prefix=PREFIX)
        made = Desk(log, publisher, MemoryExchange(clock))
        async with made.venues, asyncio.TaskGroup() as group:
            running = [
                group.create_task(part)
                for part in (
                    made.budgets.run(never), made.control.run(never), made.venues.keep_times(),
                )
            ]  # fmt: skip
            yield made
            for task in running:
                task.cancel()


def chunk(**changes: object) -> FetchRequestedV1:
    given: dict[str, object] = {
        "chunk_id": uuid4(),
        "job_id": uuid4(),
        "task_id": uuid4(),
        "exchange": "binance",
        "symbol": "BTC/USDT",
        "timeframe": "1m",
        "start": START,
        "end": START + timedelta(minutes=10),
        "slots": 10,
        "generation": 1,
        "release": 1,
        "attempt": 2,
        "max_attempts": 3,
    }
    return FetchRequestedV1.model_validate(given | changes)


async def test_a_chunk_becomes_a_batch_and_the_word_that_it_was_fetched(desk: Desk):
    asked = chunk()
    assert await desk.fetch(asked) == Done()
    [batch] = desk.written(CANDLES.name)
    [fetched] = desk.written(PROGRESS.name)
    assert isinstance(batch, CandleBatchV1)
    assert (batch.header.chunk_id, batch.header.answer) == (asked.chunk_id, "candles")
    assert (batch.header.start, batch.header.end) == (asked.start, asked.end)
    assert batch.rows.num_rows == 10
    assert isinstance(fetched, ChunkFetchedV1)
    assert (fetched.candles, fetched.weight, fetched.fetched_by) == (10, 2.0, "fetcher-1")


async def test_a_venue_that_answers_for_the_end_of_a_chunk_alone_covers_that(desk: Desk):
    asked = chunk()
    oldest = asked.start + timedelta(minutes=4)
    desk.exchange.reaches = lambda window: TimeRange(oldest, window.end)
    desk.exchange.page = lambda _: rows(oldest, 6)
    assert await desk.fetch(asked) == Done()
    [batch] = desk.written(CANDLES.name)
    assert isinstance(batch, CandleBatchV1)
    assert (batch.header.start, batch.header.end) == (oldest, asked.end)
    assert (batch.header.slots, batch.header.quarantined) == (asked.slots - 4, ())


def minutes(first: int, end: int) -> TimeRange:
    return TimeRange(START + timedelta(minutes=first), START + timedelta(minutes=end))


def silent_in(hole: TimeRange) -> Callable[[TimeRange], list[list[object]]]:
    """Pages of a venue that has a candle a minute, but for those."""

    def page(window: TimeRange) -> list[list[object]]:
        times = (window.start + timedelta(minutes=at) for at in range(60))
        there = (t for t in times if t < window.end and not hole.start <= t < hole.end)
        return [rows(time, 1)[0] for time in there]

    return page


@pytest.mark.parametrize("had", [0, 4], ids=["empty", "short"])
async def test_a_page_that_lacks_rows_which_the_venue_has_is_no_answer(desk: Desk, had: int):
    pages = iter([silent_in(minutes(had, 10)), silent_in(minutes(50, 60))])

    def page(window: TimeRange) -> list[list[object]]:
        return next(pages)(window)

    desk.exchange.page = page
    await desk.fetch(chunk())
    [failed] = desk.written(PROGRESS.name)
    assert isinstance(failed, ChunkFailedV1)
    assert (failed.code, failed.transient) == ("short_page", True)
    assert desk.written(CANDLES.name) == []


async def test_where_a_venue_says_twice_that_it_has_no_row_the_page_covers_it(desk: Desk):
    desk.exchange.page = silent_in(minutes(4, 25))
    await desk.fetch(chunk())
    [batch] = desk.written(CANDLES.name)
    [fetched] = desk.written(PROGRESS.name)
    assert isinstance(batch, CandleBatchV1)
    assert isinstance(fetched, ChunkFetchedV1)
    assert (batch.rows.num_rows, batch.header.end) == (4, chunk().end)
    assert fetched.weight == 4.0


async def test_what_a_venue_has_said_twice_it_is_not_asked_again(desk: Desk):
    desk.exchange.page = silent_in(minutes(4, 25))
    await desk.fetch(chunk())
    await desk.fetch(chunk_of(minutes(10, 15)))  # from when on there are candles is known now, too
    before = desk.exchange.asked
    await desk.fetch(chunk_of(minutes(15, 20)))
    assert desk.exchange.asked == before + 1


async def test_slots_that_may_still_come_are_not_asked_for_twice(desk: Desk):
    end = Timeframe.parse("1m").floor(desk.clock.now())
    await desk.fetch(chunk(start=end - timedelta(minutes=1), end=end, slots=1))
    before = desk.exchange.asked
    desk.exchange.page = lambda _: []
    await desk.fetch(chunk(start=end - timedelta(minutes=1), end=end, slots=1))
    assert desk.exchange.asked == before + 1


async def test_a_venue_that_has_no_row_where_nothing_was_traded_is_not_asked_twice(desk: Desk):
    desk.exchange.page = lambda _: []
    await desk.fetch(chunk(exchange="kraken"))
    [fetched] = desk.written(PROGRESS.name)
    assert isinstance(fetched, ChunkFetchedV1)
    assert fetched.weight == 1.0


async def test_a_venue_whose_clock_is_hours_behind_is_asked_again_in_a_minute(desk: Desk):
    asked = chunk()
    desk.exchange.ahead = (asked.end - desk.clock.now()).total_seconds() - 7200
    await desk.fetch(asked)
    [deferred] = desk.written(PROGRESS.name)
    assert isinstance(deferred, ChunkDeferredV1)
    assert deferred.until - deferred.deferred_at == timedelta(seconds=60)


@pytest.mark.parametrize("exchange", ["binance", "kraken"])
async def test_a_clock_that_is_right_again_is_noticed_where_nothing_was_sent_meanwhile(
    desk: Desk, exchange: str
):
    asked = chunk(exchange=exchange)
    desk.exchange.ahead = (asked.end - desk.clock.now()).total_seconds() - 7200
    await desk.fetch(asked)
    desk.exchange.ahead = 0.0
    venue = await desk.venues.venue(exchange)
    desk.budgets.purse(venue.profile).time._asked_at -= 31
    await desk.fetch(asked)
    [batch] = desk.written(CANDLES.name)
    assert isinstance(batch, CandleBatchV1)
    assert batch.header.chunk_id == asked.chunk_id


async def test_a_venue_that_has_just_told_its_time_is_not_asked_whether_a_candle_is_open(
    desk: Desk,
):
    asked = chunk()
    desk.exchange.ahead = (asked.end - desk.clock.now()).total_seconds() - 7200
    await desk.fetch(asked)
    before = desk.exchange.asked
    await desk.fetch(asked)
    assert desk.exchange.asked == before


async def test_a_bad_answer_about_the_time_uses_up_one_attempt_however_many_wait_for_it(desk: Desk):
    desk.exchange.time_failure = Transient("http_500", "sorry")
    await asyncio.gather(*(desk.fetch(chunk()) for _ in range(3)))
    said = Counter(type(each) for each in desk.written(PROGRESS.name))
    assert said == {ChunkFailedV1: 1, ChunkDeferredV1: 2}


@pytest.mark.parametrize("failure", [Transient("http_500", "sorry"), Permanent("forbidden", "no")])
async def test_chunks_share_one_question_about_the_markets_and_its_failure(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, failure: VenueFailure
):
    asked = list[None]()

    async def markets(gate: Gate) -> Answer[MarketList]:
        gate()
        asked.append(None)
        raise failure

    monkeypatch.setattr(desk.exchange, "markets", markets)
    await asyncio.gather(*(desk.fetch(chunk()) for _ in range(3)))
    said = Counter(type(each) for each in desk.written(PROGRESS.name))
    assert (len(asked), said) == (1, {ChunkFailedV1: 1, ChunkDeferredV1: 2})


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Away("the venue is not there", 7.0), "the venue is not there"),
        (Transient("http_500", "sorry"), "the time is not known: sorry"),
    ],
)
async def test_chunks_that_seem_open_share_one_question_about_the_time_and_its_failure(
    desk: Desk, failure: VenueFailure, reason: str
):
    open_still = [chunk() for _ in range(3)]
    desk.exchange.ahead = (open_still[0].end - desk.clock.now()).total_seconds() - 7200
    venue = await desk.venues.venue("binance")
    await venue.markets(desk.clock.now())
    desk.budgets.purse(venue.profile).time._asked_at -= 31
    before, desk.exchange.time_failure = desk.exchange.time_asked, failure
    await asyncio.gather(*(desk.fetch(each) for each in open_still))
    deferred = [each for each in desk.written(PROGRESS.name) if isinstance(each, ChunkDeferredV1)]
    assert desk.exchange.time_asked == before + 1
    assert [each.reason for each in deferred] == [reason] * 3


async def test_a_time_that_it_failed_to_tell_is_not_asked_for_again_at_once(desk: Desk):
    venue = await desk.venues.venue("binance")
    await venue.keep_time()
    desk.budgets.purse(venue.profile).time._asked_at -= 31
    before, desk.exchange.time_failure = desk.exchange.time_asked, Transient("http_500", "sorry")
    with pytest.raises(Transient):
        await venue.keep_time()
    await venue.keep_time()
    assert desk.exchange.time_asked == before + 1


async def test_a_candle_that_closes_in_a_moment_is_not_worth_a_question(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(venue_module, "_SOON_SECONDS", 7200.0)
    asked = chunk(exchange="kraken")
    desk.exchange.ahead = (asked.end - desk.clock.now()).total_seconds() - 7200
    await desk.fetch(asked)
    desk.budgets.purse((await desk.venues.venue("kraken")).profile).time._asked_at -= 31
    before = desk.exchange.asked
    await desk.fetch(asked)
    assert desk.exchange.asked == before


async def test_a_page_that_was_asked_for_by_a_clock_set_back_meanwhile_covers_nothing(desk: Desk):
    await desk.fetch(chunk())
    purse = desk.budgets.purse((await desk.venues.venue("binance")).profile)
    second = chunk()
    desk.exchange.ahead = (second.end - desk.clock.now()).total_seconds() - 3600

    def set_back() -> None:
        steady, server = desk.clock.monotonic(), desk.clock.now().timestamp() + desk.exchange.ahead
        purse.learn_time(TimeReading(steady, steady, server), used=None)

    desk.exchange.before_writing = set_back
    before = desk.exchange.asked
    await desk.fetch(second)
    [deferred] = [e for e in desk.written(PROGRESS.name) if isinstance(e, ChunkDeferredV1)]
    assert (deferred.chunk_id, desk.exchange.asked) == (second.chunk_id, before + 1)
    assert "was open then" in deferred.reason


async def test_a_batch_says_what_is_to_be_computed_of_it(desk: Desk):
    await desk.fetch(chunk(feature_sets=(DEFAULT,)))
    [batch] = desk.written(CANDLES.name)
    assert isinstance(batch, CandleBatchV1)
    assert batch.header.feature_sets == (DEFAULT,)


async def test_an_empty_page_is_reported_as_covered(desk: Desk):
    desk.exchange.page = silent_in(minutes(0, 25))
    assert await desk.fetch(chunk()) == Done()
    [batch] = desk.written(CANDLES.name)
    assert isinstance(batch, CandleBatchV1)
    assert (batch.header.answer, batch.rows.num_rows) == ("empty", 0)


def listed_in(there: TimeRange) -> Callable[[TimeRange], list[list[object]]]:
    """Pages of a venue that has a candle a minute then, and none before or after."""

    def page(window: TimeRange) -> list[list[object]]:
        start, end = max(window.start, there.start), min(window.end, there.end)
        return rows(start, max(0, int((end - start).total_seconds() // 60)))

    return page


def chunk_of(window: TimeRange, **changes: object) -> FetchRequestedV1:
    slots = int((window.end - window.start).total_seconds() // 60)
    return chunk(start=window.start, end=window.end, slots=slots, **changes)


def parts(desk: Desk) -> list[tuple[int, bool, str, TimeRange]]:
    """Of each batch: part, whether it is the last one, answer, and range."""
    headers = [one.header for one in desk.written(CANDLES.name) if isinstance(one, CandleBatchV1)]
    return [
        (each.part, each.last_part, each.answer, TimeRange(each.start, each.end))
        for each in headers
    ]


async def test_what_lies_before_the_first_candle_is_said_to_be_unlisted(desk: Desk):
    desk.exchange.page = listed_in(minutes(4, 10_000))
    await desk.fetch(chunk())
    assert parts(desk) == [
        (0, False, "unlisted", minutes(0, 4)), (1, True, "candles", minutes(4, 10)),
    ]  # fmt: skip
    [fetched] = desk.written(PROGRESS.name)
    assert isinstance(fetched, ChunkFetchedV1)
    assert (fetched.candles, fetched.parts, fetched.weight) == (6, 2, 6.0)


async def test_what_is_known_to_lie_before_the_first_candle_is_not_asked_for(desk: Desk):
    desk.exchange.page = listed_in(minutes(24, 10_000))
    await desk.fetch(chunk_of(minutes(20, 30)))
    asked, before = chunk(), desk.exchange.asked
    await desk.fetch(asked)
    assert desk.exchange.asked == before
    assert (0, True, "unlisted", minutes(0, 10)) in parts(desk)
    told = [one for one in desk.written(PROGRESS.name) if isinstance(one, ChunkFetchedV1)]
    [fetched] = [one for one in told if one.chunk_id == asked.chunk_id]
    assert (fetched.parts, fetched.weight) == (1, 0.0)


async def test_an_outage_behind_the_first_candle_is_none_of_the_listing(desk: Desk):
    desk.exchange.page = silent_in(minutes(0, 4))
    await desk.fetch(chunk())
    assert parts(desk) == [(0, True, "candles", minutes(0, 10))]


async def test_a_first_candle_that_cannot_be_read_proves_nothing(desk: Desk):
    there = listed_in(minutes(4, 10_000))
    desk.exchange.page = lambda window: [
        [*row[:4], "-1", *row[5:]] if at == 0 and window.start < START else row
        for at, row in enumerate(there(window))
    ]
    await desk.fetch(chunk())
    assert parts(desk)[0] == (0, False, "unlisted", minutes(0, 4))
    desk.exchange.page = lambda window: [["?"]] if window.start < START else there(window)
    await desk.fetch(chunk(symbol="OLD/USDT"))
    assert parts(desk)[-1] == (0, True, "candles", minutes(0, 10))


async def test_an_answer_without_any_candle_proves_nothing(desk: Desk):
    there = listed_in(minutes(4, 10_000))
    desk.exchange.page = lambda window: [] if window.start < START else there(window)
    await desk.fetch(chunk())
    assert parts(desk) == [(0, True, "candles", minutes(0, 10))]


async def test_two_answers_that_differ_prove_nothing(desk: Desk):
    firsts = iter([minutes(8, 10_000), minutes(4, 10_000)])
    there = listed_in(minutes(4, 10_000))
    desk.exchange.page = lambda window: (
        listed_in(next(firsts))(window) if window.start < START else there(window)
    )
    await desk.fetch(chunk())
    assert parts(desk) == [(0, True, "candles", minutes(0, 10))]


async def test_an_older_candle_takes_the_proof_back(desk: Desk):
    desk.exchange.page = listed_in(minutes(4, 10_000))
    await desk.fetch(chunk())
    desk.exchange.page = listed_in(minutes(2, 10_000))
    await desk.fetch(chunk())
    assert parts(desk)[-2:] == [
        (0, False, "unlisted", minutes(0, 2)), (1, True, "candles", minutes(2, 10)),
    ]  # fmt: skip


async def test_a_market_that_has_ceased_is_unlisted_behind_its_last_candle(desk: Desk):
    desk.exchange.page = listed_in(minutes(-10_000, 4))
    await desk.fetch(chunk(symbol="OLD/USDT"))
    assert parts(desk) == [
        (0, False, "candles", minutes(0, 4)), (1, True, "unlisted", minutes(4, 10)),
    ]  # fmt: skip


async def test_a_market_that_trades_has_an_outage_behind_its_last_candle(desk: Desk):
    desk.exchange.page = listed_in(minutes(-10_000, 4))
    await desk.fetch(chunk())
    assert parts(desk) == [(0, True, "candles", minutes(0, 10))]


async def test_a_market_can_be_unlisted_on_both_sides_of_a_chunk(desk: Desk):
    desk.exchange.page = listed_in(minutes(3, 6))
    await desk.fetch(chunk(symbol="OLD/USDT"))
    assert [part[2:] for part in parts(desk)] == [
        ("unlisted", minutes(0, 3)), ("candles", minutes(3, 6)), ("unlisted", minutes(6, 10)),
    ]  # fmt: skip


async def test_a_chunk_whose_last_candle_is_open_by_the_venues_clock_goes_back(desk: Desk):
    asked = chunk()
    desk.exchange.ahead = (asked.end - desk.clock.now()).total_seconds() - 20
    assert await desk.fetch(asked) == Done()
    [deferred] = desk.written(PROGRESS.name)
    assert isinstance(deferred, ChunkDeferredV1)
    assert timedelta(0) < deferred.until - deferred.deferred_at <= timedelta(seconds=20)
    assert desk.written(CANDLES.name) == []


async def test_rows_of_another_range_do_not_cover_the_one_that_was_asked(desk: Desk):
    desk.exchange.page = lambda window: rows(window.start + timedelta(days=1), 10)
    await desk.fetch(chunk())
    [failed] = desk.written(PROGRESS.name)
    assert isinstance(failed, ChunkFailedV1)
    assert (failed.code, failed.transient) == ("other_range", True)


async def test_a_page_in_microseconds_covers_nothing(desk: Desk):
    desk.exchange.page = lambda window: [
        [int(str(row[0])) * 1000, *row[1:]] for row in rows(window.start, 10)
    ]
    await desk.fetch(chunk())
    [failed] = desk.written(PROGRESS.name)
    assert isinstance(failed, ChunkFailedV1)
    assert (failed.code, failed.transient) == ("other_range", True)


async def test_more_rows_than_a_page_has_are_no_answer(desk: Desk):
    desk.exchange.page = lambda _: [["bad" * 300]] * 20_000
    assert await desk.fetch(chunk()) == Done()
    [failed] = desk.written(PROGRESS.name)
    assert isinstance(failed, ChunkFailedV1)
    assert (failed.code, failed.transient) == ("too_many_rows", True)
    assert desk.written(CANDLES.name) == []


async def test_a_page_of_refused_rows_alone_is_a_batch_with_nothing_but_these(desk: Desk):
    desk.exchange.page = lambda window: [
        [*row[:4], "-1", *row[5:]] for row in rows(window.start, 10)
    ]
    assert await desk.fetch(chunk()) == Done()
    [batch] = desk.written(CANDLES.name)
    assert isinstance(batch, CandleBatchV1)
    assert (batch.rows.num_rows, batch.header.answer) == (0, "empty")
    assert {row.reason for row in batch.header.quarantined} == {"not_positive"}
    assert len(batch.header.quarantined) == 10


@pytest.mark.parametrize("open_time", [-(2**63), -1])
async def test_a_row_of_no_time_at_all_is_refused_like_any_other(desk: Desk, open_time: int):
    desk.exchange.page = lambda window: [
        *rows(window.start, 10), [open_time, *rows(window.start, 1)[0][1:]]
    ]  # fmt: skip
    assert await desk.fetch(chunk()) == Done()
    [batch] = desk.written(CANDLES.name)
    assert isinstance(batch, CandleBatchV1)
    assert (batch.rows.num_rows, len(batch.header.quarantined)) == (10, 1)


async def test_a_clock_that_is_set_while_a_venue_is_asked_sends_the_chunk_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    await desk.fetch(chunk())
    answered = desk.exchange.candles

    async def set_the_clock(*asked: Any, **how: Any) -> Answer[RawPage]:
        answer = await answered(*asked, **how)
        monkeypatch.setattr(VenueTime, "_ahead", lambda _: 1e6)
        return answer

    monkeypatch.setattr(desk.exchange, "candles", set_the_clock)
    second = chunk()
    assert await desk.fetch(second) == Done()
    deferred = [e for e in desk.written(PROGRESS.name) if isinstance(e, ChunkDeferredV1)]
    assert [event.chunk_id for event in deferred] == [second.chunk_id]


async def test_a_venue_that_set_its_clock_is_asked_for_its_time_before_the_next_page(desk: Desk):
    desk.exchange.dated = True
    await desk.fetch(chunk())
    desk.exchange.ahead = 90.0
    second = chunk()
    await desk.fetch(second)
    [deferred] = [e for e in desk.written(PROGRESS.name) if isinstance(e, ChunkDeferredV1)]
    assert deferred.chunk_id == second.chunk_id
    await desk.fetch(chunk())
    ahead = [
        (batch.header.observed_at - desk.clock.now()).total_seconds()
        for batch in desk.written(CANDLES.name)
        if isinstance(batch, CandleBatchV1)
    ]
    assert [round(seconds, -1) for seconds in ahead] == [0, 90]


async def test_a_time_that_was_told_before_the_clock_was_set_is_asked_for_again(desk: Desk):
    desk.exchange.dated = True
    await desk.fetch(chunk())
    venue = await desk.venues.venue("binance")
    told, questions = desk.exchange.time, []

    async def time(gate: Gate) -> Answer[TimeReading]:
        answer = await told(gate)
        if not questions:
            desk.exchange.ahead = 90.0
            await desk.fetch(chunk())
        questions.append(answer)
        received = desk.clock.monotonic()
        said = replace(answer.said, received=received)
        return replace(answer, said=said, received=received)

    desk.exchange.time = time
    desk.budgets.purse(venue.profile).time._asked_at -= 60
    await venue.keep_time()
    assert len(questions) == 2


@pytest.mark.parametrize(
    ("failure", "transient"),
    [(Transient("http_500", "sorry"), True), (Permanent("geo_blocked", "no"), False)],
)
async def test_an_answer_that_is_a_failure_uses_up_an_attempt(
    desk: Desk, failure: VenueFailure, transient: bool
):
    desk.exchange.failure = failure
    assert await desk.fetch(chunk()) == Done()
    [failed] = desk.written(PROGRESS.name)
    assert isinstance(failed, ChunkFailedV1)
    assert (failed.transient, failed.attempt, failed.max_attempts) == (transient, 2, 3)


async def test_a_venue_that_does_not_answer_uses_up_none_and_is_left_alone(desk: Desk):
    await desk.fetch(chunk())
    desk.exchange.failure = Away("connection refused")
    before = desk.exchange.asked
    await desk.fetch(chunk())
    await desk.fetch(chunk())
    assert desk.exchange.asked == before + 1
    deferred = [
        event for event in desk.written(PROGRESS.name) if isinstance(event, ChunkDeferredV1)
    ]
    assert len(deferred) == 2


async def test_a_venue_that_is_left_alone_is_told_of(desk: Desk):
    await desk.fetch(chunk())
    assert desk.venues.troubles() == {}
    desk.exchange.failure = Away("connection refused")
    await desk.fetch(chunk())
    assert desk.venues.troubles() == {"binance": "left alone, 1 failures in a row"}


async def refusing(*_: object, **__: object) -> Answer[Any]:
    raise Transient("http_502", "sorry")


@pytest.mark.parametrize("call", ["time", "markets", "candles", "page"])
async def test_a_venue_that_answers_nothing_but_errors_uses_up_no_more_attempts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, call: str
):
    monkeypatch.setattr("fetcher.domain.outages.SUSTAINED", 3)
    monkeypatch.setattr("fetcher.domain.outages.SUSTAINED_SECONDS", 0.0)
    too_much = lambda window: rows(window.start, 1001)  # noqa: E731
    monkeypatch.setattr(desk.exchange, call, too_much if call == "page" else refusing)
    for _ in range(5):
        await desk.fetch(chunk())
    said = Counter(type(event) for event in desk.written(PROGRESS.name))
    assert said[ChunkDeferredV1] >= 3
    assert said.total() == 5


async def test_a_symbol_that_is_not_listed_tells_nothing_of_whether_the_venue_is_back(desk: Desk):
    await desk.fetch(chunk())
    desk.exchange.failure = Away("connection refused")
    await desk.fetch(chunk())
    await desk.fetch(chunk(symbol="NO/NE"))
    [failed] = [e for e in desk.written(PROGRESS.name) if isinstance(e, ChunkFailedV1)]
    assert (failed.code, len(desk.venues.troubles())) == ("unknown_symbol", 1)


async def test_a_request_to_a_closed_connection_is_written_once_more_with_a_new_permit(desk: Desk):
    await desk.fetch(chunk())
    before, failures = desk.exchange.asked, [Reset("closed"), None]

    def page(window: TimeRange) -> list[list[object]]:
        desk.exchange.failure = failures.pop(0)
        return rows(window.start, 10)

    desk.exchange.page = page
    await desk.fetch(chunk())
    assert desk.exchange.asked == before + 2
    assert len(desk.written(CANDLES.name)) == 2


async def test_a_venue_that_closes_every_connection_is_left_alone(desk: Desk):
    await desk.fetch(chunk())
    before, desk.exchange.failure = desk.exchange.asked, Reset("closed")
    await desk.fetch(chunk())
    await desk.fetch(chunk())
    assert desk.exchange.asked == before + 2
    assert desk.venues.troubles() == {"binance": "left alone, 1 failures in a row"}


@pytest.mark.parametrize(("release", "said"), [(19, ChunkDeferredV1), (20, ChunkFailedV1)])
async def test_a_page_that_alone_has_no_answer_uses_up_attempts_after_a_while(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, release: int, said: type[Message]
):
    answered = desk.exchange.candles

    async def candles(symbol: str, *asked: Any, **how: Any) -> Answer[RawPage]:
        if symbol != "OLD/USDT":
            return await answered(symbol, *asked, **how)
        await desk.fetch(chunk())
        raise Away("no complete answer")

    monkeypatch.setattr(desk.exchange, "candles", candles)
    await desk.fetch(chunk(symbol="OLD/USDT", release=release))
    assert {type(each) for each in desk.written(PROGRESS.name)} == {ChunkFetchedV1, said}


@pytest.mark.parametrize(("capacity", "lists"), [(600.0, 2), (None, 1)])
async def test_where_a_venue_states_its_limit_it_is_read_again_after_a_refusal(
    desk: Desk, capacity: float | None, lists: int
):
    desk.exchange.capacity = capacity
    await desk.fetch(chunk())
    desk.exchange.failure = RateLimited("429", -1.0)  # over already
    await desk.fetch(chunk())
    desk.exchange.failure = None
    await desk.fetch(chunk())
    assert desk.exchange.lists_asked == lists


async def test_a_limit_is_read_again_where_another_fetcher_was_refused(desk: Desk):
    await desk.fetch(chunk())
    desk.budgets.purse(profile("binance")).told_to_back_off(-1.0, 0)  # over already
    await desk.fetch(chunk())
    assert desk.exchange.lists_asked == 2


async def test_a_limit_that_cannot_be_read_again_keeps_nobody_from_his_candles(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    await desk.fetch(chunk())
    desk.exchange.failure = RateLimited("429", -1.0)  # over already
    await desk.fetch(chunk())
    desk.exchange.failure = None
    monkeypatch.setattr(desk.exchange, "markets", refusing)
    await desk.fetch(again := chunk())
    fetched = [e.chunk_id for e in desk.written(PROGRESS.name) if isinstance(e, ChunkFetchedV1)]
    assert again.chunk_id in fetched


async def test_too_many_requests_stop_everything_until_the_time_given(desk: Desk):
    desk.exchange.failure = RateLimited("429", 30.0)
    earliest = desk.clock.now() + timedelta(seconds=29)
    await desk.fetch(chunk())
    before = desk.exchange.asked
    await desk.fetch(chunk())
    latest = desk.clock.now() + timedelta(seconds=31)
    assert desk.exchange.asked == before
    first, second = desk.written(PROGRESS.name)
    for deferred in (first, second):
        assert isinstance(deferred, ChunkDeferredV1)
        assert earliest <= deferred.until <= latest


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"exchange": "nowhere"}, "unknown_exchange"),
        ({"symbol": "NO/NE"}, "unknown_symbol"),
        ({"timeframe": "2w"}, "unknown_timeframe"),
    ],
)
async def test_what_a_venue_does_not_have_fails_for_good(
    desk: Desk, change: dict[str, object], code: str
):
    assert await desk.fetch(chunk(**change)) == Done()
    [failed] = desk.written(PROGRESS.name)
    assert isinstance(failed, ChunkFailedV1)
    assert (failed.code, failed.final) == (code, True)


async def test_a_symbol_that_was_listed_since_the_list_was_read_is_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(venue_module, "_AT_FIRST", 0.0)
    await desk.fetch(chunk())
    desk.exchange.listed += (Market(symbol="NEW/USDT", active=True),)
    await desk.fetch(chunk(symbol="NEW/USDT"))
    assert {type(each) for each in desk.written(PROGRESS.name)} == {ChunkFetchedV1}


async def test_a_symbol_that_is_on_no_list_is_looked_up_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(venue_module, "_AT_FIRST", 0.0)
    await desk.fetch(chunk())
    await desk.fetch(chunk(symbol="NO/NE"))
    before = desk.exchange.asked
    await desk.fetch(chunk(symbol="NO/NE"))
    assert desk.exchange.asked == before


async def test_a_chunk_of_a_cancelled_job_is_not_asked_for(desk: Desk):
    asked = chunk()
    await desk.publisher.publish(JobControlV1(job_id=asked.job_id, generation=1, state="cancelled"))
    async with asyncio.timeout(240):
        while not desk.control.stopped(asked.job_id, asked.task_id, 0):  # noqa: ASYNC110 -- a plain value is waited for
            await asyncio.sleep(0.01)
    assert isinstance(await desk.fetch(asked), Skip)
    assert desk.exchange.asked == 0


async def test_a_task_that_was_stopped_is_refused_by_what_was_read_after_the_request_came(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    await desk.fetch(chunk())
    asked, fresh = chunk(), desk.control.fresh
    job_id, task_id = asked.job_id, asked.task_id
    stopped = JobControlV1(job_id=job_id, generation=0, state="running", stopped=(task_id,))
    desk.control._states[job_id] = stopped

    async def goes_on(since: float = float("-inf")) -> None:
        await fresh(since)
        if since > 0:
            desk.control._states[job_id] = stopped.model_copy(update={"stopped": ()})

    monkeypatch.setattr(desk.control, "fresh", goes_on)
    assert await desk.fetch(asked) == Done()


async def test_a_job_cancelled_while_its_chunk_waits_is_noticed_before_the_request_is_written(
    desk: Desk,
):
    await desk.fetch(chunk())
    asked, before = chunk(), desk.exchange.asked

    def cancel() -> None:
        desk.control._states[asked.job_id] = JobControlV1(
            job_id=asked.job_id, generation=1, state="cancelled"
        )

    desk.exchange.before_writing = cancel
    assert isinstance(await desk.fetch(asked), Skip)
    assert desk.exchange.asked == before


async def test_a_job_cancelled_meanwhile_has_no_list_of_markets_asked_for(desk: Desk):
    asked, before_time = chunk(), desk.exchange.time

    async def time(gate: Gate) -> Answer[TimeReading]:
        desk.control._states[asked.job_id] = JobControlV1(
            job_id=asked.job_id, generation=1, state="cancelled"
        )
        return await before_time(gate)

    desk.exchange.time = time
    assert isinstance(await desk.fetch(asked), Skip)
    assert desk.exchange.asked == 1


async def test_a_venue_that_hangs_keeps_nobody_from_learning_the_time_of_another(desk: Desk):
    hanging, learnt = asyncio.Event(), asyncio.Event()
    ask = desk.exchange.time

    async def time(gate: Gate) -> Answer[TimeReading]:
        if not hanging.is_set():
            hanging.set()
            await asyncio.Event().wait()
        answer = await ask(gate)
        learnt.set()
        return answer

    desk.exchange.time = time
    desk.budgets._want_time("kraken")
    async with asyncio.timeout(60):
        await hanging.wait()
        desk.budgets._want_time("binance")
        await learnt.wait()
    assert desk.exchange.asked == 1


async def test_of_two_releases_of_a_chunk_in_hand_at_once_one_asks_the_venue(desk: Desk):
    first = chunk(release=1)
    second = first.model_copy(update={"release": 2})
    outcomes = await asyncio.gather(desk.fetch(first), desk.fetch(second))
    assert outcomes == [Done(), Skip("another release of the chunk was fetched meanwhile")]
    [batch] = desk.written(CANDLES.name)
    assert isinstance(batch, CandleBatchV1)
    assert batch.header.release == 1


async def test_a_release_asks_the_venue_itself_when_the_one_before_it_failed(desk: Desk):
    desk.exchange.failure = Transient("venue_error", "not now")
    first = chunk(release=1)
    second = first.model_copy(update={"release": 2})
    assert await asyncio.gather(desk.fetch(first), desk.fetch(second)) == [Done(), Done()]
    failed = desk.written(PROGRESS.name)
    assert [event.release for event in failed if isinstance(event, ChunkFailedV1)] == [1, 2]


async def test_a_chunk_that_is_asked_for_again_after_it_was_fetched_is_fetched_again(desk: Desk):
    first = chunk(release=1)
    assert await desk.fetch(first) == Done()
    assert await desk.fetch(first.model_copy(update={"release": 2})) == Done()
    batches = desk.written(CANDLES.name)
    assert [each.header.release for each in batches if isinstance(each, CandleBatchV1)] == [1, 2]


async def test_the_markets_of_an_exchange_are_published(desk: Desk):
    request = MarketsRequestedV1(exchange="binance", requested_at=desk.clock.now())
    assert await desk.handlers.list_markets(request) == Done()
    [listed] = desk.written(MARKETS.name)
    assert isinstance(listed, MarketsListedV1)
    assert {market.symbol: market.active for market in listed.markets} == {
        "BTC/USDT": True, "OLD/USDT": False,
    }  # fmt: skip


async def test_markets_read_after_the_request_are_not_read_again(desk: Desk):
    request = MarketsRequestedV1(exchange="binance", requested_at=desk.clock.now())
    await desk.handlers.list_markets(request)
    before = desk.exchange.asked
    await desk.handlers.list_markets(request)
    assert desk.exchange.asked == before


async def test_markets_of_an_unknown_exchange_are_rejected(desk: Desk):
    request = MarketsRequestedV1(exchange="nowhere", requested_at=datetime.now(UTC))
    assert isinstance(await desk.handlers.list_markets(request), Reject)
