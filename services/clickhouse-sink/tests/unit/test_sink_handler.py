from datetime import timedelta

import pytest

from candlelog.errors import Unavailable
from candlelog.events.candles import QuarantinedRow
from candlelog.events.progress import BatchStoredV1
from candlelog.events.sink import SinkWatermarkV1
from candlelog.log.outcome import Done, Reject
from clickhouse_sink.adapters.memory import MemoryTables


@pytest.fixture
def tables() -> MemoryTables:
    return MemoryTables()


@pytest.fixture
def bench(tables, bench_over):
    return bench_over(tables)


async def test_candles_of_a_batch_are_stored_with_their_coverage(bench, tables, batch_of):
    assert await bench.store(batch_of([1.0, 2.0])) == [Done()]
    assert [row["close"] for row in tables.rows("candles")] == [1.0, 2.0]
    assert [row["outcome"] for row in tables.rows("coverage")] == ["candles"]


async def test_an_answer_without_a_candle_is_covered(bench, tables, batch_of):
    await bench.store(batch_of([None, None]))
    assert tables.rows("candles") == []
    assert [row["outcome"] for row in tables.rows("coverage")] == ["empty"]


@pytest.mark.parametrize("aside", [timedelta(), timedelta(seconds=7)], ids=str)
async def test_each_batch_is_reported_with_the_slots_it_explains(bench, batch_of, aside):
    opens = batch_of([1]).header.start + aside
    refused = QuarantinedRow(raw="[]", reason="not_positive", open_time=opens)
    await bench.store(batch_of([None, 1.0, None], quarantined=[refused], part=2, last_part=False))
    (stored,) = bench.said("progress")
    assert isinstance(stored, BatchStoredV1)
    assert (stored.candles, stored.slots_explained, stored.quarantined) == (1, 2, 1)
    assert (stored.part, stored.last_part) == (2, False)


async def test_a_slot_that_is_held_counts_as_explained_though_a_row_of_it_was_refused(
    bench, batch_of
):
    doubled = QuarantinedRow(raw="", reason="not_increasing", open_time=batch_of([1]).header.start)
    await bench.store(batch_of([1.0], quarantined=[doubled]))
    assert bench.said("progress")[0].slots_explained == 1


async def test_the_watermark_stands_behind_the_last_record(bench, batch_of):
    await bench.store(batch_of([1.0]), batch_of([1.0], start=9), first_offset=40)
    (watermark,) = bench.said("sink.watermarks")
    assert watermark == SinkWatermarkV1(source_topic="candles", partition=3, offset=42)


async def test_refused_rows_are_kept_as_they_came(bench, tables, batch_of):
    refused = QuarantinedRow(raw='[0,"x"]', reason="malformed")
    await bench.store(batch_of([1.0], quarantined=[refused]))
    (row,) = tables.rows("quarantine")
    assert (row["raw"], row["reason"], row["open_time"]) == ('[0,"x"]', "malformed", None)


async def test_a_changed_value_moves_the_old_one_to_the_revisions(bench, tables, batch_of):
    await bench.store(batch_of([1.0, 5.0], observed=1), batch_of([2.0, 5.0], observed=2))
    assert [row["close"] for row in tables.rows("candles")] == [2.0, 5.0]
    assert [row["close"] for row in tables.rows("candle_revisions")] == [1.0]


async def test_an_equal_value_changes_nothing(bench, tables, batch_of):
    await bench.store(batch_of([1.0], observed=1))
    before = tables.rows("candles")
    await bench.store(batch_of([1.0], observed=2))
    assert tables.rows("candles") == before
    assert tables.rows("candle_revisions") == []


async def test_a_late_value_goes_to_the_revisions_and_the_row_is_asserted_again(
    bench, tables, batch_of
):
    await bench.store(batch_of([1.0], observed=1))
    await bench.store(batch_of([1.0], observed=3))
    await bench.store(batch_of([9.0], observed=2))
    noon = batch_of([1.0]).header.observed_at
    minute = timedelta(minutes=1)
    assert [(row["close"], row["observed_at"] - noon) for row in tables.rows("candles")] == [
        (1.0, 3 * minute)
    ]
    revisions = tables.rows("candle_revisions")
    assert [(row["close"], row["observed_at"] - noon) for row in revisions] == [
        (1.0, minute),
        (9.0, 2 * minute),
    ]


async def test_a_flush_larger_than_the_limit_is_written_in_parts(tables, bench_over, batch_of):
    bench = bench_over(tables, max_rows=3)
    await bench.store(*(batch_of([1.0, 2.0], start=2 * index) for index in range(4)))
    assert len(tables.rows("candles")) == 8


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"timeframe": "7m"}, "unknown timeframe '7m'"),
        ({"slots": 1}, "1 slots are claimed of a range of 2"),
        ({"slots": 3}, "3 slots are claimed of a range of 2"),
        ({"answer": "empty"}, "2 rows in an answer that is said to be empty"),
    ],
)
async def test_a_header_that_breaks_a_rule_is_rejected(bench, tables, batch_of, changes, reason):
    outcomes = await bench.store(batch_of([1.0, 2.0], **changes), batch_of([3.0], start=5))
    assert isinstance(outcomes[0], Reject)
    assert outcomes[0].reason.startswith(reason)
    assert outcomes[1] == Done()
    assert [row["close"] for row in tables.rows("candles")] == [3.0]


@pytest.mark.parametrize(
    ("close", "reason"),
    [(float("nan"), "row 1: not_finite"), (-1.0, "row 1: not_positive")],
)
async def test_a_value_that_breaks_a_rule_is_rejected(bench, tables, batch_of, close, reason):
    assert await bench.store(batch_of([1.0, close])) == [Reject(reason)]
    assert tables.rows("coverage") == []


async def test_a_range_off_the_grid_is_rejected(bench, batch_of):
    late = batch_of([1.0]).header.start + timedelta(seconds=1)
    (outcome,) = await bench.store(batch_of([1.0], start=0, end=late + timedelta(minutes=1)))
    assert outcome == Reject("the range is not on the grid of 1m")


async def test_rows_outside_the_range_are_rejected(bench, batch_of):
    end = batch_of([1.0]).header.end
    assert await bench.store(batch_of([1.0, 2.0], end=end, slots=1)) == [
        Reject("row 1: outside_window")
    ]


async def test_a_batch_that_claims_fewer_slots_than_it_quarantines_is_rejected(bench, batch_of):
    refused = QuarantinedRow(raw="[]", reason="not_positive", open_time=batch_of([1]).header.start)
    (outcome,) = await bench.store(batch_of([None], quarantined=[refused], slots=0))
    assert outcome == Reject("0 slots are claimed of a range of 1")


async def test_an_outage_of_the_log_is_no_outcome_and_storing_goes_on_after_it(
    bench, tables, batch_of
):
    bench.log.away = True
    with pytest.raises(Unavailable):
        await bench.store(batch_of([1.0]))
    bench.log.away = False
    await bench.store(batch_of([1.0]))
    assert len(tables.rows("candles")) == 1
    assert len(bench.said("progress")) == 1
