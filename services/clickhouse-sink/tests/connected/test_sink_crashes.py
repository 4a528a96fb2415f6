"""A process that dies at any step leaves what one delivery would, once the batches come again."""

import asyncio
import itertools
import json
import pickle
import sys
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlelog.events.codec import encode
from candlelog.stores.clickhouse import ClickHouse
from clickhouse_sink.adapters.clickhouse import ClickHouseTables
from clickhouse_sink.adapters.memory import MemoryTables

pytestmark = pytest.mark.connected

_ROWS = {
    "candles": "SELECT open_time, close, source, observed_at FROM candles_latest",
    "candle_revisions": "SELECT open_time, close, source, observed_at FROM candle_revisions FINAL",
    "coverage": "SELECT start, end, outcome, chunk_id, observed_at FROM coverage FINAL",
    "quarantine": "SELECT open_time, raw, reason, chunk_id, observed_at FROM quarantine FINAL",
}
_MOMENTS = 32
_symbols = (f"S{number}/USDT" for number in itertools.count())


class CrashError(Exception):
    pass


class Breakable:
    """Tables that fail before or after the call with the fatal number."""

    def __init__(self, target, fatal: int) -> None:
        self._target, self._fatal, self._moment = target, fatal, 0

    def __getattr__(self, name):
        method = getattr(self._target, name)

        async def call(*args):
            self._moment += 2
            if self._moment - 2 == self._fatal:
                raise CrashError
            result = await method(*args)
            if self._moment - 1 == self._fatal:
                raise CrashError
            return result

        return call


async def on_engine(clickhouse: ClickHouse):
    """What a reader sees, by symbol and table."""
    found = defaultdict(lambda: {name: [] for name in _ROWS})
    for name, sql in _ROWS.items():
        for symbol, *row in await clickhouse.query(sql.replace("SELECT ", "SELECT symbol, ")):
            found[symbol][name].append(tuple(row))
    return {symbol: as_text(tables) for symbol, tables in found.items()}


def in_memory(tables: MemoryTables):
    columns = {name: sql.split("SELECT ")[1].split(" FROM")[0] for name, sql in _ROWS.items()}
    return as_text(
        {
            name: [tuple(row[column] for column in names.split(", ")) for row in tables.rows(name)]
            for name, names in columns.items()
        }
    )


def as_text(tables):
    return {name: sorted(tuple(map(str, row)) for row in rows) for name, rows in tables.items()}


def story(batch_of, symbol: str):
    """A flush over slots that hold something: changed, equal, late, new and refused values."""
    refused = {"raw": "[]", "reason": "malformed"}
    earlier = [
        batch_of([1.0, 1.0, 1.0], symbol=symbol, observed=1),
        batch_of([1.0, 1.0, 2.0], symbol=symbol, observed=3),
    ]
    flush = [
        batch_of([5.0, 1.0, 0.5, 8.0], symbol=symbol, observed=4, quarantined=[refused]),
        batch_of([6.0, 9.0, 2.0], symbol=symbol, observed=2),
        batch_of([4.0], symbol=symbol, start=9, observed=4),
    ]
    return earlier, flush


async def undisturbed(bench_over, events):
    tables = MemoryTables()
    for event in events:
        await bench_over(tables).store(event)
    return in_memory(tables)


async def test_a_kill_at_any_step_leaves_no_trace(
    clickhouse, migrated_url, tmp_path: Path, batch_of, bench_over
):
    bench = bench_over(ClickHouseTables(clickhouse))
    stories = [story(batch_of, next(_symbols)) for _ in range(_MOMENTS)]
    await bench.store(*(event for earlier, _ in stories for event in earlier))
    file = tmp_path / "flushes"
    file.write_bytes(pickle.dumps([[encode(event) for event in flush] for _, flush in stories]))
    script = Path(__file__).with_name("kill_at_each_step.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, file, migrated_url, stdout=asyncio.subprocess.PIPE
    )
    ends = json.loads((await process.communicate())[0])
    assert set(ends) == {-9, 0}
    assert ends == sorted(ends), "the steps of the flush came to an end before the last child"
    await bench.store(*(event for _, flush in stories for event in flush))
    found = await on_engine(clickhouse)
    for earlier, flush in stories:
        expected = await undisturbed(bench_over, [*earlier, *flush])
        assert found[flush[0].header.symbol] == expected


closes = st.lists(st.sampled_from([1.0, 2.0, None]), min_size=1, max_size=4)
answers = st.lists(st.tuples(st.integers(0, 2), closes, st.integers(0, 5)), min_size=1, max_size=6)
deliveries = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 60)), max_size=4)


@settings(max_examples=25, deadline=None)
@given(answers, deliveries)
async def test_crashes_and_redeliveries_of_any_course_end_in_the_same_tables(
    migrated, batch_of, bench_over, log, deliveries
):
    symbol, tables = next(_symbols), ClickHouseTables(migrated)
    batches = [
        batch_of(values, symbol=symbol, start=start, observed=observed)
        for start, values, observed in log
    ]
    committed = 0
    for size, fatal in deliveries:
        with suppress(CrashError):
            await bench_over(Breakable(tables, fatal)).store(*batches[committed : committed + size])
            committed += size
    await bench_over(tables).store(*batches[committed:])
    found = await on_engine(migrated)
    assert found[symbol] == await undisturbed(bench_over, batches)
