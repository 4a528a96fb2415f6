"""Everything the demo looks at once the job has ended."""

import asyncio
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from candlelog_client.client import Candlelog
from candlelog_client.demo import checks, market, truth, venue
from candlelog_client.demo.checks import Check
from candlelog_client.results import Job, Limit

_CAPACITY: Final = 6000.0
"""Weight a minute of the sandbox, as of the exchange it stands for."""


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """One series: candles in the source and stored, and whether they are the same."""

    name: str
    in_source: int
    stored: int
    candles: Check
    coverage: Check


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found. `sample` holds the stored 1m candles of the sample symbol."""

    job: Job
    series: tuple[SeriesResult, ...]
    arrivals: venue.Arrivals
    limits: tuple[Limit, ...]
    sample: pa.Table

    @property
    def checks(self) -> list[Check]:
        """Every claim."""
        limit = checks.limit_kept(
            refused=self.arrivals.refused, heaviest=self.arrivals.heaviest, capacity=_CAPACITY
        )
        of_series = [check for one in self.series for check in (one.candles, one.coverage)]
        return [checks.job_is_complete(self.job), *of_series, limit]


async def inspect(client: Candlelog, job: Job, exchange_url: str) -> Inspection:
    """Compare what can be read now with the source."""
    results: list[SeriesResult] = []
    sample = pa.table({})
    for wanted in market.series():
        table, result = await _series(client, wanted)
        results.append(result)
        if (wanted.symbol, wanted.timeframe) == (market.SAMPLE, "1m"):
            sample = table
    return Inspection(
        job=job,
        series=tuple(results),
        arrivals=await venue.arrivals(exchange_url),
        limits=await client.limits(),
        sample=sample,
    )


async def _series(client: Candlelog, wanted: market.Wanted) -> tuple[pa.Table, SeriesResult]:
    names = (market.EXCHANGE, wanted.symbol, wanted.timeframe)
    expected = await asyncio.to_thread(wanted.truth)
    table = await client.candles(*names, start=market.START, end=market.END).to_arrow()
    runs = [run async for run in client.coverage(*names, start=market.START, end=market.END)]
    found = await asyncio.to_thread(
        lambda: checks.candles_equal(wanted.name, expected, truth.stored(table))
    )
    covered = checks.covered(wanted.name, runs, market.START, market.END)
    return table, SeriesResult(wanted.name, expected.num_rows, table.num_rows, found, covered)
