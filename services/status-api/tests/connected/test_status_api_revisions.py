"""What was believed of candles before, and what is known of slots, over REST from the engine."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

pytestmark = pytest.mark.connected

T0 = datetime(2024, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MS = pa.timestamp("ms", "UTC")
KRAKEN = {"exchange": "kraken", "symbol": "BTC/USD", "timeframe": "1h"}
SLOTS = {"start": "2024-02-01", "end": "2024-02-01T10:00:00Z"}
FIRST, SECOND, THIRD = T0 + DAY, T0 + 2 * DAY, T0 + 3 * DAY
"""When the range was read."""


def rows(*versions: tuple[int, float, datetime]) -> pa.Table:
    """Slot, close and when it was read."""
    count = len(versions)
    prices = pa.array([close for _, close, _ in versions], pa.float64())
    return pa.table(
        {name: [value] * count for name, value in KRAKEN.items()}
        | {"open_time": pa.array([T0 + timedelta(hours=slot) for slot, _, _ in versions], MS)}
        | dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
        | {
            "quote_volume": pa.array([None] * count, pa.float64()),
            "trades": pa.array([3] * count, pa.uint32()),
            "source": ["rest"] * count,
            "observed_at": pa.array([observed for _, _, observed in versions], MS),
        }
    )


def asked(first: int, end: int, observed: datetime) -> pa.Table:
    return pa.table(
        {name: [value] for name, value in KRAKEN.items()}
        | {
            "start": pa.array([T0 + timedelta(hours=first)], MS),
            "end": pa.array([T0 + timedelta(hours=end)], MS),
            "source": ["rest"],
            "outcome": ["candles"],
            "job_id": [str(UUID(int=1))],
            "chunk_id": [str(UUID(int=int(observed.timestamp())))],
            "observed_at": pa.array([observed], MS),
        }
    )


EARLY = T0 + timedelta(hours=9, minutes=2)
"""Behind the close of slot 8, before its settle delay is over."""


@pytest.fixture(scope="module")
async def believed(first: Any, emptied: None) -> Any:
    """Ten hours of a sparse venue: slot 2 was restated, and back; of 3 it came late that it was so
    before; 4, 5 hold no trade; 8 was read too early; 6, 7 and 9 were never asked for.
    """
    store = first.clickhouse
    now = [(0, 10.0, FIRST), (1, 11.0, FIRST), (2, 12.0, THIRD), (3, 13.0, FIRST), (8, 18.0, EARLY)]
    await store.insert_arrow("candles", rows(*now))
    before = [(2, 12.0, FIRST), (2, 12.5, SECOND), (3, 13.0, FIRST - timedelta(hours=1))]
    await store.insert_arrow("candle_revisions", rows(*before))
    for answer in (asked(0, 6, FIRST), asked(0, 6, SECOND), asked(0, 6, THIRD), asked(8, 9, EARLY)):
        await store.insert_arrow("coverage", answer)
    return first


async def read(served: Any, path: str = "/candles", **query: Any) -> list[dict[str, Any]]:
    answer = await served.http.get(path, params={**KRAKEN, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def closes(items: Sequence[dict[str, Any]]) -> list[tuple[int, float]]:
    return [(int(item["open_time"][11:13]), item["close"]) for item in items]


@pytest.mark.parametrize(
    ("moment", "close"),
    [
        (FIRST, 12.0),
        (SECOND - timedelta(milliseconds=1), 12.0),
        (SECOND, 12.5),
        (THIRD - timedelta(milliseconds=1), 12.5),
        (THIRD, 12.0),
    ],
)
async def test_as_of_gives_what_was_believed_then(believed: Any, moment: datetime, close: float):
    found = await read(believed, as_of=moment.isoformat(), **SLOTS)
    assert dict(closes(found))[2] == close


async def test_as_of_holds_nothing_that_was_read_later(believed: Any):
    found = await read(believed, as_of=EARLY.isoformat(), **SLOTS)
    assert closes(found) == [(8, 18.0)]


async def test_as_of_pages_like_any_range(believed: Any):
    query = {**KRAKEN, **SLOTS, "as_of": SECOND.isoformat(), "limit": 2}
    page = (await believed.http.get("/candles", params=query)).json()
    rest = await read(believed, **(query | {"cursor": page["next"], "limit": 100}))
    assert closes([*page["items"], *rest]) == [
        (0, 10.0), (1, 11.0), (2, 12.5), (3, 13.0), (8, 18.0),
    ]  # fmt: skip


async def test_revisions_name_every_change_of_a_slot(believed: Any):
    found = await read(believed, "/candles/revisions", **SLOTS)
    times = [f"2024-02-0{day}T00:00:00.000Z" for day in (2, 3, 4)]
    assert [(row["close"], row["observed_at"], row["superseded_at"]) for row in found] == [
        (12.0, times[0], times[1]), (12.5, times[1], times[2]), (12.0, times[2], None),
    ]  # fmt: skip
    assert {row["open_time"] for row in found} == {"2024-02-01T02:00:00Z"}


async def test_revisions_go_on_within_a_slot(believed: Any):
    query = {**KRAKEN, **SLOTS, "limit": 2}
    page = (await believed.http.get("/candles/revisions", params=query)).json()
    rest = await read(believed, "/candles/revisions", **query, cursor=page["next"])
    assert [row["close"] for row in rest] == [12.0]


async def test_a_candle_that_was_read_too_early_is_provisional(believed: Any):
    found = await read(believed, **SLOTS)
    assert [item["state"] for item in found] == ["present"] * 4 + ["provisional"]


async def test_filled_a_range_has_a_row_for_every_slot_that_says_why(believed: Any):
    found = await read(believed, fill="flagged", **SLOTS)
    assert [item["state"] for item in found] == [
        "present", "present", "present", "present", "no_trade", "no_trade", "unfetchable",
        "unfetchable", "provisional", "unfetchable",
    ]  # fmt: skip


async def test_where_nothing_was_traded_the_price_is_the_one_before(believed: Any):
    found = await read(believed, fill="flagged", **SLOTS)
    told = [
        (item["open"], item["close"], item["volume"], item["trades"], item["source"])
        for item in found[4:7]
    ]
    assert told == [(13.0, 13.0, 0.0, 0, None), (13.0, 13.0, 0.0, 0, None), (None,) * 5]


async def test_a_page_that_begins_where_nothing_was_traded_knows_the_price(believed: Any):
    found = await read(believed, fill="flagged", **(SLOTS | {"start": "2024-02-01T05:00:00Z"}))
    assert closes(found)[0] == (5, 13.0)


async def test_filled_pages_hold_so_many_slots(believed: Any):
    query = {**KRAKEN, **SLOTS, "fill": "flagged", "limit": 4}
    page = (await believed.http.get("/candles", params=query)).json()
    rest = await read(believed, **(query | {"cursor": page["next"], "limit": 100}))
    assert [len(page["items"]), len(rest)] == [4, 6]


async def test_filled_as_of_a_moment_knows_no_more_than_was_known_then(believed: Any):
    found = await read(believed, fill="flagged", as_of=EARLY.isoformat(), **SLOTS)
    assert {(item["state"], item["close"]) for item in found} == {
        ("unknown", None), ("provisional", 18.0),
    }  # fmt: skip


async def test_filled_as_of_a_moment_no_slot_is_told_that_had_not_closed(believed: Any):
    found = await read(believed, fill="flagged", as_of=EARLY.isoformat(), start=SLOTS["start"])
    assert found[-1]["open_time"] == "2024-02-01T08:00:00Z"


@pytest.mark.parametrize(
    "times",
    [
        {"start": "2024-02-01T05:00:00Z", "as_of": "2024-01-01"},
        {"as_of": "1960-01-01"},
        {"start": "2200-01-01T00:00:00Z", "end": "2200-01-02T00:00:00Z"},
    ],
)
async def test_filled_a_range_without_a_slot_is_empty(believed: Any, times: dict[str, str]):
    assert await read(believed, fill="flagged", **times) == []


async def tag_of(served: Any, tag: str = "", **query: Any) -> tuple[int, str]:
    answer = await served.http.get(
        "/candles", params={**KRAKEN, **SLOTS, **query}, headers={"If-None-Match": tag}
    )
    return answer.status_code, answer.headers["etag"]


async def test_who_has_the_rows_hears_that_they_hold(believed: Any):
    status, tag = await tag_of(believed)
    assert (status, await tag_of(believed, f'"other", {tag}')) == (200, (304, tag))


async def test_any_tag_is_one_that_holds(believed: Any):
    assert (await tag_of(believed, "*"))[0] == 304


async def test_each_form_of_an_answer_has_a_tag_of_its_own(believed: Any):
    tags = [(await tag_of(believed, format=each))[1] for each in ("json", "csv", "parquet")]
    assert len(set(tags)) == 3


async def test_what_is_read_again_has_another_tag(believed: Any):
    _, before = await tag_of(believed, end="2024-02-01T04:00:00Z")
    _, past = await tag_of(believed, as_of=THIRD.isoformat())
    _, apart = await tag_of(believed, start="2024-02-01T06:00:00Z")
    _, carried = await tag_of(believed, fill="flagged", start="2024-02-01T04:00:00Z")
    await believed.clickhouse.insert_arrow("coverage", asked(0, 4, THIRD + DAY))
    status, after = await tag_of(believed, before, end="2024-02-01T04:00:00Z")
    assert (status, after != before) == (200, True)
    assert await tag_of(believed, past, as_of=THIRD.isoformat()) == (304, past)
    assert await tag_of(believed, apart, start="2024-02-01T06:00:00Z") == (304, apart)
    again = await tag_of(believed, carried, fill="flagged", start="2024-02-01T04:00:00Z")
    assert again[0] == 200  # the price before the range may be another one


@pytest.mark.parametrize(
    ("page", "status"),
    [
        ({"limit": "1"}, 304),
        ({"limit": "1", "fill": "flagged"}, 304),
        ({"limit": "3", "start": "2024-02-01T02:00:00Z"}, 200),
        ({"limit": "1", "format": "csv"}, 200),
    ],
    ids=["slots have rows", "filled", "slots lack theirs", "streamed"],
)
async def test_what_is_read_behind_a_page_changes_its_tag_where_it_reached_so_far(
    believed: Any, page: dict[str, str], status: int
):
    _, tag = await tag_of(believed, **page)
    later = THIRD + timedelta(days=len(str(page)))
    await believed.clickhouse.insert_arrow("coverage", asked(5, 6, later))
    assert (await tag_of(believed, tag, **page))[0] == status


async def report(served: Any, **query: Any) -> list[dict[str, Any]]:
    answer = await served.http.get("/reports/completeness", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_completeness_of_a_series_counts_its_slots_by_state(believed: Any):
    (line,) = await report(believed, exchange="kraken", end=SLOTS["end"])
    assert line["states"] == {"present": 4, "no_trade": 2, "unfetchable": 3, "provisional": 1}
    assert (line["slots"], line["completeness"]) == (10, 0.7)


async def test_what_was_not_read_for_a_day_is_stale(believed: Any):
    (line,) = await report(believed, exchange="kraken")
    assert (line["freshness"], line["overdue_seconds"] > 86_400) == ("stale", True)


async def test_how_fresh_it_is_is_not_said_of_the_past(believed: Any):
    (line,) = await report(believed, exchange="kraken", end=SLOTS["end"])
    assert (line["freshness"], line["overdue_seconds"]) == (None, None)


async def test_completeness_by_day_holds_all_series_together(believed: Any):
    lines = await report(believed, exchange="kraken", by="day", end="2024-02-02T01:00:00Z")
    assert [(line["day"], line["slots"]) for line in lines] == [
        ("2024-02-01", 24),
        ("2024-02-02", 1),
    ]


@pytest.mark.parametrize("by", ["symbol", "exchange"])
async def test_completeness_is_rolled_up(believed: Any, by: str):
    (line,) = await report(believed, exchange="kraken", by=by, end=SLOTS["end"])
    assert (line["series"], line["slots"]) == (1, 10)
