"""From events to features, with the store, the barrier and the log in memory."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlelog.clock import SystemClock
from candlelog.errors import Unavailable
from candlelog.events.candles import CANDLE_SCHEMA, CandleBatchHeaderV1, CandleBatchV1
from candlelog.events.codec import Message, decode_headers
from candlelog.events.feature_sets import DEFAULT, FeatureSetRef
from candlelog.events.features import FeatureBatchV1
from candlelog.events.fields import EARLIEST, LATEST
from candlelog.events.replay import ReplayRequestedV1
from candlelog.events.topics import CANDLES, FEATURES
from candlelog.log.memory import MemoryLog
from candlelog.log.outcome import Done, Outcome, Reject
from candlelog.log.partitioner import partition_of
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition, Received, Record
from candlelog.market.candles import Columns
from candlelog.market.feature_sets import FeatureSets, load_feature_sets
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe, milliseconds
from featurizer.adapters.memory import MemoryBarrier, MemoryStored
from featurizer.domain.computation import Computation
from featurizer.domain.requests import Build
from featurizer.domain.windows import W
from featurizer.handlers import Featurize, Limits

START = datetime(2024, 2, 1, tzinfo=UTC)
BTC = Series("binance", "BTC/USDT", "1m")
_DEFAULT = load_feature_sets(None)["default"]
OTHER = _DEFAULT.model_copy(update={"name": "other", "version": 2})
SETS = FeatureSets([_DEFAULT, OTHER])
MINUTE = timedelta(minutes=1)
# |a - b| <= 1e-9 * max(|b|, scale): the scale of prices here is about 100, that of oscillators 100
TOLERANCE, SCALE = 1e-9, 100.0


def candles(minutes: Sequence[int], *, seed: int = 1) -> CandleBatchV1:
    """A batch of these minutes; other seeds, other prices."""
    random = Random(seed)
    rows = []
    for minute in minutes:
        price = 100 + Random(minute * 7919 + seed).uniform(-5, 5)
        rows.append(
            {
                "open_time": START + minute * MINUTE, "open": price, "high": price + 1,
                "low": price - 1, "close": price + random.uniform(-1, 1),
                "volume": 5.0 + minute % 7, "quote_volume": None, "trades": None,
            }
        )  # fmt: skip
    return CandleBatchV1(header(minutes), pa.RecordBatch.from_pylist(rows, schema=CANDLE_SCHEMA))


def header(minutes: Sequence[int], sets: Iterable[FeatureSetRef] = (DEFAULT,)) -> Any:
    return CandleBatchHeaderV1(
        job_id=UUID(int=1), task_id=UUID(int=2), chunk_id=uuid4(), generation=1, release=1,
        exchange=BTC.exchange, symbol=BTC.symbol, timeframe=BTC.timeframe,
        start=START + min(minutes) * MINUTE, end=START + (max(minutes) + 1) * MINUTE,
        slots=max(minutes) + 1 - min(minutes), answer="candles", feature_sets=tuple(sets),
        observed_at=START + timedelta(days=30),
    )  # fmt: skip


def everything(build: int = 0) -> ReplayRequestedV1:
    """Compute all there is of the series."""
    return ReplayRequestedV1(
        job_id=UUID(int=1), task_id=UUID(int=2), chunk_id=UUID(int=3), generation=1, release=1,
        exchange=BTC.exchange, symbol=BTC.symbol, timeframe=BTC.timeframe, start=EARLIEST,
        end=LATEST - MINUTE, feature_set=DEFAULT, build=build,
    )  # fmt: skip


class Desk:
    """A featurizer between a log and a store in memory; the test plays the sink."""

    def __init__(self, log: MemoryLog, publisher: Publisher, rows: int) -> None:
        self.log, self.publisher = log, publisher
        self.stored, self.barrier = MemoryStored(), MemoryBarrier()
        self.featurize = Featurize(
            self.stored, self.barrier, publisher, SETS, limits=Limits(rows, topic_epoch=0)
        )
        self.partition = Partition(
            CANDLES.full_name(), partition_of(BTC.text.encode(), CANDLES.partitions)
        )

    def store(self, batch: CandleBatchV1, offset: int) -> None:
        """What the sink does with the record at that offset."""
        names = ("open", "high", "low", "close", "volume")
        columns = [batch.rows.column(name).to_pylist() for name in names]
        times = batch.rows.column("open_time").cast(pa.int64()).to_pylist()
        self.stored.rows.setdefault(BTC, {}).update(
            zip(times, zip(*columns, strict=True), strict=True)
        )
        self.barrier.rise(CANDLES.name, self.partition.number, offset + 1)

    async def handle(self, *events: tuple[int, Message]) -> Sequence[Outcome]:
        """Handle events that stand at these offsets, as one group."""
        async with asyncio.timeout(240):
            return await self.featurize([self._received(*each) for each in events])

    def _received(self, offset: int, event: Message) -> Received:
        sent = self.publisher.outgoing(event)
        partition = Partition(sent.topic, self.partition.number)
        record = Record(partition, offset, sent.key, sent.value, sent.headers, START)
        return receive(record, decode_headers)

    @property
    def batches(self) -> list[FeatureBatchV1]:
        events = [receive(record).event for record in self.log.records(FEATURES.full_name())]
        return [event for event in events if isinstance(event, FeatureBatchV1)]

    def readable(self) -> dict[int, tuple[float | None, ...]]:
        """The row of each slot once all batches are stored: that with the highest revision."""
        found: dict[int, tuple[int, tuple[float | None, ...]]] = {}
        for batch in self.batches:
            columns = [column.to_pylist() for column in batch.rows.columns[1:]]
            times = batch.rows.column("open_time").cast(pa.int64()).to_pylist()
            for time, *values in zip(times, *columns, strict=True) if columns else ():
                if time not in found or found[time][0] <= batch.header.revision:
                    found[time] = (batch.header.revision, tuple(values))
        return {time: values for time, (_, values) in sorted(found.items())}

    def one_pass(self) -> dict[int, tuple[float | None, ...]]:
        """One ordered pass over everything that is stored."""
        rows = sorted(self.stored.rows[BTC].items())
        opens, highs, lows, closes, volumes = np.array([values for _, values in rows]).T
        times = np.array([time for time, _ in rows])
        candles = Columns(times, opens, highs, lows, closes, volumes)
        batch = Computation(SETS["default"]).compute(Timeframe.parse("1m"), candles)
        columns = [column.to_pylist() for column in batch.columns[1:]]
        return dict(zip(times.tolist(), zip(*columns, strict=True), strict=True))


@asynccontextmanager
async def opened(rows: int = 50_000) -> AsyncGenerator[Desk]:
    log = MemoryLog()
    async with log.producer() as producer:
        publisher = Publisher(
            producer, source="featurizer", clock=SystemClock(), topic_prefix="candlelog."
        )
        yield Desk(log, publisher, rows)


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with opened() as made:
        yield made


def equal(actual: dict[int, Any], expected: dict[int, Any]) -> bool:
    if actual.keys() != expected.keys():
        return False
    left = np.array([actual[time] for time in sorted(actual)], dtype=float)
    right = np.array([expected[time] for time in sorted(expected)], dtype=float)
    same_nulls = np.isnan(left) == np.isnan(right)
    close = np.abs(left - right) <= TOLERANCE * np.maximum(np.abs(right), SCALE)
    return bool((same_nulls & (close | np.isnan(left))).all())


async def test_a_series_may_have_several_sets_and_builds_of_them(desk: Desk):
    batch = candles(range(30))
    desk.store(batch, 0)
    desk.stored.kept[BTC] = [Build(OTHER.ref, 1), Build(DEFAULT, 0), Build(DEFAULT, 2)]
    await desk.handle((0, batch))
    computed = [(each.header.feature_set.text, each.header.build) for each in desk.batches]
    assert computed[:-1] == [("default/1", 0), ("default/1", 2), ("other/2", 1)]


async def test_a_build_that_is_not_kept_up_is_left_alone_though_batches_carry_its_set(desk: Desk):
    batch = candles(range(30))
    desk.store(batch, 0)
    desk.stored.kept[BTC] = [Build(DEFAULT, 3)]
    await desk.handle((0, batch))
    assert {each.header.build for each in desk.batches} == {3}


async def test_every_stored_candle_of_a_batch_has_its_features(desk: Desk):
    batch = candles(range(300))
    desk.store(batch, 0)
    assert await desk.handle((0, batch)) == [Done()]
    assert equal(desk.readable(), desk.one_pass())


async def test_the_chunk_of_a_batch_is_answered_behind_its_features(desk: Desk):
    batch = candles([0, 1, 5])
    desk.store(batch, 0)
    await desk.handle((0, batch))
    *_, last = desk.batches
    (answer,) = last.header.answers
    assert (answer.chunk_id, answer.features) == (batch.header.chunk_id, 3)
    assert last.rows.num_rows == 0


async def test_each_part_of_a_chunk_is_answered_with_its_own_features(desk: Desk):
    for part, minutes in enumerate([range(10), range(10, 14)]):
        batch = candles(minutes)
        of_part = batch.header.model_copy(update={"part": part, "last_part": part == 1})
        desk.store(batch, part)
        await desk.handle((part, replace(batch, header=of_part)))
    answers = [answer for batch in desk.batches for answer in batch.header.answers]
    told = [(answer.part, answer.last_part, answer.features) for answer in answers]
    assert told == [(0, False, 10), (1, True, 4)]


async def test_a_chunk_without_candles_is_answered(desk: Desk):
    nothing = header([0, 9]).model_copy(update={"answer": "empty"})
    empty = CandleBatchV1(nothing, pa.RecordBatch.from_pylist([], schema=CANDLE_SCHEMA))
    desk.store(empty, 0)
    await desk.handle((0, empty))
    (only,) = desk.batches
    assert [answer.features for answer in only.header.answers] == [0]


async def test_nothing_is_computed_of_a_series_nobody_asked_features_of(desk: Desk):
    batch = CandleBatchV1(header(range(10), sets=()), candles(range(10)).rows)
    desk.store(batch, 0)
    assert await desk.handle((0, batch)) == [Done()]
    assert desk.batches == []


async def test_a_series_with_features_keeps_them_whatever_a_later_job_asks(desk: Desk):
    desk.stored.kept[BTC] = [Build(DEFAULT, 0)]
    batch = CandleBatchV1(header(range(10), sets=()), candles(range(10)).rows)
    desk.store(batch, 0)
    await desk.handle((0, batch))
    assert equal(desk.readable(), desk.one_pass())
    assert [batch.header.answers for batch in desk.batches] == [()]


async def test_nothing_is_read_before_the_sink_has_stored_it(desk: Desk):
    batch = candles(range(10))
    handling = asyncio.create_task(desk.handle((4, batch)))
    await asyncio.sleep(0)
    assert not handling.done()
    desk.store(batch, 4)
    await handling
    assert equal(desk.readable(), desk.one_pass())


async def test_a_candle_of_a_chunk_counts_once_though_it_is_computed_behind_another_chunk_too():
    async with opened(rows=6_000) as desk:
        stretch = candles(range(10_000))
        desk.store(stretch, 0)
        asked = [candles(range(first, first + 1_000)) for first in (0, 4_000, 6_500)]
        for offset, batch in enumerate(asked, 1):
            desk.store(batch, offset)
        await desk.handle(*enumerate(asked, 1))
        *_, last = desk.batches
        assert [answer.features for answer in last.header.answers] == [1_000] * 3


async def test_where_one_series_cannot_be_read_none_is_left_at_work(desk: Desk):
    ended = asyncio.Event()

    async def away(series: Series, start: int, *, before: int, most: int) -> Columns:
        if series == BTC:
            raise Unavailable("memory limit exceeded")
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    desk.stored.candles = away
    batch = candles(range(10))
    other = CandleBatchV1(batch.header.model_copy(update={"symbol": "ETH/USDT"}), batch.rows)
    for offset, each in enumerate((batch, other)):
        desk.store(each, offset)
    with pytest.raises(Unavailable):
        await desk.handle((0, batch), (1, other))
    assert ended.is_set()


async def test_all_of_a_long_series_is_computed_a_stretch_at_a_time():
    async with opened(rows=1_000) as desk:
        batch = candles(range(0, 9_000, 2))
        desk.store(batch, 0)
        desk.barrier.rise("replay.requested", desk.partition.number, 1)
        await desk.handle((0, everything()))
        assert equal(desk.readable(), desk.one_pass())
        assert max(batch.rows.num_rows for batch in desk.batches) <= 1_000 + W


async def test_pages_that_lie_near_one_another_are_read_at_once(desk: Desk):
    pages = [candles(range(first, first + 100)) for first in (0, 3_000, 20_000)]
    reads: list[int] = []
    read = desk.stored.candles

    async def counted(series: Series, start: int, *, before: int, most: int) -> Columns:
        reads.append(start)
        return await read(series, start, before=before, most=most)

    desk.stored.candles = counted
    for offset, page in enumerate(pages):
        desk.store(page, offset)
    await desk.handle(*enumerate(pages))
    assert reads == [milliseconds(START + minute * MINUTE) for minute in (0, 20_000)]
    assert equal(desk.readable(), desk.one_pass())


@pytest.mark.parametrize("event", [everything(), candles([0])], ids=["request", "batch"])
async def test_an_unknown_feature_set_is_refused_with_those_there_are(event: Any):
    async with opened() as desk:
        unknown = FeatureSetRef(name="mine", version=2)
        if isinstance(event, CandleBatchV1):
            event = CandleBatchV1(header([0], sets=[unknown]), event.rows)
        else:
            event = event.model_copy(update={"feature_set": unknown})
        desk.barrier.rise("replay.requested", desk.partition.number, 1)
        desk.barrier.rise("candles", desk.partition.number, 1)
        assert await desk.handle((0, event)) == [
            Reject("no feature set mine/2; there are default/1, other/2")
        ]


histories = st.lists(
    st.tuples(
        st.integers(0, 5_000),  # first minute
        st.integers(1, 900),  # how many
        st.integers(1, 3),  # step between minutes
        st.integers(1, 3),  # prices
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15)
@given(history=histories, random=st.randoms(use_true_random=False))
async def test_whatever_comes_in_whatever_order_the_features_are_those_of_one_pass(
    history: list[tuple[int, int, int, int]], random: Random
):
    """Batches overlap, restate and fill holes; groups are cut anywhere, come late, come again."""
    batches = [
        candles(range(first, first + count * step, step), seed=seed)
        for first, count, step, seed in history
    ]
    async with opened(rows=random.choice((2_000, 50_000))) as desk:
        handled = 0
        for offset, batch in enumerate(batches):
            desk.store(batch, offset)
            if random.random() < 0.5:  # the featurizer is behind
                begin = random.randint(0, handled)  # and begins again where it had committed
                await desk.handle(*list(enumerate(batches))[begin : offset + 1])
                handled = offset + 1
        await desk.handle(*list(enumerate(batches))[random.randint(0, handled) :])
        assert equal(desk.readable(), desk.one_pass())
