"""`python -m bench [SECTION]...`: all figures from one run, one sandbox, no limit, no latency."""

import asyncio
import sys
from collections.abc import Sequence

from rich.console import Console

from bench import big_job, end_to_end, features, latency, memory, profile, replay
from bench.report import Report
from bench.system import System, running_system

SECTIONS = ("end_to_end", "features", "replay", "latency", "memory", "profile", "big_job")
_MEASURES = {
    "end_to_end": end_to_end.measure,
    "features": features.measure,
    "replay": replay.measure,
    "memory": memory.measure,
    "profile": profile.measure,
    "big_job": big_job.measure,
}


async def measure(sections: Sequence[str], console: Console) -> None:
    """Run the sections in order; each report is printed as soon as it is there."""
    async with running_system(generated=500) as system:
        await end_to_end.warm_up()
        full_speed = 0.0
        for section in sections:
            console.rule(section)
            reports = await _run(section, system, full_speed)
            for report in reports:
                report.show(console)
            if section == "end_to_end":
                full_speed = float(reports[0].figures["Candlelog, candles/s"])


async def _run(section: str, system: System, full_speed: float) -> list[Report]:
    if section == "latency":
        return await latency.measure(system, full_speed or latency.ASSUMED_SPEED)
    return await _MEASURES[section](system)


def main(arguments: Sequence[str]) -> None:
    """Refuse sections that do not exist, then measure."""
    unknown = [name for name in arguments if name not in SECTIONS]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; sections are {', '.join(SECTIONS)}")
    asyncio.run(measure(arguments or SECTIONS, Console()))


if __name__ == "__main__":
    main(sys.argv[1:])
