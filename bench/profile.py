"""Which functions of the services are on the processor while a job runs at full speed."""

import asyncio
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.report import Figure, Report
from bench.system import System
from candlelog_client import Candlelog

SECONDS = 12
SERVICES = ("fetcher", "coordinator", "clickhouse-sink", "featurizer", "gap-auditor", "status-api")
SHOWN = 8


async def measure(system: System) -> list[Report]:
    """Samples every service with py-spy during one job; only who holds the interpreter counts."""
    async with Candlelog() as candlelog:
        job = await candlelog.jobs.submit(
            exchange="binance", symbols=[f"GEN{number:03d}/USDT" for number in range(31, 61)],
            timeframes=["1m"], start=datetime(2021, 1, 1, tzinfo=UTC),
            end=datetime(2021, 1, 1, tzinfo=UTC) + timedelta(days=365), label="bench: profile",
            features=False,
        )  # fmt: skip
        await asyncio.sleep(2)
        processes = await system.processes()
        reports = await asyncio.gather(
            *(
                _sample(name, process.pid)
                for name, process in processes.items()
                if name.rpartition("-")[0] in SERVICES
            )
        )
        await candlelog.jobs.cancel(job.id)
    return list(reports)


async def _sample(name: str, pid: int) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stacks"
        sampler = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid),
            "--duration", str(SECONDS), "--gil", "--format", "raw", "--output", str(file),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, errors = await sampler.communicate()
        if sampler.returncode:
            return Report(f"{name}: not sampled", {}, (errors.decode().strip(),))
        return Report(
            f"{name}: share of the time it holds the interpreter", _shares(file.read_text())
        )


def _shares(stacks: str) -> dict[str, Figure]:
    """Share of the samples in which a function was on top, the most frequent ones first."""
    on_top: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        on_top[stack.rpartition(";")[2]] += int(count)
    total = on_top.total() or 1
    return {function: count / total for function, count in on_top.most_common(SHOWN)}
