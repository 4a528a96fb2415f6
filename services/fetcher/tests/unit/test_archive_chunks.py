"""From a chunk of an archive file to what stands on the log."""

import asyncio
import hashlib
import zipfile
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from candlelog.clock import SystemClock
from candlelog.events.candles import CandleBatchV1
from candlelog.events.codec import Message
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import JobControlV1
from candlelog.events.progress import ChunkDeferredV1, ChunkFailedV1, ChunkFetchedV1, FileReadV1
from candlelog.events.topics import CANDLES, PROGRESS
from candlelog.log.memory import MemoryLog
from candlelog.log.outcome import Done, Outcome, Skip
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.market.timeframe import milliseconds
from fetcher.adapters.archive_files import ArchiveFiles
from fetcher.archives import reading
from fetcher.control import Control
from fetcher.handlers import Handlers

PREFIX = "candlelog."
START = datetime(2024, 2, 1, tzinfo=UTC)
PATH = "spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02-01.zip"


def lines(count: int) -> str:
    first = milliseconds(START)
    return "".join(f"{first + at * 60_000},10,11,9,10,1,0,10,3,1,10,0\n" for at in range(count))


def put(folder: Path, text: str, *, name: str = PATH, checksum: str | None = None) -> bytes:
    path = folder / name
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("BTCUSDT.csv", text)
    content = path.read_bytes()
    digest = checksum or hashlib.sha256(content).hexdigest()
    path.with_name(f"{path.name}.CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return content


def chunk(**changes: Any) -> FetchRequestedV1:
    given = {
        "chunk_id": uuid4(), "job_id": uuid4(), "task_id": uuid4(), "exchange": "binance",
        "symbol": "BTC/USDT", "timeframe": "1m", "start": START,
        "end": START + timedelta(minutes=25), "slots": 25, "route": "archive",
        "file": {"path": PATH, "version": "1-1"}, "generation": 1, "release": 1, "attempt": 1,
        "max_attempts": 3,
    }  # fmt: skip
    return FetchRequestedV1.model_validate(given | changes)


class Desk:
    """The handlers of a fetcher that has archives and no venue, over a log in memory."""

    def __init__(self, log: MemoryLog, publisher: Publisher, clock: SystemClock) -> None:
        self.log, self.publisher = log, publisher
        self.archives: dict[str, str] = {}
        self.control = Control(log, PREFIX + "jobs.control", clock=clock)
        nobody: Any = None
        self.handlers = Handlers(
            nobody,
            ArchiveFiles(self.archives),
            self.control,
            publisher,
            clock=clock,
            instance="fetcher-1",
        )

    async def fetch(self, chunk: FetchRequestedV1) -> Outcome:
        async with asyncio.timeout(240):
            return await self.handlers.fetch(chunk)

    def written(self, topic: str) -> list[Message]:
        return [receive(record).event for record in self.log.records(PREFIX + topic)]


@pytest.fixture
async def desk(clock: SystemClock) -> AsyncGenerator[Desk]:
    log = MemoryLog(clock=clock)
    async with log.producer() as producer:
        publisher = Publisher(producer, source="test", clock=clock, topic_prefix=PREFIX)
        made = Desk(log, publisher, clock)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(made.control.run(asyncio.Event()))
            yield made
            running.cancel()


@pytest.fixture
def folder(desk: Desk, tmp_path: Path) -> Path:
    """The archive of Binance."""
    desk.archives["binance"] = str(tmp_path)
    return tmp_path


async def test_a_file_becomes_parts_whose_ranges_are_that_of_the_chunk(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, "PART_ROWS", 10)
    put(folder, lines(25))
    assert await desk.fetch(chunk()) == Done()
    batches = [each for each in desk.written(CANDLES.name) if isinstance(each, CandleBatchV1)]
    told = [(each.header.part, each.header.last_part, each.rows.num_rows) for each in batches]
    assert told == [(0, False, 10), (1, False, 10), (2, True, 5)]
    assert {each.header.source for each in batches} == {"archive"}
    bounds = [START, *(each.header.end for each in batches)]
    assert [each.header.start for each in batches] == bounds[:-1]
    assert bounds[-1] == START + timedelta(minutes=25)


async def test_what_was_read_of_a_file_is_told_before_its_chunk_is_fetched(
    desk: Desk, folder: Path
):
    content = put(folder, lines(24) + "nonsense\n")
    await desk.fetch(chunk())
    file, fetched = desk.written(PROGRESS.name)
    assert isinstance(file, FileReadV1)
    assert (file.path, file.version, file.archive) == (PATH, "1-1", "binance")
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert (file.rows, file.quarantined, file.refused) == (24, 1, None)
    assert isinstance(fetched, ChunkFetchedV1)
    assert (fetched.candles, fetched.quarantined, fetched.weight) == (24, 1, 0.0)


async def test_a_chunk_whose_file_lacks_all_that_it_asks_for_fails_for_good(
    desk: Desk, folder: Path
):
    put(folder, lines(5))
    await desk.fetch(chunk(start=START + timedelta(minutes=10)))
    file, failed = desk.written(PROGRESS.name)
    assert isinstance(file, FileReadV1)
    assert (file.rows, file.missing, file.refused) == (0, 15, None)
    assert isinstance(failed, ChunkFailedV1)
    assert (failed.code, failed.final) == ("not_in_file", True)
    assert desk.written(CANDLES.name) == []


async def test_what_is_told_of_a_file_is_told_with_what_was_asked_of_it(desk: Desk, folder: Path):
    put(folder, lines(25))
    await desk.fetch(chunk())
    file, _ = desk.written(PROGRESS.name)
    assert isinstance(file, FileReadV1)
    assert (file.start, file.end) == (START, START + timedelta(minutes=25))


MONTH = "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02.zip"
OF_MONTH = {"file": {"path": MONTH, "version": "1-1"}}


@pytest.mark.parametrize(
    ("of_day", "differing"),
    [
        (lines(25), 0),
        (lines(24), 1),
        (lines(26), 0),
        (lines(25).replace(",10,11,9,10,1,", ",10,11,9,10.5,1,", 3), 3),
        (lines(25).replace(",10,3,1", ",10,4,1", 1), 1),
        ("nonsense\n", 0),
    ],
)
async def test_a_month_is_compared_with_the_days_beside_it(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch, of_day: str, differing: int
):
    monkeypatch.setattr(reading, "PART_ROWS", 10)
    put(folder, of_day)
    put(folder, lines(25), name=MONTH)
    await desk.fetch(chunk(**OF_MONTH))
    file, _ = desk.written(PROGRESS.name)
    assert isinstance(file, FileReadV1)
    assert (file.path, file.rows, file.differing) == (MONTH, 25, differing)


async def test_a_day_that_is_damaged_says_nothing_of_its_month(desk: Desk, folder: Path):
    put(folder, lines(24))
    (folder / PATH).write_bytes(b"no zip")
    put(folder, lines(25), name=MONTH)
    await desk.fetch(chunk(**OF_MONTH))
    file, _ = desk.written(PROGRESS.name)
    assert isinstance(file, FileReadV1)
    assert (file.refused, file.differing) == (None, 0)


async def test_a_file_that_is_refused_fails_its_chunk_for_good_and_is_told(
    desk: Desk, folder: Path
):
    put(folder, lines(25), checksum="0" * 64)
    await desk.fetch(chunk())
    file, failed = desk.written(PROGRESS.name)
    assert isinstance(file, FileReadV1)
    assert file.refused is not None
    assert file.refused.startswith("checksum_mismatch: ")
    assert isinstance(failed, ChunkFailedV1)
    assert (failed.code, failed.transient) == ("checksum_mismatch", False)
    assert desk.written(CANDLES.name) == []


async def test_a_file_that_is_gone_fails_its_chunk_for_good(desk: Desk, folder: Path):
    await desk.fetch(chunk())
    (failed,) = desk.written(PROGRESS.name)  # and not that the file was refused
    assert isinstance(failed, ChunkFailedV1)
    assert (failed.code, failed.transient) == ("file_missing", False)


@pytest.mark.parametrize(
    "asked",
    [
        chunk(),
        chunk(exchange="kraken", symbol="BTC/USD", file={"path": "XBTUSD_1.csv", "version": "1-1"}),
    ],
    ids=["binance", "kraken"],
)
async def test_an_archive_that_is_away_uses_up_no_attempt(
    desk: Desk, tmp_path: Path, asked: FetchRequestedV1
):
    desk.archives[asked.exchange] = str(tmp_path / "not mounted")
    await desk.fetch(asked)
    (deferred,) = desk.written(PROGRESS.name)
    assert isinstance(deferred, ChunkDeferredV1)


async def test_a_fetcher_without_the_archive_says_what_to_give_it(desk: Desk):
    await desk.fetch(chunk())
    (failed,) = desk.written(PROGRESS.name)
    assert isinstance(failed, ChunkFailedV1)
    assert (failed.code, "CANDLELOG_ARCHIVES" in failed.message) == ("no_archive", True)


async def test_a_file_of_a_job_that_was_stopped_is_not_read(desk: Desk, folder: Path):
    put(folder, lines(25))
    asked = chunk()
    await desk.publisher.publish(
        JobControlV1(job_id=asked.job_id, generation=1, state="cancelled", stopped=())
    )
    assert isinstance(await desk.fetch(asked), Skip)
    assert desk.written(CANDLES.name) == []


@pytest.mark.parametrize("text", ["", "nonsense\n" * 25])
async def test_a_file_without_a_candle_explains_no_slot(desk: Desk, folder: Path, text: str):
    put(folder, text)
    await desk.fetch(chunk())
    file, failed = desk.written(PROGRESS.name)
    assert isinstance(file, FileReadV1)
    assert file.refused is not None
    assert file.refused.startswith("no_candles: ")
    assert isinstance(failed, ChunkFailedV1)
    assert desk.written(CANDLES.name) == []
