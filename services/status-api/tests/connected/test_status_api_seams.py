"""Where files and the venue were both read, over REST from the engine."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pytest

pytestmark = pytest.mark.connected

T0 = datetime(2024, 2, 1, tzinfo=UTC)
READ = T0 + timedelta(days=1)
LATER = READ + timedelta(hours=1)
MS = pa.timestamp("ms", "UTC")


def at(hour: int) -> datetime:
    return T0 + timedelta(hours=hour)


@pytest.fixture
def symbol() -> str:
    """A symbol of this test alone."""
    return f"S{uuid4().hex[:8]}/USD"


async def cover(
    first: Any,
    symbol: str,
    source: str,
    start: int,
    end: int,
    *,
    outcome: str = "candles",
    read: datetime = READ,
) -> None:
    await first.clickhouse.insert_arrow(
        "coverage",
        pa.table(
            {
                "exchange": ["kraken"], "symbol": [symbol], "timeframe": ["1h"],
                "start": pa.array([at(start)], MS), "end": pa.array([at(end)], MS),
                "source": [source], "outcome": [outcome], "job_id": [str(UUID(int=1))],
                "chunk_id": [str(uuid4())], "observed_at": pa.array([read], MS),
            }
        ),
    )  # fmt: skip


async def store(
    first: Any, table: str, symbol: str, source: str, *closes: tuple[int, float], read: datetime
) -> None:
    count, prices = len(closes), pa.array([close for _, close in closes])
    await first.clickhouse.insert_arrow(
        table,
        pa.table(
            {
                "exchange": ["kraken"] * count, "symbol": [symbol] * count,
                "timeframe": ["1h"] * count,
                "open_time": pa.array([at(slot) for slot, _ in closes], MS),
                **dict.fromkeys(("open", "high", "low", "close", "volume"), prices),
                "quote_volume": pa.nulls(count, pa.float64()),
                "trades": pa.array([3] * count, pa.uint32()), "source": [source] * count,
                "observed_at": pa.array([read] * count, MS),
            }
        ),
    )  # fmt: skip


async def seams(first: Any, symbol: str) -> list[tuple[str, str, int, int]]:
    found = await listed(first, symbol=symbol)
    return [(each["start"], each["end"], each["slots"], each["differing"]) for each in found]


async def listed(first: Any, **query: Any) -> list[dict[str, Any]]:
    answer = await first.http.get("/reports/seams", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_what_was_read_one_way_has_no_seam(first: Any, symbol: str):
    await cover(first, symbol, "archive", 0, 4)
    await cover(first, symbol, "rest", 4, 8)
    assert await seams(first, symbol) == []


async def test_a_seam_is_what_was_read_both_ways_however_often(first: Any, symbol: str):
    await cover(first, symbol, "archive", 0, 4)
    for start, end in ((2, 3), (3, 8), (2, 8)):
        await cover(first, symbol, "rest", start, end)
    assert await seams(first, symbol) == [("2024-02-01T02:00:00Z", "2024-02-01T04:00:00Z", 2, 0)]


async def test_what_was_not_listed_is_no_answer_to_compare(first: Any, symbol: str):
    await cover(first, symbol, "archive", 0, 4)
    await cover(first, symbol, "rest", 0, 4, outcome="unlisted")
    assert await seams(first, symbol) == []


async def test_a_slot_of_which_both_ways_are_known_differs(first: Any, symbol: str):
    await cover(first, symbol, "archive", 0, 4)
    await cover(first, symbol, "rest", 2, 8, read=LATER)
    await store(first, "candles", symbol, "archive", (0, 10.0), (1, 11.0), (2, 12.0), read=READ)
    await store(first, "candles", symbol, "rest", (3, 13.5), (4, 14.0), read=LATER)
    await store(first, "candle_revisions", symbol, "archive", (3, 13.0), read=READ)
    (seam,) = await listed(first, symbol=symbol)
    (difference,) = seam["differences"]
    assert (seam["slots"], seam["differing"]) == (2, 1)
    assert difference["open_time"] == "2024-02-01T03:00:00Z"
    assert (difference["archive"]["close"], difference["venue"]["close"]) == (13.0, 13.5)


async def test_what_the_venue_has_corrected_since_differs(first: Any, symbol: str):
    await cover(first, symbol, "archive", 0, 4)
    await cover(first, symbol, "rest", 2, 8, read=LATER)
    await store(first, "candles", symbol, "rest", (3, 13.5), read=LATER)
    await store(first, "candle_revisions", symbol, "rest", (3, 13.0), read=READ)
    assert [seam[3] for seam in await seams(first, symbol)] == [1]


async def test_a_file_that_says_now_what_the_venue_says_differs_no_more(first: Any, symbol: str):
    await cover(first, symbol, "archive", 0, 4)
    await cover(first, symbol, "rest", 2, 8, read=LATER)
    await cover(first, symbol, "archive", 0, 4, read=LATER + timedelta(hours=1))
    await store(first, "candles", symbol, "rest", (3, 13.5), read=LATER)
    await store(first, "candle_revisions", symbol, "archive", (3, 13.0), read=READ)
    assert [seam[3] for seam in await seams(first, symbol)] == [0]


async def test_seams_go_on_by_series(first: Any, symbol: str):
    names = [f"{symbol[:-4]}{number}/USD" for number in range(3)]
    for name in names:
        await cover(first, name, "archive", 0, 4)
        await cover(first, name, "rest", 3, 8)
    found, cursor = list[str](), ""
    while cursor is not None:
        query = {"exchange": "kraken", "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await first.http.get("/reports/seams", params=query)).json()
        found += [each["symbol"] for each in page["items"]]
        cursor = page["next"]
    assert [name for name in found if name in names] == names
