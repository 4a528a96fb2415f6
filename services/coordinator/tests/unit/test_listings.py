"""Which files of its archive there are of a series, wherever they lie."""

from datetime import UTC, datetime, timedelta

import pytest

from candlelog.archives.memory import MemoryArchive
from candlelog.clock import ManualClock
from candlelog.errors import Invalid
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from coordinator.adapters.listings import Listings

NOW = datetime(2024, 3, 3, 12, tzinfo=UTC)
BTC, ETH = Series("binance", "BTC/USDT", "1h"), Series("binance", "ETH/USDT", "1h")
KRAKEN = Series("kraken", "BTC/USD", "1h")
WINDOW = TimeRange(datetime(2024, 1, 1, tzinfo=UTC), NOW)
MONTHS, DAYS = (f"spot/{pace}/klines/BTCUSDT/1h/BTCUSDT-1h-" for pace in ("monthly", "daily"))


@pytest.fixture
def archive() -> MemoryArchive:
    return MemoryArchive()


@pytest.fixture
def listings(archive: MemoryArchive) -> Listings:
    return Listings({"binance": archive, "kraken": archive}, ManualClock(NOW))


async def paths(listings: Listings, series: Series) -> list[str]:
    found = await listings.look(profile(series.exchange), {series: WINDOW})
    assert found is not None
    return [file.ref.path for file in found.files[series]]


async def test_an_exchange_whose_archive_is_not_here_has_none(archive: MemoryArchive):
    listings = Listings({"kraken": archive}, ManualClock(NOW))
    assert await listings.look(profile("binance"), {BTC: WINDOW}) is None
    assert set(listings.names) == {"kraken"}


async def test_files_of_months_are_found_and_of_days_where_there_is_none(
    archive: MemoryArchive, listings: Listings
):
    there = [
        f"{MONTHS}2024-01.zip", f"{DAYS}2024-01-05.zip", f"{DAYS}2024-02-01.zip",
        f"{DAYS}2024-02-07.zip", f"{MONTHS}2023-12.zip",
    ]  # fmt: skip
    archive.files = dict.fromkeys(there, b"1")
    assert await paths(listings, BTC) == [there[0], there[2], there[3]]


async def test_each_series_has_files_of_its_own(archive: MemoryArchive, listings: Listings):
    archive.files = {f"{MONTHS}2024-01.zip": b"1"}
    found = await listings.look(profile("binance"), {BTC: WINDOW, ETH: WINDOW})
    assert found is not None
    assert {each: len(files) for each, files in found.files.items()} == {BTC: 1, ETH: 0}


async def test_a_file_of_another_content_has_another_version(
    archive: MemoryArchive, listings: Listings
):
    versions: list[str] = []
    for content in (b"1", b"2"):
        archive.files = {f"{MONTHS}2024-01.zip": content}
        found = await listings.look(profile("binance"), {BTC: WINDOW})
        assert found is not None
        versions += [file.ref.version for file in found.files[BTC]]
    assert len(set(versions)) == 2


def lines(first: datetime, count: int) -> bytes:
    start = int(first.timestamp())
    return b"".join(b"%d,1,1,1,1,1,1\n" % (start + 3600 * n) for n in range(count))


async def test_a_file_of_kraken_is_looked_into_from_begin_to_end(
    archive: MemoryArchive, listings: Listings
):
    first = datetime(2014, 1, 1, tzinfo=UTC)
    archive.files = {"deep/XBTUSD_60.csv": lines(first, 50_000), "XBTUSD_1.csv": b"", "x": b""}
    found = await listings.look(profile("kraken"), {KRAKEN: WINDOW})
    assert found is not None
    (file,) = found.files[KRAKEN]
    assert file.part == TimeRange(first, first + timedelta(hours=50_000))


async def test_a_file_of_kraken_is_looked_into_once_as_long_as_it_stays(
    archive: MemoryArchive, listings: Listings, monkeypatch: pytest.MonkeyPatch
):
    opened: list[str] = []
    true_open = MemoryArchive.open

    def counted(self: MemoryArchive, path: str) -> object:
        opened.append(path)
        return true_open(self, path)

    monkeypatch.setattr(MemoryArchive, "open", counted)
    for count in (5, 5, 6):
        archive.files = {"XBTUSD_60.csv": lines(WINDOW.start, count)}
        assert await paths(listings, KRAKEN) == ["XBTUSD_60.csv"]
    assert len(opened) == 2


async def test_a_file_of_kraken_without_a_candle_holds_nothing(
    archive: MemoryArchive, listings: Listings
):
    archive.files = {"XBTUSD_60.csv": b"<html>"}
    assert await paths(listings, KRAKEN) == []


async def test_a_zip_of_which_nobody_knows_what_is_in_it_is_told_of(
    archive: MemoryArchive, listings: Listings
):
    archive.files = {"cut.zip": b"PK"}
    found = await listings.look(profile("kraken"), {KRAKEN: WINDOW})
    assert found is not None
    assert found.damaged == ("cut.zip",)


async def test_an_archive_that_cannot_be_looked_through_says_so(listings: Listings):
    listings = Listings.at({"kraken": "http://127.0.0.1:1"}, ManualClock(NOW))
    with pytest.raises(Invalid, match="name the folder"):
        await listings.look(profile("kraken"), {KRAKEN: WINDOW})
