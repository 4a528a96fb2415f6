"""Resident memory of each process."""

from bench.report import Report
from bench.system import System


async def measure(system: System) -> list[Report]:
    """MB of every process, as it is now."""
    figures = {
        f"{name}, MB": round(process.memory_info().rss / 1e6)
        for name, process in sorted((await system.processes()).items())
    }
    return [Report("Resident memory after the runs above", figures)]
