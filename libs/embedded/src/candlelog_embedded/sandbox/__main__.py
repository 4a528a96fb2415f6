"""Runs the sandbox exchange until it is told to stop: `python -m candlelog_embedded.sandbox`."""

import asyncio
import signal
import sys
from random import Random

from candlelog.clock import SystemClock
from candlelog.errors import CandlelogError
from candlelog_embedded.sandbox.control import Control
from candlelog_embedded.sandbox.flags import Flags, parse
from candlelog_embedded.sandbox.markets import Markets, archived, generated
from candlelog_embedded.sandbox.server import Server
from candlelog_embedded.sandbox.venue import Venue


async def serve(flags: Flags) -> None:
    """Serve until SIGINT or SIGTERM; says on standard output where."""
    listings = [listing for folder in flags.market for listing in archived(folder)]
    venue = Venue(Markets([*listings, *generated(flags.generated)]), SystemClock(), Random())
    flags.turn(venue)
    server = Server(venue, Control(venue, flags.turn))
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    port = await server.start(flags.host, flags.port)
    sys.stdout.write(f"sandbox exchange on http://{flags.host}:{port}\n")
    sys.stdout.flush()
    await stopping.wait()
    await server.stop()


if __name__ == "__main__":
    try:
        asyncio.run(serve(parse(sys.argv[1:])))
    except (CandlelogError, OSError) as error:
        sys.exit(f"sandbox: {error}")
