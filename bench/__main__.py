"""`python -m bench [SECTION]...`: speed, latency and memory from one run, no limit, no latency.

Of the rate limit, of control and of faults: `python -m bench.budget`, `bench.counter`,
`bench.disturbed`, `bench.control`, `bench.soak`, and `bench.fetch_path` for one page after another.
Of what is stored: `bench.sink`, `bench.archive`, `bench.audit`, `bench.reading`.
"""

import argparse
import asyncio
from collections.abc import Sequence

from rich.console import Console

from bench import (
    big_job,
    candle_codecs,
    codecs,
    end_to_end,
    features,
    latency,
    memory,
    profile,
    replay,
)
from bench.report import Report
from bench.sections import add_sections, chosen
from bench.system import System, running_system

SECTIONS = (
    "end_to_end",
    "features",
    "codecs",
    "candle_codecs",
    "replay",
    "latency",
    "memory",
    "profile",
    "big_job",
)
_MEASURES = {
    "end_to_end": end_to_end.measure,
    "features": features.measure,
    "codecs": codecs.measure,
    "candle_codecs": candle_codecs.measure,
    "replay": replay.measure,
    "memory": memory.measure,
    "profile": profile.measure,
    "big_job": big_job.measure,
}


async def measure(sections: Sequence[str], replicas: Sequence[str], console: Console) -> None:
    """Run the sections in order; each report is printed as soon as it is there."""
    up_flags = [flag for value in replicas for flag in ("--replicas", value)]
    async with running_system(generated=500, up_flags=up_flags) as system:
        await end_to_end.warm_up()
        full_speed = 0.0
        for section in sections:
            console.rule(section)
            reports = await _run(section, system, full_speed)
            for report in reports:
                report.show(console)
            if section == "end_to_end":
                speed = reports[0].figures["Candlelog, candles/s"]
                assert isinstance(speed, int)
                full_speed = float(speed)


async def _run(section: str, system: System, full_speed: float) -> list[Report]:
    if section == "latency":
        return await latency.measure(system, full_speed or latency.ASSUMED_SPEED)
    return await _MEASURES[section](system)


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add_sections(parser, SECTIONS)
    parser.add_argument(
        "--replicas", action="append", default=[], metavar="SERVICE=N", help="as in `candlelog up`"
    )
    options = parser.parse_args()
    asyncio.run(measure(chosen(parser, options, SECTIONS), options.replicas, Console()))


if __name__ == "__main__":
    main()
