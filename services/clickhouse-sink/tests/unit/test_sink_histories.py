"""The tables after any course of events, against an oracle that knows nothing of tables."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from candlelog.market.series import Series
from clickhouse_sink.adapters.memory import MemoryTables
from clickhouse_sink.domain.batches import Window
from clickhouse_sink.domain.restatement import Asked
from clickhouse_sink.domain.tables import TableName

SLOTS = 5
CLOSES = st.sampled_from([1.0, 2.0, 3.0])


@dataclass(frozen=True)
class Answer:
    """What a venue answered: closes of the slots from `start` on, read at minute `observed`."""

    start: int
    closes: tuple[float | None, ...]
    observed: int


def answers(close: st.SearchStrategy[float | None]) -> st.SearchStrategy[list[Answer]]:
    def of_range(bounds: tuple[int, int]) -> st.SearchStrategy[Answer]:
        start, length = bounds[0], min(bounds[1], SLOTS - bounds[0])
        closes = st.tuples(*[close] * length)
        return st.builds(Answer, st.just(start), closes, st.integers(0, 6))

    bounds = st.tuples(st.integers(0, SLOTS - 1), st.integers(1, SLOTS))
    return st.lists(bounds.flatmap(of_range), min_size=1, max_size=7)


def cuts(count: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(1, count), max_size=3).map(sorted)


def store(bench_over, batch_of, flushes: Sequence[Sequence[Answer]]) -> MemoryTables:
    tables = MemoryTables()

    async def run() -> None:
        bench = bench_over(tables)
        for flush in flushes:
            await bench.store(
                *(
                    batch_of(answer.closes, start=answer.start, observed=answer.observed)
                    for answer in flush
                )
            )

    asyncio.run(run())
    return tables


def everything(tables: MemoryTables) -> dict[str, object]:
    return {name: tables.rows(name) for name in ("candles", "candle_revisions", "coverage")}


def split(items: Sequence[Answer], at: Sequence[int]) -> list[Sequence[Answer]]:
    edges = [0, *at, len(items)]
    return [items[a:b] for a, b in pairwise(edges) if a < b]


def believed(tables: MemoryTables, open_time: datetime, at: datetime) -> float | None:
    rows = [*tables.rows("candle_revisions"), *tables.rows("candles")]
    known = [row for row in rows if row["open_time"] == open_time and row["observed_at"] <= at]
    return max(known, key=lambda row: row["observed_at"])["close"] if known else None


class SlowTables(MemoryTables):
    """Tables of which every question and every insert takes a while: so calls overlap."""

    async def asked(self, windows: Sequence[Window]) -> Mapping[Series, Asked]:
        found = await super().asked(windows)
        for _ in range(20):
            await asyncio.sleep(0)
        return found

    async def append(self, table: TableName, rows: pa.Table) -> None:
        for _ in range(7):
            await asyncio.sleep(0)
        await super().append(table, rows)


@settings(max_examples=60, deadline=None)
@given(st.data(), answers(CLOSES))
def test_flushes_that_overlap_leave_what_one_after_the_other_leaves(
    bench_over, batch_of, data, log
):
    flushes, tables = split(log, data.draw(cuts(len(log)))), SlowTables()
    batches = [
        [batch_of(each.closes, start=each.start, observed=each.observed) for each in flush]
        for flush in flushes
    ]
    asyncio.run(bench_over(tables).store_two_at_a_time(*batches))
    assert everything(tables) == everything(store(bench_over, batch_of, flushes))


@settings(max_examples=60, deadline=None)
@given(st.data(), answers(CLOSES))
def test_the_grouping_of_batches_into_flushes_leaves_no_trace(bench_over, batch_of, data, log):
    at = data.draw(cuts(len(log)))
    one_by_one = store(bench_over, batch_of, [[answer] for answer in log])
    assert everything(store(bench_over, batch_of, split(log, at))) == everything(one_by_one)


@settings(max_examples=60, deadline=None)
@given(st.data(), answers(CLOSES | st.none()))
def test_a_replay_from_any_offset_changes_nothing(bench_over, batch_of, data, log):
    once = store(bench_over, batch_of, [[answer] for answer in log])
    offset = data.draw(st.integers(0, len(log) - 1))
    again = [log, *split(log[offset:], data.draw(cuts(len(log) - offset)))]
    assert everything(store(bench_over, batch_of, again)) == everything(once)


@settings(max_examples=60, deadline=None)
@given(answers(CLOSES))
def test_at_every_moment_the_newest_answer_until_then_is_believed(bench_over, batch_of, log):
    tables = store(bench_over, batch_of, [log])
    for slot in range(SLOTS):
        open_time = batch_of([1.0], start=slot).header.start
        for minute in range(7):
            told = [
                (answer.observed, answer.closes[slot - answer.start])
                for answer in log
                if answer.observed <= minute
                and answer.start <= slot < answer.start + len(answer.closes)
            ]
            at = batch_of([1.0], observed=minute).header.observed_at
            expected = max(told)[1] if told else None
            assert believed(tables, open_time, at) == expected


@settings(max_examples=60, deadline=None)
@given(answers(CLOSES))
def test_no_revision_is_newer_than_the_row(bench_over, batch_of, log):
    tables = store(bench_over, batch_of, [log])
    newest = {row["open_time"]: row["observed_at"] for row in tables.rows("candles")}
    assert all(
        row["observed_at"] < newest[row["open_time"]] for row in tables.rows("candle_revisions")
    )
