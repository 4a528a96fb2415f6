"""`python -m candlelog_client.demo`: exit code 0 only if every check holds."""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from candlelog.clock import Clock, SystemClock
from candlelog.errors import CandlelogError
from candlelog.settings import parse_pairs
from candlelog_client.cli.figures import duration
from candlelog_client.cli.follow import follow
from candlelog_client.client import Candlelog
from candlelog_client.connection import API_TOKEN, API_URL, read_environment_file
from candlelog_client.demo import market
from candlelog_client.demo.inspection import Inspection, inspect
from candlelog_client.demo.report import report
from candlelog_embedded.detached import up_detached
from candlelog_embedded.system import down
from candlelog_embedded.topology import Options

INTERRUPTED = 130


def main() -> int:
    """Run the demo in a temporary folder; the folder stays when something went wrong."""
    console, clock = Console(), SystemClock()
    folder = Path(tempfile.mkdtemp(prefix="candlelog-demo-"))
    code = 1
    try:
        code = _run(console, clock, folder / "data")
    except CandlelogError as error:
        console.print(f"[red]The demo failed:[/] {error}", soft_wrap=True)
    except KeyboardInterrupt:
        console.print("Interrupted; stopping.")
        code = INTERRUPTED
    finally:
        down(folder / "data")
    if code == 1:
        console.print(f"The logs are kept in {folder / 'data' / 'logs'}.", soft_wrap=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return code


def _run(console: Console, clock: Clock, data_dir: Path) -> int:
    began = clock.monotonic()
    console.print("Starting broker, Postgres, ClickHouse, the sandbox exchange and six services …")
    environment = read_environment_file(up_detached(Options(data_dir, sandbox=True)))
    console.print(f"Ready after {duration(clock.monotonic() - began)}: {environment[API_URL]}")
    found = asyncio.run(_work(console, environment))
    report(console, found)
    console.print(f"Everything took {duration(clock.monotonic() - began)}. Stopping …")
    return 0 if all(check.holds for check in found.checks) else 1


async def _work(console: Console, environment: dict[str, str]) -> Inspection:
    async with Candlelog(environment[API_URL], environment[API_TOKEN]) as client:
        job = await client.jobs.submit(
            exchange=market.EXCHANGE,
            symbols=market.SYMBOLS,
            timeframes=market.TIMEFRAMES,
            start=market.START,
            end=market.END,
            label="demo",
        )
        job = await follow(client, job.id, console)
        console.print("Comparing every stored candle with its source …")
        return await inspect(client, job, _exchange_url(environment))


def _exchange_url(environment: dict[str, str]) -> str:
    urls = parse_pairs(environment["CANDLELOG_EXCHANGE_URLS"])
    return urls[market.EXCHANGE]


if __name__ == "__main__":
    sys.exit(main())
