from datetime import datetime
from uuid import UUID, uuid4

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.clock import ManualClock
from candlelog.events.feature_sets import DEFAULT, FeatureSetRef
from candlelog.events.features import (
    ChunkFeatures,
    FeatureBatchHeaderV1,
    FeatureBatchV1,
    feature_schema,
)
from candlelog.events.progress import FeaturesStoredV1
from candlelog.events.replay import BuildsChangedV1, BuildState, ReplayRequestedV1
from candlelog.events.sink import SinkWatermarkV1
from candlelog.events.topics import REPLAY_REQUESTED
from candlelog.log.memory import MemoryLog
from candlelog.log.outcome import Done, Reject
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition, Received, Record
from candlelog.market.series import Series
from clickhouse_sink.adapters.memory import MemoryFeatureTables
from clickhouse_sink.domain.builds import Build, Note, to_note
from clickhouse_sink.handlers.features import NoteBuilds, StoreFeatures
from clickhouse_sink.handlers.watermarks import Watermarks

START = 1_706_745_600_000
BTC = Series("binance", "BTC/USDT", "1m")
CHUNK = ChunkFeatures(
    job_id=UUID(int=1), task_id=UUID(int=2), chunk_id=UUID(int=3), generation=1, release=2,
    features=2,
)  # fmt: skip


def batch(times: list[int], values: list[float], **changes: object) -> FeatureBatchV1:
    fields = {
        "exchange": BTC.exchange, "symbol": BTC.symbol, "timeframe": BTC.timeframe,
        "feature_set": DEFAULT, "revision": 1,
    } | changes  # fmt: skip
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array(times, pa.int64()).cast(pa.timestamp("ms", "UTC")),
            pa.array(values, pa.float64()),
        ],
        schema=feature_schema(["sma_7"]),
    )
    return FeatureBatchV1(FeatureBatchHeaderV1.model_validate(fields), rows)


def request(version: int = 1, symbol: str = "BTC/USDT") -> ReplayRequestedV1:
    return ReplayRequestedV1(
        chunk_id=uuid4(), job_id=UUID(int=1), task_id=UUID(int=2), exchange="binance",
        symbol=symbol, timeframe="1m", start=datetime.fromisoformat("2024-02-01T00:00:00Z"),
        end=datetime.fromisoformat("2024-02-02T00:00:00Z"),
        feature_set=FeatureSetRef(name="default", version=version), generation=1, release=1,
    )  # fmt: skip


class Desk:
    """Handlers over tables in memory."""

    def __init__(self, publisher: Publisher, log: MemoryLog, now: datetime) -> None:
        self.tables, self.log, self.publisher = MemoryFeatureTables(), log, publisher
        self.store = StoreFeatures(self.tables, publisher, ManualClock(now))
        self.note = NoteBuilds(self.tables, publisher, Watermarks(REPLAY_REQUESTED))

    def received(self, *events) -> list[Received]:
        sent = [self.publisher.outgoing(event) for event in events]
        return [
            receive(
                Record(
                    Partition(each.topic, 3), 40 + at, each.key, each.value, each.headers,
                    datetime.fromisoformat("2024-02-01T00:00:00Z"),
                )
            )
            for at, each in enumerate(sent)
        ]  # fmt: skip

    def said(self, name: str) -> list[object]:
        return [receive(record).event for record in self.log.records(f"candlelog.{name}")]


@pytest.fixture
async def desk(now: datetime):
    log = MemoryLog()
    async with log.producer() as producer:
        yield Desk(
            Publisher(producer, source="sink", clock=ManualClock(now), topic_prefix="candlelog."),
            log,
            now,
        )


async def test_features_are_stored_and_their_chunks_reported(desk: Desk, now: datetime):
    outcomes = await desk.store(
        desk.received(batch([START, START + 60_000], [1.0, 2.0], answers=(CHUNK,)))
    )
    assert outcomes == [Done()]
    assert [row["sma_7"] for row in desk.tables.rows()] == [1.0, 2.0]
    assert desk.said("progress") == [
        FeaturesStoredV1(**CHUNK.model_dump(), stored_at=now),
    ]


async def test_a_batch_without_rows_reports_its_chunks(desk: Desk):
    await desk.store(desk.received(batch([], [], answers=(CHUNK,))))
    assert [type(event) for event in desk.said("progress")] == [FeaturesStoredV1]


@pytest.mark.parametrize(
    ("times", "value"),
    [([START, START], 1.0), ([START + 60_000, START], 1.0), ([START], float("inf"))],
    ids=["twice", "backwards", "infinite"],
)
async def test_a_batch_that_breaks_a_rule_is_refused_and_nothing_of_it_stored(
    desk: Desk, times: list[int], value: float
):
    (outcome,) = await desk.store(
        desk.received(batch(times, [value] * len(times), answers=(CHUNK,)))
    )
    assert isinstance(outcome, Reject)
    assert desk.tables.rows() == []
    assert desk.said("progress") == []


async def test_a_request_is_noted_before_the_watermark_says_so(desk: Desk):
    await desk.note(desk.received(request(), request()))
    assert await desk.tables.builds({BTC}) == {Build(BTC, "default", 1, 0): "serving"}
    assert desk.said("sink.watermarks") == [
        SinkWatermarkV1(source_topic="replay.requested", partition=3, offset=42)
    ]


def test_a_later_version_stands_beside_the_one_that_is_served():
    first, second = Build(BTC, "default", 1, 0), Build(BTC, "default", 2, 0)
    assert to_note([second], {first: "serving"}) == {second: Note("beside")}


def test_what_was_noted_is_left_as_it_is():
    closed = Build(BTC, "default", 1, 0)
    assert to_note([closed], {closed: "closed"}) == {}


def change(number: int, **states: str) -> BuildsChangedV1:
    """The builds 0 of versions 1 and 2 of `default` get these states."""
    return BuildsChangedV1(
        exchange=BTC.exchange, symbol=BTC.symbol, timeframe=BTC.timeframe, feature_set="default",
        number=number,
        builds=[
            BuildState(version=int(name[1:]), build=0, state=state)
            for name, state in states.items()
        ],
    )  # fmt: skip


async def test_builds_change_their_states_together(desk: Desk):
    first, second = Build(BTC, "default", 1, 0), Build(BTC, "default", 2, 0)
    await desk.tables.note({first: Note("serving"), second: Note("beside")})
    await desk.note(desk.received(change(1, v1="beside", v2="serving")))
    assert await desk.tables.builds({BTC}) == {first: "beside", second: "serving"}


async def test_an_older_change_that_comes_again_changes_nothing(desk: Desk):
    there, back = change(1, v1="beside", v2="serving"), change(2, v1="serving", v2="beside")
    for events in ((there, back), (there,), (back, there), (request(),)):
        await desk.note(desk.received(*events))
        assert await desk.tables.builds({BTC}) == {
            Build(BTC, "default", 1, 0): "serving",
            Build(BTC, "default", 2, 0): "beside",
        }


builds = st.builds(
    Build,
    st.sampled_from([BTC, Series("binance", "ETH/USDT", "1m")]),
    st.sampled_from(["default", "mine"]),
    st.integers(1, 3),
    st.integers(0, 2),
)


@given(st.lists(st.lists(builds, max_size=5), max_size=5))
def test_one_build_of_each_set_of_a_series_is_served(asked: list[list[Build]]):
    noted = {}
    for each in asked:
        noted |= {build: note.state for build, note in to_note(each, noted).items()}
    served = [
        (build.series, build.feature_set) for build, state in noted.items() if state == "serving"
    ]
    assert sorted(served) == sorted({(build.series, build.feature_set) for build in noted})


async def test_watermarks_of_partitions_taken_away_are_not_said_again(desk: Desk):
    watermarks = Watermarks(REPLAY_REQUESTED)
    watermarks.advance(item.record for item in desk.received(request()))
    watermarks.forget()
    assert watermarks.events() == []
