"""From `candlelog up` to candles that equal the archive, also across a restart."""

import pytest
from tests.sandbox import sandbox_of

from candlelog_client.demo import checks, market, truth

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

LONG_MS = 2_000  # for an answer: 45 pages are not there before the system ends
DAY = {"start": "2024-02-01", "end": "2024-02-02"}


async def finished(client, job_id: str):
    return [job async for job in client.jobs.watch(job_id)][-1]


async def submitted(client, **changes):
    request = {"exchange": "binance", "symbols": [market.SAMPLE], "timeframes": ["1m"], **DAY}
    return await client.jobs.submit(**{**request, **changes})


async def test_a_month_equals_the_archive_and_a_restart_goes_on_where_it_was(launch, data_dir):
    month = {"start": market.START, "end": market.END}
    async with launch(data_dir, "--sandbox") as client, sandbox_of(data_dir) as sandbox:
        job = await submitted(client, timeframes=["1m", "1h"], **month)
        job = await finished(client, job.id)
        assert (job.status, job.progress_pct) == ("completed", 100.0)
        assert job.candles_stored == 41_760 + 696
        await equals_the_source(client, "1m", **month)
        await equals_the_source(client, "1h", **month)
        await sandbox.turn("latency", milliseconds=LONG_MS)
        other = {"symbols": ["SYNA/USDT"], "start": "2023-01-01", "end": "2023-02-01"}
        unfinished = await submitted(client, **other)
        async for state in client.jobs.watch(unfinished.id):
            if state.candles_stored:
                break
        assert state.status == "running"

    async with launch(data_dir, "--sandbox") as client:
        done = await finished(client, unfinished.id)
        assert (done.status, done.candles_stored) == ("completed", 44_640)
        await equals_the_source(client, "1m", **month)
        again = await finished(client, (await submitted(client, **month)).id)
        assert (again.status, again.candles_stored) == ("completed", 0), "nothing is asked twice"


async def equals_the_source(client, timeframe: str, **period) -> None:
    wanted = market.Wanted(market.SAMPLE, timeframe)
    table = await client.candles("binance", market.SAMPLE, timeframe, **period).to_arrow()
    check = checks.candles_equal(wanted.name, wanted.truth(), truth.stored(table))
    assert check.holds, f"{check.claim}: {check.found}"
